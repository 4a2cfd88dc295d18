"""Looks in files, and pictures made again from what is in them, through the real command line."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import PIL.Image
import pytest
from hypothesis import given
from hypothesis import strategies as st
from skimage import data

from conftest import impasto
from impasto import pictures
from impasto.config import CHECKS, LAST, NUMBERS, Config, configure
from impasto.errors import ConfigError
from impasto.parsing import look_text, parse_look

QUICK = ["--size", "64", "--iterations", "4", "--backbone", "vgg16"]


@pytest.fixture
def folder(folder):
    """With a painting in it too."""
    PIL.Image.fromarray(data.chelsea()).resize((90, 60)).save("painting.png")
    return folder


def settings_of(path):
    return pictures.read_recipe(path)["settings"]


LOOK = """
painting = "paintings/mine.png"
strength = 0.7
color = "luminance"
size = 64
iterations = 4
backbone = "vgg16"
fit = "6GB"
style-layers = { relu1_1 = 1, relu3_1 = 0.5 }
"""


def test_a_look_holds_settings_and_the_command_line_comes_first(folder, capsys):
    Path("looks/paintings").mkdir(parents=True)
    shutil.copy("painting.png", "looks/paintings/mine.png")
    Path("looks/a.toml").write_text(LOOK)
    look = ("--config", "looks/a.toml")
    impasto(capsys, "stylize", "photo.png", "-o", "a.png", *look, "--strength", "0.4")
    found = settings_of("a.png")
    assert found["strength"] == 0.4
    assert found["color"] == "luminance"
    assert found["fit"] == 6 * 10**9
    assert found["style_layers"] == [["relu1_1", 1], ["relu3_1", 0.5]]
    assert pictures.read_recipe("a.png")["inputs"]["paintings"][0]["name"] == "mine.png"
    impasto(capsys, "stylize", "photo.png", "charcoal", "-o", "b.png", *look)
    assert pictures.read_recipe("b.png")["inputs"]["paintings"][0]["name"] == "charcoal.jpg"


def test_a_look_can_begin_from_a_preset_and_name_a_built_in_style(folder, capsys):
    Path("p.toml").write_text('preset = "paper"\npainting = "charcoal"\niterations = 2\n')
    impasto(
        capsys, "stylize", "photo.png", "-o", "p.png", "--config", "p.toml", *QUICK[:2], *QUICK[4:]
    )
    assert settings_of("p.png")["preset"] == "paper"
    assert settings_of("p.png")["iterations"] == 2


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("strenght = 0.5", "did you mean strength?"),
        ("strength = 2", "a number from 0 to 1"),
        ("strength", "no TOML"),
        ("size = 64", "no painting"),
        ('style_layers = "relu9_1"', "layers are conv1_1"),
        ("style_layers = 3", "layers are conv1_1"),
        ('color = "luminence"', "did you mean luminance?"),
        ("strength = [1, 2]", "a number from 0 to 1"),
        ("painting = 5", "look 'bad.toml': painting 5; a file, a folder or a style's name"),
        ("painting = []", "look 'bad.toml': painting []; a file, a folder or a style's name"),
        ("snapshots = true", "snapshots are iterations"),
        ('snapshots = "1;2"', "snapshots are iterations"),
    ],
)
def test_a_bad_look_is_one_line(folder, capsys, text, words):
    Path("bad.toml").write_text(text)
    out = impasto(capsys, "stylize", "photo.png", "--config", "bad.toml", status=2)
    assert words in out.err
    assert out.err.count("\n") == 1


def test_a_look_that_is_not_there_or_no_text_is_one_line(folder, capsys):
    Path("look.toml").write_text("size = 64")
    out = impasto(capsys, "stylize", "photo.png", "--config", "lok.toml", status=2)
    assert "did you mean 'look.toml'?" in out.err
    out = impasto(capsys, "stylize", "photo.png", "--config", "photo.png", status=2)
    assert "no text" in out.err


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_a_look_may_begin_with_a_byte_order_mark(folder, capsys, encoding):
    Path("a.toml").write_text('strength = 0.6\npainting = "charcoal"\n', encoding=encoding)
    impasto(capsys, "stylize", "photo.png", "--config", "a.toml", "-o", "a.png", *QUICK)
    assert settings_of("a.png")["strength"] == 0.6


@pytest.mark.parametrize(
    ("encoding", "words"),
    [
        ("utf-16", "look 'a.toml' is in UTF-16; UTF-8 is wanted; save it again with"),
        ("utf-16-le", "look 'a.toml' is in UTF-16; UTF-8 is wanted; save it again with"),
        ("utf-16-be", "look 'a.toml' is in UTF-16; UTF-8 is wanted; save it again with"),
        ("cp1252", "look 'a.toml': line 2 is not in UTF-8; UTF-8 is wanted; save it again with"),
    ],
)
def test_a_look_in_another_encoding_is_one_line_that_says_which(folder, capsys, encoding, words):
    Path("a.toml").write_bytes('strength = 0.6\n# for ""\n'.replace('""', "\xfc").encode(encoding))
    out = impasto(capsys, "stylize", "photo.png", "charcoal", "--config", "a.toml", status=2)
    assert words in out.err
    assert out.err.count("\n") == 1


def test_an_empty_look_says_nothing():
    assert parse_look(look_text(b"", "look"), "look") == {}


@given(
    st.fixed_dictionaries(
        {},
        optional={
            name: st.integers(1, 9) if CHECKS[name].whole else st.floats(0.1, 1)
            for name in NUMBERS
            if name not in ("learning_rate", "style_size")
        },
    )
)
def test_numbers_in_a_look_are_those_of_the_settings(numbers):
    text = "\n".join(f"{name.replace('_', '-')} = {value!r}" for name, value in numbers.items())
    assert configure(**parse_look(text, "look")) == Config(**numbers)


@pytest.mark.parametrize("text", ['snapshots = "1,50,last"', 'snapshots = [1, 50, "last"]'])
def test_snapshots_in_a_look_are_those_of_the_command_line(text):
    assert configure(**parse_look(text, "look")).snapshots == (1, 50, LAST)


def test_an_unknown_setting_is_named_with_its_file():
    with pytest.raises(ConfigError, match=r"look 'a.toml': setting 'colour'; did you mean color\?"):
        parse_look("colour = 1", "look 'a.toml'")


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp"])
def test_a_picture_made_again_is_the_same_to_the_byte(folder, capsys, suffix):
    made = ("--strength", "0.6", "--snapshots", "1", "--color", "photo", "--style-scale", "0.8")
    impasto(capsys, "stylize", "photo.png", "painting.png", "-o", f"a{suffix}", *QUICK, *made)
    out = impasto(capsys, "rerun", f"a{suffix}")
    assert "Byte for byte the same" in out.out
    assert Path(f"a-again{suffix}").read_bytes() == Path(f"a{suffix}").read_bytes()
    assert not Path("a-again.png-snapshots").exists()
    assert not Path("a-again.png-checkpoint").exists()


def test_so_it_is_with_16_bits_a_start_of_its_own_and_in_windows(folder, capsys):
    more = ("--bits", 16, "--start", "painting.png", "--fit", "windows")
    impasto(capsys, "stylize", "photo.png", "night-swirls", "-o", "a.png", *QUICK, *more)
    impasto(capsys, "rerun", "a.png", "-o", "b.png", "-q")
    impasto(capsys, "rerun", "a.png", "-o", "b.jpg", "-q")  # which holds 8
    assert pictures.read_recipe("b.jpg")["bits"] == 8
    assert Path("b.png").read_bytes() == Path("a.png").read_bytes()


def test_from_another_folder_the_files_are_found_beside_it_or_where_they_are_said_to_be(
    folder, capsys, monkeypatch
):
    impasto(capsys, "stylize", "photo.png", "painting.png", "-o", "a.png", *QUICK)
    Path("else").mkdir()
    Path("painting.png").rename("else/renamed.png")
    monkeypatch.chdir(folder / "else")
    out = impasto(capsys, "rerun", "../a.png", status=2)
    assert "'painting.png' is not beside it" in out.err
    assert "--painting" in out.err
    impasto(capsys, "rerun", "../a.png", "--painting", "renamed.png", "-o", "b.png")
    # The recipe has the new name; the pixels are the same.
    assert PIL.Image.open("b.png").tobytes() == PIL.Image.open("../a.png").tobytes()


def test_another_file_of_the_same_name_is_an_error_and_never_a_wrong_picture(folder, capsys):
    impasto(capsys, "stylize", "photo.png", "painting.png", "-o", "a.png", *QUICK)
    PIL.Image.fromarray(data.astronaut()).resize((64, 64)).save("painting.png")
    out = impasto(capsys, "rerun", "a.png", status=2)
    assert "is another file than the one" in out.err
    assert not Path("a-again.png").exists()


def test_the_picture_itself_is_never_replaced(folder, capsys):
    impasto(capsys, "stylize", "photo.png", "painting.png", "-o", "a.png", *QUICK)
    before = Path("a.png").read_bytes()
    impasto(capsys, "rerun", "a.png", "-o", "a.png", status=2)
    assert Path("a.png").read_bytes() == before


def test_with_a_network_in_the_cache_the_embedded_one_is_still_found(folder, capsys, monkeypatch):
    impasto(capsys, "stylize", "photo.png", "painting.png", "-o", "a.png", *QUICK)
    from impasto.network import weights

    resolve, embedded = weights.resolve, weights.resolve("vgg16")

    def other(name="auto"):
        found = resolve(name)
        return found if "safetensors" in str(name) else replace(found, sha256="0" * 64)

    monkeypatch.setattr(weights, "resolve", other)
    impasto(capsys, "rerun", "a.png", "-o", "b.png")
    assert pictures.read_recipe("b.png")["backbone"]["sha256"] == embedded.sha256
    assert PIL.Image.open("b.png").tobytes() == PIL.Image.open("a.png").tobytes()


def test_a_foreign_checkpoint_is_told_of(folder, capsys):
    impasto(capsys, "stylize", "photo.png", "painting.png", "-o", "a.png", *QUICK)
    Path("b.png-checkpoint").mkdir()
    Path("b.png-checkpoint/checkpoint.safetensors").write_bytes(b"old")
    out = impasto(capsys, "rerun", "a.png", "-o", "b.png")
    assert "will be overwritten" in out.err


def test_larger_on_demand(folder, capsys):
    impasto(capsys, "stylize", "photo.png", "painting.png", "-o", "a.png", *QUICK)
    impasto(capsys, "rerun", "a.png", "--size", "96")
    assert PIL.Image.open("a-96.png").size == (96, 64)
    before, after = (settings_of(name) for name in ("a.png", "a-96.png"))
    assert {**before, "size": 96} == after
    out = impasto(capsys, "rerun", "a.png", "--size", "96", status=2)
    assert "exists" in out.err


def test_what_cannot_be_made_again_says_why(folder, capsys):
    out = impasto(capsys, "rerun", "photo.png", status=2)
    assert "holds no recipe" in out.err
    impasto(capsys, "stylize", "photo.png", "painting.png", "-o", "a.png", *QUICK)
    recipe = pictures.read_recipe("a.png")
    pixels = pictures.load("a.png").pixels
    settings = {**recipe["settings"], "sparkle": 3}
    pictures.save(pixels, "odd.png", recipe={**recipe, "settings": settings})
    assert "cannot follow" in impasto(capsys, "rerun", "odd.png", status=2).err
    pictures.save(pixels, "bare.png", recipe={"settings": recipe["settings"]})
    assert "recipe" in impasto(capsys, "rerun", "bare.png", status=2).err
    other = {**recipe, "backbone": {**recipe["backbone"], "sha256": "0" * 64}}
    pictures.save(pixels, "other.png", recipe=other)
    assert "--backbone" in impasto(capsys, "rerun", "other.png", status=2).err


def test_other_versions_are_told(folder, capsys):
    impasto(capsys, "stylize", "photo.png", "painting.png", "-o", "a.png", *QUICK)
    recipe = pictures.read_recipe("a.png")
    recipe["versions"]["torch"] = "1.0"
    pictures.save(pictures.load("a.png").pixels, "old.png", recipe=json.loads(json.dumps(recipe)))
    out = impasto(capsys, "rerun", "old.png")
    assert "The picture may differ in a few bytes: torch was 1.0" in out.err
    assert "The same picture; its file differs" in out.out

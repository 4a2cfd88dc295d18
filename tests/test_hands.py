"""The painterly hand, as it is asked for: with every other option, resumed and made again."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import PIL.Image
import pytest
from skimage import data

from conftest import impasto
from impasto import pictures, stylize, texture
from impasto.config import HANDS, PRESETS, Config, configure, usual
from impasto.errors import ConfigError
from impasto.studio.lines import changed

PAINTERLY = ("--hand", "painterly")
SMALL = ("--size", "64", "--iterations", "3", "--backbone", "vgg16", "--quiet")
SPLIT = np.full((128, 128, 3), 255, np.uint8)
SPLIT[:, :64] = 0
OF_A_HAND = {"hand", *HANDS["faithful"]}


@pytest.fixture
def given(folder):
    """A photograph, a painting and a mask in the current folder."""
    PIL.Image.fromarray(data.astronaut()[::4, ::4]).save("photo.png")
    PIL.Image.fromarray(data.coffee()[:384:3, :384:3]).save("painting.png")
    PIL.Image.fromarray(SPLIT).save("mask.png")
    return folder


def settings_of(path):
    return pictures.read_recipe(path)["settings"]


def test_the_word_is_three_numbers_and_each_may_be_changed():
    painterly = configure(hand="painterly")
    assert {name: getattr(painterly, name) for name in HANDS["painterly"]} == HANDS["painterly"]
    assert configure(hand="painterly", detail=1.0).detail == 1.0
    assert usual("default", "painterly", "normal") == painterly
    assert configure(hand=Config.hand) == configure() == Config()
    for name, row in HANDS.items():
        assert set(row) == {"slices", "relations", "detail"}, name


def test_a_draft_has_all_of_the_detail_unless_it_is_told_otherwise():
    draft = configure(hand="painterly", quality="draft")
    assert (draft.slices, draft.detail) == (HANDS["painterly"]["slices"], 1.0)
    assert configure(hand="painterly", quality="draft", detail=0.3).detail == 0.3
    assert changed(draft) == {"quality": "draft"}
    faithful = configure(hand="faithful", quality="draft")
    assert changed(faithful) == {"hand": "faithful", "quality": "draft"}
    assert configure(hand="painterly", quality="fine").detail == HANDS["painterly"]["detail"]


def test_the_papers_sums_have_no_hand_but_their_own(given, capsys):
    with pytest.raises(ConfigError, match="units of sums"):
        configure("paper", hand="painterly")
    assert configure("paper", hand="faithful") == PRESETS["paper"]
    words = ("stylize", "photo.png", "charcoal", "-o", "out.png", "--preset", "paper", *PAINTERLY)
    told = impasto(capsys, *words, status=2).err
    assert "slices" in told
    assert len(told.strip().splitlines()) == 1


def test_sums_are_faithful_without_being_told():
    sums = configure(units="sums", alpha=1e-3)
    assert (sums.hand, sums.slices, sums.relations, sums.detail) == ("faithful", 0.0, 0.0, 1.0)


def test_a_file_of_before_there_were_hands_means_the_faithful_one(given):
    result = stylize("photo.png", "charcoal", size=48, iterations=2, hand="faithful")
    now = result.recipe
    before = {name: value for name, value in now.settings.items() if name not in OF_A_HAND}
    assert replace(now, settings=before).config() == now.config()
    assert now.config().hand == "faithful"


def test_an_unknown_hand_is_a_line_with_what_there_is(given, capsys):
    words = ("stylize", "photo.png", "charcoal", "-o", "out.png", "--hand", "paintery")
    told = impasto(capsys, *words, status=2).err
    assert "faithful, painterly" in told
    assert "Did you mean" in told or "painterly" in told


@pytest.mark.parametrize(
    "more",
    [
        ("charcoal", "--style-weights", "1,2", "--color", "luminance", "--optimizer", "adam"),
        ("--mask", "mask.png", "--region", "white=charcoal"),
        ("--mask", "mask.png", "--region", "black=photo", "--distance", "gram"),
        ("--tileable", "both", "--fit", "windows"),
        ("--strength", "1", "--start", "noise", "--slices", "1", "--relations", "1"),
    ],
    ids=" ".join,
)
def test_it_works_with_every_other_option_and_again(given, capsys, more):
    paintings = ["painting.png", *(more[:1] if not more[0].startswith("-") else ())]
    options = more[len(paintings) - 1 :]
    impasto(
        capsys, "stylize", "photo.png", *paintings, "-o", "out.png", *SMALL, *PAINTERLY, *options
    )
    assert settings_of("out.png")["hand"] == "painterly"
    impasto(capsys, "rerun", "out.png", "-o", "again.png", "--quiet")
    assert PIL.Image.open("again.png").tobytes() == PIL.Image.open("out.png").tobytes()


def test_a_picture_is_its_own_hands(given):
    settings = {"size": 64, "iterations": 8, "backbone": "vgg16"}
    pixels = {
        hand: stylize("photo.png", "painting.png", hand=hand, **settings).pixels for hand in HANDS
    }
    apart = (pixels["faithful"] - pixels["painterly"]).abs().mean()
    assert float(apart) > 0.01


def test_a_texture_is_painted_by_hand_too():
    result = texture(data.coffee()[:128, :128], 96, hand="painterly", iterations=6)
    names = [name for name in result.history[-1] if name.endswith("sliced")]
    assert len(names) == len(Config().style_layers)
    assert "content relu4_2 related" not in result.history[-1]


def test_a_look_may_name_a_hand_and_an_option_counts_for_more(given, capsys):
    (given / "mine.toml").write_text('hand = "painterly"\nslices = 0.25\n')
    more = ("--config", "mine.toml", "--detail", "1")
    impasto(capsys, "stylize", "photo.png", "charcoal", "-o", "out.png", *SMALL, *more)
    found = settings_of("out.png")
    assert (found["hand"], found["slices"], found["detail"]) == ("painterly", 0.25, 1.0)
    assert found["relations"] == HANDS["painterly"]["relations"]
    assert json.dumps(found)

"""Textures: a style alone, and pictures that are tiles of an endless one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from skimage import data

from conftest import impasto
from impasto import pictures
from impasto.api import stylize, texture
from impasto.cli.options import spelled_out
from impasto.config import Config, seamless_size
from impasto.errors import ConfigError
from impasto.parsing import parse_look, parse_setting, parse_size
from impasto.transfer.schedule import schedule

QUICK = ["--iterations", "4", "--backbone", "vgg16"]


def seam_across(pixels, axis):
    """How much more two opposite borders differ than neighbours along that axis do."""
    steps = (pixels.roll(-1, axis) - pixels).abs().mean((0, 1, 5 - axis))
    return float(steps[-1] / steps[:-1].mean())


def seam(pixels):
    """How much more opposite borders differ than neighbours do."""
    across = float((pixels[..., 0] - pixels[..., -1]).abs().mean())
    down = float((pixels[:, :, 0] - pixels[:, :, -1]).abs().mean())
    inside = [float(pixels.diff(dim=axis).abs().mean()) for axis in (2, 3)]
    return (across + down) / sum(inside)


def test_a_texture_has_the_style_and_nothing_else_and_a_tile_has_no_seam():
    settings = {"backbone": "vgg16", "iterations": 25}
    plain, tile = (
        texture("pointillist-garden", (64, 96), tileable=each, **settings) for each in (False, True)
    )
    for each in (plain, tile):
        assert each.pixels.shape == (1, 3, 64, 96)
        assert not any(name.startswith("content") for name in each.history[-1])
        assert each.history[-1]["loss"] < 0.2 * each.history[0]["loss"]
        assert set(each.recipe.inputs.to_json()) == {"paintings"}
    assert seam(tile.pixels) < min(1.4, 0.6 * seam(plain.pixels))


def test_a_photograph_can_be_made_a_tile():
    settings = {"size": 100, "iterations": 15, "backbone": "vgg16"}
    run = stylize(data.coffee(), "night-swirls", tileable=True, **settings)
    assert run.pixels.shape[2:] == (64, 96)  # multiples of 16
    flat = stylize(data.coffee(), "night-swirls", **settings)
    assert seam(run.pixels) < 0.6 * seam(flat.pixels)


@pytest.mark.parametrize(("way", "axis"), [("horizontally", 3), ("vertically", 2)])
def test_a_photograph_can_be_made_one_that_goes_around_one_way(way, axis):
    settings = {"size": 99, "iterations": 20, "backbone": "vgg16"}
    run = stylize(data.coffee(), "night-swirls", tileable=way, **settings)
    assert run.pixels.shape[2:] == ((66, 96) if axis == 3 else (64, 99))  # from 99 x 66
    assert seam_across(run.pixels, axis) < 1.4 < seam_across(run.pixels, 5 - axis)
    assert run.recipe.settings["tileable"] == way


def sky_and_ground():
    """A photograph that is the same in all directions, and no more than that."""
    return np.linspace(250, 20, 64).astype(np.uint8)[:, None, None].repeat(96, 1).repeat(3, 2)


def test_a_panorama_keeps_its_sky_above_its_ground():
    settings = {"size": 96, "iterations": 10, "backbone": "vgg16"}
    run = stylize(sky_and_ground(), "charcoal", tileable="horizontally", **settings)
    rows = run.pixels.mean((0, 1, 3))
    assert float(rows[:16].mean() - rows[-16:].mean()) > 0.3


@pytest.mark.parametrize("photo", [np.full((64, 96, 3), 128, np.uint8), sky_and_ground()])
def test_a_tile_of_which_nothing_is_left_to_be_kept_takes_all_of_the_style(photo):
    run = stylize(photo, "night-swirls", size=96, iterations=16, backbone="vgg16", tileable=True)
    assert run.history[-1]["loss"] < 0.22  # of the way to the style, which is nearly all of it
    assert float(run.pixels.std((2, 3)).min()) > 0.05
    assert max(seam_across(run.pixels, axis) for axis in (2, 3)) < 1.5


def test_a_strength_of_0_leaves_a_flat_tile_as_it_is():
    flat = np.full((32, 48, 3), 128, np.uint8)
    settings = {"size": 48, "iterations": 4, "backbone": "vgg16", "strength": 0}
    run = stylize(flat, "charcoal", tileable=True, **settings)
    assert float((run.pixels - 128 / 255).abs().max()) < 1e-6


@pytest.mark.parametrize("size", [(512, 384), (500, 333), (1000, 40), (17, 16)])
def test_every_scale_of_a_tile_is_one(size):
    for (height, width), _ in schedule(seamless_size(size, (True, True)), Config(tileable=True)):
        assert height % 16 == width % 16 == 0
        assert min(height, width) >= 16


def test_on_the_command_line_a_texture_needs_a_painting_alone(folder, capsys):
    PIL.Image.fromarray(data.chelsea()).resize((90, 60)).save("painting.png")
    words = ["painting.png", "charcoal", "--size", "96x64", "--tileable"]
    out = impasto(capsys, "texture", *words, *QUICK)
    assert "A texture in the manner of painting.png and charcoal.jpg: 96 x 64 px" in out.err
    with PIL.Image.open("painting-charcoal-texture.png") as made:
        assert made.size == (96, 64)
    out = impasto(capsys, "rerun", "painting-charcoal-texture.png")
    assert "Byte for byte the same" in out.out
    assert "photograph" not in pictures.read_recipe("painting-charcoal-texture.png")["inputs"]
    impasto(capsys, "rerun", "painting-charcoal-texture.png", "--size", "64", "-o", "square.png")
    with PIL.Image.open("square.png") as made:
        assert made.size == (64, 64)
    impasto(capsys, "rerun", "square.png", "--size", "80x64")
    with PIL.Image.open("square-80x64.png") as made:
        assert made.size == (80, 64)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("a.jpg --tileable b.jpg", "a.jpg --tileable=both b.jpg"),
        ("--tileable horizontally a.jpg", "--tileable=horizontally a.jpg"),
        ("a.jpg --tileable", "a.jpg --tileable=both"),
        ("--tileable=vertically", "--tileable=vertically"),
        ("--not-tileable -- --tileable", "--tileable=no -- --tileable"),
    ],
)
def test_tileable_may_come_with_a_word_or_without(words, expected):
    assert spelled_out(words.split()) == expected.split()


def test_on_the_command_line_a_panorama_goes_around_one_way(folder, capsys):
    Path("look.toml").write_text('tileable = "vertically"\n')
    words = ["photo.png", "charcoal", "--size", "50", *QUICK]
    sizes = {
        "--tileable horizontally": (48, 33),
        "--config look.toml": (50, 32),
        "--config look.toml --tileable": (48, 32),
        "--config look.toml --not-tileable": (50, 33),
    }
    for place, (more, size) in enumerate(sizes.items()):
        impasto(capsys, "stylize", *words, *more.split(), "-o", f"{place}.png")
        with PIL.Image.open(f"{place}.png") as made:
            assert made.size == size, more
    assert "Byte for byte the same" in impasto(capsys, "rerun", "0.png").out
    out = impasto(capsys, "stylize", *words, "--tileable=sideways", status=2)
    assert "tileable 'sideways'; allowed: horizontally, vertically, both" in out.err


def test_older_recipes_and_looks_say_only_whether():
    assert Config(tileable=True) == Config(tileable="both")
    made = stylize(data.coffee(), "charcoal", size=64, iterations=1, backbone="vgg16").recipe
    old = replace(made, settings={**made.settings, "tileable": True})
    assert old.config().around == (True, True)
    assert parse_look("tileable = true", "look") == {"tileable": True}
    assert parse_setting("tileable=vertically") == ("tileable", "vertically")
    for wrong in (1, "", None, "yes"):
        with pytest.raises(ConfigError, match="allowed: horizontally, vertically, both"):
            Config(tileable=wrong)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["texture", "charcoal", "--size", "100x64", "--tileable"], "try 96x64"),
        (["texture", "charcoal", "--size", "original"], "size 'original' without a photograph"),
        (["texture", "charcoal", "--size", "axb"], "size 'axb'"),
        (["texture"], "no painting"),
        (["stylize", "photo.png", "charcoal", "--size", "64x48"], "one number, the longer side"),
    ],
)
def test_what_does_not_fit_is_one_line(folder, capsys, words, message):
    out = impasto(capsys, *words, *QUICK, status=2)
    assert message in out.err
    assert out.err.count("\n") == 1


def test_what_wants_a_photograph_says_so():
    for settings in ({"strength": 0.5}, {"color": "photo"}, {"start": "content"}):
        with pytest.raises(ConfigError, match="without a photograph"):
            texture("charcoal", 64, **settings)


def test_the_papers_preset_makes_textures_too():
    made = texture("charcoal", 64, preset="paper", backbone="vgg16", iterations=3)
    assert not any(name.startswith("content") for name in made.history[-1])


def test_a_size_is_width_by_height_in_words_and_height_by_width_inside():
    assert parse_size("1024x768") == (768, 1024)
    assert parse_size("640") == 640


def test_a_texture_can_be_much_longer_than_high():
    made = texture("charcoal", (32, 160), iterations=3, backbone="vgg16")
    assert np.asarray(made.image).shape == (32, 160, 3)

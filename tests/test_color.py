"""Laws of colours: what is matched matches, what is kept is kept."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage import data

from conftest import impasto, noise_picture
from impasto import pictures
from impasto.config import Config
from impasto.job.prepare import prepare
from impasto.pictures import color
from impasto.pictures.color import (
    LUMA,
    grey,
    is_grey,
    luminance,
    match_covariance,
    match_histogram,
    match_luminance,
    nearest_grey,
    palette,
    with_luminance,
)
from impasto.transfer.evaluation import Evaluator, Region

# YIQ's chrominance, of which the luminance is independent.
CHROMA = torch.tensor([[0.5959, -0.2746, -0.3213], [0.2115, -0.5227, 0.3112]], dtype=torch.float64)


def colours(picture):
    """(3, positions), float64."""
    return picture[0].flatten(1).double()


def shown(picture, size=(60, 80)):
    return pictures.resize(pictures.load(picture).pixels, size)


def muted(picture):
    """With colours so far from 0 and 1 that nothing is held at a border."""
    return 0.4 + 0.2 * picture


@pytest.fixture(scope="module")
def cat():
    return shown(data.chelsea())


@pytest.fixture(scope="module")
def coffee():
    return shown(data.coffee(), (50, 90))


def test_a_grey_picture_has_the_luminance_and_no_colour(cat):
    found = grey(cat)
    assert torch.equal(found[:, :1], found[:, 1:2])
    torch.testing.assert_close(luminance(found), luminance(cat))
    assert sum(LUMA) == pytest.approx(1)


def test_luminance_comes_from_one_picture_and_chrominance_from_the_other(cat):
    light = muted(noise_picture(60, 80, 1))
    found = with_luminance(muted(cat), light)
    torch.testing.assert_close(luminance(found), luminance(light))
    torch.testing.assert_close(
        CHROMA @ colours(found), CHROMA @ colours(muted(cat)), atol=1e-6, rtol=0
    )


def test_matched_luminance_has_the_targets_mean_and_deviation_and_its_own_colours(cat, coffee):
    found = match_luminance(muted(cat), muted(coffee))
    assert luminance(found).mean() == pytest.approx(
        float(luminance(muted(coffee)).mean()), abs=1e-5
    )
    assert luminance(found).std() == pytest.approx(float(luminance(muted(coffee)).std()), abs=1e-5)
    torch.testing.assert_close(
        CHROMA @ colours(found), CHROMA @ colours(muted(cat)), atol=1e-6, rtol=0
    )


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 99), st.integers(100, 199))
def test_matched_covariance_is_the_targets(seed, other):
    picture, target = (muted(noise_picture(30, 40, each)) for each in (seed, other))
    found = colours(match_covariance(picture, target))
    wanted = colours(target)
    torch.testing.assert_close(found.mean(1), wanted.mean(1), atol=1e-5, rtol=0)
    torch.testing.assert_close(torch.cov(found), torch.cov(wanted), atol=1e-6, rtol=1e-3)


def test_a_palette_is_counted_in_parts(cat, monkeypatch):
    whole = palette(cat)
    monkeypatch.setattr(color, "CHUNK_PX", 1000)
    for found, wanted, plain in zip(
        palette(cat), whole, (colours(cat).mean(1), torch.cov(colours(cat))), strict=True
    ):
        torch.testing.assert_close(found, wanted)
        torch.testing.assert_close(found, plain)


def test_of_the_maps_that_match_the_one_that_moves_colours_least(cat):
    """A rotation of the same palette moves nothing: the map to itself is the identity."""
    torch.testing.assert_close(
        match_covariance(muted(cat), muted(cat)), muted(cat), atol=1e-5, rtol=0
    )


def test_matched_histograms_have_the_targets_quantiles(cat, coffee):
    found, target = match_histogram(cat, coffee), coffee
    shares = torch.linspace(0.02, 0.98, 25).double()
    for channel, wanted in zip(colours(found), colours(target), strict=True):
        torch.testing.assert_close(
            channel.quantile(shares), wanted.quantile(shares), atol=0.02, rtol=0
        )


MATCHES = (match_covariance, match_histogram, match_luminance)


@pytest.mark.parametrize("match", MATCHES)
def test_a_flat_palette_takes_nothing_from_a_picture(match, cat):
    card = torch.tensor([0.8, 0.5, 0.2]).view(1, 3, 1, 1).expand(1, 3, 20, 30)
    grain = 1e-3 * noise_picture(20, 30)
    assert torch.equal(match(cat, card), cat)
    assert torch.equal(match(cat, card + grain), cat)
    found = match(card + grain, cat)
    assert float(found.std((2, 3)).max()) < 2e-3  # and no noise stretched to colours
    light = float(luminance(cat).mean())
    assert float(luminance(found).mean()) == pytest.approx(light, abs=2e-3)


@pytest.mark.parametrize("match", MATCHES)
def test_of_a_palette_without_chroma_only_the_luminance_is_matched(match, cat, coffee):
    toned = grey(muted(coffee)) * torch.tensor([1.0, 0.9, 0.8]).view(1, 3, 1, 1)
    for drawing in (grey(muted(coffee)), toned):
        found = match(drawing, muted(cat))
        torch.testing.assert_close(
            CHROMA @ colours(found), CHROMA @ colours(drawing), atol=1e-6, rtol=0
        )
        assert luminance(found).std() == pytest.approx(float(luminance(muted(cat)).std()), abs=1e-4)


@pytest.mark.parametrize("match", [match_covariance, match_histogram])
def test_the_palette_of_a_grey_picture_makes_another_grey(match, cat, coffee):
    found = match(cat, grey(coffee))
    assert is_grey(found)
    assert luminance(found).std() == pytest.approx(float(luminance(coffee).std()), abs=0.02)


def test_grey_is_grey_but_for_rounding(cat):
    assert is_grey(grey(cat))
    assert is_grey(grey(cat) + torch.tensor([0.0, 1.0, 2.0]).view(1, 3, 1, 1) / 255)
    spot = grey(cat)
    spot[0, 0, 5, 5] = spot[0, 1, 5, 5] + 3 / 255
    assert not is_grey(spot)
    alpha = torch.ones_like(spot[:, :1])
    alpha[..., 5, 5] = 0
    assert is_grey(spot, alpha)
    found = nearest_grey(cat)
    assert torch.equal(found[:, 0], found[:, 1])
    assert torch.equal(found[:, 0], found[:, 2])
    torch.testing.assert_close(found.mean(1), cat.mean(1))


QUICK = ["--size", "64", "--iterations", "4", "--backbone", "vgg16"]


@pytest.fixture
def drawings(folder):
    """Grey pictures: a photograph, which a JPEG rounds, and two drawings."""
    PIL.Image.open("photo.png").convert("L").convert("RGB").save("grey.jpg", quality=95)
    PIL.Image.fromarray(data.camera()).resize((90, 60)).save("camera.png")
    PIL.Image.fromarray(data.coins()).resize((90, 60)).save("coins.png")
    PIL.Image.fromarray(data.chelsea()).resize((90, 60)).save("cat.png")
    return folder


def chroma(path):
    """The largest difference of a pixel's channels, in levels of 255."""
    return int(np.ptp(np.asarray(PIL.Image.open(path).convert("RGB")).astype(int), axis=2).max())


@pytest.mark.parametrize(
    "words",
    [
        ("grey.jpg", "camera.png"),
        ("grey.jpg", "camera.png", "coins.png", "--start", "noise"),
        ("grey.jpg", "camera.png", "--color", "luminance"),
        ("grey.jpg", "cat.png", "--color", "photo"),
        ("photo.png", "camera.png", "--color", "painting", "--color-match", "histogram"),
        ("grey.jpg", "camera.png", "--optimizer", "adam", "--start", "photo.png"),
    ],
)
def test_of_grey_pictures_a_grey_one_is_made(drawings, capsys, words):
    impasto(capsys, "stylize", *words, "-o", "out.png", *QUICK)
    assert chroma("out.png") == 0


def test_the_loss_is_that_of_the_grey_picture_that_is_shown(drawings, network):
    photograph, x = grey(noise_picture(32, 32, 1)), noise_picture(32, 32, 2)
    region = Region.whole(grey(noise_picture(32, 32, 3)))
    config = Config(backbone="vgg16", size=64, iterations=1)
    evaluate = Evaluator(network, photograph, [region], config, grey=True)
    point, plain = evaluate(x), Evaluator(network, photograph, [region], config)(nearest_grey(x))
    assert point.loss == plain.loss
    assert torch.equal(point.gradient, nearest_grey(plain.gradient))
    assert torch.equal(point.x, x)
    step = next(iter(prepare("grey.jpg", Path("camera.png"), config).steps()))
    assert torch.equal(step.finish(x), nearest_grey(x))


def test_so_it_is_with_a_texture_and_with_regions_and_colour_anywhere_is_colour(drawings, capsys):
    impasto(capsys, "texture", "camera.png", "-o", "texture.png", *QUICK)
    assert chroma("texture.png") == 0
    mask = np.repeat([[0, 255]], 48, 1).repeat(64, 0).astype(np.uint8)
    PIL.Image.fromarray(mask).save("mask.png")
    regions = ("--mask", "mask.png", "--region", "black=camera.png", "--region")
    for other, colourless in (("coins.png", True), ("photo", True), ("cat.png", False)):
        words = ("grey.jpg", *regions, f"white={other}", "-o", "out.png")
        impasto(capsys, "stylize", *words, *QUICK)
        assert (chroma("out.png") == 0) is colourless


@pytest.mark.parametrize("match", ["covariance", "histogram"])
def test_with_a_grey_painting_a_photographs_colours_are_its_own(drawings, capsys, match):
    photo = ("--color", "photo", "--color-match", match)
    impasto(capsys, "stylize", "photo.png", "camera.png", "-o", "photo-out.png", *QUICK, *photo)
    light = ("--color", "luminance")
    impasto(capsys, "stylize", "photo.png", "camera.png", "-o", "light.png", *QUICK, *light)
    found, wanted = (np.asarray(PIL.Image.open(name)) for name in ("photo-out.png", "light.png"))
    assert np.array_equal(found, wanted)
    assert chroma("photo-out.png") > 60


def test_a_painting_of_one_colour_leaves_a_photograph_its_forms(drawings, capsys):
    PIL.Image.new("RGB", (60, 60), (200, 120, 40)).save("card.png")
    impasto(capsys, "stylize", "photo.png", "card.png", "-o", "plain.png", *QUICK)
    for match in ("covariance", "histogram"):
        words = ("--color", "painting", "--color-match", match)
        impasto(capsys, "stylize", "photo.png", "card.png", "-o", f"{match}.png", *QUICK, *words)
        found, wanted = (np.asarray(PIL.Image.open(f"{n}.png")) for n in (match, "plain"))
        assert np.array_equal(found, wanted)

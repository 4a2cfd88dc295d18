"""Laws of colours: what is matched matches, what is kept is kept."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage import data

from conftest import noise_picture
from impasto import pictures
from impasto.pictures import color
from impasto.pictures.color import (
    LUMA,
    grey,
    luminance,
    match_covariance,
    match_histogram,
    match_luminance,
    palette,
    with_luminance,
)

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


@pytest.mark.parametrize("match", [match_covariance, match_histogram, match_luminance])
@pytest.mark.parametrize("plain", ["picture", "target", "both"])
def test_a_picture_of_one_colour_breaks_nothing(match, plain, cat):
    flat = torch.full((1, 3, 20, 30), 0.3)
    picture, target = {"picture": (flat, cat), "target": (cat, flat), "both": (flat, flat)}[plain]
    found = match(picture, target)
    assert bool(found.isfinite().all())
    assert found.shape == picture.shape
    if plain == "target":
        assert float(luminance(found).std()) < 0.05

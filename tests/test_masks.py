"""Laws of masks: colours to regions that fill the picture, edges as soft as they were drawn."""

from __future__ import annotations

import io

import numpy as np
import PIL.Image
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage import data

from impasto import pictures
from impasto.errors import ConfigError, PictureError
from impasto.pictures.masks import colour_name, feathered, nearest, parse_colour, regions

COLOURS = [(0, 0, 0), (255, 255, 255), (255, 0, 0), (0, 0, 255), (128, 128, 128), (0, 128, 255)]


def tensor(levels):
    """(H, W, 3) of uint8 as a picture."""
    return torch.from_numpy(np.asarray(levels, dtype=np.float32)).permute(2, 0, 1)[None] / 255


@settings(max_examples=20, deadline=None)
@given(
    colours=st.lists(st.sampled_from(COLOURS), min_size=1, max_size=5, unique=True),
    height=st.integers(8, 24),
    stripe=st.integers(4, 9),
)
def test_flat_colours_are_regions_exactly(colours, height, stripe):
    levels = np.repeat(np.array(colours, dtype=np.uint8)[None], height, 0).repeat(stripe, 1)
    found = regions(tensor(levels), "mask")
    assert set(found) == set(colours)
    for colour, where in found.items():
        wanted = (levels == colour).all(-1).astype(np.float32)
        np.testing.assert_array_equal(where[0, 0].numpy(), wanted)


def soft_circle(size=96):
    """How white a white disc on black is, its edge 3 px wide."""
    y, x = np.mgrid[:size, :size] - size / 2
    return (np.clip(30 - np.hypot(x, y), -1.5, 1.5) / 3 + 0.5).astype(np.float32)


def test_a_soft_edge_stays_as_soft_as_it_was_drawn():
    share = np.round(soft_circle() * 255) / 255
    found = regions(tensor(np.repeat(share[..., None] * 255, 3, 2)), "mask")
    assert list(found) == [(0, 0, 0), (255, 255, 255)]  # the larger one comes first
    np.testing.assert_allclose(found[(255, 255, 255)][0, 0], share, atol=1e-5)


@pytest.mark.parametrize("quality", [60, 90])
def test_a_jpegs_noise_makes_no_regions(quality):
    levels = np.full((96, 96, 3), (255, 0, 0), np.uint8)
    levels[:, 48:] = (0, 0, 255)
    levels[60:] = (255, 255, 255)
    buffer = io.BytesIO()
    PIL.Image.fromarray(levels).save(buffer, "JPEG", quality=quality)
    found = regions(pictures.load(PIL.Image.open(buffer)).pixels, "mask")
    assert len(found) == 3
    for colour in ((255, 0, 0), (0, 0, 255), (255, 255, 255)):
        where = found[nearest(colour, list(found))][0, 0].numpy()
        wanted = (levels == colour).all(-1)
        assert np.abs(where - wanted).mean() < 0.02


def test_regions_fill_the_picture_feathered_or_not():
    share = soft_circle()
    levels = np.stack([share * 255, share * 40, 255 - share * 200], 2).round()
    found = regions(tensor(levels), "mask")
    for each in (lambda where: where, feathered):
        total = sum(each(where) for where in found.values())
        torch.testing.assert_close(total, torch.ones_like(total))


def test_feathered_edges_are_soft_and_keep_the_regions_area():
    where = torch.zeros(1, 1, 200, 200)
    where[..., 60:140, 60:140] = 1
    soft = feathered(where)
    assert 0 < float(soft[0, 0, 100, 59]) < 0.5 < float(soft[0, 0, 100, 60]) < 1
    assert float(soft.mean()) == pytest.approx(float(where.mean()), rel=1e-4)


def test_a_wide_soft_edge_is_one_too():
    shade = np.clip(np.arange(800) - 100, 0, 600).astype(np.float32) / 600
    levels = np.repeat(np.round(shade * 255)[None, :, None], 16, 0).repeat(3, 2)
    found = regions(tensor(levels), "mask")
    assert set(found) == {(0, 0, 0), (255, 255, 255)}
    np.testing.assert_allclose(found[(255, 255, 255)][0, 0, 0], shade, atol=2e-3)


def test_a_shaded_mask_is_one_line():
    shades = np.repeat(np.linspace(0, 255, 900, dtype=np.float32)[None, :, None], 16, 0)
    with pytest.raises(PictureError, match="mask 'a' has no regions of a flat colour; 1 to 16"):
        regions(tensor(shades.repeat(3, 2)), "mask 'a'")


def test_a_photograph_is_no_mask_and_that_is_found_at_once():
    coffee = pictures.load(data.coffee()).pixels
    with pytest.raises(PictureError, match="regions of a flat colour"):
        regions(coffee, "mask 'a'")


@pytest.mark.parametrize(
    ("text", "colour"),
    [("white", (255, 255, 255)), ("#0080ff", (0, 128, 255)), ("128", (128, 128, 128))],
)
def test_colours_have_names_codes_and_levels(text, colour):
    assert parse_colour(text) == colour
    assert parse_colour(colour_name(colour)) == colour


def test_what_is_no_colour_is_one_line_with_the_nearest():
    with pytest.raises(ConfigError, match=r"colour 'whit'.*did you mean white"):
        parse_colour("whit")
    with pytest.raises(ConfigError, match="colour '256'"):
        parse_colour("256")

"""Laws of masks: colours to regions that fill the picture, edges as soft as they were drawn."""

from __future__ import annotations

import io

import numpy as np
import PIL.Image
import PIL.ImageFilter
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage import data

from impasto import pictures
from impasto.errors import ConfigError, PictureError
from impasto.pictures import labels, masks
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


def stripes(count, step=1, start=0):
    """Vertical stripes, 12 px wide, (48, 12 * count) of uint8, from one number to the next."""
    return np.repeat(start + step * np.arange(count, dtype=np.uint8), 12)[None].repeat(48, 0)


def parted(source, tmp_path, name="mask.png", **kind):
    """A mask's regions, read from a file where it is an image, by name: the mean of each."""
    if isinstance(source, PIL.Image.Image):
        source.save(tmp_path / name, **kind)
        source = tmp_path / name
    mask = masks.load(source, "mask")
    found = mask.regions(by_label=masks.are_by_label([mask], []))
    total = sum(found.values())
    torch.testing.assert_close(total, torch.ones_like(total))
    return {masks.region_name(key): float(where.mean()) for key, where in found.items()}


def wide_palette(numbers):
    """Numbers as a palette's, each a colour of its own."""
    image = PIL.Image.fromarray(numbers).convert("L")
    image.putpalette([128, 0, 0, 0, 128, 0, 128, 128, 0])
    return image


@pytest.mark.parametrize(
    ("make", "count"),
    [
        (lambda: PIL.Image.fromarray(stripes(3)), 3),
        (lambda: PIL.Image.fromarray(stripes(8)), 8),
        (lambda: PIL.Image.fromarray(np.repeat(stripes(3)[..., None], 3, 2)), 3),
        (lambda: PIL.Image.fromarray(stripes(3).astype(np.uint16)), 3),
        (lambda: stripes(3), 3),
        (lambda: stripes(3).astype(np.int64)[..., None], 3),
        (lambda: stripes(2).astype(bool), 2),
        (lambda: torch.from_numpy(stripes(4).astype(np.int32))[None], 4),
        (lambda: torch.from_numpy(stripes(2).astype(bool)), 2),
    ],
)
def test_labels_stay_apart_however_they_come(make, count, tmp_path):
    wanted = {f"label {label}": 1 / count for label in range(count)}
    assert parted(make(), tmp_path) == pytest.approx(wanted)


def test_whole_numbers_are_labels_however_far_apart(tmp_path):
    assert set(parted(stripes(2, 200).astype(np.int64), tmp_path)) == {"label 0", "label 200"}
    assert set(parted(stripes(2, 200), tmp_path)) == {"black", "#c8c8c8"}  # as a picture has them


def test_a_palettes_labels_stay_apart_where_its_colours_are_the_same(tmp_path):
    image = wide_palette(stripes(3))
    assert set(parted(image, tmp_path)) == {"#800000", "#008000", "#808000"}
    image.putpalette([7, 7, 7] * 3)
    assert set(parted(image, tmp_path)) == {"label 0", "label 1", "label 2"}


def test_a_rare_label_and_a_border_of_the_largest_number_are_regions_too(tmp_path):
    numbers = stripes(3)
    numbers[:, 23:25] = 255  # two pixels wide, as programs mark what they leave open
    numbers[20, 5] = 7
    found = parted(PIL.Image.fromarray(numbers), tmp_path)
    assert set(found) == {"label 0", "label 1", "label 2", "label 7", "label 255"}
    assert found["label 7"] == pytest.approx(1 / numbers.size)


def test_near_colours_that_are_drawn_exactly_stay_apart(tmp_path):
    """Of programs' palettes, which have for 150 labels some that look alike."""
    drawn = np.array([(255, 6, 71), (255, 6, 82), (0, 0, 0)], np.uint8)[stripes(3)]
    found = parted(PIL.Image.fromarray(drawn), tmp_path)
    assert found == pytest.approx({"#ff0647": 1 / 3, "#ff0652": 1 / 3, "black": 1 / 3})
    known = [(255, 6, 71), (255, 6, 82), (0, 0, 0)]
    assert nearest((255, 6, 70), known) == known[0]
    assert nearest((255, 6, 100), known) is None  # near enough, were there one such colour


@pytest.mark.parametrize("kind", ["JPEG", "WEBP", "PNG"])
def test_noise_round_few_greys_makes_no_labels(kind, tmp_path):
    y, x = np.mgrid[:64, :96]
    image = PIL.Image.fromarray(np.uint8(255 * (np.hypot(y - 32, x - 48) < 20)))
    if kind == "PNG":  # what has been a JPEG
        buffer = io.BytesIO()
        image.save(buffer, "JPEG", quality=98)
        image = PIL.Image.open(buffer).copy()
        assert 4 < len(np.unique(np.asarray(image))) < labels.MOST_LABELS
    found = parted(image, tmp_path, f"mask.{kind.lower()}")
    assert set(found) == {"white", "black"}
    read = masks.load(tmp_path / f"mask.{kind.lower()}", "mask")
    assert (read.numbers is None) == (kind != "PNG")


def test_more_labels_than_regions_may_be_is_one_line(tmp_path):
    image = PIL.Image.fromarray(stripes(20))
    with pytest.raises(PictureError, match=r"mask 'mask.png' has 20 labels; 1 to 16 are wanted"):
        parted(image, tmp_path)


@pytest.mark.parametrize(("low", "high"), [(-1, 3), (0, 70_000)])
def test_labels_that_no_file_could_hold_are_one_line(low, high, tmp_path):
    numbers = np.full((32, 32), low)
    numbers[8:] = high
    with pytest.raises(PictureError, match=f"mask has labels from {low} to {high}; labels from 0"):
        parted(numbers, tmp_path)


def ramp(share, width=200):
    """From black to white over this share of the width, flat beyond."""
    x = np.arange(width) / (width - 1)
    return np.repeat(np.clip((x - (1 - share) / 2) / share, 0, 1)[None], 64, 0)


def vignette():
    y, x = np.mgrid[-1:1:144j, -1:1:192j]
    return np.clip(1.2 - np.hypot(x, y), 0, 1)


def blurred_ellipse(radius=0.6, blur=12):
    y, x = np.mgrid[-1:1:144j, -1:1:192j]
    drawn = PIL.Image.fromarray(np.uint8(255 * (np.hypot(x, y) < radius)))
    return np.asarray(drawn.filter(PIL.ImageFilter.GaussianBlur(blur))) / 255


@pytest.mark.parametrize("shade", [ramp(0.9), ramp(0.97), vignette(), blurred_ellipse()])
@pytest.mark.parametrize("ends", [((0, 0, 0), (255, 255, 255)), ((0, 0, 255), (255, 128, 0))])
def test_a_shade_between_two_colours_is_two_regions_as_wide_as_it_is(shade, ends):
    one, other = (np.array(end) for end in ends)
    levels = np.round(one + shade[..., None] * (other - one))
    found = regions(tensor(levels), "mask")
    assert set(found) == set(ends)
    share = found[ends[1]][0, 0].numpy()
    np.testing.assert_allclose(share, shade, atol=0.01)


def test_a_shade_is_one_as_a_jpeg_too():
    buffer = io.BytesIO()
    PIL.Image.fromarray(np.uint8(255 * vignette())).save(buffer, "JPEG", quality=75)
    found = regions(pictures.load(PIL.Image.open(buffer)).pixels, "mask")
    assert set(found) == {(0, 0, 0), (255, 255, 255)}
    np.testing.assert_allclose(found[(255, 255, 255)][0, 0], vignette(), atol=0.06)


def test_a_blur_without_a_flat_middle_is_a_region_from_its_brightest_on():
    spot = blurred_ellipse(0.3, 16)
    found = regions(tensor(np.round(spot * 255)[..., None].repeat(3, 2)), "mask")
    (black, _), (brightest, where) = found.items()
    assert black == (0, 0, 0)
    assert brightest == (round(spot.max() * 255),) * 3
    np.testing.assert_allclose(where[0, 0], spot / spot.max(), atol=0.01)


def test_dust_is_no_region():
    levels = np.full((144, 192, 3), 255.0)
    levels[50:52, 60:62] = 100
    levels[51, 61] = 0
    assert list(regions(tensor(levels), "mask")) == [(255, 255, 255)]


@pytest.mark.parametrize("name", ["camera", "moon", "coins", "clock", "cell"])
def test_a_grey_photograph_is_no_shade(name):
    with pytest.raises(PictureError, match="regions of a flat colour"):
        regions(pictures.load(getattr(data, name)()).pixels, "mask 'a'")


def test_numbers_are_labels_in_a_label_map_and_grey_levels_elsewhere():
    known = [0, 1, 128]
    assert masks.find("128", known) == masks.find("label 128", known) == 128
    assert masks.find(True, known) == masks.find(" LABEL 01", known) == 1
    assert masks.find("white", known) is None
    assert masks.find("128", [(130, 130, 130), (0, 0, 0)]) == (130, 130, 130)
    assert masks.find("127", known) is None

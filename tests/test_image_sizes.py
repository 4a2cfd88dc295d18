"""Laws of sizes: resizing and fitting."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from impasto.errors import PictureError
from impasto.pictures import (
    MIN_SIDE_PX,
    check_sides,
    fit,
    periodic,
    resize,
    resize_around,
)
from test_image_helpers import (
    noise,
    one_line,
    quick,
    seeds,
    sides,
    tensor,
)


@quick
@given(sides, sides, seeds)
def test_resizing_to_the_same_size_changes_nothing(height, width, seed):
    pixels = tensor(noise(height, width, 3, seed))
    assert torch.equal(resize(pixels, (height, width)), pixels)


@quick
@given(sides, sides, st.integers(1, 90), st.integers(1, 90), st.floats(0, 1))
def test_a_constant_picture_stays_constant(height, width, new_height, new_width, value):
    resized = resize(torch.full((1, 3, height, width), value), (new_height, new_width))
    assert resized.shape == (1, 3, new_height, new_width)
    torch.testing.assert_close(resized, torch.full_like(resized, value), atol=1e-5, rtol=0)


@quick
@given(sides, sides, st.integers(1, 90), st.integers(1, 90), seeds)
def test_resizing_stays_in_range(height, width, new_height, new_width, seed):
    stark = torch.from_numpy(noise(height, width, 1, seed) > 127).float().permute(2, 0, 1)[None]
    resized = resize(stark, (new_height, new_width))
    assert resized.min() >= 0
    assert resized.max() <= 1


def test_scaling_down_is_antialiased():
    stripes = torch.zeros(1, 3, 64, 64)
    stripes[..., ::8] = 1  # four samples to a pixel, as without antialiasing, would miss them
    assert (resize(stripes, (8, 8)) - 1 / 8).abs().max() < 0.1


@given(st.integers(1, 10_000), st.integers(1, 10_000), st.integers(1, 5000))
def test_fit_keeps_the_aspect(height, width, longer_px):
    fitted = fit((height, width), longer_px)
    assert max(fitted) == longer_px
    assert min(fitted) >= 1
    exact = min(height, width) * longer_px / max(height, width)
    assert abs(min(fitted) - max(exact, 1)) <= 0.5
    assert (height > width) <= (fitted[0] >= fitted[1])


def test_sizes_below_a_pixel_are_refused():
    for attempt in (
        lambda: fit((0, 3), 10),
        lambda: fit((3, 3), 0),
        lambda: resize(torch.zeros(1, 3, 20, 20), (0, 5)),
        lambda: check_sides((MIN_SIDE_PX - 1, 500), "photograph 'a.png'"),
    ):
        with pytest.raises(PictureError) as error:
            attempt()
        one_line(error, "allowed")


def test_a_tile_that_is_enlarged_stays_a_tile():
    """Its neighbours across an edge are what they are when it is laid out three by three."""
    tile = 0.3 + 0.4 * torch.rand(1, 3, 24, 36, generator=torch.Generator().manual_seed(0))
    laid = resize(tile.repeat(1, 1, 3, 3), (3 * 40, 3 * 60))[:, :, 40:80, 60:120]
    torch.testing.assert_close(resize_around(tile, (40, 60), (True, True)), laid, atol=2e-3, rtol=0)


def test_a_picture_made_periodic_keeps_its_details_and_has_no_jump():
    ramp = torch.linspace(0.2, 0.8, 48).expand(1, 3, 32, 48) + 0.1 * noise_like((1, 3, 32, 48))
    found = periodic(ramp, (True, True))

    def jump(x):
        across, down = x[..., 0] - x[..., -1], x[:, :, 0] - x[:, :, -1]
        return float(across.abs().mean() + down.abs().mean())

    assert jump(found) < 0.3 * jump(ramp)
    smooth = ramp - found
    assert float(smooth[:, :, 8:-8, 8:-8].diff(dim=2).diff(dim=3).abs().max()) < 1e-3
    again = periodic(found.roll((7, 11), (2, 3)), (True, True))
    torch.testing.assert_close(again.mean(), found.mean())


@pytest.mark.parametrize("across", [True, False])
def test_one_way_a_tile_that_is_enlarged_stays_one_and_the_other_way_it_has_borders(across):
    tile = 0.3 + 0.4 * noise_like((1, 3, 24, 36))
    times, size = ((1, 1, 1, 3), (40, 180)) if across else ((1, 1, 3, 1), (120, 60))
    laid = resize(tile.repeat(times), size)
    middle = laid[..., 60:120] if across else laid[:, :, 40:80]
    found = resize_around(tile, (40, 60), (not across, across))
    torch.testing.assert_close(found, middle, atol=2e-3, rtol=0)


def test_made_periodic_one_way_a_picture_keeps_what_differs_the_other_way():
    """As a panorama its sky above its ground."""
    height, width = 32, 48
    sky = torch.linspace(0.9, 0.2, height).view(1, 1, height, 1).expand(1, 3, height, width)
    assert float((periodic(sky, (False, True)) - sky).abs().max()) < 1e-6
    assert float(periodic(sky, (True, True)).std()) < 0.1 * float(sky.std())
    slope = (0.5 * sky + torch.linspace(0, 0.4, width)).contiguous()
    found = periodic(slope, (False, True))
    assert float((found[..., 0] - found[..., -1]).abs().max()) < 0.05
    assert float((found.mean(3) - slope.mean(3)).abs().max()) < 0.01
    turned = periodic(slope.transpose(2, 3), (True, False)).transpose(2, 3)
    torch.testing.assert_close(turned, found)


def noise_like(shape):
    return torch.rand(shape, generator=torch.Generator().manual_seed(0)) - 0.5


@quick
@given(st.integers(8, 70), st.integers(8, 70), st.integers(0, 2**16))
def test_colours_that_alpha_hides_do_not_bleed(height, width, seed):
    generator = torch.Generator().manual_seed(seed)
    alpha = (torch.rand((1, 1, 40, 30), generator=generator) > 0.5).float()
    alpha = resize(alpha, (40, 30)) * torch.rand((1, 1, 40, 30), generator=generator)
    red = torch.tensor([0.8, 0.1, 0.2]).view(1, 3, 1, 1).expand(1, 3, 40, 30)
    hidden = torch.rand((1, 3, 40, 30), generator=generator)
    resized = resize(torch.where(alpha > 0, red, hidden), (height, width), alpha)
    torch.testing.assert_close(resized, red[..., :1, :1].expand_as(resized), atol=2e-3, rtol=0)


def test_a_two_toned_disc_gets_no_rim():
    y, x = torch.meshgrid(torch.arange(256.0), torch.arange(256.0), indexing="ij")
    alpha = ((y - 128).hypot(x - 128) < 56).float()[None, None]
    tones = torch.where(alpha > 0, (x >= 128).float(), 0.5).expand(1, 3, 256, 256)
    for size in ((97, 97), (300, 300)):
        resized, shown = resize(tones, size, alpha), resize(alpha, size) > 0.01
        left, right = resized[..., : size[1] // 2 - 3], resized[..., size[1] // 2 + 3 :]
        assert left[shown[..., : size[1] // 2 - 3].expand_as(left)].max() < 0.01
        assert right[shown[..., size[1] // 2 + 3 :].expand_as(right)].min() > 0.99


def test_an_alpha_that_hides_nothing_changes_nothing():
    pixels = torch.rand((1, 3, 40, 30), generator=torch.Generator().manual_seed(0))
    plain = resize(pixels, (23, 50))
    torch.testing.assert_close(resize(pixels, (23, 50), torch.ones(1, 1, 40, 30)), plain)

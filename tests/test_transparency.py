"""What cannot be seen counts for nothing: through the real command line, and as laws."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import torch
from skimage import data

from conftest import impasto, noise_picture
from impasto import pictures, stylize
from impasto.config import Config
from impasto.errors import PictureError
from impasto.job.casting import compose
from impasto.measure.metrics import ssim
from impasto.pictures.color import match_covariance, match_histogram, match_luminance
from impasto.transfer.descent import Point
from impasto.transfer.evaluation import Evaluator, Region, Sample
from impasto.transfer.losses import total_variation, variation

QUICK = ["--size", "64", "--iterations", "4", "--backbone", "vgg16"]
SEEN = (slice(16, 64), slice(24, 72))  # of a canvas of 96 x 96 px, what is opaque
GARBAGE = ([255, 0, 255], [0, 255, 0])  # two colours that may lie under what is hidden


def picture(size, source=data.chelsea):
    return np.asarray(PIL.Image.fromarray(source()).resize(size))


def on_canvas(seen, hidden):
    """RGBA: what is seen, on a canvas that hides a colour."""
    canvas = np.zeros((96, 96, 4), np.uint8)
    canvas[..., :3] = hidden
    canvas[SEEN] = np.dstack([seen, np.full(seen.shape[:2], 255, np.uint8)])
    return PIL.Image.fromarray(canvas)


@pytest.fixture
def folder(folder):
    """With a painting too, and cut-outs of both that hide one colour or another."""
    seen = picture((48, 48))
    PIL.Image.fromarray(seen).save("painting.png")
    photo = np.asarray(PIL.Image.open("photo.png"))[8:56, 24:72]
    for name, hidden in zip("ab", GARBAGE, strict=True):
        on_canvas(seen, hidden).save(f"painting-{name}.png")
        on_canvas(photo, hidden).save(f"photo-{name}.png")
    return folder


def pixels(path):
    return np.asarray(PIL.Image.open(path))


def stylized(capsys, photo, painting, out, *more):
    impasto(capsys, "stylize", photo, painting, "-o", out, *QUICK, *more)
    return pixels(out)


def test_a_painting_on_a_transparent_canvas_is_the_painting(folder, capsys):
    alone = stylized(capsys, "photo.png", "painting.png", "alone.png")
    for name in "ab":
        found = stylized(capsys, "photo.png", f"painting-{name}.png", f"{name}.png")
        assert np.array_equal(found, alone)
    Path("several").mkdir()
    Path("painting-a.png").rename("several/a.png")
    assert np.array_equal(stylized(capsys, "photo.png", "several", "c.png"), alone)


@pytest.mark.parametrize(
    "more",
    [
        ("--color", "luminance"),
        ("--color", "photo"),
        ("--color", "painting", "--color-match", "histogram"),
        ("--fit", "windows"),
        ("--tileable",),
        ("--start", "noise"),
    ],
)
def test_hidden_colours_of_a_photograph_change_nothing_and_its_alpha_stays(folder, capsys, more):
    disc = np.hypot(*np.mgrid[-1:1:48j, -1:1:48j]) < 0.9
    for name, hidden in zip("ab", GARBAGE, strict=True):
        painting = np.dstack([np.where(disc[..., None], picture((48, 48)), hidden), disc * 255])
        PIL.Image.fromarray(painting.astype(np.uint8)).save(f"disc-{name}.png")
    first, second = (
        stylized(capsys, f"photo-{name}.png", f"disc-{name}.png", f"{name}.png", *more)
        for name in "ab"
    )
    assert np.array_equal(first, second)
    alpha = pictures.resize(pictures.load("photo-a.png").alpha, (64, 64))
    assert np.array_equal(first[..., 3], (alpha[0, 0] * 255).round().byte().numpy())


def test_an_opaque_alpha_is_as_none(folder, capsys):
    for name in ("photo", "painting"):
        PIL.Image.open(f"{name}.png").convert("RGBA").save(f"{name}-opaque.png")
    without = stylized(capsys, "photo.png", "painting.png", "without.png")
    assert np.array_equal(
        stylized(capsys, "photo-opaque.png", "painting-opaque.png", "o.png"), without
    )


@pytest.mark.parametrize("role", ["photograph", "painting"])
def test_what_is_wholly_transparent_is_one_line(folder, capsys, role):
    PIL.Image.new("RGBA", (48, 48), (9, 9, 9, 0)).save("nothing.png")
    pair = ["nothing.png", "painting.png"] if role == "photograph" else ["photo.png", "nothing.png"]
    out = impasto(capsys, "stylize", *pair, *QUICK, status=2)
    assert f"{role} 'nothing.png' is wholly transparent" in out.err
    assert out.err.count("\n") == 1


def test_a_region_of_a_painting_that_shows_nothing_is_one_line(folder, capsys):
    mask = np.zeros((96, 96), np.uint8)
    mask[:, 80:] = 255  # beyond what the painting shows
    PIL.Image.fromarray(mask).save("painting-mask.png")
    PIL.Image.fromarray(np.repeat([[0, 255]], 48, 1).repeat(64, 0).astype(np.uint8)).save(
        "mask.png"
    )
    masks = ("--mask", "mask.png", "--style-mask", "painting-mask.png")
    out = impasto(capsys, "stylize", "photo.png", "painting-a.png", *QUICK, *masks, status=2)
    assert "region white of painting 'painting-a.png' is wholly transparent" in out.err
    mask[:, :48] = 255
    PIL.Image.fromarray(mask).save("painting-mask.png")
    impasto(capsys, "stylize", "photo.png", "painting-a.png", "-o", "c.png", *QUICK, *masks)


def test_measures_do_not_look_at_what_is_hidden(folder, capsys):
    of = ("--content", "photo-a.png", "--style", "painting-a.png", "--json")
    first, second = (
        impasto(capsys, "evaluate", f"photo-{name}.png", *of).out.replace("photo-b", "photo-a")
        for name in "ab"
    )
    assert first == second
    seen = torch.zeros(1, 1, 40, 40)
    seen[..., :20] = 1
    one, other = noise_picture(40, 40, 1), noise_picture(40, 40, 2)
    half = torch.where(seen > 0, one, other)
    assert ssim(half, one, seen.roll(-8, 3) * seen) == pytest.approx(1)
    assert ssim(half, one) < 0.9


def test_a_part_that_is_hidden_has_no_say_in_the_loss(network):
    """Beyond what visible positions see of it, that is: moved there, a picture loses nothing."""
    visible = torch.zeros(1, 1, 128, 64)
    visible[:, :, :32] = 1
    visible[:, :, 32:36] = 0.3
    photograph, x = noise_picture(128, 64, 1), noise_picture(128, 64, 2)
    region = Region([(1.0, [Sample(lambda: noise_picture(64, 64, 3))])])
    config = Config(
        content_layers=(("relu2_1", 1.0),), style_layers=(("relu1_1", 1.0), ("relu2_1", 1.0))
    )
    evaluate = Evaluator(network, photograph, [region], config, visible=visible)
    point: Point = evaluate(x)
    assert float(point.gradient[:, :, 48:].abs().max()) == 0
    assert float(point.gradient[:, :, :32].abs().min()) > 0
    crop = Evaluator(network, photograph[:, :, :32], [region], config)(x[:, :, :32])
    assert point.loss == pytest.approx(crop.loss, rel=0.1)  # but for half-hidden and border places
    assert evaluate(torch.where(visible > 0, x, 0.0)).losses["tv"] == point.losses["tv"]


def test_gradients_where_some_is_hidden(exact_network):
    generator = torch.Generator().manual_seed(0)
    visible = torch.rand(1, 1, 32, 32, generator=generator, dtype=torch.float64).round()
    photograph, x = (noise_picture(32, 32, seed, torch.float64) for seed in (1, 2))
    region = Region.whole(noise_picture(32, 32, 3, torch.float64))
    config = Config(tv_weight=3.0)
    for side in (None, 64):
        evaluate = Evaluator(exact_network, photograph, [region], config, side, visible=visible)
        gradient = evaluate(x).gradient
        step = 1e-6 * gradient / gradient.norm()
        slope = float((gradient * step).sum())
        change = evaluate(x + step).loss - evaluate(x - step).loss
        assert change / 2 == pytest.approx(slope, rel=1e-3)


@pytest.mark.parametrize("around", [(False, False), (True, True), (False, True)])
def test_total_variation_of_what_is_visible(around):
    x = noise_picture(12, 15, dtype=torch.float64).requires_grad_()
    visible = torch.rand(1, 1, 12, 15, generator=torch.Generator().manual_seed(0)).double()
    wanted = torch.zeros((), dtype=torch.float64)
    for axis, last, joined in ((2, 11, around[0]), (3, 14, around[1])):
        pairs = torch.minimum(visible, visible.roll(-1, axis))
        squared = pairs * (x.roll(-1, axis) - x).square()
        wanted = wanted + (squared if joined else squared.narrow(axis, 0, last)).sum()
    wanted = wanted / (3 * visible.sum())
    found, by_x = total_variation(x.detach(), around=around, visible=visible)
    assert found == pytest.approx(wanted.item())
    torch.testing.assert_close(by_x, torch.autograd.grad(wanted, x)[0])


def test_a_place_of_a_painting_counts_by_its_alpha(folder):
    glass = np.dstack([picture((48, 48)), np.linspace(1, 255, 48).repeat(48).reshape(48, 48)])
    scene = compose("photo.png", glass.astype(np.uint8), Config())
    (region,) = scene.subject((64, 96), Config(), torch.device("cpu")).regions((64, 96))
    ((_, (sample,)),) = region.styles
    assert torch.equal(sample.where, torch.from_numpy(glass[None, None, :, :, 3]).byte() / 255)


@pytest.mark.parametrize("around", [(False, False), (True, True), (False, True)])
def test_all_visible_is_total_variation_and_variance_as_they_were(around):
    x, ones = noise_picture(12, 15), torch.ones(1, 1, 12, 15)
    found, by_x = total_variation(x, around=around, visible=ones)
    wanted, by_x_ = total_variation(x, around=around)
    assert found == pytest.approx(wanted, rel=1e-5)
    torch.testing.assert_close(by_x, by_x_)
    assert variation(x, ones) == pytest.approx(variation(x), rel=1e-5)


@pytest.mark.parametrize("match", [match_covariance, match_histogram, match_luminance])
def test_palettes_of_what_is_visible_are_those_of_a_crop(match):
    one, other = (
        pictures.resize(pictures.load(source()).pixels, (40, 40))
        for source in (data.chelsea, data.coffee)
    )
    wanted = match(one, other)
    seen = torch.cat([torch.ones(1, 1, 40, 40), torch.zeros(1, 1, 40, 40)], 2)
    wide = [torch.cat([each, noise_picture(40, 40, 5)], 2) for each in (one, other)]
    found = match(*wide, seen, seen)[:, :, :40]
    torch.testing.assert_close(found, wanted, atol=1e-3, rtol=0)


def test_what_is_hidden_is_filled_smoothly_from_around_it():
    left = torch.zeros(1, 3, 64, 64)
    left[..., 32:] = 1
    alpha = torch.ones(1, 1, 64, 64)
    alpha[:, :, 20:44, :] = 0
    found = pictures.filled(torch.where(alpha > 0, left, 0.5), alpha)
    assert torch.equal(found[:, :, :20], left[:, :, :20])
    assert float(found[:, :, 30, :24].max()) < 0.15
    assert float(found[:, :, 30, 40:].min()) > 0.85
    assert float(found.diff(dim=2)[..., :24].abs().max()) < 0.1


@pytest.mark.parametrize(
    ("place", "box"),
    [((5, 6, 30, 31), (5, 6, 30, 31)), ((0, 60, 1, 64), (0, 48, 16, 64)), ((20, 20, 21, 22), None)],
)
def test_the_box_of_what_is_visible_has_sides_that_a_network_can_see(place, box):
    alpha = torch.zeros(1, 1, 48, 64)
    top, left, bottom, right = place
    alpha[:, :, top:bottom, left:right] = 0.2
    found = pictures.visible_box(alpha)
    assert box is None or found == box
    assert found[2] - found[0] >= 16
    assert found[3] - found[1] >= 16
    assert found[0] <= top
    assert bottom <= found[2]
    assert found[1] <= left
    assert right <= found[3]


def test_from_memory_too():
    with pytest.raises(PictureError, match="wholly transparent"):
        stylize(np.zeros((32, 32, 4), np.uint8), "charcoal", size=64)

"""Laws of margins: mirrored, painted with the picture, cut off, and never seen in a Step."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from conftest import noise_picture, small_state
from impasto.config import Config
from impasto.network.vgg import VGG
from impasto.pictures import resize
from impasto.transfer import optimize as room
from impasto.transfer import walk
from impasto.transfer.descent import LBFGS, alike, fitted
from impasto.transfer.evaluation import Evaluator, Region, Sample
from impasto.transfer.margin import MARGIN_PX, cut, margins_of, widened, widened_size
from impasto.transfer.optimize import Subject, enlarge, optimize, power_of_paintings
from impasto.transfer.schedule import schedule

SIDES = st.integers(1, 70)
MARGINS = st.tuples(st.integers(0, 40), st.integers(0, 40))
SIZE = (66, 90)
QUICK = Config(iterations=3)
BOTH = (MARGIN_PX, MARGIN_PX)


def subject(size=SIZE, **parts):
    photograph, painting = noise_picture(*size, seed=1), noise_picture(60, 80, seed=2) ** 3
    shown = lambda size: resize(photograph, size)  # noqa: E731
    regions = lambda size: [Region.whole(resize(painting, size))]  # noqa: E731
    return Subject(
        **{"photograph": shown, "regions": regions, "start": shown, "detail": shown} | parts
    )


def exact_subject():
    about = subject()
    photograph, painting = about.photograph(SIZE).double(), noise_picture(60, 80, seed=2).double()
    regions = [Region.whole(painting)]
    return replace(
        about,
        photograph=lambda _: photograph,
        regions=lambda _: regions,
        start=lambda _: photograph,
    )


@given(SIDES, SIDES, MARGINS)
def test_what_is_widened_and_cut_is_the_picture(height, width, margins):
    picture = noise_picture(height, width)
    wide = widened(picture, margins)
    assert tuple(wide.shape[2:]) == widened_size((height, width), margins)
    assert torch.equal(cut(wide, (height, width)), picture)


@given(SIDES, SIDES, MARGINS)
def test_a_margin_is_the_mirror_image_however_small_the_picture(height, width, margins):
    picture = noise_picture(height, width)
    wide, (down, across) = widened(picture, margins), margins
    for axis, margin, length in ((2, down, height), (3, across, width)):
        inner, outer = (
            wide.narrow(axis, start, min(margin, length))
            for start in (margin, margin - min(margin, length))
        )
        assert torch.equal(outer, inner.flip(axis))


def test_all_scales_but_the_last_have_margins_and_not_where_they_go_around_nor_the_papers():
    config, last = Config(), (384, 512)
    assert margins_of((192, 256), last, config) == BOTH
    assert margins_of(last, last, config) == (0, 0)
    assert margins_of((192, 256), last, replace(config, tileable="horizontally")) == (MARGIN_PX, 0)
    assert margins_of((192, 256), last, replace(config, tileable=True)) == (0, 0)
    assert margins_of((192, 256), last, replace(config, edges="zeros")) == (0, 0)


@pytest.mark.parametrize("size", [(384, 512), (3000, 4000), (250, 260), (66, 510), (600, 2000)])
def test_a_picture_of_several_scales_begins_with_a_margin(size):
    (coarsest, _), *_ = schedule(size, Config())
    assert margins_of(coarsest, size, Config()) == BOTH


def test_a_finer_scale_begins_with_what_was_painted_in_the_margin():
    """Of a picture that is a ramp through its margins too, the enlarged one is that ramp."""
    ramp = torch.linspace(0, 1, 80 + 32).view(1, 1, 1, -1).expand(1, 3, 60 + 32, -1)
    found = enlarge(ramp, (120, 160), None, before=(60, 80), margins=BOTH)
    assert found.shape[2:] == (152, 192)
    rises, slope = found[0, 0, 76].diff()[8:-8], torch.full((175,), 1 / 111 / 2)
    torch.testing.assert_close(rises, slope, atol=1e-4, rtol=0)
    torch.testing.assert_close(found[0, 0, 76, 95:97].mean(), torch.tensor(0.5), atol=1e-3, rtol=0)
    alone = enlarge(ramp, (120, 160), None, before=(60, 80))
    inside, same = found[..., 24:-24, 24:-24], alone[..., 8:-8, 8:-8]
    torch.testing.assert_close(inside, same, atol=1e-4, rtol=0)


def test_no_margin_is_the_very_same_picture_and_subject():
    picture, about = noise_picture(20, 30), subject()
    assert widened(picture, (0, 0)) is picture
    assert cut(picture, (20, 30)) is picture
    assert about.widened((0, 0)) is about


@pytest.fixture
def everywhere(monkeypatch):
    """Margins at the last scale too, so that one scale is enough to see them."""
    monkeypatch.setattr(room, "margins_of", lambda *_: BOTH)


@pytest.mark.usefixtures("everywhere")
def test_a_coarse_picture_is_the_middle_of_a_larger_one():
    """Of one whose photograph and painting are the widened ones."""
    network, about = VGG(small_state()), subject()
    photograph = widened(about.photograph(SIZE), BOTH)
    ((_, ((_, (sample,)),)),) = [(r, r.styles) for r in about.regions(SIZE)]
    regions = [Region.whole(widened(sample.picture(), BOTH))]
    power = power_of_paintings(about.regions(SIZE))
    larger = LBFGS(Evaluator(network, photograph, regions, QUICK), photograph, power=power)
    for step in optimize(network, about, SIZE, QUICK):
        larger.step()
        assert torch.equal(step.pixels, cut(larger.point.x, SIZE))
        assert step.scale == SIZE
        assert step.loss == larger.point.loss


def test_noise_goes_on_in_the_margin_and_a_photograph_is_mirrored_there():
    about = subject(start=lambda size: noise_picture(*size))
    assert torch.equal(about.start_at(SIZE, BOTH), widened(noise_picture(*SIZE), BOTH))
    endless = replace(about, endless=True)
    assert torch.equal(endless.start_at(SIZE, BOTH), noise_picture(*widened_size(SIZE, BOTH)))


def test_what_is_told_apart_is_so_in_the_margin_too():
    where, seen = noise_picture(*SIZE)[:, :1], noise_picture(60, 80)[:, :1]
    styles = [(1.0, [Sample(lambda: noise_picture(60, 80), seen)])]
    parts = {
        "regions": lambda _: [Region(styles, "a", where), Region(styles, "b", 1 - where)],
        "preserve": lambda _: where,
        "visible": lambda _: where,
    }
    wide = subject(**parts).widened(BOTH)
    one, other = wide.regions(SIZE)
    assert one.styles is other.styles  # which is looked at once
    assert [one.name, other.name] == ["a", "b"]
    for found in (one.where, 1 - other.where, wide.preserve(SIZE), wide.visible(SIZE)):
        torch.testing.assert_close(found, widened(where, BOTH))
    ((_, (sample,)),) = one.styles
    assert torch.equal(sample.picture(), widened(noise_picture(60, 80), BOTH))
    assert torch.equal(sample.where, widened(seen, BOTH))


def test_what_is_known_of_places_stays_in_its_place():
    places = noise_picture(30, 40)
    state = {
        "pre.steps": widened(places, (16, 16)),
        "pre.changes": widened(places, (16, 16)),
        "unit": 2.0,
    }
    found = fitted(state, (30, 40), (60, 80), (8, 0))
    expected = widened(torch.nn.functional.interpolate(places, (60, 80), mode="bilinear"), (8, 0))
    assert torch.equal(found["pre.steps"], expected)
    assert torch.equal(found["pre.changes"], expected)
    assert found["unit"] == 2.0
    assert torch.equal(alike(state, (30, 40))["pre.steps"], places)
    assert fitted(None, (30, 40), (60, 80), (8, 0)) is None


def test_at_the_coarsest_scale_borders_are_pulled_at_as_the_middle_is():
    """By the deepest layer; without a margin at half the strength and less."""
    config = replace(Config(), strength=1.0, tv_weight=0.0, style_layers=(("relu5_1", 1.0),))

    def pull(margins, energy=0.0):
        for seed in range(6):
            x = noise_picture(96, 128, 10 + seed)
            network, painting = VGG(small_state(seed=seed)), noise_picture(96, 128, 50) ** 2
            regions = [Region.whole(widened(painting, margins))]
            wide = widened(x, margins)
            gradient = Evaluator(network, wide, regions, config)(wide).gradient
            energy = energy + cut(gradient, (96, 128))[0].square().sum(0)
        rim = torch.ones_like(energy, dtype=torch.bool)
        rim[16:-16, 16:-16] = False
        return float(energy[rim].mean() / energy[32:-32, 32:-32].mean())

    assert pull((0, 0)) < 0.6 < 0.8 < pull(BOTH) < 1.25


@pytest.mark.usefixtures("small_windows", "everywhere")
def test_in_windows_the_margin_is_that_of_the_whole(monkeypatch):
    monkeypatch.setattr(walk, "SMALLEST_SIDE_PX", 16)
    network, about = VGG(small_state(torch.float64)), exact_subject()
    whole = list(optimize(network, about, SIZE, QUICK))
    parts = list(optimize(network, about, SIZE, QUICK, windows=((1, 32),)))
    for one, other in zip(whole, parts, strict=True):
        assert other.window_px == 32
        assert other.loss == pytest.approx(one.loss, rel=1e-6)
        torch.testing.assert_close(other.pixels, one.pixels)

"""Laws of the measures: what is the same has no distance, and LPIPS is the published one."""

from __future__ import annotations

import pytest
import torch
from skimage import data

from conftest import noise_picture
from impasto import pictures
from impasto.measure.metrics import HELD_OUT, STYLE_LAYERS, Measures, lpips, measure, ssim
from impasto.network import weights
from impasto.network.vgg import VGG

SIZE = (96, 128)
# By the lpips package 0.1.4 (net="vgg", normalize=True) with the float weights that the embedded
# network was packed from.
PUBLISHED = {"cat and coffee": 0.69702, "4 px to the side": 0.23359, "half the contrast": 0.09505}


def shown(picture):
    return pictures.resize(pictures.load(picture).pixels, SIZE)


@pytest.fixture(scope="module")
def perceptual():
    found, heads = weights.perceptual()
    return VGG(found.state), heads


@pytest.fixture(scope="module")
def cat():
    return shown(data.chelsea())


@pytest.fixture(scope="module")
def coffee():
    return shown(data.coffee())


@pytest.mark.parametrize("name", PUBLISHED)
def test_lpips_is_that_of_the_published_package_but_for_rounded_weights(name, perceptual, cat):
    other = {
        "cat and coffee": lambda: (cat, shown(data.coffee())),
        "4 px to the side": lambda: (cat, cat.roll(4, 3)),
        "half the contrast": lambda: (half := shown(data.astronaut()), half * 0.5 + 0.25),
    }[name]()
    assert lpips(*perceptual, *other) == pytest.approx(PUBLISHED[name], rel=5e-3)


def test_a_picture_is_at_no_distance_from_itself_and_others_are(perceptual, cat, coffee):
    same = measure(*perceptual, cat, cat, coffee)
    assert same.lpips == same.lost == 0
    assert same.ssim == pytest.approx(1)
    assert list(same.style) == list(STYLE_LAYERS)
    assert same.left == pytest.approx(dict.fromkeys(STYLE_LAYERS, 1.0))
    painted = measure(*perceptual, coffee, cat, coffee)
    assert painted.style == pytest.approx(dict.fromkeys(STYLE_LAYERS, 0.0), abs=1e-4)
    assert painted.style_left < 0.001 < same.style_left
    assert painted.lpips > 0.5
    assert painted.lost > 0.5
    assert painted.ssim < 0.5


def test_the_nearer_picture_is_nearer_by_every_measure(perceptual, cat, coffee):
    near, far = (
        measure(*perceptual, cat.lerp(noise_picture(*SIZE, 1), share), cat, coffee)
        for share in (0.1, 0.4)
    )
    assert near.lpips < far.lpips
    assert near.lost < far.lost
    assert near.ssim > far.ssim


def test_where_things_are_does_not_matter_to_style_and_does_to_content(perceptual, cat, coffee):
    moved = measure(*perceptual, coffee.roll((32, 48), (2, 3)), cat, coffee)
    assert max(moved.left[layer] for layer in ("relu1_1", "relu1_2", "relu2_1", "relu2_2")) < 0.2
    assert moved.lost > 0.5


def test_the_score_is_content_lost_and_style_left_at_layers_that_nothing_optimised():
    left = dict.fromkeys(STYLE_LAYERS, 0.9) | dict.fromkeys(HELD_OUT, 0.2)
    assert Measures(lost=0.5, left=left).score == pytest.approx(0.12 * 0.5 + 0.2)
    assert Measures(lost=0.5).score is None
    assert Measures(left=left).score is None


def test_the_network_of_the_measures_comes_with_the_package_whatever_the_cache_holds(
    monkeypatch, tmp_path
):
    monkeypatch.setenv("IMPASTO_CACHE", str(tmp_path))
    found, heads = weights.perceptual()
    assert found.name == "vgg16"
    assert [len(head) for head in heads] == [64, 128, 256, 512, 512]
    assert all(bool((head >= 0).all()) for head in heads)


def test_total_variation_is_that_of_neighbours(perceptual):
    stripes = torch.zeros(1, 3, 32, 32)
    stripes[..., ::2] = 1
    assert measure(*perceptual, stripes).tv == pytest.approx(31 / 32)
    assert measure(*perceptual, torch.full((1, 3, 32, 32), 0.3)).tv == 0


def test_ssim_is_the_same_both_ways(cat, coffee):
    assert ssim(cat, coffee) == pytest.approx(ssim(coffee, cat))

"""Laws of the loss and its gradient: those of autograd, and in windows those of the whole."""

from __future__ import annotations

import gc
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage import data

from conftest import CONVOLUTIONS, noise_picture, small_state
from impasto import pictures
from impasto.config import PRESETS, Config, configure
from impasto.network import weights
from impasto.network.vgg import VGG
from impasto.pictures import styles
from impasto.transfer import borders, losses
from impasto.transfer.evaluation import Evaluator, Region, at_layers, look, ran_out_of_memory
from impasto.transfer.moments import Moments
from impasto.transfer.walk import extended, walk

EXACT = torch.float64
VGG19 = (2, 2, 4, 4, 4)
EVERYWHERE = replace(
    configure(hand="faithful"),
    content_layers=(("conv2_2", 1.0), ("relu4_2", 2.0)),
    style_layers=(("conv1_2", 1.0), ("relu2_2", 1.0), ("relu4_2", 1.0), ("conv5_1", 1.0)),
)
ROOTS = 1e-6  # of eigenvalues that are 0 but for rounding, 1e-16: theirs is 1e-8
BY_MOMENTS = {
    "faithful": configure(hand="faithful"),
    "paper": PRESETS["paper"],
    "everywhere": EVERYWHERE,
}
CONFIGS = {**BY_MOMENTS, "painterly": configure(hand="painterly")}


def relative(found, expected):
    return ((found - expected).norm() / expected.norm()).item()


def evaluators(config, size, side, convolutions=CONVOLUTIONS, dtype=EXACT, **network):
    """Of the whole and in windows, and a picture for both."""
    state = small_state(dtype, convolutions=convolutions)
    photograph, painting, x = (noise_picture(*size, seed, dtype) for seed in (1, 2, 3))
    network = VGG(state, **network)
    regions = [Region.whole(painting)]
    both = [Evaluator(network, photograph, regions, config, each) for each in (None, side)]
    return *both, x


@pytest.mark.usefixtures("small_windows")
@pytest.mark.parametrize("name", CONFIGS)
@pytest.mark.parametrize("convolutions", [CONVOLUTIONS, VGG19], ids=["vgg16", "vgg19"])
@pytest.mark.parametrize(("size", "side"), [((97, 143), 64), ((160, 96), 64), ((203, 161), 100)])
def test_in_windows_loss_and_gradient_are_those_of_the_whole(name, convolutions, size, side):
    whole, tiled, x = evaluators(CONFIGS[name], size, side, convolutions, edges=CONFIGS[name].edges)
    expected, found = whole(x), tiled(x)
    assert found.losses == pytest.approx(expected.losses, rel=ROOTS)
    assert relative(found.gradient, expected.gradient) < 1e-9
    for each, known in ((whole, expected), (tiled, found)):
        alone = each.value(x)
        assert torch.equal(alone.x, x)
        assert alone.loss == pytest.approx(known.loss, rel=1e-12)


@settings(max_examples=12, deadline=None)
@given(
    size=st.tuples(st.integers(33, 150), st.integers(33, 150)),
    side=st.integers(8, 150),
    pooling=st.sampled_from(["max", "average"]),
    edges=st.sampled_from(["replicate", "zeros"]),
)
def test_so_they_are_at_any_size_and_in_any_windows(size, side, pooling, edges):
    config = replace(Config(), distance="gram")
    whole, tiled, x = evaluators(config, size, side, pooling=pooling, edges=edges)
    expected, found = whole(x), tiled(x)
    assert found.loss == pytest.approx(expected.loss, rel=1e-9)
    assert relative(found.gradient, expected.gradient) < 1e-9


@pytest.mark.usefixtures("small_windows")
@pytest.mark.parametrize("edges", ["replicate", "zeros"])
@pytest.mark.parametrize(
    ("tileable", "size", "side"),
    [
        (True, (96, 144), 48),
        (True, (112, 80), 24),
        ("horizontally", (97, 144), 48),
        ("vertically", (112, 81), 24),
        ("horizontally", (30, 144), 48),  # one window across the way that it does not go around
    ],
)
def test_a_tile_in_windows_is_that_of_the_whole(tileable, size, side, edges):
    config = configure(hand="faithful", tileable=tileable, distance="gram")  # picks no places
    whole, tiled, x = evaluators(config, size, side, edges=edges)
    expected, found = whole(x), tiled(x)
    assert found.losses == pytest.approx(expected.losses, rel=ROOTS)
    assert relative(found.gradient, expected.gradient) < 1e-9


@pytest.mark.parametrize("distance", ["wasserstein", "gram"])
def test_style_does_not_know_where_a_tile_begins(distance):
    config = replace(Config(), tileable=True, strength=1.0, distance=distance)
    evaluate, _, x = evaluators(config, (96, 144), 48)
    here, shifts = evaluate(x), ((16, 32), (2, 3))
    there = evaluate(x.roll(*shifts))
    assert there.loss == pytest.approx(here.loss, rel=ROOTS)
    assert relative(there.gradient, here.gradient.roll(*shifts)) < 1e-9
    assert "tv" in here.losses


@pytest.mark.parametrize(
    ("tileable", "size", "axis"), [("horizontally", (97, 144), 3), ("vertically", (96, 135), 2)]
)
def test_a_photograph_rolled_the_way_it_goes_around_has_the_same_loss(
    tileable, size, axis, monkeypatch
):
    # Nowhere nearer to a border than to any.
    monkeypatch.setattr(borders, "SEAMLESS_MARGIN", 1e-9)
    config = configure(hand="faithful", tileable=tileable, distance="gram")  # picks no places
    network = VGG(small_state(EXACT))
    photograph, painting, x = (noise_picture(*size, seed, EXACT) for seed in (1, 2, 3))
    regions = [Region.whole(painting)]
    here = Evaluator(network, photograph, regions, config)(x)
    there = Evaluator(network, photograph.roll(32, axis), regions, config)(x.roll(32, axis))
    assert there.losses == pytest.approx(here.losses, rel=ROOTS)
    assert relative(there.gradient, here.gradient.roll(32, axis)) < 1e-9
    other = 5 - axis
    across = Evaluator(network, photograph.roll(32, other), regions, config)(x.roll(32, other))
    assert across.loss != pytest.approx(here.loss, rel=1e-3)


def test_what_a_photograph_shows_at_a_tiles_borders_is_not_kept():
    """Over a tenth of a side it counts less and less: of 160 px, over two positions of relu4_2."""
    evaluate, _, _ = evaluators(replace(Config(), tileable=True), (160, 160), None)
    (content,) = (each for each in evaluate.objective.terms if isinstance(each, losses.Content))
    wanted = torch.ones(20, dtype=EXACT)
    wanted[:2] = torch.tensor([0.25, 0.75], dtype=EXACT)
    wanted[-2:] = wanted[:2].flip(0)
    torch.testing.assert_close(content.where, (wanted[:, None] * wanted)[None, None])


def real_pictures(*size):
    """A photograph, a painting, and something between the photograph and noise."""
    photograph, painting = pictures.load(data.coffee()), pictures.load(styles.find("night-swirls"))
    shown = pictures.resize(photograph.pixels, size)
    return shown, pictures.resize(painting.pixels, size), shown.lerp(noise_picture(*size, 3), 0.3)


@pytest.mark.parametrize("backbone", ["vgg16", "vgg19"])
def test_so_they_are_in_float32_with_real_channels_and_pictures(backbone):
    """Where rounding turns no tie of a maximum, which would be as right."""
    if backbone == "vgg16":
        state = weights.resolve("vgg16").state
    else:
        state = small_state(channels=(64, 128, 256, 512, 512), convolutions=VGG19)
    network, (photograph, painting, x) = VGG(state, edges="replicate"), real_pictures(200, 260)
    config = Config() if backbone == "vgg16" else replace(Config(), distance="gram")
    expected, found = (
        Evaluator(network, photograph, [Region.whole(painting)], config, side)(x)
        for side in (None, 128)
    )
    assert found.loss == pytest.approx(expected.loss, rel=1e-4)
    assert relative(found.gradient, expected.gradient) < 1e-4


def test_several_windows_are_what_these_laws_are_about():
    """At each stage but the last, whose maps are small."""
    seen, network = [], VGG(weights.resolve("vgg16").state)
    passes = walk(network, noise_picture(200, 260), ["relu5_1"], 64, lambda *a: seen.append(a[0]))
    counts = [len(each.windows) for each in passes]
    assert counts == [20, 6, 4, 1]
    assert seen == ["relu5_1"]


@pytest.mark.usefixtures("small_windows")
@pytest.mark.parametrize(("size", "side"), [((97, 143), 64), ((160, 96), 64), ((203, 161), 100)])
def test_the_small_networks_have_several_too(size, side):
    passes = walk(VGG(small_state()), noise_picture(*size), ["relu5_1"], side, lambda *_: None)
    assert len(passes[0].windows) >= 4


@pytest.mark.parametrize("name", CONFIGS)
@pytest.mark.parametrize("side", [None, 64])
def test_the_gradient_is_that_of_finite_differences(name, side, monkeypatch):
    monkeypatch.setattr(losses, "EIGENVALUE_FLOOR", 1e-15)  # below it the gradient is held back
    _, evaluate, x = evaluators(CONFIGS[name], (80, 96), side)
    point, step = evaluate(x), 1e-6
    for seed in range(3):
        direction = noise_picture(80, 96, 10 + seed, EXACT) - 0.5
        ahead, back = evaluate(x + step * direction), evaluate(x - step * direction)
        slope = (point.gradient * direction).sum().item()
        assert (ahead.loss - back.loss) / (2 * step) == pytest.approx(slope, rel=1e-3)


def mirrored(x):
    """A picture with what is left of its sides, to multiples of 16, mirrored below and beside."""
    height, width = x.shape[2:]
    rows, columns = ([*range(n), *range(n - 1, n - 1 - -n % 16, -1)] for n in (height, width))
    return x[:, :, rows][..., columns]


def half_at_borders(share):
    """The same with half of it in the outermost rows and columns: two, but a twelfth at most."""
    height, width = share.shape[2:]
    down, across = min(2, height // 12), min(2, width // 12)
    middle = torch.zeros_like(share)
    middle[..., down : height - down, across : width - across] = 1
    return share * (1 + middle) / 2


def written_out(evaluate, network, x, *, paper):
    """The loss, the slow and obvious way: each position counts by its pixels in the picture."""
    shown = mirrored(x)
    inside = torch.zeros_like(shown[:, :1])
    inside[..., : x.shape[2], : x.shape[3]] = 1
    features = network(shown, evaluate.objective.layers)
    total = losses.total_variation(x.detach())[0] * evaluate.objective.tv_weight
    for term in evaluate.objective.terms:
        F = features[term.layer]
        stride = shown.shape[2] // F.shape[2]
        share = inside.unfold(2, stride, stride).unfold(3, stride, stride).mean((4, 5))
        if isinstance(term, losses.Content):
            height, width = term.target.shape[2:]
            assert not share[..., height:, :].any()
            assert not share[..., width:].any()
            squared = (F[..., :height, :width] - term.target).square()
            share = share[..., :height, :width]
            total += term.weight * (squared * (share if paper else half_at_borders(share))).sum()
        else:
            flat, count = F[0].flatten(1), share.flatten()
            mean = (flat * count).sum(1) / count.sum()
            covariance = (flat * count) @ flat.T / count.sum() - torch.outer(mean, mean)
            total += term.weight * term.distance(Moments(mean, covariance, float(count.sum())))
    return total


@pytest.mark.parametrize("name", BY_MOMENTS)
@pytest.mark.parametrize("size", [(97, 143), (80, 95), (17, 31)])
def test_a_side_that_is_no_multiple_of_16_is_mirrored_and_counts_by_its_pixels(name, size):
    config = replace(CONFIGS[name], tv_weight=0.0, distance="gram")
    evaluate, _, x = evaluators(config, size, None)
    found, leaf = evaluate(x), x.clone().requires_grad_()
    expected = written_out(evaluate, evaluate.network, leaf, paper=name == "paper")
    (gradient,) = torch.autograd.grad(expected, leaf)
    assert found.loss == pytest.approx(expected.item(), rel=1e-9)
    assert relative(found.gradient, gradient) < 1e-9


def test_nothing_is_mirrored_and_everything_counts_alike_where_sides_are_multiples_of_16():
    x = noise_picture(48, 160)
    assert extended(x) is x
    assert at_layers(None, ["relu1_1", "relu5_1"], x) == {}
    assert set(at_layers(None, ["relu1_1", "relu2_1", "relu5_1"], x[:, :, :46])) == {"relu5_1"}


def test_the_deepest_layer_pulls_at_the_right_and_lower_borders_as_at_the_others():
    """Without the last strip, which poolings leave out, it pulled half as much and less."""
    energy, alone = 0.0, (("relu5_1", 1.0),)
    config = replace(Config(), strength=1.0, tv_weight=0.0, style_layers=alone, distance="gram")
    for seed in range(6):
        network = VGG(small_state(seed=seed), edges="replicate")
        regions = [Region.whole(noise_picture(143, 175, 50))]
        x = noise_picture(143, 175, 10 + seed)
        energy += Evaluator(network, x, regions, config)(x).gradient[0].square().sum(0)
    left, right = (float(energy[32:-32, part].mean()) for part in (slice(16), slice(-16, None)))
    upper, lower = (float(energy[part, 32:-32].mean()) for part in (slice(16), slice(-16, None)))
    assert 0.5 < right / left < 2.5
    assert 0.5 < lower / upper < 2.5


@pytest.mark.parametrize("side", [64, 100])
def test_features_and_moments_are_those_of_the_whole(side, exact_network):
    picture, layers = noise_picture(121, 150, 1, EXACT), ["conv1_1", "relu3_2", "relu5_1"]
    maps, (found,) = look(exact_network, picture, side, maps=layers[1:], moments=layers[:2])
    assert list(maps) == layers[1:]
    assert list(found) == layers[:2]
    for layer, F in maps.items():
        height, width = F.shape[2:]
        whole = exact_network(extended(picture), layers)[layer]
        torch.testing.assert_close(F, whole[..., :height, :width])
    _, (expected,) = look(exact_network, picture, None, moments=layers)
    for layer, (mean, covariance, positions, *_) in found.items():
        torch.testing.assert_close(mean, expected[layer].mean)
        torch.testing.assert_close(covariance, expected[layer].covariance)
        assert positions == expected[layer].positions


def test_no_map_outlives_its_evaluation():
    """Not even until the next garbage collection, which a large picture has no room to await."""
    _, evaluate, x = evaluators(Config(), (97, 143), 64)
    evaluate(x)
    gc.collect()
    gc.disable()
    try:
        before = sum(torch.is_tensor(each) for each in gc.get_objects())
        point = evaluate(x)
        after = sum(torch.is_tensor(each) for each in gc.get_objects())
    finally:
        gc.enable()
    assert after - before <= len(vars(point))


def test_other_errors_are_no_lack_of_memory():
    assert ran_out_of_memory(MemoryError())
    assert ran_out_of_memory(torch.OutOfMemoryError("CUDA out of memory"))
    assert not ran_out_of_memory(RuntimeError("shapes differ"))

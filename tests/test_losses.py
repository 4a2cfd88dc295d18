"""Laws of the losses: gradients against float64, invariances, and what is zero when."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import product

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from conftest import noise_picture
from impasto.config import CONTENT_AT_HALF, PRESETS, Config, choices, configure
from impasto.transfer import losses
from impasto.transfer.balance import RegionTarget, objective
from impasto.transfer.evaluation import Region, objective_of
from impasto.transfer.losses import Content, Style
from impasto.transfer.moments import Moments, Sums, moments
from impasto.transfer.objective import Objective, Tally
from impasto.transfer.tiles import Box

EXACT = torch.float64


def features(channels=5, height=6, width=7, seed=0, dtype=EXACT):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(1, channels, height, width, generator=generator, dtype=dtype)


def shuffled(F, seed=3):
    order = torch.randperm(F.shape[2] * F.shape[3], generator=torch.Generator().manual_seed(seed))
    return F.flatten(2)[:, :, order].view_as(F)


WHOLE = Box(0, 0, 10_000, 10_000)


def parts(F, rows):
    """A map in two parts (one, where it has no more rows), with the box of each."""
    _, _, height, width = F.shape
    cut = min(rows, height)
    boxes = Box(0, 0, cut, width), Box(cut, 0, height, width)
    return [(box.cut(F), box) for box in boxes if box.size[0]]


def loss_and_gradient(term, F, rows=WHOLE.bottom):
    """Of one term, from its layer's features in one part or two."""
    tally = Tally(Objective((term,), 0.0))
    for part, box in parts(F, rows):
        tally.add(term.layer, part, box)
    (loss,) = tally.losses().values()
    gradient = torch.zeros_like(F)
    for part, box in parts(F, rows):
        tally.add_gradient(box.cut(gradient), term.layer, part, box)
    return loss, gradient


def style_term(measure, painting):
    return Style("relu1_1", 1.0, measure(moments(painting)))


def content_term(painting):
    _, _, height, width = painting.shape
    where = torch.linspace(0, 1, height * width, dtype=painting.dtype).view(1, 1, height, width)
    return Content("relu1_1", 0.7, painting, where)


def term_of(kind, painting):
    if kind == "content":
        return content_term(painting)
    return style_term(getattr(losses, kind), painting)


@settings(max_examples=20, deadline=None)
@given(
    channels=st.integers(1, 8),
    height=st.integers(1, 9),
    width=st.integers(1, 9),
    rows=st.integers(1, 9),
)
def test_moments_are_torchs_and_those_of_the_parts(channels, height, width, rows):
    F = features(channels, height, width)
    flat, sums = F[0].flatten(1), Sums()
    for part, _ in parts(F, rows):
        sums.add(part)
    mean, covariance, positions, *_ = sums.moments()
    assert positions == height * width
    torch.testing.assert_close(mean, flat.mean(1))
    torch.testing.assert_close(
        covariance, torch.cov(flat, correction=0).reshape(channels, channels), atol=1e-12, rtol=1e-9
    )
    torch.testing.assert_close(sums.moments().second * positions, flat @ flat.T)


@pytest.mark.parametrize("measure", [losses.wasserstein, losses.mean_gram])
def test_style_does_not_know_where_things_are(measure):
    F, painting = features(seed=1), features(seed=2)
    one, _ = loss_and_gradient(style_term(measure, painting), F)
    assert one == pytest.approx(loss_and_gradient(style_term(measure, painting), shuffled(F))[0])
    assert one == pytest.approx(loss_and_gradient(style_term(measure, shuffled(painting)), F)[0])


@pytest.mark.parametrize("rows", [2, WHOLE.bottom])
@pytest.mark.parametrize(
    ("channels", "height", "width"),
    [(5, 6, 7), (9, 3, 2), (4, 1, 1)],
    ids=["many positions", "fewer positions than channels", "one position"],
)
@pytest.mark.parametrize("kind", ["wasserstein", "mean_gram", "sum_gram", "content"])
def test_gradients_are_those_of_finite_differences(kind, channels, height, width, rows):
    if kind == "wasserstein" and height * width <= channels:
        pytest.skip("a root's derivative has no finite differences where C is singular")
    term = term_of(kind, features(channels, height, width, seed=2))
    F, step = features(channels, height, width, seed=1), 1e-5
    loss, gradient = loss_and_gradient(term, F, rows)
    assert loss == pytest.approx(loss_and_gradient(term, F)[0], rel=1e-12)
    for seed in range(5):
        direction = features(channels, height, width, seed=10 + seed)
        ahead, _ = loss_and_gradient(term, F + step * direction)
        back, _ = loss_and_gradient(term, F - step * direction)
        slope = (gradient * direction).sum().item()
        assert (ahead - back) / (2 * step) == pytest.approx(slope, rel=1e-5, abs=1e-6)


def test_the_closed_form_root_has_autograds_gradient_in_float32_too():
    X, painting = features(24, 12, 12, 1, torch.float32), features(24, 9, 9, 2, torch.float32)

    def by_autograd(F):
        flat = F[0].flatten(1)
        m, C = flat.mean(1), torch.cov(flat, correction=0)
        mean, S, *_ = moments(painting.double())
        values, Q = torch.linalg.eigh(S)
        root = (Q * values.sqrt()) @ Q.T
        overlap = torch.linalg.eigvalsh(root @ C @ root).sqrt().sum()
        return ((m - mean).square().sum() + C.trace() + S.trace() - 2 * overlap) / S.trace()

    F = X.double().requires_grad_()
    (expected,) = torch.autograd.grad(by_autograd(F), F)
    _, gradient = loss_and_gradient(style_term(losses.wasserstein, painting), X)
    assert gradient.dtype == torch.float32
    assert (gradient.double() - expected).norm() < 1e-4 * expected.norm()


def test_the_gradient_stays_bounded_where_the_covariance_is_singular():
    painting, F = features(32, 8, 8, 2, torch.float32), features(32, 2, 2, 1, torch.float32)
    F = F * torch.tensor([1.0, 0.0]).repeat(16).view(1, 32, 1, 1)
    _, gradient = loss_and_gradient(style_term(losses.wasserstein, painting), F)
    assert gradient.isfinite().all()
    assert gradient.abs().max() < 10


def test_the_factor_of_a_covariance_has_no_more_columns_than_its_rank():
    few = moments(features(12, 3, 2)).covariance
    A = losses.factor(few)
    assert A.shape == (12, 5)
    torch.testing.assert_close(A @ A.T, few)
    assert losses.factor(torch.zeros(4, 4)).shape == (4, 1)


@settings(max_examples=20, deadline=None)
@given(scale=st.floats(0.01, 100), seed=st.integers(0, 99))
def test_distances_are_zero_at_their_target_positive_elsewhere_and_know_no_units(scale, seed):
    A, B = moments(features(seed=seed)), moments(features(seed=seed + 1))

    def times(scaled):
        return Moments(scaled.mean * scale, scaled.covariance * scale**2, scaled.positions)

    for measure in (losses.wasserstein, losses.mean_gram):
        assert abs(float(measure(A)(A))) < 1e-5
        assert float(measure(A)(B)) > 1e-3
        torch.testing.assert_close(measure(A)(B), measure(times(A))(times(B)))


def test_wasserstein_between_gaussians_of_one_shape_is_the_distance_of_their_means():
    mean, covariance, positions, *_ = A = moments(features(4, 8, 8))
    moved = Moments(mean + torch.tensor([1.0, -2.0, 0.5, 0.0]), covariance, positions)
    expected = 5.25 / float(covariance.trace())
    assert math.isclose(float(losses.wasserstein(A)(moved)), expected, rel_tol=1e-5)


@pytest.mark.parametrize("around", list(product([False, True], repeat=2)))
def test_total_variation_is_that_of_its_formula_and_so_is_its_gradient(around):
    x = noise_picture(9, 12, dtype=EXACT).requires_grad_()
    steps = [
        x.roll(-1, axis) - x if joined else x.diff(dim=axis)
        for axis, joined in zip((2, 3), around, strict=True)
    ]
    expected = sum(step.square().sum() for step in steps) / x.numel()
    found, gradient = losses.total_variation(x.detach(), around=around)
    assert found == pytest.approx(expected.item())
    torch.testing.assert_close(gradient, torch.autograd.grad(expected, x)[0])
    assert losses.total_variation(torch.full_like(x, 0.3).detach(), around=around)[0] == 0


@pytest.mark.parametrize("axis", [2, 3])
def test_where_a_picture_goes_around_total_variation_counts_the_edge_too(axis):
    x = noise_picture(9, 12, dtype=EXACT).requires_grad_()
    edge = (x.narrow(axis, 0, 1) - x.narrow(axis, x.shape[axis] - 1, 1)).square().sum()
    inside = x.diff(dim=2).square().sum() + x.diff(dim=3).square().sum()
    expected = (inside + edge) / x.numel()
    found, gradient = losses.total_variation(x.detach(), around=(axis == 2, axis == 3))
    assert found == pytest.approx(expected.item())
    torch.testing.assert_close(gradient, torch.autograd.grad(expected, x)[0])


def made_of(network, photograph, painting, config):
    """The objective of two pictures."""
    return objective_of(network, photograph, [Region.whole(painting)], config, None)


def losses_of(loss, features):
    """Each term's loss, of whole feature maps."""
    tally = Tally(loss)
    for layer in loss.layers:
        tally.add(layer, features[layer], Box.of(features[layer].shape[2:]))
    return tally.losses()


def layers(network, picture, config):
    names = [name for name, _ in (*config.content_layers, *config.style_layers)]
    with torch.no_grad():
        return network(picture, names)


@pytest.mark.parametrize("distance", ["wasserstein", "gram"])
@pytest.mark.parametrize("strength", [0.0, 0.3, 0.5, 1.0])
@pytest.mark.parametrize(("hand", "exactness"), [("faithful", 1e-5), ("painterly", 0.02)])
def test_a_strength_makes_the_photograph_cost_its_style_gap_and_nothing_else(
    network, distance, strength, hand, exactness
):
    """Slices are counted into bins, where their gap is that of quantiles: nearly the same."""
    config = configure(hand=hand, strength=strength, distance=distance, tv_weight=0.0)
    photograph, painting = noise_picture(48, 64, 1), noise_picture(40, 56, 2)
    loss = made_of(network, photograph, painting, config)
    terms = losses_of(loss, layers(network, photograph, config))
    content_weight, style_weight = config.weights()
    assert sum(v for n, v in terms.items() if n.startswith("content")) == 0
    style = float(sum(v for n, v in terms.items() if n.startswith("style")))
    assert style == pytest.approx(style_weight, rel=exactness)
    assert content_weight + style_weight == pytest.approx(1)


@pytest.mark.parametrize("distance", ["wasserstein", "gram"])
def test_a_strength_knows_no_scale_of_the_features(network, distance):
    config = replace(Config(), distance=distance)
    photograph, painting, x = (
        layers(network, noise_picture(48, 64, seed), config) for seed in (1, 2, 3)
    )

    def terms(factor):
        content, style, found = (
            {name: factor * F for name, F in each.items()} for each in (photograph, painting, x)
        )
        of_photograph = {name: moments(F) for name, F in content.items()}
        of_painting = {name: moments(F) for name, F in style.items()}
        part = RegionTarget("", 1.0, {}, of_photograph, of_painting)
        return losses_of(objective(content, [part], config), found)

    one, seven = terms(1), terms(7)
    for name in one:
        assert seven[name] == pytest.approx(one[name], rel=5e-3), name


def test_a_painting_that_is_the_photograph_is_no_division_by_zero(network):
    config, same = Config(), noise_picture(48, 64, 1)
    terms = losses_of(made_of(network, same, same, config), layers(network, same, config))
    assert all(math.isfinite(value) for value in terms.values())


@pytest.mark.parametrize("painting_size", [(48, 64), (64, 80), (32, 48)])
def test_the_papers_loss_is_its_formulas(exact_network, painting_size):
    """With the Gram matrix of a painting of another size scaled to the picture's positions."""
    config = replace(PRESETS["paper"], alpha=3.0, beta=0.5)
    sizes = (48, 64), painting_size, (48, 64)
    pictures = [noise_picture(*size, seed, EXACT) for seed, size in enumerate(sizes, 1)]
    photograph, painting, x = (layers(exact_network, picture, config) for picture in pictures)
    terms = losses_of(made_of(exact_network, *pictures[:2], config), x)
    content = 0.5 * (x["conv4_2"] - photograph["conv4_2"]).square().sum()
    expected = 3.0 * content
    for layer, _ in config.style_layers:
        F, S = x[layer][0].flatten(1), painting[layer][0].flatten(1)
        A = S @ S.T * (F.shape[1] / S.shape[1])
        expected = expected + 0.5 * 0.5 * (F @ F.T - A).square().sum()
    assert sum(terms.values()) == pytest.approx(expected.item(), rel=1e-11)


def test_a_flat_photograph_has_no_content_to_keep_and_any_contrast_has_some():
    photograph = noise_picture(64, 64)
    faint = 0.5 + 0.01 * (photograph - photograph.mean((2, 3), keepdim=True))
    half = 0.5 + (faint - 0.5) * 0.01 / float(faint.std((2, 3), correction=0).max())
    assert losses.depicted(photograph) == 1
    assert losses.depicted(half) == pytest.approx(0.25, rel=1e-3)  # of half the deviation
    assert losses.depicted(torch.full((1, 3, 64, 64), 0.3)) == pytest.approx(0, abs=1e-9)
    below = torch.zeros(1, 1, 64, 64)
    below[:, :, 32:] = 1
    photograph[:, :, 32:] = 0.7
    assert losses.depicted(photograph, below) == pytest.approx(0, abs=1e-9)


def test_without_an_alpha_the_papers_content_weighs_as_at_strength_one_half(exact_network):
    """All of the photograph's content lost costs CONTENT_AT_HALF of its distance in style."""
    config = replace(PRESETS["paper"], alpha=None, beta=0.5)
    photograph, painting = (noise_picture(48, 64, seed, EXACT) for seed in (1, 2))
    loss = made_of(exact_network, photograph, painting, config)
    known = layers(exact_network, photograph, config)
    style = sum(losses_of(loss, known).values())  # of the photograph: its content costs nothing
    plain = {name: F.mean((2, 3), keepdim=True).expand_as(F) for name, F in known.items()}
    lost = losses_of(loss, plain)["content conv4_2"]
    assert lost == pytest.approx(CONTENT_AT_HALF * style, rel=1e-9)


def test_every_distance_that_can_be_asked_for_is_in_the_table_and_no_other():
    assert set(losses.DISTANCES) == set(choices("distance"))
    with pytest.raises(KeyError):
        losses.DISTANCES["third"]

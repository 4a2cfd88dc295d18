"""Laws of the losses: gradients against float64, invariances, and what is zero when."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from conftest import noise_picture
from impasto import losses
from impasto.config import PRESETS, Config
from impasto.losses import moments, objective

EXACT = torch.float64


def features(channels=5, height=6, width=7, seed=0, dtype=EXACT):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(1, channels, height, width, generator=generator, dtype=dtype)


def shuffled(F, seed=3):
    order = torch.randperm(F.shape[2] * F.shape[3], generator=torch.Generator().manual_seed(seed))
    return F.flatten(2)[:, :, order].view_as(F)


@settings(max_examples=20, deadline=None)
@given(channels=st.integers(1, 8), height=st.integers(1, 9), width=st.integers(1, 9))
def test_gram_is_the_sum_over_positions_and_moments_are_torchs(channels, height, width):
    F = features(channels, height, width)
    flat = F[0].flatten(1)
    torch.testing.assert_close(losses.gram(F), flat @ flat.T)
    mean, covariance = moments(F)
    torch.testing.assert_close(mean, flat.mean(1))
    torch.testing.assert_close(
        covariance, torch.cov(flat, correction=0).reshape(channels, channels), atol=1e-12, rtol=1e-9
    )


@pytest.mark.parametrize("measure", [losses.wasserstein, losses.mean_gram])
def test_style_does_not_know_where_things_are(measure):
    F, painting = features(seed=1), features(seed=2)
    distance = measure(painting)
    torch.testing.assert_close(distance(F), distance(shuffled(F)))
    torch.testing.assert_close(distance(F), measure(shuffled(painting))(F))


@pytest.mark.parametrize(
    ("channels", "height", "width"),
    [(5, 6, 7), (9, 3, 2), (4, 1, 1)],
    ids=["many positions", "fewer positions than channels", "one position"],
)
@pytest.mark.parametrize("kind", ["wasserstein", "mean_gram", "sum_gram", "relative_error"])
def test_gradients_are_those_of_finite_differences(kind, channels, height, width):
    if kind == "wasserstein" and height * width <= channels:
        pytest.skip("a root's derivative has no finite differences where C is singular")
    painting = features(channels, height, width, seed=2)
    measure = getattr(losses, kind)
    distance = measure(painting, 12) if kind == "sum_gram" else measure(painting)
    F = features(channels, height, width, seed=1).requires_grad_()
    assert torch.autograd.gradcheck(distance, (F,), atol=1e-6)


def test_the_closed_form_root_has_autograds_gradient_in_float32_too():
    X, painting = features(24, 12, 12, 1, torch.float32), features(24, 9, 9, 2, torch.float32)

    def by_autograd(F):
        m, C = moments(F)
        mean, S = moments(painting.double())
        root = losses.matrix_root(S)
        values = torch.linalg.eigvalsh(root @ C @ root)
        squared = (m - mean).square().sum() + C.trace() + S.trace() - 2 * values.sqrt().sum()
        return squared / S.trace()

    F = X.double().requires_grad_()
    (expected,) = torch.autograd.grad(by_autograd(F), F)
    F = X.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(losses.wasserstein(painting)(F), F)
    assert (gradient.double() - expected).norm() < 1e-4 * expected.norm()


def test_the_gradient_stays_bounded_where_the_covariance_is_singular():
    painting, F = features(32, 8, 8, 2, torch.float32), features(32, 2, 2, 1, torch.float32)
    F = (F * torch.tensor([1.0, 0.0]).repeat(16).view(1, 32, 1, 1)).requires_grad_()
    (gradient,) = torch.autograd.grad(losses.wasserstein(painting)(F), F)
    assert gradient.isfinite().all()
    assert gradient.abs().max() < 10


def test_few_and_many_positions_are_measured_alike():
    """Every position twice is the same Gaussian; one way takes X S X^T, the other S^1/2 C S^1/2."""
    F, distance = features(12, 3, 2, 1), losses.wasserstein(features(12, 9, 9, 2))
    few, many = F.clone().requires_grad_(), F.repeat(1, 1, 2, 1).requires_grad_()
    torch.testing.assert_close(distance(few), distance(many), rtol=1e-6, atol=0)
    (by_few,), (by_many,) = (torch.autograd.grad(distance(G), G) for G in (few, many))
    torch.testing.assert_close(by_few, by_many[:, :, :3] + by_many[:, :, 3:], rtol=1e-4, atol=1e-7)


@settings(max_examples=20, deadline=None)
@given(scale=st.floats(0.01, 100), seed=st.integers(0, 99))
def test_distances_are_zero_at_their_target_positive_elsewhere_and_know_no_units(scale, seed):
    A, B = features(seed=seed), features(seed=seed + 1)
    for measure in (losses.wasserstein, losses.mean_gram, losses.relative_error):
        assert abs(float(measure(A)(A))) < 1e-9
        assert float(measure(A)(B)) > 1e-3
        torch.testing.assert_close(measure(A)(B), measure(A * scale)(B * scale))


def test_wasserstein_between_gaussians_of_one_shape_is_the_distance_of_their_means():
    A = features(4, 8, 8)
    shift = torch.tensor([1.0, -2.0, 0.5, 0.0], dtype=EXACT).view(1, 4, 1, 1)
    unit = max(float(moments(A)[1].trace()), 0)
    assert math.isclose(float(losses.wasserstein(A)(A + shift)), 5.25 / unit, rel_tol=1e-6)


def test_total_variation_is_zero_for_a_plain_picture_and_grows_with_contrast():
    picture = noise_picture(9, 12, dtype=EXACT)
    assert losses.total_variation(torch.full_like(picture, 0.3)) == 0
    one, two = losses.total_variation(picture), losses.total_variation(2 * picture)
    torch.testing.assert_close(two, 4 * one)


def layers(network, picture, config):
    names = [name for name, _ in (*config.content_layers, *config.style_layers)]
    return network(picture, names)


@pytest.mark.parametrize("distance", ["wasserstein", "gram"])
@pytest.mark.parametrize("strength", [0.0, 0.3, 0.5, 1.0])
def test_a_strength_makes_the_photograph_cost_its_style_gap_and_nothing_else(
    network, distance, strength
):
    config = replace(Config(), strength=strength, distance=distance, tv_weight=0.0)
    photograph = layers(network, noise_picture(48, 64, 1), config)
    painting = layers(network, noise_picture(40, 56, 2), config)
    loss = objective(photograph, painting, config)
    terms = loss(noise_picture(48, 64, 1), photograph)
    content_weight, style_weight = config.weights()
    assert sum(v for n, v in terms.items() if n.startswith("content")) == 0
    style = float(sum(v for n, v in terms.items() if n.startswith("style")))
    assert style == pytest.approx(style_weight, rel=1e-5)
    assert content_weight + style_weight == pytest.approx(1)


@pytest.mark.parametrize("distance", ["wasserstein", "gram"])
def test_a_strength_knows_no_scale_of_the_features(network, distance):
    config = replace(Config(), distance=distance)
    pictures = [noise_picture(48, 64, seed) for seed in (1, 2, 3)]
    photograph, painting, x = (layers(network, picture, config) for picture in pictures)
    times = lambda features: {name: 7 * F for name, F in features.items()}  # noqa: E731
    one = objective(photograph, painting, config)(pictures[2], x)
    seven = objective(times(photograph), times(painting), config)(pictures[2], times(x))
    for name in one:
        assert float(seven[name]) == pytest.approx(float(one[name]), rel=5e-3), name


def test_a_painting_that_is_the_photograph_is_no_division_by_zero(network):
    config = Config()
    same = layers(network, noise_picture(48, 64, 1), config)
    terms = objective(same, same, config)(noise_picture(48, 64, 1), same)
    assert all(math.isfinite(float(value)) for value in terms.values())


def test_the_papers_loss_is_its_formulas(exact_network):
    config = replace(PRESETS["paper"], alpha=3.0, beta=0.5)
    pictures = [noise_picture(48, 64, seed, EXACT) for seed in (1, 2, 3)]
    photograph, painting, x = (layers(exact_network, picture, config) for picture in pictures)
    terms = objective(photograph, painting, config)(pictures[2], x)
    content = 0.5 * (x["conv4_2"] - photograph["conv4_2"]).square().sum()
    expected = 3.0 * content
    for layer, _ in config.style_layers:
        F, S = x[layer][0].flatten(1), painting[layer][0].flatten(1)
        expected = expected + 0.5 * 0.5 * (F @ F.T - S @ S.T).square().sum()
    torch.testing.assert_close(sum(terms.values()), expected, rtol=1e-12, atol=0)

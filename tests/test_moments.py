"""Laws of moments: weighted positions, several paintings as one, and the style between several."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from impasto.transfer import losses
from impasto.transfer.losses import DISTANCES, Style, wasserstein
from impasto.transfer.moments import (
    Moments,
    Sums,
    blend,
    gaussian_barycentre,
    mean_of_grams,
    moments,
    pooled,
    roots,
)
from impasto.transfer.objective import Objective, Tally
from impasto.transfer.tiles import Box

EXACT = torch.float64


def features(channels=5, height=6, width=7, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(1, channels, height, width, generator=generator, dtype=EXACT)


def weights(height=6, width=7, seed=9):
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(1, 1, height, width, generator=generator, dtype=EXACT)


def same(found, expected):
    for one, other in zip(found[:2], expected[:2], strict=True):
        torch.testing.assert_close(one, other)


@given(seed=st.integers(0, 99), rows=st.integers(1, 5))
@settings(max_examples=10, deadline=None)
def test_positions_of_weight_0_do_not_count_and_those_of_weight_2_count_twice(seed, rows):
    F, where = features(seed=seed), torch.zeros(1, 1, 6, 7, dtype=EXACT)
    where[:, :, :rows] = 1
    same(moments(F, where), moments(F[:, :, :rows]))
    where[:, :, :rows] = 2
    assert moments(F, where).positions == 2 * 7 * rows
    same(moments(F, where), moments(F[:, :, :rows]))
    twice = torch.cat([F, F[:, :, :rows]], 2)
    same(moments(F, where / 2 + 1), moments(twice))


def test_weighted_moments_add_up_over_parts():
    F, where, sums = features(), weights(), Sums()
    for box in (Box(0, 0, 2, 7), Box(2, 0, 6, 3), Box(2, 3, 6, 7)):
        sums.add(box.cut(F), box.cut(where))
    same(sums.moments(), moments(F, where))


@pytest.mark.parametrize("kind", ["wasserstein", "mean_gram", "sum_gram"])
def test_a_regions_gradient_is_that_of_finite_differences(kind, monkeypatch):
    monkeypatch.setattr(losses, "EIGENVALUE_FLOOR", 1e-15)
    F, where = features(), weights()
    term = Style("relu1_1", 0.7, getattr(losses, kind)(moments(features(seed=1))), "white", where)
    assert term.name == "style relu1_1 in white"

    def tally(F):
        found = Tally(Objective((term,), 0.0))
        found.add("relu1_1", F, Box.of((6, 7)))
        return found, sum(found.losses().values())

    gradient = torch.zeros_like(F)
    tally(F)[0].add_gradient(gradient, "relu1_1", F, Box.of((6, 7)))
    direction, step = features(seed=2), 1e-6
    slope = (tally(F + step * direction)[1] - tally(F - step * direction)[1]) / (2 * step)
    assert slope == pytest.approx(float((gradient * direction).sum()), rel=1e-4)


def test_pictures_taken_as_one_count_alike_whatever_their_size():
    small, large = features(height=2), features(height=2, seed=1)
    same(pooled([moments(small), moments(large)]), moments(torch.cat([small, large], 2)))
    tiled = large.repeat(1, 1, 3, 1)
    same(pooled([moments(small), moments(tiled)]), moments(torch.cat([small, large], 2)))


def several(seed, count=3, channels=4):
    return [moments(features(channels, seed=seed + each) * (each + 1)) for each in range(count)]


@given(seed=st.integers(0, 99), more=st.integers(0, 9))
@settings(max_examples=10, deadline=None)
def test_the_style_between_has_the_least_sum_of_distances(seed, more):
    styles, shares = several(seed), (0.5, 0.3, 0.2)
    between = blend(list(zip(shares, styles, strict=True)), gaussian_barycentre)

    def total(found):
        units = [float(at_scale(style)) for style in styles]
        distances = [float(wasserstein(style)(found)) for style in styles]
        return sum(s * d * u for s, d, u in zip(shares, distances, units, strict=True))

    best = total(between)
    change = 0.05 * moments(features(4, seed=seed + 50 + more)).covariance
    for covariance in (between.covariance + change, between.covariance * 1.05):
        assert total(Moments(between.mean, covariance, 1)) > best
    assert total(Moments(between.mean + 0.1, between.covariance, 1)) > best


def at_scale(style):
    """The unit that wasserstein counts in."""
    return losses.at_least(style.covariance.trace(), style.mean.square().sum())


def test_between_styles_that_differ_in_contrast_is_the_mean_contrast():
    style = moments(features())
    louder = Moments(style.mean, 9 * style.covariance, 1)
    between = blend([(0.5, style), (0.5, louder)], gaussian_barycentre)
    torch.testing.assert_close(between.covariance, 4 * style.covariance)  # deviations 1 and 3


def test_between_gram_matrices_is_their_mean_and_weight_0_is_not_there():
    styles = several(3, 2)
    between = blend([(0.25, styles[0]), (0.75, styles[1])], mean_of_grams)
    torch.testing.assert_close(between.second, 0.25 * styles[0].second + 0.75 * styles[1].second)
    for distance in ("gram", "wasserstein"):
        assert blend([(1.0, styles[0]), (0.0, styles[1])], DISTANCES[distance].between) is styles[0]


def test_what_has_no_position_does_not_count():
    there, nowhere = moments(features()), moments(features(), torch.zeros(1, 1, 6, 7))
    assert pooled([nowhere, there]) is there
    assert blend([(0.5, nowhere), (0.5, there)], gaussian_barycentre) is there
    assert not blend([(0.5, nowhere), (0.5, nowhere)], mean_of_grams).positions


def test_styles_with_fewer_positions_than_channels_have_one_between_them():
    styles = [moments(features(12, 2, 3, seed)) for seed in (1, 2)]
    between = blend([(0.5, style) for style in styles], gaussian_barycentre)
    assert between.covariance.isfinite().all()
    assert 0 < float(wasserstein(styles[0])(between)) < float(wasserstein(styles[0])(styles[1]))


def test_between_plain_styles_nothing_varies():
    plain = moments(torch.full((1, 4, 3, 3), 2.0, dtype=EXACT))
    between = blend([(0.5, plain), (0.5, plain)], gaussian_barycentre)
    assert not between.covariance.any()
    broken = Moments(plain.mean, plain.covariance * torch.nan, 9)
    assert blend([(0.5, plain), (0.5, broken)], gaussian_barycentre).covariance.isnan().all()


def test_roots_multiply_to_what_they_are_of():
    S = moments(features()).covariance
    root, inverse = roots(S)
    torch.testing.assert_close(root @ root, S)
    torch.testing.assert_close(root @ inverse, torch.eye(5, dtype=EXACT))

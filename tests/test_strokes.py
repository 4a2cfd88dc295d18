"""Laws of what makes paint of a picture: whole distributions of features, and relations."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import wasserstein_distance

from impasto.transfer.moments import Moments, blend, gaussian_barycentre, moments, pooled
from impasto.transfer.objective import Objective, Tally
from impasto.transfer.picked import Picked, scattered
from impasto.transfer.relations import Relations
from impasto.transfer.slices import Slices, Transport
from impasto.transfer.spreads import (
    LEVELS,
    apart,
    directions,
    mean_spread,
    pooled_spread,
    spread_of,
)
from impasto.transfer.tiles import Box

EXACT = torch.float64


def features(channels=8, height=9, width=11, seed=0, dtype=EXACT):
    generator = torch.Generator().manual_seed(seed)
    found = torch.randn(1, channels, height, width, generator=generator, dtype=dtype)
    return found.relu() * (1 + seed)  # many zeros, and no Gaussian


def flat(F):
    return F[0].flatten(1).T.contiguous()


def sliced(F, painting, where=None):
    weights = None if where is None else where.flatten()
    way = Transport.between(spread_of(flat(F), weights), spread_of(flat(painting)))
    return Slices("relu1_1", 0.7, way, "", where)


def related(F, photograph, where=None):
    return Relations.of("relu1_1", 0.7, photograph, where)


def ramp(F):
    height, width = F.shape[2:]
    return torch.linspace(0, 1, height * width, dtype=F.dtype).view(1, 1, height, width)


def evaluated(term, F, cuts=()):
    """A term's loss and gradient, its map given in bands between these rows."""
    tally = Tally(Objective((term,), 0.0))
    edges = [0, *(cut for cut in cuts if cut < F.shape[2]), F.shape[2]]
    boxes = [Box(a, 0, b, F.shape[3]) for a, b in pairwise(edges)]
    for box in boxes:
        tally.add(term.layer, box.cut(F), box)
    (loss,) = tally.losses().values()
    gradient = torch.zeros_like(F)
    for box in boxes:
        tally.add_gradient(box.cut(gradient), term.layer, box.cut(F), box)
    return loss, gradient


KINDS = pytest.mark.parametrize("make", [sliced, related])


@KINDS
@pytest.mark.parametrize("weighted", [False, True])
def test_gradients_are_those_of_finite_differences(make, weighted):
    F, other = features(), features(seed=1)
    F = F + 0.01 * torch.randn(F.shape, generator=torch.Generator().manual_seed(5), dtype=EXACT)
    term = make(F, other, ramp(F) if weighted else None)
    _, gradient = evaluated(term, F)
    step = torch.randn(F.shape, generator=torch.Generator().manual_seed(4), dtype=EXACT)
    size = 1e-6
    ahead, behind = (evaluated(term, F + sign * size * step)[0] for sign in (1, -1))
    slope = float((gradient * step).sum())
    assert (ahead - behind) / (2 * size) == pytest.approx(slope, rel=1e-4, abs=1e-9)
    assert abs(slope) > 1e-5


@KINDS
@settings(max_examples=15, deadline=None)
@given(height=st.integers(1, 12), width=st.integers(1, 12), cut=st.integers(1, 11))
def test_a_map_in_parts_is_the_whole_one(make, height, width, cut):
    F, other = features(5, height, width), features(5, height, width, seed=1)
    term = make(F, other, ramp(F) + 0.1)
    loss, gradient = evaluated(term, F)
    in_parts, gradient_of_parts = evaluated(term, F, [cut])
    assert in_parts == pytest.approx(loss, rel=1e-9, abs=1e-12)
    torch.testing.assert_close(gradient_of_parts, gradient)


def test_slices_are_nearly_nothing_at_the_painting_itself_and_know_no_places():
    painting, F = features(), features(seed=1)
    order = torch.randperm(99, generator=torch.Generator().manual_seed(3))
    moved = painting.flatten(2)[:, :, order].view_as(painting)
    term = sliced(F, painting)
    here, far = evaluated(term, moved)[0], evaluated(term, F)[0]
    assert 0 <= here < 0.01 * far
    assert here == pytest.approx(evaluated(term, painting)[0])


def test_the_distance_is_that_of_sorted_numbers():
    """Along one direction, W2 of two samples of the same size is that of the sorted numbers."""
    one, other = flat(features(8, 30, 40)), flat(features(8, 30, 40, seed=1))
    D = directions(8, one)
    sorted_ = [(each @ D.T).sort(0).values for each in (one, other)]
    expected = float((sorted_[0] - sorted_[1]).square().mean())
    assert apart(spread_of(one), spread_of(other)) == pytest.approx(expected, rel=0.02)
    F = one.T.reshape(1, 8, 30, 40)
    assert evaluated(sliced(F, other.T.reshape(1, 8, 30, 40)), F)[0] == pytest.approx(
        0.7 * expected, rel=0.02
    )


def test_what_two_values_have_between_them_is_told_apart_where_moments_do_not():
    """Two values, and a Gaussian of their mean and variance: the same to moments."""
    generator = torch.Generator().manual_seed(0)
    two = torch.randint(0, 2, (1, 4, 40, 40), generator=generator).to(EXACT) * 2 - 1
    bell = torch.randn(1, 4, 40, 40, generator=generator, dtype=EXACT)
    bell = (bell - bell.mean((2, 3), keepdim=True)) / bell.std((2, 3), keepdim=True)
    same = apart(spread_of(flat(bell)), spread_of(flat(bell.flip(3))))
    assert apart(spread_of(flat(two)), spread_of(flat(bell))) > 0.02 > 100 * same


def test_directions_are_at_right_angles_and_always_the_same():
    D = directions(64, torch.zeros(1, dtype=EXACT))
    torch.testing.assert_close(D @ D.T, torch.eye(16, dtype=EXACT))
    torch.testing.assert_close(D.float(), directions(64, torch.zeros(1)))


def test_weights_count_as_repetitions_do():
    X = flat(features(8, 5, 5))
    twice = torch.cat([X, X[:10]])
    weights = torch.ones(25, dtype=EXACT)
    weights[:10] = 2
    far = apart(spread_of(X), spread_of(twice))
    assert apart(spread_of(X, weights), spread_of(twice)) < 0.2 * far


def test_what_counts_nothing_is_not_there():
    X = flat(features(8, 5, 5))
    more = torch.cat([X, X.new_full((2, 8), 100.0)])
    weights = torch.ones(27, dtype=EXACT)
    weights[25:] = 0
    torch.testing.assert_close(spread_of(more, weights), spread_of(X))
    weights[:4] = 0
    torch.testing.assert_close(spread_of(more, weights), spread_of(X[4:]))


def test_one_position_has_a_spread_too():
    spread = spread_of(flat(features(8, 1, 1)))
    assert spread.shape == (2, LEVELS + 1)
    assert float((spread - spread[:, :1]).abs().max()) == 0


def test_between_two_spreads_there_is_a_way_and_two_alike_pooled_are_the_one():
    one, other = (spread_of(flat(features(seed=seed))) for seed in (0, 1))
    middle = mean_spread([(0.5, one), (0.5, other)])
    assert apart(one, middle) == pytest.approx(apart(one, other) / 4)
    assert apart(pooled_spread([one, one]), one) < 1e-12 * apart(one, other)


def test_moments_carry_their_spreads_along():
    several = [
        moments(F)._replace(spread=spread_of(flat(F))) for F in (features(), features(seed=1))
    ]
    spreads = [each.spread for each in several]
    both = pooled(several).spread
    torch.testing.assert_close(both, pooled_spread(spreads))
    between = blend([(3.0, several[0]), (1.0, several[1])], gaussian_barycentre)
    torch.testing.assert_close(between.spread, 0.75 * spreads[0] + 0.25 * spreads[1])
    assert Moments(*several[0][:3]).spread is None


@settings(max_examples=30, deadline=None)
@given(height=st.integers(1, 70), width=st.integers(1, 70), most=st.integers(1, 3000))
def test_scattered_positions_are_on_the_map_each_once_and_evenly(height, width, most):
    rows, columns = scattered((height, width), most)
    assert len({*zip(rows.tolist(), columns.tolist(), strict=True)}) == len(rows) >= 1
    assert int(rows.max()) < height
    assert int(columns.max()) < width
    if height * width <= most:
        assert len(rows) == height * width
    elif most > height + width:
        assert len(rows) <= 2 * most
    for places, length in ((rows, height), (columns, width)):  # nor do they pile up at a border
        counts = places.bincount(minlength=length)
        assert int(counts[-1]) <= len(rows) / counts.count_nonzero() * 3 + 3


def test_relations_are_kept_by_what_turns_all_features_alike():
    """Any rotation of the features, another length or another mean: what was alike stays alike."""
    photograph = features()
    turn = torch.linalg.qr(
        torch.randn(8, 8, generator=torch.Generator().manual_seed(2), dtype=EXACT)
    )
    turned = torch.einsum("ij,njhw->nihw", turn[0], photograph) * 3 + 5
    term = related(photograph, photograph)
    assert evaluated(term, photograph)[0] == pytest.approx(0, abs=1e-12)
    assert 1000 * evaluated(term, turned)[0] < evaluated(term, features(seed=1))[0]


def test_a_plain_map_has_relations_without_a_division_by_zero():
    plain = torch.ones(1, 8, 6, 6, dtype=torch.float32)
    loss, gradient = evaluated(related(plain, plain), plain)
    assert loss == 0
    assert bool(gradient.isfinite().all())


def test_a_picked_position_comes_from_whichever_window_has_it():
    F = features(3, 20, 30)
    picked, parts = Picked((20, 30), 50), Picked((20, 30), 50)
    picked.add(F, Box.of((20, 30)))
    for box in (Box(0, 0, 20, 7), Box(0, 7, 13, 30), Box(13, 7, 20, 30)):
        parts.add(box.cut(F), box)
    torch.testing.assert_close(parts.all(), picked.all())
    torch.testing.assert_close(picked.all(), F[0, :, picked.rows, picked.columns].T)


def test_scipy_agrees_on_one_direction():
    """W1 by scipy is at most W2, and both vanish together."""
    one, other = (flat(features(4, 20, 20, seed=seed)) for seed in (0, 1))
    D = directions(4, one)
    first = wasserstein_distance(*((each @ D[0]).numpy() for each in (one, other)))
    assert first <= apart(spread_of(one), spread_of(other)) ** 0.5 * 1.01

"""A layer's features as whole distributions: their quantiles along many directions.

Means and covariances allow textures in between that no place of the painting has: a painting of
flat planes and hard edges has features near a few values, and a Gaussian of the same moments all
those between them. Along a line the distance of two distributions is that of their quantiles, so
features are looked at along fixed directions: the sliced Wasserstein distance (Rabin, Peyré, Delon
& Bernot 2011; for style, Heitz, Vanhoey, Chambon & Belcour 2021).

A spread is (directions, LEVELS + 1), float32 or better, on the CPU: the quantiles at k / LEVELS.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache

import torch
from torch import Tensor

from impasto.transfer.products import linear

# A direction for so many of a layer's channels. For each, for two and for four gave pictures that
# are alike on two pairs, and four take a quarter of the time.
CHANNELS_PER_DIRECTION = 4
SEED = 14  # of the directions, the same ones in every run
LEVELS = 1024


def directions(channels: int, like: Tensor) -> Tensor:
    """Unit vectors at right angles, (directions, channels), the same ones each time.

    Args:
        channels: of the layer.
        like: a tensor whose type and device they take.
    """
    return orthonormal(channels).to(like)


@cache
def orthonormal(channels: int) -> Tensor:
    """The directions in float64, on the CPU; kept, since every iteration asks for them twice."""
    generator = torch.Generator("cpu").manual_seed(SEED)
    shape = (channels, max(1, channels // CHANNELS_PER_DIRECTION))
    random = torch.randn(shape, generator=generator, dtype=torch.float64, device="cpu")
    Q: Tensor = torch.linalg.qr(random)[0]
    return Q.T.contiguous()


def spread_of(features: Tensor, weights: Tensor | None = None) -> Tensor:
    """The spread of some features; between neighbouring values a distribution is taken to be even.

    Args:
        features: (positions, channels), float32 or better.
        weights: how much each position counts, (positions,), not all 0; None is all alike.
    """
    if weights is not None:  # what counts nothing is not there: nor is it a neighbour
        there = weights > 0
        features, weights = features[there], weights[there]
    along = linear(features, directions(features.shape[1], features)).T.cpu()
    counted = along.new_ones(along.shape[1]) if weights is None else weights.to(along)
    return spread_of_counted(along, counted)


def spread_of_counted(along: Tensor, counted: Tensor) -> Tensor:
    """The spread of numbers (directions, count), each counted as often as (count,) says."""
    values, order = along.contiguous().sort(1)
    times = counted.double()[order]
    through = times.cumsum(1)
    return between_neighbours(values, (through - times / 2) / through[:, -1:])


def between_neighbours(values: Tensor, places: Tensor) -> Tensor:
    """Quantiles from values (directions, count) and their places in [0, 1], both ascending."""
    if values.shape[1] == 1:
        return values.expand(-1, LEVELS + 1).contiguous()
    levels = torch.linspace(0, 1, LEVELS + 1, dtype=places.dtype, device=places.device)
    levels = levels.expand(len(values), -1).contiguous()
    upper = torch.searchsorted(places.contiguous(), levels).clamp(1, values.shape[1] - 1)
    low, high = places.gather(1, upper - 1), places.gather(1, upper)
    tiny = torch.finfo(places.dtype).tiny
    part = ((levels - low) / (high - low).clamp(min=tiny)).clamp(0, 1).to(values)
    return torch.lerp(values.gather(1, upper - 1), values.gather(1, upper), part)


def pooled_spread(several: Sequence[Tensor]) -> Tensor:
    """The spread of several pictures taken as one, each counting alike."""
    if len(several) == 1:
        return several[0]
    counted = several[0].new_ones(LEVELS + 1)
    counted[[0, -1]] = 0.5  # the ends have values on one side
    return spread_of_counted(torch.cat(list(several), 1), counted.repeat(len(several)))


def mean_spread(styles: Iterable[tuple[float, Tensor]]) -> Tensor:
    """What lies between several by weights that sum to 1: the mean of their quantiles.

    Along a line that is the barycentre by the Wasserstein distance: Agueh & Carlier 2011.
    """
    return torch.stack([weight * spread for weight, spread in styles]).sum(0)


def apart(one: Tensor, other: Tensor) -> float:
    """The squared Wasserstein distance of two spreads, in the mean over the directions.

    Quantiles run straight between two levels, so the integral over each such piece is exact.
    """
    gap = (one - other).double()
    start, end = gap[:, :-1], gap[:, 1:]
    return float((start.square() + start * end + end.square()).mean()) / 3

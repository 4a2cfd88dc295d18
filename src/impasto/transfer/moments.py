"""What a style distance knows of a layer: sums over the positions of its features.

F is a layer's feature map, (1, channels, h, w); positions are its h * w places. Moments are sums,
so a map may come in parts, its positions may have weights, and several pictures can be taken as
one (``pooled``) or met in between (``blend``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from impasto.transfer.products import add_linear, at_least_float32, gram, positions
from impasto.transfer.spreads import mean_spread, pooled_spread

FAINTEST = 1e-7  # of a covariance's largest eigenvalue: below it is features' rounding, float32
# The barycentre of styles: after 4 to 6 rounds the next one changes it by no more than this.
BLEND_ROUNDS, BLEND_ACCURACY = 12, 1e-3


class Moments(NamedTuple):
    """What a style distance knows of a layer's features.

    Attributes:
        mean: (channels,), over positions.
        covariance: (channels, channels), over positions.
        positions: how many there are, or the sum of their weights.
        exact: whether the features were in float32 or better. Where they were rounded to bfloat16
            there is nothing that roots in float64 could tell better than those in float32.
        spread: of the features along many directions (see spreads.py), where it is asked for.
    """

    mean: Tensor
    covariance: Tensor
    positions: float
    exact: bool = True
    spread: Tensor | None = None

    @property
    def second(self) -> Tensor:
        """The mean of F F^T: the Gram matrix over the number of positions."""
        return self.covariance + torch.outer(self.mean, self.mean)


class Sums:
    """What Moments are made of, added up over parts of a feature map; in float64 where there is."""

    def __init__(self) -> None:
        self.positions = 0.0
        self.first = self.second = torch.zeros(1, dtype=torch.float64, device="cpu")
        self.dtype, self.exact = torch.float32, True

    def add(self, F: Tensor, where: Tensor | None = None) -> None:
        """Count a part of the map, each position by its weight in ``where`` (1, 1, h, w)."""
        flat, counted = positions(F), None
        if where is not None:
            flat = at_least_float32(flat)
            counted = flat * where.reshape(-1, 1)
        dtype = torch.promote_types(F.dtype, torch.float32)
        first = precise((flat if counted is None else counted).sum(0, dtype=dtype))
        second = precise(gram(flat, counted))
        self.first, self.second = self.first.to(first) + first, self.second.to(second) + second
        self.positions += len(flat) if where is None else float(where.sum())
        self.dtype, self.exact = dtype, F.dtype == dtype

    def moments(self) -> Moments:
        """The moments of all that was added; not numbers where that was nothing."""
        mean = self.first / self.positions
        covariance = self.second / self.positions - torch.outer(mean, mean)
        return Moments(mean.to(self.dtype), covariance.to(self.dtype), self.positions, self.exact)


def precise(tensor: Tensor) -> Tensor:
    """In float64; on the CPU where the device, MPS, has none."""
    return (tensor.cpu() if tensor.device.type == "mps" else tensor).double()


def moments(F: Tensor, where: Tensor | None = None) -> Moments:
    """The moments of a whole feature map, with no gradient."""
    sums = Sums()
    sums.add(F, where)
    return sums.moments()


def add_gradient(
    total: Tensor, F: Tensor, whole: Moments, by: Moments, where: Tensor | None = None
) -> None:
    """Add to a gradient by a part of the features a loss's, from that by the whole map's moments.

    d covariance / d F_k = (F_k - mean) / n, on either side of the outer product; times the
    position's weight, where they have any.

    Args:
        total: of F's shape and type; changed.
        F: the part, (1, channels, h, w).
        whole: the map's moments.
        by: the loss's gradient by them.
        where: the part's weights, (1, 1, h, w).
    """
    both = (by.covariance + by.covariance.T) / whole.positions
    shift = by.mean / whole.positions - both @ whole.mean
    if where is None:
        add_linear(total, F, both, shift)
    else:
        own = torch.zeros_like(F)
        add_linear(own, F, both, shift)
        total += own * where


def pooled(several: Sequence[Moments]) -> Moments:
    """The moments of several pictures taken as one, each counting alike whatever its size."""
    several = [each for each in several if each.positions] or several[:1]
    if len(several) == 1:
        return several[0]
    mean = torch.stack([each.mean for each in several]).mean(0)
    second = torch.stack([each.second for each in several]).mean(0)
    covariance = second - torch.outer(mean, mean)
    exact = all(each.exact for each in several)
    count = sum(each.positions for each in several)
    spreads = [each.spread for each in several if each.spread is not None]
    return Moments(mean, covariance, count, exact, pooled_spread(spreads) if spreads else None)


Shares = Sequence[tuple[float, Moments]]  # of each style its share, all summing to 1
Between = Callable[[Shares], Moments]


def blend(styles: Sequence[tuple[float, Moments]], between: Between) -> Moments:
    """The style between several: it has the least weighted sum of distances from them, in the
    features' own units: a bold painting counts for more than a faint one.

    One painting's place in the loss is then enough for any number: an iteration costs the same,
    and a strength means the same.

    Args:
        styles: of each its weight, against the others', and its moments; one that has no
            position is left out.
        between: what a distance has between several.
    """
    styles = [each for each in styles if each[0] and each[1].positions] or styles[:1]
    if len(styles) == 1:
        return styles[0][1]
    total = sum(weight for weight, _ in styles)
    shares = [(weight / total, style) for weight, style in styles]
    spreads = [(share, style.spread) for share, style in shares if style.spread is not None]
    known = sum(share for share, _ in spreads)
    spreads = [(share / known, spread) for share, spread in spreads]
    return between(shares)._replace(spread=mean_spread(spreads) if spreads else None)


def mean_of_grams(styles: Shares) -> Moments:
    """What lies between Gram matrices: their mean, and that of the means."""
    mean, count, exact = _common(styles)
    second = weighted_sum([(weight, style.second) for weight, style in styles])
    return Moments(mean, second - torch.outer(mean, mean), count, exact)


def gaussian_barycentre(styles: Shares) -> Moments:
    """What lies between Gaussians by the Wasserstein distance: Agueh & Carlier 2011.

    By the fixed point of Alvarez-Esteban, del Barrio, Cuesta-Albertos & Matran 2016:
    S <- S^-1/2 (sum w_p (S^1/2 S_p S^1/2)^1/2)^2 S^-1/2.
    """
    mean, count, exact = _common(styles)
    covariances = [(weight, style.covariance.cpu().double()) for weight, style in styles]
    return Moments(mean, barycentre(covariances).to(mean), count, exact)


def _common(styles: Shares) -> tuple[Tensor, float, bool]:
    """The mean of the means, all positions, and whether all are exact."""
    mean = weighted_sum([(weight, style.mean) for weight, style in styles])
    return mean, sum(s.positions for _, s in styles), all(s.exact for _, s in styles)


def barycentre(covariances: Sequence[tuple[float, Tensor]]) -> Tensor:
    """The covariance between Gaussians with weights that sum to 1; float64, on the CPU.

    In the coordinates of what varies at all: at coarse scales paintings have fewer positions than
    channels.
    """
    S = weighted_sum(covariances)
    values, Q = eigen(S)
    if not values[-1] > 0:  # nothing varies, or there are not-a-numbers, which are to show
        return S
    Q = Q[:, values > values[-1] * FAINTEST]
    within = [(weight, Q.T @ C @ Q) for weight, C in covariances]
    S = weighted_sum(within)
    for _ in range(BLEND_ROUNDS):
        before, (root, inverse) = S, roots(S)
        middle = weighted_sum([(weight, roots(root @ C @ root)[0]) for weight, C in within])
        S = inverse @ middle @ middle @ inverse
        if float((S - before).norm()) <= BLEND_ACCURACY * float(S.norm()):
            break
    return Q @ S @ Q.T


def weighted_sum(parts: Iterable[tuple[float, Tensor]]) -> Tensor:
    """Add weighted tensors of one shape."""
    return torch.stack([weight * tensor for weight, tensor in parts]).sum(0)


def roots(S: Tensor) -> tuple[Tensor, Tensor]:
    """S^1/2 and S^-1/2 of a symmetric positive semidefinite matrix; the latter where S is not 0."""
    values, Q = eigen((S + S.T) / 2)
    root = values.clamp(min=0).sqrt()
    there = values > values[-1] * FAINTEST
    inverse = torch.where(there, 1 / root.clamp(min=torch.finfo(S.dtype).tiny), 0.0)
    return (Q * root) @ Q.T, (Q * inverse) @ Q.T


def eigen(M: Tensor, *, exact: bool = True) -> tuple[Tensor, Tensor]:
    """Eigenvalues, ascending, and eigenvectors of a symmetric matrix; not-a-numbers if it has any.

    So that a picture gone wrong shows in the loss, where the minimiser can step back from it. MPS
    has none: the matrix, 1 MB at most, goes to the CPU.

    Args:
        M: the matrix.
        exact: in float64. float32's rounding of the faintest patterns is 1e-3 of the gradient, and
            LAPACK can fail on nearly equal eigenvalues; then float64 is taken all the same.
    """
    home = M.cpu() if M.device.type == "mps" else M
    if not bool(home.isfinite().all()):
        return torch.full_like(M[0], torch.nan), torch.full_like(M, torch.nan)
    values, Q = _eigen(home.double() if exact else home)
    return values.to(M), Q.to(M)


def _eigen(M: Tensor) -> tuple[Tensor, Tensor]:
    try:
        values, Q = torch.linalg.eigh(M)
    except RuntimeError:  # LAPACK's own, a child of it
        values, Q = torch.linalg.eigh(M.double())
    return values, Q

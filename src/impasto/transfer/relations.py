"""Content by relations: what was alike in the photograph stays alike, whatever it turns into.

Features of a contour are not those of a stroke, and a photograph whose features are kept keeps its
texture with them. What is kept here is which places are alike and which are not, so that a contour
may become a stroke: the self-similarity of Kolkin, Salavon & Shakhnarovich 2019 (STROTSS), here by
squares, of centred features, and as a fraction of the photograph's own.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as nnf
from torch import Tensor

from impasto.config import Size
from impasto.transfer.picked import Picked
from impasto.transfer.products import at_least_float32, linear
from impasto.transfer.tiles import Box

MOST = 2048  # positions that are related to each other: 16 MB for a number each
PLAIN = 1e-3  # of the features' own length: less than this is a plain picture's rounding
LEAST_VARIANCE = 1e-3  # of similarities; photographs have a hundred times that
NEARBY = 5  # positions, a side: what is called near a place; 40 px at relu4_2
LEAST_BUSY = 0.05  # so that a place where nothing goes on counts a little
LEAST_LENGTH = 0.1  # of the typical one; what is nearer to the mean is noise and has no direction


@dataclass(frozen=True)
class Relations:
    """One layer's part of J_content by relations.

    ``weight * sum_ij w_i w_j (s_ij - s'_ij)^2 / (sum w)^2``, s being the cosine of two positions'
    features, each less the mean of all, s' the photograph's.

    Attributes:
        layer: whose features.
        weight: factor.
        size: (height, width) of the layer's map.
        similarities: the photograph's, of the picked positions, (positions, positions).
        shares: how much each of them counts, summing to 1, (positions, 1).
        floor: a length below which a vector is like nothing: see ``scaled``.
    """

    layer: str
    weight: float
    size: Size
    similarities: Tensor
    shares: Tensor
    floor: float

    @classmethod
    def of(cls, layer: str, weight: float, F: Tensor, where: Tensor | None) -> Relations:
        """The photograph's.

        Args:
            layer: whose features.
            weight: factor, on the fraction of the variance of its similarities.
            F: features (1, channels, h, w).
            where: how much each position counts, (1, 1, h, w); None is all alike.
        """
        size: Size = (F.shape[2], F.shape[3])
        picked = Picked(size, MOST)
        picked.add(F, Box.of(size))
        X = picked.all()
        shares = picked.at(busy(F)).to(X)[:, None]
        if where is not None:
            shares = shares * picked.at(where).to(X)[:, None]
        shares = shares / shares.sum().clamp(min=torch.finfo(X.dtype).tiny)
        moved = X - (X * shares).sum(0)
        typical, whole = ((each.square() * shares).sum().sqrt() for each in (moved, X))
        floor = float(torch.maximum(LEAST_LENGTH * typical, PLAIN * whole)) or 1.0
        units, _ = scaled(moved, floor)
        S = linear(units, units)
        return cls(layer, weight / varied(S, shares), size, S, shares, floor)

    @property
    def name(self) -> str:
        return f"content {self.layer} related"

    def begin(self) -> Related:
        """One evaluation."""
        return Related(self, Picked(self.size, MOST))


def busy(F: Tensor) -> Tensor:
    """How much goes on around each place of a map, (1, 1, h, w): the features' way from their mean
    nearby, as a fraction of the mean of that over the map, and LEAST_BUSY.

    Where nothing goes on, as in a sky, places are alike and would have to stay so: no swirl and no
    star could be painted there.
    """
    F = at_least_float32(F)
    gone: Tensor = torch.linalg.vector_norm(F - nearby(F), dim=1, keepdim=True)
    return LEAST_BUSY + nearby(gone) / gone.mean().clamp(min=torch.finfo(F.dtype).tiny)


def nearby(F: Tensor) -> Tensor:
    """The mean of a map over NEARBY x NEARBY places around each, of those that there are."""
    mean: Tensor = nnf.avg_pool2d(F, NEARBY, 1, NEARBY // 2, count_include_pad=False)
    return mean


@dataclass
class Related:
    """The picked positions of a map, part by part; and once all are seen, the gradient by them."""

    term: Relations
    picked: Picked
    by_features: Tensor | None = None

    def add(self, F: Tensor, box: Box) -> None:
        """Take in a part of the map."""
        self.picked.add(F, box)

    def loss(self) -> float:
        """The weighted sum, once all of the map has come."""
        X, term = self.picked.all(), self.term
        units, lengths = scaled(X - (X * term.shares).sum(0), term.floor)
        off = linear(units, units) - term.similarities
        pulled = linear(off * term.shares.T, units.T.contiguous()) * term.shares
        by_units = pulled * (4 * term.weight)
        by_moved = (by_units - units * (units * by_units).sum(1, keepdim=True)) / lengths
        self.by_features = by_moved - by_moved.sum(0) * term.shares
        return term.weight * float((off.square_() * term.shares * term.shares.T).sum())

    def add_gradient(self, total: Tensor, F: Tensor, box: Box) -> None:  # noqa: ARG002
        """Add the loss's gradient by a part of the map, in place, after ``loss``."""
        assert self.by_features is not None, "no loss has been asked for"
        self.picked.add_gradient(total, self.by_features, box)


def scaled(moved: Tensor, floor: float) -> tuple[Tensor, Tensor]:
    """Vectors (positions, channels) at length 1, and their lengths (positions, 1) before.

    One that is not much longer than the floor comes out shorter: it is like nothing else.
    """
    lengths = (moved.square().sum(1, keepdim=True) + floor**2).sqrt()
    return moved / lengths, lengths


def varied(S: Tensor, shares: Tensor) -> float:
    """The variance of similarities over pairs of positions, or LEAST_VARIANCE."""
    mean = (S * shares * shares.T).sum()
    found = ((S - mean).square() * shares * shares.T).sum()
    return max(float(found), LEAST_VARIANCE)

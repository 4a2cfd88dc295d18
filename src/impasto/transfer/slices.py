"""How far a picture's spreads are from a painting's: a function of sums over its positions.

Others sort samples of features. Here each position's number along a direction is counted into bins,
shared by the two whose centres it lies between. So all of the picture's positions count, windows
add up to the whole, and the gradient is exactly that of the value: Kantorovich's potential, whose
slope at a number is twice its way from where optimal transport takes it (Villani 2003, theorem
2.18). What is wanted, and how far the bins reach, is known from a sample, the same one in every
iteration; beyond the bins nothing pulls.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from impasto.transfer.moments import precise
from impasto.transfer.products import add_linear, at_least_float32, linear, positions
from impasto.transfer.spreads import LEVELS, directions
from impasto.transfer.tiles import Box

BINS = 256  # along each direction: a few hundredths of the numbers' deviation wide
BEYOND = 0.1  # of the range of both pictures' numbers, that the bins reach beyond it on each side
NUMBERS = 2**19  # that are counted at once: 2 MB, and what that takes stays in a processor's cache


@dataclass(frozen=True)
class Transport:
    """The way from a picture's bins to a painting's spread, along each direction; float64, CPU.

    Attributes:
        wanted: the painting's spread.
        low: of each direction, the first bin's centre, (directions,).
        width: from one bin's centre to the next, likewise.
    """

    wanted: Tensor
    low: Tensor
    width: Tensor

    @classmethod
    def between(cls, photograph: Tensor, painting: Tensor) -> Transport:
        """Bins for whatever lies between two pictures with these spreads, and a little beyond."""
        both = torch.stack([photograph, painting]).cpu().double()
        low, high = both[..., 0].amin(0), both[..., -1].amax(0)
        margin = (BEYOND * (high - low)).clamp(min=torch.finfo(torch.float32).tiny)
        width = (high - low + 2 * margin) / (BINS - 1)
        return cls(painting.cpu().double(), low - margin, width)

    @cached_property
    def centres(self) -> Tensor:
        """(directions, BINS)."""
        count = torch.arange(BINS, dtype=torch.float64, device="cpu")
        return self.low[:, None] + self.width[:, None] * count

    @cached_property
    def integrals(self) -> tuple[Tensor, Tensor]:
        """Of the quantiles, from 0 to each level; and of their squares, over all of them."""
        start, end = self.wanted[:, :-1], self.wanted[:, 1:]
        steps = ((start + end) / (2 * LEVELS)).cumsum(1)
        squares = (start.square() + start * end + end.square()).sum(1) / (3 * LEVELS)
        return torch.cat([torch.zeros_like(steps[:, :1]), steps], 1), squares

    def at(self, places: Tensor) -> tuple[Tensor, Tensor]:
        """The painting's quantiles at places in [0, 1], and their integrals from 0 to there."""
        scaled = (places * LEVELS).clamp(0, LEVELS)
        level = scaled.nan_to_num(0.0).long().clamp(max=LEVELS - 1)
        part, start = scaled - level, self.wanted.gather(1, level)
        rise = self.wanted.gather(1, level + 1) - start
        integral = self.integrals[0].gather(1, level) + part / LEVELS * (start + part / 2 * rise)
        return start + part * rise, integral

    def distance(self, shares: Tensor) -> tuple[Tensor, Tensor]:
        """The squared distance, in the mean over the directions, and its slopes by the bins.

        Args:
            shares: of the positions, what lies in each bin, (directions, BINS), rows summing to 1.

        Returns:
            A scalar; and how fast it grows with a number between two bins' centres, as a share,
            (directions, BINS - 1).
        """
        goal, integral = self.at(shares.cumsum(1))
        met = integral.diff(dim=1, prepend=torch.zeros_like(integral[:, :1]))
        squared = (self.centres.square() * shares - 2 * self.centres * met).sum(1)
        middle = (self.centres[:, 1:] + self.centres[:, :-1]) / 2
        slopes = 2 * (middle - goal[:, :-1]) / len(shares)
        return (squared + self.integrals[1]).mean(), slopes


@dataclass(frozen=True)
class Slices:
    """One layer's part of J_style, ``weight`` times the distance of its spread from a painting's.

    Attributes:
        layer: whose features.
        weight: factor.
        transport: to the painting's.
        region: its name; '' for the whole picture.
        where: how far each of the layer's positions is in the region, (1, 1, h, w) in [0, 1].
    """

    layer: str
    weight: float
    transport: Transport
    region: str = ""
    where: Tensor | None = None

    @property
    def name(self) -> str:
        return f"style {self.layer} sliced" + (f" in {self.region}" if self.region else "")

    def begin(self) -> Counts:
        """One evaluation."""
        return Counts(self)


@dataclass
class Counts:
    """How many of a picture's positions lie in which bin; and once all are seen, the gradient."""

    term: Slices
    counted: float = 0.0
    counts: Tensor | None = None  # (directions, BINS), float64
    slopes: Tensor | None = None  # of the loss, (directions, BINS - 1)

    def add(self, F: Tensor, box: Box) -> None:
        """Count a part of the map, each position by its weight."""
        onto = self._directions(F)
        for band, where in bands(F.shape, len(onto), box):
            along = linear(at_least_float32(positions(band.cut(F))), onto)
            weights = self._weights(along, where)
            self.counted += float(weights.sum())
            found = precise(shared(*self._place(along), weights))
            self.counts = found if self.counts is None else self.counts + found

    def loss(self) -> float:
        """The weighted distance, once all of the map has come."""
        assert self.counts is not None, "no part of the map has come"
        value, slopes = self.term.transport.distance(self.counts.cpu() / self.counted)
        self.slopes = slopes * (self.term.weight / self.counted)
        return self.term.weight * float(value)

    def add_gradient(self, total: Tensor, F: Tensor, box: Box) -> None:
        """Add the loss's gradient by a part of the map, in place, after ``loss``."""
        assert self.slopes is not None, "no loss has been asked for"
        onto = self._directions(F)
        back, slopes = onto.T.contiguous(), self.slopes.to(onto).flatten()
        for band, where in bands(F.shape, len(onto), box):
            along = linear(at_least_float32(positions(band.cut(F))), onto)
            bins, part = self._place(along)
            flat = (bins + rows_of(bins, BINS - 1)).flatten()
            by_along = slopes.index_select(0, flat).view_as(along)
            by_along *= (part > 0) & (part < 1)  # beyond the bins nothing changes
            by_along *= self._weights(along, where)
            as_total = by_along.to(total.dtype).view(1, *band.size, -1).permute(0, 3, 1, 2)
            add_linear(band.cut(total), as_total, back)

    def _directions(self, F: Tensor) -> Tensor:
        """(directions, channels), float32 or better, on the features' device."""
        kind = torch.promote_types(F.dtype, torch.float32)
        return directions(F.shape[1], F.new_empty((), dtype=kind))

    def _weights(self, along: Tensor, where: Box) -> Tensor:
        """How much each position of a part of the whole map counts, (positions, 1)."""
        if self.term.where is None:
            return along.new_ones(len(along), 1)
        return where.cut(self.term.where).reshape(-1, 1).to(along)

    def _place(self, along: Tensor) -> tuple[Tensor, Tensor]:
        """The bin before each number, and how far on the way to the next one's centre it is."""
        low, width = (
            each.to(along) for each in (self.term.transport.low, self.term.transport.width)
        )
        scaled = ((along - low) / width).clamp_(0, BINS - 1)
        bins = scaled.nan_to_num(0.0).long().clamp_(max=BINS - 2)  # no number: nor is the loss
        return bins, scaled - bins


def bands(shape: torch.Size, count: int, box: Box) -> Iterator[tuple[Box, Box]]:
    """A part of a map in bands of whole rows: so many that about NUMBERS numbers are held at once.

    Args:
        shape: of the part, (1, channels, h, w); a window may have none of a layer's positions.
        count: of numbers of each position.
        box: where on the map the part is.

    Yields:
        Each band, on the part and on the map.
    """
    height, width = shape[2:]
    rows = max(1, NUMBERS // max(1, width * count))
    for top in range(0, height if width else 0, rows):
        bottom = min(height, top + rows)
        yield (
            Box(top, 0, bottom, width),
            Box(box.top + top, box.left, box.top + bottom, box.left + width),
        )


def rows_of(bins: Tensor, count: int) -> Tensor:
    """Where each direction's own bins begin in a flat row of so many for each."""
    return torch.arange(bins.shape[1], dtype=bins.dtype, device=bins.device) * count


def shared(bins: Tensor, part: Tensor, weights: Tensor) -> Tensor:
    """How much lies in each bin, (directions, BINS): a number is the two's that it is between."""
    flat = (bins + rows_of(bins, BINS)).flatten()
    empty = torch.zeros(bins.shape[1] * BINS, dtype=part.dtype, device=part.device)
    later = empty.scatter_add(0, flat, (part * weights).flatten()).view(-1, BINS)
    found = empty.scatter_add(0, flat, weights.expand_as(part).flatten()).view(-1, BINS) - later
    found[:, 1:] += later[:, :-1]
    return found

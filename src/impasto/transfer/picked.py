"""Some positions of a layer, scattered evenly over a picture, whatever windows its map comes in."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from impasto.config import Size
from impasto.transfer.products import positions
from impasto.transfer.tiles import Box

SEED = 14  # of where in its square each position is, the same in every run


def scattered(size: Size, most: int) -> tuple[Tensor, Tensor]:
    """Rows and columns of about so many positions of a map of this (height, width), down to a
    quarter of that; or of all.

    One in each cell of a grid, anywhere in it: evenly, and in step with no pattern. The same ones
    each time.
    """
    side = max(1, math.ceil(math.sqrt(size[0] * size[1] / most)))
    numbers = [math.ceil(length / side) for length in size]
    generator = torch.Generator("cpu").manual_seed(SEED)
    found = []
    for axis, (length, number) in enumerate(zip(size, numbers, strict=True)):
        bounds = torch.arange(number + 1, dtype=torch.int64, device="cpu") * length // number
        cells = bounds.diff()[:, None] if axis == 0 else bounds.diff()
        corner = bounds[:-1, None] if axis == 0 else bounds[:-1]
        places = random_places(numbers, side, generator) * cells // side
        found.append((corner + places).flatten())
    return found[0], found[1]


def random_places(shape: Sequence[int], side: int, generator: torch.Generator) -> Tensor:
    """Whole numbers below the side, of this shape."""
    return torch.randint(side, tuple(shape), generator=generator, dtype=torch.int64, device="cpu")


class Picked:
    """Features of a layer at some positions; each position is given once.

    Args:
        size: (height, width) of the layer's map.
        most: how many positions to pick at about the most: see ``scattered``.
    """

    def __init__(self, size: Size, most: int) -> None:
        self.rows, self.columns = scattered(size, most)
        self.features: Tensor | None = None  # (positions, channels), float32 or better

    def add(self, F: Tensor, box: Box) -> None:
        """Take in a part of the map, (1, channels, h, w): the one in the box."""
        which, rows, columns = self._within(box)
        if self.features is None:
            shape = (len(self.rows), F.shape[1])
            kind = torch.promote_types(F.dtype, torch.float32)
            self.features = torch.zeros(shape, dtype=kind, device=F.device)
        flat = (rows * F.shape[3] + columns).to(F.device)
        self.features[which.to(F.device)] = positions(F)[flat].to(self.features.dtype)

    def all(self) -> Tensor:
        """All of them, once the whole map has come: (positions, channels)."""
        assert self.features is not None, "no part of the map has come"
        return self.features

    def at(self, where: Tensor) -> Tensor:
        """A map's (1, 1, h, w) values at the positions, (positions,)."""
        return where[0, 0, self.rows, self.columns]

    def add_gradient(self, total: Tensor, by: Tensor, box: Box) -> None:
        """Add the gradient by the positions' features to that by a part of the map, in place."""
        which, rows, columns = self._within(box)
        total[0, :, rows, columns] += by[which.to(by.device)].T.to(total.dtype)

    def _within(self, box: Box) -> tuple[Tensor, Tensor, Tensor]:
        """Which of the positions are in a part of the map, and their rows and columns there."""
        inside = (self.rows >= box.top) & (self.rows < box.bottom)
        inside &= (self.columns >= box.left) & (self.columns < box.right)
        (which,) = inside.nonzero(as_tuple=True)
        return which, self.rows[which] - box.top, self.columns[which] - box.left

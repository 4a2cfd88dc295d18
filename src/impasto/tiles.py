"""Geometry only: a map cut into windows, each of which sees a little beyond what it owns.

Lengths are in positions of the map: pixels, for a picture.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from torch import Tensor

from impasto.config import Size


class Box(NamedTuple):
    """A rectangle: rows top to bottom and columns left to right, the ends not included."""

    top: int
    left: int
    bottom: int
    right: int

    @classmethod
    def of(cls, size: Size) -> Box:
        """The whole of a map of this (height, width)."""
        return cls(0, 0, *size)

    @property
    def size(self) -> Size:
        """(height, width)."""
        return self.bottom - self.top, self.right - self.left

    def cut(self, tensor: Tensor) -> Tensor:
        """A view of that part of (..., height, width)."""
        return tensor[..., self.top : self.bottom, self.left : self.right]

    def shrunk(self, stride: int) -> Box:
        """The same part of a map whose positions are so many of this one's apart, rounded down."""
        return Box(*(edge // stride for edge in self))

    def within(self, outer: Box) -> Box:
        """It in the coordinates of a box around it."""
        down, across = outer.top, outer.left
        return Box(self.top - down, self.left - across, self.bottom - down, self.right - across)


@dataclass(frozen=True)
class Window:
    """A part of a map.

    Attributes:
        own: what it answers for; the windows' own boxes fill the map and do not overlap.
        seen: own and a halo, less what would lie beyond the map.
    """

    own: Box
    seen: Box

    def owned(self, stride: int) -> Box:
        """Its own part in the coordinates of what it sees, on a map of that stride."""
        return self.own.shrunk(stride).within(self.seen.shrunk(stride))


def windows(size: Size, side: int | None, halo: int, align: int) -> list[Window]:
    """A map of this (height, width) in windows that own about side x side, row by row.

    Args:
        size: of the map.
        side: None is one window, the whole.
        halo: how far beyond its own part a window sees, a multiple of ``align``.
        align: boxes begin at multiples of it, so that poolings, and patches that are convolved
            together, fall as they do on the whole map.
    """
    if side is None:
        whole = Box.of(size)
        return [Window(whole, whole)]
    rows, columns = (list(_shares(length, side, align)) for length in size)
    return [
        Window(Box(top, left, bottom, right), _around(Box(top, left, bottom, right), halo, size))
        for top, bottom in rows
        for left, right in columns
    ]


def _shares(length: int, side: int, align: int) -> Iterator[tuple[int, int]]:
    """The length in nearly equal parts of at most ``side``, but for one of ``align``."""
    count = -(-length // max(side // align * align, align))
    share = -(-length // (count * align)) * align
    for start in range(0, length, share):
        yield start, min(start + share, length)


def _around(own: Box, halo: int, size: Size) -> Box:
    height, width = size
    return Box(
        max(0, own.top - halo),
        max(0, own.left - halo),
        min(height, own.bottom + halo),
        min(width, own.right + halo),
    )

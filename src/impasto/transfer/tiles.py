"""Geometry only: a map cut into windows, each of which sees a little beyond what it owns.

Lengths are in positions of the map: pixels, for a picture.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from torch import Tensor

from impasto.config import BORDERED, Axes, Size


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

    def clipped(self, size: Size) -> Box:
        """What of it lies on a map of this (height, width)."""
        (height, width), (top, left, bottom, right) = size, self
        return Box(min(top, height), min(left, width), min(bottom, height), min(right, width))

    def pieces(self, size: Size) -> Iterator[tuple[Box, Box]]:
        """Part the box into pieces on a map of this (height, width) that goes on around its edges.

        Each is given twice: on the map, and in the box's own coordinates.
        """
        (height, width), (top, left, _, _) = size, self
        for y, rows in _runs(self.top, self.bottom, height):
            for x, columns in _runs(self.left, self.right, width):
                there = Box(y % height, x % width, y % height + rows, x % width + columns)
                yield there, Box(y - top, x - left, y - top + rows, x - left + columns)

    def within(self, outer: Box) -> Box:
        """Give the box in the coordinates of a box around it."""
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
        """The window's own part in the coordinates of what it sees, on a map of that stride."""
        return self.own.shrunk(stride).within(self.seen.shrunk(stride))

    def shown(self, stride: int, size: Size) -> tuple[Box, Box]:
        """What of its own part lies on the first (height, width) of a map of that stride.

        Given twice: on the map, and in the coordinates of what the window sees.
        """
        own = self.own.shrunk(stride).clipped(size)
        return own, own.within(self.seen.shrunk(stride))


def positions_of(size: Size, stride: int) -> Size:
    """(height, width) of a map whose positions stand for stride x stride of this one's.

    Of the last ones a part may lie beyond it.
    """
    height, width = (-(-length // stride) for length in size)
    return height, width


def windows(
    size: Size, side: int | None, halo: int, align: int, *, around: Axes = BORDERED
) -> list[Window]:
    """A map of this (height, width) in windows that own about side x side, row by row.

    Args:
        size: of the map.
        side: None is one window, the whole.
        halo: how far beyond its own part a window sees, a multiple of ``align``.
        align: boxes begin at multiples of it, so that poolings, and patches that are convolved
            together, fall as they do on the whole map.
        around: which ways the map goes on around its edges: halos then lie beyond them.
    """
    if side is None:
        whole = Box.of(size)
        return [Window(whole, whole)]
    rows, columns = (list(_shares(length, side, align)) for length in size)
    boxes = [Box(top, left, bottom, right) for top, bottom in rows for left, right in columns]
    if len(boxes) == 1:  # nothing lies beyond the whole
        return [Window(boxes[0], boxes[0])]
    return [Window(own, _seen(own, halo, size, around)) for own in boxes]


def _shares(length: int, side: int, align: int) -> Iterator[tuple[int, int]]:
    """The length in nearly equal parts of at most ``side``, but for one of ``align``."""
    count = -(-length // max(side // align * align, align))
    share = -(-length // (count * align)) * align
    for start in range(0, length, share):
        yield start, min(start + share, length)


def _seen(own: Box, halo: int, size: Size, around: Axes) -> Box:
    (height, width), (down, across) = size, around
    top, bottom = _stretch(own.top - halo, own.bottom + halo, None if down else height)
    left, right = _stretch(own.left - halo, own.right + halo, None if across else width)
    return Box(top, left, bottom, right)


def _stretch(start: int, end: int, length: int | None) -> tuple[int, int]:
    """A stretch, less what of it lies beyond a length, if it ends there."""
    return (start, end) if length is None else (max(0, start), min(length, end))


def _runs(start: int, end: int, length: int) -> Iterator[tuple[int, int]]:
    """A stretch in parts that do not go beyond a multiple of the length: start, and how long."""
    while start < end:
        count = min(end, (start // length + 1) * length) - start
        yield start, count
        start += count

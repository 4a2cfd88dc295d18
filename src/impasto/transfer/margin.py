"""A margin around the coarse pictures, which is painted with them and cut off at the end.

Beyond a picture's border the network sees zeros. At the coarsest scale that is half of what its
deepest layer sees, and a strip along the edges came out with other contrast and colours than the
rest. To show the network more of the picture than there is, mirrored or repeated, makes it worse:
what is seen twice varies twice as much. But where the picture itself is larger, the strip lies
outside. In the margin the photograph and all that lies on it are mirrored; the picture is free.

A finer scale begins with what was painted in the margins of the one before. The last one has none:
there they would cost a sixth of all work (docs/performance.md).
"""

from __future__ import annotations

from typing import overload

import torch
from torch import Tensor

from impasto.config import Config, Size

MARGIN_PX = 16  # on each side: as far as a position of the deepest layer lies from the next


def margins_of(scale: Size, last: Size, config: Config) -> Size:
    """How far a picture of this (height, width) is widened on either side, down and across.

    Not at all where it goes on around its edges, nor with the edges of the paper, nor at the last
    scale, where nearly all of the work is: it begins with what the others laid out.
    """
    free = scale != last and config.edges == "replicate"
    down, across = (MARGIN_PX if free and not joined else 0 for joined in config.around)
    return down, across


def widened_size(size: Size, margins: Size) -> Size:
    """(height, width) with the margins."""
    height, width = (side + 2 * margin for side, margin in zip(size, margins, strict=True))
    return height, width


@overload
def widened(picture: Tensor, margins: Size) -> Tensor: ...
@overload
def widened(picture: None, margins: Size) -> None: ...
def widened(picture: Tensor | None, margins: Size) -> Tensor | None:
    """A picture (1, channels, H, W) with its mirror image in the margins; of None, None.

    Without any margin it is the picture itself.
    """
    if picture is None:
        return None
    for axis, margin in zip((2, 3), margins, strict=True):
        if margin:
            length = picture.shape[axis]
            index = mirrored(length, -margin, length + margin)
            picture = picture.index_select(axis, index.to(picture.device))
    return picture


def mirrored(length: int, begin: int, end: int) -> Tensor:
    """Which of so many positions is seen at each place from begin to end, forth and back in turns.

    Places from 0 to the length are the positions themselves.
    """
    place = torch.arange(begin, end, dtype=torch.int64, device="cpu") % (2 * length)
    return torch.minimum(place, 2 * length - 1 - place)


def refitted(picture: Tensor, size: Size, margins: Size) -> Tensor:
    """A picture of this (height, width) with other margins than it has: less of them, or mirrored
    where it had none.
    """
    height, width = picture.shape[2:]
    had = (height - size[0]) // 2, (width - size[1]) // 2
    if had[0] >= margins[0] and had[1] >= margins[1]:
        return cut(picture, widened_size(size, margins))
    return widened(cut(picture, size), margins)


def cut(picture: Tensor, size: Size) -> Tensor:
    """The middle of a picture (1, channels, H, W), of this (height, width): its margins are gone.

    Without any it is the picture itself.
    """
    for axis, length in zip((2, 3), size, strict=True):
        whole = picture.shape[axis]
        if whole != length:
            picture = picture.narrow(axis, (whole - length) // 2, length)
    return picture.contiguous()

"""How much a photograph's content counts near the borders of the picture: less than elsewhere.

Where copies of a tile meet, the photograph's own borders are not to be kept. And at any other
border a third and more of what a layer's outermost positions see is not the picture: kept as firmly
as the rest, a strip along the borders had less contrast and fainter strokes. Counted half, half of
that is gone in the painterly hand: docs/performance.md. What is kept is a fraction of what counts,
so that one strength goes on meaning one balance. At coarse scales the outermost positions lie in
the margin, which is cut off.
"""

from __future__ import annotations

import torch
from torch import Tensor

from impasto.config import Axes, Size

OUTERMOST = 2  # positions: of relu4_2's next ones less than a third of the field lies beyond
PARTS = 12  # of a side, one of which they are at most: of a small picture they would be half
AT_BORDERS = 0.5  # of the weight of others
SEAMLESS_MARGIN = 0.1  # of a tile's side: nearer to the border a photograph counts less and less


def away_from_seams(picture: Tensor, around: Axes) -> Tensor:
    """0 at the borders that a picture goes on around, and 1 away from them, (1, 1, H, W)."""
    sides = []
    for length, joined in zip(picture.shape[2:], around, strict=True):
        place = torch.arange(length, device=picture.device, dtype=picture.dtype) + 0.5
        reach = torch.minimum(place, length - place)
        sides.append(
            (reach / (SEAMLESS_MARGIN * length)).clamp(max=1) if joined else place.new_ones(length)
        )
    return (sides[0][:, None] * sides[1])[None, None]


def near_borders(size: Size, around: Axes, like: Tensor) -> Tensor:
    """How much each position of a map of this (height, width) counts, (1, 1, height, width).

    AT_BORDERS for the outermost ones, OUTERMOST or less of a side that is short, and 1 for others;
    where the picture goes on around its edges none is outermost.

    Args:
        size: of the map.
        around: which ways the picture does.
        like: a tensor whose type and device the weights take.
    """
    inside = like.new_ones(size, dtype=torch.bool)
    for axis, joined in enumerate(around):
        if not joined:
            outermost = min(OUTERMOST, size[axis] // PARTS)
            inside.narrow(axis, 0, outermost).fill_(value=False)
            inside.narrow(axis, size[axis] - outermost, outermost).fill_(value=False)
    return torch.where(inside, 1.0, AT_BORDERS).to(like)[None, None]

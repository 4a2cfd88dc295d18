"""A mask's colours to regions: which part of a picture each one names, with soft edges.

A mask is drawn with flat colours. In between, where a program smoothed an edge or a JPEG smeared
it, a pixel belongs in part to each of two colours, so edges stay as soft as they were drawn.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import torch
import torch.nn.functional as nnf
from PIL import ImageColor
from torch import Tensor

from impasto.errors import ConfigError, PictureError, did_you_mean

Colour = tuple[int, int, int]  # red, green, blue, 0 to 255

WHITE_LEVEL = 255
LEVELS = WHITE_LEVEL + 1
FLAT_LEVELS = 2  # between neighbours: within JPEG's noise, below any drawn edge's step
SAME_LEVELS = 24  # between one mask's colour and another's: what editors and JPEG make of one
SMALLEST_SHARE = 1e-4  # of the mask, that a region's flat part fills
SMALLEST_FLAT_PX = 9
LEAST_FLAT_SHARE = 0.25  # of a mask, flat colours: a photograph has some too
MOST_REGIONS = 16
MOST_CLUSTERS = 64  # of near colours that are looked into, the most frequent first
# Of the longer side, half of an edge's width where it was drawn hard: 4 px at 512, so that a border
# is no cut with scissors.
FEATHER = 0.003
NAMED = ("black", "white", "red", "lime", "blue", "yellow", "cyan", "magenta", "gray", "silver")


def parse_colour(text: object) -> Colour:
    """``"white"``, ``"#ff0000"``, or a grey level such as ``"128"`` or 128, as a colour.

    Raises:
        ConfigError: it is none.
    """
    given = str(text).strip()
    if given.isdecimal() and len(given) <= len(str(WHITE_LEVEL)) and int(given) <= WHITE_LEVEL:
        return (int(given),) * 3
    try:
        return ImageColor.getrgb(given)[:3]
    except ValueError as error:
        raise ConfigError(
            f"colour {str(text)[:40]!r}",
            "a name such as white, #rrggbb, or a grey level from 0 to 255",
            did_you_mean(given, list(ImageColor.colormap)),
        ) from error


def colour_name(colour: Colour) -> str:
    """What a person calls it: a name where there is a common one, else ``#rrggbb``."""
    code = "#{:02x}{:02x}{:02x}".format(*colour)
    return next((name for name in NAMED if ImageColor.getrgb(name)[:3] == colour), code)


def nearest(colour: Colour, known: Sequence[Colour]) -> Colour | None:
    """The one of the known colours that a mask means by this one; None where none is near."""
    near = min(known, key=lambda other: distance(colour, other), default=None)
    return near if near is not None and distance(colour, near) <= SAME_LEVELS else None


def distance(a: Colour, b: Colour) -> int:
    """The largest difference of a channel."""
    return max(abs(x - y) for x, y in zip(a, b, strict=True))


def regions(mask: Tensor, what: str) -> dict[Colour, Tensor]:
    """Each colour's region, from the largest to the smallest; together they are 1 everywhere.

    Args:
        mask: (1, 3, H, W), sRGB in [0, 1].
        what: errors call it, e.g. ``"mask 'a.png'"``.

    Returns:
        By colour, (1, 1, H, W) in [0, 1].

    Raises:
        PictureError: no flat colours, or too many.
    """
    levels = (mask[0] * WHITE_LEVEL).round().to(torch.int16)
    colours = flat_colours(levels)
    if not 1 <= len(colours) <= MOST_REGIONS:
        given = f"{what} has {len(colours) or 'no'} regions of a flat colour"
        raise PictureError(
            given, f"1 to {MOST_REGIONS} are wanted", "draw it with few colours, and no shades"
        )
    codes, place = unique(coded(levels).flatten(), return_inverse=True)
    shares = memberships(decoded(codes).float(), colours)
    height, width = mask.shape[2:]
    return {
        colour: share[place].view(1, 1, height, width)
        for colour, share in zip(colours, shares.T, strict=True)
    }


def flat_colours(levels: Tensor) -> list[Colour]:
    """The colours of a mask's flat parts, the most frequent first; near ones are one.

    A shade, however wide, has no colour that stands out among its neighbours, and is none. A
    picture that is mostly shades has none at all.

    Args:
        levels: (3, H, W), whole numbers from 0 to 255.
    """
    down = levels.diff(dim=1).abs().amax(0) <= FLAT_LEVELS
    across = levels.diff(dim=2).abs().amax(0) <= FLAT_LEVELS
    flat = nnf.pad(down, [0, 0, 0, 1], value=True) & nnf.pad(down, [0, 0, 1, 0], value=True)
    flat &= nnf.pad(across, [0, 1], value=True) & nnf.pad(across, [1, 0], value=True)
    codes, counts = unique(coded(levels)[flat], return_counts=True)
    found, left = decoded(codes), counts.clone()
    total: dict[Colour, int] = {}
    itself: dict[Colour, int] = {}
    while left.any() and len(total) <= MOST_CLUSTERS:
        red, green, blue = found[left.argmax()].tolist()
        apart = (found - found[left.argmax()]).abs().amax(1)
        total[red, green, blue] = int(counts[apart <= SAME_LEVELS].sum())
        itself[red, green, blue] = int(counts[apart <= FLAT_LEVELS].sum())
        left[apart <= SAME_LEVELS] = 0
    least = max(SMALLEST_FLAT_PX, SMALLEST_SHARE * flat.numel())
    clear = [c for c, count in total.items() if count >= least and itself[c] >= count / 2]
    return clear if sum(itself[c] for c in clear) >= LEAST_FLAT_SHARE * flat.numel() else []


def unique(codes: Tensor, **wanted: bool) -> tuple[Tensor, Tensor]:
    """The different numbers, ascending, and of each what is wanted."""
    found, more = torch.unique(codes, **wanted)
    return found, more


def coded(levels: Tensor) -> Tensor:
    """Colours (3, H, W) as one number each, (H, W)."""
    red, green, blue = levels.int()
    codes: Tensor = (red * LEVELS + green) * LEVELS + blue
    return codes


def decoded(codes: Tensor) -> Tensor:
    """Numbers (n,) as colours (n, 3)."""
    return torch.stack([codes // LEVELS**2, codes // LEVELS % LEVELS, codes % LEVELS], 1)


def memberships(pixels: Tensor, colours: Sequence[Colour]) -> Tensor:
    """How far each of the pixels (n, 3) belongs to each colour: (n, colours), rows that sum to 1.

    A pixel is taken for the mixture of two colours that comes nearest to it.
    """
    known = torch.tensor(colours, dtype=torch.float32)
    alone = torch.cdist(pixels, known)
    best, first = alone.min(1)
    second, part = first.clone(), torch.ones_like(best)
    for a, b in combinations(range(len(colours)), 2):
        way = known[a] - known[b]
        mixed = ((pixels - known[b]) @ way / way.square().sum()).clamp(0, 1)
        off = (pixels - known[b] - mixed[:, None] * way).norm(dim=1)
        better = off < best - 1e-3  # and no other mixture for rounding's sake
        best, part = torch.where(better, off, best), torch.where(better, mixed, part)
        first = torch.where(better, a, first)
        second = torch.where(better, b, second)
    shares = torch.zeros(len(pixels), len(colours))
    shares.scatter_add_(1, first[:, None], part[:, None])
    return shares.scatter_add_(1, second[:, None], 1 - part[:, None])


def feathered(where: Tensor) -> Tensor:
    """A region (1, 1, H, W) with edges a little softer, none harder than FEATHER; regions that
    filled the picture still do.
    """
    reach = max(1, round(FEATHER * max(where.shape[2:]) / 2))
    for _ in range(2):
        where = nnf.pad(where, [reach] * 4, mode="replicate")
        where = nnf.avg_pool2d(where, 2 * reach + 1, 1)
    return where

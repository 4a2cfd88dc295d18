"""A mask's colours, or its labels, to regions: which part of a picture each one names.

A mask is drawn with flat colours. In between, where a program smoothed an edge or a JPEG smeared
it, a pixel belongs in part to each of two colours, so edges stay as soft as they were drawn. A mask
that is all one shade between two colours is such an edge. A label map has a number for each region.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TypeAlias

import torch
import torch.nn.functional as nnf
from PIL import ImageColor
from torch import Tensor

from impasto.errors import ConfigError, PictureError, did_you_mean
from impasto.pictures import labels, reading
from impasto.pictures.labels import (
    SAME_LEVELS,
    SMALLEST_FLAT_PX,
    SMALLEST_SHARE,
    WHITE_LEVEL,
    flat,
    tells_apart,
)
from impasto.pictures.reading import PictureSource
from impasto.pictures.tensors import Picture

Colour: TypeAlias = tuple[int, int, int]  # red, green, blue, 0 to 255
Key: TypeAlias = Colour | int  # what names a region: its colour, or its label

LEVELS = WHITE_LEVEL + 1
FLAT_LEVELS = 2  # between neighbours: within JPEG's noise, below any drawn edge's step
LEAST_FLAT_SHARE = 0.25  # of a mask, flat colours: a photograph has some too
MOST_REGIONS = 16
MOST_CLUSTERS = 64  # of near colours that are looked into, the most frequent first
# What a shade between two colours is, in 8-bit levels and shares of its pixels. Tried on vignettes,
# ramps and blurred drawings, JPEGs of quality 60 and up included, and on 19 photographs: a shade's
# end is found 2.8 times as often as in an even ramp and more, and a photograph's 0.2 times; up to
# 3 % of a shade's pixels bend more, and at least 10 % of nearly every photograph's.
BEND_LEVELS = 8  # by which a shade's slope may change from one pixel to the next
MOST_BENT_SHARE = 0.1  # of the pixels between its ends
LEAST_BETWEEN_SHARE = 0.01  # of all, that are between its ends: less is dust
MOST_STRAY_SHARE = 0.01  # of all, that are no mixture of its ends
END_STANDS_OUT = 2.0  # how often a colour is there against each of an even ramp's
# Of the longer side, half of an edge's width where it was drawn hard: 4 px at 512, so that a border
# is no cut with scissors.
FEATHER = 0.003
LABEL = re.compile(r"label\s+(\d+)", re.IGNORECASE)
NAMED = ("black", "white", "red", "lime", "blue", "yellow", "cyan", "magenta", "gray", "silver")


@dataclass(frozen=True)
class Mask:
    """A mask as it was read.

    Attributes:
        picture: what it looks like.
        what: errors call it, e.g. ``"mask 'a.png'"``.
        numbers: its pixels as they are stored, (H, W) int64; None where they are colours.
        surely: whether they are labels by their very type.
        exact: whether its format keeps pixels as they were drawn.
    """

    picture: Picture
    what: str
    numbers: Tensor | None = None
    surely: bool = False
    exact: bool = True

    @property
    def is_label_map(self) -> bool:
        """Whether its numbers part it where its colours would not."""
        if self.numbers is None:
            return False
        return self.surely or tells_apart(self.numbers, levels_of(self.picture.pixels))

    @property
    def is_drawn(self) -> bool:
        """Whether it has colours or shades, and can't be a label map."""
        return self.numbers is None or (
            len(torch.unique(self.numbers)) > MOST_REGIONS and not self.is_label_map
        )

    def regions(self, *, by_label: bool) -> dict[Key, Tensor]:
        """As ``regions`` has them, or as ``regions_by_label``."""
        if by_label:
            assert self.numbers is not None
            return regions_by_label(self.numbers, self.what)
        exact = self.exact and self.numbers is None  # numbers have been judged before
        return regions(self.picture.pixels, self.what, exact=exact)


def load(source: PictureSource, role: str) -> Mask:
    """A mask from anything that a picture can be, or from an array of labels: booleans, or whole
    numbers of any type. Errors are those of ``reading.load``, and of ``labels.unsigned``.
    """
    whole = labels.unsigned(source, role)
    picture = reading.load(whole, role)
    what = f"{role} '{picture.name}'"
    image = labels.opened(whole, what)
    numbers = labels.stored(whole, image, picture)
    return Mask(picture, what, numbers, whole is not source, not labels.is_lossy(image))


def are_by_label(given: Sequence[Mask], names: Iterable[object]) -> bool:
    """Whether masks that are matched to each other mean labels: one is a label map, or a region is
    named by its label.

    Raises:
        ConfigError: they do, and one of them has colours.
    """
    asking = next((f"region {name!r} is a label" for name in names if is_label(name)), "")
    if not asking:
        first = next((mask for mask in given if mask.is_label_map), None)
        asking = f"{first.what} is a label map" if first else ""
    drawn = next((mask for mask in given if asking and mask.is_drawn), None)
    if drawn:
        raise ConfigError(
            f"{drawn.what} has colours and no labels, and {asking}",
            "masks are told apart either all by colour, or all by label",
            "save labels as grey levels or with a palette, as PNG",
        )
    return bool(asking)


def is_label(name: object) -> bool:
    """Whether a region's name can be nothing but a label: ``"label 1"``."""
    return isinstance(name, str) and LABEL.fullmatch(name.strip()) is not None


def find(name: object, known: Sequence[Key]) -> Key | None:
    """The one of a mask's regions that is named; None where there is no such one.

    Args:
        name: a label such as ``"label 1"``, ``"1"`` or 1; of a mask with colours, what
            ``parse_colour`` takes.
        known: the regions, all by colour or all by label.

    Raises:
        ConfigError: it is no name.
    """
    if all(isinstance(key, tuple) for key in known):
        return nearest(parse_colour(name), [key for key in known if isinstance(key, tuple)])
    given = str(int(name) if isinstance(name, bool) else name).strip()
    number = LABEL.sub(r"\1", given)
    return next((key for key in known if str(key) == (number.lstrip("0") or "0")), None)


def label_behind(name: object, mask: Mask) -> int | None:
    """The palette's number that a grey level was probably meant as; None where there is none."""
    given = str(name).strip()
    if mask.numbers is None or not given.isdecimal():
        return None
    level = int(given) if len(given) <= len(str(labels.LARGEST_LABEL)) else -1
    looks = levels_of(mask.picture.pixels)[:, mask.numbers == level]
    return level if looks.numel() and bool((looks[:, 0] != level).any()) else None


def same(theirs: Key, known: Sequence[Key]) -> Key | None:
    """The one of the known regions that another mask means by this one; None where none is."""
    if isinstance(theirs, int):
        return theirs if theirs in known else None
    return nearest(theirs, [key for key in known if isinstance(key, tuple)])


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


def region_name(key: Key) -> str:
    """A region by its colour's name, or as ``label 1``."""
    return f"label {key}" if isinstance(key, int) else colour_name(key)


def nearest(colour: Colour, known: Sequence[Colour]) -> Colour | None:
    """The one of the known colours that a mask means by this one; None where none is near.

    Of known colours that are near to each other none may be taken for another.
    """
    near = min(known, key=lambda other: distance(colour, other), default=None)
    apart = min((distance(*pair) for pair in combinations(known, 2)), default=WHITE_LEVEL)
    reach = SAME_LEVELS if apart > SAME_LEVELS else apart // 2
    return near if near is not None and distance(colour, near) <= reach else None


def distance(a: Colour, b: Colour) -> int:
    """The largest difference of a channel."""
    return max(abs(x - y) for x, y in zip(a, b, strict=True))


def regions(mask: Tensor, what: str, *, exact: bool = True) -> dict[Key, Tensor]:
    """Each colour's region, from the largest to the smallest; together they are 1 everywhere.

    Args:
        mask: (1, 3, H, W), sRGB in [0, 1].
        what: errors call it, e.g. ``"mask 'a.png'"``.
        exact: whether near colours may be two on purpose.

    Returns:
        By colour, (1, 1, H, W) in [0, 1].

    Raises:
        PictureError: no flat colours, or too many.
    """
    levels = levels_of(mask)
    colours = (exact and exact_colours(levels)) or flat_colours(levels)
    if len(colours) <= 1:
        colours = ends_of_shade(levels) or colours
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


def regions_by_label(numbers: Tensor, what: str) -> dict[Key, Tensor]:
    """Each label's region, hard, from the largest to the smallest. Result as for ``regions``.

    Args:
        numbers: (H, W), whole.
        what: errors call it.

    Raises:
        PictureError: too many labels.
    """
    found, counts = unique(numbers, return_counts=True)
    if len(found) > MOST_REGIONS:
        raise PictureError(
            f"{what} has {len(found)} labels",
            f"1 to {MOST_REGIONS} are wanted",
            "join some of them",
        )
    order = found[counts.argsort(descending=True, stable=True)].tolist()
    return {label: (numbers == label)[None, None].float() for label in order}


def flat_colours(levels: Tensor) -> list[Colour]:
    """The colours of a mask's flat parts, the most frequent first; near ones are one.

    A shade, however wide, has no colour that stands out among its neighbours, and is none. A
    picture that is mostly shades has none at all.

    Args:
        levels: (3, H, W), whole numbers from 0 to 255.
    """
    calm = flat(levels, FLAT_LEVELS)
    codes, counts = unique(coded(levels)[calm], return_counts=True)
    found, left = decoded(codes), counts.clone()
    total: dict[Colour, int] = {}
    itself: dict[Colour, int] = {}
    while left.any() and len(total) <= MOST_CLUSTERS:
        red, green, blue = found[left.argmax()].tolist()
        apart = (found - found[left.argmax()]).abs().amax(1)
        total[red, green, blue] = int(counts[apart <= SAME_LEVELS].sum())
        itself[red, green, blue] = int(counts[apart <= FLAT_LEVELS].sum())
        left[apart <= SAME_LEVELS] = 0
    least = max(SMALLEST_FLAT_PX, SMALLEST_SHARE * calm.numel())
    clear = [c for c, count in total.items() if count >= least and itself[c] >= count / 2]
    return clear if sum(itself[c] for c in clear) >= LEAST_FLAT_SHARE * calm.numel() else []


def exact_colours(levels: Tensor) -> list[Colour]:
    """All colours of a mask that tell near ones apart exactly, the most frequent first; [] of one
    with noise, or with nothing but shades of one colour. Arguments as for ``flat_colours``.
    """
    codes = coded(levels)
    plain = (levels - levels[:, :1, :1]).abs().max() <= SAME_LEVELS
    if plain or not tells_apart(codes, levels):
        return []
    found, counts = unique(codes, return_counts=True)
    order = counts.argsort(descending=True, stable=True)
    return [(red, green, blue) for red, green, blue in decoded(found[order]).tolist()]


def ends_of_shade(levels: Tensor) -> list[Colour]:
    """The two colours that all of a mask is a smooth shade between; [] of any other mask.

    One of them has a place of its own: a ramp from border to border has no regions. Arguments and
    order as for ``flat_colours``.
    """
    codes, counts = unique(coded(levels), return_counts=True)
    found, pixels = decoded(codes).float(), int(counts.sum())
    one = found[to(found[0], found).argmax()]
    ends = torch.stack([one, found[to(one, found).argmax()]])
    way = ends[1] - ends[0]
    mixed = ((found - ends[0]) @ way / way.square().sum().clamp_min(1)).clamp(0, 1)
    off = to(ends[0] + mixed[:, None] * way, found)
    there = torch.stack([counts[to(end, found) <= FLAT_LEVELS].sum() for end in ends])
    even = pixels * (FLAT_LEVELS + 1) / (float(way.abs().max()) + 1)
    if counts[off > SAME_LEVELS].sum() > MOST_STRAY_SHARE * pixels:
        return []
    if there.max() < END_STANDS_OUT * even or not is_smooth(levels, ends):
        return []
    ends = ends if counts[mixed < 0.5].sum() * 2 >= pixels else ends.flip(0)
    return [(int(red), int(green), int(blue)) for red, green, blue in ends.tolist()]


def to(colour: Tensor, others: Tensor) -> Tensor:
    """The largest difference of a channel to each of the others (n, 3): (n,)."""
    return (others - colour).abs().amax(1)


def is_smooth(levels: Tensor, ends: Tensor) -> bool:
    """Whether there is much between two colours (2, 3), and what there is has no edges."""
    away = torch.stack([(levels - end[:, None, None]).abs().amax(0) for end in ends])
    between = (away > SAME_LEVELS).all(0)
    bend = torch.zeros_like(between)
    bend[1:-1] |= levels.diff(n=2, dim=1).abs().amax(0) > BEND_LEVELS
    bend[:, 1:-1] |= levels.diff(n=2, dim=2).abs().amax(0) > BEND_LEVELS
    count = int(between.sum())
    return (
        count >= LEAST_BETWEEN_SHARE * between.numel()
        and int(bend[between].sum()) <= MOST_BENT_SHARE * count
    )


def levels_of(pixels: Tensor) -> Tensor:
    """A picture (1, 3, H, W) in [0, 1] as whole numbers from 0 to 255, (3, H, W)."""
    return (pixels[0] * WHITE_LEVEL).round().to(torch.int16)


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
    known = torch.tensor(colours, dtype=pixels.dtype, device=pixels.device)
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
    shares = pixels.new_zeros(len(pixels), len(colours))
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

"""Whether a strip along a picture's edges is like the rest: `python benchmarks/border.py FOLDERS`.

What the outer 16 px have differently from the strip from 32 to 48 px, in colour, contrast and
frequencies, is nought in the mean and of a certain size by chance alone. Which size depends on what
it is compared with, a picture of the same kind that has no border there:

- A texture is alike everywhere, but for its border. One that is made tileable has none: cut open
  anywhere, its strips are two samples of the same.
- A photograph's own border is another thing than its middle. So each one is painted twice, its
  middle by itself and the whole of it, and only what differs between the two in the same places
  counts. Where both lie inside, 32 to 48 px against 64 to 80 px, it is chance.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import cycle, islice
from pathlib import Path

import numpy as np
import PIL.Image
from scipy import stats
from skimage import data

from impasto import stylize, texture
from impasto.api import Result
from impasto.pictures.styles import STYLES

STRIP_PX = 16
OUTER, INNER, FARTHER = 0, 2, 4  # strips, counted from the border
AROUND_PX = 48  # of the whole photograph around its middle: the outer strip is then well inside
SIZE_PX = 256
SIZES_PX = ((256, 240), (250, 256), (256, 192), (200, 256), (255, 255))  # of textures
BLOCK_PX = 4  # a side of what is one point for the middle frequencies
SHIFTS = 16  # of each tileable texture, a sample each
PICTURES = 20
LEVELS = 255
LIKELY = 0.95  # of what chance alone does; beyond it a difference is told as seen
SUFFIXES = (".jpg", ".jpeg", ".png")

Array = np.ndarray
MEASURES = (
    "red, levels",
    "green, levels",
    "blue, levels",
    "contrast, %",
    "differences of neighbours, %",
    "differences of 4 x 4 px, %",
    "those across the border by those along it, %",
)


def main() -> None:
    """Paint, measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("photographs", type=Path, help="a folder, besides scikit-image's own")
    parser.add_argument("paintings", type=Path, help="a folder, besides the built-in styles")
    parser.add_argument("--pictures", type=int, default=PICTURES, help="of each kind")
    parser.add_argument("--keep", type=Path, help="a folder for what is painted, to look at")
    asked = parser.parse_args()
    paintings = [*map(str, files_in(asked.paintings)), *(style.name for style in STYLES)]
    photographs = [opened(path) for path in files_in(asked.photographs)]
    photographs += [data.astronaut(), data.coffee(), data.chelsea(), data.rocket()]
    for kind, rows in (
        ("textures", textures(paintings, asked.pictures, asked.keep)),
        ("photographs", photos(photographs, paintings, asked.pictures, asked.keep)),
    ):
        found = list(told(rows, kind))
        print(table(kind, np.array([d for d, _ in found]), np.concatenate([c for _, c in found])))


def files_in(folder: Path) -> list[Path]:
    """A folder's pictures, in the order of their names."""
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES)


def opened(path: Path) -> Array:
    """A picture of a file, (H, W, 3) of uint8."""
    return np.asarray(PIL.Image.open(path).convert("RGB"))


@dataclass(frozen=True)
class Paint:
    """Paints, and keeps what it painted in a folder, if there is one.

    Attributes:
        keep: that folder.
    """

    keep: Path | None

    def __call__(self, name: str, painted: Callable[[], Result]) -> Array:
        """The picture, (H, W, 3) in [0, 1]."""
        path = None if self.keep is None else self.keep / f"{name}.png"
        if path is not None and path.exists():
            return np.asarray(PIL.Image.open(path), dtype=np.float32) / LEVELS
        image = painted().image
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            image.save(path)
        return np.asarray(image, dtype=np.float32) / LEVELS


Row = tuple[Array, Array]  # (measures,) what the border has differently; (samples, measures) chance


def textures(paintings: Sequence[str], count: int, keep: Path | None) -> Iterator[Row]:
    """A texture with borders beside one that has none."""
    chance, paint = np.random.default_rng(0), Paint(keep)
    for number, (style, size) in enumerate(islice(zip(cycle(paintings), cycle(SIZES_PX)), count)):
        seed = number // len(paintings)
        like = partial(texture, style, seed=seed)
        bordered = paint(f"texture-{number}", partial(like, size))
        endless = paint(f"tile-{number}", partial(like, SIZE_PX, tileable=True))
        shifts = chance.integers(SIZE_PX, size=(SHIFTS, 2))
        opened = (np.roll(endless, tuple(shift), (0, 1)) for shift in shifts)
        yield apart(bordered, OUTER, INNER), np.array([apart(p, OUTER, INNER) for p in opened])


def photos(
    photographs: Sequence[Array], paintings: Sequence[str], count: int, keep: Path | None
) -> Iterator[Row]:
    """A photograph's middle painted by itself beside the whole, of which it is cut."""
    paint, pairs = Paint(keep), zip(cycle(photographs), cycle(reversed(paintings)))
    for number, (photograph, style) in enumerate(islice(pairs, count)):
        whole = resized(photograph)
        middle = whole[AROUND_PX:-AROUND_PX, AROUND_PX:-AROUND_PX]
        by_itself = paint(f"middle-{number}", partial(repainted, middle, style))
        as_part = paint(f"whole-{number}", partial(repainted, whole, style))
        as_part = as_part[AROUND_PX:-AROUND_PX, AROUND_PX:-AROUND_PX]
        yield (
            apart(by_itself, OUTER, INNER) - apart(as_part, OUTER, INNER),
            (apart(by_itself, INNER, FARTHER) - apart(as_part, INNER, FARTHER))[None],
        )


def repainted(photograph: Array, style: str) -> Result:
    """A photograph at its own size after a painting whose size is always the same."""
    return stylize(photograph, style, size=max(photograph.shape), style_size=SIZE_PX)


def resized(photograph: Array) -> Array:
    """A photograph whose middle has a longer side of SIZE_PX, as (H, W, 3) of uint8.

    Of a long one only so much that the middle has room for all strips.
    """
    longest, shortest = SIZE_PX + 2 * AROUND_PX, 2 * (AROUND_PX + (FARTHER + 1) * STRIP_PX)
    height, width = photograph.shape[:2]
    most = min(height, width) * longest // shortest
    image = PIL.Image.fromarray(photograph[:most, :most])
    factor = longest / max(image.size)
    width, height = (round(side * factor) for side in image.size)
    return np.asarray(image.resize((width, height), PIL.Image.Resampling.LANCZOS))


def apart(picture: Array, one: int, other: int) -> Array:
    """How far two strips of a picture are apart, by each of MEASURES."""
    return measured(picture, one) - measured(picture, other)


def measured(picture: Array, strip: int) -> Array:
    """A strip's mean colour, in levels, and 100 times the logarithm of all else."""
    pixels = picture[within(picture, strip, STRIP_PX)]
    across, along = differences(picture, strip, STRIP_PX)
    flips = (picture, picture[::-1], picture[:, ::-1], picture[::-1, ::-1])  # blocks begin at edges
    coarse = [differences(blocks(each), strip, STRIP_PX // BLOCK_PX) for each in flips]
    amounts = [
        pixels.std(0).mean(),
        np.sqrt((across + along) / 2),
        np.sqrt(np.mean(coarse)),
        np.sqrt(across / along),
    ]
    return np.array([*(LEVELS * pixels.mean(0)), *(100 * np.log(amounts))])


def from_border(picture: Array) -> tuple[Array, Array]:
    """How far each pixel is from the nearer border, down and across."""
    height, width = picture.shape[:2]
    y, x = np.mgrid[:height, :width]
    return np.minimum(y, height - 1 - y), np.minimum(x, width - 1 - x)


def within(picture: Array, strip: int, width_px: int) -> Array:
    """Where a strip of that width is, counted from the border."""
    return np.minimum(*from_border(picture)) // width_px == strip


def differences(picture: Array, strip: int, width_px: int) -> tuple[float, float]:
    """Mean squared differences of neighbours in a strip, across the nearest border and along it."""
    inside, (down, across) = within(picture, strip, width_px), from_border(picture)
    level = down < across  # the nearest border is the upper or the lower one
    found: dict[bool, list[Array]] = {True: [], False: []}
    for axis in (0, 1):
        squared = np.square(np.diff(picture, axis=axis)).mean(2)
        both = [np.take(inside, range(s, s + squared.shape[axis]), axis) for s in (0, 1)]
        upright = np.take(level, range(squared.shape[axis]), axis) == (axis == 0)
        for is_across in found:
            found[is_across].append(squared[both[0] & both[1] & (upright == is_across)])
    across_, along = (float(np.concatenate(found[each]).mean()) for each in (True, False))
    return across_, along


def blocks(picture: Array) -> Array:
    """The means of blocks, from the upper left corner on."""
    height, width = (side // BLOCK_PX for side in picture.shape[:2])
    whole = picture[: height * BLOCK_PX, : width * BLOCK_PX]
    return whole.reshape(height, BLOCK_PX, width, BLOCK_PX, -1).mean((1, 3))


def told(rows: Iterator[Row], kind: str) -> Iterator[Row]:
    """The rows, each told of as it comes."""
    for number, row in enumerate(rows, 1):
        print(f"{kind} {number}", file=sys.stderr, flush=True)
        yield row


def table(kind: str, found: Array, chance: Array) -> str:
    """Markdown: the mean over pictures, its Student's t, and the size against chance's.

    A difference is seen where t, or the squared size by Fisher's F, is beyond what is LIKELY.
    """
    count = len(found)
    most_t = stats.t.ppf((1 + LIKELY) / 2, count - 1)
    most_ratio = np.sqrt(stats.f.ppf(LIKELY, count, count))
    head = "the outer 16 px less the strip 32 to 48 px inside"
    lines = [f"\n| {kind}: {head} | mean | t | times chance | |", "|---|---|---|---|---|"]
    error = found.std(0, ddof=1) / np.sqrt(count)
    ratios = np.sqrt(np.square(found).mean(0) / np.square(chance).mean(0))
    for name, mean, t, ratio in zip(
        MEASURES, found.mean(0), found.mean(0) / error, ratios, strict=True
    ):
        seen = abs(t) > most_t or ratio > most_ratio
        lines.append(
            f"| {name} | {mean:+.1f} | {t:+.1f} | {ratio:.2f} | {'seen' if seen else ''} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main()

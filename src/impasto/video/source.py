"""What every kind of clip gives: what its file says of it, and frames that are not made yet."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Protocol, TypeAlias

import numpy as np
import numpy.typing as npt
import PIL.Image

from impasto.config import Size

Pixels: TypeAlias = npt.NDArray[np.uint8]  # (H, W, 3), sRGB

CUT_HINT = "copy or download it again"


@dataclass(frozen=True)
class Facts:
    """What is known of a clip once its beginning has been read: as Clip has it."""

    size: Size
    rate: Fraction
    frame_count: int | None
    duration: Fraction | None
    time_base: Fraction
    has_sound: bool = False
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Raw:
    """A frame whose pixels are made only where they are wanted.

    Attributes:
        time: in s from the clip's first frame.
        duration: in s, as the file says; None where it doesn't.
        pixels: to an array of this (height, width).
    """

    time: Fraction
    duration: Fraction | None
    pixels: Callable[[Size], Pixels]


class Source(Protocol):
    """A kind of clip."""

    @property
    def facts(self) -> Facts:
        """What the clip says of itself."""

    def at_rate(self, fps: Fraction) -> Source:
        """The same, its pictures at this rate if they have no times of their own."""

    def raw(self, begin: Fraction, tell: Callable[[str], None]) -> Iterator[Raw]:
        """Frames in the order of their times, from the one that stands at ``begin`` or earlier.

        Args:
            begin: in s from the clip's first frame.
            tell: is told what turns out while reading.
        """


def shaped(pixels: Pixels, size: Size) -> Pixels:
    """Resampled to (height, width) by an antialiased bicubic kernel; the same size is itself."""
    if pixels.shape[:2] == size:
        return pixels
    image = PIL.Image.fromarray(np.ascontiguousarray(pixels))
    resized = image.resize((size[1], size[0]), PIL.Image.Resampling.BICUBIC)
    return np.asarray(resized)


def plain(image: PIL.Image.Image) -> PIL.Image.Image:
    """In RGB, on white where it is transparent: films have no alpha that all players know."""
    if not image.has_transparency_data:
        return image.convert("RGB")
    white = PIL.Image.new("RGBA", image.size, "white")
    return PIL.Image.alpha_composite(white, image.convert("RGBA")).convert("RGB")

"""What Pillow reads: GIF, WebP and PNG that move, and folders of numbered pictures."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import partial
from pathlib import Path

import numpy as np
import PIL.Image
from PIL import ImageFile

from impasto import pictures
from impasto.config import Size
from impasto.errors import PictureError
from impasto.pictures.color_profile import to_srgb
from impasto.pictures.color_tags import profile_told
from impasto.pictures.opening import open_image, read_bytes
from impasto.pictures.sizes import check_pixels, check_sides
from impasto.video.source import CUT_HINT, Facts, Pixels, Raw, plain, shaped

MILLISECONDS = Fraction(1, 1000)
MOVING = ("GIF", "WEBP", "PNG")  # Pillow's names of formats that can
# Browsers show a frame of 10 ms or less for 100 ms: so many old GIFs say 0 and mean that.
TOO_SHORT_MS, SHOWN_MS = 10, 100
FOLDER_FPS = Fraction(25)  # of a folder's pictures, where nobody says: FFmpeg's own
NUMBERS = re.compile(r"(\d+)")


@dataclass(frozen=True)
class Animation:
    """A picture file that moves. Its bytes are in memory, its frames are not."""

    data: bytes
    what: str
    facts: Facts

    def at_rate(self, fps: Fraction) -> Animation:  # noqa: ARG002
        """Itself: it has times of its own."""
        return self

    def raw(self, begin: Fraction, tell: Callable[[str], None]) -> Iterator[Raw]:  # noqa: ARG002
        """As Source has it: from its first frame, since each is painted on those before."""
        image = open_image(self.data, self.what)
        profile, time = profile_told(image, self.data, self.what), Fraction(0)
        for place in _places(image):
            try:
                image.seek(place)
                image.load()
            except Exception as error:  # decoders raise all kinds
                if not isinstance(error, EOFError):
                    tell(f"damaged or cut short: it ends at {float(time):.1f} s")
                return
            duration = _duration(image)
            # A copy: the decoder goes on before the pixels are asked for.
            yield Raw(time, duration, partial(_pixels, image.copy(), profile))
            time += duration


def _places(image: ImageFile.ImageFile) -> Iterator[int]:
    """The numbers of its frames, without a PNG's stand-in for programs that show no motion."""
    place = 1 if getattr(image, "default_image", False) else 0
    while True:  # its end is where seeking fails
        yield place
        place += 1


def _duration(image: PIL.Image.Image) -> Fraction:
    told = Fraction(image.info.get("duration") or 0).limit_denominator(1000)
    return (told if told > TOO_SHORT_MS else SHOWN_MS) * MILLISECONDS


def _pixels(image: PIL.Image.Image, profile: bytes, size: Size) -> Pixels:
    shown = plain(image)
    return shaped(np.asarray(to_srgb(shown, profile) if profile else shown), size)


def open_animation(path: Path, what: str) -> Animation:
    """Read the beginning of a picture that moves.

    Raises:
        PictureError: it is a still, or can't be read.
    """
    data = read_bytes(path, what)
    image = open_image(data, what)
    size = image.height, image.width
    check_pixels(size, what)
    check_sides(size, what)
    count = 1
    with suppress(Exception):  # of a damaged file; its frames are told where they are read
        count = getattr(image, "n_frames", 1) - bool(getattr(image, "default_image", False))
    facts = Facts(size, FOLDER_FPS, None, None, MILLISECONDS)
    found = Animation(data, what, facts).raw(Fraction(0), lambda _: None)
    first, second = next(found, None), next(found, None)
    if first is None:
        raise PictureError(f"{what} has no frame that can be decoded", "", CUT_HINT)
    if second is None or image.format not in MOVING:
        raise PictureError(
            f"{what} is a still picture", "a film has two frames or more", "paint it as a picture"
        )
    assert first.duration is not None
    known = count if count > 1 else None
    return Animation(data, what, replace(facts, rate=1 / first.duration, frame_count=known))


@dataclass(frozen=True)
class Folder:
    """Numbered pictures, each of any format that can be read, all of one size."""

    paths: tuple[Path, ...]
    what: str
    facts: Facts

    def at_rate(self, fps: Fraction) -> Folder:
        """The same at another rate: its pictures have no times of their own."""
        duration = len(self.paths) / fps
        return replace(self, facts=replace(self.facts, rate=fps, duration=duration))

    def raw(self, begin: Fraction, tell: Callable[[str], None]) -> Iterator[Raw]:  # noqa: ARG002
        """As Source has it."""
        step = 1 / self.facts.rate
        for place in range(int(begin / step), len(self.paths)):
            yield Raw(place * step, step, partial(self._pixels, self.paths[place]))

    def _pixels(self, path: Path, size: Size) -> Pixels:
        found = _picture(path)
        if found.shape[:2] != self.facts.size:
            shapes = [
                f"{width} x {height} px" for height, width in (found.shape[:2], self.facts.size)
            ]
            given = f"{self.what}: '{path.name}' is {shapes[0]}, and the first picture {shapes[1]}"
            raise PictureError(given, "", "bring them to one size")
        return shaped(found, size)


def _picture(path: Path) -> Pixels:
    picture = pictures.load(path, "frame")
    return np.asarray(plain(pictures.to_pil(picture.pixels, picture.alpha)))


def in_order(path: Path) -> tuple[object, ...]:
    """A key by which 2 comes before 10."""
    parts = NUMBERS.split(path.name)
    return tuple((int(part), part) if part.isdecimal() else (-1, part) for part in parts)


def open_folder(path: Path, what: str) -> Folder:
    """Find a folder's numbered pictures, and read the first.

    Raises:
        PictureError: there are none, or one, or the first can't be read.
    """
    try:
        inside = pictures.in_folder(path)
    except OSError as error:
        raise PictureError(f"{what} cannot be read: {error.strerror}", "", "check it") from error
    numbered = sorted((each for each in inside if NUMBERS.search(each.stem)), key=in_order)
    if len(numbered) < 2:
        held = "one numbered picture" if numbered else "no numbered pictures"
        hint = "name them 0001.png, 0002.png, and so on"
        raise PictureError(f"{what} is a folder with {held}", "a film has two or more", hint)
    first = _picture(numbered[0])
    left = len(inside) - len(numbered)
    notes = (f"{what}: {left} pictures without a number are left out",) if left else ()
    count, base = len(numbered), 1 / FOLDER_FPS
    size = first.shape[0], first.shape[1]
    facts = Facts(size, FOLDER_FPS, count, count * base, base, notes=notes)
    return Folder(tuple(numbered), what, facts)

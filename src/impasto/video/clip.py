"""A file or a folder as a Clip: its size, its times, its frames one by one."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import dropwhile
from pathlib import Path

from impasto import pictures
from impasto.config import Size
from impasto.errors import ConfigError, PictureError, as_on_disk
from impasto.pictures.opening import check_regular, reason
from impasto.pictures.sizes import check_sides
from impasto.video.decoding import container_of, open_film
from impasto.video.source import Facts, Pixels, Raw, Source
from impasto.video.stills import open_animation, open_folder

READABLE_TEXT = (
    "MP4, MOV, MKV, WebM, a GIF, WebP or PNG that moves, or a folder of numbered pictures"
)
HEAD_BYTES = 16  # that tell what a file is
STILL_HEADS = (b"GIF8", b"\x89PNG", b"WEBP")  # of formats that can move
# Of a camera for slow motion. More is a broken header, and would be hours of work for a second.
MAX_FPS = 1000

MICRO = 10**6
# What is left of a frame that began before is shown from so long on, or from a frame's usual time.
LEAST_LEFT_S = Fraction(1, 10)

Moment = float | Fraction


@dataclass(frozen=True)
class Frame:
    """A picture of a clip.

    Attributes:
        pixels: (H, W, 3) uint8, sRGB, upright, with square pixels.
        time: when it comes, in s on the clip's clock: 0 is the clip's first frame, also where
            frames are asked for from a later moment on.
        duration: for how long it stands, in s; above 0.
    """

    pixels: Pixels
    time: Fraction
    duration: Fraction


def exact(moment: Moment) -> Fraction:
    """What is meant by a number of seconds: 0.4 is 2/5, and not a little more."""
    return Fraction(moment).limit_denominator(MICRO)


@dataclass(frozen=True)
class _Timed:
    """A raw frame and from when to when it stands."""

    raw: Raw
    time: Fraction
    end: Fraction


def timed(found: Iterator[Raw], rate: Fraction) -> Iterator[_Timed]:
    """Each frame stands until the next comes; the last as its file says, or as long as usual.

    A frame that comes no later than the one before it is left out, as players do.
    """
    held: Raw | None = None
    for raw in found:
        if held is None:
            held = raw
        elif raw.time > held.time:
            yield _Timed(held, held.time, raw.time)
            held = raw
    if held is not None:
        yield _Timed(held, held.time, held.time + (held.duration or 1 / rate))


def within(
    frames: Iterator[_Timed], begin: Fraction, end: Fraction | None, least: Fraction
) -> Iterator[_Timed]:
    """What stands between two moments; of the first, what is left, if it is ``least`` or more."""
    for frame in frames:
        if end is not None and frame.time >= end:
            return
        begun = max(frame.time, begin)
        if frame.end <= begin or (frame.time < begin and frame.end - begin < least):
            continue
        yield replace(frame, time=begun, end=frame.end if end is None else min(frame.end, end))


def thinned(
    frames: Iterator[_Timed], tick: Fraction, begin: Fraction | None = None
) -> Iterator[_Timed]:
    """Of all frames that stand at the same tick from ``begin`` on, what is seen there.

    Each then stands for whole ticks. A frame that stands at no tick is left out. None is the
    first's time.
    """
    for frame in frames:
        begin = frame.time if begin is None else begin
        first = -((begin - frame.time) // tick)  # the first tick at or after its time
        after = -((begin - frame.end) // tick)
        if after > first:
            yield replace(frame, time=begin + first * tick, end=begin + after * tick)


@dataclass(frozen=True)
class Clip:
    """A clip whose beginning has been read: that it is one, and what its file says of it.

    Attributes:
        path: of the file or the folder.
        what: what messages call it.
        source: how it is read.
    """

    path: Path
    what: str
    source: Source

    @property
    def facts(self) -> Facts:
        """What its file says of it."""
        return self.source.facts

    @property
    def name(self) -> str:
        """The path's last part."""
        return self.path.name

    @property
    def size(self) -> Size:
        """(height, width) in pixels as it is to be seen: turned upright, pixels made square."""
        return self.facts.size

    @property
    def rate(self) -> Fraction:
        """Frames in a second, on average, as the file says; of a GIF, WebP or PNG by its first."""
        return self.facts.rate

    @property
    def frame_count(self) -> int | None:
        """How many frames the file says there are; None where only reading all would tell."""
        return self.facts.frame_count

    @property
    def duration(self) -> Fraction | None:
        """In s, as the file says; None where it doesn't."""
        return self.facts.duration

    @property
    def time_base(self) -> Fraction:
        """Of the file's time stamps, in s."""
        return self.facts.time_base

    @property
    def has_sound(self) -> bool:
        """Whether there is sound to be carried over."""
        return self.facts.has_sound

    @property
    def notes(self) -> tuple[str, ...]:
        """What a person should know of how it is read, a sentence each."""
        return self.facts.notes

    def frames(
        self,
        begin_s: Moment | None = None,
        end_s: Moment | None = None,
        fps: Moment | None = None,
        size_px: int | None = None,
        on_note: Callable[[str], None] | None = None,
    ) -> Iterator[Frame]:
        """Stream its frames, only a few of which are in memory at a time; the same each time.

        Args:
            begin_s: from this moment on. A frame that stands since before it comes first, for as
                long as is left of it, unless that is less than a frame's usual time and 0.1 s.
            end_s: up to this moment, not included.
            fps: frames in a second, at most: what is seen at each tick, and a frame that is seen
                at several stands until the last of them is over. None: all, at their own times.
                Of a folder it is the rate at which its pictures follow each other.
            size_px: longer side; None is the clip's own.
            on_note: is told what turned out while reading, a sentence each: that the clip is cut
                short, or damaged in the middle.

        Raises:
            ConfigError: at once, a value that is not allowed.
            PictureError: at once, a clip of too many frames a second; on the way, that no frame
                is in the interval, or that the file can't be read further.
        """
        return self._made(
            self._found(begin_s, end_s, fps, None, None, on_note), self.size_at(size_px)
        )

    def frames_from(
        self,
        time: Fraction,
        origin: Fraction,
        begin_s: Moment | None = None,
        end_s: Moment | None = None,
        fps: Moment | None = None,
        size_px: int | None = None,
        *,
        seek: bool = True,
    ) -> Iterator[Frame]:
        """Those of ``frames`` that come at a time or later.

        Args:
            time: of one of them, in s.
            origin: of the first of all.
            begin_s: as for ``frames``, like the next three.
            end_s: likewise.
            fps: likewise.
            size_px: likewise.
            seek: whether to begin to read near there, by the file's index, and not at the
                beginning: where that is wrong, or frames depend on those before, there may be
                others.

        Raises:
            ConfigError, PictureError: as for ``frames``.
        """
        found = self._found(begin_s, end_s, fps, time if seek else None, origin, None)
        later = dropwhile(lambda each: each.time < time, found)
        return self._made(later, self.size_at(size_px))

    def size_at(self, size_px: int | None) -> Size:
        """(height, width) of frames whose longer side is ``size_px``; None is the clip's own.

        Raises:
            PictureError: a side is too short for the networks.
        """
        size = self.size if size_px is None else pictures.fit(self.size, size_px)
        check_sides(size, self.what)
        return size

    def expected(
        self,
        begin_s: Moment | None = None,
        end_s: Moment | None = None,
        fps: Moment | None = None,
    ) -> int | None:
        """About how many frames `frames` will give, for a bar; None where nobody knows."""
        begin, end = self._interval(begin_s, end_s)
        source, tick = self._paced(fps)
        facts = source.facts
        if begin == 0 and end is None and tick is None and facts.frame_count is not None:
            return facts.frame_count
        whole = facts.duration or (facts.frame_count and facts.frame_count / facts.rate)
        end = end if not whole else whole if end is None else min(end, whole)
        if end is None:
            return None
        rate = facts.rate if tick is None else min(facts.rate, 1 / tick)
        return max(1, round((end - begin) * rate))

    def _found(
        self,
        begin_s: Moment | None,
        end_s: Moment | None,
        fps: Moment | None,
        near: Fraction | None,
        origin: Fraction | None,
        on_note: Callable[[str], None] | None,
    ) -> Iterator[_Timed]:
        """Frames in an interval at a rate, read from near a time on, or from the first."""
        begin, end = self._interval(begin_s, end_s)
        source, tick = self._paced(fps)

        def tell(note: str) -> None:
            if on_note is not None:
                on_note(f"{self.what} is {note}")

        least, start = min(1 / source.facts.rate, LEAST_LEFT_S), max(begin, near or begin)
        found = within(timed(source.raw(start, tell), source.facts.rate), begin, end, least)
        return found if tick is None else thinned(found, tick, origin)

    def _made(self, found: Iterator[_Timed], size: Size) -> Iterator[Frame]:
        """Pixels, of those that are left only."""
        none = True
        for each in found:
            none = False
            yield Frame(each.raw.pixels(size), each.time, each.end - each.time)
        if none:
            raise PictureError(
                f"{self.what} has no frame between these moments",
                f"it lasts {float(self.duration):.2f} s" if self.duration else "",
                "take a longer interval",
            )

    def _interval(
        self, begin_s: Moment | None, end_s: Moment | None
    ) -> tuple[Fraction, Fraction | None]:
        for name, moment in (("begin", begin_s), ("end", end_s)):
            if moment is not None and not math.isfinite(moment):
                raise ConfigError(f"`{name}` {float(moment):g}", "allowed: a number of seconds")
        begin = exact(begin_s or 0)
        end = None if end_s is None else exact(end_s)
        if begin < 0 or (end is not None and end <= begin):
            given = f"from {float(begin):g} s to " + (
                "its end" if end is None else f"{float(end):g} s"
            )
            raise ConfigError(given, "allowed: from 0 s up, to a later moment")
        if self.duration is not None and begin >= self.duration:
            given = f"from {float(begin):g} s, and {self.what} lasts {float(self.duration):.2f} s"
            raise ConfigError(given, "", "begin earlier")
        return begin, end

    def _paced(self, fps: Moment | None) -> tuple[Source, Fraction | None]:
        """The source at this rate, and the time of a tick; None is none."""
        if fps is None:
            if self.rate > MAX_FPS:
                given = f"{self.what} has {float(self.rate):,.0f} frames a second"
                raise PictureError(given, f"allowed: up to {MAX_FPS:,}", "say how many by `fps`")
            return self.source, None
        if not 0 < fps <= MAX_FPS:
            raise ConfigError(f"`fps` {float(fps):g}", f"allowed: above 0, up to {MAX_FPS:,}")
        rate = Fraction(fps).limit_denominator(1001 * MAX_FPS)
        return self.source.at_rate(rate), 1 / rate


def _head(path: Path, what: str, allowed: str) -> bytes:
    """The first bytes of a regular file."""
    check_regular(path, what, allowed)
    try:
        with path.open("rb") as file:
            return file.read(HEAD_BYTES)
    except OSError as error:
        given = f"{what} cannot be read: {reason(error)}"
        raise PictureError(given, allowed, "check its permissions") from error


def is_clip(path: str | os.PathLike[str]) -> bool:
    """Whether a path is a folder or a film, and no picture; one that moves is a picture here."""
    place = as_on_disk(Path(path))
    try:
        return place.is_dir() or container_of(_head(place, "", "")) is not None
    except PictureError:  # what is wrong is said where it is read
        return False


def moves(path: str | os.PathLike[str]) -> bool:
    """Whether it is a clip, or a picture that moves."""
    if is_clip(path):
        return True
    try:
        open_animation(as_on_disk(Path(path)), "")
    except PictureError:
        return False
    return True


def open_clip(path: str | os.PathLike[str], role: str = "clip") -> Clip:
    """Read the beginning of a clip: MP4, MOV, MKV, WebM, animated GIF, WebP and PNG, by what
    they hold and not by their names; or a folder of numbered pictures.

    Args:
        path: of the file or the folder.
        role: what messages call it.

    Raises:
        PictureError: it is missing, no film, a still picture, without pictures, damaged so that
            nothing can be read, of high dynamic range, too small, or of a codec that is not there.
    """
    what = f"{role} '{path}'"
    place = as_on_disk(Path(path))
    if place.is_dir():
        return Clip(place, what, open_folder(place, what))
    allowed = f"allowed: {READABLE_TEXT}"
    head = _head(place, what, allowed)
    container = container_of(head)
    if container:
        return Clip(place, what, open_film(place, container, what))
    if head.startswith(STILL_HEADS) or head[8:].startswith(STILL_HEADS):
        return Clip(place, what, open_animation(place, what))
    raise PictureError(f"{what} is not a film of a known kind", allowed, "convert it to MP4")

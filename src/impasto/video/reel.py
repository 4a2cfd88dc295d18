"""Numbered frames on disk to a film: MP4, MOV, MKV, WebM, GIF, WebP, or a folder."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import PIL.Image

from impasto.config import Size
from impasto.errors import PictureError
from impasto.files import in_place_of
from impasto.pictures.films import (
    COLOURS,
    PALETTE_FRAMES,
    WEBP_SETTINGS,
    palette_image,
    shared_palette,
)
from impasto.video.clip import Clip
from impasto.video.kinds import (
    MILLISECONDS,
    Kind,
    base_of,
    check_target,
    in_ticks,
    kind_of,
    rate_of,
)
from impasto.video.muxing import container, encoded, in_yuv, mux, sound_for, stream_of, telling
from impasto.video.sound import Sound
from impasto.video.source import Pixels

if TYPE_CHECKING:
    from av import Packet, VideoFrame
    from av.video.stream import VideoStream

PALETTE_STEP_PX = 2  # of each frame from which colours are taken, each way
DIGITS = 6  # of a folder's numbers, at least: a day at 11 frames a second


@dataclass(frozen=True)
class Placed:
    """A finished frame on disk, and its time.

    Attributes:
        path: a PNG of 8-bit RGB; all of a film's have the same size.
        time: when it comes, in s on the source clip's clock.
    """

    path: Path
    time: Fraction


def read(path: Path) -> Pixels:
    """A frame that is on disk, (H, W, 3).

    Raises:
        PictureError: it can't be read.
    """
    try:
        with PIL.Image.open(path) as opened:
            return np.asarray(opened.convert("RGB"))
    except (OSError, SyntaxError, ValueError) as error:  # Pillow raises all for a damaged file
        given = f"frame '{path}' of the film cannot be read: {error}"
        raise PictureError(given, "", "delete it, and it is painted again") from error


def write(
    path: Path,
    frames: Sequence[Placed],
    end: Fraction,
    sound: Clip | None = None,
    on_frame: Callable[[int], None] | None = None,
    *,
    moved: bool = False,
) -> tuple[str, ...]:
    """Write a film, whole or not at all; the same input gives the same frames.

    And the same bytes too, but for H.264: see `pictures.films.mp4`.

    Odd sides are made even for H.264 by a line that is there twice.

    Args:
        path: as `check_target` has it.
        frames: in the order of their times; one is in memory at a time.
        end: when the last one ends, in s on the same clock.
        sound: the clip from which sound is carried over, of the time from the first frame to
            ``end``: packet by packet where the film's container can hold it, else encoded anew.
        on_frame: is told how many frames are done.
        moved: whether their folder itself may become the film, if that is one: it holds them all
            and nothing else, under the names of such a film, and they are not wanted there.

    Returns:
        What a person should know, a sentence each: no room for sound in a GIF, and so on.

    Raises:
        PictureError: a frame can't be read, or the film can't be written.
    """
    what = f"film '{path}'"
    if not frames:
        raise PictureError(f"{what} has no frames", "", "paint one or more")
    kind = kind_of(path)
    heard, notes = sound_for(kind, what, sound, frames[0].time, end)
    height, width, _ = read(frames[0].path).shape
    target = check_target(path, (height, width))
    job = _Job(frames, (height, width), end, heard, on_frame or (lambda _: None), notes)
    with telling(what):
        _write(target, path.suffix == "", kind, job, moved=moved)
    return tuple(notes)


@dataclass(frozen=True)
class _Job:
    """What is written: as `write` has it. All frames have the size of the first."""

    frames: Sequence[Placed]
    size: Size
    end: Fraction
    sound: Sound | None
    on_frame: Callable[[int], None]
    notes: list[str]

    @property
    def times(self) -> list[Fraction]:
        return [frame.time for frame in self.frames]

    def shown(self, base: Fraction, least: int) -> list[tuple[int, int, int]]:
        """As `in_ticks`, with a note where a frame is too short to be shown."""
        shown = in_ticks(self.times, self.end, base, least)
        left = len(self.frames) - len(shown)
        if left:
            self.notes.append(f"{left} frames are left out: the format shows none for so short")
        return shown

    def pixels(self, place: int) -> Pixels:
        """A frame, of the film's size."""
        pixels, path = read(self.frames[place].path), self.frames[place].path
        if pixels.shape[:2] != self.size:
            raise PictureError(f"frame '{path}' is not of the film's size", "", "paint it again")
        return pixels


def _write(target: Path, folder: bool, kind: Kind | None, job: _Job, *, moved: bool) -> None:
    if folder:
        _write_folder(target, job, moved=moved)
        return
    with in_place_of(target) as temporary:
        if kind is None:
            _write_webp(temporary, job)
        else:
            _write_film(temporary, kind, job)


def _write_folder(target: Path, job: _Job, *, moved: bool) -> None:
    """The frames themselves under new names: they take no more room."""
    if not (moved and _move_folder(target, job.frames[0].path.parent)):
        _link_folder(target, job)
    steps = {after - before for before, after in pairwise(job.times)}
    if len(steps) > 1:
        job.notes.append("a folder keeps no times: its pictures follow each other at any rate")


def _move_folder(target: Path, place: Path) -> bool:
    """Make a folder, whose pictures have their names already, the film; False where it can't be."""
    try:
        for each in place.glob(".*"):  # what killed processes left half written
            each.unlink()
        with suppress(FileNotFoundError):
            target.rmdir()
        place.rename(target)
    except OSError:  # the target is on another disk
        return False
    return True


def _link_folder(target: Path, job: _Job) -> None:
    """Make a folder of the frames, which stay where they are."""
    temporary = target.with_name(f".impasto-{secrets.token_hex(8)}.tmp")
    digits = max(DIGITS, len(str(len(job.frames))))
    try:
        temporary.mkdir()
        for number, frame in enumerate(job.frames):
            name = temporary / f"{number:0{digits}}.png"
            try:
                os.link(frame.path, name)
            except OSError:  # another disk, or a file system without links
                shutil.copyfile(frame.path, name)
            job.on_frame(number + 1)
        with suppress(FileNotFoundError):
            target.rmdir()
        temporary.rename(target)
    except BaseException:  # Ctrl-C too leaves nothing behind
        shutil.rmtree(temporary, ignore_errors=True)
        raise


class _Moving(PIL.Image.Image):
    """Frames on disk as an image of Pillow's that moves, one of which is in memory."""

    def __init__(self, job: _Job, places: Sequence[int]) -> None:
        super().__init__()
        self.job, self.places, self.n_frames = job, places, len(places)
        self.seek(0)

    def seek(self, frame: int) -> None:
        """Make one of the frames this image."""
        image = PIL.Image.fromarray(self.job.pixels(self.places[frame]))
        self.im, self._mode, self._size = image.im, image.mode, image.size
        self.place = frame
        self.job.on_frame(self.places[frame] + 1)

    def tell(self) -> int:
        """Which of the frames it is."""
        return self.place


def _write_webp(temporary: Path, job: _Job) -> None:
    """By Pillow, as `pictures.films.webp`, without all frames in memory."""
    shown = job.shown(MILLISECONDS, 1)
    moving = _Moving(job, [place for place, _, _ in shown])
    durations = [ticks for _, _, ticks in shown]
    with temporary.open("wb") as file:
        moving.save(file, "WEBP", save_all=True, duration=durations, loop=0, **WEBP_SETTINGS)


def _write_film(temporary: Path, kind: Kind, job: _Job) -> None:
    base = base_of(kind, job.times, job.end)
    shown = job.shown(base, kind.least_ticks)
    lasting = {tick: ticks for _, tick, ticks in shown}
    with container(temporary, kind, job.sound, shown[-1][2]) as (out, heard):
        stream = stream_of(out, kind, job.size, base, rate_of(shown, base))
        mux(out, heard, _packets(stream, kind, job, base, shown), lasting, base)


def _packets(
    stream: VideoStream,
    kind: Kind,
    job: _Job,
    base: Fraction,
    shown: Sequence[tuple[int, int, int]],
) -> Iterator[Packet[VideoStream]]:
    """What the encoder makes of the frames."""
    picture = _in_palette(job, shown) if kind.codec == "gif" else partial(in_yuv, even=kind.even)

    def told() -> Iterator[tuple[int, VideoFrame]]:
        for place, tick, _ in shown:
            yield tick, picture(job.pixels(place))
            job.on_frame(place + 1)

    return encoded(stream, told(), base)


def _in_palette(job: _Job, shown: Sequence[tuple[int, int, int]]) -> Callable[[Pixels], VideoFrame]:
    """Frames in the colours of one palette for all the film, dithered so that nothing flickers."""
    import av

    step = max(1, len(shown) // PALETTE_FRAMES)
    thin = slice(None, None, PALETTE_STEP_PX)
    some = [np.ascontiguousarray(job.pixels(place)[thin, thin]) for place, *_ in shown[::step]]
    palette = shared_palette(some)
    colours = np.asarray(palette.getpalette("RGB"), np.uint8).reshape(-1, 3)
    argb = np.full((COLOURS, 4), 255, np.uint8)  # opaque; of few colours the last are unused
    argb[: len(colours), 1:] = colours

    def frame(pixels: Pixels) -> VideoFrame:
        numbers = np.asarray(palette_image(pixels, palette))
        return av.VideoFrame.from_ndarray((numbers, argb), "pal8")  # type: ignore[arg-type]

    return frame

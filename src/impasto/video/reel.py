"""Numbered frames on disk to a film: MP4, MOV, MKV, WebM, GIF, WebP, or a folder."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from fractions import Fraction
from functools import partial
from itertools import pairwise
from math import lcm
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias, cast

import numpy as np
import PIL.Image

from impasto import pictures
from impasto.config import Size
from impasto.errors import PictureError, did_you_mean
from impasto.files import in_place_of
from impasto.pictures.films import (
    BT709,
    COLOURS,
    LIMITED_RANGE,
    MP4_SETTINGS,
    PALETTE_FRAMES,
    WEBP_SETTINGS,
    palette_image,
    shared_palette,
    yuv420p,
)
from impasto.pictures.opening import reason
from impasto.video.clip import Clip
from impasto.video.decoding import Film
from impasto.video.extra import require
from impasto.video.sound import Sound
from impasto.video.source import Pixels

if TYPE_CHECKING:
    from av import Packet, VideoFrame
    from av.audio.stream import AudioStream
    from av.container import OutputContainer
    from av.video.stream import VideoStream

    Heard: TypeAlias = Iterator[tuple[Fraction, Packet[AudioStream]]]

# No frames between: with them MP4 could not say how long the last one stands.
X264_SETTINGS = {**MP4_SETTINGS, "bf": "0"}
# Chosen by VP9's usual range for good quality; not compared by eye with what x264 makes.
VP9_SETTINGS = {"crf": "24", "b": "0", "deadline": "good", "cpu-used": "3", "row-mt": "0"}
VP9_SETTINGS |= {"threads": "1", "lag-in-frames": "16", "auto-alt-ref": "1"}
FINEST_BASE = 240_000  # ticks in a second: all usual rates together, such as 25 and 30000/1001
USUAL_BASE = Fraction(1, 90_000)  # for clips that have no common one: that of MPEG
MILLISECONDS, CENTISECONDS = Fraction(1, 1000), Fraction(1, 100)
GIF_LEAST_TICKS = 2  # browsers show a frame of 10 ms or less for 100 ms
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


@dataclass(frozen=True)
class Kind:
    """A kind of film that PyAV writes.

    Attributes:
        suffix: of its file's name.
        container: FFmpeg's name of its muxer.
        codec: FFmpeg's name of its encoder.
        longest_px: of a side, at most.
        settings: of the encoder.
        options: of the muxer.
        base: of its time stamps, in s; None is what its frames' times need.
        least_ticks: that a frame has to stand.
        even: whether sides have to be.
        held: codecs of sound that it can hold, by FFmpeg's names.
        sound: the encoder for all other sound; '' is none at all.
    """

    suffix: str
    container: str
    codec: str
    longest_px: int
    settings: dict[str, str] = field(default_factory=dict)
    options: dict[str, str] = field(default_factory=dict)
    base: Fraction | None = None
    least_ticks: int = 1
    even: bool = False
    held: frozenset[str] = frozenset()
    sound: str = ""


MP4_SOUND = frozenset(("aac", "mp3", "ac3", "eac3", "alac", "opus", "flac"))
MOV_SOUND = frozenset(("aac", "mp3", "ac3", "eac3", "alac", "pcm_s16le", "pcm_s24le"))
MKV_SOUND = MP4_SOUND | MOV_SOUND | {"vorbis", "dts", "truehd"}
WEBM_SOUND = frozenset(("opus", "vorbis"))
FASTSTART = {"movflags": "+faststart"}  # its index first, so that it plays while it is fetched
H264 = partial(Kind, codec="libx264", longest_px=16_384, settings=X264_SETTINGS, even=True)
KINDS = (
    H264(".mp4", "mp4", options=FASTSTART, held=MP4_SOUND, sound="aac"),
    H264(".mov", "mov", options=FASTSTART, held=MOV_SOUND, sound="aac"),
    H264(".mkv", "matroska", base=MILLISECONDS, held=MKV_SOUND, sound="aac"),
    Kind(
        ".webm",
        "webm",
        codec="libvpx-vp9",
        longest_px=16_384,
        settings=VP9_SETTINGS,
        base=MILLISECONDS,
        held=WEBM_SOUND,
        sound="libopus",
    ),
    Kind(
        ".gif",
        "gif",
        codec="gif",
        longest_px=65_535,
        base=CENTISECONDS,
        least_ticks=GIF_LEAST_TICKS,
    ),
)
WEBP, WEBP_LONGEST_PX = ".webp", 16_383
SUFFIXES = (*(kind.suffix for kind in KINDS), WEBP)


def kind_of(path: Path) -> Kind | None:
    """What PyAV writes for a name; None is WebP or a folder."""
    return next((kind for kind in KINDS if kind.suffix == path.suffix.lower()), None)


def check_target(path: Path, size: Size, inputs: Iterable[object] = ()) -> Path:
    """Make sure, before the work, that a film can be written; return where a link leads.

    Args:
        path: .mp4, .mov, .mkv, .webm, .gif, .webp, or without an ending: a folder, that may not be
            there yet or is empty.
        size: (height, width) of its frames.
        inputs: files that are not to be written over.

    Raises:
        PictureError: an ending that is not known, a missing codec, an input, no permission, a
            size that the format cannot hold.
    """
    what, suffix = f"film '{path}'", path.suffix.lower()
    if not suffix:
        return _check_folder(path, what)
    if suffix not in SUFFIXES:
        allowed = f"allowed: {', '.join(SUFFIXES)}, or no ending for a folder of pictures"
        hint = did_you_mean(suffix, SUFFIXES) or "try .mp4"
        raise PictureError(f"{what} has the ending '{path.suffix}'", allowed, hint)
    kind = kind_of(path)
    longest = kind.longest_px if kind else WEBP_LONGEST_PX
    if max(size) > longest:
        given = f"{what} is {size[1]} x {size[0]} px"
        raise PictureError(given, f"allowed: up to {longest} px a side", "try a smaller `size`")
    if kind is not None:
        _check_encoder(kind, what)
    return pictures.check_file(path, what, inputs)


def _check_encoder(kind: Kind, what: str) -> None:
    require(what, "av")
    from av.codec import Codec
    from av.codec.codec import UnknownCodecError

    try:
        Codec(kind.codec, "w")
    except UnknownCodecError as error:
        given = f"{what} needs the encoder {kind.codec}, which this PyAV is built without"
        raise PictureError(given, "", "try .gif, or install av from PyPI") from error


def _check_folder(path: Path, what: str) -> Path:
    """A folder that can be made, or is there and empty."""
    try:
        if path.is_dir():
            if any(path.iterdir()):
                given = f"{what} is a folder that is not empty"
                raise PictureError(given, "", "name another, or add .mp4 to the name")
            writable = os.access(path.parent, os.W_OK | os.X_OK)
            if not writable:
                raise PictureError(f"{what} may not be written", "", "check the permissions")
            return path.resolve()
    except OSError as error:
        raise PictureError(f"{what} cannot be written: {reason(error)}", "", "check it") from error
    return pictures.check_file(path, what)


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


def common_base(times: Iterable[Fraction]) -> Fraction:
    """The longest tick of which all these times are whole multiples, if it isn't absurdly short."""
    base = 1
    for time in times:
        base = lcm(base, time.denominator)
        if base > FINEST_BASE:
            return USUAL_BASE
    return Fraction(1, base)


def in_ticks(
    times: Sequence[Fraction], end: Fraction, base: Fraction, least: int
) -> list[tuple[int, int, int]]:
    """Which frame is shown, from which tick, for how many; what is too short to be is left out."""
    begins: list[tuple[int, int]] = []
    for place, time in enumerate(times):
        tick = round((time - times[0]) / base)
        if not begins or tick >= begins[-1][1] + least:
            begins.append((place, tick))
    last = max(round((end - times[0]) / base), begins[-1][1] + least)
    steps = pairwise([*(tick for _, tick in begins), last])
    return [
        (place, tick, after - tick) for (place, _), (tick, after) in zip(begins, steps, strict=True)
    ]


def evened(pixels: Pixels) -> Pixels:
    """With even sides: an odd one's last line is there twice."""
    height, width = pixels.shape[:2]
    if height % 2 == 0 and width % 2 == 0:
        return pixels
    return np.pad(pixels, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")


def write(
    path: Path,
    frames: Sequence[Placed],
    end: Fraction,
    sound: Clip | None = None,
    on_frame: Callable[[int], None] | None = None,
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

    Returns:
        What a person should know, a sentence each: no room for sound in a GIF, and so on.

    Raises:
        PictureError: a frame can't be read, or the film can't be written.
    """
    what, notes = f"film '{path}'", []
    if not frames:
        raise PictureError(f"{what} has no frames", "", "paint one or more")
    kind = kind_of(path)
    heard = _heard(sound, frames[0].time, end)
    if heard is not None and (kind is None or not kind.sound):
        notes.append(f"{what} has no sound: its format holds none")
        heard = None
    height, width, _ = read(frames[0].path).shape
    target = check_target(path, (height, width))
    job = _Job(frames, (height, width), end, heard, on_frame or (lambda _: None), notes)
    try:
        _write(target, path.suffix == "", kind, job)
    except PictureError:
        raise
    except OSError as error:
        given = f"{what} cannot be written: {reason(error)}"
        raise PictureError(given, "", "free some space, or write elsewhere") from error
    except Exception as error:  # encoders raise all kinds
        given = f"{what} cannot be made: {type(error).__name__}: {error}"
        raise PictureError(given, "", "try another ending") from error
    return tuple(notes)


def _heard(clip: Clip | None, begin: Fraction, end: Fraction) -> Sound | None:
    if clip is None or not clip.has_sound or not isinstance(clip.source, Film):
        return None
    return Sound(clip.source, begin, end)


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


def _write(target: Path, folder: bool, kind: Kind | None, job: _Job) -> None:
    if folder:
        _write_folder(target, job)
        return
    with in_place_of(target) as temporary:
        if kind is None:
            _write_webp(temporary, job)
        else:
            _write_film(temporary, kind, job)


def _write_folder(target: Path, job: _Job) -> None:
    """The frames themselves under new names: on the same disk they take no more room."""
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
    steps = {after - before for before, after in pairwise(job.times)}
    if len(steps) > 1:
        job.notes.append("a folder keeps no times: its pictures follow each other at any rate")


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
    import av

    since = (time - job.times[0] for time in (*job.times, job.end))
    base = kind.base or common_base(since)
    shown = job.shown(base, kind.least_ticks)
    options = {"fflags": "+bitexact", **kind.options}
    if kind.container == "gif":
        options |= {"loop": "0", "final_delay": str(shown[-1][2])}
    with ExitStack() as stack:
        out = stack.enter_context(
            av.open(f"file:{temporary}", "w", format=kind.container, container_options=options)
        )
        stream = _stream(out, kind, job, base, shown)
        heard: Heard = iter(())
        if job.sound is not None:
            heard = stack.enter_context(job.sound.into(out, kind.held, kind.sound))
        for time, packet in _packets(stream, kind, job, base, shown):
            _mux_until(out, heard, time)
            out.mux(packet)
        for _, left in heard:
            out.mux(left)


def _mux_until(out: OutputContainer, heard: Heard, time: Fraction) -> None:
    """Sound up to a moment, so that a player need not look for it far away."""
    for moment, packet in heard:
        out.mux(packet)
        if moment >= time:
            return


def _stream(
    out: OutputContainer,
    kind: Kind,
    job: _Job,
    base: Fraction,
    shown: Sequence[tuple[int, int, int]],
) -> VideoStream:
    """The film's stream of pictures, before anything is in it."""
    seconds = (shown[-1][1] + shown[-1][2]) * base
    rate = (len(shown) / seconds).limit_denominator(1001)
    added = out.add_stream(kind.codec, rate=rate, options=dict(kind.settings))
    stream = cast("VideoStream", added)
    context = stream.codec_context
    context.height, context.width = (each + (kind.even and each % 2) for each in job.size)
    context.time_base = stream.time_base = base
    context.thread_count = 1
    if kind.codec == "gif":
        context.pix_fmt = "pal8"
        return stream
    context.pix_fmt = "yuv420p"
    context.colorspace = context.color_primaries = context.color_trc = BT709
    context.color_range = LIMITED_RANGE
    return stream


def _packets(
    stream: VideoStream,
    kind: Kind,
    job: _Job,
    base: Fraction,
    shown: Sequence[tuple[int, int, int]],
) -> Iterator[tuple[Fraction, Packet[VideoStream]]]:
    """What the encoder makes of the frames, each with its time from the first."""
    lasting = {tick: ticks for _, tick, ticks in shown}
    picture = _in_palette(job, shown) if kind.codec == "gif" else partial(_in_yuv, even=kind.even)
    for place, tick, _ in [*shown, (None, 0, 0)]:
        frame = None
        if place is not None:
            frame = picture(job.pixels(place))
            frame.pts, frame.time_base = tick, base
            job.on_frame(place + 1)
        for packet in stream.encode(frame):
            assert packet.pts is not None
            packet.duration = lasting[packet.pts]
            yield packet.pts * base, packet


def _in_yuv(pixels: Pixels, even: bool) -> VideoFrame:
    return yuv420p(np.ascontiguousarray(evened(pixels) if even else pixels))


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

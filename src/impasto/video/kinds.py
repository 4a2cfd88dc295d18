"""The kinds of film that can be written: what each file can hold, and how its frames are timed."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import partial
from itertools import pairwise
from math import lcm
from pathlib import Path

from impasto import pictures
from impasto.config import Size
from impasto.errors import PictureError, did_you_mean
from impasto.pictures.films import MP4_SETTINGS
from impasto.pictures.opening import reason
from impasto.video.extra import require

# No frames between: with them MP4 could not say how long the last one stands.
X264_SETTINGS = {**MP4_SETTINGS, "bf": "0"}
# Chosen by VP9's usual range for good quality; not compared by eye with what x264 makes.
VP9_SETTINGS = {"crf": "24", "b": "0", "deadline": "good", "cpu-used": "3", "row-mt": "0"}
VP9_SETTINGS |= {"threads": "1", "lag-in-frames": "16", "auto-alt-ref": "1"}
FINEST_BASE = 240_000  # ticks in a second: all usual rates together, such as 25 and 30000/1001
USUAL_BASE = Fraction(1, 90_000)  # for clips that have no common one: that of MPEG
MILLISECONDS, CENTISECONDS = Fraction(1, 1000), Fraction(1, 100)
GIF_LEAST_TICKS = 2  # browsers show a frame of 10 ms or less for 100 ms


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


def base_of(kind: Kind, times: Sequence[Fraction], end: Fraction) -> Fraction:
    """The tick of a film whose frames come at these times, in s."""
    return kind.base or common_base(time - times[0] for time in (*times, end))


def rate_of(shown: Sequence[tuple[int, int, int]], base: Fraction) -> Fraction:
    """Frames in a second, on average, as a film's header says."""
    seconds = (shown[-1][1] + shown[-1][2]) * base
    return (len(shown) / seconds).limit_denominator(1001)

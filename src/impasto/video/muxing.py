"""Into a container: a stream of pictures, as its kind has it, and the clip's sound between them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias, cast

import numpy as np

from impasto.config import Size
from impasto.errors import PictureError
from impasto.pictures.films import BT709, LIMITED_RANGE, yuv420p
from impasto.pictures.opening import reason
from impasto.video.clip import Clip
from impasto.video.decoding import Film
from impasto.video.kinds import Kind
from impasto.video.sound import Sound
from impasto.video.source import Pixels

if TYPE_CHECKING:
    from av import Packet, VideoFrame
    from av.audio.stream import AudioStream
    from av.container import OutputContainer
    from av.video.stream import VideoStream

    Heard: TypeAlias = Iterator[tuple[Fraction, Packet[AudioStream]]]
    Hearing: TypeAlias = Callable[[], Heard]  # to be called once the pictures' stream is there


def evened(pixels: Pixels) -> Pixels:
    """With even sides: an odd one's last line is there twice."""
    height, width = pixels.shape[:2]
    if height % 2 == 0 and width % 2 == 0:
        return pixels
    return np.pad(pixels, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")


@contextmanager
def telling(what: str) -> Iterator[None]:
    """Turn what encoders and disks raise into an error that says what could not be done.

    Args:
        what: the film, as messages call it.
    """
    try:
        yield
    except PictureError:
        raise
    except OSError as error:
        given = f"{what} cannot be written: {reason(error)}"
        raise PictureError(given, "", "free some space, or write elsewhere") from error
    except Exception as error:  # encoders raise all kinds
        given = f"{what} cannot be made: {type(error).__name__}: {error}"
        raise PictureError(given, "", "try another ending") from error


def sound_for(
    kind: Kind | None, what: str, clip: Clip | None, begin: Fraction, end: Fraction
) -> tuple[Sound | None, list[str]]:
    """A clip's sound between two moments, if the film can hold any; a note where it can't.

    Args:
        kind: of the film; None is one that PyAV doesn't write.
        what: messages call it.
        clip: whose sound; None is nobody's.
        begin: in s on the clip's clock.
        end: likewise.
    """
    if clip is None or not clip.has_sound or not isinstance(clip.source, Film):
        return None, []
    if kind is None or not kind.sound:
        return None, [f"{what} has no sound: its format holds none"]
    return Sound(clip.source, begin, end), []


@contextmanager
def container(
    temporary: Path, kind: Kind, sound: Sound | None, last_ticks: int
) -> Iterator[tuple[OutputContainer, Hearing]]:
    """A film that is being written, and the sound that is to go into it."""
    import av

    options = {"fflags": "+bitexact", **kind.options}
    if kind.container == "gif":
        options |= {"loop": "0", "final_delay": str(last_ticks)}
    with ExitStack() as stack:
        out = stack.enter_context(
            av.open(f"file:{temporary}", "w", format=kind.container, container_options=options)
        )

        def heard() -> Heard:
            if sound is None:
                return iter(())
            return stack.enter_context(sound.into(out, kind.held, kind.sound))

        yield out, heard


def mux(
    out: OutputContainer,
    hearing: Hearing,
    packets: Iterable[Packet[VideoStream]],
    lasting: Mapping[int, int],
    base: Fraction,
) -> None:
    """All packets into a container, each for as long as it stands, and the sound between them."""
    heard = hearing()
    for packet in packets:
        assert packet.pts is not None
        packet.duration = lasting[packet.pts]
        _mux_until(out, heard, packet.pts * base)
        out.mux(packet)
    for _, left in heard:
        out.mux(left)


def _mux_until(out: OutputContainer, heard: Heard, time: Fraction) -> None:
    """Sound up to a moment, so that a player need not look for it far away."""
    for moment, packet in heard:
        out.mux(packet)
        if moment >= time:
            return


def stream_of(
    out: OutputContainer, kind: Kind, size: Size, base: Fraction, rate: Fraction
) -> VideoStream:
    """The film's stream of pictures, before anything is in it."""
    added = out.add_stream(kind.codec, rate=rate, options=dict(kind.settings))
    stream = cast("VideoStream", added)
    context = stream.codec_context
    context.height, context.width = (each + (kind.even and each % 2) for each in size)
    context.time_base = stream.time_base = base
    context.thread_count = 1
    if kind.codec == "gif":
        context.pix_fmt = "pal8"
        return stream
    context.pix_fmt = "yuv420p"
    context.colorspace = context.color_primaries = context.color_trc = BT709
    context.color_range = LIMITED_RANGE
    return stream


def encoded(
    stream: VideoStream, frames: Iterable[tuple[int, VideoFrame]], base: Fraction
) -> Iterator[Packet[VideoStream]]:
    """What the encoder makes of frames, each with the tick at which it comes."""
    for tick, frame in frames:
        frame.pts, frame.time_base = tick, base
        yield from stream.encode(frame)
    yield from stream.encode(None)


def in_yuv(pixels: Pixels, even: bool) -> VideoFrame:
    """Pixels as the encoders for film take them, with even sides where these are wanted."""
    return yuv420p(np.ascontiguousarray(evened(pixels) if even else pixels))

"""Finished stretches of a film, encoded as they will be in it, and joined as they are.

A long film does not fit a small disk frame by frame. So every stretch of a shot is encoded once its
frames are there, beginning with a key frame and knowing nothing of the others: which frames are a
stretch follows from their numbers alone, and so do the film's bytes, whoever painted them and
however often that was stopped.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch

from impasto import files
from impasto.config import Size
from impasto.errors import PictureError
from impasto.video.clip import Clip
from impasto.video.kinds import Kind, base_of, check_target, in_ticks, kind_of, rate_of
from impasto.video.muxing import container, encoded, in_yuv, mux, sound_for, stream_of, telling
from impasto.video.source import Pixels

if TYPE_CHECKING:
    from av import Packet
    from av.video.stream import VideoStream

# Frames of a stretch, or nearly twice as many at a shot's end. Each begins with a key frame: x264
# by itself makes one at least every 250. So many frames wait as PNG for each worker.
STRETCH_FRAMES = 120
HINT = "remove it, and its shot is painted again"


@dataclass(frozen=True)
class Coding:
    """How all of a film's frames are encoded.

    Attributes:
        suffix: of the film's name.
        size: (height, width) of its frames.
        base: of its time stamps, in s.
        rate: frames in a second, on average.
    """

    suffix: str
    size: Size
    base: Fraction
    rate: Fraction

    @property
    def kind(self) -> Kind:
        """What of film it is."""
        kind = kind_of(Path(f"film{self.suffix}"))
        assert kind is not None, "there is a coding for those only"
        return kind

    def to_json(self) -> list[Any]:
        """The coding as JSON can hold it."""
        return [self.suffix, list(self.size), str(self.base), str(self.rate)]

    @classmethod
    def from_json(cls, known: Sequence[Any]) -> Coding:
        """The coding that gave this."""
        suffix, (height, width), base, rate = known
        return cls(suffix, (height, width), Fraction(base), Fraction(rate))

    def encode(self, frames: Iterable[tuple[int, Pixels]]) -> bytes:
        """A stretch, with a checksum: its packets, one after the other.

        Args:
            frames: each with the tick at which it comes; there may be none.
        """
        import av

        kind = self.kind
        with av.open(io.BytesIO(), "w", format=kind.container) as out:  # nothing goes into it
            stream = stream_of(out, kind, self.size, self.base, self.rate)
            shown = ((tick, in_yuv(pixels, kind.even)) for tick, pixels in frames)
            packets = list(encoded(stream, shown, self.base))
            header = bytes(stream.codec_context.extradata or b"")
        marks = [[each.pts, each.dts, each.size, each.is_keyframe] for each in packets]
        tensors = {
            "data": torch.frombuffer(
                bytearray(b"".join(map(bytes, packets)) or b"\0"), dtype=torch.uint8
            ),
            "marks": torch.tensor(marks, dtype=torch.int64, device="cpu").reshape(-1, 4),
        }
        return files.to_safetensors(tensors, {"header": header.hex()})


def coding_of(
    suffix: str, size: Size, times: Sequence[Fraction], end: Fraction
) -> tuple[Coding | None, list[int | None]]:
    """How a film is encoded, and at which tick each of its frames comes; None at none.

    Args:
        suffix: of its name; of a GIF or WebP, or a folder, there is no coding: all frames of those
            are wanted at once, or as they are.
        size: (height, width) of its frames.
        times: when they come, in s.
        end: when the last one ends.
    """
    kind = kind_of(Path(f"film{suffix}"))
    if kind is None or kind.codec == "gif":
        return None, [None] * len(times)
    base = base_of(kind, times, end)
    shown = in_ticks(times, end, base, kind.least_ticks)
    ticks: list[int | None] = [None] * len(times)
    for place, tick, _ in shown:
        ticks[place] = tick
    return Coding(suffix, size, base, rate_of(shown, base)), ticks


def stretches_of(first: int, last: int) -> list[range]:
    """The stretches of a shot, by its first and last frame; all frames are in one of them."""
    count = last + 1 - first
    begins = [first + STRETCH_FRAMES * each for each in range(max(1, count // STRETCH_FRAMES))]
    ends = [*begins[1:], last + 1]
    return [range(*each) for each in zip(begins, ends, strict=True)]


def join(
    path: Path,
    stretches: Sequence[Path],
    coding: Coding,
    times: Sequence[Fraction],
    end: Fraction,
    sound: Clip | None = None,
) -> tuple[str, ...]:
    """Write a film of its stretches, whole or not at all; the same input gives the same bytes.

    Args:
        path: of the film.
        stretches: files of ``Coding.encode``, in the order of their times.
        coding: theirs.
        times: when each frame comes, in s.
        end: when the last one ends.
        sound: as `reel.write` has it.

    Returns:
        What a person should know, a sentence each.

    Raises:
        PictureError: a stretch can't be read, or the film can't be written.
    """
    what, kind, base = f"film '{path}'", coding.kind, coding.base
    heard, notes = sound_for(kind, what, sound, times[0], end)
    shown = in_ticks(times, end, base, kind.least_ticks)
    if left := len(times) - len(shown):
        notes.append(f"{left} frames are left out: the format shows none for so short")
    lasting = {tick: ticks for _, tick, ticks in shown}
    with (
        telling(what),
        files.in_place_of(check_target(path, coding.size)) as temporary,
        container(temporary, kind, heard, shown[-1][2]) as (out, hearing),
    ):
        stream = stream_of(out, kind, coding.size, base, coding.rate)
        stream.codec_context.open(strict=False)  # for its header: nothing is encoded any more
        header = bytes(stream.codec_context.extradata or b"")
        packets = (each for file in stretches for each in packets_in(file, stream, header))
        mux(out, hearing, packets, lasting, base)
    return tuple(notes)


def packets_in(path: Path, stream: VideoStream, header: bytes) -> Iterator[Packet[VideoStream]]:
    """A stretch's packets, for a film's stream.

    Raises:
        PictureError: it is damaged, or of an encoder whose stretches do not go with this one's.
    """
    import av

    try:
        tensors, info = files.read_safetensors(path)
        marks, data = tensors["marks"].tolist(), tensors["data"].numpy()
        theirs = bytes.fromhex((info or {})["header"])
    except Exception as error:  # whatever safetensors makes of what is damaged or gone
        raise PictureError(f"stretch '{path}' of the film cannot be read", "", HINT) from error
    if marks and theirs != header:
        given = f"stretch '{path}' was encoded by another version of PyAV"
        raise PictureError(given, "", "go on with the version that the film was begun with")
    begin = 0
    for pts, dts, size, key in marks:
        packet = cast(
            "Packet[VideoStream]",
            av.Packet(np.ascontiguousarray(data[begin : begin + size]).tobytes()),
        )
        packet.pts, packet.dts, packet.is_keyframe = pts, dts, bool(key)
        packet.stream = stream
        packet.time_base = stream.codec_context.time_base
        begin += size
        yield packet

"""A clip's sound, packet by packet, for a film of a part of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, TypeAlias, cast

from impasto.video.decoding import Film, opened, seek

if TYPE_CHECKING:
    from av import AudioFrame, Packet
    from av.audio.stream import AudioStream
    from av.container import InputContainer, OutputContainer

    Placed: TypeAlias = tuple[Fraction, Packet[AudioStream]]

# What encoders put before the first sample, which decoders take off again: 44 ms of AAC.
PRIMING_S = Fraction(1, 10)
MOST_CHANNELS = 2  # of sound that is encoded anew: what every player has
ENCODED_HZ = 48_000  # which AAC takes as well as Opus, that takes hardly any other
BIT_RATE = 160_000  # a second, at which AAC and Opus are hard to tell from what they were


@dataclass(frozen=True)
class Sound:
    """The sound of a part of a film.

    Attributes:
        film: where it is.
        begin: in s from the film's first frame.
        end: likewise.
    """

    film: Film
    begin: Fraction
    end: Fraction

    @contextmanager
    def into(
        self, out: OutputContainer, held: frozenset[str], encoder: str
    ) -> Iterator[Iterator[Placed]]:
        """Add a stream to a container that is being written, and give packets for it.

        Each comes with its time in s from ``begin``, and is to be muxed after what is earlier.

        Args:
            out: the container, to which nothing has been muxed yet.
            held: codecs, by FFmpeg's names, whose packets are copied as they are.
            encoder: for all others, of which the packets are made anew.
        """
        with opened(self.film.path, self.film.container, self.film.what) as inside:
            source = inside.streams.audio[0]
            if self.begin > 0:
                seek(inside, source, self.film.start + self.begin - PRIMING_S)
            if source.codec_context.codec.canonical_name in held:
                stream = out.add_stream_from_template(source)
                yield self._copied(inside, source, stream)
            else:
                stream = cast("AudioStream", out.add_stream(encoder, rate=ENCODED_HZ))
                few = source.codec_context.channels <= MOST_CHANNELS
                stream.codec_context.layout = source.codec_context.layout.name if few else "stereo"
                stream.codec_context.bit_rate = BIT_RATE
                yield self._encoded(inside, source, stream)

    def _copied(
        self, inside: InputContainer, source: AudioStream, stream: AudioStream
    ) -> Iterator[Placed]:
        base, since = source.time_base or Fraction(1), self.film.start + self.begin
        shift = round(since / base)
        for packet in inside.demux(source):
            if packet.pts is None:
                continue
            time = packet.pts * base - since
            if time >= self.end - self.begin:
                return
            if time >= (-PRIMING_S if self.begin == 0 else 0):
                packet.pts -= shift
                packet.dts = None if packet.dts is None else packet.dts - shift
                packet.stream = stream
                yield time, packet

    def _encoded(
        self, inside: InputContainer, source: AudioStream, stream: AudioStream
    ) -> Iterator[Placed]:
        for frame in self._heard(inside, source):
            for packet in stream.encode(frame):
                yield _time(packet), packet
        for packet in stream.encode(None):
            yield _time(packet), packet

    def _heard(self, inside: InputContainer, source: AudioStream) -> Iterator[AudioFrame]:
        """Decoded sound whose time stamps count samples from ``begin``."""
        import av

        for packet in inside.demux(source):
            try:
                frames = packet.decode()
            except av.FFmpegError:  # what is damaged is silent
                continue
            for frame in frames:
                if frame.pts is None or not frame.time_base:
                    continue
                time = frame.pts * frame.time_base - self.film.start - self.begin
                if time >= self.end - self.begin:
                    return
                if time >= 0:
                    frame.pts = round(time * frame.sample_rate)
                    frame.time_base = Fraction(1, frame.sample_rate)
                    yield frame


def _time(packet: Packet[AudioStream]) -> Fraction:
    return (packet.pts or 0) * packet.time_base

"""What PyAV reads: MP4, MOV, Matroska and WebM, with all that their files say of a frame."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np

from impasto.config import Size
from impasto.errors import PictureError
from impasto.pictures.opening import reason
from impasto.pictures.sizes import check_pixels, check_sides
from impasto.video.extra import require
from impasto.video.source import CUT_HINT, Facts, Pixels, Raw, shaped

if TYPE_CHECKING:
    from av import VideoFrame
    from av.container import InputContainer
    from av.filter import Graph
    from av.sidedata.sidedata import SideData
    from av.stream import Stream
    from av.video.reformatter import VideoReformatter
    from av.video.stream import VideoStream

# FFmpeg's name of each container's demuxer. Only these are ever tried: FFmpeg also knows playlists,
# which read other files and fetch from the net.
MOV, MATROSKA = "mov", "matroska"
MOV_ATOMS = (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot")
EBML = b"\x1a\x45\xdf\xa3"
STILL_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"mif1", b"avif")

# Code points of ITU-T H.273.
RGB, UNSPECIFIED = 0, 2
PQ, HLG = 16, 18  # transfer
BT709_PRIMARIES, WIDE_PRIMARIES = 1, (9, 12)  # BT.2020 and Display P3 are the wide ones
# Matrices that swscale knows, by its own numbers, which are nearly H.273's.
MATRICES = {1: 1, 4: 4, 5: 5, 6: 5, 7: 7, 9: 9}
BT709, BT601 = 1, 5
BT709_TRANSFER = 1
HD_FROM_PX = 720  # lines from which BT.709 is meant where nothing is said, as all players have it
LIMITED, FULL = 1, 2  # FFmpeg's numbers of colour ranges
USUAL_RATE = Fraction(25)  # where a file says none
SHORT_S = Fraction(1)  # a clip that ends earlier than its file says by more is cut short
MATRIX_BYTES = struct.Struct("<9i")


def container_of(head: bytes) -> str | None:
    """The container that a file's first 16 bytes tell, as FFmpeg calls it; None is none."""
    if head[4:8] in MOV_ATOMS:
        still = head[4:8] == b"ftyp" and head[8:12] in STILL_BRANDS
        return None if still else MOV
    return MATROSKA if head[:4] == EBML else None


def side_data(frame: VideoFrame, name: str) -> bytes | None:
    """What a frame has beside its pixels, by FFmpeg's name; None where it has none of it."""
    return next((bytes(each) for each in _beside(frame) if each.type.name == name), None)


def _beside(frame: VideoFrame) -> Sequence[SideData]:
    """Its iterator gives the things themselves, whatever its stubs say."""
    return list(cast("Iterable[SideData]", frame.side_data))


def turned(pixels: Pixels, frame: VideoFrame) -> Pixels:
    """Upright, by the display matrix: x' = a x + c y, y' = b x + d y, in quarters of a turn."""
    found = side_data(frame, "DISPLAYMATRIX")
    if found is None:
        return pixels
    a, b, _, c, d, *_ = MATRIX_BYTES.unpack(found)
    if abs(b) > abs(a):
        pixels, a, d = pixels.swapaxes(0, 1), c, b
    pixels = pixels[:, ::-1] if a < 0 else pixels
    return pixels[::-1] if d < 0 else pixels


def rgb(frame: VideoFrame, reformatter: VideoReformatter) -> Pixels:
    """A decoded frame's pixels by its own colour matrix, range and primaries, as they lie in the
    file. Its transfer is taken to be the screen's, as the web's players do.

    Args:
        frame: of a film.
        reformatter: the same for all of it: it takes seconds to learn a wide gamut.
    """
    from av.video.reformatter import Interpolation

    exact = Interpolation.BICUBIC | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT
    guessed = BT709 if frame.height >= HD_FROM_PX else BT601
    full = frame.color_range == FULL or frame.format.name.startswith("yuvj")
    wide = frame.color_primaries in WIDE_PRIMARIES
    if wide and frame.color_trc == UNSPECIFIED:
        frame.color_trc = BT709_TRANSFER
    made = reformatter.reformat(
        frame,
        format="rgb24",
        src_colorspace=None if frame.format.is_rgb else MATRICES.get(frame.colorspace, guessed),
        interpolation=exact | Interpolation.BITEXACT,
        src_color_range=FULL if full or frame.format.is_rgb else LIMITED,
        dst_color_range=FULL,
        dst_color_primaries=BT709_PRIMARIES if wide else None,
        threads=1,
    )
    return np.asarray(made.to_ndarray(), dtype=np.uint8)


def displayed(frame: VideoFrame, aspect: Fraction) -> Size:
    """(height, width) of a frame as it is to be seen, given its pixels' aspect."""
    size = frame.height, max(1, round(frame.width * aspect))
    probe = np.empty((2, 1, 3), np.uint8)  # stands, and lies once it is turned by a quarter
    return size[::-1] if turned(probe, frame).shape[0] == 1 else size


def _through(
    graph: Graph, frame: VideoFrame | None, nothing: tuple[type[Exception], ...]
) -> Iterator[VideoFrame]:
    """What comes out of a graph of filters once a frame has gone in; None is the end."""
    graph.vpush(frame)
    while True:
        try:
            yield graph.vpull()
        except nothing:
            return


def progressive(frames: Iterable[VideoFrame]) -> Iterator[VideoFrame]:
    """Frames of which each is whole at one moment: interlaced ones go through FFmpeg's bwdif."""
    from av.error import BlockingIOError, EOFError
    from av.filter import Graph

    graph = None
    for frame in frames:
        if graph is None and not frame.interlaced_frame:
            yield frame
            continue
        if graph is None:
            graph = Graph()
            buffer = graph.add_buffer(
                width=frame.width,
                height=frame.height,
                format=frame.format,
                time_base=frame.time_base,
            )
            graph.link_nodes(
                buffer, graph.add("bwdif", "mode=send_frame"), graph.add("buffersink")
            ).configure()
        yield from _through(graph, frame, (BlockingIOError, EOFError))
    if graph is not None:
        yield from _through(graph, None, (BlockingIOError, EOFError))


@contextmanager
def opened(path: Path, container: str, what: str) -> Iterator[InputContainer]:
    """A container of a kind that is known, read through a file that is ours: no name is a URL."""
    import av

    try:
        file = path.open("rb")
    except OSError as error:
        raise PictureError(f"{what} cannot be read: {reason(error)}", "", "check it") from error
    with file:
        try:
            inside = av.open(file, "r", format=container)
        except (av.FFmpegError, ValueError) as error:
            given = f"{what} is damaged or cut short: its index or its beginning is missing"
            raise PictureError(given, "", CUT_HINT) from error
        with inside:
            yield inside


def seek(inside: InputContainer, stream: Stream, time: Fraction) -> None:
    """Go to what can be decoded from, before a time in s; without an index, stay."""
    import av

    with suppress(av.FFmpegError, OverflowError):
        inside.seek(int(time / (stream.time_base or 1)), stream=stream)


def pictures_of(inside: InputContainer, what: str) -> VideoStream:
    """The stream of pictures, a cover apart."""
    from av.stream import Disposition

    covers = Disposition.attached_pic
    streams = [each for each in inside.streams.video if not each.disposition & covers]
    if not streams:
        held = "sound and no pictures" if inside.streams.audio else "no pictures"
        raise PictureError(f"{what} has {held}", "a film is wanted", "check the file")
    stream = streams[0]
    if stream.codec_context is None or not stream.codec_context.name:
        tag = getattr(stream, "codec_tag", "") or "unknown"
        given = f"{what} is coded in a way that is not known here ('{tag}')"
        raise PictureError(given, "", "convert it to H.264 first")
    stream.thread_type, stream.codec_context.thread_count = "NONE", 1
    return stream


def decoded(
    inside: InputContainer, stream: VideoStream, tell: Callable[[str], None]
) -> Iterator[VideoFrame]:
    """All frames that can be had; what can't be decoded is left out and told once."""
    import av

    packets, damaged = inside.demux(stream), False
    while True:
        try:
            packet = next(packets, None)
            if packet is None:
                return
            frames = packet.decode()
        except av.FFmpegError as error:
            if not damaged:
                tell(f"damaged in places, which are left out ({reason(error)})")
            damaged = True
            if isinstance(error, OSError) and not isinstance(error, ValueError):
                return  # the file itself can't be read further
            continue
        yield from frames


def check_colours(frame: VideoFrame, what: str) -> None:
    """Refuse what would come out pale or false."""
    dolby = side_data(frame, "DOVI_METADATA") is not None
    if frame.color_trc in (PQ, HLG) or (dolby and frame.color_trc == UNSPECIFIED):
        kind = {PQ: "HDR (PQ)", HLG: "HDR (HLG)"}.get(frame.color_trc, "HDR (Dolby Vision)")
        raise PictureError(
            f"{what} is of high dynamic range: {kind}",
            "a film of standard dynamic range is wanted",
            "convert it first, as SDR or Rec. 709",
        )
    if not frame.format.is_rgb and frame.colorspace not in (*MATRICES, UNSPECIFIED):
        given = f"{what} has colours coded in a way that is not known here"
        raise PictureError(f"{given} (matrix {frame.colorspace})", "", "convert it to BT.709")


@dataclass(frozen=True)
class Film:
    """A file that PyAV reads.

    Attributes:
        path: of the file.
        container: its demuxer.
        what: what messages call it.
        facts: what it says of itself.
        start: the time stamp of its first frame, in s.
        aspect: of a pixel, width over height.
    """

    path: Path
    container: str
    what: str
    facts: Facts
    start: Fraction
    aspect: Fraction

    def at_rate(self, fps: Fraction) -> Film:  # noqa: ARG002
        """Itself: it has times of its own."""
        return self

    def raw(self, begin: Fraction, tell: Callable[[str], None]) -> Iterator[Raw]:
        """As Source has it; begins at a key frame before."""
        found = self._from(begin, tell)
        first = next(found, None)
        if first is not None and first.time > begin and begin > 0:  # the file's index is wrong
            found = self._from(Fraction(0), tell)
            first = next(found, None)
        if first is not None:
            yield first
        yield from found

    def _from(self, begin: Fraction, tell: Callable[[str], None]) -> Iterator[Raw]:
        from av.video.reformatter import VideoReformatter

        end, reformatter = Fraction(0), VideoReformatter()
        with opened(self.path, self.container, self.what) as inside:
            stream = pictures_of(inside, self.what)
            if begin > 0 and stream.time_base:
                seek(inside, stream, self.start + begin)
            for frame in progressive(decoded(inside, stream, tell)):
                time = time_of(frame)
                time = end if time is None else time - self.start
                duration = Fraction(frame.duration or 0) * (frame.time_base or 0) or None
                end = time + (duration or 1 / self.facts.rate)
                yield Raw(time, duration, partial(self._pixels, frame, reformatter))
        if self.facts.duration and end < self.facts.duration - SHORT_S:
            tell(f"cut short: it ends at {float(end):.1f} s of {float(self.facts.duration):.1f} s")

    def _pixels(self, frame: VideoFrame, reformatter: VideoReformatter, size: Size) -> Pixels:
        return shaped(turned(rgb(frame, reformatter), frame), size)


def time_of(frame: VideoFrame) -> Fraction | None:
    """A frame's time stamp in s; None where it has none."""
    if frame.pts is None or not frame.time_base:
        return None
    return frame.pts * frame.time_base


def open_film(path: Path, container: str, what: str) -> Film:
    """Read a film's beginning: two frames of it.

    Raises:
        PictureError: as `open_clip`.
    """
    require(what, "av")
    with opened(path, container, what) as inside:
        stream = pictures_of(inside, what)
        facts, start, aspect = _begun(inside, stream, what)
    return Film(path, container, what, facts, start, aspect)


def _begun(
    inside: InputContainer, stream: VideoStream, what: str
) -> tuple[Facts, Fraction, Fraction]:
    """What the first two frames and the file's header say; when it starts; its pixels' aspect."""
    found = decoded(inside, stream, lambda _: None)
    frame = next(found, None)
    if frame is None:
        raise PictureError(f"{what} has no frame that can be decoded", "", CUT_HINT)
    check_colours(frame, what)
    if next(found, None) is None:
        given = f"{what} has one frame only"
        raise PictureError(given, "a film has two or more", "save the frame as a picture")
    aspect = stream.sample_aspect_ratio or stream.codec_context.sample_aspect_ratio or Fraction(1)
    size = displayed(frame, aspect if aspect > 0 else Fraction(1))
    check_pixels(size, what)
    check_sides(size, what)
    base = stream.time_base or Fraction(1, 1000)
    notes = ["its fields are joined to whole frames"] if frame.interlaced_frame else []
    facts = Facts(
        size=size,
        rate=stream.average_rate or stream.guessed_rate or USUAL_RATE,
        frame_count=stream.frames or None,
        duration=_duration(inside, stream, base),
        time_base=base,
        has_sound=bool(inside.streams.audio),
        notes=tuple(f"{what}: {note}" for note in notes),
    )
    return facts, time_of(frame) or Fraction(0), aspect


def _duration(inside: InputContainer, stream: VideoStream, base: Fraction) -> Fraction | None:
    """In s, the stream's or else the container's, in which sound may be longer."""
    import av

    if stream.duration:
        return stream.duration * base
    return Fraction(inside.duration, av.time_base) if inside.duration else None

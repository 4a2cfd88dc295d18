"""Frames to the bytes of a film: MP4, GIF and WebP."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import numpy.typing as npt

from impasto.config import Size, scale_size
from impasto.errors import PictureError, did_you_mean

if TYPE_CHECKING:
    from av import VideoFrame
    from PIL import Image

Frame: TypeAlias = npt.NDArray[np.uint8]  # (height, width, 3), sRGB
Shot: TypeAlias = tuple[Frame, int]  # a frame, and for how many of the film's ticks it stands

# Encoders' settings, chosen by looking at films of six pairs of pictures, and weighing them.
MP4_SETTINGS = {"crf": "17", "preset": "medium", "threads": "1"}
WEBP_SETTINGS = {"quality": 80, "method": 3, "kmin": 0, "kmax": 1}
PALETTE_FRAMES, PALETTE_FIRST, PALETTE_LAST = 12, 4, 6  # from all of the film, and of one so often
PALETTE_SAMPLES, KMEANS_ROUNDS, COLOURS = 30_000, 5, 256
DITHER_LEVELS = 8  # of 255, from the lowest offset to the highest; at 20 a clear sky shows a weave
PILLOW_FLOORS = 1.5  # looks colours up as multiples of 4, rounded down: too dark by this on average
BAYER = np.array([[0, 8, 2, 10], [12, 4, 14, 6], [3, 11, 1, 9], [15, 7, 13, 5]])

# Code points of ITU-T H.273 for a film's colours.
BT709, SRGB_TRANSFER, LIMITED_RANGE = 1, 13, 1

INSTALL_AV = "install film support: pip install av"


def mp4(shots: Iterable[Shot], frames_per_s: int) -> bytes:
    """H.264 in the form that every browser, phone and television plays.

    Half the colour resolution, and BT.709's matrix, as they expect; the picture's own transfer.
    One thread, so that the same frames give the same film. Not always to the byte, as a GIF or a
    WebP: x264 reads memory that it has not written (valgrind shows it), and of thousands of films
    one came out with a frame coded otherwise.
    """
    import av

    shots, buffer = iter(shots), io.BytesIO()
    first = next(shots)
    with av.open(buffer, "w", format="mp4", options={"fflags": "+bitexact"}) as film:
        stream = film.add_stream("libx264", rate=frames_per_s, options=MP4_SETTINGS)
        stream.pix_fmt, stream.thread_count = "yuv420p", 1
        stream.colorspace, stream.color_primaries = BT709, BT709
        stream.color_trc, stream.color_range = SRGB_TRANSFER, LIMITED_RANGE
        stream.height, stream.width = first[0].shape[:2]
        for frame, ticks in chain([first], shots):
            for _ in range(ticks):
                film.mux(stream.encode(yuv420p(frame)))
        film.mux(stream.encode(None))
    return buffer.getvalue()


def yuv420p(frame: Frame) -> VideoFrame:
    """A frame for encoders of video: half the colour resolution, BT.709's matrix."""
    import av

    picture = av.VideoFrame.from_ndarray(frame, "rgb24")
    return picture.reformat(
        format="yuv420p", dst_colorspace=BT709, dst_color_range=LIMITED_RANGE, threads=1
    )


def gif(shots: Iterable[Shot], frames_per_s: int) -> bytes:
    """One palette for all frames, and a dither that stays where it is: nothing flickers."""
    shown = list(shots)
    palette = shared_palette([frame for frame, _ in shown])
    frames = (palette_image(frame, palette) for frame, _ in shown)
    return animated("GIF", frames, durations_ms(shown, frames_per_s), optimize=False)


def webp(shots: Iterable[Shot], frames_per_s: int) -> bytes:
    """All colours, lossy; every frame a key frame.

    Frames that say only what differs from the one before make half the bytes. But they drift, and
    each key frame among them then jumps: measured, by six times what a frame should move on.
    """
    import PIL.Image

    shown = list(shots)
    frames = (PIL.Image.fromarray(frame) for frame, _ in shown)
    return animated("WEBP", frames, durations_ms(shown, frames_per_s), **WEBP_SETTINGS)


def animated(
    name: str, frames: Iterator[Image.Image], durations: Sequence[int], **settings: object
) -> bytes:
    """A file of Pillow's that plays its frames for ever, each for so many milliseconds."""
    buffer = io.BytesIO()
    next(frames).save(
        buffer,
        name,
        save_all=True,
        append_images=frames,
        duration=list(durations),
        loop=0,
        **settings,
    )
    return buffer.getvalue()


def durations_ms(shots: Sequence[Shot], frames_per_s: int) -> list[int]:
    """How long each stands."""
    return [1000 * ticks // frames_per_s for _, ticks in shots]


def shared_palette(frames: Sequence[Frame]) -> Image.Image:
    """The 256 colours that come nearest to those of the whole film: median cut, then k-means.

    Frames from all of it count, and those that stand most.
    """
    import PIL.Image
    from scipy.cluster.vq import vq

    some = [*frames[:: max(1, len(frames) // PALETTE_FRAMES)], *PALETTE_FIRST * [frames[0]]]
    some += PALETTE_LAST * [frames[-1]]
    samples = np.concatenate([frame.reshape(-1, 3) for frame in some])
    samples = samples[:: max(1, len(samples) // PALETTE_SAMPLES)]
    cut = PIL.Image.fromarray(samples[None]).quantize(COLOURS, PIL.Image.Quantize.MEDIANCUT)
    points = samples.astype(np.float64)
    colours = np.array(cut.getpalette(), np.float64).reshape(-1, 3)
    for _ in range(KMEANS_ROUNDS):
        nearest, _ = vq(points, colours)
        counts = np.bincount(nearest, minlength=len(colours))
        sums = [np.bincount(nearest, each, len(colours)) for each in points.T]
        means = np.stack(sums, axis=1) / np.maximum(counts, 1)[:, None]
        colours = np.where(counts[:, None] > 0, means, colours)
    palette = PIL.Image.new("P", (1, 1))
    palette.putpalette(np.round(colours).astype(np.uint8).tobytes())
    return palette


def palette_image(frame: Frame, palette: Image.Image) -> Image.Image:
    """The frame in colours of the palette, by an ordered dither (Bayer 1973).

    Error diffusion looks better in one picture and boils in a film: one sample's change moves the
    dots of all that come after it.
    """
    import PIL.Image

    height, width = frame.shape[:2]
    tiles = (-(-height // len(BAYER)), -(-width // len(BAYER)), 1)
    offsets = np.tile((BAYER[..., None] + 0.5) / BAYER.size - 0.5, tiles)[:height, :width]
    dithered = np.round(frame + DITHER_LEVELS * offsets + PILLOW_FLOORS).clip(0, 255)
    found = PIL.Image.fromarray(dithered.astype(np.uint8))
    return found.quantize(palette=palette, dither=PIL.Image.Dither.NONE)


@dataclass(frozen=True)
class Form:
    """A kind of film.

    Attributes:
        suffix: the ending of its file's name.
        encode: shots, and how many ticks are a second, to the file's bytes.
        longest_px: of the longer side, at most.
        frames_per_s: ticks in a second.
        seconds: that the change takes, without the first and the last frame's standing.
        multiple_px: what both sides have to be a multiple of.
    """

    suffix: str
    encode: Callable[[Iterable[Shot], int], bytes]
    longest_px: int
    frames_per_s: int
    seconds: float
    multiple_px: int = 1

    def size(self, result: Size) -> Size:
        """(height, width) of a film about a result of that size; never larger."""
        height, width = scale_size(result, min(1.0, self.longest_px / max(result)))
        return height - height % self.multiple_px, width - width % self.multiple_px


# Sizes and speeds by which a film of brush strokes, which hardly compress, stays below 5 MB, so
# that it can be mailed. (One that starts from noise is larger as a GIF: 6.4 MB.)
FORMS = (
    Form(".mp4", mp4, longest_px=720, frames_per_s=24, seconds=6.0, multiple_px=2),
    Form(".gif", gif, longest_px=336, frames_per_s=10, seconds=4.0),
    Form(".webp", webp, longest_px=480, frames_per_s=15, seconds=5.0),
)


def form_of(path: Path) -> Form:
    """The kind of film that a file's name asks for.

    Raises:
        PictureError: there is none, or what it needs is not installed.
    """
    suffix, known = path.suffix.lower(), [form.suffix for form in FORMS]
    form = next((form for form in FORMS if form.suffix == suffix), None)
    if form is None:
        given = f"the ending '{path.suffix}'" if suffix else "no ending"
        hint = did_you_mean(suffix, known) or "try .mp4"
        raise PictureError(f"film '{path}' has {given}", f"allowed: {', '.join(known)}", hint)
    if form.encode is mp4:
        try:
            import av  # noqa: F401
        except ImportError as error:
            others = f"allowed without it: {', '.join(known[1:])}"
            raise PictureError(f"film '{path}' needs PyAV", others, INSTALL_AV) from error
    return form

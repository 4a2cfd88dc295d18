"""The picture coming into being, as a film that is paced by change and not by iterations.

An iteration at the beginning changes the picture eight times as much as one at the end. So a frame
is kept whenever the picture has changed by a fixed amount, and the film goes on by the same amount
from each of its frames to the next, blending what was kept.
"""

from __future__ import annotations

import hashlib
import io
import json
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from itertools import chain, pairwise
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import numpy.typing as npt
from torch import Tensor

from impasto import image
from impasto.checkpoint import EVERY_FRAME, FRAME, FRAMES, RUN_DIGITS, TEMPORARY, Checkpoint
from impasto.config import Size, scale_size
from impasto.errors import PictureError, did_you_mean
from impasto.files import write_atomically

if TYPE_CHECKING:
    from PIL import Image

    from impasto.api import Job, Result
    from impasto.optimize import Step

Frame: TypeAlias = npt.NDArray[np.uint8]  # (height, width, 3), sRGB
Shot: TypeAlias = tuple[Frame, int]  # a frame, and for how many of the film's ticks it stands

# RMS of all samples in [0, 1]: a step of 8 bits. Kept 44 frames of 56 iterations at the default
# settings, and 45 of 500 with the preset paper; a film's own steps were a little smaller.
CHANGE = 1 / 255
# Kept frames after which the next have to differ twice as much, and so on: few runs come that far,
# and none fills a disk.
MANY = 200
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

FAST_PNG = 1  # zlib's level: four times as fast as the default, and a seventh larger
FIRST_S, LAST_S = 0.6, 2.0  # how long the first and the last frame stand
INSTALL_AV = "install film support: pip install av"


def mp4(shots: Iterable[Shot], frames_per_s: int) -> bytes:
    """H.264 in the form that every browser, phone and television plays; one thread: same bytes.

    Half the colour resolution, and BT.709's matrix, as they expect; the picture's own transfer.
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
                picture = av.VideoFrame.from_ndarray(frame, "rgb24")
                picture = picture.reformat(
                    format="yuv420p", dst_colorspace=BT709, dst_color_range=LIMITED_RANGE
                )
                film.mux(stream.encode(picture))
        film.mux(stream.encode(None))
    return buffer.getvalue()


def gif(shots: Iterable[Shot], frames_per_s: int) -> bytes:
    """One palette for all frames, and a dither that stays where it is: nothing flickers."""
    shown = list(shots)
    palette = shared_palette([frame for frame, _ in shown])
    frames = (palette_image(frame, palette) for frame, _ in shown)
    buffer = io.BytesIO()
    next(frames).save(
        buffer,
        "GIF",
        save_all=True,
        append_images=frames,
        duration=durations_ms(shown, frames_per_s),
        loop=0,
        optimize=False,
    )
    return buffer.getvalue()


def webp(shots: Iterable[Shot], frames_per_s: int) -> bytes:
    """All colours, lossy; every frame a key frame.

    Frames that say only what differs from the one before make half the bytes. But they drift, and
    each key frame among them then jumps: measured, by six times what a frame should move on.
    """
    import PIL.Image

    shown = list(shots)
    first, *others = (PIL.Image.fromarray(frame) for frame, _ in shown)
    buffer = io.BytesIO()
    first.save(
        buffer,
        "WEBP",
        save_all=True,
        append_images=others,
        duration=durations_ms(shown, frames_per_s),
        loop=0,
        **WEBP_SETTINGS,
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


def check_path(path: Path, inputs: Iterable[object] = (), results: Iterable[object] = ()) -> Path:
    """Make sure, before the work, that a film can be written; return the file that a link leads to.

    Raises:
        PictureError: as `form_of`; it may not be written, or is an input or a result.
    """
    form_of(path)
    what = f"film '{path}'"
    image.check_file(path, what, inputs)
    return image.check_file(path, what, results, "the result")


class Timeline:
    """A listener of Steps that keeps frames on disk, and makes a film of them at the end.

    Nothing of it is decided by the clock: a run that was killed and gone on with has the same
    frames, and the film the same bytes, as one that nothing stopped.

    Args:
        job: what is run.
        path: the film, .mp4, .gif or .webp; that ending decides size and speed.
        folder: where frames are kept, the checkpoint's if the run is to be gone on with; None is a
            temporary folder.
        before: the checkpoint in it that the run goes on from.

    Attributes:
        gap: whether the run goes on from iterations of which nothing was kept.

    Raises:
        PictureError: as `check_path`; when called, that a frame can't be kept.

    Example:
        >>> from impasto.api import prepare
        >>> from impasto.config import configure
        >>> job = prepare("photo.jpg", "night-swirls", configure(size=256))  # doctest: +SKIP
        >>> timeline = Timeline(job, "film.mp4")  # doctest: +SKIP
        >>> timeline.save(job.run(timeline))  # doctest: +SKIP
    """

    def __init__(
        self,
        job: Job,
        path: str | Path,
        folder: Path | None = None,
        before: Checkpoint | None = None,
    ) -> None:
        self.path = Path(path)
        check_path(self.path)
        self.form = form_of(self.path)
        self.size = self.form.size(job.size)
        alpha = job.photograph.alpha
        self.alpha = None if alpha is None else image.resize(alpha, self.size)
        self.start = self.frame(job.first())
        if folder is None:
            self.temporary = tempfile.TemporaryDirectory(prefix="impasto-")  # goes with this object
            folder = Path(self.temporary.name)
        # Frames of another run that may lie there have another name: see `checkpoint.remove`.
        run = json.dumps([job.facts(), self.size], sort_keys=True)
        name = hashlib.sha256(run.encode()).hexdigest()[:RUN_DIGITS]
        self.folder = folder / FRAMES.format(name)
        self.gap = before is not None and not self.folder.is_dir()
        self.kept = self.left_by(before) if before else []
        self.newest = read(self.kept[-1]) if self.kept else self.start

    def left_by(self, before: Checkpoint) -> list[Path]:
        """The frames up to a checkpoint; those after it go, for the run will make them again."""
        there = sorted(self.folder.glob(EVERY_FRAME))
        newest = FRAME.format(before.step.iteration)
        for path in there:
            if path.name > newest:
                with suppress(OSError):
                    path.unlink()
        return [path for path in there if path.name <= newest]

    def frame(self, pixels: Tensor) -> Frame:
        """Pixels (1, 3, h, w) as they are in the film; what is transparent is on white there."""
        pixels = image.resize(pixels, self.size)
        if self.alpha is not None:
            pixels = pixels * self.alpha + (1 - self.alpha)
        return np.asarray(image.to_pil(pixels))

    def __call__(self, step: Step) -> None:
        if not self.kept:
            self.make_folder()
        frame = self.frame(step.picture())
        if change(self.newest, frame) >= CHANGE * 2 ** (len(self.kept) // MANY):
            self.keep(self.folder / FRAME.format(step.iteration), frame)

    def keep(self, path: Path, frame: Frame) -> None:
        """Put a frame on disk."""
        import PIL.Image

        data = io.BytesIO()
        PIL.Image.fromarray(frame).save(data, "PNG", compress_level=FAST_PNG)
        try:
            write_atomically(path, data.getvalue(), self.folder / TEMPORARY)
        except OSError as error:
            given = f"frame {path.stem} of film '{self.path}' cannot be kept: {error.strerror}"
            raise PictureError(given, "", "free some space") from error
        self.kept.append(path)
        self.newest = frame

    def make_folder(self) -> None:
        """So that whoever goes on sees that frames are kept, even if there is none yet."""
        try:
            for folder in (self.folder.parent, self.folder):
                folder.mkdir(exist_ok=True)
        except OSError as error:
            given = f"frames of film '{self.path}' cannot be kept: {error.strerror}"
            raise PictureError(given, "", "free some space") from error

    def save(self, result: Result) -> Path:
        """Write the film, from what the work started from to the result, whole or not at all.

        Raises:
            PictureError: it can't be made or written.
        """
        last = self.frame(result.pixels)
        kept = [partial(read, path) for path in self.kept]
        pictures: list[Callable[[], Frame]] = [lambda: self.start, *kept, lambda: last]
        form, what = self.form, f"film '{self.path}'"
        try:
            shots = paced(pictures, form)
            data = form.encode(shots, form.frames_per_s)
        except PictureError:
            raise
        except Exception as error:  # encoders raise all kinds
            given = f"{what} cannot be made: {type(error).__name__}: {error}"
            raise PictureError(given, "", "try another ending") from error
        try:
            write_atomically(check_path(self.path), data)
        except OSError as error:
            given = f"{what} cannot be written: {error.strerror}"
            raise PictureError(given, "", "free some space") from error
        return self.path


def read(path: Path) -> Frame:
    """A frame that was kept."""
    import PIL.Image

    try:
        with PIL.Image.open(path) as opened:
            return np.asarray(opened)
    except (OSError, SyntaxError) as error:  # Pillow raises both for a damaged file
        given = f"{path}: this frame of the film cannot be read"
        raise PictureError(given, "", "delete it, and the film goes on without it") from error


def change(one: Frame, other: Frame) -> float:
    """How far two frames are apart: RMS of all samples, in [0, 1]."""
    differences = one.astype(np.float32) - other
    return float(np.sqrt(np.mean(np.square(differences), dtype=np.float64))) / 255


def paced(pictures: Sequence[Callable[[], Frame]], form: Form) -> Iterator[Shot]:
    """The film: all at equal steps of change, but for the first and the last, which stand."""
    steps = round(form.seconds * form.frames_per_s)
    standing = {
        0: round(FIRST_S * form.frames_per_s),
        steps: round(LAST_S * form.frames_per_s),
    }
    for place, frame in enumerate(at_equal_steps(pictures, steps)):
        yield frame, standing.get(place, 1)


def at_equal_steps(pictures: Sequence[Callable[[], Frame]], steps: int) -> Iterator[Frame]:
    """So many steps from the first picture to the last, each as large a change as any other.

    Between two pictures they are blends of both. Only two are in memory at a time.
    """
    moved = [change(one, other) for one, other in pairwise(each() for each in pictures)]
    along = np.cumsum([0.0, *moved])
    after, pair = 0, (pictures[0](), pictures[0]())
    for place in np.linspace(0.0, along[-1], steps + 1):
        while after < len(moved) and along[after] < place:
            after += 1
            pair = (pair[1], pictures[after]())
        share = (place - along[after - 1]) / moved[after - 1] if after else 0.0
        yield blend(*pair, share)


def blend(one: Frame, other: Frame, share: float) -> Frame:
    """Of the other so much, of the one the rest."""
    mixed = one + np.float32(share) * (other.astype(np.float32) - one)
    return np.round(mixed).astype(np.uint8)

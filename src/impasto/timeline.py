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
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from torch import Tensor

from impasto import pictures
from impasto.errors import PictureError
from impasto.files import write_atomically
from impasto.job.checkpoint import EVERY_FRAME, FRAME, FRAMES, RUN_DIGITS, TEMPORARY, Checkpoint
from impasto.pictures.films import Form, Frame, Shot, form_of

if TYPE_CHECKING:
    from impasto.job.job import Job, Result
    from impasto.transfer.optimize import Step

# RMS of all samples in [0, 1]: a step of 8 bits. Kept 44 frames of 56 iterations at the default
# settings, and 45 of 500 with the preset paper; a film's own steps were a little smaller.
CHANGE = 1 / 255
# Kept frames after which the next have to differ twice as much, and so on: few runs come that far,
# and none fills a disk.
MANY = 200
FAST_PNG = 1  # zlib's level: four times as fast as the default, and a seventh larger
FIRST_S, LAST_S = 0.6, 2.0  # how long the first and the last frame stand


def check_path(path: Path, inputs: Iterable[object] = (), results: Iterable[object] = ()) -> Path:
    """Make sure, before the work, that a film can be written; return the file that a link leads to.

    Raises:
        PictureError: as `form_of`; it may not be written, or is an input or a result.
    """
    form_of(path)
    what = f"film '{path}'"
    pictures.check_file(path, what, inputs)
    return pictures.check_file(path, what, results, "the result")


class Timeline:
    """A listener of Steps that keeps frames on disk, and makes a film of them at the end.

    Nothing of it is decided by the clock: a run that was killed and gone on with has the same
    frames as one that nothing stopped, and so the same film.

    Args:
        job: what is run.
        path: the film, .mp4, .gif or .webp; that ending decides size and speed.
        folder: where frames are kept, the checkpoint's if the run is to be gone on with; None is a
            temporary folder.
        resume_from: the checkpoint in it that the run goes on from.

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
        resume_from: Checkpoint | None = None,
    ) -> None:
        self.path = Path(path)
        check_path(self.path)
        self.form = form_of(self.path)
        self.size = self.form.size(job.size)
        alpha = job.photograph.alpha
        self.alpha = None if alpha is None else pictures.resize(alpha, self.size)
        self.start = self.frame(job.first())
        if folder is None:
            self.temporary = tempfile.TemporaryDirectory(prefix="impasto-")  # goes with this object
            folder = Path(self.temporary.name)
        # Frames of another run that may lie there have another name: see `checkpoint.remove`.
        recipe = (
            resume_from.recipe if resume_from else job.recipe
        )  # with the versions it was begun with
        run = json.dumps([recipe.to_json(), self.size], sort_keys=True)
        name = hashlib.sha256(run.encode()).hexdigest()[:RUN_DIGITS]
        self.folder = folder / FRAMES.format(name)
        self.gap = resume_from is not None and not self.folder.is_dir()
        self.kept = self.left_by(resume_from) if resume_from else []
        self.newest = read(self.kept[-1]) if self.kept else self.start

    def left_by(self, resume_from: Checkpoint) -> list[Path]:
        """The frames up to a checkpoint; those after it go, for the run will make them again."""
        there = sorted(self.folder.glob(EVERY_FRAME))
        newest = FRAME.format(resume_from.step.iteration)
        for path in there:
            if path.name > newest:
                with suppress(OSError):
                    path.unlink()
        return [path for path in there if path.name <= newest]

    def frame(self, pixels: Tensor) -> Frame:
        """Pixels (1, 3, h, w) as they are in the film; what is transparent is on white there."""
        pixels = pictures.resize(pixels, self.size)
        if self.alpha is not None:
            pixels = pixels * self.alpha + (1 - self.alpha)
        return np.asarray(pictures.to_pil(pixels))

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
    """Mix two frames: ``share`` of the other, the rest of the one."""
    mixed = one + np.float32(share) * (other.astype(np.float32) - one)
    return np.round(mixed).astype(np.uint8)

"""A clip repainted: all that the studio asks of video/, in one place.

A job of a clip has the clip as its order's photograph. Its frames are kept where a picture's
checkpoint would be, so that a full disk takes them as it takes those. Nothing of video/ is imported
before it is needed: its packages may not be there.
"""

from __future__ import annotations

import hashlib
import io
import os
import shutil
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import PIL.Image

from impasto.errors import ConfigError, ImpastoError, PictureError
from impasto.job.order import Order
from impasto.queue.entry import Entry
from impasto.queue.reporter import Heard
from impasto.studio.forecast import MINUTE_S, duration
from impasto.studio.widgets import by_name

if TYPE_CHECKING:
    from torch import Tensor

    from impasto.queue.reporter import Reporter
    from impasto.transfer.optimize import Step
    from impasto.video.clip import Clip
    from impasto.video.film import Film
    from impasto.video.order import FilmOrder
    from impasto.video.shooting import Event

# What a film can be written as, the usual first: by ending, for people, and its type.
ENDINGS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        ".mp4": ("MP4", "video/mp4"),
        ".webm": ("WebM", "video/webm"),
        ".gif": ("GIF, no sound", "image/gif"),
        ".webp": ("WebP, no sound", "image/webp"),
    }
)
PREVIEWED = 3  # frames: one row of a sheet; six, as the command line has, would be twice the wait
# Of a job: its files with their time stamps in ns, by which a film's frames are known again.
STAMPS = "stamps"
DIGITS = 16  # hexadecimal, of the place where frames were begun
POSTER_PX = 480
POSTER_QUALITY = 85


@dataclass(frozen=True)
class Span:
    """Which part of a clip, and how many frames of it.

    Attributes:
        begin_s: of its time; None is its beginning.
        end_s: likewise; None is its end.
        fps: frames in a second at most; None is all.
    """

    begin_s: float | None = None
    end_s: float | None = None
    fps: float | None = None


def moment(text: str, label: str) -> float | None:
    """A number as it is typed, such as ``2.5`` or, of minutes and seconds, ``1:30``; '' is None.

    Raises:
        ConfigError: it is none; label is what the page calls it.
    """
    text = text.strip()
    if not text:
        return None
    found = 0.0
    try:
        for part in text.split(":"):  # hours, minutes, seconds, or the last of them
            found = found * MINUTE_S + float(part.replace(",", "."))
    except ValueError as error:
        raise ConfigError(f"“{label}” {text!r}", "a number, such as 2.5, or 1:30") from error
    return found


def missing() -> str:
    """What to install before a clip can be read, one line; '' where all is there."""
    from impasto.video.extra import INSTALL, PACKAGES

    lacking = [name for module, name in PACKAGES.items() if find_spec(module) is None]
    return f"Clips need {' and '.join(lacking)}: {INSTALL}." if lacking else ""


def open_clip(path: Path, name: str = "") -> Clip:
    """The clip in a file.

    Args:
        path: of it.
        name: what an error calls it; left out, the file's own.

    Raises:
        PictureError: it is none, or what reads it is not there.
    """
    from impasto.video import clip as room

    with by_name(path, name or path.name):
        return room.open_clip(path)


def facts(clip: Clip) -> str:
    """What its file says of it, for people: ``a.mp4: 640 × 360 px, 4.2 s, 25 frames a second``."""
    height, width = clip.size
    parts = [f"{width} × {height} px"]
    if clip.duration is not None:
        parts.append(f"{float(clip.duration):.1f} s")
    rate = f"{float(clip.rate):.3g}"
    parts.append(f"{rate} frames a second")
    if clip.has_sound:
        parts.append("with sound")
    return f"{clip.name}: {', '.join(parts)}"


def poster(clip: Clip) -> bytes:
    """Its first frame, small, as a JPEG.

    Raises:
        PictureError: there is none that can be read.
    """
    with by_name(clip.path, clip.name):
        first = next(clip.frames(size_px=min(POSTER_PX, max(clip.size))))
    data = io.BytesIO()
    PIL.Image.fromarray(first.pixels).save(data, "JPEG", quality=POSTER_QUALITY)
    return data.getvalue()


def options_of(order: Order, span: Span) -> dict[str, Any]:
    """What a job of a clip has to know besides its order."""
    inputs = (Path(each) for each in (order.photo, *order.paintings) if each)
    stamps = [[str(path), path.stat().st_mtime_ns] for path in inputs if path.is_file()]
    return {**asdict(span), STAMPS: stamps}


# The work.


def film_of(order: Order, span: Span) -> FilmOrder:
    """What video/ is to do.

    Raises:
        ImpastoError: of its children the one that fits: no clip, or settings that no film has.
    """
    from impasto.video.order import FilmOrder

    assert order.photo is not None, "a clip's order has it"
    clip = open_clip(order.photo)
    begin, end, fps = span.begin_s, span.end_s, span.fps
    made = FilmOrder(clip, order.paintings, order.config, begin_s=begin, end_s=end, fps=fps)
    with by_name(clip.path, clip.name):
        made.frames()  # says so at once where the span can't be
    return made


def asked(entry: Entry) -> FilmOrder:
    """What a job asks for.

    A file may have come in again since, which renews its time stamp: it is set back, for by these
    the frames are known that are painted already.
    """
    order, options = entry.task.order, entry.task.options
    for path, stamp_ns in options.get(STAMPS, ()):
        with suppress(OSError):  # what is missing is said where it is read
            os.utime(path, ns=(stamp_ns, stamp_ns))
    return film_of(order, Span(**{name: options.get(name) for name in Span.__dataclass_fields__}))


def frames_of(entry: Entry) -> Path:
    """The folder of a film's frames, made if it is missing.

    In a queue that has moved its files have other names, and video/ would refuse the frames: it
    begins anew there.
    """
    name = hashlib.sha256(str(entry.folder).encode()).hexdigest()[:DIGITS]
    for other in entry.checkpoint_dir.glob("*"):
        if other.name != name:
            shutil.rmtree(other, ignore_errors=True)
    entry.checkpoint_dir.mkdir(exist_ok=True)
    return entry.checkpoint_dir / name


def paint(entry: Entry, reporter: Reporter) -> None:
    """Paint a clip, or go on with it; what is painted already is kept, however it ends.

    Raises:
        Heard: it ends early, as was wished.
        ImpastoError: it can't be painted or written.
    """
    from impasto.video import film as room
    from impasto.video.kinds import check_target

    order, target, frames = asked(entry), entry.result_path, frames_of(entry)
    clip, size = order.clip, order.clip.size_at(order.side_px)
    with by_name(clip.path, clip.name), by_name(target, target.name):
        check_target(target, size, [clip.path, *order.paintings])
        reporter.tell(size=size)
        looking = Looking(order, reporter)
        film = room.open_film(order, frames, looking, suffix=target.suffix)
        room.paint_film(film, Told(film, entry, reporter))
        for note in room.write_film(film, target):
            reporter.note(note.replace(str(target), target.name))
        show(entry, reporter, first_of(target))
    shutil.rmtree(entry.checkpoint_dir, ignore_errors=True)


def preview(entry: Entry, reporter: Reporter) -> None:
    """Paint a few frames on one sheet, and say what the whole will take.

    Raises:
        Heard: it ends early, as was wished.
        ImpastoError: they can't be painted.
    """
    from impasto import pictures
    from impasto.video import preview as room

    order = asked(entry)
    with by_name(order.clip.path, order.clip.name):
        found = room.preview(order, PREVIEWED, Sampling(order, entry, reporter))
    sheet = pictures.load(found.sheet).pixels
    pictures.save(sheet, entry.result_path)
    show(entry, reporter, sheet)
    reporter.tell(size=(found.sheet.height, found.sheet.width))
    frames = f"{len(found.times)} of about {found.frames} frames"
    reporter.note(f"{frames}; painting the clip will take about {duration(found.seconds)}")


def first_of(film: Path) -> Tensor:
    """A film's first frame, as a picture."""
    from impasto import pictures

    [frame] = islice(open_clip(film).frames(), 1)
    return pictures.load(PIL.Image.fromarray(frame.pixels)).pixels


def show(entry: Entry, reporter: Reporter, picture: Tensor) -> None:
    """Write what a person sees of a job by now; say so where that can't be."""
    from impasto import pictures
    from impasto.queue.picture import PREVIEW_PX

    size = (picture.shape[-2], picture.shape[-1])
    small = pictures.resize(picture, pictures.fit(size, min(PREVIEW_PX, max(size))))
    try:
        pictures.save(small, entry.preview)
    except ImpastoError as error:
        reporter.warn("Preview left out", error)


class Looking:
    """Tells how far a clip has been looked through for its cuts."""

    def __init__(self, order: FilmOrder, reporter: Reporter) -> None:
        self.reporter = reporter
        self.of = f" of about {order.expected}" if order.expected else ""

    def __call__(self, frames: int) -> None:
        """Hear that so many frames have been looked at, and of what is wished."""
        if self.reporter.due:
            self.reporter.tell(note=f"Looking for cuts: {frames}{self.of} frames")
        self.reporter.heed()


class Told:
    """Tells how many frames of a film are there, and shows the newest."""

    def __init__(self, film: Film, entry: Entry, reporter: Reporter) -> None:
        from impasto.job.session import Pace

        self.film, self.entry, self.reporter = film, entry, reporter
        self.pace, self.done, self.total = Pace(film.work), 0, len(film.times)
        self.tell(note="")

    def __call__(self, event: Event) -> None:
        """Hear of a frame, or of an iteration of a shot's first one, and of what is wished."""
        if event.planned:
            if self.reporter.due:
                begun = self.film.work_of(event.frame) * event.iterations / event.planned
                self.tell(fraction=(self.pace.done + begun) / self.pace.total)
        else:
            self.frame(event)
        try:
            self.reporter.heed()
        except Heard:
            self.tell()  # whoever stops it sees how far it has come, and not what was told last
            raise

    def frame(self, event: Event) -> None:
        """Count a frame that is there, and show it if it is time for that."""
        (self.pace.did if event.new else self.pace.skip)(self.film.work_of(event.frame))
        self.done += 1
        if self.reporter.due or self.done in (1, self.total):
            self.look(self.film.path(event.frame))
            self.tell()

    def look(self, path: Path) -> None:
        """Show a finished frame, if its picture is still there."""
        from impasto import pictures

        try:
            show(self.entry, self.reporter, pictures.load(path).pixels)
        except PictureError:
            return

    def tell(self, **more: Any) -> None:
        """Write how far it has come."""
        known = {
            "iteration": self.done,
            "iterations": self.total,
            "fraction": self.pace.fraction,
            "seconds_left": self.pace.seconds_left,
        }
        self.reporter.tell(**{**known, **more})


class Sampling:
    """Tells how far a preview has come, and shows the frame at work."""

    def __init__(self, order: FilmOrder, entry: Entry, reporter: Reporter) -> None:
        from impasto.job.session import Pace

        self.entry, self.reporter = entry, reporter
        self.frames = min(PREVIEWED, order.expected or PREVIEWED)
        self.pace, self.at = Pace(float(self.frames)), 0

    def __call__(self, step: Step) -> None:
        """Hear of an iteration, and of what is wished."""
        self.at += step.iteration == 1
        self.pace.did(1 / step.iterations)
        if self.reporter.due:
            show(self.entry, self.reporter, step.picture())
            self.reporter.tell(
                size=tuple(step.picture().shape[-2:]),
                iteration=self.at,
                iterations=self.frames,
                fraction=min(1.0, self.pace.fraction),
                seconds_left=self.pace.seconds_left,
            )
        self.reporter.heed()

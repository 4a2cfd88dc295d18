"""A shot, painted by whoever takes it on: what that has to know, and what it tells."""

from __future__ import annotations

import zlib
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import chain, islice, repeat
from pathlib import Path
from typing import Any

import numpy as np

from impasto.config import Config
from impasto.errors import PictureError
from impasto.job.following import Following, Place
from impasto.job.job import Job
from impasto.job.session import Session
from impasto.modes import own_modes
from impasto.transfer.descent import alike
from impasto.transfer.optimize import Step
from impasto.video.clip import Frame
from impasto.video.kept import Kept, Memory, Shot, in_times
from impasto.video.masking import masks_from
from impasto.video.order import FilmOrder
from impasto.video.painting import LOOK_BACK, Painted, paint
from impasto.video.source import Pixels
from impasto.video.stretches import Coding


@dataclass(frozen=True)
class ShotOrder:
    """A shot to be painted: all that whoever paints it has to know.

    Attributes:
        film: whose shot it is.
        folder: of the film's frames, which all of a film's painters share.
        shot: which.
        times: when its frames come, in s on the clip's clock.
        check: ``check_of`` its first photograph.
        origin: when the film's first frame comes.
        total: how many frames the film has.
        coding: how it is encoded; None is not.
        ticks: at which its frames come then; None at none.
        masked: where the mask moves, when its first frame for this shot comes, and whether that is
            of all its frames, as in Track; None where it doesn't.
    """

    film: FilmOrder
    folder: Path
    shot: Shot
    times: tuple[Fraction, ...]
    check: int
    origin: Fraction
    total: int
    coding: Coding | None = None
    ticks: tuple[int | None, ...] = ()
    masked: tuple[Fraction, bool] | None = None

    @property
    def kept(self) -> Kept:
        """What of it is on disk."""
        return Kept(self.folder, self.shot, self.total, self.coding, self.ticks)

    def config_at(self, number: int) -> Config:
        """A frame's settings."""
        return self.film.config_at(number, self.total)

    def first_job(self, photograph: Pixels, mask: Pixels | None) -> Job:
        """The job of its first photograph, by a mask that moves."""
        return replace(self.film, config=self.config_at(self.shot.first)).job(photograph, mask)

    def masks(self) -> Iterator[Pixels | None]:
        """For each of its frames its mask, where that moves."""
        if self.masked is None:
            return repeat(None)
        since, whole = self.masked
        return masks_from(self.film, whole, since, self.film.clip.size_at(self.film.side_px))

    def to_json(self) -> dict[str, Any]:
        """The order as JSON can hold it; its paths are absolute."""
        return {
            "film": self.film.to_json(),
            "folder": str(self.folder.absolute()),
            "shot": [self.shot.number, self.shot.first, self.shot.last],
            "times": list(map(str, self.times)),
            "check": self.check,
            "origin": str(self.origin),
            "total": self.total,
            "coding": self.coding and self.coding.to_json(),
            "ticks": list(self.ticks),
            "masked": self.masked and [str(self.masked[0]), self.masked[1]],
        }

    @classmethod
    def from_json(cls, known: Mapping[str, Any], source: str) -> ShotOrder:
        """The order that gave this; source is what an error names.

        Raises:
            PictureError: it is none of ``to_json``, or the clip can't be read.
        """
        film = FilmOrder.from_json(known["film"], source)
        shot, times = Shot(*known["shot"]), in_times(known["times"])
        masked = known["masked"] and (Fraction(known["masked"][0]), known["masked"][1])
        coding = known["coding"] and Coding.from_json(known["coding"])
        more = known["check"], Fraction(known["origin"]), known["total"]
        return cls(
            film, Path(known["folder"]), shot, times, *more, coding, tuple(known["ticks"]), masked
        )


@dataclass(frozen=True)
class Event:
    """What has happened to a frame.

    Attributes:
        frame: its number in the film.
        iterations: that it took, or so far.
        planned: how many it will take; 0 once it is there, on disk.
        new: whether it was painted now, and not found there.
    """

    frame: int
    iterations: int = 0
    planned: int = 0
    new: bool = True


Tell = Callable[[Event], None]


def check_of(pixels: Pixels) -> int:
    """A checksum of a photograph, by which it is known again."""
    return zlib.crc32(np.ascontiguousarray(pixels).data)


class Footage:
    """A film's frames from any shot on. Read in turn, the clip is opened once for several shots."""

    def __init__(self) -> None:
        self.next: int | None = None  # the number of the frame that comes next
        self.frames: Iterator[Frame] = iter(())

    def of(self, order: ShotOrder) -> Iterator[Frame]:
        """A shot's frames.

        Raises:
            PictureError: on the way, that the clip can't be read any further.
        """
        if self.next != order.shot.first:
            self.frames = found_again(order)
        self.next = order.shot.first
        for frame in islice(self.frames, len(order.times)):
            self.next += 1
            yield frame
        if self.next <= order.shot.last:
            raise changed(order)


def found_again(order: ShotOrder) -> Iterator[Frame]:
    """The clip's frames from a shot's first on.

    It is sought out by its time. Where an index leads elsewhere, or a decoder needs what was
    before to give the same pixels, the clip is read from its beginning.

    Raises:
        PictureError: the frame is not there any more.
    """
    for seek in (True, False):
        frames = order.film.frames_from(order.times[0], order.origin, seek=seek)
        first = next(frames, None)
        if first and first.time == order.times[0] and check_of(first.pixels) == order.check:
            return chain([first], frames)
    raise changed(order)


def changed(order: ShotOrder) -> PictureError:
    """The error for a clip that is not what it was when it was looked through."""
    given = f"{order.film.clip.what} does not give the frames any more that it gave at first"
    return PictureError(given, "", f"remove {order.folder}, and it is painted from the beginning")


@own_modes()
def paint_shot(
    order: ShotOrder, tell: Tell = lambda _: None, footage: Footage | None = None
) -> None:
    """Paint what of a shot is not on disk yet.

    Args:
        order: which shot.
        tell: told of each frame that is there, and of each iteration of the first one.
        footage: of the film, where several shots are painted in turn.

    Raises:
        ImpastoError: of its children the one that fits.
    """
    kept = order.kept
    with kept.alone():
        done = kept.done
        whole = done == len(order.times)
        kept.settle(done)  # what a killed process left to do
        memory = [] if whole else kept.recalled(done)
        done = 0 if memory is None else done
        for number in order.shot.frames[:done]:
            tell(Event(number, new=False))
        if not whole:
            frames = (footage or Footage()).of(order)
            paint_on(order, kept, memory or [], done, frames, tell)


def paint_on(
    order: ShotOrder,
    kept: Kept,
    memory: Sequence[Memory],
    done: int,
    frames: Iterator[Frame],
    tell: Tell,
) -> None:
    """Paint a shot from one of its frames on.

    Args:
        order: which shot.
        kept: what of it is on disk.
        memory: of the last frames before that one.
        done: how many there are before it.
        frames: all of the shot's.
        tell: as for ``paint_shot``.
    """
    earlier: deque[Painted] = deque(maxlen=max(LOOK_BACK))  # the last first
    manners: Manners | None = None
    for place, (frame, mask) in enumerate(zip(frames, order.masks(), strict=False)):
        number, photograph = order.shot.first + place, frame.pixels
        manners = manners or Manners(order, kept, photograph)
        if place < done:
            if place >= done - len(memory):
                known = memory[place - done]
                earlier.appendleft(Painted(photograph, known.picture, known.seen, known.age, mask))
            continue
        if place == 0:
            painted, iterations = begin(order, kept, photograph, mask, tell)
        else:
            manner, where = manners.of(mask)
            config = order.config_at(number)
            painted, iterations = paint(manner, photograph, earlier, config, mask, where)
        kept.write(number, painted)
        earlier.appendleft(painted)
        tell(Event(number, iterations))
    if kept.done < len(order.times):
        raise changed(order)


class Manners:
    """The manner of a shot; where its mask moves, one for each set of regions that there is.

    Args:
        order: the shot's.
        kept: what of it is on disk.
        first: its first photograph.
    """

    def __init__(self, order: ShotOrder, kept: Kept, first: Pixels) -> None:
        self.order, self.kept, self.first = order, kept, first
        self.made: list[Following] = []

    def of(self, mask: Pixels | None) -> tuple[Following, Place | None]:
        """The manner of a frame, and where its regions are, if its mask moves."""
        for each in self.made:
            place = None if mask is None else each.placed(mask)
            if mask is None or place is not None:
                return each, place
        job = self.order.first_job(self.first, mask)
        self.made.append(Following(job, self.kept.known()))
        return self.made[-1], None


def begin(
    order: ShotOrder, kept: Kept, photograph: Pixels, mask: Pixels | None, tell: Tell
) -> tuple[Painted, int]:
    """Paint a shot's first frame as a picture of its own, and keep what it found of curvature."""
    number = order.shot.first
    job = order.first_job(photograph, mask)
    steps: list[Step] = []

    def hear(step: Step) -> None:
        steps[:] = [step]
        tell(Event(number, step.iteration, step.iterations))

    result = Session(job, own_process=True).run(hear, on_interrupt="raise")
    if result.stopped:
        raise PictureError(f"frame {number} could not be painted: {result.stopped}")
    last = steps[0].to("cpu")
    kept.write_known(alike(last.state, last.scale))
    (_, iterations), *_ = reversed(job.scales)
    return Painted.first(photograph, result.pixels, iterations, mask), job.iterations

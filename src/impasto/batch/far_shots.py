"""On a node of a cluster: a film's shot, in a folder that all see, or from bytes to bytes."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from impasto.batch import parcels
from impasto.batch.parcels import Parcel
from impasto.cluster.line import Line
from impasto.errors import ImpastoError, QueueError
from impasto.files import write_atomically
from impasto.job.order import Order
from impasto.video.kept import LOCK, PICTURES
from impasto.video.shooting import Event, ShotOrder, paint_shot

RECENT = 64  # frames of which each word tells, since of two words only the later may be heard
NODE = "a node"  # what errors name

Word = tuple[Event, ...]


@dataclass(frozen=True)
class Painted:
    """What came of a shot.

    Attributes:
        told: all that a crew tells of it.
        error: why it is not whole, in a line, or ''.
        files: of the shot, by their paths in the film's folder, where bytes go back.
    """

    told: Word
    error: str = ""
    files: Mapping[str, bytes] = field(default_factory=dict, repr=False)


class LeavingError(Exception):
    """The task was cancelled."""


def paint_there(
    line: Line,
    known: Mapping[str, Any],
    named: Sequence[str] = (),
    *packed: Parcel | Mapping[str, bytes],
) -> Painted:
    """Paint a shot.

    Args:
        line: to the driver.
        known: the ShotOrder's JSON.
        named: the inputs that are sent, in the order of their parcels; none is a folder that all
            see.
        packed: those; and then what of the shot is there already.
    """
    if not named:
        return painted(line, known)
    try:
        with tempfile.TemporaryDirectory(prefix="impasto-", ignore_cleanup_errors=True) as place:
            folder = Path(place) / "film"
            folder.mkdir()
            sent = [each for each in packed if isinstance(each, Parcel)]
            places = parcels.unpacked(named, sent, Path(place) / "inputs")
            for there in packed[len(sent) :]:
                assert not isinstance(there, Parcel), "those come first"
                put(there, folder)
            done = painted(line, moved(known, places, folder))
            error = done.error
            for name, path in places.items():
                error = error.replace(path, name)
            return replace(done, error=error, files=read(folder, sorted(folder.rglob("*"))))
    except OSError as error:
        given = f"a node's folder: {error.strerror}"
        return Painted((), str(QueueError(given, "", "free some space there")))


def painted(line: Line, known: Mapping[str, Any]) -> Painted:
    """Paint what of a shot is not there yet; what there is to tell of it."""
    told: list[Event] = []

    def tell(event: Event) -> None:
        if event.planned:
            line.tell((*told[-RECENT:], event))
        else:
            told.append(event)
            line.tell(tuple(told[-RECENT:]))
        if line.leaving():
            raise LeavingError

    try:
        paint_shot(ShotOrder.from_json(known, NODE), tell)
    except LeavingError:
        return Painted(tuple(told), "it was stopped")
    except ImpastoError as error:
        return Painted(tuple(told), str(error))
    return Painted(tuple(told))


def order_of(known: Mapping[str, Any]) -> Order:
    """What of a shot's order names inputs."""
    return Order.from_json(known["film"]["order"], Path("film"))


def moved(known: Mapping[str, Any], places: Mapping[str, str], folder: Path) -> dict[str, Any]:
    """A shot's order with its inputs, and its film's folder, where they are by now."""
    order = parcels.moved(order_of(known), places)
    return {**known, "film": {**known["film"], "order": order.to_json()}, "folder": str(folder)}


def files_of(order: ShotOrder) -> dict[str, bytes]:
    """All that is on disk of a shot, by its path in the film's folder.

    Raises:
        OSError: it can't be read.
    """
    kept = order.kept
    pictures = [kept.path(number) for number in order.shot.frames]
    return read(kept.folder, [*pictures, *sorted(kept.place.glob("*"))])


def read(folder: Path, paths: Sequence[Path]) -> dict[str, bytes]:
    """The files among these paths, by what they are called in the folder; no lock is one."""
    files = [each for each in paths if each.is_file() and each.name != LOCK]
    return {each.relative_to(folder).as_posix(): each.read_bytes() for each in files}


def put(files: Mapping[str, bytes], folder: Path) -> None:
    """Write what was on disk of a shot elsewhere; pictures last, for they count as done.

    Raises:
        OSError: it can't be written.
    """
    for name in sorted(files, key=lambda each: each.startswith(f"{PICTURES}/")):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, files[name])

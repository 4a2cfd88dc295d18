"""One job: a folder on disk, and every file in it whole.

    task.json      what is to be done, written once
    wish.json      what is wished of it: pause, stop, other settings
    label.json     its name for people, whether it is a favourite, or deleted
    state.json     how far it has come
    turns.json     after which iteration each change of settings was made
    preview.jpg, checkpoint/, traceback.txt, and the result

Two sides write, and never the same file: the page side (whoever asks and looks on) wish and label,
and a worker, as long as it holds the job's lock, all that comes after.
"""

from __future__ import annotations

import json
import os
import stat
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from impasto.config import Config
from impasto.errors import QueueError, printable
from impasto.files import locked, write_atomically
from impasto.job.job import check_steerable
from impasto.queue.names import clean_name
from impasto.queue.task import FOREIGN, Label, State, Task, Wish, Word, foreign, settings_of

TASK, STATE, WISH, LABEL, TURNS = (
    f"{name}.json" for name in ("task", "state", "wish", "label", "turns")
)
PREVIEW, TRACEBACK, CHECKPOINT, SNAPSHOTS = (
    "preview.jpg",
    "traceback.txt",
    "checkpoint",
    "snapshots",
)
OWN_NAMES = (TASK, STATE, WISH, LABEL, TURNS, PREVIEW, TRACEBACK, CHECKPOINT, SNAPSHOTS)
QUEUE = "queue"  # in a task's JSON: the queue's folder when it was written
LOCK = ".lock"  # held by the worker that is at the job
WRITING = ".page.lock"  # held while the page side changes a file of its own
BELL = ".bell"  # of the queue: touched where there may be work, so that nobody reads all to know
# No file of ours in JSON comes near; a larger one is damage, and is not read into memory.
JSON_BYTES = 2**24
# A file that was changed less than this ago may change again without a newer time stamp; git calls
# it racy. The coarsest stamps, FAT's, are 2 s.
RACY_S = 2.0
LONGEST_NAME = 200  # characters, of what a person calls a job

T = TypeVar("T")
Parse = Callable[[Any, str], T]  # what JSON held, and what an error names


@dataclass(frozen=True)
class Turn:
    """A change of settings while a job ran.

    Attributes:
        number: which one of all that were asked for, from 1.
        iteration: after which it was made.
        settings: those that were changed.
    """

    number: int
    iteration: int
    settings: Mapping[str, Any]

    def to_json(self) -> dict[str, Any]:
        """The turn as JSON can hold it."""
        return {**vars(self), "settings": dict(self.settings)}

    @staticmethod
    def several(known: Any, source: str) -> tuple[Turn, ...]:
        """The turns in JSON.

        Raises:
            QueueError: they are none; source is what that names.
        """
        if not isinstance(known, list):
            raise foreign(source, f"no list but {type(known).__name__}")
        try:
            turns = [
                Turn(each["number"], each["iteration"], settings_of(each["settings"]))
                for each in known
            ]
            if any(type(n) is not int for each in turns for n in (each.number, each.iteration)):
                raise TypeError("a number that is none")
        except FOREIGN as error:
            raise foreign(source, error) from error
        return tuple(turns)


class Shelf:
    """Files of JSON, read again only when they have changed."""

    def __init__(self) -> None:
        self.kept: dict[Path, tuple[object, object]] = {}

    def read(self, path: Path, parse: Parse[T], missing: T | None = None) -> T:
        """What a file holds.

        Args:
            path: the file.
            parse: of its JSON; what it gives is kept, so that it may not be changed.
            missing: what it is where there is no file; None is a QueueError.

        Raises:
            QueueError: it can't be read, or ``parse`` says so.
        """
        try:
            found = path.stat()
        except FileNotFoundError as error:
            if missing is None:
                raise QueueError(f"{path}: it is missing", "", "delete its job's folder") from error
            return missing
        except OSError as error:
            raise QueueError(f"{path}: {error.strerror}") from error
        seen = (found.st_ino, found.st_size, found.st_mtime_ns)
        stamp, value = self.kept.get(path, (None, None))
        if stamp == seen:
            return value  # type: ignore[return-value]  # a path is always parsed in the same way
        value = parse(contents(path, found), str(path))
        if time.time() - found.st_mtime > RACY_S:
            self.kept[path] = (seen, value)
        return value

    def forget(self, folder: Path) -> None:
        """Let go of a folder's files."""
        for path in [each for each in list(self.kept) if each.parent == folder]:
            self.kept.pop(path, None)


def contents(path: Path, found: os.stat_result) -> Any:
    """The JSON in a file.

    Raises:
        QueueError: it is none, is no plain file, or is far too large.
    """
    if not stat.S_ISREG(found.st_mode) or found.st_size > JSON_BYTES:
        raise foreign(str(path), "no file, or a very large one")
    try:
        return json.loads(path.read_bytes())
    except OSError as error:
        raise QueueError(f"{path}: {error.strerror}") from error
    except FOREIGN as error:
        raise foreign(str(path), error) from error


def write_json(path: Path, known: Any) -> None:
    """Put JSON into a file, whole or not at all, by way of a name that kills do not multiply.

    Raises:
        QueueError: it can't be written, or would be too large to be read.
    """
    data = json.dumps(known).encode()
    if len(data) > JSON_BYTES:
        raise QueueError(f"{path}: {len(data)} bytes", f"allowed: up to {JSON_BYTES}")
    try:
        write_atomically(path, data, path.with_name(f".{path.name}.tmp"))
    except OSError as error:
        given = f"{path}: cannot be written: {error.strerror}"
        raise QueueError(given, "", "free some space, or check the permissions") from error


@dataclass(frozen=True)
class Entry:
    """A job in its folder. Two are the same if their folders are.

    Attributes:
        folder: its own; the name is the job's id.
        task: what is to be done; its order's result is in the folder.
    """

    folder: Path
    task: Task = field(compare=False)
    shelf: Shelf = field(compare=False, repr=False, default_factory=Shelf)

    @classmethod
    def at(cls, folder: Path, shelf: Shelf | None = None) -> Entry:
        """The job in a folder, all of whose files have been read once.

        Raises:
            QueueError: one is missing or damaged.
        """
        shelf = shelf or Shelf()
        task = shelf.read(folder / TASK, partial(task_in, folder))
        entry = cls(folder, task, shelf)
        entry.state(), entry.label(), entry.turns()
        return entry

    @property
    def id(self) -> str:
        return self.folder.name

    @property
    def queue(self) -> Path:
        """The queue's folder."""
        return self.folder.parent.parent

    @property
    def result_path(self) -> Path:
        """The picture's file, which is there once the job is done, or stopped."""
        return self.task.order.target

    @property
    def preview(self) -> Path:
        """The newest preview's file, which may not be there."""
        return self.folder / PREVIEW

    @property
    def checkpoint_dir(self) -> Path:
        """The folder of its checkpoint, which may not be there."""
        return self.folder / CHECKPOINT

    @property
    def rarely_s(self) -> float:
        """As `Checkpointer` has it: here few write to a disk."""
        return 0.0

    # What is known of it.

    def state(self) -> State:
        """How far it has come, its last wish counted in."""
        return self.written().with_wish(self.wish())

    def written(self) -> State:
        """How far it has come, as its worker wrote it."""
        return self.shelf.read(self.folder / STATE, State.from_json)

    def wish(self) -> Wish:
        """What is wished of it."""
        return self.shelf.read(self.folder / WISH, Wish.from_json, Wish())

    def label(self) -> Label:
        """What people have made of it."""
        return self.shelf.read(self.folder / LABEL, Label.from_json, Label())

    def turns(self) -> tuple[Turn, ...]:
        """The changes of settings that were made."""
        return self.shelf.read(self.folder / TURNS, Turn.several, ())

    @property
    def name(self) -> str:
        """What people call it."""
        return self.label().name or self.task.name

    @property
    def favourite(self) -> bool:
        return self.label().favourite

    @property
    def deleted(self) -> bool:
        return self.label().deleted_s > 0

    @property
    def config(self) -> Config:
        """Its settings, with all changes that were asked for."""
        config = self.task.order.config
        for settings in self.wish().steering:
            config = replace(config, **settings)
        return config

    # What the page side does.

    def pause(self) -> None:
        """Let it rest, with a checkpoint, until ``go_on``; it takes an iteration to follow."""
        self._wish("pause")

    def go_on(self) -> None:
        """Let it wait for a worker again, where it is paused, stopped or failed."""
        self._wish("go")

    def stop(self) -> None:
        """End it; of one that has begun the picture is kept as it stands, and ``go_on`` goes on."""
        self._wish("stop")

    def steer(self, settings: Mapping[str, Any]) -> None:
        """Change settings from the next iteration on.

        Raises:
            QueueError: it is done.
            ConfigError: a setting that can't be changed on the way, or a value that can't be used.
        """
        if self.state().status == "done":
            raise QueueError(f"'{self.name}' is done", "", "make another with these settings")
        check_steerable(settings)
        replace(self.config, **settings)
        self._change_wish(lambda wish: replace(wish, steering=(*wish.steering, dict(settings))))

    def rename(self, name: str) -> None:
        """Call it something else; '' is its first name again. Files keep theirs."""
        self._change_label(lambda label: replace(label, name=one_line(name)))

    def favour(self, favourite: bool = True) -> None:
        """Make it a favourite, or none."""
        self._change_label(lambda label: replace(label, favourite=favourite))

    def delete(self) -> None:
        """Hide it, and pause it if it is not ended; ``undelete`` takes that back."""
        held = self.state().status in ("waiting", "working")
        if held:
            self.pause()
        now_s = time.time()
        self._change_label(
            lambda label: label if label.deleted_s else replace(label, deleted_s=now_s, held=held)
        )

    def undelete(self) -> None:
        """Show it again, and let it go on if it was at work."""
        held = self.label().held
        self._change_label(lambda label: replace(label, deleted_s=0.0, held=False))
        if held:
            self.go_on()

    def _wish(self, word: Word) -> None:
        self._change_wish(lambda wish: replace(wish, word=word, number=wish.number + 1))

    def _change_wish(self, change: Callable[[Wish], Wish]) -> None:
        with self._writing():
            write_json(self.folder / WISH, change(self.wish()).to_json())
        ring(self.queue)

    def _change_label(self, change: Callable[[Label], Label]) -> None:
        with self._writing():
            write_json(self.folder / LABEL, change(self.label()).to_json())

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Nobody else changes a file of the page side meanwhile."""
        with locked(self.folder / WRITING, on_wait=nothing):
            yield

    # What the worker does that holds its lock.

    def write_state(self, state: State) -> None:
        """Say how far it has come.

        Raises:
            QueueError: it can't be written.
        """
        write_json(self.folder / STATE, state.to_json())

    def write_turns(self, turns: Sequence[Turn]) -> None:
        """Keep which changes were made when.

        Raises:
            QueueError: it can't be written.
        """
        write_json(self.folder / TURNS, [each.to_json() for each in turns])


def task_in(folder: Path, known: Any, source: str) -> Task:
    """The task in a job's folder, with all that it writes in there.

    Where the queue's folder was moved since, so have the pictures in it.
    """
    then = known.get(QUEUE) if isinstance(known, dict) else None
    if isinstance(then, str) and then:
        known = moved(known, then, str(folder.parent.parent))
    return placed(Task.from_json(known, source), folder)


def moved(known: Any, then: str, now: str) -> Any:
    """JSON with every path in one folder as a path in another."""
    if isinstance(known, dict):
        return {name: moved(value, then, now) for name, value in known.items()}
    if isinstance(known, list):
        return [moved(value, then, now) for value in known]
    if isinstance(known, str) and known.startswith((f"{then}/", f"{then}{os.sep}")):
        return now + known[len(then) :]
    return known


def placed(task: Task, folder: Path) -> Task:
    """The task with what it writes in a folder of its own, wherever it wanted it."""
    order = task.order
    film = order.timeline and folder / own_name(order.timeline.name, folder)
    snapshots = order.snapshot_dir and folder / SNAPSHOTS
    target = folder / own_name(order.target.name, folder)
    return replace(task, order=replace(order, target=target, timeline=film, snapshot_dir=snapshots))


def own_name(name: str, folder: Path) -> str:
    """A result's name in a job's folder, beside our own files."""
    name = clean_name(name, folder)
    return f"the-{name}" if name.lower() in OWN_NAMES else name


def one_line(name: str) -> str:
    """A name that people may have made up, as one that can be shown."""
    return printable(" ".join(name.split()))[:LONGEST_NAME]


def ring(queue: Path) -> None:
    """Tell the workers of a queue's folder that there may be something to do."""
    try:
        (queue / BELL).touch()
    except OSError:  # they look by themselves now and then
        return


def nothing() -> None:
    """Do nothing."""

"""Where jobs are kept: a queue is a folder.

    FOLDER/inputs/<sha16>/<name>    pictures that were handed in, by their content
    FOLDER/jobs/<id>/               a job: see entry.py

A job is made under a hidden name and then renamed, so that it is whole or not there. Locks are the
kernel's and end with their process: a job whose state says ``working`` and whose lock is free is
one whose worker died, and the next takes it up.
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import shutil
import threading
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from impasto.errors import QueueError
from impasto.files import locked, write_atomically
from impasto.job import checkpoint
from impasto.queue.entry import (
    JSON_BYTES,
    LOCK,
    QUEUE,
    STATE,
    TASK,
    Entry,
    Shelf,
    Turn,
    nothing,
    one_line,
    placed,
    ring,
    write_json,
)
from impasto.queue.names import clean_name
from impasto.queue.task import State, Status, Task

__all__ = ["Entry", "Limits", "Queue", "Turn"]

JOBS, INPUTS = "jobs", "inputs"
ADDING = ".adding.lock"  # held while jobs are counted and one is added
NEW, GONE = ".new-", ".gone-"  # a job that is being made, or removed
ID = re.compile(r"\d{8}-\d{6}-\d{6}-[0-9a-f]{4}")
ID_TIME = "%Y%m%d-%H%M%S-%f"  # in UTC, so that ids sort by it
SHA_DIGITS = 16  # hexadecimal, of a content: among 2^32 pictures two would be alike by chance
MENTIONED = re.compile(rf"{INPUTS}[\\/]+([0-9a-f]{{{SHA_DIGITS}}})".encode())

UPLOAD_BYTES = 200_000_000  # a photograph of 33 megapixels as a TIFF of 16 bits a channel
WAITING_EACH = 400  # two batches of 200 pictures
WAITING_ALL = 500  # at a minute a picture: a night's work
DISK_BYTES = 20_000_000_000  # some 5000 pictures of 1024 px with their inputs
UNDO_S = 7 * 24 * 3600.0  # how long what was deleted can be had back
LITTER_S = 3600.0  # after which a file that was being written when its process died is nobody's
MEGABYTE = 1_000_000


@dataclass(frozen=True)
class Limits:
    """How much a queue takes.

    Attributes:
        upload_bytes: of one picture that is handed in.
        waiting_each: jobs that wait, of one owner.
        waiting_all: jobs that wait, of all.
        disk_bytes: of the whole folder; None is no limit.
    """

    upload_bytes: int = UPLOAD_BYTES
    waiting_each: int = WAITING_EACH
    waiting_all: int = WAITING_ALL
    disk_bytes: int | None = DISK_BYTES


class Queue:
    """All jobs, in a folder. Any number of processes and threads may hold one of the same folder.

    Args:
        folder: made where it is missing, with those above it.
        limits: how much it takes.

    Raises:
        QueueError: the folder can't be made.

    Example:
        >>> from impasto.config import configure
        >>> from impasto.job.order import Order
        >>> queue = Queue(Path("studio"))  # doctest: +SKIP
        >>> photo = queue.keep(Path("me.jpg"), "me.jpg")  # doctest: +SKIP
        >>> order = Order(photo, ("night-swirls",), configure(), Path("me.png"))  # doctest: +SKIP
        >>> queue.add(Task(order, "Me at night")).state().status  # doctest: +SKIP
        'waiting'
    """

    def __init__(self, folder: Path, limits: Limits | None = None) -> None:
        self.folder, self.limits = Path(os.path.abspath(folder)), limits or Limits()  # noqa: PTH100
        self.shelf, self.adding = Shelf(), threading.Lock()
        with saying(f"{folder}: the folder cannot be made"):
            for each in (self.jobs, self.inputs):
                each.mkdir(parents=True, exist_ok=True)

    @property
    def jobs(self) -> Path:
        return self.folder / JOBS

    @property
    def inputs(self) -> Path:
        return self.folder / INPUTS

    # Pictures that are handed in.

    def keep(self, data: bytes | Path, name: str) -> Path:
        """A copy of a picture's file in the queue's folder; the same bytes and name give the same.

        Args:
            data: the bytes, or a file that has them.
            name: what a recipe should call it; hostile ones are cleaned, see names.py.

        Raises:
            QueueError: it is too large, can't be read, or there is no room.
        """
        found = self._bytes_of(data, name)
        folder = self.inputs / hashlib.sha256(found).hexdigest()[:SHA_DIGITS]
        path = folder / clean_name(name, folder)
        with suppress(OSError):
            if path.stat().st_size == len(found):
                os.utime(path)  # not as old as it was, for whoever tidies
                return path
        self._check_room(len(found))
        with saying(f"'{path.name}' cannot be kept"):
            folder.mkdir(exist_ok=True)
            write_atomically(path, found)
        return path

    def _bytes_of(self, data: bytes | Path, name: str) -> bytes:
        limit = self.limits.upload_bytes
        with saying(f"'{name}' cannot be read"):
            size = len(data) if isinstance(data, bytes) else data.stat().st_size
            if size > limit:
                raise too_large(name, megabytes(size), limit)
            return data if isinstance(data, bytes) else data.read_bytes()

    # Jobs.

    def add(self, task: Task) -> Entry:
        """Let a task wait for a worker, as a job of its own.

        Whatever it writes goes into the job's folder, under the names that it has in the order.

        Raises:
            QueueError: the queue is full, or the folder can't be written.
        """
        with self.adding, locked(self.folder / ADDING, on_wait=nothing):
            self._check_waiting(task.owner)
            self._check_room(0)
            entry = self._made(task)
        ring(self.folder)
        return entry

    def _made(self, task: Task) -> Entry:
        made_s = time.time()
        new = self.jobs / f"{NEW}{secrets.token_hex(8)}"
        try:
            with saying(f"{self.folder}: the job cannot be added"):
                new.mkdir()
                known = placed(replace(task, name=one_line(task.name)), new).to_json()
                write_json(new / TASK, {**known, QUEUE: str(self.folder)})
                write_json(new / STATE, State(made_s=made_s).to_json())
                return Entry.at(self._named(new, made_s), self.shelf)
        finally:
            shutil.rmtree(new, ignore_errors=True)  # it is there only where something failed

    def _named(self, new: Path, made_s: float) -> Path:
        """Give a new job its id: the next one in time that is free."""
        at = datetime.fromtimestamp(made_s, UTC).strftime(ID_TIME)
        while True:
            folder = self.jobs / f"{at}-{secrets.token_hex(2)}"
            if not folder.exists():  # else, in the same microsecond, another has it
                return new.rename(folder)

    def _check_waiting(self, owner: str) -> None:
        waiting = [each for each in self.entries() if stands(each, "waiting")]
        own = sum(each.task.owner == owner for each in waiting)
        limits = self.limits
        for count, most, whose in (
            (len(waiting), limits.waiting_all, "in all"),
            (own, limits.waiting_each, "of yours"),
        ):
            if count >= most:
                given = f"the queue is full: {count} jobs {whose} are waiting"
                raise QueueError(given, f"allowed: {most}", "try again when some are done")

    def get(self, id: str, owner: str | None = None) -> Entry:
        """The job of this id.

        Args:
            id: as ``Entry.id``; anything else is none, be it a path.
            owner: whose it has to be; None is anybody's.

        Raises:
            QueueError: there is none, or it is damaged.
        """
        folder = self.jobs / id if ID.fullmatch(id) else None
        if folder is not None and folder.is_dir():
            entry = Entry.at(folder, self.shelf)
            if owner is None or entry.task.owner == owner:
                return entry
        raise QueueError(f"job {id!r}: there is none", "", "it may have been deleted for good")

    def entries(self, owner: str | None = None, deleted: bool | None = False) -> list[Entry]:
        """The jobs, newest first; damaged ones are passed over, see ``damaged``.

        Args:
            owner: whose; None is everybody's.
            deleted: False is without the deleted ones, True those alone, None all.
        """
        found = []
        for name in self._names():
            with suppress(QueueError):
                entry = Entry.at(self.jobs / name, self.shelf)
                if owner not in (None, entry.task.owner):
                    continue
                if deleted is None or entry.deleted is deleted:
                    found.append(entry)
        return found

    def damaged(self) -> dict[str, str]:
        """Names in the jobs' folder that are no good job's, and what is wrong with each, one line.

        Nothing is done to them: a person may look at them, and delete their folders.
        """
        told = {}
        for name in sorted(os.listdir(self.jobs)):  # noqa: PTH208
            try:
                if not name.startswith("."):
                    self.get(name)
            except QueueError as error:
                told[name] = error.line(str)
        return told

    # The worker's side.

    @contextmanager
    def next(self) -> Iterator[Entry | None]:
        """Claim the oldest job that waits, or whose worker died, as long as the context lasts.

        None where there is none. Nobody else has the job meanwhile.
        """
        for entry in reversed(self.entries(deleted=None)):
            if not claimable(entry):
                continue
            with locked(entry.folder / LOCK, patience_s=0.0) as free:
                if free and claimable(entry):  # still: another may have done it in between
                    yield entry
                    return
        yield None

    def release(self, worker: int) -> None:
        """Let the jobs wait again at which a process was that is gone, through no fault of theirs.

        Args:
            worker: the process's number.
        """
        for entry in self.entries(deleted=None):
            with suppress(QueueError), locked(entry.folder / LOCK) as free:
                state = entry.written()
                if free and state.status == "working" and state.worker == worker:
                    entry.write_state(replace(state, status="waiting"))
        ring(self.folder)

    # Room.

    def used_bytes(self) -> int:
        """What the folder holds."""
        return folder_bytes(self.folder)

    def _check_room(self, more_bytes: int) -> None:
        limit = self.limits.disk_bytes
        if limit is None or self.used_bytes() + more_bytes <= limit:
            return
        self.tidy(more_bytes=more_bytes)
        if (used := self.used_bytes()) + more_bytes > limit:
            given = f"the queue's folder is full: it holds {megabytes(used)}"
            raise QueueError(given, f"allowed: {megabytes(limit)}", "delete pictures, for good")

    def tidy(self, spared: Collection[Path] | None = None, more_bytes: int = 0) -> None:
        """Keep the folder below its limit, by what can be done without; results are never touched.

        First go the previews of jobs that have ended, the oldest first, then checkpoints of those
        that were stopped or have failed: they would begin anew. Last go inputs of no job.

        Args:
            spared: inputs that stay although no job has them; None spares all.
            more_bytes: that are to be written.
        """
        ended = [each for each in reversed(self.entries(deleted=None)) if has_ended(each)]
        for entry in ended:  # whose worker died as it was about to do this
            if stands(entry, "done"):
                drop(entry, entry.checkpoint_dir)
        limit = self.limits.disk_bytes
        over = -1 if limit is None else self.used_bytes() + more_bytes - limit
        dispensable = [
            *((each, each.preview) for each in ended),
            *((each, each.checkpoint_dir) for each in ended),
        ]
        for entry, path in dispensable:
            if over > 0:
                over -= drop(entry, path)
        for folder in self._unused(spared) if over > 0 and spared is not None else ():
            if over > 0:
                over -= folder_bytes(folder)
                shutil.rmtree(folder, ignore_errors=True)

    def _unused(self, spared: Collection[Path]) -> list[Path]:
        """The folders of inputs that no job mentions, oldest first."""
        used = {path.parent.name for path in spared}
        for path in self.jobs.glob("*/*.json"):  # also of damaged jobs, and of any kind
            used |= mentioned(path)
        folders = [each for each in self.inputs.iterdir() if each.name not in used]
        return sorted(folders, key=lambda folder: folder.stat().st_mtime)

    def purge(self, after_s: float = UNDO_S) -> None:
        """Remove for good what was deleted so long ago, and what killed processes left lying."""
        for entry in self.entries(deleted=True):
            with locked(entry.folder / LOCK, patience_s=0.0) as free:
                if free and entry.deleted and time.time() - entry.label().deleted_s >= after_s:
                    with suppress(OSError):
                        entry.folder.rename(self.jobs / f"{GONE}{entry.id}")
                    self.shelf.forget(entry.folder)
        litter = [*self.jobs.glob(f"{NEW}*"), *self.inputs.glob("*/.impasto-*.tmp")]
        for path in [each for each in litter if is_old(each)] + [*self.jobs.glob(f"{GONE}*")]:
            remove(path)

    def _names(self) -> list[str]:
        """The names that are ids, newest first."""
        return sorted(filter(ID.fullmatch, os.listdir(self.jobs)), reverse=True)  # noqa: PTH208


def stands(entry: Entry, *among: Status) -> bool:
    """Whether a job stands at one of these; one that is damaged or gone by now stands nowhere."""
    with suppress(QueueError):
        return entry.state().status in among
    return False


def claimable(entry: Entry) -> bool:
    """Whether a worker may take a job up, if nobody else is at it."""
    return stands(entry, "waiting", "working")


def has_ended(entry: Entry) -> bool:
    """Whether nothing more comes of a job by itself."""
    return stands(entry, "done", "stopped", "failed")


def drop(entry: Entry, path: Path) -> int:
    """Remove what a job that has ended can do without; how many bytes that was."""
    if not path.exists():
        return 0
    with suppress(QueueError), locked(entry.folder / LOCK, patience_s=0.0) as free:
        if free and has_ended(entry):
            before = folder_bytes(path)
            if path == entry.checkpoint_dir:
                checkpoint.remove(path)
            remove(path)
            return before
    return 0


def remove(path: Path) -> None:
    """Remove a file, or a folder with all in it, as far as that can be done."""
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    with suppress(OSError):
        path.unlink()


def mentioned(path: Path) -> set[str]:
    """The folders of inputs that a file of JSON speaks of."""
    with suppress(OSError):
        if path.is_file() and path.stat().st_size <= JSON_BYTES:
            return {digits.decode() for digits in MENTIONED.findall(path.read_bytes())}
    return set()


def is_old(path: Path) -> bool:
    """Whether nobody can still be writing it."""
    with suppress(OSError):
        return time.time() - path.stat().st_mtime > LITTER_S
    return False


def folder_bytes(path: Path) -> int:
    """What a file holds, or a folder with all in it."""
    if not path.is_dir():
        with suppress(OSError):
            return path.stat().st_size
    return sum(file_bytes(folder, names) for folder, _, names in os.walk(path))


def file_bytes(folder: str, names: Collection[str]) -> int:
    """What files in a folder hold together; those that are gone meanwhile hold nothing."""
    found = 0
    for name in names:
        with suppress(OSError):
            found += os.lstat(os.path.join(folder, name)).st_size  # noqa: PTH118
    return found


@contextmanager
def saying(what: str) -> Iterator[None]:
    """Turn an error of the system into one that says what could not be done."""
    try:
        yield
    except (OSError, ValueError) as error:  # ValueError: a path with a null character
        why = getattr(error, "strerror", None) or error
        raise QueueError(f"{what}: {why}", "", "free some space, or check the folder") from error


def too_large(name: str, size: str, limit: int) -> QueueError:
    """What is said of a file that is over the limit.

    Args:
        name: its own, for people.
        size: as ``megabytes`` has it.
        limit: in bytes.
    """
    allowed = f"allowed: up to {megabytes(limit)}"
    hint = "save it smaller: a photograph as a JPEG, a clip in parts"
    return QueueError(f"'{name}' has {size}", allowed, hint)


def megabytes(size: int) -> str:
    """A number of bytes, for people."""
    return f"{size / MEGABYTE:,.1f} MB"

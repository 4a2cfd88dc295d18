"""The processes that work: started, watched, and started again where they die."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Self

from impasto.errors import QueueError
from impasto.files import locked
from impasto.queue.store import Limits, Queue, saying

SERVER = ".server.lock"  # of a queue's folder: held by the pool at work in it
LOG = "workers.log"  # what workers said on standard error since the pool was started
WATCH_S = 0.1  # between two looks at the workers
# A worker that has lived so long was well: it is started again at once. One that keeps dying, be it
# that it cannot even start, is waited for twice as long each time.
WELL_S, FIRST_WAIT_S, LONGEST_WAIT_S = 10.0, 0.25, 30.0
# For a checkpoint: its iteration has to end first, and at 4096 px that takes half a minute.
CLOSING_S = 60.0


def spawn(folder: Path, kinds: str, log: IO[bytes]) -> subprocess.Popen[bytes]:
    """Start a worker: a new interpreter, for a fork would take over this one's threads."""
    words = [sys.executable, "-m", "impasto.queue.worker", str(folder), *([kinds] if kinds else [])]
    # In a session of its own, so that a terminal's Ctrl-C reaches this process alone.
    return subprocess.Popen(
        words, stdin=subprocess.PIPE, stdout=log, stderr=log, start_new_session=True
    )


@dataclass
class Place:
    """A worker's place, whoever fills it.

    Attributes:
        process: the worker.
        started_s: when, by the monotonic clock.
        deaths: of those before it, one soon after the other.
        due_s: when the next is started.
    """

    process: subprocess.Popen[bytes]
    started_s: float
    deaths: int = 0
    due_s: float | None = None

    def wait_s(self, now_s: float) -> float:
        """Count the death of the worker; how long to wait for the next."""
        self.deaths = 0 if now_s - self.started_s > WELL_S else self.deaths + 1
        longest = LONGEST_WAIT_S if self.deaths > 1 else 0.0
        return min(FIRST_WAIT_S * 2.0**self.deaths, longest)


class Pool:
    """Workers of a queue's folder, as long as the context lasts. One pool to a folder.

    Args:
        folder: the queue's.
        workers: how many; one picture uses all cores by itself.
        kinds: a module's dotted name, whose KINDS says what else workers can do; '' is pictures.
        limits: of the queue.

    Raises:
        QueueError: when entered, that another pool is at work in the folder, or it can't be had.

    Example:
        >>> with Pool(Path("studio")) as pool:  # doctest: +SKIP
        ...     pool.queue.add(task)
    """

    def __init__(
        self, folder: Path, workers: int = 1, kinds: str = "", limits: Limits | None = None
    ) -> None:
        self.folder, self.workers, self.kinds, self.limits = folder, workers, kinds, limits
        self.closing, self.stack = threading.Event(), ExitStack()
        self.places: list[Place] = []

    def __enter__(self) -> Self:
        self.queue = Queue(self.folder, self.limits)
        with ExitStack() as entering:
            entering.enter_context(alone(self.queue.folder))
            with saying(f"{self.folder}: the workers' log cannot be written"):
                self.log = entering.enter_context((self.queue.folder / LOG).open("wb"))
            self.places = [self._place() for _ in range(self.workers)]
            self.watcher = threading.Thread(target=self._watch, daemon=True)
            self.watcher.start()
            self.stack = entering.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self, patience_s: float = CLOSING_S) -> None:
        """Let the workers go, each with a checkpoint of what it is at; a second time does nothing.

        Args:
            patience_s: how long they may take; then they are killed, which costs what was done
                since the last checkpoint.
        """
        self.closing.set()
        if self.places:
            self.watcher.join()
        until_s = time.monotonic() + patience_s
        for place in self.places:
            let_go(place.process)
        for place in self.places:
            self._ended(place.process, until_s)
        self.places = []
        self.stack.close()

    @property
    def trouble(self) -> str:
        """Why workers keep dying, as the last one said; '' where they do not."""
        if all(place.deaths <= 1 for place in self.places):
            return ""
        lines = (self.queue.folder / LOG).read_text("utf-8", "replace").strip().splitlines()
        return f"workers keep dying: {lines[-1]}" if lines else "workers keep dying"

    def _place(self) -> Place:
        return Place(self._spawned(), time.monotonic())

    def _spawned(self) -> subprocess.Popen[bytes]:
        return spawn(self.queue.folder, self.kinds, self.log)

    def _watch(self) -> None:
        while not self.closing.wait(WATCH_S):
            for place in self.places:
                if place.process.poll() is not None:
                    self._again(place)

    def _again(self, place: Place) -> None:
        """Start a worker in the place of one that died, in its time."""
        now_s = time.monotonic()
        if place.due_s is None:
            let_go(place.process)
            place.due_s = now_s + place.wait_s(now_s)
        if now_s < place.due_s:
            return
        try:
            place.process = self._spawned()
        except OSError:  # no memory or no process to be had: later
            place.due_s = now_s + LONGEST_WAIT_S
        else:
            place.started_s, place.due_s = now_s, None

    def _ended(self, process: subprocess.Popen[bytes], until_s: float) -> None:
        """Wait for a worker's end, and bring it about where it is late."""
        try:
            process.wait(max(0.0, until_s - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            self.queue.release(process.pid)


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Keep a queue's folder to this pool, as long as the context lasts.

    Raises:
        QueueError: another has it.
    """
    with locked(folder / SERVER) as free:
        if not free:
            given = f"{folder}: another server is at work in this folder"
            raise QueueError(given, "", "use that one, or end it, or choose another `folder`")
        yield


def let_go(process: subprocess.Popen[bytes]) -> None:
    """Close a worker's standard input, on which it ends."""
    assert process.stdin is not None, "it was started with one"
    process.stdin.close()

"""How work tells where it stands, and hears what is wished of it."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from impasto.errors import ImpastoError, QueueError, printable
from impasto.queue.entry import Entry
from impasto.queue.task import Status, Wish, Word

INTERVAL_S = 0.5  # between two previews, or two lines on how far it has come: nobody looks faster
RETRY_S = 1.0  # until what has to be written is tried again, on a disk that is full
MOST_NOTES = 5  # the newest; more would be no line


class Heard(Exception):  # noqa: N818  # no error: a wish, on its way from an iteration to the worker
    """What ends work before its time. What there is of it is kept by whoever does the work."""

    status: Status = "waiting"


class Paused(Heard):
    """Work is to rest until it may go on."""

    status = "paused"


class Stopped(Heard):
    """Work is to end here, with its result as it stands."""

    status = "stopped"


class Leaving(Heard):
    """The process is to end: the next one goes on."""


class Reporter:
    """What a job's work and the page tell each other, by way of the job's folder.

    Whoever holds the job's lock has one. A disk that is full ends no work: what can't be told now
    is told with the next iteration, and what comes of it all is tried until it is written.

    Args:
        entry: the job.
        leaving: whether this process is to end.

    Attributes:
        state: how far it has come, as told last.
        due: whether it is time for a preview and for telling how far it has come.
    """

    def __init__(self, entry: Entry, leaving: Callable[[], bool] = lambda: False) -> None:
        self.entry, self.leaving = entry, leaving
        self.state, self.wish = entry.written(), entry.wish()
        self.before_s, self.begun_s = self.state.seconds, time.monotonic()
        self.told_s = -INTERVAL_S
        self.notes: list[str] = []

    @property
    def due(self) -> bool:
        return time.monotonic() - self.told_s >= INTERVAL_S

    def tell(self, **facts: Any) -> None:
        """Write how far it has come, at once.

        Args:
            **facts: attributes of ``State`` that have changed.
        """
        self.told_s = time.monotonic()
        with suppress(QueueError):
            self._write(facts)

    def _write(self, facts: dict[str, Any]) -> None:
        seconds = self.before_s + time.monotonic() - self.begun_s
        self.state = replace(self.state, seconds=seconds, **facts)
        self.entry.write_state(self.state)

    def rested(self, seconds: float) -> None:
        """Count time in which nothing was done as none of the work's."""
        self.begun_s += seconds

    def note(self, words: str) -> None:
        """Tell a person something that they should know."""
        words = printable(" ".join(words.split()))
        if words and words not in self.notes:
            self.notes = [*self.notes, words][-MOST_NOTES:]
            self.tell(note="; ".join(self.notes))

    def warn(self, what: str, why: ImpastoError) -> None:
        """Tell of something that failed while the work goes on."""
        self.note(f"{what}: {why}")

    def wished(self) -> Word:
        """What is wished by now, and was not yet followed."""
        with suppress(QueueError):  # damaged by hand: what was wished before holds
            self.wish = self.entry.wish()
        return self.wish.word if self.wish.number > self.state.heard else "go"

    def heed(self, stops: bool = True) -> None:
        """End the work where that is wished. To be called as often as it can be ended.

        Args:
            stops: whether it can be stopped here; else that is left for the next time.

        Raises:
            Leaving: this process is to end.
            Paused, Stopped: as a person wishes.
        """
        if self.leaving():
            raise Leaving
        word = self.wished()
        if word == "pause":
            raise Paused
        if word == "stop" and stops:
            raise Stopped

    def asked(self) -> Wish:
        """The wish, read anew."""
        self.wished()
        return self.wish

    def end(self, status: Status, error: str = "") -> None:
        """Write what came of it, however long that takes; a process that is to end tries once."""
        ended_s = None if status in ("paused", "waiting") else time.time()
        facts = {"status": status, "error": error, "ended_s": ended_s, "seconds_left": None}
        if status != "waiting":  # else the next worker follows
            facts["heard"] = self.wish.number
        if status == "done":
            facts["fraction"] = 1.0
        while True:
            try:
                return self._write(facts)
            except QueueError:
                if self.leaving():
                    return None
            time.sleep(RETRY_S)


def take_up(reporter: Reporter) -> None:
    """Count another attempt, and the death of the worker before, if it died."""
    state, wish = reporter.state, reporter.asked()
    deaths = state.deaths + (state.status == "working")
    if state.status == "failed":  # somebody has it tried again
        deaths = 0
    sweep(reporter.entry.folder)
    reporter.state = replace(
        state,
        status="working",
        attempts=state.attempts + 1,
        deaths=deaths,
        heard=wish.number if wish.word == "go" else state.heard,
        started_s=state.started_s or time.time(),
        ended_s=None,
        seconds_left=None,
        note="",
        error="",
    )


def sweep(folder: Path) -> None:
    """Remove what killed processes left half written in a job's folder."""
    for path in folder.glob(".impasto-*.tmp"):
        with suppress(OSError):
            path.unlink()

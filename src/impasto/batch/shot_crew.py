"""A film's shots, side by side: a crew of processes on this machine, through a queue's folder."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from impasto.batch.local import AHEAD, POLL_S, UNLIMITED, Deaths
from impasto.batch.shots import Journal, task_of
from impasto.errors import PictureError, QueueError
from impasto.queue.entry import Entry
from impasto.queue.pool import Pool
from impasto.queue.store import remove
from impasto.video.shooting import Event, ShotOrder, Tell

KINDS = "impasto.batch.shots"  # of work, that workers are to know


@dataclass(frozen=True)
class ShotCrew:
    """Workers, each a process that paints one shot after the other.

    Attributes:
        folder: of the queue, which is this crew's alone, and gone at the end.
        workers: how many.
    """

    folder: Path
    workers: int

    def work(self, shots: Sequence[ShotOrder], tell: Tell) -> None:
        """Paint them, as in `Crew`.

        Raises:
            PictureError: a shot can't be painted.
            QueueError: the folder can't be had, or workers can't be kept alive.
        """
        remove(self.folder)  # of a crew that was killed: all that it painted is in the film's
        try:
            with Pool(self.folder, self.workers, KINDS, UNLIMITED) as pool:
                for event in ShotsAt(pool, shots).events():
                    tell(event)
        finally:
            remove(self.folder)


class ShotsAt:
    """Shots on their way through a pool.

    Args:
        pool: at work.
        shots: all.
    """

    def __init__(self, pool: Pool, shots: Sequence[ShotOrder]) -> None:
        self.pool, self.waiting = pool, list(shots)[::-1]
        self.flying: dict[Entry, Journal] = {}
        self.deaths = Deaths(pool)

    def events(self) -> Iterator[Event]:
        """All that happens, until every shot is there."""
        while self.waiting or self.flying:
            while self.waiting and len(self.flying) < AHEAD * self.pool.workers:
                entry = self.pool.queue.add(task_of(self.waiting.pop()))
                self.flying[entry] = Journal(entry)
            before = len(self.flying)
            for entry in list(self.flying):
                yield from self._news(entry)
            self.deaths.check(ended=len(self.flying) < before)
            time.sleep(POLL_S)

    def _news(self, entry: Entry) -> Iterator[Event]:
        """What is new of a shot.

        Raises:
            PictureError: it can't be painted.
        """
        state = entry.state()  # first: what a worker writes before its end is in the journal then
        yield from self.flying[entry].news()
        if not state.ended:
            return
        if state.status != "done":
            raise PictureError(state.error or f"{entry.name} was stopped")
        del self.flying[entry]
        with suppress(QueueError):
            entry.delete()
            self.pool.queue.purge(0.0)

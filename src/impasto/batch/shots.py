"""In a worker: a shot of a film, painted as a job of a queue.

What has happened is written line by line into a journal in the job's folder: a film has many
frames, and each is told once.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import astuple
from pathlib import Path

from impasto.errors import QueueError
from impasto.queue.entry import Entry
from impasto.queue.reporter import Reporter
from impasto.queue.task import FOREIGN, Task, foreign
from impasto.video.shooting import Event, ShotOrder, paint_shot

SHOT = "shot"  # the kind of task
JOURNAL = "frames.jsonl"  # of the job's folder


def shot(entry: Entry, reporter: Reporter) -> None:
    """Paint what of a shot is not there yet.

    Raises:
        Heard: it ends early, as was wished; what is painted is kept.
        ImpastoError: it can't be painted.
    """
    source = str(entry.folder)
    try:
        order = ShotOrder.from_json(entry.task.options, source)
    except FOREIGN as error:
        raise foreign(source, error) from error
    try:
        with (entry.folder / JOURNAL).open("a", buffering=1) as journal:

            def tell(event: Event) -> None:
                journal.write(f"{json.dumps(astuple(event))}\n")
                reporter.heed()

            paint_shot(order, tell)
    except OSError as error:
        given = f"{source}: the journal cannot be written: {error.strerror}"
        raise QueueError(given, "", "free some space; the same command goes on") from error


KINDS = {SHOT: shot}


def task_of(order: ShotOrder) -> Task:
    """The job of a shot."""
    name = f"shot-{order.shot.number:04}"
    return Task(order.film.picture(name), name, kind=SHOT, options=order.to_json())


class Journal:
    """What a worker has written of a shot, as far as it was read.

    Args:
        entry: the shot's job.
    """

    def __init__(self, entry: Entry) -> None:
        self.path: Path = entry.folder / JOURNAL
        self.read_bytes = 0
        self.there: set[int] = set()

    def news(self) -> Iterator[Event]:
        """What has been written since; of a frame that is there only once, whoever painted it."""
        if not self.path.exists():
            return
        with self.path.open("rb") as file:
            file.seek(self.read_bytes)
            for line in file:
                if not line.endswith(b"\n"):
                    return  # it is being written
                self.read_bytes += len(line)
                event = Event(*json.loads(line))
                if event.frame not in self.there:
                    yield event
                if not event.planned:
                    self.there.add(event.frame)

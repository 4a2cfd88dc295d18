"""A crew of processes on this machine, through a queue's folder."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from impasto.batch import there
from impasto.batch.crew import Event
from impasto.batch.slots import Slots
from impasto.errors import QueueError
from impasto.files import locked
from impasto.job import checkpoint
from impasto.job.order import Order
from impasto.queue.entry import LOCK, Entry
from impasto.queue.pool import Pool
from impasto.queue.store import Limits, Queue, remove
from impasto.queue.task import State, Task
from impasto.queue.worker import MOST_DEATHS

KINDS = "impasto.batch.slots"  # of work, that workers are to know
POLL_S = 0.1  # no person sees a bar move more often
AHEAD = 2  # orders that wait for each process: the queue never runs dry, and stays small
UNLIMITED = Limits(disk_bytes=None)  # the results' folder is the user's affair


@dataclass(frozen=True)
class LocalCrew:
    """Workers, each a process.

    Attributes:
        folder: of the queue; made where it is missing, and removed where nothing is left in it.
        slots: how many compute at once, and with how many threads.
        spares: processes besides those, which read and write pictures meanwhile.
    """

    folder: Path
    slots: Slots
    spares: int = 0

    def work(self, orders: Sequence[Order]) -> Generator[Event, None, None]:
        """Carry orders out, as in `Crew`.

        Raises:
            QueueError: another crew is at work in the folder, or it can't be had; or workers can't
                be kept alive.
        """
        queue = Queue(self.folder, UNLIMITED)
        self.slots.write(queue.folder)
        flying = adopted(queue, orders)  # before a worker takes up what is to rest
        with Pool(self.folder, self.slots.several + self.spares, KINDS, UNLIMITED) as pool:
            yield from At(pool, orders, flying).events()
        queue.purge(0.0)
        if not queue.entries():
            remove(self.folder)


class Deaths:
    """Workers that die and die, where no job is the reason.

    Args:
        pool: whose.
    """

    def __init__(self, pool: Pool) -> None:
        self.pool = pool
        self.worst = 0  # deaths of workers in a row when something last ended

    def check(self, *, ended: bool) -> None:
        """Look at them once more.

        Args:
            ended: whether a job has ended since the last time.

        Raises:
            QueueError: it is no use.
        """
        deaths = min(place.deaths for place in self.pool.places)
        self.worst = deaths if ended else min(self.worst, deaths)
        if deaths - self.worst > MOST_DEATHS:
            raise QueueError(self.pool.trouble, "", "free some memory, and try again")


class At:
    """Orders on their way through a pool.

    Args:
        pool: at work.
        orders: all.
        flying: those that are on their way already, by their numbers.
    """

    def __init__(self, pool: Pool, orders: Sequence[Order], flying: dict[int, Entry]) -> None:
        self.pool, self.queue, self.orders, self.flying = pool, pool.queue, orders, flying
        self.waiting = [n for n in range(len(orders)) if n not in self.flying][::-1]
        self.seen: dict[int, State] = {}
        self.deaths = Deaths(pool)

    def events(self) -> Iterator[Event]:
        """All that happens, until every order has ended."""
        while self.waiting or self.flying:
            while self.waiting and len(self.flying) < AHEAD * self.pool.workers:
                self._send(self.waiting.pop())
            before = len(self.flying)
            for number in list(self.flying):
                yield from self._news(number)
            self._check_workers(ended=len(self.flying) < before)
            time.sleep(POLL_S)

    def _send(self, number: int) -> None:
        order = self.orders[number]
        self.flying[number] = self.queue.add(Task(order, order.target.name))

    def _news(self, number: int) -> Iterator[Event]:
        """What is new of an order; one that has ended is put where it belongs."""
        entry = self.flying[number]
        try:
            state = entry.state()
        except QueueError as error:  # damaged by hand
            state = State("failed", error=str(error))
        if state == self.seen.get(number):
            return
        self.seen[number] = state
        if state.ended:
            state = ended(state, entry.task.order, self.orders[number])
            del self.flying[number]
            if state.status == "done" or not worth_keeping(entry):
                with suppress(QueueError):  # else the next crew finds it
                    entry.delete()
                    self.queue.purge(0.0)
        yield Event(number, state)

    def _check_workers(self, *, ended: bool) -> None:
        self.deaths.check(ended=ended)


def adopted(queue: Queue, orders: Sequence[Order]) -> dict[int, Entry]:
    """The jobs that an earlier crew left of these orders, which go on; others rest.

    One that is done was not put into its place any more; if its files are others by now, it is
    made again.
    """
    numbers = {key_of(order): number for number, order in enumerate(orders)}
    found: dict[int, Entry] = {}
    for entry in queue.entries():
        number, status = numbers.get(key_of(entry.task.order)), entry.state().status
        if status == "done" and (number is None or there.difference(entry.task.order) != ""):
            entry.delete()
        elif number is None or number in found:
            entry.pause()
        else:
            found[number] = entry
            forget_deaths(entry)
            if status in ("paused", "stopped", "failed"):
                entry.go_on()
    return found


def forget_deaths(entry: Entry) -> None:
    """Count anew how many workers a job costs: the last one may have died with its whole crew."""
    with locked(entry.folder / LOCK) as free:
        state = entry.written()
        if free and state.status == "working":
            entry.write_state(replace(state, status="waiting", deaths=0))


def worth_keeping(entry: Entry) -> bool:
    """Whether the next crew could go on from what there is of a job that failed."""
    return checkpoint.is_there(entry.checkpoint_dir) or entry.result_path.exists()


def key_of(order: Order) -> str:
    """What makes an order, wherever it writes to."""
    known = order.to_json()
    known |= {"target": order.target.suffix, "timeline": order.timeline and order.timeline.suffix}
    return json.dumps(known, sort_keys=True)


def ended(state: State, made: Order, order: Order) -> State:
    """Put what a job has made where its order wants it; the state, which may have failed now."""
    if state.status != "done":
        return replace(state, status="failed", error=state.error or "it was stopped")
    try:
        deliver(made, order)
    except OSError as error:
        given = f"{order.target}: it cannot be put there: {error.strerror}"
        hint = "free some space or check the permissions, and try again"
        return replace(state, status="failed", error=str(QueueError(given, "", hint)))
    return state


def deliver(made: Order, order: Order) -> None:
    """Move all that a job has made to where its order wants it, the picture last.

    Whoever finds the picture there finds the rest too.

    Raises:
        OSError: it can't be moved.
    """
    with suppress(FileNotFoundError):
        move_folder(made.snapshot_folder, order.snapshot_folder)
    if made.timeline and order.timeline:
        made.timeline.replace(os.path.realpath(order.timeline))
    made.target.replace(os.path.realpath(order.target))  # a link is followed, as by `save`


def move_folder(here: Path, there: Path) -> None:
    """Move all files of a folder, which goes; a folder that is there takes them in."""
    for path in sorted(here.iterdir()):
        there.mkdir(exist_ok=True)
        path.replace(there / path.name)
    here.rmdir()

"""Whoever carries orders out: orders in, events out. The seam to other machines."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Protocol

from impasto.job.order import Order
from impasto.queue.task import State


@dataclass(frozen=True)
class Event:
    """Where an order stands.

    Attributes:
        number: which order, by its place from 0.
        state: of the work at it. ``done``: all that it writes is in its place, whole; ``failed``:
            nothing is, and ``state.error`` says why in a line.
    """

    number: int
    state: State


class Crew(Protocol):
    """Processes here, or on other machines.

    Each order ends with one event that is ``done`` or ``failed``; any number of others may come
    before. One that fails ends no other. The bytes are those of `impasto stylize`. A crew that is
    killed, or whose iterator is closed, and is given the same orders again goes on where it was.
    """

    def work(self, orders: Sequence[Order]) -> Generator[Event, None, None]:
        """Carry them out.

        Raises:
            ImpastoError: nothing can be done at all.
        """
        ...

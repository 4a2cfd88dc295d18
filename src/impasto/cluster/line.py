"""On a node: how a task tells where it stands, and hears that it is to end.

Words go by an actor of Ray's on the driver's machine, the latest of each task. Telling may fail:
that never ends the work.
"""

from __future__ import annotations

import platform
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

from impasto.cluster.versions import check, versions

BEGIN_S = 10.0  # a call to the actor takes a thousandth of a second; one that is gone takes none


class Board:
    """What all tasks have told; as an actor, on the driver's machine."""

    def __init__(self) -> None:
        self.news: dict[str, dict[int, Any]] = {}
        self.begun: dict[str, dict[int, int]] = {}

    def begin(self, group: str, number: int) -> int:
        """Count another attempt; how often a task was begun before."""
        begun = self.begun.setdefault(group, {})
        begun[number] = begun.get(number, 0) + 1
        return begun[number] - 1

    def tell(self, group: str, number: int, word: Any) -> None:
        """Put a task's word in place of the one before."""
        self.news.setdefault(group, {})[number] = word

    def take(self, group: str) -> dict[int, Any]:
        """All that is new of a group, by the tasks' numbers."""
        return self.news.pop(group, {})


class Line:
    """A task's line to its driver.

    Args:
        board: the actor, a Board; None is nobody.
        group: of tasks that belong together, and of no others.
        number: the task's, among them.
        interval_s: between two words, at least.

    Attributes:
        deaths: how many processes, or nodes, have died at this task, as far as is known.
    """

    def __init__(self, board: Any, group: str, number: int, interval_s: float) -> None:
        self.board, self.group, self.number, self.interval_s = board, group, number, interval_s
        self.stop = threading.Event()
        self.told_s = -interval_s
        self.deaths = self._begun()

    def _begun(self) -> int:
        with suppress(Exception):
            import ray

            told = ray.get(self.board.begin.remote(self.group, self.number), timeout=BEGIN_S)
            return int(told)
        return 0

    def tell(self, word: Any) -> None:
        """Say where the task stands, unless that was said just now."""
        now_s = time.monotonic()
        if now_s - self.told_s < self.interval_s:
            return
        self.told_s = now_s
        with suppress(Exception):
            self.board.tell.remote(self.group, self.number, word)

    def leaving(self) -> bool:
        """Whether the task was cancelled: it is to keep what it has, and end."""
        return self.stop.is_set()


@contextmanager
def cancellable(line: Line) -> Iterator[None]:
    """Hear a cancellation, which Ray sends as Ctrl-C, instead of being interrupted by it."""
    before = signal.getsignal(signal.SIGINT)
    signal.signal(signal.SIGINT, lambda *_: line.stop.set())
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def serve(
    board: Any,
    group: str,
    number: int,
    interval_s: float,
    wanted: Mapping[str, str],
    work: Callable[..., Any],
    *arguments: Any,
) -> Any:
    """A task: call ``work(line, *arguments)``; what it returns.

    Raises:
        ClusterError: this machine has other versions than wanted: it has come later.
    """
    check(platform.node(), versions(), wanted)
    line = Line(board, group, number, interval_s)
    with cancellable(line):
        return work(line, *arguments)

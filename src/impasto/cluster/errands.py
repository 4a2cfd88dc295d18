"""Tasks on their way: as many as nodes take, again where nodes die, cancelled together.

Ray places them, and begins them again elsewhere where a process or a node dies.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Generator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeAlias

from impasto.cluster.line import serve
from impasto.cluster.probe import knock
from impasto.cluster.session import Needs, Session, first_line
from impasto.cluster.versions import versions
from impasto.errors import ClusterError

# On their way, for each that nodes take at once: what the next needs is there when one ends.
AHEAD = 2
FEWEST_AHEAD = 16  # that wait at least, so that a cluster which grows by itself sees that it should
MOST_AT_A_TIME = 50  # that are begun before the next look at those that have ended
LOOK_S = 5.0  # between two counts of what nodes take: they come and go
POLL_S = 0.2  # no person sees a bar move more often
MOST_WORDS_PER_S = 200.0  # of all tasks: the actor takes 2500 in a second, and we 20 times fewer
FASTEST_S = 0.5  # between two words of a task
# Of the head node's silence, after which the work ends in order. Ray waits for 60 s, and then ends
# this process with a line of its own; all that is to be done before takes 15 s.
HEAD_S = 20.0
HEADLESS_S = 10.0  # for checkpoints then
CLOSING_S = 60.0  # for a checkpoint: at 4096 px an iteration takes half a minute
RETRIES = 3  # of a task whose process or node has died; what it is a part of may give up before


@dataclass(frozen=True)
class Errand:
    """What is to be done on a node.

    Attributes:
        work: a function that nodes can import; it is called with its line and the arguments.
        arguments: of it; those that are Ray's references arrive as what they refer to.
        needs: what it takes of the node.
    """

    work: Callable[..., Any]
    arguments: tuple[Any, ...]
    needs: Needs


@dataclass(frozen=True)
class Told:
    """A word of a task that is at work."""

    word: Any


@dataclass(frozen=True)
class Ended:
    """What came of a task: its result, or why there is none, in a line."""

    result: Any = None
    error: str = ""


@dataclass(frozen=True)
class Stuck:
    """No node that is alive takes such a task; it waits for one that may come."""


News: TypeAlias = tuple[int, Told | Ended | Stuck]
Make: TypeAlias = Callable[[int], Errand | Ended]


class Errands:
    """So many errands, each made when there is room for it.

    Args:
        session: the cluster.
        make: the errand of a number from 0; or, where it can't even be begun, its end.
        several: how many there are.
        needs: of most of them, from which follows how many are on their way.
    """

    def __init__(self, session: Session, make: Make, several: int, needs: Needs) -> None:
        self.session, self.make, self.several, self.needs = session, make, several, needs
        self.ray, self.group = session.ray, secrets.token_hex(8)
        self.flying: dict[Any, int] = {}  # by Ray's references
        self.next, self.room, self.looked_s = 0, 0, 0.0
        self.heard_s, self.patience_s = time.monotonic(), CLOSING_S
        self.asked: Any = None  # for news, of which the answer is on its way
        self.serve = self.ray.remote(serve)

    def news(self) -> Generator[News, None, None]:
        """All that happens, until every errand has ended.

        Raises:
            ClusterError: the head node has gone.
        """
        while self.flying or self.next < self.several:
            yield from self._look()
            for _ in range(MOST_AT_A_TIME):
                if self.next < self.several and len(self.flying) < self.room:
                    yield from self._begin()
            yield from self._told()
            yield from self._ended()

    def cancel(self) -> list[News]:
        """Have all end that are on their way, and wait for it a while; what comes of them.

        One that hears it in time can still return something.
        """
        late: list[News] = []
        if not self.flying:
            return late
        for each in self.flying:
            with suppress(Exception):
                self.ray.cancel(each)
        with suppress(Exception):
            flying, several = list(self.flying), len(self.flying)
            ready, _ = self.ray.wait(flying, num_returns=several, timeout=self.patience_s)
            late = [self._end_of(each) for each in ready]
        self.flying.clear()
        return late

    def _look(self) -> Generator[News, None, None]:
        """See how many may be on their way by now."""
        now_s = time.monotonic()
        if self.room and now_s - self.looked_s < LOOK_S:
            return
        self.looked_s = now_s
        try:
            knock(self.session.address)  # a call to a head that is gone would never return
        except ClusterError as error:
            if now_s - self.heard_s > HEAD_S:
                self.patience_s = HEADLESS_S
                given = f"the cluster's head node, {self.session.address}, has gone"
                hint = "the same command goes on once a cluster is there again"
                raise ClusterError(given, "", hint) from error
            return
        self.heard_s = now_s
        with suppress(Exception):
            at_once = self.session.at_once(self.needs)
            self.room = max(AHEAD * at_once, at_once + FEWEST_AHEAD)
            if not at_once and self.flying:
                yield min(self.flying.values()), Stuck()

    def _begin(self) -> Generator[News, None, None]:
        number = self.next
        self.next += 1
        errand = self.make(number)
        if isinstance(errand, Ended):
            yield number, errand
            return
        interval_s = max(FASTEST_S, self.room / AHEAD / MOST_WORDS_PER_S)
        needs = errand.needs
        task = self.serve.options(
            num_cpus=needs.cpus,
            num_gpus=needs.gpus,
            memory=needs.memory_bytes or None,
            max_retries=RETRIES,
            scheduling_strategy="SPREAD",
            name=f"impasto {errand.work.__name__}",
        )
        words = (self.session.board, self.group, number, interval_s, versions())
        self.flying[task.remote(*words, errand.work, *errand.arguments)] = number

    def _told(self) -> Generator[News, None, None]:
        """What those at work have told; where that can't be had now, later."""
        words: dict[int, Any] = {}
        with suppress(Exception):
            if self.asked is None:
                self.asked = self.session.board.take.remote(self.group)
            if self.ray.wait([self.asked], timeout=0)[0]:
                asked, self.asked = self.asked, None
                words = self.ray.get(asked)
        at_work = set(self.flying.values())
        for number, word in words.items():
            if number in at_work:
                yield number, Told(word)

    def _ended(self) -> Generator[News, None, None]:
        """Those that have ended, of which the first is waited for a moment."""
        if not self.flying:
            return
        flying = list(self.flying)
        filling = self.next < self.several and len(flying) < self.room
        self.ray.wait(flying, num_returns=1, timeout=0 if filling else POLL_S)
        ready, _ = self.ray.wait(flying, num_returns=len(flying), timeout=0)
        for each in ready:
            news = self._end_of(each)
            del self.flying[each]
            yield news

    def _end_of(self, task: Any) -> News:
        number = self.flying[task]
        try:
            return number, Ended(self.ray.get(task))
        except Exception as error:
            return number, Ended(error=self._why(error))

    def _why(self, error: Exception) -> str:
        """What became of a task that has no result."""
        from ray import exceptions

        died = (exceptions.WorkerCrashedError, exceptions.NodeDiedError)
        if isinstance(error, died):
            return f"the process or the node at work on it has died {RETRIES + 1} times"
        return first_line(error)

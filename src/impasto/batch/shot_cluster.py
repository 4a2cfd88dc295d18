"""A film's shots, side by side on the machines of a cluster: as Ray's tasks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from impasto.batch import far_shots, parcels
from impasto.batch.cluster import Post, RayCrew
from impasto.batch.far_shots import Painted, Word
from impasto.cluster.errands import Ended, Errand, Errands, Stuck
from impasto.errors import PictureError
from impasto.job.order import Order
from impasto.video.shooting import Event, ShotOrder, Tell

STUCK = "No machine of the cluster has room for a shot any more: it waits for one"


@dataclass(frozen=True)
class RayShotCrew:
    """Nodes of a cluster.

    Attributes:
        nodes: the cluster, and whether inputs and results are sent.
        say: told what a person should know.
    """

    nodes: RayCrew
    say: Callable[[str], None] = lambda _: None

    def check(self, order: Order) -> None:
        """Make sure, before the work, that nodes can do it.

        Args:
            order: what is like a picture's in the film: settings and inputs.

        Raises:
            ImpastoError: as `RayCrew.check`.
        """
        self.nodes.check([order])

    def work(self, shots: Sequence[ShotOrder], tell: Tell) -> None:
        """Paint them, as in `Crew`.

        Raises:
            PictureError: a shot can't be painted.
            ClusterError: the cluster has gone.
        """
        sending = Sending(self.nodes, shots)
        order = sending.orders[0]
        errands = Errands(self.nodes.session, sending.errand, len(shots), self.nodes.needs(order))
        hearing = [Hearing(each) for each in shots]
        try:
            for number, news in errands.news():
                if isinstance(news, Stuck):
                    self.say(STUCK)
                elif isinstance(news, Ended):
                    done = sending.end(number, news)
                    for event in hearing[number].news(done.told):
                        tell(event)
                    if done.error:
                        raise PictureError(done.error)
                else:
                    for event in hearing[number].news(news.word):
                        tell(event)
        finally:
            for number, news in errands.cancel():
                if isinstance(news, Ended):
                    sending.end(number, news)


class Sending:
    """Shots to errands, and what comes of them to where it belongs.

    Args:
        nodes: where they go.
        shots: all.
    """

    def __init__(self, nodes: RayCrew, shots: Sequence[ShotOrder]) -> None:
        self.nodes, self.shots = nodes, shots
        self.known = [each.to_json() for each in shots]
        self.orders = [far_shots.order_of(each) for each in self.known]
        self.post = Post(nodes.session.ray.put, self.orders) if nodes.sent else None

    def errand(self, number: int) -> Errand | Ended:
        """The task of a shot; or its end, where it can't even be begun."""
        needs = self.nodes.needs(self.orders[number])
        if self.post is None:
            return Errand(far_shots.paint_there, (self.known[number],), needs)
        named = parcels.inputs(self.orders[number])
        try:
            sent = [self.post.sent(each) for each in named]
            there = far_shots.files_of(self.shots[number])
        except OSError as error:
            given = f"{error.filename}: it cannot be read: {error.strerror}"
            return Ended(Painted((), given))
        return Errand(far_shots.paint_there, (self.known[number], named, *sent, there), needs)

    def end(self, number: int, news: Ended) -> Painted:
        """What came of a shot, all its files in their place."""
        if self.post:
            self.post.done(self.orders[number])
        if not isinstance(news.result, Painted):
            return Painted((), news.error)
        folder = self.shots[number].folder
        try:
            far_shots.put(news.result.files, folder)
        except OSError as error:
            given = f"{folder}: a shot cannot be kept: {error.strerror}"
            hint = "free some space; the same command goes on from there"
            return Painted(news.result.told, str(PictureError(given, "", hint)))
        return news.result


class Hearing:
    """What has been told of a shot: of each frame once, in their order.

    Args:
        shot: which.
    """

    def __init__(self, shot: ShotOrder) -> None:
        self.next = shot.shot.first

    def news(self, word: Word) -> Iterator[Event]:
        """What a word has that is new; of a gap in what was heard the end tells."""
        for event in word:
            if event.frame == self.next:
                yield event
                self.next += not event.planned

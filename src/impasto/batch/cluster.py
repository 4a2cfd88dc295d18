"""A crew on a cluster: orders as Ray's tasks."""

from __future__ import annotations

import hashlib
import json
import secrets
from collections import Counter
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from impasto.batch import node, parcels, there
from impasto.batch.crew import Event
from impasto.batch.local import ended, worth_keeping
from impasto.batch.node import Outcome, Ticket
from impasto.cluster.errands import Ended, Errand, Errands, Stuck
from impasto.cluster.session import Needs, Node, Session
from impasto.errors import ClusterError, ImpastoError, PictureError
from impasto.files import write_atomically
from impasto.job import checkpoint
from impasto.job.order import Order
from impasto.queue.entry import Entry
from impasto.queue.store import remove
from impasto.queue.task import State

# Between a picture's checkpoints in a folder that all nodes write to, for each picture at a time.
# Of 512 px one has 52 MB, and took a disk 0.1 s: so such a disk is busy half of the time.
EACH_S = 0.2
STUCK = "No machine of the cluster has room for such a picture any more: it waits for one"
TOKEN = "token"  # in the crew's folder, for nodes to find
KEY_DIGITS = 32  # hexadecimal, of a hash of an order: among 2^64 two would be alike by chance


@dataclass(frozen=True)
class RayCrew:
    """Nodes of a cluster.

    Attributes:
        session: the cluster, connected to.
        folder: of what is under way, a folder to an order; made where it is missing, and removed
            where nothing is left in it.
        sent: whether inputs and results go as Ray's objects; else all nodes see all folders.
        threads: of each picture, where its order does not say.
        peak_bytes: of memory, of the largest picture; 0 is not known.
    """

    session: Session
    folder: Path
    sent: bool = False
    threads: int = 1
    peak_bytes: int = 0

    def device(self, wanted: str) -> str:
        """The kind of device that orders of this device have on the cluster."""
        gpu = wanted == "cuda" or (wanted == "auto" and self.session.has_gpus())
        return "cuda" if gpu else "cpu"

    def needs(self, order: Order) -> Needs:
        """What a node has to have for an order.

        On a GPU a picture's threads only read and write files. Memory is asked for as planned, but
        of no more than the largest node has: alone on that, a picture may just fit.
        """
        if self.device(order.config.device) == "cuda":
            return Needs(cpus=1, gpus=1)
        cpus = order.config.threads or self.threads
        largest = max((n.memory_bytes for n in self.session.nodes() if n.cpus >= cpus), default=0)
        return Needs(cpus, memory_bytes=min(self.peak_bytes, largest))

    def check(self, orders: Sequence[Order]) -> None:
        """Make sure, before the work, that the nodes can do it.

        Raises:
            ClusterError: none is large enough, or one has other versions, or other weights, or does
                not see the folders.
            ImpastoError: weights can't be read here.
        """
        takers = {n.id: n for needs in self._kinds(orders) for n in self.session.takers(needs)}
        nodes = list(takers.values())
        self.session.check_versions(nodes)
        folders, token, secret = ([], "", "") if self.sent else self._shown(orders)
        networks = {each: network_of(each) for each in {o.config.backbone for o in orders}}
        named = {backbone: sha256 for backbone, sha256 in networks.items() if sha256}
        try:
            answers = self.session.ask(nodes, node.look, folders, token, secret, named)
        finally:
            if token:
                Path(token).unlink(missing_ok=True)
        for each, (given, allowed, hint) in answers:
            if given:
                raise ClusterError(f"node {each.name}: {given}", allowed, hint)

    def _kinds(self, orders: Sequence[Order]) -> list[Needs]:
        """What the orders need, each once."""
        return list(dict.fromkeys(map(self.needs, kinds(orders).values())))

    def _shown(self, orders: Sequence[Order]) -> tuple[list[str], str, str]:
        """The folders that nodes have to see, a file in the results' one, and what is in that."""
        named = {each for order in orders for each in parcels.inputs(order)}
        folders = sorted({str(Path(each).absolute().parent) for each in named})
        secret, token = secrets.token_hex(), self.folder.absolute() / TOKEN
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            write_atomically(token, secret.encode())
        except OSError as error:
            given = f"{self.folder}: it cannot be written ({error.strerror})"
            raise PictureError(given, "", "free some space or check the permissions") from error
        return [each for each in folders if Path(each).is_dir()], str(token), secret

    def work(self, orders: Sequence[Order]) -> Generator[Event, None, None]:
        """Carry orders out, as in `Crew`.

        Raises:
            ClusterError: the cluster has gone.
        """
        post = Post(self.session.ray.put, orders) if self.sent else None
        needs = {kind: self.needs(order) for kind, order in kinds(orders).items()}
        makes = Made(self, orders, post, needs)
        errands = Errands(self.session, makes.errand, len(orders), needs[kind_of(orders[0])])
        try:
            for number, news in errands.news():
                if isinstance(news, Ended):
                    yield Event(number, makes.end(number, news))
                elif isinstance(news, Stuck):
                    yield Event(number, State("waiting", note=STUCK))
                else:
                    yield Event(number, State.from_json(json.loads(news.word), "a node"))
        finally:
            for number, news in errands.cancel():
                if isinstance(news, Ended):
                    makes.end(number, news)
            self._tidy()

    def _tidy(self) -> None:
        """Let nothing lie that nobody goes on from."""
        with suppress(OSError):
            self.folder.rmdir()


class Made:
    """Orders to errands, and what comes of them to where it belongs.

    Args:
        crew: whose they are.
        orders: all.
        post: sends inputs, where they are sent.
        needs: of orders, by their kinds.
    """

    def __init__(
        self,
        crew: RayCrew,
        orders: Sequence[Order],
        post: Post | None,
        needs: Mapping[tuple[str, int | None], Needs],
    ) -> None:
        self.crew, self.orders, self.post, self.needs = crew, orders, post, needs
        self.rarely_s = rarely_s(crew.session.nodes())

    def folder(self, number: int) -> Path:
        """Of what is under way of an order, always the same."""
        return self.crew.folder.absolute() / key_of(self.orders[number])

    def errand(self, number: int) -> Errand | Ended:
        """The task of an order; or its end, where it can't even be begun."""
        order, needs = self.orders[number], self.needs[kind_of(self.orders[number])]
        try:
            network = network_of(order.config.backbone)
        except ImpastoError as error:
            return Ended(Outcome(node.failed(error)))
        order = order.with_threads(self.crew.threads)
        if self.post:
            return self._sent(number, self.post, Ticket(order, None, network, self.crew.peak_bytes))
        order = Order.from_json(order.to_json(), order.target)
        peak = self.crew.peak_bytes
        ticket = Ticket(order, self.folder(number), network, peak, self.rarely_s)
        return Errand(node.paint, (ticket,), needs)

    def _sent(self, number: int, post: Post, ticket: Ticket) -> Errand | Ended:
        """The same, with all that it needs."""
        order, folder = ticket.order, self.folder(number)
        entry = node.job(order, folder)
        if state := node.is_there(entry.task.order):  # it could not be put into its place
            state = ended(state, entry.task.order, self.orders[number])
            if state.status == "done":
                remove(folder)
            return Ended(Outcome(state))
        named = parcels.inputs(order)
        try:
            sent = [post.sent(each) for each in named]
            left = left_behind(entry)
        except OSError as error:
            given = f"{error.filename}: it cannot be read: {error.strerror}"
            return Ended(Outcome(node.failed(PictureError(given, "", "check its permissions"))))
        needs = self.needs[kind_of(self.orders[number])]
        words = (replace(ticket, inputs=tuple(named)), *sent, *([left] if left else []))
        return Errand(node.paint, words, needs)

    def end(self, number: int, news: Ended) -> State:
        """The state that an order has ended in, all that it wrote in its place."""
        order = self.orders[number]
        if self.post:
            self.post.done(order)
        if not isinstance(news.result, Outcome):
            return State("failed", error=news.error)
        state, files = news.result.state, news.result.files
        if files:
            return self._delivered(number, state, news.result)
        return ended(state, order, order) if state.status != "done" else state

    def _delivered(self, number: int, state: State, outcome: Outcome) -> State:
        """The same, of what came as bytes."""
        order, folder = self.orders[number], self.folder(number)
        entry = node.job(order, folder)
        try:
            parcels.put(outcome.files, entry.task.order, entry.checkpoint_dir)
        except OSError as error:
            given = f"{order.target}: it cannot be written: {error.strerror}"
            hint = "free some space or check the permissions, and try again"
            return node.failed(PictureError(given, "", hint))
        state = ended(state, entry.task.order, order)
        if state.status == "done" or not worth_keeping(entry):
            remove(folder)
        return state


class Post:
    """Sends inputs to where nodes find them, each once, as long as an order needs them.

    Args:
        put: bytes to a reference, as Ray has it.
        orders: all that there will be.
    """

    def __init__(self, put: Callable[[Any], Any], orders: Sequence[Order]) -> None:
        self.put = put
        self.left = Counter(each for order in orders for each in parcels.inputs(order))
        self.kept: dict[str, Any] = {}

    def sent(self, named: str) -> Any:
        """The reference of an input.

        Raises:
            OSError: it can't be read.
        """
        if named not in self.kept:
            self.kept[named] = self.put(parcels.packed(named))
        return self.kept[named]

    def done(self, order: Order) -> None:
        """An order has ended; what no other needs may go."""
        for each in parcels.inputs(order):
            self.left[each] -= 1
            if not self.left[each]:
                self.kept.pop(each, None)


def left_behind(entry: Entry) -> dict[str, bytes]:
    """What an earlier attempt has left, for the next to go on from.

    Raises:
        OSError: it can't be read.
    """
    if not checkpoint.is_there(entry.checkpoint_dir):
        return {}
    found = parcels.made_files(entry.task.order, entry.checkpoint_dir)
    return {name: path.read_bytes() for name, path in found.items() if "/" in name}


def rarely_s(nodes: Sequence[Node]) -> float:
    """Seconds between a picture's checkpoints in a common folder, as `Checkpointer` has it."""
    found = EACH_S * sum(node.cpus for node in nodes)
    return found if found > checkpoint.INTERVAL_S else 0.0


def network_of(backbone: str) -> str:
    """The checksum of a backbone's weights as they are here.

    Raises:
        ImpastoError: there are none.
    """
    return there.network_of(backbone).sha256


def kinds(orders: Sequence[Order]) -> dict[tuple[str, int | None], Order]:
    """One order for all that need the same."""
    return {kind_of(order): order for order in orders}


def kind_of(order: Order) -> tuple[str, int | None]:
    """What an order's needs follow from."""
    return order.config.device, order.config.threads


def key_of(order: Order) -> str:
    """A name for what is under way of an order."""
    known = json.dumps(order.to_json(), sort_keys=True)
    return hashlib.sha256(known.encode()).hexdigest()[:KEY_DIGITS]


def on_the_cpu(order: Order) -> Order:
    """The order for a rehearsal here: nodes may have what this machine has not."""
    return replace(order, config=replace(order.config, device="cpu"))

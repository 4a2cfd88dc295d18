"""On a node of a cluster: one picture, in a folder that all see, or from bytes to bytes."""

from __future__ import annotations

import gc
import json
import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from impasto.batch import parcels, there
from impasto.batch.local import ended, worth_keeping
from impasto.batch.parcels import Parcel
from impasto.cluster.line import Line
from impasto.errors import ImpastoError, QueueError
from impasto.files import locked
from impasto.job import memory
from impasto.job.order import Order
from impasto.queue.entry import LOCK, Entry, Turn, placed
from impasto.queue.picture import picture
from impasto.queue.reporter import Reporter
from impasto.queue.task import PICTURE, State, Task, Wish
from impasto.queue.worker import Kind, outcome

# For a picture's folder, which a process may hold whose node the cluster has given up: it ends
# soon. After that the folder is taken all the same, for a network's drive may keep a dead machine's
# lock: both would write the same bytes.
STALE_S = 60.0


@dataclass(frozen=True)
class Ticket:
    """What a node has to know.

    Attributes:
        order: what is to be done; where all see a folder, its paths are absolute.
        folder: of what is under way, that all see; None is bytes in and out.
        network: the checksum of the weights that the driver has for it.
        peak_bytes: of memory, as planned; 0 is not known.
        rarely_s: as `Checkpointer` has it.
        inputs: the names of the inputs' parcels, in their order; a last one is what an earlier
            attempt has left.
    """

    order: Order
    folder: Path | None
    network: str
    peak_bytes: int
    rarely_s: float = 0.0
    inputs: tuple[str, ...] = ()


@dataclass(frozen=True)
class Outcome:
    """What came of it.

    Attributes:
        state: of the work.
        files: by what they are, where bytes go back.
    """

    state: State
    files: Mapping[str, bytes] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class Passing(Entry):
    """A job of a node's: nobody but its driver hears of it, and nothing is wished of it.

    Attributes:
        line: to the driver.
        ticket: what is known of it.
    """

    line: Line | None = field(default=None, compare=False)
    ticket: Ticket | None = field(default=None, compare=False)

    @property
    def rarely_s(self) -> float:
        return self.ticket.rarely_s if self.ticket else 0.0

    def written(self) -> State:
        deaths = self.line.deaths if self.line else 0
        peak_bytes = self.ticket.peak_bytes if self.ticket else 0
        return State("working", deaths=deaths, peak_bytes=peak_bytes or None)

    def wish(self) -> Wish:
        return Wish()

    def turns(self) -> tuple[Turn, ...]:
        return ()

    def write_state(self, state: State) -> None:
        if self.line:
            self.line.tell(json.dumps(state.to_json()))


def paint(line: Line, ticket: Ticket, *packed: Parcel | Mapping[str, bytes]) -> Outcome:
    """A picture of a batch, wherever it is to be."""
    if ticket.folder:
        return paint_here(line, ticket, ticket.folder)
    return paint_elsewhere(line, ticket, packed)


def paint_here(line: Line, ticket: Ticket, folder: Path) -> Outcome:
    """A picture whose inputs, result and checkpoint lie where all nodes see them."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with locked(folder / LOCK, patience_s=STALE_S):
            entry = job(ticket.order, folder)
            state = is_there(ticket.order) or is_there(entry.task.order)
            state = state or worked(line, ticket, ticket.order, folder)
            if state.status == "done" and entry.result_path.exists():
                state = ended(state, entry.task.order, ticket.order)
    except OSError as error:
        hint = "free some space or check the permissions, and try again"
        return Outcome(failed(QueueError(f"{folder}: {error.strerror}", "", hint)))
    if state.status == "done" or (state.status == "failed" and not worth_keeping(entry)):
        shutil.rmtree(folder, ignore_errors=True)
    return Outcome(state)


def paint_elsewhere(
    line: Line, ticket: Ticket, packed: Sequence[Parcel | Mapping[str, bytes]]
) -> Outcome:
    """A picture from bytes to bytes, in a folder that goes."""
    try:
        with tempfile.TemporaryDirectory(prefix="impasto-", ignore_cleanup_errors=True) as place:
            folder = Path(place) / "job"
            folder.mkdir()
            files = [each for each in packed if isinstance(each, Parcel)]
            places = parcels.unpacked(ticket.inputs, files, Path(place) / "inputs")
            order = parcels.moved(ticket.order, places)
            entry = job(order, folder)
            for left in packed[len(files) :]:
                assert not isinstance(left, Parcel), "those come first"
                parcels.put(left, entry.task.order, entry.checkpoint_dir)
            state = worked(line, ticket, order, folder)
            made = parcels.made_files(entry.task.order, entry.checkpoint_dir)
            whole = state.status == "done"
            kept = made if whole or worth_keeping(entry) else {}
            known = {
                name: path.read_bytes()
                for name, path in kept.items()
                if not (whole and name.startswith(parcels.CHECKPOINT))
            }
            return Outcome(as_named(state, places), known)
    except OSError as error:
        hint = "free some space there"
        return Outcome(failed(QueueError(f"a node's folder: {error.strerror}", "", hint)))


def job(
    order: Order, folder: Path, line: Line | None = None, ticket: Ticket | None = None
) -> Passing:
    """The job of an order, all of whose files are in a folder until it is done."""
    task = placed(Task(order, order.target.name), folder)
    return Passing(folder, task, line=line, ticket=ticket)


def worked(line: Line, ticket: Ticket, order: Order, folder: Path) -> State:
    """Do the work; how it went."""
    try:
        check_network(order.config.backbone, ticket.network)
    except ImpastoError as error:
        return failed(error)
    entry = job(order, folder, line, ticket)
    reporter = Reporter(entry, line.leaving)
    reporter.end(*outcome(entry, reporter, KINDS))
    gc.collect()
    memory.release()  # the next job is planned with what is free
    return reporter.state


def unseen(entry: Entry, reporter: Reporter) -> None:
    """As `picture`, of which nobody sees previews."""
    picture(entry, reporter, previews=False)


KINDS: Mapping[str, Kind] = {PICTURE: unseen}


def is_there(order: Order) -> State | None:
    """That the result is there by now: an attempt before had made it when its node died.

    A node asks it of the place where it belongs, and of its job's folder.
    """
    with suppress(ImpastoError):
        if there.difference(order) == "":
            recipe = there.recipe_at(order.target)
            went = recipe.outcome if recipe else None
            if went:
                loss = went.losses["total"]
                return State("done", iteration=went.done, iterations=went.planned, loss=loss)
    return None


def failed(error: ImpastoError) -> State:
    """The state of work that failed for this reason."""
    return State("failed", error=str(error))


def as_named(state: State, places: Mapping[str, str]) -> State:
    """The state, in whose words inputs have the names that a person gave them."""
    error, note = state.error, state.note
    for name, place in places.items():
        error, note = error.replace(place, name), note.replace(place, name)
    return replace(state, error=error, note=note)


def check_network(backbone: str, sha256: str) -> None:
    """Make sure that a backbone's weights are the driver's.

    Raises:
        ImpastoError: they are others, or there are none.
    """
    found = there.network_of(backbone)
    if sha256 and found.sha256 != sha256:
        given = f"`backbone` {backbone} is {found.name} of {found.source} on a node, and other here"
        raise QueueError(given, "", "give all the same weights, or set `backbone` to vgg16")


def look(
    folders: Sequence[str], token: str, secret: str, networks: Mapping[str, str]
) -> tuple[str, str, str]:
    """What this machine lacks for a batch, as the parts of an error; empty where it lacks nothing.

    Args:
        folders: that it has to see.
        token: a file in the results' folder; '' where that need not be seen.
        secret: what is in it, so that another folder of the same name is told apart.
        networks: by backbone, the checksum of its weights.
    """
    hint = "set `files` to sent, or let all nodes see it"
    for each in folders:
        if not Path(each).is_dir():
            return f"it does not see the folder '{each}'", "", hint
    if token:
        folder = Path(token).parent
        try:
            if Path(token).read_text("utf-8") != secret or not os.access(folder, os.W_OK):
                raise PermissionError
        except OSError:
            return f"it can't write into '{folder.parent}', or sees another folder there", "", hint
    for backbone, sha256 in networks.items():
        try:
            check_network(backbone, sha256)
        except ImpastoError as error:
            return error.given, error.allowed, error.hint
    return "", "", ""

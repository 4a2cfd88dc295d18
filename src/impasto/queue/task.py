"""What is to be done, how far it has come, and what is wished of it: three things, each as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args

from impasto.config import Size
from impasto.errors import ImpastoError, QueueError
from impasto.job.order import Order
from impasto.job.recipe import as_tuples

Status = Literal["waiting", "working", "paused", "done", "stopped", "failed"]
Word = Literal["go", "pause", "stop"]  # what a person can wish of a job

STATUSES: tuple[Status, ...] = get_args(Status)
WORDS: tuple[Word, ...] = get_args(Word)
PICTURE = "picture"  # the kind of task that this room knows; others bring theirs
# All that reading another program's JSON raises: json.loads, Path, dict and dataclasses together.
FOREIGN = (ImpastoError, LookupError, TypeError, ValueError, AttributeError, RecursionError)
MOST = 2**53  # no number of ours is larger, and floats hold all up to it

T = TypeVar("T", "State", "Wish", "Label")


@dataclass(frozen=True)
class Task:
    """What is to be done.

    Attributes:
        order: which pictures, how, and where to; what another kind makes of it is its own affair.
        name: for people.
        kind: of work: ``picture``, or a name of a room that brought its own.
        owner: whose it is; '' where everybody is one.
        group: what it is a part of, such as a sweep; ''.
        options: of the kind; JSON-able.
        parent: the id of the job that it came from, or ''.
    """

    order: Order
    name: str = ""
    kind: str = PICTURE
    owner: str = ""
    group: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    parent: str = ""

    def to_json(self) -> dict[str, Any]:
        """The task as JSON can hold it; its paths are absolute."""
        words = {each.name: getattr(self, each.name) for each in fields(self)}
        return {**words, "order": self.order.to_json(), "options": dict(self.options)}

    @classmethod
    def from_json(cls, known: Any, source: str) -> Task:
        """The task that gave this.

        Args:
            known: what JSON held.
            source: what an error names.

        Raises:
            QueueError: it is none of ``to_json``.
        """
        try:
            order, options = Order.from_json(known["order"], Path(source)), dict(known["options"])
            words = {name: known[name] for name in ("name", "kind", "owner", "group", "parent")}
        except FOREIGN as error:
            raise foreign(source, error) from error
        for name, word in words.items():
            if not isinstance(word, str):
                raise foreign(source, f"{name} {word!r}")
        return cls(order, options=options, **words)


@dataclass(frozen=True)
class Wish:
    """What is wished of a job, as the page side writes it.

    Attributes:
        word: ``go``, ``pause`` or ``stop``.
        number: how many have been wished so far: State.heard says which was followed.
        steering: changes of settings, each asked for once, in their order.
    """

    word: Word = "go"
    number: int = 0
    steering: tuple[Mapping[str, Any], ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The wish as JSON can hold it."""
        return {**asdict(self), "steering": [dict(each) for each in self.steering]}

    @classmethod
    def from_json(cls, known: Any, source: str) -> Wish:
        """The wish that gave this.

        Raises:
            QueueError: it is none of ``to_json``; source is what that names.
        """
        wish = of_fields(cls, known, source)
        if wish.word not in WORDS:
            raise foreign(source, f"word {wish.word!r}")
        try:
            return replace(wish, steering=tuple(map(settings_of, wish.steering)))
        except FOREIGN as error:
            raise foreign(source, error) from error


@dataclass(frozen=True)
class Label:
    """What the page side keeps of a job beside what is to be done.

    Attributes:
        name: that a person gave it; '' is the task's own.
        favourite: whether it is one.
        deleted_s: when it was deleted, in seconds since the epoch; 0 is not.
        held: whether it was paused because it was deleted, and goes on if that is taken back.
    """

    name: str = ""
    favourite: bool = False
    deleted_s: float = 0.0
    held: bool = False

    def to_json(self) -> dict[str, Any]:
        """The label as JSON can hold it."""
        return asdict(self)

    @classmethod
    def from_json(cls, known: Any, source: str) -> Label:
        """The label that gave this.

        Raises:
            QueueError: it is none of ``to_json``; source is what that names.
        """
        return of_fields(cls, known, source)


@dataclass(frozen=True)
class State:
    """How far a job has come, as its worker writes it.

    Attributes:
        status: where it stands.
        attempts: how many workers have taken it up.
        deaths: how many of them died at it.
        heard: the number of the last wish that was followed.
        iteration: how many are done.
        iterations: how many there will be; 0 as long as nobody knows.
        fraction: of the work that is done, from 0 to 1.
        seconds_left: at the pace of late; None as long as nobody knows.
        seconds: worked so far, in all attempts.
        loss: after the last iteration.
        peak_bytes: of memory, as planned.
        size: (height, width) of the result in pixels.
        scale: (height, width) of the picture at the last iteration.
        note: what a person should know, one line or ''.
        error: why it failed, one line or ''.
        made_s: when it was added, in seconds since the epoch, as the next two.
        started_s: when a worker first took it up, or None.
        ended_s: when it was done, stopped or failed, or None.
        worker: the process at work, or that was last.
    """

    status: Status = "waiting"
    attempts: int = 0
    deaths: int = 0
    heard: int = 0
    iteration: int = 0
    iterations: int = 0
    fraction: float = 0.0
    seconds_left: float | None = None
    seconds: float = 0.0
    loss: float | None = None
    peak_bytes: int | None = None
    size: Size | None = None
    scale: Size | None = None
    note: str = ""
    error: str = ""
    made_s: float = 0.0
    started_s: float | None = None
    ended_s: float | None = None
    worker: int | None = None

    @property
    def ended(self) -> bool:
        """Whether nothing more comes of it by itself."""
        return self.status in ("done", "stopped", "failed")

    def to_json(self) -> dict[str, Any]:
        """The state as JSON can hold it."""
        return asdict(self)

    @classmethod
    def from_json(cls, known: Any, source: str) -> State:
        """The state that gave this.

        Raises:
            QueueError: it is none of ``to_json``; source is what that names.
        """
        state = of_fields(cls, known, source)
        if state.status not in STATUSES:
            raise foreign(source, f"status {state.status!r}")
        for name in ("size", "scale"):
            sides = getattr(state, name)
            if sides is not None and not (
                len(sides) == len(("height", "width")) and all(type(side) is int for side in sides)
            ):
                raise foreign(source, f"{name} {sides!r}")
        return state

    def with_wish(self, wish: Wish) -> State:
        """Where a job stands once its last wish is counted in, of which its worker may not know.

        A worker at work follows by itself. Where none is, a wish makes the job wait for one, or
        keeps it from one.
        """
        if wish.number <= self.heard:
            return self
        return replace(self, status=wished(self, wish.word))


def wished(state: State, word: Word) -> Status:
    """What a wish that nobody has followed yet makes of a job's status."""
    begun = state.iteration > 0
    if state.status in ("working", "done"):
        return state.status
    if word == "go":
        return "waiting"
    if word == "pause":
        return "paused" if state.status == "waiting" else state.status
    if state.status in ("stopped", "failed"):
        return state.status
    return "waiting" if begun else "stopped"  # a worker has to write the picture as it stands


def settings_of(known: Any) -> dict[str, Any]:
    """The settings in JSON; its lists were tuples."""
    return {str(name): as_tuples(value) for name, value in known.items()}


# What JSON may hold for a field of these types: exactly what is written.
KINDS: Mapping[str, tuple[type, ...]] = {
    "int": (int,),
    "int | None": (int, type(None)),
    "float": (float, int),
    "float | None": (float, int, type(None)),
    "str": (str,),
    "Status": (str,),
    "Word": (str,),
    "bool": (bool,),
    "Size | None": (list, type(None)),
    "tuple[Mapping[str, Any], ...]": (list,),
}


def of_fields(cls: type[T], known: Any, source: str) -> T:
    """The dataclass of these fields, each of its type; those left out have their defaults.

    Fields of a later version are passed over.

    Raises:
        QueueError: a field of another type, or no fields at all.
    """
    if not isinstance(known, dict):
        raise foreign(source, f"no object but {type(known).__name__}")
    found: dict[str, Any] = {}
    for each in fields(cls):
        if each.name not in known:
            continue
        value, allowed = known[each.name], KINDS[str(each.type)]
        if type(value) not in allowed or (isinstance(value, int) and abs(value) > MOST):
            raise foreign(source, f"{each.name} {value!r}")
        found[each.name] = as_written(value, allowed)
    return cls(**found)


def as_written(value: Any, allowed: tuple[type, ...]) -> Any:
    """JSON's value as the field's type: lists are tuples, and a float may have lost its point."""
    if isinstance(value, list):
        return tuple(value)
    return float(value) if float in allowed and isinstance(value, int) else value


def foreign(source: str, why: object) -> QueueError:
    """The error for a file that is none of ours."""
    what = str(why) or type(why).__name__
    return QueueError(f"{source}: none of ours, or damaged ({what})", "", "delete its job's folder")

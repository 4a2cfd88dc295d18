"""All that decides a picture, and how it went: what a result says of itself, and repeats it.

A Recipe is written into a picture's metadata, a checkpoint, a sweep's cells and a report's runs;
whether one of those still stands for a job is decided here, by ``difference``.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from impasto.config import Config, Size, kept
from impasto.errors import PictureError, printable
from impasto.network.conv import NOWHERE, ONCE_MEASURED, LeastPatches
from impasto.transfer.optimize import Step, Windows, changes

FORMAT = 2  # of the JSON; 1, which had no number, named inputs by roles such as "painting 2"
LONGEST = 24  # characters of a value that a message tells: two checksums still differ
AS_PHOTOGRAPHED = "photo"  # a region's place in the JSON where it has no painting

OF_THE_MACHINE = ("versions", "precision", "winograd")  # of the JSON: not what was asked for

T = TypeVar("T")

Steering = Sequence[tuple[int, Mapping[str, Any]]]
"""After which iteration, counted from 1, which settings became what."""


@dataclass(frozen=True)
class Source:
    """A file that a picture was made from, or a folder of paintings.

    Attributes:
        name: its name, without folders.
        sha256: of its bytes, or of its files' checksums.
    """

    name: str
    sha256: str


@dataclass(frozen=True)
class Inputs:
    """The files that a picture was made from.

    Attributes:
        photograph: None for a texture.
        paintings: in their order.
        start: the picture that the optimisation began with, if it was one.
        mask: the photograph's.
        style_masks: the paintings', in their order.
        regions: by the mask's colours, a painting of its own, or None where it stays as
            photographed; colours that take after ``paintings`` are not in it.
    """

    photograph: Source | None = None
    paintings: tuple[Source, ...] = ()
    start: Source | None = None
    mask: Source | None = None
    style_masks: tuple[Source, ...] = ()
    regions: Mapping[str, Source | None] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """As JSON holds it, without what there is none of."""
        regions = {
            name: AS_PHOTOGRAPHED if source is None else asdict(source)
            for name, source in self.regions.items()
        }
        return {
            name: value for name, value in {**asdict(self), "regions": regions}.items() if value
        }

    @classmethod
    def from_json(cls, known: Mapping[str, Any]) -> Inputs:
        """The inputs that gave this."""

        def one(name: str) -> Source | None:
            return Source(**known[name]) if known.get(name) else None

        def several(name: str) -> tuple[Source, ...]:
            return tuple(Source(**each) for each in known.get(name, ()))

        regions = {
            name: None if each == AS_PHOTOGRAPHED else Source(**each)
            for name, each in known.get("regions", {}).items()
        }
        return cls(
            photograph=one("photograph"),
            paintings=several("paintings"),
            start=one("start"),
            mask=one("mask"),
            style_masks=several("style_masks"),
            regions=regions,
        )


@dataclass(frozen=True)
class Network:
    """The network that looked.

    Attributes:
        name: of its architecture.
        source: where its weights are from, in words.
        sha256: of their file.
    """

    name: str
    source: str
    sha256: str


@dataclass(frozen=True)
class Outcome:
    """How a run went.

    Attributes:
        done: iterations that were made.
        planned: iterations that the schedule has.
        windows_px: from which iteration on windows had which side; None is whole.
        losses: the last iteration's, by term, and ``total``.
        steering: what was changed on the way.
    """

    done: int
    planned: int
    windows_px: Windows
    losses: Mapping[str, float]
    steering: Steering = ()


@dataclass(frozen=True)
class Recipe:
    """All that decides a picture, and how it went; no times, no folders.

    Attributes:
        settings: every one of Config's, by name, as the run began with them; of paths only the
            file's name.
        size: (height, width) of the result.
        inputs: the files.
        network: that looked.
        device: such as ``cpu``.
        precision: of the network's features.
        winograd: where convolutions in float32 went Winograd's way: by channels, from how many
            patches of a map on.
        threads: how many computed at once, on the CPU; None where an early recipe does not say.
        versions: of Python and of the packages that bytes may depend on, by name.
        outcome: None before the run.
        bits: a channel of the file that it is in; None outside one.
    """

    settings: Mapping[str, Any]
    size: Size
    inputs: Inputs
    network: Network
    device: str
    precision: str
    winograd: LeastPatches
    threads: int | None
    versions: Mapping[str, str]
    outcome: Outcome | None = None
    bits: int | None = None

    def after(self, last: Step, history: Iterable[Mapping[str, Any]]) -> Recipe:
        """The recipe of a run that came to this step, with a row in history for each iteration."""
        rows = list(history)
        windows = changes(row["window_px"] for row in rows)
        losses = {"total": last.loss, **last.losses}
        went = Outcome(last.iteration, last.iterations, windows, losses, steering_of(rows))
        return replace(self, outcome=went)

    def settled(self) -> Recipe:
        """The recipe of a run that goes from its start for what this one went for at last."""
        if self.outcome is None:
            return self
        settings = dict(self.settings)
        for _, changed in self.outcome.steering:
            settings |= changed
        return replace(self, settings=settings, outcome=replace(self.outcome, steering=()))

    def to_json(self) -> dict[str, Any]:
        """The recipe as JSON holds it, and gives it back."""
        known = {
            "recipe": FORMAT,
            "settings": self.settings,
            "size": self.size,
            "backbone": asdict(self.network),
            "inputs": self.inputs.to_json(),
            "device": self.device,
            "precision": self.precision,
            "winograd": {str(channels): least for channels, least in self.winograd.items()},
            "threads": self.threads,
            "versions": self.versions,
        }
        if self.outcome:
            known["windows_px"] = self.outcome.windows_px
            known["iterations"] = {"done": self.outcome.done, "planned": self.outcome.planned}
            known["losses"] = self.outcome.losses
            known |= {"steering": self.outcome.steering} if self.outcome.steering else {}
        if self.bits:
            known["bits"] = self.bits
        plain: dict[str, Any] = json.loads(json.dumps(known))
        return plain

    @classmethod
    def from_json(cls, known: Mapping[str, Any], what: str) -> Recipe:
        """The recipe that gave this.

        Args:
            known: as from ``to_json``, of this format or an earlier one.
            what: names the picture in errors.

        Raises:
            PictureError: it is no recipe, or one of a later format.
        """
        try:
            form = known.get("recipe", 1)
            if form not in (1, FORMAT):
                raise PictureError(
                    f"{what} has a recipe of format {form}",
                    f"this version knows formats up to {FORMAT}",
                    "a newer impasto can follow it",
                )
            return cls._of(known if form == FORMAT else from_roles(known))
        except (LookupError, TypeError, AttributeError, ValueError) as error:
            given = f"{what} has a recipe that this version cannot follow ({error})"
            raise PictureError(given, "", "impasto show tells what is in it") from error

    @classmethod
    def _of(cls, known: Mapping[str, Any]) -> Recipe:
        height, width = known["size"]
        outcome = None
        if "iterations" in known:
            windows = tuple((first, side) for first, side in known["windows_px"])
            steering = tuple((after, dict(turn)) for after, turn in known.get("steering", ()))
            went = {"windows_px": windows, "losses": known["losses"], "steering": steering}
            outcome = Outcome(**known["iterations"], **went)
        return cls(
            settings=dict(known["settings"]),
            size=(height, width),
            inputs=Inputs.from_json(known["inputs"]),
            network=Network(**known["backbone"]),
            device=known["device"],
            precision=known["precision"],
            winograd=winograd_of(known),
            threads=known.get("threads"),
            versions=dict(known["versions"]),
            outcome=outcome,
            bits=known.get("bits"),
        )

    def config(self, **instead: Any) -> Config:
        """Give its settings as a Config, but for those that are given instead and not None.

        Raises:
            ConfigError: values out of range.
            TypeError: a setting that there is not.
        """
        settings = {name: as_tuples(value) for name, value in self.settings.items()}
        return kept({**settings, **{k: v for k, v in instead.items() if v is not None}})

    def difference(self, other: Recipe, *, versions: bool = True) -> str:
        """The first thing by which another decides another picture; '' where it decides the same.

        How a run went decides nothing, but for where it was steered, nor does the file that it is
        in.

        Args:
            other: the one to hold against this one.
            versions: whether other versions count, and other ways of computing, which may change
                bytes.
        """
        one, two = (flat(each.deciding(versions=versions)) for each in (self, other))
        name = next((name for name in {**one, **two} if one.get(name) != two.get(name)), None)
        if name is None:
            return ""
        was, is_ = (str(each.get(name))[:LONGEST] for each in (one, two))
        return f"{name} was {was}, here it is {is_}"

    def other_versions(self, other: Recipe) -> str:
        """A line on what is otherwise there, and may change bytes; '' if nothing is."""
        was, is_ = ({"precision": r.precision, **r.versions} for r in (self, other))
        changed = [
            f"{name} was {printable(version)}, here {is_.get(name)}"
            for name, version in was.items()
            if version != is_.get(name)
        ]
        return f"The picture may differ in a few bytes: {'; '.join(changed)}." if changed else ""

    def deciding(self, *, versions: bool = True) -> dict[str, Any]:
        """What decides the picture, as JSON holds it."""
        known = replace(self, outcome=None, bits=None).to_json()
        if self.outcome and self.outcome.steering:
            known["steering"] = json.loads(json.dumps(self.outcome.steering))
        for name in () if versions else OF_THE_MACHINE:
            del known[name]
        return known


def kept_settings(config: Config) -> dict[str, Any]:
    """The settings that a recipe holds."""
    settings = asdict(config)
    for name in ("snapshots", "threads"):  # which decide nothing; how many it were is apart
        settings.pop(name)
    for name in ("backbone", "start"):  # where they are paths: the file's name
        settings[name] = Path(settings[name]).name
    return settings


def steering_of(history: Iterable[Mapping[str, Any]]) -> Steering:
    """What was changed on the way of a run, from a row for each of its iterations.

    Early rows have no turns.
    """
    turns = ((row["iteration"] - 1, row.get("turn")) for row in history)
    return tuple((after, dict(turn)) for after, turn in turns if turn)


def winograd_of(known: Mapping[str, Any]) -> LeastPatches:
    """Where a recipe in JSON has convolutions go Winograd's way; early ones did not say."""
    if "winograd" not in known:
        return ONCE_MEASURED if known["device"] == "cpu" else NOWHERE
    return {int(channels): int(least) for channels, least in known["winograd"].items()}


def from_roles(known: Mapping[str, Any]) -> dict[str, Any]:
    """A recipe of format 1 in today's."""

    def numbered(role: str) -> list[Any]:
        names = (role, *(f"{role} {number}" for number in range(2, len(given) + 2)))
        return [given[name] for name in names if name in given]

    given = known["inputs"]
    kept = [name for name, manner in known.get("regions", {}).items() if manner is None]
    own = {
        name.removeprefix("region "): each
        for name, each in given.items()
        if name.startswith("region ")
    }
    inputs = {name: given[name] for name in ("photograph", "start", "mask") if name in given}
    inputs |= {"paintings": numbered("painting"), "style_masks": numbered("style mask")}
    inputs["regions"] = {**dict.fromkeys(kept, AS_PHOTOGRAPHED), **own}
    before = known["settings"]
    settings = {"units": "fractions" if before["strength"] is not None else "sums"}
    settings |= {"fit": "windows"} if before.get("fit") == "tiles" else {}
    return {
        **known,
        "inputs": inputs,
        "settings": {**before, **settings},
        "windows_px": [(1, known.get("windows_px"))],
    }


def as_tuples(value: Any) -> Any:
    """JSON's lists, in lists, as the tuples that they were."""
    return tuple(as_tuples(part) for part in value) if isinstance(value, list) else value


def flat(known: object, name: str = "") -> dict[str, object]:
    """Facts in facts as one mapping, by names such as ``settings size``."""
    parts: Iterator[tuple[object, object]] | None = None
    if isinstance(known, dict) and known:
        parts = iter(known.items())
    elif isinstance(known, list) and known:
        parts = iter(enumerate(known, 1))
    if parts is None:
        return {name: known}
    nested = (flat(part, f"{name} {key}".strip()) for key, part in parts)
    return {key: value for part in nested for key, value in part.items()}

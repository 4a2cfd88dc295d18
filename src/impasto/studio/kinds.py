"""What the queue's workers do besides pictures.

For one that is there: film, report, measures. For a clip: the clip repainted, and a preview of it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from impasto import files
from impasto.errors import ConfigError, PictureError, QueueError
from impasto.queue.entry import Entry
from impasto.studio import clips
from impasto.words import MEASURES as NAMES

if TYPE_CHECKING:
    from impasto.config import Config
    from impasto.explain import Report
    from impasto.queue.reporter import Reporter
    from impasto.transfer.optimize import Step

FILM, EXPLAIN, MEASURES = "film", "explain", "measures"
CLIP, PREVIEW = "clip", "preview"
REPORT_PX = 256  # longer side of a report's pictures, as `impasto explain` has it: a few minutes
REPORT, NUMBERS = "report", "measures.json"


def film(entry: Entry, reporter: Reporter) -> None:
    """Paint the picture again, as it was steered, and film it.

    Raises:
        ImpastoError, Heard: as the queue's own ``picture``.
    """
    from impasto.queue.picture import picture

    before = parent_of(entry).turns()
    if before and not entry.turns():
        entry.write_turns(before)
    picture(entry, reporter)


def explain(entry: Entry, reporter: Reporter) -> None:
    """Write the report on a picture, as `impasto explain` does; what is there is not made again.

    Raises:
        ImpastoError: of its children the one that fits.
        Heard: it ends early, as was wished.
    """
    from impasto import explain as room

    order = entry.task.order
    if order.photo is None or len(order.paintings) != 1 or order.mask:
        given = "a picture of several paintings, or with regions"
        raise ConfigError(given, "a report is of one photograph and one painting")
    config = report_config(order.config)
    report = room.prepare(order.photo, order.paintings[0], entry.folder / REPORT, config)
    told = Told(report, reporter)
    runs = {}
    for part in report.parts:
        runs[part.name] = room.obtained(part, report.kept, told.begin, told, own_process=True)
        told.end(part.name)
    room.write(report, runs)


def report_config(config: Config) -> Config:
    """The settings of a report's pictures: smaller, and with nothing that only one run can have."""
    from impasto.config import Config as Usual

    size = min(config.size, REPORT_PX) if isinstance(config.size, int) else REPORT_PX
    return replace(config, size=size, snapshots=(), fit=Usual.fit)


class Told:
    """Tells a reporter how far a report has come, over all its runs."""

    def __init__(self, report: Report, reporter: Reporter) -> None:
        from impasto.job.session import Pace, costs

        self.costs = {part.name: costs(part.job) for part in report.parts}
        self.names = list(self.costs)
        self.reporter, self.name, self.done = reporter, "", 0
        self.pace = Pace(sum(map(sum, self.costs.values())))

    def begin(self, part: Any) -> None:
        """Hear that a run has to be made."""
        self.name = part.name
        self.pace.start()

    def __call__(self, step: Step) -> None:
        """Hear that the run at work has come on by an iteration, and of what is wished."""
        self.pace.did(self.costs[self.name][step.iteration - 1])
        if self.reporter.due:
            self.tell()
        self.reporter.heed()

    def end(self, name: str) -> None:
        """Hear that a run is there now."""
        there = sum(sum(self.costs[each]) for each in self.names[: self.names.index(name) + 1])
        self.pace.skip(there - self.pace.done)
        self.done += 1
        self.tell()

    def tell(self) -> None:
        """Write how far it has come."""
        self.reporter.tell(
            iteration=self.done,
            iterations=len(self.names),
            fraction=self.pace.fraction,
            seconds_left=self.pace.seconds_left,
        )


def measures(entry: Entry, _: Reporter) -> None:
    """Measure a picture, as `impasto evaluate` does.

    Raises:
        ImpastoError: of its children the one that fits.
    """
    from impasto.measure.appraise import Appraiser

    order, of = entry.task.order, parent_of(entry)
    painting = order.paintings[0] if len(order.paintings) == 1 and not order.mask else None
    found = Appraiser(order.photo, painting)(of.result_path).measures
    known = {name: getattr(found, name) for name in NAMES}
    try:
        files.write_atomically(entry.folder / NUMBERS, json.dumps(known).encode())
    except OSError as error:
        given = f"the measures cannot be written ({error.strerror})"
        raise PictureError(given, "", "free some space") from error


def parent_of(entry: Entry) -> Entry:
    """The picture that a job came from.

    Raises:
        QueueError: it is not there any more.
    """
    folder = entry.folder.parent / entry.task.parent
    if not entry.task.parent or folder.parent != entry.folder.parent:
        raise QueueError(f"{entry.task.name}: it came from no picture")
    return Entry.at(folder)


def report_page(entry: Entry) -> Path:
    """Where a report's page is, or will be."""
    return entry.folder / REPORT / "index.html"


def moving(entry: Entry) -> Path | None:
    """The film that a job makes, there or not; None where it makes none."""
    return entry.result_path if entry.task.kind == CLIP else entry.task.order.timeline


def numbers(entry: Entry) -> dict[str, Any]:
    """The measures that were taken; {} before."""
    try:
        found: dict[str, Any] = json.loads((entry.folder / NUMBERS).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found


KINDS: Mapping[str, Callable[[Entry, Reporter], None]] = MappingProxyType(
    {
        FILM: film,
        EXPLAIN: explain,
        MEASURES: measures,
        CLIP: clips.paint,
        PREVIEW: clips.preview,
    }
)

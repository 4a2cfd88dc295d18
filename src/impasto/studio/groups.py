"""Many photographs that came together: each brought in, and how far all of them are as one.

Pictures are jobs like any other, with a group in common. What no job knows, such as which files
were refused, is kept beside them:

    FOLDER/batches/<whose>/<group>.json
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from impasto import files, pictures
from impasto.errors import ConfigError, ImpastoError, QueueError
from impasto.queue.entry import Entry
from impasto.queue.task import State
from impasto.studio import views
from impasto.studio.desk import Desk, Wanted, new_group
from impasto.studio.shelf import titled
from impasto.studio.widgets import said

MOST_AT_ONCE = 200  # pictures of a batch: at a minute each, a night's work is two of them
BATCH = "batch"
GROUP = re.compile(rf"{BATCH}-[0-9a-f]{{8}}")
FOLDER = "batches"
LABEL = "label"  # of a job's options: what its cell is called
BEGINS_S = 10.0  # how long a batch is waited for whose photographs are about to be read
PASSED_OVER = 3  # names of files that are no pictures, after which the rest is a number
CUT_SHORT = (
    "The studio was closed while it read the photographs: {} of {} are missing. Choose those again."
)
# What can be wished of all pictures together, and of which of them it means anything.
WISHES: Mapping[str, tuple[str, ...]] = {
    "pause": ("working", "waiting"),
    "go_on": ("paused", "stopped"),
    "stop": ("working", "waiting", "paused"),
}

Handed = Sequence[tuple[Path, str]]  # files that came in, where they lie now, and their names


@dataclass(frozen=True)
class Record:
    """What is known of a batch besides its jobs.

    Attributes:
        columns: paintings that each photograph is painted after, by itself.
        files: photographs that came in.
        read: of these, those that were looked at.
        lines: a line for each that was refused, and for what was passed over.
    """

    columns: int = 1
    files: int = 0
    read: int = 0
    lines: tuple[str, ...] = ()


@dataclass(frozen=True)
class Batch:
    """A batch of somebody's.

    Attributes:
        desk: whose.
        group: its jobs' group.
    """

    desk: Desk
    group: str

    @property
    def path(self) -> Path:
        """Where its record is."""
        return self.desk.queue.folder / FOLDER / self.desk.shelf.folder.name / f"{self.group}.json"

    @property
    def lock(self) -> Path:
        """A file that is locked as long as its photographs are being read."""
        return self.path.with_suffix(".lock")

    @property
    def reading(self) -> bool:
        """Whether its photographs are being read, by a process that is still there."""
        if not self.lock.exists():
            return False
        with files.locked(self.lock, patience_s=0.0) as free:
            return not free

    @property
    def there(self) -> bool:
        """Whether there is such a batch."""
        return bool(GROUP.fullmatch(self.group)) and self.path.is_file()

    def record(self) -> Record:
        """What is known of it."""
        with suppress(OSError, ValueError, TypeError):
            known = json.loads(self.path.read_text(encoding="utf-8"))
            return Record(**{**known, "lines": tuple(known["lines"])})
        return Record()

    def write(self, record: Record) -> None:
        """Keep what is known of it.

        Raises:
            QueueError: it can't be written.
        """
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            files.write_atomically(self.path, json.dumps(asdict(record)).encode())
        except OSError as error:
            given = f"the batch cannot be kept ({error.strerror})"
            raise QueueError(given, "", "free some space") from error

    @property
    def entries(self) -> list[Entry]:
        """Its jobs, in their order."""
        every = self.desk.queue.entries(self.desk.owner)
        return [each for each in reversed(every) if each.task.group == self.group]

    @property
    def results(self) -> list[Entry]:
        """Those with a picture to take away."""
        return [each for each in self.entries if views.has_result(each, each.state())]


# What comes in.


def each_after(wanted: Wanted, *, mixed: bool) -> list[dict[str, float]]:
    """The paintings of each picture that a photograph becomes."""
    return [dict(wanted.paintings)] if mixed else [{each: 1.0} for each in wanted.paintings]


def begin(desk: Desk, handed: Handed, wanted: Wanted, *, mixed: bool) -> tuple[Batch, Handed]:
    """A batch that is to be, once it is clear that it can be; none of its files has been read.

    Args:
        desk: whose.
        handed: what came in, files that are no pictures among them.
        wanted: what each photograph becomes; its own photograph and masks are passed over.
        mixed: whether several paintings are mixed into one picture, and not one picture each.

    Returns:
        The batch, and those of the files that are named as pictures, in the order of their names.

    Raises:
        ImpastoError: no photograph, too many, or what is wanted can't be.
    """
    photos = sorted((each for each in handed if is_picture(each[1])), key=lambda each: each[1])
    others = [name for _, name in handed if not is_picture(name) and not name.startswith(".")]
    if not photos:
        raise ConfigError(passed_over(others) or "no photograph", "", "choose photographs first")
    desk.order(replace(wanted, photo=Path(photos[0][1]), mask=None))
    columns = len(each_after(wanted, mixed=mixed))
    if (count := columns * len(photos)) > MOST_AT_ONCE:
        given = f"{count} pictures at once"
        raise ConfigError(given, f"allowed: up to {MOST_AT_ONCE}", "choose fewer photographs")
    lines = (f"{passed_over(others)}.",) if others else ()
    made = Batch(desk, new_group(BATCH))
    made.write(Record(columns, len(photos), 0, lines))
    return made, photos


def is_picture(name: str) -> bool:
    """Whether a file is named as a picture, and not hidden."""
    return not name.startswith(".") and pictures.named_as_picture(Path(name))


def passed_over(others: Sequence[str]) -> str:
    """What is said of files that are no pictures."""
    if not others:
        return ""
    shown = [f"'{name}'" for name in others[:PASSED_OVER]]
    more = len(others) - len(shown)
    whole = ", ".join([*shown, *([f"{more} more"] if more else [])])
    return f"Passed over, since they are no pictures: {whole}"


def bring(
    batch: Batch,
    photos: Handed,
    wanted: Wanted,
    *,
    mixed: bool,
    on_begin: Callable[[], None] = lambda: None,
) -> None:
    """Read the photographs of a batch, and let each be painted; a bad one ends none of the others.

    Args:
        batch: that they are of.
        photos: what ``begin`` gave.
        wanted: as there.
        mixed: as there.
        on_begin: called once the batch is ``reading``.
    """
    record = batch.record()
    with files.locked(batch.lock):
        on_begin()
        for path, name in photos:
            try:
                kept = batch.desk.keep(path, name)
                paint(batch, kept, wanted, mixed=mixed)
            except ImpastoError as error:
                record = replace(record, lines=(*record.lines, said(error)))
            record = replace(record, read=record.read + 1)
            with suppress(QueueError):  # jobs tell the most of it
                batch.write(record)


def paint(batch: Batch, kept: Path, wanted: Wanted, *, mixed: bool) -> None:
    """Let a photograph be painted after each painting, or after all of them together."""
    desk = batch.desk
    several = each_after(wanted, mixed=mixed)
    for paintings in several:
        one = replace(
            wanted, photo=kept, paintings=paintings, mask=None, style_mask=None, regions={}
        )
        titles = " and ".join(each.title for each in desk.chosen(paintings))
        label = f"{titled(kept.stem)}, {titles}" if len(several) > 1 else titled(kept.stem)
        desk.paint(one, group=batch.group, options={LABEL: label})


def start(desk: Desk, handed: Handed, wanted: Wanted, *, mixed: bool) -> Batch:
    """Begin a batch, and read its photographs meanwhile: also for a page that is closed by then.

    Raises:
        ImpastoError: as in ``begin``.
    """
    batch, photos = begin(desk, handed, wanted, mixed=mixed)
    begun = threading.Event()
    read = partial(bring, batch, photos, wanted, mixed=mixed, on_begin=begun.set)
    threading.Thread(target=read, daemon=True).start()
    begun.wait(BEGINS_S)
    return batch


# How far it is.


def view(batch: Batch) -> dict[str, Any]:
    """A batch for the page."""
    entries, record = batch.entries, batch.record()
    states = [each.state() for each in entries]
    unread = record.files - record.read
    reading = unread > 0 and batch.reading
    lines = list(record.lines)
    if unread > 0 and not reading:
        lines.append(CUT_SHORT.format(unread, record.files))
    total = len(entries) + (unread * record.columns if reading else 0)
    left = seconds_left(states)
    statuses = [state.status for state in states]
    return {
        "group": batch.group,
        "columns": record.columns if record.columns > 1 else 0,
        "words": words(statuses, total, left, unread if reading else 0),
        "fraction": sum(fraction(state) for state in states) / max(1, total),
        "done": statuses.count("done"),
        "total": total,
        "open": reading or any(not state.ended for state in states),
        "can": can(statuses),
        "results": len(batch.results),
        "lines": lines,
        "jobs": [
            {**views.view(each), "label": each.task.options.get(LABEL, each.name)}
            for each in entries
        ],
    }


def fraction(state: State) -> float:
    """How much of a picture is behind it; one that came to nothing is over as well."""
    return 1.0 if state.ended else state.fraction


def words(statuses: Sequence[str], total: int, left_s: float | None, unread: int) -> str:
    """Where a batch stands, for people."""
    done, failed = statuses.count("done"), statuses.count("failed")
    parts = [f"{done} of {total} pictures done" if done < total else f"All {total} pictures done"]
    if total == 1:
        parts = ["1 picture done" if done else "1 picture"]
    if failed:
        parts.append(f"{failed} came to nothing")
    at_work = "working" in statuses or "waiting" in statuses
    if at_work and left_s is not None:
        parts.append(views.left_words(left_s))
    parts += [f"{statuses.count('stopped')} stopped"] if "stopped" in statuses else []
    if not at_work and "paused" in statuses:
        parts.append("paused")
    if unread:
        parts.append(f"{unread} photographs still to be read")
    return ", ".join(parts)


def seconds_left(states: Sequence[State]) -> float | None:
    """How long the rest will take, by what a picture took so far; None while nobody knows."""
    done = [state.seconds for state in states if state.status == "done" and state.seconds]
    at_work = [state for state in states if state.status == "working"]
    begun = [state.seconds / state.fraction for state in at_work if state.fraction > 0]
    each = done or begun
    if not each:
        return None
    rest = sum(1 - state.fraction for state in states if state.status in ("waiting", "working"))
    return rest * sum(each) / len(each) / max(1, len(at_work))


def can(statuses: Sequence[str]) -> list[str]:
    """What may be wished of a batch as it stands."""
    return [verb for verb, among in WISHES.items() if set(among) & set(statuses)]


def wish(batch: Batch, verb: str) -> None:
    """Wish something of all pictures of a batch for which it means anything.

    What is to rest is told to the last first, so that none that waits is taken up in between.
    """
    entries = batch.entries if verb == "go_on" else reversed(batch.entries)
    for entry in entries:
        if entry.state().status in WISHES[verb]:
            getattr(entry, verb)()


def newest(desk: Desk) -> Batch | None:
    """The newest batch of which something is still to come."""
    for entry in desk.queue.entries(desk.owner):
        batch = Batch(desk, entry.task.group)
        if not entry.state().ended and batch.there:
            return batch
    return None

"""`impasto batch`: every photograph after every painting."""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

import typer

from impasto.checks import Number
from impasto.cli import options as o
from impasto.cli.process import BROKEN, STOPPED, hear_stops, ignore_stops
from impasto.cli.progress import Bar
from impasto.cli.stylize import parse_regions, settings_and_paintings, stylize
from impasto.cli.sweep import make_folder
from impasto.cli.work import say_measuring
from impasto.config import Config
from impasto.errors import ConfigError, PictureError, did_you_mean, printable
from impasto.parsing import parse_number

if TYPE_CHECKING:
    from impasto.batch.cluster import RayCrew
    from impasto.batch.crew import Crew, Event
    from impasto.batch.listing import Row
    from impasto.batch.orders import Piece
    from impasto.batch.record import Record
    from impasto.cluster.session import Session

MOST_WORKERS = 1024  # as of threads
TICK_S = 2.0  # of work, at least, by which its speed is told: iterations of several pictures mix
SHARED, SENT = "shared", "sent"  # files, with a cluster
FAR_QUEUE = ".impasto-cluster"  # of the results' folder: what is on its way on other machines
LOCK = ".impasto-batch.lock"  # of the results' folder
MANY = "Many"  # the panel of what is batch's own

Photos = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="PHOTOS...",
        help="Files, folders (all pictures in them), and patterns such as 'holiday/**/*.jpg'.",
        show_default=False,
    ),
]
Style = Annotated[
    list[str] | None,
    typer.Option(
        metavar="PAINTING",
        rich_help_panel=MANY,
        show_default=False,
        help="A file, a built-in style's name, or a folder of paintings, taken as one. Once for "
        "each painting: every photograph is made after every one. They may be in --config "
        "instead, which takes several together.",
    ),
]
Folder = Annotated[
    Path,
    typer.Option(
        "-o",
        "--output",
        metavar="DIR",
        rich_help_panel=MANY,
        show_default=False,
        help="The folder of the results, with a table of them, batch.csv, and contact sheets.",
    ),
]
Pairs = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        rich_help_panel=MANY,
        show_default=False,
        help="A table instead of PHOTOS, CSV with a line of names: photograph, painting, and if "
        "you like picture (the result's name), mask, and any setting.",
    ),
]
Workers = Annotated[
    str | None,
    typer.Option(
        metavar="N",
        rich_help_panel=MANY,
        show_default=False,
        help="Pictures at once, each with its share of the cores, on which its bytes depend as on "
        "--threads. Left out, one, which has them all; with --threads as many as have cores.",
    ),
]
Cluster = Annotated[
    str | None,
    typer.Option(
        metavar="auto|HOST:PORT",
        rich_help_panel=MANY,
        show_default=False,
        help="Paint on the machines of a Ray cluster: of the one that this machine is a part of, "
        "or at an address. A picture, or a shot, takes as many of its CPUs as it has threads; or a "
        "GPU, where there is one.",
    ),
]
Files = Annotated[
    str | None,
    typer.Option(
        metavar="shared|sent",
        rich_help_panel=MANY,
        show_default=False,
        help="With --cluster: all machines see the same folders, or pictures are sent to them and "
        "back.  [dim]\\[default: shared][/dim]",
    ),
]
Format = Annotated[
    str,
    typer.Option(
        metavar="png|jpg|webp|tif|avif", rich_help_panel=MANY, help="Of the results' files."
    ),
]
Overwrite = Annotated[
    bool,
    typer.Option(
        "--overwrite",
        rich_help_panel=MANY,
        help="Make anew what is there and was made from other files or settings. What is there "
        "from the same is left alone either way.",
    ),
]
Measured = Annotated[
    bool,
    typer.Option(
        "--measures", rich_help_panel=MANY, help="Measure each picture for the table, as evaluate."
    ),
]
Films = Annotated[
    str | None,
    typer.Option(
        "--timeline",
        metavar="mp4|gif|webp",
        rich_help_panel=o.OUTPUT,
        show_default=False,
        help="A film of each picture coming into being, beside it.",
    ),
]
# Of `impasto stylize`, what one picture alone has: several would write to one place.
OF_ONE = (
    "photo",
    "paintings",
    "output",
    "snapshot_dir",
    "timeline",
    "checkpoint_dir",
    "checkpoint",
    "resume",
)


def batch(
    photos: Photos = None,
    style: Style = None,
    *,
    output: Folder,
    pairs: Pairs = None,
    workers: Workers = None,
    cluster: Cluster = None,
    files: Files = None,
    overwrite: Overwrite = False,
    format: Format = "png",
    timeline: Films = None,
    measures: Measured = False,
    **given: Any,
) -> None:
    """Repaint many photographs, each after one painting or several.

    [dim]impasto batch holiday/ --style night-swirls --style charcoal -o painted
    impasto batch 'photos/**/*.jpg' --style monet.jpg -o painted --strength 0.4
    impasto batch --pairs table.csv -o painted --config look.toml[/dim]

    The pictures are those of impasto stylize, byte for byte. Whatever stops it,
    the same command goes on, within a picture too: what is there is not made again.
    """
    from impasto.batch import orders, record
    from impasto.batch.batch import missing

    quiet = given["quiet"]
    check_places(workers, cluster, files)
    rows = rows_asked(photos or [], style or [], output, pairs, given)
    common = orders.Common(
        output,
        ending(format),
        given["bits"],
        given["recipe"],
        given["mask"],
        tuple(given["style_masks"] or ()),
        parse_regions(given["regions"] or ()),
        ending(timeline) if timeline else "",
    )
    found = orders.pieces(rows, common)
    make_folder(output)
    with alone(output):
        orders.check(found, pairs)
        book = record.Record(found, measuring=measures)
        with joined(cluster) as session:
            far = far_crew(session, found, files == SENT) if session else None
            device = {"device": far.device} if far else {}
            left = missing(found, book, overwrite=overwrite, **device)
            if left:
                todo, strict = [found[n] for n in left], pairs is None
                if far:
                    crew: Crew = ready(far, todo, strict, quiet)
                else:
                    crew = crew_for(todo, number_of(workers), strict, quiet)
                work(found, left, crew, book, quiet)
        finish(book, len(left), quiet)


def with_options_of(own: Any, other: Any, without: Sequence[str]) -> None:
    """Let a command take all options of another, so that each is written once.

    Args:
        own: has ``**given`` for them.
        other: whose they are.
        without: names of those that it does not take.
    """
    hints = get_type_hints(own, include_extras=True)
    theirs = get_type_hints(other, include_extras=True)
    mine = [
        each.replace(annotation=hints[each.name], kind=inspect.Parameter.KEYWORD_ONLY)
        for each in inspect.signature(own).parameters.values()
        if each.kind is not inspect.Parameter.VAR_KEYWORD
    ]
    shared = [
        each.replace(annotation=theirs[each.name], kind=inspect.Parameter.KEYWORD_ONLY)
        for each in inspect.signature(other).parameters.values()
        if each.name not in without
    ]
    own.__signature__ = inspect.Signature([*mine, *shared])
    own.__annotations__ = {each.name: each.annotation for each in [*mine, *shared]}


with_options_of(batch, stylize, OF_ONE)


def rows_asked(
    photos: Sequence[str],
    styles: Sequence[str],
    output: Path,
    pairs: Path | None,
    given: Mapping[str, Any],
) -> list[Row]:
    """A row for each picture that is asked for."""
    from impasto.batch import listing

    if bool(photos) == bool(pairs):
        both = "photographs, and a table of them too" if photos else "no photograph"
        raise ConfigError(both, "PHOTOS..., or --pairs with a table")
    named = {k: v for k, v in given.items() if k in Config.__dataclass_fields__}
    settings, in_look = settings_and_paintings(given["look"], named)
    several: list[tuple[str, ...]] = [(each,) for each in dict.fromkeys(styles)]
    if not several and (in_look or given["regions"]):
        several = [in_look]
    if pairs:
        return listing.in_table(pairs, several, settings)
    if not several:
        raise ConfigError("no painting", "--style with a file or a style's name, or in --config")
    return listing.product(listing.photographs(photos, output), several, settings)


def ending(word: str) -> str:
    """A file's ending, with or without its dot."""
    return f".{word.removeprefix('.').lower()}"


def number_of(workers: str | None) -> int | None:
    """How many are asked for."""
    if workers is None:
        return None
    number = parse_number(workers)
    Number(1, MOST_WORKERS, whole=True)("workers", number)
    return int(number)


def check_places(workers: str | None, cluster: str | None, files: str | None) -> None:
    """Raise a ConfigError where it is said twice, or not at all, where the work is to be done."""
    if cluster is not None and workers is not None:
        hint = "on a cluster there are as many at once as its machines have room for"
        raise ConfigError("`cluster` with `workers`", "one or the other", hint)
    if files is not None and cluster is None:
        raise ConfigError("`files` without `cluster`", "", "add --cluster")
    if files not in (None, SHARED, SENT):
        raise ConfigError(
            f"`files` {files!r}", f"allowed: {SHARED}, {SENT}", did_you_mean(files, (SHARED, SENT))
        )


@contextmanager
def joined(cluster: str | None) -> Iterator[Session | None]:
    """The cluster of this address; None without one."""
    if cluster is None:
        yield None
        return
    from impasto.cluster.session import Session

    with Session(cluster) as session:
        yield session


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Keep the results' folder to this batch."""
    from impasto.files import locked

    with locked(folder / LOCK) as free:
        if not free:
            given = f"{folder}: another batch is at work in this folder"
            raise PictureError(given, "", "let it finish or stop it, or choose another with -o")
        yield


def crew_for(found: Sequence[Piece], workers: int | None, strict: bool, quiet: bool) -> Crew:
    """Whoever will do the work, once all that can be found wrong before was looked for.

    Args:
        found: what is to be made.
        workers: how many are asked for.
        strict: whether a painting that is no good ends all: it was on the command line.
        quiet: errors and nothing else.
    """
    from impasto.batch import rehearsal
    from impasto.batch.batch import QUEUE
    from impasto.batch.local import LocalCrew

    rehearse = rehearsal.rehearsed if strict else rehearsal.first_good
    job = rehearse(found, rehearsal.share(workers), lambda: None if quiet else say_measuring())
    hands = rehearsal.hands(workers, job, len(found))
    if hands.slots.several < min(hands.wanted, len(found)) and not quiet:
        given = f"Memory suffices for {hands.slots.several} at once, not for {hands.wanted}."
        typer.echo(given, err=True)
    folder = found[0].order.target.parent
    return LocalCrew(folder / QUEUE, hands.slots, hands.spares)


def far_crew(session: Session, found: Sequence[Piece], sent: bool) -> RayCrew:
    """The cluster's machines, not looked at yet."""
    from impasto.batch.cluster import RayCrew
    from impasto.job import threads

    folder = found[0].order.target.parent / FAR_QUEUE
    return RayCrew(session, folder, sent, threads.default())


def ready(crew: RayCrew, found: Sequence[Piece], strict: bool, quiet: bool) -> RayCrew:
    """The crew, once all that can be found wrong before was looked for; arguments as above."""
    from impasto.batch import rehearsal
    from impasto.batch.cluster import on_the_cpu

    rehearse = rehearsal.rehearsed if strict else rehearsal.first_good
    here = [replace(piece, order=on_the_cpu(piece.order)) for piece in found]
    job = rehearse(here, None, lambda: None if quiet else say_measuring())
    crew = replace(crew, peak_bytes=job.plan.peak_bytes if job else 0)
    crew.check([piece.order for piece in found])
    return crew


def work(
    found: Sequence[Piece], left: Sequence[int], crew: Crew, book: Record, quiet: bool
) -> None:
    """Have all made that is missing, and tell how it goes."""
    from impasto.batch.batch import batch as made

    with Teller(found, left, quiet=quiet) as teller:
        hear_stops(teller.stopping)
        try:
            with closing(made(found, left, crew, book)) as events:
                for event in events:
                    teller.hear(event)
        except KeyboardInterrupt:
            ignore_stops()
            teller.close()
            typer.echo(
                f"Stopped: {teller.there} of {len(found)} pictures are there; "
                "the same command goes on, within a picture too",
                err=True,
            )
            sys.exit(STOPPED)
    ignore_stops()


def finish(book: Record, made: int, quiet: bool) -> None:
    """Write table and sheets, and say what came of it all."""
    book.write()
    sheets = list(book.sheets())
    failed = book.failed
    there = len(book.lines) - made
    if not quiet:
        before = f", {there} there before" if there else ""
        several = f"{sheets[0]}" if len(sheets) == 1 else f"{len(sheets)} sheets"
        count = len(book.lines) - len(failed)
        words = f"{count} pictures in {book.folder}{before}; {book.table}, {several}"
        typer.echo(printable(words))
    if failed:
        typer.echo(f"{len(failed)} failed:", err=True)
        for number in failed:
            piece, line = book.pieces[number], book.lines[number]
            typer.echo(printable(f"  {piece.name}: {line.error}"), err=True)
        sys.exit(BROKEN)


class Teller(Bar):
    """Tells on standard error where a batch stands: a bar, or a line a picture."""

    def __init__(self, found: Sequence[Piece], left: Sequence[int], *, quiet: bool) -> None:
        from impasto.job.session import Pace

        super().__init__(Pace(float(len(left))), quiet=quiet)
        self.pieces, self.there = found, len(found) - len(left)
        self.parts: dict[int, float] = {}  # of each picture, how much is done
        self.new, self.ended = 0.0, self.there  # work since the pace was told
        self.told: set[str] = set()
        self.label = ""
        self.show(self.count, "")

    @property
    def count(self) -> str:
        """How many pictures have ended."""
        return f"{self.ended}/{len(self.pieces)}"

    def hear(self, event: Event) -> None:
        """Tell of what has happened."""
        state, name = event.state, self.pieces[event.number].name
        self._reckon(event)
        self._say_notes(name, state.note)
        if state.ended:
            self.ended += 1
            self.there += state.status == "done"
            self._say_ended(name, event)
            self.label = name
        elif state.iterations and state.status == "working":
            self.label = f"{name} {state.iteration}/{state.iterations}"
        self.show(self.count, self.label)

    def stopping(self) -> None:
        """Tell that a stop was heard."""
        self.say("Stopping: each picture at work is kept as a checkpoint. Once more: at once.")

    def _say_notes(self, name: str, notes: str) -> None:
        """Say what a person should know, the same of many pictures once; the table has it all."""
        for note in filter(None, notes.split("; ")):
            if (kind := re.sub(r"[\d.]+", "0", note)) not in self.told:
                self.told.add(kind)
                self.say(f"{name}: {note}")

    def _say_ended(self, name: str, event: Event) -> None:
        state = event.state
        if state.status == "failed":
            self.say(f"{self.count}  {name}: failed: {state.error}")
        elif not self.drawn:
            self.say(f"{self.count}  {name}: {state.status}, {state.seconds:.0f} s")

    def _reckon(self, event: Event) -> None:
        """Count the work that was done; what an earlier run did took no time of this one."""
        number, state = event.number, event.state
        part = 1.0 if state.ended else state.fraction
        if number not in self.parts and not state.ended:
            self.pace.done += part
        else:
            self.new += max(0.0, part - self.parts.get(number, 0.0))
        self.parts[number] = part
        if self.new and (self.pace.since_s >= TICK_S or state.ended):
            self.pace.did(self.new)
            self.new = 0.0

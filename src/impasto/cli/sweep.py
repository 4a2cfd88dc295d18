"""`impasto sweep`: an option or two varied, on one sheet."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from impasto.cli import options as o
from impasto.cli.process import hear_stops, ignore_stops
from impasto.cli.progress import Bar
from impasto.cli.work import derived
from impasto.config import Config
from impasto.errors import ConfigError, PictureError
from impasto.parsing import parse_setting

if TYPE_CHECKING:
    from impasto.job.job import Job
    from impasto.sweep import Cell, Tried, Variation
    from impasto.transfer.optimize import Step

DEFAULT_SIZE_PX = 256  # enough to see what an option does, and four times as fast as 512

Vary = Annotated[
    list[str],
    typer.Option(
        metavar="NAME=A,B,...",
        help="An option of impasto stylize and its values; once or twice. Where values have commas "
        "of their own, part them by semicolons.",
        show_default=False,
    ),
]
Set = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="NAME=VALUE",
        help="Another option, the same for all pictures.",
        show_default=False,
    ),
]
Output = Annotated[
    Path | None,
    o.output(
        "The sheet; beside it a table, .csv, and a folder with all pictures. Left out, it is "
        "named after both pictures, in the current folder."
    ),
]


def sweep(
    photo: o.Photo,
    painting: Annotated[str, typer.Argument(metavar="PAINTING", help="A file, or a style's name.")],
    vary: Vary,
    output: Output = None,
    settings: Set = None,
    quiet: o.Quiet = False,
) -> None:
    """Try an option's values, or two options' against each other, on one sheet.

    [dim]impasto sweep photo.jpg charcoal --vary strength=0.2,0.5,0.8
    impasto sweep photo.jpg charcoal --vary strength=0.3,0.6 --vary seed=1,2
    impasto sweep a.jpg charcoal --vary learning-rate=0.1,1 --set optimizer=gd[/dim]

    Pictures are 256 px unless --set size=... says otherwise. The same command
    again goes on where one was stopped: what is there is not made again.
    """
    from impasto import pictures
    from impasto import sweep as room
    from impasto.files import fitting

    variations = [parse_variation(text) for text in vary]
    given = {"size": DEFAULT_SIZE_PX, **dict(map(parse_setting, settings or []))}
    after = Path(f"{photo.stem}-{Path(painting).stem}-sweep.png")
    output = output or derived(after, "-sweep.png", quiet=quiet)
    pictures.check_target(output, inputs=[photo, painting, given.get("start")])
    folder, table = output.with_suffix(""), output.with_suffix(".csv")
    folder = fitting(folder.with_name(f"{folder.name}-pictures"), "-pictures")
    cells = room.cells(variations, given.pop("preset", Config.preset), given, folder)
    make_folder(folder)
    hear_stops()
    done: list[Tried] = []
    with Teller(cells, quiet=quiet) as teller:
        try:
            for tried in room.sweep(
                photo, painting, cells, table, teller.begin, teller, own_process=True
            ):
                done.append(tried)
                teller.end(tried)
        finally:
            ignore_stops()
            if done:
                pictures.save(pictures.load(room.contact_sheet(done)).pixels, output)
    if not quiet:
        typer.echo(f"Wrote {output} and {table}: {summary(done)}")


def summary(done: Sequence[Tried]) -> str:
    """How many there are, and how many came to nothing."""
    failed = sum(each.failed for each in done)
    return f"{len(done)} pictures" + (f", {failed} of them failed" if failed else "")


def parse_variation(text: str) -> Variation:
    """``"strength=0.2,0.5"``: a setting's name and its values."""
    from impasto.sweep import Variation

    name, equals, listed = text.partition("=")
    words = [part.strip() for part in listed.split(";" if ";" in listed else ",")]
    if not equals or not all(words):
        raise ConfigError(f"--vary {text!r}", "an option and values such as strength=0.2,0.5,0.8")
    parsed = [parse_setting(f"{name}={word}") for word in words]
    return Variation(parsed[0][0], tuple(value for _, value in parsed), tuple(words))


def make_folder(folder: Path) -> None:
    """Make the folder of the pictures, before the work."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        given = f"{folder}: the folder cannot be made ({error.strerror})"
        raise PictureError(given, "", "choose another place with -o") from error


class Teller(Bar):
    """Tells on standard error where a sweep stands: a bar, or a line a picture."""

    def __init__(self, cells: Sequence[Cell], *, quiet: bool) -> None:
        from impasto.job.session import Pace

        self.cells, self.number = cells, 0
        self.costs: list[float] = []  # of the picture at work, an iteration each
        super().__init__(Pace(float(len(cells))), quiet=quiet)

    def begin(self, cell: Cell, job: Job) -> None:
        """Tell that a picture has to be made."""
        from impasto.job.session import costs

        for note in () if self.number else job.scene.notes:
            self.say(note)
        self.costs, self.label = costs(job), cell.label
        self.pace.start()
        self.show(self.count, cell.label)

    def __call__(self, step: Step) -> None:
        """Tell that the picture at work has come on by an iteration."""
        self.pace.did(self.costs[step.iteration - 1] / sum(self.costs))
        self.show(self.count, self.label)

    def end(self, tried: Tried) -> None:
        """Tell that a picture is there, or came to nothing."""
        self.number += 1
        self.pace.skip(self.number - self.pace.done)
        self.show(self.count, tried.cell.label)
        seconds = "" if tried.seconds is None else f", {tried.seconds:.0f} s"
        self.say(f"{self.count}  {tried.cell.label}: {tried.status}{seconds}")

    @property
    def count(self) -> str:
        """How many pictures are there."""
        return f"{self.number}/{len(self.cells)}"

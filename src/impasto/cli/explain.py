"""`impasto explain`: one page that shows how a picture came about."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from impasto.cli import options as o
from impasto.cli.process import hear_stops, ignore_stops
from impasto.cli.progress import Bar, clock
from impasto.cli.work import derived
from impasto.config import Config, configure
from impasto.parsing import parse_setting, parse_size

if TYPE_CHECKING:
    from impasto.explain import Report, Run, Study
    from impasto.transfer.optimize import Step

DEFAULT_SIZE_PX = 256  # all runs together then take a few minutes on two cores

Painting = Annotated[str, typer.Argument(metavar="PAINTING", help="A file, or a style's name.")]
Folder = Annotated[
    Path | None,
    typer.Option(
        "-o",
        "--output",
        metavar="DIR",
        help="A folder for the page, index.html, for its numbers, and for what a stopped report "
        "goes on from. Left out, it is named after both pictures.",
        rich_help_panel=o.OUTPUT,
        show_default=False,
    ),
]
Size = Annotated[
    str, typer.Option(metavar="PX", help="Longer side of the pictures, up to 1024 pixels.")
]
Set = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="NAME=VALUE",
        help="Any other option of impasto stylize, such as strength=0.7; quality=draft makes a "
        "report in a quarter of the time, and fine in twice.",
        show_default=False,
    ),
]
Backbone = Annotated[
    str | None,
    o.setting("backbone", o.OUTPUT, "NAME", text="The network: a name, or a weights file."),
]


def explain(
    photo: o.Photo,
    painting: Painting,
    output: Folder = None,
    size: Size = str(DEFAULT_SIZE_PX),
    settings: Set = None,
    backbone: Backbone = None,
    quiet: o.Quiet = False,
) -> None:
    """Show how a picture comes about, on one page for people who know no machine learning.

    [dim]impasto explain photo.jpg painting.jpg -o report/
    impasto explain photo.jpg charcoal --set strength=0.7[/dim]

    Open index.html in a browser. The same command again goes on where one was
    stopped: what is there is not computed again.
    """
    from impasto import explain as room

    given: dict[str, Any] = dict(map(parse_setting, settings or []))
    given = {"size": parse_size(size), **given}
    if backbone:
        given["backbone"] = backbone
    config = configure(given.pop("preset", Config.preset), **given)
    after = Path(f"{photo.stem}-{Path(painting).stem}-report")
    output = output or derived(after, "-report", quiet=quiet)
    report = room.prepare(photo, painting, output, config)
    hear_stops()
    started_s = time.monotonic()
    with Teller(report, quiet=quiet) as teller:
        for note in report.parts[0].job.scene.notes:
            teller.say(note)
        runs = run_all(report, teller)
        teller.say("Drawing the page")
        ignore_stops()
        page = room.write(report, runs)
    if not quiet:
        megabytes = page.stat().st_size / 1e6
        took = clock(time.monotonic() - started_s)
        typer.echo(f"Wrote {page} ({megabytes:.1f} MB) in {took}: open it in a browser")


def run_all(report: Report, teller: Teller) -> dict[str, Run]:
    """Every run of a report; a stop says what is kept."""
    from impasto import explain as room

    runs: dict[str, Run] = {}
    try:
        for part in report.parts:
            runs[part.name] = room.obtained(
                part, report.kept, teller.begin, teller, own_process=True
            )
            teller.end(part)
    except KeyboardInterrupt:
        teller.close()
        teller.say(
            f"{len(runs)} of {len(report.parts)} runs are kept in {report.kept}: "
            "the same command goes on from there"
        )
        raise
    return runs


class Teller(Bar):
    """Tells on standard error where a report stands: a bar over the whole work, or lines."""

    def __init__(self, report: Report, *, quiet: bool) -> None:
        from impasto.job.session import Pace, costs

        self.parts = report.parts
        self.costs = {part.name: costs(part.job) for part in self.parts}
        self.number = 0  # of runs that are there
        self.part: Study | None = None
        self.part_started_s = 0.0
        super().__init__(Pace(sum(map(sum, self.costs.values()))), quiet=quiet)

    def begin(self, part: Study) -> None:
        """Tell that a run was not kept, and has to be made."""
        self.part, self.part_started_s = part, time.monotonic()
        self.pace.start()
        self.show(self.count, part.title)

    def __call__(self, step: Step) -> None:
        """Tell that the run at work has come on by an iteration."""
        assert self.part is not None
        self.pace.did(self.costs[self.part.name][step.iteration - 1])
        self.show(self.count, self.part.title)

    def end(self, part: Study) -> None:
        """Tell that a run is there now."""
        self.number += 1
        fresh, self.part = self.part is part, None
        there = sum(sum(self.costs[each.name]) for each in self.parts[: self.number])
        self.pace.skip(there - self.pace.done)
        self.show(self.count, part.title)
        seconds = f"{time.monotonic() - self.part_started_s:.0f} s" if fresh else "kept"
        self.say(f"{self.count}  {part.title}: {seconds}")

    @property
    def count(self) -> str:
        """How many runs are there."""
        return f"{self.number}/{len(self.parts)}"

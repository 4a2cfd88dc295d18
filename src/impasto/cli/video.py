"""`impasto video`: a clip in, a film out."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from impasto.cli import options as o
from impasto.cli.batch import SENT, Cluster, Files, check_places, joined, number_of
from impasto.cli.process import hear_stops, ignore_stops
from impasto.cli.progress import Bar, clock
from impasto.cli.stylize import config_and_paintings, parse_regions
from impasto.cli.work import derived
from impasto.config import Config
from impasto.errors import ConfigError, printable
from impasto.job.order import named_after

if TYPE_CHECKING:
    from impasto.cluster.session import Session
    from impasto.job.job import Job
    from impasto.video.crew import Crew
    from impasto.video.film import Film
    from impasto.video.order import FilmOrder
    from impasto.video.shooting import Event

TO = ":"  # between the two values of a strength that changes
PREVIEWED = 6  # frames, spread over the clip
GIGABYTE, MEGABYTE = 1e9, 1e6
FRAMES, QUEUE = "-frames", "queue"  # beside the film; in there, while processes paint

Clip = Annotated[
    Path,
    typer.Argument(
        metavar="CLIP",
        help="MP4, MOV, MKV, WebM, AVI; a GIF, WebP or PNG that moves; or a folder of numbered "
        "pictures.",
        show_default=False,
    ),
]
Output = Annotated[
    Path | None,
    o.output(
        "The film: .mp4, .mov, .mkv, .webm, .gif or .webp, or a folder for pictures. Left out, it "
        "is named after clip and painting, in the current folder."
    ),
]
From = Annotated[
    float | None,
    typer.Option("--from", metavar="SECONDS", help="Begin here.", show_default=False),
]
To = Annotated[
    float | None, typer.Option("--to", metavar="SECONDS", help="End here.", show_default=False)
]
Fps = Annotated[
    float | None,
    typer.Option(metavar="N", help="Frames in a second, at most.", show_default=False),
]
Strength = Annotated[
    str | None,
    typer.Option(
        "--strength",
        "-s",
        metavar="0..1",
        show_default=False,
        help="As of impasto stylize; 0.3:0.8 goes from one to the other over the film.",
    ),
]
Workers = Annotated[
    str | None,
    typer.Option(
        metavar="N",
        show_default=False,
        help="Shots at once, each with its share of the cores, on which their bytes depend as on "
        "--threads. Left out, one after the other.",
    ),
]
Preview = Annotated[
    bool,
    typer.Option(
        "--preview", help="Paint a few frames on one sheet, and say what the whole will take."
    ),
]


@dataclass(frozen=True)
class Hands:
    """Where a film's shots are painted, and how many at once.

    Attributes:
        workers: processes here, as asked for; None is not.
        session: a cluster's machines instead.
        sent: whether files are sent to them and back.
    """

    workers: int | None = None
    session: Session | None = None
    sent: bool = False


def video(
    clip: Clip,
    paintings: o.Paintings = None,
    output: Output = None,
    begin: From = None,
    end: To = None,
    fps: Fps = None,
    preview: Preview = False,
    workers: Workers = None,
    cluster: Cluster = None,
    files: Files = None,
    look: o.Look = None,
    preset: o.Preset = None,
    hand: o.Hand = None,
    size: o.Size = None,
    quality: o.Quality = None,
    style_weights: o.StyleWeights = None,
    mask: o.Mask = None,
    style_masks: o.StyleMasks = None,
    regions: o.Regions = None,
    style_scale: o.StyleScale = None,
    style_size: o.StyleSize = None,
    color: o.Color = None,
    color_match: o.ColorMatch = None,
    seed: o.Seed = None,
    strength: Strength = None,
    slices: o.Slices = None,
    relations: o.Relations = None,
    detail: o.Detail = None,
    tv_weight: o.TvWeight = None,
    backbone: o.Backbone = None,
    device: o.Device = None,
    precision: o.Precision = None,
    fit: o.Fit = None,
    threads: o.Threads = None,
    quiet: o.Quiet = False,
) -> None:
    """Repaint a clip in the manner of a painting, so that strokes travel with things.

    [dim]impasto video clip.mp4 painting.jpg -o out.mp4
    impasto video clip.mp4 night-swirls --preview
    impasto video clip.mp4 charcoal --from 3 --to 8 --fps 12 -o out.webp
    impasto video clip.mp4 charcoal --strength 0.2:0.8 -o out.mp4[/dim]

    Sound is carried over. Killed at any moment, the same command goes on; the
    frames that are done are kept beside the film until it is there.
    """
    from impasto.video.clip import open_clip
    from impasto.video.order import FilmOrder

    given = {k: v for k, v in locals().items() if k in Config.__dataclass_fields__}
    check_places(workers, cluster, files)
    change = parse_change(given.pop("strength"), given)
    config, named = config_and_paintings(look, given, paintings or [], wanted=not regions)
    order = FilmOrder(
        open_clip(clip),
        named,
        config,
        change,
        mask,
        tuple(style_masks or ()),
        parse_regions(regions or ()),
        begin,
        end,
        fps,
    )
    ending = ".png" if preview else ".mp4"
    after = Path(f"{clip.stem}-{named_after(named)}{ending}")
    target = output or derived(after, ending, quiet=quiet)
    if preview:
        show_preview(order, target, quiet)
    else:
        with joined(cluster) as session:
            make(order, target, Hands(number_of(workers), session, files == SENT), quiet)


def parse_change(text: str | None, given: dict[str, Any]) -> Any:
    """A strength that changes, such as 0.3:0.8, or None; one that does not goes into given."""
    from impasto.video.order import Strength

    if text is None or TO not in text:
        given["strength"] = text
        return None
    try:
        first, last = (float(part) for part in text.split(TO))
    except ValueError as error:
        raise ConfigError(f"strength {text!r}", "a number, or two such as 0.3:0.8") from error
    for each in (first, last):
        Config(strength=each)
    given["strength"] = str(first)
    return Strength(first, last)


def make(order: FilmOrder, target: Path, hands: Hands, quiet: bool) -> None:
    """Paint every frame that is not there yet, and write the film."""
    import shutil

    from impasto.cli.work import claimed
    from impasto.files import fitting
    from impasto.video import film as room
    from impasto.video.kinds import check_target
    from impasto.video.masking import rehearsed

    size = order.clip.size_at(order.side_px)
    check_apart(order, target)
    check_target(target, size, order.picture(target.name).inputs)
    folder = fitting(target.with_name(f"{target.name}{FRAMES}"), FRAMES)
    with claimed(target, None):
        hear_stops()
        job = rehearsed(order)
        with Looking(order, quiet=quiet) as looking:
            film = room.open_film(order, folder, looking, share(hands), target.suffix.lower())
        tell(film.notes, quiet)
        check_room(film, hands.workers or 1)
        paint(film, crew_for(film, hands, job, quiet), quiet)
        ignore_stops()
        tell(room.write_film(film, target), quiet)
        shutil.rmtree(folder, ignore_errors=True)
    if not quiet:
        typer.echo(f"Wrote {target} ({size[1]} x {size[0]} px, {len(film.times)} frames)")


def tell(notes: Sequence[str], quiet: bool) -> None:
    """Say what a person should know."""
    for note in () if quiet else notes:
        typer.echo(printable(note), err=True)


def check_apart(order: FilmOrder, target: Path) -> None:
    """Raise a ConfigError where the film would become one of a folder's frames or masks."""
    for each in (order.clip.path, order.mask):
        if each and each.is_dir() and os.path.realpath(target.parent) == os.path.realpath(each):
            given = f"{target} would be among the pictures of '{each}'"
            raise ConfigError(given, "", "choose another place")


def check_room(film: Film, painters: int) -> None:
    """Say so where the disk will not hold a film."""
    from impasto.video.film import room_bytes

    takes, free = room_bytes(film, painters)
    if takes > free:
        typer.echo(
            f"The disk has {size_of(free)} free, and the film will take about {size_of(takes)} of "
            "it: if it fills up, what is painted is kept, and the same command goes on",
            err=True,
        )


def size_of(count: int) -> str:
    """A number of bytes, for people."""
    return f"{count / GIGABYTE:.1f} GB" if count >= GIGABYTE else f"{count / MEGABYTE:.1f} MB"


def share(hands: Hands) -> int | None:
    """The threads of each shot; None is as many as a process here may have."""
    from impasto.batch import rehearsal
    from impasto.job import threads

    return threads.default() if hands.session else rehearsal.share(hands.workers)


def crew_for(film: Film, hands: Hands, job: Job, quiet: bool) -> Crew:
    """Whoever will paint a film's shots: processes, or a cluster's machines."""
    from impasto.batch.cluster import RayCrew
    from impasto.batch.shot_cluster import RayShotCrew

    if hands.session is None:
        return crew_here(film, hands.workers, job, quiet)
    order = film.orders[0].film.picture("film")
    each = order.config.threads or 1
    nodes = RayCrew(hands.session, film.folder, hands.sent, each, job.plan.peak_bytes)
    crew = RayShotCrew(nodes, lambda note: tell([note], quiet))
    crew.check(order)
    return crew


def crew_here(film: Film, workers: int | None, job: Job, quiet: bool) -> Crew:
    """Processes, as many as are asked for, fit and pay."""
    from impasto.batch.rehearsal import hands
    from impasto.batch.shot_crew import ShotCrew
    from impasto.video.crew import InTurn

    several = len(film.shots)
    if workers in (None, 1):
        return InTurn()
    if several == 1:
        if not quiet:
            typer.echo("The clip is one shot: there is nothing to paint side by side.", err=True)
        return InTurn()
    found = hands(workers, job, several)
    fit = found.slots.several
    if fit < min(found.wanted, several) and not quiet:
        given = f"Memory suffices for {fit} at once, not for {found.wanted}."
        typer.echo(given, err=True)
    return ShotCrew(film.folder / QUEUE, fit)


def paint(film: Film, crew: Crew, quiet: bool) -> None:
    """Have every frame painted, and tell how it goes."""
    from impasto.video.film import paint_film

    try:
        with Painting(film, quiet=quiet) as painting:
            paint_film(film, painting, crew)
    except KeyboardInterrupt:
        typer.echo(
            f"Stopped: {film.done} of {len(film.times)} frames are kept in {film.folder}; "
            "the same command goes on from there",
            err=True,
        )
        raise


def show_preview(order: FilmOrder, target: Path, quiet: bool) -> None:
    """Paint a few frames of the clip on one sheet, and say what all of it will take."""
    from impasto import pictures
    from impasto.video import preview as room

    check_apart(order, target)
    pictures.check_target(target, inputs=order.picture(target.name).inputs)
    hear_stops()
    found = room.preview(order, PREVIEWED)
    pictures.save(pictures.load(found.sheet).pixels, target)
    if not quiet:
        typer.echo(
            f"Wrote {target}: {len(found.times)} of about {found.frames} frames; the film will "
            f"take about {clock(found.seconds)}"
        )


class Looking(Bar):
    """Tells how far a clip has been looked through for its shots."""

    def __init__(self, order: FilmOrder, *, quiet: bool) -> None:
        from impasto.job.session import Pace

        super().__init__(Pace(float(order.expected or 1)), quiet=quiet)

    def __call__(self, frames: int) -> None:
        """Tell that so many frames have been looked at."""
        self.pace.did(1.0)
        self.show(str(frames), "looking for cuts")


class Painting(Bar):
    """Tells how many frames of a film are there."""

    def __init__(self, film: Film, *, quiet: bool) -> None:
        from impasto.job.session import Pace

        self.film, self.there = film, 0
        super().__init__(Pace(film.work), quiet=quiet)

    def __call__(self, event: Event) -> None:
        """Tell of what has happened."""
        if event.planned:
            words = f"a shot's first frame: {event.iterations}/{event.planned}"
            self.show(self.count, words)
            return
        self.there += 1
        work = self.film.work_of(event.frame)
        (self.pace.did if event.new else self.pace.skip)(work)
        self.show(self.count, f"{event.iterations} iterations" if event.iterations else "unchanged")
        if not self.drawn and (self.there % 25 == 0 or self.there == len(self.film.times)):
            self.say(f"{self.count}  {self.left()}")

    @property
    def count(self) -> str:
        """How many frames are there."""
        return f"{self.there}/{len(self.film.times)}"

"""`impasto video`: a clip in, a film out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from impasto.cli import options as o
from impasto.cli.process import hear_stops, ignore_stops
from impasto.cli.progress import Bar, clock
from impasto.cli.stylize import config_and_paintings, parse_regions
from impasto.cli.work import derived
from impasto.config import Config
from impasto.errors import ConfigError
from impasto.job.order import named_after

if TYPE_CHECKING:
    from impasto.transfer.optimize import Step
    from impasto.video.film import Film, FilmOrder

TO = ":"  # between the two values of a strength that changes
PREVIEWED = 6  # frames, spread over the clip
FRAMES = "-frames"

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
Preview = Annotated[
    bool,
    typer.Option(
        "--preview", help="Paint a few frames on one sheet, and say what the whole will take."
    ),
]


def video(
    clip: Clip,
    paintings: o.Paintings = None,
    output: Output = None,
    begin: From = None,
    end: To = None,
    fps: Fps = None,
    preview: Preview = False,
    look: o.Look = None,
    preset: o.Preset = None,
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
    from impasto.video.film import FilmOrder

    given = {k: v for k, v in locals().items() if k in Config.__dataclass_fields__}
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
    (show_preview if preview else make)(order, target, quiet)


def parse_change(text: str | None, given: dict[str, Any]) -> Any:
    """A strength that changes, such as 0.3:0.8, or None; one that does not goes into given."""
    from impasto.video.film import Strength

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


def make(order: FilmOrder, target: Path, quiet: bool) -> None:
    """Paint every frame that is not there yet, and write the film."""
    import shutil

    from impasto.cli.work import claimed
    from impasto.files import fitting
    from impasto.video import film as room
    from impasto.video import reel

    size = order.clip.size_at(order.side_px)
    reel.check_target(target, size, [order.clip.path, *order.paintings])
    folder = fitting(target.with_name(f"{target.name}{FRAMES}"), FRAMES)
    with claimed(target, None):
        hear_stops()
        with Looking(order, quiet=quiet) as looking:
            film = room.open_film(order, folder, looking)
        try:
            with Painting(film, quiet=quiet) as painting:
                placed = room.paint_film(film, painting.step, painting)
        except KeyboardInterrupt:
            typer.echo(
                f"Stopped: {film.done} of {len(film.times)} frames are kept in {folder}; "
                "the same command goes on from there",
                err=True,
            )
            raise
        ignore_stops()
        notes = reel.write(target, placed, film.end, order.clip)
        for note in notes:
            typer.echo(note, err=True)
        shutil.rmtree(folder, ignore_errors=True)
    if not quiet:
        typer.echo(f"Wrote {target} ({size[1]} x {size[0]} px, {len(placed)} frames)")


def show_preview(order: FilmOrder, target: Path, quiet: bool) -> None:
    """Paint a few frames of the clip on one sheet, and say what all of it will take."""
    from impasto import pictures
    from impasto.video import film as room

    pictures.check_target(target, inputs=[order.clip.path, *order.paintings])
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

        self.film, self.begun = film, 0
        super().__init__(Pace(film.work), quiet=quiet)

    def step(self, step: Step) -> None:
        """Tell of an iteration of a shot's first frame."""
        self.show(
            self.count(self.begun), f"a shot's first frame: {step.iteration}/{step.iterations}"
        )

    def __call__(self, number: int, iterations: int, new: bool) -> None:
        """Tell that a frame is there."""
        self.begun = number + 1
        work = self.film.work_of(number)
        (self.pace.did if new else self.pace.skip)(work)
        self.show(self.count(number + 1), f"{iterations} iterations" if iterations else "unchanged")
        if not self.drawn and (self.begun % 25 == 0 or self.begun == len(self.film.times)):
            self.say(f"{self.count(self.begun)}  {self.left()}")

    def count(self, frames: int) -> str:
        """How many frames are there."""
        return f"{frames}/{len(self.film.times)}"

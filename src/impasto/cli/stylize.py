"""`impasto stylize`: two pictures in, one out."""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from impasto.cli import options as o
from impasto.cli.process import BROKEN, STOPPED, hear_stops, hold_memory, ignore_stops
from impasto.cli.progress import Narrator
from impasto.config import (
    LAST,
    PRESETS,
    RANGES,
    Config,
    configure,
    parse_layers,
    parse_number,
    parse_size,
    parse_snapshots,
)
from impasto.errors import ConfigError, PictureError

if TYPE_CHECKING:
    from impasto.api import Job, Result
    from impasto.optimize import Step

PARSERS: Mapping[str, Callable[[str], Any]] = {
    **dict.fromkeys(RANGES, parse_number),
    "size": parse_size,
    "content_layers": parse_layers,
    "style_layers": parse_layers,
    "snapshots": parse_snapshots,
}


def stylize(
    photo: o.Photo,
    painting: o.Painting,
    output: o.Output = None,
    preset: o.Preset = Config.preset,
    size: o.Size = None,
    style_scale: o.StyleScale = None,
    style_size: o.StyleSize = None,
    start: o.Start = None,
    seed: o.Seed = None,
    strength: o.Strength = None,
    content_layers: o.ContentLayers = None,
    style_layers: o.StyleLayers = None,
    distance: o.StyleDistance = None,
    alpha: o.Alpha = None,
    beta: o.Beta = None,
    tv_weight: o.TvWeight = None,
    backbone: o.Backbone = None,
    optimizer: o.Optimizer = None,
    iterations: o.Iterations = None,
    pyramid: o.Pyramid = None,
    learning_rate: o.LearningRate = None,
    pooling: o.Pooling = None,
    edges: o.Edges = None,
    device: o.Device = None,
    snapshots: o.Snapshots = None,
    snapshot_dir: o.SnapshotDir = None,
    bits: o.Bits = 8,
    recipe: o.Recipe = True,
    quiet: o.Quiet = False,
) -> None:
    """Repaint a photograph in the manner of a painting.

    [dim]impasto stylize photo.jpg painting.jpg -o out.png
    impasto stylize photo.jpg night-swirls -o night.png --strength 0.7
    impasto stylize photo.jpg charcoal -o large.png --size 1024[/dim]

    Ctrl-C stops and keeps the picture as it stands.
    """
    settings = {k: v for k, v in locals().items() if k in Config.__dataclass_fields__}
    for name, parse in PARSERS.items():
        if settings[name] is not None:
            settings[name] = parse(settings[name])
    config = configure(settings.pop("preset"), **settings)
    target = output or _unused_name(photo, painting)
    _run(photo, painting, config, target, bits, recipe, snapshot_dir, quiet)


def _unused_name(photo: Path, painting: str) -> Path:
    """PHOTO-PAINTING.png in the current folder."""
    target = Path(f"{photo.stem}-{Path(painting).stem}.png")
    if os.path.lexists(target):
        raise ConfigError(
            f"{target} exists, and without -o nothing is overwritten", "", f"add -o {target}"
        )
    return target


def _run(
    photo: Path,
    painting: str,
    config: Config,
    target: Path,
    bits: int,
    recipe: bool,
    snapshot_dir: Path | None,
    quiet: bool,
) -> None:
    """Check everything, say what will be done, do it, and write the picture."""
    hold_memory()
    from impasto import api, image

    inputs = [photo, painting, config.start]
    image.check_target(target, inputs=inputs, bits=bits)
    job = api.prepare(photo, painting, config)
    image.check_target(target, bits=bits, size=job.size)
    narrator = Narrator(job, quiet=quiet)
    snapshots = _snapshots(job, snapshot_dir, target, inputs)
    narrator.introduce()
    started_s = time.monotonic()

    def on_step(step: Step) -> None:
        narrator(step)
        try:
            snapshots(step)
        except PictureError as error:  # a full disk: the picture itself may still find room
            narrator.warn(f"Snapshot left out: {error}")

    hear_stops()
    with narrator:
        result = job.run(on_step)
    ignore_stops()
    _save(result, target, bits, recipe)
    _report(job, result, target, time.monotonic() - started_s, quiet)


def _snapshots(
    job: Job, directory: Path | None, target: Path, inputs: Sequence[object]
) -> Callable[[Step], None]:
    """A listener that writes the snapshots asked for, if any; none may overwrite an input."""
    from impasto import api, image

    wanted = job.config.snapshots or ((LAST,) if directory else ())
    if not wanted:
        return lambda _: None
    for number in wanted:
        if number > job.iterations and wanted != PRESETS[job.config.preset].snapshots:
            raise ConfigError(
                f"a snapshot of iteration {number}", f"there are {job.iterations}, and last"
            )
    snapshots = api.Snapshots(directory or target.with_name(f"{target.stem}-snapshots"), wanted)
    for path in snapshots.paths(job.iterations).values():
        image.check_target(path, inputs=inputs)
    return snapshots


def _save(result: Result, target: Path, bits: int, recipe: bool) -> None:
    """Write the picture, and if that fails after all the work, into the temporary folder."""
    try:
        result.save(target, bits=bits, recipe=recipe)
    except PictureError as error:
        spare = Path(tempfile.mkdtemp(prefix="impasto-")) / f"{target.stem}.png"
        result.save(spare, bits=bits, recipe=recipe)
        raise PictureError(str(error), "", f"nothing is lost: it is in {spare}") from error


def _report(job: Job, result: Result, target: Path, seconds: float, quiet: bool) -> None:
    from impasto.api import CTRL_C

    height, width = job.size
    what = f"{target} ({width} x {height} px)"
    if result.stopped:
        done = result.recipe["iterations"]
        why = "" if result.stopped == CTRL_C else f" ({result.stopped})"
        typer.echo(
            f"Stopped at iteration {done['done']} of {done['planned']}{why}: "
            f"wrote the picture as it stands to {what}",
            err=True,
        )
        sys.exit(BROKEN if why else STOPPED)
    if not quiet:
        typer.echo(f"Wrote {what} in {seconds:.0f} s")

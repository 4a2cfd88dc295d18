"""`impasto stylize`: two pictures in, one out."""

from __future__ import annotations

import os
import shlex
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from impasto.cli import options as o
from impasto.cli.order import Order
from impasto.cli.process import (
    BROKEN,
    STOPPED,
    hear_stops,
    hold_memory,
    ignore_stops,
    release_memory,
)
from impasto.cli.progress import Narrator
from impasto.config import (
    LAST,
    PAINTING,
    PHOTO,
    PRESETS,
    RANGES,
    Config,
    configure,
    parse_fit,
    parse_layers,
    parse_look,
    parse_number,
    parse_numbers,
    parse_scales,
    parse_size,
    parse_snapshots,
    style_alone,
)
from impasto.errors import (
    CheckpointError,
    ConfigError,
    PictureError,
    did_you_mean,
    nearest_file,
    printable,
)

if TYPE_CHECKING:
    from impasto.api import Job, Result
    from impasto.checkpoint import Checkpoint, Keeper
    from impasto.optimize import Step
    from impasto.timeline import Timeline

SWITCHES = {"yes": True, "true": True, "no": False, "false": False}
PARSERS: Mapping[str, Callable[[str], Any]] = {
    **dict.fromkeys(RANGES, parse_number),
    "size": parse_size,
    "style_scale": parse_scales,
    "style_weights": parse_numbers,
    "content_layers": parse_layers,
    "style_layers": parse_layers,
    "snapshots": parse_snapshots,
    "fit": parse_fit,
}


def stylize(
    photo: o.Photo,
    paintings: o.Paintings = None,
    output: o.Output = None,
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
    tileable: o.Tileable = None,
    color: o.Color = None,
    color_match: o.ColorMatch = None,
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
    precision: o.Precision = None,
    fit: o.Fit = None,
    snapshots: o.Snapshots = None,
    snapshot_dir: o.SnapshotDir = None,
    timeline: o.Timeline = None,
    checkpoint_dir: o.CheckpointDir = None,
    checkpoint: o.Checkpoint = True,
    resume: o.Resume = False,
    bits: o.Bits = 8,
    recipe: o.Recipe = True,
    quiet: o.Quiet = False,
) -> None:
    """Repaint a photograph in the manner of a painting, or of several.

    [dim]impasto stylize photo.jpg painting.jpg -o out.png
    impasto stylize photo.jpg night-swirls -o night.png --strength 0.7
    impasto stylize photo.jpg charcoal -o large.png --size 1024
    impasto stylize photo.jpg a.jpg b.jpg --style-weights 0.7,0.3
    impasto stylize photo.jpg charcoal --mask mask.png --region black=photo
    impasto stylize photo.jpg --config look.toml[/dim]

    Ctrl-C stops and keeps the picture as it stands; --resume goes on from there.
    """
    given = {k: v for k, v in locals().items() if k in Config.__dataclass_fields__}
    config, named = config_and_paintings(look, given, paintings or [], wanted=not regions)
    order = Order(
        photo,
        named,
        config,
        output or Path(f"{photo.stem}-{named_after(named)}.png"),
        bits,
        recipe,
        snapshot_dir,
        mask,
        tuple(style_masks or ()),
        parse_regions(regions or ()),
        timeline,
    )
    begin(order, checkpoint_dir, checkpoint, resume, quiet, named=bool(output))


def begin(
    order: Order,
    checkpoint_dir: Path | None,
    checkpoint: bool,
    resume: bool,
    quiet: bool,
    *,
    named: bool,
) -> None:
    """Find out where to begin, and run.

    Args:
        order: what to do.
        checkpoint_dir: where to keep the checkpoint; None is a folder beside the result.
        checkpoint: whether to keep one.
        resume: whether to go on from it, if it is there.
        quiet: errors and nothing else.
        named: whether the result's name was given; if not, nothing is overwritten.
    """
    if not checkpoint and (resume or checkpoint_dir):
        raise ConfigError("--no-checkpoint with --resume or --checkpoint-dir", "one or the other")
    folder = checkpoint_dir or checkpoint_folder(order.target)
    before, note = find_checkpoint(folder, resume) if checkpoint else (None, "")
    if not named and not before:
        check_unused(order.target)
    run(order, folder if checkpoint else None, before, note, quiet)


def parse_setting(text: str) -> tuple[str, Any]:
    """``"strength=0.5"`` as a setting's name and its value, for Config to judge."""
    name, equals, value = text.partition("=")
    name = name.strip().removeprefix("--").replace("-", "_")
    known = list(Config.__dataclass_fields__)
    if not equals or name not in known:
        near = "" if name in known else did_you_mean(name, known).replace("_", "-")
        raise ConfigError(f"setting {text!r}", "NAME=VALUE, as impasto stylize has them", near)
    if isinstance(getattr(Config, name), bool):
        return name, SWITCHES.get(value.strip().lower(), value)
    return name, PARSERS.get(name, str)(value.strip())


def parse_regions(texts: Sequence[str]) -> dict[str, str]:
    """``"white=monet.jpg"`` and so on: by colour, what is to be there."""
    found: dict[str, str] = {}
    for text in texts:
        colour, equals, what = (part.strip() for part in text.partition("="))
        if not equals or not what:
            raise ConfigError(f"region {text!r}", f"COLOUR=PAINTING, or COLOUR={PHOTO}")
        if colour in found:
            raise ConfigError(f"region {colour!r} twice", "each region once")
        found[colour] = what
    return found


def named_after(paintings: Sequence[str]) -> str:
    """What of a result's name comes from the paintings."""
    return "-".join(Path(each).resolve().stem for each in paintings) or "regions"


def config_and_paintings(
    look: Path | None,
    given: Mapping[str, Any],
    paintings: Sequence[str],
    *,
    wanted: bool,
    alone: bool = False,
) -> tuple[Config, tuple[str, ...]]:
    """What is given on the command line, and for the rest what a look says.

    Args:
        look: its file.
        given: settings as they were written; None where they were not.
        paintings: as they were written.
        wanted: whether there has to be a painting.
        alone: whether nothing of a photograph is to count, whatever a look says.
    """
    settings = _read_look(look) if look else {}
    settings |= {
        name: PARSERS[name](value) if isinstance(value, str) and name in PARSERS else value
        for name, value in given.items()
        if value is not None
    }
    in_look = settings.pop(PAINTING, ())
    preset = settings.pop("preset", Config.preset)
    settings |= style_alone(preset) if alone else {}
    config = configure(preset, **settings)
    found = tuple(paintings or in_look)
    if wanted and not found:
        words = "a file, or a style's name (impasto styles lists them), as PAINTING or in --config"
        raise ConfigError("no painting", words)
    return config, found


def _read_look(path: Path) -> dict[str, Any]:
    """The settings in a file; a painting's path in it is seen from where the file is."""
    try:
        settings = parse_look(path.read_text(encoding="utf-8"), f"look '{path}'")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no text"
        raise ConfigError(f"look '{path}': {reason}", "", nearest_file(path)) from error
    if PAINTING in settings:
        beside = [path.parent / each for each in settings[PAINTING]]
        settings[PAINTING] = tuple(
            str(place) if place.exists() else each
            for place, each in zip(beside, settings[PAINTING], strict=True)
        )
    return settings


def check_unused(target: Path) -> None:
    """That a name which nobody asked for is free."""
    if os.path.lexists(target):
        raise ConfigError(
            f"{target} exists, and without -o nothing is overwritten", "", f"add -o {target}"
        )


def checkpoint_folder(target: Path) -> Path:
    """Where a picture's checkpoint is kept if nothing else is said."""
    return target.with_name(f"{target.stem}-checkpoint")


def find_checkpoint(folder: Path, resume: bool) -> tuple[Checkpoint | None, str]:
    """The checkpoint to go on from, if one is asked for and there, and what to say of it."""
    from impasto import checkpoint

    there = checkpoint.is_there(folder)
    if there and resume:
        before = checkpoint.read(folder)
        return before, going_on(before)
    if there:
        return None, f"The checkpoint in {folder} will be overwritten (--resume goes on from one)."
    return None, f"No checkpoint in {folder}: starting from the beginning." if resume else ""


def going_on(before: Checkpoint) -> str:
    """The line that says where a run goes on."""
    return f"Going on after iteration {before.step.iteration} of {before.step.iterations}."


def run(
    order: Order,
    folder: Path | None,
    before: Checkpoint | None,
    note: str,
    quiet: bool,
    like: Mapping[str, Any] | None = None,
) -> None:
    """Check everything, say what will be done, do it, and write the picture.

    Args:
        order: what to do.
        folder: where to keep the checkpoint, if one is to be kept.
        before: the checkpoint to go on from, if any.
        note: a line to say before the work, or ''.
        quiet: errors and nothing else.
        like: facts of a run that this one is to repeat to the byte.
    """
    from impasto import checkpoint, image
    from impasto.plan import HELD_BYTES
    from impasto.timeline import Timeline, check_path

    inputs, target = order.inputs, order.target
    order.check_apart()
    image.check_target(target, inputs=inputs, bits=order.bits)
    if order.timeline:
        check_path(order.timeline, inputs, [target])
    job = order.prepare()
    like = before.facts if before else like
    job = job.in_windows_of(like) if like else job
    hold_memory(HELD_BYTES) if job.plan.side else hold_memory()
    image.check_target(target, bits=order.bits, size=job.size)
    keeper = job.keeper(folder, order.to_json(), before) if folder else None
    timeline = Timeline(job, order.timeline, folder, before) if order.timeline else None
    narrator = Narrator(job, quiet=quiet)
    snapshots = _snapshots(job, order.snapshot_dir, target, inputs)
    narrator.introduce()
    if note:
        narrator.say(note)
    if timeline and timeline.gap:
        narrator.say("No frames were kept so far: the film passes over the iterations before.")
    started_s = time.monotonic()
    hear_stops()
    with narrator:
        tidy = release_memory if job.plan.side else lambda: None
        result = job.run(_listener(narrator, snapshots, timeline, keeper, tidy), before)
    ignore_stops()
    advice = _keep(keeper) if keeper and result.stopped else ""
    _save(result, order)
    filmed = _film(timeline, result, keeper, narrator)
    if keeper and filmed and not result.stopped:
        checkpoint.remove(keeper.directory)
    _report(job, result, order, time.monotonic() - started_s, advice, quiet)
    if not filmed:
        sys.exit(BROKEN)


def _film(
    timeline: Timeline | None, result: Result, keeper: Keeper | None, narrator: Narrator
) -> bool:
    """Write the film, if one is asked for, as far as it got; False where it can't be written."""
    try:
        if timeline:
            timeline.save(result)
    except PictureError as error:
        narrator.warn(f"Film left out: {error}{_keep(keeper) if keeper else ''}")
        return False
    return True


def _listener(
    narrator: Narrator,
    snapshots: Callable[[Step], None],
    timeline: Timeline | None,
    keeper: Keeper | None,
    tidy: Callable[[], None],
) -> Callable[[Step], None]:
    """All that is done after an iteration; a full disk ends none of the work.

    Snapshots and frames come before the checkpoint: whoever goes on from it has those of the way
    there.
    """
    told = told_of_frames = False

    def on_step(step: Step) -> None:
        nonlocal told, told_of_frames
        tidy()  # a checkpoint needs room of its own
        narrator(step)
        try:
            snapshots(step)
        except PictureError as error:  # the picture itself may still find room
            narrator.warn(f"Snapshot left out: {error}")
        try:
            if timeline:
                timeline(step)
        except PictureError as error:
            if not told_of_frames:
                narrator.warn(f"The film will have gaps: {error}")
            told_of_frames = True
        try:
            if keeper:
                keeper(step)
                tidy()
        except CheckpointError as error:
            if not told:
                narrator.warn(f"Going on without a new checkpoint: {error}")
            told = True

    return on_step


def _keep(keeper: Keeper) -> str:
    """Write a checkpoint at once; how to go on from it, or from the one before if it fails."""
    with suppress(CheckpointError):
        keeper.write()
    where = shlex.quote(printable(keeper.directory))
    return f"; to go on: impasto resume {where}" if keeper.written else ""


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


def _save(result: Result, order: Order) -> None:
    """Write the picture, and if that fails after all the work, into the temporary folder."""
    try:
        result.save(order.target, bits=order.bits, recipe=order.recipe)
    except PictureError as error:
        spare = Path(tempfile.mkdtemp(prefix="impasto-")) / f"{order.target.stem}.png"
        result.save(spare, bits=order.bits, recipe=order.recipe)
        raise PictureError(str(error), "", f"nothing is lost: it is in {spare}") from error


def _report(
    job: Job, result: Result, order: Order, seconds: float, advice: str, quiet: bool
) -> None:
    from impasto.api import CTRL_C

    height, width = job.size
    what = f"{order.target} ({width} x {height} px)"
    if result.stopped:
        done = result.recipe["iterations"]
        why = "" if result.stopped == CTRL_C else f" ({result.stopped})"
        typer.echo(
            f"Stopped at iteration {done['done']} of {done['planned']}{why}: "
            f"wrote the picture as it stands to {what}{advice}",
            err=True,
        )
        sys.exit(BROKEN if why else STOPPED)
    if not quiet:
        typer.echo(f"Wrote {what} in {seconds:.0f} s")

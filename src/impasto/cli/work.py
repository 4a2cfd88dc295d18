"""An order carried out: checked, announced, run and written, or gone on with."""

from __future__ import annotations

import os
import shlex
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from impasto.cli.options import spelling
from impasto.cli.process import (
    BROKEN,
    STOPPED,
    hear_stops,
    ignore_stops,
)
from impasto.cli.progress import Narrator
from impasto.errors import CheckpointError, ConfigError, PictureError, printable
from impasto.job.order import Order

if TYPE_CHECKING:
    from impasto.job.checkpoint import Checkpoint, Checkpointer
    from impasto.job.job import Job, Result
    from impasto.job.recipe import Recipe, Steering
    from impasto.job.session import Listener
    from impasto.timeline import Timeline
    from impasto.transfer.optimize import Step, Windows


def check_unused(target: Path) -> None:
    """Check that a name which nobody asked for is free."""
    if os.path.lexists(target):
        raise ConfigError(
            f"{target} exists, and without -o nothing is overwritten", "", f"add -o {target}"
        )


def derived(path: Path, ending: str, *, quiet: bool = False) -> Path:
    """A name that nobody typed, cut where the file system takes no longer one; that is said."""
    from impasto.files import fitting

    fits = fitting(path, ending)
    if fits != path and not quiet:
        typer.echo(f"{printable(path.name)} is too long a name here: it is cut to {fits}", err=True)
    return fits


def checkpoint_folder(target: Path, *, quiet: bool = False) -> Path:
    """Where a picture's checkpoint is kept if nothing else is said: no other picture's is there."""
    ending = "-checkpoint"
    return derived(target.with_name(f"{target.name}{ending}"), ending, quiet=quiet)


@contextmanager
def claimed(target: Path, folder: Path | None) -> Iterator[None]:
    """Keep a result, and its checkpoint's folder if there is one, to this process alone.

    Raises:
        ImpastoError: another process is at work on one of them, or the folder can't be had.
    """
    from impasto.files import fitting, locked
    from impasto.job import checkpoint

    place, ending = Path(os.path.realpath(target)), ".lock"
    lock = fitting(place.with_name(f".{place.name}{ending}"), ending)
    with checkpoint.claimed(folder) if folder else nullcontext(), locked(lock) as free:
        if not free:
            given = f"output '{target}': another process is painting it"
            raise PictureError(given, "", "let it finish or stop it, or choose another name")
        yield


def find_checkpoint(folder: Path, resume: bool, target: Path) -> tuple[Checkpoint | None, str]:
    """The checkpoint to go on from, if one is asked for and there, and what to say of it.

    Raises:
        CheckpointError: it would be overwritten, and is another picture's.
    """
    from impasto.job import checkpoint

    there = checkpoint.is_there(folder)
    if there and resume:
        resume_from = checkpoint.read(folder)
        return resume_from, going_on(resume_from)
    if there:
        owner = Order.target_in(checkpoint.command_in(folder), folder)
        if owner and owner.resolve() != target.resolve():
            given = f"{folder}: the checkpoint there is another picture's, {owner.name}"
            hint = f"impasto resume {shlex.quote(str(folder))} goes on with that"
            raise CheckpointError(given, "", f"{hint}; or choose another with --checkpoint-dir")
        return None, f"The checkpoint in {folder} will be overwritten (--resume goes on from one)."
    return None, f"No checkpoint in {folder}: starting from the beginning." if resume else ""


def going_on(resume_from: Checkpoint) -> str:
    """The line that says where a run goes on."""
    return (
        f"Going on after iteration {resume_from.step.iteration} of {resume_from.step.iterations}."
    )


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
    from impasto import pictures

    if not checkpoint and (resume or checkpoint_dir):
        raise ConfigError("--no-checkpoint with --resume or --checkpoint-dir", "one or the other")
    pictures.check_target(order.target)  # before a name is derived from it
    folder = None
    if checkpoint:
        folder = checkpoint_dir or checkpoint_folder(order.target, quiet=quiet)
    with claimed(order.target, folder):
        resume_from, note = find_checkpoint(folder, resume, order.target) if folder else (None, "")
        if not named and not resume_from:
            check_unused(order.target)
        run(order, folder, resume_from, note, quiet)


def run(
    order: Order,
    folder: Path | None,
    resume_from: Checkpoint | None,
    note: str,
    quiet: bool,
    like: Recipe | None = None,
    windows: Windows = (),
    steering: Steering = (),
) -> None:
    """Check everything, say what will be done, do it, and write the picture.

    Args:
        order: what to do.
        folder: where to keep the checkpoint, if one is to be kept.
        resume_from: the checkpoint to go on from, if any.
        note: a line to say before the work, or ''.
        quiet: errors and nothing else.
        like: of a run whose ways of computing this one takes.
        windows: of a run that this one is to repeat to the byte.
        steering: of such a run.
    """
    from impasto.job.session import Session
    from impasto.timeline import Timeline

    if resume_from:
        like, windows = resume_from.recipe, resume_from.windows
        steering = resume_from.steering
        order = order.with_threads(like.threads)
    job = _checked(order, like, windows, quiet=quiet).steered(steering)
    checkpointer = job.checkpointer(folder, order.to_json(folder), resume_from) if folder else None
    timeline = Timeline(job, order.timeline, folder, resume_from) if order.timeline else None
    narrator = Narrator(job, quiet=quiet)
    snapshots = order.snapshots(job)
    _introduce(narrator, note, like, timeline)
    started_s = time.monotonic()
    hear_stops()
    with narrator:
        narrator.skip(resume_from.step.iteration if resume_from else 0)
        listeners = _listeners(snapshots, timeline, checkpointer)
        session = Session(job, listeners, narrator.regret, own_process=True)
        result = session.run(narrator, resume_from)
    ignore_stops()
    advice = _keep(checkpointer) if checkpointer and result.stopped else ""
    filmed = _written(result, order, timeline, checkpointer, narrator)
    _report(job, result, order, time.monotonic() - started_s, advice, quiet)
    if not filmed:
        sys.exit(BROKEN)


def _written(
    result: Result,
    order: Order,
    timeline: Timeline | None,
    checkpointer: Checkpointer | None,
    narrator: Narrator,
) -> bool:
    """Write picture and film; where all is there, the checkpoint goes. False without the film."""
    from impasto.job import checkpoint

    _save(result, order)
    filmed = _film(timeline, result, checkpointer, narrator)
    if checkpointer and filmed and not result.stopped:
        checkpoint.remove(checkpointer.directory)
    return filmed


def _introduce(
    narrator: Narrator, note: str, like: Recipe | None, timeline: Timeline | None
) -> None:
    """Say what will be done, and what a person should know of it."""
    narrator.introduce()
    if note:
        narrator.say(note)
    if like and (other := like.other_versions(narrator.job.recipe)):
        narrator.warn(other)
    for turn in narrator.job.turns:
        words = ", ".join(f"{spelling(name)} {value}" for name, value in turn.settings.items())
        narrator.say(f"After iteration {turn.after} it goes for {words}, as it was steered.")
    if timeline and timeline.gap:
        narrator.say("No frames were kept so far: the film passes over the iterations before.")


def _checked(order: Order, like: Recipe | None, windows: Windows, *, quiet: bool) -> Job:
    """The job, in the ways and windows of what it repeats, if nothing of ours would be lost."""
    from impasto.timeline import check_path

    if order.timeline:
        check_path(order.timeline, order.inputs, [order.target])
    return order.checked(like, windows, None if quiet else say_measuring)


def say_measuring() -> None:
    """Say why nothing happens for a while."""
    typer.echo("Measuring what this processor is fast at: some 3 seconds, once.", err=True)


def _film(
    timeline: Timeline | None, result: Result, checkpointer: Checkpointer | None, narrator: Narrator
) -> bool:
    """Write the film, if one is asked for, as far as it got; False where it can't be written."""
    try:
        if timeline:
            timeline.save(result)
    except PictureError as error:
        narrator.warn(
            f"Film left out: {error.line(spelling)}{_keep(checkpointer) if checkpointer else ''}"
        )
        return False
    return True


def _listeners(
    snapshots: Callable[[Step], None], timeline: Timeline | None, checkpointer: Checkpointer | None
) -> list[Listener]:
    """All that is written after an iteration: what a checkpoint counts on comes before it."""
    from impasto.job.session import Listener

    found = [Listener(snapshots, "Snapshot left out")]
    if timeline:
        found.append(Listener(timeline, "The film will have gaps", once=True))
    if checkpointer:
        found.append(Listener(checkpointer, "Going on without a new checkpoint", once=True))
    return found


def _keep(checkpointer: Checkpointer) -> str:
    """Write a checkpoint at once; how to go on from it, or from the one before if it fails."""
    with suppress(CheckpointError):
        checkpointer.write()
    where = shlex.quote(printable(checkpointer.directory))
    return f"; to go on: impasto resume {where}" if checkpointer.written else ""


def _save(result: Result, order: Order) -> None:
    """Write the picture, and if that fails after all the work, into the temporary folder."""
    from impasto.files import fitting

    try:
        result.save(order.target, bits=order.bits, recipe=order.recipe)
    except PictureError as error:
        spare = fitting(
            Path(tempfile.mkdtemp(prefix="impasto-"), f"{order.target.stem}.png"), ".png"
        )
        result.save(spare, bits=order.bits, recipe=order.recipe)
        raise PictureError(
            error.line(spelling), "", f"nothing is lost: it is in {spare}"
        ) from error


def _report(
    job: Job, result: Result, order: Order, seconds: float, advice: str, quiet: bool
) -> None:
    from impasto.job.job import CTRL_C

    height, width = job.size
    what = f"{order.target} ({width} x {height} px)"
    if result.stopped:
        went = result.recipe.outcome
        assert went is not None, "a run has an outcome"
        why = "" if result.stopped == CTRL_C else f" ({result.stopped})"
        typer.echo(
            f"Stopped at iteration {went.done} of {went.planned}{why}: "
            f"wrote the picture as it stands to {what}{advice}",
            err=True,
        )
        sys.exit(BROKEN if why else STOPPED)
    if not quiet:
        typer.echo(f"Wrote {what} in {seconds:.0f} s")

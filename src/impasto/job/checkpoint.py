"""Where a stylisation stands, in one file: killed at any moment, it goes on exactly from there.

The file is safetensors: what the minimiser knows, and as one more tensor all the rest in JSON, so
that the checksum inside covers every byte that counts.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from impasto import files
from impasto.errors import CheckpointError
from impasto.job.recipe import Recipe, Steering, steering_of
from impasto.transfer.descent import Point
from impasto.transfer.margin import cut
from impasto.transfer.optimize import Step, Windows, changes

FORMAT = 4  # of the file; another number for another content
FILE = "checkpoint.safetensors"
TEMPORARY = ".checkpoint.tmp"  # always the same, so that kills do not litter
LOCK = ".checkpoint.lock"  # held by the process that works with the folder
# Folders beside it that hold frames of a film (see timeline.py), each named after its run, so that
# frames that another run left there are never taken for this one's; and their files.
FRAMES, FRAME = "frames-{}", "{:08}.png"
RUN_DIGITS = 16  # hexadecimal
EVERY_FRAME = "[0-9]" * len(FRAME.format(0).removesuffix(".png")) + ".png"
JSON = "json"  # the tensor of bytes that holds it
# Of work that a crash may cost. Measured with L-BFGS, writing one takes 0.1 s at 512 px (52 MB) and
# 0.7 s at 1024 px (208 MB), 2 % of the time; at 2048 px (830 MB) it took a slow disk 7 s.
INTERVAL_S = 30.0
START_ANEW = "to start anew, do not `resume`"


@dataclass(frozen=True)
class Checkpoint:
    """All that is needed to go on.

    Attributes:
        directory: the folder that it is in, or is to be written into.
        recipe: what decides the picture.
        step: the last iteration's, on the CPU when it was read.
        history: a row for each iteration so far.
        command: what the front end wants to know again when it goes on; JSON-able.
    """

    directory: Path
    recipe: Recipe
    step: Step
    history: list[dict[str, Any]]
    command: Mapping[str, Any]

    @property
    def windows(self) -> Windows:
        """The windows that the run was computed in so far."""
        return changes(row["window_px"] for row in self.history)

    @property
    def steering(self) -> Steering:
        """What was changed on the way so far."""
        return steering_of(self.history)


def made_by() -> dict[str, Any]:
    """Who writes checkpoints here; those of another format can't be read."""
    return {
        "impasto": version("impasto"),
        "torch": version("torch"),
        "checkpoint format": FORMAT,
    }


def is_there(directory: Path) -> bool:
    """Whether a folder has a checkpoint, be it a good one or not."""
    return os.path.lexists(directory / FILE)


def check_there(directory: Path) -> None:
    """Raise a CheckpointError where a folder has no checkpoint."""
    if not is_there(directory):
        wanted = "a folder such as OUT-checkpoint, beside the result OUT, is wanted"
        raise CheckpointError(f"{directory}: there is no checkpoint in it", wanted)


def check_folder(directory: Path) -> None:
    """Make sure, before the work, that a checkpoint could be written into a folder; make none.

    Raises:
        CheckpointError: it is a file, or may not be made or written to.
    """
    try:
        nearest = directory if os.path.lexists(directory) else directory.parent
        good = nearest.is_dir() and os.access(nearest, os.W_OK | os.X_OK)
    except OSError:  # a folder above it may not be looked into
        good = False
    if not good:
        raise CheckpointError(
            f"{directory}: no checkpoint can be written there",
            "a folder is wanted, or a new one's name in a folder that is there",
            "choose another `checkpoint_dir`",
        )


@contextmanager
def claimed(directory: Path) -> Iterator[None]:
    """Keep a checkpoint's folder to this process as long as the context lasts.

    The folder is made where it is missing, and goes at the end if nothing was put into it.

    Raises:
        CheckpointError: as ``check_folder``; or another process works with it.
    """
    check_folder(directory)
    made = not os.path.lexists(directory)
    with suppress(OSError):  # what can't be made is told by the first one that can't be written
        directory.mkdir(exist_ok=True)
    made |= is_there(directory)
    try:
        with files.locked(directory / LOCK) as free:
            if not free:
                given = f"{directory}: another process is at work with this checkpoint"
                raise CheckpointError(given, "", "let it finish or stop it, or choose another")
            yield
    finally:
        if made:
            with suppress(OSError):  # not empty
                directory.rmdir()


def write(checkpoint: Checkpoint) -> None:
    """Put a checkpoint into its folder, in place of the one before, whole or not at all.

    Raises:
        CheckpointError: it can't be written; the one before is still there.
    """
    directory = checkpoint.directory
    try:
        data = to_parts(checkpoint)
        directory.mkdir(exist_ok=True)  # no parents: one that has gone was removed
        files.write_atomically(directory / FILE, data, directory / TEMPORARY)
    except (OSError, MemoryError) as error:
        reason = getattr(error, "strerror", None) or "out of memory"
        given = f"{directory}: the checkpoint cannot be written: {reason}"
        raise CheckpointError(given, "", "free some space, or choose another folder") from error


def to_parts(checkpoint: Checkpoint) -> Iterator[files.Buffer]:
    """The file's content, part by part; the same checkpoint gives the same bytes."""
    step = checkpoint.step.to("cpu")
    tensors = {name: value for name, value in step.state.items() if isinstance(value, Tensor)}
    known = {
        "made by": made_by(),
        "recipe": checkpoint.recipe.to_json(),
        "step": [
            step.iteration,
            step.iterations,
            step.scale,
            step.note,
            step.rejected,
            step.window_px,
        ],
        "state": {name: value for name, value in step.state.items() if name not in tensors},
        "history": checkpoint.history,
        "command": checkpoint.command,
    }
    text = bytearray(json.dumps(known).encode())
    return files.safetensors_parts({**tensors, JSON: torch.frombuffer(text, dtype=torch.uint8)})


def read(directory: Path) -> Checkpoint:
    """The checkpoint in a folder.

    Raises:
        CheckpointError: there is none, it is damaged, or a version wrote it that this one can't
            follow.
    """
    path, written_by = directory / FILE, None
    check_there(directory)
    try:
        tensors, _ = files.read_safetensors(path)
        known = json.loads(tensors.pop(JSON).numpy().tobytes())
        written_by = known["made by"]
        if written_by["checkpoint format"] == FORMAT:
            return from_parts(directory, tensors, known)
    except OSError as error:
        raise CheckpointError(f"{path}: {error.strerror or error}", "", START_ANEW) from error
    except Exception as error:  # a parser of damaged bytes raises anything
        if written_by in (None, made_by()):
            given = f"{path}: the checkpoint is damaged, or none ({error or type(error).__name__})"
            raise CheckpointError(given, "", START_ANEW) from error
    assert written_by is not None, "else it is damaged"
    now = made_by()
    name = next(name for name in now if written_by.get(name) != now[name])
    raise misfit(directory, f"{name} was {written_by.get(name)}, here it is {now[name]}")


def command_in(directory: Path) -> Mapping[str, Any]:
    """What the front end wrote into a folder's checkpoint; empty where it can't be read.

    Only that is read, not the tensors: of 830 MB a few kB.
    """
    from safetensors import safe_open

    try:
        with safe_open(directory / FILE, framework="pt") as file:
            known = json.loads(file.get_tensor(JSON).numpy().tobytes())
        return dict(known["command"])
    except Exception:  # a parser of damaged bytes raises anything
        return {}


def from_parts(
    directory: Path, tensors: Mapping[str, Tensor], known: Mapping[str, Any]
) -> Checkpoint:
    """What `to_parts` took apart, put together."""
    # Copies: safetensors' own lie in the file, wherever that puts them, and torch's kernels may
    # sum in another order there than in memory that torch aligned.
    state = {**known["state"], **{name: tensor.clone() for name, tensor in tensors.items()}}
    point = Point.restored(state)
    iteration, iterations, (height, width), *told = known["step"]
    step = Step(
        iteration,
        iterations,
        (height, width),
        point.loss,
        point.losses,
        *told,
        pixels=cut(point.x, (height, width)),
        state=state,
    )
    recipe = Recipe.from_json(known["recipe"], str(directory))
    return Checkpoint(directory, recipe, step, known["history"], known["command"])


def check_fits(checkpoint: Checkpoint, recipe: Recipe) -> None:
    """Make sure that a checkpoint is of a run that this recipe decides, whatever the versions.

    Raises:
        CheckpointError: it is of another, and the first thing that differs.
    """
    if difference := checkpoint.recipe.difference(recipe, versions=False):
        raise misfit(checkpoint.directory, difference)


def misfit(directory: Path, difference: str) -> CheckpointError:
    """The error that says what differs."""
    return CheckpointError(
        f"{directory}: the checkpoint is of another run: {difference}", "", START_ANEW
    )


def remove(directory: Path) -> None:
    """Remove a folder's checkpoint, if it has one, and the folder where that was all it held.

    Frames go after the checkpoint: one that is there has all of its frames.
    """
    with suppress(OSError):
        for name in (FILE, TEMPORARY):
            (directory / name).unlink(missing_ok=True)
        with suppress(OSError):  # Windows keeps a file that is open: it goes when it is let go
            (directory / LOCK).unlink(missing_ok=True)
        for frames in directory.glob(FRAMES.format("[0-9a-f]" * RUN_DIGITS)):
            for path in frames.iterdir():
                path.unlink()
            frames.rmdir()
        directory.rmdir()


class Checkpointer:
    """A listener of Steps that keeps a checkpoint in a folder, as the work goes on.

    It writes one every INTERVAL_S seconds and at each scale's end; ``write`` does it at once. Where
    many write to one disk, ``rarely_s`` is the time between two, and scales' ends do not count.

    Args:
        directory: made when the first one is written.
        recipe: what decides the picture.
        ends: the iterations after which a scale is done.
        command: as in Checkpoint.
        resume_from: what the run goes on from.

    Raises:
        CheckpointError: when called, that one can't be written; the one before is still there.
    """

    def __init__(
        self,
        directory: Path,
        recipe: Recipe,
        ends: Collection[int],
        command: Mapping[str, Any],
        resume_from: Checkpoint | None = None,
    ) -> None:
        self.directory, self.recipe, self.ends, self.command = directory, recipe, ends, command
        self.history = list(resume_from.history) if resume_from else []
        self.step = resume_from.step if resume_from else None
        self.written = (
            resume_from.step.iteration if resume_from else 0
        )  # the iteration of the one on disk
        self.tried_s, self.rarely_s = time.monotonic(), 0.0

    def __call__(self, step: Step) -> None:
        self.history.append(step.row())
        self.step = step
        ends = step.iteration in self.ends and not self.rarely_s
        if ends or time.monotonic() - self.tried_s >= (self.rarely_s or INTERVAL_S):
            self.write()

    def write(self) -> None:
        """Write a checkpoint of the last step, if there is one that is not on disk yet."""
        self.tried_s = time.monotonic()
        if self.step and self.step.iteration > self.written:
            history = self.history[: self.step.iteration]  # Ctrl-C may come between a row and it
            write(Checkpoint(self.directory, self.recipe, self.step, history, self.command))
            self.written = self.step.iteration

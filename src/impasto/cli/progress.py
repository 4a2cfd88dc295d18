"""What a person sees while a picture comes into being: a bar, or now and then a line."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Self, TextIO, cast

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn

from impasto.cli.options import spelling
from impasto.cli.process import Stream, is_terminal
from impasto.errors import ImpastoError, printable

if TYPE_CHECKING:
    from impasto.job.job import Job
    from impasto.job.session import Pace
    from impasto.transfer.optimize import Step

WIDE, NARROW = 100, 72  # columns: below the one the losses' sum is left out, below the other all
LINES = 20  # or a few more, where there is no terminal to draw a bar on
GIGABYTE = 1e9
WORTH_TELLING_BYTES = 2_000_000_000


class Bar:
    """Where some work stands, on standard error: a bar, where one can be drawn, and lines.

    Args:
        pace: of the work.
        quiet: errors and nothing else.
    """

    def __init__(self, pace: Pace, *, quiet: bool) -> None:
        self.pace, self.quiet = pace, quiet
        self.console = console_for(quiet=quiet)
        self.drawn = draws(self.console)
        self.progress = Progress(
            TextColumn("{task.fields[count]}"),
            BarColumn(bar_width=None),
            TextColumn("{task.description}", markup=False),  # names of files may look like it
            TextColumn("{task.fields[left]}"),
            console=self.console,
            disable=not self.drawn,
        )
        self.task: TaskID | None = None

    def __enter__(self) -> Self:
        self.progress.start()
        self.task = self.progress.add_task("", total=1.0, count="", left="")
        self.pace.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Take the bar away."""
        self.progress.stop()

    def show(self, count: str, words: str) -> None:
        """Draw the bar as the work stands: how many are done, and what is done now."""
        if self.task is not None:
            self.progress.update(
                self.task,
                completed=self.pace.fraction,
                count=count,
                description=printable(words),
                left=self.left(),
            )

    def left(self) -> str:
        """The time left, in words, or ''."""
        seconds = self.pace.seconds_left
        return "" if seconds is None else f"{clock(seconds)} left"

    def say(self, words: str) -> None:
        """Print a line of its own, above the bar."""
        self.console.print(printable(words), markup=False, soft_wrap=True)

    def regret(self, what: str, why: ImpastoError) -> None:
        """Print a line on what has failed while the work goes on."""
        self.warn(f"{what}: {why.line(spelling)}")

    def warn(self, words: str) -> None:
        """Print a line even where quiet is asked for."""
        if self.quiet:
            typer.echo(printable(words), err=True)
        self.say(words)


class Narrator(Bar):
    """A listener of Steps that tells where a job stands."""

    def __init__(self, job: Job, *, quiet: bool = False) -> None:
        from impasto.job.session import Pace, costs

        self.job, self.costs = job, costs(job)
        super().__init__(Pace(sum(self.costs)), quiet=quiet)

    def introduce(self) -> None:
        """Say which pictures, which network, how much work."""
        from impasto.job.threads import cores

        job, config = self.job, self.job.config
        height, width = job.size
        what = job.photograph.name if job.photograph.sha256 else "A texture"
        self.say(
            f"{what} in the manner of {job.scene.manner}: "
            f"{width} x {height} px, {len(self.costs)} iterations on {job.device}"
        )
        for note in job.scene.notes:
            self.say(note)
        self._tell_plan()
        hint = ""
        if config.backbone == "auto" and job.backbone.name == "vgg16":
            hint = " (impasto weights fetch vgg19 gets the paper's)"
        self.say(f"Network: {job.backbone.source}{hint}")
        if job.threads > (most := cores()):
            self.say(f"{job.threads} threads on {most} cores wait for each other: it takes longer")

    def _tell_plan(self) -> None:
        plan = self.job.plan
        peak, limit = (f"{size / GIGABYTE:.1f} GB" for size in (plan.peak_bytes, plan.limit_bytes))
        if plan.window_px:
            self.say(
                f"In windows of {plan.window_px} px, with the gradient of the whole: about {peak}"
            )
        elif plan.peak_bytes > WORTH_TELLING_BYTES:
            self.say(f"Whole, in about {peak} of memory")
        if plan.peak_bytes > plan.limit_bytes:
            self.warn(f"{peak} is more than the {limit} that may be had: the system may end it")

    def skip(self, iterations: int) -> None:
        """Count what was done before."""
        self.pace.skip(sum(self.costs[:iterations]))

    def __call__(self, step: Step) -> None:
        """Tell of an iteration."""
        self.pace.did(self.costs[step.iteration - 1])
        if step.note:
            self.say(f"Iteration {step.iteration}: {step.note}")
        words = describe(step, self.pace.seconds, self.console.width)
        count = f"{step.iteration}/{step.iterations}"
        if self.drawn:
            self.show(count, words)
        elif (
            step.iteration in (1, step.iterations)
            or step.iteration % -(-step.iterations // LINES) == 0
        ):
            self.say(f"{count}  {words} {self.left()}")


def console_for(*, quiet: bool) -> Console:
    """Standard error, on which nobody has to listen."""
    return console_on(cast(TextIO, Stream(sys.stderr)), quiet=quiet)


def console_on(stream: TextIO, *, quiet: bool = False) -> Console:
    """A console that draws and colours where the stream is a terminal, and nowhere else.

    FORCE_COLOR and the like, which CI systems set for all programs, would otherwise put a bar's
    thousand movements of the cursor into a log file.
    """
    return Console(file=stream, force_terminal=is_terminal(stream), quiet=quiet, highlight=False)


def draws(console: Console) -> bool:
    """Whether a bar can be drawn and is wanted."""
    return console.is_terminal and not console.quiet and not is_dumb(console)


def is_dumb(console: Console) -> bool:
    """Whether the terminal can't move its cursor, as a bar would have it do."""
    return console.is_dumb_terminal or (os.name == "posix" and not os.environ.get("TERM"))


def describe(step: Step, seconds: float, columns: int) -> str:
    """Scale, losses and speed, in as many words as fit beside a bar."""
    height, width = step.scale
    parts = {
        kind: sum(loss for name, loss in step.losses.items() if name.startswith(kind))
        for kind in ("content", "style")
    }
    losses = f"content {parts['content']:.3g} style {parts['style']:.3g}"
    if columns >= WIDE:
        losses = f"loss {step.loss:.3g} {losses}"
    speed = f"{1 / seconds:.1f} it/s" if seconds < 1 else f"{seconds:.1f} s/it"
    return f"{width}x{height} {losses} {speed}" if columns >= NARROW else f"{width}x{height}"


def clock(seconds: float) -> str:
    """1:05, or 2:03:04."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"

"""What a person sees while a picture comes into being: a bar, or now and then a line."""

from __future__ import annotations

import os
import sys
import time
from types import TracebackType
from typing import IO, TYPE_CHECKING, cast

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, TaskID, TextColumn

from impasto.cli.process import Stream
from impasto.config import schedule
from impasto.errors import printable

if TYPE_CHECKING:
    from impasto.job.job import Job
    from impasto.transfer.optimize import Step

WIDE, NARROW = 100, 72  # columns: below the one the losses' sum is left out, below the other all
LINES = 20  # or a few more, where there is no terminal to draw a bar on
GIGABYTE = 1e9
WORTH_TELLING_BYTES = 2_000_000_000
SCALE_BEGINS = 2.8  # times an iteration: the first also looks at both pictures and at the start
RECENT = 0.3  # the newest iteration's part in the running average of seconds per pixel


class Narrator:
    """A listener of Steps that tells on standard error where the work stands.

    Time left counts pixels, not iterations: one at the last scale costs what 16 cost at a
    quarter of its side, and a scale's first costs more than the others.
    """

    def __init__(self, job: Job, *, quiet: bool = False) -> None:
        self.job, self.quiet = job, quiet
        self.console = console_for(quiet=quiet)
        plan = schedule(job.size, job.config)
        self.pixels = [
            h * w * (1 if place else SCALE_BEGINS)
            for (h, w), count in plan
            for place in range(count)
        ]
        self.seconds_per_pixel: float | None = None
        self.last_s = time.monotonic()
        self.bar = draws(self.console)
        count, left = "{task.completed:.0f}/{task.total:.0f}", TextColumn("{task.fields[left]}")
        self.progress = bar_on(self.console, count, left)
        self.task: TaskID | None = None

    def introduce(self) -> None:
        """Which pictures, which network, how much work."""
        job, config = self.job, self.job.config
        height, width = job.size
        what = job.photograph.name if job.photograph.sha256 else "A texture"
        self.say(
            f"{what} in the manner of {job.scene.manner}: "
            f"{width} x {height} px, {len(self.pixels)} iterations on {job.device}"
        )
        self._tell_plan()
        hint = ""
        if config.backbone == "auto" and job.backbone.name == "vgg16":
            hint = " (impasto weights fetch vgg19 gets the paper's)"
        self.say(f"Network: {job.backbone.source}{hint}")

    def _tell_plan(self) -> None:
        plan = self.job.plan
        peak, limit = (f"{size / GIGABYTE:.1f} GB" for size in (plan.peak_bytes, plan.limit_bytes))
        if plan.side:
            self.say(f"In windows of {plan.side} px, with the gradient of the whole: about {peak}")
        elif plan.peak_bytes > WORTH_TELLING_BYTES:
            self.say(f"At once, in about {peak} of memory")
        if plan.peak_bytes > plan.limit_bytes:
            self.warn(f"{peak} is more than the {limit} that may be had: the system may end it")

    def say(self, words: str) -> None:
        """A line of its own, above the bar."""
        self.console.print(printable(words), markup=False, soft_wrap=True)

    def warn(self, words: str) -> None:
        """A line that is said even where quiet is asked for."""
        if self.quiet:
            typer.echo(words, err=True)
        self.say(words)

    def __enter__(self) -> Narrator:
        self.progress.start()
        self.task = self.progress.add_task("", total=len(self.pixels), left="")
        self.last_s = time.monotonic()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.progress.stop()

    def __call__(self, step: Step) -> None:
        now_s = time.monotonic()
        seconds, self.last_s = now_s - self.last_s, now_s
        self._learn(seconds / self.pixels[step.iteration - 1])
        if step.note:
            self.say(f"Iteration {step.iteration}: {step.note}")
        words = describe(step, seconds, self.console.width)
        left = f"{clock(self._seconds_left(step.iteration))} left"
        if self.bar and self.task is not None:
            self.progress.update(self.task, completed=step.iteration, description=words, left=left)
        elif (
            step.iteration in (1, step.iterations)
            or step.iteration % -(-step.iterations // LINES) == 0
        ):
            self.say(f"{step.iteration}/{step.iterations}  {words} {left}")

    def _learn(self, seconds_per_pixel: float) -> None:
        before = self.seconds_per_pixel
        if before is not None:
            seconds_per_pixel = RECENT * seconds_per_pixel + (1 - RECENT) * before
        self.seconds_per_pixel = seconds_per_pixel

    def _seconds_left(self, iteration: int) -> float:
        return (self.seconds_per_pixel or 0.0) * sum(self.pixels[iteration:])


def console_for(*, quiet: bool) -> Console:
    """Standard error, on which nobody has to listen."""
    return Console(file=cast(IO[str], Stream(sys.stderr)), quiet=quiet, highlight=False)


def draws(console: Console) -> bool:
    """Whether a bar can be drawn and is wanted."""
    return console.is_terminal and not console.quiet and not is_dumb(console)


def bar_on(console: Console, count: str, left: ProgressColumn) -> Progress:
    """A bar between how many are done, and what is done now and the time left."""
    return Progress(
        TextColumn(count),
        BarColumn(bar_width=None),
        TextColumn("{task.description}"),
        left,
        console=console,
        disable=not draws(console),
    )


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

"""A job at work, as every front end runs it: its memory, who listens, and how much is left.

A listener that fails (a full disk, a folder gone) is told of and ends none of the work.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from impasto.errors import ImpastoError
from impasto.job import memory
from impasto.job.checkpoint import Checkpoint
from impasto.job.estimate import SCALE_BEGINS
from impasto.job.job import Job, OnInterrupt, OnStep, Result, Steer, straight_on
from impasto.job.plan import HELD_BYTES
from impasto.network.vgg import block_of, convolution_names
from impasto.transfer.optimize import Step

RECENT = 0.3  # the newest work's part in the running average of its speed


Warn = Callable[[str, ImpastoError], None]  # what has failed, and why


def ignore(what: str, why: ImpastoError) -> None:
    """Tell nobody."""


@dataclass
class Listener:
    """Something that hears of every step, and may fail without an end to the work.

    Attributes:
        hear: what is called with each Step.
        trouble: what a person is told where it fails, before the reason.
        once: whether that is told the first time only.
    """

    hear: OnStep
    trouble: str
    once: bool = False
    told: bool = field(default=False, init=False)

    def __call__(self, step: Step, warn: Warn) -> None:
        """Pass a step on; say where that fails."""
        try:
            self.hear(step)
        except ImpastoError as error:
            if not (self.once and self.told):
                warn(self.trouble, error)
            self.told = True


@dataclass(frozen=True)
class Session:
    """A job, and all that is to happen while it runs.

    Attributes:
        job: to be run.
        listeners: after each iteration, in their order. What a later one writes may count on what
            an earlier one has written: whoever goes on from a checkpoint has the snapshots and
            frames of the way there.
        warn: is told of listeners that fail.
        own_process: whether the process has no other work, so that its allocator may be set as
            the job needs it.
    """

    job: Job
    listeners: Sequence[Listener] = ()
    warn: Warn = ignore
    own_process: bool = False

    def run(
        self,
        on_step: OnStep | None = None,
        resume_from: Checkpoint | None = None,
        *,
        on_interrupt: OnInterrupt = "keep",
        steer: Steer = straight_on,
    ) -> Result:
        """Run the job, or go on with it; arguments and errors as ``Job.run``."""
        if self.own_process:
            memory.hold(*([HELD_BYTES] if self.job.plan.window_px else []))

        def hear(step: Step) -> None:
            self._tidy()  # a checkpoint needs room of its own
            if on_step:
                on_step(step)
            for listener in self.listeners:
                listener(step, self.warn)
            if self.listeners:
                self._tidy()

        return self.job.run(hear, resume_from, on_interrupt=on_interrupt, steer=steer)

    def _tidy(self) -> None:
        """Give back what maps of windows have left unused."""
        if self.own_process and self.job.plan.window_px:
            memory.release()


class Pace:
    """How much of some work is done, and how long the rest will take at the pace of late.

    Args:
        total: all of the work, in any unit.
    """

    def __init__(self, total: float) -> None:
        self.total, self.done = total, 0.0
        self.seconds_per_unit: float | None = None
        self.last_s = time.monotonic()
        self.seconds = 0.0  # that the newest piece took

    def start(self) -> None:
        """Begin to count time here."""
        self.last_s = time.monotonic()

    def did(self, work: float) -> None:
        """Count work that took the time since the last."""
        now_s = time.monotonic()
        self.seconds, self.last_s = now_s - self.last_s, now_s
        self.done += work
        newest, before = self.seconds / work, self.seconds_per_unit
        self.seconds_per_unit = (
            newest if before is None else RECENT * newest + (1 - RECENT) * before
        )

    def skip(self, work: float) -> None:
        """Count work that was there already, and took no time."""
        self.done += work
        self.start()

    @property
    def since_s(self) -> float:
        """How long ago work was counted last."""
        return time.monotonic() - self.last_s

    @property
    def fraction(self) -> float:
        """The part of the work that is done, from 0 to 1."""
        return min(1.0, self.done / self.total) if self.total else 1.0

    @property
    def seconds_left(self) -> float | None:
        """None as long as nobody knows."""
        if self.seconds_per_unit is None:
            return None
        return self.seconds_per_unit * max(0.0, self.total - self.done)


def costs(job: Job) -> list[float]:
    """What each iteration of a job costs, in the convolutions' multiplications, not counting what
    it has already done. A scale's first costs more: see SCALE_BEGINS.
    """
    each = multiplications(job)
    return [
        height * width * each * (1.0 if place else SCALE_BEGINS)
        for (height, width), count in job.scales
        for place in range(count)
    ]


def multiplications(job: Job) -> float:
    """By the network, for a pixel, as far as the deepest layer that counts for anything."""
    config, state = job.config, job.backbone.state
    used = [layer for layer, weight in (*config.content_layers, *config.style_layers) if weight]
    deepest = max(f"conv{layer[4:]}" for layer in used)
    return sum(
        state[f"{name}.weight"].numel() / 4.0 ** (block_of(name) - 1)
        for name in convolution_names(state)
        if name <= deepest
    )

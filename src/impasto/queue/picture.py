"""The work itself, where it is a picture: an order carried out, watched, steered and kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext, suppress
from itertools import accumulate
from typing import Any

from impasto import pictures
from impasto.errors import CheckpointError, ImpastoError, QueueError
from impasto.job import checkpoint
from impasto.job.checkpoint import Checkpoint, Checkpointer, check_fits
from impasto.job.job import Job, Result
from impasto.job.session import Listener, Pace, Session, costs
from impasto.queue.entry import Entry, Turn
from impasto.queue.reporter import Heard, Reporter, Stopped
from impasto.timeline import Timeline, check_path
from impasto.transfer.optimize import Step

PREVIEW_PX = 1024  # its longer side at most: what a page shows, and a JPEG of some 200 kB
GIGABYTE = 1e9

Begun = tuple[Job, Checkpoint | None]  # what is to be run, and what it goes on from
Slot = Callable[[], AbstractContextManager[None]]  # entered when computing may begin


def picture(
    entry: Entry, reporter: Reporter, slot: Slot | None = None, *, previews: bool = True
) -> None:
    """Paint a picture, or go on with it; the bytes are those of `impasto stylize`.

    Args:
        entry: whose picture it is.
        reporter: of the entry.
        slot: what computing has to wait for, where several processes read and write pictures, and
            fewer compute.
        previews: whether anybody wants to look on.

    Raises:
        Heard: it ends early, as was wished; there is a checkpoint, and where it was stopped the
            picture as it stands.
        ImpastoError: it can't be made, kept or filmed.
    """
    ahead = begun_ahead(entry, reporter) if slot else None
    with slot() if slot else nullcontext():
        work = replanned(*ahead) if ahead else begun(entry, reporter)
        result, film, stopped = painted(entry, reporter, work, previews=previews)
    order = entry.task.order
    result.save(order.target, bits=order.bits, recipe=order.recipe)
    if film:
        film.save(result)
    check_whole(result, stopped=stopped)


def painted(
    entry: Entry, reporter: Reporter, work: Begun, *, previews: bool
) -> tuple[Result, Timeline | None, bool]:
    """Run a job, or go on with it; what came of it, its film, and whether a person stopped it.

    Raises:
        Heard: it ends early otherwise; there is a checkpoint.
        ImpastoError: it can't be made or filmed.
    """
    order, folder = entry.task.order, entry.checkpoint_dir
    job, resume_from = work
    keep = job.checkpointer(folder, order.to_json(folder), resume_from)
    keep.rarely_s = entry.rarely_s
    film = Timeline(job, order.timeline, folder, resume_from) if order.timeline else None
    watch = Watch(job, entry, reporter, keep, resume_from, previews=previews)
    listeners = [
        Listener(order.snapshots(job), "Snapshot left out"),
        *([Listener(film, "The film will have gaps", once=True)] if film else ()),
        Listener(keep, "Going on without a new checkpoint", once=True),
        Listener(watch.show, "Preview left out", once=True),
        Listener(watch.heed, ""),  # last, so that all others know of the step that it ends with
    ]
    session = Session(job, listeners, reporter.warn, own_process=True)
    try:
        result = session.run(watch.count, resume_from, steer=watch.steer)
    except Heard:
        written(keep, reporter)
        raise
    if result.stopped:
        written(keep, reporter)
    return result, film, watch.stopped


def begun_ahead(entry: Entry, reporter: Reporter) -> Begun | None:
    """As ``begun``, while another process computes; None where that fails.

    What the other holds may be what is missing here, so that an error counts only once it is gone.
    """
    try:
        return begun(entry, reporter)
    except ImpastoError:
        return None


def replanned(job: Job, resume_from: Checkpoint | None) -> Begun:
    """The same, planned with the memory that there is by now."""
    return job if resume_from else job.with_settings(), resume_from


def begun(entry: Entry, reporter: Reporter) -> Begun:
    """The job, and the checkpoint that it goes on from; where that is no good it begins anew.

    Raises:
        ImpastoError: the job can't be.
    """
    order, folder = entry.task.order, entry.checkpoint_dir
    if order.timeline:
        check_path(order.timeline, order.inputs, [order.target])

    def measuring() -> None:
        reporter.note("Measuring what this processor is fast at: some 3 seconds, once")

    if checkpoint.is_there(folder):
        try:
            there = checkpoint.read(folder)
            like = there.recipe
            job = order.with_threads(like.threads).checked(like, there.windows, measuring)
            check_fits(there, job.recipe)
            reporter.note(like.other_versions(job.recipe))
            return job, there
        except CheckpointError as error:
            reporter.warn("It began anew", error)
    return order.checked(on_measure=measuring), None


def written(keep: Checkpointer, reporter: Reporter) -> None:
    """Write a checkpoint of where it stands; tell where that can't be."""
    try:
        keep.write()
    except CheckpointError as error:
        reporter.warn("What was done last is not kept", error)


def check_whole(result: Result, *, stopped: bool) -> None:
    """Raise what ended a run before its time, now that there is a picture of it."""
    if stopped:
        raise Stopped
    if result.stopped:
        went = result.recipe.outcome
        assert went is not None, "a run has an outcome"
        given = f"it ended at iteration {went.done} of {went.planned}: {result.stopped}"
        raise QueueError(given, "", "the picture is kept as it stood")


class Watch:
    """What stands between a run and whoever looks on: how far it is, previews, wishes, steering.

    Args:
        job: before it goes on.
        entry: whose job it is.
        reporter: of the entry.
        keep: writes its checkpoints.
        resume_from: what it goes on from.
        previews: whether to write any.

    Attributes:
        job: as the run goes by now, with its turns.
        stopped: whether a person had it stopped.
    """

    def __init__(
        self,
        job: Job,
        entry: Entry,
        reporter: Reporter,
        keep: Checkpointer,
        resume_from: Checkpoint | None,
        *,
        previews: bool = True,
    ) -> None:
        self.previews = previews
        self.job = job.gone_on_with(resume_from) if resume_from else job
        self.entry, self.reporter, self.keep = entry, reporter, keep
        self.turns, self.stopped, self.shown = entry.turns(), False, False
        self.costs = costs(self.job)
        self.pace = Pace(sum(self.costs))
        self.facts: dict[str, Any] = {"iteration": 0, "iterations": self.job.iterations}
        self.size = pictures.fit(job.size, min(PREVIEW_PX, max(job.size)))
        alpha = job.photograph.alpha
        self.alpha = None if alpha is None else pictures.resize(alpha, self.size)
        self._introduce(resume_from.step.iteration if resume_from else 0)

    def _introduce(self, done: int) -> None:
        """Tell what will be done, and what a person should know of it before."""
        plan, self.facts["iteration"] = self.job.plan, done
        self.pace.skip(sum(self.costs[:done]))
        self.reporter.tell(**self.facts, size=self.job.size, peak_bytes=plan.peak_bytes)
        for note in self.job.scene.notes:
            self.reporter.note(note)
        if plan.peak_bytes > plan.limit_bytes:
            peak, limit = (
                f"{size / GIGABYTE:.1f} GB" for size in (plan.peak_bytes, plan.limit_bytes)
            )
            self.reporter.note(
                f"It takes about {peak} of memory, more than the {limit} that may be had: "
                "the system may end it"
            )

    def count(self, step: Step) -> None:
        """Reckon with an iteration."""
        self.pace.did(self.costs[step.iteration - 1])
        self.facts = {
            "iteration": step.iteration,
            "iterations": step.iterations,
            "fraction": self.pace.fraction,
            "seconds_left": self.pace.seconds_left,
            "loss": step.loss,
            "scale": step.scale,
        }

    def show(self, step: Step, *, at_once: bool = False) -> None:
        """Tell where it stands and write a preview, where it is time for that.

        Raises:
            PictureError: the preview can't be written.
        """
        if step.note:
            self.reporter.note(f"Iteration {step.iteration}: {step.note}")
        at_once |= not self.shown or step.iteration == step.iterations
        if at_once or self.reporter.due:
            self.reporter.tell(**self.facts)
            self.shown = True
            if self.previews:
                pixels = pictures.resize(step.picture(), self.size)
                pictures.save(pixels, self.entry.preview, alpha=self.alpha)

    def heed(self, step: Step) -> None:
        """End the run where that is wished, unless it is at its end.

        Raises:
            KeyboardInterrupt: it is to stop, with its picture.
            Heard: it is to end otherwise.
        """
        if step.iteration == step.iterations:
            return
        try:
            self.reporter.heed()
        except Heard as heard:
            with suppress(ImpastoError):
                self.show(step, at_once=True)
            self.stopped = isinstance(heard, Stopped)
            if self.stopped:
                raise KeyboardInterrupt from heard
            raise

    def steer(self, step: Step) -> Mapping[str, Any]:
        """What is to change after a step: what did when it was made before, or what is new.

        Every change is on disk before it is made, so that a run that is killed and gone on with
        makes it at the same iteration.
        """
        last = max((turn.iteration for turn in self.turns), default=0)
        if step.iteration > last:
            self._take_new(step.iteration)
        settings: dict[str, Any] = {}
        for turn in self.turns:
            if turn.iteration == step.iteration:
                settings |= turn.settings
        self._turn(step.iteration, settings)
        return settings

    def _take_new(self, iteration: int) -> None:
        """Record what was asked for since the last time; what can't be recorded has to wait."""
        new: list[Turn] = []
        together: dict[str, Any] = {}
        made = len(self.turns)
        for number, settings in enumerate(self.reporter.asked().steering[made:], made + 1):
            possible = self._possible(iteration, together, settings)
            together |= possible
            new.append(Turn(number, iteration, possible))
        if not new:
            return
        try:
            self.entry.write_turns([*self.turns, *new])
        except QueueError as error:
            self.reporter.warn("A change has to wait", error)
        else:
            self.turns = (*self.turns, *new)

    def _possible(
        self, iteration: int, others: Mapping[str, Any], settings: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        """The settings, or none where this job can't change to them: it goes on as it was."""
        try:
            self.job.turned(iteration, {**others, **settings})
        except ImpastoError as error:
            self.reporter.warn("A change was left out", error)
            return {}
        return settings

    def _turn(self, iteration: int, settings: Mapping[str, Any]) -> None:
        """Follow the run in what is left to do."""
        turned = self.job.turned(iteration, settings) if settings else self.job
        if turned is not self.job:
            self.job, self.costs = turned, costs(turned)
            self.pace.total = sum(self.costs)
            self.keep.ends = set(accumulate(count for _, count in turned.scales))

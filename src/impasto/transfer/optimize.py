"""The one loop: from coarse to fine, a picture goes down the loss, one Step after the other."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, TypeVar

import torch
from torch import Tensor

from impasto.config import BORDERED, Axes, Config, Size
from impasto.pictures import resize_around
from impasto.transfer.descent import (
    LBFGS,
    Adam,
    Evaluate,
    GradientDescent,
    Minimizer,
    Outcome,
    Point,
    State,
    ValueAt,
    fitted,
)
from impasto.transfer.evaluation import (
    Evaluator,
    Region,
    free_cached,
    ran_out_of_memory,
    regions_with,
)
from impasto.transfer.margin import cut, margins_of, refitted, widened, widened_size
from impasto.transfer.schedule import schedule, steered
from impasto.transfer.walk import Network, halved
from impasto.transfer.waves import mean_power

T = TypeVar("T")

Windows = Sequence[tuple[int, int | None]]
"""From which iteration on, counted from 1, windows have which side in pixels; None is whole."""

WHOLE: Windows = ((1, None),)

Sized = Callable[[Size], Tensor]  # a picture (1, 3, H, W) at the size (height, width) asked for


def nowhere(size: Size) -> Tensor | None:  # noqa: ARG001
    """No part of a picture is told apart."""
    return None


def unchanged(pixels: Tensor) -> Tensor:
    """Show the pixels as they are."""
    return pixels


@dataclass(frozen=True)
class Step:
    """What one iteration left behind.

    Attributes:
        iteration: from 1, counted over all scales.
        iterations: how many there will be in all.
        scale: (height, width) in pixels of the picture at this iteration.
        loss: the loss after the iteration, the sum of ``losses``.
        losses: by term: ``content relu4_2``, ``content relu4_2 related``, ``style relu1_1``,
            ``style relu1_1 sliced``, ..., ``tv``; weights included.
        note: what a person should know of this iteration, mostly ''.
        rejected: whether a trial of this iteration exploded and was taken back.
        window_px: side of the windows that it was computed in; None is the whole picture.
        turn: the settings that became otherwise just before it, mostly none.
        state: the minimiser's, from which `optimize` goes on.
        finish: what makes of the pixels the picture to show, of the same size.
    """

    iteration: int
    iterations: int
    scale: Size
    loss: float
    losses: Mapping[str, float]
    note: str = ""
    rejected: bool = False
    window_px: int | None = None
    turn: Mapping[str, Any] = field(default_factory=dict)
    pixels: Tensor = field(repr=False, compare=False, kw_only=True)
    state: State = field(repr=False, compare=False, kw_only=True, default_factory=dict)
    finish: Callable[[Tensor], Tensor] = field(
        repr=False, compare=False, kw_only=True, default=unchanged
    )

    def picture(self) -> Tensor:
        """A copy of the picture as it stands: (1, 3, h, w), sRGB in [0, 1], on the CPU."""
        return self.finish(self.pixels.detach().to("cpu", copy=True))

    def row(self) -> dict[str, Any]:
        """The step as a flat row, ready for a table."""
        height, width = self.scale
        place = {"iteration": self.iteration, "height": height, "width": width}
        told = {"note": self.note, "rejected": self.rejected, "window_px": self.window_px}
        return {**place, "loss": self.loss, **self.losses, **told, "turn": dict(self.turn)}

    def to(self, device: torch.device | str) -> Step:
        """The same with its tensors on a device."""
        state = {k: v.to(device) if isinstance(v, Tensor) else v for k, v in self.state.items()}
        return replace(self, pixels=self.pixels.to(device), state=state)


@dataclass(frozen=True)
class Subject:
    """The pictures that an optimisation is about, each at any size: (1, 3, H, W), in [0, 1].

    Attributes:
        photograph: what the content comes from.
        regions: given the photograph's size, its parts, and the paintings that they take after.
        start: the first picture, at the coarsest scale.
        detail: a picture whose detail each finer scale adds to the enlarged picture, or None.
        preserve: where the picture stays the photograph: (1, 1, H, W) in [0, 1], or None.
        visible: where it counts, likewise; None is everywhere.
        grey: whether the picture is to be grey.
        endless: whether the start is alike everywhere at any size, as noise is.
        known_px: longer side that the photograph was given at: beyond it, it is only enlarged.
    """

    photograph: Sized
    regions: Callable[[Size], Sequence[Region]]
    start: Sized
    detail: Sized | None
    preserve: Callable[[Size], Tensor | None] = nowhere
    visible: Callable[[Size], Tensor | None] = nowhere
    grey: bool = False
    endless: bool = False
    known_px: int | None = None

    def sharp(self, size: Size) -> float:
        """How much of the finest things at a (height, width) the photograph has: 1, or less."""
        return 1.0 if self.known_px is None else min(1.0, self.known_px / max(size))

    def start_at(self, size: Size, margins: Size) -> Tensor:
        """The first picture with margins: its mirror image, or more of it where it is endless.

        Mirrored noise would become a mirrored picture, whose borders vary twice as much.
        """
        if self.endless:
            return self.start(widened_size(size, margins))
        return widened(self.start(size), margins)

    def widened(self, margins: Size) -> Subject:
        """The same with margins around every picture and what lies on it: see margin.py."""
        if not any(margins):
            return self
        wide = partial(widened, margins=margins)
        return replace(
            self,
            photograph=lambda size: wide(self.photograph(size)),
            regions=lambda size: regions_with(self.regions(size), margins),
            preserve=lambda size: wide(self.preserve(size)),
            visible=lambda size: wide(self.visible(size)),
        )


def optimize(
    network: Network,
    subject: Subject,
    size: Size,
    config: Config,
    resume_from: Step | None = None,
    windows: Windows = WHOLE,
    turns: Collection[int] = (),
) -> Iterator[Step]:
    """Stylise, from coarse to fine, and yield a Step after each iteration.

    A generator: nothing runs between steps, so closing it, or not asking for more, cancels. Given
    any of its steps it yields, to the bit, those that came after that one.

    Where memory runs out, windows are halved and the iteration is taken again, so that an
    iteration is computed in windows of one side, which its Step names.

    Args:
        network: features of a picture by layer name, differentiable.
        subject: the pictures, on the network's device.
        size: (height, width) of the last scale.
        config: layers, loss, schedule and optimiser.
        resume_from: a step of another run with the same arguments, on the network's device; or,
            where its iteration is one of ``turns``, of one with another aim (subject and weights):
            curvature is forgotten then, and what is known of places is kept.
        windows: that the picture is computed in.
        turns: iterations after which the aim changed or will, in their order; each begins its
            scale's iterations anew.

    Raises:
        DivergenceError: the loss is not a number at the first picture of a scale; the last Step
            then holds what the scale before came to.
    """
    plan = steered(schedule(size, config), turns)
    total, end = sum(count for _, count in plan), 0
    picture, done = (resume_from.pixels, resume_from.iteration) if resume_from else (None, 0)
    known = resume_from.state if resume_from else None
    for scale, count in plan:
        begin, end = end, end + count
        if done >= end:
            continue
        aim = Aim(network, subject, scale, config, margins_of(scale, size, config))
        if picture is None:
            descent = aim.first()
        elif done > begin and done not in turns:
            descent = aim.going_on(picture, known)
        else:
            descent = aim.next(picture, known, rises=done == begin)
        known = resume_from = None  # its tensors may go
        for iteration in range(done + 1, end + 1):
            outcome = descent.step(window_at(windows, iteration))  # converged, it stays where it is
            windows = narrowed(windows, iteration, descent.window_px)
            yield step_at(descent, iteration, total, scale, outcome)
        picture, done, known = cut(descent.point.x, scale), end, descent.known


def window_at(windows: Windows, iteration: int) -> int | None:
    """The side of an iteration's windows, in pixels; None is whole."""
    return [window_px for first, window_px in windows if first <= iteration][-1]


def narrowed(windows: Windows, iteration: int, window_px: int | None) -> Windows:
    """Windows that from an iteration on have this side, where it is not the one that they had."""
    if window_at(windows, iteration) == window_px:
        return windows
    return (*(each for each in windows if each[0] < iteration), (iteration, window_px))


def changes(sides: Iterable[int | None]) -> Windows:
    """The windows of a run, from the side of each of its iterations."""
    found: list[tuple[int, int | None]] = []
    for iteration, window_px in enumerate(sides, 1):
        if not found or found[-1][1] != window_px:
            found.append((iteration, window_px))
    return tuple(found)


class Descent:
    """A minimiser at one scale, whose windows may become smaller on the way.

    Args:
        evaluate: the function to minimise, given the side of windows.
        picture: (1, 3, H, W), where it begins.
        config: the optimiser.
        known: the state of a minimiser before it, if any.
        begun: whether that one was at this scale, and so knows all.
        power: of the paintings, by opponent colour and band, if it is known.

    Attributes:
        known: the state after the last iteration.
        window_px: of the windows of that iteration, in pixels; None is whole.
        told: what to tell a person of that iteration's windows, or ''.
    """

    def __init__(
        self,
        evaluate: Callable[[int | None], Evaluate],
        picture: Tensor,
        config: Config,
        known: State | None,
        *,
        begun: bool,
        power: Tensor | None = None,
    ) -> None:
        self.evaluate, self.picture, self.config, self.power = evaluate, picture, config, power
        self.known, self.begun = known, begun
        self.minimizer: Minimizer | None = None
        self.window_px: int | None = None
        self.told = ""

    @property
    def point(self) -> Point:
        """Where it stands."""
        assert self.minimizer is not None, "asked for before the first step"
        return self.minimizer.point

    def step(self, window_px: int | None) -> Outcome:
        """Go one iteration, in windows of this side or, where memory runs out, of smaller ones."""
        outcome = self._going(window_px, lambda minimizer, _: minimizer.step())
        assert self.minimizer is not None
        self.known, self.begun = self.minimizer.state(), True
        return outcome

    def end(self, window_px: int | None, value_at: Callable[[int | None], ValueAt]) -> Tensor:
        """Go the last iteration likewise, after which no gradient is wanted; the picture."""
        return self._going(window_px, lambda minimizer, px: minimizer.end(value_at(px)))

    def _going(self, window_px: int | None, go: Callable[[Minimizer, int | None], T]) -> T:
        """Do something in windows of this side or, where memory runs out, of smaller ones."""
        self.told, size = "", (self.picture.shape[2], self.picture.shape[3])
        while True:
            try:
                if self.minimizer is None or window_px != self.window_px:
                    self.minimizer = None  # its tensors may go
                    self.minimizer = self._standing(window_px)
                done = go(self.minimizer, window_px)
            except (RuntimeError, MemoryError) as error:
                smaller = halved(window_px, size)
                if smaller is None or not ran_out_of_memory(error):
                    raise
            else:
                self.window_px = window_px
                return done
            window_px, self.minimizer = smaller, None
            free_cached()  # outside the handler, which holds the failed tensors
            self.told = f"memory ran out: going on in windows of {window_px} px"

    def _standing(self, window_px: int | None) -> Minimizer:
        """A minimiser that stands where the last iteration ended."""
        picture = Point.restored(self.known).x if self.known and self.begun else self.picture
        minimizer = minimizer_for(self.config, self.evaluate(window_px), picture, self.power)
        hand_on(self.known, minimizer, begun=self.begun)
        self.window_px = window_px
        return minimizer


@dataclass(frozen=True)
class Aim:
    """What one scale's minimiser goes for, and where it begins.

    Attributes:
        network: features of a picture by layer name.
        subject: the pictures.
        scale: (height, width).
        config: layers, loss and optimiser.
        margins: around the picture, down and across: see margin.py.
    """

    network: Network
    subject: Subject
    scale: Size
    config: Config
    margins: Size

    def first(self) -> Descent:
        """At the run's start."""
        return self._descent(self.subject.start_at(self.scale, self.margins), None)

    def going_on(self, picture: Tensor, known: State | None) -> Descent:
        """Where a minimiser of this scale and aim stood, with all that it knew."""
        return self._descent(picture, known, begun=True)

    def next(self, picture: Tensor, known: State | None, *, rises: bool) -> Descent:
        """From a picture of another aim, with what is known of places.

        Args:
            picture: that one, without margins.
            known: the state of its minimiser, which has them.
            rises: whether it is of the scale before, and not of another aim at this one.
        """
        before = (picture.shape[2], picture.shape[3])
        wide = Point.restored(known).x if known else picture
        if rises:
            wide = enlarge(
                wide,
                self.scale,
                self.subject.detail,
                part=self.config.photographed(self.subject.sharp(self.scale)),
                around=self.config.around,
                before=before,
                margins=self.margins,
            )
        return self._descent(wide, fitted(known, before, self.scale, self.margins))

    def _descent(self, wide: Tensor, known: State | None, *, begun: bool = False) -> Descent:
        by_waves = self.config.optimizer == "lbfgs"
        power = power_of_paintings(self.subject.regions(self.scale)) if by_waves else None
        return Descent(self._evaluator, wide, self.config, known, begun=begun, power=power)

    def _evaluator(self, window_px: int | None) -> Evaluator:
        """The function to minimise, in windows of this side."""
        subject, scale = self.subject.widened(self.margins), self.scale
        photograph, regions = subject.photograph(scale), subject.regions(scale)
        preserve, visible, grey = subject.preserve(scale), subject.visible(scale), subject.grey
        return Evaluator(
            self.network,
            photograph,
            regions,
            self.config,
            window_px,
            preserve,
            visible,
            grey,
            sharp=subject.sharp(scale),
        )


def power_of_paintings(regions: Sequence[Region]) -> Tensor:
    """How large the waves of paintings are, by opponent colour and band: see waves.py.

    Of whole paintings, though only a part of one may count, and every list of them once.
    """
    styles = {id(region.styles): region.styles for region in regions}
    return mean_power(
        (weight / len(samples), sample.picture())
        for each in styles.values()
        for weight, samples in each
        for sample in samples
    )


def hand_on(known: State | None, minimizer: Minimizer, *, begun: bool) -> None:
    """Give a minimiser what another knew: all, where it goes on with that one's scale."""
    if known and begun:
        minimizer.restore(known)
    elif known:
        minimizer.inherit(known)


def step_at(descent: Descent, iteration: int, total: int, scale: Size, outcome: Outcome) -> Step:
    """The Step of an iteration that has brought a descent to where it stands."""
    point, state = descent.point, descent.known
    assert state is not None, "an iteration leaves a state"
    return Step(
        iteration,
        total,
        scale,
        point.loss,
        point.losses,
        "; ".join(filter(None, (descent.told, outcome.note))),
        outcome.rejected,
        descent.window_px,
        pixels=cut(point.x, scale),
        state=state,
    )


def enlarge(
    picture: Tensor,
    size: Size,
    detail: Sized | None,
    *,
    part: float = 1.0,
    around: Axes = BORDERED,
    before: Size | None = None,
    margins: Size = (0, 0),
) -> Tensor:
    """The picture at the next scale: bicubic, and what the photograph shows only at that scale.

    The difference between the photograph at the new scale and at the old one, enlarged alike, is
    the next level of its Laplacian pyramid (Burt & Adelson 1983). With it the finer scale starts
    from sharp contours: measured at 512 px, a third fewer iterations to the same loss.

    Args:
        picture: (1, 3, H, W), at the scale before, with the margins that it had there.
        size: (height, width) of the new one.
        detail: gives the photograph at any size; None is no detail.
        part: how much of the detail, 0 to 1.
        around: which ways the picture goes on around its edges.
        before: (height, width) at the scale before without margins; None is the picture's own.
        margins: that the new one is to have: of what was painted in the old ones.
    """
    before = before or (picture.shape[2], picture.shape[3])
    sides = zip(margins, before, size, strict=True)
    inner = [round(margin * old / new) for margin, old, new in sides]
    kept = (inner[0], inner[1])
    whole = widened_size(size, margins)
    enlarged = resize_around(refitted(picture, before, kept), whole, around)
    if detail is None or not part:
        return enlarged
    coarse = resize_around(widened(detail(before), kept), whole, around)
    return (enlarged + part * (widened(detail(size), margins) - coarse)).clamp(0, 1)


def minimizer_for(
    config: Config, evaluate: Evaluate, picture: Tensor, power: Tensor | None = None
) -> Minimizer:
    """The optimiser that config names, standing at the picture; ``power`` is the paintings'."""
    if config.optimizer == "lbfgs":
        return LBFGS(evaluate, picture, config.around, power)
    method = Adam if config.optimizer == "adam" else GradientDescent
    return method(evaluate, picture, config.rate)

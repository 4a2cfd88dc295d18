"""Minimisers of a function of a picture whose pixels stay in [0, 1].

Each holds its best-known point and goes one iteration at a time; none ever leaves a point for one
where the loss is not a number or has exploded. They know nothing of networks or styles. From its
``state`` another, made for the same function, goes on to the bit as the first would have.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any, NamedTuple, Protocol, TypeVar

import torch
import torch.nn.functional as nnf
from torch import Tensor

from impasto.config import BORDERED, Axes, Size
from impasto.errors import DivergenceError
from impasto.transfer.margin import cut, widened
from impasto.transfer.preconditioner import AMPLITUDES, Preconditioner, amplitudes_in, dot
from impasto.transfer.waves import amplitudes_of, power_of

# Pairs of steps and gradient changes that L-BFGS remembers. Preconditioned, it does nearly as well
# with one (within 1 %): a picture too large to keep ten (of 12 bytes a pixel, twice) keeps that.
HISTORY, HISTORY_OF_LARGE = 10, 1
LARGE_PX = 2**22
FIRST_STEP = 0.02  # root mean square of what the first step moves pixels, with no length known yet
SUFFICIENT_DECREASE = 1e-4  # Armijo's constant: Nocedal & Wright 2006, equation 3.4
BACKTRACKS = 12  # halvings before a direction is given up
CURVATURE_FLOOR = 1e-10  # s.y / |y|^2, below which a pair says nothing about curvature
EXPLOSION = 2.0  # times the loss it was: above that a step is taken back
ADAM_DECAY_PER_STEP = (0.9, 0.99)  # of the gradient's mean and of its square
ADAM_EPSILON = 1e-8  # of the largest root, since losses, and so gradients, come in any unit
TINY = torch.finfo(torch.float32).tiny
STALLED = "no step lowers the loss any more: done at this size"

PLACES = ("pre.steps", "pre.changes")  # in a state: what is known place by place
LENGTH = "length"  # in a state of `alike`: the inverse Hessian's scale, by gradients in no unit

State = Mapping[str, Any]  # flat: tensors, never changed in place, and what JSON holds exactly


@dataclass(frozen=True)
class Point:
    """A picture, its loss (by name, and their sum) and the loss's gradient."""

    x: Tensor
    losses: Mapping[str, float]
    loss: float
    gradient: Tensor

    @property
    def finite(self) -> bool:
        return math.isfinite(self.loss) and bool(self.gradient.isfinite().all())

    def state(self, name: str = "point") -> State:
        """All of it, under names that begin with this one."""
        return {f"{name}.{part}": value for part, value in vars(self).items()}

    @classmethod
    def restored(cls, state: State, name: str = "point") -> Point:
        """The point that gave this state."""
        return cls(**{field.name: state[f"{name}.{field.name}"] for field in fields(cls)})


@dataclass(frozen=True)
class Value:
    """A picture and its loss, without the gradient: a third of the work."""

    x: Tensor
    loss: float

    @property
    def finite(self) -> bool:
        return math.isfinite(self.loss)


Evaluate = Callable[[Tensor], Point]
ValueAt = Callable[[Tensor], Value]
Tried = TypeVar("Tried", Point, Value)


class Outcome(NamedTuple):
    """What came of one iteration.

    Attributes:
        note: what to tell a person, mostly ''.
        rejected: whether a trial exploded and was taken back.
    """

    note: str = ""
    rejected: bool = False


class Minimizer(Protocol):
    """``point`` is where it stands; ``step`` goes one iteration. ``end`` goes the last one,
    after which no gradient is wanted, and gives the picture; then it is of no more use.

    ``state`` is all that it knows; ``restore`` makes another one know the same, and no more;
    ``inherit`` makes one at the next scale begin with what is good there too.
    """

    point: Point
    converged: bool

    def step(self) -> Outcome: ...

    def end(self, value_at: ValueAt) -> Tensor: ...

    def state(self) -> State: ...

    def restore(self, state: State) -> None: ...

    def inherit(self, state: State) -> None: ...


def start_at(evaluate: Evaluate, x: Tensor) -> Point:
    """The first point; there is nothing to go back to if its loss is not a number."""
    point = evaluate(x)
    if not point.finite:
        raise DivergenceError(
            f"the loss is {point.loss} at the first picture",
            hint="try 'impasto weights verify', or smaller layer weights, alpha and beta",
        )
    return point


def ceiling(loss: float) -> float:
    """Above this a step from a point with this loss has exploded; rounding may make it negative."""
    return loss + (EXPLOSION - 1) * abs(loss)


def free_pixels(point: Point) -> Tensor:
    """Where a step down the gradient would not leave [0, 1]: Bertsekas 1982's active set."""
    x, gradient = point.x, point.gradient
    return ~(((x <= 0) & (gradient > 0)) | ((x >= 1) & (gradient < 0)))


class LBFGS:
    """Limited-memory BFGS (Nocedal 1980) projected on [0, 1], with a backtracking line search.

    What it has no pairs for, it takes from preconditioner.py.

    A unit step is tried first and nearly always taken: one evaluation an iteration. It is halved
    until the loss falls enough (Armijo), so that, unlike a fixed step, it cannot explode. Pixels
    at a bound that want to leave it are held there (Bertsekas 1982) while the others move.

    ``converged`` is set, with a note, where not even the gradient's direction lowers the loss;
    from then on ``step`` does nothing.

    Args:
        evaluate: the function.
        x: (1, 3, H, W), where it begins.
        around: which ways the picture goes on around its edges.
        power: by opponent colour and band, of what the picture is to look like (see waves.py):
            a step is expected to have that and, since the two have nothing to do with each other,
            what is there to be taken away. None is as much in all colours.
    """

    def __init__(
        self,
        evaluate: Evaluate,
        x: Tensor,
        around: Axes = BORDERED,
        power: Tensor | None = None,
    ) -> None:
        self.evaluate = evaluate
        self.point = start_at(evaluate, x)
        self.unit = largest_entry(self.point.gradient)  # gradients in it: losses have any unit
        self.pairs: deque[tuple[Tensor, Tensor]] = deque(maxlen=history_of(x.shape[2] * x.shape[3]))
        expected = None if power is None else amplitudes_of(power + power_of(x))
        self.precondition = Preconditioner(x, around, expected)
        self.converged = False
        self.exploded = ""  # what to tell of this iteration's worst trial

    def step(self) -> Outcome:
        if self.converged:
            return Outcome()
        free = free_pixels(self.point)
        found = self._lower(free, self.evaluate)
        if found is None:
            self.converged = True
            return Outcome("; ".join(filter(None, (self.exploded, STALLED))), bool(self.exploded))
        self._remember(found, free)
        self.point = found
        return Outcome(self.exploded, bool(self.exploded))

    def end(self, value_at: ValueAt) -> Tensor:
        if self.converged:
            return self.point.x
        found = self._lower(free_pixels(self.point), value_at)
        return self.point.x if found is None else found.x

    def _lower(self, free: Tensor, look_at: Callable[[Tensor], Tried]) -> Tried | None:
        """Where the loss is lower enough, if there is such a place."""
        self.exploded = ""
        found = self._search(self._downhill(free), look_at)
        if found is None and self.pairs:
            self._forget()  # curvature that leads nowhere is worth nothing
            found = self._search(self._downhill(free), look_at)
        return found

    def _downhill(self, free: Tensor) -> Tensor:
        """Where to go: a direction in which the free pixels lower the loss."""
        gradient = self.point.gradient * free / self.unit
        direction = self._direction(gradient).mul_(free)
        if not dot(direction, gradient) < 0:  # uphill or not a number: forget the curvature
            self._forget()
            direction = self._direction(gradient).mul_(free)
        return direction

    def _direction(self, gradient: Tensor) -> Tensor:
        """Minus the inverse Hessian's estimate times the gradient, by the two-loop recursion."""
        if not self.pairs:
            direction = self.precondition(gradient)
            if self.precondition.scale is not None:
                return direction.neg_()
            return direction.mul_(-FIRST_STEP / root_mean_square(direction))
        q, factors = gradient, []
        for s, y in reversed(self.pairs):
            factor = dot(s, q) / dot(s, y)
            q = q - factor * y
            factors.append(factor)
        q = self.precondition(q)
        for (s, y), factor in zip(self.pairs, reversed(factors), strict=True):
            q = q + (factor - dot(y, q) / dot(s, y)) * s
        return -q

    def _search(self, direction: Tensor, look_at: Callable[[Tensor], Tried]) -> Tried | None:
        """The first point at step 1, 1/2, 1/4, ... that lowers the loss enough."""
        here, length = self.point, 1.0
        for _ in range(BACKTRACKS):
            x = (here.x + length * direction).clamp(0, 1)
            slope = dot(here.gradient, x - here.x)
            if slope >= 0:
                return None
            there = look_at(x)
            if not there.finite or there.loss > ceiling(here.loss):
                self.exploded = f"the loss went to {there.loss:.3g}: back, with a smaller step"
            elif there.loss <= here.loss + SUFFICIENT_DECREASE * slope:
                return there
            length /= 2
        return None

    def _remember(self, found: Point, free: Tensor) -> None:
        s = (found.x - self.point.x).mul_(free)
        y = (found.gradient - self.point.gradient).mul_(free).div_(self.unit)
        if dot(s, y) > CURVATURE_FLOOR * dot(y, y):
            self.pairs.append((s, y))
            self.precondition.learn(s, y)

    def _forget(self) -> None:
        self.pairs.clear()
        self.precondition.forget_length()

    def inherit(self, state: State) -> None:
        """Begin with what one for another function, which gave this state, knew of curvature.

        At a coarser scale, or for another aim, that is where there is much; of one for the next
        frame of a film (``alike``) also how long a step is.
        """
        self.precondition.inherit(state)
        if LENGTH in state:
            self.precondition.scale = state[LENGTH] * self.unit
            self.precondition.expect(amplitudes_in(state), self.point.x)

    def state(self) -> State:
        known = {"unit": self.unit, "converged": self.converged, "pairs": len(self.pairs)}
        steps = {f"s{place}": s for place, (s, _) in enumerate(self.pairs)}
        changes = {f"y{place}": y for place, (_, y) in enumerate(self.pairs)}
        return {**self.point.state(), **known, **steps, **changes, **self.precondition.state()}

    def restore(self, state: State) -> None:
        self.point = Point.restored(state)
        self.unit, self.converged = state["unit"], state["converged"]
        self.precondition.restore(state)
        self.pairs.clear()
        self.pairs.extend(
            (state[f"s{place}"], state[f"y{place}"]) for place in range(state["pairs"])
        )


class FirstOrder:
    """Steps along the gradient with a rate; one that explodes is taken back and the rate halved."""

    def __init__(self, evaluate: Evaluate, x: Tensor, rate: float) -> None:
        self.evaluate, self.rate = evaluate, rate
        self.point = self.best = start_at(evaluate, x)
        self.ceiling = ceiling(self.point.loss)
        self.converged = False

    def step(self) -> Outcome:
        there = self.evaluate(self._ahead())
        if self._stands(there):
            self.point = there
            self.best = min(self.best, there, key=lambda point: point.loss)
            return Outcome()
        self.point = self.best
        self.rate /= 2
        self.reset()
        note = f"the loss went to {there.loss:.3g}: back to the best picture, step halved"
        return Outcome(note, rejected=True)

    def end(self, value_at: ValueAt) -> Tensor:
        there = value_at(self._ahead())
        return there.x if self._stands(there) else self.best.x

    def _ahead(self) -> Tensor:
        return (self.point.x + self.move()).clamp(0, 1)

    def _stands(self, there: Point | Value) -> bool:
        return there.finite and there.loss <= self.ceiling

    def inherit(self, state: State) -> None:
        """Nothing that these learn at one scale is good at the next."""

    def move(self) -> Tensor:
        raise NotImplementedError

    def reset(self) -> None:
        """Forget what was learnt on the way to an explosion."""

    def state(self) -> State:
        at_best = self.best is self.point  # as it mostly is; then there is one point to keep
        best = {} if at_best else self.best.state("best")
        known = {"rate": self.rate, "ceiling": self.ceiling, "at_best": at_best}
        return {**self.point.state(), **best, **known}

    def restore(self, state: State) -> None:
        self.point = self.best = Point.restored(state)
        if not state["at_best"]:
            self.best = Point.restored(state, "best")
        self.rate, self.ceiling = state["rate"], state["ceiling"]


class GradientDescent(FirstOrder):
    """x - rate / max |g_0| * g: the rate is what the first step moves the fastest pixel.

    The constant max |g_0| takes the picture's size, the layers and their weights out of the rate.
    """

    def __init__(self, evaluate: Evaluate, x: Tensor, rate: float) -> None:
        super().__init__(evaluate, x, rate)
        self.unit = largest_entry(self.point.gradient)

    def move(self) -> Tensor:
        return self.point.gradient * (-self.rate / self.unit)

    def state(self) -> State:
        return {**super().state(), "unit": self.unit}

    def restore(self, state: State) -> None:
        super().restore(state)
        self.unit = state["unit"]


class Adam(FirstOrder):
    """Kingma & Ba 2015, with the steps projected on [0, 1] and epsilon relative to the largest."""

    def __init__(self, evaluate: Evaluate, x: Tensor, rate: float) -> None:
        super().__init__(evaluate, x, rate)
        self.reset()

    def reset(self) -> None:
        self.mean = torch.zeros_like(self.point.x)
        self.square = torch.zeros_like(self.point.x)
        self.steps = 0

    def move(self) -> Tensor:
        gradient, (fast, slow) = self.point.gradient, ADAM_DECAY_PER_STEP
        self.steps += 1
        self.mean = torch.lerp(gradient, self.mean, fast)
        self.square = torch.lerp(gradient.square(), self.square, slow)
        mean = self.mean / (1 - fast**self.steps)
        root = (self.square / (1 - slow**self.steps)).sqrt()
        return -self.rate * mean / (root + ADAM_EPSILON * root.max() + TINY)

    def state(self) -> State:
        learnt = {"mean": self.mean, "square": self.square, "steps": self.steps}
        return {**super().state(), **learnt}

    def restore(self, state: State) -> None:
        super().restore(state)
        self.mean, self.square, self.steps = state["mean"], state["square"], state["steps"]


def fitted(state: State | None, before: Size, size: Size, margins: Size) -> State | None:
    """A minimiser's state with what it knows of places where a picture of another size has them.

    Args:
        state: that one; None is none.
        before: (height, width) of the picture that it was of, without margins.
        size: of the other one, likewise.
        margins: of that one.
    """
    if state is None:
        return None
    places = {name: cut(state[name], before) for name in PLACES if name in state}
    resized = {name: nnf.interpolate(it, size, mode="bilinear") for name, it in places.items()}
    return {**state, **{name: widened(it, margins) for name, it in resized.items()}}


def alike(state: State, size: Size) -> State:
    """What of a minimiser's state holds for a function much like its own: curvature, no pairs.

    Of a picture of this (height, width), without the margins that it may have had.
    """
    known = {name: cut(state[name], size) for name in PLACES if name in state}
    known |= {name: state[name] for name in (AMPLITUDES,) if name in state}
    scale = state.get("pre.scale")
    return {**known, LENGTH: scale / state["unit"]} if scale else known


def largest_entry(gradient: Tensor) -> float:
    """The gradient's largest absolute entry, or 1 where all are 0."""
    return float(gradient.abs().max()) or 1.0


def root_mean_square(picture: Tensor) -> float:
    """The root mean square of a picture's entries, or 1 where all are 0."""
    return float(picture.square().mean().sqrt()) or 1.0


def history_of(pixels: int) -> int:
    """How many pairs L-BFGS remembers for a picture of so many pixels."""
    return HISTORY if pixels <= LARGE_PX else HISTORY_OF_LARGE

"""What a style loss's inverse Hessian looks like, near enough to make the first steps good ones.

L-BFGS learns curvature from one direction an iteration, and a picture has a million. But most of
its curvature is known in advance or from its neighbourhood: it grows with a pattern's frequency,
alike at every size, and differs from place to place, steadily over the iterations.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as nnf
from torch import Tensor

from impasto.config import BORDERED, Axes
from impasto.transfer.waves import (
    LOWEST_FREQUENCY,
    TINY,
    amplitudes_at,
    filtered,
    frequency_of,
    from_opponent,
    to_opponent,
)

DECAY_PER_PAIR = 0.9  # of what earlier pairs said of places
PRIOR_PAIRS = 2.0  # that what the coarser scale knew is worth
MOST_GAIN = 4.0  # of a place against the mean, and least its inverse
# Between the two estimates of a step's length by Barzilai & Borwein 1988, 0 the shorter: between
# 0.3 and 0.6 the loss after 20 iterations was 1 to 2.5 % below that with 0.
LONGER = 0.4

AMPLITUDES = "pre.amplitudes"  # in a state


class Preconditioner:
    """An initial inverse Hessian s W^1/2 D W^1/2: a number, a filter by frequency, gains by place.

    Args:
        like: a picture (1, 3, H, W).
        around: which ways it goes on around its edges.
        amplitudes: by opponent colour and band, how large what is to come is against 1 / frequency
            (see waves.py); None is as large, in all colours.
    """

    def __init__(
        self, like: Tensor, around: Axes = BORDERED, amplitudes: Tensor | None = None
    ) -> None:
        self.size, self.around = (like.shape[2], like.shape[3]), around
        self.expect(amplitudes, like)
        self.steps = self.changes = torch.ones_like(like)  # squared, by place, of the pairs so far
        self.gain = torch.ones_like(like)
        self.scale: float | None = None  # none until there is a pair

    def expect(self, amplitudes: Tensor | None, like: Tensor) -> None:
        """Take what is to come to be so large, by colour and band, in the precision of ``like``."""
        self.amplitudes = amplitudes
        frequency = frequency_of(self.size, self.around, like)
        self.root = (frequency + LOWEST_FREQUENCY).rsqrt()  # W^1/2, (H, W), or (3, H, W) by colour
        if amplitudes is not None:
            self.root = amplitudes_at(amplitudes, frequency).sqrt_().mul_(self.root)

    def __call__(self, gradient: Tensor) -> Tensor:
        """H times the gradient; of no certain length before there is a pair."""
        return self._filtered(self.gain * self._filtered(gradient)).mul_(self.scale or 1.0)

    def learn(self, step: Tensor, change: Tensor) -> None:
        """Take in a step and the gradient's change over it."""
        step, change = self._filtered(step, inverse=True), self._filtered(change)
        curvature = dot(step, change)
        if not curvature > 0:  # all but at right angles: in pixels, rounded, it was above 0
            return
        squared_step, squared_change = step.square(), change.square()
        self.steps = self.steps * DECAY_PER_PAIR + relative(squared_step)
        self.changes = self.changes * DECAY_PER_PAIR + relative(squared_change)
        self.gain = self._gain()
        shorter = curvature / dot(squared_change, self.gain)
        longer = float((squared_step / self.gain).sum()) / curvature
        self.scale = shorter ** (1 - LONGER) * longer**LONGER

    def forget_length(self) -> None:
        """Forget the length of a step; what is known of places stays."""
        self.scale = None

    def inherit(self, state: Mapping[str, Any]) -> None:
        """Take what is known of places from the state of one of another size."""
        for name in ("steps", "changes"):
            known = nnf.interpolate(state[f"pre.{name}"], self.size, mode="bilinear")
            setattr(self, name, relative(known).mul_(PRIOR_PAIRS))
        self.gain = self._gain()

    def state(self) -> Mapping[str, Any]:
        """All that it has learnt."""
        known = {"pre.steps": self.steps, "pre.changes": self.changes, "pre.scale": self.scale}
        return known if self.amplitudes is None else {**known, AMPLITUDES: self.amplitudes.tolist()}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Know what the one that gave this state knew, and no more."""
        self.steps, self.changes = state["pre.steps"], state["pre.changes"]
        self.scale, self.gain = state["pre.scale"], self._gain()
        self.expect(amplitudes_in(state), self.steps)

    def _gain(self) -> Tensor:
        steps, changes = (smoothed(each, self.around) for each in (self.steps, self.changes))
        ratio = (steps / changes.clamp_(min=TINY)).sqrt_()
        mean = ratio.clamp(min=TINY).log_().mean().exp()
        return ratio.div_(mean).clamp_(1 / MOST_GAIN, MOST_GAIN)

    def _filtered(self, picture: Tensor, *, inverse: bool = False) -> Tensor:
        """W^1/2 times it, or W^-1/2."""
        root = self.root.reciprocal() if inverse else self.root
        if self.amplitudes is None:
            return filtered(picture, root, self.around)
        return from_opponent(filtered(to_opponent(picture), root, self.around))


def amplitudes_in(state: Mapping[str, Any]) -> Tensor | None:
    """What a state says is expected, (3, BANDS): numbers there, for it is float64 on any device."""
    rows = state.get(AMPLITUDES)
    return None if rows is None else torch.tensor(rows, dtype=torch.float64, device="cpu")


def relative(picture: Tensor) -> Tensor:
    """In units of its mean."""
    return picture / picture.mean().clamp(min=TINY)


def smoothed(picture: Tensor, around: Axes = BORDERED) -> Tensor:
    """The mean of the 3 x 3 pixels around each place, twice; borders are repeated or go around."""
    for axis, joined in zip((2, 3), around, strict=True):
        for _ in range(2):
            picture = mean_of_three(picture, axis, joined=joined)
    return picture


def mean_of_three(picture: Tensor, axis: int, *, joined: bool) -> Tensor:
    """Of each pixel and its two neighbours along an axis; by additions, which take a seventh of the
    time that a pooling does.
    """
    length = picture.shape[axis]
    first, last = picture.narrow(axis, 0, 1), picture.narrow(axis, length - 1, 1)
    total = picture.clone()
    total.narrow(axis, 1, length - 1).add_(picture.narrow(axis, 0, length - 1))
    total.narrow(axis, 0, length - 1).add_(picture.narrow(axis, 1, length - 1))
    total.narrow(axis, 0, 1).add_(last if joined else first)
    total.narrow(axis, length - 1, 1).add_(first if joined else last)
    return total.div_(3)


def dot(a: Tensor, b: Tensor) -> float:
    """The inner product of two pictures."""
    return float(torch.dot(a.flatten(), b.flatten()))

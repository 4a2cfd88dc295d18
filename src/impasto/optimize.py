"""The one loop: from coarse to fine, a picture goes down the loss, one Step after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from impasto.config import Config, Size, schedule
from impasto.descent import LBFGS, Adam, Evaluate, GradientDescent, Minimizer, Point, State
from impasto.image import resize
from impasto.losses import Features, Objective, objective

Network = Callable[[Tensor, Iterable[str]], Features]  # a picture (1, 3, H, W), its layers by name
Sized = Callable[[Size], Tensor]  # a picture (1, 3, H, W) at the size (height, width) asked for


@dataclass(frozen=True)
class Step:
    """What one iteration left behind.

    Attributes:
        iteration: from 1, counted over all scales.
        iterations: how many there will be in all.
        scale: (height, width) in pixels of the picture at this iteration.
        loss: the loss after the iteration, the sum of ``losses``.
        losses: by term: ``content relu4_2``, ``style relu1_1``, ..., ``tv``; weights included.
        note: what a person should know of this iteration, mostly ''.
        state: the minimiser's, from which `optimize` goes on.
    """

    iteration: int
    iterations: int
    scale: Size
    loss: float
    losses: Mapping[str, float]
    note: str = ""
    pixels: Tensor = field(repr=False, compare=False, kw_only=True)
    state: State = field(repr=False, compare=False, kw_only=True, default_factory=dict)

    def picture(self) -> Tensor:
        """A copy of the picture as it stands: (1, 3, h, w), sRGB in [0, 1], on the CPU."""
        return self.pixels.detach().to("cpu", copy=True)

    def row(self) -> dict[str, Any]:
        """It as a flat row, ready for a table."""
        height, width = self.scale
        place = {"iteration": self.iteration, "height": height, "width": width}
        return {**place, "loss": self.loss, **self.losses, "note": self.note}

    def to(self, device: torch.device | str) -> Step:
        """The same with its tensors on a device."""
        state = {k: v.to(device) if isinstance(v, Tensor) else v for k, v in self.state.items()}
        return replace(self, pixels=self.pixels.to(device), state=state)


@dataclass(frozen=True)
class Subject:
    """The pictures that an optimisation is about, each at any size: (1, 3, H, W), in [0, 1].

    Attributes:
        photograph: what the content comes from.
        painting: what the style comes from; given the photograph's size, it chooses its own.
        start: the first picture, at the coarsest scale.
        detail: a picture whose detail each finer scale adds to the enlarged picture, or None.
    """

    photograph: Sized
    painting: Sized
    start: Sized
    detail: Sized | None


def optimize(
    network: Network, subject: Subject, size: Size, config: Config, after: Step | None = None
) -> Iterator[Step]:
    """Stylise, from coarse to fine, and yield a Step after each iteration.

    A generator: nothing runs between steps, so closing it, or not asking for more, cancels. Given
    any of its steps it yields, to the bit, those that came after that one.

    Args:
        network: features of a picture by layer name, differentiable.
        subject: the pictures, on the network's device.
        size: (height, width) of the last scale.
        config: layers, loss, schedule and optimiser.
        after: a step of another run with the same arguments, on the network's device.

    Raises:
        DivergenceError: the loss is not a number at the first picture of a scale; the last Step
            then holds what the scale before came to.
    """
    plan = schedule(size, config)
    total, end = sum(count for _, count in plan), 0
    picture, done = (after.pixels, after.iteration) if after else (None, 0)
    for scale, count in plan:
        begin, end = end, end + count
        if done >= end:
            continue
        if picture is None:
            picture = subject.start(scale)
        elif done == begin:
            picture = enlarge(picture, scale, subject.detail)
        minimizer = minimizer_for(config, evaluator(network, subject, scale, config), picture)
        if after and done > begin:
            minimizer.restore(after.state)
            after = None  # its tensors may go
        for iteration in range(done + 1, end + 1):
            note = minimizer.step()  # one that has converged stays where it is
            yield step_at(minimizer, iteration, total, scale, note)
        picture, done = minimizer.point.x, end


def step_at(minimizer: Minimizer, iteration: int, total: int, scale: Size, note: str) -> Step:
    """The Step of an iteration that has brought the minimiser to where it stands."""
    point, state = minimizer.point, minimizer.state()
    return Step(
        iteration, total, scale, point.loss, point.losses, note, pixels=point.x, state=state
    )


def enlarge(picture: Tensor, size: Size, detail: Sized | None) -> Tensor:
    """The picture at the next scale: bicubic, and what the photograph shows only at that scale.

    The difference between the photograph at the new scale and at the old one, enlarged alike, is
    the next level of its Laplacian pyramid (Burt & Adelson 1983). With it the finer scale starts
    from sharp contours: measured at 512 px, a third fewer iterations to the same loss.
    """
    before = (picture.shape[2], picture.shape[3])
    enlarged = resize(picture, size)
    if detail is None:
        return enlarged
    return (enlarged + detail(size) - resize(detail(before), size)).clamp(0, 1)


def evaluator(network: Network, subject: Subject, size: Size, config: Config) -> Evaluate:
    """The function to minimise at one scale: a picture's losses and the gradient of their sum."""
    loss_of = targets(network, subject, size, config)

    def evaluate(x: Tensor) -> Point:
        x = x.detach().requires_grad_()
        losses = loss_of(x, network(x, loss_of.layers))
        total = torch.stack(list(losses.values())).sum()
        (gradient,) = torch.autograd.grad(total, x)
        floats = {name: loss.item() for name, loss in losses.items()}
        return Point(x.detach(), floats, total.item(), gradient.contiguous())

    return evaluate


@torch.no_grad()
def targets(network: Network, subject: Subject, size: Size, config: Config) -> Objective:
    """The loss at one scale, from the two pictures' features at that scale."""
    style_layers = [layer for layer, _ in config.style_layers]
    content_layers = [layer for layer, _ in config.content_layers]
    photograph = network(subject.photograph(size), [*content_layers, *style_layers])
    painting = network(subject.painting(size), style_layers)
    return objective(photograph, painting, config)


def minimizer_for(config: Config, evaluate: Evaluate, picture: Tensor) -> Minimizer:
    """The optimiser that config names, standing at the picture."""
    if config.optimizer == "lbfgs":
        return LBFGS(evaluate, picture)
    method = Adam if config.optimizer == "adam" else GradientDescent
    return method(evaluate, picture, config.rate)

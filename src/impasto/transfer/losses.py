"""How far a picture's features are from their targets: tensors in, scalar out.

F is a layer's feature map, (1, channels, h, w); positions are its h * w places. Two families:
the sums of Gatys, Ecker & Bethge 2015, as printed, and the scale-free distances of the default
preset, each a fraction of what there was to begin with.

Both are functions of sums over positions: see objective.py.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor

from impasto.config import BORDERED, Axes
from impasto.transfer.moments import (
    Between,
    Moments,
    Sums,
    add_gradient,
    eigen,
    gaussian_barycentre,
    mean_of_grams,
)
from impasto.transfer.products import at_least_float32, gram, linear, positions
from impasto.transfer.tiles import Box

Features = Mapping[str, Tensor]  # (1, channels, h, w), by layer name

# The root's gradient divides by square roots of eigenvalues. Below this fraction of the largest
# they are mostly float32 noise, and no one sees them: 0.3 % of the strongest pattern's contrast.
EIGENVALUE_FLOOR = 1e-5
TAIL = 1e-6  # of a style's variance: patterns so faint that float32 can't tell them from none
LEAST_GAP = 1e-2  # of a style's variance; two styles nearer than that are one, and float32 noise
# A channel's deviation, 5 levels of 255: a photograph with less has no content to keep, or only
# noise's; those with fog or at night have 20 and more.
FLATNESS = 0.02
PLAIN = 1e-3  # of the energy: less variance than this is a plain picture, not a unit to divide by


LEAST_VARIANCE = 1e-4  # of a picture of one colour, that a departure is a fraction of: 1 % contrast

StyleDistance = Callable[[Moments], Tensor]  # a scalar


@dataclass(frozen=True)
class Anchor:
    """Where a picture comes from, such as the frame of a film before it, and how firmly.

    Attributes:
        picture: (1, 3, H, W), that one carried to where its things are now.
        trust: how far each pixel can be trusted to come from there, (1, 1, H, W) in [0, 1].
        held: where the picture is that one and stays it, likewise.
        weight: of the departure in the loss.
    """

    picture: Tensor
    trust: Tensor
    held: Tensor
    weight: float


def departure(x: Tensor, anchor: Anchor) -> tuple[float, Tensor]:
    """How far a picture (1, 3, H, W) has gone from where it comes from, and its gradient.

    The mean squared difference of pixels that can be trusted, as a fraction of the variance of the
    picture that it comes from: Ruder, Dosovitskiy & Brox 2016, equation 7, in units of ours.
    """
    variance = max(float(anchor.picture.var(dim=(2, 3)).mean()), LEAST_VARIANCE)
    step = x - anchor.picture
    weighed = step * anchor.trust
    scale = 1 / (variance * x.numel())
    return float((weighed * step).sum()) * scale, weighed.mul_(2 * scale)


def total_variation(
    x: Tensor, *, around: Axes = BORDERED, visible: Tensor | None = None
) -> tuple[float, Tensor]:
    """Mean squared difference of neighbouring pixels, down and across, and its gradient.

    Mahendran & Vedaldi 2015. ``around`` says which opposite borders are neighbours. Where only
    some of the picture is ``visible``, (1, 1, H, W) in [0, 1], a pair counts as its less visible
    pixel.
    """
    if visible is not None:
        return _visible_variation(x, visible, around)
    total, gradient = 0.0, torch.zeros_like(x)
    for axis, joined in zip((2, 3), around, strict=True):
        if joined:
            step = x.roll(-1, axis) - x
            total += float(step.square().sum())
            gradient += (step.roll(1, axis) - step).mul_(2 / x.numel())
            continue
        step = x.diff(dim=axis)
        total += float(step.square().sum())
        step.mul_(2 / x.numel())
        length = step.shape[axis]
        gradient.narrow(axis, 1, length).add_(step)
        gradient.narrow(axis, 0, length).sub_(step)
    return total / x.numel(), gradient


def _visible_variation(x: Tensor, visible: Tensor, around: Axes) -> tuple[float, Tensor]:
    total, gradient = 0.0, torch.zeros_like(x)
    count = x.shape[1] * visible.sum()
    for axis, joined in zip((2, 3), around, strict=True):
        pairs = torch.minimum(visible.roll(-1, axis), visible)
        if not joined:
            pairs.narrow(axis, pairs.shape[axis] - 1, 1).zero_()
        step = x.roll(-1, axis) - x
        total += float((pairs * step.square()).sum())
        step *= pairs
        gradient += (step.roll(1, axis) - step) * (2 / count)
    return total / float(count), gradient


def depicted(photograph: Tensor, visible: Tensor | None = None) -> float:
    """How far a photograph (1, 3, H, W) depicts anything: 1, but nearer to 0 where it is all flat.

    Its contrast over FLATNESS, squared; where it is ``visible``, (1, 1, H, W) in [0, 1]. Features
    cannot say it: a flat picture's vary too, near its borders, and as content that would be kept.
    """
    weights = torch.ones_like(photograph[:, :1]) if visible is None else visible
    mean = (photograph * weights).sum((2, 3), keepdim=True) / weights.sum()
    variance = ((photograph - mean).square() * weights).sum((2, 3)) / weights.sum()
    return min(1.0, float(variance.max()) / FLATNESS**2)


class Overlap(torch.autograd.Function):
    """tr (A^T C A)^1/2 for a symmetric positive semidefinite C, and its gradient in closed form.

    With A^T C A = Q diag(l) Q^T the gradient is 1/2 B B^T, B = A Q diag(l^-1/4): one
    eigendecomposition for both.
    """

    @staticmethod
    def forward(ctx: Any, C: Tensor, A: Tensor, A_T: Tensor, exact: bool) -> Tensor:
        values, Q = eigen(gram(linear(C, A_T), A), exact=exact)
        if ctx.needs_input_grad[0]:
            floor = values[-1] * EIGENVALUE_FLOOR + torch.finfo(values.dtype).tiny
            B = linear(A, (Q * values.clamp(min=floor).pow(-1 / 4)).T)
            ctx.save_for_backward(linear(B, B) / 2)
        trace: Tensor = values.clamp(min=0).sqrt().sum()
        return trace

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None, None]:
        by_C: Tensor = ctx.saved_tensors[0]
        return gradients[0] * by_C, None, None, None


def factor(S: Tensor) -> Tensor:
    """A with A A^T = S for a symmetric positive semidefinite matrix: as few columns as it takes.

    In float64 on the CPU. What is left out holds TAIL of S's trace: at coarse scales a painting has
    fewer positions than channels, and S that many columns.
    """
    values, Q = eigen(S.cpu().double())
    values = values.clamp(min=0)
    left_out = values.cumsum(0) <= TAIL * values.sum()
    left_out[-1] = False
    A: Tensor = (Q * values.sqrt())[:, ~left_out]
    return A.to(S.dtype).to(S.device)


def wasserstein(style: Moments) -> StyleDistance:
    """The squared Wasserstein-2 distance of a Gaussian from the one with these moments.

    |m - m_s|^2 + tr C + tr S - 2 tr (S^1/2 C S^1/2)^1/2, with means m and covariances C, S over
    positions: Olkin & Pukelsheim 1982; for style, Crowson's style-transfer-pytorch. In units of
    tr S, the variance of the style's features, so that layers and networks compare.

    With S = A A^T the last term is tr (A^T C A)^1/2 as well, of a matrix that is no larger than
    S's rank.
    """
    A, trace = factor(style.covariance), style.covariance.trace()
    unit, exact = at_least(trace, style.mean.square().sum()), style.exact
    A_T = A.T.contiguous()

    def distance(found: Moments) -> Tensor:
        m, C, *_ = found
        overlap: Tensor = Overlap.apply(C, A, A_T, exact)  # type: ignore[no-untyped-call]
        squared: Tensor = (m - style.mean).square().sum() + C.trace() + trace - 2 * overlap
        return squared / unit

    return distance


def mean_gram(style: Moments) -> StyleDistance:
    """|G/n - A/n|^2 / |A/n|^2: the paper's Gram matrices as means over positions, scale-free."""
    A = style.second
    unit = A.square().sum()
    return lambda found: (found.second - A).square().sum() / unit


def sum_gram(style: Moments) -> StyleDistance:
    """J_style of one layer, 1/2 sum (G - A)^2, as DESIGN.md prints it: G = F F^T.

    Gatys et al. 2015, equation 4, but for its constant factor. A is scaled to as many positions as
    the picture has, since the painting's size is its own.
    """
    A = style.second
    return lambda found: (found.positions * (found.second - A)).square().sum() / 2


@dataclass(frozen=True)
class Distance:
    """A style distance: how far a picture's moments are from a painting's, and what lies between.

    Attributes:
        relative: in units of the painting's own moments, so that layers and networks compare.
        printed: as its source has it, for losses in the paper's sums.
        between: the moments between several paintings', given each with its share.
    """

    relative: Callable[[Moments], StyleDistance]
    printed: Callable[[Moments], StyleDistance]
    between: Between


DISTANCES: Mapping[str, Distance] = MappingProxyType(
    {
        "wasserstein": Distance(wasserstein, wasserstein, gaussian_barycentre),
        "gram": Distance(mean_gram, sum_gram, mean_of_grams),
    }
)


def variation(P: Tensor, share: Tensor | None = None) -> float:
    """Sum (P - mean)^2, the mean each channel's own over its positions; never quite 0.

    Args:
        P: features (1, channels, h, w).
        share: how much each position counts, (1, 1, h, w); None is all alike.
    """
    if share is None:
        varied = (P - P.mean((2, 3), keepdim=True)).square_().sum()
        return float(at_least(varied, torch.linalg.vector_norm(P).square()))
    tiny = torch.finfo(P.dtype).tiny
    mean = (P * share).sum((2, 3), keepdim=True) / share.sum().clamp(min=tiny)
    varied = (P - mean).square_().mul_(share).sum()
    return float(at_least(varied, P.square().mul_(share).sum()))


def at_least(value: Tensor, energy: Tensor) -> Tensor:
    """The value, or PLAIN of the energy where (as in a plain picture) it all but vanishes."""
    return torch.maximum(value, energy * PLAIN) + torch.finfo(value.dtype).tiny


@dataclass(frozen=True)
class Content:
    """One layer's part of J_content: ``weight * sum (F - target)^2``, Gatys et al. 2015, eq. 1.

    Attributes:
        layer: whose features.
        weight: factor.
        target: the photograph's, (1, channels, h, w).
        where: how much each position counts, (1, 1, h, w); None is all alike.
    """

    layer: str
    weight: float
    target: Tensor
    where: Tensor | None = None

    @property
    def name(self) -> str:
        return f"content {self.layer}"

    def begin(self) -> Lost:
        """One evaluation."""
        return Lost(self)


@dataclass
class Lost:
    """An evaluation of content."""

    term: Content
    squared: float = 0.0

    def add(self, F: Tensor, box: Box) -> None:
        """Count a part of the map."""
        target = at_least_float32(positions(box.cut(self.term.target)))
        squared = (at_least_float32(positions(F)) - target).square_()
        if self.term.where is not None:
            squared *= box.cut(self.term.where).reshape(-1, 1)
        self.squared += float(squared.sum())

    def loss(self) -> float:
        """The weighted sum, once all of the map has come."""
        return self.term.weight * self.squared

    def add_gradient(self, total: Tensor, F: Tensor, box: Box) -> None:
        """Add the loss's gradient by a part of the map, in place."""
        by_F = F - box.cut(self.term.target)
        if self.term.where is not None:
            by_F *= box.cut(self.term.where)
        total.add_(by_F, alpha=2 * self.term.weight)


@dataclass(frozen=True)
class Style:
    """One layer's part of J_style, ``weight * distance(moments)``: of the whole, or of a region.

    Attributes:
        layer: whose moments.
        weight: factor.
        distance: from the painting.
        region: its name; '' for the whole picture.
        where: how far each of the layer's positions is in the region, (1, 1, h, w) in [0, 1].
    """

    layer: str
    weight: float
    distance: StyleDistance
    region: str = ""
    where: Tensor | None = None

    @property
    def name(self) -> str:
        return f"style {self.layer}" + (f" in {self.region}" if self.region else "")

    def begin(self) -> Met:
        """One evaluation."""
        return Met(self)


@dataclass
class Met:
    """An evaluation of style by moments."""

    term: Style
    sums: Sums = field(default_factory=Sums)
    upstream: tuple[Moments, Moments] | None = None  # what was found, the loss's gradient by it

    def add(self, F: Tensor, box: Box) -> None:
        """Count a part of the map."""
        self.sums.add(F, self._within(box))

    def loss(self) -> float:
        """The weighted distance, once all of the map has come."""
        found = self.sums.moments()
        mean, covariance = (M.detach().requires_grad_() for M in (found.mean, found.covariance))
        with torch.enable_grad():
            moments = Moments(mean, covariance, found.positions)
            loss = self.term.weight * self.term.distance(moments)
            by_mean, by_covariance = torch.autograd.grad(loss, (mean, covariance))
        self.upstream = found, Moments(by_mean, by_covariance, found.positions)
        return loss.item()

    def add_gradient(self, total: Tensor, F: Tensor, box: Box) -> None:
        """Add the loss's gradient by a part of the map, in place, after ``loss``."""
        assert self.upstream is not None, "no loss has been asked for"
        add_gradient(total, F, *self.upstream, self._within(box))

    def _within(self, box: Box) -> Tensor | None:
        """The weights of the positions in the box."""
        return None if self.term.where is None else box.cut(self.term.where)

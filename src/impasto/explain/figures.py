"""Numbers and maps from tensors: what a report shows, before it is drawn."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from impasto import pictures
from impasto.config import Config, Size
from impasto.job.job import Job
from impasto.job.scene import samples
from impasto.network.conv import KERNEL_PX
from impasto.network.vgg import VGG, block_of
from impasto.transfer.descent import Adam
from impasto.transfer.evaluation import Evaluator, Region, Sample, point_at
from impasto.transfer.losses import wasserstein
from impasto.transfer.moments import Moments
from impasto.transfer.objective import Objective
from impasto.transfer.tiles import positions_of

MOST_ACTIVE = 6  # feature maps of each layer and picture
STRONGEST = 32  # channels of a Gram matrix that are shown


@dataclass(frozen=True)
class Layer:
    """A convolution, as the network is drawn.

    Attributes:
        name: such as ``conv4_2``.
        channels: how many maps it makes.
        height: of each, in positions.
        width: likewise.
        sees_px: the side of the square of the picture that a position depends on.
        content: the layer in use for the content, ``conv4_2`` or ``relu4_2``, or ``''``.
        style: likewise for the style.
    """

    name: str
    channels: int
    height: int
    width: int
    sees_px: int
    content: str
    style: str


def network_layers(network: VGG, size: Size, config: Config) -> list[Layer]:
    """All convolutions, shallow to deep, for a picture of this (height, width)."""
    alpha, beta = config.weights()
    content = {f"conv{name[4:]}": name for name, weight in config.content_layers if weight * alpha}
    style = {f"conv{name[4:]}": name for name, weight in config.style_layers if weight * beta}
    found, sees_px = [], 1
    for index, name in enumerate(network.names):
        stride = 1 << (block_of(name) - 1)
        if index and block_of(network.names[index - 1]) < block_of(name):
            sees_px += stride // 2  # the pooling's
        sees_px += (KERNEL_PX - 1) * stride
        height, width = positions_of(size, stride)
        uses = content.get(name, ""), style.get(name, "")
        found.append(Layer(name, network.channels(name), height, width, sees_px, *uses))
    return found


def painting_of(job: Job) -> Sample:
    """The painting as a job compares it at full size, and in its colours."""
    (painting,) = job.scene.paintings
    (sample,) = samples(painting, None, job.size, job.size, job.config)
    return sample


def most_active(F: Tensor, count: int = MOST_ACTIVE) -> list[tuple[int, float]]:
    """The channels with the largest mean response above 0, and that mean, largest first."""
    means = F.clamp(min=0).mean((0, 2, 3))
    values, channels = means.topk(min(count, len(means)))
    return list(zip(channels.tolist(), values.tolist(), strict=True))


def strongest(moments: Moments, count: int = STRONGEST) -> list[int]:
    """The channels with the most energy, strongest first."""
    energy = moments.second.diagonal()
    channels: list[int] = energy.topk(min(count, len(energy))).indices.tolist()
    return channels


def gram(moments: Moments, channels: Sequence[int]) -> Tensor:
    """The Gram matrix over the number of positions, of these channels in this order."""
    return moments.second[channels][:, channels]


def gram_distance(found: Moments, target: Moments) -> float:
    """|G - A| / |A| of whole Gram matrices, Frobenius norms: 0 is the same, 1 as far as none."""
    difference = torch.linalg.matrix_norm(found.second - target.second)
    return float(difference / torch.linalg.matrix_norm(target.second))


def style_distance(found: Moments, target: Moments) -> float:
    """The squared Wasserstein distance, in units of the variance of the painting's features."""
    return max(0.0, float(wasserstein(target)(found)))


def content_error(F: Tensor, target: Tensor) -> Tensor:
    """Sum over channels of (F - target)^2 at each position, (h, w)."""
    error: Tensor = (F - target).square().sum(1)[0]
    return error


@dataclass(frozen=True)
class Pulls:
    """Which way the parts of the loss would move each pixel, were each alone.

    Attributes:
        content: the gradient by the pixels, (1, 3, H, W), of the content's part of the loss.
        style: of the style's.
        smooth: of the total variation's.
    """

    content: Tensor
    style: Tensor
    smooth: Tensor

    @property
    def cosine(self) -> float:
        """Between content's and style's: -1 is straight against each other, 0 is at right angles.

        0 too where one of them pulls nowhere.
        """
        lengths = length(self.content) * length(self.style)
        return float((self.content * self.style).sum()) / lengths if lengths else 0.0

    @property
    def together(self) -> Tensor:
        """All of them at once: the whole loss's gradient."""
        return self.content + self.style + self.smooth

    @property
    def left(self) -> float:
        """What is left of all pulls where they act together, as a fraction of their lengths."""
        lengths = sum(map(length, (self.content, self.style, self.smooth)))
        return length(self.together) / lengths if lengths else 0.0


def length(pull: Tensor) -> float:
    """The norm of a pull, over all pixels and colours."""
    return float(torch.linalg.vector_norm(pull))


def strength(pull: Tensor) -> Tensor:
    """How hard each pixel is pulled: the norm over its colours, (H, W)."""
    lengths: Tensor = torch.linalg.vector_norm(pull, dim=1)[0]
    return lengths


def pulls(network: VGG, objective: Objective, pixels: Tensor) -> Pulls:
    """The gradients of an objective's parts at a picture (1, 3, H, W)."""

    def part(kind: str, tv_weight: float = 0.0) -> Tensor:
        terms = tuple(term for term in objective.terms if term.name.startswith(kind))
        if not terms:
            return torch.zeros_like(pixels)
        part = Objective(terms, tv_weight, objective.visible)
        return point_at(network, part, pixels, None).gradient

    content, style = part("content"), part("style")
    whole = point_at(network, objective, pixels, None).gradient
    return Pulls(content, style, whole - content - style)


@dataclass(frozen=True)
class Slip:
    """Where a first step at a learning rate leads, with nothing to take it back."""

    picture: Tensor
    before: float
    after: float


def first_step(network: VGG, job: Job, start: Tensor, config: Config) -> Slip:
    """Adam's first step from a start (1, 3, H, W) at the config's rate."""
    photograph = pictures.resize(job.photograph.pixels, job.size)
    visible = job.scene.visible_at(job.size)
    regions = [Region([(1.0, [painting_of(job)])])]
    evaluate = Evaluator(network, photograph, regions, config, visible=visible)
    adam = Adam(evaluate, start, config.rate)
    adam.ceiling = math.inf
    before = adam.point.loss
    adam.step()
    return Slip(adam.point.x, before, adam.point.loss)

"""A picture's features, by layer name, from a VGG network whose weights never change.

Simonyan & Zisserman 2014, "Very Deep Convolutional Networks for Large-Scale Image Recognition".
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from typing import cast

import torch
import torch.nn.functional as nnf
from torch import Tensor, nn

from impasto.config import BORDERED, Axes, Edges, Pooling, Size, split_layer
from impasto.network.conv import (
    HALO_PX,
    NOWHERE,
    PATCH_PX,
    ZEROS_PX,
    FrozenConvolution,
    LeastPatches,
    continued,
)
from impasto.network.gates import packed, unpacked

POOL_PX = 2  # a side of the pooling window, and its stride
# Blocks that are walked through together when a picture is taken in windows. The first map is
# forty times the picture and the next eight times: they are never held whole.
TOGETHER = ((1, 2), (3,), (4,), (5,))


class VGG(nn.Module):
    """Frozen convolutions by name; ``forward`` returns the features that are asked for.

    Args:
        state: ``mean`` (3,), RGB in [0, 1], subtracted from the picture, and for each convolution
            ``conv1_1.weight`` (out, in, 3, 3) and ``conv1_1.bias`` (out,), as weights.py gives it.
        pooling: ``max`` as trained, or ``average``, which Gatys et al. 2015 found smoother.
        edges: what the first convolution sees beyond the picture: ``zeros`` as trained, or
            ``replicate``, which spares the picture's border the false edge that zeros make.
        winograd: where that is the faster way of convolving, on this CPU.

    Attributes:
        around: which ways every map goes on around its edges, as that of a tile does.
    """

    mean: Tensor

    def __init__(
        self,
        state: Mapping[str, Tensor],
        *,
        pooling: Pooling = "max",
        edges: Edges = "zeros",
        winograd: LeastPatches = NOWHERE,
    ) -> None:
        super().__init__()
        self.pooling, self.edges, self.around = pooling, edges, BORDERED
        self.names = convolution_names(state)
        self.register_buffer("mean", state["mean"].view(1, 3, 1, 1))
        for name in self.names:
            weight, bias = state[f"{name}.weight"], state[f"{name}.bias"]
            self.add_module(name, FrozenConvolution(weight, bias, winograd))

    def forward(self, picture: Tensor, layers: Iterable[str]) -> dict[str, Tensor]:
        """The features (1, channels, h, w) of the named layers, computed no deeper than needed.

        Args:
            picture: (1, 3, H, W), sRGB in [0, 1], on the network's device; H and W at least
                ``minimum_side_px(layers)``.
            layers: names such as ``conv4_2`` (before its ReLU) or ``relu4_2`` (after it).
        """
        (stage,) = self.stages(layers)
        features, _ = stage(picture)
        return features

    def stages(self, layers: Iterable[str], *, apart: bool = False) -> list[Stage]:
        """The way from a picture to these layers: in one go, or in a few stages, one after another.

        Args:
            layers: as for ``forward``.
            apart: whether in stages, so that each can be taken in windows.
        """
        wanted = set(layers)
        names = self.needed(wanted)
        blocks = TOGETHER if apart else (tuple(block for each in TOGETHER for block in each),)
        groups = [[name for name in names if block_of(name) in together] for together in blocks]
        groups = [group for group in groups if group]
        return [Stage(self, tuple(group), wanted, group is groups[-1]) for group in groups]

    def needed(self, layers: Iterable[str]) -> list[str]:
        """The convolutions that lead to these layers, shallow to deep."""
        deepest = max(self.names.index(f"conv{layer[4:]}") for layer in layers)
        return self.names[: deepest + 1]

    def convolve(self, name: str, x: Tensor, relu: bool) -> Tensor:
        """One convolution, perhaps with its ReLU."""
        down, across = (0 if joined else HALO_PX for joined in self.around)
        if (down, across) != ZEROS_PX:
            x = continued(x, self.around)
        if name == self.names[0] and self.edges == "replicate" and (down or across):
            x = nnf.pad(x, [across, across, down, down], mode="replicate")
            down = across = 0
        y: Tensor = self._kernel(name)(x, relu, (down, across))
        return y

    def pool(self, x: Tensor) -> Tensor:
        """Half the height and half the width, rounded down."""
        return nnf.max_pool2d(x, POOL_PX) if self.pooling == "max" else nnf.avg_pool2d(x, POOL_PX)

    def pool_and_choice(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The pooled ReLU's output x, and a mask like x: what of it has a gradient there."""
        with torch.enable_grad():
            leaf = x.detach().requires_grad_()
            pooled = self.pool(leaf)
            (by_x,) = torch.autograd.grad(pooled.sum(), leaf)
        return pooled.detach(), by_x.mul_(x) > 0

    def unpool(self, by_pooled: Tensor, size: Size) -> Tensor:
        """The gradient by what was pooled, of this (height, width), were all of it chosen."""
        if self.pooling == "average":
            by_pooled = by_pooled / POOL_PX**2
        by_x = nnf.interpolate(by_pooled, scale_factor=POOL_PX, mode="nearest")
        (height, width), (_, _, even, even_) = size, by_x.shape
        return nnf.pad(by_x, [0, width - even_, 0, height - even])

    def gradient(self, name: str, by_y: Tensor, gate: Tensor) -> Tensor:
        """By what a convolution saw, from that by its ReLU's output and that one's gate."""
        return self._kernel(name).gradient(by_y, gate)

    def channels(self, name: str) -> int:
        """How many feature maps a convolution makes."""
        return self.shape_of(name)[0]

    def shape_of(self, name: str) -> tuple[int, ...]:
        """A convolution's (out, in, 3, 3)."""
        return tuple(self._kernel(name).weight.shape)

    def transformed_bytes(self, layers: Iterable[str]) -> int:
        """What the kernels that lead to these layers take once Winograd's way has been taken."""
        return sum((self._kernel(name).transformed_bytes for name in self.needed(layers)), 0)

    @property
    def dtype(self) -> torch.dtype:
        """The type of the network's kernels and features."""
        return self._kernel(self.names[0]).weight.dtype

    def going_around(self, around: Axes) -> VGG:
        """The same kernels in a network that sees pictures as tiles of an endless one."""
        network = copy(self)  # its modules are the very same
        network.around = around
        return network

    def bordered(self) -> VGG:
        """The same kernels in one that sees pictures with borders."""
        return self.going_around(BORDERED) if any(self.around) else self

    def lowered(self, dtype: torch.dtype) -> VGG:
        """Put kernels and features in another type, and return the network; pictures keep theirs.

        What PyTorch's autocast would do, but that no kernel is converted again at each iteration.
        """
        for name in self.names:
            self._kernel(name).to(dtype)
        return self

    def _kernel(self, name: str) -> FrozenConvolution:
        return cast(FrozenConvolution, self.get_submodule(name))


@dataclass(frozen=True)
class Stage:
    """Some of the network's blocks: a map to the features in them, and to the next stage's map.

    Attributes:
        network: whose they are.
        names: of the convolutions, shallow to deep.
        wanted: layers whose features are; others too may be named.
        last: whether nothing comes after it.
    """

    network: VGG
    names: tuple[str, ...]
    wanted: Collection[str]
    last: bool

    def __call__(self, x: Tensor) -> tuple[dict[str, Tensor], Tensor | None]:
        """Features by layer, shallow to deep, and the pooled map that the next stage takes.

        Args:
            x: the picture (1, 3, H, W), sRGB in [0, 1], or what the stage before gave.
        """
        features, x = self.head(x)
        if self.last:
            return features, None
        for name in self.tail:
            x = self.network.convolve(name, x, relu=True)
        return features, self.network.pool(x)

    def gated(self, x: Tensor) -> tuple[dict[str, Tensor], Tensor, list[Tensor]]:
        """The same of a stage that is not the last, and what ``back`` wants to know, packed."""
        features, x = self.head(x)
        gates: list[Tensor] = []
        for name in self.tail:
            x = self.network.convolve(name, x, relu=True)
            if name != self.tail[-1]:
                gates.append(packed(x > 0))
        pooled, choice = self.network.pool_and_choice(x)
        return features, pooled, [*gates, packed(choice)]

    def head(self, x: Tensor) -> tuple[dict[str, Tensor], Tensor]:
        """The features alone, and what the tail takes."""
        features: dict[str, Tensor] = {}
        x = self._entering(x).contiguous(memory_format=torch.channels_last)
        block = block_of(self.names[0])
        for name in self.names[: len(self.names) - len(self.tail)]:
            if block_of(name) > block:
                block, x = block + 1, self.network.pool(x)
            conv, relu = name, f"relu{name[4:]}"
            x = self.network.convolve(name, x, relu=conv not in self.wanted)
            if conv in self.wanted:
                features[conv] = x
                if self._ends_at(conv):
                    break
                x = x.relu()
            if relu in self.wanted:
                features[relu] = x
        return features, x

    def back(self, by_out: Tensor, gates: Sequence[Tensor]) -> Tensor:
        """The gradient by what the tail took, from that by the pooled map, without its features."""
        *_, height, width = gates[-1].shape
        by_y = self.network.unpool(by_out, (height, width))
        opened = (unpacked(gate, self.channels, by_y.dtype) for gate in reversed(gates))
        if not self.tail:
            return by_y * next(opened)
        for name, gate in zip(reversed(self.tail), opened, strict=True):
            by_y = self.network.gradient(name, by_y, gate)
        return by_y

    @property
    def tail(self) -> tuple[str, ...]:
        """The convolutions of its last block after the first one and after all that is wanted.

        Nothing of them is needed on the way back but which features their ReLUs let through.
        """
        if self.last:
            return ()
        wanted = {f"conv{layer[4:]}" for layer in self.wanted}
        block = [name for name in self.names if block_of(name) == block_of(self.names[-1])]
        last = max([0, *(place for place, name in enumerate(block) if name in wanted)])
        return tuple(block[last + 1 :])

    def _entering(self, x: Tensor) -> Tensor:
        if self.names[0] != self.network.names[0]:
            return x
        return (x - self.network.mean).to(self.network.dtype)

    def _ends_at(self, conv: str) -> bool:
        return self.last and conv == self.names[-1] and f"relu{conv[4:]}" not in self.wanted

    def stride(self, layer: str) -> int:
        """How many positions of the stage's input lie between two of a layer's."""
        return 1 << (block_of(layer) - block_of(self.names[0]))  # each pooling halves

    @property
    def channels(self) -> int:
        """How many channels the map that leaves has."""
        return self.network.channels(self.names[-1])

    @property
    def shrinks(self) -> int:
        """How many positions of the stage's input lie between two of its output's."""
        return self.gate_stride * POOL_PX

    @property
    def gate_stride(self) -> int:
        """And between two of its gates'."""
        return self.stride(self.names[-1])

    @property
    def align(self) -> int:
        """Where windows of the input may begin: poolings and patches then fall as on the whole."""
        return PATCH_PX * self.stride(self.names[-1])

    @property
    def halo(self) -> int:
        """How far from a position of the input what depends on it may lie, as ``align`` rounds."""
        reach = sum(HALO_PX * self.stride(name) for name in self.names)
        return -(-reach // self.align) * self.align

    @property
    def floats(self) -> float:
        """How many numbers its convolutions make for each position of its input."""
        return sum(self.network.channels(n) / self.stride(n) ** 2 for n in self.names)

    @property
    def gate_floats(self) -> float:
        """And how many, of four bytes, its gates take."""
        if self.last:
            return 0.0
        return max(1, len(self.tail)) * self.channels / 32 / self.gate_stride**2


def block_of(layer: str) -> int:
    """4 of ``conv4_2``."""
    return split_layer(layer)[1]


def convolution_names(state: Mapping[str, Tensor]) -> list[str]:
    """conv1_1, conv1_2, ..., shallow to deep, of a network's state dict."""
    return [key.removesuffix(".weight") for key in state if key.endswith(".weight")]


def minimum_side_px(layers: Iterable[str]) -> int:
    """The smallest picture side for which every named layer still has one position."""
    deepest_block = max(block_of(layer) for layer in layers)
    return 1 << (deepest_block - 1)  # each pooling halves

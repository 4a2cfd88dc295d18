"""A picture's features, by layer name, from a VGG network whose weights never change.

Simonyan & Zisserman 2014, "Very Deep Convolutional Networks for Large-Scale Image Recognition".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import cast

import torch
import torch.nn.functional as nnf
from torch import Tensor, nn

from impasto.config import Edges, Pooling, split_layer
from impasto.conv import HALO_PX, FrozenConvolution

POOL_PX = 2  # a side of the pooling window, and its stride


class VGG(nn.Module):
    """Frozen convolutions by name; ``forward`` returns the features that are asked for.

    Args:
        state: ``mean`` (3,), RGB in [0, 1], subtracted from the picture, and for each convolution
            ``conv1_1.weight`` (out, in, 3, 3) and ``conv1_1.bias`` (out,), as weights.py gives it.
        pooling: ``max`` as trained, or ``average``, which Gatys et al. 2015 found smoother.
        edges: what the first convolution sees beyond the picture: ``zeros`` as trained, or
            ``replicate``, which spares the picture's border the false edge that zeros make.
    """

    mean: Tensor

    def __init__(
        self, state: Mapping[str, Tensor], *, pooling: Pooling = "max", edges: Edges = "zeros"
    ) -> None:
        super().__init__()
        self.pooling, self.edges = pooling, edges
        self.names = convolution_names(state)
        self.register_buffer("mean", state["mean"].view(1, 3, 1, 1))
        for name in self.names:
            kernel = FrozenConvolution(state[f"{name}.weight"], state[f"{name}.bias"])
            self.add_module(name, kernel)

    def forward(self, picture: Tensor, layers: Iterable[str]) -> dict[str, Tensor]:
        """The features (1, channels, h, w) of the named layers, computed no deeper than needed.

        Args:
            picture: (1, 3, H, W), sRGB in [0, 1], on the network's device; H and W at least
                ``minimum_side_px(layers)``.
            layers: names such as ``conv4_2`` (before its ReLU) or ``relu4_2`` (after it).
        """
        wanted = set(layers)
        features: dict[str, Tensor] = {}
        x = (picture - self.mean).contiguous(memory_format=torch.channels_last)
        block = 1
        for name in self.names:
            if int(name[4]) > block:
                block, x = block + 1, self._pool(x)
            conv, relu = name, f"relu{name[4:]}"
            x = self._convolve(name, x, relu=conv not in wanted)
            if conv in wanted:
                features[conv] = x
            if len(features) == len(wanted):
                break
            x = x.relu() if conv in wanted else x
            if relu in wanted:
                features[relu] = x
            if len(features) == len(wanted):
                break
        return features

    def _convolve(self, name: str, x: Tensor, relu: bool) -> Tensor:
        kernel = cast(FrozenConvolution, self.get_submodule(name))
        padding = HALO_PX
        if name == self.names[0] and self.edges == "replicate":
            x, padding = nnf.pad(x, [HALO_PX] * 4, mode="replicate"), 0
        y: Tensor = kernel(x, relu, padding)
        return y

    def _pool(self, x: Tensor) -> Tensor:
        return nnf.max_pool2d(x, POOL_PX) if self.pooling == "max" else nnf.avg_pool2d(x, POOL_PX)


def convolution_names(state: Mapping[str, Tensor]) -> list[str]:
    """conv1_1, conv1_2, ..., shallow to deep, of a network's state dict."""
    return [key.removesuffix(".weight") for key in state if key.endswith(".weight")]


def minimum_side_px(layers: Iterable[str]) -> int:
    """The smallest picture side for which every named layer still has one position."""
    deepest_block = max(split_layer(layer)[1] for layer in layers)
    return 1 << (deepest_block - 1)  # each pooling halves

"""Before the work: how much memory it will take, and whether to take pictures whole or in windows.

The prediction follows what evaluation.py keeps: the maps between the network's stages, one
window's feature maps, and the pictures that a minimiser holds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from impasto.config import Config, Size, schedule
from impasto.descent import history_of
from impasto.errors import ConfigError
from impasto.evaluation import LARGEST_SIDE_PX, SMALLEST_SIDE_PX, windows_of
from impasto.vgg import VGG, Stage, block_of

FLOAT_BYTES, PICTURE_CHANNELS = 4, 3
GIGABYTE = 1e9

# Measured on Linux, in processes of their own, from 512 to 4096 px: docs/performance.md.
PICTURES = 16  # at the last scale: the minimiser's, those that it compares with, temporary ones
KEPT = 1.75  # times a window's feature maps: with the pooling's choices and the gradient on its way
OVERHEAD_BYTES = 260_000_000  # kernels as Winograd and oneDNN want them, and libraries' own
SAFE_SHARE = 0.9  # of what is free, that a plan may use: other programs want some too


@dataclass(frozen=True)
class Plan:
    """How a picture will be computed, and what that takes.

    Attributes:
        side: of a window, in pixels; None is whole.
        peak_bytes: of memory that the work will hold at its worst, beyond what is held now.
        free_bytes: that the device had left when the plan was made.
    """

    side: int | None
    peak_bytes: int
    free_bytes: int


def plan(network: VGG, size: Size, originals: Sequence[Size], config: Config, free: int) -> Plan:
    """Choose between the whole picture at once, which is faster, and windows.

    Args:
        network: that will look.
        size: (height, width) of the result.
        originals: of the pictures that are held all the time.
        config: layers, optimiser, schedule and ``fit`` are read.
        free: bytes that the device has left.

    Raises:
        ConfigError: the memory that ``fit`` allows is too small.
    """

    def at(side: int | None) -> Plan:
        return Plan(side, peak_bytes(network, size, originals, config, side), free)

    limit = config.fit if isinstance(config.fit, int) else round(free * SAFE_SHARE)
    whole, side = at(None), LARGEST_SIDE_PX
    if config.fit == "whole" or (config.fit != "tiles" and whole.peak_bytes <= limit):
        return whole
    while at(side).peak_bytes > limit and side // 2 >= SMALLEST_SIDE_PX:
        side //= 2
    tiled = at(side)
    if isinstance(config.fit, int) and tiled.peak_bytes > limit:
        raise ConfigError(
            f"fit {config.fit / GIGABYTE:.2g} GB for {size[1]} x {size[0]} px",
            f"at least {tiled.peak_bytes / GIGABYTE:.2g} GB are needed",
            "try a smaller --size",
        )
    return tiled


def peak_bytes(
    network: VGG, size: Size, originals: Sequence[Size], config: Config, side: int | None
) -> int:
    """The most that the work will hold at once, beyond what the process holds already."""
    layers = [layer for layer, _ in (*config.content_layers, *config.style_layers)]
    pixels, scale = size[0] * size[1], schedule(size, config)[-1][0]
    assert scale == size, "the last scale is the result's"
    pictures = PICTURES + (2 * history_of(pixels) if config.optimizer == "lbfgs" else 0)
    held = sum(height * width for height, width in originals)
    floats = float(PICTURE_CHANNELS * (pictures * pixels + held))
    for layer, _ in config.content_layers:
        floats += network.channels(f"conv{layer[4:]}") * pixels / 4 ** (block_of(layer) - 1)
    floats += maps(network.stages(layers, apart=side is not None), size, side)
    return round(floats * FLOAT_BYTES) + OVERHEAD_BYTES


def maps(stages: Sequence[Stage], size: Size, side: int | None) -> float:
    """Floats of feature maps at the worst moment: on the way back through one of the stages."""
    worst, entering, at = 0.0, 0.0, size
    for stage in stages:
        area = at[0] * at[1]
        leaving = stage.channels * area / stage.shrinks**2 if not stage.last else 0.0
        window = max(w.seen.size[0] * w.seen.size[1] for w in windows_of(stage, at, side))
        kept = KEPT * stage.floats * window
        # What has entered the stages so far, and the gradients on either side of this one.
        worst = max(worst, entering + 2 * leaving + kept)
        entering, at = entering + 2 * leaving, (at[0] // stage.shrinks, at[1] // stage.shrinks)
    return worst

"""Before the work: how much memory it will take, and whether to take pictures whole or in windows.

The prediction follows what evaluation.py keeps: the maps between the network's stages, one
window's feature maps, and the pictures that a minimiser holds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import torch

from impasto.config import Config, Size
from impasto.errors import ConfigError
from impasto.job.memory import SAFE_SHARE
from impasto.network.vgg import VGG, Stage, block_of
from impasto.transfer.descent import history_of
from impasto.transfer.margin import margins_of, widened_size
from impasto.transfer.picked import scattered
from impasto.transfer.relations import MOST
from impasto.transfer.schedule import schedule
from impasto.transfer.slices import NUMBERS
from impasto.transfer.tiles import positions_of
from impasto.transfer.walk import (
    LARGEST_SIDE_PX,
    SMALLEST_SIDE_PX,
    extended_size,
    windows_of,
)

FLOAT_BYTES, PICTURE_CHANNELS = 4, 3
GIGABYTE = 1e9

# The command line, where it takes windows, keeps freed blocks up to this size: a window's maps.
# Larger ones, whole maps and pictures, go back at once.
HELD_BYTES = 80_000_000

# Fitted to the peaks of whole runs on Linux, at 384 to 1024 px whole and at 512 to 4096 px in
# windows, and a few per cent above them all: docs/performance.md.
REGION_BYTES = 32_000_000  # its sums, moments and roots in float64, which no size changes
REGION_CHANNELS, PRESERVE_CHANNELS = (
    3,
    7,
)  # a region at every layer; photograph, mask and both composed
PICTURES = (
    11  # at the last scale, besides L-BFGS's pairs: points, directions, gains, temporary ones
)
NUMBER_BYTES = 48  # of one that is counted: itself, its place in the bins, and its features
LOWERED_BYTES = 32  # more of one whose features are less than float32: those, and their gradient
KEPT = 2.0  # times a window's feature maps: with the pooling's choices and the gradient on its way


class Overhead(NamedTuple):
    """What is held besides tensors that are in use.

    Attributes:
        lasting_bytes: kernels as oneDNN wants them, and libraries' own.
        gaps: times the maps: the heap keeps freed ones, and new ones of other sizes fit badly.
        pictures: times the pictures, likewise.
    """

    lasting_bytes: int
    gaps: float
    pictures: float


WHOLE, IN_WINDOWS = Overhead(105_000_000, 1.37, 1.0), Overhead(80_000_000, 2.6, 1.22)


@dataclass(frozen=True)
class Plan:
    """How a picture will be computed, and what that takes.

    Attributes:
        window_px: of a window, in pixels; None is whole.
        peak_bytes: that the process will hold at its worst, with what it holds already.
        limit_bytes: that it may hold.
    """

    window_px: int | None
    peak_bytes: int
    limit_bytes: int


def plan(
    network: VGG,
    size: Size,
    originals: Sequence[Size],
    config: Config,
    *,
    used_bytes: int,
    free_bytes: int,
    regions: int = 0,
    preserve: bool = False,
) -> Plan:
    """Choose between the whole picture, which is faster, and windows.

    Args:
        network: that will look.
        size: (height, width) of the result.
        originals: of the pictures that are held all the time.
        config: layers, optimiser, schedule and ``fit`` are read.
        used_bytes: that the process holds on the device already.
        free_bytes: that the device has left.
        regions: that the picture has by a mask.
        preserve: whether some of it stays as photographed.

    Raises:
        ConfigError: the memory that ``fit`` allows is too small.
    """
    allowed = config.fit if isinstance(config.fit, int) else None
    limit = allowed or used_bytes + round(free_bytes * SAFE_SHARE)

    takes = partial(
        work_bytes, network, size, originals, config, regions=regions, preserve=preserve
    )

    def at(window_px: int | None) -> Plan:
        return Plan(window_px, used_bytes + takes(window_px), limit)

    whole = at(None)
    if config.fit == "whole" or (config.fit != "windows" and whole.peak_bytes <= limit):
        return whole
    tiled = widest(at, limit)
    if allowed and tiled.peak_bytes > limit:
        raise ConfigError(
            f"`fit` {allowed / GIGABYTE:.2g} GB for {size[1]} x {size[0]} px",
            f"at least {tiled.peak_bytes / GIGABYTE:.2g} GB are needed",
            "try a smaller `size`",
        )
    return tiled


def widest(at: Callable[[int | None], Plan], limit: int) -> Plan:
    """The plan with the largest windows that keeps to a limit, or else with the smallest."""
    window_px = LARGEST_SIDE_PX
    while at(window_px).peak_bytes > limit and window_px // 2 >= SMALLEST_SIDE_PX:
        window_px //= 2
    return at(window_px)


def work_bytes(
    network: VGG,
    size: Size,
    originals: Sequence[Size],
    config: Config,
    window_px: int | None,
    *,
    regions: int = 0,
    preserve: bool = False,
) -> int:
    """The most that the work will hold at once, beyond what the process holds already."""
    layers = [layer for layer, _ in (*config.content_layers, *config.style_layers)]
    wide = widened_size(size, margins_of(size, size, config))
    _, iterations = schedule(size, config)[-1]
    pixels = wide[0] * wide[1]
    pairs = min(history_of(pixels), iterations) if config.optimizer == "lbfgs" else 0
    given, seen = sum(height * width for height, width in originals), extended_size(wide)
    floats = PICTURE_CHANNELS * float((PICTURES + 2 * pairs) * pixels + given)
    floats += float((REGION_CHANNELS * regions + PRESERVE_CHANNELS * preserve) * pixels)
    overhead = WHOLE if window_px is None else IN_WINDOWS
    features = maps(network.stages(layers, apart=window_px is not None), seen, window_px)
    targets = sum(
        network.channels(f"conv{layer[4:]}") * pixels / 4 ** (block_of(layer) - 1)
        for layer, _ in config.content_layers
    )
    pictures = overhead.pictures * floats * FLOAT_BYTES
    held = float((overhead.gaps * features + targets) * network.dtype.itemsize)
    lasting = overhead.lasting_bytes + network.transformed_bytes(layers) + REGION_BYTES * regions
    return lasting + round(pictures + held) + hand_bytes(config, seen, network.dtype)


def hand_bytes(config: Config, size: Size, dtype: torch.dtype) -> int:
    """What a hand's own terms hold: numbers in bins, and similarities with what they are to be."""
    each = NUMBER_BYTES + (LOWERED_BYTES if dtype.itemsize < FLOAT_BYTES else 0)
    counted = each * NUMBERS if config.slices else 0
    if not config.relations:
        return counted
    sizes = (positions_of(size, 1 << (block_of(name) - 1)) for name, _ in config.content_layers)
    related = max((len(scattered(each, MOST)[0]) for each in sizes), default=0)
    return counted + 2 * FLOAT_BYTES * related**2


def maps(stages: Sequence[Stage], size: Size, window_px: int | None) -> float:
    """Floats of feature maps at the worst moment: on the way back through one of the stages."""
    worst, earlier, entering, at = 0.0, 0.0, 0.0, size  # the picture itself is counted elsewhere
    for stage in stages:
        leaving = 0.0 if stage.last else stage.channels * at[0] * at[1] / stage.shrinks**2
        several = windows_of(stage, at, window_px)
        window = max(each.seen.size[0] * each.seen.size[1] for each in several)
        # What entered the stages up to this one, the gradients on either side, and the window.
        worst = max(worst, earlier + 2 * entering + leaving + KEPT * stage.floats * window)
        gates = stage.gate_floats * at[0] * at[1] if len(several) > 1 else 0.0
        earlier, entering = earlier + entering + gates, leaving
        at = (at[0] // stage.shrinks, at[1] // stage.shrinks)
    return worst

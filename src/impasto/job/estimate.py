"""How long a picture will take on this machine, from what its calibration measured."""

from __future__ import annotations

from collections.abc import Sequence

from impasto.config import Config, Size
from impasto.job.calibration import Ways
from impasto.job.trials import Timing
from impasto.network.conv import KERNEL_PX
from impasto.network.vgg import VGG, block_of
from impasto.transfer.margin import margins_of, widened_size
from impasto.transfer.schedule import COARSEST_PX, schedule
from impasto.transfer.spreads import CHANNELS_PER_DIRECTION
from impasto.transfer.tiles import positions_of

# An iteration's time is all but given by its convolutions': measured at 128, 256 and 512 px with
# bfloat16 on two cores of a Zen 5 it is 1.5 times theirs, and what sizes do not change (roots, and
# PyTorch's own calls) is 1.45 times theirs at the coarsest scale.
PER_CONVOLUTION, AT_ANY_SIZE = 1.5, 1.45
SCALE_BEGINS = 2.8  # times an iteration: the first also looks at both pictures and at the start
IN_WINDOWS = 1.4  # times the whole's cost per pixel
# Counting a feature along a direction, there and back, whatever the features' type: on two cores
# of an Intel Xeon with AMX.
PER_NUMBER_S = 2e-8
COARSEST: Size = (COARSEST_PX * 3 // 4, COARSEST_PX)


def seconds(
    network: VGG,
    layers: Sequence[str],
    size: Size,
    config: Config,
    ways: Ways,
    timings: Sequence[Timing],
    *,
    windows: bool = False,
) -> float | None:
    """Estimate the optimisation's seconds; None where nothing was measured.

    Args:
        network: that looks.
        layers: the names of those that are looked at.
        size: (height, width) of the result.
        config: the schedule.
        ways: of computing.
        timings: the machine's.
        windows: whether the last scale is computed in windows.
    """
    if not timings:
        return None
    total, base = 0.0, AT_ANY_SIZE * convolutions(network, layers, COARSEST, ways, timings)
    for scale, count in schedule(size, config):
        seen = widened_size(scale, margins_of(scale, size, config))
        each = PER_CONVOLUTION * convolutions(network, layers, seen, ways, timings)
        each += PER_NUMBER_S * numbers(network, seen, config) if config.slices else 0.0
        each *= IN_WINDOWS if windows and scale == size else 1.0
        total += (each + base) * (count - 1 + SCALE_BEGINS)
    return total


def convolutions(
    network: VGG, layers: Sequence[str], size: Size, ways: Ways, timings: Sequence[Timing]
) -> float:
    """Seconds that all convolutions of an iteration take, there and back."""
    total = 0.0
    for name in network.needed(layers):
        stride = 1 << (block_of(name) - 1)
        height, width = max(1, size[0] // stride), max(1, size[1] // stride)
        out, inputs, *_ = network.shape_of(name)
        work = out * inputs * KERNEL_PX**2 * height * width
        total += 2 * work / rate(out, height * width, ways, timings)
    return total


def numbers(network: VGG, size: Size, config: Config) -> int:
    """How many numbers an iteration counts: of each position of a style layer, its directions."""
    total = 0
    for layer, _ in config.style_layers:
        height, width = positions_of(size, 1 << (block_of(layer) - 1))
        total += height * width * network.channels(f"conv{layer[4:]}") // CHANNELS_PER_DIRECTION
    return total


def rate(channels: int, positions: int, ways: Ways, timings: Sequence[Timing]) -> float:
    """Multiplications a second, as measured with the nearest number of channels and positions."""

    def distance(each: Timing) -> tuple[int, int]:
        return abs(each.channels - channels), abs(each.height * each.width - positions)

    nearest = min(timings, key=distance)
    fastest = min(nearest.direct, nearest.winograd) if ways.winograd else nearest.direct
    taken = nearest.bfloat16 if ways.precision == "bfloat16" else None
    work = nearest.channels**2 * KERNEL_PX**2 * nearest.height * nearest.width
    return work / (taken or fastest)

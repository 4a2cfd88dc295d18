"""From coarse to fine: the sizes at which a picture is optimised, and how often at each."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from types import MappingProxyType

from impasto.config import Config, Size, scale_size, seamless_size

COARSEST_PX = 128  # longer side of the first scale: large enough for a face, 16 times cheaper
COARSEST_SHORT_PX = 32  # and its shorter side: two positions at conv5_1
SCALE_STEP = 2.0  # from one scale to the next
ROUNDED = 0.05  # of a scale step: 255 px, rounded from a larger picture's half, has two scales
# Iterations at the coarsest scale, at each one in between, and at the last. The coarsest lays out
# colours and large forms where an iteration costs least; what it loses of the photograph comes back
# only at full size, where most of the work belongs. Measured on twelve pairs, in time and by loss:
# docs/performance.md.
ITERATIONS: Mapping[str, tuple[int, int, int]] = MappingProxyType(
    {"draft": (16, 2, 2), "normal": (36, 8, 21), "fine": (80, 30, 60)}
)
# Above this longer side the last scale's number falls as the side grows: what little is new there,
# the finest strokes, is there after a few iterations, and each one costs four times as much.
ENOUGH_PX = 512
LEAST_ITERATIONS: Mapping[str, int] = MappingProxyType({"draft": 2, "normal": 6, "fine": 12})
# Two of a draft leave a print as the enlarged picture is, with hardly a stroke made for its size.
PRINT_PX, LEAST_OF_A_PRINT = 1024, 3


def schedule(size: Size, config: Config) -> list[tuple[Size, int]]:
    """Sizes (height, width) from coarse to fine, each with its number of iterations.

    Each scale's sides are half of the next one's, down to ``COARSEST_PX``.
    """
    longest, shortest = max(size), min(size)
    coarsest = max(COARSEST_PX, COARSEST_SHORT_PX * longest / shortest)
    steps = max(0, math.floor(math.log(longest / coarsest, SCALE_STEP) + ROUNDED))
    if not config.pyramid:
        steps = 0
    coarsest, between, last = ITERATIONS[config.quality]
    last = max(LEAST_ITERATIONS[config.quality], round(last * min(1.0, ENOUGH_PX / longest)))
    if longest > PRINT_PX:
        between, last = max(between, LEAST_OF_A_PRINT), max(last, LEAST_OF_A_PRINT)
    counts = [coarsest, *[between] * (steps - 1), last] if steps else [coarsest + last]
    counts = share(config.iterations, counts) if config.iterations else counts
    sizes = [scale_size(size, SCALE_STEP**-step) for step in range(steps, -1, -1)]
    sizes = [seamless_size(each, config.around) for each in sizes]
    return [(size, count) for size, count in zip(sizes, counts, strict=True) if count]


def steered(plan: Sequence[tuple[Size, int]], turns: Iterable[int]) -> list[tuple[Size, int]]:
    """A schedule whose aim changes after these iterations, in their order.

    Each change begins its scale's iterations anew: the new aim gets as many as the old one would
    have had, however late it comes. One that comes between two scales costs none.
    """
    counts = [count for _, count in plan]
    for after in turns:
        end = 0
        for place, (_, whole) in enumerate(plan):
            begin, end = end, end + counts[place]
            if begin < after < end:
                counts[place] = after - begin + whole
                break
    return [(size, count) for (size, _), count in zip(plan, counts, strict=True)]


def share(total: int, parts: Sequence[int]) -> list[int]:
    """``total`` split in proportion to ``parts``; the last part takes at least 1."""
    bounds = [round((total - 1) * sum(parts[: i + 1]) / sum(parts)) for i in range(len(parts))]
    bounds[-1] = total
    return [high - low for low, high in pairwise([0, *bounds])]

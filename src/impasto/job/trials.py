"""What a processor is fast at, tried out: run as ``python -m impasto.job.trials THREADS``.

It is a process of its own. Some machines announce instructions and die of them, some compute them
so slowly that nobody would wait: whoever asks takes what was written until then. Each line of
standard output is JSON: a Timing, or that bfloat16 is there.
"""

from __future__ import annotations

import json
import math
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial

import numpy as np
import torch
import torch.nn.functional as nnf
from torch import Tensor

from impasto.job import memory
from impasto.network.conv import (
    HALO_PX,
    KERNEL_PX,
    FrozenConvolution,
    Winograd,
)

# Channels, in and out, and maps' (height, width): few, from the smallest of which Winograd's way
# has ever been the faster one, to those that most of an iteration is spent on.
SHAPES = (
    *((64, size) for size in ((24, 32), (48, 64), (96, 128))),
    *((128, size) for size in ((24, 32), (48, 64), (96, 128))),
    *((256, size) for size in ((12, 16), (24, 32), (48, 64))),
    *((512, size) for size in ((12, 16), (24, 32), (48, 64))),
)
ROUNDS = 4  # each way by turns, and its best counts: other work only ever makes it slower
BUDGET_S = 0.7  # in float32; as much again may go to bfloat16, which takes half of it at the most
TINY_PX = 8  # a side of the map that bfloat16 is tried on first
EMULATED = (
    2.0  # times float32's time, on that map: held to AVX2 it takes 3.6 times, natively 0.4 to 0.85
)
ROUNDING = 2e-2  # of a convolution in bfloat16, at the most: three times what was seen


@dataclass(frozen=True)
class Timing:
    """Seconds that a convolution of 3 x 3 takes with so many channels in and out.

    Attributes:
        channels: in and out.
        height: of the map.
        width: likewise.
        direct: PyTorch's own, float32.
        winograd: ours, float32.
        bfloat16: PyTorch's own in bfloat16; None where the processor has not that.
    """

    channels: int
    height: int
    width: int
    direct: float
    winograd: float
    bfloat16: float | None = None


def main(threads: int) -> None:
    """Measure and tell, the surest first."""
    torch.set_num_threads(threads)
    torch.set_grad_enabled(False)
    memory.hold()
    timings = in_float32(SHAPES, BUDGET_S)
    tell({"timings": [asdict(each) for each in timings]})
    if computes_bfloat16():
        tell({"timings": [asdict(each) for each in in_bfloat16(timings, BUDGET_S)]})


def tell(known: object) -> None:
    """A line to whoever asked, at once."""
    print(json.dumps(known), flush=True)


def in_float32(shapes: Sequence[tuple[int, tuple[int, int]]], budget_s: float) -> list[Timing]:
    """Both ways of each shape."""
    ways: list[Callable[[], object]] = []
    for channels, (height, width) in shapes:
        x, kernel = example(channels, height, width)
        ways += [partial(direct, x, kernel), partial(ours, x, kernel)]
    best = iter(best_of(ways, budget_s))
    return [Timing(channels, *size, next(best), next(best)) for channels, size in shapes]


def in_bfloat16(timings: Sequence[Timing], budget_s: float) -> list[Timing]:
    """The same with bfloat16's seconds."""
    ways = [
        partial(direct, *example(each.channels, each.height, each.width, torch.bfloat16))
        for each in timings
    ]
    best = best_of(ways, budget_s)
    return [replace(each, bfloat16=s) for each, s in zip(timings, best, strict=True)]


def computes_bfloat16() -> bool:
    """Whether the processor does so itself, and rightly."""
    exact = example(64, TINY_PX, TINY_PX)
    rough = example(64, TINY_PX, TINY_PX, torch.bfloat16)
    there, here = direct(*exact), direct(*rough)
    if not float((there - here).norm()) <= ROUNDING * float(there.norm()):
        return False
    one, other = best_of([lambda: direct(*exact), lambda: direct(*rough)], BUDGET_S)
    return other <= EMULATED * one


def example(
    channels: int, height: int, width: int, dtype: torch.dtype = torch.float32
) -> tuple[Tensor, FrozenConvolution]:
    """A map and a convolution; the same numbers in each type."""
    numbers = np.random.default_rng(channels)
    x = torch.from_numpy(numbers.random((1, channels, height, width), np.float32))
    kernel = numbers.standard_normal((channels, channels, KERNEL_PX, KERNEL_PX), np.float32)
    weight = torch.from_numpy(kernel / (KERNEL_PX * channels**0.5))
    bias = torch.from_numpy(np.zeros(channels, np.float32))
    x = x.contiguous(memory_format=torch.channels_last)
    return x.to(dtype), FrozenConvolution(weight, bias).to(dtype)


def direct(x: Tensor, kernel: FrozenConvolution) -> Tensor:
    """PyTorch's own convolution."""
    return nnf.conv2d(x, kernel.weight, kernel.bias, padding=HALO_PX).relu_()


def ours(x: Tensor, kernel: FrozenConvolution) -> Tensor:
    """Winograd's way."""
    y: Tensor = Winograd.apply(x, kernel.transformed_for(x.dtype), kernel.bias, True)  # type: ignore[no-untyped-call]
    return y


def best_of(ways: Sequence[Callable[[], object]], budget_s: float) -> list[float]:
    """The least seconds of each way, by turns, after one to warm up, as often as time allows."""
    best, until = [math.inf] * len(ways), time.perf_counter() + budget_s
    for turn in range(ROUNDS + 1):
        for place, way in enumerate(ways):
            started = time.perf_counter()
            way()
            if turn:
                best[place] = min(best[place], time.perf_counter() - started)
        if turn and time.perf_counter() > until:
            break
    return best


if __name__ == "__main__":
    main(int(sys.argv[1]))

"""What a device can break, checked, and what it is worth, measured: `python benchmarks/gpu.py`.

It needs nothing but impasto and takes under five minutes on a GPU. The checks are those of
tests/test_gpu.py, which runs them on the CPU: the day a device comes is to be a short one.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from skimage import data
from torch import Tensor

from impasto.config import configure
from impasto.job.job import Job, network_of
from impasto.job.prepare import prepare
from impasto.network.vgg import Stage
from impasto.transfer.evaluation import Evaluator
from impasto.transfer.optimize import Step
from impasto.transfer.walk import SMALLEST_SIDE_PX

SMALL_PX, ITERATIONS = 128, 8  # of the checks' pictures
SIZES_PX = (512, 1024, 2048, 4096)
PRECISIONS = ("float32", "TF32", "bfloat16")
TARGETS_S = {1024: 3.0, 4096: 60.0}  # whole pictures, at normal quality
TIMED_ITERATIONS, WARM_UP = 6, 2
PAINTING = "night-swirls"
LEAST_COSINE = {"float32": 0.999, "bfloat16": 0.97}  # of a gradient, with the CPU's in float32
GIGA = 1e9


def job_on(device: str, **settings: Any) -> Job:
    """A small picture's, by the embedded network."""
    known = {"backbone": "vgg16", "size": SMALL_PX, "iterations": ITERATIONS, **settings}
    return prepare(data.coffee(), PAINTING, configure(device=device, **known))


def last_of(job: Job, resume_from: Step | None = None) -> Step:
    """The end of a run."""
    *_, last = job.steps(resume_from)
    return last


def evaluated(job: Job) -> Any:
    """The loss and its gradient at the photograph, slightly moved."""
    network = network_of(job.backbone, job.config, job.ways).to(job.device)
    subject = job.subject()
    photograph = subject.photograph(job.size)
    window_px = SMALLEST_SIDE_PX if job.plan.window_px else None
    regions = subject.regions(job.size)
    evaluate = Evaluator(network, photograph, regions, job.config, window_px)
    return evaluate(photograph * 0.9 + 0.05)


def near(one: Tensor, other: Tensor, least: float) -> None:
    """Whether two gradients point the same way, and are as long."""
    a, b = (each.detach().cpu().double().flatten() for each in (one, other))
    cosine = float(torch.dot(a, b) / (a.norm() * b.norm()))
    assert cosine >= least, f"cosine {cosine:.5f}, at least {least} is wanted"
    ratio = float(a.norm() / b.norm())
    assert abs(ratio - 1) <= 1 - least + 0.02, f"one is {ratio:.4f} times as long"


def check_the_gradient_is_the_cpus(device: str) -> None:
    """In float32, at the same picture."""
    here, there = (evaluated(job_on(d, precision="float32")) for d in (device, "cpu"))
    near(here.gradient, there.gradient, LEAST_COSINE["float32"])
    assert abs(here.loss / there.loss - 1) < 1e-3, f"loss {here.loss}, the CPU's {there.loss}"


def check_bfloat16_is_near(device: str) -> None:
    """Loss and gradient, with features in bfloat16 on the device."""
    exact, job = evaluated(job_on(device, precision="float32")), job_on(device)
    job = replace(job, ways=replace(job.ways, dtype=torch.bfloat16))
    found = evaluated(job)
    near(found.gradient, exact.gradient, LEAST_COSINE["bfloat16"])
    assert abs(found.loss / exact.loss - 1) < 0.02, f"loss {found.loss}, {exact.loss} exactly"


def check_each_optimiser_goes_down(device: str) -> None:
    """And the picture stays on the device."""
    for optimizer in ("lbfgs", "adam", "gd"):
        steps = list(job_on(device, optimizer=optimizer, pyramid=False).steps())
        assert steps[-1].loss < steps[0].loss, f"{optimizer}: {steps[0].loss} to {steps[-1].loss}"
        assert steps[-1].pixels.device.type == torch.device(device).type


def check_windows_are_the_whole(device: str) -> None:
    """Loss and gradient, in the smallest windows."""
    whole = evaluated(job_on(device, precision="float32", fit="whole"))
    parts = evaluated(job_on(device, precision="float32", fit="windows"))
    near(parts.gradient, whole.gradient, LEAST_COSINE["float32"])
    assert abs(parts.loss / whole.loss - 1) < 1e-4, f"loss {parts.loss}, whole {whole.loss}"


def check_regions_and_tiles_run(device: str) -> None:
    """Also the paper's loss: pictures that are some."""
    from impasto.job.casting import Masks

    height, width = data.coffee().shape[:2]
    labels = np.zeros((height, width), np.uint8)
    labels[:, width // 2 :] = 1
    masks = Masks(labels, (), {"label 1": "charcoal"})
    config = configure(device=device, backbone="vgg16", size=SMALL_PX, iterations=ITERATIONS)
    parted = prepare(data.coffee(), PAINTING, config, masks)
    for job in (parted, job_on(device, tileable=True), job_on(device, preset="paper")):
        picture = last_of(job).picture()
        assert picture.isfinite().all(), "not a number"
        assert picture.std() > 0.02, "the picture is flat"


def check_it_goes_on_to_the_same_bytes(device: str) -> None:
    """From steps that were on the CPU meanwhile."""
    job = job_on(device)
    steps = list(job.steps())
    for at in (2, ITERATIONS // 2, ITERATIONS - 2):
        again = last_of(job, steps[at].to("cpu"))
        assert torch.equal(again.pixels, steps[-1].pixels), f"after iteration {at + 1}"


def check_two_runs_give_the_same_bytes(device: str) -> None:
    """Nothing on the device sums in an order of its own."""
    one, other = (last_of(job_on(device)) for _ in range(2))
    assert torch.equal(one.pixels, other.pixels), "they differ"


def check_it_goes_on_from_a_cpus_checkpoint(device: str) -> None:
    """To nearly the same loss."""
    begun = list(job_on("cpu", precision="float32").steps())
    job = job_on(device, precision="float32")
    ended = last_of(job, begun[ITERATIONS // 2])
    assert ended.loss < begun[ITERATIONS // 2].loss * 1.001
    assert abs(ended.loss / begun[-1].loss - 1) < 0.02, f"{ended.loss}, the CPU's {begun[-1].loss}"


def check_where_memory_runs_out_windows_are_halved(device: str) -> None:
    """As PyTorch says that it has."""
    job = job_on(device, pyramid=False)
    with crowded(SMALL_PX * SMALL_PX // 3):
        steps = list(job.steps())
    assert steps[0].window_px is not None, "it was computed whole"
    assert "memory ran out" in steps[0].note, steps[0].note
    assert steps[-1].loss < steps[0].loss


@contextmanager
def crowded(positions: int) -> Iterator[None]:
    """Let a device have room for maps of so many positions only, and say so as PyTorch does."""
    real = Stage.__call__

    def call(stage: Stage, x: Tensor) -> Any:
        if x.shape[2] * x.shape[3] > positions:
            raise torch.OutOfMemoryError("out of memory: that is what this check wants")
        return real(stage, x)

    Stage.__call__ = call  # type: ignore[method-assign]
    try:
        yield
    finally:
        Stage.__call__ = real  # type: ignore[method-assign]


CHECKS: dict[str, Callable[[str], None]] = {
    name.removeprefix("check_").replace("_", " "): check
    for name, check in list(globals().items())
    if name.startswith("check_")
}


@dataclass(frozen=True)
class Cost:
    """Of a picture of one size, in one precision."""

    seconds_an_iteration: float
    peak_bytes: int
    window_px: int | None
    iterations: int

    @property
    def seconds(self) -> float:
        """Of a whole picture, if all its iterations cost what the last scale's do."""
        return self.seconds_an_iteration * self.iterations


def cost(device: str, size: int, precision: str) -> Cost:
    """Iterations at the last scale, each waited for."""
    tf32 = precision == "TF32"
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = tf32
    wanted = "float32" if tf32 else precision
    job = job_on(
        device, size=size, precision=wanted, pyramid=False, iterations=TIMED_ITERATIONS + WARM_UP
    )
    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()
    marks = []
    for step in job.steps():
        float(step.pixels.sum())  # wait for the device
        marks.append(time.perf_counter())
    seconds = statistics.median(end - start for start, end in pairwise(marks[WARM_UP:]))
    peak = torch.cuda.max_memory_allocated() if device == "cuda" else 0
    normal = job.with_settings(iterations=None)
    return Cost(seconds, peak, job.plan.window_px, normal.iterations)


def picture_seconds(device: str, size: int) -> float:
    """A whole picture at normal quality, as a user asks for it."""
    started = time.perf_counter()
    job_on(device, size=size, iterations=None).run()
    return time.perf_counter() - started


def ways_of_calling(size: int) -> Iterator[tuple[str, float]]:
    """Seconds that features and their gradient take: as they are, compiled, as a CUDA graph."""
    job = job_on("cuda", size=size, precision="bfloat16")
    network = network_of(job.backbone, job.config, job.ways).cuda()
    layers = ["relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu4_2", "relu5_1"]
    x = torch.rand(1, 3, *job.size, device="cuda", requires_grad=True)

    def total(x: Tensor) -> Tensor:
        return torch.stack([F.float().square().mean() for F in network(x, layers).values()]).sum()

    def graphed() -> Callable[[Tensor], Tensor]:
        made: Any = torch.cuda.make_graphed_callables(total, (x,))
        return made

    ways = {"as it is": lambda: total, "torch.compile": lambda: torch.compile(total)}
    for name, made in {**ways, "CUDA graph": graphed}.items():
        try:
            call, seconds = made(), []
            for _ in range(TIMED_ITERATIONS + WARM_UP):
                started = time.perf_counter()
                torch.autograd.grad(call(x), x)
                torch.cuda.synchronize()
                seconds.append(time.perf_counter() - started)
            yield name, statistics.median(seconds[WARM_UP:])
        except Exception as error:  # whatever a compiler or driver says is the result
            print(f"  {name}: {' '.join(str(error).split())[:200]}", flush=True)


def run_checks(device: str) -> bool:
    """Every check, told line by line; whether all passed."""
    good = True
    for name, check in CHECKS.items():
        started = time.perf_counter()
        try:
            check(device)
            told = "ok    "
        except Exception as error:
            told, good = f"FAILED ({type(error).__name__}: {error})", False
            traceback.print_exc()
        print(f"{told} {name}, {time.perf_counter() - started:.1f} s", flush=True)
    return good


def measure(device: str, sizes: tuple[int, ...]) -> None:
    """What iterations and pictures take, as a table."""
    print("| size | precision | s an iteration | memory | windows |\n|---|---|---|---|---|")
    for size in sizes:
        for precision in PRECISIONS:
            found = cost(device, size, precision)
            window = f"{found.window_px} px" if found.window_px else "whole"
            print(
                f"| {size} px | {precision} | {found.seconds_an_iteration:.4f} "
                f"| {found.peak_bytes / GIGA:.2f} GB | {window} |",
                flush=True,
            )
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    for size, target in TARGETS_S.items():
        if size in sizes:
            took = picture_seconds(device, size)
            print(f"a picture at {size} px, normal: {took:.1f} s, target {target:.0f} s")
    if device == "cuda":
        for size in sizes[:2]:
            for name, seconds in ways_of_calling(size):
                print(f"features and gradient at {size} px, {name}: {seconds * 1e3:.1f} ms")


def main() -> None:
    """Check, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cuda", choices=("cuda", "mps", "cpu"))
    parser.add_argument("--largest", type=int, default=max(SIZES_PX), help="size in pixels")
    parser.add_argument("--checks", action="store_true", help="measure nothing")
    arguments = parser.parse_args()
    good = run_checks(arguments.device)
    if not arguments.checks:
        measure(arguments.device, tuple(s for s in SIZES_PX if s <= arguments.largest))
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()

"""`make bench`: what an iteration, a picture and a start cost on this machine, in one table.

Whatever is compared is measured by turns in one run, and medians and their ratios are what counts:
machines are shared and noisy. The table goes to standard output and into docs/performance.md.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import torch
from skimage import data

from impasto import pictures
from impasto.config import Config, configure
from impasto.job import memory
from impasto.job.plan import HELD_BYTES
from impasto.job.prepare import prepare
from impasto.network.conv import KERNEL_PX, FrozenConvolution
from impasto.network.vgg import VGG
from impasto.pictures import styles
from impasto.transfer.evaluation import Evaluator, Region
from impasto.transfer.walk import LARGEST_SIDE_PX

DOCUMENT = Path(__file__).parents[1] / "docs" / "performance.md"
BEGIN, END = "<!-- make bench -->\n", "<!-- end of make bench -->\n"
ITERATION_SIZES_PX = (256, 512, 1024)
LARGE_SIZES_PX = (1024, 2048, 4096)
ROUNDS = 5  # of each alternative
MATMUL_SIDE = 2048
GIGA = 1e9
ASPECT = 3 / 4
VGG19_COUNTS = (2, 2, 4, 4, 1)  # convolutions a block, as deep as the default looks
CHANNELS = (64, 128, 256, 512, 512)
PHOTOGRAPH, PAINTING = data.coffee, "night-swirls"
CROP = (slice(396), slice(528))  # of the photograph, to 4:3

Row = tuple[str, str]


def main() -> None:
    """Measure, print, and write into the document."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--against", type=Path, help="another checkout of impasto, to compare with")
    parser.add_argument("--largest", type=int, default=max(LARGE_SIZES_PX), help="size in pixels")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        print(json.dumps(measure_one(**json.loads(arguments.one))))
        return
    memory.hold()
    rows: list[Row] = []
    for row in all_rows(arguments.against, arguments.largest):
        print("  ".join(row), file=sys.stderr, flush=True)
        rows.append(row)
    table = as_table(rows)
    print(table)
    write(table)


def all_rows(against: Path | None, largest: int) -> Iterator[Row]:
    """Every measurement, one after the other."""
    peak = matmul_flops()
    yield "float32 matmul, measured", f"{peak / GIGA:.0f} GFLOP/s"
    for size in ITERATION_SIZES_PX:
        yield iteration_row(size, peak)
    if against:
        yield against_row(against)
    yield from large_rows([size for size in LARGE_SIZES_PX if size <= largest])
    yield startup_row()


def timed(work: Callable[[], object]) -> float:
    """Seconds that it takes."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def matmul_flops() -> float:
    """The rate of a float32 matrix product, the most that a convolution could reach directly."""
    a = torch.rand(MATMUL_SIDE, MATMUL_SIDE)
    seconds = statistics.median(timed(lambda: a @ a) for _ in range(ROUNDS + 1))
    return 2 * MATMUL_SIDE**3 / seconds


def vgg19_shape() -> dict[str, torch.Tensor]:
    """Random weights of VGG-19's shape: time does not depend on what they are."""
    state, inputs = {"mean": torch.full((3,), 0.45)}, 3
    for block, (outputs, count) in enumerate(zip(CHANNELS, VGG19_COUNTS, strict=True), 1):
        for place in range(1, count + 1):
            name, fan_in = f"conv{block}_{place}", inputs * KERNEL_PX**2
            weight = torch.randn(outputs, inputs, KERNEL_PX, KERNEL_PX) * (2 / fan_in) ** 0.5
            state |= {f"{name}.weight": weight, f"{name}.bias": torch.zeros(outputs)}
            inputs = outputs
    return state


def flops(state: dict[str, torch.Tensor], pixels: int) -> float:
    """Of the direct convolutions, forward and by the input."""
    return sum(
        2 * 2 * weight.numel() * pixels / 4 ** (int(name[4]) - 1)
        for name, weight in state.items()
        if name.endswith(".weight")
    )


def iteration_row(size: int, peak: float) -> Row:
    """One iteration of VGG-19's shape: features, losses and gradient, two ways by turns."""
    torch.manual_seed(0)
    state, shape = vgg19_shape(), (round(size * ASPECT), size)
    photograph = pictures.resize(pictures.load(PHOTOGRAPH()).pixels, shape)
    painting = pictures.resize(pictures.load(styles.find(PAINTING)).pixels, shape)
    evaluate = Evaluator(
        VGG(state, edges="replicate"), photograph, [Region.whole(painting)], Config()
    )
    ours, direct = FrozenConvolution.prefers_winograd, lambda *_: False
    seconds: dict[object, list[float]] = {ours: [], direct: []}
    for turn in range(ROUNDS + 1):
        for way, found in seconds.items():
            FrozenConvolution.prefers_winograd = way  # type: ignore[method-assign, assignment]
            taken = timed(lambda: evaluate(photograph))
            found += [taken] if turn else []  # the first is a warm-up
    FrozenConvolution.prefers_winograd = ours  # type: ignore[method-assign]
    by_ours, by_direct = (statistics.median(found) for found in seconds.values())
    rate = flops(state, shape[0] * shape[1]) / GIGA
    return (
        f"an iteration of VGG-19, {size} x {shape[0]} px",
        f"PyTorch's convolution {by_direct:.2f} s ({rate / by_direct:.0f} GFLOP/s, "
        f"{rate * GIGA / by_direct / peak:.0%} of matmul), ours {by_ours:.2f} s "
        f"(as if {rate / by_ours:.0f}, {rate * GIGA / by_ours / peak:.0%}), "
        f"**{by_direct / by_ours:.2f} times as fast**",
    )


YARDSTICK = """
import json, sys, time
from impasto.job.prepare import prepare
from impasto.job.job import network_of
from impasto.job import memory
from impasto.config import configure
from skimage import data
memory.hold()
started = time.perf_counter()
job = prepare(data.coffee(), "night-swirls", configure(backbone="vgg16"))
steps = []
for step in job.steps():
    steps.append((time.perf_counter() - started, step.loss, step.scale == job.size))
print(json.dumps(steps))
"""


def against_row(checkout: Path) -> Row:
    """Seconds to the loss at which another version ends, each in a process of its own, by turns."""
    runs: dict[bool, list[list[tuple[float, float, bool]]]] = {True: [], False: []}
    for _ in range(2):
        for other, found in runs.items():
            path = {"PYTHONPATH": str(checkout / "src")} if other else {}
            command = [sys.executable, "-c", YARDSTICK]
            output = subprocess.run(
                command, env=os.environ | path, check=True, capture_output=True
            ).stdout
            found.append(json.loads(output))
    theirs = statistics.median(run[-1][0] for run in runs[True])
    goal = runs[True][0][-1][1]
    reached = [
        min((seconds for seconds, loss, last in run if last and loss <= goal), default=None)
        for run in runs[False]
    ]
    ours = statistics.median(run[-1][0] for run in runs[False])
    what = f"its loss {goal:.4f} in {theirs:.0f} s; ours ends at {runs[False][0][-1][1]:.4f} "
    if None in reached:
        return f"against {checkout.name}, 512 px", f"{what}in {ours:.0f} s and does not reach it"
    at = statistics.median(seconds for seconds in reached if seconds is not None)
    return (
        f"against {checkout.name}, 512 px",
        f"{what}in {ours:.0f} s ({ours / theirs:.0%}) and passes it after {at:.0f} s "
        f"(**{at / theirs:.0%}**)",
    )


@dataclass(frozen=True)
class Cost:
    """Of one iteration in a process of its own."""

    seconds: float
    peak_bytes: int
    predicted_bytes: int
    megapixels: float

    @property
    def seconds_per_megapixel(self) -> float:
        return self.seconds / self.megapixels


def measure_one(size: int, fit: str) -> dict[str, float]:
    """The optimiser's iteration at one size, and the most memory that the process held."""
    iterations = max(2, LARGE_SIZES_PX[-1] // size)
    config = configure(size=size, fit=fit, backbone="vgg16", pyramid=False, iterations=iterations)
    job = prepare(PHOTOGRAPH()[CROP], PAINTING, config)
    memory.hold(*([HELD_BYTES] if job.plan.window_px else []))
    marks = [time.perf_counter() for _ in job.steps()]
    return {
        "seconds": statistics.median(end - start for start, end in pairwise(marks)),
        "peak_bytes": peak_bytes(),
        "predicted_bytes": job.plan.peak_bytes,
        "megapixels": job.size[0] * job.size[1] / 1e6,
    }


def cost(size: int, fit: str) -> Cost:
    """``measure_one`` in a process of its own."""
    command = [sys.executable, __file__, "--one", json.dumps({"size": size, "fit": fit})]
    done = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return Cost(**json.loads(done))


def peak_bytes() -> int:
    """The most that this process held; getrusage, on Linux, counts its parent's too."""
    status = Path("/proc/self/status")
    if status.exists():
        (line,) = (line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def large_rows(sizes: list[int]) -> Iterator[Row]:
    """An iteration at large sizes, beside one at the smallest of them whole, with its memory."""
    for size in sizes:
        base = cost(min(LARGE_SIZES_PX), "whole")
        if size == min(LARGE_SIZES_PX):
            yield large_row(size, "whole", base, base)
        yield large_row(size, f"in windows of {LARGEST_SIDE_PX} px", cost(size, "windows"), base)


def large_row(size: int, how: str, found: Cost, base: Cost) -> Row:
    """One such cost."""
    each = found.seconds_per_megapixel
    ratio = f"**{each / base.seconds_per_megapixel:.2f} times** {min(LARGE_SIZES_PX)} px whole"
    return (
        f"an iteration of the embedded VGG-16, {size} px, {how}",
        f"{found.seconds:.1f} s, {each:.1f} s a megapixel ({ratio}); "
        f"{found.peak_bytes / GIGA:.2f} GB at the most, "
        f"{found.predicted_bytes / GIGA:.2f} GB predicted",
    )


def startup_row() -> Row:
    """`impasto --help`."""
    command = [sys.executable, "-m", "impasto", "--help"]
    runs = [
        timed(lambda: subprocess.run(command, check=True, capture_output=True))
        for _ in range(ROUNDS + 1)
    ]
    return "`impasto --help`", f"{statistics.median(runs):.2f} s"


def as_table(rows: list[Row]) -> str:
    """Markdown."""
    about = f"{platform.machine()}, {torch.get_num_threads()} threads, PyTorch {torch.__version__}"
    lines = ["| what | measured |", "|---|---|", *(f"| {what} | {found} |" for what, found in rows)]
    return f"{time.strftime('%Y-%m-%d')}, {about}:\n\n" + "\n".join(lines) + "\n"


def write(table: str, begin: str = BEGIN, end: str = END) -> None:
    """Put the table between its marks in the document."""
    text = DOCUMENT.read_text()
    before, _, rest = text.partition(begin)
    _, _, after = rest.partition(end)
    DOCUMENT.write_text(f"{before}{begin}{table}{end}{after}")


if __name__ == "__main__":
    main()

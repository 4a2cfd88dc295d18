"""`make bench`: what an iteration, a picture and a start cost on this machine, in one table.

Whatever is compared is measured by turns in one run, and medians and their ratios are what counts:
machines are shared and noisy. Each measurement is a process of its own. The table goes to standard
output and into docs/performance.md.
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
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from skimage import data

from impasto.config import configure
from impasto.job import calibration, memory, threads
from impasto.job.calibration import EXACT, Calibration, Ways
from impasto.job.job import Job, network_of
from impasto.job.plan import HELD_BYTES
from impasto.job.prepare import prepare
from impasto.job.session import Session
from impasto.network.conv import ONCE_MEASURED
from impasto.transfer.evaluation import Evaluator
from impasto.transfer.walk import LARGEST_SIDE_PX

DOCUMENT = Path(__file__).parents[1] / "docs" / "performance.md"
BEGIN, END = "<!-- make bench -->\n", "<!-- end of make bench -->\n"
ITERATION_SIZES_PX = (256, 512, 1024)
LARGE_SIZES_PX = (1024, 2048, 4096)
PICTURES = (("draft", 512), ("normal", 512), ("fine", 512), ("normal", 1024), ("draft", 4096))
BY_TURNS_UP_TO_PX = 512  # whole pictures of this size are made in float32 too, and twice
ROUNDS = 5  # of each alternative
GIGA = 1e9
PHOTOGRAPH, PAINTING = data.coffee, "night-swirls"
CROP = (slice(396), slice(528))  # of the photograph, to 4:3
CROWSON_S = 2768  # that style-transfer-pytorch took for its picture at 512 px: docs/performance.md
AVX2 = {
    "ONEDNN_MAX_CPU_ISA": "AVX2",
    "ATEN_CPU_CAPABILITY": "avx2",
    "MKL_ENABLE_INSTRUCTIONS": "AVX2",
}

Row = tuple[str, str]


def main() -> None:
    """Measure, print, and write into the document."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--against", type=Path, help="another checkout of impasto, to compare with")
    parser.add_argument("--largest", type=int, default=max(LARGE_SIZES_PX), help="size in pixels")
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        name, given = arguments.one
        print(json.dumps(MEASURES[name](**json.loads(given))))
        return
    rows: list[Row] = []
    for row in all_rows(arguments.against, arguments.largest):
        print("  ".join(row), file=sys.stderr, flush=True)
        rows.append(row)
    table = as_table(rows)
    print(table)
    write(table)


def all_rows(against: Path | None, largest: int) -> Iterator[Row]:
    """Every measurement, one after the other."""
    count = threads.default()
    yield "what was found to be fast", chosen(calibration.calibrated(count))
    for size in ITERATION_SIZES_PX:
        yield iteration_row(size, f"{count} threads", {"count": count})
    yield iteration_row(512, "one thread", {"count": 1})
    yield iteration_row(512, f"held to AVX2, {count} threads", {"count": count}, AVX2)
    yield iteration_row(512, "held to AVX2, one thread", {"count": 1}, AVX2)
    yield shares_row()
    if against:
        yield against_row(against)
    for quality, size in PICTURES:
        if size <= largest:
            yield picture_row(quality, size)
    yield from large_rows([size for size in LARGE_SIZES_PX if size <= largest])
    yield start_row()
    yield help_row()


def chosen(found: Calibration) -> str:
    """A calibration in words."""
    fast = ", ".join(f"{c} channels from {n} patches" for c, n in found.winograd.items())
    gain = f"bfloat16 {found.gain:.2f} times as fast as float32" if found.gain else "no bfloat16"
    return f"{gain}; Winograd's way in float32: {fast or 'nowhere'}{found.why}"


def timed(work: Callable[[], object]) -> float:
    """Seconds that it takes."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def measured_alone(name: str, environment: Mapping[str, str] | None = None, **given: Any) -> Any:
    """One of MEASURES in a process of its own."""
    command = [sys.executable, __file__, "--one", name, json.dumps(given)]
    environment = {**os.environ, **(environment or {})}
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
    return json.loads(done.stdout)


def the_job(**settings: Any) -> Job:
    """The picture that all is measured with."""
    return prepare(PHOTOGRAPH()[CROP], PAINTING, configure(backbone="vgg16", **settings))


def iterations(size: int, count: int) -> dict[str, float]:
    """Seconds of features, losses and gradient, in each way by turns: medians."""
    memory.hold()
    torch.set_num_threads(count)
    found = calibration.calibrated(count)
    ways = {
        "direct": EXACT,
        "Winograd": Ways(torch.float32, ONCE_MEASURED),
        "float32 as chosen": Ways(torch.float32, found.winograd),
    }
    if found.prefers_bfloat16:
        ways["bfloat16"] = Ways(torch.bfloat16)
    job, evaluators = the_job(size=size), {}
    subject = job.subject()
    photograph = subject.photograph(job.size)
    for name, each in ways.items():
        network = network_of(job.backbone, job.config, each)
        regions = subject.regions(job.size)
        evaluators[name] = Evaluator(network, photograph, regions, job.config)
    x = photograph * 0.9 + 0.05
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(ROUNDS + 1):
        for name, evaluate in evaluators.items():
            taken = timed(lambda evaluate=evaluate: evaluate(x))
            seconds[name] += [taken] if turn else []  # the first is a warm-up
    return {name: statistics.median(found) for name, found in seconds.items()}


def iteration_row(
    size: int, where: str, given: Mapping[str, int], environment: Mapping[str, str] | None = None
) -> Row:
    """One iteration of the embedded network in each way."""
    found = measured_alone("iterations", environment, size=size, **given)
    told = ", ".join(f"{name} {seconds:.3f} s" for name, seconds in found.items())
    best = found.get("bfloat16", found["float32 as chosen"])
    times = f"**{found['direct'] / best:.2f} times as fast as direct**"
    return f"an iteration at {size} px, {where}", f"{told}: {times}"


def shares(size: int) -> dict[str, float]:
    """Seconds of an iteration of the optimiser, and of the convolutions in it, PyTorch's own.

    Winograd's are made of products and additions, which a profile cannot tell from others.
    """
    memory.hold()
    job = the_job(size=size, pyramid=False, iterations=8)
    job = replace(job, ways=Ways(job.ways.dtype))
    steps = job.steps()
    for _ in range(4):
        next(steps)
    whole = statistics.median(timed(lambda: next(steps)) for _ in range(3))
    with torch.profiler.profile() as profile:
        next(steps)
    names = ("aten::mkldnn_convolution", "aten::convolution_backward")
    spent = {each.key: each.self_cpu_time_total / 1e6 for each in profile.key_averages()}
    return {"iteration": whole, "convolutions": sum(spent.get(name, 0.0) for name in names)}


def shares_row() -> Row:
    """How much of an iteration is not convolution."""
    told = []
    for size in (128, 256, 512, 1024):
        found = measured_alone("shares", size=size)
        other = 1 - found["convolutions"] / found["iteration"]
        told.append(f"{size} px {other:.0%} of {found['iteration']:.3f} s")
    return "of an iteration outside of PyTorch's convolutions", ", ".join(told)


def picture(size: int, quality: str, precision: str) -> dict[str, float]:
    """Seconds of a whole picture's work, its last loss, and the most memory that it took."""
    job = the_job(size=size, quality=quality, precision=precision)
    started = time.perf_counter()
    result = Session(job, own_process=True).run()
    return {
        "seconds": time.perf_counter() - started,
        "loss": result.history[-1]["loss"],
        "peak_bytes": peak_bytes(),
        "predicted_bytes": job.plan.peak_bytes,
    }


def picture_row(quality: str, size: int) -> Row:
    """A whole picture as chosen; small ones in float32 too, by turns."""
    small = size <= BY_TURNS_UP_TO_PX
    runs: dict[str, list[dict[str, float]]] = {"auto": []}
    runs |= {"float32": []} if small else {}
    for _ in range(2 if small else 1):
        for precision, found in runs.items():
            found.append(measured_alone("picture", size=size, quality=quality, precision=precision))
    seconds = {
        name: statistics.median(run["seconds"] for run in found) for name, found in runs.items()
    }
    one = runs["auto"][0]
    told = f"**{seconds['auto']:.1f} s**, loss {one['loss']:.4f}"
    if small:
        other = runs["float32"][0]["loss"]
        told += f"; in float32 {seconds['float32']:.1f} s, loss {other:.4f}"
    else:
        told += f"; {one['peak_bytes'] / GIGA:.2f} GB at the most, "
        told += f"{one['predicted_bytes'] / GIGA:.2f} GB predicted"
    if (quality, size) == ("normal", 512):
        told += f"; 1/{CROWSON_S / seconds['auto']:.0f} of {CROWSON_S} s"
    return f"{quality}, {size} px, work", told


YARDSTICK = """
import json, sys, time
from impasto.job.prepare import prepare
from impasto.job.job import network_of
from impasto.job import memory
from impasto.config import configure
from skimage import data
memory.hold()
job = prepare(data.coffee(), "night-swirls", configure(backbone="vgg16"))
started = time.perf_counter()
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
    what = f"its loss {goal:.4f} in {theirs:.1f} s; ours ends at {runs[False][0][-1][1]:.4f} "
    if None in reached:
        return f"against {checkout.name}, 512 px", f"{what}in {ours:.1f} s and does not reach it"
    at = statistics.median(seconds for seconds in reached if seconds is not None)
    return (
        f"against {checkout.name}, 512 px",
        f"{what}in {ours:.1f} s ({ours / theirs:.0%}) and passes it after {at:.1f} s "
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


def one_iteration(size: int, fit: str) -> dict[str, float]:
    """The optimiser's at one size, and the most memory that the process held."""
    count = max(2, LARGE_SIZES_PX[-1] // size)
    job = the_job(size=size, fit=fit, pyramid=False, iterations=count)
    memory.hold(*([HELD_BYTES] if job.plan.window_px else []))
    marks = [time.perf_counter() for _ in job.steps()]
    return {
        "seconds": statistics.median(end - start for start, end in pairwise(marks)),
        "peak_bytes": peak_bytes(),
        "predicted_bytes": job.plan.peak_bytes,
        "megapixels": job.size[0] * job.size[1] / 1e6,
    }


def peak_bytes() -> int:
    """The most that this process held; getrusage, on Linux, counts its parent's too."""
    status = Path("/proc/self/status")
    if status.exists():
        (line,) = (line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def large_rows(sizes: Sequence[int]) -> Iterator[Row]:
    """An iteration at large sizes, beside one at the smallest of them whole, with its memory."""
    for size in sizes:
        base = Cost(**measured_alone("one_iteration", size=min(LARGE_SIZES_PX), fit="whole"))
        if size == min(LARGE_SIZES_PX):
            yield large_row(size, "whole", base, base)
        found = Cost(**measured_alone("one_iteration", size=size, fit="windows"))
        yield large_row(size, f"in windows of {LARGEST_SIDE_PX} px", found, base)


def large_row(size: int, how: str, found: Cost, base: Cost) -> Row:
    """One such cost."""
    each = found.seconds_per_megapixel
    ratio = f"**{each / base.seconds_per_megapixel:.2f} times** {min(LARGE_SIZES_PX)} px whole"
    return (
        f"an iteration of the optimiser, {size} px, {how}",
        f"{found.seconds:.1f} s, {each:.1f} s a megapixel ({ratio}); "
        f"{found.peak_bytes / GIGA:.2f} GB at the most, "
        f"{found.predicted_bytes / GIGA:.2f} GB predicted",
    )


def first_iteration() -> dict[str, float]:
    """Seconds from a program's start to its first iteration, those that are PyTorch's apart."""
    script = (
        "import time; t0 = time.perf_counter()\n"
        "import torch; t1 = time.perf_counter()\n"
        "import impasto.cli\n"
        "from impasto.job.prepare import prepare\n"
        "from impasto.config import configure\n"
        "from skimage import data; photograph = data.coffee()\n"
        "job = prepare(photograph, 'night-swirls', configure(backbone='vgg16'))\n"
        "next(job.steps()); t2 = time.perf_counter()\n"
        "print(t1 - t0, t2 - t1)\n"
    )
    runs = [
        subprocess.run([sys.executable, "-c", script], check=True, capture_output=True).stdout
        for _ in range(ROUNDS)
    ]
    torchs, ours = zip(*(map(float, run.split()) for run in runs), strict=True)
    return {"torch": statistics.median(torchs), "ours": statistics.median(ours)}


def start_row() -> Row:
    """The way to the first iteration."""
    found = first_iteration()
    return (
        "from the start to the first iteration, 512 px",
        f"importing torch {found['torch']:.2f} s, **ours {found['ours']:.2f} s**",
    )


def help_row() -> Row:
    """`impasto --help`."""
    command = [sys.executable, "-m", "impasto", "--help"]
    runs = [
        timed(lambda: subprocess.run(command, check=True, capture_output=True))
        for _ in range(ROUNDS + 1)
    ]
    return "`impasto --help`", f"{statistics.median(runs):.2f} s"


MEASURES: Mapping[str, Callable[..., dict[str, float]]] = {
    each.__name__: each for each in (iterations, shares, picture, one_iteration)
}


def as_table(rows: Sequence[Row]) -> str:
    """Markdown."""
    known = calibration.processor()
    about = f"{known['model name']} (family {known.get('cpu family', '?')}, "
    about += f"model {known.get('model', '?')}), {threads.default()} threads, "
    about += f"PyTorch {torch.__version__}, {platform.system()}"
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

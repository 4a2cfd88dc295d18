"""What a picture takes beside other work and within a quota: `python benchmarks/busy.py`.

Whole commands on two cores, by turns, medians. The table goes to standard output and into
docs/performance.md.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import PIL.Image

from bench import PAINTING, PHOTOGRAPH, write

CORES = 2
ROUNDS = 5
SIZE_PX = 192
BEGIN, END = "<!-- busy -->\n", "<!-- end of busy -->\n"
BUSY = "while True: pass"
COMES_AND_GOES_S = 1.0
COMES_AND_GOES = f"""
import time
while True:
    end = time.monotonic() + {COMES_AND_GOES_S}
    while time.monotonic() < end: pass
    time.sleep({COMES_AND_GOES_S})
"""
GROUPS = Path("/sys/fs/cgroup")
PERIOD_US = 100_000
GROUP = "impasto-busy"


@dataclass(frozen=True)
class Situation:
    """What else runs, each a Python program; and how many cores' time the command itself has."""

    name: str
    others: tuple[str, ...] = ()
    quota: float | None = None


IDLE = Situation("idle")
TWO = Situation("two busy processes beside it", (BUSY, BUSY))
QUOTA = Situation("a quota of one core, one process coming and going", (COMES_AND_GOES,), 1.0)
SITUATIONS = (IDLE, Situation("one busy process beside it", (BUSY,)), TWO, QUOTA)


def main() -> None:
    """Measure, print, and write into the document."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--against", type=Path, help="another checkout of impasto, to compare with")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--size", type=int, default=SIZE_PX, help="longer side in pixels")
    arguments = parser.parse_args()
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:CORES])  # for all that it starts
    ways = ways_of(arguments.against)
    with quota_group(QUOTA.quota or 1.0) as group, tempfile.TemporaryDirectory() as folder:
        photograph = Path(folder) / "photo.png"
        PIL.Image.fromarray(PHOTOGRAPH()).save(photograph)
        command = ("stylize", str(photograph), PAINTING, "-o", str(Path(folder) / "out.png"))
        command += ("--size", str(arguments.size), "--quality", "draft", "--backbone", "vgg16")
        found = {
            each: measured(each, ways, (*command, "-q"), group, arguments.rounds)
            for each in SITUATIONS
            if group or not each.quota
        }
    table = as_table(found, list(ways))
    print(table)
    write(table, BEGIN, END)


def ways_of(against: Path | None) -> dict[str, tuple[Path, tuple[str, ...]]]:
    """By name: the checkout, and options."""
    here = Path(__file__).parents[1]
    ways: dict[str, tuple[Path, tuple[str, ...]]] = {"ours": (here, ())}
    ways["ours, --threads 1"] = (here, ("--threads", "1"))
    return {f"as it was ({against.name})": (against, ()), **ways} if against else ways


@contextmanager
def quota_group(cores: float) -> Iterator[Path | None]:
    """A control group with so many cores' time, of either version; None where none can be made."""
    quota = round(cores * PERIOD_US)
    for root, files in (
        (GROUPS, {"cpu.max": f"{quota} {PERIOD_US}"}),
        (GROUPS / "cpu", {"cpu.cfs_period_us": str(PERIOD_US), "cpu.cfs_quota_us": str(quota)}),
    ):
        group = root / GROUP
        try:
            group.mkdir()
        except OSError:
            continue
        try:
            if all((group / name).exists() for name in files):
                for name, text in files.items():
                    (group / name).write_text(text)
                yield group
                return
        finally:
            group.rmdir()
    print("no control group can be made here: the quota is left out", file=sys.stderr)
    yield None


def measured(
    situation: Situation,
    ways: dict[str, tuple[Path, tuple[str, ...]]],
    command: tuple[str, ...],
    group: Path | None,
    rounds: int,
) -> dict[str, float]:
    """Seconds of the whole command by way, medians of turns."""
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    inside = group if situation.quota else None
    for _ in range(rounds):
        for name, (checkout, options) in ways.items():
            with others(situation.others):
                seconds[name].append(seconds_of(checkout, (*command, *options), inside))
            print(f"{situation.name}, {name}: {seconds[name][-1]:.1f} s", file=sys.stderr)
    return {name: statistics.median(each) for name, each in seconds.items()}


@contextmanager
def others(programs: tuple[str, ...]) -> Iterator[None]:
    """They run meanwhile, each a process of its own."""
    running = [subprocess.Popen([sys.executable, "-c", program]) for program in programs]
    try:
        yield
    finally:
        for each in running:
            each.kill()
            each.wait()


def seconds_of(checkout: Path, command: tuple[str, ...], group: Path | None) -> float:
    """One whole command, in a control group if one is given; environment variables as none set."""
    environment = {n: v for n, v in os.environ.items() if not n.startswith(("OMP_", "GOMP_"))}
    environment["PYTHONPATH"] = str(checkout / "src")
    started = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "impasto", *command],
        env=environment,
        check=True,
        preexec_fn=joins(group) if group else None,
    )
    return time.perf_counter() - started


def joins(group: Path) -> Callable[[], None]:
    """What a new process does first."""
    return lambda: (group / "cgroup.procs").write_text(str(os.getpid())) and None


def as_table(found: dict[Situation, dict[str, float]], ways: list[str]) -> str:
    """Markdown: seconds, and the ratios that are aimed at."""
    lines = [f"{time.strftime('%Y-%m-%d')}, {CORES} cores:", ""]
    lines += [f"| | {' | '.join(ways)} |", "|---" * (len(ways) + 1) + "|"]
    for situation, seconds in found.items():
        lines.append(f"| {situation.name} | {' | '.join(f'{s:.1f} s' for s in seconds.values())} |")
    *before, ours, one = ways
    ratios = [f"beside two busy processes {found[TWO][ours] / found[IDLE][ours]:.2f} times idle"]
    if QUOTA in found:
        ratio = found[QUOTA][ours] / found[QUOTA][one]
        ratios.append(f"within the quota {ratio:.2f} times one thread's")
    for name in before:
        ratio = found[IDLE][ours] / found[IDLE][name]
        ratios.append(f"idle {ratio:.2f} times what it was")
    return "\n".join([*lines, "", f"Ours: {'; '.join(ratios)}.", ""])


if __name__ == "__main__":
    main()

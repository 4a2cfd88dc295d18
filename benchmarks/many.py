"""Whether pictures at once pay: `python benchmarks/many.py`.

Whole batches of small pictures, by turns, medians: one worker with one thread, two with one thread
each, one with two; and, where Ray is installed, two nodes of a cluster with a core each. Pictures a
minute without what starting takes, which a batch of one picture tells. Run it on an idle machine.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import PIL.Image

from bench import PHOTOGRAPH

PICTURES, SIZE_PX, ROUNDS = 20, 128, 3
WAYS = (
    ("one worker, one thread", ("--workers", "1", "--threads", "1")),
    ("two workers, one thread each", ("--workers", "2", "--threads", "1")),
    ("one worker, two threads", ("--workers", "1", "--threads", "2")),
)
ON_A_CLUSTER = (  # and the address
    ("two nodes by Ray, one thread each, shared", ("--threads", "1", "--cluster")),
    ("two nodes by Ray, one thread each, sent", ("--threads", "1", "--files", "sent", "--cluster")),
)
NODES = 2
STORE_BYTES = 500 * 2**20  # of objects, on a node


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=int, default=PICTURES, help="of a batch")
    parser.add_argument("--size", type=int, default=SIZE_PX, help="longer side in pixels")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="of each way")
    parser.add_argument("--no-ray", action="store_true", help="without the cluster")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, cluster(asked.no_ray) as address:
        photos = write_photographs(Path(folder), asked.pictures)
        far = [(name, (*words, address)) for name, words in ON_A_CLUSTER if address]
        ways = [*WAYS, *far]
        taken: dict[str, list[float]] = {name: [] for name, _ in ways}
        for _ in range(asked.rounds):
            for name, words in ways:
                several = batch(photos, (*words, "--size", str(asked.size)))
                one = batch(photos[:1], (*words, "--size", str(asked.size)))
                taken[name].append((several - one) / (len(photos) - 1))
    medians = {name: statistics.median(seconds) for name, seconds in taken.items()}
    base = next(iter(medians.values()))
    print("| what | seconds a picture | pictures, of one worker with one thread |\n|---|---|---|")
    for name, seconds in medians.items():
        print(f"| {name} | {seconds:.2f} | {base / seconds:.2f} times |")


@contextmanager
def cluster(without: bool) -> Iterator[str]:
    """The address of a cluster on this machine; '' without one."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    try:
        from ray.cluster_utils import Cluster
    except ImportError:
        without = True
    if without:
        yield ""
        return
    each = {"num_cpus": 1, "object_store_memory": STORE_BYTES, "include_dashboard": False}
    nodes = Cluster(initialize_head=True, head_node_args=each)
    try:
        for _ in range(NODES - 1):
            nodes.add_node(**each)
        nodes.wait_for_nodes()
        yield nodes.address
    finally:
        nodes.shutdown()


def write_photographs(folder: Path, several: int) -> list[Path]:
    """Photographs that differ, of 12 megapixels as cameras make them."""
    paths = []
    photograph = PIL.Image.fromarray(PHOTOGRAPH()).resize((4000, 3000))
    for number in range(several):
        path = folder / f"{number:03}.jpg"
        photograph.rotate(number).save(path)
        paths.append(path)
    return paths


def batch(photos: Sequence[Path], words: Sequence[str]) -> float:
    """Seconds that a whole batch takes."""
    with tempfile.TemporaryDirectory() as out:
        command = [sys.executable, "-m", "impasto", "batch", *map(str, photos)]
        command += ["--style", "charcoal", "-o", out, "-q", *words]
        started_s = time.monotonic()
        subprocess.run(command, check=True, env={**os.environ, "IMPASTO_DEBUG": "1"})
        return time.monotonic() - started_s


if __name__ == "__main__":
    main()

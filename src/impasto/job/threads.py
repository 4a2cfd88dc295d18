"""How many threads a job may use, and how they wait for each other.

A picture's bytes depend on how many threads summed it, and not on how these waited. So a job's
number is fixed and in its recipe, and the waiting follows what else the machine has to do.
"""

from __future__ import annotations

import ctypes
import math
import os
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import TypeVar, cast

import torch

from impasto.errors import ConfigError
from impasto.job import cgroups
from impasto.modes import was_forked

T = TypeVar("T")
OWN_THREADS = Path("/proc/self/task")
NS_PER_S = 1e9
# Two threads on two cores at 192 px: 0.03 alone, 0.65 beside one busy process.
MOST_DELAY = 0.2  # seconds a second that all threads together may wait for a core
LOOK_S = 0.1  # long enough for several of the kernel's time slices
FIRST_SLEEP_S, LONGEST_SLEEP_S = 1.0, 16.0  # then it is tried again: a hundredth of the time
GRAIN = 32_768  # elements of a tensor that PyTorch gives one thread at least


def default() -> int:
    """As many as PyTorch would take (OMP_NUM_THREADS counts), but no more than `allowed`."""
    return min(torch.get_num_threads(), allowed())


def allowed() -> int:
    """How many threads can run at once, by this process's affinity and its container's quota.

    A quota is rounded down: a thread that it stops is one that all others wait for.
    """
    return max(1, math.floor(min([cores(), *quotas()])))


def cores() -> int:
    """How many this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def quotas(root: Path = cgroups.ROOT, own: Path = cgroups.OWN) -> Iterator[float]:
    """Cores' worth of time that each control group of this process has, where there is a limit."""
    for folder in cgroups.folders("cpu", root, own):
        with suppress(OSError, ValueError):  # no such file, or "max": no limit
            quota, period = map(int, (folder / "cpu.max").read_text().split())
            yield quota / period
        with suppress(OSError, ValueError):  # version 1, where -1 is none
            names = ("cpu.cfs_quota_us", "cpu.cfs_period_us")
            quota, period = (int((folder / name).read_text()) for name in names)
            if quota > 0:
                yield quota / period


@contextmanager
def using(count: int) -> Iterator[None]:
    """Let PyTorch use so many threads meanwhile, and then as many as before.

    Raises:
        ConfigError: more than one in a process that was forked: it would wait for ever.
    """
    if count > 1 and was_forked():
        raise ConfigError(
            f"{count} threads in a process that was forked from one that had computed",
            "one thread is all that it can have",
            "set `threads` to 1, or start the process by spawn",
        )
    before = torch.get_num_threads()
    if before == count:
        yield
        return
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


class Waiting:
    """How OpenMP's threads wait for each other: awake, or asleep while others want the cores.

    GNU OpenMP, which PyTorch has on Linux, lets a thread that waits spin 300,000 rounds, some 7 ms,
    and 100 where there are more OpenMP threads than cores (its manual, GOMP_SPINCOUNT). Spinning
    costs least where each thread has a core, and most where it keeps the core from the very
    thread that it waits for. So while threads are kept waiting for cores, some are held that
    do nothing, one more than there are cores. What a user set (OMP_WAIT_POLICY=passive) still
    holds, and nothing in the environment is changed.

    A context, to be entered again and again: it watches, in a thread, from entry to exit.
    """

    def __init__(self, count: int) -> None:
        # The first thread of a team is Python's and not counted: this makes one more than cores.
        self.idlers = max(2, cores() - count + 2)
        self.delay_s = self.seen_s = 0.0
        self.sleep_s, self.until_s = FIRST_SLEEP_S, -math.inf
        self.done = threading.Event()

    def __enter__(self) -> None:
        self.done = threading.Event()
        self.watcher = threading.Thread(target=self._watch, args=(self.done,), daemon=True)
        self.watcher.start()

    def __exit__(self, *_: object) -> None:
        self.done.set()
        self.watcher.join()

    def _watch(self, done: threading.Event) -> None:
        while not done.is_set():
            left_s = self.until_s - time.monotonic()
            if left_s > 0:
                with held(self.idlers):
                    done.wait(left_s)
            else:
                self._look(done)

    def _look(self, done: threading.Event) -> None:
        """See how the threads fare that are awake while they wait, and decide."""
        started_s, before = time.monotonic(), delays()
        done.wait(LOOK_S)
        after = delays()
        self.seen_s += time.monotonic() - started_s  # encloses what is counted
        self.delay_s += sum(ns - before.get(thread, 0) for thread, ns in after.items()) / NS_PER_S
        if self.seen_s < LOOK_S:
            return
        if self.delay_s > MOST_DELAY * self.seen_s:
            self.until_s = time.monotonic() + self.sleep_s
            self.sleep_s = min(2 * self.sleep_s, LONGEST_SLEEP_S)
        else:
            self.sleep_s = FIRST_SLEEP_S
        self.delay_s = self.seen_s = 0.0


def delays(threads: Path = OWN_THREADS) -> Mapping[str, int]:
    """Nanoseconds that each of this process's threads was kept waiting for a core; Linux alone."""
    found = {}
    with suppress(OSError):
        for thread in threads.iterdir():
            with suppress(OSError, ValueError):  # it has ended, or nothing is counted here
                _, waited, _ = (thread / "schedstat").read_text().split()
                found[thread.name] = int(waited)
    return found


@contextmanager
def held(count: int) -> Iterator[None]:
    """Meanwhile OpenMP has a second team, of so many threads, all asleep."""
    ready, over = threading.Event(), threading.Event()
    first = threading.Thread(target=_idle, args=(count, ready, over), daemon=True)
    first.start()
    ready.wait()
    try:
        yield
    finally:
        over.set()
        first.join()  # OpenMP ends a team with its first thread


def _idle(count: int, ready: threading.Event, over: threading.Event) -> None:
    try:
        with suppress(OSError, AttributeError):  # a PyTorch without OpenMP
            torch.get_num_threads()  # sets this thread's number, which the next line changes
            ctypes.CDLL(torch._C.__file__).omp_set_num_threads(count)  # this thread's alone
            torch.ones(
                count * GRAIN, dtype=torch.float32, device="cpu"
            )  # work for all of them, once
    finally:
        ready.set()
    over.wait()


def paced(steps: Iterator[T], count: int) -> Iterator[T]:
    """The items, each computed with so many threads; between them all is as it was before."""
    waiting = Waiting(count) if count > 1 else nullcontext()
    ended = object()
    while True:
        with using(count), waiting:
            step = next(steps, ended)
        if step is ended:
            return
        yield cast(T, step)

"""How much memory a device has left for the work, and how a process of ours holds it.

A container's limit counts.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import torch

from impasto.job import cgroups

SAFE_SHARE = 0.9  # of what is free, that work may be planned with: other programs want some too

# glibc's mallopt parameters, from its malloc.h.
M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_THRESHOLD, M_MMAP_MAX = -1, -2, -3, -4
NEVER_BYTES = 2**31 - 1
TOP_PAD_BYTES = 2**20


def free_bytes(device: torch.device) -> int:
    """What this process could still take on a device without pushing anything out.

    On a GPU what PyTorch keeps and does not use counts as free. MPS shares the machine's memory.
    """
    if device.type == "cuda":
        free: int = torch.cuda.mem_get_info(device)[0]
        free += torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return free
    available: int = psutil.virtual_memory().available
    return min([available, *container_bytes()])


def total_bytes() -> int:
    """What the machine has."""
    return int(psutil.virtual_memory().total)


def used_bytes(device: torch.device) -> int:
    """What this process holds of a device's memory."""
    if device.type == "cuda":
        return int(torch.cuda.memory_allocated(device))
    return int(psutil.Process().memory_info().rss)


def container_bytes(root: Path = cgroups.ROOT, own: Path = cgroups.OWN) -> Iterator[int]:
    """What each control group that this process is in has left, where one has a limit (Linux).

    Pages of files that were read count as used there, but are given up when memory is wanted.
    """
    for folder in cgroups.folders("memory", root, own):
        yield from _left(folder)


def _left(folder: Path) -> Iterator[int]:
    version_1 = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
    for limit, usage, reclaimable in (
        ("memory.max", "memory.current", "inactive_file"),
        version_1,
    ):
        with suppress(OSError, ValueError):  # no such file, or "max": no limit
            allowed = int((folder / limit).read_text())
            used = int((folder / usage).read_text())
            yield max(0, allowed - used + _statistic(folder, reclaimable))


def _statistic(folder: Path, name: str) -> int:
    with suppress(OSError, ValueError):
        for line in (folder / "memory.stat").read_text().splitlines():
            if line.startswith(f"{name} "):
                return int(line.split()[1])
    return 0


def hold(up_to_bytes: int = NEVER_BYTES) -> None:
    """Let glibc keep freed feature maps, instead of giving each back to the kernel.

    It sets this for the whole process, as only a process that has no other work may.

    Every iteration makes and frees maps of 50 MB and more (at 512 px); by default each comes
    fresh from the kernel, which zeroes it page by page. Measured at 512 px: 1.7 s an iteration
    before, 1.4 s after. Elsewhere than on glibc it does nothing.

    Args:
        up_to_bytes: larger blocks go back at once, and leave no gaps among those that are kept.
    """
    if libc := glibc():
        libc.mallopt(M_TRIM_THRESHOLD, NEVER_BYTES)
        libc.mallopt(M_TOP_PAD, TOP_PAD_BYTES)
        if not libc.mallopt(M_MMAP_THRESHOLD, up_to_bytes):  # glibc before 2.35 takes 32 MB at most
            libc.mallopt(M_MMAP_MAX, 0)


def release() -> None:
    """Give back what glibc holds and nobody uses: gaps that maps of other sizes left behind."""
    if libc := glibc():
        libc.malloc_trim(0)


def glibc() -> ctypes.CDLL | None:
    """The C library, where it is glibc."""
    if not sys.platform.startswith("linux"):
        return None
    try:
        libc = ctypes.CDLL("libc.so.6")
        return libc if libc.mallopt and libc.malloc_trim else None
    except (OSError, AttributeError):  # musl
        return None

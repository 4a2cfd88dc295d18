"""How much memory a device has left for the work, a container's limit included."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import torch

CGROUPS = Path("/sys/fs/cgroup")
OWN_CGROUP = Path("/proc/self/cgroup")


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


def used_bytes(device: torch.device) -> int:
    """What this process holds of a device's memory."""
    if device.type == "cuda":
        return int(torch.cuda.memory_allocated(device))
    return int(psutil.Process().memory_info().rss)


def container_bytes(root: Path = CGROUPS, own: Path = OWN_CGROUP) -> Iterator[int]:
    """What each control group that this process is in has left, where one has a limit (Linux).

    Pages of files that were read count as used there, but are given up when memory is wanted.
    """
    with suppress(OSError):
        for line in own.read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            for folder in _upwards(root, controllers, path):
                yield from _left(folder)


def _upwards(root: Path, controllers: str, path: str) -> list[Path]:
    """The group's folder and those of the groups around it; version 1 has one tree for memory."""
    if controllers and "memory" not in controllers.split(","):
        return []
    root = root / "memory" if controllers else root
    inner = root / path.lstrip("/")
    # In a container its own group is often the root of what can be seen.
    return [inner, *(each for each in inner.parents if root in (each, *each.parents))]


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

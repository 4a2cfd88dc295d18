"""The control groups that this process is in: where Linux says what a container may use."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

ROOT = Path("/sys/fs/cgroup")
OWN = Path("/proc/self/cgroup")


def folders(controller: str, root: Path = ROOT, own: Path = OWN) -> Iterator[Path]:
    """The folder of each group, and of the groups around it; none elsewhere than on Linux.

    Args:
        controller: ``memory`` or ``cpu``; version 1 has a tree for each, version 2 one for all.
        root: where the trees are.
        own: the file that says which groups this process is in.
    """
    with suppress(OSError):
        for line in own.read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            if not controllers:
                yield from _upwards(root, path)
            elif controller in controllers.split(","):
                yield from _upwards(root / controller, path)


def _upwards(root: Path, path: str) -> list[Path]:
    inner = root / path.lstrip("/")
    # In a container its own group is often the root of what can be seen.
    return [inner, *(each for each in inner.parents if root in (each, *each.parents))]

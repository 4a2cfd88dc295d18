"""What can be found wrong before the work, and how many processes pay and fit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import torch

from impasto import pictures
from impasto.batch.orders import Piece
from impasto.batch.slots import Slots
from impasto.errors import ImpastoError
from impasto.job import memory, threads
from impasto.job.casting import Masks
from impasto.job.job import Job
from impasto.job.order import Order
from impasto.job.prepare import prepare

ORIGINAL_PX = 2048  # taken for the longer side of photographs at their own size: nobody has looked
MOST_TRIED = 5  # of a table's paintings, until one is good: the work itself tells of the others
# Held by a process that has a picture ready and waits: Python, PyTorch, weights and the pictures.
# With VGG-16 and a photograph of 12 megapixels it was 500 MB, whether for 128 or 2048 px; VGG-19's
# weights are 20 MB more.
SPARE_BYTES = 550_000_000


def rehearsed(found: Sequence[Piece], threads: int | None, on_measure: Callable[[], None]) -> Job:
    """The jobs of all that does not depend on a photograph, prepared; the largest.

    Each painting, mask and setting is tried with a photograph of our own, so that a slip of the
    hand is told at once, and what the processor is fast at is measured while nothing else runs.

    Args:
        found: pieces of the command line's own paintings.
        threads: that each picture will have; None is as many as there may be.
        on_measure: as in job/prepare.py.

    Raises:
        ImpastoError: of its children the one that fits.
    """
    apart = {(p.row.paintings, p.order.mask, p.order.config): p.order for p in found}
    jobs = [rehearse(order, threads, on_measure) for order in apart.values()]
    return max(jobs, key=lambda job: job.plan.peak_bytes)


def first_good(
    found: Sequence[Piece], threads: int | None, on_measure: Callable[[], None]
) -> Job | None:
    """As ``rehearsed``, of a table's pieces, each of which may fail by itself; None if none is."""
    for piece in found[:MOST_TRIED]:
        with suppress(ImpastoError):
            return rehearse(piece.order, threads, on_measure)
    return None


def rehearse(order: Order, threads: int | None, on_measure: Callable[[], None]) -> Job:
    """An order's job with a photograph of our own; errors as ``prepare``."""
    config = replace(order.config, threads=order.config.threads or threads)
    masks = Masks(order.mask, order.style_masks, order.regions)
    return prepare(stand_in(order), order.paintings, config, masks, on_measure)


def stand_in(order: Order) -> npt.NDArray[np.uint8]:
    """A photograph, uint8 (H, W, 3), that every order takes: of its mask's size, or square."""
    size = order.config.size if isinstance(order.config.size, int) else ORIGINAL_PX
    height, width = size, size
    if order.mask:
        height, width = pictures.load(order.mask, "mask").size
    down, across = np.linspace(0, 255, height), np.linspace(0, 255, width)
    planes = np.broadcast_arrays(down[:, None], across[None, :], 128.0)
    return np.stack(planes, axis=-1).astype(np.uint8)


@dataclass(frozen=True)
class Hands:
    """How many processes there are to be.

    Attributes:
        slots: how many compute at once, and in how many threads each.
        spares: processes that read and write meanwhile.
        wanted: how many were to compute, had there been the memory.
    """

    slots: Slots
    spares: int
    wanted: int


def share(workers: int | None) -> int | None:
    """The threads of each of so many workers; None is as many as a process may have.

    It follows what was asked for, and neither memory nor how many pictures are left: the bytes
    depend on it.
    """
    if workers in (None, 1):
        return None
    return min(threads.default(), max(1, threads.allowed() // workers))


def hands(workers: int | None, job: Job | None, several: int) -> Hands:
    """How many processes pay, and fit the memory.

    Where nothing is asked for it is one: a picture takes every core by itself, and its bytes
    depend on how many that are, so that two workers would not give those of a plain `impasto
    stylize`. Where the number of threads is given, the bytes are settled, and there are as many
    workers as have cores. On a GPU one keeps it busy.

    Args:
        workers: as asked for; None is not.
        job: the largest, as far as is known.
        several: how many pictures there are.
    """
    wanted = workers or default_workers(job)
    each = job.plan.peak_bytes if job else 1
    room = room_bytes(job.device) if job else wanted
    fit = max(1, min(wanted, room // each))
    left = (room - fit * each) // SPARE_BYTES
    spares = max(0, min(fit, several - fit, left))
    return Hands(Slots(min(fit, several), share(workers)), spares, wanted)


def room_bytes(device: torch.device) -> int:
    """What all processes of ours may hold of a device's memory, this one too."""
    return memory.used_bytes(device) + round(memory.SAFE_SHARE * memory.free_bytes(device))


def default_workers(job: Job | None) -> int:
    """How many pay where nothing is asked for."""
    if job is None or job.config.threads is None or job.device.type != "cpu":
        return 1
    return max(1, threads.allowed() // job.threads)

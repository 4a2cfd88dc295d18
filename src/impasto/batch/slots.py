"""In a worker: pictures are read and written while another worker computes.

A batch has more workers than may compute at once. One whose picture is ready waits for its turn,
and gives it on before it writes the result: the network never waits for a file. Slots are locks of
the kernel's, and end with their process.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import torch

from impasto.errors import QueueError
from impasto.files import locked
from impasto.job import memory
from impasto.queue.entry import Entry, write_json
from impasto.queue.picture import picture
from impasto.queue.reporter import Reporter
from impasto.queue.task import FOREIGN, PICTURE, foreign

FILE = "slots.json"  # of the queue's folder
LOCK = ".slot-{}.lock"
POLL_S = 0.02  # a hundredth of what a picture of 128 px takes


@dataclass(frozen=True)
class Slots:
    """How the workers of a queue's folder share the machine.

    Attributes:
        several: how many compute at once.
        threads: that each has, where an order does not say; None is as many as it may have.
    """

    several: int = 1
    threads: int | None = None

    def write(self, folder: Path) -> None:
        """Put it where workers look for it.

        Raises:
            QueueError: it can't be written.
        """
        write_json(folder / FILE, asdict(self))

    @classmethod
    def read(cls, folder: Path) -> Slots:
        """What was written.

        Raises:
            QueueError: it can't be read.
        """
        path = folder / FILE
        try:
            return cls(**json.loads(path.read_bytes()))
        except OSError as error:
            raise QueueError(f"{path}: {error.strerror}") from error
        except FOREIGN as error:
            raise foreign(str(path), error) from error


def picture_in_slot(entry: Entry, reporter: Reporter) -> None:
    """As `picture`, by turns with the other workers; errors likewise."""
    slots = Slots.read(entry.queue)
    if slots.threads:
        torch.set_num_threads(slots.threads)
    slot = partial(in_slot, entry.queue, slots.several, reporter)
    picture(entry, reporter, slot, previews=False)


KINDS = {PICTURE: picture_in_slot}


@contextmanager
def in_slot(folder: Path, several: int, reporter: Reporter) -> Iterator[None]:
    """Wait until fewer than several others compute; while the context lasts, this one does.

    Raises:
        Heard: it is to end before that.
    """
    memory.release()  # what reading took: 20 MB to 190 MB of a photograph of 12 megapixels
    since_s = time.monotonic()
    while True:
        for number in range(several):
            with locked(folder / LOCK.format(number), patience_s=0.0) as free:
                if free:
                    reporter.rested(time.monotonic() - since_s)
                    yield
                    give_back()
                    return
        reporter.heed(stops=False)
        time.sleep(POLL_S)


def give_back() -> None:
    """Leave to the next one what memory nobody uses any more."""
    memory.release()
    if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        torch.cuda.empty_cache()

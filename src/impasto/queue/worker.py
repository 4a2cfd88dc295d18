"""A process that takes jobs in turn.

    python -m impasto.queue.worker FOLDER [MODULE]

It stays warm between jobs, survives each one's failure, and ends when its parent does: its standard
input is at an end then. What it was at waits, with a checkpoint, for the next.
"""

from __future__ import annotations

import faulthandler
import gc
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from importlib import import_module
from pathlib import Path

from impasto.errors import ImpastoError, QueueError, did_you_mean, printable
from impasto.job import checkpoint, memory
from impasto.queue.entry import BELL, TRACEBACK, Entry, ring
from impasto.queue.picture import GIGABYTE, picture
from impasto.queue.reporter import Heard, Reporter, take_up
from impasto.queue.store import Queue
from impasto.queue.task import PICTURE, Status

Kind = Callable[[Entry, Reporter], None]
"""Work: it returns when the job is done, and raises a Heard or an ImpastoError where it is not."""

KINDS: Mapping[str, Kind] = {PICTURE: picture}
MOST_DEATHS = 3  # of workers at one job; another would be the next
POLL_S = 0.1  # how soon an idle worker hears the bell: no person notices
LOOK_S = 5.0  # how soon it looks by itself, for a bell may be lost
CHUNK_BYTES = 1024


def serve(folder: Path, kinds: Mapping[str, Kind], leaving: threading.Event) -> None:
    """Take jobs of a queue's folder in turn until told to leave.

    Raises:
        QueueError: the folder can't be had.
    """
    queue = Queue(folder)
    while not leaving.is_set():
        heard_s = rung_s(folder)
        with queue.next() as entry:
            if entry is not None:
                work_at(entry, kinds, leaving)
        if entry is None:
            wait(folder, heard_s, leaving)


def wait(folder: Path, heard_s: float, leaving: threading.Event) -> None:
    """Until the bell rings again, or for LOOK_S."""
    for _ in range(round(LOOK_S / POLL_S)):
        if leaving.wait(POLL_S) or rung_s(folder) != heard_s:
            return


def rung_s(folder: Path) -> float:
    """When the bell was last rung; 0 is never."""
    with suppress(OSError):
        return (folder / BELL).stat().st_mtime
    return 0.0


def work_at(entry: Entry, kinds: Mapping[str, Kind], leaving: threading.Event) -> None:
    """Do a job that this process has claimed, and write what came of it."""
    reporter = Reporter(entry, leaving.is_set)
    take_up(reporter)
    status, error = outcome(entry, reporter, kinds)
    reporter.end(status, error)
    if status == "done":
        checkpoint.remove(entry.checkpoint_dir)
    if status == "waiting":
        ring(entry.queue)
    gc.collect()
    memory.release()  # the next job is planned with what is free


def outcome(entry: Entry, reporter: Reporter, kinds: Mapping[str, Kind]) -> tuple[Status, str]:
    """Do a job; what came of it, and if it failed, why, in a line."""
    try:
        check_deaths(reporter)
        kind = kind_of(entry, kinds)
        reporter.heed(stops=False)  # what has begun is stopped with what there is of it
        reporter.tell(worker=os.getpid())
        kind(entry, reporter)
    except Heard as heard:
        return heard.status, ""
    except ImpastoError as error:
        return "failed", str(error)
    except Exception as error:
        with suppress(OSError):
            text = traceback.format_exc()
            (entry.folder / TRACEBACK).write_text(text, "utf-8", "backslashreplace")
        return "failed", printable(" ".join(f"{type(error).__name__}: {error}".split()))
    return "done", ""


def check_deaths(reporter: Reporter) -> None:
    """Raise a QueueError where a job has cost too many workers their life."""
    state = reporter.state
    if state.deaths >= MOST_DEATHS:
        planned = state.peak_bytes
        took = f"; it was to take about {planned / GIGABYTE:.1f} GB" if planned else ""
        given = f"the process at work on it was killed {state.deaths} times{took}"
        hint = "most likely memory ran out: try a smaller `size`, or go on when more is free"
        raise QueueError(given, "", hint)


def kind_of(entry: Entry, kinds: Mapping[str, Kind]) -> Kind:
    """What a job's kind means here.

    Raises:
        QueueError: nothing.
    """
    name = entry.task.kind
    if name not in kinds:
        allowed = f"known here: {', '.join(kinds)}"
        raise QueueError(f"a job of the kind {name!r}", allowed, did_you_mean(name, kinds))
    return kinds[name]


def hear_end(leaving: threading.Event) -> None:
    """Wait for the end of standard input: the parent has gone, or lets this process go."""
    with suppress(OSError):  # there is none
        while os.read(0, CHUNK_BYTES):  # not sys.stdin: its lock would hold up the end
            continue
    leaving.set()


def main(words: Sequence[str]) -> None:
    """Serve the folder that is named, with the kinds of a module that may be named after it."""
    faulthandler.enable()
    leaving = threading.Event()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to hear
    signal.signal(signal.SIGTERM, lambda *_: leaving.set())
    threading.Thread(target=hear_end, args=[leaving], daemon=True).start()
    folder, *modules = words
    kinds = dict(KINDS)
    for each in modules:
        kinds |= import_module(each).KINDS
    serve(Path(folder), kinds, leaving)


if __name__ == "__main__":
    main(sys.argv[1:])

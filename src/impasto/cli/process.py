"""What the command line sets for its whole process, as a library must not."""

from __future__ import annotations

import contextlib
import ctypes
import math
import signal
import sys
import time
from types import FrameType
from typing import Any, TextIO

# glibc's mallopt parameters, from its malloc.h.
M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_THRESHOLD, M_MMAP_MAX = -1, -2, -3, -4
NEVER_BYTES = 2**31 - 1
TOP_PAD_BYTES = 2**20


BROKEN, BAD_INPUT, STOPPED = 1, 2, 130  # exit statuses


# Ctrl-C, `kill`, and a terminal that is closed (which Windows does not tell in this way).
STOPS = [signal.SIGINT, signal.SIGTERM, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else [])]
PATIENCE_S = 2.0  # a stop that has led to nothing by then was swallowed: the next one counts again


def ignore_stops() -> None:
    """From here to the end of the process no stop is heard: what is being saved is saved."""
    for each in STOPS:
        signal.signal(each, signal.SIG_IGN)


def hear_stops() -> None:
    """Each kind of stop raises KeyboardInterrupt, once for all that an impatient hand sends."""
    heard_s = -math.inf

    def stop(_signal: int, _frame: FrameType | None) -> None:
        nonlocal heard_s
        if time.monotonic() - heard_s > PATIENCE_S:
            heard_s = time.monotonic()
            raise KeyboardInterrupt

    for each in STOPS:
        if signal.getsignal(each) is not signal.SIG_IGN:  # as nohup asks
            signal.signal(each, stop)


class Stream:
    """A text stream that falls silent when it can no longer be written, so that work goes on."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream

    def write(self, text: str) -> int:
        with contextlib.suppress(OSError):
            self.stream.write(text)
        return len(text)

    def flush(self) -> None:
        with contextlib.suppress(OSError):
            self.stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


def hold_memory(up_to_bytes: int = NEVER_BYTES) -> None:
    """Let glibc keep freed feature maps, instead of giving each back to the kernel.

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


def release_memory() -> None:
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

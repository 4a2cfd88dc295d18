"""What the command line sets for its whole process, as a library must not."""

from __future__ import annotations

import ctypes
import signal
import sys
from types import FrameType

# glibc's mallopt parameters, from its malloc.h.
M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_MAX = -1, -2, -4
NEVER_BYTES = 2**31 - 1
TOP_PAD_BYTES = 64 * 2**20


BROKEN, BAD_INPUT, STOPPED = 1, 2, 130  # exit statuses


STOPS = (signal.SIGINT, signal.SIGTERM)


def ignore_stops() -> None:
    """From here to the end of the process Ctrl-C does nothing: what is being saved is saved."""
    for each in STOPS:
        signal.signal(each, signal.SIG_IGN)


def stop_once() -> None:
    """Ctrl-C and SIGTERM raise KeyboardInterrupt, and impatient ones after the first do nothing."""

    def stop(_signal: int, _frame: FrameType | None) -> None:
        ignore_stops()
        raise KeyboardInterrupt

    for each in STOPS:
        signal.signal(each, stop)


def hold_memory() -> None:
    """Let glibc keep freed feature maps, instead of giving each back to the kernel.

    Every iteration makes and frees maps of 50 MB and more (at 512 px); by default each comes
    fresh from the kernel, which zeroes it page by page. Measured at 512 px: 1.7 s an iteration
    before, 1.4 s after. Elsewhere than on glibc it does nothing.
    """
    if not sys.platform.startswith("linux"):
        return
    try:
        mallopt = ctypes.CDLL("libc.so.6").mallopt
    except (OSError, AttributeError):  # musl
        return
    mallopt(M_MMAP_MAX, 0)
    mallopt(M_TRIM_THRESHOLD, NEVER_BYTES)
    mallopt(M_TOP_PAD, TOP_PAD_BYTES)

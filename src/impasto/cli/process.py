"""What the command line sets for its whole process, as a library must not."""

from __future__ import annotations

import contextlib
import io
import math
import os
import signal
import sys
import time
from collections.abc import Callable
from types import FrameType
from typing import Any, TextIO, cast

BROKEN, BAD_INPUT, STOPPED = 1, 2, 130  # exit statuses


# Ctrl-C, `kill`, and a terminal that is closed (which Windows does not tell in this way).
STOPS = [signal.SIGINT, signal.SIGTERM, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else [])]
PATIENCE_S = 2.0  # a stop that has led to nothing by then was swallowed: the next one counts again


def ignore_stops() -> None:
    """From here to the end of the process no stop is heard: what is being saved is saved."""
    for each in STOPS:
        signal.signal(each, signal.SIG_IGN)


def hear_stops(on_stop: Callable[[], None] | None = None) -> None:
    """Each kind of stop raises KeyboardInterrupt, once for all that an impatient hand sends.

    Args:
        on_stop: called before that, to say what will take its time.
    """
    heard_s = -math.inf

    def stop(_signal: int, _frame: FrameType | None) -> None:
        nonlocal heard_s
        if time.monotonic() - heard_s > PATIENCE_S:
            heard_s = time.monotonic()
            if on_stop:
                on_stop()
            raise KeyboardInterrupt

    for each in STOPS:
        if signal.getsignal(each) is not signal.SIG_IGN:  # as nohup asks
            signal.signal(each, stop)


def is_terminal(stream: TextIO) -> bool:
    """Whether somebody sees it as it is written; one that is closed is no terminal."""
    try:
        return stream.isatty()
    except (OSError, ValueError, AttributeError):
        return False


def coloured(stream: TextIO) -> bool:
    """Whether words on it may have colours: a terminal that can, whose owner wants them."""
    can = is_terminal(stream) and os.environ.get("TERM") not in ("dumb", "unknown")
    return can and not os.environ.get("NO_COLOR")


def speak_anything() -> None:
    """Let both streams print every character: one that their encoding lacks as its escape.

    Names of files come in all languages, and what is only said must not end what is done.
    """
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError, OSError, ValueError):  # none, another's, closed
            cast(io.TextIOWrapper, stream).reconfigure(errors="backslashreplace")


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

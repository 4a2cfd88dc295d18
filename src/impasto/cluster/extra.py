"""The package of the extra `cluster`, or one line that says how to get it; and how it is quiet."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from types import ModuleType

from impasto.errors import ClusterError

INSTALL = "install cluster support: pip install 'impasto[cluster]'"
# For Ray's processes and threads, before it is imported; what a user has set counts.
QUIET: Mapping[str, str] = {
    "RAY_USAGE_STATS_ENABLED": "0",  # nothing is sent to anybody
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "1",  # as ever; left out, Ray warns that it will change
    "RAY_TQDM": "0",
}
ERRORS = 2  # the file descriptor of standard error
ABOVE_ALL = logging.CRITICAL + 1


def ray_module() -> ModuleType:
    """Ray, whose loggers say nothing.

    Raises:
        ClusterError: it is not installed.
    """
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    try:
        import ray
    except ImportError as error:
        raise ClusterError("a cluster needs Ray", "", INSTALL) from error
    logging.getLogger("ray").setLevel(ABOVE_ALL)
    # What a raylet has to say of a death, whatever is asked of `ray.init`; no setting is for it.
    with suppress(AttributeError):
        ray._private.worker._worker_logs_enabled = False
    return ray


@contextmanager
def silence() -> Iterator[None]:
    """Meanwhile nothing comes to standard error, from Ray's C++ either."""
    try:
        kept, nowhere = os.dup(ERRORS), os.open(os.devnull, os.O_WRONLY)
    except OSError:  # there is no standard error
        yield
        return
    try:
        os.dup2(nowhere, ERRORS)
        yield
    finally:
        with suppress(OSError):
            os.dup2(kept, ERRORS)
        os.close(kept)
        os.close(nowhere)

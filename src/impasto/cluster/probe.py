"""A process of its own that tries an address.

    python -m impasto.cluster.probe ADDRESS

At a bad address Ray waits for minutes, writes to standard error what it pleases, and may end its
process. So a process tries it first, whose time is limited and whose words go nowhere but here: it
prints JSON, the cluster's address or what went wrong.
"""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from impasto.cluster.extra import ABOVE_ALL, INSTALL, ray_module
from impasto.errors import ClusterError

AUTO = "auto"
ADDRESS = re.compile(r"(?P<host>[^\s:/]+|\[[0-9a-fA-F:.]+\]):(?P<port>\d{1,5})")
CLIENT = "ray://"  # of another protocol, whose driver is elsewhere
WANTED = "auto, or HOST:PORT as `ray start` has told it on the head node"
START = "`ray start` begins a cluster and tells its address: see docs/many.md"
HELLO_S = 5.0  # until a machine has taken a connection: one on another continent takes 0.3 s
# Until Ray has joined a cluster: 0.8 s here, and while two cores were busy with others 4 s.
JOIN_S = 30.0
JOIN = "run the command on a machine of the cluster: `ray start` makes this one a part of it"
# Ray's words for another version, as of 2.60: of the cluster first, then of this process.
VERSIONS = re.compile(r"Ray: (\S+)\s+Python: (\S+)")


def probed(address: str) -> str:
    """The address of a cluster that can be joined.

    Args:
        address: as a person gives it.

    Raises:
        ClusterError: there is none at it, or it is of another version.
    """
    check_address(address)
    if address != AUTO:
        knock(address)
    ray = ray_module()  # so that its absence is told as such
    if address == AUTO and (known := remembered(ray)):
        try:
            knock(known)  # one that has ended is remembered all the same
        except ClusterError as error:
            raise none_here() from error
    command = [sys.executable, "-m", __name__, address]
    try:
        done = subprocess.run(command, capture_output=True, timeout=JOIN_S, check=False)
        told = json.loads(done.stdout.splitlines()[-1])
    except subprocess.TimeoutExpired as error:
        given = f"`cluster` {address}: no Ray has answered in {JOIN_S:.0f} s"
        raise ClusterError(given, WANTED, "see `ray status` there") from error
    except (ValueError, IndexError) as error:  # it died of it
        raise ClusterError(f"`cluster` {address}: Ray can't join it", WANTED) from error
    if "address" in told:
        return str(told["address"])
    raise trouble(address, told)


def check_address(address: str) -> None:
    """Raise a ClusterError where it is no address."""
    if address == AUTO:
        return
    if address.startswith(CLIENT):
        raise ClusterError(f"`cluster` {address}: a client's address", WANTED, JOIN)
    match = ADDRESS.fullmatch(address)
    if not match or not 0 < int(match["port"]) < 2**16:
        raise ClusterError(f"`cluster` {address!r}", WANTED)


def knock(address: str) -> None:
    """Raise a ClusterError where nobody takes a connection."""
    match = ADDRESS.fullmatch(address)
    assert match is not None, "it was checked"
    try:
        socket.create_connection((match["host"].strip("[]"), int(match["port"])), HELLO_S).close()
    except (OSError, UnicodeError) as error:
        why = "no answer" if isinstance(error, TimeoutError) else error
        why = getattr(error, "strerror", None) or why
        given = f"`cluster` {address}: nobody answers there ({why})"
        raise ClusterError(given, "", START) from error


def remembered(ray: Any) -> str:
    """The address that ``auto`` would be, as far as can be known; '' where it can't."""
    with suppress(Exception):  # a part of Ray's that it does not promise to keep
        known = os.environ.get("RAY_ADDRESS") or ray._private.utils.read_ray_address()
        return known if ADDRESS.fullmatch(known) else ""
    return ""


def none_here() -> ClusterError:
    """That ``auto`` is nothing."""
    given = "`cluster` auto: no cluster is running on this machine"
    return ClusterError(given, "", f"{START}; or give HOST:PORT")


def trouble(address: str, told: Mapping[str, str]) -> ClusterError:
    """What Ray said, as a line of ours."""
    words = told.get("words", "")
    if told.get("error") == "ImportError":
        return ClusterError("a cluster needs Ray", "", INSTALL)
    if "Version mismatch" in words and len(found := VERSIONS.findall(words)) > 1:
        (ray, python), (own_ray, own_python) = found[:2]
        given = f"`cluster` {address} has Ray {ray} in Python {python}"
        return ClusterError(given, f"here: Ray {own_ray} in Python {own_python}", "use the same")
    if address == AUTO and told.get("error") == "ConnectionError":
        return none_here()
    first = words.strip().splitlines()[0] if words.strip() else told.get("error", "")
    given = f"`cluster` {address}: Ray can't join it ({first})"
    return ClusterError(given, "", JOIN)


def main(address: str) -> None:
    """Try it, and print what came of it."""
    try:
        ray = ray_module()
        ray.init(address=address, log_to_driver=False, logging_level=ABOVE_ALL)
        told = {"address": ray.get_runtime_context().gcs_address}
    except Exception as error:
        told = {"error": type(error).__name__, "words": str(error)}
    print(json.dumps(told), flush=True)
    with suppress(Exception):
        ray.shutdown()


if __name__ == "__main__":
    main(sys.argv[1])

"""What has to be the same on every machine, since bytes depend on it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache

from impasto.errors import ClusterError

HASH_DIGITS = 8  # hexadecimal: nobody makes up another impasto that has the same
# Of PyTorch the version without its build, such as +cpu: a head
# node may have another than nodes with GPUs.
PACKAGES = ("impasto", "torch", "numpy", "pillow")
PUBLIC = ("torch",)


def check(node: str, there: Mapping[str, str], here: Mapping[str, str]) -> None:
    """Make sure that a node has what this machine has.

    Args:
        node: its name.
        there: what it has, as `versions` has it.
        here: likewise.

    Raises:
        ClusterError: something is another there, or is not there.
    """
    for name, own in here.items():
        if there.get(name) != own:
            given = f"node {node} has {name} {there.get(name) or 'not at all'}"
            hint = "install the same on all nodes, and start Ray there again"
            raise ClusterError(given, f"here it is {own}", hint)


@cache
def versions() -> Mapping[str, str]:
    """Those of this machine, by what people call them."""
    return asking()()


@cache
def asking() -> Callable[[], dict[str, str]]:
    """A function that tells the versions of the machine that it is called on.

    It goes there by its code and not by its name, for there may be no impasto there, or another.
    """
    packages, public, digits = PACKAGES, PUBLIC, HASH_DIGITS

    def told() -> dict[str, str]:
        import hashlib
        import platform
        from importlib import metadata, util
        from pathlib import Path

        found = {"Python": platform.python_version()}
        for name in packages:
            try:
                whole = metadata.version(name)
                found[name] = whole.partition("+")[0] if name in public else whole
            except metadata.PackageNotFoundError:
                found[name] = ""
        spec = util.find_spec("impasto")
        digest = hashlib.sha256()
        for place in spec.submodule_search_locations or () if spec else ():
            for path in sorted(Path(place).rglob("*.py")):
                digest.update(path.relative_to(place).as_posix().encode() + path.read_bytes())
        if found["impasto"]:
            found["impasto"] += f" ({digest.hexdigest()[:digits]})"
        return found

    return told

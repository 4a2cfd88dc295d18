"""Test the lowest versions that pyproject.toml allows, in a virtual environment of their own.

Every dependency's floor is installed, the extras' `heif` and `video` included, and a selection of
the tests runs with them. What pytest needs comes in the versions of constraints.txt, and so does
torch, whose old versions are several GB. Only wheels are installed, so that a floor is also a
version which the oldest Python needs no compiler for.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
import tomllib
import venv
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).parents[1]
EXTRAS = ("heif", "video", "cluster")
RUNNERS = ("pytest", "hypothesis")  # what runs the tests: as in constraints.txt
PINNED = ("torch",)
# The command line and its help, pictures in and out, weights' formats, films, pages, measures.
TESTS = (
    "test_cli.py",
    "test_image_reading.py",
    "test_image_writing.py",
    "test_weights.py",
    "test_timeline.py",
    "test_cluster.py",
    "test_metrics.py",
    "test_color.py",
    "test_masks.py",
    "test_memory.py",
)
FLOOR = re.compile(r"([\w.-]+)>=([\w.]+)")


def floors(project: Mapping[str, object]) -> dict[str, str]:
    """By package, the lowest version that pyproject.toml's project table allows.

    Raises:
        SystemExit: a requirement that is not NAME>=VERSION.
    """
    extras = project["optional-dependencies"]
    wanted = [*project["dependencies"], *(each for name in EXTRAS for each in extras[name])]
    found = {requirement: FLOOR.fullmatch(requirement) for requirement in wanted}
    strange = [requirement for requirement, match in found.items() if not match]
    if strange:
        sys.exit(f"{strange[0]}: in pyproject.toml, NAME>=VERSION is wanted")
    return {match[1]: match[2] for match in found.values() if match}


def pins(text: str) -> dict[str, str]:
    """By package, its version in a constraints file."""
    return dict(re.findall(r"^([\w.-]+)==(\S+)$", text, re.MULTILINE))


def requirements() -> list[str]:
    """What is installed beside impasto: NAME==VERSION."""
    low = floors(tomllib.loads((ROOT / "pyproject.toml").read_text())["project"])
    tested = pins((ROOT / "constraints.txt").read_text())
    chosen = low | {name: tested[name] for name in (*PINNED, *RUNNERS)}
    return [f"{name}=={version}" for name, version in chosen.items()]


def main() -> None:
    """Test in a temporary environment, or in one that is kept."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--venv", type=Path, help="keep the environment in this folder")
    parser.add_argument("--list", action="store_true", help="print the versions, install nothing")
    arguments = parser.parse_args()
    if arguments.list:
        print("\n".join(requirements()))
        return
    with tempfile.TemporaryDirectory(prefix="impasto-lowest-") as temporary:
        sys.exit(test_in(arguments.venv or Path(temporary)))


def test_in(folder: Path) -> int:
    """Install all in a virtual environment and run the tests there; pytest's exit status."""
    venv.create(folder, with_pip=True, clear=True)
    python = folder / ("Scripts" if os.name == "nt" else "bin") / "python"
    install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*install, "--only-binary", ":all:", *requirements()], check=True)
    subprocess.run([*install, "--no-deps", ROOT], check=True)
    tests = [ROOT / "tests" / name for name in TESTS]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    command = [python, "-m", "pytest", "-p", "no:cacheprovider", *tests]
    return subprocess.run(command, cwd=ROOT, env=environment).returncode


if __name__ == "__main__":
    main()

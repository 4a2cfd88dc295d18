"""The lowest versions that pyproject.toml allows, and what the Makefile installs of it."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib

import pytest

from conftest import ROOT, load_tool

lowest = load_tool("lowest")


def test_every_floor_is_named_and_no_higher_than_what_is_tested():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    tested = {
        name.lower().replace("_", "-"): version
        for name, version in lowest.pins((ROOT / "constraints.txt").read_text()).items()
    }
    floors = lowest.floors(project)
    assert {"torch", "typer", "tifffile", "pillow-heif"} <= set(floors)
    for name, floor in floors.items():
        if name != "pillow-heif":  # an extra that the tests go without
            assert numbers(floor) <= numbers(tested[name]), name


def numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version))


@pytest.mark.parametrize("wanted", ["typer", "typer==0.16", "typer>=0.16,<1"])
def test_a_requirement_without_a_plain_floor_is_refused(wanted):
    with pytest.raises(SystemExit, match=re.escape(f"{wanted}: ")):
        lowest.floors(
            {
                "dependencies": [wanted],
                "optional-dependencies": {each: [] for each in lowest.EXTRAS},
            }
        )


def test_the_lowest_versions_are_listed_with_what_runs_the_tests():
    command = [sys.executable, ROOT / "tools" / "lowest.py", "--list"]
    listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    tested = lowest.pins((ROOT / "constraints.txt").read_text())
    assert f"torch=={tested['torch']}" in listed
    assert f"pytest=={tested['pytest']}" in listed
    assert "typer==0.16" in listed
    assert all((ROOT / "tests" / name).is_file() for name in lowest.TESTS)


@pytest.mark.parametrize(("target", "developers"), [("demo", False), ("test", True)])
def test_only_developers_get_what_developers_need(target, developers):
    with_make = ["make", "--dry-run", "--always-make", target]
    plan = subprocess.run(with_make, capture_output=True, text=True, check=True, cwd=ROOT).stdout
    assert "install -c constraints.txt -e ." in plan
    assert ("[dev]" in plan) is developers

"""Laws of the memory that is left: a container's limit counts, whichever kind it is."""

from __future__ import annotations

import subprocess
import sys

import psutil
import torch

from impasto.job import memory
from impasto.job.memory import container_bytes, free_bytes

CPU = torch.device("cpu")


def tree(root, files):
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(str(text))


def test_a_limit_of_version_2_counts_what_is_used_but_for_files_read(tmp_path):
    stat = "anon 1\ninactive_file 300\nactive_file 5"
    group = {"memory.max": 5000, "memory.current": 2000, "memory.stat": stat}
    tree(tmp_path, {"own": "0::/a/b\n", **{f"a/b/{name}": text for name, text in group.items()}})
    assert list(container_bytes(tmp_path, tmp_path / "own")) == [3300]


def test_limits_of_the_groups_around_count_too_and_max_is_none(tmp_path):
    tree(tmp_path, {"own": "0::/a/b\n", "a/b/memory.max": "max", "a/b/memory.current": 10})
    tree(tmp_path, {"a/memory.max": 700, "a/memory.current": 100})
    assert list(container_bytes(tmp_path, tmp_path / "own")) == [600]


def test_a_limit_of_version_1_counts(tmp_path):
    own = "5:cpu,cpuacct:/x\n4:memory:/docker/1\n0::/\n"
    tree(tmp_path, {"own": own, "cpu/x/memory.max": 1, "cpu/x/memory.current": 0})
    tree(tmp_path, {"memory/docker/1/memory.limit_in_bytes": 900})
    tree(tmp_path, {"memory/docker/1/memory.usage_in_bytes": 1000})
    assert list(container_bytes(tmp_path, tmp_path / "own")) == [0]


def test_in_a_container_that_sees_its_own_group_as_the_root_that_counts(tmp_path):
    tree(tmp_path, {"own": "0::/docker/1\n", "memory.max": 800, "memory.current": 100})
    assert list(container_bytes(tmp_path, tmp_path / "own")) == [700]


def test_where_there_are_no_groups_there_is_no_limit(tmp_path):
    assert list(container_bytes(tmp_path, tmp_path / "own")) == []


def test_what_is_free_is_the_least_of_the_machine_and_the_container(monkeypatch):
    monkeypatch.setattr(memory, "container_bytes", lambda: iter([10**15]))
    assert 0 < free_bytes(CPU) <= psutil.virtual_memory().total
    monkeypatch.setattr(memory, "container_bytes", lambda: iter([10**15, 5]))
    assert free_bytes(CPU) == 5


GROWTH = """
import torch
from impasto.job.memory import used_bytes
cpu = torch.device("cpu")
before = used_bytes(cpu)
held = torch.ones(40_000_000)
print((used_bytes(cpu) - before) / (held.numel() * held.element_size()))
"""


def test_what_is_used_grows_with_what_is_allocated():
    """In a process of its own: one that has freed memory takes it from there."""
    done = subprocess.run(
        [sys.executable, "-c", GROWTH], capture_output=True, text=True, check=True
    )
    assert float(done.stdout) > 0.9

"""Laws of files: whole or not there, a name that fits, a lock that ends with its process."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from impasto import files

CHINESE = "画" * 82  # 246 bytes


@pytest.mark.parametrize("name", ["EINVAL", "ENOTSUP", "EOPNOTSUPP", "ENOSYS"])
def test_a_drive_that_knows_no_fsync_keeps_what_is_written(tmp_path, monkeypatch, name):
    def unknown(_):
        raise OSError(getattr(errno, name), "no fsync")

    monkeypatch.setattr(os, "fsync", unknown)
    files.write_atomically(tmp_path / "a", b"all of it")
    assert (tmp_path / "a").read_bytes() == b"all of it"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


@pytest.mark.parametrize("name", ["EIO", "ENOSPC", "EDQUOT"])
def test_a_loss_that_fsync_tells_leaves_the_file_as_it_was(tmp_path, monkeypatch, name):
    def lost(_):
        raise OSError(getattr(errno, name), "lost")

    (tmp_path / "a").write_bytes(b"before")
    monkeypatch.setattr(os, "fsync", lost)
    with pytest.raises(OSError, match="lost"):
        files.write_atomically(tmp_path / "a", b"after")
    assert (tmp_path / "a").read_bytes() == b"before"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_a_name_is_cut_at_a_character_to_what_the_file_system_takes(tmp_path):
    path = tmp_path / f"{CHINESE}.png-checkpoint"
    fits = files.fitting(path, "-checkpoint")
    assert fits.name.startswith("画" * 70)
    assert fits.name.endswith("-checkpoint")
    assert 252 < len(os.fsencode(fits.name)) <= 255
    fits.touch()  # the file system takes it, and no byte more than the limit
    with pytest.raises(OSError, match="too long"):
        (tmp_path / ("a" * (files.longest_name(tmp_path) + 1))).touch()
    assert files.fitting(path, "-checkpoint") == fits
    assert files.fitting(tmp_path / f"{CHINESE}.jpg-checkpoint", "-checkpoint") != fits
    assert files.fitting(fits, "-checkpoint") == fits


def test_names_that_fit_stay_and_a_file_systems_own_limit_counts(tmp_path, monkeypatch):
    path = tmp_path / "new" / ("a" * 200 + ".png")
    assert files.fitting(path, ".png") == path
    monkeypatch.setattr(os, "pathconf", lambda *_: 143)  # eCryptfs's
    assert len(files.fitting(path, ".png").name) == 143
    monkeypatch.delattr(os, "pathconf")  # Windows
    assert files.fitting(path, ".png") == path


HOLD = """
import sys
from filelock import FileLock
with FileLock(sys.argv[1]):
    print(flush=True)
    sys.stdin.readline()
"""


def holder(path):
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    process = subprocess.Popen([sys.executable, "-c", HOLD, path], text=True, **pipes)
    assert process.stdout.readline() == "\n"
    return process


def test_a_lock_is_one_process_alone_and_is_waited_for(tmp_path):
    lock, waits = tmp_path / "lock", []
    other = holder(lock)
    with files.locked(lock) as free:
        assert not free
    with files.locked(lock, lambda: waits.append(other.communicate("\n"))) as free:
        assert free
        assert waits
        with files.locked(lock) as twice:
            assert not twice
    assert not lock.exists()


def test_a_killed_process_holds_nothing(tmp_path):
    other = holder(tmp_path / "lock")
    other.kill()
    other.wait()
    other.stdin.close()
    other.stdout.close()
    assert (tmp_path / "lock").exists()
    with files.locked(tmp_path / "lock") as free:
        assert free


def test_a_lock_may_be_given_back_by_another_thread(tmp_path):
    held = files.locked(tmp_path / "lock")
    assert held.__enter__()
    with files.locked(tmp_path / "lock", patience_s=0.0) as free:
        assert not free
    giving = threading.Thread(target=held.__exit__, args=[None] * 3)
    giving.start()
    giving.join()
    with files.locked(tmp_path / "lock", patience_s=0.0) as free:
        assert free


@pytest.mark.parametrize("name", ["ENOSYS", "EOPNOTSUPP", "ENOLCK"])
def test_where_the_file_system_has_no_locks_the_work_goes_on(tmp_path, monkeypatch, name):
    fcntl = pytest.importorskip("fcntl")

    def none(*_):
        raise OSError(getattr(errno, name), "no locks")

    monkeypatch.setattr(fcntl, "flock", none)
    with files.locked(tmp_path / "lock") as free:
        assert free
    with files.locked(Path("/nowhere/lock")) as free:
        assert free

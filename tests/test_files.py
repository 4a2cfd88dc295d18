"""Laws of files: whole or not there."""

from __future__ import annotations

import errno
import os

import pytest

from impasto import files

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

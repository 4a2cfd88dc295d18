"""Laws of the checkpoint's file: whole or not there, and exact or refused."""

from __future__ import annotations

import errno
import os
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from impasto.errors import CheckpointError
from impasto.job import checkpoint
from impasto.job.checkpoint import FILE, TEMPORARY, Checkpoint, Checkpointer
from impasto.job.recipe import Inputs, Network, Recipe, Source
from impasto.network import weights
from impasto.transfer.optimize import Step

RECIPE = Recipe(
    settings={"size": 64, "strength": 0.5, "style_layers": [["relu1_1", 1.0], ["relu2_1", 3.0]]},
    size=(64, 48),
    inputs=Inputs(photograph=Source("a.png", "0" * 64)),
    network=Network("vgg16", "embedded", "1" * 64),
    device="cpu",
    precision="float32",
    winograd={64: 24, 256: 96},
    threads=2,
    versions={"torch": "2"},
)


def step(iteration=3):
    generator = torch.Generator().manual_seed(iteration)
    x, gradient, s, y = torch.rand(4, 1, 3, 2, 3, generator=generator)
    losses = {"style b": 0.1 + 0.2, "content a": 1 / 3, "tv": 5e-324}
    state = {
        "point.x": x,
        "point.gradient": gradient,
        "point.loss": 1e300 / 3,
        "point.losses": losses,
        "s0": s,
        "y0": y.double(),
        "pairs": 1,
        "converged": False,
    }
    note = "half a character \ud800"
    return Step(iteration, 9, (2, 3), 1e300 / 3, losses, note, pixels=x, state=state)


def example(folder, iteration=3):
    history = [replace(step(), iteration=number).row() for number in range(1, iteration + 1)]
    return Checkpoint(folder, RECIPE, step(iteration), history, {"photo": "/a \ud800.png"})


def same(one, other):
    """All of it equal, floats and orders to the bit."""
    parts = [
        repr((c.recipe, c.history, c.command, c.step.note, c.step.scale, dict(c.step.losses)))
        for c in (one, other)
    ]
    states = [c.step.state for c in (one, other)]
    return (
        parts[0] == parts[1]
        and one.step == other.step
        and torch.equal(one.step.pixels, other.step.pixels)
        and states[0].keys() == states[1].keys()
        and all(
            torch.equal(value, states[1][name]) and value.dtype == states[1][name].dtype
            if torch.is_tensor(value)
            else repr(value) == repr(states[1][name])
            for name, value in states[0].items()
        )
    )


def places(length):
    """All at both ends, and every fifth between, which comes by each part of the file."""
    return sorted({*range(64), *range(64, length, 5), *range(length - 64, length)})


def one_line(caught, *words):
    text = str(caught.value)
    assert "\n" not in text
    assert all(word in text for word in words), text


def test_what_is_written_is_read_and_the_same_gives_the_same_bytes(tmp_path):
    there = example(tmp_path / "new")
    checkpoint.write(there)
    before = (tmp_path / "new" / FILE).read_bytes()
    assert same(checkpoint.read(tmp_path / "new"), there)
    checkpoint.write(checkpoint.read(tmp_path / "new"))
    assert (tmp_path / "new" / FILE).read_bytes() == before
    assert not same(there, example(tmp_path, 4))


def test_however_much_of_it_is_missing_it_is_refused(tmp_path):
    whole = b"".join(checkpoint.to_parts(example(tmp_path)))
    for length in places(len(whole)):
        (tmp_path / FILE).write_bytes(whole[:length])
        with pytest.raises(CheckpointError) as caught:
            checkpoint.read(tmp_path)
        one_line(caught, FILE, "damaged", "do not resume")


def test_whichever_byte_is_wrong_it_is_refused_or_says_the_same(tmp_path):
    """What may change is the padding behind the header, which says nothing."""
    there = example(tmp_path)
    whole, unharmed = b"".join(checkpoint.to_parts(there)), 0
    for place in places(len(whole)):
        damaged = bytearray(whole)
        damaged[place] ^= 1 << place % 8
        (tmp_path / FILE).write_bytes(damaged)
        told = ""
        try:
            assert same(checkpoint.read(tmp_path), there)
            unharmed += 1
        except CheckpointError as error:
            told = str(error)
        assert ("damaged" in told) == bool(told)
        assert "\n" not in told
    assert unharmed < 8


def test_more_than_there_was_and_what_is_none_are_refused(tmp_path):
    whole = b"".join(checkpoint.to_parts(example(tmp_path)))
    others = [whole + b"\0", b"", b"{}", whole[8:], weights.embedded_path().read_bytes()]
    for other in others:
        (tmp_path / FILE).write_bytes(other)
        with pytest.raises(CheckpointError) as caught:
            checkpoint.read(tmp_path)
        one_line(caught, FILE, "damaged, or none")


def test_where_there_is_no_checkpoint_the_line_says_what_is_wanted(tmp_path):
    for folder in (tmp_path, tmp_path / "no", tmp_path / "a\0b"):
        with pytest.raises(CheckpointError) as caught:
            checkpoint.read(folder)
        one_line(caught, "there is no checkpoint in it")
    (tmp_path / FILE).mkdir()
    with pytest.raises(CheckpointError) as caught:
        checkpoint.read(tmp_path)
    one_line(caught, FILE)


def written_by_another(tmp_path, monkeypatch, part):
    with monkeypatch.context() as older:
        older.setattr(checkpoint, "made_by", lambda made=checkpoint.made_by: {**made(), part: "0"})
        checkpoint.write(example(tmp_path))


def test_another_format_is_refused_and_named(tmp_path, monkeypatch):
    written_by_another(tmp_path, monkeypatch, "checkpoint format")
    with pytest.raises(CheckpointError) as caught:
        checkpoint.read(tmp_path)
    one_line(caught, f"checkpoint format was 0, here it is {checkpoint.FORMAT}", "do not resume")


@pytest.mark.parametrize("part", ["impasto", "torch"])
def test_what_another_version_wrote_is_read_or_else_the_version_named(tmp_path, monkeypatch, part):
    written_by_another(tmp_path, monkeypatch, part)
    assert same(checkpoint.read(tmp_path), example(tmp_path))
    monkeypatch.setattr(checkpoint.Point, "restored", lambda _: {}["a part it had not"])
    with pytest.raises(CheckpointError) as caught:
        checkpoint.read(tmp_path)
    one_line(caught, f"{part} was 0, here it is {checkpoint.made_by()[part]}", "do not resume")


def test_what_the_front_end_wrote_is_read_alone_and_nothing_of_a_damaged_file(tmp_path):
    checkpoint.write(example(tmp_path))
    assert checkpoint.command_in(tmp_path) == {"photo": "/a \ud800.png"}
    (tmp_path / FILE).write_bytes(b"old")
    assert checkpoint.command_in(tmp_path) == checkpoint.command_in(tmp_path / "no") == {}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"settings": {**RECIPE.settings, "strength": 0.7}}, "strength was 0.5, here it is 0.7"),
        (
            {"settings": {**RECIPE.settings, "style_layers": (("relu1_1", 1.0), ("a", 3.0))}},
            "settings style_layers 2 1 was relu2_1, here it is a",
        ),
        ({"inputs": Inputs(Source("a.png", "1" * 64))}, "photograph sha256"),
        (
            {"inputs": replace(RECIPE.inputs, start=Source("s.png", "2" * 64))},
            "start name was None",
        ),
        ({"inputs": Inputs()}, "photograph name was a.png, here it is None"),
    ],
)
def test_what_is_of_another_run_is_refused_and_the_difference_named(tmp_path, change, words):
    there = example(tmp_path)
    checkpoint.check_fits(there, RECIPE)
    with pytest.raises(CheckpointError) as caught:
        checkpoint.check_fits(there, replace(RECIPE, **change))
    one_line(caught, words, str(tmp_path), "do not resume")


@pytest.mark.parametrize(
    ("owner", "name", "error"),
    [
        (os, "fsync", OSError(errno.ENOSPC, "No space left on device")),
        (Path, "replace", OSError(errno.EIO, "Input/output error")),
        (checkpoint, "to_parts", MemoryError()),
        (os, "fsync", KeyboardInterrupt()),
    ],
)
def test_a_failure_leaves_the_one_before_and_nothing_else(
    tmp_path, monkeypatch, owner, name, error
):
    def fail(*_):
        raise error

    checkpoint.write(example(tmp_path, 3))
    with monkeypatch.context() as failing:
        failing.setattr(owner, name, fail)
        with pytest.raises((CheckpointError, KeyboardInterrupt)) as caught:
            checkpoint.write(example(tmp_path, 4))
    if caught.type is CheckpointError:
        one_line(
            caught,
            "the checkpoint cannot be written",
            str(error.strerror or "memory") if isinstance(error, OSError) else "memory",
        )
    assert [path.name for path in tmp_path.iterdir()] == [FILE]
    assert same(checkpoint.read(tmp_path), example(tmp_path, 3))


def test_what_a_kill_left_half_written_is_in_nobodys_way(tmp_path):
    (tmp_path / TEMPORARY).write_bytes(b"half")
    checkpoint.write(example(tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == [FILE]
    (tmp_path / TEMPORARY).write_bytes(b"half")
    checkpoint.remove(tmp_path)
    assert not tmp_path.exists()


def test_removing_takes_nothing_else_along(tmp_path):
    checkpoint.write(example(tmp_path))
    (tmp_path / "mine.txt").touch()
    checkpoint.remove(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
    checkpoint.remove(tmp_path / "never")


def test_a_folder_that_cannot_be_is_found_before_the_work(tmp_path):
    (tmp_path / "file").touch()
    for folder in (tmp_path / "file", tmp_path / "file" / "a", tmp_path / "no" / "a"):
        with pytest.raises(CheckpointError) as caught:
            checkpoint.check_folder(folder)
        one_line(caught, "choose another checkpoint_dir")
    checkpoint.check_folder(tmp_path / "new")
    checkpoint.check_folder(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_versions_may_differ_and_are_told(tmp_path):
    there, now = example(tmp_path), replace(RECIPE, versions={"torch": "3"})
    checkpoint.check_fits(there, now)
    assert there.recipe.other_versions(RECIPE) == ""
    told = there.recipe.other_versions(now)
    assert told == "The picture may differ in a few bytes: torch was 2, here 3."


def written(checkpointer, iterations, monkeypatch, seconds=1.0):
    """Which steps, each of so many seconds, are on disk once each has been."""
    now_s = 0.0
    monkeypatch.setattr(checkpoint.time, "monotonic", lambda: now_s)
    checkpointer.tried_s, found = 0.0, []
    for iteration in iterations:
        now_s += seconds
        checkpointer(step(iteration))
        there = checkpoint.is_there(checkpointer.directory)
        found.append(checkpoint.read(checkpointer.directory).step.iteration if there else 0)
    return found


def test_one_is_kept_every_30_seconds_and_at_each_scales_end(tmp_path, monkeypatch):
    checkpointer = Checkpointer(tmp_path / "c", RECIPE, {4, 9}, {})
    found = written(checkpointer, range(1, 10), monkeypatch, seconds=15.0)
    assert found == [0, 2, 2, 4, 4, 6, 6, 8, 9]
    history = checkpoint.read(tmp_path / "c").history
    assert [row["iteration"] for row in history] == list(range(1, 10))


def test_one_at_once_is_the_last_steps_and_none_where_there_was_no_step(tmp_path, monkeypatch):
    checkpointer = Checkpointer(tmp_path / "c", RECIPE, {9}, {})
    checkpointer.write()
    assert written(checkpointer, range(1, 4), monkeypatch) == [0, 0, 0]
    checkpointer.history.append(step(4).row())  # where Ctrl-C came before the step itself
    checkpointer.write()
    there = checkpoint.read(tmp_path / "c")
    assert there.step.iteration == len(there.history) == 3


def test_one_that_goes_on_has_the_history_of_the_way_there(tmp_path):
    before = example(tmp_path, 3)
    checkpointer = Checkpointer(tmp_path / "c", RECIPE, {4, 9}, {}, before)
    checkpointer.write()
    assert not (tmp_path / "c").exists()  # there is nothing new
    checkpointer(step(4))
    there = checkpoint.read(tmp_path / "c")
    assert there.history == [*before.history, step(4).row()]

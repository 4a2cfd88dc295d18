"""Laws of threads: how many is fixed and recorded, how they wait is not; a host keeps its own."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch

from conftest import impasto, noise_picture
from impasto import pictures, stylize
from impasto.job import checkpoint, threads
from impasto.measure import appraise
from impasto.transfer.waves import from_waves, to_waves

QUICK = ("--size", "64", "--iterations", "4", "--backbone", "vgg16")
PATIENCE_S = 20.0  # what a busy machine may take


def tree(root, files):
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(str(text))
    return root, root / "own"


@pytest.fixture
def host():
    """A host of the library that computes with two threads, whatever the machine has."""
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    assert torch.get_num_threads() == 2
    torch.set_num_threads(before)


QUOTAS = {
    "version 2": ({"own": "0::/a/b\n", "a/b/cpu.max": "150000 100000\n"}, [1.5]),
    "a group around": (
        {"own": "0::/a/b\n", "a/b/cpu.max": "max 100000\n", "a/cpu.max": "50000 100000\n"},
        [0.5],
    ),
    "version 1": (
        {
            "own": "5:cpu,cpuacct:/x\n4:memory:/y\n0::/\n",
            "cpu/x/cpu.cfs_quota_us": 400000,
            "cpu/x/cpu.cfs_period_us": 100000,
            "cpu/cpu.cfs_quota_us": -1,
            "cpu/cpu.cfs_period_us": 100000,
            "memory/y/cpu.cfs_quota_us": 1,
            "memory/y/cpu.cfs_period_us": 1,
        },
        [4.0],
    ),
    "a container that sees its own as the root": (
        {"own": "0::/docker/1\n", "cpu.max": "200000 100000\n"},
        [2.0],
    ),
    "none": ({"own": "0::/a\n", "a/cpu.max": "max 100000\n"}, []),
    "no groups at all": ({}, []),
}


@pytest.mark.parametrize("case", QUOTAS)
def test_a_containers_quota_is_found_whichever_kind_it_is(tmp_path, case):
    files, found = QUOTAS[case]
    assert list(threads.quotas(*tree(tmp_path, files))) == found


@pytest.mark.parametrize(
    ("affinity", "quotas", "host", "expected"),
    [
        (8, [], 8, 8),
        (8, [], 16, 8),  # PyTorch counted before the affinity was narrowed
        (8, [], 2, 2),  # the host's wish, or OMP_NUM_THREADS
        (8, [2.9, 4.0], 8, 2),  # what a quota stops, all others wait for
        (8, [0.5], 8, 1),
    ],
)
def test_as_many_as_may_run_at_once_and_as_the_host_wants(
    monkeypatch, affinity, quotas, host, expected
):
    monkeypatch.setattr(threads, "cores", lambda: affinity)
    monkeypatch.setattr(threads, "quotas", lambda: iter(quotas))
    monkeypatch.setattr(torch, "get_num_threads", lambda: host)
    assert threads.default() == expected


def test_affinity_counts(monkeypatch):
    monkeypatch.setattr(threads.os, "sched_getaffinity", lambda _: {3, 5, 7}, raising=False)
    assert threads.cores() == 3


HOST = """
import json, os, sys
before = dict(os.environ)
import torch
torch.set_num_threads(2)
from impasto import stylize
seen = set()
def look(step): seen.add(torch.get_num_threads())
picture = torch.rand(40, 60, 3).numpy()
for count in (1, 3):
    result = stylize(picture, picture, size=32, iterations=2, backbone="vgg16", threads=count,
        content_layers=(("relu2_1", 1.0),), style_layers=(("relu1_1", 1.0),), on_step=look)
    assert result.recipe.threads == count
print(json.dumps([before == dict(os.environ), sorted(seen), torch.get_num_threads()]))
"""


def test_a_hosts_environment_and_number_stay_its_own_between_steps_too():
    done = subprocess.run([sys.executable, "-c", HOST], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == [True, [2], 2]


def test_the_steps_are_computed_with_the_number_asked_for(host):
    seen = []

    def steps():
        for _ in range(2):
            seen.append(torch.get_num_threads())
            yield torch.get_num_threads()

    for step in threads.paced(steps(), 3):
        seen.append((step, torch.get_num_threads()))
    assert seen == [3, (3, 2), 3, (3, 2)]


def test_a_step_that_breaks_leaves_the_hosts_number(host):
    with pytest.raises(ZeroDivisionError):
        list(threads.paced((1 / 0 for _ in range(1)), 1))


def test_the_recipe_holds_the_number_and_rerun_takes_it(folder, capsys, host):
    words = ("stylize", "photo.png", "charcoal", "--color", "photo", "--bits", 16, *QUICK)
    impasto(capsys, *words, "-o", "one.png", "--threads", 1)
    impasto(capsys, *words, "-o", "two.png", "--threads", 2)
    assert [pictures.read_recipe(f"{name}.png")["threads"] for name in ("one", "two")] == [1, 2]
    assert pixels("one.png") != pixels("two.png")  # or the next lines would show nothing
    assert "Byte for byte the same" in impasto(capsys, "rerun", "one.png").out
    out = impasto(capsys, "rerun", "one.png", "-o", "other.png", "--threads", 2).out
    assert "Not the same picture to the byte." in out
    assert Path("other.png").read_bytes() == Path("two.png").read_bytes()


def test_an_old_recipe_without_it_says_so_where_the_picture_differs(folder, capsys, host):
    words = ("stylize", "photo.png", "charcoal", "-o", "a.png", "--bits", 16, *QUICK)
    impasto(capsys, *words, "--threads", 1)
    recipe = pictures.read_recipe("a.png")
    del recipe["threads"]
    pictures.save(pictures.load("a.png").pixels, "old.png", recipe=recipe, bits=16)
    out = impasto(capsys, "rerun", "old.png").out
    assert "how many threads made it is not in its recipe" in out
    out = impasto(capsys, "rerun", "old.png", "--threads", 1, "-o", "b.png").out
    assert "The same picture; its file differs" in out


def test_more_threads_than_cores_are_used_and_said_to_be_slow(folder, capsys, monkeypatch):
    monkeypatch.setattr(threads, "cores", lambda: 1)
    words = ("stylize", "photo.png", "charcoal", "-o", "a.png", *QUICK)
    assert "2 threads on 1 core" in impasto(capsys, *words, "--threads", 2).err
    assert "2 threads on 1 core" in impasto(capsys, "rerun", "a.png").err
    assert pictures.read_recipe("a-again.png")["threads"] == 2
    assert "threads" not in impasto(capsys, *words, "--threads", 1).err


def test_pictures_are_measured_within_the_quota_too(folder, capsys, monkeypatch, host):
    seen = []
    measure = appraise.measure

    def counted(*given, **more):
        seen.append(torch.get_num_threads())
        return measure(*given, **more)

    monkeypatch.setattr(appraise, "measure", counted)
    monkeypatch.setattr(threads, "quotas", lambda: iter([1.0]))
    impasto(capsys, "evaluate", "photo.png", "--content", "photo.png", "--size", 64)
    impasto(capsys, "compare", "photo.png", "photo.png", "--content", "photo.png", "--size", 64)
    assert seen == [1, 1, 1]


def pixels(name):
    return pictures.load(name).pixels.numpy().tobytes()


def stopped(capsys, monkeypatch, *words):
    """A run that Ctrl-C stops after two iterations."""

    def stop(checkpointer, step, listen=checkpoint.Checkpointer.__call__):
        listen(checkpointer, step)
        if step.iteration == 2:
            raise KeyboardInterrupt

    with monkeypatch.context() as stopping:
        stopping.setattr(checkpoint.Checkpointer, "__call__", stop)
        impasto(capsys, *words, status=130)


def test_resume_takes_the_number_that_the_run_began_with(folder, capsys, monkeypatch, host):
    words = ("stylize", "photo.png", "charcoal", "-o", "out.png", *QUICK)
    impasto(capsys, *words, "--threads", 1)
    whole = Path("out.png").read_bytes()
    torch.set_num_threads(1)
    stopped(capsys, monkeypatch, *words)  # with one, which nobody asked for
    torch.set_num_threads(2)
    out = impasto(capsys, *words, "--resume", "--threads", 2, status=2)
    assert "threads was 1, here it is 2" in out.err
    impasto(capsys, "resume", "out.png-checkpoint")
    assert Path("out.png").read_bytes() == whole


def test_time_spent_waiting_for_a_core_is_read_for_each_thread(tmp_path):
    tree(tmp_path, {"7/schedstat": "900 40 12\n", "8/schedstat": "1 2 3\n", "9/schedstat": ""})
    (tmp_path / "10").mkdir()
    assert threads.delays(tmp_path) == {"7": 40, "8": 2}
    assert threads.delays(tmp_path / "nowhere") == {}


class Machine:
    """A machine whose threads are kept waiting so much, and what is held because of that."""

    def __init__(self, monkeypatch, delayed):
        self.delayed, self.held, self.freed = delayed, threading.Event(), threading.Event()
        monkeypatch.setattr(threads, "delays", self.delays)
        monkeypatch.setattr(threads, "cores", lambda: 2)
        monkeypatch.setattr(threads, "LOOK_S", 0.01)
        real = threads.held

        @contextmanager
        def held(count):
            with real(count):
                self.held.set()
                yield
            self.freed.set()

        monkeypatch.setattr(threads, "held", held)

    def delays(self):
        return {"1": round(time.monotonic() * self.delayed * threads.NS_PER_S)}


def test_threads_that_are_kept_waiting_for_cores_sleep_and_are_let_go_after_each_step(monkeypatch):
    machine = Machine(monkeypatch, delayed=0.5)

    def steps():
        for _ in range(2):
            assert machine.held.wait(PATIENCE_S)
            yield None

    for _ in threads.paced(steps(), 2):
        assert machine.freed.is_set()
        machine.held.clear()
        machine.freed.clear()


def test_threads_that_have_their_cores_stay_awake(monkeypatch):
    machine = Machine(monkeypatch, delayed=0.1)
    list(threads.paced((machine.held.wait(0.2) for _ in range(2)), 2))
    assert not machine.held.is_set()


def test_they_are_woken_to_see_whether_the_others_have_gone(monkeypatch):
    machine = Machine(monkeypatch, delayed=0.5)
    monkeypatch.setattr(threads, "FIRST_SLEEP_S", 0.01)

    def step():
        assert machine.held.wait(PATIENCE_S)
        machine.delayed = 0.0
        assert machine.freed.wait(PATIENCE_S)
        yield None

    list(threads.paced(step(), 2))


@pytest.mark.skipif(not threads.delays(), reason="not Linux, or nothing is counted there")
def test_a_team_is_held_and_ended():
    torch.ones(2**20)  # this thread's own team is there from now on
    before = set(threads.delays())
    with threads.held(3):
        team = set(threads.delays()) - before
        assert len(team) == 3
    until_s = time.monotonic() + PATIENCE_S
    while team & set(threads.delays()) and time.monotonic() < until_s:
        time.sleep(0.01)
    assert not team & set(threads.delays())


def test_how_threads_wait_changes_no_byte(host):
    photograph = noise_picture(40, 64)[0].permute(1, 2, 0).numpy()
    settings = {"size": 64, "iterations": 2, "backbone": "vgg16", "threads": 2}
    awake = stylize(photograph, "charcoal", **settings).pixels
    with threads.held(2):
        asleep = stylize(photograph, "charcoal", **settings).pixels
    assert torch.equal(awake, asleep)


def test_the_transform_has_the_same_bytes_with_any_number(host):
    picture = noise_picture(61, 83)
    found = []
    for count in (1, 2, 3):
        with threads.using(count):
            found.append((to_waves(picture), from_waves(picture)))
    for waves, back in found[1:]:
        assert torch.equal(waves, found[0][0])
        assert torch.equal(back, found[0][1])

"""The queue at work: the bytes of `impasto stylize`, whatever is paused, steered, or killed."""

from __future__ import annotations

import errno
import io
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import PIL.Image
import pytest
from skimage import data

from conftest import signals_as_before
from impasto import pictures
from impasto.cli import main
from impasto.config import configure
from impasto.errors import PictureError, QueueError
from impasto.job import checkpoint
from impasto.job.order import Order
from impasto.queue import picture, pool, reporter, worker
from impasto.queue.picture import Watch
from impasto.queue.pool import Pool
from impasto.queue.reporter import Paused
from impasto.queue.store import Queue
from impasto.queue.task import Task

LAYERS = {"content_layers": (("relu2_1", 1),), "style_layers": (("relu1_1", 1), ("relu2_1", 1))}
QUICK = {"size": 64, "backbone": "vgg16", "iterations": 12, **LAYERS}
SHALLOW = ("--content-layers", "relu2_1", "--style-layers", "relu1_1,relu2_1")
COMMAND = (
    "stylize",
    "photo.png",
    "charcoal",
    "-q",
    "--size",
    "64",
    "--backbone",
    "vgg16",
    *SHALLOW,
)
PATIENCE_S = 300.0  # a machine may have much else to do


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """A folder with a photograph, and what the command line makes of it."""
    folder = tmp_path_factory.mktemp("undisturbed")
    with pytest.MonkeyPatch.context() as patch, signals_as_before():
        patch.chdir(folder)
        PIL.Image.fromarray(data.coffee()).resize((96, 64)).save("photo.png")
        for words in ((), ("--timeline", "film.gif", "--strength", "0.7")):
            with pytest.raises(SystemExit) as ended:
                main([*COMMAND, "--iterations", "12", "-o", f"out{len(words)}.png", *words])
            assert ended.value.code in (None, 0)
    return folder


@pytest.fixture
def queue(tmp_path, monkeypatch):
    monkeypatch.setattr(reporter, "INTERVAL_S", 0.0)
    return Queue(tmp_path / "queue")


@pytest.fixture
def task(undisturbed, queue):
    photo = queue.keep(undisturbed / "photo.png", "photo.png")
    return Task(Order(photo, ("charcoal",), configure(**QUICK), Path("me.png")), "Me")


def steered(task, **settings):
    return replace(task, order=replace(task.order, config=configure(**{**QUICK, **settings})))


def work(queue, kinds=worker.KINDS):
    """Take jobs in this process until there is none left to do."""
    leaving = threading.Event()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(worker, "wait", lambda *_: leaving.set())
        worker.serve(queue.folder, kinds, leaving)


def at(monkeypatch, iteration, act):
    """Do something right after an iteration, once."""
    real, due = Watch.count, [iteration]

    def count(watch, step):
        real(watch, step)
        if step.iteration in due:
            due.clear()
            act(watch)

    monkeypatch.setattr(Watch, "count", count)


def bytes_of(folder, name="out0.png"):
    return (folder / name).read_bytes()


# Through processes of its own.

MODULE = """
import os
from impasto.errors import PictureError
def crash(entry, reporter):
    os.kill(os.getpid(), 9)
def bug(entry, reporter):
    raise ZeroDivisionError("a\\nbug")
def fail(entry, reporter):
    raise PictureError("no such `size`", "", "another")
KINDS = {"crash": crash, "bug": bug, "fail": fail}
"""


def test_a_picture_through_the_pool_has_the_bytes_of_the_command_line(
    undisturbed, task, queue, tmp_path, monkeypatch
):
    """And what fails before it, be it the worker itself, ends nothing but its own job."""
    (tmp_path / "more_kinds.py").write_text(MODULE)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), *sys.path]))
    monkeypatch.setattr(pool, "FIRST_WAIT_S", 0.01)
    kinds = ("bug", "fail", "what", "crash", "picture")
    bug, fail, what, crash, made = (queue.add(replace(task, kind=kind)) for kind in kinds)
    film = replace(task.order, config=configure(**QUICK, strength=0.7), timeline=Path("film.gif"))
    filmed = queue.add(replace(task, order=film))
    with Pool(queue.folder, kinds="more_kinds"):
        with pytest.raises(QueueError, match="another server is at work in this folder; use that"):
            Pool(queue.folder).__enter__()
        until(lambda: all(each.state().ended for each in queue.entries()))
    assert bytes_of(undisturbed) == made.result_path.read_bytes()
    assert bytes_of(undisturbed, "out4.png") == filmed.result_path.read_bytes()
    assert bytes_of(undisturbed, "film.gif") == (filmed.folder / "film.gif").read_bytes()
    assert [each.state().status for each in (bug, fail, what, crash)] == ["failed"] * 4
    assert bug.state().error == "ZeroDivisionError: a bug"
    assert "raise ZeroDivisionError" in (bug.folder / "traceback.txt").read_text()
    assert fail.state().error == "no such size; another"
    assert what.state().error.startswith("a job of the kind 'what'; known here: picture, crash,")
    assert crash.state().error.startswith("the process at work on it was killed 3 times; most")
    with Pool(queue.folder):  # the folder is free again
        assert made.state().status == "done"


def until(so):
    """Wait until something is so."""
    end_s = time.monotonic() + PATIENCE_S
    while not so():
        assert time.monotonic() < end_s
        time.sleep(0.02)


def test_workers_that_cannot_start_are_told_of(tmp_path, monkeypatch):
    monkeypatch.setattr(pool, "FIRST_WAIT_S", 0.01)
    words = [sys.executable, "-S", "-c", "raise SystemExit('no impasto here')"]
    pipes = {"stdin": subprocess.PIPE}
    monkeypatch.setattr(
        pool, "spawn", lambda folder, kinds, log: subprocess.Popen(words, stderr=log, **pipes)
    )
    with Pool(tmp_path) as at_work:
        until(lambda: at_work.trouble == "workers keep dying: no impasto here")


def test_a_worker_that_does_not_let_go_is_killed_and_its_job_waits(task, queue, monkeypatch):
    entry = queue.add(task)
    stubborn = "import os, sys, time; sys.stdin.read(); time.sleep(999)"
    monkeypatch.setattr(
        pool,
        "spawn",
        lambda *_: subprocess.Popen([sys.executable, "-S", "-c", stubborn], stdin=subprocess.PIPE),
    )
    at_work = Pool(queue.folder)
    with at_work:
        (place,) = at_work.places
        entry.write_state(replace(entry.written(), status="working", worker=place.process.pid))
        at_work.close(patience_s=0.05)
        assert place.process.returncode == -signal.SIGKILL
    assert entry.state().status == "waiting"
    assert entry.state().deaths == 0


# In this process, where it can be seen what happens.


def test_what_is_done_is_told_and_shown(task, queue, undisturbed, monkeypatch):
    seen = []
    entry, real = queue.add(task), Watch.show
    (entry.folder / ".impasto-1234.tmp").touch()  # of a worker that was killed

    def show(watch, step, **words):
        real(watch, step, **words)
        with PIL.Image.open(entry.preview) as preview:
            seen.append((entry.state(), preview.format, preview.size))

    monkeypatch.setattr(Watch, "show", show)
    work(queue)
    states = [state for state, *_ in seen]
    assert [state.iteration for state in states] == list(range(1, 13))
    assert {(state.status, state.iterations, state.size) for state in states} == {
        ("working", 12, (43, 64))
    }
    for one, next_ in pairwise(states):
        assert one.fraction < next_.fraction
        assert one.loss > next_.loss
    assert {tuple(words) for _, *words in seen} == {("JPEG", (64, 43))}
    done = entry.state()
    assert (done.status, done.fraction, done.attempts, done.error) == ("done", 1.0, 1, "")
    assert done.made_s <= done.started_s <= done.ended_s
    assert entry.result_path.read_bytes() == bytes_of(undisturbed)
    names = {"task.json", "state.json", "preview.jpg", "me.png"}
    assert {path.name for path in entry.folder.iterdir()} == names


def test_previews_have_the_results_aspect_at_every_scale_and_1024_px_at_most(task, queue):
    order = replace(task.order, config=configure(**{**QUICK, "size": 1100, "iterations": 2}))
    entry, sizes = queue.add(replace(task, order=order)), []

    def show(watch, step):
        real(watch, step)
        with PIL.Image.open(entry.preview) as preview:
            sizes.append((step.scale, preview.size))

    real = Watch.show
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Watch, "show", show)
        at(patch, 1, lambda watch: entry.stop())
        work(queue)
    ((scale, size),) = {*sizes}
    assert max(scale) < 1024
    assert size == (1024, 682)


def test_paused_it_lets_the_next_go_first_and_goes_on_to_the_same_bytes(
    task, queue, undisturbed, monkeypatch
):
    first, second = queue.add(task), queue.add(task)
    at(monkeypatch, 5, lambda watch: watch.entry.pause())
    work(queue)
    state = first.state()
    assert (state.status, state.iteration, state.ended_s) == ("paused", 5, None)
    assert checkpoint.read(first.checkpoint_dir).step.iteration == 5
    assert not first.result_path.exists()
    assert second.state().status == "done"
    first.go_on()
    assert first.state().status == "waiting"
    work(queue)
    assert first.state().status == "done"
    assert first.state().attempts == 2
    assert first.result_path.read_bytes() == bytes_of(undisturbed)


def test_stopped_it_keeps_the_picture_as_it_stands_and_goes_on_to_the_same_bytes(
    task, queue, undisturbed, monkeypatch
):
    entry = queue.add(task)
    at(monkeypatch, 5, lambda watch: watch.entry.stop())
    work(queue)
    assert (entry.state().status, entry.state().iteration) == ("stopped", 5)
    recipe = pictures.read_recipe(entry.result_path)
    assert recipe["iterations"] == {"done": 5, "planned": 12}
    assert checkpoint.read(entry.checkpoint_dir).step.iteration == 5
    entry.go_on()
    work(queue)
    assert entry.state().status == "done"
    assert entry.result_path.read_bytes() == bytes_of(undisturbed)


def test_one_that_rests_is_stopped_with_its_picture_too(task, queue, monkeypatch):
    entry = queue.add(task)
    at(monkeypatch, 5, lambda watch: watch.entry.pause())
    work(queue)
    entry.stop()
    work(queue)
    assert entry.state().status == "stopped"
    assert pictures.read_recipe(entry.result_path)["iterations"]["done"] == 6


def test_what_is_wished_before_it_begins_needs_no_work(task, queue):
    paused, stopped, deleted = (queue.add(task) for _ in range(3))
    paused.pause()
    stopped.stop()
    deleted.delete()
    work(queue)
    assert [each.state().attempts for each in (paused, stopped, deleted)] == [0, 0, 0]


def test_a_wish_that_its_worker_did_not_live_to_hear_holds(task, queue):
    paused, deleted = queue.add(task), queue.add(task)
    for entry in (paused, deleted):
        entry.write_state(replace(entry.written(), status="working", iteration=3))
    paused.pause()
    deleted.delete()
    work(queue)
    for entry in (paused, deleted):
        assert entry.state().status == "paused"
        assert not entry.preview.exists()


def test_one_that_has_to_leave_leaves_a_checkpoint_and_the_next_goes_on(
    task, queue, undisturbed, monkeypatch
):
    entry, leaving = queue.add(task), threading.Event()
    at(monkeypatch, 5, lambda watch: leaving.set())
    worker.serve(queue.folder, worker.KINDS, leaving)
    assert (entry.state().status, entry.state().iteration) == ("waiting", 5)
    assert checkpoint.read(entry.checkpoint_dir).step.iteration == 5
    work(queue)
    assert entry.state().deaths == 0
    assert entry.result_path.read_bytes() == bytes_of(undisturbed)


def test_a_pause_that_comes_as_it_has_to_leave_holds(task, queue, monkeypatch):
    entry, leaving, real = queue.add(task), threading.Event(), Watch.steer

    def steer(watch, step):
        if step.iteration == 4:
            entry.pause()
            leaving.set()
        return real(watch, step)

    monkeypatch.setattr(Watch, "steer", steer)
    worker.serve(queue.folder, worker.KINDS, leaving)
    assert entry.written().status == "waiting"
    assert (entry.state().status, entry.state().iteration) == ("paused", 5)


def test_it_goes_on_with_the_threads_that_it_began_with(task, queue, undisturbed, monkeypatch):
    entry = queue.add(task)
    at(monkeypatch, 5, lambda watch: watch.entry.pause())
    work(queue)
    entry.go_on()
    monkeypatch.setattr("impasto.job.threads.default", lambda: 2)
    work(queue)
    assert entry.result_path.read_bytes() == bytes_of(undisturbed)


NO_GOOD = {
    "damaged": lambda entry: (entry.checkpoint_dir / checkpoint.FILE).write_bytes(b"half of it"),
    "another's": lambda entry: (entry.task.order.photo).write_bytes(other_photo()),
}


def other_photo():
    buffer = io.BytesIO()
    PIL.Image.fromarray(data.chelsea()).resize((96, 64)).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.mark.parametrize("no_good", NO_GOOD)
def test_a_checkpoint_that_is_no_good_is_told_of_and_the_work_begins_anew(
    task, queue, undisturbed, monkeypatch, no_good
):
    entry = queue.add(task)
    at(monkeypatch, 5, lambda watch: watch.entry.pause())
    work(queue)
    NO_GOOD[no_good](entry)
    entry.go_on()
    work(queue)
    assert entry.state().note.startswith("It began anew: ")
    assert entry.state().status == "done"
    assert (entry.result_path.read_bytes() == bytes_of(undisturbed)) == (no_good == "damaged")


def test_a_job_that_cost_three_workers_their_life_fails_and_can_be_tried_again(task, queue):
    entry = queue.add(task)
    for deaths in range(3):
        assert entry.state().deaths == max(0, deaths - 1)
        state = replace(entry.written(), status="working", deaths=deaths, peak_bytes=3 * 10**9)
        entry.write_state(state)
    work(queue)
    assert entry.state().error == (
        "the process at work on it was killed 3 times; it was to take about 3.0 GB; most likely "
        "memory ran out: try a smaller size, or go on when more is free"
    )
    entry.go_on()
    work(queue)
    assert (entry.state().status, entry.state().deaths) == ("done", 0)


def test_what_cannot_be_is_a_line_and_what_went_wrong_may_be_tried_again(task, queue):
    gone = queue.keep(b"no picture at all", "gone.png")
    entry = queue.add(replace(task, order=replace(task.order, photo=gone)))
    work(queue)
    assert entry.state().status == "failed"
    assert "gone.png" in entry.state().error
    shutil.copy(task.order.photo, gone)
    entry.go_on()
    work(queue)
    assert (entry.state().status, entry.state().error) == ("done", "")


def test_one_that_failed_after_it_went_on_is_not_tried_again_by_itself(task, queue, monkeypatch):
    entry = queue.add(task)
    at(monkeypatch, 3, lambda watch: [entry.pause(), entry.go_on()])
    at(monkeypatch, 5, lambda watch: 1 / 0)
    work(queue)
    assert entry.state().status == "failed"
    assert entry.state().attempts == 1


# Steering.


def test_steered_it_is_the_run_that_was_told_before(task, queue, monkeypatch):
    entry = queue.add(task)
    entry.steer({"strength": 0.6})  # before it begins: after the first iteration
    at(monkeypatch, 4, lambda watch: [entry.steer({"tv_weight": 1}), entry.steer({"alpha": 0.9})])
    fractions, real = [], Watch.show
    monkeypatch.setattr(
        Watch,
        "show",
        lambda *words: [real(*words), fractions.append(entry.state().fraction)],
    )
    work(queue)
    turns = [(turn.number, turn.iteration) for turn in entry.turns()]
    assert turns == [(1, 1), (2, 4), (3, 4)]
    assert entry.result_path.read_bytes() == told_before(entry)
    assert entry.state().iterations == pictures.read_recipe(entry.result_path)["iterations"]["done"]
    *on_the_way, last = fractions
    assert max(on_the_way) < last == entry.state().fraction == 1.0
    assert entry.config.strength == 0.6


def told_before(entry):
    """The bytes of a run that knew from the start when it would turn."""
    turns = {}
    for turn in entry.turns():
        turns.setdefault(turn.iteration, {}).update(turn.settings)
    order = replace(entry.task.order, target=entry.folder.parent.parent / "told.png")
    order.prepare().steered(turns.items()).run().save(order.target)
    return order.target.read_bytes()


@pytest.mark.parametrize("lost", [0, 1, 2])
def test_killed_and_gone_on_with_it_turns_where_it_turned(task, queue, monkeypatch, lost):
    """Also where the checkpoint is from before the turn, and more was asked for meanwhile."""
    monkeypatch.setattr(checkpoint, "INTERVAL_S", 0.0)
    entry, kept = queue.add(task), queue.folder / "kept"
    with monkeypatch.context() as patch:
        at(patch, 4, lambda watch: entry.steer({"strength": 0.8}))
        work_until_death(queue, patch, entry, 6, keep_at=6 - lost, kept=kept)
    shutil.copytree(kept, entry.checkpoint_dir, dirs_exist_ok=True)
    entry.steer({"tv_weight": 1})
    work(queue)
    assert [turn.iteration for turn in entry.turns()] == [4, max(5, 6 - lost)]
    assert entry.state().deaths == 1
    assert entry.result_path.read_bytes() == told_before(entry)


def work_until_death(queue, patch, entry, iteration, keep_at, kept):
    """Work as far as an iteration, and leave all as if the process had been killed there."""
    real = Watch.heed

    def heed(watch, step):
        if step.iteration == keep_at:
            shutil.copytree(entry.checkpoint_dir, kept)
        if step.iteration == iteration:
            raise SystemExit  # which nothing catches
        real(watch, step)

    patch.setattr(Watch, "heed", heed)
    with pytest.raises(SystemExit):
        work(queue)
    assert entry.state().status == "working"


def test_a_change_that_this_job_cannot_make_is_left_out_and_said(
    task, queue, undisturbed, monkeypatch
):
    entry = queue.add(task)
    at(monkeypatch, 4, lambda watch: entry.steer({"style_weights": [1, 2]}))  # of one painting
    work(queue)
    assert entry.state().note.startswith("A change was left out: ")
    assert entry.result_path.read_bytes() == bytes_of(undisturbed)


# A disk that is full.


def fails(*_, **__):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_where_previews_states_and_checkpoints_cannot_be_written_the_picture_is_made(
    task, queue, undisturbed, monkeypatch
):
    """Of a disk that fills up on the way, and has room again before the end."""
    entry = queue.add(task)
    with monkeypatch.context() as patch:
        at(patch, 2, lambda watch: patch.setattr("impasto.files.sync", fails))
        real = picture.Result.save

        def save(result, *words, **more):
            patch.undo()
            return real(result, *words, **more)

        patch.setattr(picture.Result, "save", save)
        work(queue)
    assert entry.state().status == "done"
    note = entry.state().note
    assert "Preview left out: output '" in note
    assert "Going on without a new checkpoint: " in note
    assert entry.result_path.read_bytes() == bytes_of(undisturbed)


def test_a_result_that_cannot_be_written_is_a_line_and_costs_what_was_done_since_the_checkpoint(
    task, queue, undisturbed, monkeypatch
):
    entry = queue.add(task)

    def save(result, *words, **more):
        raise PictureError("output 'me.png' cannot be written: No space left", "", "free some")

    with monkeypatch.context() as patch:
        patch.setattr(picture.Result, "save", save)
        work(queue)
    assert entry.state().status == "failed"
    assert entry.state().error.endswith("No space left; free some")
    assert checkpoint.read(entry.checkpoint_dir).step.iteration == 12
    entry.go_on()
    work(queue)
    assert entry.result_path.read_bytes() == bytes_of(undisturbed)


def test_what_came_of_it_is_tried_until_it_is_written(task, queue, monkeypatch):
    entry = queue.add(replace(task, kind="none"))
    monkeypatch.setattr(reporter, "RETRY_S", 0.001)
    with monkeypatch.context() as patch:
        tries, real = [], type(entry).write_state

        def write(entry, state):
            tries.append(state.status)
            if len(tries) < 5:
                raise QueueError("full")
            real(entry, state)

        patch.setattr(type(entry), "write_state", write)
        work(queue, {"none": lambda *_: None})
    assert tries == ["working", *["done"] * 4]
    assert entry.state().status == "done"


def test_a_wish_that_is_damaged_while_it_works_ends_nothing(task, queue, undisturbed, monkeypatch):
    entry = queue.add(task)
    at(monkeypatch, 3, lambda watch: (entry.folder / "wish.json").write_text("{"))
    work(queue)
    assert list(queue.damaged()) == [entry.id]
    assert entry.written().status == "done"
    assert entry.result_path.read_bytes() == bytes_of(undisturbed)


def test_a_queue_that_is_moved_while_a_job_rests_goes_on_to_the_same_bytes(
    task, queue, undisturbed, monkeypatch
):
    entry = queue.add(task)
    at(monkeypatch, 5, lambda watch: watch.entry.pause())
    work(queue)
    there = queue.folder.rename(queue.folder.with_name("there"))
    (entry,) = Queue(there).entries()
    entry.go_on()
    work(Queue(there))
    assert (entry.state().note, entry.state().status) == ("", "done")
    assert entry.result_path.read_bytes() == bytes_of(undisturbed)


def test_other_kinds_may_pause_and_read_their_options(task, queue):
    def kind(entry, reporter):
        heard.append(dict(entry.task.options))
        raise Paused

    heard = []
    entry = queue.add(replace(task, kind="mine", options={"n": 1}))
    work(queue, {"mine": kind})
    assert heard == [{"n": 1}]
    assert entry.state().status == "paused"


# Killed at any moment.

# Of workers and servers by turns; things on disk that a worker lives to see, of some 450 a job.
KILLS, MOST_EVENTS = 20, 80
# Imports once what takes long. Every server and worker is then a process of its own, and it is the
# worker that kills, itself or its server, at the so-manieth thing that happens on disk.
NURSERY = """
import functools, json, os, signal, subprocess, sys, time, traceback
import impasto.cli.work
from pathlib import Path
from impasto import files, pictures, timeline
from impasto.cli import main
from impasto.job import checkpoint
from impasto.network import weights
from impasto.queue import picture, pool, reporter, store, worker
from impasto.queue.task import Task
from impasto.transfer import schedule
checkpoint.INTERVAL_S = reporter.INTERVAL_S = 0.0  # after every iteration
pool.FIRST_WAIT_S, pool.WATCH_S, worker.POLL_S, worker.LOOK_S = 0.01, 0.01, 0.01, 0.1
schedule.COARSEST_PX, schedule.COARSEST_SHORT_PX = 32, 16
weights.resolve = functools.cache(weights.resolve)
weights.resolve('vgg16')
worker.MOST_DEATHS = 10**6  # all that is killed here is killed for no fault of the job
def kill_at_event(number, victim):
    me, parent = os.getpid(), os.getppid()
    def happens(name):
        nonlocal number
        number -= 1
        if not number:
            with open('hits', 'a') as hits:
                print(victim, name, file=hits)
            if victim == 'worker' or os.getppid() == parent:
                os.kill(me if victim == 'worker' else parent, signal.SIGKILL)
    def counted(real, name):
        def call(*words, **more):
            happens(name)
            return real(*words, **more)
        return call
    real_parts = files.safetensors_parts
    def parts(*words):
        for part in real_parts(*words):
            happens('part')
            yield part
    files.safetensors_parts = parts
    for owner, name in (
        (files, 'sync'), (Path, 'replace'), (Path, 'mkdir'), (Path, 'rename'), (Path, 'unlink'),
        (checkpoint, 'to_parts'), (timeline.Timeline, '__call__'), (pictures, 'save'),
        (picture.Watch, 'count'), (picture.Watch, 'steer'), (reporter.Reporter, 'end'),
    ):
        setattr(owner, name, counted(getattr(owner, name), name))
def forked(act):
    child = os.fork()
    if not child:
        try:
            act()
            os._exit(0)
        except SystemExit as ended:
            os._exit(ended.code or 0)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
    return child
class Worker:  # what a pool wants of a Popen, without another interpreter
    returncode = None
    def __init__(self, folder, kinds, log):
        out, self.end = os.pipe()
        self.pid = forked(lambda: self.work(folder, out))
        os.close(out)
        self.stdin = os.fdopen(self.end, 'wb')
    def work(self, folder, out):
        os.dup2(out, 0)
        os.closerange(3, 256)  # the server's lock, other workers' ends
        moments = Path('moments').read_text().splitlines()
        if moments:
            Path('moments').write_text('\\n'.join(moments[1:]))
            number, victim = moments[0].split()
            kill_at_event(int(number), victim)
        worker.main([str(folder)])
    def poll(self):
        if self.returncode is None and (found := os.waitpid(self.pid, os.WNOHANG))[0]:
            self.returncode = os.waitstatus_to_exitcode(found[1])
        return self.returncode
    def wait(self, timeout=None):
        while self.poll() is None:
            time.sleep(0.005)
pool.spawn = Worker
def serve(folder):
    with pool.Pool(Path(folder)) as at_work:
        while not all(each.state().ended for each in at_work.queue.entries()):
            time.sleep(0.01)
def add(folder, known, number):
    queue, task = store.Queue(Path(folder)), Task.from_json(json.loads(known), 'it')
    kill_at_event(int(number), 'worker')
    queue.add(task)
def told(folder, id, target):
    job = store.Queue(Path(folder)).get(id)
    turns = {}
    for turn in job.turns():
        turns.setdefault(turn.iteration, {}).update(turn.settings)
    job.task.order.prepare().steered(turns.items()).run().save(target)
own = {'serve': serve, 'add': add, 'told': told}
for line in sys.stdin:
    name, *words = json.loads(line)
    child = forked(lambda: own[name](*words) if name in own else main([name, *words]))
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


@pytest.fixture
def nursery(tmp_path, monkeypatch):
    """Runs servers and commands, each in a process of its own, and gives their exit status."""
    monkeypatch.chdir(tmp_path)
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    process = subprocess.Popen([sys.executable, "-c", NURSERY], text=True, **pipes)

    def run(*words):
        print(json.dumps(words), file=process.stdin, flush=True)
        return int(process.stdout.readline())

    yield run
    process.stdin.close()
    process.wait(timeout=PATIENCE_S)


def test_killed_at_any_moment_nothing_is_lost_and_nothing_is_made_twice(
    task, queue, undisturbed, nursery
):
    """Workers and servers: every job ends in the bytes of one that nothing disturbed."""
    shutil.copy(undisturbed / "photo.png", "photo.png")
    film = ("--strength", "0.7", "--timeline", "film.gif")
    for words in ((*COMMAND, "-o", "a.png"), (*COMMAND, "-o", "b.png", *film)):
        assert nursery(*words, "--iterations", "12") == 0
    order = task.order
    filmed = replace(order, config=configure(**QUICK, strength=0.7), timeline=Path("film.gif"))
    entries = [queue.add(replace(task, order=each)) for each in (order, filmed) * 2]
    entries[2].steer({"strength": 0.8})
    entries[2].steer({"tv_weight": 1})
    moments = random.Random(0)
    kills = [
        f"{moments.randint(1, MOST_EVENTS)} {victim}"
        for victim in ("worker", "server") * (KILLS // 2)
    ]
    Path("moments").write_text("\n".join(kills))
    ended = []
    while not ended or ended[-1] == -signal.SIGKILL:
        ended.append(nursery("serve", str(queue.folder)))
    assert ended == [*[-signal.SIGKILL] * (KILLS // 2), 0]
    hits = Path("hits").read_text().split("\n")[:-1]
    assert len(hits) == KILLS
    assert len({hit.split()[1] for hit in hits}) >= 5, hits
    assert queue.damaged() == {}
    assert queue.entries() == entries[::-1]
    assert nursery("told", str(queue.folder), entries[2].id, "c.png") == 0
    for entry, wanted in zip(entries, ("a.png", "b.png", "c.png", "b.png"), strict=True):
        assert entry.state().status == "done"
        assert not list(entry.folder.glob(".*"))
        assert not entry.checkpoint_dir.exists()
        assert entry.result_path.read_bytes() == Path(wanted).read_bytes()
    for entry in entries[1::2]:
        assert (entry.folder / "film.gif").read_bytes() == Path("film.gif").read_bytes()
    assert sum(entry.state().deaths for entry in entries) <= KILLS // 2
    assert [turn.iteration for turn in entries[2].turns()] == [1, 1]


def test_a_job_that_was_being_added_is_there_or_not(task, queue, nursery):
    known, there = json.dumps(task.to_json()), []
    for number in range(1, 100):
        ended = nursery("add", str(queue.folder), known, number)
        there.append(len(queue.entries()))
        assert queue.damaged() == {}
        if ended == 0:
            break
    assert ended == 0
    assert number > 5
    assert all(0 <= after - before <= 1 for before, after in pairwise(there))
    assert [entry.task for entry in queue.entries()] == [
        replace(task, order=replace(task.order, target=entry.result_path))
        for entry in queue.entries()
    ]

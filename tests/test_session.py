"""A job at work: who listens, what fails, how much is left."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from skimage import data

from impasto.config import configure
from impasto.errors import CheckpointError, PictureError
from impasto.job import session
from impasto.job.prepare import prepare
from impasto.job.session import Listener, Pace, Session, costs
from impasto.transfer.schedule import schedule

FEW = {"size": 64, "iterations": 4, "backbone": "vgg16"}


@pytest.fixture(scope="module")
def job():
    return prepare(data.coffee(), "charcoal", configure(**FEW))


def test_listeners_hear_every_step_in_their_order_and_one_that_fails_ends_nothing(job):
    heard, told = [], []

    def writing(step):
        heard.append(("writing", step.iteration))
        raise PictureError("the disk is full")

    def keeping(step):
        heard.append(("keeping", step.iteration))
        raise CheckpointError("the folder has gone")

    listeners = [Listener(writing, "Left out"), Listener(keeping, "Going on", once=True)]
    at_work = Session(job, listeners, lambda what, why: told.append(f"{what}: {why}"))
    result = at_work.run(lambda step: heard.append(("bar", step.iteration)))
    assert result.stopped is None
    assert heard == [(who, n) for n in range(1, 5) for who in ("bar", "writing", "keeping")]
    assert told.count("Left out: the disk is full") == 4
    assert told.count("Going on: the folder has gone") == 1
    assert torch.equal(result.pixels, job.run().pixels)


def test_what_is_no_trouble_of_ours_is_raised(job):
    def broken(_):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        Session(job, [Listener(broken, "Left out")]).run()


@pytest.mark.parametrize("own", [True, False])
@pytest.mark.parametrize("side", [64, None])
def test_memory_is_set_and_given_back_only_in_a_process_of_its_own(job, monkeypatch, own, side):
    done = []
    monkeypatch.setattr(session.memory, "hold", lambda *words: done.append(("hold", *words)))
    monkeypatch.setattr(session.memory, "release", lambda: done.append("release"))
    job = replace(job, plan=replace(job.plan, window_px=side))
    Session(job, own_process=own).run()
    first = [("hold", session.HELD_BYTES)] if side else [("hold",)]
    assert done == ([*first, *["release"] * (4 if side else 0)] if own else [])


def test_the_time_left_follows_the_pace_of_late_and_what_was_there_takes_none(monkeypatch):
    now_s = 0.0
    monkeypatch.setattr(session.time, "monotonic", lambda: now_s)
    pace = Pace(10.0)
    assert pace.seconds_left is None
    now_s = 4.0
    pace.did(2.0)
    assert (pace.fraction, pace.seconds_left) == (0.2, pytest.approx(16.0))
    now_s = 100.0  # in which nobody worked
    pace.skip(3.0)
    assert (pace.fraction, pace.seconds_left) == (0.5, pytest.approx(10.0))
    for _ in range(4):  # twice as fast from here on
        now_s += 1.0
        pace.did(1.0)
    assert 1.0 < pace.seconds_left < 1.5
    pace.did(1.0)
    assert (pace.fraction, pace.seconds_left) == (1.0, 0.0)


def test_an_iteration_costs_by_its_pixels_and_its_layers_and_a_scales_first_costs_more(job):
    job = job.with_settings((200, 300), iterations=30)
    plan, each = schedule(job.size, job.config), costs(job)
    assert len(plan) == 2
    assert len(each) == 30
    first, last = each[1] / each[0], each[-1] / each[plan[0][1]]
    assert first == last == pytest.approx(1 / session.SCALE_BEGINS)
    pixels = [height * width for (height, width), _ in plan]
    assert each[-1] / each[1] == pytest.approx(pixels[1] / pixels[0])
    shallow = job.with_settings(
        style_layers=(("relu1_1", 1.0),), content_layers=(("relu2_1", 1.0),)
    )
    assert sum(costs(shallow)) < 0.3 * sum(each)

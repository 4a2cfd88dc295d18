"""A run whose aim changes on its way: it goes on from there, says so, and is repeated so."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage import data

from conftest import signals_as_before
from impasto import pictures
from impasto.cli import main
from impasto.config import configure
from impasto.errors import ConfigError, PictureError
from impasto.job import checkpoint
from impasto.job.job import STEERABLE, Snapshots
from impasto.job.order import Order
from impasto.job.prepare import prepare
from impasto.job.recipe import Recipe
from impasto.job.session import Session, costs
from impasto.transfer.schedule import schedule, steered

LAYERS = {
    "content_layers": (("relu2_1", 1.0),),
    "style_layers": (("relu1_1", 1.0), ("relu2_1", 1.0)),
}
# 64 px is one scale: where each change falls into it, its eight iterations begin anew.
QUICK = {"size": 64, "backbone": "vgg16", "iterations": 8, **LAYERS}
TURNS = [(3, {"strength": 0.8}), (5, {"style_scale": 0.5, "color": "photo"})]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    pictures.save(pictures.load(data.chelsea()).pixels, "photo.png")
    pictures.save(pictures.load(data.coffee()).pixels, "second.png")
    return tmp_path


@pytest.fixture
def order(folder):
    config = configure(**QUICK)
    return Order(folder / "photo.png", ("charcoal", "second.png"), config, folder / "out.png")


def command(words):
    with signals_as_before(), pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == 0


def steering(turns):
    """Who asks for these turns while a job runs."""
    asked = dict(turns)
    return lambda step: asked.get(step.iteration, {})


def test_a_steered_run_is_that_of_the_turns_told_before(order):
    told = order.prepare().steered(TURNS).run()
    asked = order.prepare().run(steer=steering(TURNS))
    assert torch.equal(told.pixels, asked.pixels)
    assert told.recipe == asked.recipe
    assert [row["iteration"] for row in asked.history] == list(range(1, 5 + 8 + 1))
    assert asked.recipe.outcome.steering == tuple(TURNS)
    assert not torch.equal(asked.pixels, order.prepare().run().pixels)


def test_until_a_turn_nothing_is_otherwise_and_its_first_step_goes_down_the_new_loss(order):
    straight, turned = [], []
    order.prepare().run(straight.append)
    order.prepare().run(turned.append, steer=steering([(4, {"strength": 0.9})]))
    for before, after in zip(straight[:4], turned[:4], strict=True):
        assert torch.equal(before.pixels, after.pixels)
        assert before.row() == after.row() or before.iterations != after.iterations
    losses = [step.loss for step in turned[4:]]
    assert losses == sorted(losses, reverse=True)
    assert [step.turn for step in turned] == [*[{}] * 4, {"strength": 0.9}, *[{}] * 7]


def test_it_comes_to_about_the_loss_of_a_run_that_had_the_aim_from_the_start(order):
    wanted = replace(order, config=replace(order.config, strength=0.9)).prepare().run()
    steered_there = order.prepare().run(steer=steering([(7, {"strength": 0.9})]))
    assert steered_there.history[-1]["loss"] < 1.05 * wanted.history[-1]["loss"]


@pytest.mark.parametrize("killed_after", [2, 3, 4, 5, 6, 12])
@pytest.mark.parametrize("optimizer", ["lbfgs", "adam"])
def test_resumed_it_is_undisturbed(order, killed_after, optimizer):
    """Also right before and after a turn, which a checkpoint does not know of yet."""
    order = replace(order, config=replace(order.config, optimizer=optimizer))
    whole = order.prepare().run(steer=steering(TURNS))
    folder, job = order.target.parent / "kept", order.prepare()
    keep = job.checkpointer(folder, order.to_json(folder))

    def killed(step):
        keep(step)
        if step.iteration == killed_after:
            keep.write()
            raise KilledError

    with pytest.raises(KilledError):
        job.run(killed, steer=steering(TURNS))
    resume_from = checkpoint.read(folder)
    assert list(resume_from.steering) == [turn for turn in TURNS if turn[0] < killed_after]
    again = order.prepare().run(resume_from=resume_from, steer=steering(TURNS))
    assert torch.equal(whole.pixels, again.pixels)
    assert whole.recipe == again.recipe
    assert whole.history == again.history


class KilledError(Exception):
    """What a test's listener ends a run with."""


def test_rerun_makes_it_again_to_the_byte_and_larger_it_goes_for_the_last_aim(order, capsys):
    order.prepare().run(steer=steering(TURNS)).save("out.png")
    command(["show", "out.png"])
    assert "3=strength 0.8" in capsys.readouterr().out
    command(["rerun", "out.png", "-o", "again.png"])
    said = capsys.readouterr()
    assert "Byte for byte the same." in said.out
    assert "After iteration 3 it goes for --strength 0.8" in said.err
    command(["rerun", "out.png", "--size", "80", "-o", "large.png", "-q"])
    recipe = Recipe.from_json(pictures.read_recipe("large.png"), "large")
    assert not recipe.outcome.steering
    assert (recipe.settings["strength"], recipe.settings["color"]) == (0.8, "photo")


def test_the_command_line_goes_on_with_a_steered_run(order, capsys):
    """Its bar counts the iterations that a turn added."""
    order.prepare().run(steer=steering(TURNS)).save("whole.png")
    folder, job = order.target.with_name("out.png-checkpoint"), order.prepare()
    keep = job.checkpointer(folder, order.to_json(folder))

    def stopped(step):
        keep(step)
        if step.iteration == 7:
            raise KeyboardInterrupt

    job.run(stopped, steer=steering(TURNS))
    keep.write()
    command(["resume", str(folder)])
    assert order.target.read_bytes() == (order.target.parent / "whole.png").read_bytes()


def test_all_that_may_be_steered_can_be(order):
    asked = {"strength": 0.7, "style_scale": 0.8, "style_weights": (1.0, 3.0), "tv_weight": 1.0}
    asked |= {"alpha": 0.5, "beta": 2.0, "color": "photo", "color_match": "histogram"}
    asked |= {"hand": "painterly", "slices": 0.5, "relations": 0.25, "detail": 0.5}
    assert set(asked) == set(STEERABLE)
    result = order.prepare().run(steer=steering([(2, asked)]))
    read = Recipe.from_json(json.loads(json.dumps(result.recipe.to_json())), "it")
    assert read.settled().config() == replace(order.config, **asked, threads=None)
    assert read.difference(order.prepare().recipe)  # no picture of the settings it began with


def test_colours_go_to_luminance_and_back(order):
    turns = [(2, {"color": "luminance"}), (5, {"color": "painted"})]
    steps = []
    result = order.prepare().run(steps.append, steer=steering(turns))
    assert [step.turn.get("color") for step in steps if step.turn] == ["luminance", "painted"]
    assert result.pixels.isfinite().all()
    again = order.prepare().steered(turns).run()
    assert torch.equal(result.pixels, again.pixels)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"size": 128}, "size.*while a job runs"),
        ({"strength": 2.0}, "strength"),
        ({"color_match": "histogram"}, "color_match"),
    ],
)
def test_what_cannot_be_steered_is_a_line(order, settings, words):
    with pytest.raises(ConfigError, match=words):
        order.prepare().turned(3, settings)


def test_a_turn_has_its_place_between_the_last_one_and_the_end(order):
    job = order.prepare().turned(3, {"strength": 0.8})
    for after in (0, 2, 3, job.iterations):
        with pytest.raises(ConfigError, match="change of aim after iteration"):
            job.turned(after, {"strength": 0.9})
    assert job.turned(3, {"strength": 0.8}) is job  # which changes nothing


def test_a_picture_that_is_another_one_by_now_is_a_line(order):
    job = order.prepare()
    pictures.save(pictures.load(data.chelsea()).pixels.flip(3), order.photo)
    with pytest.raises(PictureError, match="another one by now"):
        job.turned(3, {"style_scale": 0.5})


def test_a_turn_at_a_coarse_scale_is_gone_on_with_at_the_finer_ones(order):
    config = replace(order.config, size=256, iterations=6)
    job = prepare(order.photo, "charcoal", config)
    (_, first), (_, last) = job.scales
    turned = job.turned(first - 1, {"strength": 0.9})
    assert [count for _, count in turned.scales] == [2 * first - 1, last]
    assert len(costs(turned)) == turned.iterations
    between = job.turned(first, {"strength": 0.9})  # which begins the next scale with it
    assert between.scales == job.scales
    result = between.run()
    assert len(result.history) == job.iterations
    assert result.recipe.outcome.steering == ((first, {"strength": 0.9}),)


def test_windows_and_snapshots_follow(order, tmp_path):
    config = replace(order.config, size=128, fit="windows")
    job = prepare(order.photo, "charcoal", config)
    job = job.in_windows([(1, 64)])
    whole = job.steered([(3, {"strength": 0.8})]).run(Snapshots(tmp_path / "shots", (2, -1)))
    assert {row["window_px"] for row in whole.history} == {64}
    last = tmp_path / "shots" / f"iteration-{len(whole.history):04}.png"
    assert torch.equal(pictures.load(last).pixels, pictures.load(whole.image).pixels)
    asked = Session(job).run(steer=steering([(3, {"strength": 0.8})]))
    assert torch.equal(whole.pixels, asked.pixels)


@given(
    st.sampled_from([64, 128, 256, 600, 1500]),
    st.integers(1, 120),
    st.sets(st.integers(1, 200), max_size=6),
)
@settings(deadline=None)
def test_each_turn_begins_its_scales_iterations_anew(side, iterations, afters):
    plan = schedule((side, side // 2), configure(iterations=iterations))
    turned = plan
    done: list[int] = []
    for after in sorted(afters):
        if after >= sum(count for _, count in turned):
            continue
        before, done = turned, [*done, after]
        turned = steered(plan, done)
        assert [size for size, _ in turned] == [size for size, _ in plan]
        added = [new - old for (_, new), (_, old) in zip(turned, before, strict=True)]
        assert min(added) >= 0
        assert sum(map(bool, added)) <= 1
        end = 0
        for (_, count), (_, whole), (_, now) in zip(before, plan, turned, strict=True):
            begin, end = end, end + count
            if begin < after < end:
                assert now == after - begin + whole
            else:
                assert now == count


def test_early_recipes_and_checkpoints_are_not_steered(order):
    result = order.prepare().run()
    known = result.recipe.to_json()
    assert "steering" not in known
    assert Recipe.from_json(known, "it").outcome.steering == ()
    rows = [
        {name: value for name, value in row.items() if name != "turn"} for row in result.history
    ]
    assert result.recipe.after(_Last(result), rows).outcome.steering == ()


class _Last:
    """What a recipe reads of a run's last step."""

    def __init__(self, result):
        went = result.recipe.outcome
        self.iteration, self.iterations, self.loss, self.losses = went.done, went.planned, 0.0, {}

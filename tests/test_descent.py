"""Laws of the minimisers: the box, the way down, and the way back from an explosion."""

from __future__ import annotations

import json
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from impasto.errors import DivergenceError
from impasto.transfer.descent import (
    ADAM_DECAY_PER_STEP,
    BACKTRACKS,
    LBFGS,
    STALLED,
    SUFFICIENT_DECREASE,
    Adam,
    GradientDescent,
    Outcome,
    Point,
    Value,
)

EXACT = torch.float64


def evaluator(function):
    def evaluate(x):
        x = x.detach().requires_grad_()
        loss = function(x)
        (gradient,) = torch.autograd.grad(loss, x)
        value = float(loss.detach())
        return Point(x.detach(), {"all": value}, value, gradient)

    return evaluate


def quadratic(seed=0, size=12, condition=100.0):
    """1/2 (x - c)^T A (x - c) whose free minimum c lies partly outside [0, 1]."""
    generator = torch.Generator().manual_seed(seed)
    Q, _ = torch.linalg.qr(torch.randn(size, size, generator=generator, dtype=EXACT))
    values = torch.logspace(0, math.log10(condition), size, dtype=EXACT)
    A = Q * values @ Q.T
    centre = torch.rand(size, generator=generator, dtype=EXACT) * 2 - 0.5
    return lambda x: (x.flatten() - centre) @ A @ (x.flatten() - centre) / 2


def start():
    """A picture of twelve numbers."""
    return torch.full((1, 3, 2, 2), 0.5, dtype=EXACT)


MINIMIZERS = {
    "lbfgs": LBFGS,
    "adam": lambda evaluate, x: Adam(evaluate, x, 0.02),
    "gd": lambda evaluate, x: GradientDescent(evaluate, x, 0.02),
}


@pytest.mark.parametrize("name", MINIMIZERS)
@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 1000))
def test_pixels_never_leave_the_box_and_the_loss_goes_down(name, seed):
    function = quadratic(seed)
    minimizer = MINIMIZERS[name](evaluator(function), start())
    first = minimizer.point.loss
    for _ in range(60):
        minimizer.step()
        assert minimizer.point.x.min() >= 0
        assert minimizer.point.x.max() <= 1
    assert minimizer.point.loss < first


@pytest.mark.parametrize("seed", range(5))
def test_lbfgs_finds_the_minimum_in_the_box_that_scipy_finds(seed):
    function = quadratic(seed)
    evaluate = evaluator(function)

    def numpys(x):
        point = evaluate(torch.from_numpy(x).view_as(start()))
        return point.loss, point.gradient.flatten().numpy()

    best = minimize(
        numpys, start().flatten().numpy(), jac=True, method="L-BFGS-B", bounds=[(0, 1)] * 12
    )
    minimizer = LBFGS(evaluate, start())
    for _ in range(300):
        minimizer.step()
        if minimizer.converged:
            break
    assert minimizer.point.loss <= best.fun * (1 + 1e-6) + 1e-9


def test_lbfgs_never_goes_up_and_mostly_takes_one_evaluation_an_iteration():
    calls = []
    evaluate = evaluator(lambda x: calls.append(1) or quadratic(1)(x) + x.sin().sum())
    minimizer, losses = LBFGS(evaluate, start()), []
    for _ in range(25):
        minimizer.step()
        losses.append(minimizer.point.loss)
    assert losses == sorted(losses, reverse=True)
    assert len(calls) <= 25 * 1.5


@pytest.mark.parametrize(("share", "taken"), [(0.9, 0.5), (1.1, 1.0), (-1.0, 0.5)])
def test_a_step_is_taken_where_the_loss_falls_by_armijos_share_of_the_slope(share, taken):
    """And halved where it falls by less, or rises by as little."""
    minimizer = LBFGS(evaluator(quadratic()), start())
    here, found = minimizer.point, []

    def evaluate(x):
        found.append(x)
        slope = float((here.gradient * (x - here.x)).sum())
        due = share if len(found) == 1 else 2.0
        return Point(x, {}, here.loss + due * SUFFICIENT_DECREASE * slope, here.gradient)

    direction = -0.01 * here.gradient / here.gradient.abs().max()
    reached = minimizer._search(direction, evaluate)
    torch.testing.assert_close(reached.x, here.x + taken * direction)


def test_adams_steps_are_those_of_the_papers_algorithm():
    """Kingma & Ba 2015, algorithm 1, with an epsilon that is next to none."""
    evaluate, (first, second), rate = (
        evaluator(quadratic(condition=10.0)),
        ADAM_DECAY_PER_STEP,
        3e-3,
    )
    adam, x = Adam(evaluate, start(), rate), start()
    m = v = torch.zeros_like(x)
    for t in range(1, 9):
        adam.step()
        g = evaluate(x).gradient
        m, v = first * m + (1 - first) * g, second * v + (1 - second) * g.square()
        x = x - rate * (m / (1 - first**t)) / (v / (1 - second**t)).sqrt()
        torch.testing.assert_close(adam.point.x, x, rtol=0, atol=1e-7)


def test_lbfgs_survives_a_cliff_where_a_fixed_unit_step_explodes():
    """-log is steep and then not a number: the kind of step that ended in a green screen."""
    minimizer = LBFGS(evaluator(lambda x: (-torch.log(0.9 - x)).sum() - 40 * x.sum()), start())
    for _ in range(40):
        minimizer.step()
        assert minimizer.point.finite
    assert minimizer.point.x.max() < 0.9
    assert minimizer.point.x.min() > 0.85


def test_lbfgs_says_converged_at_a_minimum_and_stays_there():
    minimizer = LBFGS(evaluator(lambda x: ((x - 0.5) ** 2).sum()), start())
    assert minimizer.step() == Outcome(STALLED)
    assert minimizer.converged
    assert minimizer.step() == Outcome()
    assert torch.equal(minimizer.point.x, start())


@pytest.mark.parametrize("method", [Adam, GradientDescent])
def test_an_explosion_goes_back_to_the_best_picture_with_half_the_step_and_says_so(method):
    function = quadratic(2, condition=1e4)
    minimizer = method(evaluator(function), start(), 50.0)
    first, notes = minimizer.point.loss, []
    for _ in range(60):
        note, rejected = minimizer.step()
        assert rejected == bool(note)
        if note:
            notes.append(note)
            assert minimizer.point.loss == minimizer.best.loss
        assert minimizer.point.loss <= 2 * first
    assert notes
    assert all("back to the best picture" in note for note in notes)
    assert minimizer.rate == 50.0 / 2 ** len(notes)


@pytest.mark.parametrize("name", MINIMIZERS)
def test_a_loss_that_turns_nan_is_never_where_a_minimiser_stands(name):
    def function(x):
        loss = quadratic(3)(x)
        return loss * float("nan") if (x - 0.5).abs().max() > 0.1 else loss

    minimizer = MINIMIZERS[name](evaluator(function), start())
    notes = []
    for _ in range(BACKTRACKS * 4):
        notes.append(minimizer.step().note)
        assert minimizer.point.finite
    assert any("the loss went to nan: back" in note for note in notes)


@pytest.mark.parametrize("name", MINIMIZERS)
def test_a_loss_that_is_nan_from_the_start_is_an_error(name):
    with pytest.raises(DivergenceError, match="first picture"):
        MINIMIZERS[name](evaluator(lambda x: x.sum() * float("nan")), start())


@pytest.mark.parametrize("name", MINIMIZERS)
def test_where_all_is_flat_nothing_moves_and_nothing_breaks(name):
    """Also at a loss that rounding made negative, below which no explosion may be seen."""
    minimizer = MINIMIZERS[name](evaluator(lambda x: (x * 0).sum() - 1e-3), start())
    notes = [minimizer.step().note for _ in range(5)]
    assert torch.equal(minimizer.point.x, start())
    assert set(notes) <= {"", STALLED}


@pytest.mark.parametrize("name", MINIMIZERS)
def test_two_runs_are_the_same_to_the_bit(name):
    ends = []
    for _ in range(2):
        minimizer = MINIMIZERS[name](evaluator(quadratic(4)), start())
        for _ in range(20):
            minimizer.step()
        ends.append(minimizer.point.x)
    assert torch.equal(*ends)


def through_a_file(state):
    """The state as JSON and tensors in other memory have it."""
    tensors = {name: value.clone() for name, value in state.items() if torch.is_tensor(value)}
    rest = {name: value for name, value in state.items() if name not in tensors}
    return {**json.loads(json.dumps(rest)), **tensors}


BUMPY = {  # rates at which they go up as well, and explode
    "lbfgs": LBFGS,
    "adam": lambda evaluate, x: Adam(evaluate, x, 20.0),
    "gd": lambda evaluate, x: GradientDescent(evaluate, x, 2.0),
}


@pytest.mark.parametrize("before", [0, 1, 7])
@pytest.mark.parametrize("bumpy", [False, True])
@pytest.mark.parametrize("name", MINIMIZERS)
def test_a_last_step_is_any_step_without_a_gradient(name, bumpy, before):
    function = quadratic(5)
    one, other = (
        (BUMPY if bumpy else MINIMIZERS)[name](evaluator(function), start()) for _ in "ab"
    )
    for _ in range(before):
        one.step()
        other.step()
    begun = other.point.x
    one.step()
    ended = other.end(lambda x: Value(x, float(function(x))))
    assert torch.equal(ended, one.point.x)
    assert bumpy or not torch.equal(ended, begun)


def test_a_last_step_that_leads_nowhere_stays_where_it_is():
    minimizer = LBFGS(evaluator(quadratic(5)), start())
    minimizer.step()
    stands = minimizer.point.x
    assert torch.equal(minimizer.end(lambda x: Value(x, math.nan)), stands)


@pytest.mark.parametrize("through", [dict, through_a_file])
@pytest.mark.parametrize("bumpy", [False, True])
@pytest.mark.parametrize("name", MINIMIZERS)
def test_from_a_state_the_next_steps_are_the_same_to_the_bit(name, bumpy, through):
    method, evaluate = (BUMPY if bumpy else MINIMIZERS)[name], evaluator(quadratic(2))
    whole, states, steps = method(evaluate, start()), [], []
    for _ in range(45):
        states.append(whole.state())
        steps.append((whole.step(), whole.point))
    for begin, state in enumerate(states[:25]):
        again = method(evaluate, start() / 3)
        again.step()  # and so knows something else, to be forgotten
        again.restore(through(state))
        for note, point in steps[begin : begin + 20]:
            assert again.step() == note
            assert again.point.loss == point.loss
            assert torch.equal(again.point.x, point.x)
    if bumpy and name != "lbfgs":
        assert not all(state["at_best"] for state in states[:25])
        assert any(outcome.note for outcome, _ in steps)


def test_one_that_has_converged_is_still_so_when_it_is_restored():
    function = evaluator(lambda x: ((x - 0.5) ** 2).sum())
    converged, again = LBFGS(function, start()), LBFGS(function, start())
    converged.step()
    again.restore(through_a_file(converged.state()))
    assert again.converged
    assert again.step() == Outcome()


@pytest.mark.parametrize("unit", [2.0**-60, 2.0**60])
@pytest.mark.parametrize("name", MINIMIZERS)
def test_the_unit_of_the_loss_changes_nothing(name, unit):
    """The paper's sums are of the order of 1e15, the default's means of the order of 0.1."""
    ends = []
    for factor in (1.0, unit):
        minimizer = MINIMIZERS[name](evaluator(lambda x, f=factor: f * quadratic(5)(x)), start())
        for _ in range(20):
            minimizer.step()
        ends.append(minimizer.point.x)
    torch.testing.assert_close(*ends, rtol=0, atol=1e-6 if name == "adam" else 0)

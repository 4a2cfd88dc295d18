"""Laws of the loop: one Step an iteration, coarse to fine, the same bytes, no exploded picture."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest
import torch

from conftest import Crowded, noise_picture, small_state
from impasto.config import HANDS, PRESETS, Config
from impasto.errors import DivergenceError
from impasto.network.vgg import VGG, Stage
from impasto.pictures import resize, resize_around
from impasto.transfer import walk
from impasto.transfer.descent import STALLED
from impasto.transfer.evaluation import Evaluator, Region
from impasto.transfer.optimize import Subject, changes, enlarge, optimize
from impasto.transfer.schedule import schedule
from impasto.transfer.walk import extended_size

SIZE = (190, 256)
QUICK = Config(iterations=18)
FLAT = replace(QUICK, pyramid=False)


def subject(detail=True):
    photograph, painting = noise_picture(*SIZE, seed=1), noise_picture(180, 200, seed=2) ** 3

    def sized(picture):
        return lambda size: resize(picture, size)

    shown = sized(photograph)
    return Subject(shown, in_the_manner_of(painting), shown, shown if detail else None)


def in_the_manner_of(painting):
    return lambda size: [Region.whole(resize(painting, size))]


def run(config=QUICK, network=None, **kwargs):
    return list(optimize(network or VGG(small_state()), subject(**kwargs), SIZE, config))


def test_steps_count_up_to_the_schedules_total_and_end_at_the_full_size():
    steps, plan = run(), schedule(SIZE, QUICK)
    assert [step.iteration for step in steps] == list(range(1, 19))
    assert {step.iterations for step in steps} == {18}
    assert [step.scale for step in steps] == [size for size, n in plan for _ in range(n)]
    assert steps[-1].picture().shape == (1, 3, *SIZE)


def test_a_steps_losses_are_named_by_layer_and_sum_to_its_loss():
    for step in run():
        assert step.loss == pytest.approx(sum(step.losses.values()), rel=1e-5)
        assert next(iter(step.losses)) == "content relu4_2"
        assert "style relu5_1" in step.losses
        assert "tv" in step.losses


@pytest.mark.parametrize("optimizer", ["lbfgs", "adam", "gd"])
@pytest.mark.parametrize("distance", ["wasserstein", "gram"])
def test_every_optimiser_brings_every_loss_down_within_the_box(optimizer, distance):
    config = replace(QUICK, optimizer=optimizer, distance=distance, pyramid=False, iterations=40)
    steps = run(config)
    assert steps[-1].loss < 0.9 * steps[0].loss
    for step in steps:
        assert step.picture().min() >= 0
        assert step.picture().max() <= 1


def test_the_same_run_gives_the_same_bytes():
    assert torch.equal(run()[-1].pixels, run()[-1].pixels)


@pytest.mark.parametrize("optimizer", ["lbfgs", "adam", "gd"])
def test_from_any_step_the_ones_after_it_are_the_same_to_the_bit(optimizer):
    """Within a scale, at a scale's end, right after it, and at the last."""
    config = replace(QUICK, optimizer=optimizer)
    first_scale = schedule(SIZE, config)[0][1]
    whole, network = run(config), VGG(small_state())
    for done in (1, 5, first_scale, first_scale + 1, config.iterations):
        rest = list(optimize(network, subject(), SIZE, config, whole[done - 1]))
        assert rest == whole[done:]
        assert all(torch.equal(a.pixels, b.pixels) for a, b in zip(rest, whole[done:], strict=True))


@pytest.mark.parametrize(("hand", "exactness"), [("faithful", 1e-3), ("painterly", 2e-3)])
def test_the_pictures_gradient_is_that_of_float64(hand, exactness):
    """Slopes jump from bin to bin, into which a number falls by its rounding."""
    config, pictures = replace(QUICK, tv_weight=1.0, hand=hand, **HANDS[hand]), {}
    for dtype in (torch.float32, torch.float64):
        network = VGG(small_state(torch.float64)).to(dtype)
        photograph, painting = noise_picture(96, 128, 1, dtype), noise_picture(112, 96, 2, dtype)
        evaluate = Evaluator(network, photograph, [Region.whole(painting)], config)
        pictures[dtype] = evaluate(noise_picture(96, 128, 3).to(dtype)).gradient.double()
    exact = pictures[torch.float64]
    assert (pictures[torch.float32] - exact).norm() < exactness * exact.norm()


def test_enlarging_the_photograph_itself_gives_the_photograph():
    shown = subject().photograph
    torch.testing.assert_close(enlarge(shown((95, 128)), SIZE, shown), shown(SIZE))
    assert not torch.allclose(enlarge(shown((95, 128)), SIZE, None), shown(SIZE), atol=0.01)


class Faulty(VGG):
    """A network whose features are not numbers on some calls, of the way through its stages."""

    def __init__(self, faulty):
        super().__init__(small_state())
        self.calls, self.faulty = 0, faulty

    def stages(self, layers, *, apart=False):
        (stage,) = super().stages(layers)
        return [FaultyStage(**vars(stage), owner=self)]


@dataclass(frozen=True)
class FaultyStage(Stage):
    owner: Faulty

    def __call__(self, x):
        self.owner.calls += 1
        features, out = super().__call__(x)
        if self.owner.faulty(self.owner.calls, x):
            features = {name: F * float("nan") for name, F in features.items()}
        return features, out


@pytest.mark.parametrize("optimizer", ["lbfgs", "adam", "gd"])
def test_a_loss_that_is_no_number_on_the_way_is_stepped_back_from(optimizer):
    config = replace(QUICK, optimizer=optimizer, pyramid=False, iterations=12)
    steps = run(config, network=Faulty(lambda call, _: call in (7, 8)))
    assert len(steps) == 12
    assert all(step.picture().isfinite().all() for step in steps)
    assert steps[-1].loss < steps[0].loss
    assert any("went to nan: back" in step.note for step in steps)


def test_a_trial_that_exploded_is_counted_where_it_happened():
    steps = run(replace(QUICK, pyramid=False), network=Faulty(lambda call, _: call in (7, 8)))
    told = [step.iteration for step in steps if "back" in step.note]
    assert told == [step.iteration for step in steps if step.rejected]
    assert [step.row()["rejected"] for step in steps].count(True) == len(told) > 0


@pytest.mark.usefixtures("small_windows")
def test_where_memory_runs_out_the_iteration_is_taken_again_in_halved_windows(monkeypatch):
    monkeypatch.setattr(walk, "SMALLEST_SIDE_PX", 16)
    expected = run()
    with pytest.MonkeyPatch.context() as crowded:
        steps = []
        for step in optimize(VGG(small_state()), subject(), SIZE, QUICK):
            steps.append(step)
            if step.iteration == QUICK.iterations - 2:
                Crowded(40 * 40, crowded)
    windows = changes(step.window_px for step in steps)
    assert windows == ((1, None), (QUICK.iterations - 1, windows[1][1]))
    assert 16 <= windows[1][1] < max(SIZE)
    assert ["memory ran out" in step.note for step in steps].count(True) == 1
    assert steps[-1].loss == pytest.approx(expected[-1].loss, rel=1e-3)
    for after in (None, steps[2], steps[-2]):
        again = list(optimize(VGG(small_state()), subject(), SIZE, QUICK, after, windows))
        assert torch.equal(again[-1].pixels, steps[-1].pixels)
        assert [step.window_px for step in again] == [s.window_px for s in steps[-len(again) :]]


def test_where_there_is_no_room_at_all_it_is_an_error(monkeypatch):
    Crowded(10, monkeypatch)
    with pytest.raises(RuntimeError, match="allocate"):
        run()


def test_one_that_can_go_no_further_says_so_once_and_counts_to_the_end():
    steps = run(network=Faulty(lambda call, _: call >= 7), config=FLAT)
    assert [step.iteration for step in steps] == list(range(1, FLAT.iterations + 1))
    assert sum(STALLED in step.note for step in steps) == 1


def test_a_finer_scale_that_begins_with_nonsense_leaves_the_coarser_ones_picture():
    kept, faulty = [], Faulty(lambda _, x: x.shape[2:] == extended_size(SIZE))
    with pytest.raises(DivergenceError):
        kept.extend(optimize(faulty, subject(), SIZE, QUICK))
    assert kept
    assert all(step.picture().isfinite().all() for step in kept)


@pytest.mark.parametrize("content", [noise_picture(64, 80), torch.full((1, 3, 64, 80), 0.5)])
def test_a_picture_in_its_own_style_stays_itself(content):
    shown = lambda size: resize(content, size)  # noqa: E731
    about = Subject(shown, in_the_manner_of(content), shown, shown)
    for optimizer in ("lbfgs", "gd"):
        config = replace(QUICK, optimizer=optimizer, iterations=10)
        *_, last = optimize(VGG(small_state()), about, (64, 80), config)
        assert abs(last.loss) < 0.1
        torch.testing.assert_close(last.picture(), content, atol=0.1, rtol=0)


def test_a_network_of_nonsense_is_an_error_and_no_picture():
    with pytest.raises(DivergenceError):
        run(network=Faulty(lambda call, _: call >= 4))


def test_strength_zero_is_the_photograph():
    steps = run(replace(QUICK, strength=0.0))
    torch.testing.assert_close(steps[-1].picture(), subject().photograph(SIZE), atol=1e-3, rtol=0)


def test_of_an_enlarged_photograph_less_is_kept_the_more_it_is_enlarged():
    """Half of its detail and of its content at twice its size; none less at its own."""
    about = replace(subject(), known_px=128)
    assert [about.sharp(size) for size in ((95, 128), (48, 64), (190, 256))] == [1.0, 1.0, 0.5]
    assert subject().sharp((1900, 2560)) == 1.0
    assert replace(QUICK, strength=0.0).photographed(0.5) == 1.0  # then it is the photograph
    assert replace(QUICK, strength=1.0).photographed(0.5) == pytest.approx(QUICK.detail / 2)
    photograph, regions = subject().photograph(SIZE), subject().regions(SIZE)
    found = {}
    for sharp in (1.0, 0.5):
        evaluate = Evaluator(VGG(small_state()), photograph, regions, QUICK, sharp=sharp)
        found[sharp] = {term.name: term.weight for term in evaluate.objective.terms}
    for name, weight in found[1.0].items():
        share = 0.5 if name.startswith("content") else 1.0
        assert found[0.5][name] == pytest.approx(share * weight)
    whole = list(optimize(VGG(small_state()), subject(), SIZE, QUICK))
    less = list(optimize(VGG(small_state()), about, SIZE, QUICK))
    same = [a == b for a, b in zip(whole, less, strict=True)]
    scales = [step.scale for step in whole]
    assert all(same[: scales.index(SIZE)])
    assert not any(same[scales.index(SIZE) :])


def test_the_papers_sums_know_nothing_of_that():
    photograph, regions = subject().photograph(SIZE), subject().regions(SIZE)
    paper = replace(PRESETS["paper"], iterations=2)
    one, other = (
        Evaluator(VGG(small_state()), photograph, regions, paper, sharp=sharp).objective.terms
        for sharp in (1.0, 0.5)
    )
    assert [term.weight for term in one] == [term.weight for term in other]


def test_more_strength_means_more_style_and_less_photograph():
    def distances(strength):
        config = replace(QUICK, strength=strength, iterations=60, tv_weight=0.0)
        last = run(config)[-1]
        content, style = config.weights()
        lost = last.losses["content relu4_2"] / content
        return lost, sum(v for n, v in last.losses.items() if n.startswith("style")) / style

    content, style = zip(*(distances(s) for s in (0.1, 0.3, 0.8)), strict=True)
    assert list(content) == sorted(content)
    assert list(style) == sorted(style, reverse=True)


def test_a_tile_is_enlarged_as_one():
    tile = 0.3 + 0.4 * noise_picture(32, 48)
    found = enlarge(tile, (64, 96), None, around=(True, True))
    assert torch.equal(found, resize_around(tile, (64, 96), (True, True)))
    assert not torch.equal(found, enlarge(tile, (64, 96), None))

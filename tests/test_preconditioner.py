"""Laws of the guess at an inverse Hessian: symmetric, positive, of the loss's unit, helpful."""

from __future__ import annotations

import pytest
import torch
from scipy.fft import dctn, idctn

from conftest import noise_picture
from impasto.transfer import descent
from impasto.transfer.descent import LBFGS, Point
from impasto.transfer.preconditioner import (
    LONGER,
    MOST_GAIN,
    PRIOR_PAIRS,
    Preconditioner,
    dot,
)
from impasto.transfer.waves import cosines, from_waves, to_waves

EXACT = torch.float64
SIZES = [(16, 16), (17, 24), (30, 13), (2, 2)]


def noise(size, seed):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(1, 3, *size, generator=generator, dtype=EXACT)


def taught(size, unit=1.0):
    """One that has seen three pairs."""
    precondition = Preconditioner(noise(size, 0))
    for seed in (1, 2, 3):
        step = noise(size, seed)
        precondition.learn(step, unit * (2 * step + 0.3 * noise(size, 10 + seed).abs() * step))
    return precondition


def by_frequency(picture, factors):
    """Its cosine waves times the factors, by another library's transform."""
    waves = dctn(picture.numpy(), axes=(2, 3), norm="ortho") * factors.numpy()
    return torch.from_numpy(idctn(waves, axes=(2, 3), norm="ortho"))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("make", [lambda size: Preconditioner(noise(size, 0)), taught])
def test_it_is_symmetric_and_positive(size, make):
    H, a, b = make(size), noise(size, 4), noise(size, 5)
    assert dot(a, H(b)) == pytest.approx(dot(H(a), b))
    assert dot(a, H(a)) > 0


def test_without_pairs_it_moves_low_frequencies_further():
    H, places = Preconditioner(noise((8, 32), 0)), torch.arange(32, dtype=EXACT) + 0.5
    for cycles in (1, 8):
        wave = torch.cos(2 * torch.pi * cycles * places / 32).expand(1, 3, 8, 32)
        torch.testing.assert_close(H(wave), wave / (cycles / 32 + 0.01))


@pytest.mark.parametrize("size", [*SIZES, (1, 5)])
def test_the_transform_is_that_of_the_matrices_which_a_gpu_takes(size):
    picture, (down, across) = noise(size, 1), map(cosines, size)
    torch.testing.assert_close(to_waves(picture), down @ picture @ across.T)
    torch.testing.assert_close(from_waves(to_waves(picture)), picture)
    torch.testing.assert_close(down.T @ to_waves(picture) @ across, picture)


def test_a_border_says_nothing_of_the_one_across_the_picture():
    H, left = Preconditioner(noise((32, 64), 0)), torch.zeros(1, 3, 32, 64, dtype=EXACT)
    left[..., 0] = 1.0
    moved = H(left)
    nearer = moved[0, 0, 16, :-1] > moved[0, 0, 16, 1:]
    assert nearer.all()


@pytest.mark.parametrize("around", [(True, True), (True, False), (False, True)])
@pytest.mark.parametrize("size", SIZES)
def test_where_a_picture_goes_around_it_does_not_know_where_it_begins(size, around):
    H, a, b = Preconditioner(noise(size, 0), around), noise(size, 4), noise(size, 5)
    H.learn(a, 2 * a + 0.3 * b)
    assert dot(a, H(b)) == pytest.approx(dot(H(a), b))
    assert dot(a, H(a)) > 0
    torch.testing.assert_close(H._filtered(H._filtered(a), inverse=True), a)
    shifts = [size[axis] // 2 * joined for axis, joined in enumerate(around)]
    moved = Preconditioner(noise(size, 0), around)
    moved.learn(*(each.roll(shifts, (2, 3)) for each in (a, 2 * a + 0.3 * b)))
    torch.testing.assert_close(moved(b.roll(shifts, (2, 3))), H(b).roll(shifts, (2, 3)))


def test_the_way_that_it_does_not_go_around_it_is_the_cosine_filter():
    wave = noise((16, 1), 1).expand(1, 3, 16, 24).contiguous()
    H, bordered = Preconditioner(wave, (False, True)), Preconditioner(wave)
    torch.testing.assert_close(H(wave), bordered(wave))


def test_its_unit_is_one_over_the_losss():
    one, thousand = taught((17, 24)), taught((17, 24), 1000.0)
    a = noise((17, 24), 6)
    torch.testing.assert_close(one(a), 1000 * thousand(a))


def test_of_a_loss_as_curved_as_it_expects_it_finds_the_curvature():
    size, curvature = (16, 24), 7.0
    H, step = Preconditioner(noise(size, 0)), noise(size, 1)
    change = curvature * by_frequency(step, H.root**-2)
    H.learn(step, change)
    torch.testing.assert_close(H(change), step)


def test_a_steps_length_lies_between_barzilais_and_borweins_two():
    """Taken for what is left when the frequencies and the places are known."""
    size = (16, 24)
    H, step, change = Preconditioner(noise(size, 0)), noise(size, 1), noise(size, 2)
    change += 4 * step  # and far from it: the two differ by two fifths
    H.learn(step, change)
    s, y = by_frequency(step, 1 / H.root), by_frequency(change, H.root)
    shorter = dot(s, y) / dot(y, H.gain * y)
    longer = dot(s, s / H.gain) / dot(s, y)
    assert 1.2 * shorter < longer
    assert H.scale == pytest.approx(shorter * (longer / shorter) ** LONGER)


def test_a_pair_at_right_angles_teaches_nothing():
    """Its curvature, once both are filtered, may come out below 0 by rounding."""
    step, other = noise_picture(12, 16), noise_picture(12, 16, seed=1)
    P = Preconditioner(step)
    filtered_step = P._filtered(step, inverse=True)
    change = P._filtered(other, inverse=True)
    along = float((filtered_step * P._filtered(change)).sum())
    change -= step * (1.001 * along / float((filtered_step * P._filtered(step)).sum()))
    P.learn(step, change)
    assert P.scale is None
    assert P(other).isfinite().all()


def test_places_that_moved_far_for_little_change_are_moved_further():
    size, H = (16, 16), Preconditioner(noise((16, 16), 0))
    flat = torch.ones(1, 3, *size, dtype=EXACT)
    flat[..., 8:] = 4.0  # curvature
    for seed in range(8):
        step = noise(size, seed)
        H.learn(step, flat * step)
    assert H.gain[..., 2:6].mean() > 2 * H.gain[..., 10:14].mean()
    assert 1 / MOST_GAIN <= H.gain.min() <= H.gain.max() <= MOST_GAIN


def test_from_its_state_another_does_the_same_to_the_bit_and_one_of_another_size_much_the_same():
    one, again, larger = taught((16, 24)), taught((16, 24), 3.0), Preconditioner(noise((32, 48), 0))
    again.restore(one.state())
    assert torch.equal(one(noise((16, 24), 7)), again(noise((16, 24), 7)))
    larger.inherit(one.state())
    assert larger.scale is None
    for known in (larger.steps, larger.changes):  # each pair's is relative: 1 in the mean
        assert float(known.mean()) == pytest.approx(PRIOR_PAIRS)
    halved = torch.nn.functional.avg_pool2d(larger.gain, 2)
    assert torch.corrcoef(torch.stack([halved.flatten(), one.gain.flatten()]))[0, 1] > 0.9


def test_with_it_a_picture_is_found_in_fewer_iterations(monkeypatch):
    """One whose loss is the more curved, the higher the frequency, as a style's is."""
    target = noise_picture(32, 48, dtype=EXACT)
    down, across = torch.arange(32)[:, None] / 64, torch.arange(48) / 96
    curvature = torch.hypot(down, across).double() + 0.02

    def evaluate(x):
        gradient = by_frequency(x - target, curvature)
        loss = dot(gradient, x - target) / 2
        return Point(x, {"all": loss}, loss, gradient)

    def losses(iterations=12):
        minimizer = LBFGS(evaluate, torch.full_like(target, 0.5))
        for _ in range(iterations):
            minimizer.step()
        return minimizer.point.loss

    with_it = losses()
    monkeypatch.setattr(descent.Preconditioner, "_filtered", lambda _, x, inverse=False: x.clone())
    assert with_it < 0.2 * losses()

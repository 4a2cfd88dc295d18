"""Laws of a picture's waves: a power that is a density, and what a step is expected to have."""

from __future__ import annotations

import pytest
import torch

from conftest import noise_picture
from impasto.pictures.color import nearest_grey
from impasto.transfer.descent import LBFGS, Point
from impasto.transfer.preconditioner import Preconditioner, dot
from impasto.transfer.waves import (
    BANDS,
    LEAST_AMPLITUDE,
    amplitudes_at,
    amplitudes_of,
    bands_of,
    from_opponent,
    mean_power,
    power_of,
    to_opponent,
)

EXACT = torch.float64


def noise(size, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(1, 3, *size, generator=generator, dtype=EXACT)


def blurred(picture):
    return torch.nn.functional.avg_pool2d(picture, 5, 1, padding=2)


def test_opponent_colours_are_as_long_as_red_green_and_blue_and_go_back():
    picture = noise((8, 12))
    opponent = to_opponent(picture)
    assert dot(opponent, opponent) == pytest.approx(dot(picture, picture))
    torch.testing.assert_close(from_opponent(opponent), picture)
    assert float(to_opponent(nearest_grey(picture))[:, 1:].abs().max()) < 1e-12


def test_white_noise_has_its_variance_in_every_band_at_any_size():
    for size in ((256, 192), (64, 512)):
        found = power_of(0.5 * noise(size))[:, 9:]  # coarser bands have but a few waves
        torch.testing.assert_close(found, torch.full_like(found, 0.25), rtol=0.25, atol=0)


def test_bands_that_a_small_picture_has_no_waves_in_have_its_coarsest_ones_power():
    found = power_of(noise((16, 16)))
    assert found.shape == (3, BANDS)
    assert (found > 0).all()
    assert (found[:, :4] == found[:, 4:5]).all()


def test_a_pictures_mean_colour_is_no_wave():
    picture = noise((32, 48))
    torch.testing.assert_close(power_of(picture + 3), power_of(picture))


def test_many_paintings_are_one_with_their_mean_by_weight():
    one, other = noise((32, 32), 1), 3 * noise((48, 32), 2)
    found = mean_power([(1.0, one), (3.0, other)])
    torch.testing.assert_close(found, (power_of(one) + 3 * power_of(other)) / 4)


@pytest.mark.parametrize("painting", [noise_picture(64, 96), torch.full((1, 3, 64, 96), 0.3)])
def test_a_step_is_expected_to_have_something_everywhere_and_most_in_lightness(painting):
    found = amplitudes_of(power_of(painting))
    assert found.min() >= LEAST_AMPLITUDE**2
    assert found.max() <= 1
    assert (found[0] >= found[1:]).all()


def test_of_a_smooth_painting_a_step_has_less_that_is_fine_and_of_a_grey_one_less_colour():
    painting = noise_picture(96, 96, dtype=EXACT)
    plain, smooth, grey = (
        amplitudes_of(power_of(each))
        for each in (painting, blurred(blurred(painting)), nearest_grey(painting))
    )
    assert smooth[0, -1] < 0.2 * plain[0, -1]
    assert smooth[0, :5].tolist() == [1] * 5
    assert (grey[1:, 1:] < 0.3 * plain[1:, 1:]).all()
    torch.testing.assert_close(grey[0], plain[0], rtol=0.1, atol=0)


def test_between_two_bands_middles_lies_what_is_between_theirs():
    table = torch.arange(3.0 * BANDS, dtype=EXACT).view(3, BANDS)
    frequency = torch.tensor([[0.0, 0.5**0.5, 0.5, 0.5 * 2**-0.25]], dtype=EXACT)
    expected = torch.tensor([0, BANDS - 1, BANDS - 2, BANDS - 2.5], dtype=EXACT)
    torch.testing.assert_close(amplitudes_at(table, frequency)[1, 0], expected + BANDS)
    torch.testing.assert_close(bands_of(frequency)[0], expected)


def expecting(size, around=(False, False)):
    """A preconditioner that knows a painting, and has seen a pair."""
    expected = amplitudes_of(power_of(noise_picture(64, 48)) * torch.tensor([[1], [0.1], [0.01]]))
    H, step = Preconditioner(noise(size), around, expected), noise(size, 1)
    H.learn(step, 2 * step)
    return H


@pytest.mark.parametrize("around", [(False, False), (True, True), (False, True)])
def test_with_what_is_expected_an_inverse_hessian_is_symmetric_and_positive(around):
    H, a, b = expecting((24, 32), around), noise((24, 32), 4), noise((24, 32), 5)
    assert dot(a, H(b)) == pytest.approx(dot(H(a), b))
    assert dot(a, H(a)) > 0


def test_from_its_state_another_expects_the_same_to_the_bit():
    H, again = expecting((24, 32)), Preconditioner(noise((24, 32)))
    again.restore(H.state())
    assert torch.equal(again(noise((24, 32), 7)), H(noise((24, 32), 7)))


def test_after_a_grey_painting_the_first_step_has_hardly_any_fine_colour():
    """Though the gradient has as much of it as of lightness."""
    target = noise_picture(48, 64, dtype=EXACT)

    def evaluate(x):
        loss = dot(x - target, x - target) / 2
        return Point(x, {"all": loss}, loss, x - target)

    def fine(power):
        start = torch.full_like(target, 0.5)
        minimizer = LBFGS(evaluate, start, power=power)
        minimizer.step()
        step = power_of(minimizer.point.x - start)
        return (step[1:, -4:].sum() / step[0, -4:].sum()).sqrt()

    grey = power_of(nearest_grey(noise_picture(48, 64, 3, dtype=EXACT)))
    assert fine(grey) < 0.1 * fine(None)

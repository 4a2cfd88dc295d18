"""Laws of a photograph's content near the borders: less of it counts there, and where it does."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.functional import avg_pool2d

from conftest import noise_picture, small_state
from impasto.config import PRESETS, Config, configure
from impasto.network.vgg import VGG
from impasto.transfer.borders import AT_BORDERS, OUTERMOST, PARTS, away_from_seams, near_borders
from impasto.transfer.evaluation import Region, content_weights, objective_of
from impasto.transfer.losses import Content
from impasto.transfer.objective import Tally
from impasto.transfer.picked import scattered
from impasto.transfer.relations import MOST, Relations
from impasto.transfer.tiles import Box

AROUND = {
    (False, False): False,
    (True, True): True,
    (False, True): "horizontally",
    (True, False): "vertically",
}
SIDES = st.integers(1, 40)


@given(SIDES, SIDES, st.sampled_from([*AROUND]))
def test_a_position_near_any_border_that_there_is_counts_half(height, width, around):
    found = near_borders((height, width), around, torch.zeros(1, dtype=torch.float64))
    assert found.dtype == torch.float64
    down, across = (min(OUTERMOST, side // PARTS) for side in (height, width))
    for y in range(height):
        for x in range(width):
            near = (
                not around[0] and min(y, height - 1 - y) < down,
                not around[1] and min(x, width - 1 - x) < across,
            )
            assert found[0, 0, y, x] == (AT_BORDERS if any(near) else 1)


@pytest.mark.parametrize("in_block", [(2, 2, 3, 3), (2, 2, 4, 4)])
def test_outermost_positions_see_beyond_the_border_by_a_third_and_others_do_not(in_block):
    """Of the receptive field of relu4_2, in VGG-16 and in VGG-19."""
    field, stride = 1, 1
    for count in in_block[:3]:
        field += 2 * stride * count + stride  # and that of the pooling
        stride *= 2
    field += 2 * 2 * stride
    beyond = [(field / 2 - stride * (place + 0.5)) / field for place in range(OUTERMOST + 1)]
    assert all(part >= 1 / 3 for part in beyond[:OUTERMOST])
    assert beyond[OUTERMOST] < 1 / 3


def test_a_photograph_counts_less_only_at_borders_that_meet():
    x = noise_picture(40, 60)
    for around, meets in (((False, True), 3), ((True, False), 2)):
        where = away_from_seams(x, around)
        assert (where.narrow(meets, 0, 1) < 0.5).all()
        assert (where.narrow(meets, x.shape[meets] // 2, 1) == 1).all()
        other = 5 - meets
        assert torch.equal(where.narrow(other, 0, 1), where.narrow(other, 20, 1))


@pytest.mark.parametrize("around", [*AROUND])
@pytest.mark.parametrize("hidden", [False, True])
def test_seams_borders_and_what_is_visible_count_together(around, hidden):
    photograph, config = noise_picture(96, 112), Config(tileable=AROUND[around])
    visible = noise_picture(96, 112, seed=5)[:, :1] if hidden else None
    pixels = away_from_seams(photograph, around) * (1 if visible is None else visible)
    expected = avg_pool2d(pixels, 8) * near_borders((12, 14), around, photograph)
    network, regions = VGG(small_state()), [Region.whole(noise_picture(70, 60, seed=2))]
    loss = objective_of(network, photograph, regions, config, None, visible)
    (content,) = (term for term in loss.terms if isinstance(term, Content))
    where = torch.ones(1, 1, 12, 14) if content.where is None else content.where
    torch.testing.assert_close(where, expected)


def test_the_paper_keeps_all_of_it():
    picture, paper = noise_picture(112, 112), PRESETS["paper"]
    for config in (paper, replace(paper, edges="replicate"), Config(edges="zeros")):
        assert not content_weights(None, picture, config)
    assert content_weights(None, picture, Config())


def test_every_content_layer_has_borders_of_its_own_and_a_rest_counts_by_its_pixels():
    """Of 90 x 110 px, relu3_1 has 23 x 28 positions, the last of which stand for 2 x 2 px."""
    config = Config(content_layers=(("conv2_2", 1.0), ("relu3_1", 1.0)))
    found = content_weights(None, noise_picture(90, 110), config)
    assert found["conv2_2"].shape == (1, 1, 45, 55)
    weights = near_borders((23, 28), (False, False), found["relu3_1"])
    weights[..., -1, :] /= 2
    weights[..., -1] /= 2
    torch.testing.assert_close(found["relu3_1"], weights)


def test_content_and_relations_count_their_outermost_positions_half_and_style_does_not_know():
    network, photograph = VGG(small_state()), noise_picture(160, 192, seed=1)
    painting = noise_picture(70, 60, seed=2)
    loss = objective_of(network, photograph, [Region.whole(painting)], Config(), None)
    weights = near_borders((20, 24), (False, False), photograph)
    (content,) = (term for term in loss.terms if isinstance(term, Content))
    assert torch.equal(content.where, weights)
    (related,) = (term for term in loss.terms if isinstance(term, Relations))
    rows, columns = scattered((20, 24), MOST)
    at = weights[0, 0, rows, columns][:, None]
    whole = objective_of(network, photograph, [Region.whole(painting)], Config(edges="zeros"), None)
    (unlike,) = (term for term in whole.terms if isinstance(term, Relations))
    expected = unlike.shares * at
    torch.testing.assert_close(related.shares, expected / expected.sum())
    style = [term for term in loss.terms if term.name.startswith("style")]
    assert style
    assert all(term.where is None for term in style)


def test_content_is_a_fraction_of_what_counts():
    """So a grey picture, which has lost all of it, has lost one, however small it is."""
    network = VGG(small_state())
    for size in ((24, 40), (64, 80), (160, 192)):
        photograph, painting = noise_picture(*size, seed=1), noise_picture(70, 60, seed=2)
        config = configure(hand="faithful")
        loss = objective_of(network, photograph, [Region.whole(painting)], config, None)
        (content,) = (term for term in loss.terms if isinstance(term, Content))
        mean = (content.target * content.where).sum((2, 3)) / content.where.sum()
        flat = replace(loss, terms=(content,), tv_weight=0.0)
        tally = Tally(flat)
        map_ = mean[:, :, None, None].expand_as(content.target).contiguous()
        tally.add(content.layer, map_, Box.of((map_.shape[2], map_.shape[3])))
        assert sum(tally.losses().values()) == pytest.approx(config.weights()[0], rel=1e-4)

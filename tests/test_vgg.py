"""Laws of the features: names, depth, and the same numbers as a plain VGG written out."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as nnf
from hypothesis import given, settings
from hypothesis import strategies as st

from conftest import CHANNELS, CONVOLUTIONS, noise_picture, small_state
from impasto.network.vgg import VGG, minimum_side_px

NAMES = [f"{b}_{i}" for b, n in enumerate(CONVOLUTIONS, 1) for i in range(1, n + 1)]
LAYERS = [kind + name for name in NAMES for kind in ("conv", "relu")]


def plain_features(state, picture, pooling="max", edges="zeros"):
    """Every layer, the slow and obvious way."""
    x, features = picture - state["mean"].view(1, 3, 1, 1), {}
    for name in NAMES:
        if name[2] == "1" and name[0] != "1":
            x = nnf.max_pool2d(x, 2) if pooling == "max" else nnf.avg_pool2d(x, 2)
        mode = "replicate" if edges == "replicate" and name == "1_1" else "constant"
        x = nnf.pad(x, (1, 1, 1, 1), mode=mode)
        x = nnf.conv2d(x, state[f"conv{name}.weight"], state[f"conv{name}.bias"])
        features[f"conv{name}"] = x
        x = x.clamp(min=0)
        features[f"relu{name}"] = x
    return features


@pytest.mark.parametrize("pooling", ["max", "average"])
@pytest.mark.parametrize("edges", ["zeros", "replicate"])
def test_features_are_those_of_the_network_written_out(pooling, edges):
    state, picture = small_state(torch.float64), noise_picture(37, 50, dtype=torch.float64)
    features = VGG(state, pooling=pooling, edges=edges)(picture, LAYERS)
    expected = plain_features(state, picture, pooling, edges)
    assert list(features) == LAYERS
    for layer in LAYERS:
        torch.testing.assert_close(features[layer], expected[layer], rtol=1e-12, atol=1e-12)


@settings(max_examples=25, deadline=None)
@given(wanted=st.sets(st.sampled_from(LAYERS), min_size=1, max_size=5))
def test_asking_for_some_layers_gives_the_same_as_asking_for_all(wanted):
    network, picture = VGG(small_state()), noise_picture(32, 33)
    every, some = network(picture, LAYERS), network(picture, wanted)
    assert set(some) == wanted
    assert all(torch.equal(some[layer], every[layer]) for layer in wanted)


def test_nothing_is_computed_deeper_than_the_deepest_layer_asked_for(monkeypatch):
    convolved = []
    plain = VGG.convolve

    def spy(self, name, *rest, **options):
        convolved.append(name)
        return plain(self, name, *rest, **options)

    monkeypatch.setattr(VGG, "convolve", spy)
    VGG(small_state())(noise_picture(32, 32), ["conv2_1"])
    assert convolved == ["conv1_1", "conv1_2", "conv2_1"]


def test_sizes_halve_at_each_block_and_channels_are_the_weights(network):
    features = network(noise_picture(67, 49), [f"conv{block}_1" for block in range(1, 6)])
    shapes = [tuple(feature.shape[1:]) for feature in features.values()]
    assert shapes == [(c, 67 >> b, 49 >> b) for b, c in enumerate(CHANNELS)]


def test_the_smallest_side_still_gives_a_position(network):
    side = minimum_side_px(["relu4_2", "relu5_1"])
    assert network(noise_picture(side, side), ["relu5_1"])["relu5_1"].shape[2:] == (1, 1)
    assert side == 16


def test_the_picture_is_not_changed_and_the_weights_take_no_gradient(network):
    picture = noise_picture(32, 32)
    before = picture.clone()
    network(picture.requires_grad_(), ["relu3_1"])["relu3_1"].sum().backward()
    assert torch.equal(picture, before)
    assert not list(network.parameters())

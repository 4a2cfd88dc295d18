"""Laws of gates: what was packed comes out, and the way back through them is autograd's."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from conftest import small_state
from impasto.network.gates import packed, unpacked
from impasto.network.vgg import VGG

EXACT = torch.float64


@settings(deadline=None)
@given(
    channels=st.integers(1, 20),
    size=st.tuples(st.integers(1, 5), st.integers(1, 5)),
    seed=st.integers(0, 9),
    dtype=st.sampled_from([torch.float32, torch.float64, torch.bfloat16]),
)
def test_what_was_packed_comes_out_and_takes_a_bit_each(channels, size, seed, dtype):
    mask = torch.rand(1, channels, *size, generator=torch.Generator().manual_seed(seed)) > 0.5
    gate = packed(mask)
    assert gate.dtype == torch.uint8
    assert gate.shape == (1, -(-channels // 8), *size)
    assert torch.equal(unpacked(gate, channels, dtype), mask.to(dtype))


def entering(stage, size, kind):
    """What a stage could be given; a flat one has nothing but ties."""
    network = stage.network
    channels = 3 if stage.names[0] == "conv1_1" else network.channels(stage.names[0]) - 2
    if kind == "flat":
        return torch.full((1, channels, *size), 0.3, dtype=EXACT)
    return torch.rand((1, channels, *size), dtype=EXACT, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("pooling", ["max", "average"])
@pytest.mark.parametrize("kind", ["random", "flat"])
@pytest.mark.parametrize("wanted", [["relu5_1"], ["relu3_1", "relu5_1"], ["conv2_1", "conv3_3"]])
@pytest.mark.parametrize("size", [(24, 32), (21, 35)])
def test_the_way_back_through_gates_is_that_through_the_features(pooling, kind, wanted, size):
    network = VGG(small_state(EXACT), pooling=pooling)
    stages = network.stages([*wanted, "relu5_1"], apart=True)
    assert [len(stage.tail) for stage in stages[:-1]] == {
        "relu5_1": [1, 2, 2],
        "relu3_1": [1, 2, 2],
        "conv2_1": [1, 0, 2],
    }[wanted[0]]
    for stage in stages[:-1]:
        x = entering(stage, size, kind)
        with torch.no_grad():
            features, out, gates = stage.gated(x)
        _, end = stage.head(x)
        end = end.detach().requires_grad_()
        leaving = end
        for name in stage.tail:
            leaving = network.convolve(name, leaving, relu=True)
        leaving = network.pool(leaving if stage.tail else leaving.relu())
        assert torch.equal(out, leaving)
        assert list(features) == list(stage(x)[0])
        by_out = torch.rand(out.shape, dtype=EXACT, generator=torch.Generator().manual_seed(2))
        (expected,) = torch.autograd.grad(leaving, end, by_out)
        found = stage.back(by_out, gates)
        torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-14)

"""Laws of the fast convolution: it is the direct one, forward and backward, at any size."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as nnf
from hypothesis import given, settings
from hypothesis import strategies as st

from conftest import noise_picture, small_state
from impasto.network.conv import (
    NEVER,
    PATCH_PX,
    FrozenConvolution,
    Winograd,
    blocks,
    continued,
    transform_kernel,
    transforms,
)
from impasto.network.vgg import VGG

TABLE = {64: 24, 128: NEVER}  # Winograd from so many patches on, by channels
VGG_CHANNELS = [(64, 64), (64, 128), (128, 128), (128, 256), (256, 256), (256, 512), (512, 512)]
TOLERANCE = {torch.float64: 1e-12, torch.float32: 1e-5}  # of the largest value


def layer(channels_in, channels_out, dtype, seed=0):
    generator = torch.Generator().manual_seed(seed)
    weight = torch.randn(channels_out, channels_in, 3, 3, generator=generator, dtype=torch.float64)
    bias = torch.randn(channels_out, generator=generator, dtype=torch.float64)
    return (weight / (9 * channels_in) ** 0.5).to(dtype), bias.to(dtype)


def features(channels, height, width, dtype, seed=1):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(1, channels, height, width, generator=generator, dtype=torch.float64)
    return x.to(dtype).contiguous(memory_format=torch.channels_last)


def both(x, weight, bias, relu):
    """Values and gradients, by Winograd in x's type and by the direct convolution in float64."""
    sent, exact = x.clone().requires_grad_(), x.double().requires_grad_()
    fast = Winograd.apply(sent, transform_kernel(weight), bias, relu)
    direct = nnf.conv2d(exact, weight.double(), bias.double(), padding=1)
    direct = direct.where(fast.double() > 0, 0.0) if relu else direct
    upstream = features(*direct.shape[1:], torch.float64, seed=2)
    (by_fast,) = torch.autograd.grad(fast, sent, upstream.to(x.dtype))
    (by_direct,) = torch.autograd.grad(direct, exact, upstream)
    return (fast, direct), (by_fast, by_direct)


def assert_the_same(pairs, dtype):
    for ours, exact in pairs:
        assert ours.dtype == dtype
        assert ours.is_contiguous(memory_format=torch.channels_last)
        error = (ours.double() - exact).abs().max()
        assert error <= TOLERANCE[dtype] * exact.abs().max()


@pytest.mark.parametrize("dtype", TOLERANCE)
@settings(max_examples=40, deadline=None)
@given(
    height=st.integers(1, 40),
    width=st.integers(1, 40),
    channels=st.tuples(st.integers(1, 9), st.integers(1, 9)),
    relu=st.booleans(),
)
def test_values_and_gradients_are_those_of_the_direct_convolution(
    dtype, height, width, channels, relu
):
    x, (weight, bias) = features(channels[0], height, width, dtype), layer(*channels, dtype)
    assert_the_same(both(x, weight, bias, relu), dtype)


@pytest.mark.parametrize("channels", VGG_CHANNELS)
def test_also_with_the_channels_of_vgg(channels):
    x, (weight, bias) = (
        features(channels[0], 21, 26, torch.float32),
        layer(*channels, torch.float32),
    )
    assert_the_same(both(x, weight, bias, True), torch.float32)


def test_also_where_a_row_takes_many_blocks():
    x, (weight, bias) = features(2, 9, 1030, torch.float64), layer(2, 3, torch.float64)
    assert_the_same(both(x, weight, bias, True), torch.float64)


@given(st.integers(1, 3000), st.integers(1, 3000), st.sampled_from([64, 128, 256, 512]))
def test_blocks_hold_every_patch_once(height, width, channels):
    found = list(blocks(height, width, channels))
    patches = -(-height // PATCH_PX) * -(-width // PATCH_PX)
    assert sum(block.rows * block.columns for block in found) == patches
    assert len({(block.row, block.column) for block in found}) == len(found)
    for block in found:
        assert PATCH_PX * (block.row + block.rows) < height + PATCH_PX
        assert PATCH_PX * (block.column + block.columns) < width + PATCH_PX


def test_the_gradient_needs_no_kernel_of_its_own():
    ahead, back = transforms()
    g, d = torch.randn(3, dtype=torch.float64), torch.randn(6, dtype=torch.float64)
    for each, kernel in ((ahead, g), (back, g.flip(0))):
        made = each.outputs @ ((ahead.kernel @ g) * (each.inputs @ d))
        torch.testing.assert_close(made, d.unfold(0, 3, 1) @ kernel)


@pytest.mark.parametrize("relu", [True, False])
def test_for_the_gradient_only_a_relus_output_is_kept(relu):
    (weight, bias), kept = layer(64, 64, torch.float32), []
    x = features(64, 40, 40, torch.float32).requires_grad_()
    with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t) or t, lambda t: t):
        y = FrozenConvolution(weight, bias, TABLE)(x, relu=relu)
    maps = [t for t in kept if t.shape[:2] != (36, 64)]  # all but the kernel, which is shared
    assert [t.data_ptr() for t in maps] == ([y.data_ptr()] if relu else [])


@pytest.mark.parametrize("relu", [True, False])
@pytest.mark.parametrize(
    ("channels", "side", "fast"),
    [
        ((64, 64), 40, True),
        ((3, 64), 40, False),  # fewer channels than the table knows
        ((64, 64), 8, False),  # fewer patches
        ((96, 130), 40, True),  # as for 64, the most that are known and there
        ((128, 130), 40, False),  # never for 128
    ],
)
def test_either_way_gives_the_same(channels, side, fast, relu):
    weight, bias = layer(*channels, torch.float32)
    x, convolution = (
        features(channels[0], side, side, torch.float32),
        FrozenConvolution(weight, bias, TABLE),
    )
    assert convolution.prefers_winograd(x) == fast
    direct = nnf.conv2d(x, weight, bias, padding=1)
    assert torch.allclose(convolution(x, relu), direct.relu() if relu else direct, atol=1e-5)


def test_other_types_take_the_direct_way():
    weight, bias = layer(64, 64, torch.float64)
    convolution = FrozenConvolution(weight, bias, TABLE)
    assert not convolution.prefers_winograd(features(64, 40, 40, torch.float64))


def test_where_nothing_was_measured_all_go_the_direct_way():
    convolution = FrozenConvolution(*layer(64, 64, torch.float32))
    assert not convolution.prefers_winograd(features(64, 400, 40, torch.float32))


@pytest.mark.parametrize("pooling", ["max", "average"])
def test_a_whole_networks_gradient_is_that_of_the_direct_convolutions(pooling, monkeypatch):
    """In float64, where no rounding turns a ReLU's or a maximum's choice."""
    network, gradients = VGG(small_state(torch.float64), pooling=pooling), []
    for fast in (False, True):
        monkeypatch.setattr(FrozenConvolution, "prefers_winograd", lambda *_, fast=fast: fast)
        x = noise_picture(67, 90, dtype=torch.float64).requires_grad_()
        found = network(x, ["relu2_1", "conv4_2", "relu5_1"])
        gradients.append(torch.autograd.grad(sum(f.square().sum() for f in found.values()), x)[0])
    error = (gradients[0] - gradients[1]).norm() / gradients[0].norm()
    assert error < 1e-10


def test_in_float32_it_is_as_near_to_float64_as_the_direct_convolution_is(monkeypatch):
    """Rounding turns choices near a tie, whichever the way: neither is nearer to the other."""
    gradients = {}
    for dtype, fast in ((torch.float64, False), (torch.float32, False), (torch.float32, True)):
        monkeypatch.setattr(FrozenConvolution, "prefers_winograd", lambda *_, fast=fast: fast)
        network = VGG(small_state(torch.float64)).to(dtype)
        x = noise_picture(67, 90, dtype=dtype).requires_grad_()
        found = network(x, ["relu2_1", "relu4_2", "relu5_1"])
        loss = sum(f.square().sum() for f in found.values())
        gradients[dtype, fast] = torch.autograd.grad(loss, x)[0].double()
    exact = gradients[torch.float64, False]
    direct, ours = (
        (gradients[torch.float32, fast] - exact).norm() / exact.norm() for fast in (False, True)
    )
    assert ours < max(2 * direct, 1e-4)


@pytest.mark.parametrize("around", [(True, True), (True, False), (False, True)])
@pytest.mark.parametrize("size", [(5, 7), (1, 4), (8, 8)])
def test_a_map_continued_around_its_edges_is_pytorchs_circular_padding(size, around):
    x = torch.randn(1, 3, *size, dtype=torch.float64, requires_grad=True)
    down, across = around
    expected = torch.nn.functional.pad(x, [int(across)] * 2 + [int(down)] * 2, mode="circular")
    assert torch.equal(continued(x, around), expected)
    upstream = torch.randn_like(expected)
    gradients = [torch.autograd.grad(y, x, upstream)[0] for y in (continued(x, around), expected)]
    torch.testing.assert_close(*gradients)

"""Laws of products over positions: whichever unit computes them, they are the products."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from impasto.transfer.moments import Moments, add_gradient, moments
from impasto.transfer.products import add_linear, as_map, gram, linear

# Of the largest value: bfloat16 holds 8 bits, but its sums are in float32.
EXACTNESS = {torch.float64: 1e-13, torch.float32: 3e-6, torch.bfloat16: 3e-5}
ROUNDING = {torch.float64: 1e-13, torch.float32: 3e-6, torch.bfloat16: 1e-2}
TYPES = list(EXACTNESS)


def matrix(rows, columns, dtype, seed=0):
    generator = torch.Generator().manual_seed(seed)
    made = torch.randn(rows, columns, generator=generator, dtype=torch.float64)
    return made.relu_().to(dtype)  # as features are: no sum of them cancels


def near(found, exact, tolerance):
    error = (found.double() - exact).abs().max()
    assert error <= tolerance * exact.abs().max() + 1e-300


@pytest.mark.parametrize("dtype", TYPES)
@settings(max_examples=15, deadline=None)
@given(positions=st.integers(0, 700), channels=st.integers(1, 40), others=st.integers(1, 40))
def test_sums_of_products_are_exact_to_float32_whatever_the_features(
    dtype, positions, channels, others
):
    X, Y = matrix(positions, channels, dtype), matrix(positions, others, dtype, 1)
    near(gram(X, Y), X.double().T @ Y.double(), EXACTNESS[dtype])
    near(gram(X), X.double().T @ X.double(), EXACTNESS[dtype])
    assert gram(X).dtype == torch.promote_types(dtype, torch.float32)


def test_so_they_are_with_the_channels_of_vgg():
    for dtype in TYPES:
        X = matrix(3000, 128, dtype)
        near(gram(X), X.double().T @ X.double(), EXACTNESS[dtype])


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("shape", [(1, 1, 1), (7, 3, 5), (512, 300, 64), (33, 128, 128)])
def test_a_linear_map_is_that_of_its_matrices(dtype, shape):
    rows, inner, columns = shape
    X, W = matrix(rows, inner, dtype), matrix(columns, inner, dtype, 1)
    near(linear(X, W), X.double() @ W.double().T, EXACTNESS[dtype])


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("cut", [slice(None), slice(2, 7)])
@pytest.mark.parametrize("shifted", [True, False])
def test_what_is_added_is_added_where_it_belongs(dtype, cut, shifted):
    """Also to a part of a map, which no matrix is."""
    whole = (
        as_map(matrix(90, 6, dtype))
        .reshape(1, 6, 9, 10)
        .contiguous(memory_format=torch.channels_last)
    )
    before, part = whole.clone(), whole[..., cut]
    X = as_map(matrix(part[0, 0].numel(), 4, dtype, 1)).reshape(1, 4, *part.shape[2:])
    X = X.contiguous(memory_format=torch.channels_last)
    W, shift = matrix(6, 4, torch.float64, 2), matrix(1, 6, torch.float64, 3)[0]
    add_linear(part, X, W, shift if shifted else None)
    exact = torch.einsum("nchw,oc->nohw", X.double(), W) + shifted * shift[:, None, None]
    near(part, before[..., cut].double() + exact, ROUNDING[dtype])
    outside = torch.ones(10, dtype=torch.bool)
    outside[cut] = False
    assert torch.equal(whole[..., outside], before[..., outside])


def test_a_matrix_seen_as_a_map_lies_where_it_lay_in_the_order_that_convolutions_want():
    X = matrix(50, 8, torch.float32)
    seen = as_map(X)
    assert seen.data_ptr() == X.data_ptr()
    there = torch.empty(1, 8, 1, 50).to(memory_format=torch.channels_last)
    assert seen.stride() == there.stride()


def test_moments_and_gradients_in_bfloat16_are_those_of_the_rounded_features():
    F = as_map(matrix(600, 32, torch.bfloat16)).reshape(1, 32, 20, 30)
    F = F.contiguous(memory_format=torch.channels_last)
    low, exact = moments(F), moments(F.double())
    assert not low.exact
    assert exact.exact
    near(low.mean, exact.mean, 1e-6)
    near(low.covariance, exact.covariance, 1e-4)
    by = Moments(matrix(1, 32, torch.float32, 1)[0], matrix(32, 32, torch.float32, 2), 600)
    found, expected = torch.zeros_like(F), torch.zeros_like(F, dtype=torch.float64)
    add_gradient(found, F, low, by)
    exactly = Moments(by.mean.double(), by.covariance.double(), by.positions)
    add_gradient(expected, F.double(), exact, exactly)
    near(found, expected, ROUNDING[torch.bfloat16])

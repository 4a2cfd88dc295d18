"""Products over a feature map's positions, each by the unit of the processor that is fastest at it.

F is a feature map, (1, channels, h, w), channels last: a matrix of positions by channels. On a CPU
products in float32 go to PyTorch's convolution library (oneDNN) as convolutions of 1 x 1: on
processors for which its matrix library (MKL) is not made that is twice as fast, on others the same.
Features in bfloat16 are multiplied as they are, with sums in float32.
"""

from __future__ import annotations

import torch
import torch.nn.functional as nnf
from torch import Tensor
from torch.nn.grad import conv2d_weight


def positions(F: Tensor) -> Tensor:
    """(1, channels, h, w) as (h * w, channels); a view where F is channels-last."""
    return F.permute(0, 2, 3, 1).reshape(-1, F.shape[1])


def at_least_float32(tensor: Tensor) -> Tensor:
    """In float32, or float64 where it is that already."""
    return tensor if tensor.dtype == torch.float64 else tensor.float()


def gram(X: Tensor, Y: Tensor | None = None) -> Tensor:
    """X^T Y over positions, float32 or 64.

    Args:
        X: (positions, channels).
        Y: likewise, of its type; None is X.

    Returns:
        (channels of X, channels of Y).
    """
    if X.dtype == torch.bfloat16 and X.device.type == "cpu":
        return _gram_of_bfloat16(X, X if Y is None else Y)
    X = at_least_float32(X)
    Y = X if Y is None else at_least_float32(Y)
    if not goes_to_convolutions(X):
        return X.T @ Y
    shape = (X.shape[1], Y.shape[1], 1, 1)
    product: Tensor = conv2d_weight(as_map(Y), shape, as_map(X))  # type: ignore[no-untyped-call]
    return product.view(shape[:2])


def _gram_of_bfloat16(X: Tensor, Y: Tensor) -> Tensor:
    """The sums are in float32, but come out in bfloat16: so what that has lost is asked for too.

    Less the first answer, the same sum is small, and its own rounding 2^-17 of the whole.
    """
    rounded = X.T @ Y
    rest = torch.addmm(rounded, X.T, Y, beta=-1)
    return rounded.float() + rest.float()


def linear(X: Tensor, W: Tensor) -> Tensor:
    """X W^T: (m, k) and (n, k) to (m, n), of their type."""
    if not goes_to_convolutions(X):
        return X @ W.T
    return nnf.conv2d(as_map(X), W[:, :, None, None])[0, :, 0].T


def add_linear(total: Tensor, X: Tensor, W: Tensor, shift: Tensor | None = None) -> None:
    """Add X W^T + shift to the total, in place.

    Args:
        total: a map (1, n, h, w), of X's type; a part of a larger one, too.
        X: a map (1, k, h, w).
        W: (n, k).
        shift: (n,); None is none.
    """
    if not X.numel():  # a window may have none of a layer's positions to itself
        return
    W = W.to(X.device, X.dtype)
    shift = None if shift is None else shift.to(X.device, X.dtype)
    if X.dtype == torch.bfloat16 and is_matrix(total):
        flat = total.permute(0, 2, 3, 1).view(-1, total.shape[1])
        flat.addmm_(positions(X), W.T)
        if shift is not None:
            total += shift[None, :, None, None]
    else:
        total += nnf.conv2d(X, W[:, :, None, None], shift)


def is_matrix(F: Tensor) -> bool:
    """Whether a map lies in memory as a matrix of positions by channels."""
    return F.permute(0, 2, 3, 1).is_contiguous()


def as_map(X: Tensor) -> Tensor:
    """(positions, channels) as a map (1, channels, 1, positions), channels last.

    It is X's own memory where that is contiguous. The strides of sides of 1 count: by them oneDNN
    sees that the map lies in its own order.
    """
    return X.contiguous().view(1, 1, *X.shape).permute(0, 3, 1, 2)


def goes_to_convolutions(X: Tensor) -> bool:
    """Whether products of this type are faster, and as exact, as convolutions; empty ones fail."""
    cpu = X.device.type == "cpu" and X.numel() > 0
    there: bool = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
    return cpu and X.dtype == torch.float32 and there

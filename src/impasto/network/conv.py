"""The 3x3 convolution of a frozen kernel and its gradient, by whichever way is faster.

On a CPU a 4x4 patch of outputs takes 36 products a pair of channels by Winograd's minimal
filtering instead of the direct 144: Lavin & Gray 2016, "Fast Algorithms for Convolutional Neural
Networks". What is gained depends on how the transforms are arranged; here in blocks of patches
that stay in the cache, and each one as a product with a matrix of 6 or 4 rows.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Any, NamedTuple

import torch
import torch.nn.functional as nnf
from torch import Tensor
from torch.autograd.function import once_differentiable

from impasto.config import Axes, Size
from impasto.modes import own_modes

PATCH_PX = 4  # a side of the outputs that are made together
KERNEL_PX = 3
WINDOW_PX = PATCH_PX + KERNEL_PX - 1  # a side of the inputs that they need
HALO_PX = 1  # what the kernel sees beyond its own position
ZEROS_PX = (HALO_PX, HALO_PX)  # down and across, that are put around a map
# Where the polynomials of Toom and Cook are evaluated, besides infinity. Of the sets of 0, +-1 and
# simple fractions this one rounded least, 1.2e-6 of the values in float32 against 1.8e-6 for the
# usual 0, +-1, +-2.
POINTS = (0.0, 1.0, -1.0, -2.0, 0.5)
BIASED = WINDOW_PX + 1  # the product, of point 1 by point 1, that all outputs contain once

# Where Winograd's way is the faster one, by channels: from how many patches of a map on. Fewer
# channels than the table has, or fewer patches, and the transforms cost more than they save.
LeastPatches = Mapping[int, int]
NEVER = 2**62  # patches, that no map has
NOWHERE: LeastPatches = MappingProxyType({})  # the direct way alone: nothing has been measured
ONCE_MEASURED: LeastPatches = MappingProxyType({64: 24})  # two cores of a Zen 4: early recipes'
# Patches of a block: few enough for the cache, enough to be worth reading the kernel for.
BLOCK_PATCHES, BLOCK_PATCHES_PER_CHANNEL = 96, 3 / 4


class Transforms(NamedTuple):
    """The matrices of Winograd's F(4, 3): y = outputs ((kernel g) * (inputs d)), in each direction.

    Attributes:
        kernel: (6, 3), of a kernel's columns and rows.
        inputs: (6, 6), of a window.
        outputs: (4, 6), of the products.
    """

    kernel: Tensor
    inputs: Tensor
    outputs: Tensor


def vandermonde(points: list[float], columns: int) -> Tensor:
    """Powers 0 ... columns - 1 of the points, and for infinity the leading coefficient."""
    powers = [[point**power for power in range(columns)] for point in points]
    infinity = [0.0] * (columns - 1) + [1.0]
    return torch.tensor([*powers, infinity], dtype=torch.float64, device="cpu")


@cache
@own_modes()  # what is cached is for whoever comes next
def transforms() -> tuple[Transforms, Transforms]:
    """For the convolution, and for its gradient with the very same transformed kernel.

    The gradient is the convolution with the kernel turned round, whose polynomial at p is p^2
    times the kernel's own at 1/p. So it is evaluated at the reciprocal points, in the order of
    the points themselves, and needs no transformed kernel of its own.
    """
    points = list(POINTS)
    scale = [math.prod(p - q for q in points if q != p) for p in points] + [1.0]
    unit = torch.tensor(scale, dtype=torch.float64, device="cpu")[:, None]
    inputs = torch.linalg.inv(vandermonde(points, WINDOW_PX)).T
    ahead = Transforms(
        vandermonde(points, KERNEL_PX) / unit, inputs * unit, vandermonde(points, PATCH_PX).T
    )
    reciprocals = [1 / p for p in points if p] + [0.0]  # and infinity, of 0; 0 is infinity's
    order = [len(points), *range(len(points))]
    inverse = torch.linalg.inv(vandermonde(reciprocals, WINDOW_PX)).T[order]
    squares = [1.0, *(r**2 for r in reciprocals[:-1]), 1.0]
    turned = torch.tensor(squares, dtype=torch.float64, device="cpu")[:, None]
    back = vandermonde(reciprocals, PATCH_PX)[order].T
    return ahead, Transforms(ahead.kernel, inverse * turned * unit, back)


def transform_kernel(weight: Tensor) -> Tensor:
    """A kernel (out, in, 3, 3) as (36, in, out): by column's point, then by row's."""
    G = transforms()[0].kernel
    out, inputs, *_ = weight.shape
    flat = weight.permute(3, 2, 1, 0).reshape(KERNEL_PX**2, -1).cpu().double()
    return (torch.kron(G, G) @ flat).to(weight).view(WINDOW_PX**2, inputs, out)


class Scratch:
    """Memory that each block uses again, so that it stays in the cache."""

    def __init__(self, like: Tensor) -> None:
        self.like = like
        self.held: dict[str, Tensor] = {}

    def __call__(self, role: str, *shape: int) -> Tensor:
        size = math.prod(shape)
        if role not in self.held or self.held[role].numel() < size:
            self.held[role] = self.like.new_empty(size)
        return self.held[role][:size].view(shape)


class Block(NamedTuple):
    """Patches that are made together: first row and column, and how many of each."""

    row: int
    column: int
    rows: int
    columns: int


def blocks(height: int, width: int, channels: int) -> Iterator[Block]:
    """All patches of a picture with so many channels, in blocks of about BLOCK_PATCHES."""
    down, across = -(-height // PATCH_PX), -(-width // PATCH_PX)
    patches = max(BLOCK_PATCHES, round(BLOCK_PATCHES_PER_CHANNEL * channels))
    columns = -(-across // round(max(1.0, across / patches)))  # even shares
    rows = min(down, max(1, round(patches / columns)))
    for row in range(0, down, rows):
        for column in range(0, across, columns):
            yield Block(row, column, min(rows, down - row), min(columns, across - column))


@dataclass(frozen=True)
class Span:
    """Where a block's windows lie along one axis: inputs low to high, ``before`` zeros ahead."""

    low: int
    high: int
    before: int

    @classmethod
    def of(cls, first: int, count: int, size: int) -> Span:
        start = PATCH_PX * first - HALO_PX
        end = PATCH_PX * (first + count) + HALO_PX
        return cls(max(0, start), min(size, end), max(0, -start))

    @property
    def length(self) -> int:
        return self.high - self.low


def correlate(
    x: Tensor,
    U: Tensor,
    matrices: Transforms,
    *,
    bias: Tensor | None = None,
    relu: bool = False,
    gate: Tensor | None = None,
) -> Tensor:
    """The 3x3 convolution with zeros beyond the border, by Winograd's F(4x4, 3x3).

    Args:
        x: (height, width, in).
        U: (36, in, out), as from ``transform_kernel``; strides as they come.
        matrices: the direction's, of x's type.
        bias: (out,), added.
        relu: whether negative outputs become 0.
        gate: of x's shape, 0 or more; x counts only where it is above 0.

    Returns:
        (height, width, out).
    """
    height, width, channels = x.shape
    out = x.new_empty(height, width, U.shape[2])
    scratch = Scratch(x)
    for block in blocks(height, width, channels):
        windows = _windows(x, gate, block, scratch, matrices.inputs)
        products = scratch("products", WINDOW_PX**2, windows.shape[1], U.shape[2])
        torch.bmm(windows, U, out=products)
        if bias is not None:
            products[BIASED] += bias
        patches = _patches(products, block, scratch, matrices.outputs)
        y, x_ = PATCH_PX * block.row, PATCH_PX * block.column
        place = (slice(y, y + PATCH_PX * block.rows), slice(x_, x_ + PATCH_PX * block.columns))
        _put(patches, out[place], relu)
    return out


def _rows(x: Tensor, gate: Tensor | None, block: Block, scratch: Scratch) -> tuple[Tensor, Span]:
    """The block's rows of inputs, (4 rows + 2, columns, in), zeros where x ends, and its columns.

    Where nothing has to be added they are x's own memory.
    """
    down = Span.of(block.row, block.rows, x.shape[0])
    across = Span.of(block.column, block.columns, x.shape[1])
    inner = x[down.low : down.high, across.low : across.high]
    tall = PATCH_PX * block.rows + 2 * HALO_PX
    if gate is None and down.length == tall:
        return inner, across
    strip = scratch("strip", tall, across.length, x.shape[2])
    strip[: down.before].zero_()
    strip[down.before + down.length :].zero_()
    place = strip[down.before : down.before + down.length]
    if gate is None:
        place.copy_(inner)
    else:
        torch.sign(gate[down.low : down.high, across.low : across.high], out=place)
        place.mul_(inner)  # a product with booleans takes five times as long
    return strip, across


def _windows(x: Tensor, gate: Tensor | None, block: Block, scratch: Scratch, B: Tensor) -> Tensor:
    """The block's windows transformed, (36, patches, in): B d B^T, rows first."""
    strip, across = _rows(x, gate, block, scratch)
    n, m, channels = block.rows, block.columns, x.shape[2]
    wide = PATCH_PX * m + 2 * HALO_PX
    stride = strip.stride(0)
    flat = across.length * channels
    overlapping = strip.as_strided(
        (n, WINDOW_PX, flat), (PATCH_PX * stride, stride, 1), strip.storage_offset()
    )
    half = scratch("half", n, WINDOW_PX, wide * channels)
    start = across.before * channels
    torch.bmm(B.expand(n, -1, -1), overlapping, out=half[..., start : start + flat])
    half[..., :start] = 0
    half[..., start + flat :] = 0
    columns = half.as_strided(
        (WINDOW_PX, WINDOW_PX, n, m, channels),
        (channels, wide * channels, WINDOW_PX * wide * channels, PATCH_PX * channels, 1),
    )
    gathered = scratch("gathered", WINDOW_PX, WINDOW_PX, n, m, channels).copy_(columns)
    whole = scratch("windows", WINDOW_PX, WINDOW_PX * n * m * channels)
    torch.mm(B, gathered.view(WINDOW_PX, -1), out=whole)
    return whole.view(WINDOW_PX**2, n * m, channels)


def _patches(products: Tensor, block: Block, scratch: Scratch, A: Tensor) -> Tensor:
    """Products (36, patches, out) as outputs (rows, 4, columns, 4, out), a view: A p A^T."""
    _, patches, out = products.shape
    half = scratch("half outputs", PATCH_PX, WINDOW_PX * patches * out)
    torch.mm(A, products.view(WINDOW_PX, -1), out=half)
    whole = scratch("outputs", PATCH_PX, PATCH_PX, patches * out)
    torch.bmm(A.expand(PATCH_PX, -1, -1), half.view(PATCH_PX, WINDOW_PX, -1), out=whole)
    split = whole.view(PATCH_PX, PATCH_PX, block.rows, block.columns, out)
    return split.permute(2, 1, 3, 0, 4)


def _put(patches: Tensor, place: Tensor, relu: bool) -> None:
    """Patches (rows, 4, columns, 4, out) to their place (height, width, out), less what is over."""
    rows, _, columns, _, out = patches.shape
    height, width, _ = place.shape
    if (height, width) == (PATCH_PX * rows, PATCH_PX * columns):
        stride = place.stride(0)
        strides = (PATCH_PX * stride, stride, PATCH_PX * out, out, 1)
        place = place.as_strided(patches.shape, strides, place.storage_offset())
    else:
        patches = patches.reshape(PATCH_PX * rows, PATCH_PX * columns, out)[:height, :width]
    if relu:
        torch.clamp(patches, min=0, out=place)
    else:
        place.copy_(patches)


@cache
@own_modes()
def matrices(dtype: torch.dtype) -> tuple[Transforms, Transforms]:
    """``transforms`` in another type."""
    ahead, back = (Transforms(*(m.to(dtype) for m in each)) for each in transforms())
    return ahead, back


class Winograd(torch.autograd.Function):
    """``correlate`` of (1, in, H, W) with a bias and perhaps a ReLU, and its gradient by x.

    For the gradient it keeps, of the feature maps, only a ReLU's output: the kernel is frozen, so
    the input is not needed.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, U: Tensor, bias: Tensor, relu: bool) -> Tensor:
        flat = x[0].permute(1, 2, 0).contiguous()
        ahead, _ = matrices(x.dtype)
        out = correlate(flat, U, ahead, bias=bias, relu=relu)[None].permute(0, 3, 1, 2)
        ctx.save_for_backward(U, out if relu else None)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None, None]:
        U, out = ctx.saved_tensors
        gate = None if out is None else out[0].permute(1, 2, 0)
        return winograd_gradient(gradients[0], U, gate), None, None, None


def winograd_gradient(by_y: Tensor, U: Tensor, gate: Tensor | None) -> Tensor:
    """The gradient by x (1, in, H, W), from that by y (1, out, H, W), with y's gate (H, W, out)."""
    flat = by_y[0].permute(1, 2, 0).contiguous()
    _, back = matrices(flat.dtype)
    return correlate(flat, U.transpose(1, 2), back, gate=gate)[None].permute(0, 3, 1, 2)


class FrozenConvolution(torch.nn.Module):
    """A 3x3 convolution with zeros beyond the border, whose kernel never changes.

    Args:
        weight: (out, in, 3, 3).
        bias: (out,).
        winograd: where that is the faster way.
    """

    weight: Tensor
    bias: Tensor

    def __init__(self, weight: Tensor, bias: Tensor, winograd: LeastPatches = NOWHERE) -> None:
        super().__init__()
        out, inputs, _, _ = weight.shape
        self.least_patches = least_patches(winograd, min(out, inputs))
        weight = weight.contiguous(memory_format=torch.channels_last)
        self.register_buffer("weight", weight)
        self.register_buffer("bias", bias)
        self.transformed: Tensor | None = None  # made when first needed

    def forward(self, x: Tensor, relu: bool, padding: Size = ZEROS_PX) -> Tensor:
        """(1, in, H, W) to (1, out, H, W), channels last; with ``relu`` negatives become 0.

        ``padding`` 0, down or across, takes x's own border for what lies beyond, and the output is
        2 shorter.
        """
        if padding == ZEROS_PX and self.prefers_winograd(x):
            y: Tensor = Winograd.apply(x, self.transformed_for(x.dtype), self.bias, relu)  # type: ignore[no-untyped-call]
            return y
        y = nnf.conv2d(x, self.weight, self.bias, padding=padding)
        return y.relu_() if relu else y

    def gradient(self, by_y: Tensor, gate: Tensor) -> Tensor:
        """By x, with padding, from that by y = relu(convolution): (1, out, H, W), like the gate.

        The gate is 1 where it counts and else 0. Neither x nor y is needed.
        """
        if self.prefers_winograd(by_y):
            return winograd_gradient(
                by_y, self.transformed_for(by_y.dtype), gate[0].permute(1, 2, 0)
            )
        return nnf.conv_transpose2d(by_y * gate, self.weight, padding=HALO_PX)

    def transformed_for(self, dtype: torch.dtype) -> Tensor:
        """The kernel as Winograd's way takes it, in a type; made once."""
        if self.transformed is None or self.transformed.dtype != dtype:
            self.transformed = transform_kernel(self.weight)
        return self.transformed

    @property
    def transformed_bytes(self) -> int:
        """What the transformed kernel takes, where a map may ever go that way."""
        if self.weight.dtype != torch.float32 or self.least_patches in (None, NEVER):
            return 0
        out, inputs, _, _ = self.weight.shape
        size: int = WINDOW_PX**2 * out * inputs * self.weight.itemsize
        return size

    def prefers_winograd(self, x: Tensor) -> bool:
        """Whether that is the faster way for x: in float32 on a CPU, with enough patches."""
        if x.device.type != "cpu" or x.dtype != torch.float32 or self.least_patches is None:
            return False
        return patches(x.shape[2], x.shape[3]) >= self.least_patches


def patches(height: int, width: int) -> int:
    """How many patches a map of this size is made in."""
    return -(-height // PATCH_PX) * -(-width // PATCH_PX)


def least_patches(winograd: LeastPatches, channels: int) -> int | None:
    """What a table says of the most channels that it knows and that are there; None is never."""
    known = [each for each in winograd if each <= channels]
    return winograd[max(known)] if known else None


class Continued(torch.autograd.Function):
    """A map with what a kernel sees beyond its edges, along the axes on which it goes around them.

    As PyTorch's circular padding, which gives up the channels-last layout, and half of the speed.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, axes: tuple[int, ...]) -> Tensor:
        ctx.axes = axes
        for axis in axes:
            length = x.shape[axis]
            before, after = x.narrow(axis, length - HALO_PX, HALO_PX), x.narrow(axis, 0, HALO_PX)
            x = torch.cat([before, x, after], axis)
        return x

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        (by_y,) = gradients
        for axis in ctx.axes:
            length = by_y.shape[axis] - 2 * HALO_PX
            by_x = by_y.narrow(axis, HALO_PX, length).clone(memory_format=torch.channels_last)
            by_x.narrow(axis, 0, HALO_PX).add_(by_y.narrow(axis, length + HALO_PX, HALO_PX))
            by_x.narrow(axis, length - HALO_PX, HALO_PX).add_(by_y.narrow(axis, 0, HALO_PX))
            by_y = by_x
        return by_y, None


def continued(x: Tensor, around: Axes) -> Tensor:
    """A map (1, channels, h, w), 2 longer where it goes around: its edges with the opposite ones'.

    Args:
        x: the map.
        around: down, across.
    """
    axes = tuple(axis for axis, joined in zip((2, 3), around, strict=True) if joined)
    y: Tensor = Continued.apply(x, axes)  # type: ignore[no-untyped-call]
    return y

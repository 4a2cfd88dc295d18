"""How large a picture may be, and how to change it."""

from __future__ import annotations

import math
from functools import partial

import torch
import torch.nn.functional as nnf
from torch import Tensor

from impasto.config import Axes
from impasto.errors import PictureError

MIN_SIDE_PX = 16
"""Four poolings halve the picture on the way to conv5_1: 16 px is the least that leaves one."""

MAX_PIXELS = 250_000_000
"""Above the 200 million of today's largest phone cameras; 3 GB as a float tensor."""

LONG = 2
"""Times its width: few paintings on canvas are longer. Scrolls, friezes and photographed bands are.
"""

MOST_AREA = 2.0
"""Times the square on the picture's longer side: looking at so many pixels once takes about as much
memory as an iteration on a picture of 3 : 2, which also keeps what its gradient needs."""


REDUCE_FROM_PIXELS = 40_000_000
"""Smaller pictures are read whole, for any result: half a gigabyte as a float tensor."""

NEEDED_TIMES, KEPT_TIMES, NEEDED_AT_LEAST_PX = 4, 2, 256
"""A picture whose shorter side is four times what is needed is read at twice that or more."""

FAINT, MOSTLY = 1e-6, 0.5  # of alpha: nothing shows; more shows than what is around hides


def check_sides(size: tuple[int, int], what: str) -> None:
    """Refuse a (height, width) below MIN_SIDE_PX; call it again after scaling down.

    Raises:
        PictureError: naming the picture by what, e.g. ``"photograph 'a.jpg'"``.
    """
    if min(size) < MIN_SIDE_PX:
        given = f"{what} is {size[1]}x{size[0]} px (width x height)"
        allowed = f"allowed: at least {MIN_SIDE_PX} px a side"
        raise PictureError(given, allowed, "take a larger or less narrow picture")


def check_pixels(size: tuple[int, int], what: str) -> None:
    """Refuse a picture of more than MAX_PIXELS."""
    height, width = size
    if height * width > MAX_PIXELS:
        given = f"{width}x{height} px (width x height), {height * width / 1e6:,.0f} megapixels"
        allowed = f"allowed: up to {MAX_PIXELS // 10**6} megapixels"
        raise PictureError(f"{what} is {given}", allowed, "scale it down first")


def reduction(size: tuple[int, int], longest_px: int | None) -> int:
    """By how much a picture of this (height, width) may be read smaller; 1 is whole.

    Args:
        size: of the file.
        longest_px: longer side that is needed; None is all.
    """
    height, width = size
    if longest_px is None or height * width < REDUCE_FROM_PIXELS:
        return 1
    needed = max(longest_px, NEEDED_AT_LEAST_PX)
    return min(size) // (KEPT_TIMES * needed) if min(size) >= NEEDED_TIMES * needed else 1


def fit(size: tuple[int, int], longer_px: int) -> tuple[int, int]:
    """(height, width) of the same aspect whose longer side is longer_px; at least 1 px a side.

    Raises:
        PictureError: if longer_px or a side of size is below 1.
    """
    height, width = size
    if min(height, width, longer_px) < 1:
        raise PictureError(f"size {size} at {longer_px} px", "allowed: sizes of at least 1 px")
    longer = max(height, width)
    return max(1, round(height * longer_px / longer)), max(1, round(width * longer_px / longer))


def resize(pixels: Tensor, size: tuple[int, int], alpha: Tensor | None = None) -> Tensor:
    """Antialiased bicubic resampling of (1, C, H, W) to (height, width), clamped to [0, 1].

    The same size returns the tensor itself. For colour and alpha, on any device, differentiable.

    Args:
        pixels: (1, C, H, W) in [0, 1].
        size: (height, width) wanted.
        alpha: how far each pixel shows, (1, 1, H, W) in [0, 1]: colours count by it, so that no
            hidden one bleeds in (premultiplied; what comes back is not). None: all alike.

    Raises:
        PictureError: if a side of size is below 1.
    """
    if min(size) < 1:
        raise PictureError(f"size {size}", "allowed: at least 1 px a side")
    if tuple(pixels.shape[-2:]) == tuple(size):
        return pixels
    resampled = _resampled(pixels, size) if alpha is None else _weighed(pixels, alpha, size)
    return resampled.clamp(0, 1)


def _resampled(pixels: Tensor, size: tuple[int, int], mode: str = "bicubic") -> Tensor:
    """Antialiased, and not clamped. MPS has had none for long: its pictures go by the CPU."""
    home = pixels.cpu() if pixels.device.type == "mps" else pixels
    resampled = torch.nn.functional.interpolate(
        home, size=size, mode=mode, align_corners=False, antialias=True
    )
    return resampled.to(pixels.device)


def _weighed(pixels: Tensor, alpha: Tensor, size: tuple[int, int]) -> Tensor:
    """Resampled colours, each counting by its alpha.

    Near an edge the bicubic kernel's negative lobes would take more than there is; there the
    triangle counts, whose means lie between visible colours. Where nothing shows it is their mean.
    """
    alpha = alpha.to(pixels)
    shown = pixels * alpha
    mean = shown.sum((2, 3), keepdim=True) / alpha.sum().clamp(min=FAINT)
    sharp, soft = (_resampled(alpha, size, mode) for mode in ("bicubic", "bilinear"))
    near = _resampled(shown, size, "bilinear") / soft.clamp(min=FAINT)
    near = torch.where(soft > FAINT, near, mean)
    return torch.where(sharp > MOSTLY, _resampled(shown, size) / sharp.clamp(min=MOSTLY), near)


def resize_around(pixels: Tensor, size: tuple[int, int], around: Axes) -> Tensor:
    """The same of a picture that goes on around its edges, down or across: a tile stays one.

    One axis after the other, each between two copies, so that the factor is the same everywhere.
    """
    if not any(around):
        return resize(pixels, size)
    (height, width), (down, across) = size, around
    if down:
        tall = resize(pixels.repeat(1, 1, 3, 1), (3 * height, pixels.shape[3]))
        tall = tall.narrow(2, height, height)
    else:
        tall = resize(pixels, (height, pixels.shape[3]))
    if across:
        tall = resize(tall.repeat(1, 1, 1, 3), (height, 3 * width)).narrow(3, width, width)
    return resize(tall, size).contiguous()


def filled(pixels: Tensor, alpha: Tensor) -> Tensor:
    """The picture (1, C, H, W) with what alpha (1, 1, H, W) hides filled smoothly from around it.

    A network sees hidden pixels too, where it looks at what is beside them: so it meets no edge
    that nobody drew. Ever coarser means of what is visible, from which each hole takes the finest
    that there is: pull-push, Gortler, Grzeszczuk, Szeliski & Cohen 1996, "The Lumigraph". Where
    alpha is above 0 the picture stays as it is.
    """
    height, width = pixels.shape[2:]
    if max(height, width) == 1 or bool((alpha > 0).all()):
        return pixels
    halve = partial(nnf.avg_pool2d, kernel_size=2, ceil_mode=True, count_include_pad=False)
    shares = halve(alpha)
    means = halve(pixels * alpha) / shares.clamp(min=torch.finfo(alpha.dtype).tiny)
    around = nnf.interpolate(filled(means, shares), (height, width), mode="bilinear")
    return torch.where(alpha > 0, pixels, around)


def visible_box(alpha: Tensor) -> tuple[int, int, int, int]:
    """Top, left, bottom, right (the ends not included) of what alpha (1, 1, H, W) shows.

    At least MIN_SIDE_PX a side, as far as the picture is.
    """
    ends = []
    for there in ((alpha > 0).any(3).flatten(), (alpha > 0).any(2).flatten()):
        places, length = there.nonzero().flatten(), len(there)
        first, last = int(places[0]), int(places[-1]) + 1
        missing = max(0, min(MIN_SIDE_PX, length) - (last - first))
        first = min(max(0, first - missing // 2), length - (last - first) - missing)
        ends.append((first, max(last, first + min(MIN_SIDE_PX, length))))
    (top, bottom), (left, right) = ends
    return top, left, bottom, right


def strokes_factor(size: tuple[int, int], longer_px: float) -> float:
    """What a painting of this (height, width) is scaled by, so that its strokes suit a picture
    whose longer side is ``longer_px``; above 1 it would be enlarged.

    Its longer side becomes the picture's. But a scroll's strokes are no finer for its length: one
    that is more than LONG times as long as it is wide is scaled as a part of it would be that is
    LONG times as long as wide. The scroll then has more pixels than the picture, at most
    MOST_AREA times the square on its longer side: memory is planned for the picture.
    """
    longest, shortest = max(size), min(size)
    by_side = longer_px / min(longest, LONG * shortest)
    return min(by_side, longer_px * math.sqrt(MOST_AREA / (longest * shortest)))


def periodic(pixels: Tensor, around: Axes) -> Tensor:
    """The picture (1, C, H, W) with opposite borders brought together, clamped to [0, 1].

    What is taken off is the smoothest picture that does it, so that details stay: the periodic
    plus smooth decomposition of Moisan 2011, "Periodic Plus Smooth Image Decomposition". Down or
    across alone, it is that of the picture and its mirror image, whose other borders meet as they
    are: a sky stays above its ground.
    """
    height, width = pixels.shape[2:]
    exact = pixels.double()
    if not any(around):
        return pixels
    for axis, joined in zip((2, 3), around, strict=True):
        if not joined:
            exact = torch.cat([exact, exact.flip(axis)], axis)
    joined_ = exact - _smooth(exact)
    return joined_[..., :height, :width].clamp(0, 1).to(pixels)


def _smooth(exact: Tensor) -> Tensor:
    """The smooth part of (1, C, H, W): what the jumps at opposite borders alone would make."""
    height, width = exact.shape[2:]
    jumps = torch.zeros_like(exact)
    for axis in (2, 3):
        last = exact.shape[axis] - 1
        jump = exact.narrow(axis, last, 1) - exact.narrow(axis, 0, 1)
        jumps.narrow(axis, 0, 1).add_(jump)
        jumps.narrow(axis, last, 1).sub_(jump)
    down = torch.fft.fftfreq(height, dtype=exact.dtype, device=exact.device)
    across = torch.fft.rfftfreq(width, dtype=exact.dtype, device=exact.device)
    down, across = (2 * torch.cos(2 * torch.pi * each) for each in (down, across))
    laplacian = down[:, None] + across - 4
    laplacian[0, 0] = 1  # the mean is no jump's
    smooth: Tensor = torch.fft.irfft2(torch.fft.rfft2(jumps) / laplacian, s=(height, width))
    return smooth

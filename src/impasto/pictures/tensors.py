"""Samples, arrays (H, W, channels), to the tensors of a Picture and back.

Samples are uint8, uint16, or floats in [0, 1]; their 1 to 4 channels are grey, grey and alpha,
RGB, or RGBA.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import PIL.Image
import torch
from torch import Tensor

from impasto.errors import PictureError
from impasto.pictures.credits import NO_CREDITS, Credits
from impasto.pictures.sizes import check_pixels, check_sides, filled, resize, visible_box

Array: TypeAlias = npt.NDArray[np.generic]
Floats: TypeAlias = npt.NDArray[np.float32]

RANGE_SLACK = 1e-3
"""How far outside [0, 1] a float array may stray: rounding, a quarter of an 8-bit step."""


@dataclass(frozen=True)
class Picture:
    """A picture as the networks see it, and where it came from.

    Attributes:
        pixels: float32 (1, 3, H, W), sRGB in [0, 1], on the CPU. Where alpha is 0 the colour is
            the mean of the visible pixels: hidden colours are often garbage, and a network sees
            them all.
        alpha: float32 (1, 1, H, W) in [0, 1], not premultiplied; None where all is opaque.
        name: the file's name without its folder, or ``'array'``, ``'tensor'``, ``'image'``.
        sha256: hexadecimal, of the file's bytes, or of size and pixels for in-memory sources.
        notes: what a person should know of how it was read, a sentence each.
        credits: what its file says of its maker and its resolution.
    """

    pixels: Tensor
    alpha: Tensor | None
    name: str
    sha256: str
    notes: tuple[str, ...] = ()
    credits: Credits = NO_CREDITS

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) in pixels."""
        return self.pixels.shape[-2], self.pixels.shape[-1]

    def at(self, size: tuple[int, int]) -> Tensor:
        """Resize its pixels to (height, width); nothing that alpha hides bleeds into what shows."""
        return resize(self.pixels, size, self.alpha)

    @property
    def visible_share(self) -> float:
        """The visible part of the longer side, from 0 to 1.

        Strokes are as broad on a cut-out as on a crop: empty canvas around it counts for nothing.
        """
        if self.alpha is None:
            return 1.0
        top, left, bottom, right = visible_box(self.alpha)
        return max(bottom - top, right - left) / max(self.size)

    def filled(self) -> Picture:
        """The picture with what is hidden filled from around it, so that a network may see it."""
        if self.alpha is None:
            return self
        return replace(self, pixels=filled(self.pixels, self.alpha))

    def trimmed(self) -> Picture:
        """The picture without those of its borders that are wholly transparent."""
        if self.alpha is None:
            return self
        top, left, bottom, right = visible_box(self.alpha)
        pixels, alpha = (
            each[:, :, top:bottom, left:right].contiguous() for each in (self.pixels, self.alpha)
        )
        return replace(self, pixels=pixels, alpha=None if bool((alpha == 1).all()) else alpha)


def _unit_floats(array: Array, what: str) -> Floats:
    """Floats that must be in [0, 1] already, as float32."""
    floats = array.astype(np.float32)
    if not np.isfinite(floats).all():
        raise PictureError(f"{what} has NaN or infinite values", "allowed: floats in [0, 1]")
    low, high = float(floats.min()), float(floats.max())
    if low < -RANGE_SLACK or high > 1 + RANGE_SLACK:
        given = f"{what} has values from {low:.4g} to {high:.4g}"
        allowed = "allowed: floats in [0, 1], or uint8 or uint16 over their whole range"
        raise PictureError(given, allowed, "divide by the largest possible value")
    return floats.clip(0, 1)


def array_samples(array: Array, what: str, shape: tuple[int, ...] = ()) -> Array:
    """Check an array (H, W) or (H, W, 1 to 4) and return it as samples; shape is for messages."""
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] not in (1, 2, 3, 4)):
        raise PictureError(
            f"{what} has the shape {shape or array.shape}",
            "allowed: (H, W) or (H, W, C), for tensors (C, H, W) or (1, C, H, W), with C 1 to 4",
            "reorder its axes",
        )
    check_pixels(array.shape[:2], what)
    check_sides(array.shape[:2], what)
    if array.dtype.kind == "f":
        array = _unit_floats(array, what)
    elif array.dtype.newbyteorder("=") not in (np.uint8, np.uint16):
        allowed = "allowed: uint8, uint16, or floats in [0, 1]"
        raise PictureError(f"{what} is of type {array.dtype}", allowed, "convert it")
    return array[..., None] if array.ndim == 2 else array


def tensor_samples(tensor: Tensor, what: str) -> Array:
    """Samples of a tensor (H, W), (C, H, W) or (1, C, H, W)."""
    planes = tensor.detach().cpu()
    planes = planes.float() if planes.is_floating_point() else planes  # numpy knows no bfloat16
    planes = planes[0] if planes.ndim == 4 and planes.shape[0] == 1 else planes
    array = (planes.permute(1, 2, 0) if planes.ndim == 3 else planes).numpy()
    return array_samples(array, what, tuple(tensor.shape))


def white(samples: Array) -> int:
    """The largest value of samples of this type."""
    return 1 if samples.dtype.kind == "f" else 2 ** (8 * samples.dtype.itemsize) - 1


def _fill_hidden(colour: Tensor, alpha: Tensor, what: str) -> None:
    """Replace the colour under alpha 0 by the mean of the visible pixels, weighted by alpha.

    Pixels with any alpha keep their colour exactly, so that a saved picture loads unchanged.
    """
    hidden = alpha[0, 0] == 0
    if hidden.all():
        hint = "take a picture that shows something"
        raise PictureError(f"{what} is wholly transparent", "", hint)
    shown = alpha.sum(dtype=torch.float64)
    for plane in colour[0]:
        mean = (plane * alpha[0, 0]).sum(dtype=torch.float64) / shown
        plane[hidden] = mean.float()


def _planes(samples: Array) -> Tensor:
    """Samples (H, W, C) as (1, C, H, W) in [0, 1]: a channel at a time, without another copy."""
    height, width, channels = samples.shape
    planes = np.empty((1, channels, height, width), np.float32)
    for channel in range(channels):
        np.divide(samples[..., channel], white(samples), out=planes[0, channel], dtype=np.float32)
    return torch.from_numpy(planes)


def split_alpha(samples: Array, what: str) -> tuple[Tensor, Tensor | None]:
    """Samples as the tensors (1, 3, H, W) and, unless all is opaque, (1, 1, H, W) of a Picture."""
    count = samples.shape[2]
    transparent = count in (2, 4)
    colour = _planes(samples[..., :-1] if transparent else samples)
    alpha = _planes(samples[..., -1:]) if transparent else None
    if alpha is not None and bool((alpha == 1).all()):
        alpha = None
    if alpha is not None:
        _fill_hidden(colour, alpha, what)
    return colour.repeat(1, 3 // colour.shape[1], 1, 1) if count < 3 else colour, alpha


def _check_tensors(pixels: Tensor, alpha: Tensor | None) -> None:
    for tensor, channels, name in ((pixels, 3, "pixels"), (alpha, 1, "alpha")):
        if tensor is None:
            continue
        shape = tuple(tensor.shape)
        if shape != (1, channels, *pixels.shape[-2:]) or 0 in shape:
            allowed = f"allowed: (1, {channels}, H, W), with alpha of the same height and width"
            raise PictureError(f"{name} of shape {shape}", allowed)
        if not bool(torch.isfinite(tensor).all()):
            raise PictureError(f"{name} with NaN or infinite values", "allowed: [0, 1]")


def _quantise(tensor: Tensor, bits: int) -> Array:
    """(1, C, H, W) in [0, 1] to uint8 or uint16 (H, W, C), rounded; strays are clamped."""
    steps = tensor.detach().cpu().double().clamp(0, 1).mul(2**bits - 1).round()
    array: Array = steps[0].permute(1, 2, 0).contiguous().numpy()
    return array.astype(np.uint8 if bits == 8 else np.uint16)


def samples_of(pixels: Tensor, alpha: Tensor | None, bits: int, keep_alpha: bool) -> Array:
    """The tensors as one array (H, W, 3 or 4); flattened on white where alpha isn't kept."""
    _check_tensors(pixels, alpha)
    if alpha is None:
        return _quantise(pixels, bits)
    if not keep_alpha:
        alpha = alpha.to(pixels)
        return _quantise(pixels * alpha + (1 - alpha), bits)
    return np.concatenate([_quantise(pixels, bits), _quantise(alpha, bits)], axis=-1)


def to_pil(pixels: Tensor, alpha: Tensor | None = None) -> PIL.Image.Image:
    """An 8-bit RGB image, or RGBA with alpha, of (1, 3, H, W) and (1, 1, H, W) in [0, 1].

    Raises:
        PictureError: if a shape differs or a value is NaN or infinite.
    """
    return PIL.Image.fromarray(samples_of(pixels, alpha, 8, keep_alpha=True))

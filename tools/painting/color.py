"""Pigments: hex colours, ramps and jitter, as float32 sRGB in [0, 1]."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]

LUMA = np.array([0.299, 0.587, 0.114], np.float32)  # Rec. 601
_GREY_AXIS = np.full(3, 3**-0.5)


def pigment(code: str) -> Array:
    """``"#1b2a5e"`` as an array of three floats."""
    value = code.lstrip("#")
    return np.array([int(value[i : i + 2], 16) / 255 for i in (0, 2, 4)], np.float32)


def pigments(codes: Sequence[str]) -> Array:
    """Several pigments, (N, 3)."""
    return np.stack([pigment(code) for code in codes])


def ramp(t: Array, codes: Sequence[str]) -> Array:
    """Map t in [0, 1] (any shape) onto evenly spaced colour stops: shape + (3,)."""
    stops = pigments(codes)
    at = np.linspace(0, 1, len(stops))
    return np.stack([np.interp(t, at, stops[:, c]) for c in range(3)], -1).astype(np.float32)


def mix(a: Array, b: Array, amount: Array | float) -> Array:
    """Give a where amount is 0, b where it is 1; amount (...,) broadcasts over the channels."""
    amount = np.asarray(amount, np.float32)[..., None]
    return a + (b - a) * amount


def jitter(
    colors: Array, rng: np.random.Generator, hue_rad: float, chroma: float, light: float
) -> Array:
    """Vary (N, 3) colours as a painter's mixing does.

    Args:
        colors: sRGB, (N, 3).
        rng: the source of chance.
        hue_rad: standard deviation of a turn about the grey axis, in radians.
        chroma: standard deviation of the relative change of saturation.
        light: standard deviation of the change of lightness.
    """
    n = len(colors)
    grey = (colors @ LUMA)[:, None]
    tint = colors - grey
    angle = rng.normal(0, hue_rad, (n, 1))
    turned = tint * np.cos(angle) + np.cross(_GREY_AXIS, tint) * np.sin(angle)
    turned *= 1 + rng.normal(0, chroma, (n, 1))
    return np.clip(grey + turned + rng.normal(0, light, (n, 1)), 0, 1).astype(np.float32)

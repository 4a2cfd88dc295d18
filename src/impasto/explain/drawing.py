"""Pictures and heat maps as data that stands inside a page."""

from __future__ import annotations

import base64
import io

import numpy as np
import PIL.Image
import torch
from torch import Tensor

from impasto import pictures

JPEG_QUALITY = 88  # strokes and noise stay what they are, at a sixth of a PNG's size
# From nothing to most: dark to light, so that it also reads in grey and on paper.
HEAT = ("#0d0b1e", "#3b1f5b", "#8c2a6b", "#d9523f", "#f6a849", "#fdf3cf")
BOTH_WAYS = ("#1f4e79", "#7fa8c9", "#f4f1ea", "#d98b6a", "#8f2d1c")  # below 0, 0, above 0
DIMMED = 0.6  # of its brightness: a picture under a heat map
SHOWN = 0.85  # how much the strongest heat covers of it


def jpeg(picture: Tensor) -> str:
    """A picture (1, 3, H, W) in [0, 1] as a data URI."""
    return _uri(
        pictures.to_pil(picture), "JPEG", quality=JPEG_QUALITY, subsampling=0, optimize=True
    )


def heat_map(values: Tensor, *, both_ways: bool = False) -> str:
    """Values (H, W) in [0, 1], or in [-1, 1], as a data URI of a PNG with as many pixels."""
    scaled = (values + 1) / 2 if both_ways else values
    coloured = heat(scaled, BOTH_WAYS if both_ways else HEAT)
    return _uri(PIL.Image.fromarray((coloured * 255).round().astype(np.uint8)), "PNG")


def over(picture: Tensor, values: Tensor) -> str:
    """Values (H, W) in [0, 1] as heat over a dimmed grey picture (1, 3, H, W), as a data URI."""
    grey = picture[0].mean(0).numpy()[..., None] * DIMMED
    cover = values.numpy()[..., None] ** 0.5 * SHOWN
    mixed = grey * (1 - cover) + heat(values, HEAT) * cover
    return jpeg(torch.from_numpy(mixed).permute(2, 0, 1)[None].float().clamp(0, 1))


def heat(values: Tensor, colours: tuple[str, ...]) -> np.ndarray:
    """Values in [0, 1] as colours (..., 3) in [0, 1], straight lines between the given ones."""
    anchors = np.array([[int(each[i : i + 2], 16) / 255 for i in (1, 3, 5)] for each in colours])
    places = np.linspace(0, 1, len(colours))
    flat = values.clamp(0, 1).double().numpy()
    return np.stack([np.interp(flat, places, anchors[:, channel]) for channel in range(3)], -1)


def _uri(picture: PIL.Image.Image, form: str, **options: object) -> str:
    buffer = io.BytesIO()
    picture.save(buffer, form, **options)
    return f"data:image/{form.lower()};base64,{base64.b64encode(buffer.getvalue()).decode()}"

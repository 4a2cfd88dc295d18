"""The canvas: colour and paint thickness, measured in units of 1/1000 of the longer side.

Pictures are composed in units, so that a small trial has the same composition as the large
picture, and painted at twice the size that is delivered (supersampling).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from scipy import ndimage

from painting.color import Array

LONG_SIDE_UNITS = 1000
SUPERSAMPLE = 2
LIGHT_DIRECTION = (-0.6, -0.8)  # x, y: from the upper left, as in most studios
SHADE_LIMIT = 0.34  # the most that relief may darken or lighten

Drawing = Callable[[ImageDraw.ImageDraw, list[tuple[float, float]]], None]
Points = Sequence[tuple[float, float]] | NDArray[np.floating]


@dataclass
class Canvas:
    """Wet paint: ``color`` (H, W, 3) sRGB, ``relief`` (H, W) thickness, ``scale`` px per unit."""

    color: Array
    relief: Array
    scale: float
    tooth: Array | None = None  # (H, W) in [0, 1]: dry media catch only where they press harder

    @classmethod
    def blank(cls, width: int, height: int, size_px: int, ground: Array) -> Canvas:
        """A primed canvas of width x height units, delivered with longer side size_px."""
        scale = SUPERSAMPLE * size_px / LONG_SIDE_UNITS
        h, w = (SUPERSAMPLE * round(side * scale / SUPERSAMPLE) for side in (height, width))
        color = np.broadcast_to(ground, (h, w, 3)).astype(np.float32)
        return cls(color, np.zeros((h, w), np.float32), scale)

    @property
    def shape(self) -> tuple[int, int]:
        """(H, W) in supersampled pixels."""
        h, w = self.relief.shape
        return h, w

    def grid(self) -> tuple[Array, Array]:
        """Give x and y in units at each pixel's centre, broadcast to (H, W)."""
        h, w = self.shape
        x = ((np.arange(w, dtype=np.float32) + 0.5) / self.scale)[None]
        y = ((np.arange(h, dtype=np.float32) + 0.5) / self.scale)[:, None]
        return np.broadcast_to(x, (h, w)), np.broadcast_to(y, (h, w))

    def pixels(self, points: NDArray[np.floating]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Row and column of points (..., 2) in units, held inside the canvas."""
        h, w = self.shape
        cols = np.clip((points[..., 0] * self.scale).astype(np.intp), 0, w - 1)
        rows = np.clip((points[..., 1] * self.scale).astype(np.intp), 0, h - 1)
        return rows, cols

    def blur(self, field: Array, sigma: float) -> Array:
        """Gaussian blur with sigma in units."""
        axes = (sigma * self.scale,) * 2 + (0,) * (field.ndim - 2)
        return ndimage.gaussian_filter(field, axes).astype(np.float32)

    def polygon(self, points: Points) -> Array:
        """A polygon's mask, (H, W) in [0, 1]."""
        return self._draw(lambda d, xy: d.polygon(xy, fill=255), points)

    def line(self, points: Points, width: float) -> Array:
        """A polyline's mask of the given width in units, (H, W) in [0, 1]."""
        px = max(1, round(width * self.scale))
        return self._draw(lambda d, xy: d.line(xy, fill=255, width=px, joint="curve"), points)

    def _draw(self, drawing: Drawing, points: Points) -> Array:
        h, w = self.shape
        sheet = Image.new("L", (w, h), 0)
        xy = [(float(x) * self.scale, float(y) * self.scale) for x, y in points]
        drawing(ImageDraw.Draw(sheet), xy)
        return np.asarray(sheet, np.float32) / 255

    def noise(self, rng: np.random.Generator, cell: float, octaves: int = 1) -> Array:
        """Smooth noise with features of about cell units, mean 0, deviation 1."""
        return stretched_noise(self, rng, (cell, cell), octaves)

    def light(self, strength: float, softness: float = 0.45) -> None:
        """Rake a light over the relief, so that ridges of paint shine and cast shade."""
        soft = self.blur(self.relief, softness)
        dy, dx = np.gradient(soft * self.scale)
        lx, ly = LIGHT_DIRECTION
        slope = (dx * lx + dy * ly) * strength
        shade = SHADE_LIMIT * np.tanh(slope / SHADE_LIMIT)
        gloss = np.clip(shade - 0.6 * SHADE_LIMIT, 0, None)
        self.color = np.clip(self.color * (1 + shade)[..., None] + gloss[..., None], 0, 1)

    def picture(self) -> Image.Image:
        """The delivered picture: dried, and averaged down to its size."""
        h, w = self.shape
        full = np.round(np.clip(self.color, 0, 1) * 255).astype(np.uint8)
        size = (w // SUPERSAMPLE, h // SUPERSAMPLE)
        return Image.fromarray(full).resize(size, Image.Resampling.LANCZOS)


def stretched_noise(
    canvas: Canvas, rng: np.random.Generator, cell: tuple[float, float], octaves: int = 1
) -> Array:
    """Smooth noise whose features are cell = (along x, along y) units, mean 0, deviation 1."""
    h, w = canvas.shape
    total = np.zeros((h, w), np.float32)
    for octave in range(octaves):
        step = [max(c * canvas.scale / 2**octave, 1.0) for c in cell]
        small = rng.standard_normal((int(h / step[1]) + 4, int(w / step[0]) + 4), np.float32)
        box = (1.0, 1.0, 1.0 + w / step[0], 1.0 + h / step[1])
        sheet = Image.fromarray(small).resize((w, h), Image.Resampling.BICUBIC, box=box)
        total += np.asarray(sheet) / 2**octave
    return (total - total.mean()) / (total.std() + 1e-6)

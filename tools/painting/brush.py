"""Brushes: strokes with bristles that follow a field of directions and pile up paint."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from painting.canvas import Canvas
from painting.color import Array, jitter

SAMPLE_STEP_PX = 0.62  # spacing of the samples that lay a stroke: below 0.7 leaves no holes
TRACE_STEP_UNITS = 2.5  # spacing of the points of a stroke's path
SAMPLES_PER_BATCH = 1_500_000  # bounds the memory of laying strokes
BANK_SIZE = 48  # different bristle textures in a brush
RIDGE = 0.55  # paint pushed to a stroke's edges, relative to its thickness


@dataclass(frozen=True)
class Brush:
    """What a brush is and how it is used; lengths in units of 1/1000 of the picture."""

    length: float
    width: float
    bristles: int = 9  # grooves across the width
    dryness: float = 0.25  # 0: solid paint; 1: mostly broken
    load: float = 1.0  # thickness of the paint
    streak: float = 0.07  # lightness difference between bristles
    wet: float = 0.35  # how much of the colour beneath is dragged along
    opacity: float = 1.0
    hue_rad: float = 0.12
    chroma: float = 0.15
    light: float = 0.04
    taper: float = 0.6  # 0: square end; 1: pointed
    tolerance: float = 0.25  # a stroke ends where the scene differs more than this


@dataclass(frozen=True)
class Field:
    """Directions of strokes as a unit vector per pixel, each (H, W)."""

    dx: Array
    dy: Array

    @classmethod
    def from_vectors(cls, dx: Array, dy: Array) -> Field:
        norm = np.hypot(dx, dy) + 1e-6
        return cls((dx / norm).astype(np.float32), (dy / norm).astype(np.float32))

    @classmethod
    def from_angle(cls, angle_rad: Array) -> Field:
        return cls(np.cos(angle_rad), np.sin(angle_rad))

    def where(self, mask: Array, other: Field) -> Field:
        """The other field where mask is over one half."""
        inside = mask > 0.5
        return Field(np.where(inside, other.dx, self.dx), np.where(inside, other.dy, self.dy))


def scatter(
    canvas: Canvas, rng: np.random.Generator, spacing: float, where: Array | None = None
) -> NDArray[np.floating]:
    """Points (N, 2) about spacing units apart, in random order, kept with chance where."""
    h, w = canvas.shape
    xs = np.arange(-0.5, w / canvas.scale / spacing + 0.5)
    ys = np.arange(-0.5, h / canvas.scale / spacing + 0.5)
    points = np.stack(np.meshgrid(xs, ys), -1).reshape(-1, 2)
    points = (points + rng.uniform(-0.75, 0.75, points.shape) + 0.5) * spacing
    if where is not None:
        points = points[rng.random(len(points)) < where[canvas.pixels(points)]]
    return rng.permutation(points)


def trace(canvas: Canvas, field: Field, starts: NDArray[np.floating], length: float) -> Array:
    """Follow the field both ways from the starts: paths (N, K, 2) in units."""
    half = max(1, round(length / 2 / TRACE_STEP_UNITS))
    arms = []
    for sign in (-1, 1):
        at, points, last = starts.copy(), [], None
        for _ in range(half):
            rows, cols = canvas.pixels(at)
            step = np.stack([field.dx[rows, cols], field.dy[rows, cols]], -1) * sign
            if last is not None:  # a direction has no sign: never turn back
                step *= np.where((step * last).sum(-1, keepdims=True) < 0, -1, 1)
            last = step
            at = at + step * TRACE_STEP_UNITS
            points.append(at)
        arms.append(points)
    path = [*arms[0][::-1], starts, *arms[1]]
    return np.stack(path, 1).astype(np.float32)


def clip_to_scene(canvas: Canvas, paths: Array, scene: Array, tolerance: float) -> Array:
    """First and last point of each path, (N, 2), that still lie on the colour of its middle."""
    seen = scene[canvas.pixels(paths)]
    k = paths.shape[1]
    middle = k // 2
    differs = np.abs(seen - seen[:, middle : middle + 1]).max(-1) > tolerance
    index = np.arange(k)
    first = np.where(differs & (index < middle), index + 1, 0).max(1)
    last = np.where(differs & (index > middle), index - 1, k - 1).min(1)
    return np.stack([first, last], 1).astype(np.float32)


def bristle_bank(rng: np.random.Generator, bristles: int, along: int, across: int) -> Array:
    """Textures of dragged paint, (BANK_SIZE, along, across) in [0, 1]: streaks and breaks."""
    grooves = rng.standard_normal((BANK_SIZE, 1, bristles + 1))
    breaks = rng.standard_normal((BANK_SIZE, 7, bristles + 1)) * 0.7
    coarse = np.concatenate([grooves + breaks[:, :1], grooves + breaks[:, 1:]], 1)
    u = np.linspace(0, coarse.shape[1] - 1.001, along)
    v = np.linspace(0, bristles - 0.001, across)
    ui, vi = u.astype(int), v.astype(int)
    fu, fv = (u - ui)[None, :, None], (v - vi)[None, None, :]
    fv = fv * fv * (3 - 2 * fv)
    top = coarse[:, ui][:, :, vi] * (1 - fv) + coarse[:, ui][:, :, vi + 1] * fv
    low = coarse[:, ui + 1][:, :, vi] * (1 - fv) + coarse[:, ui + 1][:, :, vi + 1] * fv
    smooth = top * (1 - fu) + low * fu
    return (1 / (1 + np.exp(-1.6 * smooth))).astype(np.float32)


def lay(
    canvas: Canvas,
    rng: np.random.Generator,
    paths: Array,
    spans: Array,
    widths: Array,
    colors: Array,
    brush: Brush,
    pressure: Array | None = None,
) -> None:
    """Lay strokes in order, each over the last.

    Args:
        canvas: changed in place.
        rng: the source of chance.
        paths: (N, K, 2) points in units.
        spans: (N, 2) first and last index into a path that is painted.
        widths: (N,) in units.
        colors: (N, 3).
        brush: how the paint is laid.
        pressure: (N,) in [0, 1]; dry media leave no mark where it is below the paper's tooth.
    """
    along = max(3, round(paths.shape[1] * TRACE_STEP_UNITS * canvas.scale / SAMPLE_STEP_PX))
    across = max(3, round(float(widths.max()) * canvas.scale / SAMPLE_STEP_PX))
    bank = bristle_bank(rng, brush.bristles, along, across)
    batch = max(1, SAMPLES_PER_BATCH // (along * across))
    for start in range(0, len(paths), batch):
        part = slice(start, start + batch)
        texture = bank[rng.integers(0, BANK_SIZE, len(paths[part]))]
        press = None if pressure is None else pressure[part]
        tints = rng.normal(0, brush.streak, (len(texture), 3)).astype(np.float32)
        points = _sweep(paths[part], spans[part], widths[part], texture.shape, brush.taper)
        _deposit(canvas, points, texture, colors[part], tints, brush, press)


def _sweep(
    paths: Array, spans: Array, widths: Array, shape: tuple[int, ...], taper: float
) -> NDArray[np.floating]:
    """Where each sample of each stroke lands: (n, along, across, 2) in units."""
    n, along, across = shape
    u = np.linspace(0, 1, along, dtype=np.float32)
    index = spans[:, :1] + (spans[:, 1:] - spans[:, :1]) * u
    low = np.minimum(index.astype(int), paths.shape[1] - 2)
    rows = np.arange(n)[:, None]
    here, there = paths[rows, low], paths[rows, low + 1]
    spine = here + (there - here) * (index - low)[..., None]
    tangent = np.gradient(spine, axis=1)
    tangent /= np.linalg.norm(tangent, axis=-1, keepdims=True) + 1e-6
    normal = np.stack([-tangent[..., 1], tangent[..., 0]], -1)
    swell = np.minimum(1, np.sqrt(u * 8) + 0.15) * (1 - taper * u**3)
    v = np.linspace(-0.5, 0.5, across, dtype=np.float32)
    reach = (widths[:, None] * swell)[..., None] * v
    return spine[:, :, None] + normal[:, :, None] * reach[..., None]


def _deposit(
    canvas: Canvas,
    points: NDArray[np.floating],
    texture: Array,
    colors: Array,
    tints: Array,
    brush: Brush,
    pressure: Array | None,
) -> None:
    """Put paint on the canvas where the bristles touch it."""
    h, w = canvas.shape
    u = np.linspace(0, 1, texture.shape[1], dtype=np.float32)[:, None]
    v = np.abs(np.linspace(-1, 1, texture.shape[2], dtype=np.float32))
    worn = brush.dryness * (0.35 + 0.65 * u**2) + 0.35 * v**6 + 0.5 * (1 - u * 12).clip(0)
    px = (points * canvas.scale).astype(np.int64)
    inside = ((px >= 0) & (px < (w, h))).all(-1)
    on = (texture > worn * 0.8) & inside
    if pressure is not None and canvas.tooth is not None:
        force = pressure[:, None, None] * (0.7 + 0.6 * texture) * (1.1 - 0.5 * u)
        on &= force > canvas.tooth[px[..., 1].clip(0, h - 1), px[..., 0].clip(0, w - 1)]
    spot = (px[..., 1] * w + px[..., 0])[on]
    paint = colors[:, None, None] + (texture[..., None] - 0.5) * (
        tints[:, None, None] + brush.streak
    )
    drag = np.broadcast_to((brush.wet * u * (1.3 - texture)), texture.shape)[on][:, None]
    drag = 1 - (1 - drag) * brush.opacity
    flat_color, flat_relief = canvas.color.reshape(-1, 3), canvas.relief.reshape(-1)
    flat_color[spot] = np.clip(paint[on] * (1 - drag) + flat_color[spot] * drag, 0, 1)
    body = brush.load * (0.3 + 0.7 * texture) * (1 + RIDGE * v**4)
    flat_relief[spot] = 0.45 * flat_relief[spot] + body[on]


def paint_scene(
    canvas: Canvas,
    rng: np.random.Generator,
    scene: Array,
    field: Field,
    brush: Brush,
    spacing: float,
    where: Array | None = None,
) -> None:
    """Cover the canvas (or where) with strokes that take their colours from the scene."""
    starts = scatter(canvas, rng, spacing, where)
    if not len(starts):
        return
    paths = trace(canvas, field, starts, brush.length)
    spans = clip_to_scene(canvas, paths, scene, brush.tolerance)
    colors = jitter(scene[canvas.pixels(starts)], rng, brush.hue_rad, brush.chroma, brush.light)
    widths = (brush.width * rng.uniform(0.6, 1.25, len(starts))).astype(np.float32)
    lay(canvas, rng, paths, spans, widths, colors, brush)


def dab(
    canvas: Canvas,
    rng: np.random.Generator,
    spots: NDArray[np.floating],
    radii: Array,
    colors: Array,
    load: float,
) -> None:
    """Touch the canvas once at each spot: an uneven round of paint, domed, with a soft rim."""
    h, w = canvas.shape
    across = max(3, round(2.6 * float(radii.max()) * canvas.scale / SAMPLE_STEP_PX))
    axis = np.linspace(-1.3, 1.3, across, dtype=np.float32)
    dx, dy = axis[None, :], axis[:, None]
    angle, r = np.arctan2(dy, dx), np.hypot(dx, dy)
    flat_color, flat_relief = canvas.color.reshape(-1, 3), canvas.relief.reshape(-1)
    batch = max(1, SAMPLES_PER_BATCH // across**2)
    for start in range(0, len(spots), batch):
        part = slice(start, start + batch)
        turn, wobble = rng.uniform(0, 6.28, (2, len(spots[part]), 1, 1)).astype(np.float32)
        edge = 1 + 0.13 * np.cos(2 * angle + turn) + 0.09 * np.cos(3 * angle + wobble)
        reach = (radii[part] * canvas.scale)[:, None, None]
        cols = (spots[part, 0, None, None] * canvas.scale + dx * reach).astype(np.int64)
        rows = (spots[part, 1, None, None] * canvas.scale + dy * reach).astype(np.int64)
        on = (r < edge) & (cols >= 0) & (cols < w) & (rows >= 0) & (rows < h)
        spot = (rows * w + cols)[on]
        dome = np.sqrt(np.clip(1.05 - (r / edge) ** 2, 0, 1))
        grain = 0.035 * np.cos(9 * (dx * np.cos(turn) + dy * np.sin(turn)) + wobble)
        paint = np.broadcast_to(colors[part, None, None], (*edge.shape, 3))[on] + grain[on][:, None]
        flat_color[spot] = np.clip(paint, 0, 1)
        flat_relief[spot] = 0.5 * flat_relief[spot] + load * dome[on]


def unfinished(canvas: Canvas, scene: Array, width: float, threshold: float) -> Array:
    """Where the canvas still differs from the scene at the scale of width units: 0 or 1."""
    error = np.abs(canvas.blur(canvas.color, width / 2) - canvas.blur(scene, width / 3)).max(-1)
    return (error > threshold).astype(np.float32)


def comb(canvas: Canvas, values: Array, field: Field, length: float, steps: int = 24) -> Array:
    """Drag values along the field (line integral convolution), mean 0, deviation 1."""
    stride = 2  # half resolution is enough for what is dragged
    small, dx, dy = (a[::stride, ::stride] for a in (values, field.dx, field.dy))
    step_px = length * canvas.scale / stride / (2 * steps)
    rows0, cols0 = np.indices(small.shape).astype(np.float32)
    total = small.copy()
    h, w = small.shape
    for sign in (-step_px, step_px):
        rows, cols = rows0, cols0
        for _ in range(steps):
            at = rows.astype(np.intp).clip(0, h - 1), cols.astype(np.intp).clip(0, w - 1)
            rows, cols = rows + sign * dy[at], cols + sign * dx[at]
            at = rows.astype(np.intp).clip(0, h - 1), cols.astype(np.intp).clip(0, w - 1)
            total += small[at]
    full = total.repeat(stride, 0).repeat(stride, 1)[: values.shape[0], : values.shape[1]]
    return ((full - full.mean()) / (full.std() + 1e-6)).astype(np.float32)

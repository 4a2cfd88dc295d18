"""Night over a village: long impasto strokes that run with a turning sky."""

from __future__ import annotations

import numpy as np
from PIL import Image

from painting.brush import Brush, Field, comb, lay, paint_scene, scatter, trace, unfinished
from painting.canvas import Canvas
from painting.color import Array, jitter, mix, pigment, pigments, ramp

WIDTH, HEIGHT = 1000, 760
NIGHT = ("#070b26", "#0e1a4d", "#173080", "#2450ab", "#3d7cc4", "#7db0cf", "#cfe0c0")
FAR_HILL = ("#0b1440", "#16307a", "#2c5a9e", "#4f8fae")
NEAR_HILL = ("#081226", "#0f2f3d", "#1f5a55", "#4d8a63", "#a3ad5c")
CYPRESS = ("#05080f", "#0c1a1c", "#16331f", "#3a4a22", "#6b4a1f")
WALLS = ("#24356e", "#34508f", "#4f74a8", "#8fb0bc")
ROOFS = ("#4a1c22", "#8a3a24", "#23205a", "#b0582c")
LAMP = ("#ffb21f", "#ffd65a", "#ff8a1c", "#fff0a8")

# x, y, radius in units, and the sense of turning
WHIRLS = ((455, 235, 150, 1.0), (690, 330, 95, -1.0), (255, 395, 80, -0.9), (925, 345, 85, 0.9))
# x, y, radius of the core and of the halo
STARS = (
    (852, 118, 34, 112),
    (265, 105, 13, 62),
    (60, 215, 11, 54),
    (368, 52, 7, 36),
    (598, 82, 12, 58),
    (716, 168, 8, 40),
    (560, 400, 7, 36),
    (955, 262, 9, 42),
    (48, 60, 8, 40),
    (345, 330, 7, 34),
    (820, 400, 8, 40),
)


def _sky_field(x: Array, y: Array) -> Field:
    """A breeze that rises and falls, wound up by whirls and by each star's halo."""
    dx = np.full_like(x, 1.0)
    dy = 0.45 * np.sin(x / 95 + y / 160)
    for cx, cy, radius, turn in WHIRLS:
        rx, ry = x - cx, y - cy
        r = np.hypot(rx, ry * 1.15) / radius
        pull = 3.4 * turn * np.exp(-(r**3) * 0.55)
        dx += (-ry + 0.14 * rx) / radius / (r + 0.15) * pull
        dy += (rx + 0.14 * ry) / radius / (r + 0.15) * pull
    for cx, cy, _, halo in STARS:
        rx, ry = x - cx, y - cy
        r = np.hypot(rx, ry) / halo
        pull = 5.0 * np.exp(-((r / 0.95) ** 4))
        dx, dy = dx - ry / halo / (r + 0.1) * pull, dy + rx / halo / (r + 0.1) * pull
    return Field.from_vectors(dx, dy)


def _sky(canvas: Canvas, rng: np.random.Generator, field: Field) -> Array:
    """Bands of blue drawn out along the breeze, with rings of light about the stars."""
    x, y = canvas.grid()
    bands = comb(canvas, canvas.noise(rng, 22), field, 170)
    tone = 0.36 + 0.17 * bands + 0.16 * (y / 520 - 0.5)
    for cx, cy, radius, _ in WHIRLS:
        r = np.hypot(x - cx, (y - cy) * 1.15) / radius
        spiral = np.cos(2 * np.arctan2(y - cy, x - cx) - 7.5 * np.sqrt(r + 0.02))
        tone += 0.2 * spiral * np.exp(-(r**2) * 0.9) + 0.12 * np.exp(-(r**2))
    sky = ramp(tone, NIGHT)
    for cx, cy, core, halo in STARS:
        r = np.hypot(x - cx, y - cy)
        ring = 0.62 + 0.38 * np.cos(r / halo * 15 + 0.08 * bands)
        glow = np.exp(-((r / halo / 0.62) ** 2)) * ring
        sky = mix(sky, pigment("#e9d873"), np.clip(0.95 * glow, 0, 1))
        sky = mix(sky, pigment("#ffc53a"), np.exp(-((r / core / 1.5) ** 2)))
        sky = mix(sky, pigment("#fff6cf"), np.clip((core - r) / 3, 0, 1))
    x0, y0 = 868, 110  # the dark of the crescent
    bite = np.clip((25 - np.hypot(x - x0, y - y0)) / 3, 0, 1)
    return mix(sky, pigment("#e89a2c"), 0.85 * bite)


def _ridge(x: Array, base: float, waves: tuple[tuple[float, float, float], ...]) -> Array:
    """Height of a hill's outline at each x: a base and (amplitude, wavelength, phase) waves."""
    return base + sum(a * np.sin(x / length + phase) for a, length, phase in waves)


def _hills(
    canvas: Canvas, rng: np.random.Generator, scene: Array, field: Field
) -> tuple[Array, Field]:
    """Three rolling ranges, lighter at their crests, and fields below."""
    x, y = canvas.grid()
    ranges = (
        (485, ((34, 95, 0.4), (16, 41, 2.0)), FAR_HILL, 70),
        (548, ((28, 130, 2.6), (12, 52, 0.3)), FAR_HILL[1:] + NEAR_HILL[3:4], 60),
        (668, ((16, 150, 4.3), (8, 60, 1.0)), NEAR_HILL, 90),
    )
    for base, waves, colors, depth in ranges:
        top = _ridge(x, base, waves)
        below = y - top
        slope = np.gradient(top[0]) * canvas.scale
        along = Field.from_vectors(
            np.ones_like(x), slope[None] * np.exp(-below / 80) + 0.22 * np.sin(x / 37 + y / 23)
        )
        folds = comb(canvas, canvas.noise(rng, 16), along, 90)
        tone = 0.75 * np.exp(-np.clip(below, 0, None) / depth) + 0.16 * folds + 0.12
        mask = (below > 0).astype(np.float32)
        scene = mix(scene, ramp(tone, colors), mask)
        scene = mix(scene, pigment("#060a1c"), 0.8 * np.exp(-((below / 2.6) ** 2)))
        field = field.where(mask, along)
    return scene, field


def _house(canvas: Canvas, rng: np.random.Generator, scene: Array, x: float, foot: float) -> Array:
    """A gabled house with a lit side, drawn with a dark outline."""
    wide, tall = rng.uniform(30, 50), rng.uniform(20, 30)
    eave = foot - tall
    gable = rng.uniform(15, 24)
    wall = [(x, foot), (x, eave), (x + wide, eave), (x + wide, foot)]
    roof = [(x - 3, eave), (x + wide * 0.3, eave - gable), (x + wide * 0.85, eave - gable)]
    roof.append((x + wide + 3, eave))
    scene = mix(scene, pigments(WALLS)[rng.integers(4)], canvas.polygon(wall))
    scene = mix(
        scene, pigments(WALLS)[3], canvas.polygon([*wall[:2], (x + 7, eave), (x + 7, foot)])
    )
    scene = mix(scene, pigments(ROOFS)[rng.integers(4)], canvas.polygon(roof))
    return mix(scene, pigment("#05081a"), 0.9 * canvas.line([*roof, roof[0]], 1.6))


def _village(canvas: Canvas, rng: np.random.Generator, scene: Array) -> Array:
    """Houses on the valley's floor round a church with a tall spire."""
    for foot in (622, 648, 676):
        for x in np.arange(310, 960, 54.0):
            if rng.random() < 0.72:
                scene = _house(
                    canvas, rng, scene, x + rng.uniform(-14, 14), foot + rng.uniform(-6, 6)
                )
    tower = [(608, 650), (608, 580), (617, 500), (626, 580), (626, 650)]
    nave = [(570, 652), (570, 612), (582, 592), (612, 592), (612, 652)]
    for shape, color in ((nave, WALLS[1]), (tower, WALLS[2])):
        scene = mix(scene, pigment(color), canvas.polygon(shape))
        scene = mix(scene, pigment("#05081a"), canvas.line([*shape, shape[0]], 1.8))
    return scene


def _flame(
    x: float, foot: float, top: float, wide: float, phase: float
) -> list[tuple[float, float]]:
    """The outline of a cypress: a flame that sways."""
    t = np.linspace(0, 1, 60)
    sway = 10 * np.sin(t * 6 + phase) * t
    half = wide * np.sin(np.pi * (0.16 + 0.84 * t)) ** 0.8 * (1 + 0.16 * np.sin(t * 31 + phase))
    y = foot + (top - foot) * t
    left, right = np.stack([x + sway - half, y], 1), np.stack([x + sway + half, y], 1)
    return [tuple(p) for p in np.concatenate([left, right[::-1]])]


def _cypresses(
    canvas: Canvas, rng: np.random.Generator, scene: Array, field: Field
) -> tuple[Array, Field]:
    """Two dark trees that lick upwards like flames."""
    x, y = canvas.grid()
    upward = Field.from_vectors(
        0.5 * np.sin(y / 26 + x / 31) + 0.12 * np.sin(x / 7), -np.ones_like(x)
    )
    licks = comb(canvas, canvas.noise(rng, 9), upward, 70)
    bark = ramp(0.36 + 0.24 * licks, CYPRESS)
    for shape in (_flame(192, 790, 345, 30, 2.0), _flame(122, 800, 78, 50, 0.6)):
        mask = canvas.polygon(shape)
        scene, field = mix(scene, bark, mask), field.where(mask, upward)
    return scene, field


def _lamps(canvas: Canvas, rng: np.random.Generator, village: Array) -> None:
    """Touches of thick yellow and orange in the windows."""
    level = Field.from_angle(np.zeros(canvas.shape, np.float32))
    spots = scatter(canvas, rng, 15, 0.62 * village)
    colors = jitter(pigments(LAMP)[rng.integers(0, 4, len(spots))], rng, 0.08, 0.1, 0.03)
    paths = trace(canvas, level, spots, 6)
    spans = np.tile(np.float32([0, paths.shape[1] - 1]), (len(spots), 1))
    widths = rng.uniform(3.5, 7.5, len(spots)).astype(np.float32)
    lay(canvas, rng, paths, spans, widths, colors, Brush(6, 6, 4, dryness=0.05, wet=0, load=1.6))


def _star_cores(canvas: Canvas, rng: np.random.Generator, field: Field) -> None:
    """Rings of short, very thick strokes at the heart of each star."""
    for cx, cy, core, _ in STARS:
        count = int(6 + core * 1.6)
        angle = rng.uniform(0, 2 * np.pi, count)
        r = core * np.sqrt(rng.uniform(0.02, 2.2, count))
        order = np.argsort(-r)
        spots = np.stack([cx + r * np.cos(angle), cy + r * np.sin(angle)], 1)[order]
        colors = ramp(1 - r[order] / core / 1.5, ("#f3b63a", "#ffd95e", "#fff3b8", "#fffdf0"))
        colors = jitter(colors.astype(np.float32), rng, 0.1, 0.1, 0.03)
        paths = trace(canvas, field, spots, 10 + core * 0.6)
        spans = np.tile(np.float32([0, paths.shape[1] - 1]), (count, 1))
        widths = rng.uniform(4, 7, count).astype(np.float32)
        brush = Brush(20, 6, 5, dryness=0.1, load=1.7, wet=0.1)
        lay(canvas, rng, paths, spans, widths, colors, brush)


LAYERS = (  # brush, spacing of its strokes in units
    (Brush(150, 26, 16, dryness=0.12, wet=0.5, hue_rad=0.16, tolerance=0.5), 21),
    (Brush(96, 13.5, 10, dryness=0.25, load=1.3, hue_rad=0.2, chroma=0.25, light=0.06), 10.5),
    (Brush(58, 6.5, 6, dryness=0.32, load=1.35, hue_rad=0.2, chroma=0.25, light=0.07), 10),
)
DETAIL = Brush(20, 4.0, 4, dryness=0.2, load=1.2, tolerance=0.16, wet=0.15)
ACCENT = Brush(72, 4.4, 4, dryness=0.35, load=1.5, tolerance=0.3, hue_rad=0.3, light=0.12)


def paint(size_px: int) -> Image.Image:
    """The whole picture, with its longer side size_px."""
    rng = np.random.default_rng(1889)
    canvas = Canvas.blank(WIDTH, HEIGHT, size_px, pigment("#2b2233"))
    field = _sky_field(*canvas.grid())
    bare, field = _hills(canvas, rng, _sky(canvas, rng, field), field)
    scene = _village(canvas, rng, bare)
    village = (np.abs(scene - bare).max(-1) > 0.02).astype(np.float32)
    walls = Field.from_angle(np.full(canvas.shape, np.pi / 2, np.float32))
    field = field.where(village, walls)
    scene, field = _cypresses(canvas, rng, scene, field)
    for brush, spacing in LAYERS:
        paint_scene(canvas, rng, scene, field, brush, spacing)
    crisp = 0.35 + 0.65 * village
    for threshold in (0.13, 0.1):
        todo = unfinished(canvas, scene, DETAIL.width, threshold) * crisp
        paint_scene(canvas, rng, scene, field, DETAIL, 3.6, todo)
    sparse = np.full(canvas.shape, 0.16, np.float32)
    paint_scene(canvas, rng, scene, field, ACCENT, 7, sparse)
    _lamps(canvas, rng, village)
    _star_cores(canvas, rng, field)
    canvas.light(0.62)
    return canvas.picture()

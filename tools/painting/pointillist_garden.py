"""A riverside garden in the late sun, in dots of pure colour that mix in the eye."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from painting.brush import Brush, Field, dab, paint_scene, scatter, unfinished
from painting.canvas import Canvas, stretched_noise
from painting.color import LUMA, Array, jitter, mix, pigment, pigments, ramp

WIDTH, HEIGHT = 1000, 740
BANK, SHORE = 300.0, 470.0  # y of the far bank and of the near shore, in units

PIGMENTS = pigments((
    "#fff4c8", "#ffe04a", "#ffb52a", "#ff7f2a", "#f0503c", "#e8487a", "#c03a9a", "#7a3fb8",
    "#3a3fb0", "#1f5fc8", "#2f9ae0", "#8ad0f0", "#1fa08a", "#1f8a3f", "#6ab82f", "#c0dc3f",
    "#f8c8c0", "#123a5a", "#4a2a5a", "#fffdf4",
))  # fmt: skip
CHOICE_WIDTH = 0.06  # squared sRGB distance over which pigments compete for a dot
PURITY = 0.66  # how much of a dot is pure pigment, the rest being the scene's own colour
COMPLEMENTS = 0.1  # share of dots in the colour's opposite, which makes it vibrate

BEDS = (  # flowers: colour, middle (x, y), and reach (across, down) in units
    ("#f0406a", 90, 640, 130, 44),
    ("#ff8a2a", 250, 690, 120, 34),
    ("#b04ac8", 905, 610, 120, 40),
    ("#ffe04a", 800, 672, 100, 28),
    ("#fff4ec", 160, 590, 90, 22),
    ("#f05a3a", 955, 690, 90, 40),
    ("#5a5ae0", 640, 716, 80, 24),
)


def _sky_and_far_bank(canvas: Canvas, rng: np.random.Generator) -> Array:
    """A pale gold horizon under soft clouds, and a misty bank of trees."""
    x, y = canvas.grid()
    scene = ramp(y / BANK, ("#6fb4ea", "#9fd0f0", "#d6e6e4", "#fdebc0", "#ffd890"))
    cloud = stretched_noise(canvas, rng, (190, 60), 3) + 0.5 - np.abs(y - 120) / 130
    scene = mix(scene, pigment("#fff6e4"), np.clip(cloud * 0.9, 0, 0.95))
    scene = mix(scene, pigment("#e8b8d8"), np.clip(np.roll(cloud, -24, 0) - cloud, 0, 0.5))
    for base, lift, color in (
        (262, 34, "#8fb0d8"),
        (284, 42, "#6a9ab0"),
        (300, 30, "#5a9a6a"),
        (316, 13, "#9ab84a"),
    ):
        bumps = lift * np.abs(stretched_noise(canvas, rng, (60, 4000), 2))
        scene = mix(scene, pigment(color), np.clip((y - base + bumps) / 3, 0, 1) * (y < BANK + 24))
    for px in (610, 642, 668, 884, 905):
        poplar = np.hypot((x - px) / 11, (y - 232) / 76)
        light = pigments(("#4f8a4a", "#b8c84a"))[((px - x) > 2).astype(int)]
        scene = np.where((poplar < 1)[..., None], light, scene)
    return scene


def _river(canvas: Canvas, rng: np.random.Generator, scene: Array) -> Array:
    """Water that turns the sky and the bank upside down, combed by the wind, with sails."""
    x, y = canvas.grid()
    for px, size in ((455, 92), (742, 66), (820, 48)):
        sail = [(px, BANK + 14), (px + 4, BANK + 14 - size), (px + size * 0.42, BANK + 8)]
        jib = [(px - 3, BANK + 12), (px + 2, BANK + 18 - size), (px - size * 0.24, BANK + 10)]
        hull = [
            (px - 26, BANK + 14),
            (px + 38, BANK + 12),
            (px + 28, BANK + 24),
            (px - 18, BANK + 24),
        ]
        for shape, color in ((sail, "#fffaf0"), (jib, "#ffd9b8"), (hull, "#6a2f4a")):
            scene = mix(scene, pigment(color), canvas.polygon(shape))
    ripple = stretched_noise(canvas, rng, (46, 5), 2)
    up = 2 * BANK + 22 - y - (y - BANK) * 0.4 + 4 * ripple
    rows, cols = canvas.pixels(np.stack([x + 3 * ripple, up], -1))
    water = mix(scene[rows, cols], pigment("#3f86c8"), np.clip(0.22 + (y - BANK) / 420, 0, 0.6))
    glitter = np.clip(ripple - 1.0, 0, 1) * np.exp(-(((x - 540) / 190) ** 2))
    water = mix(water, pigment("#fff0b0"), np.clip(glitter * 1.6, 0, 1))
    return mix(scene, water, np.clip((y - BANK - 22) / 3, 0, 1))


def _lawn(canvas: Canvas, rng: np.random.Generator, scene: Array) -> Array:
    """Sunlit grass, a rosy path, long violet shadows and beds of flowers."""
    x, y = canvas.grid()
    shore = SHORE - 46 * (x / WIDTH) ** 2 + 9 * np.sin(x / 60) + 34 * np.exp(-((x / 170) ** 2))
    depth = np.clip((y - shore) / 270, 0, 1)
    grass = ramp(
        0.5 + 0.22 * canvas.noise(rng, 60, 3) - 0.18 * depth, ("#3f9a3a", "#8cc83a", "#d8e04f")
    )
    path = np.abs(x - (430 + 250 * depth + 90 * np.sin(depth * 4))) / (26 + 120 * depth)
    grass = mix(grass, pigment("#ffd2a0"), np.clip((1 - path) * 6, 0, 1))
    shade = stretched_noise(canvas, rng, (210, 36), 2) + 1.5 * np.exp(
        -(((y - 560 - 0.14 * x) / 30) ** 2)
    )
    shade += 2.4 * np.exp(-(((y - 730) / 44) ** 2)) - 0.5
    grass = mix(grass, pigment("#2a4f8a"), np.clip(shade, 0, 0.62))
    scene = mix(scene, grass, np.clip((y - shore) / 2, 0, 1))
    scene = mix(scene, pigment("#24506a"), 0.6 * np.exp(-(((y - shore) / 5) ** 2)))
    for color, cx, cy, wide, tall in BEDS:
        bed = np.exp(-(((x - cx) / wide) ** 2 + ((y - cy) / tall) ** 2))
        blooms = canvas.noise(rng, 9) + 2.4 * bed - 1.35
        scene = mix(scene, pigment("#1f6a4a"), np.clip(bed * 1.7 - 0.5, 0, 0.85))
        scene = mix(scene, pigment(color), np.clip(blooms * 2.4, 0, 1) * (bed > 0.12))
    return scene


def _tree(canvas: Canvas, rng: np.random.Generator, scene: Array) -> Array:
    """A great tree at the right, with light coming through its leaves."""
    x, y = canvas.grid()
    t = np.linspace(0, 1, 30)
    for x0, x1, y1, wide in ((868, 836, 90, 24), (850, 720, 100, 10), (846, 950, 60, 11)):
        y0 = 640 if wide > 20 else 330
        spine = np.stack([x0 + (x1 - x0) * t + 8 * np.sin(t * 7), y0 + (y1 - y0) * t], 1)
        side = (wide * (1.15 - 0.7 * t))[:, None] * (1, 0)
        mask = canvas.polygon(np.concatenate([spine - side, (spine + side)[::-1]]))
        lit = np.clip(0.5 - (x - np.interp(y, spine[::-1, 1], spine[::-1, 0])) / wide, 0, 1)
        scene = mix(scene, ramp(lit, ("#2a2050", "#5a2f5a", "#b8603a", "#ffb870")), mask)
    crown = np.full(canvas.shape, -9, np.float32)
    for cx, cy, r in (
        (860, 90, 150),
        (735, 62, 105),
        (955, 150, 120),
        (690, 130, 62),
        (800, 190, 70),
    ):
        crown = np.maximum(crown, 1.25 - np.hypot(x - cx, (y - cy) * 1.25) / r)
    leaves = crown + 0.3 * canvas.noise(rng, 26, 3)
    clumps = canvas.noise(rng, 44, 2) - 0.004 * (y - 110) - 0.0012 * (x - 820)
    green = ramp(0.46 + 0.26 * clumps, ("#16305a", "#1f6a4a", "#4fa03a", "#b0cc3f", "#ffe470"))
    return mix(scene, green, np.clip((leaves - 0.3) * 7, 0, 1))


def _stroller(
    canvas: Canvas, scene: Array, x: float, foot: float, size: float, dress: str
) -> Array:
    """A lady with a parasol, in profile, and her long shadow."""

    def place(points: list[tuple[float, float]]) -> NDArray[np.floating]:
        return np.array(points) * size + (x, foot)

    shadow = place([(-0.16, 0), (0.2, 0), (1.9, 0.22), (1.5, 0.27)])
    skirt = place([(-0.05, -0.6), (0.06, -0.6), (0.12, -0.42), (0.2, 0), (-0.26, 0), (-0.2, -0.38)])
    bodice = place([(-0.07, -0.82), (0.05, -0.83), (0.09, -0.7), (0.06, -0.58), (-0.06, -0.58)])
    lit = place(
        [(-0.26, 0), (-0.2, -0.38), (-0.07, -0.82), (-0.02, -0.82), (-0.06, -0.4), (-0.1, 0)]
    )
    t = np.linspace(np.pi, 2 * np.pi, 24)
    head = place([(0.055 * np.cos(a), -0.9 + 0.065 * np.sin(a)) for a in t * 2])
    hat = place([(-0.1, -0.94), (0.09, -0.93), (0.05, -1.01), (-0.05, -1.02)])
    dome = [(0.03 + 0.36 * np.cos(a), -1.07 + 0.25 * np.sin(a)) for a in t]
    scene = mix(scene, pigment("#2f3f8a"), 0.75 * canvas.polygon(shadow))
    parts = (
        (skirt, dress),
        (bodice, "#3a2a6a"),
        (lit, "#ffc8a0"),
        (head, "#f8c0a0"),
        (hat, "#5a2a4a"),
    )
    for shape, color in parts:
        scene = mix(scene, pigment(color), canvas.polygon(shape))
    scene = mix(scene, pigment("#5a2a3a"), canvas.line(place([(0.06, -0.66), (0.03, -1.3)]), 2.4))
    scene = mix(scene, pigment("#f04a5a"), canvas.polygon(place(dome)))
    return mix(scene, pigment("#ffb49a"), canvas.polygon(place([*dome[:12], (0.0, -1.07)])))


def _compose(canvas: Canvas, rng: np.random.Generator) -> Array:
    """The whole scene, before it is broken into dots."""
    scene = _river(canvas, rng, _sky_and_far_bank(canvas, rng))
    scene = _tree(canvas, rng, _lawn(canvas, rng, scene))
    scene = _stroller(canvas, scene, 262, 618, 172, "#5a4ab0")
    scene = _stroller(canvas, scene, 352, 606, 132, "#e86a8a")
    scene = _stroller(canvas, scene, 640, 528, 76, "#fff0dc")
    grey = (scene @ LUMA)[..., None]
    return np.clip(grey + (scene - grey) * 1.2, 0, 1).astype(np.float32)


def _divide(rng: np.random.Generator, seen: Array) -> Array:
    """Divisionism: for each colour seen, a pigment near it by chance, or its complement."""
    distance = ((seen[:, None] - PIGMENTS[None]) ** 2).sum(-1)
    weight = np.exp(-distance / CHOICE_WIDTH) + 1e-9
    ladder = np.cumsum(weight / weight.sum(1, keepdims=True), 1)
    pick = (rng.random((len(seen), 1)) > ladder).sum(1).clip(0, len(PIGMENTS) - 1)
    own = jitter(seen, rng, 0.3, 0.3, 0.05)
    dots = mix(own, PIGMENTS[pick], PURITY)
    grey = (seen @ LUMA)[:, None]
    opposite = np.clip(grey - 1.3 * (seen - grey) + 0.04, 0, 1)
    swap = rng.random((len(seen), 1)) < COMPLEMENTS
    return np.where(swap, mix(opposite, own, 0.25), dots).astype(np.float32)


def _dots(
    canvas: Canvas,
    rng: np.random.Generator,
    scene: Array,
    radius: float,
    spacing: float,
    where: Array | None = None,
) -> None:
    """A layer of dots over the canvas, or where it is asked for."""
    spots = scatter(canvas, rng, spacing, where)
    colors = _divide(rng, scene[canvas.pixels(spots)])
    radii = (radius * rng.uniform(0.7, 1.2, len(spots))).astype(np.float32)
    dab(canvas, rng, spots.astype(np.float32), radii, colors, load=0.9)


def paint(size_px: int) -> Image.Image:
    """The whole picture, with its longer side size_px."""
    rng = np.random.default_rng(1884)
    canvas = Canvas.blank(WIDTH, HEIGHT, size_px, pigment("#f4e6c8"))
    scene = _compose(canvas, rng)
    flat = Field.from_angle(0.3 * canvas.noise(rng, 120))
    paint_scene(canvas, rng, scene, flat, Brush(60, 22, 12, wet=0.5, load=0.5, hue_rad=0.3), 18)
    _dots(canvas, rng, scene, 5.6, 9.5)
    _dots(canvas, rng, scene, 4.3, 8.2)
    _dots(canvas, rng, scene, 3.3, 7.0)
    _dots(canvas, rng, scene, 2.5, 3.6, 0.8 * unfinished(canvas, scene, 7, 0.15))
    _dots(canvas, rng, scene, 2.0, 2.8, unfinished(canvas, scene, 5, 0.19))
    canvas.light(0.13)
    return canvas.picture()

"""A guitar, a bottle and a glass on a table, taken apart into shaded, overlapping planes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from painting.brush import Brush, Field, lay, paint_scene, unfinished
from painting.canvas import Canvas, Points
from painting.color import LUMA, Array, jitter, mix, pigment, pigments

WIDTH, HEIGHT = 800, 1000
LEAN = np.array([0.36, -0.93])  # the axis of the guitar, towards its head
ACROSS = np.array([0.93, 0.36])
HEART = np.array([400.0, 520.0])  # where the planes crowd

TONES = pigments((
    "#c89a4e", "#e0bd7c", "#8a6434", "#5a4026", "#39291c", "#8f8d80", "#b4b2a2", "#5e6462",
    "#1d1915", "#efe4c8", "#a67c40", "#d4c8a4", "#747060",
))  # fmt: skip
ACCENTS = pigments(("#3a6a80", "#a5452a", "#f4ecd6", "#2c4a48", "#c8702e"))
ACCENT_SHARE = 0.11
INK = pigment("#17120e")
EDGE_ANGLES = np.deg2rad([90, 90, 69, -21, 0, 35, -35, 60, -62, 112])  # the few directions allowed


@dataclass(frozen=True)
class Facet:
    """A plane: its corners, its paint, what it shows from elsewhere, and how it is brushed."""

    corners: NDArray[np.floating]  # (K, 2) units
    tone: Array
    shift: NDArray[np.floating]  # units by which what lies beneath is displaced
    shading: float  # direction across the plane in radians, from dark to light
    brushing: float  # direction of its strokes in radians
    fade: float  # how far its light side melts into its neighbour (passage)


def _on_guitar(points: Points) -> NDArray[np.floating]:
    """From the guitar's own axes (across, along towards the head) to the canvas."""
    p = np.asarray(points, float)
    return np.array([372.0, 620.0]) + p[:, :1] * ACROSS + p[:, 1:] * LEAN


def _guitar_side() -> NDArray[np.floating]:
    """The outline of the body on the right, (N, 2) in the guitar's axes."""
    t = np.linspace(0, 1, 70)
    half = np.interp(
        t, (0, 0.06, 0.2, 0.34, 0.52, 0.66, 0.82, 0.95, 1),
        (0, 92, 148, 146, 92, 98, 112, 72, 0),
    )  # fmt: skip
    smooth = np.convolve(
        np.pad(half, 4, "edge"), np.hanning(11)[1:-1] / np.hanning(11).sum(), "valid"
    )
    return np.stack([smooth, -170 + 370 * t], 1)


def _lines() -> list[NDArray[np.floating]]:
    """The drawing's lines, in units: what may be glimpsed between the planes."""
    side = _guitar_side()
    a = np.linspace(0, 2 * np.pi, 40)
    lines = [_on_guitar(side), _on_guitar(side * (-1, 1))]
    lines += [_on_guitar(np.stack([r * np.cos(a), 30 + r * np.sin(a)], 1)) for r in (44, 36)]
    lines += [_on_guitar([(s, -95), (s * 0.75, 520)]) for s in np.linspace(-15, 15, 6)]
    lines += [_on_guitar([(-20, f), (20, f)]) for f in np.linspace(215, 480, 10)]
    bottle = [(628, 690), (628, 420), (640, 360), (662, 320), (662, 215), (694, 215), (694, 320)]
    lines.append(np.array([*bottle, (716, 360), (728, 420), (728, 690)], float))
    lines += [np.stack([678 + 50 * np.cos(a), 690 + 15 * np.sin(a)], 1)]
    glass = [(120, 640), (132, 760), (158, 790), (160, 850), (128, 868), (210, 868), (178, 850)]
    lines.append(np.array([*glass, (180, 790), (206, 760), (218, 640)], float))
    lines += [np.stack([169 + 49 * np.cos(a), 640 + r * np.sin(a)], 1) for r in (14, 8)]
    return lines


def _cartoon(canvas: Canvas, rng: np.random.Generator) -> Array:
    """The still life before it is broken: wall, table, guitar, bottle, glass, newspaper."""
    x, y = canvas.grid()
    wall = mix(
        pigment("#9a8f78"), pigment("#4d4236"), np.clip(np.hypot(x - 330, y - 330) / 620, 0, 1)
    )
    scene = mix(wall, pigment("#b58a4e"), np.clip(0.35 + 0.3 * canvas.noise(rng, 160, 2), 0, 0.8))
    scene = mix(
        scene, pigment("#6a4a2a"), canvas.polygon([(40, 720), (760, 660), (800, 1000), (0, 1000)])
    )
    scene = mix(
        scene, pigment("#e8dcc0"), canvas.polygon([(60, 800), (420, 700), (520, 900), (150, 980)])
    )
    side = _guitar_side()
    body = canvas.polygon(_on_guitar(np.concatenate([side, side[::-1] * (-1, 1)])))
    light = np.clip(0.5 + ((x - 372) * ACROSS[0] + (y - 620) * ACROSS[1]) / 300, 0, 1)
    scene = mix(scene, mix(pigment("#e0b468"), pigment("#7a4f24"), light), body)
    scene = mix(
        scene,
        pigment("#2a1c12"),
        canvas.polygon(_on_guitar([(-20, 180), (20, 180), (15, 540), (-15, 540)])),
    )
    bottle, glass = _lines()[-5], _lines()[-3]
    scene = mix(scene, pigment("#2f4a44"), 0.85 * canvas.polygon(bottle))
    scene = mix(scene, pigment("#c8d0cc"), 0.6 * canvas.polygon(glass))
    hole = np.array([_on_guitar([(0, 30)])[0]])[0]
    scene = mix(scene, INK, np.clip((40 - np.hypot(x - hole[0], y - hole[1])) / 2, 0, 1))
    for line in _lines():
        scene = mix(scene, INK, 0.8 * canvas.line(line, 3))
    return _lettering(canvas, scene)


def _lettering(canvas: Canvas, scene: Array) -> Array:
    """Stencilled letters, as from a newspaper's head and a score."""
    h, w = canvas.shape
    for text, x, y, size, turn in (
        ("IMPAS", 100, 838, 74, 15),
        ("No 6", 560, 770, 46, -8),
        ("VALSE", 86, 250, 54, 90),
    ):
        stamp = Image.new("L", (w, h), 0)
        font = ImageFont.load_default(size * canvas.scale)
        at = (x * canvas.scale, y * canvas.scale)
        ImageDraw.Draw(stamp).text(at, text, fill=255, font=font, stroke_width=int(canvas.scale))
        mask = np.asarray(stamp.rotate(turn, center=at), np.float32) / 255
        scene = mix(scene, INK, 0.88 * mask)
    return scene


def _facet(rng: np.random.Generator, reach: float) -> Facet:
    """A plane at random, about reach units from its middle to its corners."""
    spread = np.array([165, 235]) * (1.5 if reach > 90 else 1.0)
    centre = HEART + rng.normal(0, 1, 2) * spread
    first, second = rng.choice(EDGE_ANGLES, 2, replace=False)
    while abs(np.sin(first - second)) < 0.4:
        second = rng.choice(EDGE_ANGLES)
    angles = np.array([first, second]) + rng.normal(0, 0.05, 2)
    arms = np.stack([np.cos(angles), np.sin(angles)], 1)
    one, two = (arm * reach * rng.uniform(0.5, 1.4) for arm in arms)
    corners = np.array(
        [centre - one - two, centre + one - two, centre + one + two, centre - one + two]
    )
    corners += rng.normal(0, reach * 0.12, corners.shape)
    if rng.random() < 0.28:
        corners = np.delete(corners, rng.integers(4), 0)
    stock = ACCENTS if rng.random() < ACCENT_SHARE and reach < 75 else TONES
    tone = jitter(stock[rng.integers(len(stock))][None], rng, 0.1, 0.15, 0.05)[0]
    shift = rng.normal(0, 15, 2)
    across = float(second + rng.choice([0, np.pi]))
    return Facet(corners, tone, shift, across, float(first), float(rng.uniform(0.0, 0.9)))


@dataclass
class Study:
    """The broken picture: colour, the direction of strokes, and ruled lines, (H, W, ...)."""

    scene: Array
    angle: Array
    ink: Array


def _set_plane(canvas: Canvas, cartoon: Array, study: Study, facet: Facet, cover: float) -> None:
    """Shade one plane into the study: dark at one edge, melting away at the other."""
    rows, cols = canvas.pixels(np.stack([facet.corners.min(0) - 2, facet.corners.max(0) + 2]))
    box = slice(rows[0], rows[1] + 1), slice(cols[0], cols[1] + 1)
    stamp = Image.new("L", (cols[1] - cols[0] + 1, rows[1] - rows[0] + 1), 0)
    outline = facet.corners * canvas.scale - (cols[0], rows[0])
    ImageDraw.Draw(stamp).polygon([tuple(map(float, p)) for p in outline], fill=255)
    mask = np.asarray(stamp, np.float32) / 255
    x, y = (g[box] for g in canvas.grid())
    along = np.array([np.cos(facet.shading), np.sin(facet.shading)])
    ends = facet.corners @ along
    t = np.clip((x * along[0] + y * along[1] - ends.min()) / (np.ptp(ends) + 1e-6), 0, 1)
    seen = cartoon[canvas.pixels(np.stack([x + facet.shift[0], y + facet.shift[1]], -1))]
    paint = mix(seen, facet.tone, 0.55)
    paint = mix(paint, INK, 0.78 * (1 - t) ** 2.2)
    paint = mix(paint, pigment("#f6ead0"), 0.8 * np.clip(t - 0.35, 0, 1) ** 1.1)
    alpha = mask * cover * (1 - facet.fade * t**4)
    study.scene[box] = mix(study.scene[box], paint, alpha)
    study.angle[box] = np.where(alpha > 0.35, facet.brushing, study.angle[box])
    lines = _ruled(mask.shape, outline, along, canvas.scale, facet.fade)
    study.ink[box] = np.maximum(study.ink[box] * (1 - alpha), lines)


def _ruled(
    shape: tuple[int, int],
    outline: NDArray[np.floating],
    along: NDArray[np.floating],
    scale: float,
    fade: float,
) -> Array:
    """The sides of a plane, ruled firm where it is dark and fainter elsewhere, in [0, 1]."""
    ends = np.roll(outline, -1, 0)
    order = np.argsort((outline + ends) @ along)
    lines = np.zeros(shape, np.float32)
    for side, width, weight in zip(order, (3.2, 1.8, 1.3), (0.95, 0.7, 0.5), strict=False):
        here, there = outline[side], ends[side]
        stop = here + (there - here) * (1 if width > 3 else 1.1 - 0.6 * fade)
        stamp = Image.new("L", shape[::-1], 0)
        px = max(1, round(scale * width))
        ImageDraw.Draw(stamp).line([*map(float, here), *map(float, stop)], fill=255, width=px)
        lines = np.maximum(lines, weight * np.asarray(stamp, np.float32) / 255)
    return lines


def _edges(canvas: Canvas, rng: np.random.Generator, facets: list[Facet]) -> None:
    """Found edges: a dark line along part of some sides, and now and then a light beside it."""
    segments, colors, widths = [], [], []
    for facet in facets:
        for here, there in zip(facet.corners, np.roll(facet.corners, -1, 0), strict=True):
            if rng.random() < 0.9:
                continue
            start, stop = rng.uniform(-0.05, 0.3), rng.uniform(0.7, 1.2)
            ink = INK if rng.random() < 0.75 else pigment("#f0e4c8")
            segments.append((here + (there - here) * start, here + (there - here) * stop))
            colors.append(ink)
            widths.append(rng.uniform(1.2, 2.6))
    _draw(canvas, rng, [np.array(s) for s in segments], np.stack(colors), np.array(widths))


def _draw(
    canvas: Canvas,
    rng: np.random.Generator,
    lines: list[NDArray[np.floating]],
    colors: Array,
    widths: NDArray[np.floating],
) -> None:
    """Brush lines (each (K, 2) units) with a small round brush that runs a little dry."""
    points = 96
    paths = []
    for line in lines:
        at = np.concatenate([[0], np.cumsum(np.hypot(*np.diff(line, axis=0).T))])
        s = np.linspace(0, at[-1], points)
        paths.append(np.stack([np.interp(s, at, line[:, c]) for c in range(2)], 1))
    path = np.stack(paths).astype(np.float32) + rng.normal(0, 0.15, (len(paths), points, 2))
    spans = np.tile(np.float32([0, points - 1]), (len(paths), 1))
    brush = Brush(120, 4, 4, dryness=0.3, load=0.7, wet=0.15, taper=0.5)
    for start in range(0, len(paths), 40):
        part = slice(start, start + 40)
        lay(
            canvas, rng, path[part].astype(np.float32), spans[part],
            widths[part].astype(np.float32), colors[part].astype(np.float32), brush,
        )  # fmt: skip


def _tune(scene: Array, ink: Array) -> Array:
    """Stretch the tones, warm them a little, and let the ruled lines darken what is beneath."""
    grey = (scene @ LUMA)[..., None]
    vivid = grey + (scene - grey) * VIVID
    tuned = np.clip((vivid - 0.42) * CONTRAST + 0.46, 0, 1)
    return mix(tuned.astype(np.float32), INK, 0.7 * ink)


def _reinforce(canvas: Canvas, rng: np.random.Generator, ink: Array) -> None:
    """Go over the ruled lines with a nearly dry brush."""
    dry = np.clip(0.72 + 0.3 * canvas.noise(rng, 5, 2), 0, 1)
    line = canvas.blur(ink, 0.4) * dry
    canvas.color = mix(canvas.color, INK, np.clip(line, 0, 1))
    canvas.relief += 0.5 * line


def _break(canvas: Canvas, rng: np.random.Generator) -> tuple[Study, list[Facet]]:
    """The cartoon taken apart into planes, from large to small."""
    cartoon = _cartoon(canvas, rng)
    angle = (0.4 + 0.5 * canvas.noise(rng, 200)).astype(np.float32)
    study = Study(cartoon.copy(), angle, np.zeros(canvas.shape, np.float32))
    facets = [_facet(rng, reach) for reach, count in SIZES for _ in range(count)]
    for facet in facets:
        _set_plane(canvas, cartoon, study, facet, rng.uniform(0.72, 1.0))
    study.scene = _tune(study.scene, study.ink)
    return study, facets


CONTRAST, VIVID = 1.38, 1.3
SIZES = ((150, 40), (95, 62), (62, 84), (36, 64))  # reach in units, how many planes
BRUSHES = (
    (Brush(80, 18, 14, wet=0.4, load=0.7, tolerance=0.12), 15),
    (Brush(38, 8, 7, dryness=0.3, wet=0.3, tolerance=0.09, hue_rad=0.1, light=0.04), 8.5),
    (Brush(22, 5, 5, dryness=0.3, wet=0.2, tolerance=0.07, hue_rad=0.1, light=0.05), 6),
)
DETAIL = Brush(14, 3, 4, dryness=0.15, wet=0.05, tolerance=0.07, light=0.02)


def paint(size_px: int) -> Image.Image:
    """The whole picture, with its longer side size_px."""
    rng = np.random.default_rng(1911)
    canvas = Canvas.blank(WIDTH, HEIGHT, size_px, pigment("#7a6a4e"))
    study, facets = _break(canvas, rng)
    field = Field.from_angle(study.angle)
    for brush, spacing in BRUSHES:
        paint_scene(canvas, rng, study.scene, field, brush, spacing)
    for _ in range(2):
        todo = unfinished(canvas, study.scene, 3, 0.07)
        paint_scene(canvas, rng, study.scene, field, DETAIL, 2.6, todo)
    _reinforce(canvas, rng, study.ink)
    _edges(canvas, rng, facets[-110:])
    glimpsed = [line for line in _lines() if rng.random() < 0.7]
    widths = rng.uniform(1.4, 3.0, len(glimpsed))
    _draw(canvas, rng, glimpsed, np.tile(INK, (len(glimpsed), 1)), widths)
    canvas.light(0.4)
    return canvas.picture()

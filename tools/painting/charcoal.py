"""A still life in charcoal and white chalk on toned paper: a jug, a bottle, fruit and a cloth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image

from painting.brush import Brush, Field, clip_to_scene, lay, scatter, trace
from painting.canvas import Canvas, stretched_noise
from painting.color import Array, jitter, mix, pigment

WIDTH, HEIGHT = 1000, 800
PAPER, COAL, CHALK, SANGUINE = "#b9a98e", "#1d1b1c", "#f4eee0", "#8a3f2a"
LIGHT = np.array([-0.62, -0.5, 0.6]) / np.linalg.norm([-0.62, -0.5, 0.6])  # towards the lamp
TABLE = 470.0  # the table's far edge, y in units
OVERRUN = 1  # points of a path by which a quick hatch overshoots an edge
TILT = 0.2  # how far a circle opens into an ellipse when seen from above

Turned = tuple[float, float, float, tuple[float, ...], float]
# Each turned thing: x of its axis, y of its top, height, the radii of its profile, how dark it is
TURNED: tuple[Turned, ...] = (
    (610, 90, 500, (17, 18, 19, 20, 30, 58, 70, 72, 72, 72, 71, 68), 0.27),
    (375, 205, 420, (64, 56, 50, 58, 86, 112, 126, 130, 124, 108, 88, 74), 0.0),
    (775, 452, 186, (7, 30, 42, 47, 58, 74, 84, 86, 80, 62, 36, 8), 0.06),
    (505, 545, 150, (14, 46, 64, 73, 77, 78, 76, 71, 62, 50, 36, 16), 0.14),
    (205, 560, 142, (12, 42, 60, 68, 72, 73, 71, 66, 58, 46, 32, 14), 0.1),
    (880, 590, 120, (12, 38, 52, 58, 61, 62, 60, 56, 49, 39, 27, 12), 0.16),
)


@dataclass
class Study:
    """What the eye sees: tone (0 dark, 1 light), the direction of form, and outlines to draw."""

    tone: Array
    angle: Array
    region: Array  # which thing is seen, for strokes that stop at its edge
    things: list[Array]
    fruit: Array


def _ground(canvas: Canvas, rng: np.random.Generator) -> Study:
    """A wall, dark behind the lit side, and a cloth that falls in folds over a table."""
    x, y = canvas.grid()
    wall = 0.27 + 0.4 * (x / WIDTH) + 0.07 * canvas.noise(rng, 240) - 0.15 * (1 - y / TABLE)
    sweep = x + 0.55 * (y - TABLE) + 26 * canvas.noise(rng, 170)
    fold = np.sin(sweep / 44) + 0.5 * np.sin(sweep / 21 + 1.3 + y / 90)
    drop = np.clip((y - 640) / 110, 0, 1)
    cloth = 0.80 + (0.05 + 0.19 * drop) * fold - 0.22 * drop + 0.05 * canvas.noise(rng, 90)
    on_table = np.clip(0.5 + (y - TABLE - 10 * np.sin(x / 140)) / 6, 0, 1)
    edge = np.exp(-(((y - TABLE) / 16) ** 2)) * 0.14
    tone = wall * (1 - on_table) + cloth * on_table - edge
    angle = np.where(on_table > 0.5, 0.16 + drop * (1.15 + 0.2 * fold), -0.3).astype(np.float32)
    region = (on_table > 0.5).astype(np.float32)
    return Study(tone.astype(np.float32), angle, region, [], np.zeros(canvas.shape, np.float32))


def _turn(canvas: Canvas, study: Study, thing: Turned) -> None:
    """Add a turned body: its cast shadow, then its own light, half-tone, core and reflection."""
    cx, top, tall, radii, dark = thing
    x, y = canvas.grid()
    at = np.linspace(0, tall, len(radii))
    ys = np.linspace(-40, tall + 40, 600)
    fine = np.interp(ys, at, radii)
    fine = np.convolve(np.pad(fine, 24, "edge"), np.hanning(49) / np.hanning(49).sum(), "valid")
    swell = np.interp(y - top, ys, fine)
    height = y - top - TILT * np.sqrt(np.clip(swell**2 - (x - cx) ** 2, 0, None))
    r = np.interp(height, ys, fine)
    slope = np.interp(height, ys, np.gradient(fine, ys))
    inside = (np.abs(x - cx) < r) & (height > 0) & (height < tall)
    nx = np.clip((x - cx) / r, -1, 1)
    nz = np.sqrt(np.clip(1 - nx**2, 0.0, 1))
    norm = np.sqrt(1 + slope**2)
    facing = (nx * LIGHT[0] - slope * LIGHT[1] + nz * LIGHT[2]) / norm
    body = 0.22 + 0.76 * np.clip(facing, 0, 1) ** 0.9 + 0.17 * np.clip(nx - 0.55, 0, 1)
    shine = 0.7 * np.clip(facing, 0, 1) ** 26
    foot, reach = top + tall, max(radii)
    along, across = x - cx - 0.95 * reach, y - foot + 0.1 * np.clip(x - cx, 0, None)
    shadow = np.exp(-((np.hypot(along / reach / 1.55, across / reach / 0.3)) ** 4))
    contact = np.exp(-(np.hypot((x - cx) / radii[-2], (y - foot - 6) / 9) ** 2))
    study.tone *= 1 - 0.72 * np.maximum(shadow * (y > TABLE), contact)
    study.tone = np.where(inside, body - dark + shine, study.tone).astype(np.float32)
    wrap = np.arctan2(-TILT * 3.2 * nx, nz + 0.35)
    study.angle = np.where(inside, wrap, study.angle).astype(np.float32)
    study.region[inside] = len(study.things) + 2
    study.things.append(canvas.blur(inside.astype(np.float32), 0.5))


def _fittings(canvas: Canvas, study: Study) -> None:
    """The jug's mouth and handle, the bottle's lip and the stalks of the fruit."""
    x, y = canvas.grid()
    mouth = np.hypot((x - 375) / 62, (y - 208) / 15)
    study.tone = np.where(mouth < 1, 0.12 + 0.3 * (y - 193) / 30, study.tone).astype(np.float32)
    t = np.linspace(0, np.pi, 50)
    handle = np.stack([318 - 92 * np.sin(t) ** 0.8, 340 - 96 * np.cos(t)], 1)
    grip = canvas.line(handle, 25) * (1 - study.things[1])
    shade = canvas.line(handle + np.array([6, 5]), 12)
    study.tone = study.tone * (1 - grip) + grip * (0.8 - 0.6 * shade)
    study.region[grip > 0.5] = len(study.things) + 2
    study.things.append(grip)
    for cx, top, lean in ((775, 462, 16), (505, 572, -9), (205, 586, 12), (880, 612, -8)):
        stalk = canvas.line([(cx, top), (cx + lean * 0.4, top - 16), (cx + lean, top - 34)], 5)
        study.tone = study.tone * (1 - 0.9 * stalk)
    study.fruit = np.clip(sum(study.things[i] for i in (2, 3, 4, 5)), 0, 1)


def _tooth(canvas: Canvas, rng: np.random.Generator) -> Array:
    """Laid paper: hollows and hills, and the faint lines of the mould, in [0, 1]."""
    _, y = canvas.grid()
    hills = canvas.noise(rng, 1.3) + 0.6 * canvas.noise(rng, 2.6) + 0.22 * np.sin(y * 1.75)
    hills += 0.35 * stretched_noise(canvas, rng, (9, 1.6))
    return (1 / (1 + np.exp(-1.5 * hills))).astype(np.float32)


def _smudge(canvas: Canvas, rng: np.random.Generator, dark: Array) -> None:
    """Dust rubbed into the paper with a thumb: the broad tones, soft and uneven."""
    assert canvas.tooth is not None
    rubbed = canvas.blur(dark, 3.5) * (1 + 0.16 * stretched_noise(canvas, rng, (90, 22), 2))
    amount = np.clip(rubbed * (1.1 - 0.42 * canvas.tooth), 0, 0.93)
    canvas.color = mix(canvas.color, pigment("#2b2827"), amount)


def _hatch(
    canvas: Canvas,
    rng: np.random.Generator,
    study: Study,
    angle: Array,
    amount: Array,
    brush: Brush,
    spacing: float,
    color: str = COAL,
    overrun: int = OVERRUN,
) -> None:
    """Strokes along angle, denser and pressed harder where amount (0 to 1) is higher."""
    starts = scatter(canvas, rng, spacing, np.clip(amount * 1.2, 0, 1))
    starts = starts[np.argsort(starts[:, 1] // 120 + rng.random(len(starts)))]
    paths = trace(canvas, Field.from_angle(angle), starts, brush.length)
    k = paths.shape[1]
    reach = rng.uniform(0.45, 1.0, len(starts))
    spans = np.stack([(1 - reach) * k / 2, k - 1 - (1 - reach) * k / 2], 1).astype(np.float32)
    held = clip_to_scene(canvas, paths, study.region[..., None], 0.5) + overrun * np.array((-1, 1))
    spans[:, 0], spans[:, 1] = (
        np.maximum(spans[:, 0], held[:, 0]), np.minimum(spans[:, 1], held[:, 1]),
    )  # fmt: skip
    press = (0.31 + 0.6 * amount[canvas.pixels(starts)]) * rng.uniform(0.75, 1.15, len(starts))
    colors = jitter(np.tile(pigment(color), (len(starts), 1)), rng, 0.1, 0.2, 0.03)
    widths = (brush.width * rng.uniform(0.5, 1.3, len(starts))).astype(np.float32)
    lay(canvas, rng, paths, spans, widths, colors, brush, press.astype(np.float32))


def _contours(canvas: Canvas, rng: np.random.Generator, study: Study) -> None:
    """Outlines drawn twice, heavy in the shade and lost in the light."""
    for number in range(len(study.things)):
        seen = (study.region == number + 2).astype(np.float32)
        gy, gx = np.gradient(canvas.blur(seen, 1.6))
        edge = np.hypot(gx, gy).astype(np.float32)
        edge /= edge.max() + 1e-6
        along = np.arctan2(gx, -gy).astype(np.float32)
        shade = np.clip(1.3 - canvas.blur(study.tone, 14), 0.45, 1)
        line = (edge > 0.75) * shade * np.clip(0.75 + 0.5 * canvas.noise(rng, 70), 0, 1)
        for width in (4.0, 1.8):
            stick = _stick(46, width, 0.1, 0.85)
            _hatch(canvas, rng, study, along, line, stick, 2.6, overrun=6)


def _stick(length: float, width: float, dryness: float, opacity: float, wet: float = 0.2) -> Brush:
    """A stick of charcoal or chalk: no thickness, opacity by how hard it is."""
    return Brush(
        length, width, max(3, round(width)), dryness, 0, wet=wet, opacity=opacity, taper=0.4
    )


HATCHING = (  # turn from the form in radians, tone below which it is used, stick, spacing
    (-0.62, 0.80, _stick(130, 10, 0.35, 0.42), 24),
    (-0.55, 0.74, _stick(84, 3.0, 0.2, 0.6), 10.5),
    (0.05, 0.58, _stick(64, 2.3, 0.15, 0.65), 8.5),
    (0.75, 0.45, _stick(70, 2.6, 0.15, 0.7), 8.5),
    (-1.1, 0.36, _stick(48, 3.6, 0.05, 0.9), 7),
)
CHALKS = (
    (-0.6, 0.72, _stick(70, 7.0, 0.35, 0.5), 14),
    (-0.5, 0.80, _stick(46, 3.0, 0.15, 0.9), 8),
)


def _look(canvas: Canvas, rng: np.random.Generator) -> Study:
    """The whole still life, as tones to be drawn."""
    study = _ground(canvas, rng)
    for thing in TURNED:
        _turn(canvas, study, thing)
    _fittings(canvas, study)
    study.tone = np.clip(study.tone, 0, 1)
    return study


def _shade(canvas: Canvas, rng: np.random.Generator, study: Study) -> None:
    """Red chalk in the fruit's shadows, then charcoal layer over layer, then white chalk."""
    tone = study.tone
    warm = study.fruit * np.clip(0.8 - tone, 0, 0.6)
    _hatch(canvas, rng, study, study.angle - 0.3, warm, _stick(50, 5, 0.25, 0.7), 7, SANGUINE)
    wander = 0.1 * canvas.noise(rng, 60)
    for turn, below, stick, spacing in HATCHING:
        amount = np.clip((below - tone) / below * 1.25, 0, 1)
        _hatch(canvas, rng, study, study.angle + turn + wander, amount, stick, spacing)
    for turn, above, stick, spacing in CHALKS:
        amount = np.clip((tone - above) / (1.02 - above), 0, 1) * (study.region > 0)
        _hatch(canvas, rng, study, study.angle + turn + wander, amount, stick, spacing, CHALK)


def paint(size_px: int) -> Image.Image:
    """The whole drawing, with its longer side size_px."""
    rng = np.random.default_rng(1886)
    canvas = Canvas.blank(WIDTH, HEIGHT, size_px, pigment(PAPER))
    canvas.tooth = _tooth(canvas, rng)
    canvas.color *= (1 + 0.05 * (0.5 - canvas.tooth) + 0.02 * canvas.noise(rng, 120, 3))[..., None]
    study = _look(canvas, rng)
    _smudge(canvas, rng, np.clip(0.88 - study.tone, 0, 1))
    _shade(canvas, rng, study)
    _contours(canvas, rng, study)
    return canvas.picture()

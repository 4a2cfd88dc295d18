"""A woodblock print: a claw of a wave over a small mountain, in flat inks with graded wiping."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from scipy.interpolate import CubicSpline

from painting.canvas import Canvas, stretched_noise
from painting.color import Array, mix, pigment

WIDTH, HEIGHT = 1000, 700
BLOCK_SCALE = 2  # the blocks are cut at this many times the canvas's pixels

PAPER, KEY = "#ece0c4", "#16244a"
INDIGO, PRUSSIAN, MIDDLE, PALE, FOAM = "#182c5c", "#25508c", "#5b8fb0", "#a9c6c6", "#f2ead4"
SUN, BOAT, BOAT_DARK, ROBE = "#c8442c", "#d3a45c", "#8c5a30", "#3c4f6e"
MOUNTAIN, SNOW = "#56627a", "#f4ecd8"

Curve = NDArray[np.floating]


class Block:
    """A sheet that flat inks are printed on, cut finer than the canvas."""

    def __init__(self, canvas: Canvas) -> None:
        h, w = canvas.shape
        self.scale = canvas.scale * BLOCK_SCALE
        self.sheet = Image.new("RGB", (w * BLOCK_SCALE, h * BLOCK_SCALE), PAPER)
        self.draw = ImageDraw.Draw(self.sheet)

    def fill(self, outline: Curve, ink: str) -> None:
        self.draw.polygon([tuple(p) for p in outline * self.scale], fill=ink)

    def stroke(self, spine: Curve, width: Curve | float, ink: str = KEY) -> None:
        """A line whose width (units) may swell and taper along its spine."""
        self.fill(ribbon(spine, np.broadcast_to(width, len(spine)) / 2), ink)

    def disc(self, x: float, y: float, r: float, ink: str) -> None:
        box = np.array([x - r, y - r, x + r, y + r]) * self.scale
        self.draw.ellipse([float(v) for v in box], fill=ink)

    def pixels(self, canvas: Canvas) -> Array:
        """The sheet at the canvas's size."""
        h, w = canvas.shape
        return np.asarray(self.sheet.resize((w, h), Image.Resampling.BOX), np.float32) / 255


def smooth(points: list[tuple[float, float]], count: int = 160) -> Curve:
    """A smooth curve through the points, (count, 2)."""
    knots = np.array(points, float)
    t = np.concatenate([[0], np.cumsum(np.sqrt(np.hypot(*np.diff(knots, axis=0).T)))])
    return CubicSpline(t, knots)(np.linspace(0, t[-1], count))


def normals(spine: Curve) -> Curve:
    """Unit normals, to the left of the direction of travel when y points down."""
    along = np.gradient(spine, axis=0)
    along /= np.linalg.norm(along, axis=1, keepdims=True) + 1e-9
    return np.stack([along[:, 1], -along[:, 0]], 1)


def ribbon(spine: Curve, half: Curve) -> Curve:
    """The outline of a line with the given half-widths."""
    side = normals(spine) * half[:, None]
    return np.concatenate([spine + side, (spine - side)[::-1]])


def swelling(count: int, width: float) -> Curve:
    """A brush line's widths: thin, full, thin."""
    return width * (0.25 + 0.75 * np.sin(np.pi * np.linspace(0, 1, count)) ** 0.7)


def _claw(
    block: Block, at: Curve, angle: float, length: float, hook: float, ink: str = FOAM
) -> None:
    """A finger of foam: a tapering hook with a dark contour and a pale fold inside."""
    t = np.linspace(0, 1, 22)
    bend = angle + hook * t**1.5
    step = length / len(t)
    spine = at + np.cumsum(np.stack([np.cos(bend), np.sin(bend)], 1), 0) * step
    half = length * 0.23 * (1 - t) ** 0.75 + 0.35
    block.fill(ribbon(spine, half + 1.15), KEY)
    block.fill(ribbon(spine, half), ink)
    if length > 15:
        shade = spine + normals(spine) * np.sign(hook) * (half * 0.42)[:, None]
        block.fill(ribbon(shade[:16], half[:16] * 0.34), PALE)


def _fringe(
    block: Block, rng: np.random.Generator, edge: Curve, size: float, side: float, count: int
) -> None:
    """Claws along an edge, large ones first and small ones between them, over rounded foam."""
    out = normals(edge) * side
    heading = np.arctan2(out[:, 1], out[:, 0])
    for scale in (1.0, 0.72, 0.48, 0.3):
        for _ in range(int(count / scale)):
            i = rng.integers(0, len(edge))
            reach = size * scale * rng.uniform(0.7, 1.25)
            swell = 0.35 + 0.65 * np.sin(np.pi * (i + 1) / (len(edge) + 1))
            at = edge[i] - out[i] * size * rng.uniform(0.05, 0.55)
            hook = rng.choice([-1, 1], p=(0.25, 0.75)) * side * rng.uniform(1.0, 2.3)
            _claw(block, at, heading[i] + rng.normal(0, 0.35), reach * swell, hook)


def _foam_bank(
    block: Block, rng: np.random.Generator, edge: Curve, depth: float, count: int
) -> None:
    """Rounded scales of foam heaped along an edge."""
    inward = -normals(edge)
    for i in np.sort(rng.integers(0, len(edge), count)):
        r = depth * rng.uniform(0.16, 0.5) * (0.4 + 0.6 * np.sin(np.pi * i / len(edge)))
        x, y = edge[i] + inward[i] * rng.uniform(0, depth * 0.7)
        block.disc(x, y, r + 1.1, KEY)
        block.disc(x, y, r, FOAM)
        block.disc(x + r * 0.25, y + r * 0.3, r * 0.55, PALE)
        block.disc(x + r * 0.1, y + r * 0.12, r * 0.52, FOAM)


def _spray(block: Block, rng: np.random.Generator, centre: Curve, spread: Curve, n: int) -> None:
    """Drops thrown ahead of the wave: white, with a dark rim where they are large."""
    for x, y in rng.normal(centre, spread, (n, 2)):
        r = rng.gamma(2.2, 0.75) + 0.5
        if r > 1.9:
            block.disc(x, y, r + 0.8, KEY)
        block.disc(x, y, r, FOAM)


def _striped(
    block: Block, back: Curve, face: Curve, bands: tuple[tuple[float, float, str], ...]
) -> None:
    """A body of water between two curves, with bands of ink that run along it."""
    block.fill(np.concatenate([back, face[::-1]]), PRUSSIAN)
    t = np.linspace(0, 1, len(back))
    for low, high, ink in bands:
        bulge = 0.018 * np.sin(t * 17 + low * 40)
        lower = back + (face - back) * (low + bulge)[:, None]
        width = (high - low) * np.sin(np.pi * (0.04 + 0.93 * t)) ** 0.6
        upper = back + (face - back) * (low + bulge + width)[:, None]
        block.fill(np.concatenate([lower, upper[::-1]]), ink)
        block.stroke(lower, swelling(len(t), 1.9))
        block.stroke(upper, swelling(len(t), 1.5))
    for share in HAIRLINES:
        line = back + (face - back) * (share + 0.006 * np.sin(t * 23 + share * 50))[:, None]
        block.stroke(line[6:-6], swelling(len(t) - 12, 1.0), FOAM if share > 0.5 else KEY)
    for edge in (back, face):
        block.stroke(edge, swelling(len(t), 4.2))


HAIRLINES = (0.135, 0.145, 0.225, 0.235, 0.405, 0.415, 0.495, 0.505, 0.62, 0.78, 0.865, 0.97)
GREAT_BANDS = (
    (0.03, 0.11, PALE), (0.17, 0.20, FOAM), (0.26, 0.38, INDIGO), (0.43, 0.47, FOAM),
    (0.52, 0.60, MIDDLE), (0.64, 0.76, INDIGO), (0.80, 0.84, FOAM), (0.89, 0.95, MIDDLE),
)  # fmt: skip
SWELL_BANDS = (
    (0.05, 0.16, FOAM), (0.24, 0.30, PALE), (0.38, 0.54, INDIGO), (0.60, 0.65, FOAM),
    (0.72, 0.88, MIDDLE),
)  # fmt: skip


def _great_wave(block: Block, rng: np.random.Generator) -> None:
    """The wave at the left that rears and breaks over to the right."""
    back = smooth([
        (-150, 800), (-60, 470), (70, 262), (190, 138), (330, 74), (455, 76), (545, 128),
        (590, 205),
    ])  # fmt: skip
    face = smooth([
        (690, 800), (520, 660), (405, 560), (352, 465), (345, 372), (385, 285), (455, 232),
        (560, 226),
    ])  # fmt: skip
    _striped(block, back, face, GREAT_BANDS)
    crest, lip = back[62:], np.concatenate([back[-30:], face[-2:-62:-1]])
    _foam_bank(block, rng, crest, 44, 90)
    _fringe(block, rng, crest[:60], 40, 1, 13)
    _fringe(block, rng, lip[:34], 66, 1, 22)
    _fringe(block, rng, lip[24:], 56, 1, 26)
    _spray(block, rng, np.array([620, 270]), np.array([62, 66]), 120)
    _spray(block, rng, np.array([420, 40]), np.array([130, 20]), 46)


def _swell(
    block: Block,
    rng: np.random.Generator,
    knots: list[tuple[float, float]],
    deep: float,
    foam: float,
) -> None:
    """A lesser wave: a ridge with bands beneath it and foam along its top."""
    back = smooth(knots)
    face = np.stack([back[:, 0] * 0.9 + 60, np.full(len(back), deep)], 1)
    _striped(block, back, face, SWELL_BANDS)
    _foam_bank(block, rng, back[40:120], foam, 34)
    _fringe(block, rng, back[46:116], foam * 1.15, 1, 11)


def _mountain(block: Block) -> None:
    """The far mountain with its cap of snow, small under the wave."""
    t = np.linspace(-1, 1, 161)
    rise = 132 * np.clip(1 - np.abs(t) ** 0.62, 0, 0.86) / 0.86
    outline = np.stack([742 + 220 * t + 9 * t**2, 506 - rise + 1.2 * np.sin(t * 41)], 1)
    block.fill(outline, MOUNTAIN)
    near = np.abs(t) < 0.22
    gullies = 44 + 17 * np.abs(np.sin(t[near] * 26 + 0.7)) + 9 * np.sin(t[near] * 61)
    gullies *= 1 - (t[near] / 0.22) ** 4
    snow = outline[near] + np.stack([0 * gullies, np.minimum(gullies, rise[near] - 60)], 1)
    block.fill(np.concatenate([outline[near], snow[::-1]]), SNOW)
    for x, y in snow[2:-2:3]:
        gully = np.stack([x + np.linspace(0, (x - 742) * 0.9, 20), np.linspace(y, 500, 20)], 1)
        block.stroke(gully, swelling(20, 1.3))
    block.stroke(outline, swelling(len(outline), 2.6))


def _boat(block: Block, x: float, y: float, length: float, tilt: float) -> None:
    """A long slim boat with a row of bent backs."""
    t = np.linspace(0, 1, 40)
    keel = np.stack([x + length * t, y + tilt * t + 22 * np.sin(np.pi * t)], 1)
    rail = np.stack([x - 6 + (length + 14) * t, y - 9 + tilt * t + 15 * np.sin(np.pi * t)], 1)
    for k in np.linspace(0.2, 0.78, 7):
        px, py = rail[int(k * 39)]
        block.disc(px, py - 5, 9.2, KEY)
        block.disc(px, py - 5, 8.2, ROBE)
        block.disc(px + 5, py - 12, 4.4, KEY)
        block.disc(px + 5, py - 12, 3.6, BOAT)
    hull = np.concatenate([rail, keel[::-1]])
    block.fill(hull, BOAT)
    middle = (rail + keel) / 2
    block.fill(np.concatenate([middle, keel[::-1]]), BOAT_DARK)
    for line in (rail, middle, keel):
        block.stroke(line, swelling(40, 2.2))


def _cut_blocks(block: Block, rng: np.random.Generator) -> None:
    """The whole design, from the far sky to the nearest swell."""
    block.disc(846, 226, 58, SUN)
    for y, x0, x1 in ((206, 650, 868), (240, 800, 1060), (262, 690, 880)):
        bar = np.stack([np.linspace(x0, x1, 40), np.full(40, y)], 1)
        block.stroke(bar, swelling(40, 9), PAPER)
    _mountain(block)
    far = [
        (300, 520),
        (420, 500),
        (530, 508),
        (640, 492),
        (760, 505),
        (860, 480),
        (940, 500),
        (1040, 486),
    ]
    _swell(block, rng, far, 620, 16)
    middle = [(330, 610), (440, 596), (560, 622), (680, 590), (800, 520), (880, 462), (950, 520)]
    _swell(block, rng, [*middle, (1050, 600)], 760, 38)
    _boat(block, 520, 566, 190, 8)
    _great_wave(block, rng)
    _boat(block, 318, 596, 215, 30)
    _swell(
        block, rng, [(-60, 600), (60, 560), (160, 590), (270, 648), (400, 640), (540, 690)], 800, 34
    )
    _swell(
        block,
        rng,
        [(330, 700), (470, 650), (600, 618), (720, 660), (850, 690), (1060, 640)],
        800,
        34,
    )


def _wipe(canvas: Canvas, print_: Array) -> Array:
    """Bokashi: ink wiped by hand from dark to nothing, on the sky and deep in the water."""
    x, y = canvas.grid()
    paper, blue = pigment(PAPER), pigment(PRUSSIAN)
    bare = np.exp(-((np.abs(print_ - paper).max(-1) / 0.035) ** 2))
    top = np.clip(1 - y / 190, 0, 1) ** 1.6
    dusk = np.exp(-(((y - 500) / 150) ** 2))
    print_ = mix(print_, pigment("#2c3f66"), bare * top * 0.88)
    print_ = mix(print_, pigment("#dca27c"), bare * dusk * 0.55)
    water = np.exp(-((np.abs(print_ - blue).max(-1) / 0.06) ** 2))
    fade = np.clip(0.5 + 0.5 * np.sin(x / 130 + y / 70), 0, 1)
    print_ = mix(print_, pigment(INDIGO), water * np.clip((y - 240) / 420, 0, 0.8))
    return mix(print_, pigment("#3f86ad"), water * 0.5 * fade * np.clip(1 - y / 560, 0, 1))


def _press(canvas: Canvas, rng: np.random.Generator, print_: Array) -> Array:
    """Ink pressed by hand into fibrous paper: wood grain, mottle, rims of ink, worn spots."""
    _, y = canvas.grid()
    paper = pigment(PAPER)
    ink = np.clip(np.abs(print_ - paper).max(-1) / 0.35, 0, 1)
    rings = np.sin(
        (y + 16 * canvas.noise(rng, 260) + 3 * stretched_noise(canvas, rng, (300, 9))) / 1.7
    )
    grain = 0.5 * rings + stretched_noise(canvas, rng, (90, 1.3), 2)
    mottle = canvas.noise(rng, 3.2, 2)
    rim = canvas.blur(ink, 2.2) - ink
    thin = 0.075 * grain + 0.06 * mottle + 0.05 * canvas.noise(rng, 90, 2) + 0.16 * rim + 0.03
    color = mix(print_, paper, np.clip(thin, -0.12, 0.6) * ink)
    worn = (canvas.noise(rng, 1.4) + 0.5 * canvas.noise(rng, 30) > 2.5).astype(np.float32)
    color = mix(color, paper, 0.55 * canvas.blur(worn, 0.3) * ink)
    fibres = sum(np.abs(stretched_noise(canvas, rng, c)) for c in ((14, 1.3), (1.5, 5), (2.2, 2.2)))
    tooth = 0.016 * (fibres - fibres.mean()) + 0.012 * canvas.noise(rng, 150, 3)
    return np.clip(color - tooth[..., None] * np.float32([0.8, 1.0, 1.3]), 0, 1)


def paint(size_px: int) -> Image.Image:
    """The whole print, with its longer side size_px."""
    rng = np.random.default_rng(1831)
    canvas = Canvas.blank(WIDTH, HEIGHT, size_px, pigment(PAPER))
    block = Block(canvas)
    _cut_blocks(block, rng)
    canvas.color = _press(canvas, rng, _wipe(canvas, block.pixels(canvas)))
    return canvas.picture()

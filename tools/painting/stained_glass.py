"""A leaded window: a sun over hills and a river, a tree and irises before them."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from PIL import Image
from scipy import ndimage
from scipy.spatial import cKDTree

from painting.brush import Field, comb
from painting.canvas import Canvas
from painting.color import Array, jitter, mix, pigment, ramp

WIDTH, HEIGHT = 800, 1000
SUN = (505.0, 300.0)
SUN_RADIUS = 62
BORDER = 40  # width of the frame of small panes
LEAD_HALF_WIDTH = 2.7
SMALLEST_PANE = 170  # square units
DAYLIGHT = 0.88  # exponent that brightens the glass: below 1 for a sunny day
LEAD, SOLDER = pigment("#15141a"), pigment("#5a5a60")

SKY = (
    "#fff0a0",
    "#ffcf3f",
    "#ff9a2a",
    "#ef5a3c",
    "#c2306a",
    "#7a2f9e",
    "#3a3fb4",
    "#1c3f9a",
    "#123a86",
)
MOUNTAINS = ("#4a3a9a", "#2f55b8", "#7a5ac0", "#2a3f8f")
FAR_HILLS = ("#1f8a7a", "#3aa86a", "#15706a", "#5fb85a")
NEAR_HILLS = ("#3f9a2f", "#86b82a", "#1f7a35", "#c2c83a", "#166030")
RIVER = ("#1f9ad0", "#5fd0e0", "#147ab8", "#a8e8e0", "#ffd98a", "#0f5aa0")
TRUNK = ("#7a3f1a", "#a85a20", "#552a18", "#c8802f", "#8a4a2a")
LEAVES = ("#0f7a3a", "#3aa83a", "#8ac83a", "#d8d83a", "#f0b02a", "#0a5a3a", "#1f9060")
FRAME = ("#b01030", "#1a2f9a", "#d88a1a", "#7a1050", "#0f5a6a", "#c82a2a")
PETALS = ("#5a2fb8", "#7f4fd8", "#3f2fa8", "#a87fe8", "#8a2fa0")
BLADES = ("#2f8a4a", "#5fb04a", "#1a6a45", "#8ac05a")


@dataclass
class Window:
    """The cartoon of a window: which pane each pixel lies in, and each pane's colour."""

    panes: np.ndarray
    colors: list[Array] = field(default_factory=list)

    def glaze(self, mask: np.ndarray, cells: np.ndarray, colors: Array) -> None:
        """Cut the masked region into cells (an index per pixel into colors (N, 3))."""
        self.panes[mask] = cells[mask] + len(self.colors)
        self.colors.extend(colors)

    def pane(self, mask: Array, color: Array) -> None:
        """One pane of one colour."""
        self.glaze(mask > 0.5, np.zeros(mask.shape, np.int64), color[None])


def _cut(
    rng: np.random.Generator, a: Array, b: Array, mask: np.ndarray, crowd: float = 0.36
) -> tuple[np.ndarray, np.ndarray]:
    """Cells about 1 by 1 in the coordinates a, b: an index per pixel, and each cell's (a, b)."""
    (a0, a1), (b0, b1) = ((c[mask].min() - 1, c[mask].max() + 2) for c in (a, b))
    seeds = np.stack(np.meshgrid(np.arange(a0, a1), np.arange(b0, b1)), -1)
    seeds[1::2, :, 0] += 0.5  # like a mason's bond: no four corners meet
    seeds = seeds.reshape(-1, 2) + rng.uniform(-crowd, crowd, (seeds.size // 2, 2))
    cells = np.zeros(a.shape, np.int64)
    cells[mask] = cKDTree(seeds).query(np.stack([a[mask], b[mask]], -1))[1]
    return cells, seeds


def _choose(rng: np.random.Generator, codes: tuple[str, ...], count: int) -> Array:
    """Panes from the glazier's stock: no two sheets of a colour are quite alike."""
    stock = np.stack([pigment(code) for code in codes])[rng.integers(0, len(codes), count)]
    return jitter(stock, rng, 0.12, 0.12, 0.04)


def _sky(window: Window, rng: np.random.Generator, x: Array, y: Array) -> None:
    """Rings and rays about the sun, from gold to night blue."""
    dx, dy = x - SUN[0], y - SUN[1]
    r = np.hypot(dx, dy)
    everywhere = np.ones(x.shape, bool)
    ring = 3.1 * np.log2(np.maximum(r, 20) / SUN_RADIUS + 0.001)
    turn = np.arctan2(dx, dy)  # the seam points down, behind the hills
    cells, seeds = _cut(rng, ring * 0.75, turn * 3.7, everywhere)
    radius = np.clip(seeds[:, 0] / 0.75 / 3.1 / 3.3, 0, 1)
    colors = jitter(ramp((radius + rng.normal(0, 0.07, len(seeds))), SKY), rng, 0.16, 0.15, 0.05)
    window.glaze(everywhere, cells, colors)
    window.pane((r < SUN_RADIUS).astype(np.float32), pigment("#fff3b0"))
    window.pane((r < SUN_RADIUS * 0.52).astype(np.float32), pigment("#ffe04a"))


def _land(window: Window, rng: np.random.Generator, x: Array, y: Array) -> None:
    """Mountains, far and near hills, cut along their ridges."""
    ranges = (
        (432 + 62 * np.sin(x / 88 + 0.6) + 26 * np.sin(x / 37), MOUNTAINS, 62, 44),
        (512 + 26 * np.sin(x / 120 + 3.6) + 10 * np.sin(x / 45), FAR_HILLS, 88, 34),
        (590 + 34 * np.sin(x / 150 + 1.1), NEAR_HILLS, 96, 46),
        (742 + 30 * np.sin(x / 170 + 4.0), NEAR_HILLS[::2], 84, 52),
    )
    for ridge, codes, wide, tall in ranges:
        mask = y > ridge
        cells, seeds = _cut(rng, x / wide + (y - ridge) / 260, (y - ridge) / tall, mask)
        window.glaze(mask, cells, _choose(rng, codes, len(seeds)))


def _river(window: Window, rng: np.random.Generator, x: Array, y: Array) -> None:
    """A river that winds to the viewer and widens."""
    depth = np.clip((y - 560) / 440, 0, 1)
    centre = 500 + 135 * np.sin(depth * 5.0 + 0.4) * (0.3 + depth) - 60 * depth
    half = 12 + 165 * depth**1.25
    mask = (np.abs(x - centre) < half) & (y > 562)
    cells, seeds = _cut(rng, (x - centre) / half * 1.3, np.sqrt(depth + 0.01) * 13, mask, 0.42)
    window.glaze(mask, cells, _choose(rng, RIVER, len(seeds)))


def _limb(window: Window, canvas: Canvas, rng: np.random.Generator, spine: Array, w: Array) -> None:
    """A branch along a spine (N, 2) with half-widths w, cut into two or three lengths."""
    cuts = np.linspace(0, len(spine) - 1, max(2, len(spine) // 9 + 1)).astype(int)
    normal = np.gradient(spine, axis=0)[:, ::-1] * (-1, 1)
    normal /= np.linalg.norm(normal, axis=1, keepdims=True)
    for a, b in pairwise(cuts):
        s, n = spine[a : b + 1], normal[a : b + 1] * w[a : b + 1, None]
        outline = np.concatenate([s - n, (s + n)[::-1]])
        window.pane(canvas.polygon(outline), _choose(rng, TRUNK, 1)[0])


def _leaf(at: np.ndarray, angle: float, length: float, wide: float) -> np.ndarray:
    """A pointed leaf's outline."""
    t = np.linspace(0, 1, 16)
    side = wide * np.sin(np.pi * t) ** 0.8
    along, across = np.concatenate([t, t[::-1]]) * length, np.concatenate([side, -side[::-1]])
    c, s = np.cos(angle), np.sin(angle)
    return at + np.stack([along * c - across * s, along * s + across * c], 1)


def _tree(window: Window, canvas: Canvas, rng: np.random.Generator) -> None:
    """A tree at the left whose crown arches over the sun."""
    t = np.linspace(0, 1, 40)
    trunk = np.stack([128 + 34 * np.sin(t * 4.2), 985 - 720 * t], 1)
    limbs = [(trunk, 38 - 26 * t)]
    for start, bend, reach, rise in (
        (22, 0.5, 270, 250), (28, -0.3, 330, 205), (30, 0.2, -110, 190), (34, 0.6, 190, 160),
        (17, -0.5, 150, 60),
    ):  # fmt: skip
        s = t[:24] / t[23]
        x = trunk[start, 0] + reach * s
        y = trunk[start, 1] - rise * s ** (1.1 - bend * 0.5) + 26 * np.sin(s * 5)
        limbs.append((np.stack([x, y], 1), 15 - 11 * s))
    leaves = []
    for spine, _ in limbs[1:]:
        for _ in range(20):
            at = spine[rng.integers(8, len(spine))] + rng.normal(0, 30, 2)
            leaves.append(
                _leaf(at, rng.uniform(-np.pi, np.pi), rng.uniform(48, 78), rng.uniform(13, 20))
            )
    for leaf in leaves[::2]:
        window.pane(canvas.polygon(leaf), _choose(rng, LEAVES, 1)[0])
    for spine, half in limbs[::-1]:
        _limb(window, canvas, rng, spine, half)
    for leaf in leaves[1::2]:
        window.pane(canvas.polygon(leaf), _choose(rng, LEAVES, 1)[0])


def _iris(window: Window, canvas: Canvas, rng: np.random.Generator, x: float, y: float) -> None:
    """An iris: a stem, three petals that stand and three that fall, with yellow tongues."""
    foot = np.array([x + rng.uniform(-25, 25), 1000.0])
    head = np.array([x, y])
    lean = float(np.arctan2(*(head - foot)[::-1]))
    window.pane(
        canvas.polygon(_leaf(foot, lean, float(np.hypot(*(head - foot))), 6)), pigment(BLADES[1])
    )
    falls = ((2.75, 66, 20), (0.4, 66, 20), (1.57, 64, 23))
    for angle, length, wide in ((-2.2, 70, 22), (-0.95, 70, 22), (-1.57, 84, 24), *falls):
        petal = _leaf(head, angle + rng.normal(0, 0.09), length, wide)
        window.pane(canvas.polygon(petal), _choose(rng, PETALS, 1)[0])
    for angle, _, _ in falls:
        window.pane(canvas.polygon(_leaf(head, angle, 30, 8)), pigment("#ffc928"))


def _foreground(window: Window, canvas: Canvas, rng: np.random.Generator) -> None:
    """Sword leaves and irises at the lower right."""
    for _ in range(26):
        at = np.array([rng.uniform(330, 800), 1010.0])
        leaf = _leaf(
            at, -np.pi / 2 + rng.normal(0, 0.24), rng.uniform(130, 300), rng.uniform(9, 15)
        )
        window.pane(canvas.polygon(leaf), _choose(rng, BLADES, 1)[0])
    for x, y in ((690, 640), (420, 850), (585, 765), (700, 835)):
        _iris(window, canvas, rng, x, y)


def _frame(window: Window, rng: np.random.Generator, x: Array, y: Array) -> None:
    """A border of small panes."""
    to_side, to_end = np.minimum(x, WIDTH - x), np.minimum(y, HEIGHT - y)
    mask = np.minimum(to_side, to_end) < BORDER
    upright = to_side < to_end
    along = np.where(upright, y, x + 2000)
    cells = (
        (along / 52).astype(np.int64)
        + 100 * ((x > WIDTH / 2) & upright)
        + 200 * ((y > HEIGHT / 2) & ~upright)
    )
    window.glaze(mask, cells, _choose(rng, FRAME, int(cells.max()) + 1))


def _tidy(canvas: Canvas, window: Window) -> None:
    """Leave out splinters too small to cut, and number the panes that remain from 0."""
    pieces = np.zeros(window.panes.shape, np.int64)
    steps = (window.panes[:, 1:] != window.panes[:, :-1], window.panes[1:] != window.panes[:-1])
    pieces[:, 1:] |= steps[0]
    pieces[1:] |= steps[1]
    parts, _ = ndimage.label(pieces == 0)
    area = np.bincount(parts.ravel()) / canvas.scale**2
    area[0] = 0
    splinter = area[parts] < SMALLEST_PANE
    nearest = ndimage.distance_transform_edt(splinter, return_distances=False, return_indices=True)
    used, panes = np.unique(window.panes[tuple(nearest)], return_inverse=True)
    window.panes = panes.reshape(window.panes.shape)
    window.colors = [window.colors[i] for i in used]


def _streaks(canvas: Canvas, rng: np.random.Generator, panes: np.ndarray) -> Array:
    """The drawn grain of hand-made sheets; each pane's sheet lies in one of four directions."""
    total = np.zeros(canvas.shape, np.float32)
    for turn in range(4):
        angle = (turn * 0.8 + 0.3 + 0.5 * canvas.noise(rng, 160)).astype(np.float32)
        sheet = comb(canvas, canvas.noise(rng, 5, 2), Field.from_angle(angle), 110, 16)
        total = np.where(panes * 7 % 4 == turn, sheet, total)
    return total


def _within(window: Window, rng: np.random.Generator, x: Array, y: Array) -> Array:
    """A gradient across each pane in a direction of its own, about -1 to 1."""
    count = len(window.colors)
    index = np.arange(count)
    panes = window.panes
    mx, my = (ndimage.mean(c, panes, index).astype(np.float32) for c in (x, y))
    spread = ndimage.standard_deviation(x + y, panes, index) + 4
    angle = rng.uniform(0, 2 * np.pi, count)
    tilt = [(f(angle) / spread).astype(np.float32) for f in (np.cos, np.sin)]
    return (x - mx[panes]) * tilt[0][panes] + (y - my[panes]) * tilt[1][panes]


def _bubbles(canvas: Canvas, rng: np.random.Generator) -> Array:
    """Seeds of air in the glass, each bright on one side and dark on the other."""
    field = np.zeros(canvas.shape, np.float32)
    x, y = canvas.grid()
    for _ in range(520):
        cx, cy, r = rng.uniform(0, WIDTH), rng.uniform(0, HEIGHT), rng.gamma(3, 0.75) + 0.8
        rows, cols = canvas.pixels(np.array([[cx - 2 * r, cy - 2 * r], [cx + 2 * r, cy + 2 * r]]))
        box = slice(rows[0], rows[1] + 1), slice(cols[0], cols[1] + 1)
        dx, dy = (x[box] - cx) / r, (y[box] - cy) / r / 1.25
        ring = np.exp(-(((np.hypot(dx, dy) - 0.8) / 0.28) ** 2))
        field[box] += ring * (-0.75 * dx - dy) * 0.5
    return field


def _lit(canvas: Canvas, rng: np.random.Generator, window: Window) -> Array:
    """The glass with daylight behind it: gradients, grain, ripples, bubbles, flashed tints."""
    x, y = canvas.grid()
    panes = window.panes
    glass = (np.stack(window.colors).astype(np.float32) ** DAYLIGHT)[panes]
    ripple = canvas.blur(canvas.noise(rng, 7, 2), 0.6)
    gy, gx = np.gradient(ripple)
    tone = 0.24 * np.tanh(_within(window, rng, x, y)) + 0.11 * _streaks(canvas, rng, panes)
    tone += 0.10 * canvas.noise(rng, 130, 2) + 0.55 * np.tanh((gx + gy) * 1.2) * 0.5
    tone += 0.5 * _bubbles(canvas, rng)
    tone += 0.22 * np.exp(-((np.hypot(x - SUN[0], y - SUN[1]) / 260) ** 2)) + 0.03
    shaded = glass * (1 + np.minimum(tone, 0))[..., None]
    shaded = shaded ** (1 - 0.75 * np.clip(tone, 0, 0.8))[..., None]  # thin glass stays saturated
    shaded = mix(shaded, np.ones(3, np.float32), 0.3 * np.clip(tone - 0.3, 0, 1))
    flash = np.clip(0.5 + 0.5 * canvas.noise(rng, 46, 2), 0, 1)
    turned = np.roll(shaded, 1, axis=-1)
    return mix(shaded, turned, 0.13 * flash)


def _lead(canvas: Canvas, rng: np.random.Generator, glass: Array, panes: np.ndarray) -> Array:
    """Cames with a rounded profile along the edges of the panes, soldered where they meet."""
    edge = np.zeros(panes.shape, bool)
    edge[:, 1:] |= panes[:, 1:] != panes[:, :-1]
    edge[1:] |= panes[1:] != panes[:-1]
    away = canvas.blur(ndimage.distance_transform_edt(~edge).astype(np.float32), 0.5) / canvas.scale
    dirt = np.exp(-np.clip(away - LEAD_HALF_WIDTH, 0, None) / 3.2)
    glass = glass * (1 - 0.42 * dirt)[..., None]
    wobble = LEAD_HALF_WIDTH * (1 + 0.13 * canvas.noise(rng, 28))
    came = np.clip((wobble - away) * canvas.scale / 1.6 + 0.5, 0, 1)
    profile = np.sqrt(np.clip(1 - (away / wobble) ** 2, 0, 1)) + 0.035 * canvas.noise(rng, 2)
    gy, gx = np.gradient(canvas.blur(profile, 0.7))
    sheen = np.clip(-(0.6 * gx + 0.8 * gy) * canvas.scale * 0.55, -0.1, 0.5)
    high = ndimage.maximum_filter(panes, int(4 * canvas.scale) | 1)
    low = ndimage.minimum_filter(panes, int(4 * canvas.scale) | 1)
    third = canvas.blur(((panes != high) & (panes != low)).astype(np.float32), 1.6)
    metal = mix(np.broadcast_to(LEAD, glass.shape), SOLDER, np.clip(third, 0, 0.55))
    metal = np.clip(metal + sheen[..., None], 0, 1)
    return mix(glass, metal, came)


def paint(size_px: int) -> Image.Image:
    """The whole window, with its longer side size_px."""
    rng = np.random.default_rng(1908)
    canvas = Canvas.blank(WIDTH, HEIGHT, size_px, LEAD)
    x, y = canvas.grid()
    x, y = x + 3 * canvas.noise(rng, 40), y + 3 * canvas.noise(rng, 40)  # hand-cut edges
    window = Window(np.zeros(canvas.shape, np.int64))
    _sky(window, rng, x, y)
    _land(window, rng, x, y)
    _river(window, rng, x, y)
    _tree(window, canvas, rng)
    _foreground(window, canvas, rng)
    _frame(window, rng, *canvas.grid())
    _tidy(canvas, window)
    color = _lead(canvas, rng, _lit(canvas, rng, window), window.panes)
    halo = canvas.blur(np.clip(color - 0.45, 0, 1), 7)
    canvas.color = np.clip(color + 0.3 * halo, 0, 1)
    return canvas.picture()

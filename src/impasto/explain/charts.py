"""Line charts and the network's drawing as SVG that stands inside a page, coloured by its CSS."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from impasto.explain.figures import Layer

# In units of the drawing, which is shown about as wide as a phone at least.
WIDTH, HEIGHT = 420, 260
LEFT, RIGHT, TOP, BOTTOM = 52, 10, 12, 40  # margins around a chart's lines
ROW, BLOCK_GAP = 27, 9  # of the network: from a layer to the next, and between blocks
MIDDLE, WIDEST, NARROWEST = 172, 160, 8  # where slabs stand, and how wide they are
MOST_TICKS = 6


@dataclass(frozen=True)
class Line:
    """One curve.

    Attributes:
        name: what the legend calls it.
        ink: a CSS class, ``ink-1`` and so on.
        values: by iteration, from 1.
    """

    name: str
    ink: str
    values: Sequence[float]


def lines(curves: Sequence[Line], title: str, y_name: str, marks: Sequence[int] = ()) -> Markup:
    """Curves over iterations, on a logarithmic scale.

    Args:
        curves: with values above 0; others are left out of the line.
        title: what a screen reader says.
        y_name: of the vertical axis.
        marks: iterations with a line across, such as where the picture grew.
    """
    count = max(len(curve.values) for curve in curves)
    shown = [value for curve in curves for value in curve.values if 0 < value < math.inf]
    low, high = limits(shown)

    def x(iteration: float) -> float:
        return LEFT + (iteration - 1) / max(1, count - 1) * (WIDTH - LEFT - RIGHT)

    def y(value: float) -> float:
        part = math.log(value / low) / math.log(high / low)
        return HEIGHT - BOTTOM - part * (HEIGHT - TOP - BOTTOM)

    body = [_grid(low, high, y), _iterations(count, x)]
    body += [_upright(x(mark), "mark") for mark in marks]
    for curve in curves:
        points = " ".join(
            f"{x(number):.1f},{y(value):.1f}"
            for number, value in enumerate(curve.values, 1)
            if 0 < value < math.inf
        )
        body.append(Markup('<polyline class="{}" points="{}"/>').format(curve.ink, points))
    cursor = Markup('<line class="cursor" x1="{x}" x2="{x}" y1="{}" y2="{}" hidden=""/>')
    body.append(cursor.format(TOP, HEIGHT - BOTTOM, x=LEFT))
    body.append(_text(LEFT, HEIGHT - 6, "iteration", "axis start"))
    body.append(
        Markup('<text class="axis" transform="translate(12 {}) rotate(-90)">{}</text>').format(
            (HEIGHT - BOTTOM + TOP) / 2, y_name
        )
    )
    attributes = Markup('data-from="{}" data-to="{}" data-count="{}"').format(
        LEFT, WIDTH - RIGHT, count
    )
    return _svg(WIDTH, HEIGHT, title, Markup("").join(body), attributes)


def limits(values: Sequence[float]) -> tuple[float, float]:
    """A little below the least and above the most, for a logarithmic axis."""
    low, high = min(values, default=0.1), max(values, default=1.0)
    return low / 1.1, max(high * 1.1, low * 2)


def ticks(low: float, high: float) -> list[float]:
    """Round numbers between them, as many as can be read."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for steps in ((1, 1.5, 2, 3, 5, 7), (1, 2, 5), (1, 3), (1,)):
        found = [step * 10.0**power for power in powers for step in steps]
        found = [each for each in found if low <= each <= high]
        if len(found) <= MOST_TICKS:
            return found
    return found[:: -(-len(found) // MOST_TICKS)]


def _grid(low: float, high: float, y: Callable[[float], float]) -> Markup:
    parts = []
    for value in ticks(low, high):
        at = y(value)
        rule = Markup('<line class="rule" x1="{}" x2="{}" y1="{:.1f}" y2="{:.1f}"/>')
        parts.append(rule.format(LEFT, WIDTH - RIGHT, at, at))
        parts.append(_text(LEFT - 6, at + 4, f"{value:g}", "tick end"))
    return Markup("").join(parts)


def _iterations(count: int, x: Callable[[float], float]) -> Markup:
    step = next(
        each * 10**power
        for power in range(9)
        for each in (1, 2, 5)
        if count / each / 10**power <= 7
    )
    numbers = [1, *range(step, count + 1, step)] if step > 1 else range(1, count + 1)
    return Markup("").join(_text(x(n), HEIGHT - BOTTOM + 17, str(n), "tick") for n in numbers)


def _upright(at: float, ink: str) -> Markup:
    line = Markup('<line class="{}" x1="{x:.1f}" x2="{x:.1f}" y1="{}" y2="{}"/>')
    return line.format(ink, TOP, HEIGHT - BOTTOM, x=at)


def network(layers: Sequence[Layer], title: str) -> Markup:
    """A slab for each convolution, from the picture downwards.

    A slab is as wide as its maps against the picture, and as thick as there are many of them.
    """
    body, top, block = [], 24.0, ""
    body.append(_text(4, 12, "layer", "axis start"))
    body.append(_text(WIDTH - 4, 12, "maps, and their size", "axis end"))
    widest = max(layers[0].width, layers[0].height)
    for layer in layers:
        if block and layer.name[4] != block:
            top += BLOCK_GAP
        block = layer.name[4]
        body.append(_slab(layer, top, max(layer.width, layer.height) / widest))
        top += ROW
    return _svg(WIDTH, top + 2, title, Markup("").join(body))


def _slab(layer: Layer, top: float, fraction: float) -> Markup:
    use = "both" if layer.content and layer.style else "content" if layer.content else "style"
    use = use if layer.content or layer.style else "idle"
    width = max(NARROWEST, WIDEST * fraction)
    thick = 4 + 2 * math.log2(max(2, layer.channels)) - 8
    thick = max(5.0, thick)
    middle = top + ROW / 2
    parts = [
        _text(4, middle + 4.5, layer.name, f"layer start {use}"),
        Markup(
            '<rect class="slab {}" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}" rx="2"/>'
        ).format(use, MIDDLE - width / 2, middle - thick / 2, width, thick),
        _text(
            WIDTH - 4,
            middle + 4.5,
            f"{layer.channels} maps, {layer.width} × {layer.height}",
            f"size end {use}",
        ),
    ]
    return Markup("").join(parts)


def _text(x: float, y: float, words: str, kind: str) -> Markup:
    return Markup('<text class="{}" x="{:.1f}" y="{:.1f}">{}</text>').format(kind, x, y, words)


def _svg(width: float, height: float, title: str, body: Markup, more: str = "") -> Markup:
    head = Markup('<svg viewBox="0 0 {:.0f} {:.0f}" role="img" aria-label="{}" {}>')
    return head.format(width, height, title, more) + body + Markup("</svg>")

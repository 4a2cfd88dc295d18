"""Line charts and the network's drawing as SVG that stands inside a page, coloured by its CSS."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from markupsafe import Markup

from impasto.explain.figures import Layer
from impasto.network.vgg import block_of

# In units of the drawing, which is shown about as wide as a phone at least.
WIDTH, HEIGHT = 420, 260
LEFT, RIGHT, TOP, BOTTOM = 52, 10, 12, 40  # margins around a chart's lines
ROW, BLOCK_GAP, HEADING = 27, 9, 24  # of the network: from layer to layer, between blocks, on top
MIDDLE, WIDEST, NARROWEST = 172, 160, 8  # where slabs stand, and how wide they are
THINNEST, THICKER = 8.0, 2.0  # a slab of FEWEST maps, and how much is added each time they double
FEWEST = 64
BASELINE = 4.5  # from a line's middle to where its letters stand
MOST_TICKS, MOST_NUMBERS = 6, 7  # on the upright axis, and below the other


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

    @property
    def shown(self) -> dict[int, float]:
        """The values that a logarithmic axis has a place for, by iteration."""
        return {n: value for n, value in enumerate(self.values, 1) if 0 < value < math.inf}


@dataclass(frozen=True)
class Axes:
    """Where an iteration and a value stand in a chart; values go by their logarithms."""

    count: int
    low: float
    high: float

    def x(self, iteration: float) -> float:
        return LEFT + (iteration - 1) / max(1, self.count - 1) * (WIDTH - LEFT - RIGHT)

    def y(self, value: float) -> float:
        part = math.log(value / self.low) / math.log(self.high / self.low)
        return HEIGHT - BOTTOM - part * (HEIGHT - TOP - BOTTOM)


def lines(curves: Sequence[Line], title: str, y_name: str, marks: Sequence[int] = ()) -> Markup:
    """Curves over iterations, on a logarithmic scale.

    Args:
        curves: with values above 0; others are left out of the line.
        title: what a screen reader says.
        y_name: of the vertical axis.
        marks: iterations with a line across, such as where the picture grew.
    """
    count = max(len(curve.values) for curve in curves)
    axes = Axes(count, *limits([value for curve in curves for value in curve.shown.values()]))
    body = [_grid(axes), _numbers(axes), _names(y_name)]
    body += [_upright(axes.x(mark), "mark") for mark in marks]
    body += [_curve(curve, axes) for curve in curves]
    body.append(_upright(axes.x(count), "cursor"))
    attributes = Markup('data-from="{}" data-to="{}" data-count="{}"')
    return _svg(HEIGHT, title, body, attributes.format(LEFT, WIDTH - RIGHT, count))


def _curve(curve: Line, axes: Axes) -> Markup:
    points = " ".join(f"{axes.x(n):.1f},{axes.y(value):.1f}" for n, value in curve.shown.items())
    return Markup('<polyline class="{}" points="{}"/>').format(curve.ink, points)


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


def _grid(axes: Axes) -> Markup:
    rule = Markup('<line class="rule" x1="{}" x2="{}" y1="{y:.1f}" y2="{y:.1f}"/>')
    parts = []
    for value in ticks(axes.low, axes.high):
        parts.append(rule.format(LEFT, WIDTH - RIGHT, y=axes.y(value)))
        parts.append(_text(LEFT - 6, axes.y(value), f"{value:g}", "tick end"))
    return Markup("").join(parts)


def _numbers(axes: Axes) -> Markup:
    """Pick iterations to label, as many as there is room for."""
    steps = (each * 10**power for power in range(9) for each in (1, 2, 5))
    step = next(each for each in steps if axes.count <= each * MOST_NUMBERS)
    numbers = sorted({1, *range(step, axes.count + 1, step)})
    below = HEIGHT - BOTTOM + 13
    return Markup("").join(_text(axes.x(n), below, str(n), "tick") for n in numbers)


def _names(y_name: str) -> Markup:
    turned = Markup('<text class="axis" transform="translate(12 {}) rotate(-90)">{}</text>')
    beside = turned.format((HEIGHT - BOTTOM + TOP) / 2, y_name)
    return _text(LEFT, HEIGHT - 10, "iteration", "axis start") + beside


def _upright(at: float, kind: str) -> Markup:
    line = Markup('<line class="{}" x1="{x:.1f}" x2="{x:.1f}" y1="{}" y2="{}"/>')
    return line.format(kind, TOP, HEIGHT - BOTTOM, x=at)


def network(layers: Sequence[Layer], title: str) -> Markup:
    """A slab for each convolution, from the picture downwards.

    A slab is as wide as its maps against the first layer's, and the thicker the more there are.
    """
    body = [_text(4, 8, "layer", "axis start")]
    body.append(_text(WIDTH - 4, 8, "maps, and their size", "axis end"))
    top = float(HEADING)
    for before, layer in pairwise((layers[0], *layers)):
        top += BLOCK_GAP * (block_of(layer.name) > block_of(before.name))
        width = WIDEST * max(layer.width, layer.height) / max(layers[0].width, layers[0].height)
        body.append(_slab(layer, top + ROW / 2, max(NARROWEST, width)))
        top += ROW
    return _svg(top + 2, title, body)


def _slab(layer: Layer, middle: float, width: float) -> Markup:
    uses = {(True, True): "both", (True, False): "content", (False, True): "style"}
    use = uses.get((bool(layer.content), bool(layer.style)), "idle")
    thick = THINNEST + THICKER * max(0.0, math.log2(layer.channels / FEWEST))
    slab = Markup(
        '<rect class="slab {}" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}" rx="2"/>'
    ).format(use, MIDDLE - width / 2, middle - thick / 2, width, thick)
    size = f"{layer.channels} maps, {layer.width} × {layer.height}"
    name = _text(4, middle, layer.name, f"start {use}")
    return name + slab + _text(WIDTH - 4, middle, size, f"end {use}")


def _text(x: float, middle: float, words: str, kind: str) -> Markup:
    text = Markup('<text class="{}" x="{:.1f}" y="{:.1f}">{}</text>')
    return text.format(kind, x, middle + BASELINE, words)


def _svg(height: float, title: str, body: Sequence[Markup], more: str = "") -> Markup:
    head = Markup('<svg viewBox="0 0 {} {:.0f}" role="img" aria-label="{}" {}>')
    return head.format(WIDTH, height, title, more) + Markup("").join(body) + Markup("</svg>")

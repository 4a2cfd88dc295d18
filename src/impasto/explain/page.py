"""The template, filled: numbers as words would have them, pictures as data, charts as SVG."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from jinja2 import Environment, PackageLoader, StrictUndefined
from torch import Tensor

from impasto.explain import charts, drawing, figures
from impasto.explain.charts import Line
from impasto.explain.findings import Findings, Seen
from impasto.explain.runs import LAYERS, RATES

TEMPLATES = "data/explain"
INKS = 6  # CSS classes of style layers: ink-1 and so on
RATE_INKS = ("ink-smooth", "ink-content", "ink-1", "ink-3", "ink-5")
PULLS = ("content", "style", "together")
BRIGHTEST = 0.995  # of the pixels are below the heat map's end: a few would darken all others
SIGNED = 1e-4  # of the largest entry: what is less far below 0 is rounding
BLUR_PX = 5  # a side of the square that pulls are averaged over: they alternate pixel by pixel


def page(found: Findings, numbers: Mapping[str, Any]) -> str:
    """The whole page, HTML, with everything inside."""
    environment = Environment(
        loader=PackageLoader("impasto", TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"percent": percent, "brief": brief, "listed": listed}
    return environment.get_template("page.html").render(
        n=numbers,
        config=found.job.config,
        pictures=pictures(found),
        features={layer: feature_maps(found, layer, numbers) for layer in found.in_use},
        grams={layer: gram_maps(found, layer, numbers) for layer in found.style_layers},
        content_layers=[each.content for each in found.layers if each.content],
        style_layers=[each.style for each in found.layers if each.style],
        network=charts.network(found.layers, "The network's layers, with the size of their maps"),
        losses=loss_chart(numbers["timeline"]),
        legend=[(line.name, line.ink) for line in loss_lines(numbers["timeline"])],
        rate_inks=RATE_INKS,
        rates_chart=rate_chart(numbers["rates"]),
        frames=frames(found, numbers["timeline"]),
    )


def percent(value: float) -> str:
    """0.123 as 12 %, 0.0123 as 1.2 %."""
    shown = f"{100 * value:.0f}" if abs(value) >= 0.0995 else f"{100 * value:.2g}"
    return f"{shown}\u00a0%"


def brief(value: float) -> str:
    """Three digits, and no powers of ten where people have no need of them."""
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:,.0f}"


def listed(words: Sequence[str]) -> str:
    """``a, b and c``."""
    return " and ".join(filter(None, (", ".join(words[:-1]), *words[-1:])))


def pictures(found: Findings) -> dict[str, Any]:
    """All but the timeline's, by what they are."""
    result = found.main.picture
    hard = {name: figures.strength(getattr(found.pulls, name)) for name in PULLS}
    smooth = {name: blurred(pull) for name, pull in hard.items()}
    most = max(float(pull.quantile(BRIGHTEST)) for pull in smooth.values()) or 1.0
    return {
        "photograph": drawing.jpeg(found.photograph.pixels),
        "painting": drawing.jpeg(found.painting.pixels),
        "result": drawing.jpeg(result),
        "content": {
            layer: drawing.jpeg(found.runs[f"content-{layer}"].picture) for layer in LAYERS
        },
        "style": {layer: drawing.jpeg(found.runs[f"style-{layer}"].picture) for layer in LAYERS},
        "rates": [drawing.jpeg(found.runs[f"rate-{rate:g}"].picture) for rate in RATES],
        "slip": found.slip and drawing.jpeg(found.slip.picture),
        "pulls": {name: drawing.over(result, pull / most) for name, pull in smooth.items()},
        "lost": {layer: lost_map(result, error) for layer, error in found.lost.items()},
    }


def blurred(values: Tensor) -> Tensor:
    """The mean over a small square around each pixel, (H, W)."""
    return torch.nn.functional.avg_pool2d(
        values[None, None], BLUR_PX, stride=1, padding=BLUR_PX // 2, count_include_pad=False
    )[0, 0]


def lost_map(picture: Tensor, error: Tensor) -> str:
    """The content error at a layer's positions, (h, w), over the picture."""
    size = (picture.shape[2], picture.shape[3])
    root = error.sqrt()[None, None]
    spread = torch.nn.functional.interpolate(root, size=size, mode="nearest")[0, 0]
    return drawing.over(picture, spread / at_least_tiny(spread.quantile(BRIGHTEST)))


def feature_maps(found: Findings, layer: str, numbers: Mapping[str, Any]) -> dict[str, Any]:
    """A layer's most active maps on both pictures, each from nothing to its own most."""
    shown: dict[str, Any] = {
        role: [
            {"channel": each["channel"], "uri": one_map(seen, layer, each["channel"])}
            for each in numbers["features"][layer][role]
        ]
        for role, seen in (("photograph", found.photograph), ("painting", found.painting))
    }
    channels = [{each["channel"] for each in maps} for maps in shown.values()]
    return {**shown, "shared": len(channels[0] & channels[1])}


def one_map(seen: Seen, layer: str, channel: int) -> str:
    """Where a detector responds."""
    values = seen.maps[layer][0, channel].clamp(min=0)
    return drawing.heat_map(values / at_least_tiny(values.max()))


def gram_maps(found: Findings, layer: str, numbers: Mapping[str, Any]) -> dict[str, str]:
    """Painting's, photograph's and result's Gram matrices on one scale, the painting's order."""
    channels = numbers["gram"][layer]["shown"]
    matrices = {
        role: figures.gram(seen.moments[layer], channels)
        for role, seen in (
            ("painting", found.painting),
            ("photograph", found.photograph),
            ("result", found.result),
        )
    }
    most = at_least_tiny(matrices["painting"].abs().max())
    both_ways = any(bool((each < -SIGNED * most).any()) for each in matrices.values())
    return {
        role: drawing.heat_map(rooted(each / most), both_ways=both_ways)
        for role, each in matrices.items()
    }


def rooted(values: Tensor) -> Tensor:
    """The square root, sign kept: the small entries of a Gram matrix are many, and show."""
    return values.sign() * values.abs().sqrt()


def at_least_tiny(value: Tensor) -> Tensor:
    """Clamp a value to something to divide by."""
    return value.clamp(min=torch.finfo(value.dtype).tiny)


def loss_lines(timeline: Mapping[str, Any]) -> list[Line]:
    """A curve for each term of the loss; what counts by relations or slices is dashed."""
    found: list[Line] = []
    layers: list[str] = []
    for name, values in timeline["terms"].items():
        dashed = " dashed" if name.endswith((" related", " sliced")) else ""
        if name == "tv":
            found.append(Line("smoothness", "ink-smooth", values))
        elif name.startswith("content"):
            found.append(Line(name, f"ink-content{dashed}", values))
        else:
            layer = name.split()[1]
            layers += [] if layer in layers else [layer]
            found.append(Line(name, f"ink-{layers.index(layer) % INKS + 1}{dashed}", values))
    return found


def loss_chart(timeline: Mapping[str, Any]) -> str:
    """The loss by layer, with a line where the picture grew."""
    grown = [each["iteration"] for each in timeline["grown"]]
    return charts.lines(loss_lines(timeline), "The loss by layer", "loss", grown)


def rate_chart(rates: Sequence[Mapping[str, Any]]) -> str:
    """The loss at each learning rate."""
    curves = [
        Line(f"{each['rate']:g}", ink, each["loss"])
        for each, ink in zip(rates, RATE_INKS, strict=True)
    ]
    return charts.lines(curves, "The loss at each learning rate", "loss")


def frames(found: Findings, timeline: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The timeline's pictures."""
    return [
        {
            "iteration": number,
            "size": f"{shot.shape[3]} × {shot.shape[2]}",
            "loss": brief(timeline["loss"][number - 1]),
            "uri": drawing.jpeg(shot),
        }
        for number, shot in sorted(found.main.shots.items())
    ]

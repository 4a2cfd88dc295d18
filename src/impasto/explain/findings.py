"""What a report found, from its runs: tensors for its pictures, and every number that it tells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from torch import Tensor

from impasto import pictures
from impasto.config import Config, Size, Weighted
from impasto.explain import figures
from impasto.explain.figures import Layer, Pulls, Slip
from impasto.explain.runs import LAYERS, RATES, Run, Study, third
from impasto.job.job import Job, network_of
from impasto.network.vgg import VGG
from impasto.transfer.evaluation import Region, look, objective_of
from impasto.transfer.losses import Features
from impasto.transfer.moments import Moments

# A learning rate is too small where the loss has come less than half of the way that the best one
# came, and slow below nine tenths; it swings where the loss rose at one iteration in six, and
# overshoots where it ever stood a tenth above the start.
SLOW, TOO_SMALL, SWINGS, OVERSHOOTS = 0.9, 0.5, 1 / 6, 1.1


@dataclass(frozen=True)
class Seen:
    """A picture and what the network sees of it at the layers in use.

    Attributes:
        pixels: (1, 3, H, W).
        maps: features by layer.
        moments: likewise, of the style layers.
    """

    pixels: Tensor
    maps: Features
    moments: Mapping[str, Moments]


@dataclass(frozen=True)
class Findings:
    """All that a page is drawn from.

    Attributes:
        job: the main one.
        name: of the painting.
        runs: by the part's name.
        layers: of the whole network.
        photograph: as the network sees it; so for the painting and the result, which is what was
            optimised and not yet recoloured.
        painting: see there.
        result: see there.
        pulls: at the result.
        slip: where the first step at the largest learning rate led, if it was taken back.
    """

    job: Job
    name: str
    runs: Mapping[str, Run]
    layers: Sequence[Layer]
    photograph: Seen
    painting: Seen
    result: Seen
    pulls: Pulls
    slip: Slip | None

    @property
    def lost(self) -> dict[str, Tensor]:
        """At the result, the content error at each position of each content layer, (h, w)."""
        found, target = self.result.maps, self.photograph.maps
        return {
            layer: figures.content_error(found[layer], target[layer])
            for layer in self.content_layers
        }

    @property
    def main(self) -> Run:
        return self.runs["main"]

    @property
    def in_use(self) -> list[str]:
        """The layers that have a say, shallow to deep."""
        return [
            name
            for each in self.layers
            for name in dict.fromkeys((each.style, each.content))
            if name
        ]

    @property
    def style_layers(self) -> list[str]:
        """The config's style layers, whether the style has a say or not."""
        return by_depth(self.job.config.style_layers)

    @property
    def content_layers(self) -> list[str]:
        """The config's content layers, whether the content has a say or not."""
        return by_depth(self.job.config.content_layers)


def by_depth(layers: Weighted) -> list[str]:
    """Names of the layers that weigh anything, shallow to deep."""
    return sorted((name for name, weight in layers if weight), key=lambda name: name[4:])


def find(parts: Sequence[Study], runs: Mapping[str, Run]) -> Findings:
    """Look at what the runs came to, in float32 on the CPU."""
    job, last = parts[0].job, parts[-1]
    network = network_of(job.backbone, job.config)
    painting = figures.painting_of(job)
    photograph = pictures.resize(job.photograph.pixels, job.size)
    pixels, visible = runs["main"].pixels, job.scene.visible_at(job.size)
    regions = [Region([(1.0, [painting])])]
    sharp = job.subject().sharp(job.size)
    objective = objective_of(network, photograph, regions, job.config, None, visible, sharp=sharp)
    looked_at = ((photograph, visible), (painting.picture(), painting.where), (pixels, visible))
    photograph_, painting_, result = (seen(network, *each, job.config) for each in looked_at)
    return Findings(
        job,
        job.scene.paintings[0].name,
        runs,
        figures.network_layers(network, job.size, job.config),
        photograph_,
        painting_,
        result,
        figures.pulls(network, objective, pixels),
        slip(last, runs[last.name], network),
    )


def seen(network: VGG, picture: Tensor, where: Tensor | None, config: Config) -> Seen:
    """What the network sees of a picture (1, 3, H, W) at the layers in use.

    Its moments are of what counts of it, ``where`` (1, 1, H, W); None is all.
    """
    content, style = by_depth(config.content_layers), by_depth(config.style_layers)
    maps, (moments,) = look(
        network, picture, None, maps=[*content, *style], moments=style, where=[where]
    )
    return Seen(picture, maps, moments)


def slip(part: Study, run: Run, network: VGG) -> Slip | None:
    """The first step of a run, if it was taken back; the run itself kept only where it began."""
    if run.first is None or not run.history[0]["rejected"]:
        return None
    return figures.first_step(network, part.job, run.first, part.config)


def numbers(found: Findings) -> dict[str, Any]:
    """Every number of the page, ready for JSON; no times, no paths."""
    job = found.job
    (height, width), (paint_height, paint_width) = job.size, found.painting.pixels.shape[2:]
    return {
        "made_by": "impasto",
        "photograph": {"name": job.photograph.name, "width": width, "height": height},
        "painting": {"name": found.name, "width": paint_width, "height": paint_height},
        "network": {
            "name": job.backbone.name,
            "source": job.backbone.source,
            "layers": [asdict(each) for each in found.layers],
        },
        "weights": dict(zip(("content", "style"), job.config.weights(), strict=True)),
        "features": {layer: features(found, layer) for layer in found.in_use},
        "gram": {layer: grams(found, layer) for layer in found.style_layers},
        "content": [content(found, layer) for layer in LAYERS],
        "style": [style(found, count) for count in range(1, len(LAYERS) + 1)],
        "timeline": timeline(found.main),
        "rates": rates([found.runs[f"rate-{rate:g}"] for rate in RATES]),
        "slip": found.slip and {"before": found.slip.before, "after": found.slip.after},
        "pulls": pulls(found),
    }


def features(found: Findings, layer: str) -> dict[str, Any]:
    """The most active channels of a layer, on photograph and painting."""
    return {
        role: [
            {"channel": channel, "mean": mean}
            for channel, mean in figures.most_active(seen.maps[layer])
        ]
        for role, seen in (("photograph", found.photograph), ("painting", found.painting))
    }


def grams(found: Findings, layer: str) -> dict[str, Any]:
    """How far photograph and result are from the painting at a style layer."""
    target = found.painting.moments[layer]
    distances = {
        role: {
            "gram": figures.gram_distance(seen.moments[layer], target),
            "wasserstein": figures.style_distance(seen.moments[layer], target),
        }
        for role, seen in (("photograph", found.photograph), ("result", found.result))
    }
    return {"channels": len(target.mean), "shown": figures.strongest(target), **distances}


def content(found: Findings, layer: str) -> dict[str, Any]:
    """What a content reconstruction came to: of the layer's variance, and in pixels."""
    run = found.runs[f"content-{layer}"]
    off = (run.pixels - found.photograph.pixels).square().mean().sqrt()
    return {
        "layer": layer,
        "iterations": len(run.history),
        "lost": run.history[-1][f"content {layer}"],
        "pixels_off": float(off),
    }


def style(found: Findings, count: int) -> dict[str, Any]:
    """What a style reconstruction came to: of the photograph's distance from the painting."""
    run = found.runs[f"style-{LAYERS[count - 1]}"]
    left = sum(loss for name, loss in run.history[-1].items() if name.startswith("style "))
    return {"layers": list(LAYERS[:count]), "iterations": len(run.history), "left": left}


def timeline(run: Run) -> dict[str, Any]:
    """The main run's losses by term, where its size changed, and which pictures were kept."""
    terms = sorted({name for row in run.history for name in row if " " in name or name == "tv"})
    sizes: list[Size] = [(row["height"], row["width"]) for row in run.history]
    grown = [
        {"iteration": number + 1, "height": size[0], "width": size[1]}
        for number, size in enumerate(sizes)
        if number and size != sizes[number - 1]
    ]
    content = [sum(v for name, v in row.items() if "content " in name) for row in run.history]
    return {
        "iterations": len(run.history),
        "content_rises": max(content) > content[0],
        "third": third(len(run.history)),
        "begins": {"height": sizes[0][0], "width": sizes[0][1]},
        "grown": grown,
        "pictures": sorted(run.shots),
        "loss": run.losses,
        "terms": {name: [row.get(name, 0.0) for row in run.history] for name in terms},
    }


def rates(runs: Sequence[Run]) -> list[dict[str, Any]]:
    """What each learning rate came to, and what to call it."""
    start = runs[0].losses[0]  # after a step that is next to none
    best = min(runs, key=lambda run: run.losses[-1])
    way = max(start - best.losses[-1], 1e-12)
    return [
        {
            "rate": rate,
            "loss": run.losses,
            "taken_back": run.taken_back,
            "rises": run.rises,
            "way": (start - run.losses[-1]) / way,
            "verdict": "best" if run is best else verdict(run, start, way),
            "stopped": run.stopped,
        }
        for rate, run in zip(RATES, runs, strict=True)
    ]


def verdict(run: Run, start: float, way: float) -> str:
    """What to call a learning rate that is not the best one.

    Args:
        run: at that rate.
        start: the loss that all began with.
        way: how far the best one came down from there.
    """
    if run.taken_back or run.stopped:
        return "explodes"
    if run.rises > SWINGS * len(run.losses):
        return "swings"
    if max(run.losses) > OVERSHOOTS * start:
        return "overshoots"
    done = (start - run.losses[-1]) / way
    return "too small" if done < TOO_SMALL else "slow" if done < SLOW else "good"


def pulls(found: Findings) -> dict[str, Any]:
    """How hard the parts of the loss pull at the result, and how much against each other."""
    pulling = found.pulls
    names = ("content", "style", "smooth")
    lengths = {name: figures.length(getattr(pulling, name)) for name in names}
    return {
        "cosine": pulling.cosine,
        "left": pulling.left,
        "length": lengths,
        "content_lost": {layer: float(error.sum()) for layer, error in found.lost.items()},
    }

"""A picture's loss and its gradient by the pixels: whole, or window by window, to the same end.

Style transfer of each tile by itself is another objective, and shows seams. Here the whole
picture's sums are taken on the way to the deep layers, and each window's gradient on the way back
is against the whole picture's loss: see walk.py.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import torch
import torch.nn.functional as nnf
from torch import Tensor

from impasto.config import Config, Size, split_layer
from impasto.pictures.color import nearest_grey
from impasto.transfer.balance import RegionTarget, objective
from impasto.transfer.borders import away_from_seams, near_borders
from impasto.transfer.descent import Point, Value
from impasto.transfer.losses import (
    DISTANCES,
    Anchor,
    Features,
    departure,
    depicted,
    total_variation,
)
from impasto.transfer.margin import widened
from impasto.transfer.moments import Moments, Sums, blend, pooled
from impasto.transfer.objective import Objective, Tally
from impasto.transfer.picked import Picked
from impasto.transfer.spreads import spread_of
from impasto.transfer.tiles import Box, positions_of
from impasto.transfer.walk import Network, blank, folded, walk

T = TypeVar("T")

Wanted = Mapping[int, Mapping[str, Moments]]
"""By the identity of a region's list of styles, and by layer, the moments that it is to have."""

ENOUGH = 2**13  # positions of a layer from which its spread is known


def point_at(network: Network, loss: Objective, x: Tensor, window_px: int | None) -> Point:
    """The loss of a picture (1, 3, H, W), term by term, and its gradient."""
    tally = Tally(loss)
    passes = walk(network, x, loss.layers, window_px, tally.add, with_graph=True)
    losses = tally.losses()
    gradient: Tensor | None = None
    while passes:  # and what is done with may go
        gradient = passes.pop().backward(tally, gradient)
    assert gradient is not None, "an objective has a layer"
    gradient = folded(gradient, (x.shape[2], x.shape[3])).contiguous()
    if loss.tv_weight:
        tv, by_x = total_variation(x, around=network.around, visible=loss.visible)
        losses["tv"] = loss.tv_weight * tv
        gradient += by_x.mul_(loss.tv_weight)
    return Point(x.detach(), losses, sum(losses.values()), gradient)


def losses_at(
    network: Network, loss: Objective, x: Tensor, window_px: int | None
) -> dict[str, float]:
    """The loss of a picture (1, 3, H, W), term by term."""
    tally = Tally(loss)
    walk(network, x, loss.layers, window_px, tally.add)
    losses = tally.losses()
    if loss.tv_weight:
        tv, _ = total_variation(x, around=network.around, visible=loss.visible)
        losses["tv"] = loss.tv_weight * tv
    return losses


@dataclass(frozen=True)
class Sample:
    """A painting at one scale, or a part of it.

    Attributes:
        picture: gives it, (1, 3, h, w): of many paintings one at a time is held.
        where: what of it counts, (1, 1, h, w) in [0, 1]; None is all.
    """

    picture: Callable[[], Tensor]
    where: Tensor | None = None


@dataclass(frozen=True)
class Region:
    """A part of the picture at one scale, and whose manner it takes.

    Attributes:
        styles: each with its weight against the others', and of one or more samples that are
            taken as one. Regions that share the very list are looked up once.
        name: '' where it is the whole.
        where: which part, (1, 1, H, W) in [0, 1]; None is all.
    """

    styles: Sequence[tuple[float, Sequence[Sample]]]
    name: str = ""
    where: Tensor | None = None

    @classmethod
    def whole(cls, painting: Tensor) -> Region:
        """The whole picture after a painting (1, 3, h, w)."""
        return cls([(1.0, [Sample(lambda: painting)])])


def regions_with(regions: Sequence[Region], margins: Size) -> list[Region]:
    """Regions of a picture with these margins, which their paintings have too.

    Those that share a list of styles go on sharing one.
    """

    def sample(each: Sample) -> Sample:
        return Sample(lambda: widened(each.picture(), margins), widened(each.where, margins))

    shared = {
        id(region.styles): [(weight, [*map(sample, several)]) for weight, several in region.styles]
        for region in regions
    }
    return [
        Region(shared[id(each.styles)], each.name, widened(each.where, margins)) for each in regions
    ]


def look(
    network: Network,
    picture: Tensor,
    window_px: int | None,
    *,
    maps: Collection[str] = (),
    moments: Collection[str] = (),
    where: Sequence[Tensor | None] = (None,),
    spreads: bool = False,
) -> tuple[Features, list[Mapping[str, Moments]]]:
    """What an objective knows of a picture, in one walk through the network.

    Args:
        network: that looks.
        picture: (1, 3, H, W).
        window_px: of a window, in pixels; None is the whole picture.
        maps: layers whose whole feature maps (1, channels, h, w) are wanted.
        moments: layers whose moments are: a mapping for each of ``where``.
        where: parts of the picture, (1, 1, H, W) in [0, 1]; None is all of it.
        spreads: whether moments are to know spreads, too.
    """
    full: Size = (picture.shape[2], picture.shape[3])
    whole: dict[str, Tensor] = {}
    parts = [at_layers(each, moments, picture) for each in where]
    sums: list[defaultdict[str, Sums]] = [defaultdict(Sums) for _ in parts]
    picked = {
        layer: Picked(positions_of(full, stride_of(layer)), ENOUGH)
        for layer in (moments if spreads else ())
    }

    def visit(layer: str, F: Tensor, box: Box) -> None:
        if layer in moments:
            for each, part in zip(sums, parts, strict=True):
                each[layer].add(F, box.cut(part[layer]) if layer in part else None)
        if layer in picked:
            picked[layer].add(F, box)
        if layer in maps:
            size = positions_of(full, stride_of(layer))
            whole.setdefault(layer, F if box.size == size else blank(F, size))
            if box.size != size:
                box.cut(whole[layer]).copy_(F)

    layers = list(dict.fromkeys([*maps, *moments]))
    walk(network, picture, layers, window_px, visit)
    return whole, [
        {
            layer: sum_.moments()._replace(spread=spread_among(picked.get(layer), part.get(layer)))
            for layer, sum_ in each.items()
        }
        for each, part in zip(sums, parts, strict=True)
    ]


def spread_among(picked: Picked | None, where: Tensor | None) -> Tensor | None:
    """The spread of a layer's picked positions, as they count; None where none is there or does."""
    if picked is None:
        return None
    weights = None if where is None else picked.at(where)
    return None if weights is not None and not weights.any() else spread_of(picked.all(), weights)


def stride_of(layer: str) -> int:
    """How many pixels lie between two of its positions."""
    return 1 << (split_layer(layer)[1] - 1)


def at_layers(where: Tensor | None, layers: Iterable[str], picture: Tensor) -> dict[str, Tensor]:
    """How far each position of each layer is in a part of the picture.

    A position stands for the pixels that are pooled into it, and counts by their mean, of which
    those beyond the picture are 0. Layers are left out whose positions all count alike.

    Args:
        where: which part, (1, 1, H, W) in [0, 1]; None is all of the picture.
        layers: by name.
        picture: (1, 3, H, W).
    """
    *_, height, width = picture.shape
    all_ = picture.new_ones(1, 1, height, width) if where is None else where
    found = {}
    for layer in layers:
        stride = stride_of(layer)
        down, across = -height % stride, -width % stride
        if where is not None or down or across:
            found[layer] = nnf.avg_pool2d(nnf.pad(all_, [0, across, 0, down]), stride)
    return found


def objective_of(
    network: Network,
    photograph: Tensor,
    regions: Sequence[Region],
    config: Config,
    window_px: int | None,
    visible: Tensor | None = None,
    wanted: Wanted | None = None,
    sharp: float = 1.0,
) -> Objective:
    """The loss at one scale, from the photograph (1, 3, H, W) and the paintings at that scale.

    Where the photograph is not ``visible``, (1, 1, H, W) in [0, 1], nothing of it counts.
    ``wanted`` is what the paintings were found to have; None is looked at here. Of the content as
    much counts as the photograph is ``sharp``: an enlarged one asks for its blur to be kept. The
    paper's sums know nothing of that.
    """
    style = [layer for layer, _ in config.style_layers]
    content = [layer for layer, _ in config.content_layers]
    where = [both(region.where, visible) for region in regions]
    maps, found = look(
        network,
        photograph,
        window_px,
        maps=content,
        moments=style,
        where=where,
        spreads=config.slices > 0,
    )
    if wanted is None:
        wanted = wanted_of(network, regions, config, window_px)
    parts = [
        RegionTarget(
            region.name,
            1.0 if region.where is None else share_of(region.where, visible),
            at_layers(part, style, photograph),
            moments,
            wanted[id(region.styles)],
        )
        for region, part, moments in zip(regions, where, found, strict=True)
    ]
    shares = content_weights(visible, photograph, config)
    counted = content_weights(both(kept_of(photograph, config), visible), photograph, config)
    depicts = depicted(photograph, visible) * (1.0 if config.units == "sums" else sharp)
    return replace(objective(maps, parts, config, shares, counted, depicts), visible=visible)


def wanted_of(
    network: Network, regions: Sequence[Region], config: Config, window_px: int | None
) -> Wanted:
    """What the paintings of regions have, each list of them looked at once."""
    paintings = network.bordered()
    styles = {id(each.styles): each for each in regions}
    return {key: style_of(paintings, each, config, window_px) for key, each in styles.items()}


def both(one: Tensor | None, other: Tensor | None) -> Tensor | None:
    """Where both are, (1, 1, H, W) in [0, 1]; None is everywhere."""
    if one is None or other is None:
        return other if one is None else one
    return one * other


def share_of(where: Tensor, visible: Tensor | None) -> float:
    """The fraction of the visible picture that a region fills, by area."""
    if visible is None:
        return float(where.mean())
    return float((where * visible).sum() / visible.sum())


def kept_of(photograph: Tensor, config: Config) -> Tensor | None:
    """Which part of a photograph is kept: of a tile's, what is away from its seams; None is all."""
    return away_from_seams(photograph, config.around) if config.tileable else None


def content_weights(
    where: Tensor | None, photograph: Tensor, config: Config
) -> Mapping[str, Tensor]:
    """By content layer, how much each position counts in the content, (1, 1, h, w).

    As far as it is in a part of the photograph, (1, 1, H, W) in [0, 1], or None, all of it; and
    less near borders, but in the paper's sums and with its edges. Without a layer all of its
    positions count.
    """
    layers = [layer for layer, _ in config.content_layers]
    counted = at_layers(where, layers, photograph)
    if config.units == "sums" or config.edges != "replicate":
        return counted
    full = (photograph.shape[2], photograph.shape[3])
    for layer in layers:
        size = positions_of(full, stride_of(layer))
        weights = near_borders(size, config.around, photograph)
        counted[layer] = weights * counted[layer] if layer in counted else weights
    return counted


def style_of(
    network: Network, region: Region, config: Config, window_px: int | None
) -> Mapping[str, Moments]:
    """By style layer, the moments that a region is to have."""
    layers = [layer for layer, _ in config.style_layers]
    seen = [
        (weight, [sampled(network, sample, config, window_px) for sample in samples])
        for weight, samples in region.styles
    ]
    return {
        layer: blend(
            [(weight, pooled([each[layer] for each in several])) for weight, several in seen],
            DISTANCES[config.distance].between,
        )
        for layer in layers
    }


def sampled(
    network: Network, sample: Sample, config: Config, window_px: int | None
) -> Mapping[str, Moments]:
    """A painting's moments at the style layers."""
    _, (found,) = look(
        network,
        sample.picture(),
        window_px,
        moments=[layer for layer, _ in config.style_layers],
        where=[sample.where],
        spreads=config.slices > 0,
    )
    return found


class Evaluator:
    """The function to minimise at one scale.

    Args:
        network: whose features are compared.
        photograph: (1, 3, H, W), at this scale.
        regions: of the picture, likewise, each with its style.
        config: layers, losses and their weights.
        window_px: of a window, in pixels; None is the whole picture.
        preserve: where the picture stays the photograph, (1, 1, H, W) in [0, 1]; None is nowhere.
        visible: where it counts, likewise; None is everywhere.
        grey: whether what is looked at is the nearest grey picture.
        wanted: as in ``objective_of``.
        sharp: likewise.
        anchor: where the picture comes from, if it does.
    """

    def __init__(
        self,
        network: Network,
        photograph: Tensor,
        regions: Sequence[Region],
        config: Config,
        window_px: int | None = None,
        preserve: Tensor | None = None,
        visible: Tensor | None = None,
        grey: bool = False,
        wanted: Wanted | None = None,
        sharp: float = 1.0,
        anchor: Anchor | None = None,
    ) -> None:
        self.network = network.going_around(config.around) if config.tileable else network
        self.window_px = window_px
        # Pictures that stay as they are where a mask says so, the last over those before it.
        self.kept = [] if anchor is None else [(anchor.picture, anchor.held)]
        self.kept += [] if preserve is None else [(photograph, preserve)]
        self.grey, self.anchor = grey, anchor
        self.objective = objective_of(
            self.network, photograph, regions, config, window_px, visible, wanted, sharp
        )

    def __call__(self, x: Tensor) -> Point:
        shown = self._shown(x)
        point = point_at(self.network, self.objective, shown, self.window_px)
        gradient, losses = point.gradient, dict(point.losses)
        if self.anchor is not None:
            gone, by_shown = departure(shown, self.anchor)
            losses["departure"] = self.anchor.weight * gone
            gradient = gradient.add(by_shown, alpha=self.anchor.weight)
        for _, where in self.kept:
            gradient = gradient * (1 - where)
        if self.grey:
            gradient = nearest_grey(gradient)
        return Point(x.detach(), losses, sum(losses.values()), gradient)

    def value(self, x: Tensor) -> Value:
        """The loss alone, forward through the network and not back."""
        shown = self._shown(x)
        losses = losses_at(self.network, self.objective, shown, self.window_px)
        if self.anchor is not None:
            losses["departure"] = self.anchor.weight * departure(shown, self.anchor)[0]
        return Value(x.detach(), sum(losses.values()))

    def _shown(self, x: Tensor) -> Tensor:
        """What the network sees: grey, or with what is kept, where that is asked for."""
        shown = nearest_grey(x) if self.grey else x
        for picture, where in self.kept:
            shown = torch.lerp(shown, picture, where)
        return shown


def ran_out_of_memory(error: BaseException) -> bool:
    """Whether that is what it says; torch has no one class for it."""
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or bool(
        re.search("out of memory|allocate memory", str(error))
    )


def free_cached() -> None:
    """Give a GPU's cached blocks back, so that smaller ones can be had."""
    if torch.cuda.is_available():
        torch.cuda.empty_cache()

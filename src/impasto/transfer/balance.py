"""How much each term counts: content against style, layer against layer, region against region."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TypeVar

from torch import Tensor

from impasto.config import CONTENT_AT_HALF, Config
from impasto.transfer.losses import (
    DISTANCES,
    LEAST_GAP,
    Content,
    Features,
    Style,
    at_least,
    variation,
)
from impasto.transfer.moments import Moments
from impasto.transfer.objective import Objective, Term
from impasto.transfer.relations import Relations
from impasto.transfer.slices import Slices, Transport
from impasto.transfer.spreads import apart

NOWHERE_LESS: Mapping[str, Tensor] = MappingProxyType({})


@dataclass(frozen=True)
class RegionTarget:
    """A region of the picture, or the whole, and the manner that it is to have.

    Attributes:
        name: of the region; '' for the whole.
        share: of the picture, as far as it is visible, that it fills, by area.
        where: by style layer, how far each position is in it, (1, 1, h, w); without it, wholly.
        photograph: what is there now: the photograph's moments by style layer.
        painting: what is to be there.
    """

    name: str
    share: float
    where: Mapping[str, Tensor]
    photograph: Mapping[str, Moments]
    painting: Mapping[str, Moments]

    def styles(self, config: Config) -> list[tuple[Style, float]]:
        """A term for each style layer that weighs anything and has positions in it, by its moments;
        and what it is at the photograph.
        """
        distance = DISTANCES[config.distance]
        measure = distance.printed if config.units == "sums" else distance.relative
        found = []
        for layer, weight, before, goal in self._layers(config):
            term = Style(layer, weight, measure(goal), self.name, self.where.get(layer))
            found.append((term, float(weight * term.distance(before))))
        return found

    def slices(self, config: Config) -> list[tuple[Slices, float]]:
        """Likewise, by its spread; in units of the painting's variance too."""
        found = []
        for layer, weight, before, goal in self._layers(config):
            if before.spread is None or goal.spread is None:
                continue
            unit = at_least(goal.covariance.trace(), goal.mean.square().sum()) / len(goal.mean)
            factor = weight / float(unit)
            way = Transport.between(before.spread, goal.spread)
            term = Slices(layer, factor, way, self.name, self.where.get(layer))
            found.append((term, factor * apart(before.spread, goal.spread)))
        return found

    def _layers(self, config: Config) -> Iterator[tuple[str, float, Moments, Moments]]:
        """Each with its weight, and the moments that it has and that it is to have."""
        for layer, weight in config.style_layers:
            before, goal = self.photograph[layer], self.painting[layer]
            if weight != 0 and before.positions and goal.positions:  # not a number counts: it shows
                yield layer, weight, before, goal


def objective(
    content: Features,
    parts: Sequence[RegionTarget],
    config: Config,
    shares: Mapping[str, Tensor] = NOWHERE_LESS,
    where: Mapping[str, Tensor] = NOWHERE_LESS,
    depicts: float = 1.0,
) -> Objective:
    """The loss that config asks for, from what the network sees of the pictures.

    In sums it is the paper's: alpha J_content + beta J_style, sums as printed (so that a
    region counts by the square of its area). In fractions it departs from the paper: content and
    style, by features or relations, by moments or slices, are all fractions (of the photograph's
    variance lost; of the distance from photograph to painting left, in each region by itself, and
    counted by its area), so that one strength means the same balance at every size, layer set,
    network, pair and region. What depicts nothing has no content to lose: the style takes it all.

    Args:
        content: the photograph's features at config's content layers.
        parts: of the picture, each with its style.
        config: distance, slices, relations, layers, units, strength, alpha, beta and tv_weight are
            read.
        shares: by content layer, how much of each position is of the picture, and counts in the
            photograph's variance; without it, all.
        where: likewise, how much each position counts; without it, its share.
        depicts: as ``depicted`` says of the photograph. It counts where content is balanced with
            style: not with an alpha in the paper's units, nor alone.
    """
    sums = config.units == "sums"
    variations = {layer: variation(content[layer], shares.get(layer)) for layer in content}
    counted = {layer: where.get(layer, shares.get(layer)) for layer in content}
    terms_of = _paper_terms if sums else _balanced_terms
    terms = terms_of(content, variations, counted, parts, config, depicts)
    smooth = config.tv_weight * (1.0 if sums else config.weights()[1])
    return Objective(tuple(terms), smooth)


def _paper_terms(
    content: Features,
    variations: Mapping[str, float],
    counted: Mapping[str, Tensor | None],
    parts: Sequence[RegionTarget],
    config: Config,
    depicts: float,
) -> list[Term]:
    styles = [each for part in parts for each in part.styles(config)]
    alpha = config.alpha
    if alpha is None:  # the balance of strength 0.5, in the paper's units
        whole = sum(w * variations[layer] / 2 for layer, w in config.content_layers)
        style = config.beta * sum(value for _, value in styles)
        alpha = depicts * CONTENT_AT_HALF * style / whole
    factors = {layer: alpha / 2 * weight for layer, weight in config.content_layers}
    return [*_contents(content, factors, counted), *weighted(styles, config.beta)]


def _balanced_terms(
    content: Features,
    variations: Mapping[str, float],
    counted: Mapping[str, Tensor | None],
    parts: Sequence[RegionTarget],
    config: Config,
    depicts: float,
) -> list[Term]:
    alpha, beta = config.weights()
    if beta:
        alpha *= depicts
    content_total = sum(weight for _, weight in config.content_layers)
    shares = {layer: alpha * weight / content_total for layer, weight in config.content_layers}
    kept = 1 - config.relations
    factors = {layer: kept * share / variations[layer] for layer, share in shares.items()}
    terms: list[Term] = [*_contents(content, factors, counted)]
    if config.relations:
        terms += [
            Relations.of(layer, config.relations * share, content[layer], counted[layer])
            for layer, share in shares.items()
            if share
        ]
    for part in parts:
        own = beta * part.share
        if config.slices < 1:
            terms += as_fraction(part.styles(config), own * (1 - config.slices), config)
        if config.slices:
            terms += as_fraction(part.slices(config), own * config.slices, config)
    return terms


Styled = TypeVar("Styled", Style, Slices)


def as_fraction(
    terms: Sequence[tuple[Styled, float]], factor: float, config: Config
) -> list[Styled]:
    """Terms that together are the factor where the picture is the photograph, and 0 at their goal.

    Each is given with what it is there. Of a photograph that is all but there already it is less.
    """
    least = LEAST_GAP * sum(weight for _, weight in config.style_layers)
    return weighted(terms, factor / max(sum(value for _, value in terms), least))


def weighted(terms: Iterable[tuple[Styled, float]], factor: float) -> list[Styled]:
    """Weigh terms by a factor, and leave out those that then weigh nothing."""
    scaled = [replace(term, weight=term.weight * factor) for term, _ in terms]
    return [term for term in scaled if term.weight != 0]


def _contents(
    features: Features, factors: Mapping[str, float], counted: Mapping[str, Tensor | None]
) -> list[Content]:
    """A term for each content layer that weighs anything."""
    return [
        Content(layer, weight, features[layer], counted[layer])
        for layer, weight in factors.items()
        if weight != 0
    ]

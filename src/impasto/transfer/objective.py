"""The whole loss: terms of layers, each a function of sums over the positions of its features.

So feature maps may come in parts (``Tally.add``), and once all have been seen each part's gradient
is known (``Tally.add_gradient``): a picture of any size can be walked through twice in windows, and
its loss and gradient are still those of the whole.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

from impasto.transfer.tiles import Box


class Counting(Protocol):
    """One evaluation of a term: its layer's features come in, part by part; then the loss is known;
    then gradients by the parts go out, in place.
    """

    def add(self, F: Tensor, box: Box) -> None: ...

    def loss(self) -> float: ...

    def add_gradient(self, total: Tensor, F: Tensor, box: Box) -> None: ...


class Term(Protocol):
    """A layer's part of the loss, by name, with its weight in it."""

    @property
    def name(self) -> str: ...

    @property
    def layer(self) -> str: ...

    @property
    def weight(self) -> float: ...

    def begin(self) -> Counting: ...


@dataclass(frozen=True)
class Objective:
    """The whole loss: layers' terms and total variation, by name. Their sum is J.

    Attributes:
        terms: of layers.
        tv_weight: factor of the total variation.
        visible: how much each pixel counts in it, (1, 1, H, W); None is all alike.
    """

    terms: tuple[Term, ...]
    tv_weight: float
    visible: Tensor | None = None

    @property
    def layers(self) -> tuple[str, ...]:
        return tuple({term.layer: None for term in self.terms})


class Tally:
    """One evaluation of an objective: features come in, part by part; then gradients go out."""

    def __init__(self, objective: Objective) -> None:
        self.counting = [(term, term.begin()) for term in objective.terms]

    def add(self, layer: str, F: Tensor, box: Box) -> None:
        """Count a part of a layer's features: those in the box, in positions of the layer."""
        for term, counting in self.counting:
            if term.layer == layer:
                counting.add(F, box)

    def losses(self) -> dict[str, float]:
        """Each term's weighted loss, once all features have been added."""
        return {term.name: counting.loss() for term, counting in self.counting}

    def add_gradient(self, total: Tensor, layer: str, F: Tensor, box: Box) -> None:
        """Add the loss's gradient by a part of a layer's features, in place, after ``losses``."""
        for term, counting in self.counting:
            if term.layer == layer:
                counting.add_gradient(total, F, box)

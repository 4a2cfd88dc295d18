"""A picture that comes from another: the next frame of a film, a few iterations from the last.

Ruder, Dosovitskiy & Brox 2016. What can be trusted to come from the last frame is held near it by
a term of the loss; what stands still is held exactly; what is new starts from the photograph.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache, partial

import torch
from torch import Tensor

from impasto.config import Config
from impasto.transfer.descent import State
from impasto.transfer.evaluation import Evaluator, Region, Wanted, wanted_of
from impasto.transfer.losses import Anchor
from impasto.transfer.optimize import Descent
from impasto.transfer.walk import Network


@dataclass(frozen=True)
class Seen:
    """A frame as it was photographed.

    Attributes:
        photograph: (1, 3, H, W), sRGB in [0, 1].
        preserve: where the result stays the photograph, (1, 1, H, W) in [0, 1]; None is nowhere.
        where: by region, which part of the frame it is, likewise; None is all.
    """

    photograph: Tensor
    preserve: Tensor | None
    where: Sequence[Tensor | None]


class Follower:
    """Paints frames, each from where the last one's things are now.

    Paintings are looked at once. Nothing is remembered from frame to frame but what it was given,
    so that a film which is gone on with has the frames of one that nothing stopped.

    Args:
        network: that looks.
        regions: of the frames, whose ``where`` each frame replaces.
        config: layers, losses, optimiser.
        known: the state of the minimiser that ended at the first frame: where curvature is, and
            how long a step is, is about the same for all frames of a shot.
        grey: whether frames are to be grey.
        window_px: of a window, in pixels; None is whole frames.
    """

    def __init__(
        self,
        network: Network,
        regions: Sequence[Region],
        config: Config,
        known: State,
        *,
        grey: bool = False,
        window_px: int | None = None,
    ) -> None:
        self.network, self.regions = network, regions
        self.known, self.grey, self.window_px = known, grey, window_px
        self.wanted: Wanted = wanted_of(network, regions, config, window_px)

    def paint(
        self, seen: Seen, start: Tensor, anchor: Anchor, iterations: int, config: Config
    ) -> Tensor:
        """The frame, (1, 3, H, W), this many iterations from where it starts.

        Args:
            seen: the frame as it was photographed.
            start: (1, 3, H, W), where the picture begins.
            anchor: where it comes from.
            iterations: at least 1.
            config: weights of content and style, which may differ from frame to frame.
        """
        # The last step asks the one of those before it: what it knows of the frame took a look.
        evaluate = lru_cache(1)(partial(self._evaluator, seen, anchor, config))
        descent = Descent(evaluate, start, config, self.known, begun=False)
        for _ in range(iterations - 1):
            descent.step(self.window_px)
            self.window_px = descent.window_px  # smaller, where memory ran out
        x = descent.end(self.window_px, lambda window_px: evaluate(window_px).value)
        self.window_px = descent.window_px
        return torch.lerp(x, anchor.picture, anchor.held)

    def _evaluator(
        self, seen: Seen, anchor: Anchor, config: Config, window_px: int | None
    ) -> Evaluator:
        regions = [
            Region(each.styles, each.name, where)
            for each, where in zip(self.regions, seen.where, strict=True)
        ]
        return Evaluator(
            self.network,
            seen.photograph,
            regions,
            config,
            window_px,
            seen.preserve,
            grey=self.grey,
            wanted=self.wanted,
            anchor=anchor,
        )

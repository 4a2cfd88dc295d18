"""What measures say of picture files: where files and metrics meet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from impasto import pictures
from impasto.config import SEAMLESS_PX, Config, Size, scale_size
from impasto.errors import PictureError
from impasto.measure.metrics import Measures, measure
from impasto.modes import own_modes
from impasto.network import weights
from impasto.network.vgg import VGG
from impasto.pictures import Picture, PictureSource, styles

# Longer side at which pictures are measured. LPIPS was made for small pictures, and a sum over a
# larger one says little more.
LARGEST_PX = 1024
ASPECT_SLACK = 0.02  # between a picture and its photograph: what rounding to pixels may make


@dataclass(frozen=True)
class Appraisal:
    """What was measured of one picture.

    Attributes:
        name: the file's.
        size: (height, width) at which it was measured.
        measures: the numbers.
        optimised: the style layers that its recipe says it was made with; the default's without.
        notes: what a person should know of how the pictures were read.
    """

    name: str
    size: Size
    measures: Measures
    optimised: tuple[str, ...]
    notes: tuple[str, ...] = ()


class Appraiser:
    """Measures pictures against one photograph and one painting, each of which may be left out.

    Args:
        content: the photograph, as `stylize` takes it.
        style: the painting, or a built-in style's name.
        size: longer side at which pictures are measured; smaller ones at their own.

    Raises:
        PictureError: one that can't be read.
    """

    @own_modes()
    def __init__(
        self,
        content: PictureSource | None = None,
        style: PictureSource | None = None,
        *,
        size: int = LARGEST_PX,
    ) -> None:
        self.photograph = (
            None if content is None else pictures.load(content, "photograph", size).filled()
        )
        source = styles.find(style) if isinstance(style, str) else style
        self.painting = None
        if source is not None:
            self.painting = pictures.load(source, "painting", size).filled().trimmed()
        self.longest = size
        found, heads = weights.perceptual()
        self.network, self.heads = VGG(found.state), heads

    @own_modes()
    def __call__(self, source: PictureSource) -> Appraisal:
        """The appraisal of one picture.

        Raises:
            PictureError: it can't be read, or is not of the photograph's shape.
        """
        picture = pictures.load(source, "picture", self.longest).filled()
        size = at_most(picture.size, self.longest)
        pictures.check_sides(size, f"picture '{picture.name}' at {self.longest} px")
        photograph = painting = shown = None
        if self.photograph is not None:
            check_shape(picture, self.photograph, is_tile(source))
            photograph = self.photograph.at(size)
        if self.painting is not None:
            share = min(each.visible_share for each in (picture, self.photograph) if each)
            painting, shown = self._painting(max(size) * share)
        pixels, visible = picture.at(size), self._visible(picture, size)
        seen = {"visible": visible, "painting_visible": shown}
        measures = measure(self.network, self.heads, pixels, photograph, painting, **seen)
        read = [each for each in (picture, self.photograph, self.painting) if each]
        notes = tuple(note for each in read for note in each.notes)
        return Appraisal(picture.name, size, measures, optimised_layers(source), notes)

    def _visible(self, picture: Picture, size: Size) -> Tensor | None:
        """Where picture and photograph are to be seen, at this (height, width); None is all."""
        alphas = [
            pictures.resize(each.alpha, size)
            for each in (picture, self.photograph)
            if each is not None and each.alpha is not None
        ]
        return torch.stack(alphas).amin(0) if alphas else None

    def _painting(self, longer: float) -> tuple[Tensor, Tensor | None]:
        """The painting for pictures whose longer visible side is ``longer`` px, and its alpha."""
        assert self.painting is not None
        height, width = self.painting.size
        factor = max(
            min(1.0, pictures.strokes_factor((height, width), longer)),
            pictures.MIN_SIDE_PX / min(height, width),
        )
        size, alpha = scale_size((height, width), factor), self.painting.alpha
        return self.painting.at(size), None if alpha is None else pictures.resize(alpha, size)


def at_most(size: Size, longer: int) -> Size:
    """(height, width) with no longer side than that, of the same aspect."""
    return size if max(size) <= longer else pictures.fit(size, longer)


def check_shape(picture: Picture, photograph: Picture, tile: bool) -> None:
    """Raise a PictureError where one is not the other repainted: their aspects differ.

    A tile's sides have been rounded.
    """
    aspects = [width / height for height, width in (picture.size, photograph.size)]
    if abs(aspects[0] / aspects[1] - 1) > ASPECT_SLACK + (SEAMLESS_PX if tile else 1) / min(
        picture.size
    ):
        shapes = [f"{width} x {height} px" for height, width in (picture.size, photograph.size)]
        raise PictureError(
            f"picture '{picture.name}' is {shapes[0]}, its photograph {shapes[1]}",
            "the same shape is wanted, at any size",
            "give the photograph that it was made from",
        )


def is_tile(source: PictureSource) -> bool:
    """Whether its recipe says that a picture is one."""
    if not isinstance(source, str | Path):
        return False
    try:
        recipe: Mapping[str, Any] = pictures.read_recipe(source)
        return bool(recipe["settings"]["tileable"])
    except (PictureError, LookupError, TypeError):
        return False


def optimised_layers(source: PictureSource) -> tuple[str, ...]:
    """The style layers in a picture's recipe; the default preset's where there is none to read."""
    default = tuple(layer for layer, _ in Config().style_layers)  # none of which weighs nothing
    if not isinstance(source, str | Path):
        return default
    try:
        recipe: Mapping[str, Any] = pictures.read_recipe(source)
        settings = recipe["settings"]
        layers: Sequence[tuple[str, float]] = settings["style_layers"]
        return tuple(str(name) for name, weight in layers if weight)
    except (PictureError, LookupError, TypeError, ValueError):
        return default

"""Which pictures a job is about: the photograph, and which part of it takes whose manner.

All of it is loaded and checked by casting.py; here it becomes a Subject for the loop, which gives
each picture at whatever size a scale asks for.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TypedDict

import torch
from torch import Tensor

from impasto import pictures
from impasto.config import PHOTO, Config, Size, scale_size
from impasto.job.recipe import Inputs
from impasto.network.vgg import minimum_side_px
from impasto.pictures import Picture, masks
from impasto.pictures.masks import Key
from impasto.transfer.evaluation import Region, Sample, both
from impasto.transfer.losses import depicted
from impasto.transfer.optimize import Sized, Subject

# Of noise in the start at a photograph that is flat: from one where all places are alike, the
# style's gradient is alike too, and strokes would grow from the borders only. With 0.1 and 0.3 the
# loss ends lowest; with 0 and 1 higher.
GRAIN = 0.3


class Extent(TypedDict):
    """How many regions there are, and whether something stays as photographed."""

    regions: int
    preserve: bool


@dataclass(frozen=True)
class Painting:
    """A style: a picture, or those of a folder, taken as one.

    Attributes:
        name: the file's, or the folder's.
        pictures: one or more.
        scale: size of its strokes, as ``Config.style_scale`` (less where little of the photograph
            is visible).
        weight: against the other paintings'.
        parts: what of it each colour or label of its mask names, (1, 1, H, W); {} without a mask.
    """

    name: str
    pictures: tuple[Picture, ...]
    scale: float = 1.0
    weight: float = 1.0
    parts: Mapping[Key, Tensor] = field(default_factory=dict)

    @property
    def sha256(self) -> str:
        """The file's, or that of all the folder's files' ones, in their order."""
        if len(self.pictures) == 1:
            return self.pictures[0].sha256
        return joined_sha256(picture.sha256 for picture in self.pictures)


@dataclass(frozen=True)
class Area:
    """A part of the photograph and whose manner it takes.

    Attributes:
        styles: paintings.
        name: of its colour; '' where it is all.
        where: which part, (1, 1, H, W) of the photograph's size; None is all.
        colour: of the mask, and which part of those paintings that have one; None is no mask.
    """

    styles: tuple[Painting, ...]
    name: str = ""
    where: Tensor | None = None
    colour: Key | None = None


@dataclass(frozen=True)
class Scene:
    """All pictures of a job.

    Attributes:
        photograph: what is repainted, as the network is to see it.
        areas: of it, with their paintings.
        start: what the optimisation starts from, where it is a picture of its own.
        original: the photograph as it was given, where the result takes something of it.
        preserve: where the result is the photograph, (1, 1, H, W); None is nowhere.
        preserved: the mask's colours or labels of that.
        own_colours: whether only the luminance is repainted, and the colours are the original's.
        grey: whether all that is painted is grey, and so the result.
        inputs: the files that they are from.
        regions: whose manner each colour of the mask takes, by name; None where it is kept.
    """

    photograph: Picture
    areas: tuple[Area, ...]
    start: Picture | None = None
    original: Picture | None = None
    preserve: Tensor | None = None
    preserved: tuple[Key, ...] = ()
    own_colours: bool = False
    grey: bool = False
    inputs: Inputs = field(default_factory=Inputs)
    regions: Mapping[str, str | None] = field(default_factory=dict)

    @property
    def paintings(self) -> list[Painting]:
        """Each one once."""
        found = {id(each): each for area in self.areas for each in area.styles}
        return list(found.values())

    @property
    def keys(self) -> list[Key]:
        """The colours or labels of its mask's regions."""
        return [*(a.colour for a in self.areas if a.colour is not None), *self.preserved]

    @property
    def manner(self) -> str:
        """Whose it is to have, in words."""
        if not self.regions:
            return " and ".join(painting.name for painting in self.paintings)
        return ", ".join(f"{name or PHOTO} ({region})" for region, name in self.regions.items())

    @property
    def sizes(self) -> list[Size]:
        """The (height, width) of each picture that is held."""
        given = [self.photograph, self.start, self.original]
        given += [picture for painting in self.paintings for picture in painting.pictures]
        return [picture.size for picture in {id(each): each for each in given}.values() if picture]

    @property
    def notes(self) -> list[str]:
        """What a person should know of how its pictures were read, each once."""
        given = [self.photograph, self.start]
        given += [picture for painting in self.paintings for picture in painting.pictures]
        return list(dict.fromkeys(note for each in given if each for note in each.notes))

    @property
    def extent(self) -> Extent:
        """What masks add to the work."""
        regions = sum(area.where is not None for area in self.areas)
        if self.photograph.alpha is not None:  # a mask too
            regions = max(1, regions)
        return {"regions": regions, "preserve": self.preserve is not None}

    def subject(self, size: Size, config: Config, device: torch.device) -> Subject:
        """The scene for the loop.

        Args:
            size: (height, width) of the result.
            config: start, seed, sizes and layers are read.
            device: where the pictures are wanted.
        """
        photograph = sized(self.photograph.pixels.to(device))

        def regions(scale: Size) -> list[Region]:
            return self._regions(scale, size, config, device)

        def preserve(scale: Size) -> Tensor | None:
            return self.preserved_at(scale, device)

        def visible(scale: Size) -> Tensor | None:
            return self.visible_at(scale, device)

        start, detail = self._start(photograph, config, device)
        noise = self.start is None and config.start == "noise"
        known_px = max(self.photograph.size)
        return Subject(
            photograph, regions, start, detail, preserve, visible, self.grey, noise, known_px
        )

    def _start(
        self, photograph: Sized, config: Config, device: torch.device
    ) -> tuple[Sized, Sized | None]:
        """What the optimisation starts from, and the picture whose detail finer scales add."""

        def noise(scale: Size) -> Tensor:
            grain = noise_of(scale, config.seed, 1 if self.grey else 3).to(device)
            return grain.expand(-1, 3, -1, -1).contiguous()

        def grained(scale: Size) -> Tensor:
            picture = photograph(scale)
            _, style = config.weights()
            flat = 1 - depicted(picture, self.visible_at(scale, device)) if style else 0
            return torch.lerp(picture, noise(scale), GRAIN * flat) if flat else picture

        if self.start is not None:
            start = sized(self.start.pixels.to(device))
            return start, start
        if "noise" not in config.start:
            return grained, photograph
        by_content = "content" in config.start
        return lambda scale: noise(scale) * (photograph(scale) if by_content else 1), None

    def with_paintings(self, change: Callable[[Painting], Painting]) -> Scene:
        """The same with each painting changed."""
        new = {id(painting): change(painting) for painting in self.paintings}
        areas = [replace(a, styles=tuple(new[id(each)] for each in a.styles)) for a in self.areas]
        return replace(self, areas=tuple(areas))

    def with_pixels(self, photograph: Tensor, repaint: Callable[[Picture], Tensor]) -> Scene:
        """The same with the photograph's pixels replaced, and those of each painting's pictures."""

        def changed(painting: Painting) -> Painting:
            new = [replace(picture, pixels=repaint(picture)) for picture in painting.pictures]
            return replace(painting, pictures=tuple(new))

        scene = self.with_paintings(changed)
        return replace(scene, photograph=replace(self.photograph, pixels=photograph))

    def preserved_at(self, size: Size, device: torch.device | str = "cpu") -> Tensor | None:
        """Where the result of this (height, width) is the photograph, edges soft; or None."""
        return None if self.preserve is None else region_at(self.preserve, size).to(device)

    def visible_at(self, size: Size, device: torch.device | str = "cpu") -> Tensor | None:
        """The photograph's alpha at this (height, width); None where all of it is opaque."""
        alpha = self.photograph.alpha
        return None if alpha is None else pictures.resize(alpha, size).to(device)

    def _regions(
        self, scale: Size, final: Size, config: Config, device: torch.device
    ) -> list[Region]:
        """The areas at one scale; those with the same paintings share one list of styles."""
        shared: dict[object, list[tuple[float, list[Sample]]]] = {}
        found = []
        for area in self.areas:
            parted = area.colour if any(each.parts for each in area.styles) else None
            key = (*map(id, area.styles), parted)
            if key not in shared:
                shared[key] = [
                    (
                        each.weight,
                        [moved(s, device) for s in samples(each, parted, scale, final, config)],
                    )
                    for each in area.styles
                ]
            where = None if area.where is None else region_at(area.where, scale).to(device)
            found.append(Region(shared[key], area.name, where))
        return found


def samples(
    painting: Painting, colour: Key | None, scale: Size, final: Size, config: Config
) -> Iterator[Sample]:
    """A painting's pictures, or the part of it that has a colour, as one scale compares them.

    Only what is visible of them counts.
    """
    part = painting.parts[colour] if colour is not None and painting.parts else None
    for picture in painting.pictures:
        size = painting_size(scale, final, picture.size, config, painting.scale)
        where = both(part, picture.alpha)
        where = None if where is None else pictures.resize(where, size)
        yield Sample(partial(pictures.resize, picture.pixels, size), where)


def moved(sample: Sample, device: torch.device) -> Sample:
    """Move a sample to a device."""
    where = None if sample.where is None else sample.where.to(device)
    return Sample(lambda: sample.picture().to(device), where)


def region_at(where: Tensor, size: Size) -> Tensor:
    """A region at this (height, width), with soft edges."""
    return masks.feathered(pictures.resize(where, size))


def noise_of(size: Size, seed: int, channels: int = 3) -> Tensor:
    """Noise of this (height, width), even in [0, 1]: from the CPU, so the same on every device."""
    generator = torch.Generator("cpu").manual_seed(seed)
    shape = (1, channels, *size)
    return torch.rand(shape, generator=generator, dtype=torch.float32, device="cpu")


def sized(picture: Tensor) -> Sized:
    """The picture at whatever size is asked for."""
    return lambda size: pictures.resize(picture, size)


def painting_size(
    scale: Size, final: Size, painting: Size, config: Config, style_scale: float
) -> Size:
    """(height, width) at which a painting is compared at one scale; its aspect is kept.

    Its longer side is the photograph's, times ``style_scale``, unless it is so long that its
    strokes would be lost: see `pictures.strokes_factor`. Or it is ``style_size`` at the last
    scale, whatever its shape. It is never enlarged, which would add blur and no strokes, unless
    the network's deepest layer would see nothing of it.
    """
    fraction = max(scale) / max(final)
    if config.style_size:
        factor = config.style_size * fraction / max(painting)
    else:
        factor = pictures.strokes_factor(painting, max(final) * style_scale * fraction)
    factor = min(1.0, factor)
    smallest = minimum_side_px(layer for layer, _ in config.style_layers)
    return scale_size(painting, max(factor, smallest / min(painting)))


def joined_sha256(checksums: Iterable[str]) -> str:
    """One checksum of several, in their order."""
    return hashlib.sha256(" ".join(checksums).encode()).hexdigest()

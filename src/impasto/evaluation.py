"""A picture's loss and its gradient by the pixels: at once, or window by window, to the same end.

Style transfer of each tile by itself is another objective, and shows seams. Here a picture too
large for the memory is walked through twice. On the way to the deep layers only the small maps
between the network's stages are kept, and a bit for each feature behind a stage's last layer, and
the whole picture's sums are taken; on the way back each window is computed again as far as that
layer, with gradients, against the whole picture's loss. A window sees what its own positions depend
on, so nothing is approximated.
"""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Protocol, TypeVar

import torch
import torch.nn.functional as nnf
from torch import Tensor

from impasto.config import Config, Size, split_layer
from impasto.descent import Point
from impasto.losses import Features, Objective, Part, Tally, objective, total_variation
from impasto.moments import Moments, Sums, blend, pooled
from impasto.tiles import Box, Window, windows

Visit = Callable[[str, Tensor, Box], None]  # a layer, a part of its features, and which part
T = TypeVar("T")

# Of a stage's input position; a stage that makes more takes smaller windows. The first stage's, so
# that a window's side is in pixels there.
REFERENCE_FLOATS = 192.0
TILE_MARGIN = 0.1  # of a tile's side: nearer to the border a photograph counts less and less
SMALLEST_SIDE_PX = 64  # of a window: below it halos are most of the work
LARGEST_SIDE_PX = 512  # that a picture too large to be taken whole is taken in


class Stage(Protocol):
    """A part of a network, from one map to the layers in it and to the next map: see vgg.py."""

    def __call__(self, x: Tensor) -> tuple[dict[str, Tensor], Tensor | None]: ...

    def gated(self, x: Tensor) -> tuple[dict[str, Tensor], Tensor, list[Tensor]]: ...

    def head(self, x: Tensor) -> tuple[dict[str, Tensor], Tensor]: ...

    def back(self, by_out: Tensor, gates: Sequence[Tensor]) -> Tensor: ...

    def stride(self, layer: str) -> int: ...

    @property
    def last(self) -> bool: ...

    @property
    def shrinks(self) -> int: ...

    @property
    def gate_stride(self) -> int: ...

    @property
    def align(self) -> int: ...

    @property
    def halo(self) -> int: ...

    @property
    def floats(self) -> float: ...


class Network(Protocol):
    """What leads from a picture (1, 3, H, W) to its features: see vgg.py."""

    @property
    def around(self) -> bool: ...

    def going_around(self) -> Network: ...

    def bordered(self) -> Network: ...

    def stages(self, layers: Iterable[str], *, apart: bool = False) -> Sequence[Stage]: ...


@dataclass
class Computed:
    """What a stage made of one window, with the graph that leads back to what it saw.

    Attributes:
        window: that one.
        seen: what it saw.
        features: by layer, shallow to deep.
        end: what comes last: the stage's output, or what the way back through gates leads to.
    """

    window: Window
    seen: Tensor
    features: dict[str, Tensor]
    end: Tensor


@dataclass
class Pass:
    """One stage of a walk.

    Attributes:
        stage: the part of the network.
        entering: what enters it, (1, channels, height, width).
        windows: of that map.
        kept: what it made of its only window, where gradients will be asked for.
        gates: of the whole map, packed, where there are several windows.
    """

    stage: Stage
    entering: Tensor
    windows: list[Window]
    kept: Computed | None = None
    gates: list[Tensor] = field(default_factory=list)

    def forward(self, visit: Visit, *, keep: bool) -> Tensor | None:
        """Show every feature once, and give the whole map that leaves the stage.

        Args:
            visit: what they are shown to.
            keep: whether to keep what ``backward`` needs.
        """
        if len(self.windows) == 1:
            return self._forward_at_once(visit, keep=keep)
        whole: list[Tensor] = []
        for window in self.windows:
            with torch.no_grad():
                features, maps = self._maps(window, keep=keep)
            self._show(features, window, visit)
            whole = whole or [self._blank(*each) for each in maps]
            for (part, stride), all_ in zip(maps, whole, strict=True):
                window.own.shrunk(stride).cut(all_).copy_(window.owned(stride).cut(part))
        self.gates = whole[1:]
        return whole[0] if whole else None

    def _maps(
        self, window: Window, *, keep: bool
    ) -> tuple[dict[str, Tensor], list[tuple[Tensor, int]]]:
        """A window's features; and what is made whole, the map that leaves first, with strides."""
        stage, seen = self.stage, cut_around(window.seen, self.entering)
        if keep and not stage.last:
            features, out, gates = stage.gated(seen)
            return features, [(out, stage.shrinks), *((gate, stage.gate_stride) for gate in gates)]
        features, leaving = stage(seen)
        return features, [] if leaving is None else [(leaving, stage.shrinks)]

    def _blank(self, part: Tensor, stride: int) -> Tensor:
        """Room for the whole of a map with this stride, like a part of it."""
        height, width = self.entering.shape[2:]
        return blank(part, (height // stride, width // stride))

    def _forward_at_once(self, visit: Visit, *, keep: bool) -> Tensor | None:
        (window,) = self.windows
        seen = self.entering.detach().requires_grad_(keep)
        with torch.set_grad_enabled(keep):
            features, out = self.stage(seen)
        self._show(features, window, visit)
        if keep:
            end = next(reversed(features.values())) if out is None else out
            self.kept = Computed(window, seen, features, end)
        return None if out is None else out.detach()

    def _show(self, features: Mapping[str, Tensor], window: Window, visit: Visit) -> None:
        for layer, F in features.items():
            stride = self.stage.stride(layer)
            visit(layer, window.owned(stride).cut(F.detach()), window.own.shrunk(stride))

    def backward(self, tally: Tally, by_leaving: Tensor | None) -> Tensor:
        """The loss's gradient by the map that enters, given that by the map that leaves, if any."""
        if self.kept:
            end = self.kept.end
            by_end = torch.zeros_like(end) if by_leaving is None else by_leaving.to(end.dtype)
            return self._gradient(self.kept, by_end, tally)
        dtype = torch.promote_types(self.entering.dtype, torch.float32)
        total = torch.zeros_like(self.entering, dtype=dtype)
        for window in self.windows:
            with torch.enable_grad():
                seen = cut_around(window.seen, self.entering).detach().requires_grad_()
                done = Computed(window, seen, *self.stage.head(seen))
            by_end = self._by_end(done, by_leaving)
            gradient = self._gradient(done, by_end, tally)
            for there, here in window.seen.pieces((total.shape[2], total.shape[3])):
                there.cut(total).add_(here.cut(gradient))
            del done
        return total

    def _by_end(self, done: Computed, by_leaving: Tensor | None) -> Tensor:
        """The gradient by a head's end of what the window's own part of the map that leaves adds.

        Its tail is not computed again: the gates are all that the way back depends on.
        """
        if by_leaving is None:
            return torch.zeros_like(done.end)
        window, stride = done.window, self.stage.shrinks
        own = window.own.shrunk(stride).cut(by_leaving)
        by_seen = blank(own, window.seen.shrunk(stride).size).zero_().to(done.end.dtype)
        window.owned(stride).cut(by_seen).copy_(own)
        seen = window.seen.shrunk(self.stage.gate_stride)
        return self.stage.back(by_seen, [cut_around(seen, gate) for gate in self.gates])

    def _gradient(self, done: Computed, by_end: Tensor, tally: Tally) -> Tensor:
        """The gradient by what one window saw, of all that its own part adds to the loss."""
        for layer, F in done.features.items():
            add = self._adder(layer, F, done.window, tally)
            if F is done.end:
                by_end = add(by_end)
            else:
                F.register_hook(add)  # type: ignore[no-untyped-call]
        (gradient,) = torch.autograd.grad(done.end, done.seen, by_end)
        return gradient

    def _adder(
        self, layer: str, F: Tensor, window: Window, tally: Tally
    ) -> Callable[[Tensor], Tensor]:
        """From the gradient by a layer's features, that with what their own part adds to it.

        It holds F's numbers and not F, whose hook it may become: no cycle keeps the maps alive.
        """
        stride = self.stage.stride(layer)
        own, box, detached = window.owned(stride), window.own.shrunk(stride), F.detach()

        def add(gradient: Tensor) -> Tensor:
            total = gradient.clone()
            own.cut(total).add_(tally.gradient(layer, own.cut(detached), box))
            return total

        return add


def walk(
    network: Network,
    picture: Tensor,
    layers: Sequence[str],
    side: int | None,
    visit: Visit,
    *,
    keep: bool = False,
) -> list[Pass]:
    """Show all of these layers' features, part by part, each position once.

    Args:
        network: whose features.
        picture: (1, 3, H, W).
        layers: by name.
        side: of a window, in pixels; None is the whole picture at once.
        visit: what they are shown to.
        keep: whether to keep what the passes' ``backward`` needs.
    """
    passes: list[Pass] = []
    entering: Tensor | None = picture
    for stage in network.stages(layers, apart=side is not None):
        assert entering is not None, "only the last stage gives no map"
        height, width = entering.shape[2:]
        several = windows_of(stage, (height, width), side, around=network.around)
        this = Pass(stage, entering, several)
        entering = this.forward(visit, keep=keep)
        passes.append(this)
    return passes


def windows_of(
    stage: Stage, entering: Size, side: int | None, *, around: bool = False
) -> list[Window]:
    """The windows in which a stage takes a map of this (height, width)."""
    if side is not None:
        side = round(side * math.sqrt(REFERENCE_FLOATS / stage.floats))
    return windows(entering, side, stage.halo, stage.align, around=around)


def cut_around(box: Box, whole: Tensor) -> Tensor:
    """That part of a map, which may reach beyond its edges and around to the others."""
    pieces = list(box.pieces((whole.shape[2], whole.shape[3])))
    if len(pieces) == 1:
        return pieces[0][0].cut(whole)
    part = blank(whole, box.size)
    for there, here in pieces:
        here.cut(part).copy_(there.cut(whole))
    return part


def point_at(network: Network, loss: Objective, x: Tensor, side: int | None) -> Point:
    """The loss of a picture (1, 3, H, W), term by term, and its gradient."""
    tally = Tally(loss)
    passes = walk(network, x, loss.layers, side, tally.add, keep=True)
    losses = tally.losses()
    gradient: Tensor | None = None
    while passes:  # and what is done with may go
        gradient = passes.pop().backward(tally, gradient)
    assert gradient is not None, "an objective has a layer"
    gradient = gradient.contiguous()
    if loss.tv_weight:
        tv, by_x = total_variation(x, around=network.around)
        losses["tv"] = loss.tv_weight * tv
        gradient += by_x.mul_(loss.tv_weight)
    return Point(x.detach(), losses, sum(losses.values()), gradient)


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


def look(
    network: Network,
    picture: Tensor,
    side: int | None,
    *,
    maps: Collection[str] = (),
    moments: Collection[str] = (),
    where: Sequence[Tensor | None] = (None,),
) -> tuple[Features, list[Mapping[str, Moments]]]:
    """What an objective knows of a picture, in one walk through the network.

    Args:
        network: that looks.
        picture: (1, 3, H, W).
        side: of a window, in pixels; None is the whole picture at once.
        maps: layers whose whole feature maps (1, channels, h, w) are wanted.
        moments: layers whose moments are: a mapping for each of ``where``.
        where: parts of the picture, (1, 1, H, W) in [0, 1]; None is all of it.
    """
    height, width = picture.shape[2:]
    whole: dict[str, Tensor] = {}
    parts = [at_layers(each, moments) for each in where]
    sums: list[defaultdict[str, Sums]] = [defaultdict(Sums) for _ in parts]

    def visit(layer: str, F: Tensor, box: Box) -> None:
        if layer in moments:
            for each, part in zip(sums, parts, strict=True):
                each[layer].add(F, box.cut(part[layer]) if part else None)
        if layer in maps:
            stride = stride_of(layer)
            size = (height // stride, width // stride)
            whole.setdefault(layer, F if box.size == size else blank(F, size))
            if box.size != size:
                box.cut(whole[layer]).copy_(F)

    layers = list(dict.fromkeys([*maps, *moments]))
    walk(network, picture, layers, side, visit)
    return whole, [{layer: sum_.moments() for layer, sum_ in each.items()} for each in sums]


def stride_of(layer: str) -> int:
    """How many pixels lie between two of its positions."""
    return 1 << (split_layer(layer)[1] - 1)


def at_layers(where: Tensor | None, layers: Iterable[str]) -> dict[str, Tensor]:
    """How far each position of each layer is in a part of the picture; {} for all of it.

    A position stands for the pixels that are pooled into it, and counts by their mean.
    """
    if where is None:
        return {}
    return {layer: nnf.avg_pool2d(where, stride_of(layer)) for layer in layers}


def objective_of(
    network: Network,
    photograph: Tensor,
    regions: Sequence[Region],
    config: Config,
    side: int | None,
) -> Objective:
    """The loss at one scale, from the photograph (1, 3, H, W) and the paintings at that scale."""
    style = [layer for layer, _ in config.style_layers]
    content = [layer for layer, _ in config.content_layers]
    paintings = network.bordered()
    where = [region.where for region in regions]
    maps, found = look(network, photograph, side, maps=content, moments=style, where=where)
    styles = {id(each.styles): each for each in regions}
    wanted = {key: style_of(paintings, each, config, side) for key, each in styles.items()}
    parts = [
        Part(
            region.name,
            1.0 if region.where is None else float(region.where.mean()),
            at_layers(region.where, style),
            moments,
            wanted[id(region.styles)],
        )
        for region, moments in zip(regions, found, strict=True)
    ]
    inside = away_from_borders(photograph) if config.tileable else None
    return objective(maps, parts, config, at_layers(inside, content))


def away_from_borders(picture: Tensor) -> Tensor:
    """0 at a picture's borders and 1 away from them, (1, 1, H, W).

    Where copies of a photograph meet, its own borders are not to be kept.
    """
    sides = []
    for length in picture.shape[2:]:
        place = torch.arange(length, device=picture.device, dtype=picture.dtype) + 0.5
        reach = torch.minimum(place, length - place)
        sides.append((reach / (TILE_MARGIN * length)).clamp(max=1))
    return (sides[0][:, None] * sides[1])[None, None]


def style_of(
    network: Network, region: Region, config: Config, side: int | None
) -> Mapping[str, Moments]:
    """By style layer, the moments that a region is to have."""
    layers = [layer for layer, _ in config.style_layers]
    seen = [
        (weight, [sampled(network, sample, layers, side) for sample in samples])
        for weight, samples in region.styles
    ]
    return {
        layer: blend(
            [(weight, pooled([each[layer] for each in several])) for weight, several in seen],
            config.distance,
        )
        for layer in layers
    }


def sampled(
    network: Network, sample: Sample, layers: Sequence[str], side: int | None
) -> Mapping[str, Moments]:
    """A painting's moments."""
    _, (found,) = look(network, sample.picture(), side, moments=layers, where=[sample.where])
    return found


class Evaluator:
    """The function to minimise at one scale; what memory is too small for it takes in windows.

    Args:
        network: whose features are compared.
        photograph: (1, 3, H, W), at this scale.
        regions: of the picture, likewise, each with its style.
        config: layers, losses and their weights.
        side: of a window, in pixels; None is the whole picture at once.
        keep: where the picture stays the photograph, (1, 1, H, W) in [0, 1]; None is nowhere.

    Attributes:
        side: it as it stands: halved each time that memory ran out.
        told: what to tell a person of that, once.
    """

    def __init__(
        self,
        network: Network,
        photograph: Tensor,
        regions: Sequence[Region],
        config: Config,
        side: int | None = None,
        keep: Tensor | None = None,
    ) -> None:
        self.network = network.going_around() if config.tileable else network
        self.side, self.told = side, ""
        self.size: Size = (photograph.shape[2], photograph.shape[3])
        self.kept = None if keep is None else (photograph, keep)
        make = partial(objective_of, self.network, photograph, regions, config)
        self.objective = self._within_memory(make)

    def __call__(self, x: Tensor) -> Point:
        if self.kept is None:
            return self._within_memory(partial(point_at, self.network, self.objective, x))
        photograph, keep = self.kept
        shown = torch.lerp(x, photograph, keep)
        point = self._within_memory(partial(point_at, self.network, self.objective, shown))
        return replace(point, x=x.detach(), gradient=point.gradient * (1 - keep))

    def _within_memory(self, compute: Callable[[int | None], T]) -> T:
        while True:
            try:
                return compute(self.side)
            except (RuntimeError, MemoryError) as error:
                if not ran_out_of_memory(error):
                    raise
                side = self.side or min(LARGEST_SIDE_PX * 2, max(self.size))
                if side // 2 < SMALLEST_SIDE_PX:
                    raise
                self.side = side // 2
            free_cached()  # outside the handler, which holds the failed tensors
            self.told = f"memory ran out: going on in windows of {self.side} px"

    def news(self) -> str:
        """What to tell since the last time."""
        told, self.told = self.told, ""
        return told


def blank(part: Tensor, size: Size) -> Tensor:
    """Room for the whole map of this (height, width) that a part is of."""
    return torch.empty(
        (1, part.shape[1], *size),
        dtype=part.dtype,
        device=part.device,
        memory_format=torch.channels_last,
    )


def ran_out_of_memory(error: BaseException) -> bool:
    """Whether that is what it says; torch has no one class for it."""
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or bool(
        re.search("out of memory|allocate memory", str(error))
    )


def free_cached() -> None:
    """Give a GPU's cached blocks back, so that smaller ones can be had."""
    if torch.cuda.is_available():
        torch.cuda.empty_cache()

"""How a picture goes through a network, whole or in windows, and how a gradient comes back.

A picture too large for the memory is walked through twice. On the way to the deep layers only the
small maps between the network's stages are kept, and a bit for each feature behind a stage's last
layer; on the way back each window is computed again as far as that layer, with gradients. A window
sees what its own positions depend on, so nothing is approximated.

Poolings leave out what is left of an odd side: up to 15 px that the deep layers would never see. So
the network is shown more, the picture mirrored at its right and lower border, and of the features
those that stand for something of the picture are given.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch
from torch import Tensor

from impasto.config import BORDERED, Axes, Size
from impasto.transfer.margin import mirrored
from impasto.transfer.objective import Tally
from impasto.transfer.tiles import Box, Window, positions_of, windows

Visit = Callable[[str, Tensor, Box], None]  # a layer, a part of its features, and which part


# Of a stage's input position; a stage that makes more takes smaller windows. The first stage's, so
# that a window's side is in pixels there.
REFERENCE_FLOATS = 192.0


WHOLE_PX = 16  # sides that are multiples of it are halved by VGG's four poolings without a rest


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
    def around(self) -> Axes: ...

    def going_around(self, around: Axes) -> Network: ...

    def bordered(self) -> Network: ...

    def stages(self, layers: Iterable[str], *, apart: bool = False) -> Sequence[Stage]: ...


class Upstream(torch.autograd.Function):
    """A number whose gradient by a map is the one that is given.

    Given to PyTorch itself, it makes that import sympy at the first time, half a second of nothing.
    """

    @staticmethod
    def forward(ctx: Any, F: Tensor, by_F: Tensor) -> Tensor:
        ctx.by_F = by_F
        return F.new_zeros(())

    @staticmethod
    def backward(ctx: Any, *_: Tensor) -> tuple[Tensor, None]:
        return ctx.by_F, None


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
        inside: (height, width) of what of that map stands for something of the picture.
        computed: what it made of its only window, where gradients will be asked for.
        gates: of the whole map, packed, where there are several windows.
    """

    stage: Stage
    entering: Tensor
    windows: list[Window]
    inside: Size
    computed: Computed | None = None
    gates: list[Tensor] = field(default_factory=list)

    def forward(self, visit: Visit, *, with_graph: bool) -> Tensor | None:
        """Show every feature once, and give the whole map that leaves the stage.

        Args:
            visit: what they are shown to.
            with_graph: whether to keep what ``backward`` needs.
        """
        if len(self.windows) == 1:
            return self._forward_whole(visit, with_graph=with_graph)
        whole: list[Tensor] = []
        for window in self.windows:
            with torch.no_grad():
                features, maps = self._maps(window, with_graph=with_graph)
            self._show(features, window, visit)
            whole = whole or [self._blank(*each) for each in maps]
            for (part, stride), all_ in zip(maps, whole, strict=True):
                window.own.shrunk(stride).cut(all_).copy_(window.owned(stride).cut(part))
        self.gates = whole[1:]
        return whole[0] if whole else None

    def _maps(
        self, window: Window, *, with_graph: bool
    ) -> tuple[dict[str, Tensor], list[tuple[Tensor, int]]]:
        """A window's features; and what is made whole, the map that leaves first, with strides."""
        stage, seen = self.stage, cut_around(window.seen, self.entering)
        if with_graph and not stage.last:
            features, out, gates = stage.gated(seen)
            return features, [(out, stage.shrinks), *((gate, stage.gate_stride) for gate in gates)]
        features, leaving = stage(seen)
        return features, [] if leaving is None else [(leaving, stage.shrinks)]

    def _blank(self, part: Tensor, stride: int) -> Tensor:
        """Room for the whole of a map with this stride, like a part of it."""
        height, width = self.entering.shape[2:]
        return blank(part, (height // stride, width // stride))

    def _forward_whole(self, visit: Visit, *, with_graph: bool) -> Tensor | None:
        (window,) = self.windows
        seen = self.entering.detach().requires_grad_(with_graph)
        with torch.set_grad_enabled(with_graph):
            features, out = self.stage(seen)
        self._show(features, window, visit)
        if with_graph:
            end = next(reversed(features.values())) if out is None else out
            self.computed = Computed(window, seen, features, end)
        return None if out is None else out.detach()

    def _show(self, features: Mapping[str, Tensor], window: Window, visit: Visit) -> None:
        for layer, F in features.items():
            box, own = self._shown(window, layer)
            visit(layer, own.cut(F.detach()), box)

    def _shown(self, window: Window, layer: str) -> tuple[Box, Box]:
        """A window's own positions of a layer: on the layer's map, and on what it made of it."""
        stride = self.stage.stride(layer)
        return window.shown(stride, positions_of(self.inside, stride))

    def backward(self, tally: Tally, by_leaving: Tensor | None) -> Tensor:
        """The loss's gradient by the map that enters, given that by the map that leaves, if any."""
        if self.computed:
            end = self.computed.end
            by_end = torch.zeros_like(end) if by_leaving is None else by_leaving.to(end.dtype)
            return self._gradient(self.computed, by_end, tally)
        total = torch.zeros_like(self.entering)
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
        start: Tensor = Upstream.apply(done.end, by_end)  # type: ignore[no-untyped-call]
        (gradient,) = torch.autograd.grad(start, done.seen)
        return gradient

    def _adder(
        self, layer: str, F: Tensor, window: Window, tally: Tally
    ) -> Callable[[Tensor], Tensor]:
        """From the gradient by a layer's features, that with what their own part adds to it.

        It holds F's numbers and not F, whose hook it may become: no cycle keeps the maps alive.
        """
        (box, own), detached = self._shown(window, layer), F.detach()

        def add(gradient: Tensor) -> Tensor:
            # In place: only what follows the layer has made it, and nothing else holds it.
            tally.add_gradient(own.cut(gradient), layer, own.cut(detached), box)
            return gradient

        return add


def walk(
    network: Network,
    picture: Tensor,
    layers: Sequence[str],
    window_px: int | None,
    visit: Visit,
    *,
    with_graph: bool = False,
) -> list[Pass]:
    """Show all of these layers' features, part by part, each position once.

    Args:
        network: whose features.
        picture: (1, 3, H, W).
        layers: by name.
        window_px: of a window, in pixels; None is the whole picture.
        visit: what they are shown to.
        with_graph: whether to keep what the passes' ``backward`` needs.
    """
    passes: list[Pass] = []
    inside: Size = (picture.shape[2], picture.shape[3])
    entering: Tensor | None = extended(picture)
    for stage in network.stages(layers, apart=window_px is not None):
        assert entering is not None, "only the last stage gives no map"
        height, width = entering.shape[2:]
        several = windows_of(stage, (height, width), window_px, around=network.around)
        this = Pass(stage, entering, several, inside)
        entering = this.forward(visit, with_graph=with_graph)
        inside = positions_of(inside, stage.shrinks)
        passes.append(this)
    return passes


def extended_size(size: Size) -> Size:
    """(height, width) of what the network is shown of a picture of this size."""
    height, width = (-(-length // WHOLE_PX) * WHOLE_PX for length in size)
    return height, width


def extended(picture: Tensor) -> Tensor:
    """A picture (1, 3, H, W) as the network is shown it, mirrored beyond its last row and column.

    Where both sides are multiples of WHOLE_PX it is the picture itself.
    """
    for axis, whole in zip(
        (2, 3), extended_size((picture.shape[2], picture.shape[3])), strict=True
    ):
        if whole != picture.shape[axis]:
            index = mirrored(picture.shape[axis], 0, whole).to(picture.device)
            picture = picture.index_select(axis, index)
    return picture


def folded(gradient: Tensor, size: Size) -> Tensor:
    """The gradient by a picture of this (height, width), from that by its `extended`."""
    for axis, length in zip((2, 3), size, strict=True):
        whole = gradient.shape[axis]
        if whole != length:
            own = gradient.narrow(axis, 0, length).clone()
            index = mirrored(length, length, whole).to(gradient.device)
            beyond = gradient.narrow(axis, length, whole - length)
            gradient = own.index_add_(axis, index, beyond)
    return gradient


def windows_of(
    stage: Stage, entering: Size, window_px: int | None, *, around: Axes = BORDERED
) -> list[Window]:
    """The windows in which a stage takes a map of this (height, width)."""
    if window_px is not None:
        window_px = round(window_px * math.sqrt(REFERENCE_FLOATS / stage.floats))
    return windows(entering, window_px, stage.halo, stage.align, around=around)


def halved(window_px: int | None, size: Size) -> int | None:
    """The next smaller side of windows for a picture of this (height, width); None is too small."""
    smaller = (window_px or min(2 * LARGEST_SIDE_PX, max(size))) // 2
    return None if smaller < SMALLEST_SIDE_PX else smaller


def cut_around(box: Box, whole: Tensor) -> Tensor:
    """Cut a part out of a map; it may reach beyond its edges and around to the others."""
    pieces = list(box.pieces((whole.shape[2], whole.shape[3])))
    if len(pieces) == 1:
        return pieces[0][0].cut(whole)
    part = blank(whole, box.size)
    for there, here in pieces:
        here.cut(part).copy_(there.cut(whole))
    return part


def blank(part: Tensor, size: Size) -> Tensor:
    """Room for the whole map of this (height, width) that a part is of."""
    return torch.empty(
        (1, part.shape[1], *size),
        dtype=part.dtype,
        device=part.device,
        memory_format=torch.channels_last,
    )

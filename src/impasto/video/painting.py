"""A shot, painted frame by frame: each from where the things of earlier ones are now.

Ruder, Dosovitskiy & Brox 2016, with three changes. What stands still and is painted well stays the
very bytes that it is: a term of the loss alone would let it creep, and sharpen, over hundreds of
frames. What is new is free until it is painted as well as the rest. And a thing whose light has
changed since it was painted is let go, though nothing moved.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as nnf
from torch import Tensor

from impasto.config import Config
from impasto.job.following import Following, Origin, Place
from impasto.pictures.labels import SAME_LEVELS
from impasto.pictures.masks import FEATHER
from impasto.video.flow import Motion, carried, long_trust, motion
from impasto.video.source import Pixels

# How many frames back origins are looked for, nearest first: a thing that was hidden meanwhile
# comes back as it was. Each costs a flow there and back.
LOOK_BACK = (1, 4, 16)
# Of a frame's area: where less of it is of unknown origin, no farther frame is asked. What came in
# from beyond the border does not count: farther ones did not see it either.
ENOUGH = 0.002
MATURE = 12  # iterations after which a place is painted as well as the rest
NOISE_PX = 9  # side of the square in which the light of two photographs is compared
SAME_LIGHT, OTHER_LIGHT = 4 / 255, 10 / 255  # difference of means up to which, and from which on
WEIGHT = 3.0  # of the departure from the last frame in the loss
FEW, MORE = 2, 4  # iterations of a frame, and where much of it is new
MUCH = 0.1  # of a frame's area
# Beyond the border of a mask's region its edge fades out: in pixels, or of the longer side.
LEAST_BORDER_PX, BORDER = 3, 2 * FEATHER
STILL = 0.998  # of a frame's area that is held: then nothing is painted


@dataclass(frozen=True)
class Painted:
    """A finished frame, and what later ones want to know of it.

    Attributes:
        photograph: (H, W, 3) uint8, sRGB.
        picture: (1, 3, H, W) uint8, the result.
        seen: (1, 3, H, W) uint8, by pixel the photograph as it was when it was last painted.
        age: (1, 1, H, W) uint8, by pixel how many iterations it was painted for.
        mask: (H, W, 3) uint8, where that moves.
    """

    photograph: Pixels
    picture: Tensor
    seen: Tensor
    age: Tensor
    mask: Pixels | None = None

    @classmethod
    def first(
        cls, photograph: Pixels, picture: Tensor, iterations: int, mask: Pixels | None = None
    ) -> Painted:
        """A shot's first frame, which comes from nowhere; the picture in [0, 1]."""
        height, width = photograph.shape[:2]
        most = min(iterations, 255)
        age = torch.full((1, 1, height, width), most, dtype=torch.uint8, device="cpu")
        return cls(photograph, to_bytes(picture), as_tensor(photograph), age, mask)


@dataclass(frozen=True)
class Traced:
    """Where a frame comes from.

    Attributes:
        origin: for the painting.
        seen: (1, 3, H, W) in [0, 1], as ``Painted.seen``, carried along.
        kept: (1, 1, H, W) in [0, 1], how far each pixel is there still, in the same light.
        age: (1, 1, H, W), for how many iterations that was painted.
    """

    origin: Origin
    seen: Tensor
    kept: Tensor
    age: Tensor


@dataclass(frozen=True)
class Arrived:
    """What an earlier frame has, carried to where its things are now; as in Painted, in [0, 1].

    But for the age, which is in iterations.
    """

    photograph: Tensor
    picture: Tensor
    seen: Tensor
    age: Tensor

    @classmethod
    def by(cls, way: Motion, before: Painted) -> Arrived:
        """All of it at once: where each pixel comes from is the same for all."""
        parts = [as_tensor(before.photograph), before.picture, before.seen, before.age]
        there = carried(unit(torch.cat(parts, 1)), way)
        photograph, picture, seen, age = torch.split(there, [each.shape[1] for each in parts], 1)
        return cls(photograph, picture, seen, age * 255)


def paint(
    manner: Following,
    photograph: Pixels,
    earlier: Sequence[Painted],
    config: Config,
    mask: Pixels | None = None,
    place: Place | None = None,
) -> tuple[Painted, int]:
    """Paint a shot's next frame; how many iterations it took, 0 where nothing has changed.

    Args:
        manner: of the shot.
        photograph: (H, W, 3) uint8, sRGB.
        earlier: frames of the shot, the last first, up to the largest of LOOK_BACK.
        config: the shot's, but for the weights of content and style.
        mask: (H, W, 3) uint8, where that moves.
        place: where the manner's regions are by it.
    """
    traced = trace(photograph, earlier, manner.job.threads, mask)
    origin, iterations = traced.origin, iterations_for(traced)
    if iterations:
        shown = unit(as_tensor(photograph))
        pixels = manner.paint(shown, origin, WEIGHT, iterations, config, place)
    else:
        pixels = origin.picture
    held = origin.held
    seen = torch.lerp(unit(as_tensor(photograph)), traced.seen, held)
    age = torch.where(held > 0, traced.age, traced.age * traced.kept + iterations)
    age = age.round().clamp(0, 255).to(torch.uint8)
    return Painted(photograph, to_bytes(pixels), to_bytes(seen), age, mask), iterations


def iterations_for(traced: Traced) -> int:
    """By how much of a frame is new."""
    origin = traced.origin
    if float(origin.held.mean()) >= STILL:
        return 0
    return MORE if float((1 - origin.trust).mean()) > MUCH else FEW


def trace(
    photograph: Pixels, earlier: Sequence[Painted], threads: int = 1, mask: Pixels | None = None
) -> Traced:
    """Find what of a frame was there before, in the nearest frame that shows it.

    A place whose photograph looks otherwise by now is not the one it was: where something moves
    too far for the flow to follow, that may say that nothing moved at all. Nor is, where a mask
    moves, what was in another region.
    """
    here = unit(as_tensor(photograph))
    none = torch.zeros_like(here[:, :1])
    found: list[tuple[Motion, Arrived]] = []
    trusts, shares, unknown = [none], [none], 1.0
    for distance in dict.fromkeys(min(each, len(earlier)) for each in LOOK_BACK):
        if unknown > ENOUGH:
            before = earlier[distance - 1]
            way = motion(before.photograph, photograph, threads)
            there = Arrived.by(way, before)
            found.append((way, there))
            same = (unchanged(here, there.photograph) > 0).to(here)
            trusts.append(way.trust * same * alike_masked(mask, before, way))
            shares = long_trust(trusts)
            unknown = float(((1 - sum(shares, none)) * from_within(way)).mean())
    known = sum(shares, none).clamp(max=1)
    picture, seen = here * (1 - known), here * (1 - known)
    age, still = none, none
    for share, (way, there) in zip(shares[1:], found, strict=True):
        picture = picture + share * there.picture
        seen = seen + share * there.seen
        age = age + share * there.age
        still = still + share * (way.field == 0).all(1, keepdim=True)
    kept = known * unchanged(here, seen)
    trust = kept * (age / MATURE).clamp(max=1)
    held = ((still == 1) & (trust == 1)).to(here)
    return Traced(Origin(picture.clamp(0, 1), known, trust, held), seen.clamp(0, 1), kept, age)


def from_within(way: Motion) -> Tensor:
    """1 where a place came from within the earlier frame, and 0 elsewhere, (1, 1, H, W)."""
    across, down = way.field[:, :1], way.field[:, 1:]
    height, width = across.shape[2:]
    columns = torch.arange(width, dtype=across.dtype, device=across.device) + across
    rows = torch.arange(height, dtype=down.dtype, device=down.device)[:, None] + down
    inside = (columns >= 0) & (columns <= width - 1) & (rows >= 0) & (rows <= height - 1)
    return inside.to(across)


def alike_masked(mask: Pixels | None, before: Painted, way: Motion) -> Tensor:
    """1 where a place was in the region in which it is now, and all around it, and 0 elsewhere."""
    if mask is None or before.mask is None:
        return torch.ones_like(way.trust)
    there = carried(unit(as_tensor(before.mask)), way)
    apart = (unit(as_tensor(mask)) - there).abs().amax(1, keepdim=True) > SAME_LEVELS / 255
    reach = max(LEAST_BORDER_PX, math.ceil(BORDER * max(mask.shape[:2])))
    near = nnf.max_pool2d(apart.to(way.trust), 2 * reach + 1, stride=1, padding=reach)
    return 1 - near


def unchanged(here: Tensor, seen: Tensor) -> Tensor:
    """How far the light is what it was, (1, 1, H, W) in [0, 1], noise left aside.

    Args:
        here: the photograph, (1, 3, H, W) in [0, 1].
        seen: the one of which the picture was painted, likewise.
    """
    reach = NOISE_PX // 2
    sides = [min(reach, here.shape[3] - 1)] * 2 + [min(reach, here.shape[2] - 1)] * 2
    change = nnf.pad(here - seen, sides, mode="reflect")
    means = nnf.avg_pool2d(change, (sides[2] * 2 + 1, sides[0] * 2 + 1), stride=1)
    most = means.abs().amax(1, keepdim=True)
    return ((OTHER_LIGHT - most) / (OTHER_LIGHT - SAME_LIGHT)).clamp(0, 1)


def as_tensor(pixels: Pixels) -> Tensor:
    """(H, W, 3) uint8 as (1, 3, H, W) uint8."""
    return torch.from_numpy(np.array(pixels)).permute(2, 0, 1)[None].contiguous()


def unit(values: Tensor) -> Tensor:
    """Bytes as float32 in [0, 1]."""
    return values.to(torch.float32) / 255


def to_bytes(picture: Tensor) -> Tensor:
    """A picture in [0, 1] as bytes."""
    return (picture * 255).round().clamp(0, 255).to(torch.uint8)

"""A mask that moves: which of its frames goes with which of a film's, and that all can be used."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import chain

import numpy as np
import PIL.Image

from impasto import pictures
from impasto.config import Size
from impasto.errors import ConfigError, ImpastoError, PictureError
from impasto.job.casting import located
from impasto.job.job import Job
from impasto.pictures import masks
from impasto.pictures.masks import Key
from impasto.video.clip import Clip
from impasto.video.order import FilmOrder
from impasto.video.source import Pixels
from impasto.video.stills import Folder


@dataclass(frozen=True)
class Track:
    """How a mask that moves goes with a film.

    Attributes:
        times: of the mask's frames, one for each of the film's.
        whole: whether that is all of it; else of the film's interval, at its rate.
    """

    times: tuple[Fraction, ...]
    whole: bool


def moving(order: FilmOrder) -> Clip:
    """The mask as a clip; a folder's pictures follow each other as the film's frames do."""
    mask = order.moving
    assert mask is not None, "it moves"
    if isinstance(mask.source, Folder) and not isinstance(order.clip.source, Folder):
        return replace(mask, source=mask.source.at_rate(order.clip.rate))
    return mask


def interval_of(
    order: FilmOrder, *, whole: bool
) -> tuple[float | None, float | None, float | None]:
    """Which of a mask's frames are read: all, or those of the film's interval at its rate."""
    return (None, None, None) if whole else (order.begin_s, order.end_s, order.fps)


def masks_from(order: FilmOrder, whole: bool, since: Fraction, size: Size) -> Iterator[Pixels]:
    """A mask's frames from the time of one of them on, of a (height, width)."""
    interval = interval_of(order, whole=whole)
    for seek in (True, False):  # an index may lead elsewhere
        frames = moving(order).frames_from(since, since, *interval, seek=seek)
        first = next(frames)
        if first.time == since:
            break
    return (nearest(frame.pixels, size) for frame in chain([first], frames))


def nearest(pixels: Pixels, size: Size) -> Pixels:
    """A mask of this (height, width), whose colours are still those that were drawn."""
    if pixels.shape[:2] == size:
        return pixels
    image = PIL.Image.fromarray(np.ascontiguousarray(pixels))
    return np.asarray(image.resize((size[1], size[0]), PIL.Image.Resampling.NEAREST))


def track_of(order: FilmOrder, times: Sequence[Fraction]) -> Track:
    """Find which of a mask's frames go with those of a film.

    Args:
        order: whose mask moves.
        times: of the film's frames.

    Raises:
        PictureError: it has another shape, or other frames.
    """
    check_shape(order)
    counts = []
    for whole in (False, True):
        found: list[Fraction] = []
        with suppress(ImpastoError):  # it may be too short for the interval
            interval = interval_of(order, whole=whole)
            found = [frame.time for frame in moving(order).frames(*interval)]
        if len(found) == len(times) and (whole or found == list(times)):
            return Track(tuple(found), whole)
        counts.append(len(found))
    raise PictureError(
        f"{moving(order).what} has {max(counts)} frames, and the film {len(times)}",
        "as many are wanted, or frames at the clip's own times",
        "make it of the same clip",
    )


def check_shape(order: FilmOrder) -> None:
    """Raise a PictureError where a mask's frames have not the film's shape."""
    mask, size = moving(order), order.clip.size_at(order.side_px)
    if mask.size != size and pictures.fit(mask.size, max(size)) != size:
        (height, width), (h, w) = mask.size, order.clip.size
        given = f"{mask.what} is {width} x {height} px, and the clip {w} x {h} px"
        raise PictureError(given, "the same shape is wanted", "make it of the same clip")


def rehearsed(order: FilmOrder) -> Job:
    """The first frame's job: what is wrong with an order is found before the clip is read.

    Raises:
        ImpastoError: of its children the one that fits.
    """
    photograph = next(order.frames()).pixels
    if order.moving is None:
        return order.job(photograph)
    check_shape(order)
    mask = next(order.moving.frames()).pixels
    size = photograph.shape[0], photograph.shape[1]
    return order.job(photograph, nearest(mask, size))


def check_regions(order: FilmOrder, photograph: Pixels, frames: Iterator[Pixels]) -> None:
    """Make sure that each of a mask's frames can be used, and each region is in one of them.

    Args:
        order: whose mask moves.
        photograph: a frame of the film.
        frames: of the mask, of the same size.

    Raises:
        ImpastoError: of its children the one that fits.
    """
    jobs: list[Job] = []
    for each in frames:
        if not any(located(job.scene, each) for job in jobs):
            jobs.append(order.job(photograph, each))
    known: list[Key] = [key for job in jobs for key in job.scene.keys]
    for text in order.regions or {}:
        if not any(masks.find(text, [key]) for key in known):
            there = ", ".join(dict.fromkeys(map(masks.region_name, known)))
            raise ConfigError(f"region {text!r}: no frame of the mask has it", f"it has {there}")

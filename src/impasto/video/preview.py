"""A few frames of a film, before all of it: how it will look, and how long it will take."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import repeat

import PIL.Image

from impasto.job.session import Session
from impasto.pictures.sheet import Print, sheet
from impasto.transfer.optimize import Step
from impasto.video.masking import masks_from, track_of
from impasto.video.order import NEXT_WORK, FilmOrder, first_work
from impasto.video.source import Pixels


@dataclass(frozen=True)
class Preview:
    """A few frames of a film, painted each by itself.

    Attributes:
        sheet: them, side by side.
        times: of them, in s.
        frames: about how many the film has.
        seconds: about how long the whole will take here.
    """

    sheet: PIL.Image.Image
    times: tuple[Fraction, ...]
    frames: int
    seconds: float


def preview(
    order: FilmOrder, count: int, on_step: Callable[[Step], None] = lambda _: None
) -> Preview:
    """Paint a few frames, spread over the clip, and say what the whole will take.

    Args:
        order: of the film.
        count: frames, at most.
        on_step: told of each iteration.
    """
    total = order.expected or sum(1 for _ in order.frames())
    wanted = set(spread(count, total))
    prints, times, seconds = [], [], 0.0
    for number, (frame, mask) in enumerate(zip(order.frames(), masks_for(order), strict=False)):
        if number in wanted:
            job = order.job(frame.pixels, mask)
            began = time.monotonic()
            result = Session(job, own_process=True).run(on_step, on_interrupt="raise")
            seconds += time.monotonic() - began
            times.append(frame.time)
            prints.append(Print(result.image.convert("RGB"), f"{float(frame.time):.1f} s", ""))
    work = first_work(order) + NEXT_WORK * (total - 1)
    takes = seconds / max(1, len(prints)) / first_work(order) * work
    return Preview(sheet(prints, min(3, len(prints))), tuple(times), total, takes)


def masks_for(order: FilmOrder) -> Iterator[Pixels | None]:
    """For each of a film's frames its mask, where that moves."""
    if order.moving is None:
        return repeat(None)
    track = track_of(order, [frame.time for frame in order.frames()])
    size = order.clip.size_at(order.side_px)
    return masks_from(order, track.whole, track.times[0], size)


def spread(count: int, of: int) -> list[int]:
    """So many numbers, or all, evenly spread over those from 0 up to ``of``."""
    count = min(count, of)
    return [(2 * place + 1) * of // (2 * count) for place in range(count)]

"""How steady films are, and what a frame costs: three clips, beside frames that are painted alone.

    .venv/bin/python benchmarks/film.py [--size 256] [--frames 36] [--alone 5]

The clips are tools/make_clips.py's: a camera and a scene that stand still, a pan, and a thing that
moves before another. Of each the first frames are painted alone too, as `impasto stylize` would.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import torch

from impasto import pictures
from impasto.config import configure
from impasto.job import memory
from impasto.job.job import network_of
from impasto.transfer.evaluation import Evaluator
from impasto.video.clip import open_clip
from impasto.video.film import open_film, paint_film
from impasto.video.order import FilmOrder
from impasto.video.shooting import Event
from impasto.video.steadiness import Steadiness, steadiness

sys.path.insert(0, str(Path(__file__).parents[1] / "tools"))
import make_clips

PAINTING = "night-swirls"
SCENES = {"still": make_clips.still, "pan": make_clips.pan, "occlusion": make_clips.occlusion}
ROUNDS = 5  # of an iteration


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=256, help="width in px")
    parser.add_argument("--frames", type=int, default=36, help="of each film")
    parser.add_argument("--alone", type=int, default=5, help="frames painted alone, 2 or more")
    given = parser.parse_args()
    memory.hold()
    names = "film: warping (alone), style left (alone), drift of contrast, sharpness"
    print(f"| {names} | a frame, in iterations |\n|---|---|")
    with tempfile.TemporaryDirectory() as place:
        for name in SCENES:
            words, cost = measured(Path(place), name, given.size, given.frames, given.alone)
            print(f"| {name}: {words} | {cost} |", flush=True)


def measured(place: Path, name: str, size: int, frames: int, alone: int) -> tuple[str, str]:
    """One clip's film, in words: how steady, and what a frame costs."""
    clip_folder, film_folder, alone_folder = (
        place / f"{name}-{what}" for what in ("in", "out", "alone")
    )
    shape = (size * 3 // 4, size)
    written(clip_folder, limited(make_clips.noisy(SCENES[name](shape)), frames))
    order = FilmOrder(open_clip(clip_folder), (PAINTING,), configure(size=size, backbone="vgg16"))
    seconds: list[float] = []
    began = time.perf_counter()

    def tell(event: Event) -> None:
        nonlocal began
        if event.planned:
            return
        seconds.append(time.perf_counter() - began)
        began = time.perf_counter()

    film = open_film(order, film_folder)
    began = time.perf_counter()
    paint_film(film, tell)
    alone_folder.mkdir()
    for number, frame in enumerate(order.frames()):
        if number < alone:
            order.job(frame.pixels).run().save(alone_folder / f"{number:04}.png")
    steady = steadiness(open_clip(film.path(0).parent), order.clip, PAINTING)
    apart = steadiness(open_clip(alone_folder), order.clip, PAINTING)
    return in_words(steady, apart), f"{statistics.mean(seconds[1:]) / iteration(order):.1f}"


def in_words(film: Steadiness, alone: Steadiness) -> str:
    """Two measurements side by side."""
    return (
        f"{film.warping:.4f} "
        f"({alone.warping:.4f}; 1/{alone.warping / max(film.warping, 1e-6):.0f}), "
        f"{film.painted.style_left:.3f} ({alone.painted.style_left:.3f}), "
        f"{film.drift_contrast:+.1%}, {film.drift_sharpness:+.1%}"
    )


def iteration(order: FilmOrder) -> float:
    """Seconds of the network's features, losses and gradient at a frame's size: the median."""
    frame = next(order.frames())
    job = order.job(frame.pixels)
    subject = job.subject()
    photograph = subject.photograph(job.size)
    network = network_of(job.backbone, job.config, job.ways)
    evaluate = Evaluator(network, photograph, subject.regions(job.size), job.config)
    torch.set_num_threads(job.threads)
    seconds = []
    for _ in range(ROUNDS + 1):
        began = time.perf_counter()
        evaluate(photograph)
        seconds.append(time.perf_counter() - began)
    return statistics.median(seconds[1:])


def written(folder: Path, frames: Iterator[make_clips.Pixels]) -> None:
    """A clip as a folder of numbered pictures."""
    folder.mkdir()
    for number, frame in enumerate(frames):
        pictures.save(pictures.load(frame).pixels, folder / f"{number:04}.png")


def limited(frames: Iterator[make_clips.Pixels], count: int) -> Iterator[make_clips.Pixels]:
    """The first so many."""
    for number, frame in enumerate(frames):
        if number == count:
            return
        yield frame


if __name__ == "__main__":
    main()

"""Painterly beside faithful: work, what is left of the style at one likeness, edges of strokes.

    .venv/bin/python benchmarks/hands.py [--size 512] [--pairs 10]
        [--photographs FOLDER --paintings FOLDER] [--keep FOLDER]

Pairs are scikit-image's photographs and the built-in styles, and those of two folders, by turns.
For each: what the work of `painterly` takes against that of `faithful`; what is left of the
distance from photograph to painting at layers that neither optimised, with faithful's at the same
LPIPS to the photograph (its strength is moved until they are the same); and how sharp strokes are:
the mean gradient where the photograph is flat, against the painting's own.
"""

from __future__ import annotations

import argparse
import statistics
import time
from dataclasses import dataclass
from itertools import pairwise, product
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from impasto import api, pictures
from impasto.job import memory
from impasto.measure.appraise import Appraiser
from impasto.pictures import PictureSource, styles

PHOTOGRAPHS = ("astronaut", "coffee", "cat", "rocket")  # of scikit-image
FLAT = 0.3  # of a photograph's pixels, those with the least gradient around them, are its flat part
AROUND_PX = 9  # that a gradient is averaged over, to say where a photograph is flat
STRENGTHS = (0.25, 0.4, 0.6, 0.75)  # of faithful, to find the one at painterly's LPIPS


@dataclass(frozen=True)
class Pair:
    """A photograph and a painting, each by a name and what to load."""

    name: str
    photograph: PictureSource
    painting: str


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=512, help="longer side in px")
    parser.add_argument("--pairs", type=int, default=10, help="how many")
    parser.add_argument("--photographs", type=Path, help="a folder of more")
    parser.add_argument("--paintings", type=Path, help="a folder of more")
    parser.add_argument("--keep", type=Path, help="a folder for the pictures")
    given = parser.parse_args()
    memory.hold()
    print("| pair | work | LPIPS | style left | faithful's at that LPIPS | edges | faithful's |")
    print("|---|---|---|---|---|---|---|")
    rows = []
    for pair in chosen(given.pairs, given.photographs, given.paintings):
        row = measured(pair, given.size, given.keep)
        rows.append(row)
        print(f"| {pair.name} | " + " | ".join(f"{value:.2f}" for value in row) + " |", flush=True)
    work, _, left, other, edges, others = zip(*rows, strict=True)
    lower = sum(ours < theirs for ours, theirs in zip(left, other, strict=True))
    within = [sum(0.8 <= each <= 1.2 for each in several) for several in (edges, others)]
    print(
        f"\nwork {statistics.median(work):.2f} times faithful's (median); style left lower on "
        f"{lower} of {len(rows)}; edges within 0.8 to 1.2 on {within[0]}, faithful's on {within[1]}"
    )


def chosen(count: int, photographs: Path | None, paintings: Path | None) -> list[Pair]:
    """So many pairs: ours and the folders' by turns, each photograph and painting in its turn."""
    from skimage import data

    ours = [(name, getattr(data, name)()) for name in PHOTOGRAPHS]
    built_in = [(style.name, style.name) for style in styles.STYLES]
    several = [paired(ours, built_in, count)]
    if photographs and paintings:
        found = ([(p.stem, str(p)) for p in sorted(f.iterdir())] for f in (photographs, paintings))
        several.append(paired(*found, count))
    by_turns = [pair for pairs in zip(*several, strict=True) for pair in pairs]
    return by_turns[:count]


def paired(photographs: list[Any], paintings: list[Any], count: int) -> list[Pair]:
    """So many pairs, in which neither photographs nor paintings come again before all have been."""
    everything = list(product(range(len(photographs)), range(len(paintings))))
    everything.sort(key=lambda place: ((place[1] - place[0]) % len(paintings), place))
    return [
        Pair(f"{photographs[i][0]}, {paintings[j][0]}", photographs[i][1], paintings[j][1])
        for i, j in everything[:count]
    ]


def measured(pair: Pair, size: int, keep: Path | None) -> list[float]:
    """Of one pair: work, LPIPS, style left, faithful's at that LPIPS, edges, faithful's."""
    judge = Appraiser(pair.photograph, pair.painting, size=size)
    found = {hand: made(pair, size, keep, hand=hand) for hand in ("faithful", "painterly")}
    (_, seconds), (painterly, longer) = found["faithful"], found["painterly"]
    seen = judge(painterly).measures
    others = [judge(made(pair, size, None, hand="faithful", strength=s)[0]) for s in STRENGTHS]
    others.append(judge(found["faithful"][0]))
    points = sorted((each.measures.lpips, each.measures.style_left) for each in others)
    edges = [sharpness(each, pair, judge, size) for each in (painterly, found["faithful"][0])]
    return [longer / seconds, seen.lpips, seen.style_left, between(points, seen.lpips), *edges]


def made(pair: Pair, size: int, keep: Path | None, **settings: Any) -> tuple[Any, float]:
    """A picture, and the processor's seconds that it took."""
    began = time.process_time()
    result = api.stylize(pair.photograph, pair.painting, size=size, backbone="vgg16", **settings)
    seconds = time.process_time() - began
    if keep:
        keep.mkdir(parents=True, exist_ok=True)
        result.save(keep / f"{pair.name.replace(', ', '-')}-{settings['hand']}.png")
    return result.image, seconds


def between(points: list[tuple[float, float]], at: float) -> float:
    """The line through points, ascending, at a place; beyond them, the nearest one's value."""
    for (x, y), (next_x, next_y) in pairwise(points):
        if x <= at <= next_x:
            return y + (next_y - y) * (at - x) / (next_x - x)
    return points[0][1] if at < points[0][0] else points[-1][1]


def sharpness(picture: Any, pair: Pair, judge: Appraiser, size: int) -> float:
    """The mean gradient where the photograph is flat, against the painting's mean gradient."""
    x = pictures.load(picture, "picture").pixels
    photograph = pictures.load(pair.photograph, "photograph", size).at((x.shape[2], x.shape[3]))
    around = torch.nn.functional.avg_pool2d(
        gradient(photograph), AROUND_PX, 1, AROUND_PX // 2, count_include_pad=False
    )
    flat = around <= around.flatten().quantile(FLAT)
    painting, _ = judge._painting(size)
    return float(gradient(x)[flat].mean() / gradient(painting).mean())


def gradient(picture: Tensor) -> Tensor:
    """How much a picture (1, 3, H, W) changes at each pixel, over all colours: (1, 1, H, W)."""
    down, across = (picture.diff(dim=axis) for axis in (2, 3))
    squared = down[..., :, :-1].square() + across[..., :-1, :].square()
    return torch.nn.functional.pad(squared.sum(1, keepdim=True).sqrt(), [0, 1, 0, 1], "replicate")


if __name__ == "__main__":
    main()

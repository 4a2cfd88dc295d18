"""Write short clips for trying films: real photographs in motion, with noise, as MP4.

    python tools/make_clips.py DIR [--size 512] [--frames 48] [--scenes pan cut]

The photographs are in scikit-image's wheel. The same arguments give the same bytes.
"""

from __future__ import annotations

import argparse
import math
import tempfile
from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction
from itertools import chain, count, islice
from pathlib import Path

import numpy as np
import numpy.typing as npt
import PIL.Image
from skimage import data

Pixels = npt.NDArray[np.uint8]  # (H, W, 3)

FPS = 25
NOISE = 2.0  # grey levels of 255: a good camera's by day
ASPECT = 3 / 4
SPAN = 0.7  # of a photograph's width that is in the frame


def view(photograph: Pixels, left: float, top: float, span: float, size: tuple[int, int]) -> Pixels:
    """A part of a photograph at (height, width): left, top and width as shares of its own width."""
    whole = PIL.Image.fromarray(photograph)
    box = (left, top, left + span, top + span * size[0] / size[1])
    pixels = tuple(each * whole.width for each in box)
    return np.asarray(whole.resize((size[1], size[0]), PIL.Image.Resampling.BICUBIC, pixels))


def fitting(photograph: Pixels, top: float, span: float, size: tuple[int, int]) -> float:
    """The span, or what of it has room below ``top`` at this (height, width)."""
    height, width, _ = photograph.shape
    return min(span, (height / width - top) * size[1] / size[0])


def noisy(frames: Iterable[Pixels], noise: float = NOISE, seed: int = 0) -> Iterator[Pixels]:
    """Other noise in each frame."""
    generator = np.random.default_rng(seed)
    for frame in frames:
        grain = generator.normal(0, noise, frame.shape)
        yield np.round(frame + grain).clip(0, 255).astype(np.uint8)


def still(size: tuple[int, int], photograph: Pixels | None = None) -> Iterator[Pixels]:
    """A camera that stands before what doesn't move."""
    photograph = data.coffee() if photograph is None else photograph
    while True:
        yield view(photograph, 0.1, 0.02, fitting(photograph, 0.02, SPAN, size), size)


def pan(size: tuple[int, int], step_px: float = 1.5) -> Iterator[Pixels]:
    """To the right and back again, so many pixels a frame."""
    photograph = data.coffee()
    span = fitting(photograph, 0.02, SPAN, size)
    step, place, way, most = step_px * span / size[1], 0.0, 1, 1 - span
    while True:
        yield view(photograph, place, 0.02, span, size)
        if not 0 <= place + way * step <= most:
            way = -way
        place += way * step


def zoom(size: tuple[int, int], factor: float = 1.01) -> Iterator[Pixels]:
    """In by a hundredth a frame, and out again."""
    most = fitting(data.astronaut(), 0, 0.9, size)
    span, way = most, 1
    while True:
        top = (1 - span * size[0] / size[1]) / 2
        yield view(data.astronaut(), (1 - span) / 2, top, span, size)
        if not most / 3 < span / factor**way <= most:
            way = -way
        span /= factor**way


def closer(size: tuple[int, int], each: int = 72) -> Iterator[Pixels]:
    """A camera that goes up to a cat in so many frames, gently, and back again."""
    cat, far, near = data.chelsea(), (0.02, 0.0, 0.85), (0.3, 0.08, 0.55)  # left, top, span
    for number in count():
        share = (1 - math.cos(math.pi * number / (each - 1))) / 2
        left, top, span = (
            one + share * (other - one) for one, other in zip(far, near, strict=True)
        )
        yield view(cat, left, top, fitting(cat, top, span, size), size)


def occlusion(
    size: tuple[int, int], step_px: float = 3.0, camera_px: float = 0.0
) -> Iterator[Pixels]:
    """A cat's photograph moves before another, which stands or pans, and turns at the border."""
    height, width = size
    cat, half = data.chelsea(), (height // 2, width // 2)
    front = view(cat, 0.2, 0.05, fitting(cat, 0.05, 0.6, half), half)
    behind = still(size) if camera_px == 0 else pan(size, camera_px)
    place, way = width / 8, 1
    for frame in behind:
        shown = frame.copy()
        left, top = round(place), height // 4
        shown[top : top + front.shape[0], left : left + front.shape[1]] = front
        yield shown
        if not 0 <= place + way * step_px <= width - front.shape[1]:
            way = -way
        place += way * step_px


def cut(size: tuple[int, int], each: int = 24) -> Iterator[Pixels]:
    """Three shots of so many frames, over and over."""
    while True:
        yield from chain(*(islice(scene(size), each) for scene in (pan, zoom, occlusion)))


SCENES: dict[str, Callable[[tuple[int, int]], Iterator[Pixels]]] = {
    "still": still,
    "pan": pan,
    "zoom": zoom,
    "closer": closer,
    "occlusion": occlusion,
    "cut": cut,
}


def write(path: Path, frames: Iterable[Pixels], fps: int = FPS) -> None:
    """A film of so many frames a second, of the kind that its name asks for."""
    from impasto.video import reel

    with tempfile.TemporaryDirectory() as folder:
        placed = []
        for number, frame in enumerate(frames):
            placed.append(reel.Placed(Path(folder) / f"{number:06}.png", Fraction(number, fps)))
            PIL.Image.fromarray(frame).save(placed[-1].path, compress_level=1)
        reel.write(path, placed, Fraction(len(placed), fps))


def main() -> None:
    """Write them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument(
        "--scenes", nargs="+", default=list(SCENES), help="of these; all by default"
    )
    parser.add_argument("--size", type=int, default=512, help="width in px")
    parser.add_argument("--frames", type=int, default=48)
    parser.add_argument("--noise", type=float, default=NOISE, help="grey levels of 255")
    wanted = parser.parse_args()
    unknown = set(wanted.scenes) - set(SCENES)
    if unknown:
        parser.error(f"{', '.join(sorted(unknown))}: no such scene")
    wanted.folder.mkdir(parents=True, exist_ok=True)
    size = round(wanted.size * ASPECT), wanted.size
    for name in wanted.scenes:
        frames = noisy(islice(SCENES[name](size), wanted.frames), wanted.noise)
        path = wanted.folder / f"{name}.mp4"
        write(path, frames)
        print(path)


if __name__ == "__main__":
    main()

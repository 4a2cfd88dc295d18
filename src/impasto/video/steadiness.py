"""How steady a painted film is, in numbers, beside the clip that it was painted from."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from statistics import fmean

import numpy as np
import torch
from torch import Tensor

from impasto.config import Size
from impasto.errors import PictureError
from impasto.measure.appraise import ASPECT_SLACK, LARGEST_PX, Appraiser
from impasto.measure.metrics import Measures
from impasto.pictures import PictureSource
from impasto.video.clip import Clip, Frame
from impasto.video.flow import Motion, carried, motion
from impasto.video.shots import find_shots
from impasto.video.source import Pixels, shaped

SAMPLES = 8  # frames, spread over the film, whose style is measured
EDGE_SHARE = 4  # a shot's first and last quarter are compared
EARLY = Fraction(1, 4)  # of a frame's time, by which a film's stamp may be early: GIF has 10 ms
LUMA = np.array([0.2126, 0.7152, 0.0722], np.float32) / 255  # BT.709's weights
LONGER_S = Fraction(1, 2)  # by which a film may go on after its original


@dataclass(frozen=True)
class Steadiness:
    """Numbers of one film; all differences are of samples in [0, 1].

    Attributes:
        size: (height, width) at which it was measured.
        frames: how many.
        shots: of the original.
        trusted: the share of places whose motion can be trusted.
        warping: the root of the mean squared difference of each frame from the one before it
            carried along the original's motion, in places where that can be trusted.
        warping_original: the same of the original: its noise, and what the motion misses.
        flicker: the mean absolute difference there.
        flicker_original: the same of the original.
        contrast: standard deviation of luma in a frame, on average.
        drift_mean: by how much a frame's mean luma moved from a shot's first quarter to its last,
            beyond the original's; of the shot where that is most.
        drift_contrast: likewise its standard deviation, as a share of what it was.
        drift_sharpness: likewise its mean gradient.
        painted: what pictures are measured by, in the mean of some frames; empty without a style.
    """

    size: Size
    frames: int
    shots: int
    trusted: float
    warping: float
    warping_original: float
    flicker: float
    flicker_original: float
    contrast: float
    drift_mean: float
    drift_contrast: float
    drift_sharpness: float
    painted: Measures = field(default_factory=Measures)


@dataclass(frozen=True)
class _Look:
    """A frame's mean luma, its standard deviation and its mean gradient."""

    mean: float
    contrast: float
    sharpness: float


def look(pixels: Pixels) -> _Look:
    """What drifts in a frame (H, W, 3)."""
    luma = pixels.astype(np.float32) @ LUMA
    slopes = np.hypot(*np.gradient(luma))
    return _Look(float(luma.mean()), float(luma.std()), float(slopes.mean()))


def tensor_of(pixels: Pixels) -> Tensor:
    """(H, W, 3) uint8 as (1, 3, H, W) in [0, 1]."""
    return torch.from_numpy(np.ascontiguousarray(pixels.transpose(2, 0, 1)))[None].float() / 255


def left_by(earlier: Pixels, later: Pixels, way: Motion) -> tuple[float, float]:
    """Sums over trusted places of what differs from the earlier frame carried along: squared and
    absolute, in the mean of channels.
    """
    off = (tensor_of(later) - carried(tensor_of(earlier), way)).double() * way.trust
    return float(off.square().mean(1).sum()), float(off.abs().mean(1).sum())


def beside(
    film: Iterator[Frame], original: Iterator[Frame], begin: Fraction
) -> Iterator[tuple[Frame, Frame]]:
    """Each frame of a film with the frame of its original that stands when it comes."""
    current, ahead = next(original, None), next(original, None)
    for frame in film:
        time = frame.time + begin
        while ahead is not None and ahead.time <= time + EARLY * ahead.duration:
            current, ahead = ahead, next(original, None)
        assert current is not None  # `frames` gives one or more, or raises
        yield frame, current


def drift(pairs: Sequence[tuple[_Look, _Look]]) -> tuple[float, float, float]:
    """Of mean, contrast and sharpness over a shot, each beyond the original's own."""
    edge = max(1, len(pairs) // EDGE_SHARE)
    first, last = pairs[:edge], pairs[-edge:]

    def share(name: str, some: Iterable[tuple[_Look, _Look]]) -> float:
        return fmean(getattr(f, name) / max(getattr(o, name), 1 / 255) for f, o in some)

    moved = [fmean(f.mean - o.mean for f, o in some) for some in (last, first)]
    ratios = (
        share(each, last) / max(share(each, first), 1e-6) - 1 for each in ("contrast", "sharpness")
    )
    contrast, sharpness = ratios
    return moved[0] - moved[1], contrast, sharpness


def mean_measures(all_: Sequence[Measures]) -> Measures:
    """The mean of each number of some pictures, by layer too."""
    if not all_:
        return Measures()

    def mean(name: str) -> float | None:
        values = [getattr(each, name) for each in all_]
        return None if None in values else fmean(values)

    def by_layer(name: str) -> Mapping[str, float]:
        maps = [getattr(each, name) for each in all_]
        return {layer: fmean(each[layer] for each in maps) for layer in maps[0]}

    kept = {name: mean(name) for name in ("lpips", "ssim", "lost")}
    tv = fmean(each.tv for each in all_)
    return Measures(**kept, style=by_layer("style"), left=by_layer("left"), tv=tv)


class Appraised:
    """Sums that grow frame by frame: two frames of each film are in memory."""

    def __init__(self) -> None:
        self.before: tuple[Pixels, Pixels] | None = None
        self.places = self.all_places = 0.0
        self.squared, self.absolute = [0.0, 0.0], [0.0, 0.0]
        self.looks: list[tuple[_Look, _Look]] = []

    def add(self, film: Pixels, original: Pixels, cut: bool) -> None:
        """Take in the next frame and its original; ``cut`` is where a shot begins."""
        self.looks.append((look(film), look(original)))
        if self.before is not None and not cut:
            way = motion(self.before[1], original, threads=2)
            self.places += float(way.trust.sum())
            self.all_places += way.trust.numel()
            for place, pixels in enumerate((film, original)):
                squared, absolute = left_by(self.before[place], pixels, way)
                self.squared[place] += squared
                self.absolute[place] += absolute
        self.before = film, original

    def result(self, size: Size, shots: Sequence[tuple[int, int]], painted: Measures) -> Steadiness:
        """All of it in numbers."""
        places = max(self.places, 1.0)
        warping, warping_original = ((each / places) ** 0.5 for each in self.squared)
        flicker, flicker_original = (each / places for each in self.absolute)
        drifts = [drift(self.looks[first : last + 1]) for first, last in shots if last > first]
        most = [max((each[place] for each in drifts), key=abs, default=0.0) for place in range(3)]
        return Steadiness(
            size=size,
            frames=len(self.looks),
            shots=len(shots),
            trusted=self.places / max(self.all_places, 1.0),
            warping=warping,
            warping_original=warping_original,
            flicker=flicker,
            flicker_original=flicker_original,
            contrast=fmean(film.contrast for film, _ in self.looks),
            drift_mean=most[0],
            drift_contrast=most[1],
            drift_sharpness=most[2],
            painted=painted,
        )


def check_pair(film: Clip, original: Clip, begin: Fraction) -> None:
    """Raise a PictureError where one cannot be the other, painted."""
    aspects = [clip.size[1] / clip.size[0] for clip in (film, original)]
    if abs(aspects[0] / aspects[1] - 1) > ASPECT_SLACK + 1 / min(film.size):
        shapes = [f"{clip.size[1]} x {clip.size[0]} px" for clip in (film, original)]
        given = f"{film.what} is {shapes[0]}, its original {shapes[1]}"
        hint = "give the clip that it was made from"
        raise PictureError(given, "the same shape is wanted, at any size", hint)
    if film.duration and original.duration and begin + film.duration > original.duration + LONGER_S:
        lasting = [float(each) for each in (film.duration, original.duration)]
        there = f"{lasting[1]:.2f} s" + (f", from {float(begin):g} s on" if begin else "")
        given = f"{film.what} lasts {lasting[0]:.2f} s, its original {there}"
        raise PictureError(given, "", "give the clip that it was made from, and where it begins")


def steadiness(
    film: Clip,
    original: Clip,
    style: PictureSource | None = None,
    *,
    begin_s: float | Fraction = 0,
    longest_px: int = LARGEST_PX,
) -> Steadiness:
    """Measure a painted film; both clips are read twice, frame by frame.

    Args:
        film: the painted one.
        original: the clip that it was painted from.
        style: the painting, or a built-in style's name: some frames are measured by it too.
        begin_s: where in the original the film begins.
        longest_px: longer side at which larger films are measured.

    Raises:
        PictureError: one can't be read, or they don't belong together.
    """
    begin = Fraction(begin_s)
    check_pair(film, original, begin)
    longest = min(longest_px, max(film.size))
    size = film.size_at(longest)

    def pairs() -> Iterator[tuple[Frame, Frame]]:
        there = original.frames(begin or None, size_px=max(size))
        return beside(film.frames(size_px=longest), there, begin)

    shots = find_shots(source for _, source in pairs())
    starts = {first for first, _ in shots}
    count, sums, painted = shots[-1][1] + 1, Appraised(), []
    appraiser = None if style is None else Appraiser(None, style, size=longest_px)
    sampled = {round(place) for place in np.linspace(0, count - 1, min(SAMPLES, count))}
    for number, (frame, source) in enumerate(pairs()):
        pixels, there = shaped(frame.pixels, size), shaped(source.pixels, size)
        sums.add(pixels, there, number in starts)
        if appraiser is not None and number in sampled:
            painted.append(against(appraiser, there)(pixels).measures)
    return sums.result(size, shots, mean_measures(painted))


def against(appraiser: Appraiser, photograph: Pixels) -> Appraiser:
    """The same that compares with another photograph."""
    from impasto import pictures

    other = copy.copy(appraiser)
    other.photograph = pictures.load(photograph, "photograph")
    return other

"""A picture as waves: the cosine transform, and how large its waves are by frequency and colour.

Paintings' waves fall with frequency as 1 / frequency, as all pictures' do (Field 1987), but each
in its own way, and the faster the less they differ in lightness: what is fine in paint is light and
shade.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

import torch
from scipy.fft import dctn, idctn
from torch import Tensor

from impasto.config import BORDERED, Axes, Size

BOTH_AXES: Mapping[str, Any] = MappingProxyType(
    {"axes": (2, 3), "norm": "ortho"}
)  # of height and width
# In cycles a pixel: a style loss's inverse curvature is 1 / (frequency + this). Measured from pairs
# of steps and gradient changes on three pairs of pictures at 128 and 256 px: 1 / frequency from
# 0.01 to 0.7.
LOWEST_FREQUENCY = 0.01

# Orthonormal rows of red, green and blue: lightness, red against blue, green against both.
OPPONENT = (
    (3**-0.5, 3**-0.5, 3**-0.5),
    (2**-0.5, 0.0, -(2**-0.5)),
    (6**-0.5, -2 * 6**-0.5, 6**-0.5),
)
# Bands of frequency, half an octave each, down from the highest there is: that of a chequerboard.
BANDS, BANDS_PER_OCTAVE, HIGHEST_FREQUENCY = 16, 2, 0.5**0.5
# What a step is expected to have, against 1 / (frequency + LOWEST_FREQUENCY). Lightness: 1, but in
# bands finer than REFERENCE less where paintings have less than half (SLACK) of what that law makes
# of the bands there. Colours: of lightness what they have in paintings; in bands coarser than
# COARSE its root (ROOT), as in the pairs of steps and gradient changes of long runs, from there to
# FINE more and more of it. Against one filter for all: drafts' losses at 512 px +3 % (faithful)
# and -12, -16 % (painterly), at the last scale of 4096 px -6 to -26 %, with a half to a sixteenth
# of the finest colour. With SLACK 1 a painterly draft's loss at 512 px is 16 % higher.
REFERENCE = (0.05, 0.13)  # cycles a pixel
COARSE, FINE = 0.03, 0.25
ROOT = 0.5
SLACK = 2.0
LEAST_AMPLITUDE = 0.04  # so that what is hardly there can still come

TINY = torch.finfo(torch.float32).tiny


def to_opponent(picture: Tensor) -> Tensor:
    """Red, green and blue as lightness and two differences of colour, (1, 3, H, W)."""
    return torch.einsum("ij,bjhw->bihw", picture.new_tensor(OPPONENT), picture).contiguous()


def from_opponent(picture: Tensor) -> Tensor:
    """Back to red, green and blue."""
    return torch.einsum("ji,bjhw->bihw", picture.new_tensor(OPPONENT), picture).contiguous()


def frequencies_of(size: Size, around: Axes) -> tuple[Tensor, Tensor]:
    """In cycles a pixel, of the waves that a picture is filtered in, down and across."""
    exact, cpu = torch.float64, "cpu"
    if not any(around):
        places = (torch.arange(length, dtype=exact, device=cpu) for length in size)
        down, across = (place / (2 * len(place)) for place in places)
        return down, across
    height, width = (
        length if joined else 2 * length for length, joined in zip(size, around, strict=True)
    )
    down = torch.fft.fftfreq(height, dtype=exact, device=cpu).abs()
    return down, torch.fft.rfftfreq(width, dtype=exact, device=cpu)


def filtered_around(picture: Tensor, factors: Tensor, around: Axes) -> Tensor:
    """A picture's waves times factors, where it goes on around its edges, and no seam comes of it.

    The other way it is filtered with its mirror image, as by the cosine transform.
    """
    height, width = picture.shape[2:]
    for axis, joined in zip((2, 3), around, strict=True):
        if not joined:
            picture = torch.cat([picture, picture.flip(axis)], axis)
    waves = torch.fft.rfft2(picture).mul_(factors)
    whole: Tensor = torch.fft.irfft2(waves, s=picture.shape[2:])
    return whole[..., :height, :width].contiguous()


def to_waves(picture: Tensor) -> Tensor:
    """The orthonormal cosine transform (DCT-II) of each channel.

    Unlike Fourier's, its waves do not join a picture's left border to its right one, where they
    are seen as strips of foreign colour.
    """
    if picture.device.type == "cpu":
        return torch.from_numpy(dctn(picture.numpy(), workers=torch.get_num_threads(), **BOTH_AXES))
    down, across = (cosines(length).to(picture) for length in picture.shape[2:])
    return down @ picture @ across.T


def from_waves(waves: Tensor) -> Tensor:
    """The picture that has this transform."""
    if waves.device.type == "cpu":
        return torch.from_numpy(idctn(waves.numpy(), workers=torch.get_num_threads(), **BOTH_AXES))
    down, across = (cosines(length).to(waves) for length in waves.shape[2:])
    return down.T @ waves @ across


def cosines(length: int) -> Tensor:
    """The transform as a matrix, float64, a frequency a row: PyTorch has no other for a GPU."""
    count = torch.arange(length, dtype=torch.float64, device="cpu")
    waves: Tensor = torch.cos(count[:, None] * (count + 0.5) * (torch.pi / length))
    waves[0] /= 2**0.5
    return waves.mul_((2 / length) ** 0.5)


def filtered(picture: Tensor, factors: Tensor, around: Axes) -> Tensor:
    """A picture's waves times factors, for each of ``frequency_of`` its size, or by colour too."""
    if any(around):
        return filtered_around(picture, factors, around)
    return from_waves(to_waves(picture).mul_(factors))


def frequency_of(size: Size, around: Axes, like: Tensor) -> Tensor:
    """Of each wave, in cycles a pixel, whatever its direction; as many as ``frequencies_of``."""
    down, across = (each.to(like) for each in frequencies_of(size, around))
    frequency: Tensor = torch.hypot(down[:, None], across)
    return frequency


def power_of(picture: Tensor) -> Tensor:
    """The mean square of a picture's waves, (3, BANDS): by opponent colour, from coarse to fine.

    It is a density: it does not grow with the picture. Its mean colour is no wave; bands coarser
    than all its waves have what the coarsest of these has. Float64, on the CPU.
    """
    exact = torch.zeros((), dtype=torch.float64, device="cpu")
    frequency = frequency_of((picture.shape[2], picture.shape[3]), BORDERED, exact)
    band = bands_of(frequency).round_().long().flatten()[1:]
    counts = band.bincount(minlength=BANDS)
    sums = [
        band.bincount(each.flatten()[1:].cpu().double().square_(), BANDS)
        for each in to_waves(to_opponent(picture))[0]
    ]
    filled = counts.nonzero().flatten()
    nearest = (
        (filled - torch.arange(BANDS, dtype=torch.int64, device="cpu")[:, None]).abs().argmin(1)
    )
    return (torch.stack(sums) / counts.clamp(min=1))[:, filled[nearest]]


def amplitudes_of(power: Tensor) -> Tensor:
    """How large a step's waves are to be against 1 / frequency, (3, BANDS), from 0 to 1.

    Args:
        power: by opponent colour and band, of what is to come and of what is there.
    """
    bands = torch.arange(BANDS, dtype=power.dtype, device=power.device)
    frequency = HIGHEST_FREQUENCY * 2 ** ((bands - (BANDS - 1)) / BANDS_PER_OCTAVE)
    size = power.clamp(min=TINY).sqrt() * (frequency + LOWEST_FREQUENCY)
    low, high = REFERENCE
    reference = size[0, (frequency > low) & (frequency < high)].log().mean().exp()
    lightness = (SLACK * size[0] / reference).clamp_(LEAST_AMPLITUDE, 1)
    lightness[frequency < high] = 1
    fineness = ((frequency / COARSE).log_() / math.log(FINE / COARSE)).clamp_(0, 1)
    colours = (size / size[0]).clamp_(LEAST_AMPLITUDE, 1) ** (ROOT + (1 - ROOT) * fineness)
    expected: Tensor = colours * lightness
    return expected


def amplitudes_at(amplitudes: Tensor, frequency: Tensor) -> Tensor:
    """Between the bands' middles, at frequencies (H, W) in cycles a pixel: (3, H, W)."""
    place = bands_of(frequency)
    before = place.long().clamp_(max=BANDS - 2)
    part = place.sub_(before)
    rows = amplitudes.to(frequency)
    return torch.stack([torch.lerp(each[before], each[before + 1], part) for each in rows])


def bands_of(frequency: Tensor) -> Tensor:
    """On which band's middle a frequency is, from 0, or between which two."""
    octaves: Tensor = (frequency / HIGHEST_FREQUENCY).clamp_(min=TINY).log2_()
    return octaves.mul_(BANDS_PER_OCTAVE).add_(BANDS - 1).clamp_(0, BANDS - 1)


def mean_power(pictures: Iterable[tuple[float, Tensor]]) -> Tensor:
    """Of pictures, each with its weight, one of which is held at a time: (3, BANDS)."""
    total, weights = torch.zeros(3, BANDS, dtype=torch.float64, device="cpu"), 0.0
    for weight, picture in pictures:
        total += weight * power_of(picture)
        weights += weight
    return total / weights

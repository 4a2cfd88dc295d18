"""Whose colours a picture has: luminance kept apart, or a picture recoloured to another's palette.

Gatys, Bethge, Hertzmann & Shechtman 2016, "Preserving Color in Neural Artistic Style Transfer".
Pictures are (1, 3, H, W), sRGB in [0, 1]; two of them may differ in size.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

# Of red, green and blue in YIQ's Y, the luminance of the paper's section 4 (ITU-R BT.601).
LUMA = (0.299, 0.587, 0.114)
ROUNDED = 2 / 255  # between channels, or of a deviation: a JPEG's rounding, and no colour
FLAT = ROUNDED**2  # variance: a palette with less along a line has nothing to match or to stretch
CHUNK_PX = 2**20  # of a picture that is counted at a time
FAINT = 1e-4  # of a palette's largest variance: a hundredth of its contrast is noise, not a colour


def luminance(picture: Tensor) -> Tensor:
    """Y of YIQ, (1, 1, H, W) in [0, 1]."""
    weights = torch.tensor(LUMA, dtype=picture.dtype, device=picture.device)
    return (picture * weights.view(1, 3, 1, 1)).sum(1, keepdim=True)


def grey(picture: Tensor) -> Tensor:
    """The picture without its colours."""
    return luminance(picture).expand(-1, 3, -1, -1).contiguous()


def nearest_grey(picture: Tensor) -> Tensor:
    """The grey picture that is nearest to one: the mean of its channels in each, to the bit.

    An orthogonal projection: what it does to a picture, it does to a gradient by that picture.
    """
    return picture.mean(1, keepdim=True).expand(-1, 3, -1, -1).contiguous()


def is_grey(picture: Tensor, alpha: Tensor | None = None) -> bool:
    """Whether red, green and blue are alike, but for ROUNDED, wherever alpha shows anything."""
    apart = picture.amax(1, keepdim=True) - picture.amin(1, keepdim=True)
    apart = apart if alpha is None else apart * (alpha > 0)
    return bool(apart.max() <= ROUNDED + torch.finfo(apart.dtype).eps)


def has_chroma(picture: Tensor, alpha: Tensor | None = None) -> bool:
    """Whether a picture's colours, as alpha counts them, differ in more than one way.

    Those of a drawing on toned paper or of a sepia print do not: they are light or dark.
    """
    return spreads(palette(picture, alpha)[1])[1] > FLAT


def spreads(S: Tensor) -> tuple[float, float]:
    """A palette's variance along the line where it is largest, and along the next one."""
    _, second, first = torch.linalg.eigvalsh(S).tolist()
    return first, second


def with_luminance(colours: Tensor, light: Tensor) -> Tensor:
    """A picture with the luminance of ``light``, and the I and Q of ``colours``, of the same size.

    Of the three channels of YIQ only Y changes, and it counts alike in red, green and blue.
    """
    return (colours + (luminance(light) - luminance(colours))).clamp(0, 1)


def match_luminance(
    picture: Tensor, target: Tensor, alpha: Tensor | None = None, target_alpha: Tensor | None = None
) -> Tensor:
    """The picture with mean and deviation of its luminance as the target's: section 4.

    So that a dark painting does not make the picture dark, whose colours are the photograph's.
    Of either picture its alpha (1, 1, H, W) says how much each pixel counts; without it, alike.
    A flat target has no contrast that could be matched, and the picture stays as it is.
    """
    Y = luminance(picture)
    mean, variance = spread(Y, alpha)
    wanted_mean, wanted = spread(luminance(target), target_alpha)
    if wanted <= FLAT:
        return picture
    gain = (wanted / variance).sqrt() if variance > FLAT else 1.0
    return (picture + ((Y - mean) * gain + wanted_mean - Y)).clamp(0, 1)


def spread(Y: Tensor, alpha: Tensor | None) -> tuple[Tensor, Tensor]:
    """Mean and variance of a channel (1, 1, H, W), as alpha, alike in shape, counts its pixels."""
    if alpha is None:
        return Y.mean(), Y.var()
    mean = (Y * alpha).sum() / alpha.sum()
    return mean, ((Y - mean).square() * alpha).sum() / alpha.sum()


def match_covariance(
    picture: Tensor, target: Tensor, alpha: Tensor | None = None, target_alpha: Tensor | None = None
) -> Tensor:
    """The picture with mean and covariance of its colours as the target's, the nearest such one.

    A linear map of colours, section 3 of the paper. Of all that give the covariance this is the one
    that moves colours least: Pitie & Kokaram 2007, "The linear Monge-Kantorovitch linear colour
    mapping". Where a colour would leave [0, 1] it stays at the border. Alphas are as in
    ``match_luminance``. Poor palettes are matched as far as they go: ``match_poor``.
    """
    poor = match_poor(picture, target, alpha, target_alpha)
    if poor is not None:
        return poor
    (mean, S), (wanted, T) = palette(picture, alpha), palette(target, target_alpha)
    half, inverse = powers(S, 0.5), powers(S, -0.5)
    A = inverse @ powers(half @ T @ half, 0.5) @ inverse
    shift = (wanted - A @ mean).to(picture)[:, None]
    moved = torch.addmm(shift, A.to(picture), picture[0].flatten(1))
    return moved.view_as(picture).clamp_(0, 1)


def match_histogram(
    picture: Tensor, target: Tensor, alpha: Tensor | None = None, target_alpha: Tensor | None = None
) -> Tensor:
    """The picture with each channel's histogram as the target's: no linear map, and no mixing.

    Alphas are as in ``match_luminance``. Poor palettes are matched as far as they go:
    ``match_poor``. Where the target is grey, the picture is made grey first.
    """
    poor = match_poor(picture, target, alpha, target_alpha)
    if poor is not None:
        return poor
    if is_grey(target, target_alpha):
        picture = nearest_grey(match_covariance(picture, target, alpha, target_alpha))
    channels = [
        _matched(channel, wanted, alpha, target_alpha)
        for channel, wanted in zip(picture[0], target[0], strict=True)
    ]
    return torch.stack(channels)[None].to(picture).clamp(0, 1)


def match_poor(
    picture: Tensor, target: Tensor, alpha: Tensor | None = None, target_alpha: Tensor | None = None
) -> Tensor | None:
    """What becomes of a picture where its palette, or the target's, is too poor to be matched.

    A flat target says nothing of colours' relations: the picture stays as it is, where a match
    would leave nothing of it. A flat picture takes the target's mean. Of one without chroma only
    the luminance is matched: a tint is no colour. None where both palettes are rich.
    """
    (mean, S), (wanted, T) = palette(picture, alpha), palette(target, target_alpha)
    if spreads(T)[0] <= FLAT:
        return picture
    if spreads(S)[0] <= FLAT:
        return (picture + (wanted - mean).to(picture).view(1, 3, 1, 1)).clamp(0, 1)
    if spreads(S)[1] <= FLAT:
        return match_luminance(picture, target, alpha, target_alpha)
    return None


def _matched(
    channel: Tensor, target: Tensor, alpha: Tensor | None, target_alpha: Tensor | None
) -> Tensor:
    """A channel (H, W) with another's histogram: of each value the other's at its quantile."""
    _, quantiles, place = _quantiles(channel, alpha)
    wanted, theirs, _ = _quantiles(target, target_alpha)
    there = np.diff(theirs, prepend=0) > 0  # and not only where it is hidden
    matched = np.interp(quantiles, theirs[there], wanted[there])
    return torch.from_numpy(matched[place].reshape(channel.shape).astype(np.float32))


def _quantiles(
    channel: Tensor, alpha: Tensor | None
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float64], npt.NDArray[np.intp]]:
    """A channel's values, ascending, how much of it is no larger, and each pixel's place there."""
    values, place, counts = np.unique(
        channel.cpu().numpy().reshape(-1), return_inverse=True, return_counts=True
    )
    if alpha is not None:
        counts = np.bincount(place, alpha.cpu().double().numpy().reshape(-1), len(values))
    summed = np.cumsum(counts)
    return values, summed / summed[-1], place


def palette(picture: Tensor, alpha: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Mean (3,) and covariance (3, 3) of a picture's colours, float64, a part at a time.

    Alpha (1, 1, H, W) says how much each pixel counts; without it, alike.
    """
    flat = picture[0].flatten(1)
    weights = flat.new_ones(1).expand(flat.shape[1]) if alpha is None else alpha.flatten()
    count = float(weights.double().sum())
    parts = list(zip(torch.split(flat, CHUNK_PX, 1), torch.split(weights, CHUNK_PX), strict=True))
    mean = torch.stack([(part.double() * weight).sum(1) for part, weight in parts]).sum(0) / count
    covariance = flat.new_zeros((3, 3), dtype=torch.float64)
    for part, weight in parts:
        centred = part.double() - mean[:, None]
        covariance += (centred * weight) @ centred.T
    return mean, covariance / max(1, count - 1)


def powers(S: Tensor, exponent: float) -> Tensor:
    """A symmetric positive semidefinite matrix to a power.

    To a negative one only as far as it has spread: a grey picture's colours stay as grey.
    """
    values, Q = torch.linalg.eigh(S)
    spread = values > FAINT * values[-1] if exponent < 0 else values > 0
    raised = torch.where(spread, values, torch.ones_like(values)) ** exponent
    power: Tensor = (Q * torch.where(spread, raised, torch.zeros_like(raised))) @ Q.T
    return power

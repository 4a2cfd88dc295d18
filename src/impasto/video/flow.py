"""How things moved from one frame to another, how far that can be trusted, and what it carries."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import product
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as nnf
from torch import Tensor

from impasto.video.extra import require
from impasto.video.source import Pixels

Floats: TypeAlias = npt.NDArray[np.float32]

# DIS at full size: 0.05 px off in a pan and 0.18 px beside what moves before it, where its presets
# stop at half the size and are 0.15 and 0.26 px off. It takes as long as 0.4 iterations at 512 px.
FINEST_SCALE = 0

# Ruder, Dosovitskiy & Brox 2016, section 4.3, after Sundaram, Brox & Keutzer 2010.
RETURN_SHARE, RETURN_PX2 = 0.01, 0.5  # equation 5: how far there and back may end from where it was
EDGE_SHARE, EDGE_PX2 = 0.01, 0.002  # equation 6: how far neighbours' motions may differ

BORDER_PX = 0.5  # beyond the outermost pixels' middles, which is where a frame ends

# What is still: see `is_still`. Measured on scenes with noise of 1 to 16 grey levels of 255.
NEAR_PX, LEAST_PX = 15, 31  # windows: a small one, and the least of a larger one
WIDE, HUGE = 1 / 6, 1 / 2  # of the shorter side: larger windows
MOST_GAIN = 2.2  # by which following noise explains a frame better than standing still: 2.1 seen
SIGNIFICANT = 60.0  # of a shift of a wide window, chi squared: 29 seen, and 100s at 0.05 px a frame
MOST_DRIFT_PX = 0.1  # of the mean way in a wide window, where what is around has moved
MOSTLY = 0.5  # of a wide window, and of what can be seen in a huge one, that has to be still
SCHARR_SUM = 32  # of the weights of OpenCV's Scharr kernel, times the px between them
# An encoder's islands: so much of a huge window is still, and so little changes, in grey levels
# squared, or beside what changes around.
NEARLY, FAINT2, FAINT_TIMES = 0.8, 25.0, 2.0
LEAST_SHIFT_PX = 0.03  # which is no motion: what encoders make of a still window looks like 0.02
CODED2, LEVELS2 = 2.0, 0.25  # grey levels squared: what encoders leave out or add, and rounding

# Quintic B-splines, after Unser 1999: carried 13 times by parts of a pixel, a photograph keeps 94 %
# of its gradients and is 0.009 off; by cubic ones 88 % and 0.012, by PyTorch's bicubic kernel, that
# sharpens some and blurs others, 94 % and 0.016.
SPLINE_POLES = (-0.430575347099973, -0.0430962882032647)
SPLINE_TAPS = 15  # each side, as the least side of a picture allows: 3e-6 of a pixel are lost


@dataclass(frozen=True)
class Motion:
    """Where each place of a frame was in an earlier one.

    Attributes:
        field: (1, 2, H, W) float32, in px, (across, down): what is at (x, y) in the later frame
            was at (x + field[0, 0], y + field[0, 1]) in the earlier one.
        trust: (1, 1, H, W) float32, 1 or 0: 0 where something came to be seen, came from beyond
            the frame, or lies at the edge of what moves.
    """

    field: Tensor
    trust: Tensor


def motion(earlier: Pixels, later: Pixels, threads: int = 1) -> Motion:
    """The motion between two frames (H, W, 3) of a shot; any two, not only neighbours.

    OpenCV's DIS flow (Kroeger et al. 2016), forward and back. Trust by Sundaram, Brox & Keutzer
    2010, as section 4.3 of Ruder, Dosovitskiy & Brox 2016 has it. Where nothing but noise changed
    it is exactly 0, with full trust. Deterministic, with any number of threads.

    Args:
        earlier: uint8, sRGB.
        later: of the same size.
        threads: 2 computes both ways at once.

    Raises:
        PictureError: OpenCV is not there.
    """
    require("motion", "cv2")
    import cv2

    before, after = (
        cv2.cvtColor(np.ascontiguousarray(each), cv2.COLOR_RGB2GRAY) for each in (earlier, later)
    )
    with one_thread(), ThreadPoolExecutor(max(1, min(threads, 2))) as pool:
        back, forth = pool.map(lambda pair: steadied(*pair), ((before, after), (after, before)))
    trust = trusted(back, forth)
    field = torch.from_numpy(back).permute(2, 0, 1)[None].contiguous()
    return Motion(field, torch.from_numpy(trust.astype(np.float32))[None, None])


@contextmanager
def one_thread() -> Iterator[None]:
    """OpenCV's own threads off: it cuts its work into as many stripes, and takes all cores."""
    import cv2

    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(before)


def steadied(before: Pixels, after: Pixels) -> Floats:
    """The way (H, W, 2) from each place of a grey picture to where it is in the one before."""
    import cv2

    if np.array_equal(before, after):
        return np.zeros((*after.shape, 2), np.float32)
    dis = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    dis.setFinestScale(FINEST_SCALE)
    way: Floats = np.asarray(dis.calc(after, before, np.empty((0,), np.float32)), np.float32)
    way[is_still(before.astype(np.float32), after.astype(np.float32), way)] = 0
    return way


def places(way: Floats) -> tuple[Floats, Floats]:
    """Where each place of a (H, W, 2) way leads: columns and rows."""
    height, width = way.shape[:2]
    down, across = np.mgrid[:height, :width].astype(np.float32)
    return across + way[..., 0], down + way[..., 1]


def is_still(before: Floats, after: Floats, way: Floats) -> npt.NDArray[np.bool_]:
    """Where standing still explains a frame as well as a way does that may follow noise.

    Three things have to hold. Near a place the difference of the frames is no more than so many
    times what is left of it along the way, and around it most places are so. The best shift of all
    of these together (Lucas & Kanade 1981) is no more than noise makes, by its chi squared: so a
    slow pan goes on being one. And what has no texture, such as a sky, goes with what is around.
    """
    import cv2

    wide, huge = (max(LEAST_PX, int(min(after.shape) * share)) | 1 for share in (WIDE, HUGE))
    along = cv2.remap(before, *places(way), cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    standing, going = (mean(np.square(after - each), NEAR_PX) for each in (before, along))
    maybe = (standing <= MOST_GAIN * going + CODED2).astype(np.float32)
    share = mean(maybe, wide)
    average = partial(weighed, weight=maybe, share=share, size_px=wide)
    slopes = gradients((before + after) * np.float32(0.5))
    gain, shift_px = best_shift(slopes, after - before, average)
    shifted = (wide**2 * share * gain > SIGNIFICANT) & (shift_px > LEAST_SHIFT_PX)
    seen = np.square(slopes).sum(0)
    around = mean(maybe * seen, huge) >= MOSTLY * mean(seen, huge)
    drifts = np.hypot(average(way[..., 0]), average(way[..., 1])) > MOST_DRIFT_PX
    still = (maybe > 0) & (share >= MOSTLY) & ~shifted & (around | ~drifts)
    stands = still.astype(np.float32)
    among = mean(stands, huge)
    faint = FAINT2 + FAINT_TIMES * weighed(standing, stands, among, huge)
    return np.asarray(still | ((among >= NEARLY) & (standing <= faint)))


def mean(values: Floats, size_px: int) -> Floats:
    """Of the square window around each place."""
    import cv2

    return np.asarray(cv2.blur(values, (size_px, size_px), borderType=cv2.BORDER_REFLECT))


def weighed(values: Floats, weight: Floats, share: Floats, size_px: int) -> Floats:
    """The mean of what counts in each window; ``share`` is how much of it does."""
    counted = np.maximum(share, np.float32(1 / size_px**2))
    return np.asarray(mean(values * weight, size_px) / counted, np.float32)


def gradients(grey: Floats) -> Floats:
    """Across and down, (2, H, W), in levels per px."""
    import cv2

    orders = ((1, 0), (0, 1))
    return np.stack([cv2.Scharr(grey, cv2.CV_32F, *each, scale=1 / SCHARR_SUM) for each in orders])


def best_shift(
    slopes: Floats, change: Floats, average: Callable[[Floats], Floats]
) -> tuple[Floats, Floats]:
    """The best small shift of each window, by Lucas and Kanade's step.

    Returns:
        By how much it lowers the squared change, as a share of what is left; its length in px.
    """
    gx, gy = slopes
    change = change - average(change)
    xx, yy, xy = average(gx * gx) + LEVELS2, average(gy * gy) + LEVELS2, average(gx * gy)
    bx, by = average(gx * change), average(gy * change)
    area = xx * yy - xy * xy
    across, down = (yy * bx - xy * by) / area, (xx * by - xy * bx) / area
    gain = across * bx + down * by
    left = np.maximum(average(change * change) - gain, LEVELS2)
    return np.asarray(gain / left, np.float32), np.hypot(across, down)


def trusted(back: Floats, forth: Floats) -> npt.NDArray[np.bool_]:
    """Where a way back (H, W, 2) can be trusted, given the way forth: equations 5 and 6.

    A place that came from beyond the frame isn't.
    """
    import cv2

    height, width = back.shape[:2]
    across, down = places(back)
    least, columns, rows = -BORDER_PX, width - 1 + BORDER_PX, height - 1 + BORDER_PX
    inside = (across >= least) & (across <= columns) & (down >= least) & (down <= rows)
    there = cv2.remap(forth, across, down, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    lengths = np.square(back).sum(2)
    off = np.square(there + back).sum(2)
    returns = off <= RETURN_SHARE * (np.square(there).sum(2) + lengths) + RETURN_PX2
    slopes = sum(np.square(np.gradient(back[..., each])).sum(0) for each in (0, 1))
    return np.asarray(inside & returns & (slopes <= EDGE_SHARE * lengths + EDGE_PX2))


def carried(picture: Tensor, motion: Motion) -> Tensor:
    """The earlier frame's picture (1, C, H, W), in [0, 1], as it lies in the later frame.

    Between pixels by quintic B-splines, which keep brush strokes over many frames where bicubic
    kernels blur them; beyond the border its outermost pixels go on. Where the motion is 0 it is
    the picture itself, to the bit.
    """
    field = motion.field.to(picture)
    moved = (field != 0).any(1, keepdim=True)
    if not bool(moved.any()):
        return picture
    height, width = picture.shape[2:]
    columns = torch.arange(width, dtype=picture.dtype, device=picture.device)
    rows = torch.arange(height, dtype=picture.dtype, device=picture.device)
    across = (columns + field[:, 0]).clamp(0, width - 1)
    down = (rows[:, None] + field[:, 1]).clamp(0, height - 1)
    between = between_pixels(spline_coefficients(picture), across, down).clamp(0, 1)
    return torch.where(moved, between, picture)


def spline_coefficients(picture: Tensor) -> Tensor:
    """What quintic B-splines are weighed with to go through a picture's (1, C, H, W) pixels."""
    apart = abs(np.arange(-SPLINE_TAPS, SPLINE_TAPS + 1))
    one, other = (np.asarray(pole**apart, np.float64) for pole in SPLINE_POLES)
    whole = np.convolve(one, other, mode="same")
    channels = picture.shape[1]
    kernel = torch.tensor(whole / whole.sum(), dtype=picture.dtype, device=picture.device)
    kernel = kernel.expand(channels, 1, 1, -1).contiguous()
    for turned in (kernel, kernel.transpose(2, 3)):  # across, then down
        around = [SPLINE_TAPS * (side > 1) for side in (turned.shape[3], turned.shape[2])]
        pads = around[0], around[0], around[1], around[1]
        picture = nnf.conv2d(nnf.pad(picture, pads, mode="reflect"), turned, groups=channels)
    return picture


def spline_weights(t: Tensor) -> tuple[Tensor, ...]:
    """Of the six pixels around a place, t in [0, 1) behind the third."""

    def near(x: Tensor) -> Tensor:  # up to 1 px away
        return 11 / 20 + x * x * (-1 / 2 + x * x * (1 / 4 - x / 12))

    def far(x: Tensor) -> Tensor:  # up to 2 px away
        return 17 / 40 + x * (5 / 8 + x * (-7 / 4 + x * (5 / 4 + x * (-3 / 8 + x / 24))))

    u = 1 - t
    return u**5 / 120, far(1 + t), near(t), near(u), far(1 + u), t**5 / 120


def spline_pairs(places: Tensor) -> list[tuple[Tensor, Tensor]]:
    """Three places between two pixels each, and weights, that sum up to a spline at ``places``.

    All weights are positive, so linear interpolation takes a pair at once: Sigg & Hadwiger 2005.
    """
    first = places.floor()
    weights = spline_weights(places - first)
    pairs = []
    for step in (-2, 0, 2):
        one, other = weights[step + 2], weights[step + 3]
        pairs.append((first + step + other / (one + other), one + other))
    return pairs


def between_pixels(coefficients: Tensor, across: Tensor, down: Tensor) -> Tensor:
    """The spline's values (1, C, H, W) at columns and rows (1, H, W) within the picture."""
    height, width = coefficients.shape[2:]
    total = torch.zeros_like(coefficients)
    columns, rows = spline_pairs(across), spline_pairs(down)
    for (column, of_column), (row, of_row) in product(columns, rows):
        grid = torch.stack([column / (width - 1), row / (height - 1)], -1) * 2 - 1
        # What is beyond the border is mirrored, as the coefficients are.
        linear = nnf.grid_sample(coefficients, grid, "bilinear", "reflection", align_corners=True)
        total += linear * (of_column * of_row)[:, None]
    return total


def long_trust(trusts: Sequence[Tensor]) -> list[Tensor]:
    """Trust in several earlier frames, nearest first: each counts where no nearer one does.

    Ruder et al. 2016, equation 9: c_long = max(c - sum of c of all nearer ones, 0).

    Args:
        trusts: (1, 1, H, W) of the motions from each of the earlier frames to the current one.
    """
    found: list[Tensor] = []
    nearer: Tensor | None = None
    for trust in trusts:
        found.append(trust if nearer is None else (trust - nearer).clamp(min=0))
        nearer = trust if nearer is None else nearer + trust
    return found

"""Whether a print is clean, seen from near: `python benchmarks/print.py PICTURE PHOTO PAINTING`.

In flat regions of the photograph, how much a picture has above a quarter of the sampling frequency
(0.25 cycles a pixel), lightness and colour apart, against the painting at the size that its strokes
were taken at. Aim: at most 1.2, and of colour no more than the painting has.
"""

from __future__ import annotations

import argparse

import torch
from torch import Tensor

from impasto import pictures
from impasto.transfer.waves import to_opponent

BLOCK_PX, STEP_PX = 32, 16  # of blocks that are looked at, and from one to the next
FLAT = 0.3  # of the blocks, those where the photograph's lightness varies least
HIGH = 0.25  # cycles a pixel
AIM = 1.2


def blocks_of(picture: Tensor) -> Tensor:
    """Its blocks in opponent colours, (blocks, 3, BLOCK_PX, BLOCK_PX)."""
    parts = to_opponent(picture)[0].unfold(1, BLOCK_PX, STEP_PX).unfold(2, BLOCK_PX, STEP_PX)
    return parts.permute(1, 2, 0, 3, 4).reshape(-1, 3, BLOCK_PX, BLOCK_PX)


def fine_power(picture: Tensor) -> Tensor:
    """Of each block, the mean square of what lies above HIGH: lightness and colour, (blocks, 2)."""
    window = torch.hann_window(BLOCK_PX, dtype=picture.dtype, device=picture.device)
    window = window[:, None] * window
    blocks = blocks_of(picture)
    blocks = (blocks - blocks.mean((2, 3), keepdim=True)) * window
    along = torch.fft.fftfreq(BLOCK_PX, device=picture.device)
    high = torch.hypot(along[:, None], along) >= HIGH
    squared = torch.fft.fft2(blocks).abs().square() * high
    power = squared.sum((2, 3)) / (BLOCK_PX**2 * window.square().sum())
    return torch.stack([power[:, 0], power[:, 1:].sum(1)], 1)


def flat_blocks(photograph: Tensor) -> Tensor:
    """Which blocks are among the FLAT of least lightness variance, (blocks,)."""
    varied = blocks_of(photograph)[:, 0].var((1, 2))
    return varied <= varied.kthvalue(max(1, round(FLAT * len(varied)))).values


def main() -> None:
    """Print a row."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("picture", "photo", "painting"):
        parser.add_argument(name)
    given = parser.parse_args()
    picture, photo, painting = (
        pictures.load(each).pixels for each in (given.picture, given.photo, given.painting)
    )
    size = (picture.shape[2], picture.shape[3])
    own = (painting.shape[2], painting.shape[3])
    factor = min(1.0, pictures.strokes_factor(own, max(size)))
    painting = pictures.resize(painting, (round(own[0] * factor), round(own[1] * factor)))
    flat = flat_blocks(pictures.resize(photo, size))
    found, wanted = fine_power(picture)[flat].mean(0), fine_power(painting).mean(0)
    for name, one, other in zip(("lightness", "colour"), found, wanted, strict=True):
        print(f"{name:10} {float(one / other):6.2f} times the painting's (aim: at most {AIM})")


if __name__ == "__main__":
    main()

"""A mask's numbers as they are stored: a palette's indices, grey levels, a program's labels.

As colours, labels such as 0, 1 and 2 are one shade of black. As numbers they are as far apart as
any. A drawing's noise has numbers that are near to each other too, but they are scattered, where
each label fills places of its own: so it was with 1350 random drawings as JPEGs of quality 50 to
100.
"""

from __future__ import annotations

import math
import os
from pathlib import Path

import numpy as np
import PIL.Image
import torch
import torch.nn.functional as nnf
from PIL import ImageOps
from torch import Tensor

from impasto.errors import PictureError
from impasto.pictures.opening import open_image, read_bytes
from impasto.pictures.reading import PictureSource
from impasto.pictures.tensors import Array, Picture

WHITE_LEVEL = 255
LARGEST_LABEL = 2**16 - 1  # what a grey PNG of 16 bits can hold
# Between one mask's colour and another's: what editors and JPEG make of one, in 8-bit levels.
SAME_LEVELS = 24
SMALLEST_FLAT_PX = 9
SMALLEST_SHARE = 1e-4  # of the mask, that a region's flat part fills
MOST_LABELS = 64  # different numbers; where there are more they are shades
LOSSY = ("JPEG", "WEBP", "AVIF", "HEIF", "JPEG2000")  # formats that keep no number as it was
ONE_CHANNEL = ("1", "L", "P", "I", "I;16", "I;16L", "I;16B")  # Pillow's modes of whole numbers


def unsigned(source: PictureSource, what: str) -> PictureSource:
    """Booleans, and integers of any type, as those that a picture may have; the rest as it is.

    Raises:
        PictureError: a label below 0 or above LARGEST_LABEL.
    """
    if not isinstance(source, np.ndarray | Tensor) or not _is_whole(source):
        return source
    array = source.detach().cpu().numpy() if isinstance(source, Tensor) else source
    if array.dtype.newbyteorder("=") in (np.uint8, np.uint16) or not array.size:
        return source
    low, high = int(array.min()), int(array.max())
    if low < 0 or high > LARGEST_LABEL:
        given = f"{what} has labels from {low} to {high}"
        raise PictureError(given, f"labels from 0 to {LARGEST_LABEL} are wanted", "renumber them")
    whole = array.astype(np.uint8 if high <= WHITE_LEVEL else np.uint16)
    return torch.from_numpy(whole) if isinstance(source, Tensor) else whole


def _is_whole(source: PictureSource) -> bool:
    """Whether it is an array or a tensor of whole numbers, or of booleans."""
    if isinstance(source, Tensor):
        return not (source.is_floating_point() or source.is_complex())
    return isinstance(source, np.ndarray) and source.dtype.kind in "biu"


def opened(source: PictureSource, what: str) -> PIL.Image.Image | None:
    """The image whose pixels a source has, its header read; None where it is an array."""
    if isinstance(source, str | os.PathLike):
        return open_image(read_bytes(Path(source), what), what)
    return source if isinstance(source, PIL.Image.Image) else None


def is_lossy(image: PIL.Image.Image | None) -> bool:
    """Whether its format keeps no pixel as it was."""
    return image is not None and image.format in LOSSY


def stored(source: PictureSource, image: PIL.Image.Image | None, picture: Picture) -> Tensor | None:
    """The number of each of a mask's pixels, (H, W) int64; None where they are colours or floats.

    Args:
        source: what the mask was read from.
        image: as ``opened`` has it.
        picture: as it was read; of grey levels in three channels the numbers are taken from it.
    """
    if isinstance(source, np.ndarray | Tensor):
        if not _is_whole(source):
            return None
        array = source.detach().cpu().numpy() if isinstance(source, Tensor) else source
        if array.size == math.prod(picture.size):
            return torch.from_numpy(array.reshape(picture.size).astype(np.int64))
    if is_lossy(image):
        return None
    if image is not None and image.mode in ONE_CHANNEL:
        return torch.from_numpy(_upright(image).astype(np.int64))
    return _grey_levels(picture)


def _upright(image: PIL.Image.Image) -> Array:
    """Read a mask's numbers, no palette and no colour profile applied."""
    try:
        return np.asarray(ImageOps.exif_transpose(image))
    except Exception:  # a broken EXIF block raises anything; the picture itself has been read
        return np.asarray(image)


def _grey_levels(picture: Picture) -> Tensor | None:
    """The 8-bit levels of a picture whose channels are alike; None of any other."""
    red, *others = picture.pixels[0]
    levels = red * WHITE_LEVEL
    if not all(torch.equal(red, other) for other in others):
        return None
    return levels.round().long() if (levels - levels.round()).abs().max() < 1e-3 else None


def flat(planes: Tensor, within: int) -> Tensor:
    """Where numbers (channels, H, W) differ from their four neighbours by so much at most, (H, W)
    of bool.
    """
    down = planes.diff(dim=1).abs().amax(0) <= within
    across = planes.diff(dim=2).abs().amax(0) <= within
    found = nnf.pad(down, [0, 0, 0, 1], value=True) & nnf.pad(down, [0, 0, 1, 0], value=True)
    return found & nnf.pad(across, [0, 1], value=True) & nnf.pad(across, [1, 0], value=True)


def tells_apart(numbers: Tensor, levels: Tensor) -> bool:
    """Whether numbers part a mask where its colours would not: few, half of them and more with
    places of their own, and some that look the same.

    Args:
        numbers: (H, W), whole.
        levels: what they look like, (3, H, W), whole numbers from 0 to 255.
    """
    known, place = torch.unique(numbers, return_inverse=True)
    if not 1 < len(known) <= MOST_LABELS:
        return False
    inner = place[flat(numbers[None], 0)].bincount(minlength=len(known))
    least = max(SMALLEST_FLAT_PX, SMALLEST_SHARE * numbers.numel())
    settled = inner >= least
    if settled.sum() * 2 < len(known):
        return False
    looks = torch.empty((len(known), 3), dtype=torch.float32, device=levels.device)
    looks[place.flatten()] = levels.flatten(1).T.float()
    if (looks - looks[0]).abs().max() > SAME_LEVELS:  # else nothing is drawn but labels
        looks = looks[settled]
    apart = torch.cdist(looks, looks, p=torch.inf).fill_diagonal_(LARGEST_LABEL)
    return bool((apart <= SAME_LEVELS).any())

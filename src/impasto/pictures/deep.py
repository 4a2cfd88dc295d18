"""Samples of more than 8 bits, for which Pillow has no mode, or only a grey one."""

from __future__ import annotations

import re
import sys

import numpy as np
import numpy.typing as npt
import PIL.Image
from PIL import ImageFile

from impasto.errors import PictureError
from impasto.pictures.opening import open_image
from impasto.pictures.tensors import Array, array_samples, white

TIFF_BITS, TIFF_PHOTOMETRIC, TIFF_PLANAR = 258, 262, 284
WHITE_IS_ZERO, SEPARATE_PLANES = 0, 2


def _refuse_planar(image: PIL.Image.Image, what: str) -> None:
    """16-bit TIFFs that store channel after channel: Pillow would return noise."""
    tags = getattr(image, "tag_v2", {})
    bits = tags.get(TIFF_BITS, (8,))
    if len(bits) > 1 and max(bits) > 8 and tags.get(TIFF_PLANAR) == SEPARATE_PLANES:
        given = f"{what} stores 16 bits channel by channel (planar)"
        raise PictureError(given, "allowed: interleaved TIFF", "save it so, or as PNG")


def _arguments(tile: ImageFile._Tile) -> tuple[object, ...]:
    """What a tile's decoder is told; the samples' layout, e.g. 'RGB;16B', comes first."""
    return tile.args if isinstance(tile.args, tuple) else (tile.args,)


def _deep_rgb(image: ImageFile.ImageFile, data: bytes, what: str) -> Array | None:
    """16-bit RGB(A) of a PNG or TIFF as uint16 (H, W, 3 or 4); None if the file holds none.

    Pillow keeps the high byte of each sample. So the file is decoded a second time as if its
    byte order were the other one, which keeps the low bytes.
    """
    layouts = {str(_arguments(tile)[0]) for tile in image.tile}
    match = re.fullmatch(r"(RGBA?;16)([LBN])", layouts.pop()) if len(layouts) == 1 else None
    if match is None or "transparency" in image.info:
        return None
    order = match[2].replace("N", "L" if sys.byteorder == "little" else "B")
    other = match[1] + ("B" if order == "L" else "L")
    low = open_image(data, what)
    low.tile = [tile._replace(args=(other, *_arguments(tile)[1:])) for tile in low.tile]
    both: npt.NDArray[np.uint16] = np.asarray(image).astype(np.uint16)
    both <<= 8  # in place: large scans have hundreds of megapixels
    both |= np.asarray(low)
    return both


def _turn_negative(samples: Array, image: PIL.Image.Image) -> Array:
    """Samples of a TIFF that counts from white to black, which Pillow turns only for 8 bits."""
    if getattr(image, "tag_v2", {}).get(TIFF_PHOTOMETRIC) != WHITE_IS_ZERO:
        return samples
    turned: Array = np.subtract(white(samples), samples, dtype=samples.dtype)
    return turned


def deep_samples(image: PIL.Image.Image, data: bytes, what: str) -> Array | None:
    """uint16 or float32 samples of an image not yet loaded, of a file's data; None for 8 bits.

    Later frames of an animation count as of 8 bits: they are composed of those before.
    """
    _refuse_planar(image, what)
    if image.mode[0] in "IF":  # grey
        return _turn_negative(array_samples(np.asarray(image), what), image)
    if not (data and isinstance(image, ImageFile.ImageFile) and image.tell() == 0):
        return None
    return _deep_rgb(image, data, what)

"""Any source, a file, a PIL image, an array or a tensor, to a Picture."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import PIL.Image
from PIL import ExifTags
from torch import Tensor

from impasto.errors import PictureError, as_on_disk
from impasto.pictures.color_profile import floats_to_srgb, to_srgb
from impasto.pictures.color_tags import profile_told
from impasto.pictures.deep import deep_samples
from impasto.pictures.frames import Opened, open_picture
from impasto.pictures.opening import READABLE_TEXT, read_bytes
from impasto.pictures.sizes import check_pixels, check_sides
from impasto.pictures.tensors import (
    Array,
    Picture,
    array_samples,
    split_alpha,
    tensor_samples,
    white,
)

PictureSource: TypeAlias = (
    str | os.PathLike[str] | PIL.Image.Image | npt.NDArray[np.generic] | Tensor
)


def _channels(image: PIL.Image.Image) -> Array:
    array = np.asarray(image)
    return array[..., None] if array.ndim == 2 else array


def _shallow(image: PIL.Image.Image, profile: bytes) -> Array:
    """Any 8-bit picture as uint8 (H, W, 1 to 4 channels) in sRGB, alpha last."""
    alpha = None
    if image.has_transparency_data:
        grey = image.mode in ("LA", "La")
        image = image.convert("LA" if grey else "RGBA")
        image, alpha = image.convert("L" if grey else "RGB"), image.getchannel("A")
    elif image.mode not in ("L", "RGB", "CMYK"):
        image = image.convert("L" if image.mode == "1" else "RGB")
    colour = _channels(to_srgb(image, profile))
    return colour if alpha is None else np.concatenate([colour, _channels(alpha)], axis=-1)


def _deep(samples: Array, profile: bytes) -> Array:
    """Samples of more than 8 bits, alpha last, in sRGB."""
    if not profile:
        return samples
    floats = np.divide(samples, white(samples), dtype=np.float32)
    colours = floats.shape[2] - (floats.shape[2] in (2, 4))
    converted = floats_to_srgb(floats[..., :colours], profile)
    return np.concatenate([converted, floats[..., colours:]], axis=2)


def _orientation(image: PIL.Image.Image) -> int:
    """EXIF orientation, 1 to 8; 1 where it is absent or unreadable. Read after the pixels:
    PNG may store it behind them, and Pillow turns TIFFs itself as it loads them.
    """
    try:
        return int(image.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # a broken EXIF block raises anything and is no reason to refuse
        return 1


def _upright(samples: Array, orientation: int) -> Array:
    """Undo an EXIF orientation; the numbers are EXIF's."""
    if orientation in (5, 6, 7, 8):
        samples = samples.swapaxes(0, 1)
    if orientation in (2, 3, 6, 7):
        samples = samples[:, ::-1]
    if orientation in (3, 4, 7, 8):
        samples = samples[::-1]
    return samples


def _image_samples(opened: Opened, what: str) -> Array:
    """A picture that is not decoded yet as upright sRGB samples (H, W, channels)."""
    image, around = opened.image, opened.around
    check_pixels((image.height, image.width), what)
    check_sides((image.height, image.width), what)
    samples = deep_samples(image, opened.data, what)
    image.load()
    orientation, profile = _orientation(image), profile_told(image, opened.data, what)
    if around is not None:
        orientation = _orientation(around) if orientation == 1 else orientation
        profile = profile or profile_told(around, b"", what)
    samples = _shallow(image, profile) if samples is None else _deep(samples, profile)
    return _upright(samples, orientation)


def _decode(source: bytes | PIL.Image.Image, what: str) -> tuple[Array, str]:
    """Samples, and which frame they are, of a file's bytes, or of an image, decoded or not."""
    try:
        opened = open_picture(source, what) if isinstance(source, bytes) else Opened(source)
        return _image_samples(opened, what), opened.note
    except PictureError:
        raise
    except MemoryError as error:
        raise PictureError(f"{what} does not fit into memory", "", "scale it down") from error
    except Exception as error:  # decoders raise all kinds on damaged data
        given = f"{what} is damaged or cut short ({error})"
        hint = "copy or download it again"
        raise PictureError(given, f"allowed: {READABLE_TEXT}", hint) from error


def _from_memory(source: object, role: str) -> Picture:
    """A picture that is in memory already."""
    if isinstance(source, PIL.Image.Image):
        name = Path(str(getattr(source, "filename", "") or "image")).name
        samples, _ = _decode(source, f"{role} '{name}'")
    elif isinstance(source, np.ndarray):
        name, samples = "array", array_samples(source, f"{role} 'array'")
    elif isinstance(source, Tensor):
        name, samples = "tensor", tensor_samples(source, f"{role} 'tensor'")
    else:
        allowed = "allowed: a path, a PIL image, a numpy array or a torch tensor"
        raise PictureError(f"{role} is of type {type(source).__name__}", allowed)
    pixels, alpha = split_alpha(samples, f"{role} '{name}'")
    digest = hashlib.sha256(f"{tuple(pixels.shape)}".encode() + pixels.numpy().tobytes())
    digest.update(b"" if alpha is None else alpha.numpy().tobytes())
    return Picture(pixels, alpha, name, digest.hexdigest())


def load(source: PictureSource, role: str = "picture") -> Picture:
    """Read a picture from wherever it is; of an animated file the first frame, of a TIFF the
    first page that is no preview: ``notes`` say so where there are several.

    Args:
        source: a path; a PIL image; an array (H, W) or (H, W, C), or a tensor (H, W), (C, H, W)
            or (1, C, H, W), of uint8, uint16, or floats in [0, 1], taken to be sRGB. C is 1 to 4:
            grey, grey and alpha, RGB, or RGBA.
        role: what messages call it, e.g. ``"photograph"``, ``"painting"``.

    Returns:
        Upright (EXIF), in sRGB (by ICC profile, cICP, gAMA and cHRM, or EXIF's Adobe RGB; broken
        profiles are ignored), with 16-bit precision where the source has it.

    Raises:
        PictureError: if it is missing, no picture, damaged, wholly transparent, too small, too
            large (known before decoding), of high dynamic range, or an array of another shape,
            type or range.
    """
    if not isinstance(source, str | os.PathLike):
        return _from_memory(source, role)
    what = f"{role} '{source}'"
    path = as_on_disk(Path(source))
    data = read_bytes(path, what)
    samples, frame = _decode(data, what)
    pixels, alpha = split_alpha(samples, what)
    notes = (f"{what}: {frame} is taken",) if frame else ()
    return Picture(pixels, alpha, path.name, hashlib.sha256(data).hexdigest(), notes)

"""Any source, a file, a PIL image, an array or a tensor, to a Picture."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
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
from impasto.pictures.credits import NO_CREDITS, Credits, credits_of
from impasto.pictures.deep import deep_samples
from impasto.pictures.frames import Opened, open_picture
from impasto.pictures.opening import READABLE_TEXT, read_bytes
from impasto.pictures.sizes import FAINT, check_pixels, check_sides, reduction
from impasto.pictures.tensors import (
    Array,
    Floats,
    Picture,
    array_samples,
    split_alpha,
    tensor_samples,
    white,
)

GIGABYTE = 1e9
SMALL_BYTES = 100_000_000  # which reading may take, whatever a system says is free

# For each pixel of a file, at the worst moment of reading it: measured at 48 megapixels with every
# kind of file, and rounded up. Read smaller, a JPEG that comes progressively holds coefficients.
OPAQUE_BYTES, ALPHA_BYTES, DEEP_BYTES, DEEP_PROFILE_BYTES = 18, 34, 20, 46
REDUCED_JPEG_BYTES, REDUCED_BYTES, REDUCED_DEEP_BYTES = 4, 16, 20

PictureSource: TypeAlias = (
    str | os.PathLike[str] | PIL.Image.Image | npt.NDArray[np.generic] | Tensor
)


@dataclass(frozen=True)
class Wanted:
    """How much of a picture is wanted, and what reading it may take.

    Attributes:
        longest_px: longer side at which it will be looked at, at most; None is all of it.
        free_bytes: memory that may be taken; None is any.
    """

    longest_px: int | None = None
    free_bytes: int | None = None

    def check(self, image: PIL.Image.Image, factor: int, what: str) -> None:
        """Refuse, before it is decoded, a picture that the system would end the process for."""
        needed = reading_bytes(image, factor)
        if self.free_bytes is not None and needed > max(self.free_bytes, SMALL_BYTES):
            given = f"{what} is {image.width} x {image.height} px"
            sizes = (f"{size / GIGABYTE:.2g} GB" for size in (needed, self.free_bytes))
            rule = "reading it takes {} of memory, and there are {}".format(*sizes)
            raise PictureError(given, rule, "scale it down first")


def reading_bytes(image: PIL.Image.Image, factor: int) -> int:
    """The most memory that reading an image whose header is known takes, beside its file."""
    deep = image.mode[0] in "IF" or ";16" in str(getattr(image, "tile", ""))
    if factor > 1:
        shallow = REDUCED_JPEG_BYTES if image.format in ("JPEG", "MPO") else REDUCED_BYTES
        each = REDUCED_DEEP_BYTES if deep else shallow
    elif deep:
        each = DEEP_PROFILE_BYTES if image.info.get("icc_profile") else DEEP_BYTES
    else:
        each = ALPHA_BYTES if image.has_transparency_data else OPAQUE_BYTES
    return image.width * image.height * each


def _channels(image: PIL.Image.Image) -> Array:
    array = np.asarray(image)
    return array[..., None] if array.ndim == 2 else array


def _shallow(image: PIL.Image.Image, profile: bytes, factor: int) -> Array:
    """Any 8-bit picture as uint8 (H, W, 1 to 4 channels) in sRGB, alpha last, at 1/factor."""
    alpha = None
    if image.has_transparency_data:
        grey = image.mode in ("LA", "La")
        image = image.convert("LA" if grey else "RGBA")
        image = image.reduce(factor) if factor > 1 else image  # colours weighed by alpha
        image, alpha = image.convert("L" if grey else "RGB"), image.getchannel("A")
    elif image.mode not in ("L", "RGB", "CMYK"):
        image = image.convert("L" if image.mode == "1" else "RGB")
    if factor > 1 and alpha is None:
        image = image.reduce(factor)
    colour = _channels(to_srgb(image, profile))
    return colour if alpha is None else np.concatenate([colour, _channels(alpha)], axis=-1)


def _means(samples: Array, factor: int) -> Floats:
    """Means of blocks of factor x factor samples, in [0, 1], colours weighed by alpha."""

    def reduced(plane: Array) -> Floats:
        return np.asarray(PIL.Image.fromarray(plane).reduce(factor))

    channels = np.moveaxis(samples, 2, 0)
    planes = (np.divide(each, white(samples), dtype=np.float32) for each in channels)
    if samples.shape[2] not in (2, 4):
        return np.stack([reduced(plane) for plane in planes], axis=2)
    alpha = np.divide(samples[..., -1], white(samples), dtype=np.float32)
    shown = reduced(alpha)
    means = [reduced(plane * alpha) / np.maximum(shown, FAINT) for plane in planes]
    return np.stack([*means[:-1], shown], axis=2)


def _deep(samples: Array, profile: bytes, factor: int) -> Array:
    """Samples of more than 8 bits, alpha last, in sRGB, at 1/factor."""
    samples = _means(samples, factor) if factor > 1 else samples
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


def _image_samples(opened: Opened, what: str, wanted: Wanted) -> tuple[Array, str]:
    """A picture that is not decoded yet as upright sRGB samples (H, W, channels), and a note."""
    image, around = opened.image, opened.around
    size = (image.height, image.width)
    check_pixels(size, what)
    check_sides(size, what)
    factor = reduction(size, wanted.longest_px)
    wanted.check(image, factor, what)
    if factor > 1:  # a JPEG decodes at 1/2, 1/4 or 1/8 by itself
        image.draft(None, (image.width // factor, image.height // factor))
    left = factor // round(size[1] / image.width)
    samples = deep_samples(image, opened.data, what)
    image.load()
    orientation, profile = _orientation(image), profile_told(image, opened.data, what)
    if around is not None:
        orientation = _orientation(around) if orientation == 1 else orientation
        profile = profile or profile_told(around, b"", what)
    samples = _shallow(image, profile, left) if samples is None else _deep(samples, profile, left)
    smaller = f"{samples.shape[1]} x {samples.shape[0]}"
    note = f"{size[1]} x {size[0]} px are read at {smaller}" if factor > 1 else ""
    return _upright(samples, orientation), note


def _decode(
    source: bytes | PIL.Image.Image, what: str, wanted: Wanted
) -> tuple[Tensor, Tensor | None, tuple[str, ...], Credits]:
    """What a Picture has, of a file's bytes, or of an image, decoded or not."""
    try:
        opened = open_picture(source, what) if isinstance(source, bytes) else Opened(source)
        samples, reduced = _image_samples(opened, what, wanted)
        frame = f"{opened.note} is taken" if opened.note else ""
        credits = credits_of(opened.around or opened.image)
        opened = Opened(PIL.Image.new("1", (1, 1)))  # the decoded image goes before floats come
        notes = tuple(f"{what}: {note}" for note in (frame, reduced) if note)
        return *split_alpha(samples, what), notes, credits
    except PictureError:
        raise
    except MemoryError as error:
        raise PictureError(f"{what} does not fit into memory", "", "scale it down") from error
    except Exception as error:  # decoders raise all kinds on damaged data
        given = f"{what} is damaged or cut short ({error})"
        hint = "copy or download it again"
        raise PictureError(given, f"allowed: {READABLE_TEXT}", hint) from error


def _from_memory(source: object, role: str) -> Picture:
    """A picture that is in memory already; all of it, since it has no checksum but its pixels'."""
    credits = NO_CREDITS
    if isinstance(source, PIL.Image.Image):
        name = Path(str(getattr(source, "filename", "") or "image")).name
        pixels, alpha, _, credits = _decode(source, f"{role} '{name}'", Wanted())
    elif isinstance(source, np.ndarray):
        name, what = "array", f"{role} 'array'"
        pixels, alpha = split_alpha(array_samples(source, what), what)
    elif isinstance(source, Tensor):
        name, what = "tensor", f"{role} 'tensor'"
        pixels, alpha = split_alpha(tensor_samples(source, what), what)
    else:
        allowed = "allowed: a path, a PIL image, a numpy array or a torch tensor"
        raise PictureError(f"{role} is of type {type(source).__name__}", allowed)
    digest = hashlib.sha256(f"{tuple(pixels.shape)}".encode() + pixels.numpy().tobytes())
    digest.update(b"" if alpha is None else alpha.numpy().tobytes())
    return Picture(pixels, alpha, name, digest.hexdigest(), credits=credits)


def load(
    source: PictureSource,
    role: str = "picture",
    longest_px: int | None = None,
    free_bytes: int | None = None,
) -> Picture:
    """Read a picture from wherever it is; of an animated file the first frame, of a TIFF the
    first page that is no preview: ``notes`` say so where there are several.

    Args:
        source: a path; a PIL image; an array (H, W) or (H, W, C), or a tensor (H, W), (C, H, W)
            or (1, C, H, W), of uint8, uint16, or floats in [0, 1], taken to be sRGB. C is 1 to 4:
            grey, grey and alpha, RGB, or RGBA.
        role: what messages call it, e.g. ``"photograph"``, ``"painting"``.
        longest_px: longer side at which it will be looked at, at most. A file of 40 megapixels or
            more that is four times as large is then read smaller: the same file to the same
            pixels, of twice that size or more. None, and what is no file: all of it.
        free_bytes: memory that reading a file may take; None is any.

    Returns:
        Upright (EXIF), in sRGB (by ICC profile, cICP, gAMA and cHRM, or EXIF's Adobe RGB; broken
        profiles are ignored), with 16-bit precision where the source has it.

    Raises:
        PictureError: if it is missing, no picture, damaged, wholly transparent, of high dynamic
            range, too small, too large or too much for the memory (known before decoding), or an
            array of another shape, type or range.
    """
    if not isinstance(source, str | os.PathLike):
        return _from_memory(source, role)
    what = f"{role} '{source}'"
    path = as_on_disk(Path(source))
    data = read_bytes(path, what)
    pixels, alpha, notes, credits = _decode(data, what, Wanted(longest_px, free_bytes))
    digest = hashlib.sha256(data).hexdigest()
    return Picture(pixels, alpha, path.name, digest, notes, credits)

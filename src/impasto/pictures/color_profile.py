"""Colour profiles: from whatever a file is in to sRGB."""

from __future__ import annotations

import functools
import io
import struct
from contextlib import suppress

import PIL.Image
from PIL import ImageCms


@functools.cache
def srgb_profile() -> bytes:
    """The ICC profile written into every file; its date is fixed, so that bytes repeat."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    date = slice(24, 36)  # of the ICC header: year, month, day, hour, minute, second
    return profile[: date.start] + struct.pack(">6H", 2000, 1, 1, 0, 0, 0) + profile[date.stop :]


def foreign_profile(image: PIL.Image.Image) -> bytes:
    """An image's colour profile; empty where it has none, or the one that impasto writes."""
    profile: bytes = image.info.get("icc_profile") or b""
    return b"" if profile == srgb_profile() else profile


def to_srgb(image: PIL.Image.Image, profile: bytes) -> PIL.Image.Image:
    """An opaque 8-bit picture of mode L, RGB or CMYK as L or RGB in sRGB.

    A profile that is broken or made for another mode is common, and ignored: CMYK then takes
    Pillow's plain formula, as browsers do.
    """
    modes = ("L", "RGB") if image.mode == "L" else (image.mode,)  # grey may have an RGB profile
    for mode in modes if profile else ():
        with suppress(ImageCms.PyCMSError):
            converted = ImageCms.profileToProfile(
                image.convert(mode),
                io.BytesIO(profile),
                ImageCms.createProfile("sRGB"),
                ImageCms.Intent.RELATIVE_COLORIMETRIC,
                "RGB",
                flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
            )
            assert converted is not None  # only in-place conversions return None
            return converted
    return image.convert("RGB") if image.mode == "CMYK" else image

"""Colour profiles: from whatever a file is in to sRGB."""

from __future__ import annotations

import functools
import io
import struct
from contextlib import suppress
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
import PIL.Image
from PIL import ImageCms

Floats: TypeAlias = npt.NDArray[np.float32]

D50 = np.array([0.9642, 1.0, 0.8249])  # XYZ of the white that all ICC profiles are seen against
BRADFORD = np.array(  # XYZ to the eye's cones: ICC.1:2022, annex E
    [[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]]
)
SRGB_CURVE = (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)  # IEC 61966-2-1, as ICC has it
NO_TABLE = 0x100  # lcms: each colour is computed; by its tables some were off by half an 8-bit step
BAND_PX = 2**22  # of a picture that is converted at a time


class Chromaticities(NamedTuple):
    """CIE x and y of white and the primaries."""

    white: tuple[float, float]
    red: tuple[float, float]
    green: tuple[float, float]
    blue: tuple[float, float]


SRGB = Chromaticities((0.3127, 0.3290), (0.64, 0.33), (0.30, 0.60), (0.15, 0.06))


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


def _fixed(*numbers: float) -> bytes:
    """Numbers as ICC writes them: s15Fixed16."""
    return struct.pack(f">{len(numbers)}i", *(round(number * 2**16) for number in numbers))


def _xyz(xy: tuple[float, float]) -> npt.NDArray[np.float64]:
    """XYZ of a chromaticity at Y = 1."""
    return np.array([xy[0] / xy[1], 1.0, (1 - xy[0] - xy[1]) / xy[1]])


def rgb_profile(colours: Chromaticities, gamma: float | None) -> bytes:
    """An ICC profile of RGB by its chromaticities and its curve; empty where that is sRGB.

    Args:
        colours: of white and the primaries; empty comes back where they span no colours.
        gamma: the exponent from samples to light; None is sRGB's own curve.
    """
    if colours == SRGB and gamma is None:
        return b""
    try:
        with np.errstate(all="raise"):
            white = _xyz(colours.white)
            primaries = np.stack([_xyz(each) for each in colours[1:]], axis=1)
            lights = primaries * np.linalg.solve(primaries, white)
            cones = np.diag((BRADFORD @ D50) / (BRADFORD @ white))
            columns = np.linalg.solve(BRADFORD, cones @ BRADFORD) @ lights
            exponent = _fixed(*SRGB_CURVE) if gamma is None else _fixed(gamma)
            tags = {b"wtpt": b"XYZ \0\0\0\0" + _fixed(*D50)}
            for letter, column in zip((b"r", b"g", b"b"), columns.T, strict=True):
                tags[letter + b"XYZ"] = b"XYZ \0\0\0\0" + _fixed(*column)
                kind = b"\0\3\0\0" if gamma is None else bytes(4)
                tags[letter + b"TRC"] = b"para\0\0\0\0" + kind + exponent
    except (ArithmeticError, np.linalg.LinAlgError, struct.error):
        return b""
    return _icc(tags)


def _icc(tags: dict[bytes, bytes]) -> bytes:
    """An ICC profile (version 4) of a screen, of its tags."""
    at = 128 + 4 + 12 * len(tags)
    table, body = struct.pack(">I", len(tags)), b""
    for name, content in tags.items():
        table += struct.pack(">4sII", name, at + len(body), len(content))
        body += content + bytes(-len(content) % 4)
    header = struct.pack(">I4sI12s", at + len(body), b"", 0x04200000, b"mntrRGB XYZ ")
    header += struct.pack(">6H4s28x", 2000, 1, 1, 0, 0, 0, b"acsp") + _fixed(*D50)
    return header.ljust(128, b"\0") + table + body


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


def floats_to_srgb(samples: Floats, profile: bytes) -> Floats:
    """Grey or RGB samples (H, W, 1 or 3) in [0, 1] as RGB in sRGB, with all of their precision.

    Pillow's colour management has 8 bits. A profile that is broken or made for something else
    leaves the samples as they are, as above.
    """
    import imagecodecs  # slow to import, and few need it

    space = {b"RGB ": "rgb", b"GRAY": "gray"}.get(profile[16:20], "")
    if not space or (space == "gray" and samples.shape[2] == 3):
        return samples
    source = samples.repeat(3, axis=2) if space == "rgb" and samples.shape[2] == 1 else samples
    converted = np.empty((*samples.shape[:2], 3), np.float32)
    rows = max(1, BAND_PX // samples.shape[1])
    try:
        for start in range(0, len(source), rows):
            band = np.ascontiguousarray(source[start : start + rows])
            converted[start : start + rows] = imagecodecs.cms_transform(
                band[..., 0] if space == "gray" else band,
                profile,
                srgb_profile(),
                colorspace=space,
                outcolorspace="rgb",
                intent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
                flags=ImageCms.Flags.BLACKPOINTCOMPENSATION | NO_TABLE,
            )
    except (RuntimeError, ValueError):
        return samples
    return converted.clip(0, 1)

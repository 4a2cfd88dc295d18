"""What a file says of its colours, by whatever means, as an ICC profile."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from contextlib import suppress
from typing import NamedTuple

import PIL.Image
from PIL import ExifTags

from impasto.errors import PictureError
from impasto.pictures.color_profile import SRGB, Chromaticities, foreign_profile, rgb_profile

# EXIF 3.0: how a camera says Adobe RGB; a few write the 2 that the standard reserves.
UNCALIBRATED, ADOBE_RGB = 65535, 2
INTEROPERABILITY_INDEX, R03 = 1, "R03"
D65 = (0.3127, 0.3290)
ADOBE = Chromaticities(D65, (0.64, 0.33), (0.21, 0.71), (0.15, 0.06))
ADOBE_GAMMA = 563 / 256  # Adobe RGB (1998) Color Image Encoding, 4.3.1.2

# ITU-T H.273's code points. What is not specified is taken for sRGB, and so are the curves of
# video cameras: those pictures are graded on screens and shown as they are.
UNSPECIFIED = 2
PRIMARIES: Mapping[int, Chromaticities] = {
    1: SRGB,
    UNSPECIFIED: SRGB,
    4: Chromaticities((0.310, 0.316), (0.67, 0.33), (0.21, 0.71), (0.14, 0.08)),
    5: Chromaticities(D65, (0.64, 0.33), (0.29, 0.60), (0.15, 0.06)),
    6: Chromaticities(D65, (0.630, 0.340), (0.310, 0.595), (0.155, 0.070)),
    7: Chromaticities(D65, (0.630, 0.340), (0.310, 0.595), (0.155, 0.070)),
    9: Chromaticities(D65, (0.708, 0.292), (0.170, 0.797), (0.131, 0.046)),
    11: Chromaticities((0.314, 0.351), (0.680, 0.320), (0.265, 0.690), (0.150, 0.060)),
    12: Chromaticities(D65, (0.680, 0.320), (0.265, 0.690), (0.150, 0.060)),
    22: Chromaticities(D65, (0.630, 0.340), (0.295, 0.605), (0.155, 0.077)),
}
GAMMAS: Mapping[int, float | None] = {
    **dict.fromkeys((1, UNSPECIFIED, 6, 13, 14, 15), None),
    4: 2.2,
    5: 2.8,
    8: 1.0,
}
HDR = {16: "PQ", 18: "HLG"}

# As libpng has it, what is this near sRGB is meant to be sRGB: its chunk's fallback is 1 / 2.2.
SAME_GAMMA, SAME_XY = 0.05, 0.01


class CodePoints(NamedTuple):
    """Colours as a PNG's cICP or a HEIF's nclx has them."""

    primaries: int
    transfer: int
    full_range: bool = True


def _png_code_points(data: bytes) -> CodePoints | None:
    """Make the profile of a PNG's cICP chunk, which comes before the pixels."""
    at, kind = 8, b""
    while at + 12 <= len(data) and kind != b"IDAT":
        length, kind = struct.unpack_from(">I4s", data, at)
        if kind == b"cICP" and length == 4:
            primaries, transfer, _, full = data[at + 8 : at + 12]
            return CodePoints(primaries, transfer, bool(full))
        at += 12 + length
    return None


def _heif_code_points(data: bytes) -> CodePoints | None:
    """Make the profile of an AVIF's or HEIF's first colr box; its range is the decoder's."""
    at = data.find(b"colrnclx")
    if at < 0 or at + 12 > len(data):
        return None
    return CodePoints(*struct.unpack_from(">HH", data, at + 8))


def _profile_of(points: CodePoints, what: str) -> bytes:
    """The profile of colours by code point, none for sRGB; HDR has no place in one, as yet."""
    if points.transfer in HDR:
        given = f"{what} is HDR ({HDR[points.transfer]})"
        raise PictureError(given, "allowed: standard dynamic range", "save it as SDR, in sRGB")
    if points.primaries not in PRIMARIES or points.transfer not in GAMMAS or not points.full_range:
        kind = "" if points.full_range else ", narrow range"
        given = f"{what} has colours of H.273's {points.primaries}/{points.transfer}{kind}"
        raise PictureError(given, "", "convert it to sRGB")
    return rgb_profile(PRIMARIES[points.primaries], GAMMAS[points.transfer])


def _png_gamma_profile(image: PIL.Image.Image) -> bytes:
    """Make the profile of a PNG's gAMA and cHRM; empty where absent, broken, or sRGB."""
    encoding = image.info.get("gamma")
    numbers = image.info.get("chromaticity") or ()
    colours, gamma = SRGB, None
    if isinstance(encoding, float) and encoding > 0 and abs(encoding * 2.2 - 1) > SAME_GAMMA:
        gamma = 1 / encoding
    if len(numbers) == 8:
        told = Chromaticities(*zip(numbers[::2], numbers[1::2], strict=True))
        near = [abs(a - b) < SAME_XY for a, b in zip(sum(told, ()), sum(SRGB, ()), strict=True)]
        colours = SRGB if all(near) else told
    return rgb_profile(colours, gamma)


def _exif_profile(image: PIL.Image.Image) -> bytes:
    """Adobe RGB, where EXIF says so; else empty."""
    with suppress(Exception):  # a broken EXIF block raises anything
        exif = image.getexif()
        space = exif.get_ifd(ExifTags.IFD.Exif).get(ExifTags.Base.ColorSpace)
        index = exif.get_ifd(ExifTags.IFD.Interop).get(INTEROPERABILITY_INDEX)
        if space == ADOBE_RGB or (space == UNCALIBRATED and str(index).rstrip("\0") == R03):
            return rgb_profile(ADOBE, ADOBE_GAMMA)
    return b""


def profile_told(image: PIL.Image.Image, data: bytes, what: str) -> bytes:
    """The ICC profile of an image's colours; empty for sRGB, and where nothing is said.

    What a file says twice goes by the order of PNG's third edition (cICP, iCCP, sRGB, gAMA and
    cHRM); an ICC profile comes before a HEIF's code points, and EXIF comes last.

    Args:
        image: after it was decoded; PNG may keep EXIF behind the pixels.
        data: its file's, or empty.
        what: errors call it.

    Raises:
        PictureError: high dynamic range, or colours that are not known here.
    """
    png = image.format == "PNG"
    points = _png_code_points(data) if png else None
    if points:
        return _profile_of(points, what)
    if image.info.get("icc_profile"):
        return foreign_profile(image)
    if image.format in ("AVIF", "HEIF"):
        points = _heif_code_points(data)
        profile = _profile_of(points, what) if points else b""
    else:
        profile = _png_gamma_profile(image) if png and "srgb" not in image.info else b""
    return profile or (b"" if "srgb" in image.info else _exif_profile(image))

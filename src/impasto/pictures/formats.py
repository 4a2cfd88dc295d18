"""The formats that can be written: samples (H, W, 3 or 4) to a file's bytes.

An encoder takes samples, an XMP packet (empty for none), a quality, and a photograph's credits.
"""

from __future__ import annotations

import functools
import io
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import PIL.Image
from PIL import PngImagePlugin

from impasto.pictures.color_profile import srgb_profile
from impasto.pictures.credits import EXIF_HEADER, Credits
from impasto.pictures.opening import register_heif
from impasto.pictures.recipe import XMP_KEYWORD
from impasto.pictures.tensors import Array

QUALITY = 95
"""Of lossy files, 1 to 100: brush strokes are mostly edges, which show artefacts below about 90."""

MAX_QUALITY = 100
"""For WebP this means lossless; for the other lossy formats their least loss."""

FULL_CHROMA_QUALITY = 90
"""From here on JPEG, AVIF and HEIF keep colour at full resolution (4:4:4), as Photoshop does."""

TIFF_XMP, TIFF_ARTIST, TIFF_COPYRIGHT = 700, 315, 33432
INCHES_PER_METRE = 1 / 0.0254


def png_chunk(kind: bytes, body: bytes) -> bytes:
    """A chunk of a PNG file: length, kind, body, checksum."""
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def _png16(samples: Array, xmp: bytes, credits: Credits) -> bytes:
    """A PNG of 16 bits a channel (https://www.w3.org/TR/png-3).

    Written by hand because Pillow has no 16-bit RGB, and a dependency (pypng, OpenCV) for these
    few lines is not worth it. Each row is stored as its difference to the row above (filter 2).
    """
    height, width, channels = samples.shape
    rows = np.frombuffer(samples.astype(">u2").tobytes(), np.uint8).reshape(height, -1)
    above = np.vstack([np.zeros_like(rows[:1]), rows[:-1]])
    filtered = np.hstack([np.full((height, 1), 2, np.uint8), rows - above])  # wraps, as it should
    colour_type = 6 if channels == 4 else 2
    header = struct.pack(">2I5B", width, height, 16, colour_type, 0, 0, 0)
    chunks = [png_chunk(b"IHDR", header)]
    chunks.append(png_chunk(b"iCCP", b"sRGB\0\0" + zlib.compress(srgb_profile())))
    if credits.dpi:
        per_metre = (round(each * INCHES_PER_METRE) for each in credits.dpi)
        chunks.append(png_chunk(b"pHYs", struct.pack(">2IB", *per_metre, 1)))
    if exif := credits.exif():
        chunks.append(png_chunk(b"eXIf", exif.removeprefix(EXIF_HEADER)))
    if xmp:
        chunks.append(png_chunk(b"iTXt", XMP_KEYWORD.encode() + b"\0\0\0\0\0" + xmp))
    chunks.append(png_chunk(b"IDAT", zlib.compress(filtered.tobytes())))
    return b"\x89PNG\r\n\x1a\n" + b"".join([*chunks, png_chunk(b"IEND", b"")])


def _pillow(name: str, samples: Array, credits: Credits, **options: object) -> bytes:
    buffer = io.BytesIO()
    if exif := credits.exif():
        options["exif"] = exif
    if credits.dpi:
        options["dpi"] = credits.dpi  # which PNG and JPEG keep in a field of their own
    PIL.Image.fromarray(samples).save(buffer, name, icc_profile=srgb_profile(), **options)
    return buffer.getvalue()


def _png(samples: Array, xmp: bytes, quality: int, credits: Credits) -> bytes:  # noqa: ARG001
    if samples.dtype == np.uint16:
        return _png16(samples, xmp, credits)
    text = PngImagePlugin.PngInfo()
    if xmp:
        text.add_itxt(XMP_KEYWORD, xmp.decode())
    return _pillow("PNG", samples, credits, pnginfo=text)


def _tiff(samples: Array, xmp: bytes, quality: int, credits: Credits) -> bytes:  # noqa: ARG001
    import tifffile  # slow to import, and few need it

    tags = [(TIFF_XMP, "B", len(xmp), xmp, True)] if xmp else []
    for tag, text in ((TIFF_ARTIST, credits.artist), (TIFF_COPYRIGHT, credits.copyright)):
        tags += [(tag, "s", 0, text.encode(), True)] if text else []
    buffer = io.BytesIO()
    tifffile.imwrite(
        buffer,
        samples,
        photometric="rgb",
        extrasamples=["unassalpha"] if samples.shape[-1] == 4 else None,
        compression="zlib",
        predictor=True,
        metadata=None,
        software="impasto",
        iccprofile=srgb_profile(),
        extratags=tags,
        resolution=credits.dpi,
        resolutionunit="INCH" if credits.dpi else None,
    )
    return buffer.getvalue()


def _lossy(name: str, samples: Array, xmp: bytes, quality: int, credits: Credits) -> bytes:
    """JPEG, WebP, AVIF or HEIF: each takes the options it knows and ignores the others'."""
    return _pillow(
        name,
        samples,
        credits,
        quality=quality,
        subsampling="4:4:4" if quality >= FULL_CHROMA_QUALITY else "4:2:0",
        lossless=name == "WEBP" and quality == MAX_QUALITY,
        optimize=True,
        **({"xmp": xmp} if xmp else {}),
    )


@dataclass(frozen=True)
class Format:
    """What a file format can hold. The largest side is that of its standard or its library."""

    name: str
    suffixes: tuple[str, ...]
    encode: Callable[[Array, bytes, int, Credits], bytes]
    max_side_px: int = 2**31 - 1
    deep: bool = False
    alpha: bool = True

    def can_write(self) -> bool:
        """Whether the libraries at hand can encode it."""
        if self.name == "HEIF" and not register_heif():
            return False
        PIL.Image.init()
        return self.deep or self.name in PIL.Image.SAVE


FORMATS = (
    Format("PNG", (".png",), _png, deep=True),
    Format("JPEG", (".jpg", ".jpeg"), functools.partial(_lossy, "JPEG"), 65500, alpha=False),
    Format("WEBP", (".webp",), functools.partial(_lossy, "WEBP"), 16383),
    Format("TIFF", (".tif", ".tiff"), _tiff, deep=True),
    Format("AVIF", (".avif",), functools.partial(_lossy, "AVIF"), 32768),
    Format("HEIF", (".heif", ".heic"), functools.partial(_lossy, "HEIF"), 32768),
)

"""Whose a photograph is and how large it is printed: what of its metadata a result keeps.

Where it was taken, by which camera and when is left out: a result is often shown to strangers.
"""

from __future__ import annotations

import html
import math
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

import PIL.Image
from PIL import ExifTags

INCH, CENTIMETRE = 2, 3  # EXIF's units of resolution
CM_PER_INCH = 2.54
LONGEST_TEXT = 1000  # characters; JPEG's EXIF holds 64 kB
EXIF_HEADER = b"Exif\0\0"
PNG_WORDS = {"artist": ("Author", "Artist"), "copyright": ("Copyright",)}
EXIF_TAGS = {"artist": ExifTags.Base.Artist, "copyright": ExifTags.Base.Copyright}
XMP_NAMES = {"artist": "creator", "copyright": "rights"}


@dataclass(frozen=True)
class Credits:
    """What a result keeps of its photograph's metadata.

    Attributes:
        artist: who made it; '' where it does not say.
        copyright: its notice; likewise.
        dpi: pixels an inch, across and down; None where it does not say.
    """

    artist: str = ""
    copyright: str = ""
    dpi: tuple[float, float] | None = None

    def exif(self) -> bytes:
        """As an EXIF block, its header included; empty where there is nothing to say."""
        exif = PIL.Image.Exif()
        for name, tag in EXIF_TAGS.items():
            if getattr(self, name):
                exif[tag] = getattr(self, name).encode()  # UTF-8, as most programs read it
        if self.dpi:
            across, down = self.dpi
            exif[ExifTags.Base.XResolution], exif[ExifTags.Base.YResolution] = across, down
            exif[ExifTags.Base.ResolutionUnit] = INCH
        return exif.tobytes() if len(exif) else b""


NO_CREDITS = Credits()


def credits_of(image: PIL.Image.Image) -> Credits:
    """What an image's metadata say, after it was decoded; nothing where they are broken."""
    exif = PIL.Image.Exif()
    with suppress(Exception):  # a broken block raises anything
        exif = image.getexif()
    found = {name: next(filter(None, _texts(image, exif, name)), "") for name in EXIF_TAGS}
    dpi = None
    with suppress(Exception):
        dpi = _dpi(image, exif)
    return Credits(**found, dpi=dpi)


def _texts(image: PIL.Image.Image, exif: PIL.Image.Exif, name: str) -> Iterator[str]:
    """What each kind of metadata says of one thing, EXIF first."""
    yield _clean(exif.get(EXIF_TAGS[name]))
    for word in PNG_WORDS[name]:
        yield _clean(image.info.get(word))
    packet = image.info.get("xmp") or image.info.get("XML:com.adobe.xmp") or b""
    text = packet.decode("utf-8", "replace") if isinstance(packet, bytes) else str(packet)
    part = re.search(f"<dc:{XMP_NAMES[name]}>(.*?)</dc:{XMP_NAMES[name]}>", text, re.DOTALL)
    items = re.findall(r"<rdf:li[^>]*>([^<]*)</rdf:li>", part[1]) if part else []
    yield _clean("\0".join(map(html.unescape, items)))


def _clean(value: object) -> str:
    """A text of one line. Pillow reads EXIF's as Latin-1, and most of it is UTF-8."""
    if isinstance(value, bytes):
        value = value.decode("latin-1")
    if not isinstance(value, str):
        return ""
    with suppress(UnicodeError):
        value = value.encode("latin-1").decode("utf-8")
    parts = (" ".join(part.split()) for part in value.split("\0"))  # photographer, then editor
    joined = "; ".join(part for part in parts if part)
    return "".join(c for c in joined if c.isprintable())[:LONGEST_TEXT]


def _dpi(image: PIL.Image.Image, exif: PIL.Image.Exif) -> tuple[float, float] | None:
    """Read the resolution: the format's own field, else EXIF's; Pillow's ``dpi`` may be a guess."""
    own = image.format in ("PNG", "BMP") or image.info.get("jfif_unit") in (1, 2)
    told = image.info.get("dpi") if own else None
    if not told and ExifTags.Base.XResolution in exif:
        across = float(exif[ExifTags.Base.XResolution])
        down = float(exif.get(ExifTags.Base.YResolution, across))
        unit = exif.get(ExifTags.Base.ResolutionUnit, INCH)
        factor = {INCH: 1.0, CENTIMETRE: CM_PER_INCH}.get(unit, math.nan)
        told = across * factor, down * factor
    if not told or not all(1 <= each < 2**16 for each in told):
        return None
    across, down = (round(float(each), 1) for each in told)  # a PNG counts metres, in whole pixels
    return across, down

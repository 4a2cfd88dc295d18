"""Which of a file's several images is the picture."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import NamedTuple

import PIL.Image
from PIL import ImageFile

from impasto.errors import PictureError
from impasto.pictures.opening import open_image

# TIFF's tags, their values (TIFF 6.0, DNG 1.7), and the types of those that are whole numbers.
NEW_SUBFILE_TYPE, SUBFILE_TYPE, WIDTH, HEIGHT, PHOTOMETRIC, SUB_IFDS = 254, 255, 256, 257, 262, 330
REDUCED_OR_MASK, OLD_REDUCED = 0b101, 2
SENSOR_DATA = (32803, 34892)  # a colour filter array, and linear raw
WHOLE_NUMBERS = {3: "H", 4: "I", 13: "I", 16: "Q", 18: "Q"}


@dataclass(frozen=True)
class Opened:
    """A picture whose header has been read, and that is not decoded yet.

    Attributes:
        image: of the frame or page that is taken.
        data: a file's bytes in which it is the first image; empty where there is no file.
        note: which of how many was taken; '' where there was no choice.
        around: the first image, where ``image`` is one within it: profile, orientation and
            credits that it has not are its.
    """

    image: PIL.Image.Image
    data: bytes = b""
    note: str = ""
    around: PIL.Image.Image | None = None


class Directory(NamedTuple):
    """A TIFF's image: where it is described, its tags that are whole numbers, where the next is."""

    offset: int
    tags: Mapping[int, tuple[int, ...]]
    following: int

    @property
    def area(self) -> int:
        """In pixels."""
        return self.first(WIDTH) * self.first(HEIGHT)

    @property
    def is_picture(self) -> bool:
        """Whether it is neither a smaller copy of another nor a mask."""
        old = NEW_SUBFILE_TYPE not in self.tags and self.first(SUBFILE_TYPE) == OLD_REDUCED
        return not (self.first(NEW_SUBFILE_TYPE) & REDUCED_OR_MASK or old)

    def first(self, tag: int) -> int:
        """A tag's first value; 0 where it is absent."""
        return self.tags.get(tag, (0,))[0]


class _Layout(NamedTuple):
    """How a TIFF or BigTIFF is laid out: struct's byte order and formats, sizes in bytes."""

    order: str
    offset: str
    counts: str
    first: int


def _layout(data: bytes) -> _Layout:
    order = "<" if data[:2] == b"II" else ">"
    big = struct.unpack_from(order + "H", data, 2)[0] == 43
    return _Layout(order, "Q", "Q", 8) if big else _Layout(order, "I", "H", 4)


def _directory(data: bytes, layout: _Layout, offset: int) -> Directory:
    """The directory at an offset; struct.error where it is cut short."""
    order, tags = layout.order, {}
    (count,) = struct.unpack_from(order + layout.counts, data, offset)
    at, room = offset + struct.calcsize(layout.counts), struct.calcsize(layout.offset)
    for _ in range(count):
        tag, kind, values = struct.unpack_from(order + "HH" + layout.offset, data, at)
        at += 4 + room
        if kind in WHOLE_NUMBERS and tag in (*range(NEW_SUBFILE_TYPE, PHOTOMETRIC + 1), SUB_IFDS):
            layout_of_values = f"{order}{values}{WHOLE_NUMBERS[kind]}"
            fits = struct.calcsize(layout_of_values) <= room
            place = at if fits else struct.unpack_from(order + layout.offset, data, at)[0]
            tags[tag] = struct.unpack_from(layout_of_values, data, place) or (0,)
        at += room
    return Directory(offset, tags, struct.unpack_from(order + layout.offset, data, at)[0])


def _pages(data: bytes, layout: _Layout) -> Iterator[list[Directory]]:
    """Each page of a TIFF with the images within it; as far as they can be read."""
    seen = {0}
    (offset,) = struct.unpack_from(layout.order + layout.offset, data, layout.first)
    with suppress(struct.error, OverflowError):
        while offset not in seen:
            seen.add(offset)
            page = _directory(data, layout, offset)
            within = page.tags.get(SUB_IFDS, ())
            yield [page, *(_directory(data, layout, each) for each in within)]
            offset = page.following


def _open_tiff(data: bytes, what: str) -> Opened:
    """The first page that is no preview, or the larger picture within it, as DNG keeps it.

    The file's pointer to its first directory is set to that of the picture: Pillow then reads it
    as it does any first page.
    """
    image, layout = open_image(data, what), _layout(data)
    pages = list(_pages(data, layout))
    pictures = [(page, [each for each in page if each.is_picture]) for page in pages]
    pictures = [(page, found) for page, found in pictures if found]
    if not pages:
        return Opened(image, data)
    if not pictures:
        given = f"{what} holds a preview and not the picture itself"
        raise PictureError(given, "", "save it anew with the program that it comes from")
    page, found = pictures[0]
    main = max(found, key=lambda each: each.area)
    if main.first(PHOTOMETRIC) in SENSOR_DATA:
        given = f"{what} is camera raw: its picture has not been developed"
        raise PictureError(given, "", "develop it, and save it as TIFF, PNG or JPEG")
    note = f"page 1 of {len(pictures)}" if len(pictures) > 1 else ""
    if main.offset == pages[0][0].offset:
        return Opened(image, data, note)
    pointer = struct.pack(layout.order + layout.offset, main.offset)
    moved = data[: layout.first] + pointer + data[layout.first + len(pointer) :]
    around = open_image(data, what) if main is not page[0] and page is pages[0] else None
    return Opened(open_image(moved, what), moved, note, around)


def _open_animated(data: bytes, image: ImageFile.ImageFile) -> Opened:
    """The first frame, or what the file names its primary image; no PNG's stand-in for frames."""
    count = 1
    with suppress(Exception):  # of a damaged file; what is wrong is said where it is decoded
        count = getattr(image, "n_frames", 1)
    if image.format == "MPO":  # a phone's JPEG: the others are previews and gain maps
        return Opened(image, data)
    if getattr(image, "default_image", False) and count > 1:
        image.seek(1)
        return Opened(image, data, f"frame 1 of {count - 1}" if count > 2 else "")
    return Opened(image, data, f"frame {image.tell() + 1} of {count}" if count > 1 else "")


def open_picture(data: bytes, what: str) -> Opened:
    """Read the header of the image that is the picture, and hold it to the limit of MAX_PIXELS.

    Raises:
        PictureError: it can't be read, is too large, is only a preview, or camera raw.
    """
    image = open_image(data, what)
    if image.format == "TIFF":
        return _open_tiff(data, what)
    return _open_animated(data, image)

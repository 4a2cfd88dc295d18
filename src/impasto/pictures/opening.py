"""A path to a file's bytes, and those to a Pillow image: its header only, in case of a bomb."""

from __future__ import annotations

import importlib
import io
import stat
from functools import cache
from pathlib import Path

import PIL.Image
from PIL import ImageFile

from impasto.errors import PictureError, as_on_disk, nearest_file
from impasto.pictures.sizes import check_pixels

MAX_FILE_BYTES = 2 * 1024**3
"""MAX_PIXELS uncompressed in 16-bit RGBA; larger files (a film, a disk image) aren't even read."""

# Pillow's names. Only these decoders are ever tried: Pillow also knows formats that start
# other programs (EPS starts Ghostscript) or that nobody paints from.
READABLE = ("PNG", "JPEG", "WEBP", "TIFF", "AVIF", "HEIF", "GIF", "BMP", "PPM", "JPEG2000")
READABLE_TEXT = "PNG, JPEG, WebP, TIFF, AVIF, HEIF (with pillow-heif), GIF, BMP, PPM or JPEG 2000"
HEIF_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
INSTALL_HEIF = "install HEIF support: pip install pillow-heif"


def reason(error: Exception) -> str:
    """Why the system refused a path, without its error number."""
    return str(getattr(error, "strerror", None) or error)


def _missing(path: Path, what: str) -> PictureError:
    if path.is_symlink():
        return PictureError(f"{what} is a link to a file that does not exist", "", "mend the link")
    return PictureError(f"{what} does not exist", "", nearest_file(path) or "check the path")


def check_regular(path: Path, what: str, allowed: str) -> int:
    """Make sure that a path is a regular file that isn't empty; its size in bytes.

    Before it is opened: a pipe or a device would block or never end.

    Raises:
        PictureError: it is missing, a folder, a device, empty, or may not be looked at.
    """
    try:
        status = path.stat()
    except (FileNotFoundError, NotADirectoryError) as error:
        raise _missing(path, what) from error
    except PermissionError as error:
        raise PictureError(f"{what} may not be read", "", "check its permissions") from error
    except (OSError, ValueError) as error:  # ValueError: a path with a null character
        given = f"{what} cannot be read: {reason(error)}"
        raise PictureError(given, allowed, "check the path") from error
    if stat.S_ISDIR(status.st_mode):
        raise PictureError(f"{what} is a folder", allowed, "name a picture inside it")
    if not stat.S_ISREG(status.st_mode):
        raise PictureError(f"{what} is a device or a pipe", allowed, "save it to a file first")
    if not status.st_size:
        raise PictureError(f"{what} is empty (0 bytes)", allowed, "copy or download it again")
    return status.st_size


def read_bytes(path: Path, what: str) -> bytes:
    """The whole of a regular file that is neither empty nor absurdly long."""
    path, allowed = as_on_disk(path), f"allowed: a {READABLE_TEXT} file"
    size_bytes = check_regular(path, what, allowed)
    if size_bytes > MAX_FILE_BYTES:
        raise PictureError(f"{what} is {size_bytes / 1e9:.1f} GB", allowed, "convert it")
    try:
        data = path.read_bytes()
    except PermissionError as error:
        raise PictureError(f"{what} may not be read", "", "check its permissions") from error
    except OSError as error:
        given = f"{what} cannot be read: {reason(error)}"
        raise PictureError(given, allowed, "check the path") from error
    if not data:  # it has been emptied since, or is of a kind that has no size, as in /proc
        raise PictureError(f"{what} is empty (0 bytes)", allowed, "copy or download it again")
    return data


def register_heif() -> bool:
    """Teach Pillow HEIF where pillow-heif is installed; say whether it is."""
    try:
        importlib.import_module("pillow_heif").register_heif_opener()
    except ImportError:
        return False
    return True


def in_folder(folder: Path) -> list[Path]:
    """The files in a folder that are named as pictures, in the order of their names."""
    paths = (p for p in folder.iterdir() if p.is_file() and not p.name.startswith("."))
    return sorted(filter(named_as_picture, paths))


def named_as_picture(path: Path) -> bool:
    """Whether a file's ending is that of a format that can be read."""
    return path.suffix.lower() in readable_suffixes()


@cache
def readable_suffixes() -> frozenset[str]:
    """The endings of all formats that can be read here."""
    register_heif()
    PIL.Image.init()
    known = PIL.Image.registered_extensions()
    return frozenset(ending for ending, name in known.items() if name in READABLE)


def _unreadable(data: bytes, what: str, recognised: bool) -> PictureError:
    start = data[:512].lstrip().lower()
    if data[4:8] == b"ftyp" and data[8:12] in HEIF_BRANDS and not register_heif():
        given, hint = "is a HEIF picture", f"{INSTALL_HEIF}, or convert it to JPEG or PNG"
    elif recognised:
        given, hint = "is damaged or of a rare kind", "copy it again, or save it as PNG"
    elif start.startswith((b"<!doctype html", b"<html")):
        given, hint = "is a web page, not a picture", "download the picture itself"
    else:
        given, hint = "is not a picture of a known format", "convert it to PNG"
    return PictureError(f"{what} {given}", f"allowed: {READABLE_TEXT}", hint)


def open_image(data: bytes, what: str) -> ImageFile.ImageFile:
    """Read a picture's header, and hold it to the limit of MAX_PIXELS.

    Pillow's registry is walked here rather than by Image.open, whose guard against bombs warns
    and raises at limits that are global to the process, and which tries every format it knows.
    """
    register_heif()
    PIL.Image.init()
    recognised = False
    for name in READABLE:
        factory, accept = PIL.Image.OPEN.get(name, (None, None))
        if factory is None or (accept is not None and accept(data[:16]) is not True):
            continue
        recognised = True
        try:
            image = factory(io.BytesIO(data), "")
        except Exception:  # decoders raise anything; another one may know the file
            continue
        check_pixels((image.height, image.width), what)
        return image
    raise _unreadable(data, what, recognised)

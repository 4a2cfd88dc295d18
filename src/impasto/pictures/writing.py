"""A picture to a file: checked before hours of work, written whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from torch import Tensor

from impasto.errors import PictureError, as_on_disk
from impasto.files import longest_name, name_bytes, write_atomically
from impasto.pictures.credits import NO_CREDITS, Credits
from impasto.pictures.formats import FORMATS, MAX_QUALITY, QUALITY, Format
from impasto.pictures.opening import INSTALL_HEIF, reason
from impasto.pictures.recipe import to_xmp
from impasto.pictures.tensors import samples_of


def _suffixes(deep: bool = False) -> str:
    return "allowed: " + ", ".join(s for f in FORMATS if f.deep or not deep for s in f.suffixes)


def _target_format(path: Path, what: str, bits: int) -> Format:
    """The format that a file's name asks for, if it can be written and holds so many bits."""
    suffix = path.suffix.lower()
    form = next((f for f in FORMATS if suffix in f.suffixes), None)
    if form is None:
        given = f"the ending '{path.suffix}'" if suffix else "no ending"
        raise PictureError(f"{what} has {given}", _suffixes(), "try .png")
    if not form.can_write():
        hint = INSTALL_HEIF if form.name == "HEIF" else "update Pillow"
        raise PictureError(f"{what} needs {form.name} support", _suffixes(), f"{hint}, or try .png")
    if bits not in (8, 16):
        raise PictureError(f"{what} with {bits} bits a channel", "allowed: 8 or 16 bits")
    if bits == 16 and not form.deep:
        hint = "write 8 bits, or a .png"
        raise PictureError(f"{what} cannot hold 16 bits a channel", _suffixes(deep=True), hint)
    return form


def writable_suffixes() -> frozenset[str]:
    """The endings of all formats that can be written somewhere."""
    return frozenset(suffix for form in FORMATS for suffix in form.suffixes)


def most_bits(path: Path) -> int:
    """A channel, that a file of this name can hold."""
    return 16 if any(path.suffix.lower() in form.suffixes and form.deep for form in FORMATS) else 8


def _check_place(path: Path, what: str) -> None:
    """Check that a file can be made or replaced at a resolved path."""
    limit = longest_name(path.parent)
    if name_bytes(path.name) > limit:
        given = f"{what} has a name of {name_bytes(path.name)} bytes"
        raise PictureError(given, f"allowed: up to {limit} there", "choose a shorter name")
    if path.is_dir():
        raise PictureError(f"{what} is a folder", "allowed: a file's name", "add a name to it")
    if path.exists() and not path.is_file():
        raise PictureError(f"{what} is a device or a pipe", "allowed: a file's name")
    if not path.parent.is_dir():
        hint = "make it first, or check the path"
        raise PictureError(f"{what} is to be written into a folder that does not exist", "", hint)
    writable = os.access(path.parent, os.W_OK | os.X_OK)
    if not writable or (path.exists() and not os.access(path, os.W_OK)):
        hint = "check the permissions, or write elsewhere"
        raise PictureError(f"{what} may not be written", "", hint)


def _is_same_file(path: Path, other: Path) -> bool:
    """Also through links, relative paths, and case and Unicode's form where they mean the same."""
    other = as_on_disk(other)
    try:  # realpath: Path.resolve raises another error for a ring of links in each Python
        return os.path.realpath(path) == os.path.realpath(other) or path.samefile(other)
    except (OSError, ValueError):
        return False


def check_file(
    path: Path, what: str, others: Iterable[object] = (), role: str = "the input"
) -> Path:
    """Make sure that a file can be made or replaced, and return the one that a link leads to.

    Args:
        path: the file.
        what: it in an error's words.
        others: paths that it must not be; those that are no paths are passed over.
        role: what those are.

    Raises:
        PictureError: it may not be written, or is one of the others (also by way of links).
    """
    try:
        resolved = path.resolve()
        _check_place(resolved, what)
    except (OSError, ValueError, RuntimeError) as error:  # a name too long, a ring of links
        given = f"{what} cannot be written: {reason(error)}"
        raise PictureError(given, "", "check the path") from error
    for other in others:
        if isinstance(other, str | os.PathLike) and _is_same_file(resolved, Path(other)):
            given = f"{what} would overwrite {role} '{other}'"
            raise PictureError(given, "", "choose another name")
    return resolved


def _prepare(
    path: Path, inputs: Iterable[object], bits: int, size: tuple[int, int] | None
) -> tuple[Path, Format]:
    """The checks of check_target; returns the file that a link leads to, and its format."""
    what = f"output '{path}'"
    form = _target_format(path, what, bits)
    resolved = check_file(path, what, inputs)
    if size is not None and max(size) > form.max_side_px:
        given = f"{what} is to hold {size[1]}x{size[0]} px (width x height)"
        allowed = f"allowed: up to {form.max_side_px} px a side in {form.name}"
        raise PictureError(given, allowed, "try .png")
    return resolved, form


def check_target(
    path: str | os.PathLike[str],
    inputs: Iterable[object] = (),
    bits: int = 8,
    size: tuple[int, int] | None = None,
) -> Path:
    """Make sure, before hours of work, that a picture can be written to path.

    Args:
        path: the file to be written, and returned; one that exists will be replaced.
        inputs: the sources read; those that are no paths are passed over.
        bits: 8, or for PNG and TIFF 16, a channel.
        size: (height, width) of the picture, where known: formats have their limits.

    Raises:
        PictureError: if the format is unknown or cannot hold the picture, if path may not be
            written, or if it is one of the inputs (also by way of links).
    """
    _prepare(Path(path), inputs, bits, size)
    return Path(path)


def save(
    pixels: Tensor,
    path: str | os.PathLike[str],
    *,
    alpha: Tensor | None = None,
    recipe: Mapping[str, object] | None = None,
    bits: int = 8,
    quality: int = QUALITY,
    credits: Credits = NO_CREDITS,
) -> Path:
    """Write a picture, whole or not at all, with an sRGB profile, and return its path.

    A link is followed, and its file replaced. The same arguments give the same bytes.

    Args:
        pixels: (1, 3, H, W), sRGB in [0, 1], any device and float type; strays are clamped.
        path: .png, .jpg, .jpeg, .webp, .tif, .tiff, .avif, and with pillow-heif .heif, .heic.
        alpha: (1, 1, H, W) in [0, 1], not premultiplied. JPEG holds none: flattened on white.
        recipe: what JSON can hold; goes into the file as XMP, for `read_recipe`. None: nothing.
        bits: 8, or for PNG and TIFF 16, a channel.
        quality: 1 to 100, for JPEG, WebP (100 is lossless), AVIF and HEIF.
        credits: artist, copyright and resolution that the file is to say.

    Raises:
        PictureError: as check_target does; if a tensor has a wrong shape or a NaN; or if
            encoding or writing fails (JPEG holds a recipe of up to 65 kB).
        TypeError: if the recipe has values that JSON cannot hold.
    """
    what = f"output '{path}'"
    xmp = b"" if recipe is None else to_xmp(recipe)
    target, form = _prepare(Path(path), (), bits, (pixels.shape[-2], pixels.shape[-1]))
    if not 1 <= quality <= MAX_QUALITY:
        raise PictureError(f"{what} at quality {quality}", f"allowed: 1 to {MAX_QUALITY}")
    samples = samples_of(pixels, alpha, bits, form.alpha)
    try:
        data = form.encode(samples, xmp, quality, credits)
    except Exception as error:  # encoders raise all kinds; hours of work hang on the message
        given = f"{what} cannot be encoded as {form.name}: {error}"
        raise PictureError(given, "", "try .png, which holds any size and recipe") from error
    try:
        write_atomically(target, data)
    except OSError as error:
        hint = "free some space or check the permissions, or write elsewhere"
        raise PictureError(f"{what} cannot be written: {reason(error)}", "", hint) from error
    return Path(path)

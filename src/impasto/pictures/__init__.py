"""Pictures in and out: files, PIL images and arrays to picture tensors, and back, with metadata.

Inside impasto a picture is a float32 tensor (1, 3, H, W), sRGB in [0, 1]; sizes are
(height, width) in pixels. This wing undoes whatever a file does differently (EXIF rotation,
colour profile, CMYK, palette, 16 bit, transparency) and writes files whole or not at all.

From a file to a tensor and back, each room using only those above it; samples are arrays
(H, W, channels):

    sizes          limits, fit, resize, what alpha hides
    credits        artist, copyright and resolution, which a result keeps
    tensors        Picture; samples to its tensors and back
    color_profile  other colour spaces to sRGB
    color_tags     what a file says of its colours, as a profile
    opening        a path to a Pillow image, header only
    frames         of several images in a file, the picture
    deep           16-bit samples, which Pillow would cut to 8
    reading        load: any source to a Picture
    recipe         settings in a file's metadata
    formats        samples to a file's bytes: one row a format
    writing        check_file, check_target, save

And what is made of pictures: color (whose palette), masks (colours to regions), sheet (contact
sheets), films (frames to a film), styles (the built-in paintings).
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from impasto.pictures.color_profile import srgb_profile
    from impasto.pictures.formats import MAX_QUALITY, QUALITY
    from impasto.pictures.opening import in_folder, named_as_picture
    from impasto.pictures.reading import PictureSource, load
    from impasto.pictures.recipe import read_recipe
    from impasto.pictures.sizes import (
        MAX_PIXELS,
        MIN_SIDE_PX,
        check_sides,
        filled,
        fit,
        periodic,
        resize,
        resize_around,
        strokes_factor,
        visible_box,
    )
    from impasto.pictures.tensors import Picture, to_pil
    from impasto.pictures.writing import (
        check_file,
        check_target,
        most_bits,
        save,
        writable_suffixes,
    )

__all__ = [
    "MAX_PIXELS",
    "MAX_QUALITY",
    "MIN_SIDE_PX",
    "QUALITY",
    "Picture",
    "PictureSource",
    "check_file",
    "check_sides",
    "check_target",
    "filled",
    "fit",
    "in_folder",
    "load",
    "most_bits",
    "named_as_picture",
    "periodic",
    "read_recipe",
    "resize",
    "resize_around",
    "save",
    "srgb_profile",
    "strokes_factor",
    "to_pil",
    "visible_box",
    "writable_suffixes",
]

_ROOMS = {
    "color_profile": ("srgb_profile",),
    "formats": ("MAX_QUALITY", "QUALITY"),
    "opening": ("in_folder", "named_as_picture"),
    "reading": ("PictureSource", "load"),
    "recipe": ("read_recipe",),
    "sizes": (
        "MAX_PIXELS",
        "MIN_SIDE_PX",
        "check_sides",
        "filled",
        "fit",
        "periodic",
        "resize",
        "resize_around",
        "strokes_factor",
        "visible_box",
    ),
    "tensors": ("Picture", "to_pil"),
    "writing": ("check_file", "check_target", "most_bits", "save", "writable_suffixes"),
}


def __getattr__(name: str) -> Any:
    """Import on first use, so that a built-in style's name does not wait for torch."""
    room = next((room for room, names in _ROOMS.items() if name in names), None)
    if room is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{room}"), name)

"""Pictures in and out: files, PIL images and arrays to float tensors, and back, with metadata.

Inside impasto a picture is a float32 tensor (1, 3, H, W), sRGB in [0, 1]; sizes are
(height, width) in pixels. This room undoes whatever a file does differently (EXIF rotation,
colour profile, CMYK, palette, 16 bit, transparency) and writes files whole or not at all.

The files here, each using only those above it; samples are arrays (H, W, channels):

    sizes          limits, fit, resize
    tensors        Picture; samples to its tensors and back
    color_profile  other colour spaces to sRGB
    opening        a path to a Pillow image, header only
    deep           16-bit samples, which Pillow would cut to 8
    reading        load: any source to a Picture
    recipe         settings in a file's metadata
    formats        samples to a file's bytes: one row a format
    writing        check_file, check_target, save
"""

from impasto.image.color_profile import srgb_profile
from impasto.image.formats import MAX_QUALITY, QUALITY
from impasto.image.opening import in_folder
from impasto.image.reading import PictureSource, load
from impasto.image.recipe import read_recipe
from impasto.image.sizes import (
    MAX_PIXELS,
    MIN_SIDE_PX,
    check_sides,
    fit,
    periodic,
    resize,
    resize_around,
)
from impasto.image.tensors import Picture, to_pil
from impasto.image.writing import check_file, check_target, most_bits, save

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
    "fit",
    "in_folder",
    "load",
    "most_bits",
    "periodic",
    "read_recipe",
    "resize",
    "resize_around",
    "save",
    "srgb_profile",
    "to_pil",
]

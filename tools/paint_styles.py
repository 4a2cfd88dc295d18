"""Paint the built-in styles: ``python tools/paint_styles.py [NAME ...] [-o DIR] [--size PX]``.

The pictures are the project's own work, made by the code in tools/painting from fixed seeds.
"""

from __future__ import annotations

import argparse
import importlib
import io
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

STYLES = {  # name: the module of tools/painting whose paint(size_px) makes it
    "night-swirls": "night_swirls",
    "pointillist-garden": "pointillist_garden",
    "stained-glass": "stained_glass",
    "charcoal": "charcoal",
    "woodblock-waves": "woodblock_waves",
    "cubist-facets": "cubist_facets",
}
OUTPUT = Path(__file__).resolve().parents[1] / "src" / "impasto" / "data" / "styles"
SIZE_PX = 1000
LIMIT_BYTES = 295_000  # a margin under the 300 kB allowed per picture
QUALITIES = range(92, 40, -1)


def paint(name: str, size_px: int = SIZE_PX) -> Image.Image:
    """The picture of one style, its longer side size_px; the same pixels every time."""
    module = importlib.import_module(f"painting.{STYLES[name]}")
    picture: Image.Image = module.paint(size_px)
    return picture


def encode(picture: Image.Image) -> bytes:
    """A progressive JPEG of the best quality that fits."""
    for quality in QUALITIES:
        sheet = io.BytesIO()
        picture.save(sheet, "JPEG", quality=quality, progressive=True, optimize=True)
        if sheet.tell() <= LIMIT_BYTES:
            break
    return sheet.getvalue()


def main(arguments: Sequence[str] | None = None) -> None:
    """Paint the named styles, or all of them."""
    parser = argparse.ArgumentParser(description="Paint the built-in styles.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(STYLES))
    parser.add_argument("-o", "--output", type=Path, default=OUTPUT, metavar="DIR")
    parser.add_argument("--size", type=int, default=SIZE_PX, metavar="PX", help="longer side")
    options = parser.parse_args(arguments)
    if unknown := set(options.names) - set(STYLES):
        parser.error(f"no style named {', '.join(sorted(unknown))}; there are {', '.join(STYLES)}")
    options.output.mkdir(parents=True, exist_ok=True)
    for name in options.names or STYLES:
        path = options.output / f"{name}.jpg"
        path.write_bytes(encode(paint(name, options.size)))
        print(f"{path} ({path.stat().st_size / 1000:.0f} kB)")


if __name__ == "__main__":
    main()

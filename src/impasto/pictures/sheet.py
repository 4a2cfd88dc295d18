"""Contact sheets: pictures in a grid, each with a caption."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL import Image, ImageDraw

# Measures in pixels, and colours.
PICTURE_PX = 360  # the square that each picture is fitted into
CAPTION_PX = 56
MARGIN_PX = 28
NAME_FONT_PX, TITLE_FONT_PX, SMALLEST_FONT_PX = 22, 15, 9
BACKGROUND, INK, FAINT_INK, ALARM_INK = "#f7f5f0", "#2a2724", "#7c766d", "#a3341f"


@dataclass(frozen=True)
class Print:
    """One picture of a sheet.

    Attributes:
        picture: RGB, of any size; None leaves its place empty but for the words ``missing``.
        name: the caption's first line.
        title: its second, smaller.
        missing: why there is no picture.
    """

    picture: Image.Image | None
    name: str
    title: str = ""
    missing: str = ""


def sheet(prints: Sequence[Print], columns: int) -> Image.Image:
    """All of them, row by row, as an RGB picture; a row is as high as its highest picture."""
    from PIL import Image, ImageDraw, ImageOps

    square = (PICTURE_PX, PICTURE_PX)
    fitted = [
        each.picture and ImageOps.contain(each.picture, square, Image.Resampling.LANCZOS)
        for each in prints
    ]
    heights = row_heights(fitted, columns)
    tops = [*accumulate((each + CAPTION_PX + MARGIN_PX for each in heights), initial=MARGIN_PX)]
    cell_w = PICTURE_PX + MARGIN_PX
    whole = Image.new("RGB", (columns * cell_w + MARGIN_PX, tops[-1]), BACKGROUND)
    draw = ImageDraw.Draw(whole)
    for index, (each, picture) in enumerate(zip(prints, fitted, strict=True)):
        row, column = divmod(index, columns)
        left, top, height = MARGIN_PX + column * cell_w, tops[row], heights[row]
        middle, under = left + PICTURE_PX / 2, top + height
        if picture:  # stood on the line above the captions
            whole.paste(picture, (left + (PICTURE_PX - picture.width) // 2, under - picture.height))
        else:
            draw.rectangle((left, top, left + PICTURE_PX - 1, under - 1), outline=FAINT_INK)
            _write(draw, each.missing, TITLE_FONT_PX, ALARM_INK, middle, top + height // 2)
        _write(draw, each.name, NAME_FONT_PX, INK, middle, under + 10)
        _write(draw, each.title, TITLE_FONT_PX, FAINT_INK, middle, under + 38)
    return whole


def row_heights(fitted: Sequence[Image.Image | None], columns: int) -> list[int]:
    """The height in pixels of each row's highest picture; of one without any, the sheet's."""
    highest = max((picture.height for picture in fitted if picture), default=PICTURE_PX)
    rows = [fitted[start : start + columns] for start in range(0, len(fitted), columns)]
    return [max((each.height for each in row if each), default=highest) for row in rows]


def _write(
    draw: ImageDraw.ImageDraw, text: str, font_px: int, ink: str, middle: float, top: float
) -> None:
    """A line around a middle, as large as asked for, or as fits under a picture."""
    from PIL import ImageFont

    font = ImageFont.load_default(font_px)
    while draw.textlength(text, font) > PICTURE_PX and font_px > SMALLEST_FONT_PX:
        font_px -= 1
        font = ImageFont.load_default(font_px)
    draw.text((middle, top), text, fill=ink, font=font, anchor="mt")

"""What was painted with the brush to a mask, and a mask to what the brush shows.

A mask is a picture of flat colours: each of COLOURS where that brush went, REST where none did.
"""

from __future__ import annotations

import io
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import PIL.Image

from impasto.errors import PictureError

# Far apart in hue and in lightness, so that they are told apart by people who see fewer colours
# too (Okabe & Ito 2008, their bluish green, vermilion, blue and yellow).
COLOURS: Mapping[str, str] = {
    "Blue": "#0072b2",
    "Orange": "#d55e00",
    "Green": "#009e73",
    "Yellow": "#f0e442",
}
REST = "#000000"
REST_NAME = "Everything else"
HALF_SEEN = 128  # alpha from which on a pixel of a brush's soft edge is the brush's

Pixels = npt.NDArray[np.uint8]


def rgb(code: str) -> tuple[int, int, int]:
    """``"#0072b2"`` as three numbers."""
    return int(code[1:3], 16), int(code[3:5], 16), int(code[5:7], 16)


PALETTE = np.array([rgb(code) for code in COLOURS.values()], dtype=np.int32)


def snapped(layer: Pixels) -> Pixels:
    """A layer (H, W, 4): each pixel that is seen in the nearest brush's colour, the rest gone."""
    seen = layer[..., 3] >= HALF_SEEN
    apart = (layer[..., None, :3].astype(np.int32) - PALETTE) ** 2
    nearest = apart.sum(-1).argmin(-1)
    made = np.zeros_like(layer)
    made[seen, :3] = PALETTE[nearest[seen]].astype(np.uint8)
    made[seen, 3] = 255
    return made


def mask_of(layers: list[Pixels]) -> Pixels | None:
    """All layers (H, W, 4), the last on top, as one mask (H, W, 3); None where none is painted."""
    if not layers:
        return None
    mask = np.full((*layers[0].shape[:2], 3), rgb(REST), dtype=np.uint8)
    painted = False
    for layer in map(snapped, layers):
        seen = layer[..., 3] > 0
        mask[seen] = layer[seen, :3]
        painted = painted or bool(seen.any())
    return mask if painted else None


def colours_in(mask: Pixels) -> list[str]:
    """The names of a mask's brushes in COLOURS' order; REST_NAME last, if it is there."""
    flat = {tuple(int(v) for v in each) for each in np.unique(mask.reshape(-1, 3), axis=0)}
    names = [name for name, code in COLOURS.items() if rgb(code) in flat]
    return [*names, REST_NAME] if rgb(REST) in flat else names


def code_of(name: str) -> str:
    """A region's colour as an order names it."""
    return REST if name == REST_NAME else COLOURS[name]


def to_png(mask: Pixels) -> bytes:
    """A mask's file."""
    data = io.BytesIO()
    PIL.Image.fromarray(mask).save(data, "PNG")
    return data.getvalue()


def layer_of(mask: PIL.Image.Image, size: tuple[int, int]) -> PIL.Image.Image:
    """A mask's picture as the brush would have painted it, (width, height), clear where REST.

    Raises:
        PictureError: nothing in it is one of the brushes' colours.
    """
    pixels = np.asarray(mask.convert("RGB").resize(size, PIL.Image.Resampling.NEAREST))
    known = np.concatenate([PALETTE, np.array([rgb(REST)], dtype=np.int32)])
    apart = ((pixels[..., None, :].astype(np.int32) - known) ** 2).sum(-1)
    nearest = apart.argmin(-1)
    layer = np.zeros((*pixels.shape[:2], 4), dtype=np.uint8)
    seen = nearest < len(PALETTE)
    if not seen.any():
        raise PictureError("the mask has none of the brushes' colours", ", ".join(COLOURS))
    layer[seen, :3] = PALETTE[nearest[seen]].astype(np.uint8)
    layer[seen, 3] = 255
    return PIL.Image.fromarray(layer, "RGBA")

"""Pictures to test with, shared by test_image_*.py; no tests."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
import torch
from hypothesis import settings
from hypothesis import strategies as st
from PIL import Image
from torch import Tensor

from impasto.errors import PictureError
from impasto.pictures import MIN_SIDE_PX, srgb_profile

WRITABLE = [".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".avif"]
DEEP = [".png", ".tif"]
ONE_STEP = 1 / 255
LOSS = 8 * ONE_STEP  # WebP's colours have half the resolution

sides = st.integers(MIN_SIDE_PX, 45)
seeds = st.integers(0, 2**16)
quick = settings(max_examples=20, deadline=None)


def noise(height: int, width: int, channels: int, seed: int = 0, bits: int = 8) -> np.ndarray:
    kind = np.uint8 if bits == 8 else np.uint16
    generator = np.random.default_rng(seed)
    return generator.integers(0, 2**bits, (height, width, channels), dtype=kind)


def smooth(height: int = 24, width: int = 32) -> np.ndarray:
    """Gentle colours, which lossy formats keep to a few steps; no symmetry."""
    y, x = np.mgrid[:height, :width]
    return np.stack([40 + 4 * x, 60 + 5 * y, 200 - 3 * x - y], axis=-1).astype(np.uint8)


def icc(space: bytes, kind: bytes, pcs: bytes, tags: dict[bytes, bytes]) -> bytes:
    """A minimal ICC v2 profile."""
    at = 128 + 4 + 12 * len(tags)
    table, body = struct.pack(">I", len(tags)), b""
    for name, content in tags.items():
        content += b"\0" * (-len(content) % 4)
        table += struct.pack(">4sII", name, at + len(body), len(content))
        body += content
    header = struct.pack(">I4sI4s4s4s", at + len(body), b"test", 0x02400000, kind, space, pcs)
    header += struct.pack(">6H4s", 2000, 1, 1, 0, 0, 0, b"acsp") + bytes(28)
    header += struct.pack(">3I", 0xF6D6, 0x10000, 0xD32D)
    return header.ljust(128, b"\0") + table + body


def white_ink_profile() -> bytes:
    """CMYK in which more ink of any kind is lighter: the opposite of what Pillow assumes."""
    ramp = bytes(range(256))
    corners = b"".join(bytes([255 * bin(corner).count("1") // 4, 128, 128]) for corner in range(16))
    matrix = struct.pack(">9i", *(0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x10000))
    lut = b"mft1" + bytes(4) + bytes([4, 3, 2, 0]) + matrix + ramp * 4 + corners + ramp * 3
    white = b"XYZ \0\0\0\0" + struct.pack(">3I", 0xF6D6, 0x10000, 0xD32D)
    return icc(b"CMYK", b"prtr", b"Lab ", {b"wtpt": white, b"A2B0": lut})


def swapped_profile() -> bytes:
    """sRGB with red and blue exchanged."""
    names = srgb_profile().replace(b"rXYZ", b"????").replace(b"bXYZ", b"rXYZ")
    return names.replace(b"????", b"bXYZ")


def tensor(array: np.ndarray) -> Tensor:
    unit = array.astype(np.float32) / np.iinfo(array.dtype).max
    return torch.from_numpy(unit.transpose(2, 0, 1)[None].copy())


def one_line(error: pytest.ExceptionInfo[PictureError], *parts: str) -> str:
    text = str(error.value)
    assert "\n" not in text
    assert len(text) < 600
    for part in parts:
        assert part in text, text
    return text


def encoded(form: str, size: tuple[int, int] = (64, 64)) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(noise(size[1], size[0], 3)).save(buffer, form)
    return buffer.getvalue()

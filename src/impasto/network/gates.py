"""Which features a ReLU or a pooling lets through: a bit each, and all that the way back needs."""

from __future__ import annotations

from functools import cache

import torch
import torch.nn.functional as nnf
from torch import Tensor

from impasto.modes import own_modes

BITS = 8  # of a byte


def packed(passes: Tensor) -> Tensor:
    """A mask (1, channels, h, w) as bytes (1, ceil(channels / 8), h, w), channels last."""
    flat = passes.permute(0, 2, 3, 1).float()
    flat = nnf.pad(flat, [0, -flat.shape[3] % BITS])
    powers = [2.0**bit for bit in range(BITS)]
    values = torch.tensor(powers, dtype=flat.dtype, device=flat.device)
    gate = (flat.reshape(-1, BITS) @ values).to(torch.uint8)
    return gate.view(1, *flat.shape[1:3], -1).permute(0, 3, 1, 2)


def unpacked(gate: Tensor, channels: int, dtype: torch.dtype) -> Tensor:
    """What was packed, as ones and zeros (1, channels, h, w), channels last."""
    flat = gate.permute(0, 2, 3, 1)
    bits = bits_of_bytes(dtype, gate.device).index_select(0, flat.flatten().int())
    return bits.view(*flat.shape[:3], -1)[..., :channels].permute(0, 3, 1, 2)


@cache
@own_modes()
def bits_of_bytes(dtype: torch.dtype, device: torch.device) -> Tensor:
    """(256, 8): the bits of each byte, the lowest first."""
    bytes_, bits = (torch.arange(count, dtype=torch.int32, device="cpu") for count in (256, BITS))
    return (bytes_[:, None] >> bits & 1).to(device, dtype)

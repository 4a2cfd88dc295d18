"""The project's own files: safetensors with what is to be known of them, and a checksum inside."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from impasto.files import METADATA_KEY, to_safetensors, write_atomically

SUFFIX = ".safetensors"


def dequantise(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Everything as float32; an int8 kernel times its output channels' scales."""
    state = {}
    for key, tensor in tensors.items():
        scale = tensors.get(f"{key.removesuffix('.weight')}.scale")
        state[key] = tensor.float()
        if key.endswith(".weight") and scale is not None:
            state[key] = state[key] * scale.float().view(-1, 1, 1, 1)
    return state


def save(path: Path, tensors: Mapping[str, Tensor], info: Mapping[str, Any]) -> None:
    """Write tensors and what is to be known of them, atomically; the same input, the same bytes.

    Args:
        path: its directory is made where it is missing.
        tensors: in the convention; a weight may be int8 with a ``.scale`` (out,) beside it.
        info: JSON-able, with at least ``architecture`` and ``source``.

    Raises:
        OSError: it can't be written; nothing is left behind then.
    """
    content = to_safetensors(tensors, info)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, content)


def stored_source(path: Path) -> str:
    """What a file of ``save`` says it came from; its tensors are not read."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            return str(json.loads((file.metadata() or {})[METADATA_KEY])["source"])
    except (OSError, SafetensorError, KeyError, ValueError):
        return "damaged: `impasto weights verify` says more"

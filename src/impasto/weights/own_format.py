"""The project's own files: safetensors with what is to be known of them, and a checksum inside."""

from __future__ import annotations

import hashlib
import json
import os
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

SUFFIX = ".safetensors"
METADATA_KEY = "impasto"  # one key that holds JSON: several keys have no fixed order in the file


def tensors_sha256(tensors: Mapping[str, Tensor]) -> str:
    """A checksum of names, types, shapes and values, in whatever order they come."""
    digest = hashlib.sha256()
    for key in sorted(tensors):
        tensor = tensors[key].contiguous()
        digest.update(f"{key} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


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
    from safetensors.torch import save as to_bytes

    known = {**info, "tensors_sha256": tensors_sha256(tensors)}
    contiguous = {key: tensor.contiguous() for key, tensor in tensors.items()}
    content = to_bytes(contiguous, {METADATA_KEY: json.dumps(known, sort_keys=True)})
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}-{threading.get_ident()}.tmp")
    try:
        with part.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def stored_source(path: Path) -> str:
    """What a file of ``save`` says it came from; its tensors are not read."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            return str(json.loads((file.metadata() or {})[METADATA_KEY])["source"])
    except (OSError, SafetensorError, KeyError, ValueError):
        return "damaged: `impasto weights verify` says more"

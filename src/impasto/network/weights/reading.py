"""A file to Weights: recognised, read, known by its checksum, folded and checked."""

from __future__ import annotations

import contextlib
import hashlib
import pickle
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from impasto.errors import WeightsError
from impasto.network.weights import published
from impasto.network.weights.folding import State, fold, layout_by_numbers
from impasto.network.weights.formats import GET_AGAIN, recognise
from impasto.network.weights.networks import ARCHITECTURES, LAYOUTS

CHUNK_BYTES = 1 << 20


@dataclass(frozen=True)
class Weights:
    """A network's verified parameters.

    Attributes:
        name: the architecture, ``"vgg19"`` or ``"vgg16"``.
        state: float32 CPU tensors in the convention of this package, shallow to deep.
        source: for people, e.g. ``"embedded vgg16 (int8)"``.
        sha256: of the file that was read, in hexadecimal.
    """

    name: str
    state: Mapping[str, Tensor]
    source: str
    sha256: str


def file_digests(path: Path) -> dict[str, str]:
    """MD5 and SHA-256 in one pass; MD5 since Keras and MatConvNet publish no other."""
    hashes = {"md5": hashlib.md5(usedforsecurity=False), "sha256": hashlib.sha256()}
    with path.open("rb") as file:
        while piece := file.read(CHUNK_BYTES):
            for each in hashes.values():
                each.update(piece)
    return {name: each.hexdigest() for name, each in hashes.items()}


@contextlib.contextmanager
def _one_line_errors(path: Path) -> Iterator[None]:
    """Whatever a damaged or hostile file makes a reader raise, as one line."""
    try:
        yield
    except pickle.UnpicklingError as error:
        raise WeightsError(
            f"{path}: it holds Python objects other than tensors, and reading them could run code",
            "only plain tensors are read",
            "save it as a state dict",
        ) from error
    # Five libraries parse what may be any bytes at all; what they raise is no closed set.
    except Exception as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise WeightsError(
            f"{path}: it can't be read as weights ({reason})",
            f"plain {' or '.join(ARCHITECTURES)} networks are known",
            GET_AGAIN,
        ) from error


def _unknown_layout(path: Path, architecture: str) -> WeightsError:
    known = [row.file for row in published.KNOWN_FILES if row.file.endswith(".pth")]
    return WeightsError(
        f"{path}: its checksum is unknown, and a PyTorch file's layout (colours, range, mean) "
        "can't be told from its content",
        f"known files: {', '.join(known)}",
        f"`impasto weights fetch {architecture}` gets a known one",
    )


def _check_finite(path: Path, state: State) -> None:
    for key, tensor in state.items():
        if not bool(torch.isfinite(tensor).all()):
            raise WeightsError(f"{path}: {key} holds numbers that are not finite", "", GET_AGAIN)


def read(path: str | Path) -> Weights:
    """The weights in a file, whose format is recognised by its content, never by its name.

    Formats: the project's own safetensors, Keras HDF5, PyTorch (zip or the older pickle, both
    read without running anything), MatConvNet's MATLAB 5, and safetensors with PyTorch's names.

    Raises:
        WeightsError: not a weights file, damaged, of another architecture, or of a layout that
            can't be told from its content.
    """
    path = Path(path)
    reader = recognise(path)
    with _one_line_errors(path):
        digests = file_digests(path)
        found = reader(path)
    known = published.recognise(digests)
    layout = found.layout or (known.publisher.layout if known else layout_by_numbers(found))
    if layout is None:
        raise _unknown_layout(path, found.architecture)
    state = fold(found, LAYOUTS[layout])
    _check_finite(path, state)
    unknown = f"{found.architecture} from {path.name} ({layout} layout, unverified checksum)"
    source = found.source or (known.source if known else unknown)
    return Weights(found.architecture, state, source, digests["sha256"])

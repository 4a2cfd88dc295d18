"""Which format a file is, by its first bytes, and a reader for each: one row a format.

A reader takes a path and returns what it found; it runs nothing from the file, and raises whatever
a damaged file makes its library raise.
"""

from __future__ import annotations

import re
import stat
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from impasto.errors import WeightsError
from impasto.files import read_safetensors
from impasto.network.weights.folding import Found, State, check_shapes, identify
from impasto.network.weights.networks import (
    ARCHITECTURES,
    COLOURS,
    KERNEL_PX,
    LAYOUTS,
    convolutions,
)
from impasto.network.weights.own_format import dequantise

HEAD_BYTES = 512  # enough of a file to see what it is
LARGEST_ELEMENTS = 512 * 512 * KERNEL_PX**2  # of one tensor that is wanted from a file
GET_AGAIN = "get the file again, or another one: `impasto weights list`"


def _read_keras(path: Path) -> Found:
    """Keras HDF5: kernels and biases below groups named block1_conv1, block1_conv2 and so on."""
    import h5py

    tensors: State = {}

    def visit(name: str, node: object) -> None:
        match = re.search(r"block(\d)_conv(\d)", name)
        if not match or not isinstance(node, h5py.Dataset) or node.size > LARGEST_ELEMENTS:
            return
        part = {4: "weight", 1: "bias"}.get(node.ndim)
        if part:
            tensors[f"conv{match[1]}_{match[2]}.{part}"] = torch.from_numpy(node[()])

    with h5py.File(path, "r") as file:
        file.visititems(visit)  # follows no link out of the file
    return Found(identify(tensors, LAYOUTS["keras"].axes), tensors, "keras")


def _read_torch(path: Path) -> Found:
    """A PyTorch state dict, in the zip format or the older one; tensors only, nothing else."""
    loaded = torch.load(path, map_location="cpu", weights_only=True)
    if isinstance(loaded, Mapping) and isinstance(loaded.get("state_dict"), Mapping):
        loaded = loaded["state_dict"]
    if not isinstance(loaded, Mapping):
        raise ValueError(f"it holds a {type(loaded).__name__}, not a state dict")
    return _from_names({str(k): v for k, v in loaded.items() if isinstance(v, Tensor)})


def _read_matconvnet(path: Path) -> Found:
    """MatConvNet's "simplenn" struct: layers with names and weights, and the average picture."""
    from scipy.io import loadmat

    file = loadmat(
        path,
        variable_names=["layers", "normalization", "meta"],
        squeeze_me=True,
        struct_as_record=False,
    )
    if "layers" not in file:
        raise ValueError("it has no variable `layers`")
    tensors: State = {}
    for layer in file["layers"]:
        name = str(getattr(layer, "name", ""))
        if re.fullmatch(r"conv\d_\d", name):
            tensors[f"{name}.weight"] = torch.as_tensor(layer.weights[0], device="cpu")
            tensors[f"{name}.bias"] = torch.as_tensor(layer.weights[1], device="cpu")
    normalization = file["meta"].normalization if "meta" in file else file["normalization"]
    # One pixel in newer releases, a whole picture of that one colour in older ones.
    mean = normalization.averageImage.reshape(-1, COLOURS).astype("float64").mean(0)
    architecture = identify(tensors, LAYOUTS["matconvnet"].axes)
    return Found(architecture, tensors, "matconvnet", tuple(mean.tolist()))


def _places(architecture: str) -> dict[int, str]:
    """The convolutions by their place among torchvision's ``features``."""
    places, place, block = {}, 0, "1"
    for name in convolutions(architecture):
        place += name[4] != block  # the pooling between two blocks
        places[place], block = name, name[4]
        place += 2  # itself and its ReLU
    return places


def _from_names(loaded: Mapping[str, Tensor]) -> Found:
    """PyTorch's names, ``features.0.weight`` or ``conv1_1.weight``, as the project's."""
    if any(key.endswith("running_mean") for key in loaded):
        raise ValueError("it is a network with batch normalisation, which is not a plain VGG")
    numbered = re.compile(r"(?:.*\.)?features\.(\d+)\.(weight|bias)")
    named = re.compile(r"(?:.*\.)?(conv\d_\d)\.(weight|bias)")
    tensors = {f"{m[1]}.{m[2]}": t for k, t in loaded.items() if (m := named.fullmatch(k))}
    layers = {(int(m[1]), m[2]): t for k, t in loaded.items() if (m := numbered.fullmatch(k))}
    places = {place for place, _ in layers}
    for architecture in ARCHITECTURES:
        sequence = _places(architecture)
        if places == set(sequence):
            tensors = {f"{sequence[place]}.{part}": t for (place, part), t in layers.items()}
    if not tensors:
        raise ValueError(
            f"its {len(places)} feature layers are not those of {' or '.join(ARCHITECTURES)}"
            if places
            else "it has no tensors named features.0.weight or conv1_1.weight"
        )
    return Found(identify(tensors, "OIHW"), tensors)


def _read_safetensors(path: Path) -> Found:
    """The project's own format, or another's tensors under PyTorch's names."""
    tensors, info = read_safetensors(path)
    if info is None:
        return _from_names(tensors)
    state = dequantise(tensors)
    if tuple(state["mean"].shape) != (COLOURS,):
        raise ValueError("its mean is not one of three colours")
    check_shapes(state, info["architecture"], LAYOUTS["impasto"].axes)
    mean = tuple(state["mean"].tolist())
    return Found(info["architecture"], state, "impasto", mean, info["source"])


@dataclass(frozen=True)
class Format:
    """A kind of file: its name, the pattern its first bytes match, and its reader."""

    name: str
    start: re.Pattern[bytes]
    reader: Callable[[Path], Found]


FORMATS: tuple[Format, ...] = (
    Format("safetensors", re.compile(rb".{8}\{", re.DOTALL), _read_safetensors),
    Format("Keras HDF5", re.compile(rb"\x89HDF\r\n\x1a\n"), _read_keras),
    Format("PyTorch", re.compile(rb"PK\x03\x04|\x80[\x02-\x05]"), _read_torch),
    Format("MatConvNet", re.compile(rb"MATLAB 5\.0"), _read_matconvnet),
)

# What is often found under a weights file's name, told by its first bytes.
IMPOSTORS: tuple[tuple[str, re.Pattern[bytes], str], ...] = (
    (
        "a Git LFS pointer, not the file it points to",
        re.compile(rb"version https://git-lfs"),
        "run `git lfs pull`, or download the file itself",
    ),
    (
        "a web page, probably an error or a login page",
        re.compile(rb"\s*<(!doctype|html|\?xml|head)", re.IGNORECASE),
        GET_AGAIN,
    ),
    (
        "a picture",
        re.compile(rb"\xff\xd8\xff|\x89PNG|GIF8|RIFF....WEBP|II\*\0|MM\0\*", re.DOTALL),
        "the backbone is not the photograph: check the order of the arguments",
    ),
    (
        "a MATLAB 7.3 file",
        re.compile(rb"MATLAB 7\.3"),
        "save it from MATLAB with the option -v7",
    ),
    ("a compressed archive", re.compile(rb"\x1f\x8b|BZh|\xfd7zXZ|7z\xbc\xaf"), "unpack it first"),
)


def recognise(path: Path) -> Callable[[Path], Found]:
    """The reader of this file's format, by its first bytes."""
    head = _head(path)
    formats = f"a weights file is one of {', '.join(kind.name for kind in FORMATS)}"
    if not head:
        raise WeightsError(f"{path}: the file is empty", formats, GET_AGAIN)
    for what, start, hint in IMPOSTORS:
        if start.match(head):
            raise WeightsError(f"{path}: it is {what}", formats, hint)
    for kind in FORMATS:
        if kind.start.match(head):
            return kind.reader
    raise WeightsError(f"{path}: it is not a weights file of a known format", formats, GET_AGAIN)


def _head(path: Path) -> bytes:
    try:
        status = path.stat()  # before opening: a pipe would block, a device never end
        if stat.S_ISDIR(status.st_mode):
            raise WeightsError(f"{path}: it is a directory", "a weights file is wanted")
        if not stat.S_ISREG(status.st_mode):
            raise WeightsError(f"{path}: it is a device or a pipe", "a weights file is wanted")
        with path.open("rb") as file:
            return file.read(HEAD_BYTES)
    except (OSError, ValueError) as error:  # ValueError: a path with a null character
        reason = getattr(error, "strerror", None) or str(error)
        raise WeightsError(f"{path}: {reason}", "a readable weights file is wanted") from error

"""A backbone's name or a file -> a verified state dict in the project's one convention.

The convention: float32 CPU tensors ``mean`` (3,), then ``conv1_1.weight`` (out, in, 3, 3),
``conv1_1.bias`` (out,), ``conv1_2.weight`` and so on to the last convolution. The network
computes ``conv1_1(zero_pad(x - mean))`` by cross-correlation, x being RGB in [0, 1]. Each library
ships the same networks in another layout; all of them are folded into this one exactly, borders
included, since every one pads with zeros after its own mean is subtracted.

Networks: Simonyan & Zisserman 2014, "Very Deep Convolutional Networks for Large-Scale Image
Recognition". No file read here can run code.
"""

from __future__ import annotations

import contextlib
import difflib
import hashlib
import json
import os
import pickle
import re
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from types import MappingProxyType
from typing import IO, Any, NamedTuple

import torch
from torch import Tensor

from impasto.errors import WeightsError

State = dict[str, Tensor]
Progress = Callable[[int, int | None], None]  # (bytes so far, bytes in all if known)

# Channels and number of convolutions of each block: Simonyan & Zisserman 2014, table 1, D and E.
ARCHITECTURES: Mapping[str, tuple[tuple[int, int], ...]] = MappingProxyType(
    {
        "vgg19": ((64, 2), (128, 2), (256, 4), (512, 4), (512, 4)),
        "vgg16": ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)),
    }
)
KERNEL_PX = 3
COLOURS = 3

EMBEDDED = "vgg16"
EMBEDDED_FILE = "vgg16-int8.safetensors"
SUFFIX = ".safetensors"
METADATA_KEY = "impasto"  # one key that holds JSON: several keys have no fixed order in the file

TIMEOUT_S = 8.0  # to connect, and between two pieces of a download
CHUNK_BYTES = 1 << 20
MEGABYTE = 1_000_000
HEAD_BYTES = 512  # enough of a file to see what it is
LARGEST_ELEMENTS = 512 * 512 * KERNEL_PX**2  # of one tensor that is wanted from a file


# ---------------------------------------------------------------------------------------------
# What is known: layouts and files, as rows
# ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Layout:
    """How a library stores convolutions and what picture its network expects.

    Attributes:
        axes: the order of a kernel's axes, of O(ut), I(n), H and W.
        channels: the order of the colours, ``"RGB"`` or ``"BGR"``.
        white: the value of white before mean and deviation are applied: 1 or 255.
        mean: subtracted, by channel in the file's order; None where the file itself states it.
        deviation: divided by after that, by channel in the file's order.
    """

    axes: str
    channels: str
    white: float
    mean: tuple[float, float, float] | None
    deviation: tuple[float, float, float] = (1.0, 1.0, 1.0)


# keras-team/keras, keras/src/applications/imagenet_utils.py, mode "caffe"; the same figures stand
# in the READMEs of jcjohnson/pytorch-vgg and of the VGG team's own gists (ksimonyan).
CAFFE_MEAN_BGR = (103.939, 116.779, 123.68)

LAYOUTS: Mapping[str, Layout] = MappingProxyType(
    {
        # pytorch/vision, torchvision/transforms/_presets.py, ImageClassification; the same mean and
        # deviation stand in keras' imagenet_utils.py as mode "torch".
        "torchvision": Layout("OIHW", "RGB", 1.0, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
        # jcjohnson/pytorch-vgg, README.md: BGR in [0, 255], these means subtracted.
        "caffe": Layout("OIHW", "BGR", 255.0, CAFFE_MEAN_BGR),
        # keras-team/keras: channels last, and Conv2D is a cross-correlation.
        "keras": Layout("HWIO", "BGR", 255.0, CAFFE_MEAN_BGR),
        # vlfeat/matconvnet, utils/import-caffe.py at every tag from beta7 to beta25: kernels and
        # pictures are transposed to MATLAB's rows first, and BGR turned to RGB. (Its vl_nnconv.m
        # says "FW x FH", by which anishathalye/neural-style transposes once more: a slip, see that
        # project's issue 180.) The mean is the file's own normalization.averageImage.
        "matconvnet": Layout("HWIO", "RGB", 255.0, None),
    }
)


@dataclass(frozen=True)
class Publisher:
    """Who publishes weights: what they hold, in which layout and under which licence.

    Attributes:
        layout: a key of ``LAYOUTS``.
        origin: for people.
        licence: of the weights, as far as it is stated.
        url: the folder of the files.
    """

    layout: str
    origin: str
    licence: str
    url: str


# "The models are released under Creative Commons Attribution License" (no version is named):
# www.robots.ox.ac.uk/~vgg/research/very_deep/. torchvision: the LICENSE in its wheels.
OXFORD_LICENCE = "CC BY (Oxford VGG)"
TORCH_LICENCE = "BSD-3-Clause (torchvision)"

# keras-team/keras, keras/src/applications/vgg19.py and vgg16.py.
KERAS = Publisher(
    "keras",
    "Oxford's original parameters, by Keras",
    OXFORD_LICENCE,
    "https://storage.googleapis.com/tensorflow/keras-applications",
)
# pytorch/vision, torchvision/models/vgg.py.
TORCHVISION = Publisher(
    "torchvision",
    "trained anew by torchvision",
    TORCH_LICENCE,
    "https://download.pytorch.org/models",
)
# jcjohnson/pytorch-vgg, README.md; the host is that of ProGamerGov/neural-style-pt,
# models/download_models.py.
JOHNSON = Publisher(
    "caffe",
    "Oxford's original parameters, by J. Johnson",
    OXFORD_LICENCE,
    "https://web.eecs.umich.edu/~justincj/models",
)
# vlfeat/matconvnet, doc/site/docs/pretrained.md.
MATCONVNET = Publisher(
    "matconvnet",
    "Oxford's original parameters, by MatConvNet",
    OXFORD_LICENCE,
    "http://www.vlfeat.org/matconvnet/models",
)


@dataclass(frozen=True)
class KnownFile:
    """A published file: what it is, where it lies and how to know it.

    Attributes:
        architecture: ``"vgg19"`` or ``"vgg16"``.
        publisher: whose it is, which gives its layout.
        place: its path below the publisher's URL; it ends in its name.
        checksum: ``"md5:..."`` or ``"sha256:..."`` in hexadecimal; a prefix where no more is
            published.
        size: bytes; None where no more than the checksum is published.
        release: of the publisher, where it is not the current one.
    """

    architecture: str
    publisher: Publisher
    place: str
    checksum: str
    size: int | None = None
    release: str = ""

    @property
    def file(self) -> str:
        return self.place.rsplit("/", 1)[-1] + (f" ({self.release})" if self.release else "")

    @property
    def url(self) -> str:
        return f"{self.publisher.url}/{self.place}"

    def matches(self, digests: Mapping[str, str]) -> bool:
        """Whether digests by algorithm (``{"md5": ..., "sha256": ...}``) are this file's."""
        algorithm, _, published = self.checksum.partition(":")
        return digests[algorithm].startswith(published)


TORCHVISION_VGG19 = "dcbb9e9dad569fff7a846263a77324fc34978fea2bfb039c012d710e1776ae44"
TORCHVISION_VGG16 = "397923af8e79cdbb6a7127f12361acd7a2f83e06b05044ddf496e83de57a5bf0"

# The first row of an architecture is the one that `fetch` takes. Where the checksums come from:
# - Keras: the MD5s that vgg19.py and vgg16.py check; the sizes are what its downloads report.
# - torchvision: the digits in a file's name are the start of its SHA-256, which torch.hub checks.
#   Many projects that hashed the files agree on the whole of it and on the size.
# - Johnson: the digits in a file's name are the start of its SHA-256: t7_to_state_dict.py.
# - MatConvNet: pretrained.md; of beta16's file, whose URL it also states,
#   anishathalye/neural-style, README.md.
KNOWN_FILES: tuple[KnownFile, ...] = (
    KnownFile(
        "vgg19",
        KERAS,
        "vgg19/vgg19_weights_tf_dim_ordering_tf_kernels_notop.h5",
        "md5:253f8cb515780f3b799900260a226db6",
        80_134_624,
    ),
    KnownFile(
        "vgg16",
        KERAS,
        "vgg16/vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5",
        "md5:6d6bbae143d832006294945121d1f1fc",
        58_889_256,
    ),
    KnownFile(
        "vgg19",
        KERAS,
        "vgg19/vgg19_weights_tf_dim_ordering_tf_kernels.h5",
        "md5:cbe5617147190e668d6c5d5026f83318",
    ),
    KnownFile(
        "vgg16",
        KERAS,
        "vgg16/vgg16_weights_tf_dim_ordering_tf_kernels.h5",
        "md5:64373286793e3c8b2b4e3219cbf3544b",
    ),
    KnownFile(
        "vgg19", TORCHVISION, "vgg19-dcbb9e9d.pth", f"sha256:{TORCHVISION_VGG19}", 574_673_361
    ),
    KnownFile(
        "vgg16", TORCHVISION, "vgg16-397923af.pth", f"sha256:{TORCHVISION_VGG16}", 553_433_881
    ),
    KnownFile("vgg19", JOHNSON, "vgg19-d01eb7cb.pth", "sha256:d01eb7cb"),
    KnownFile("vgg16", JOHNSON, "vgg16-00b39a1b.pth", "sha256:00b39a1b"),
    KnownFile(
        "vgg19",
        MATCONVNET,
        "imagenet-vgg-verydeep-19.mat",
        "md5:106118b7cf60435e6d8e04f6a6dc3657",
    ),
    KnownFile(
        "vgg16",
        MATCONVNET,
        "imagenet-vgg-verydeep-16.mat",
        "md5:f72d927587ca4c97fbd165ec9cb9997f",
    ),
    KnownFile(
        "vgg19",
        MATCONVNET,
        "beta16/imagenet-vgg-verydeep-19.mat",
        "md5:8ee3263992981a1d26e73b3ca028a123",
        release="beta16",
    ),
)


@dataclass(frozen=True)
class Fingerprint:
    """The first numbers of a network whose files exist in many copies, each saved anew.

    PyTorch files of torchvision's and of Oxford's parameters have the same names and shapes, and
    first kernels of the same magnitude (about 0.4), so neither tells how the picture must be fed;
    but they are few, and their numbers are known. ``start`` is ``conv1_1.weight[:3, 0, 0, 0]``.
    """

    architecture: str
    layout: str
    start: tuple[float, float, float]


FINGERPRINT_TOLERANCE = 1e-4
FINGERPRINTS: tuple[Fingerprint, ...] = (
    # The floats that tools/pack_vgg16.py reads, which are torchvision's.
    Fingerprint("vgg16", "torchvision", (-0.55373061, 0.23253721, 0.17715041)),
    # The first three numbers of Keras's block1_conv1 kernel, as two projects print them.
    Fingerprint("vgg16", "caffe", (0.42947057, 0.373467, -0.06136011)),
)


# ---------------------------------------------------------------------------------------------
# What the caller gets
# ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Weights:
    """A network's verified parameters.

    Attributes:
        name: the architecture, ``"vgg19"`` or ``"vgg16"``.
        state: float32 CPU tensors in the convention of this module, shallow to deep.
        source: for people, e.g. ``"embedded vgg16 (int8)"``.
        sha256: of the file that was read, in hexadecimal.
    """

    name: str
    state: Mapping[str, Tensor]
    source: str
    sha256: str


class Check(NamedTuple):
    """One line of ``verify``: a file, and whether its content is what it was when written."""

    name: str
    path: Path
    ok: bool
    message: str


class Available(NamedTuple):
    """One line of ``impasto weights list``; size in bytes where it is known."""

    name: str
    what: str
    size: int | None
    licence: str
    origin: str
    present: bool


def convolutions(architecture: str) -> dict[str, tuple[int, int]]:
    """(out, in) channels of each convolution, by its name, shallow to deep."""
    shapes, inputs = {}, COLOURS
    for block, (outputs, count) in enumerate(ARCHITECTURES[architecture], 1):
        for place in range(1, count + 1):
            shapes[f"conv{block}_{place}"] = (outputs, inputs)
            inputs = outputs
    return shapes


def cache_dir() -> Path:
    """Where weights are kept: ``$IMPASTO_CACHE/weights``, or the user's cache directory."""
    from platformdirs import user_cache_dir

    base = os.environ.get("IMPASTO_CACHE") or user_cache_dir("impasto", appauthor=False)
    return Path(base).expanduser() / "weights"


def resolve(backbone: str | Path = "auto") -> Weights:
    """The weights that a name or a path stands for. Nothing is ever downloaded.

    Args:
        backbone: ``"auto"`` (vgg19 where it is in the cache, else the embedded vgg16),
            ``"vgg19"``, ``"vgg16"`` (from the cache if one was put there, else the embedded one),
            or the path of a file of a known format.

    Raises:
        WeightsError: it is missing, unknown, damaged or of an unknown layout.
    """
    name = str(backbone)
    if name == "auto":
        return resolve("vgg19" if _cached("vgg19").is_file() else EMBEDDED)
    if name not in ARCHITECTURES:
        return _resolve_path(Path(name).expanduser())
    if _cached(name).is_file():
        return read(_cached(name))
    if name == EMBEDDED:
        return read(embedded_path())
    raise WeightsError(
        f"{name}: its weights are not on this machine",
        f"`impasto weights fetch {name}` downloads them ({_size(_preferred(name).size)}), "
        "`impasto weights add FILE` takes a file that you have",
        f"--backbone {EMBEDDED} needs no download",
    )


def _resolve_path(path: Path) -> Weights:
    if path.exists():
        return read(path)
    names = ("auto", *ARCHITECTURES)
    near = difflib.get_close_matches(str(path).lower(), names, n=1)
    raise WeightsError(
        f"backbone {str(path)!r}: there is no such file and no backbone of that name",
        f"allowed: {', '.join(names)}, or the path of a weights file",
        f"did you mean {near[0]}?" if near else "",
    )


def _cached(architecture: str) -> Path:
    return cache_dir() / f"{architecture}{SUFFIX}"


def embedded_path() -> Path:
    """The file of the vgg16 that comes with the package."""
    return Path(str(resources.files("impasto") / "data" / "weights" / EMBEDDED_FILE))


def read(path: str | Path) -> Weights:
    """The weights in a file, whose format is recognised by its content, never by its name.

    Formats: the project's own safetensors, Keras HDF5, PyTorch (zip or the older pickle, both
    read without running anything), MatConvNet's MATLAB 5, and safetensors with PyTorch's names.

    Raises:
        WeightsError: not a weights file, damaged, of another architecture, or of a layout that
            can't be told from its content.
    """
    path = Path(path)
    reader = _recognise(path)
    with _one_line_errors(path):
        digests = _digests(path)
        found = reader(path)
    row = next((row for row in KNOWN_FILES if row.matches(digests)), None)
    layout = found.layout or (row.publisher.layout if row else _layout_by_numbers(found))
    if found.source is None and layout is None:
        raise _unknown_layout(path, found.architecture)
    state = fold(found, LAYOUTS[layout]) if layout else _ordered(found)
    _check_finite(path, state)
    source = found.source or f"{found.architecture} from {row.file if row else path.name}" + (
        "" if row else f" ({layout} layout, unverified checksum)"
    )
    return Weights(found.architecture, state, source, digests["sha256"])


def _unknown_layout(path: Path, architecture: str) -> WeightsError:
    known = [row.file for row in KNOWN_FILES if row.publisher in (TORCHVISION, JOHNSON)]
    return WeightsError(
        f"{path}: its checksum is unknown, and a PyTorch file's layout (colours, range, mean) "
        "can't be told from its content",
        f"known files: {', '.join(known)}",
        f"`impasto weights fetch {architecture}` gets a known one",
    )


def add(path: str | Path) -> Path:
    """Verify a local file and keep it in the cache in the project's own format, atomically.

    Returns:
        The new file, ``cache_dir() / "vgg19.safetensors"`` or ``"vgg16.safetensors"``; it holds
        the architecture, the source, the original's SHA-256 and a checksum of its tensors.

    Raises:
        WeightsError: as ``read``; or the cache can't be written.
    """
    weights = read(path)
    target = _cached(weights.name)
    info = {
        "architecture": weights.name,
        "source": weights.source,
        "source_sha256": weights.sha256,
    }
    try:
        save(target, weights.state, info)
    except OSError as error:
        raise _unwritable(target.parent, error) from error
    return target


def verify() -> list[Check]:
    """Every file of the cache, and the embedded one, read and hashed again."""
    paths = [embedded_path(), *sorted(cache_dir().glob(f"*{SUFFIX}"))]
    return [_verify_one(path) for path in paths]


def _verify_one(path: Path) -> Check:
    try:
        weights = read(path)
    except WeightsError as error:
        return Check(path.stem, path, False, str(error))
    return Check(weights.name, path, True, f"{weights.source}, sha256 {weights.sha256}")


def available() -> list[Available]:
    """What can be used or fetched: the embedded network, the cache, and all known files."""
    rows = [
        Available(
            EMBEDDED,
            "VGG-16, embedded (int8)",
            embedded_path().stat().st_size,
            f"{TORCH_LICENCE}; see data/weights/LICENSE.md",
            "comes with impasto",
            True,
        )
    ]
    for architecture in ARCHITECTURES:
        row, cached = _preferred(architecture), _cached(architecture)
        present = cached.is_file()
        size = cached.stat().st_size if present else row.size
        origin = _cached_source(cached) if present else f"`impasto weights fetch {architecture}`"
        rows.append(
            Available(
                architecture, f"{architecture}, float", size, row.publisher.licence, origin, present
            )
        )
    rows += [
        Available(
            row.file,
            f"{row.architecture}, {row.publisher.origin}",
            row.size,
            row.publisher.licence,
            row.url,
            False,
        )
        for row in KNOWN_FILES
    ]
    return rows


def _cached_source(path: Path) -> str:
    """What a cached file says it came from; its tensors are not read."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            return str(json.loads((file.metadata() or {})[METADATA_KEY])["source"])
    except (OSError, SafetensorError, KeyError, ValueError):
        return "damaged: `impasto weights verify` says more"


# ---------------------------------------------------------------------------------------------
# The one convention
# ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Found:
    """What a reader took from a file: every convolution by name, as the file stores it.

    Attributes:
        architecture: which of ``ARCHITECTURES`` it is.
        tensors: ``conv1_1.weight``, ``conv1_1.bias`` and so on, in the file's layout.
        layout: a key of ``LAYOUTS``; None where the format alone does not tell.
        mean: the picture's mean where the file states it, in the file's channels and range.
        source: where the file states that itself: then it is in the convention already.
    """

    architecture: str
    tensors: Mapping[str, Tensor]
    layout: str | None = None
    mean: tuple[float, ...] | None = None
    source: str | None = None


def fold(found: Found, layout: Layout) -> State:
    """A file's tensors in the convention: its mean, deviation, colours and range folded in.

    The file's network sees ((white * x)[channels] - mean) / deviation. So the convention's mean
    is mean / white and the first kernel is multiplied by white / deviation, colour by colour.
    """
    mean = found.mean or layout.mean
    if mean is None:
        raise ValueError("no mean")
    rgb = [layout.channels.index(colour) for colour in "RGB"]
    axes = [layout.axes.index(axis) for axis in "OIHW"]
    state = {"mean": (torch.tensor(mean, dtype=torch.float64)[rgb] / layout.white).float()}
    gain = (layout.white / torch.tensor(layout.deviation, dtype=torch.float64))[rgb]
    for name in convolutions(found.architecture):
        weight = found.tensors[f"{name}.weight"].permute(axes)
        if name == "conv1_1":
            weight = weight.double()[:, rgb] * gain.view(1, -1, 1, 1)
        state[f"{name}.weight"] = weight.float().contiguous()
        state[f"{name}.bias"] = found.tensors[f"{name}.bias"].float().contiguous()
    return state


def _ordered(found: Found) -> State:
    """The tensors of a file that is in the convention, shallow to deep."""
    keys = [f"{name}.{part}" for name in convolutions(found.architecture) for part in _PARTS]
    return {key: found.tensors[key] for key in ("mean", *keys)}


_PARTS = ("weight", "bias")


def _layout_by_numbers(found: Found) -> str | None:
    """The layout of a PyTorch file by its first numbers; None where they are not known ones."""
    start = found.tensors["conv1_1.weight"].double()[:3, 0, 0, 0]
    for known in FINGERPRINTS:
        same = torch.allclose(
            start, torch.tensor(known.start).double(), rtol=0, atol=FINGERPRINT_TOLERANCE
        )
        if same and known.architecture == found.architecture:
            return known.layout
    return None


def _identify(tensors: Mapping[str, Tensor], axes: str) -> str:
    """The architecture whose convolutions are exactly these; ValueError says what is wrong."""
    names = {key.split(".")[0] for key in tensors}
    for architecture in ARCHITECTURES:
        shapes = convolutions(architecture)
        if names == set(shapes):
            _check_shapes(tensors, shapes, axes)
            return architecture
    raise ValueError(f"it has {len(names)} convolutions, which no known architecture has")


def _check_shapes(
    tensors: Mapping[str, Tensor], shapes: Mapping[str, tuple[int, int]], axes: str
) -> None:
    for name, (outputs, inputs) in shapes.items():
        sides = {"O": outputs, "I": inputs, "H": KERNEL_PX, "W": KERNEL_PX}
        wanted = {"weight": tuple(sides[axis] for axis in axes), "bias": (outputs,)}
        for part, shape in wanted.items():
            tensor = tensors.get(f"{name}.{part}")
            given = "missing" if tensor is None else f"of shape {tuple(tensor.shape)}"
            if tensor is None or tuple(tensor.shape) != shape:
                raise ValueError(f"{name}.{part} is {given}, and {shape} is wanted")


def _check_finite(path: Path, state: State) -> None:
    for key, tensor in state.items():
        if not bool(torch.isfinite(tensor).all()):
            raise WeightsError(f"{path}: {key} holds numbers that are not finite", "", _AGAIN)


_AGAIN = "get the file again, or another one: `impasto weights list`"


# ---------------------------------------------------------------------------------------------
# Formats: each reader takes a path and returns what it found, and runs nothing from the file
# ---------------------------------------------------------------------------------------------


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
    return Found(_identify(tensors, LAYOUTS["keras"].axes), tensors, "keras")


def _read_torch(path: Path) -> Found:
    """A PyTorch state dict, in the zip format or the older one; tensors only, nothing else."""
    loaded = torch.load(path, map_location="cpu", weights_only=True)
    if isinstance(loaded, Mapping) and isinstance(loaded.get("state_dict"), Mapping):
        loaded = loaded["state_dict"]
    if not isinstance(loaded, Mapping):
        raise ValueError(f"it holds a {type(loaded).__name__}, not a state dict")
    return _from_names({str(k): v for k, v in loaded.items() if isinstance(v, Tensor)})


def _read_safetensors(path: Path) -> Found:
    """The project's own format, or another's tensors under PyTorch's names."""
    from safetensors import safe_open

    with safe_open(path, framework="pt") as file:
        metadata = file.metadata() or {}
        tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    if METADATA_KEY not in metadata:
        return _from_names(tensors)
    info = json.loads(metadata[METADATA_KEY])
    if tensors_sha256(tensors) != info["tensors_sha256"]:
        raise ValueError("its tensors are not those that were written: it is damaged")
    state = dequantise(tensors)
    if tuple(state["mean"].shape) != (COLOURS,):
        raise ValueError("its mean is not one of three colours")
    _check_shapes(state, convolutions(info["architecture"]), "OIHW")
    return Found(info["architecture"], state, source=info["source"])


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
            tensors[f"{name}.weight"] = torch.as_tensor(layer.weights[0])
            tensors[f"{name}.bias"] = torch.as_tensor(layer.weights[1])
    normalization = file["meta"].normalization if "meta" in file else file["normalization"]
    # One pixel in newer releases, a whole picture of that one colour in older ones.
    mean = normalization.averageImage.reshape(-1, COLOURS).astype("float64").mean(0)
    architecture = _identify(tensors, LAYOUTS["matconvnet"].axes)
    return Found(architecture, tensors, "matconvnet", tuple(mean.tolist()))


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
    return Found(_identify(tensors, "OIHW"), tensors)


def _places(architecture: str) -> dict[int, str]:
    """The convolutions by their place among torchvision's ``features``."""
    places, place, block = {}, 0, "1"
    for name in convolutions(architecture):
        place += name[4] != block  # the pooling between two blocks
        places[place], block = name, name[4]
        place += 2  # itself and its ReLU
    return places


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
        _AGAIN,
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


def _recognise(path: Path) -> Callable[[Path], Found]:
    """The reader of this file's format, by its first bytes."""
    head = _head(path)
    formats = f"a weights file is one of {', '.join(kind.name for kind in FORMATS)}"
    if not head:
        raise WeightsError(f"{path}: the file is empty", formats, _AGAIN)
    for what, start, hint in IMPOSTORS:
        if start.match(head):
            raise WeightsError(f"{path}: it is {what}", formats, hint)
    for kind in FORMATS:
        if kind.start.match(head):
            return kind.reader
    raise WeightsError(f"{path}: it is not a weights file of a known format", formats, _AGAIN)


def _head(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(HEAD_BYTES)
    except IsADirectoryError as error:
        raise WeightsError(f"{path}: it is a directory", "a weights file is wanted") from error
    except OSError as error:
        reason = error.strerror or str(error)
        raise WeightsError(f"{path}: {reason}", "a readable weights file is wanted") from error


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
            _AGAIN,
        ) from error


def _digests(path: Path) -> dict[str, str]:
    """MD5 and SHA-256 in one pass; MD5 since Keras and MatConvNet publish no other."""
    hashes = {"md5": hashlib.md5(usedforsecurity=False), "sha256": hashlib.sha256()}
    with path.open("rb") as file:
        while piece := file.read(CHUNK_BYTES):
            for each in hashes.values():
                each.update(piece)
    return {name: each.hexdigest() for name, each in hashes.items()}


# ---------------------------------------------------------------------------------------------
# The project's own files
# ---------------------------------------------------------------------------------------------


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


def dequantise(tensors: Mapping[str, Tensor]) -> State:
    """Everything as float32; an int8 kernel times its output channels' scales."""
    state = {}
    for key, tensor in tensors.items():
        scale = tensors.get(f"{key.removesuffix('.weight')}.scale")
        state[key] = tensor.float()
        if key.endswith(".weight") and scale is not None:
            state[key] = state[key] * scale.float().view(-1, 1, 1, 1)
    return state


def tensors_sha256(tensors: Mapping[str, Tensor]) -> str:
    """A checksum of names, types, shapes and values, in whatever order they come."""
    digest = hashlib.sha256()
    for key in sorted(tensors):
        tensor = tensors[key].contiguous()
        digest.update(f"{key} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


# ---------------------------------------------------------------------------------------------
# Downloads, only when asked for
# ---------------------------------------------------------------------------------------------


def fetch(name: str, on_progress: Progress | None = None, *, timeout_s: float = TIMEOUT_S) -> Path:
    """Download a known file, check it and keep it in the cache, as ``add`` does.

    An interrupted download is resumed where it stopped, if the server can.

    Args:
        name: ``"vgg19"``, ``"vgg16"`` or the name of a known file.
        on_progress: called with the bytes so far and in all (None where the server won't say).
        timeout_s: seconds to wait for a connection, and for the next piece.

    Raises:
        WeightsError: an unknown name, no network, a wrong checksum, an unwritable cache; it says
            what to do by hand.
    """
    row = _row(name)
    part = cache_dir() / f"{row.file}.part"
    try:
        part.parent.mkdir(parents=True, exist_ok=True)
        with _network_errors(row, part):
            _download(row, part, on_progress or (lambda _done, _total: None), timeout_s)
    except OSError as error:
        raise _unwritable(part.parent, error) from error
    digests = _digests(part)
    if not row.matches(digests):
        part.unlink()
        algorithm, _, published = row.checksum.partition(":")
        raise WeightsError(
            f"{row.url}: the download's {algorithm} is {digests[algorithm]}, not {published}",
            "nothing was kept",
            _by_hand(row),
        )
    target = add(part)
    part.unlink()
    return target


def _row(name: str) -> KnownFile:
    """The known file of this name, or the preferred one of this architecture."""
    rows = {row.file: row for row in KNOWN_FILES}
    rows |= {architecture: _preferred(architecture) for architecture in ARCHITECTURES}
    if name in rows:
        return rows[name]
    near = difflib.get_close_matches(name, rows, n=1)
    raise WeightsError(
        f"weights {name!r} are not known",
        f"allowed: {', '.join(ARCHITECTURES)}, or a file that `impasto weights list` names",
        f"did you mean {near[0]}?" if near else "`impasto weights add FILE` takes a local file",
    )


def _preferred(architecture: str) -> KnownFile:
    return next(row for row in KNOWN_FILES if row.architecture == architecture)


def _by_hand(row: KnownFile) -> str:
    algorithm, _, published = row.checksum.partition(":")
    return (
        f"by hand: get {row.url} ({_size(row.size)}, {algorithm} {published}) "
        "with any browser, then `impasto weights add FILE`"
    )


def _size(size: int | None) -> str:
    return f"{size / MEGABYTE:.0f} MB" if size else "size unknown"


def _unwritable(folder: Path, error: OSError) -> WeightsError:
    return WeightsError(
        f"{folder}: the cache can't be written ({error.strerror or error})",
        "a writable directory with enough room",
        "set IMPASTO_CACHE to another directory",
    )


class _DownloadError(Exception):
    """The connection could not be made, or ended early; its text says how."""


@contextlib.contextmanager
def _network_errors(row: KnownFile, part: Path) -> Iterator[None]:
    try:
        yield
    except _DownloadError as error:
        kept = part.stat().st_size if part.exists() else 0
        resume = f"the {kept / MEGABYTE:.1f} MB that came are kept: run it again to go on"
        raise WeightsError(
            f"{row.url}: {error}", resume if kept else "is there a network?", _by_hand(row)
        ) from error


def _download(row: KnownFile, part: Path, on_progress: Progress, timeout_s: float) -> None:
    """Bring the .part to its full length, from where it stands."""
    offset = part.stat().st_size if part.exists() else 0
    response = _connect(row.url, offset, timeout_s)
    if response is None:  # the server has nothing beyond the offset: complete, or not this file
        if row.matches(_digests(part)):
            return
        part.unlink()
        offset, response = 0, _connect(row.url, 0, timeout_s)
    if response is None:
        raise _DownloadError("the server sends nothing")
    with response:
        resumed = response.status == 206 and _starts_at(response, offset)
        offset = offset if resumed else 0  # a server that ignores Range sends it all again
        length = response.headers.get("Content-Length")
        total = offset + int(length) if length and length.isdecimal() else row.size
        with part.open("ab" if resumed else "wb") as file:
            done = _copy(response, file, offset, total, on_progress)
    if total is not None and done < total:
        raise _DownloadError(f"the connection ended after {done} of {total} bytes")


def _starts_at(response: Any, offset: int) -> bool:
    return str(response.headers.get("Content-Range", "")).startswith(f"bytes {offset}-")


def _copy(
    response: Any, file: IO[bytes], done: int, total: int | None, on_progress: Progress
) -> int:
    """Copy to the end; what came before a break stays in the file."""
    on_progress(done, total)
    while piece := _next_piece(response):
        file.write(piece)
        done += len(piece)
        on_progress(done, total)
    return done


def _next_piece(response: Any) -> bytes:
    import http.client

    try:
        return bytes(response.read1(CHUNK_BYTES))
    except (OSError, http.client.HTTPException) as error:
        raise _DownloadError(f"the connection broke ({_reason(error)})") from error


def _connect(url: str, offset: int, timeout_s: float) -> Any:
    """The open response; None where the server says that nothing lies beyond the offset.

    A name that won't resolve and a host with many addresses that all stay silent each take far
    longer than a socket's timeout, so the wait is bounded from outside, by a thread.
    """
    results: list[Any] = []

    def attempt() -> None:
        headers = {"User-Agent": "impasto"} | ({"Range": f"bytes={offset}-"} if offset else {})
        request = urllib.request.Request(url, headers=headers)
        try:
            results.append(urllib.request.urlopen(request, timeout=timeout_s))
        except Exception as error:  # handed over to the waiting thread
            results.append(error)

    thread = threading.Thread(target=attempt, daemon=True)
    thread.start()
    thread.join(timeout_s)
    result = results[0] if results else TimeoutError(f"no answer within {timeout_s:g} s")
    if isinstance(result, urllib.error.HTTPError) and result.code == 416 and offset:
        return None
    if isinstance(result, Exception):
        raise _DownloadError(f"it can't be reached ({_reason(result)})") from result
    return result


def _reason(error: BaseException) -> str:
    cause = getattr(error, "reason", None) or error
    return getattr(cause, "strerror", None) or str(cause) or type(cause).__name__

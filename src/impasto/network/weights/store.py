"""The embedded file and the cache: what a name stands for, what is here, and is it whole."""

from __future__ import annotations

import os
from importlib import resources
from pathlib import Path
from typing import NamedTuple

from torch import Tensor

from impasto import files
from impasto.errors import WeightsError, did_you_mean
from impasto.files import read_safetensors
from impasto.network.weights import published
from impasto.network.weights.networks import ARCHITECTURES
from impasto.network.weights.own_format import SUFFIX, save, stored_source
from impasto.network.weights.published import KnownFile
from impasto.network.weights.reading import Weights, read

NAMES = ("auto", *ARCHITECTURES)  # of backbones; any other word is a path
EMBEDDED = "vgg16"
EMBEDDED_FILE = "vgg16-int8.safetensors"


def cache_dir() -> Path:
    """Where weights are kept: ``$IMPASTO_CACHE/weights``, or the user's cache directory."""
    return files.cache_dir("weights")


def embedded_path() -> Path:
    """The file of the vgg16 that comes with the package."""
    return Path(str(resources.files("impasto") / "data" / "weights" / EMBEDDED_FILE))


def cached(architecture: str) -> Path:
    """The file of a network's weights in the cache, be it there or not."""
    return cache_dir() / f"{architecture}{SUFFIX}"


def _is_cached(architecture: str) -> bool:
    # Unlike Path.is_file, this finds nothing in a folder that may not be entered.
    return os.path.isfile(cached(architecture))  # noqa: PTH113


def _resolve_path(path: Path) -> Weights:
    if os.path.lexists(path):
        return read(path)
    raise WeightsError(
        f"backbone {str(path)!r}: there is no such file and no backbone of that name",
        f"allowed: {', '.join(NAMES)}, or the path of a weights file",
        did_you_mean(str(path), NAMES),
    )


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
        return resolve("vgg19" if _is_cached("vgg19") else EMBEDDED)
    if name not in ARCHITECTURES:
        return _resolve_path(Path(os.path.expanduser(name)))  # noqa: PTH111
    if _is_cached(name):
        return read(cached(name))
    if name == EMBEDDED:
        return read(embedded_path())
    raise WeightsError(
        f"{name}: its weights are not on this machine",
        f"`impasto weights fetch {name}` downloads them ({published.find(name).size_in_words}), "
        "`impasto weights add FILE` takes a file that you have",
        f"`backbone` {EMBEDDED} needs no download",
    )


def perceptual() -> tuple[Weights, list[Tensor]]:
    """The embedded vgg16 and LPIPS's weights for five of its layers, (channels,) each.

    Raises:
        WeightsError: the file is damaged.
    """
    network, (tensors, _) = read(embedded_path()), read_safetensors(embedded_path())
    heads = [key for key in tensors if key.startswith("lpips.")]
    return network, [tensors[key] for key in sorted(heads)]


def unwritable(folder: Path, error: OSError) -> WeightsError:
    """The one line for a cache that can't be written."""
    return WeightsError(
        f"{folder}: the cache can't be written ({error.strerror or error})",
        "a writable directory with enough room",
        "set IMPASTO_CACHE to another directory",
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
    target = cached(weights.name)
    info = {
        "architecture": weights.name,
        "source": weights.source,
        "source_sha256": weights.sha256,
    }
    try:
        save(target, weights.state, info)
    except OSError as error:
        raise unwritable(target.parent, error) from error
    return target


class Check(NamedTuple):
    """One line of ``verify``: a file, and whether its content is what it was when written."""

    name: str
    path: Path
    ok: bool
    message: str


def _verify_one(path: Path) -> Check:
    try:
        weights = read(path)
    except WeightsError as error:
        return Check(path.stem, path, False, str(error))
    return Check(weights.name, path, True, f"{weights.source}, sha256 {weights.sha256}")


def verify() -> list[Check]:
    """Every file of the cache, and the embedded one, read and hashed again."""
    paths = [embedded_path(), *sorted(cache_dir().glob(f"*{SUFFIX}"))]
    return [_verify_one(path) for path in paths]


class Available(NamedTuple):
    """One line of ``impasto weights list``.

    Attributes:
        name: what ``impasto weights fetch`` takes.
        what: for people, e.g. ``"Oxford's VGG-19"``.
        size: in bytes, where it is known.
        licence: of the weights; empty where it is not known.
        origin: the URL, or what a file that is here says it came from.
        present: whether it is on this machine.
    """

    name: str
    what: str
    size: int | None
    licence: str
    origin: str
    present: bool


def _to_choose(row: KnownFile) -> Available:
    """A published file; or what the cache holds under the plain name that would fetch it."""
    plain, file = row is published.find(row.architecture), cached(row.architecture)
    name = row.architecture if plain else row.file
    if not (plain and _is_cached(row.architecture)):
        return Available(name, row.what, row.size, row.publisher.licence, row.url, False)
    source = stored_source(file)
    known = next((row for row in published.KNOWN_FILES if row.source == source), None)
    what, licence = (known.what, known.publisher.licence) if known else (source, "")
    return Available(name, what, file.stat().st_size, licence, source, True)


def available() -> list[Available]:
    """What one chooses between: the embedded network, vgg19 and vgg16, then other publishers'."""
    size, licence = embedded_path().stat().st_size, published.TORCHVISION.licence
    what, origin = "VGG-16, built in (int8)", "comes with impasto"
    embedded = Available(EMBEDDED, what, size, licence, origin, True)
    return [embedded, *(_to_choose(row) for row in published.offered())]

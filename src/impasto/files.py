"""Files that are whole or not there: atomic writes, locks, names that fit, checksums inside."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, TypeAlias

import torch
from torch import Tensor

METADATA_KEY = "impasto"  # one key that holds JSON: several keys have no fixed order in the file
CHECKSUM = "tensors_sha256"
DTYPES = {torch.float32: "F32", torch.float64: "F64", torch.uint8: "U8"}  # safetensors' names
ALIGNMENT_BYTES = 8
# What network drives and FUSE say where they know of no fsync: what was written is written as far
# as they can tell. EIO, ENOSPC and EDQUOT are losses, and stay errors.
NO_SYNC = frozenset({errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS})
NAME_BYTES = 255  # of a file's name, where the system does not say: ext4, APFS, NTFS, and so on
HASH_DIGITS = 8  # hexadecimal, of what a name was before it was cut
# For a lock that another process is just giving back, with its file.
LOCK_PATIENCE_S = 0.2

Buffer: TypeAlias = bytes | memoryview


def write_atomically(
    path: Path, data: bytes | Iterable[Buffer], temporary: Path | None = None
) -> None:
    """All of data at path, or, after any failure, path as it was. Permissions follow the umask.

    Args:
        path: in a folder that exists; what is there is replaced.
        data: all that the file is to hold, or its parts in their order.
        temporary: where data is written first, in the same folder; left out, a name that nobody
            else can have. What a killed process leaves there is overwritten by the next.

    Raises:
        OSError: it can't be written; nothing is left behind then.
    """
    with in_place_of(path, temporary) as there, there.open("wb") as file:
        for part in (data,) if isinstance(data, bytes) else data:
            file.write(part)


@contextmanager
def in_place_of(path: Path, temporary: Path | None = None) -> Iterator[Path]:
    """A name beside path to write a file under, which then becomes path; or, after any failure,
    path is as it was.

    Args:
        path: in a folder that exists; what is there is replaced.
        temporary: as `write_atomically` has it.

    Raises:
        OSError: it can't be written; nothing is left behind then.
    """
    temporary = temporary or path.with_name(f".impasto-{secrets.token_hex(8)}.tmp")
    try:
        yield temporary
        with temporary.open("rb+") as file:
            sync(file)
        temporary.replace(path)
    except BaseException:  # Ctrl-C too leaves nothing behind
        with suppress(OSError):
            temporary.unlink()
        raise


def sync(file: IO[bytes]) -> None:
    """Wait until the disk has what was written, on file systems that can tell.

    Raises:
        OSError: it could not be written after all.
    """
    file.flush()
    try:
        os.fsync(file.fileno())
    except OSError as error:
        if error.errno not in NO_SYNC:
            raise


@contextmanager
def locked(
    path: Path, on_wait: Callable[[], None] | None = None, patience_s: float = LOCK_PATIENCE_S
) -> Iterator[bool]:
    """Hold a lock file as long as the context lasts; yield whether no other process holds it.

    The lock is the kernel's (flock; LockFileEx on Windows): however a process ends, its lock ends
    with it, and a file that it left behind is in nobody's way. Over NFS and SMB it holds between
    machines where the mount has locks. Where the file system has none, or path can't be made,
    nothing is held and True is yielded: better unlocked than no work at all.

    Args:
        path: the lock file, in a folder that exists; removed at the end.
        on_wait: called once where another process holds it, which is then waited for; left out,
            False is yielded.
        patience_s: how long it is waited for before that.
    """
    from filelock import FileLock, Timeout

    # A soft lock would outlive its process; another thread may end the context.
    lock = FileLock(path, fallback_to_soft=False, thread_local=False)
    free = True
    try:
        try:
            lock.acquire(timeout=patience_s)
        except Timeout:
            free = on_wait is not None
            if on_wait:
                on_wait()
                lock.acquire()
    except OSError:
        free = True
    try:
        yield free
    finally:
        if lock.is_locked:
            with suppress(OSError):  # Windows keeps a file that is open
                path.unlink()
            lock.release()


def cache_dir(name: str) -> Path:
    """A folder of what can be had again: ``$IMPASTO_CACHE``'s, or in the user's cache directory."""
    from platformdirs import user_cache_dir

    base = os.environ.get("IMPASTO_CACHE") or user_cache_dir("impasto", appauthor=False)
    # Unlike Path.expanduser, this takes ~nobody for a plain name.
    return Path(os.path.expanduser(base)) / name  # noqa: PTH111


def longest_name(folder: Path) -> int:
    """How many bytes a file's name may have in a folder, or in the nearest one that is there."""
    for place in (folder, *folder.parents):
        with suppress(OSError, ValueError, AttributeError):  # AttributeError: Windows
            return os.pathconf(place, "PC_NAME_MAX")
    return NAME_BYTES


def name_bytes(name: str) -> int:
    """How many bytes a file's name has on disk."""
    return len(name.encode("utf-8", "surrogatepass"))


def fitting(path: Path, ending: str) -> Path:
    """The path, with a name that the file system takes; the same path gives the same one.

    Args:
        path: its name may be too long.
        ending: of its name; what is before it is cut at a character's end, and some digits of a
            hash of it follow, so that two long names stay two.
    """
    limit = longest_name(path.parent)
    if name_bytes(path.name) <= limit:
        return path
    stem = path.name.removesuffix(ending)
    digits = hashlib.sha256(stem.encode("utf-8", "surrogatepass")).hexdigest()[:HASH_DIGITS]
    while stem and name_bytes(stem) > limit - name_bytes(f"-{digits}{ending}"):
        stem = stem[:-1]
    return path.with_name(f"{stem}-{digits}{ending}")


def tensors_sha256(tensors: Mapping[str, Tensor]) -> str:
    """A checksum of names, types, shapes and values, in whatever order they come."""
    digest = hashlib.sha256()
    for key in sorted(tensors):
        tensor = tensors[key].contiguous()
        digest.update(f"{key} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def to_safetensors(tensors: Mapping[str, Tensor], info: Mapping[str, Any]) -> bytes:
    """A safetensors file of CPU tensors, with info (JSON-able) and a checksum in its metadata.

    The same input gives the same bytes.
    """
    from safetensors.torch import save

    known = {**info, CHECKSUM: tensors_sha256(tensors)}
    contiguous = {key: tensor.contiguous() for key, tensor in tensors.items()}
    return save(contiguous, {METADATA_KEY: json.dumps(known, sort_keys=True)})


def safetensors_parts(tensors: Mapping[str, Tensor]) -> Iterator[Buffer]:
    """Such a file's parts, without the copies that the library makes of all tensors at once.

    The format: the header's length in eight bytes, the header in JSON, then the tensors' bytes.
    """
    tensors = dict(sorted(tensors.items()))  # whatever order they come in, the same bytes
    header: dict[str, Any] = {}
    known = json.dumps({CHECKSUM: tensors_sha256(tensors)})
    header["__metadata__"], end = {METADATA_KEY: known}, 0
    for name, tensor in tensors.items():
        begin, end = end, end + tensor.numel() * tensor.element_size()
        described = {"dtype": DTYPES[tensor.dtype], "shape": list(tensor.shape)}
        header[name] = {**described, "data_offsets": [begin, end]}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % ALIGNMENT_BYTES)
    yield len(text).to_bytes(ALIGNMENT_BYTES, "little")
    yield text
    for tensor in tensors.values():
        yield tensor.contiguous().reshape(-1).view(torch.uint8).numpy().data


def read_safetensors(path: Path) -> tuple[dict[str, Tensor], dict[str, Any] | None]:
    """The tensors of a safetensors file, and its info: None where it is not of `to_safetensors`.

    Raises:
        ValueError: its tensors are not those that were written.
        Exception: whatever safetensors makes of a damaged file.
    """
    from safetensors import safe_open

    with safe_open(path, framework="pt") as file:
        metadata = file.metadata() or {}
        tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    if METADATA_KEY not in metadata:
        return tensors, None
    info: dict[str, Any] = json.loads(metadata[METADATA_KEY])
    if tensors_sha256(tensors) != info[CHECKSUM]:
        raise ValueError("its tensors are not those that were written: it is damaged")
    return tensors, info

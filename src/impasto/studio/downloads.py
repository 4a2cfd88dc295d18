"""Results to take away: one in another format, or many in an archive that is made as it is sent."""

from __future__ import annotations

import io
import re
import tempfile
import time
import unicodedata
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from impasto import pictures
from impasto.errors import PictureError
from impasto.job.order import named_after
from impasto.queue.entry import Entry
from impasto.studio.widgets import said

ENDINGS: Mapping[str, tuple[str, int]] = {
    "png": ("image/png", 8),
    "jpg": ("image/jpeg", 8),
    "tif": ("image/tiff", 16),
}
LONGEST_NAME = 120  # characters, of a file that is saved
CHUNK_BYTES = 2**20  # of an archive, that are read and sent at a time
LEFT_OUT = "left-out.txt"  # of an archive
READABLE = 0o644 << 16  # what an archive says that its owner may do with a file, and all others


def file_name(name: str) -> str:
    """What a person calls a picture, as a file's name."""
    return re.sub(r"[^\w.()]+", "-", name).strip(".-")[:LONGEST_NAME] or "picture"


def as_it_is(entry: Entry, ending: str) -> bool:
    """Whether a result is in a format already."""
    _, bits = ENDINGS[ending]
    return ending == entry.result_path.suffix[1:] and bits == entry.task.order.bits


def converted(entry: Entry, ending: str) -> Path:
    """A temporary file of a result in another format, with its recipe where that has a place.

    Raises:
        PictureError: it can't be read or written.
    """
    path, (_, bits) = entry.result_path, ENDINGS[ending]
    found = pictures.load(path, "picture")
    known = {**pictures.read_recipe(path), "bits": bits}
    with tempfile.NamedTemporaryFile(
        prefix=".download-", suffix=f".{ending}", dir=entry.folder
    ) as held:
        target = Path(held.name)
    return pictures.save(
        found.pixels, target, alpha=found.alpha, recipe=known, bits=bits, credits=found.credits
    )


def names(entries: Sequence[Entry]) -> list[str]:
    """The results' names in one folder, without endings: as `impasto batch` would have them.

    Where two would be alike the later ones are numbered.
    """
    found: list[str] = []
    taken: set[str] = set()
    for entry in entries:
        photo = entry.task.order.photo
        stem = f"{photo.stem if photo else ''}-{named_after(entry.task.order.paintings)}"
        name, number = stem, 1
        while folded(name) in taken:
            number += 1
            name = f"{stem}-{number}"
        taken.add(folded(name))
        found.append(name)
    return found


def folded(name: str) -> str:
    """What a name is to file systems that know no case and one form of Unicode."""
    return unicodedata.normalize("NFC", name).casefold()


class Sink(io.RawIOBase):
    """A file that an archive is written to, and that is taken away piece by piece."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        piece = bytes(data)  # type: ignore[call-overload]  # a buffer of any kind
        self.pieces.append(piece)
        return len(piece)

    def taken(self) -> bytes:
        """What was written since the last time."""
        whole, self.pieces = b"".join(self.pieces), []
        return whole


def archive(entries: Sequence[Entry], ending: str) -> Iterator[bytes]:
    """All results as one .zip, in pieces: never more than one of them is in memory.

    Args:
        entries: with a result each. One whose file is gone or damaged is told of in LEFT_OUT.
        ending: of ENDINGS; PNGs are the very files, as they are kept.
    """
    sink, lines = Sink(), []
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_STORED) as made:  # pictures are compressed already
        for entry, name in zip(entries, names(entries), strict=True):
            whole = ending == entry.result_path.suffix[1:]
            try:
                path = entry.result_path if whole else converted(entry, ending)
            except PictureError as error:
                lines.append(said(error).replace(str(entry.result_path), name))
                continue
            try:
                yield from filed(made, sink, path, f"{name}.{ending}")
            except FileNotFoundError:
                lines.append(f"{name}: it is not there any more")
            finally:
                if not whole:
                    path.unlink(missing_ok=True)
        if lines:
            made.writestr(LEFT_OUT, "".join(f"{line}\n" for line in lines))
    yield sink.taken()


def filed(made: zipfile.ZipFile, sink: Sink, path: Path, name: str) -> Iterator[bytes]:
    """Put a file into an archive, and give what is to be sent of it."""
    with path.open("rb") as source:
        info = zipfile.ZipInfo(name, time.localtime(path.stat().st_mtime)[:6])
        info.external_attr = READABLE
        with made.open(info, "w", force_zip64=True) as place:
            while chunk := source.read(CHUNK_BYTES):
                place.write(chunk)
                yield sink.taken()

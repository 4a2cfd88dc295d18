"""Paintings to choose from: the built-in ones, and a person's own, which are remembered."""

from __future__ import annotations

import hashlib
import io
import json
import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from impasto import files, pictures
from impasto.errors import PictureError
from impasto.pictures.styles import STYLES

THUMB_PX = 360  # longer side of a card's picture, sharp on a dense screen
THUMB_QUALITY = 85
DIGITS = 16  # hexadecimal, of an own painting's checksum: its id
MOST_OWN = 200  # paintings of one person's
OWN = "own-"  # what an own painting's id begins with; no built-in style's does


@dataclass(frozen=True)
class Painting:
    """A card on the shelf.

    Attributes:
        id: that the page knows it by.
        title: for people.
        note: its manner, in one line, or "".
        source: as an order has it: a built-in style's name, or a file.
        path: of its picture.
    """

    id: str
    title: str
    note: str
    source: str
    path: Path

    @property
    def own(self) -> bool:
        return self.id.startswith(OWN)


def builtin() -> list[Painting]:
    """The styles that come with the package."""
    return [Painting(s.name, s.title, s.description, s.name, s.path) for s in STYLES]


@dataclass(frozen=True)
class Shelf:
    """All paintings of one person.

    Attributes:
        folder: of the list of own ones.
    """

    folder: Path

    @property
    def _list(self) -> Path:
        return self.folder / "paintings.json"

    def own(self) -> list[Painting]:
        """Own paintings, the newest first; those whose files have gone are left out."""
        known: list[Any] = []
        with suppress(OSError, ValueError):
            known = json.loads(self._list.read_text(encoding="utf-8"))
        found = []
        for each in known if isinstance(known, list) else []:
            with suppress(LookupError, TypeError):
                path = Path(each["path"])
                if path.is_file():
                    found.append(Painting(each["id"], each["title"], "", str(path), path))
        return found

    def all(self) -> list[Painting]:
        """Own ones first: who brought one wants it."""
        return [*self.own(), *builtin()]

    def find(self, identity: str) -> Painting | None:
        """The painting of an id; None where there is none."""
        return next((each for each in self.all() if each.id == identity), None)

    def of_source(self, source: str) -> Painting | None:
        """The painting that an order means; None where it is not on the shelf."""
        return next((each for each in self.all() if each.source == source), None)

    def add(self, path: Path) -> Painting:
        """Put a file on the shelf; one that is there comes to the front.

        Raises:
            PictureError: it can't be read as a painting, or the list can't be written.
        """
        pictures.load(path, "painting", THUMB_PX)
        digest = hashlib.sha256(path.read_bytes()).hexdigest()[:DIGITS]
        new = Painting(f"{OWN}{digest}", titled(path.stem), "", str(path), path)
        self._write([new, *(each for each in self.own() if each.id != new.id)][:MOST_OWN])
        return new

    def remove(self, identity: str) -> None:
        """Take an own painting off the shelf; its file stays for the pictures made of it."""
        self._write([each for each in self.own() if each.id != identity])

    def _write(self, own: list[Painting]) -> None:
        known = [{"id": each.id, "title": each.title, "path": each.source} for each in own]
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            files.write_atomically(self._list, json.dumps(known, indent=1).encode())
        except OSError as error:
            given = f"{self._list}: it cannot be written ({error.strerror})"
            raise PictureError(given, "", "free some space") from error


def titled(stem: str) -> str:
    """A file's name as a title: words and no underscores."""
    return re.sub(r"[_\s]+", " ", stem).strip() or "painting"


def thumbnail(path: Path, longest_px: int = THUMB_PX) -> bytes:
    """A small JPEG of any picture that impasto reads, as it would be seen.

    Raises:
        PictureError: it can't be read.
    """
    found = pictures.load(path, "picture", longest_px)
    height, width = found.size
    factor = min(1.0, longest_px / max(height, width))
    size = (max(1, round(height * factor)), max(1, round(width * factor)))
    image = pictures.to_pil(found.filled().at(size)).convert("RGB")
    data = io.BytesIO()
    image.save(data, "JPEG", quality=THUMB_QUALITY)
    return data.getvalue()

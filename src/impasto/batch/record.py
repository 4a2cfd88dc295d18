"""What came of each picture of a batch: a table, and contact sheets."""

from __future__ import annotations

import csv
import io
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from impasto import pictures
from impasto.batch.orders import SHEET, TABLE, Piece
from impasto.batch.there import recipe_at
from impasto.config import Config
from impasto.errors import ImpastoError, PictureError, printable
from impasto.files import write_atomically
from impasto.measure.appraise import Appraiser
from impasto.pictures.sheet import PICTURE_PX, Print, sheet
from impasto.queue.task import State

if TYPE_CHECKING:
    from PIL import Image

MEASURES = ("score", "lpips", "ssim", "lost", "style_left", "tv")
KNOWN = ("seconds", "note", *MEASURES)  # that a table of before may know of a picture
# Of the time, for the table: that of 100,000 pictures takes a second to write.
MOST_SHARE = 0.02
COLUMNS, ROWS = 10, 10  # of a contact sheet, at most: 40 megapixels, which every program opens


@dataclass
class Line:
    """What is known of a picture.

    Attributes:
        state: ``waiting`` (begun or not), ``working``, ``done`` or ``failed``.
        iterations: that were made.
        seconds: of work, in words.
        loss: after the last iteration, in words.
        measures: by name, in words.
        note: what a person should know.
        error: why it failed.
        there: whether it was there before.
    """

    state: str = "waiting"
    iterations: int = 0
    seconds: str = ""
    loss: str = ""
    measures: Mapping[str, str] = field(default_factory=dict)
    note: str = ""
    error: str = ""
    there: bool = False


class Record:
    """The table of a batch, a line a picture, and its sheets.

    Args:
        found: the pieces, in their order.
        measuring: whether each picture is measured, which takes a second or so.
    """

    def __init__(self, found: Sequence[Piece], *, measuring: bool = False) -> None:
        self.pieces, self.measuring = found, measuring
        self.folder = found[0].order.target.parent
        self.table, self.lines = self.folder / TABLE, [Line() for _ in found]
        words = {name for piece in found for name in piece.row.words}
        self.settings = [name for name in Config.__dataclass_fields__ if name in words]
        self.due_s = 0.0
        self.before = known_before(self.table)

    def was_there(self, number: int) -> None:
        """A picture need not be made."""
        name = self.pieces[number].name
        recipe, known = recipe_at(self.folder / name), self.before.get(name, {})
        went = recipe.outcome if recipe else None
        line = Line("done", there=True, seconds=known.get("seconds", ""))
        line.note = known.get("note", "")
        if went:
            line.iterations, line.loss = went.done, in_words(went.losses["total"])
        line.measures = {each: known.get(each, "") for each in MEASURES}
        if self.measuring and not any(line.measures.values()):
            line.measures = self._measured(number)
        self.lines[number] = line

    def heard(self, number: int, state: State) -> None:
        """A picture has come on."""
        line = Line(state.status, state.iteration, note=state.note, error=state.error)
        if state.status in ("done", "failed"):
            line.seconds = f"{state.seconds:.1f}"
        if state.status == "done":
            line.loss = in_words(state.loss)
            line.measures = self._measured(number) if self.measuring else {}
        self.lines[number] = line

    def rest(self) -> None:
        """Nothing is at work any more."""
        for line in self.lines:
            line.state = "waiting" if line.state == "working" else line.state

    def _measured(self, number: int) -> Mapping[str, str]:
        """What measures say of a picture; nothing where they can't."""
        order = self.pieces[number].order
        painting = order.paintings[0] if len(order.paintings) == 1 else None
        if painting and Path(painting).is_dir():
            painting = None
        with suppress(ImpastoError):
            found = Appraiser(order.photo, painting)(order.target).measures
            return {name: in_words(getattr(found, name)) for name in MEASURES}
        return {}

    @property
    def failed(self) -> list[int]:
        """The numbers of those that failed."""
        return [number for number, line in enumerate(self.lines) if line.state == "failed"]

    def write(self, *, at_once: bool = True) -> None:
        """Write the table; where that takes long, only now and then if not at once.

        Raises:
            PictureError: it can't be written; it is as it was.
        """
        began_s = time.monotonic()
        if began_s < self.due_s and not at_once:
            return
        try:
            write_atomically(self.table, self.text().encode("utf-8", "backslashreplace"))
        except OSError as error:
            given = f"{self.table}: the table cannot be written ({error.strerror})"
            raise PictureError(given, "", "the pictures are kept") from error
        now_s = time.monotonic()
        self.due_s = now_s + (now_s - began_s) / MOST_SHARE

    def text(self) -> str:
        """The table as CSV."""
        measured = [n for n in MEASURES if any(line.measures.get(n) for line in self.lines)]
        names = ["picture", "photograph", "painting", *self.settings, "state", "iterations"]
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow([*names, "seconds", "loss", *measured, "note", "error"])
        for piece, line in zip(self.pieces, self.lines, strict=True):
            own = [piece.row.words.get(name, "") for name in self.settings]
            told = [line.measures.get(name, "") for name in measured]
            asked = [piece.name, piece.row.photo, piece.painting, *own]
            went = [line.state, line.iterations or "", line.seconds, line.loss]
            writer.writerow([*asked, *went, *told, line.note, line.error])
        return text.getvalue()

    def sheets(self) -> Iterator[Path]:
        """Write all pictures as contact sheets, and yield each one's path.

        Raises:
            PictureError: one can't be written.
        """
        columns = self._columns()
        each = columns * ROWS
        starts = range(0, len(self.pieces), each)
        for page, start in enumerate(starts, 1):
            name = SHEET if len(starts) == 1 else SHEET.replace(".", f"-{page}.")
            prints = [self._print(n) for n in range(start, min(start + each, len(self.pieces)))]
            yield save(sheet(prints, min(columns, len(prints))), self.folder / name)

    def _columns(self) -> int:
        """One for each painting where every photograph has them all; else about a square."""
        paintings = len({piece.row.paintings for piece in self.pieces})
        photos = len({piece.row.photo for piece in self.pieces})
        if 1 < paintings <= COLUMNS and paintings * photos == len(self.pieces):
            return paintings
        return min(COLUMNS, math.ceil(math.sqrt(len(self.pieces))))

    def _print(self, number: int) -> Print:
        """A picture of the sheet, as small as it is shown."""
        piece, line = self.pieces[number], self.lines[number]
        name = printable(piece.row.photo.stem)
        if line.state != "done":
            return Print(None, name, caption(piece), line.state)
        try:
            shown = pictures.load(piece.order.target, "picture", PICTURE_PX)
        except PictureError:  # removed meanwhile
            return Print(None, name, caption(piece), "it can no longer be read")
        small = pictures.fit(shown.size, min(PICTURE_PX, max(shown.size)))
        return Print(pictures.to_pil(shown.at(small)), name, caption(piece))


def caption(piece: Piece) -> str:
    """What a sheet says under a photograph's name."""
    words = [Path(each).stem for each in piece.row.paintings]
    words += [f"{name.replace('_', '-')} {word}" for name, word in piece.row.words.items()]
    return printable(", ".join(words))


def save(image: Image.Image, path: Path) -> Path:
    """Write a sheet, whole or not at all."""
    data = io.BytesIO()
    image.save(data, "JPEG", quality=90)
    try:
        write_atomically(path, data.getvalue())
    except OSError as error:
        given = f"{path}: the sheet cannot be written ({error.strerror})"
        raise PictureError(given, "", "the pictures are kept") from error
    return path


def in_words(number: float | None) -> str:
    """A number with six digits; none is ''."""
    return "" if number is None else f"{number:.6g}"


def known_before(table: Path) -> dict[str, dict[str, str]]:
    """What a table that is there knows of pictures, by their names."""
    with suppress(OSError, ValueError, csv.Error):
        rows = csv.DictReader(io.StringIO(table.read_text("utf-8"), newline=""))
        return {
            row["picture"]: {name: row.get(name) or "" for name in KNOWN}
            for row in rows
            if row.get("picture")
        }
    return {}

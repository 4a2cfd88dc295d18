"""One pair of pictures with an option or two varied: every combination, side by side.

Each picture is kept with its recipe, so that a sweep which was stopped goes on where it was: what
is there and was made from the same facts is not made again.
"""

from __future__ import annotations

import csv
import io
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

from impasto import files, pictures
from impasto.config import Config, configure
from impasto.errors import ConfigError, DivergenceError, PictureError
from impasto.job.job import Job
from impasto.job.prepare import prepare
from impasto.job.recipe import Recipe
from impasto.job.session import Session
from impasto.measure.appraise import Appraiser
from impasto.measure.metrics import Measures
from impasto.pictures.sheet import Print, sheet
from impasto.transfer.optimize import Step

if TYPE_CHECKING:
    from PIL import Image

LARGEST_CELLS = 400  # of one sheet, 20 by 20: more is a slip of the hand
MOST_VARIED = 2  # options: rows and columns
MEASURES = ("score", "lpips", "ssim", "lost", "style_left", "tv")


@dataclass(frozen=True)
class Variation:
    """An option and what it is to be.

    Attributes:
        name: of a setting, as Config has it.
        values: of it.
        words: what each is called.
    """

    name: str
    values: tuple[Any, ...]
    words: tuple[str, ...]


@dataclass(frozen=True)
class Cell:
    """One combination.

    Attributes:
        words: what the varied options are, by name.
        config: all settings.
        path: of the picture.
    """

    words: Mapping[str, str]
    config: Config
    path: Path

    @property
    def label(self) -> str:
        return ", ".join(f"{name.replace('_', '-')} {word}" for name, word in self.words.items())


@dataclass(frozen=True)
class Tried:
    """What came of a cell.

    Attributes:
        cell: that one.
        status: ``done``, ``stepped back N times``, or why there is no picture or half a one.
        losses: the last iteration's, by term, and ``total``.
        measures: against photograph and painting; None without a picture.
        seconds: of work; None where the picture was there and nobody knows.
        iterations: that were made.
    """

    cell: Cell
    status: str
    losses: Mapping[str, float]
    measures: Measures | None
    seconds: float | None
    iterations: int

    @property
    def failed(self) -> bool:
        return self.measures is None


def cells(
    variations: Sequence[Variation], preset: str, settings: Mapping[str, Any], folder: Path
) -> list[Cell]:
    """Every combination, the last variation changing fastest.

    Raises:
        ConfigError: a combination that no run could have, or too many of them.
    """
    names = [variation.name for variation in variations]
    if not 1 <= len(names) <= MOST_VARIED or len(set(names)) < len(names):
        raise ConfigError(
            f"varied: {', '.join(names) or 'nothing'}", "one option, or two different ones"
        )
    found = []
    pairs = [list(zip(each.values, each.words, strict=True)) for each in variations]
    for chosen in product(*pairs):
        words = {name: word for name, (_, word) in zip(names, chosen, strict=True)}
        varied = {name: value for name, (value, _) in zip(names, chosen, strict=True)}
        config = configure(varied.pop("preset", preset), **{**settings, **varied})
        path = files.fitting(folder / f"{slug(words)}.png", ".png")
        found.append(Cell(words, config, path))
    if len({cell.path for cell in found}) < len(found):
        raise ConfigError("the same value twice", "each value once")
    if len(found) > LARGEST_CELLS:
        raise ConfigError(f"{len(found)} pictures", f"at most {LARGEST_CELLS} fit a sheet")
    return found


def slug(words: Mapping[str, str]) -> str:
    """A file's name for a combination."""
    parts = (f"{name.replace('_', '-')}-{word}" for name, word in words.items())
    return "+".join(re.sub(r"[^\w.=-]+", "_", part) for part in parts)


def sweep(
    content: str | Path,
    style: str,
    tried: Sequence[Cell],
    table: Path,
    on_cell: Callable[[Cell, Job], None],
    on_step: Callable[[Step], None],
    *,
    own_process: bool = False,
) -> Iterator[Tried]:
    """Make every cell's picture, or take it as it is there, and yield what came of each.

    Args:
        content: the photograph.
        style: the painting, or a built-in style's name.
        tried: as from ``cells``; their folder is there.
        table: the CSV file that is written anew after each cell.
        on_cell: called before each one that has to be made.
        on_step: called after each of its iterations.
        own_process: as in ``Session``.

    Raises:
        KeyboardInterrupt: Ctrl-C; the cell at work is not kept, all others are.
    """
    appraiser = Appraiser(content, style)
    check(content, style, tried, table)
    seconds_known = known_seconds(table)
    done: list[Tried] = []
    for cell in tried:
        job = prepare(content, style, cell.config)
        found = cached(cell, job, appraiser, seconds_known)
        if found is None:
            on_cell(cell, job)
            found = made(cell, Session(job, own_process=own_process), appraiser, on_step)
        done.append(found)
        write_table(table, done)
        yield found


def check(content: str | Path, style: str, tried: Sequence[Cell], table: Path) -> None:
    """Find before the work what would stop a cell, or be overwritten by one.

    Raises:
        ImpastoError: of its children the one that fits.
    """
    for cell in tried:
        inputs = [content, style, cell.config.start]
        pictures.check_target(cell.path, inputs=inputs)
        if str(table) in map(str, inputs):
            raise PictureError(
                f"{table}: the table would overwrite an input", "", "choose another -o"
            )
        prepare(content, style, cell.config)


def made(
    cell: Cell, session: Session, appraiser: Appraiser, on_step: Callable[[Step], None]
) -> Tried:
    """Run one cell and keep its picture."""
    started_s = time.monotonic()
    try:
        result = session.run(on_step, on_interrupt="raise")
    except DivergenceError as error:
        return Tried(cell, f"diverged: {error.given}", {}, None, time.monotonic() - started_s, 0)
    seconds = time.monotonic() - started_s
    result.save(cell.path)
    backs = sum(row["rejected"] for row in result.history)
    status = result.stopped or (f"stepped back {backs} times" if backs else "done")
    went = result.recipe.outcome
    assert went is not None, "a run has an outcome"
    measures = appraiser(cell.path).measures
    return Tried(cell, status, went.losses, measures, seconds, went.done)


def cached(
    cell: Cell, job: Job, appraiser: Appraiser, seconds: Mapping[str, tuple[str, float]]
) -> Tried | None:
    """What came of a cell whose picture is there, made from the same facts; else None."""
    try:
        recipe = Recipe.from_json(pictures.read_recipe(cell.path), f"picture '{cell.path}'")
    except PictureError:
        return None
    went = recipe.outcome
    if went is None or went.done < went.planned or recipe.difference(job.recipe):
        return None
    status, known = seconds.get(cell.path.name, ("done", None))
    measures = appraiser(cell.path).measures
    return Tried(cell, status, went.losses, measures, known, went.done)


def known_seconds(table: Path) -> dict[str, tuple[str, float]]:
    """Status and seconds of each picture in a table that an earlier run left."""
    try:
        rows = list(csv.DictReader(io.StringIO(table.read_text(encoding="utf-8"))))
        return {
            row["picture"]: (row["status"], float(row["seconds"])) for row in rows if row["seconds"]
        }
    except (OSError, ValueError, LookupError, TypeError):
        return {}


def write_table(table: Path, done: Sequence[Tried]) -> None:
    """Put all rows into the file, or raise a PictureError and leave it as it was."""
    try:
        files.write_atomically(table, as_csv(done).encode())
    except OSError as error:
        given = f"{table}: the table cannot be written ({error.strerror})"
        raise PictureError(given, "", "the pictures are kept; the same command goes on") from error


def as_csv(done: Sequence[Tried]) -> str:
    """A row a cell: the options, what came of it, losses, distances, time."""
    names = list(done[0].cell.words)
    terms = sorted({term for each in done for term in each.losses})
    header = ["picture", *names, "status", "iterations", "seconds"]
    header += [*MEASURES, *(f"loss {term}" for term in terms)]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    for each in done:
        seconds = "" if each.seconds is None else f"{each.seconds:.1f}"
        numbers = [None if each.failed else getattr(each.measures, name) for name in MEASURES]
        numbers += [each.losses.get(term) for term in terms]
        writer.writerow(
            [
                "" if each.failed else each.cell.path.name,
                *each.cell.words.values(),
                each.status,
                each.iterations,
                seconds,
                *("" if number is None else f"{number:.6g}" for number in numbers),
            ]
        )
    return text.getvalue()


def contact_sheet(done: Sequence[Tried]) -> Image.Image:
    """All pictures in a grid: the second option, or the only one, changes from left to right."""
    from PIL import Image

    prints = []
    for each in done:
        if each.failed:
            what, _, _ = each.status.partition(":")
            prints.append(Print(None, each.cell.label, "", what))
            continue
        with Image.open(each.cell.path) as opened:
            shown = Print(opened.convert("RGB"), each.cell.label, caption(each))
        prints.append(shown)
    last = list(done[0].cell.words)[-1]
    columns = len({each.cell.words[last] for each in done})
    return sheet(prints, columns)


def caption(tried: Tried) -> str:
    """What a sheet says under a picture."""
    assert tried.measures is not None
    words = [f"lost {tried.measures.lost:.2f}", f"style left {tried.measures.style_left:.2f}"]
    if tried.seconds is not None:
        words.append(f"{tried.seconds:.0f} s")
    if tried.status != "done":
        words.insert(0, tried.status)
    return ", ".join(words)

"""What people name, files, folders, patterns and tables, to one row a picture."""

from __future__ import annotations

import csv
import glob
import io
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from impasto import pictures
from impasto.config import Config, configure
from impasto.errors import ConfigError, PictureError, as_on_disk, did_you_mean, nearest_file
from impasto.parsing import SAVE_AS_UTF8, parse_setting

PHOTOGRAPH, PAINTING, PICTURE, MASK = "photograph", "painting", "picture", "mask"
COLUMNS = (PHOTOGRAPH, PAINTING, PICTURE, MASK)  # of a table, besides settings
SEPARATORS = (",", ";", "\t")  # a comma, or what spreadsheets write where commas are decimal


@dataclass(frozen=True)
class Row:
    """One picture that is to be.

    Attributes:
        photo: the photograph's file.
        paintings: as in Order.
        config: every setting.
        mask: the photograph's, a file.
        name: the result's, if a table says so, with or without an ending.
        words: by name, the settings of its own, as they were written.
    """

    photo: Path
    paintings: tuple[str, ...]
    config: Config
    mask: Path | None = None
    name: str = ""
    words: Mapping[str, str] = field(default_factory=dict)


def photographs(named: Sequence[str], results: Path) -> list[Path]:
    """The photographs that are named, each once.

    Args:
        named: files, folders (of which all pictures are meant), and patterns such as
            ``holiday/**/*.jpg``.
        results: the folder of the results, none of which becomes a photograph.

    Raises:
        PictureError: one that there is not, or that has no picture in it.
    """
    found: dict[str, Path] = {}
    for each in named:
        for path in meant(each, results):
            found.setdefault(os.path.realpath(path), path)
    return list(found.values())


def meant(name: str, results: Path) -> list[Path]:
    """The photographs that a word names."""
    path = as_on_disk(Path(name))
    if path.is_dir():
        return in_folder(path, results)
    if os.path.lexists(path):  # a file may be called *.jpg
        return [path]
    if glob.has_magic(name):
        return matching(name, results)
    hint = nearest_file(path) or "check the path"
    raise PictureError(f"photograph '{name}' does not exist", "", hint)


def in_folder(folder: Path, results: Path) -> list[Path]:
    """All pictures in a folder, by name; not in folders within."""
    if os.path.realpath(folder) == os.path.realpath(results):
        given = f"'{folder}' is where the results are to be: they would be photographs"
        raise PictureError(given, "", "choose another folder for the results")
    try:
        found = pictures.in_folder(folder)
    except OSError as error:
        raise PictureError(f"photographs '{folder}': {error.strerror}") from error
    if not found:
        hint = f"name those within as a pattern: '{folder}/**/*.jpg'"
        raise PictureError(f"photographs '{folder}': there is no picture in it", "", hint)
    return found


def matching(pattern: str, results: Path) -> list[Path]:
    """What a pattern matches and is named as a picture, by name; results of ours do not count."""
    place = os.path.realpath(results)
    there = map(Path, glob.iglob(pattern, recursive=True))  # noqa: PTH207  # absolute ones too
    files = [path for path in there if path.is_file() and pictures.named_as_picture(path)]
    found = [path for path in files if not within(path, place)]
    if not found:
        hint = "choose another folder for the results: these lie in it" if files else ""
        given = f"photographs '{pattern}': no picture matches"
        raise PictureError(given, "", hint or "check the pattern")
    return sorted(found)


def within(path: Path, folder: str) -> bool:
    """Whether a file is in a folder, or in one within."""
    return os.path.realpath(path).startswith(os.path.join(folder, ""))  # noqa: PTH118


def product(
    photos: Sequence[Path], styles: Sequence[tuple[str, ...]], settings: Mapping[str, Any]
) -> list[Row]:
    """Every photograph after every painting, the painting changing fastest.

    Args:
        photos: the photographs.
        styles: each one painting, or several that are taken together.
        settings: for `configure`, the same for all.

    Raises:
        ConfigError: a setting that can't be, or no painting.
    """
    check_styles(styles)
    config = configure(**settings)
    return [Row(photo, paintings, config) for photo in photos for paintings in styles]


def check_styles(styles: Sequence[tuple[str, ...]]) -> None:
    """Raise a ConfigError where there is no painting."""
    if not styles:
        raise ConfigError("no painting", "a file, a folder, or a built-in style's name", "add one")


def in_table(
    table: Path, styles: Sequence[tuple[str, ...]], settings: Mapping[str, Any]
) -> list[Row]:
    """The rows of a table: CSV with a line of names, of which only ``photograph`` has to be there.

    Other columns: ``painting``, where it is not the same for all; ``picture``, the result's name;
    ``mask``; and any setting, by name. A cell that is empty says nothing. Files are looked for
    beside the table first, and then from the current folder.

    Args:
        table: the file.
        styles: as in ``product``, for rows without a painting.
        settings: likewise, for what a row does not say.

    Raises:
        ConfigError: a table that can't be read, or a row that can't be; it says which.
    """
    found: list[Row] = []
    for line, cells in lines_of(table):
        try:
            found += rows_of(cells, table.parent, styles, settings)
        except ConfigError as error:
            given = f"table '{table}' line {line}: {error.given}"
            raise ConfigError(given, error.allowed, error.hint) from error
    if not found:
        raise ConfigError(f"table '{table}': there is no row in it", "a row for each picture")
    return found


def lines_of(table: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """The lines of a table that say anything, each with its number and its cells by name."""
    text = text_of(table)
    header = text.partition("\n")[0]
    separator = max(SEPARATORS, key=header.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    names: list[str] = []
    try:
        for cells in reader:
            cells = [cell.strip() for cell in cells]
            if not any(cells):
                continue
            if not names:
                names = columns(cells, table)
                continue
            if len(cells) > len(names) and any(cells[len(names) :]):
                given = f"table '{table}' line {reader.line_num}: {len(cells)} cells"
                allowed = f"{len(names)}, as many as there are names in its first line"
                raise ConfigError(given, allowed, 'put cells with separators into "quotes"')
            yield reader.line_num, dict(zip(names, cells, strict=False))
    except csv.Error as error:
        raise ConfigError(f"table '{table}' line {reader.line_num}: {error}") from error


def text_of(table: Path) -> str:
    """The text of a table's file."""
    what = f"table '{table}'"
    try:
        return as_on_disk(table).read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigError(f"{what} is not in UTF-8", "UTF-8 is wanted", SAVE_AS_UTF8) from error
    except (OSError, ValueError) as error:  # ValueError: a path with a null character
        reason = getattr(error, "strerror", None) or error
        raise ConfigError(f"{what}: {reason}", "", nearest_file(table)) from error


def columns(cells: Sequence[str], table: Path) -> list[str]:
    """The names of a table's columns.

    Raises:
        ConfigError: one that there is not, or twice; or none of photographs.
    """
    known = (*COLUMNS, *(each.name for each in fields(Config)))
    names = [cell.lower().replace("-", "_").replace(" ", "_") for cell in cells]
    for name, cell in zip(names, cells, strict=True):
        if name not in known:
            allowed = f"{', '.join(COLUMNS)}, or a setting"
            hint = did_you_mean(name, known)
            raise ConfigError(f"table '{table}': column {cell!r}", allowed, hint)
        if names.count(name) > 1:
            raise ConfigError(f"table '{table}': column {cell!r} twice", "each column once")
    if PHOTOGRAPH not in names:
        raise ConfigError(f"table '{table}': no column {PHOTOGRAPH!r}", "", "name it in line 1")
    return names


def rows_of(
    cells: Mapping[str, str],
    beside: Path,
    styles: Sequence[tuple[str, ...]],
    settings: Mapping[str, Any],
) -> list[Row]:
    """What one line of a table asks for: a picture, or one for each painting."""
    words = {name: cell for name, cell in cells.items() if cell and name not in COLUMNS}
    own = dict(parse_setting(f"{name}={cell}") for name, cell in words.items())
    if not cells[PHOTOGRAPH]:
        raise ConfigError("no photograph", "a file's name")
    painting, mask = cells.get(PAINTING, ""), cells.get(MASK, "")
    own_styles = [(near(painting, beside),)] if painting else styles
    check_styles(own_styles)
    config = configure(**{**settings, **own})
    photo = Path(near(cells[PHOTOGRAPH], beside))
    name, its_mask = cells.get(PICTURE, ""), Path(near(mask, beside)) if mask else None
    return [Row(photo, paintings, config, its_mask, name, words) for paintings in own_styles]


def near(name: str, folder: Path) -> str:
    """A file's path, where one of that name is in a folder; else the name."""
    path = as_on_disk(folder / name)
    return str(path) if os.path.lexists(path) else name

"""Rows to orders with names of their own, nothing of which overwrites another."""

from __future__ import annotations

import os
import re
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from impasto import pictures
from impasto.batch.listing import Row
from impasto.errors import ConfigError, PictureError
from impasto.files import fitting
from impasto.job.order import Order, named_after
from impasto.timeline import check_path

TABLE, SHEET = "batch.csv", "batch.jpg"  # of the results' folder; further sheets have numbers
SHEETS = re.compile(r"batch(-\d+)?\.jpg")


@dataclass(frozen=True)
class Common:
    """What all orders of a batch have in common, besides settings.

    Attributes:
        folder: of the results.
        ending: of the results' names, such as ``.png``.
        bits: a channel.
        recipe: whether results hold their recipes.
        mask: of photographs that have none of their own.
        style_masks: as in Order.
        regions: likewise.
        film: the ending of a film beside each result, such as ``.mp4``; '' is none.
    """

    folder: Path
    ending: str = ".png"
    bits: int = 8
    recipe: bool = True
    mask: Path | None = None
    style_masks: tuple[Path, ...] = ()
    regions: Mapping[str, str] = field(default_factory=dict)
    film: str = ""


@dataclass(frozen=True)
class Piece:
    """One picture of a batch.

    Attributes:
        row: that asks for it.
        order: what is to be done.
    """

    row: Row
    order: Order

    @property
    def name(self) -> str:
        """The result's."""
        return self.order.target.name

    @property
    def painting(self) -> str:
        """The paintings, in words."""
        return " + ".join(self.row.paintings)


def pieces(rows: Sequence[Row], common: Common) -> list[Piece]:
    """An order for each row, with a name of its own; what is asked for twice is there once.

    Raises:
        ConfigError: two rows ask for one name.
    """
    once = list({key_of(row): row for row in rows}.values())
    return [
        Piece(row, order_of(row, common, name))
        for row, name in zip(once, names(once, common), strict=True)
    ]


def key_of(row: Row) -> tuple[object, ...]:
    """What a row asks for, however its settings were written."""
    return os.path.realpath(row.photo), row.paintings, row.config, row.mask, row.name


def order_of(row: Row, common: Common, name: str) -> Order:
    """The order of a row whose result has this name."""
    target = common.folder / name
    film = target.with_name(f"{target.stem}-film{common.film}") if common.film else None
    return Order(
        photo=row.photo,
        paintings=row.paintings,
        config=row.config,
        target=target,
        bits=common.bits,
        recipe=common.recipe,
        mask=row.mask or common.mask,
        style_masks=common.style_masks,
        regions=common.regions,
        timeline=film,
    )


def names(rows: Sequence[Row], common: Common) -> list[str]:
    """The results' names: as `impasto stylize` would have them, or longer where those are alike.

    Raises:
        ConfigError: two rows give one name, or one that is no file's name.
    """
    found = [short_name(row) for row in rows]
    for longer in (name_with_settings, name_with_folders):
        often = Counter(map(folded, found))
        found = [
            longer(row) if often[folded(name)] > 1 else name
            for row, name in zip(rows, found, strict=True)
        ]
    whole = [whole_name(name, row, common) for row, name in zip(rows, found, strict=True)]
    first: dict[str, Row] = {}
    for row, name in zip(rows, whole, strict=True):
        other = first.setdefault(folded(name), row)
        if other is not row:
            given = f"'{name}' would be the result of '{other.photo}' and of '{row.photo}'"
            raise ConfigError(given, "names that differ", "give them in a column 'picture'")
    return whole


def short_name(row: Row) -> str:
    """Both names, without folders and endings."""
    return row.name or f"{row.photo.stem}-{named_after(row.paintings)}"


def name_with_settings(row: Row) -> str:
    """Where a pair is there several times: with what the row says of settings."""
    words = (f"+{name.replace('_', '-')}-{word}" for name, word in row.words.items())
    return row.name or short_name(row) + "".join(re.sub(r"[^\w.=+-]+", "_", word) for word in words)


def name_with_folders(row: Row) -> str:
    """Where pictures in several folders, or of several formats, have one name."""
    if row.name:
        return row.name
    photo = os.path.realpath(row.photo)
    folder, _, name = photo.rpartition(os.sep)
    parts = [Path(folder).name, name, *(in_its_folder(each) for each in row.paintings)]
    settings = name_with_settings(row).removeprefix(short_name(row))
    return "-".join(filter(None, parts)) + settings


def in_its_folder(painting: str) -> str:
    """A painting's name with its folder's; a built-in style's alone."""
    path = Path(os.path.realpath(painting))
    return f"{path.parent.name}-{path.name}" if path.exists() else painting


def folded(name: str) -> str:
    """What a name is to file systems that know no case and one form of Unicode."""
    return unicodedata.normalize("NFC", name).casefold()


def whole_name(name: str, row: Row, common: Common) -> str:
    """The name with its ending, cut where the file system takes no longer one.

    Raises:
        ConfigError: it is no file's name, or one that a batch needs itself.
    """
    if row.name and (Path(name).name != name or "\\" in name or name in (".", "..")):
        raise ConfigError(f"picture {name!r}", "a file's name, without folders")
    if row.name and Path(name).suffix.lower() in pictures.writable_suffixes():
        path = common.folder / name
    else:
        path = common.folder / f"{name}{common.ending}"
    if folded(path.name) == TABLE or SHEETS.fullmatch(folded(path.name)):
        raise ConfigError(f"picture {path.name!r}, which a batch writes itself", "another name")
    return fitting(path, path.suffix).name


def check(found: Sequence[Piece], table: Path | None = None) -> None:
    """Find before the work what would overwrite an input or another result, or can't be written.

    Args:
        found: all of a batch.
        table: that they are from.

    Raises:
        ImpastoError: of its children the one that fits.
    """
    orders = [piece.order for piece in found]
    for order in orders:
        order.check_apart()
        pictures.check_target(order.target, bits=order.bits)
        if order.timeline:
            check_path(order.timeline)
    folder = orders[0].target.parent
    paths = [path for order in orders for path in (order.target, order.timeline) if path]
    paths += [folder / TABLE, folder / SHEET]
    written = {os.path.realpath(path): path for path in paths}
    if len(written) < len(paths):
        given = f"'{folder}': two results would be one file"
        raise PictureError(given, "", "give them other names, and remove links")
    read = {os.path.realpath(path): path for path in [*inputs(orders), *filter(None, [table])]}
    for place in written.keys() & read.keys():
        given = f"output '{written[place]}' would overwrite the input '{read[place]}'"
        raise PictureError(given, "", "choose another folder for the results")


def inputs(orders: Sequence[Order]) -> set[str | Path]:
    """All files that they read, and a few words."""
    several = {(o.paintings, o.mask, o.config.start): o for o in orders}  # folders are read once
    found: set[str | Path] = {order.photo for order in orders if order.photo}
    return found.union(*(order.inputs for order in several.values()))

"""What an order reads and what comes of it, as bytes: for machines that see no common folder."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from impasto import pictures
from impasto.config import PHOTO, STARTS
from impasto.errors import as_on_disk
from impasto.files import write_atomically
from impasto.job.order import Order
from impasto.network.weights import NAMES
from impasto.pictures.styles import STYLES

PICTURE, FILM, SNAPSHOTS, CHECKPOINT = "picture", "film", "snapshots", "checkpoint"
GONE = "gone"  # where a file would be that there is none of


@dataclass(frozen=True)
class Parcel:
    """An input's bytes.

    Attributes:
        name: of the file or the folder: recipes have it.
        data: of a file; of a folder, which is a painting of several pictures, by their names.
            None where there is nothing of that name: the order fails as it would here.
    """

    name: str
    data: bytes | Mapping[str, bytes] | None = field(repr=False)


def inputs(order: Order) -> list[str]:
    """The files and folders that an order reads, as it has them; words are none."""
    words = {*(style.name for style in STYLES), PHOTO}
    paintings = [each for each in (*order.paintings, *order.regions.values()) if each not in words]
    files = [str(each) for each in (order.photo, order.mask, *order.style_masks) if each]
    start, backbone = order.config.start, order.config.backbone
    files += [start] if start not in STARTS else []
    files += [backbone] if backbone not in NAMES else []
    return list(dict.fromkeys([*files, *paintings]))


def moved(order: Order, places: Mapping[str, str]) -> Order:
    """The order with its inputs where they are by now."""

    def at(path: Path | None) -> Path | None:
        return path and Path(places.get(str(path), str(path)))

    def there(word: str) -> str:
        return places.get(word, word)

    config = order.config
    return replace(
        order,
        photo=at(order.photo),
        mask=at(order.mask),
        paintings=tuple(map(there, order.paintings)),
        style_masks=tuple(Path(there(str(each))) for each in order.style_masks),
        regions={name: there(each) for name, each in order.regions.items()},
        config=replace(config, start=there(config.start), backbone=there(config.backbone)),
    )


def packed(named: str) -> Parcel:
    """An input's parcel.

    Raises:
        OSError: it can't be read.
    """
    path = as_on_disk(Path(os.path.expanduser(named)))  # noqa: PTH111  # as weights' files have it
    if not path.exists():
        return Parcel(path.name or GONE, None)
    if path.is_dir():
        within = pictures.in_folder(path)
        return Parcel(path.resolve().name, {each.name: each.read_bytes() for each in within})
    return Parcel(path.name, path.read_bytes())


def unpacked(named: Sequence[str], parcels: Sequence[Parcel], folder: Path) -> dict[str, str]:
    """Put inputs into a folder, each into one of its own; where they are, by their names before.

    Raises:
        OSError: they can't be written.
    """
    places = {}
    for number, (name, parcel) in enumerate(zip(named, parcels, strict=True)):
        place = folder / str(number) / parcel.name
        place.parent.mkdir(parents=True)
        if isinstance(parcel.data, bytes):
            place.write_bytes(parcel.data)
        elif parcel.data is not None:
            place.mkdir()
            for each, data in parcel.data.items():
                (place / each).write_bytes(data)
        places[name] = str(place)
    return places


def made_files(order: Order, checkpoint: Path) -> dict[str, Path]:
    """What an order has written so far, by what it is."""
    found = {PICTURE: order.target, FILM: order.timeline}
    there = {word: path for word, path in found.items() if path and path.is_file()}
    for word, folder in ((SNAPSHOTS, order.snapshot_folder), (CHECKPOINT, checkpoint)):
        for path in sorted(folder.rglob("*")) if folder.is_dir() else ():
            if path.is_file():
                there[f"{word}/{path.relative_to(folder).as_posix()}"] = path
    return there


def put(files: Mapping[str, bytes], order: Order, checkpoint: Path) -> None:
    """Write what an order has written elsewhere.

    Raises:
        OSError: it can't be written.
    """
    whole = {PICTURE: order.target, FILM: order.timeline}
    folders = {SNAPSHOTS: order.snapshot_folder, CHECKPOINT: checkpoint}
    for name, data in files.items():
        word, _, rest = name.partition("/")
        path = folders[word] / rest if rest else whole[word]
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(path, data)

"""What is there already, and whether it is what would be made."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from impasto import pictures
from impasto.config import PHOTO, STARTS
from impasto.errors import PictureError, as_on_disk
from impasto.files import write_atomically
from impasto.job.order import Order, sha256_of
from impasto.job.prepare import choose_device
from impasto.job.recipe import Inputs, Network, Recipe, Source, kept_settings
from impasto.network import weights
from impasto.pictures import styles

REMEMBERED = 256  # checksums: more paintings than any batch has at a time


def recipe_at(path: Path) -> Recipe | None:
    """The recipe of the picture that is there; None where there is none."""
    try:
        return Recipe.from_json(pictures.read_recipe(path), f"picture '{path}'")
    except PictureError:
        return None


def difference(order: Order, device: str = "") -> str | None:
    """Why the file in an order's place is not what it would make; '' where it is, None without one.

    Nothing is decoded: a folder of thousands takes as long as reading its files. Other versions of
    packages, and another number of threads where none is asked for, make no other picture.

    Args:
        order: that one.
        device: that it is carried out on, where that is another machine's.

    Raises:
        ImpastoError: of its children the one that fits, where the order can't be carried out.
    """
    if not order.target.exists():
        return None
    there = recipe_at(order.target)
    if there is None:
        return "it has no recipe that tells what it was made from"
    if there.bits not in (None, order.bits):
        return f"its bits a channel were {there.bits}, here they are {order.bits}"
    went = there.outcome
    if went is None or went.done < went.planned:
        return "it was stopped before its end"
    return there.difference(wanted(order, there, device), versions=False)


def wanted(order: Order, like: Recipe, device: str = "") -> Recipe:
    """The recipe that an order would have, as far as it decides the picture.

    Args:
        order: that one.
        like: of what is there; its size is that of any picture of the same files and settings.
        device: as in ``difference``.

    Raises:
        ImpastoError: a file or a network can't be read.
    """
    if order.regions:  # which colours they mean, only the mask can tell
        recipe = order.prepare().recipe
        threads = order.config.threads or like.threads
        return replace(recipe, threads=threads, device=device or recipe.device)
    network = network_of(order.config.backbone)
    return replace(
        like,
        settings=kept_settings(order.config),
        inputs=inputs_of(order),
        network=network,
        device=device or str(choose_device(order.config.device)),
        threads=order.config.threads or like.threads,
    )


def inputs_of(order: Order) -> Inputs:
    """What a recipe says of an order's files; of regions nothing."""
    start, photo, mask = order.config.start, order.photo, order.mask
    return Inputs(
        photograph=source_of(photo) if photo else None,
        paintings=tuple(source_of(styles.find(each)) for each in order.paintings),
        start=None if start in STARTS else source_of(Path(start)),
        mask=source_of(mask) if mask else None,
        style_masks=tuple(map(source_of, order.style_masks)),
    )


def source_of(path: Path) -> Source:
    """What a recipe says of a file, or of a folder of paintings."""
    path = as_on_disk(path)
    if path.is_dir():
        return Source(path.resolve().name, sha256_of(path))
    with suppress(OSError):
        found = path.stat()
        return Source(path.name, sha256_once(path.absolute(), (found.st_size, found.st_mtime_ns)))
    return Source(path.name, sha256_of(path))  # which says what is wrong


@lru_cache(REMEMBERED)
def sha256_once(path: Path, _stamp: tuple[int, int]) -> str:
    """The checksum of a file that has not changed: paintings are asked for again and again."""
    return sha256_of(path)


@cache
def network_of(backbone: str) -> Network:
    """What a recipe says of a network."""
    found = weights.resolve(backbone)
    return Network(found.name, found.source, found.sha256)


class Ledger:
    """What results without recipes were made from, in a file beside them.

    Args:
        path: the file, which may not be there.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.known: dict[str, Any] = {}
        with suppress(OSError, ValueError):
            found = json.loads(path.read_bytes())
            self.known = found if isinstance(found, dict) else {}

    def knows(self, order: Order) -> bool:
        """Whether what is in an order's place was made for it.

        Raises:
            PictureError: a file of the order can't be read.
        """
        told = self.known.get(order.target.name)
        if not isinstance(told, dict) or told.get("order") != fingerprint(order):
            return False
        return told.get("before") != sha256_at(order.target)

    def expect(self, orders: Sequence[Order]) -> None:
        """Write, before the work, what is to come: of each, what was in its place until then.

        Raises:
            PictureError: it can't be written.
        """
        for order in orders:
            with suppress(PictureError):  # one that can't be read fails in its turn
                told = {"order": fingerprint(order), "before": sha256_at(order.target)}
                self.known[order.target.name] = told
        try:
            write_atomically(self.path, json.dumps(self.known).encode())
        except OSError as error:
            given = f"{self.path}: it cannot be written ({error.strerror})"
            raise PictureError(given, "", "free some space or check the permissions") from error


def fingerprint(order: Order) -> str:
    """A checksum of an order and its files, wherever they are and it writes to."""
    config = {**kept_settings(order.config), "threads": order.config.threads}
    regions = {
        name: each if each == PHOTO else sha256_of(styles.find(each))
        for name, each in order.regions.items()
    }
    known = [config, inputs_of(order).to_json(), regions, order.bits, order.target.suffix]
    return hashlib.sha256(json.dumps(known).encode()).hexdigest()


def sha256_at(path: Path) -> str | None:
    """The checksum of a file; None where there is none."""
    return sha256_of(path) if path.exists() else None

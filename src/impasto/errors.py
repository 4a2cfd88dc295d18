"""Errors that teach: each says what was given, what is allowed and what to try."""

from __future__ import annotations

import difflib
import os
import re
import unicodedata
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

SETTING = re.compile(r"`([a-z_]+)`")  # how a message marks a setting, or an argument, by its name


def did_you_mean(given: str, known: Iterable[str]) -> str:
    """A hint: the nearest of the known words; '' where none is near."""
    near = difflib.get_close_matches(given.lower(), list(known), n=1)
    return f"did you mean {near[0]}?" if near else ""


def nearest_file(path: Path) -> str:
    """A hint: the file whose name comes nearest to a path that is not there; '' where none is."""
    with suppress(OSError, ValueError):
        near = difflib.get_close_matches(path.name, os.listdir(path.parent), n=1)  # noqa: PTH208
        return f"did you mean '{path.with_name(near[0])}'?" if near else ""
    return ""


def as_on_disk(path: Path) -> Path:
    """The path as the file system spells it: a file whose name differs only in Unicode's form.

    A Mac's é is two characters (NFD), as most keyboards give it it is one (NFC): people see no
    difference. A path that is there, or that nothing is meant by, comes back as it was given.
    """
    if str(path).isascii() or os.path.lexists(path):
        return path
    folder = as_on_disk(path.parent)
    wanted = unicodedata.normalize("NFC", path.name)
    with suppress(OSError, ValueError):
        for name in sorted(os.listdir(folder)):  # noqa: PTH208
            if unicodedata.normalize("NFC", name) == wanted:
                return folder / name
    return path


def printable(text: object) -> str:
    """The text without what would upset a terminal: escapes, line breaks, lone surrogates."""
    return "".join(c if c.isprintable() else "?" for c in str(text))


class ImpastoError(Exception):
    """The base of every error that is the caller's to mend.

    Settings stand in backquotes in it, ```style_size```: ``str()`` has their names, and ``line``
    has them as the caller knows them, such as a command line's options.

    Args:
        given: what was given and why it can't be used, e.g. ``"photo.jpg: the file is empty"``.
        allowed: what would be accepted, or ``""`` where nothing helpful can be said.
        hint: what to try, or ``""``.
    """

    def __init__(self, given: str, allowed: str = "", hint: str = "") -> None:
        self.given, self.allowed, self.hint = given, allowed, hint
        super().__init__(self.line(str))

    def line(self, spell: Callable[[str], str]) -> str:
        """One printable line, whatever a file's name or a library's message may contain.

        Args:
            spell: a setting's name to what the caller calls it.
        """
        parts = (printable(" ".join(p.split())) for p in (self.given, self.allowed, self.hint))
        whole = "; ".join(part for part in parts if part)
        return SETTING.sub(lambda found: spell(found[1]), whole)


class ConfigError(ImpastoError):
    """A setting, or two settings together, that cannot be used."""


class PictureError(ImpastoError):
    """A picture that cannot be read or written."""


class WeightsError(ImpastoError):
    """Network weights that are missing, unknown, damaged or cannot be fetched."""


class CheckpointError(ImpastoError):
    """A checkpoint that is missing, damaged, of something else, or cannot be written."""


class QueueError(ImpastoError):
    """A queue that is full or in use by another server; a job that is not there, or damaged."""


class ClusterError(ImpastoError):
    """A cluster that can't be reached or does not fit, or a machine of it."""


class PartialResultWarning(UserWarning):
    """A picture was stopped on the way: it is given as it stands. Not an error; see `stylize`."""


class DivergenceError(ImpastoError):
    """An optimisation that exploded and could not be brought back."""

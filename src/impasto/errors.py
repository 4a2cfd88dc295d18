"""Errors that teach: each says what was given, what is allowed and what to try."""

from __future__ import annotations


class ImpastoError(Exception):
    """The base of every error that is the caller's to mend.

    Args:
        given: what was given and why it can't be used, e.g. ``"photo.jpg: the file is empty"``.
        allowed: what would be accepted, or ``""`` where nothing helpful can be said.
        hint: what to try, or ``""``.
    """

    def __init__(self, given: str, allowed: str = "", hint: str = "") -> None:
        self.given, self.allowed, self.hint = given, allowed, hint
        # One line, whatever an underlying library's message may contain.
        parts = (" ".join(part.split()) for part in (given, allowed, hint))
        super().__init__("; ".join(part for part in parts if part))


class ConfigError(ImpastoError):
    """A setting, or two settings together, that cannot be used."""


class PictureError(ImpastoError):
    """A picture that cannot be read or written."""


class WeightsError(ImpastoError):
    """Network weights that are missing, unknown, damaged or cannot be fetched."""


class DivergenceError(ImpastoError):
    """An optimisation that exploded and could not be brought back."""

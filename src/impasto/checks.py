"""What a setting's value may be: each check is one rule, with the words that say it.

A check is given a setting's name and value; it returns the value as it is kept (a list as a tuple,
a path as text), or raises a ConfigError that says what was given and what is allowed.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

from impasto.errors import ConfigError, did_you_mean

Check = Callable[[str, Any], Any]


def named(name: str) -> str:
    """A setting's name as errors mark it, for a front end to say its own; words as they are."""
    return f"`{name}`" if name.isidentifier() else name


@dataclass(frozen=True)
class OneOf:
    """One of a few words."""

    allowed: Sequence[str]

    def __call__(self, name: str, value: Any) -> Any:
        if value in self.allowed:
            return value
        raise ConfigError(
            f"{named(name)} {value!r}",
            f"allowed: {', '.join(self.allowed)}",
            did_you_mean(str(value), self.allowed),
        )


@dataclass(frozen=True)
class Number:
    """A number in a range, both ends included.

    Attributes:
        low: the least.
        high: the greatest; infinity, which is no number itself, is no limit.
        whole: whether it has no fraction.
        optional: whether None is a value.
        also: what else is allowed, in words, after a comma.
    """

    low: float
    high: float = math.inf
    whole: bool = False
    optional: bool = False
    also: str = ""

    def __call__(self, name: str, value: Any) -> Any:
        if value is None and self.optional:
            return value
        kinds, noun = (int, "whole number") if self.whole else (int | float, "number")
        number = isinstance(value, kinds) and not isinstance(value, bool)
        if number and self.low <= value <= self.high and value != math.inf:
            return value
        limits = f"from {self.low:g}" + (" up" if self.high == math.inf else f" to {self.high:g}")
        raise ConfigError(f"{named(name)} {value!r}", f"a {noun} {limits} is wanted{self.also}")


def switch(name: str, value: Any) -> Any:
    """Check for true or false."""
    if isinstance(value, bool):
        return value
    raise ConfigError(f"{named(name)} {value!r}", "true or false is wanted")


def name_or_path(name: str, value: Any) -> str:
    """Check for text, or a path, which becomes text."""
    if not isinstance(value, str | os.PathLike):
        raise ConfigError(f"{named(name)} {value!r}", "a name or a path is wanted")
    return str(os.fspath(value))


def as_tuple(value: Any) -> Any:
    """A list as a tuple; anything else as it is."""
    return tuple(value) if isinstance(value, list) else value


def checks_of(settings: type) -> Mapping[str, Check]:
    """The checks of a class's settings, by name, as their types have them.

    A check stands with its setting: ``Annotated[float, Number(0, 1)]``. A Literal is one of its
    words, and a bool a switch; any other type has no check.
    """
    found: dict[str, Check] = {}
    for name, type_ in get_type_hints(settings, include_extras=True).items():
        if get_origin(type_) is Annotated:
            found[name] = type_.__metadata__[0]
        elif get_origin(type_) is Literal:
            found[name] = OneOf(get_args(type_))
        elif type_ is bool:
            found[name] = switch
    return MappingProxyType(found)

"""Text to settings: what a person writes on a command line or in a look."""

from __future__ import annotations

import codecs
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any, Literal, cast

from impasto.config import LAST, NUMBERS, ORIGINAL, PAINTING, UNITS, Config, Size, Weighted
from impasto.errors import ConfigError, did_you_mean

SWITCHES = {"yes": True, "true": True, "no": False, "false": False}
SAVE_AS_UTF8 = "save it again with the encoding UTF-8, as editors offer it"


def parse_layers(text: str) -> Weighted:
    """``"conv1_1=1,conv3_1=0.5"`` as pairs of name and weight; a name alone weighs 1."""
    layers = []
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, _, weight = part.partition("=")
        layers.append((name.strip(), parse_number(weight or "1")))
    return cast(Weighted, tuple(layers))


def parse_numbers(text: str) -> tuple[float | str, ...]:
    """``"0.7,0.3"`` as numbers; what is none stays text, for Config to say what it wants."""
    return tuple(parse_number(part.strip()) for part in text.split(","))


def parse_scales(text: str) -> float | str | tuple[float | str, ...]:
    """One number for all paintings, or one for each."""
    return parse_numbers(text) if "," in text else parse_number(text)


def parse_snapshots(text: str) -> tuple[int, ...]:
    """``"1,100,last"`` as iteration numbers, counted from 1; ``last`` is ``LAST``."""
    numbers = []
    for part in filter(None, (part.strip() for part in text.split(","))):
        if part != "last" and not part.isdecimal():
            raise ConfigError(f"snapshot {part!r}", "snapshots are iterations such as 1,100,last")
        numbers.append(LAST if part == "last" else int(part))
    return tuple(numbers)


def parse_size(text: str) -> int | Literal["original"] | Size:
    """A longer side in pixels, ``original``, or ``1024x768``: width and height, turned round."""
    width, by, height = text.lower().partition("x")
    if by and width.isdecimal() and height.isdecimal():
        return cast(Size, (parse_number(height), parse_number(width)))
    return cast(int, parse_number(text)) if text != ORIGINAL else "original"


def parse_fit(text: str) -> int | str:
    """``"6GB"`` or ``"500 MB"`` as bytes; a word as it is, for Config to judge."""
    match = re.fullmatch(r"([\d.]+) *(\w*)", text.strip())
    number = parse_number(match[1]) if match else ""
    if not match or isinstance(number, str) or match[2].upper() not in UNITS:
        return text
    return round(number * UNITS[match[2].upper()])


def parse_switch(text: str) -> bool | str:
    """``"yes"`` and ``"no"`` as what they say; another word as it is, for Config to judge."""
    return SWITCHES.get(text.lower(), text)


def parse_number(text: str) -> float | str:
    """An int, else a float, else the text itself, for Config to say what it wants."""
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def look_text(data: bytes, source: str) -> str:
    """The text of a look's file, with or without a byte order mark.

    Args:
        data: all of the file.
        source: what errors call it.

    Raises:
        ConfigError: another encoding than UTF-8.
    """
    marked = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    zeros = max(data[::2].count(0), data[1::2].count(0))  # one beside nearly each letter
    if marked or zeros * 4 > len(data):
        raise ConfigError(f"{source} is in UTF-16", "UTF-8 is wanted", SAVE_AS_UTF8)
    if b"\0" in data:
        raise ConfigError(f"{source} is no text", "lines such as strength = 0.6")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        given = f"{source}: line {line} is not in UTF-8"
        raise ConfigError(given, "UTF-8 is wanted", SAVE_AS_UTF8) from error


def parse_look(text: str, source: str) -> dict[str, Any]:
    """The settings in a look, which is TOML, ready for `configure`; ``painting`` may be with them.

    Layers are a table, ``{ relu1_1 = 1.0, relu3_1 = 0.5 }``, or written as on the command line.

    Args:
        text: the TOML.
        source: what errors call it.

    Raises:
        ConfigError: no TOML, or a setting that there is not.
    """
    try:
        given = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(
            f"{source}: it is no TOML ({error})", "lines such as strength = 0.6"
        ) from error
    names = (*(field.name for field in fields(Config)), PAINTING)
    settings: dict[str, Any] = {}
    for key, value in given.items():
        name = key.replace("-", "_")
        if name not in names:
            raise ConfigError(f"{source}: setting {key!r}", "", did_you_mean(name, names))
        settings[name] = _from_toml(name, value, source)
    return settings


def _from_toml(name: str, value: Any, source: str) -> Any:
    if name == PAINTING:
        several = value if isinstance(value, list) else [value]
        if not several or not all(isinstance(each, str) for each in several):
            raise ConfigError(
                f"{source}: {PAINTING} {value!r}",
                "a file, a folder or a style's name is wanted, or a list of them",
                "" if several else "leave it out",
            )
        return tuple(several)
    if name == "snapshots":
        listed = value if isinstance(value, list) else [value]
        return parse_snapshots(",".join(map(str, listed)))
    if name in ("content_layers", "style_layers"):
        return tuple(value.items()) if isinstance(value, dict) else parse_layers(str(value))
    if name == "fit" and isinstance(value, str):
        return parse_fit(value)
    return tuple(value) if isinstance(value, list) else value


PARSERS: Mapping[str, Callable[[str], Any]] = {
    **dict.fromkeys(NUMBERS, parse_number),
    "size": parse_size,
    "style_scale": parse_scales,
    "style_weights": parse_numbers,
    "content_layers": parse_layers,
    "style_layers": parse_layers,
    "snapshots": parse_snapshots,
    "tileable": parse_switch,
    "fit": parse_fit,
}


def parse_setting(text: str) -> tuple[str, Any]:
    """``"strength=0.5"`` as a setting's name and its value, for Config to judge."""
    name, equals, value = text.partition("=")
    name = name.strip().removeprefix("--").replace("-", "_")
    known = list(Config.__dataclass_fields__)
    if not equals or name not in known:
        near = "" if name in known else did_you_mean(name, known).replace("_", "-")
        raise ConfigError(f"setting {text!r}", "NAME=VALUE, as impasto stylize has them", near)
    if isinstance(getattr(Config, name), bool):
        return name, parse_switch(value.strip())
    return name, PARSERS.get(name, str)(value.strip())

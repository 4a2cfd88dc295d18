"""The command line and the Python lines that make the same picture: the way into the tool."""

from __future__ import annotations

import shlex
from dataclasses import fields
from typing import Any

from impasto.config import Config, configure, usual
from impasto.job.order import Order

PROMPT = "impasto stylize"


def changed(config: Config) -> dict[str, Any]:
    """The settings that are not what preset, hand and quality say."""
    before = usual(config.preset, config.hand, config.quality)
    found = {"preset": config.preset} if config.preset != Config.preset else {}
    if config.hand != configure(config.preset).hand:
        found["hand"] = config.hand
    for each in fields(Config):
        value = getattr(config, each.name)
        if each.name != "preset" and value != getattr(before, each.name):
            found[each.name] = value
    return found


def typed(value: Any) -> str:
    """A setting's value as the command line takes it."""
    if isinstance(value, tuple):
        parts = (item if isinstance(item, tuple) else (item,) for item in value)
        return ",".join("=".join(typed(part) for part in item) for item in parts)
    return f"{value:g}" if isinstance(value, float) else str(value)


def command(order: Order) -> str:
    """The line for a terminal, with its options on lines of their own."""
    words = [[PROMPT, *quoted(order.photo, *order.paintings)], ["-o", *quoted(order.target.name)]]
    for name, value in changed(order.config).items():
        if isinstance(value, bool):
            words.append([option(name if value else f"no_{name}")])
        elif value is not None:
            words.append([option(name), *quoted(typed(value))])
    if order.mask:
        words.append([option("mask"), *quoted(order.mask)])
    words += [[option("style_mask"), *quoted(each)] for each in order.style_masks]
    words += [[option("region"), *quoted(f"{name}={each}")] for name, each in order.regions.items()]
    if order.bits != Order.bits:
        words.append([option("bits"), str(order.bits)])
    return " \\\n    ".join(" ".join(each) for each in words)


def option(name: str) -> str:
    """A setting as the command line spells it."""
    return f"--{name.replace('_', '-')}"


def quoted(*words: object) -> list[str]:
    """Words as a shell takes them for themselves."""
    return [shlex.quote(str(word)) for word in words]


def python(order: Order) -> str:
    """The lines for Python."""
    paintings = [str(each) for each in order.paintings]
    given: list[str] = [
        repr(str(order.photo)),
        repr(paintings[0] if len(paintings) == 1 else paintings),
    ]
    given += [f"{name}={value!r}" for name, value in changed(order.config).items()]
    if order.mask:
        given.append(f"mask={str(order.mask)!r}")
    if order.style_masks:
        given.append(f"style_masks={[str(each) for each in order.style_masks]!r}")
    if order.regions:
        given.append(f"regions={dict(order.regions)!r}")
    listed = "".join(f"    {each},\n" for each in given)
    saved = f"result.save({order.target.name!r}" + (
        f", bits={order.bits})" if order.bits != 8 else ")"
    )
    return f"from impasto import stylize\n\nresult = stylize(\n{listed})\n{saved}\n"

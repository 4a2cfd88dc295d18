"""`impasto info`: what there is to work with here, for people and for bug reports."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Annotated, Any

import typer

from impasto.cli import options as o
from impasto.cli.work import say_measuring

WIDE = 30  # characters of a name, before its value


def info(
    as_json: Annotated[bool, typer.Option("--json", help="As JSON, with every timing.")] = False,
    again: Annotated[
        bool, typer.Option("--again", help="Measure the processor anew; best on an idle machine.")
    ] = False,
    quiet: o.Quiet = False,
) -> None:
    """Tell what impasto works with here: what to paste into a bug report.

    Versions, devices and memory, what this processor was found to be fast at,
    and about how long pictures will take.
    """
    from impasto.job import calibration, machine, threads

    if again:
        calibration.forget(threads.default())
    known = machine.facts(None if quiet else say_measuring)
    if as_json:
        typer.echo(json.dumps(known, indent=2))
        return
    for line in as_text(known):
        typer.echo(line)


def as_text(known: dict[str, Any]) -> Iterator[str]:
    """The facts in lines: topics, and names with their values below them."""
    for topic, facts in known.items():
        if not isinstance(facts, dict):
            yield f"{topic:<{WIDE}}{facts}"
            continue
        yield ""
        yield TITLES.get(topic, topic)
        for name, value in facts.items():
            if isinstance(value, list):  # timings, for --json
                continue
            yield f"  {name:<{WIDE - 2}}{in_words(value)}".rstrip()


TITLES = {
    "measured": "what is fast here",
    "seconds": "about how long, in seconds, for pictures of 4:3",
}


def in_words(value: object) -> str:
    """A value as a person reads it."""
    if isinstance(value, dict):
        return ", ".join(f"{name}: {in_words(each)}" for name, each in value.items()) or "nowhere"
    if value is None or isinstance(value, bool):
        return {None: "unknown", True: "yes", False: "no"}[value]
    return str(value)

"""`impasto styles` and `impasto show`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any, get_args

import typer
from rich.markup import escape
from rich.table import Table

from impasto.cli.progress import console_on
from impasto.config import HANDS, PRESETS, Quality, usual
from impasto.errors import PictureError, printable

SHEET = Path("impasto-styles.png")


def styles(
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="FILE", help="The contact sheet.")
    ] = SHEET,
    sheet: Annotated[
        bool, typer.Option("--sheet/--no-sheet", help="Write the contact sheet.")
    ] = True,
) -> None:
    """List the built-in styles and write a contact sheet of them."""
    from impasto.pictures.styles import STYLES, contact_sheet

    table = Table(box=None, show_header=False, pad_edge=False)
    for style in STYLES:
        table.add_row(f"[bold]{style.name}[/bold]", style.description)
    console_on(sys.stdout).print(table)
    if sheet:
        from impasto import pictures

        pictures.check_target(output)
        pictures.save(pictures.load(contact_sheet()).pixels, output)
        typer.echo(f"Wrote {output}")


def show(
    picture: Annotated[
        Path, typer.Argument(metavar="PICTURE", help="A picture that impasto wrote.")
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")] = False,
) -> None:
    """Show how a picture was made: its recipe."""
    from impasto import pictures

    recipe = pictures.read_recipe(picture)
    try:
        words, parts = json.dumps(recipe, indent=2), sections(recipe)
    except RecursionError as error:  # no recipe of ours is lists in lists in lists
        raise PictureError(f"picture '{picture}' holds a damaged recipe: {error}") from error
    if as_json:
        typer.echo(words)
        return
    console = console_on(sys.stdout)
    for title, rows in parts.items():
        console.print(f"[bold]{escape(printable(title))}[/bold]")
        table = Table(box=None, show_header=False, pad_edge=False)
        for name, value in rows.items():
            table.add_row(f"  {escape(printable(name))}", escape(printable(value)))
        console.print(table)


def sections(recipe: dict[str, Any]) -> dict[str, dict[str, str]]:
    """A recipe's parts by title, each a table of words; the preset's own settings come last."""
    flat = {k: text(v) for k, v in recipe.items() if not isinstance(v, dict)}
    parts: dict[str, dict[str, str]] = {"picture": flat} if flat else {}
    for title, part in recipe.items():
        if title == "settings" and isinstance(part, dict):
            changed, kept = split_settings(part)
            parts["settings"] = changed
            parts[f"as the preset {part.get('preset')} has them"] = kept
        elif isinstance(part, dict):
            parts[title] = {name: text(value) for name, value in part.items()}
    return {title: rows for title, rows in parts.items() if rows}


def split_settings(settings: dict[str, Any]) -> tuple[dict[str, str], dict[str, str]]:
    """The settings that differ from their preset's, and those that do not."""
    name, hand, quality = (str(settings.get(word)) for word in ("preset", "hand", "quality"))
    preset = PRESETS.get(name)
    if preset is not None and hand in HANDS and quality in get_args(Quality):
        preset = usual(name, hand, quality)
    changed: dict[str, str] = {}
    kept: dict[str, str] = {}
    for name, value in settings.items():
        same = preset is not None and text(getattr(preset, name, None)) == text(value)
        (kept if same else changed)[name] = text(value)
    return changed, kept


def text(value: Any) -> str:
    """A recipe's value as a person would write it."""
    if isinstance(value, dict):
        return ", ".join(f"{name} {text(part)}" for name, part in value.items())
    if isinstance(value, list | tuple):
        pairs = [isinstance(item, list | tuple) for item in value]
        if pairs and all(pairs):
            return ",".join("=".join(text(part) for part in item) for item in value)
        return ", ".join(text(item) for item in value)
    return f"{value:.6g}" if isinstance(value, float) else str(value)

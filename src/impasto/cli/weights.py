"""`impasto weights ...`: what networks there are, and how to get them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.table import Table

from impasto.cli.progress import console_for, console_on

MEGABYTE = 1_000_000
app = typer.Typer(no_args_is_help=True, help="List, fetch, add and verify networks' weights.")


@app.command("list")
def list_known() -> None:
    """List the known weights and which are on this machine."""
    from impasto.network import weights

    table = Table(box=None, pad_edge=False)
    table.add_column("name", no_wrap=True)
    table.add_column("here", no_wrap=True)
    table.add_column("MB", no_wrap=True, justify="right")
    table.add_column("what it is", overflow="fold")
    table.add_column("licence", overflow="fold")
    for row in weights.available():
        megabytes = f"{row.size / MEGABYTE:.0f}" if row.size else ""
        here = "yes" if row.present else ""
        table.add_row(row.name, here, megabytes, escape(row.what), row.licence)
    console = console_on(sys.stdout)
    console.print(table)
    console.print("\n`impasto weights fetch NAME` downloads one. Once here, vgg19 is the default.")


@app.command()
def fetch(
    name: Annotated[
        str,
        typer.Argument(metavar="NAME", help="vgg19, vgg16, or a name from impasto weights list."),
    ],
) -> None:
    """Download weights into the cache; an interrupted download goes on where it stopped."""
    from impasto.network import weights

    console = console_for(quiet=False)
    columns = (BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task(name, total=None)
        path = weights.fetch(
            name,
            lambda done, total: progress.update(task, completed=done, total=total),
            on_wait=lambda: console.print("Another process is fetching it: waiting for that."),
        )
    typer.echo(f"{name} is ready: {path}")


@app.command()
def add(
    file: Annotated[
        Path,
        typer.Argument(metavar="FILE", help="A Keras, PyTorch, MatConvNet or safetensors file."),
    ],
) -> None:
    """Check a local file and put its weights into the cache."""
    from impasto.network import weights

    typer.echo(f"Added {weights.add(file)}")


@app.command()
def verify() -> None:
    """Check the embedded and the cached weights for damage."""
    from impasto.network import weights

    checks = weights.verify()
    for check in checks:
        typer.echo(f"{'ok     ' if check.ok else 'DAMAGED'} {check.name}: {check.message}")
    if not all(check.ok for check in checks):
        raise typer.Exit(1)


@app.command()
def where() -> None:
    """Print the folder that weights are kept in."""
    from impasto.network import weights

    typer.echo(str(weights.cache_dir()))

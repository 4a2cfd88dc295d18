"""`impasto resume`: go on where a run was stopped, by Ctrl-C or by anything at all."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from impasto.cli import options as o
from impasto.cli.work import going_on, run
from impasto.job.order import Order

Folder = Annotated[
    Path,
    typer.Argument(
        metavar="DIR", help="The checkpoint's folder, OUT-checkpoint.", show_default=False
    ),
]


def resume(folder: Folder, quiet: o.Quiet = False) -> None:
    """Go on with a picture whose making was stopped.

    [dim]impasto resume out-checkpoint[/dim]

    The result is, byte for byte, that of a run which nothing stopped.
    """
    from impasto.job import checkpoint

    before = checkpoint.read(folder)
    order = Order.from_json(before.command, folder)
    run(order, folder, before, going_on(before), quiet)

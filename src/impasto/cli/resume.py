"""`impasto resume`: go on where a run was stopped, by Ctrl-C or by anything at all."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from impasto.cli import options as o
from impasto.cli.work import claimed, going_on, run
from impasto.job.order import Order

Folder = Annotated[
    Path,
    typer.Argument(
        metavar="DIR",
        help="The checkpoint's folder, beside OUT: OUT-checkpoint.",
        show_default=False,
    ),
]


def resume(folder: Folder, quiet: o.Quiet = False) -> None:
    """Go on with a picture whose making was stopped.

    [dim]impasto resume out.png-checkpoint[/dim]

    The result is, byte for byte, that of a run which nothing stopped.
    """
    from impasto.job import checkpoint

    checkpoint.check_there(folder)
    with checkpoint.claimed(folder):
        resume_from = checkpoint.read(folder)
        order = Order.resumed(resume_from)
        with claimed(order.target, None):
            run(order, folder, resume_from, going_on(resume_from), quiet)

"""The command line: parse, call, show. The one place that prints and exits.

Results go to standard output, progress and notes to standard error. Exit status: 0 done, 1 a check
failed or something broke, 2 bad input, 130 stopped by Ctrl-C.
"""

from __future__ import annotations

import os
import re
import sys
import traceback
from typing import Annotated

import typer

from impasto.cli import measures, pictures, weights
from impasto.cli.batch import batch
from impasto.cli.explain import explain
from impasto.cli.info import info
from impasto.cli.options import Command, spelling
from impasto.cli.process import BAD_INPUT, BROKEN, STOPPED, coloured, speak_anything
from impasto.cli.rerun import rerun
from impasto.cli.resume import resume
from impasto.cli.studio import studio
from impasto.cli.stylize import stylize
from impasto.cli.sweep import sweep
from impasto.cli.texture import texture
from impasto.cli.video import video
from impasto.errors import ImpastoError

DEBUG = "IMPASTO_DEBUG"  # set it to see the traceback of an unexpected error

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="rich",
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command(cls=Command)(stylize)
app.command(cls=Command)(texture)
app.command(cls=Command)(batch)
app.command()(resume)
app.command()(rerun)
app.command()(video)
app.command()(sweep)
app.command()(explain)
app.command()(studio)
app.command()(info)
app.command("styles")(pictures.styles)
app.command("show")(pictures.show)
app.command("evaluate")(measures.evaluate)
app.command("compare")(measures.compare)
app.add_typer(weights.app, name="weights")


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        print(f"impasto {version('impasto')}")
        raise typer.Exit


@app.callback()
def impasto(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
) -> None:
    """Repaint a photograph in the manner of a painting."""


def main(arguments: list[str] | None = None) -> None:
    """Run a command and exit; the one border where errors become a line on standard error."""
    speak_anything()
    draw_help_on_terminals_only()
    try:
        status = app(args=arguments, standalone_mode=False) or 0
        if status == STOPPED:  # what typer makes of a KeyboardInterrupt
            fail("stopped", STOPPED)
        sys.exit(status)
    except ImpastoError as error:
        fail(error.line(spelling), BAD_INPUT)
    except (KeyboardInterrupt, typer.Abort):
        fail("stopped", STOPPED)
    except BrokenPipeError:  # the reader of our output has gone: `impasto styles | head -1`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(BROKEN)
    except Exception as error:
        if hasattr(error, "format_message"):  # a usage error of click's, or of typer's own copy
            words = error.format_message()
            if not words:  # no command was given, and the help has been shown
                sys.exit(BAD_INPUT)
            fail(f"{words}; try --help", BAD_INPUT)
        fail(_explain(error), BROKEN)


def draw_help_on_terminals_only() -> None:
    """As `console_on` does; typer would ask FORCE_COLOR, and GITHUB_ACTIONS."""
    from typer import rich_utils

    rich_utils.FORCE_TERMINAL = None if coloured(sys.stdout) else False


def _explain(error: Exception) -> str:
    """One line for an error that is not the user's to mend."""
    if os.environ.get(DEBUG):
        traceback.print_exc()
    if isinstance(error, MemoryError) or re.search("out of memory|allocate memory", str(error)):
        return (
            "out of memory; a smaller --size needs less (half the size, a quarter of it), and so "
            "do smaller pictures"
        )
    what = f"{type(error).__name__}: {' '.join(str(error).split())}"
    return f"something unexpected went wrong ({what}); {DEBUG}=1 shows where: please report it"


def fail(message: str, status: int) -> None:
    """One line on standard error, red on a terminal, and exit."""
    red = typer.colors.RED if coloured(sys.stderr) else None
    typer.secho(f"impasto: {message}", fg=red, err=True)
    sys.exit(status)

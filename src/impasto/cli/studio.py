"""`impasto studio`: the page in the browser."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from impasto.cli.process import hear_stops
from impasto.errors import ConfigError

Port = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        show_default=False,
        help="[default: 7860, or the next free one]".replace("[", r"\["),
    ),
]
Host = Annotated[
    str,
    typer.Option(
        metavar="ADDRESS",
        help="Where it listens; 0.0.0.0 is the whole network, and wants a password.",
    ),
]
Folder = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR",
        show_default=False,
        help="Where pictures and all that is waiting are kept. [default: a folder of your "
        "own data]".replace("[", r"\["),
    ),
]
Browser = Annotated[bool, typer.Option("--browser/--no-browser", help="Show the page at once.")]
Workers = Annotated[
    int,
    typer.Option(metavar="N", min=1, help="Pictures painted at the same time; one uses all cores."),
]
PasswordFile = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        show_default=False,
        help="A password, or lines of user:password, who then do not see each other's pictures; "
        "or in IMPASTO_STUDIO_PASSWORD.",
    ),
]
Open = Annotated[bool, typer.Option("--open", help="No password, though others can reach it.")]
Mcp = Annotated[bool, typer.Option("--mcp", help="Let programs use it by MCP too.")]


def studio(
    port: Port = None,
    host: Host = "127.0.0.1",
    folder: Folder = None,
    browser: Browser = True,
    workers: Workers = 1,
    password_file: PasswordFile = None,
    open_: Open = False,
    mcp: Mcp = False,
) -> None:
    r"""Open the studio, a page in the browser: paint, watch, steer, keep.

    [dim]impasto studio
    impasto studio --folder ~/pictures/studio --port 8000
    impasto studio --host 0.0.0.0 --password-file users.txt[/dim]

    Needs pip install 'impasto\[studio]'. Ctrl-C ends it; what is waiting goes on
    with the next start.
    """
    from impasto.studio.access import access
    from impasto.studio.server import Settings, check_installed, default_folder, serve

    admitted = access(host, password_file, open_to_all=open_)
    if mcp and admitted:
        raise ConfigError(
            "`mcp` with a password, which programs would not be asked for", "one of them"
        )
    check_installed(mcp=mcp)
    place = folder or default_folder()
    hear_stops()

    def say(url: str) -> None:
        typer.echo(f"The studio is open: {url}", err=True)
        typer.echo(f"Pictures are kept in {place}. Ctrl-C ends it.", err=True)

    settings = Settings(place, host, port, workers, admitted, mcp)
    try:
        serve(settings, say, browser=browser)
    except KeyboardInterrupt:
        typer.echo("Closing: what is at work is kept, and goes on with the next start.", err=True)

"""The page, its routes and the workers together: everything that `impasto studio` starts."""

from __future__ import annotations

import os
import socket
import threading
import time
import webbrowser
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from impasto.errors import ConfigError, ImpastoError
from impasto.queue.store import Limits, Queue, too_large
from impasto.studio.access import LOCALHOST, Access
from impasto.studio.desk import SHELVES
from impasto.studio.shelf import Shelf
from impasto.studio.widgets import said

if TYPE_CHECKING:
    from fastapi import FastAPI, Request

PORT, MORE_PORTS = 7860, 20  # Gradio's own; where it is taken, one of the next
UPLOADS = "uploads"  # Gradio's folder of what comes in and of what it shows, within ours
TIDY_EVERY_S, KEPT_S = 3600, 86_400  # when it is looked through, and how old files in it may be
KINDS = "impasto.studio.kinds"
HEAD = (  # not by Gradio's `css`, which takes rules apart and loses some
    '<link rel="stylesheet" href="studio/studio.css">'
    '<script src="studio/studio.js" data-limit="{limit}" data-line="{line}" '
    'data-pictures="{pictures}"></script>'
)
EXTRA = "pip install 'impasto[studio]'"


@dataclass(frozen=True)
class Settings:
    """How the studio is opened.

    Attributes:
        folder: where everything is kept.
        host: that it listens on.
        port: of it; None is the first free one from PORT on.
        workers: how many pictures are painted at once.
        access: who may come in.
        mcp: whether programs may use it by the Model Context Protocol.
        limits: of uploads, waiting jobs and disk.
    """

    folder: Path
    host: str = LOCALHOST
    port: int | None = None
    workers: int = 1
    access: Access = field(default_factory=Access)
    mcp: bool = False
    limits: Limits = field(default_factory=Limits)


def default_folder() -> Path:
    """Where everything is kept, if nothing else is said: in the user's own folder of data."""
    from platformdirs import user_data_dir

    return Path(user_data_dir("impasto", appauthor=False)) / "studio"


def check_installed(*, mcp: bool = False) -> None:
    """Raise a ConfigError where what the page is made of is not installed."""
    from importlib.util import find_spec

    if find_spec("gradio") is None:
        raise ConfigError("the studio needs Gradio, which is not installed", "", EXTRA)
    if mcp and find_spec("mcp") is None:
        raise ConfigError("`mcp` needs Gradio's part for it", "", "pip install 'gradio[mcp]'")


def quiet_gradio(folder: Path) -> None:
    """Keep Gradio from telling anybody anything, and its files in our folder; before its import."""
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    os.environ["GRADIO_TEMP_DIR"] = str(folder / UPLOADS)
    os.environ["GRADIO_RUN_HISTORY"] = "False"
    os.environ["HF_HUB_OFFLINE"] = "1"
    # Of each call it keeps a row, and has pandas sum them all up after each: for nobody here.
    os.environ["GRADIO_ANALYTICS_MAX_EVENTS"] = "1"
    os.environ["GRADIO_ANALYTICS_CACHE_FREQUENCY"] = str(10**9)


def listening(host: str, port: int | None) -> socket.socket:
    """A socket that listens, on the port that is asked for or the first free one.

    Raises:
        ConfigError: the port is taken, or the host is none of this machine's.
    """
    wanted = [port] if port is not None else [*range(PORT, PORT + MORE_PORTS), 0]
    for each in wanted:
        try:
            family = socket.AF_INET6 if ":" in host else socket.AF_INET
            made = socket.socket(family, socket.SOCK_STREAM)
            if os.name == "posix":
                made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            made.bind((host, each))
        except OverflowError as error:
            raise ConfigError(f"`port` {each}", "a number from 0 to 65535") from error
        except OSError as error:
            made.close()
            if port is None and each:
                continue
            given = f"{host}, port {each}: {error.strerror or error}"
            raise ConfigError(given, "", "choose another `port`, or leave it out") from error
        return made
    raise AssertionError("port 0 is any free one")


def head(limit: int) -> str:
    """What the page loads besides Gradio's, with the line for a file of more bytes than that."""
    from impasto.pictures.opening import readable_suffixes

    line = escape(said(too_large("{name}", "{size}", limit)))
    return HEAD.format(limit=limit, line=line, pictures=" ".join(sorted(readable_suffixes())))


def application(settings: Settings, queue: Queue) -> FastAPI:
    """The page and its routes."""
    quiet_gradio(settings.folder)
    import gradio as gr
    from fastapi import FastAPI, HTTPException

    from impasto.studio import page, parts, routes

    app = FastAPI(openapi_url=None)
    access = settings.access

    def who(request: Request) -> str:
        if not access:
            return ""
        inner: Any = mounted
        names = (f"access-token-{inner.cookie_id}", f"access-token-unsecure-{inner.cookie_id}")
        tokens = (request.cookies.get(name) for name in names)
        name = next((inner.tokens[token] for token in tokens if token in inner.tokens), None)
        if name is None:
            raise HTTPException(401, "Come in with your password first.")
        return access.owner(name)

    app.include_router(routes.router(queue, who))
    routes.guard(app, settings.host, settings.limits.upload_bytes)
    blocks = page.page(queue, access)
    gr.mount_gradio_app(
        app,
        blocks,
        path="/",
        server_name=settings.host,
        auth=access.admits if access else None,
        auth_message="Welcome to the studio.",
        footer_links=[],
        run_history=False,
        show_error=False,
        max_file_size=settings.limits.upload_bytes,
        mcp_server=settings.mcp,
        ssr_mode=False,
        enable_monitoring=False,
        pwa=False,
        theme=parts.theme(),
        head=head(settings.limits.upload_bytes),
    )
    mounted = next(r.app for r in app.routes if hasattr(r, "app") and hasattr(r.app, "cookie_id"))
    return app


@dataclass
class Studio:
    """A studio that is open.

    Attributes:
        url: of its page.
        server: that answers.
    """

    url: str
    server: Any

    def stop(self) -> None:
        """Let the server end."""
        self.server.should_exit = True


def keep_tidy(queue: Queue, closing: threading.Event) -> None:
    """Look through the folder now and then: what was deleted long ago, old uploads, no room."""
    while True:
        with suppress(ImpastoError, OSError):
            queue.purge()
            old_s = time.time() - KEPT_S
            for path in (queue.folder / UPLOADS).rglob("*"):
                if path.is_file() and path.stat().st_mtime < old_s:
                    path.unlink()
            recent = [p for p in queue.inputs.glob("*/*") if p.stat().st_mtime >= old_s]
            lists = queue.folder.glob(f"{SHELVES}/*")
            queue.tidy([*recent, *(each.path for f in lists for each in Shelf(f).own())])
        if closing.wait(TIDY_EVERY_S):
            return


@contextmanager
def opened(settings: Settings) -> Iterator[Studio]:
    """The studio, open as long as the context lasts; ``studio.server.run`` is called by ``serve``.

    Raises:
        ImpastoError: of its children the one that fits: no Gradio, a port or a folder in use.
    """
    check_installed(mcp=settings.mcp)
    import uvicorn

    from impasto.queue.pool import Pool

    queue = Queue(settings.folder, settings.limits)
    held = listening(settings.host, settings.port)
    host, port = held.getsockname()[:2]
    app = application(settings, queue)
    config = uvicorn.Config(app, log_level="error", timeout_graceful_shutdown=2, ws="none")
    server = uvicorn.Server(config)
    server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
    closing = threading.Event()
    with held, Pool(settings.folder, settings.workers, KINDS, settings.limits):
        threading.Thread(target=keep_tidy, args=[queue, closing], daemon=True).start()
        thread = threading.Thread(target=server.run, kwargs={"sockets": [held]}, daemon=True)
        thread.start()
        shown = f"[{host}]" if ":" in host else host
        try:
            yield Studio(f"http://{shown}:{port}/", server)
        finally:
            closing.set()
            server.should_exit = True
            thread.join(timeout=10)


def serve(settings: Settings, on_open: Any, *, browser: bool) -> None:
    """Open the studio, and keep it open until it is stopped.

    Args:
        settings: how.
        on_open: is told the page's address once it is there.
        browser: whether to show the page in one.

    Raises:
        ImpastoError: as in ``opened``.
        KeyboardInterrupt: Ctrl-C; all jobs are kept.
    """
    with opened(settings) as studio:
        while not studio.server.started:
            if studio.server.should_exit:
                raise ConfigError("the server could not be started", "", "try another `port`")
            threading.Event().wait(0.05)
        on_open(studio.url)
        if browser:
            with suppress(webbrowser.Error):
                webbrowser.open(studio.url)
        threading.Event().wait()


__all__ = ["ImpastoError", "Settings", "Studio", "application", "default_folder", "opened", "serve"]

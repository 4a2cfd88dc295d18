"""Pictures, status and buttons over HTTP, each for its owner only: what the page's script asks.

Nothing here is addressed by a path: a job goes by its id, and what may be asked of it by a word.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Body, FastAPI, HTTPException, Request
from fastapi.responses import FileResponse, JSONResponse, Response, StreamingResponse
from starlette.background import BackgroundTask
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from impasto.errors import ImpastoError, PictureError
from impasto.queue.entry import Entry
from impasto.queue.store import Queue, megabytes, too_large
from impasto.studio import clips, groups, kinds, views
from impasto.studio.access import is_local
from impasto.studio.desk import VIEW_PX, Desk
from impasto.studio.downloads import ENDINGS, archive, as_it_is, converted, file_name
from impasto.studio.groups import Batch
from impasto.studio.shelf import thumbnail
from impasto.studio.widgets import said

PREFIX = "/studio"
NOT_FOR_YOU = "This is for the studio's own page."
MARK = "x-impasto"  # a header that a page from elsewhere cannot send unasked
LINE_S = 1.0  # how old it may be what is told of those that wait before
ARCHIVE = "application/zip"
ARCHIVES = {"pictures.zip": "png", "jpegs.zip": "jpg"}
FILMS = {ending: media for ending, (_, media) in clips.ENDINGS.items()}
TOO_LARGE = 413  # HTTP's number of it
MOST_IDS = 100  # of one status call: a sheet's
VERBS: Mapping[str, Callable[[Entry, Mapping[str, Any]], None]] = {
    "pause": lambda entry, _: entry.pause(),
    "go_on": lambda entry, _: entry.go_on(),
    "stop": lambda entry, _: entry.stop(),
    "delete": lambda entry, _: entry.delete(),
    "undelete": lambda entry, _: entry.undelete(),
    "favour": lambda entry, body: entry.favour(bool(body.get("on", True))),
    "rename": lambda entry, body: entry.rename(str(body.get("name", ""))),
}
# Nothing of the page may come from, or go, elsewhere, whatever a name or a recipe holds. Gradio
# makes functions of text and sets styles, so that both have to be allowed.
POLICY = "; ".join(
    (
        "default-src 'self'",
        "script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data: blob:",
        "media-src 'self' data: blob:",
        "font-src 'self' data:",
        "connect-src 'self' data: blob:",
        "worker-src 'self' blob:",
        "frame-src 'self'",
        "frame-ancestors 'self'",
        "form-action 'self'",
        "base-uri 'self'",
        "object-src 'none'",
    )
)
REPORT_POLICY = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:"
)
SAFE = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
}
FOR_EVER = {"Cache-Control": "private, max-age=31536000, immutable"}
Who = Callable[[Request], str]  # whose request it is; an HTTPException where nobody's


def static(name: str) -> str:
    """A file of the page's own, as text."""
    return (resources.files("impasto") / "data" / "studio" / name).read_text(encoding="utf-8")


def router(queue: Queue, who: Who) -> APIRouter:
    """All routes of the page's script."""
    made, line = APIRouter(prefix=PREFIX), Line(queue)
    add_batches(made, queue, who)

    @made.get("/studio.js")
    def script() -> Response:
        return Response(static("studio.js"), media_type="text/javascript")

    @made.get("/studio.css")
    def style() -> Response:
        return Response(static("studio.css"), media_type="text/css")

    @made.get("/status")
    def status(request: Request, ids: str) -> dict[str, Any]:
        return status_of(Desk(queue, who(request)), ids.split(",")[:MOST_IDS], line)

    @made.get("/gallery")
    def gallery(request: Request) -> dict[str, Any]:
        desk = Desk(queue, who(request))
        return {"pictures": [views.summary(each) for each in desk.finished()]}

    @made.get("/paintings/{identity}.jpg")
    def painting(request: Request, identity: str) -> Response:
        found = Desk(queue, who(request)).shelf.find(identity)
        return small(found.path) if found else missing()

    @made.get("/jobs/{identity}/{what}")
    def get(request: Request, identity: str, what: str) -> Response:
        entry = entry_of(Desk(queue, who(request)), identity)
        return file_of(entry, what)

    @made.post("/jobs/{identity}/{verb}")
    def post(
        request: Request, identity: str, verb: str, body: Annotated[Any, Body()] = None
    ) -> dict[str, Any]:
        if MARK not in request.headers or verb not in VERBS:
            raise HTTPException(403, NOT_FOR_YOU)
        entry = entry_of(Desk(queue, who(request)), identity)
        VERBS[verb](entry, body if isinstance(body, dict) else {})
        return views.view(entry)

    return made


def add_batches(made: APIRouter, queue: Queue, who: Who) -> None:
    """The routes of batches, each a person's own."""

    def batch_of(request: Request, group: str) -> Batch:
        batch = Batch(Desk(queue, who(request)), group)
        if not batch.there:
            raise HTTPException(404, "There is no such batch.")
        return batch

    @made.get("/batches/{group}")
    def batch(request: Request, group: str) -> dict[str, Any]:
        return groups.view(batch_of(request, group))

    @made.get("/batches/{group}/{name}")
    def all_of(request: Request, group: str, name: str) -> Response:
        found = batch_of(request, group)
        return together(found, ARCHIVES[name]) if name in ARCHIVES else missing()

    @made.post("/batches/{group}/{verb}")
    def wish(request: Request, group: str, verb: str) -> dict[str, Any]:
        if MARK not in request.headers or verb not in groups.WISHES:
            raise HTTPException(403, NOT_FOR_YOU)
        found = batch_of(request, group)
        groups.wish(found, verb)
        return groups.view(found)


class Line:
    """Who waits, as it was a moment ago: many pages ask, and it is read once."""

    def __init__(self, queue: Queue) -> None:
        self.queue, self.lock = queue, threading.Lock()
        self.ids: list[str] = []
        self.read_s = -LINE_S

    def before(self, identity: str) -> int:
        """How many jobs, of all people, wait before one."""
        with self.lock:
            if time.monotonic() - self.read_s >= LINE_S:
                every = self.queue.entries()
                self.ids = [each.id for each in every if each.state().status == "waiting"]
                self.read_s = time.monotonic()
            return sum(each < identity for each in self.ids)


def status_of(desk: Desk, ids: list[str], line: Line) -> dict[str, Any]:
    """Where some jobs stand; those that are not this person's are left out."""
    found = [entry for entry in map(desk.find, ids) if entry]
    return {"jobs": [views.view(each, before(each, line)) for each in found]}


def before(entry: Entry, line: Line) -> int:
    """How many wait before a job that waits itself."""
    return line.before(entry.id) if entry.state().status == "waiting" else 0


def entry_of(desk: Desk, identity: str) -> Entry:
    """One of a person's jobs; a 404 where there is none."""
    try:
        return desk.get(identity)
    except ImpastoError as error:
        raise HTTPException(404, said(error)) from error


def missing() -> Response:
    """What is not there."""
    return JSONResponse({"error": "There is none."}, 404)


def file_of(entry: Entry, what: str) -> Response:
    """One of the few things that a job shows."""
    stem, _, ending = what.rpartition(".")
    if what == "preview.jpg":
        return read_at_once(entry.preview) if entry.preview.is_file() else without(entry)
    if what == "photo.jpg" and entry.task.order.photo:
        return small(entry.task.order.photo, VIEW_PX)
    if what == "report.html":
        page = kinds.report_page(entry)
        return there(page, "text/html", {"Content-Security-Policy": REPORT_POLICY})
    if stem == "film" and (film := kinds.moving(entry)):
        return there(film, FILMS[film.suffix], name=file_name(entry.name))
    if stem == "picture" and ending in ENDINGS and entry.result_path.is_file():
        return download(entry, ending)
    return missing()


def there(
    path: Path, media: str, headers: Mapping[str, str] | None = None, name: str = ""
) -> Response:
    """A file of a job's, or the part of it that is asked for; name is for who saves it."""
    if not path.is_file():
        return missing()
    known: dict[str, Any] = {"headers": dict(headers or {}), "media_type": media}
    if name:
        known |= {"filename": f"{name}{path.suffix}", "content_disposition_type": "inline"}
    return FileResponse(path, **known)


def without(entry: Entry) -> Response:
    """What is shown of a result that has no preview any more."""
    if entry.task.kind != kinds.CLIP:
        return small(entry.result_path, VIEW_PX)
    try:
        return Response(clips.poster(clips.open_clip(entry.result_path)), media_type="image/jpeg")
    except ImpastoError:
        return missing()


def read_at_once(preview: Path) -> Response:
    """A preview, which may be replaced at any moment: a file that is streamed would end short."""
    try:
        return Response(preview.read_bytes(), media_type="image/jpeg", headers=FOR_EVER)
    except OSError:
        return missing()


def small(path: Path, longest_px: int = 360) -> Response:
    """A small JPEG of a picture."""
    try:
        changed_ns = path.stat().st_mtime_ns
        data = _small(path, longest_px, changed_ns)
    except (OSError, PictureError):
        return missing()
    return Response(
        data, media_type="image/jpeg", headers={"Cache-Control": "private, max-age=3600"}
    )


@lru_cache(maxsize=64)
def _small(path: Path, longest_px: int, _changed_ns: int) -> bytes:
    return thumbnail(path, longest_px)


def download(entry: Entry, ending: str) -> Response:
    """A result in a format, with its recipe in it where the format has a place for it."""
    made, after = entry.result_path, None
    if not as_it_is(entry, ending):
        made = converted(entry, ending)
        after = BackgroundTask(made.unlink, missing_ok=True)
    name = f"{file_name(entry.name)}.{ending}"
    return FileResponse(made, media_type=ENDINGS[ending][0], filename=name, background=after)


def together(batch: Batch, ending: str) -> Response:
    """All pictures of a batch as one archive, sent while it is made."""
    results = batch.results
    if not results:
        return missing()
    name = f'attachment; filename="impasto-{batch.group}.zip"'
    headers = {"Content-Disposition": name}
    return StreamingResponse(archive(results, ending), 200, headers, ARCHIVE)


class Guard:
    """Answers only who asked for this host, and tells browsers to stay here.

    No middleware of FastAPI's own kind, which would hold up every answer that is streamed.
    """

    def __init__(self, app: ASGIApp, host: str, limit: int) -> None:
        self.app, self.host = app, host
        self.too_large = said(too_large("the file", f"more than {megabytes(limit)}", limit))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        asked = Headers(scope=scope).get("host", "").rsplit(":", 1)[0]
        if is_local(self.host) and not is_local(asked):  # a name from elsewhere that leads to here
            refusal = JSONResponse({"error": f"This page is for {self.host} alone."}, 403)
            await refusal(scope, receive, send)
            return
        too_large = False

        async def guarded(message: Message) -> None:
            nonlocal too_large
            if message["type"] == "http.response.start":
                too_large = message["status"] == TOO_LARGE
                headers = MutableHeaders(scope=message)
                for name, value in SAFE.items():
                    headers.setdefault(name, value)
            if not too_large:
                await send(message)

        with suppress(ClientDisconnect):  # who goes away in the middle of an upload
            await self.app(scope, receive, guarded)
            if too_large:  # in our words instead of Gradio's
                refusal = JSONResponse({"error": self.too_large}, TOO_LARGE, SAFE)
                await refusal(scope, receive, send)


def guard(app: FastAPI, host: str, limit: int) -> None:
    """Keep pages from elsewhere out, and errors to a line; ``limit`` is an upload's, in bytes."""
    app.add_middleware(Guard, host=host, limit=limit)

    @app.exception_handler(ImpastoError)
    async def told(_: Request, error: ImpastoError) -> Response:
        return JSONResponse({"error": said(error)}, 400)

    @app.exception_handler(HTTPException)
    async def refused(_: Request, error: HTTPException) -> Response:
        return JSONResponse({"error": error.detail}, error.status_code)

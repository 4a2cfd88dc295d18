"""What programs may call, by `gradio_client` or MCP: /stylize, /status and /result."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr

from impasto.errors import ConfigError, ImpastoError
from impasto.studio import parts, views
from impasto.studio.desk import Desk, Wanted, parsed
from impasto.studio.paint_tab import copied
from impasto.studio.widgets import MAIN, said, widget


def wire(desk_of: Any) -> None:
    """Make the three endpoints."""
    with gr.Column(visible=False):
        photo = parts.photograph("api-photo", "Photograph")
        painting = gr.Textbox(
            "",
            label="Painting",
            info="Built-in styles' names, parted by commas; left empty where a file is given.",
        )
        own = parts.photograph("api-painting", "Painting, a file")
        settings = [setting(name) for name in MAIN]
        job = gr.Textbox(label="Job")
        state = gr.JSON(label="Status")
        file = gr.File(label="Result")
        begin, ask, fetch = gr.Button("stylize"), gr.Button("status"), gr.Button("result")

    def stylize(
        request: gr.Request,
        photo: Any,
        painting: str = "",
        own: Any = None,
        strength: float | None = None,
        style_scale: float | None = None,
        quality: str | None = None,
        size: str | None = None,
        color: str | None = None,
    ) -> str:
        """Repaint a photograph in the manner of a painting; gives the job's id at once.

        Args:
            request: whose it is.
            photo: the photograph, a file.
            painting: a built-in style's name, or several, parted by commas; or empty.
            own: a painting of one's own, a file; or none.
            strength: how much of the painting, from 0 to 1.
            style_scale: size of the strokes, above 1 broader.
            quality: draft, normal or fine.
            size: longer side in pixels, or original.
            color: whose colours: painted, luminance, photo or painting.
        """
        values = (strength, style_scale, quality, size, color)
        return begun(desk_of(request), photo, painting, own, dict(zip(MAIN, values, strict=True)))

    def status(job: str, request: gr.Request) -> dict[str, Any]:
        """Where a job stands: its status, the fraction that is done, the seconds left."""
        told: dict[str, Any] = answered(lambda: known(desk_of(request), job))
        return told

    def result(job: str, request: gr.Request) -> str:
        """The picture of a job that is done or stopped, a PNG with its recipe in it."""
        path: str = answered(lambda: str(copied(picture(desk_of(request), job))))
        return path

    inputs = [photo, painting, own, *settings]
    begin.click(stylize, inputs, job, api_name="stylize", concurrency_limit=None)
    ask.click(status, job, state, api_name="status", concurrency_limit=None)
    fetch.click(result, job, file, api_name="result", concurrency_limit=None)


def setting(name: str) -> Any:
    """A setting as programs give it: a size is any."""
    if name == "size":
        return gr.Textbox(str(widget(name).default), label=widget(name).label)
    made = parts.control(name)
    made.elem_id = f"api-{made.elem_id}"
    return made


def answered(call: Any) -> Any:
    """What a call gives; an error of ours as the line that it is."""
    try:
        return call()
    except ImpastoError as error:
        raise gr.Error(said(error), print_exception=False) from error


def begun(desk: Desk, photo: Any, painting: str, own: Any, values: dict[str, Any]) -> str:
    """Begin a picture; the job's id."""

    def begin() -> str:
        if photo is None:
            raise ConfigError("no photograph", "a picture's file")
        kept = desk.keep(*photo)
        ids = [name.strip() for name in (painting or "").split(",") if name.strip()]
        ids += [desk.keep_painting(*own).id] if own else []
        given = {name: parsed(name, value) for name, value in values.items() if value is not None}
        changed = {n: v for n, v in given.items() if v != widget(n).default}
        return desk.paint(Wanted(kept, dict.fromkeys(ids, 1.0), changed)).id

    identity: str = answered(begin)
    return identity


def known(desk: Desk, job: str) -> dict[str, Any]:
    """Where a job stands."""
    view = views.view(desk.get(job))
    return {name: view[name] for name in view if name not in ("photo", "preview")}


def picture(desk: Desk, job: str) -> Path:
    """A job's result.

    Raises:
        ConfigError: there is none yet.
    """
    entry = desk.get(job)
    if not entry.result_path.is_file():
        raise ConfigError(f"job {job}: no picture yet", "", views.words(entry.state()))
    return entry.result_path

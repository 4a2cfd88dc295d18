"""What programs may call, by `gradio_client` or MCP: /stylize, /clip, /status and /result."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr

from impasto.errors import ConfigError, ImpastoError
from impasto.studio import parts, views
from impasto.studio.clips import Span
from impasto.studio.desk import Desk, Wanted, parsed
from impasto.studio.kinds import CLIP
from impasto.studio.paint_tab import copied
from impasto.studio.widgets import MAIN, said, widget


def wire(desk_of: Any) -> None:
    """Make the four endpoints."""
    with gr.Column(visible=False):
        job = gr.Textbox(label="Job")
        wire_stylize(desk_of, job)
        wire_clip(desk_of, job)
        wire_status(desk_of, job)


def wire_stylize(desk_of: Any, job: gr.Textbox) -> None:
    """A picture is begun."""
    photo = parts.photograph("api-photo", "Photograph")
    painting, own = paintings("api-painting")
    settings = [setting(name) for name in MAIN]
    begin = gr.Button("stylize")

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
        hand: str | None = None,
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
            hand: faithful to the photograph, or painterly.
        """
        values = (strength, style_scale, quality, size, color, hand)
        return begun(desk_of(request), photo, painting, own, dict(zip(MAIN, values, strict=True)))

    inputs = [photo, painting, own, *settings]
    begin.click(stylize, inputs, job, api_name="stylize", concurrency_limit=None)


def wire_clip(desk_of: Any, job: gr.Textbox) -> None:
    """A film is begun."""
    clip = gr.File(label="Clip", elem_id="api-clip")
    painting, own = paintings("api-clip-painting")
    span = [gr.Number(None, label=name) for name in ("From", "To", "Frames a second")]
    settings = [setting(name, "api-clip") for name in MAIN]
    begin = gr.Button("clip")

    def clip_(
        request: gr.Request,
        clip: Any,
        painting: str = "",
        own: Any = None,
        begin_s: float | None = None,
        end_s: float | None = None,
        fps: float | None = None,
        strength: float | None = None,
        style_scale: float | None = None,
        quality: str | None = None,
        size: str | None = None,
        color: str | None = None,
        hand: str | None = None,
    ) -> str:
        """Repaint a clip in the manner of a painting, as an MP4; gives the job's id at once.

        Args:
            request: whose it is.
            clip: an MP4, MOV, MKV or WebM, or a GIF, WebP or PNG that moves.
            painting: a built-in style's name, or several, parted by commas; or empty.
            own: a painting of one's own, a file; or none.
            begin_s: from this second on.
            end_s: up to this second.
            fps: frames in a second, at most.
            strength: how much of the painting, from 0 to 1.
            style_scale: size of the strokes, above 1 broader.
            quality: draft, normal or fine.
            size: longer side in pixels.
            color: whose colours: painted, luminance, photo or painting.
            hand: faithful to the photograph, or painterly.
        """
        values = (strength, style_scale, quality, size, color, hand)
        settings, span = dict(zip(MAIN, values, strict=True)), Span(begin_s, end_s, fps)
        return begun_clip(desk_of(request), clip, painting, own, settings, span)

    inputs = [clip, painting, own, *span, *settings]
    begin.click(clip_, inputs, job, api_name="clip", concurrency_limit=None)


def wire_status(desk_of: Any, job: gr.Textbox) -> None:
    """It is told where a job stands, and what came of it is given out."""
    state, file = gr.JSON(label="Status"), gr.File(label="Result")
    ask, fetch = gr.Button("status"), gr.Button("result")

    def status(job: str, request: gr.Request) -> dict[str, Any]:
        """Where a job stands: its status, the fraction that is done, the seconds left."""
        told: dict[str, Any] = answered(lambda: known(desk_of(request), job))
        return told

    def result(job: str, request: gr.Request) -> str:
        """What came of a job: a picture, done or stopped, as a PNG with its recipe; or a film."""
        path: str = answered(lambda: str(copied(made(desk_of(request), job))))
        return path

    ask.click(status, job, state, api_name="status", concurrency_limit=None)
    fetch.click(result, job, file, api_name="result", concurrency_limit=None)


def paintings(elem_id: str) -> tuple[gr.Textbox, Any]:
    """Where paintings are named, and where one comes in."""
    info = "Built-in styles' names, parted by commas; left empty where a file is given."
    return gr.Textbox("", label="Painting", info=info), parts.photograph(
        elem_id, "Painting, a file"
    )


def setting(name: str, prefix: str = "api") -> Any:
    """A setting as programs give it: a size is any."""
    if name == "size":
        return gr.Textbox(str(widget(name).default), label=widget(name).label)
    made = parts.control(name)
    made.elem_id = f"{prefix}-{made.elem_id}"
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
        return desk.paint(wanted(desk, desk.keep(*photo), painting, own, values)).id

    identity: str = answered(begin)
    return identity


def begun_clip(
    desk: Desk, clip: Any, painting: str, own: Any, values: dict[str, Any], span: Span
) -> str:
    """Begin a film; the job's id."""

    def begin() -> str:
        if clip is None:
            raise ConfigError("no clip", "a film's file")
        kept = desk.keep_clip(Path(clip), Path(clip).name)
        return desk.clip(wanted(desk, kept, painting, own, values), span).id

    identity: str = answered(begin)
    return identity


def wanted(desk: Desk, kept: Path, painting: str, own: Any, values: dict[str, Any]) -> Wanted:
    """What a program has asked for.

    Raises:
        ImpastoError: a painting or a value that can't be used.
    """
    ids = [name.strip() for name in (painting or "").split(",") if name.strip()]
    ids += [desk.keep_painting(*own).id] if own else []
    given = {name: parsed(name, value) for name, value in values.items() if value is not None}
    changed = {n: v for n, v in given.items() if v != widget(n).default}
    return Wanted(kept, dict.fromkeys(ids, 1.0), changed)


def known(desk: Desk, job: str) -> dict[str, Any]:
    """Where a job stands."""
    view = views.view(desk.get(job))
    return {name: view[name] for name in view if name not in ("photo", "preview")}


def made(desk: Desk, job: str) -> Path:
    """A job's result.

    Raises:
        ConfigError: there is none yet.
    """
    entry = desk.get(job)
    if not entry.result_path.is_file():
        what = "film" if entry.task.kind == CLIP else "picture"
        raise ConfigError(f"job {job}: no {what} yet", "", views.words(entry.state()))
    return entry.result_path

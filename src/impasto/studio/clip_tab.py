"""The page's fourth tab: a clip, painted frame by frame."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import gradio as gr

from impasto.config import ORIGINAL
from impasto.errors import ImpastoError
from impasto.studio import clips, kinds, paint_tab, parts
from impasto.studio.clips import Span
from impasto.studio.desk import CLIP_ENDING, Desk, ticket
from impasto.studio.paint_tab import Paint, wanted
from impasto.studio.parts import PRIVATE, told
from impasto.studio.widgets import said, widget

NO_CLIP = "Choose a clip first."
EMPTY = (
    "Choose a clip. Preview paints a few of its frames and says how long all will take; the film "
    "comes into being here, frame by frame, and plays here."
)
READS = "MP4, MOV, MKV, WebM, GIF, WebP"
DROP_PX = 150
# What a person may leave empty, what that means, and its element.
SPAN: Mapping[str, tuple[str, str]] = {
    "From, in seconds": ("its beginning", "clip-from"),
    "To, in seconds": ("its end", "clip-to"),
    "Frames a second": ("all of them", "clip-fps"),
}


@dataclass
class ClipTab:
    """The tab's parts.

    Attributes:
        file: where a clip comes in.
        kept: the clip's file in the queue's folder.
        shown: its first frame, and what its file says.
        span: from, to and frames in a second.
        size: of the film.
        ending: what it is written as.
        chosen: a line on what holds of the Paint tab.
        preview, go: the buttons.
        message: a line about what was asked for.
        view: of the job.
        job: the id of the job that is shown, remembered by the browser.
        last: the clip, as a ``ticket``, likewise.
    """

    file: gr.File
    kept: gr.State
    shown: gr.HTML
    span: list[gr.Textbox]
    size: gr.Dropdown
    ending: gr.Dropdown
    chosen: gr.HTML
    preview: gr.Button
    go: gr.Button
    message: gr.HTML
    view: gr.HTML
    job: gr.BrowserState
    last: gr.BrowserState

    @property
    def restored(self) -> list[Any]:
        """What ``found_again`` fills."""
        return [self.kept, self.shown, self.job, self.view]


def build(job: gr.BrowserState, last: gr.BrowserState) -> ClipTab:
    """Lay the tab out; without what reads clips it says so, and its buttons rest.

    Args:
        job: ClipTab's, as is
        last: too.
    """
    lacking = clips.missing()
    with gr.Row(equal_height=False):
        with gr.Column(scale=5, min_width=320, elem_id="clip-left"):
            if lacking:
                gr.HTML(told(lacking, wrong=True), elem_id="clip-missing", elem_classes="line")
            parts.step("1. A clip")
            file = gr.File(
                label=READS,
                height=DROP_PX,
                elem_id="clip",
                interactive=not lacking,
            )
            shown = gr.HTML("", elem_id="clip-shown", js_on_load=None)
            span, size, ending = build_how()
            parts.step("3. Painting and settings")
            chosen = parts.line("clip-chosen")
            with gr.Row():
                known: dict[str, Any] = {"interactive": not lacking, "min_width": 140}
                preview = gr.Button("Preview", elem_id="clip-preview", **known)
                go = gr.Button("Paint the clip", variant="primary", elem_id="clip-go", **known)
        with gr.Column(scale=7, min_width=320, elem_id="clip-right"):
            message = parts.line("clip-message")
            view = parts.view("clip-view", EMPTY)
    return ClipTab(
        file, gr.State(None), shown, span, size, ending, chosen, preview, go, message, view, job,
        last,
    )  # fmt: skip


def build_how() -> tuple[list[gr.Textbox], gr.Dropdown, gr.Dropdown]:
    """Which part of the clip, and what becomes of it."""
    parts.step("2. Which part, and how large")
    with gr.Row():
        span = [
            gr.Textbox("", label=label, placeholder=usual, max_lines=1, min_width=110, elem_id=name)
            for label, (usual, name) in SPAN.items()
        ]
    with gr.Row():
        sizes = [each for each in widget("size").choices if each[1] != ORIGINAL]
        size = parts.control("size", min_width=150)
        size.choices, size.elem_id = sizes, "clip-size"
        endings = [(words, ending) for ending, (words, _) in clips.ENDINGS.items()]
        ending = gr.Dropdown(
            endings, value=CLIP_ENDING, label="Written as", min_width=150, elem_id="clip-ending"
        )
    return span, size, ending


def shown_words(path: Path) -> str:
    """A clip's first frame, and what its file says.

    Raises:
        PictureError: it can't be read any more.
    """
    clip = clips.open_clip(path)
    picture = base64.b64encode(clips.poster(clip)).decode()
    words = escape(clips.facts(clip))
    frame = f'<img src="data:image/jpeg;base64,{picture}" alt="The clip\'s first frame">'
    return f"<figure>{frame}<figcaption>{words}</figcaption></figure>"


def wire(tab: ClipTab, page: gr.Tab, paint: Paint, desk_of: Any) -> None:
    """Let the tab's parts do what they say."""
    wire_clip(tab, desk_of)
    wire_chosen(tab, page, paint, desk_of)
    wire_go(tab, paint, desk_of)


def wire_clip(tab: ClipTab, desk_of: Any) -> None:
    """A clip comes in, or goes."""

    def take(file: str, request: gr.Request) -> list[Any]:
        path = Path(file)
        try:
            kept = desk_of(request).keep_clip(path, path.name)
            return [kept, shown_words(kept), ""]
        except ImpastoError as error:
            return [None, "", told(said(error), wrong=True)]

    tab.file.upload(take, tab.file, [tab.kept, tab.shown, tab.message], **PRIVATE)
    tab.file.clear(lambda: [None, "", ""], None, [tab.kept, tab.shown, tab.message], **PRIVATE)
    tab.kept.change(lambda kept: ticket(kept) if kept else "", tab.kept, tab.last, **PRIVATE)


def wire_chosen(tab: ClipTab, page: gr.Tab, paint: Paint, desk_of: Any) -> None:
    """What holds of the Paint tab is said."""

    def say(request: gr.Request, _: Any, picked: Any, *values: Any) -> str:
        try:
            what = wanted(Path(), picked, values)
            return told(paint_tab.chosen_words(desk_of(request), what, without=("size",)))
        except ImpastoError as error:
            return told(said(error), wrong=True)

    page.select(say, paint.chosen, tab.chosen, **PRIVATE)


def wire_go(tab: ClipTab, paint: Paint, desk_of: Any) -> None:
    """A clip, or a preview of it, is begun."""

    def begin(kind: str) -> Any:
        def begun(
            request: gr.Request, clip: Path | None, begin: str, end: str, fps: str, size: Any,
            ending: str, _: Any, picked: Any, *values: Any,
        ) -> list[Any]:  # fmt: skip
            if clip is None:
                return [gr.skip(), gr.skip(), told(NO_CLIP, wrong=True)]
            settings = dict(zip(paint.settings, values, strict=True)) | {"size": size}
            try:
                what = wanted(clip, picked, list(settings.values()))
                given = zip((begin, end, fps), SPAN, strict=True)
                span = Span(*(clips.moment(text, label) for text, label in given))
                entry = desk_of(request).clip(what, span, kind, ending)
            except ImpastoError as error:
                return [gr.skip(), gr.skip(), told(said(error), wrong=True)]
            return [entry.id, entry.id, ""]

        return begun

    inputs = [tab.kept, *tab.span, tab.size, tab.ending, *paint.chosen]
    outputs = [tab.job, tab.view, tab.message]
    tab.preview.click(begin(kinds.PREVIEW), inputs, outputs, **PRIVATE)
    tab.go.click(begin(kinds.CLIP), inputs, outputs, **PRIVATE)


def found_again(desk: Desk, job: str, last: str, kept: Path | None) -> list[Any]:
    """The clip and the job of a page that is opened, as many as ClipTab.restored."""
    entry = desk.find(job or "") or desk.newest_clip()
    shown = entry.id if entry else ""
    clip = desk.kept(last or "")
    if kept is None and clip is not None:  # else a person was faster
        try:
            return [clip, shown_words(clip), shown, shown]
        except ImpastoError:
            return [gr.skip(), gr.skip(), shown, shown]
    return [gr.skip(), gr.skip(), shown, shown]

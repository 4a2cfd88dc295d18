"""The page's third tab: a folder of photographs, painted alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from impasto.errors import ImpastoError
from impasto.studio import groups, paint_tab, parts
from impasto.studio.desk import Desk, Wanted
from impasto.studio.forecast import duration
from impasto.studio.groups import MOST_AT_ONCE, Batch
from impasto.studio.paint_tab import Paint, wanted
from impasto.studio.parts import PRIVATE, told
from impasto.studio.widgets import said

NO_PHOTOS = "Choose photographs first, or a folder of them."
EMPTY = "The pictures come here, one by one. You can close the page: they go on."
SEVERAL = [("A picture after each painting", "each"), ("One picture after all, mixed", "mixed")]
MIXED = "mixed"
LIST_PX = 170


@dataclass
class Folder:
    """The tab's parts.

    Attributes:
        files: that came in.
        folder: the button for a whole folder of them.
        chosen: a line on what holds of the Paint tab.
        several: what is made of several paintings.
        forecast: a line on how many pictures that will be, and how long they will take.
        go: the button.
        message: a line about what was asked for.
        sheet: the batch as it comes.
        group: the batch's, remembered by the browser.
    """

    files: gr.File
    folder: gr.UploadButton
    chosen: gr.HTML
    several: gr.Radio
    forecast: gr.HTML
    go: gr.Button
    message: gr.HTML
    sheet: gr.HTML
    group: gr.BrowserState


def build(group: gr.BrowserState) -> Folder:
    """Lay the tab out; group is Folder's."""
    with gr.Row(equal_height=False):
        with gr.Column(scale=4, min_width=320, elem_id="folder-left"):
            parts.step("1. The photographs")
            files = gr.File(
                label=f"Photographs, for up to {MOST_AT_ONCE} pictures",
                file_count="multiple",
                height=LIST_PX,
                elem_id="batch",
            )
            folder = gr.UploadButton(
                "Choose a whole folder", size="sm", elem_id="batch-folder", file_count="directory"
            )
            parts.step("2. Painting and settings")
            chosen = parts.line("batch-chosen")
            several = gr.Radio(
                SEVERAL,
                value="each",
                label="Several paintings",
                visible=False,
                elem_id="batch-several",
            )
            forecast = parts.line("batch-forecast", NO_PHOTOS)
            go = gr.Button("Paint them all", variant="primary", elem_id="batch-go")
        with gr.Column(scale=8, min_width=320):
            message = parts.line("batch-message")
            words = f'empty="{EMPTY}"'
            sheet = parts.own("impasto-batch", {"group": ""}, "batch-sheet", words)
    return Folder(files, folder, chosen, several, forecast, go, message, sheet, group)


def handed(files: Sequence[str] | None) -> list[tuple[Path, str]]:
    """What came in, as groups.py takes it."""
    return [(Path(each), Path(each).name) for each in files or []]


def expected(desk: Desk, files: Sequence[str] | None, what: Wanted, *, mixed: bool) -> str:
    """How many pictures there will be, and how long they will take.

    Raises:
        ImpastoError: of its children the one that fits.
    """
    photos = [path for path, name in handed(files) if groups.is_picture(name)]
    if not photos:
        return NO_PHOTOS
    count = len(photos) * len(groups.each_after(what, mixed=mixed))
    words = f"{len(photos)} photograph{'s' * (len(photos) > 1)}"
    words += f", {count} picture{'s' * (count > 1)}"
    for photo in photos:  # by the first that can be read: the others are told when their turn comes
        try:
            found = desk.forecast(Wanted(photo, what.paintings, what.settings))
        except ImpastoError:
            continue
        took = found.seconds
        return words + (f", about {duration(took * count)} in all" if took is not None else "")
    return words


def wire(tab: Folder, page: gr.Tab, paint: Paint, tabs: gr.Tabs, desk_of: Any) -> None:
    """Let the tab's parts do what they say."""
    wire_forecast(tab, page, paint, desk_of)
    wire_go(tab, paint, desk_of)
    paint_tab.wire_cells(tab.sheet, paint, tabs, desk_of)
    tab.folder.upload(lambda files: files, tab.folder, tab.files, **PRIVATE)


def wire_forecast(tab: Folder, page: gr.Tab, paint: Paint, desk_of: Any) -> None:
    """What holds of the Paint tab is said, and what it will take."""

    def expect(
        request: gr.Request, files: list[str] | None, several: str, _: Any, picked: Any,
        *values: Any,
    ) -> list[Any]:  # fmt: skip
        desk = desk_of(request)
        shown = gr.update(visible=len(picked.get("chosen", {})) > 1)
        try:
            what = wanted(Path(), picked, values)
            words = told(paint_tab.chosen_words(desk, what))
            return [words, told(expected(desk, files, what, mixed=several == MIXED)), shown]
        except ImpastoError as error:
            return [gr.skip(), told(said(error), wrong=True), shown]

    changes = [page.select, tab.files.change, tab.several.change]
    inputs = [tab.files, tab.several, *paint.chosen]
    outputs = [tab.chosen, tab.forecast, tab.several]
    gr.on(changes, expect, inputs, outputs, trigger_mode="always_last", **PRIVATE)


def wire_go(tab: Folder, paint: Paint, desk_of: Any) -> None:
    """A batch is begun."""

    def go(
        request: gr.Request, files: list[str] | None, several: str, _: Any, picked: Any,
        *values: Any,
    ) -> list[Any]:  # fmt: skip
        if not files:
            return [gr.skip(), gr.skip(), told(NO_PHOTOS, wrong=True)]
        try:
            what = wanted(Path(), picked, values)
            made = groups.start(desk_of(request), handed(files), what, mixed=several == MIXED)
        except ImpastoError as error:
            return [gr.skip(), gr.skip(), told(said(error), wrong=True)]
        return [{"group": made.group}, made.group, ""]

    inputs = [tab.files, tab.several, *paint.chosen]
    tab.go.click(go, inputs, [tab.sheet, tab.group, tab.message], **PRIVATE)


def found_again(desk: Desk, group: str) -> dict[str, str]:
    """What the sheet shows on a page that is opened: its last batch, or one that is at work."""
    batch: Batch | None = Batch(desk, group or "")
    if batch is None or not batch.there:
        batch = groups.newest(desk)
    return {"group": batch.group if batch else ""}

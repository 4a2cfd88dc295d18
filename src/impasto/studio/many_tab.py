"""The page's second tab: a sheet of what one setting or two do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr

from impasto.config import CHECKS, choices
from impasto.errors import ImpastoError
from impasto.queue.entry import Entry
from impasto.studio import paint_tab, parts
from impasto.studio.paint_tab import NO_PHOTO, Paint, wanted
from impasto.studio.parts import PRIVATE, told
from impasto.studio.widgets import LABELS, said

SHEET_PX = 256  # enough to see what an option does, and four times as fast as 512
# Where to begin; anything that the setting may be can be typed instead.
VALUES = {
    "strength": "0.2, 0.5, 0.8",
    "style_scale": "0.5, 1, 2",
    "hand": "faithful, painterly",
    "seed": "1, 2, 3",
    "tv_weight": "0, 2, 8",
    "iterations": "20, 60, 180",
}
VARIED = (
    "strength",
    "style_scale",
    "hand",
    "color",
    "quality",
    "seed",
    "tv_weight",
    "distance",
    "start",
)
ABOUT = (
    "One setting tried at several values, or two against each other, on one sheet. Photograph, "
    "painting and all other settings are those of the Paint tab."
)


@dataclass
class Many:
    """The tab's parts."""

    first: gr.Dropdown
    first_values: gr.Textbox
    second: gr.Dropdown
    second_values: gr.Textbox
    size: gr.Dropdown
    go: gr.Button
    message: gr.HTML
    sheet: gr.HTML


def build() -> Many:
    """Lay the tab out."""
    named = [(LABELS[name], name) for name in VARIED]
    with gr.Row(equal_height=False):
        with gr.Column(scale=4, min_width=320, elem_id="many-left"):
            parts.step("Try values of a setting")
            parts.line("many-about", ABOUT)
            first = gr.Dropdown(named, value="strength", label="Setting", elem_id="vary-1")
            first_values = gr.Textbox(usual("strength"), label="Its values", elem_id="values-1")
            nothing = [("None", ""), *named]
            second = gr.Dropdown(nothing, value="", label="Against", elem_id="vary-2")
            second_values = gr.Textbox("", label="Its values", visible=False, elem_id="values-2")
            size = parts.control("size", value=SHEET_PX)
            size.elem_id = "sheet-size"
            go = gr.Button("Try them", variant="primary", elem_id="try")
        with gr.Column(scale=8, min_width=320):
            message = parts.line("many-message", "The sheet fills here, cell by cell.")
            sheet = parts.own("impasto-sheet", {"cells": []}, "sheet")
    return Many(first, first_values, second, second_values, size, go, message, sheet)


def usual(name: str) -> str:
    """Values to begin with."""
    return (
        VALUES[name]
        if name in VALUES
        else ", ".join(choices(name))
        if name in CHECKS and name != "start"
        else "content, noise"
    )


def sheet_of(made: Sequence[tuple[Entry, str]], columns: int, title: str) -> dict[str, Any]:
    """What the sheet shows."""
    cells = [{"id": entry.id, "label": label} for entry, label in made]
    return {"cells": cells, "columns": columns, "title": title}


def wire(tab: Many, paint: Paint, tabs: gr.Tabs, desk_of: Any) -> None:
    """Let the tab's parts do what they say."""
    tab.first.change(lambda name: usual(name), tab.first, tab.first_values, **PRIVATE)
    tab.second.change(
        lambda name: gr.update(value=usual(name) if name else "", visible=bool(name)),
        tab.second,
        tab.second_values,
        **PRIVATE,
    )
    wire_sweep(tab, paint, desk_of)
    paint_tab.wire_cells(tab.sheet, paint, tabs, desk_of)


def wire_sweep(tab: Many, paint: Paint, desk_of: Any) -> None:
    """A sheet of one option or two."""

    def sweep(
        request: gr.Request, first: str, one: str, second: str, two: str, size: Any, kept: Any,
        picked: Any, *values: Any,
    ) -> list[Any]:  # fmt: skip
        if kept is None:
            return [gr.skip(), told(NO_PHOTO, wrong=True)]
        varied = [(first, one), *([(second, two)] if second else [])]
        settings = dict(zip(paint.settings, values, strict=True)) | {"size": size}
        try:
            what = wanted(kept, picked, list(settings.values()))
            made = desk_of(request).sweep(what, varied)
        except ImpastoError as error:
            return [gr.skip(), told(said(error), wrong=True)]
        columns = len({label.rpartition(", ")[2] for _, label in made})
        title = f"{len(made)} pictures. Click one to take its settings to the Paint tab."
        return [sheet_of(made, min(columns, 6), title), ""]

    inputs = [tab.first, tab.first_values, tab.second, tab.second_values, tab.size, *paint.chosen]
    tab.go.click(sweep, inputs, [tab.sheet, tab.message], **PRIVATE)

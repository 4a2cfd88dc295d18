"""The page's third tab: every picture ever made, and what can be made of one."""

from __future__ import annotations

import json
from dataclasses import dataclass
from html import escape
from typing import Any

import gradio as gr

from impasto import pictures
from impasto.errors import ImpastoError
from impasto.queue.entry import Entry
from impasto.studio import kinds, lines, paint_tab, parts, views
from impasto.studio.desk import Desk, parsed
from impasto.studio.paint_tab import Paint
from impasto.studio.parts import PRIVATE, told
from impasto.studio.widgets import SIZES_PX, said
from impasto.words import MEASURES

LOOK_EVERY_S = 1.0
LARGER_PX = 1024
NAMES = {kinds.FILM: "The film", kinds.EXPLAIN: "The report", kinds.MEASURES: "The measures"}
AGAIN = (
    "This picture was steered, and a plain command does not repeat that. Download it as PNG; "
    "`impasto rerun` on that file makes it again, byte for byte."
)


@dataclass
class Gallery:
    """The tab's parts."""

    shown: gr.HTML
    box: gr.Column
    take: gr.Button
    size: gr.Dropdown
    larger: gr.Button
    larger_line: gr.HTML
    film: gr.Button
    film_box: gr.HTML
    explain: gr.Button
    report: gr.HTML
    measure: gr.Button
    numbers: gr.HTML
    steered: gr.HTML
    command: gr.Code
    python: gr.Code
    recipe: gr.Code
    message: gr.HTML
    timer: gr.Timer


def build() -> Gallery:
    """Lay the tab out."""
    message = parts.line("gallery-message")
    shown = parts.own("impasto-gallery", {"chosen": ""}, "pictures")
    with gr.Column(visible=False, elem_id="of-one") as box:
        take = gr.Button("Paint with these settings", variant="primary", elem_id="take")
        with gr.Accordion("Again, larger", open=False):
            sizes = [(f"{side} px", side) for side in SIZES_PX]
            size = gr.Dropdown(sizes, value=LARGER_PX, label="Longer side", elem_id="larger-size")
            larger_line = parts.line("larger-line")
            larger = gr.Button("Paint it at this size", elem_id="larger")
        with gr.Accordion("Its film", open=False):
            film = gr.Button("Make the film", elem_id="film")
            film_box = gr.HTML("", elem_id="film-box", js_on_load=None)
        with gr.Accordion("How it came about", open=False):
            explain = gr.Button("Explain this picture", elem_id="explain")
            report = gr.HTML("", elem_id="report", js_on_load=None)
        with gr.Accordion("Its measures", open=False):
            measure = gr.Button("Measure this picture", elem_id="measure")
            numbers = gr.HTML("", elem_id="numbers", js_on_load=None)
        with gr.Accordion("Recipe, command line and Python", open=False):
            steered = parts.line("steered")
            command = gr.Code(
                "",
                lines=2,
                show_line_numbers=False,
                language="shell",
                label="Command line",
                interactive=False,
                elem_id="command",
                wrap_lines=True,
            )
            python = gr.Code(
                "",
                lines=2,
                show_line_numbers=False,
                language="python",
                label="Python",
                interactive=False,
                elem_id="python",
                wrap_lines=True,
            )
            recipe = gr.Code(
                "",
                lines=2,
                show_line_numbers=False,
                language="json",
                label="Recipe",
                interactive=False,
                elem_id="recipe",
                max_lines=20,
            )
    timer = gr.Timer(LOOK_EVERY_S, active=False)
    return Gallery(
        shown, box, take, size, larger, larger_line, film, film_box, explain, report, measure,
        numbers, steered, command, python, recipe, message, timer,
    )  # fmt: skip


def recipe_of(entry: Entry) -> str:
    """What is in a picture's file, as text."""
    try:
        return json.dumps(pictures.read_recipe(entry.result_path), indent=1, ensure_ascii=False)
    except ImpastoError as error:
        return said(error)


def made(desk: Desk, entry: Entry) -> tuple[list[str], bool]:
    """What has come of a picture: its film, report and numbers, as HTML; and whether more comes."""
    jobs = {kind: desk.made_of(entry, kind) for kind in NAMES}
    drawn = {kinds.FILM: film_html, kinds.EXPLAIN: report_html, kinds.MEASURES: numbers_html}
    shown, coming = [], False
    for kind, job in jobs.items():
        if job is None:
            shown.append("")
        elif job.state().status == "done":
            shown.append(drawn[kind](job))
        else:
            state = job.state()
            coming = coming or not state.ended
            words = state.error or views.words(state).replace("Painting", NAMES[kind])
            shown.append(told(words, wrong=bool(state.error)))
    return shown, coming


def film_html(job: Entry) -> str:
    """The film, to be seen and taken away."""
    film = job.task.order.timeline
    assert film is not None, "the desk asked for one"
    url = f"studio/jobs/{job.id}/film{film.suffix}"
    shown = (
        f'<video src="{url}" controls loop muted playsinline></video>'
        if film.suffix == ".mp4"
        else f'<img src="{url}" alt="The picture coming into being">'
    )
    return f'{shown}<p><a href="{url}" download>Save the film</a></p>'


def report_html(job: Entry) -> str:
    """The report, in a frame that may do nothing but show it, and as a file."""
    url = f"studio/jobs/{job.id}/report.html"
    return (
        f'<iframe src="{url}" sandbox="allow-scripts" title="How the picture came about"></iframe>'
        f'<p><a href="{url}" download="report.html">Save the report as a file</a></p>'
    )


def numbers_html(job: Entry) -> str:
    """What was measured, as a table."""
    known = kinds.numbers(job)
    rows = [
        f"<tr><th scope='row'>{escape(called(name))}</th><td>{known[name]:.3g}</td>"
        f"<td>{escape(MEASURES[name])}</td></tr>"
        for name in MEASURES
        if known.get(name) is not None
    ]
    return f'<table class="numbers">{"".join(rows)}</table>'


def called(name: str) -> str:
    """A measure's name for people."""
    return name.upper() if name in ("lpips", "ssim", "tv") else name.replace("_", " ").capitalize()


def wire(tab: Gallery, page: gr.Tab, paint: Paint, tabs: gr.Tabs, desk_of: Any) -> None:
    """Let the tab's parts do what they say."""
    wire_choice(tab, page, desk_of)
    wire_more(tab, desk_of)

    def chosen(shown: dict[str, Any], request: gr.Request) -> tuple[Desk, Entry | None]:
        desk = desk_of(request)
        return desk, desk.find(shown.get("chosen", ""))

    def take(shown: dict[str, Any], request: gr.Request) -> list[Any]:
        desk, entry = chosen(shown, request)
        if entry is None:
            return [gr.skip()] * (2 + len(paint.shown))
        try:
            return [gr.Tabs(selected="paint"), "", *paint_tab.filled(desk, desk.wanted_of(entry))]
        except ImpastoError as error:
            return [gr.skip(), told(said(error), wrong=True), *[gr.skip()] * len(paint.shown)]

    tab.take.click(take, tab.shown, [tabs, tab.message, *paint.shown], **PRIVATE)

    def expect(shown: dict[str, Any], size: Any, request: gr.Request) -> str:
        desk, entry = chosen(shown, request)
        if entry is None:
            return ""
        try:
            return told(desk.larger_forecast(entry, parsed("size", size)).words)
        except ImpastoError as error:
            return told(said(error), wrong=True)

    gr.on(
        [tab.size.change, tab.shown.select],
        expect,
        [tab.shown, tab.size],
        tab.larger_line,
        **PRIVATE,
    )

    def larger(shown: dict[str, Any], size: Any, request: gr.Request) -> list[Any]:
        desk, entry = chosen(shown, request)
        if entry is None:
            return [gr.skip()] * 4
        try:
            new = desk.larger(entry, parsed("size", size))
        except ImpastoError as error:
            return [gr.skip(), told(said(error), wrong=True), gr.skip(), gr.skip()]
        return [gr.Tabs(selected="paint"), "", new.id, new.id]

    outputs = [tabs, tab.larger_line, paint.job, paint.view]
    tab.larger.click(larger, [tab.shown, tab.size], outputs, **PRIVATE)


def wire_choice(tab: Gallery, page: gr.Tab, desk_of: Any) -> None:
    """A picture is chosen, or the gallery is opened anew."""

    def choose(shown: dict[str, Any], request: gr.Request) -> list[Any]:
        desk = desk_of(request)
        entry = desk.find(shown.get("chosen", ""))
        if entry is None:
            return [gr.update(visible=False), *[""] * 7, gr.update(active=False)]
        order = entry.task.order
        steered = told(AGAIN) if entry.turns() else ""
        made_of, coming = made(desk, entry)
        words = [steered, lines.command(order), lines.python(order), recipe_of(entry)]
        return [gr.update(visible=True), *words, *made_of, gr.update(active=coming)]

    outputs = [tab.box, tab.steered, tab.command, tab.python, tab.recipe]
    outputs += [tab.film_box, tab.report, tab.numbers, tab.timer]
    tab.shown.select(choose, tab.shown, outputs, **PRIVATE)

    def anew(shown: dict[str, Any]) -> dict[str, Any]:
        return {**shown, "opened": shown.get("opened", 0) + 1}

    page.select(anew, tab.shown, tab.shown, **PRIVATE)


def wire_more(tab: Gallery, desk_of: Any) -> None:
    """Film, report and measures: begun with a button, shown when they are there."""

    def look(shown: dict[str, Any], request: gr.Request) -> list[Any]:
        desk = desk_of(request)
        entry = desk.find(shown.get("chosen", ""))
        if entry is None:
            return ["", "", "", gr.update(active=False)]
        found, coming = made(desk, entry)
        return [*found, gr.update(active=coming)]

    outputs = [tab.film_box, tab.report, tab.numbers, tab.timer]
    tab.timer.tick(look, tab.shown, outputs, **PRIVATE)

    def begin(kind: str) -> Any:
        def begun(shown: dict[str, Any], request: gr.Request) -> list[Any]:
            desk = desk_of(request)
            entry = desk.find(shown.get("chosen", ""))
            if entry is None:
                return [gr.skip()] * 5
            try:
                desk.more(entry, kind)
            except ImpastoError as error:
                return [*[gr.skip()] * 4, told(said(error), wrong=True)]
            return [*look(shown, request), ""]

        return begun

    for button, kind in (
        (tab.film, kinds.FILM),
        (tab.explain, kinds.EXPLAIN),
        (tab.measure, kinds.MEASURES),
    ):
        button.click(begin(kind), tab.shown, [*outputs, tab.message], **PRIVATE)

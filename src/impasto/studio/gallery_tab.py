"""The page's last tab: every picture ever made, and what can be made of one."""

from __future__ import annotations

import json
from dataclasses import dataclass
from html import escape
from typing import Any

import gradio as gr

from impasto import pictures
from impasto.errors import ImpastoError
from impasto.queue.entry import Entry
from impasto.queue.task import PICTURE
from impasto.studio import kinds, lines, paint_tab, parts, views
from impasto.studio.desk import NONE_CAME, Desk, parsed
from impasto.studio.paint_tab import Paint
from impasto.studio.parts import PRIVATE, told
from impasto.studio.widgets import SIZES_PX, said
from impasto.words import MEASURES

LOOK_EVERY_S = 1.0
LARGER_PX = 1024
RECIPE_LINES = 20  # that are seen of a recipe at once; it scrolls
NAMES = {kinds.FILM: "The film", kinds.EXPLAIN: "The report", kinds.MEASURES: "The measures"}
# In the browser, since an answer that comes late would undo what was chosen meanwhile.
ANEW = "(shown) => ({ ...shown, opened: (shown.opened || 0) + 1 })"
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

    @property
    def of_it(self) -> list[Any]:
        """What ``made`` fills."""
        boxes, buttons = (self.film_box, self.report, self.numbers), self.more
        return [*boxes, *buttons.values(), self.timer]

    @property
    def more(self) -> dict[str, gr.Button]:
        """The buttons that ask for more, by what they ask for."""
        return {kinds.FILM: self.film, kinds.EXPLAIN: self.explain, kinds.MEASURES: self.measure}


def build() -> Gallery:
    """Lay the tab out."""
    message = parts.line("gallery-message")
    shown = parts.own("impasto-gallery", {"chosen": ""}, "pictures")
    with gr.Column(visible=False, elem_id="of-one") as box:
        take = gr.Button("Paint with these settings", variant="primary", elem_id="take")
        size, larger_line, larger = build_larger()
        film, film_box = build_more("Its film", "Make the film", "film", "film-box")
        explain, report = build_more(
            "How it came about", "Explain this picture", "explain", "report"
        )
        measure, numbers = build_more("Its measures", "Measure this picture", "measure", "numbers")
        with gr.Accordion("Recipe, command line and Python", open=False):
            steered = parts.line("steered")
            command = code("Command line", "shell", "command")
            python = code("Python", "python", "python")
            recipe = code("Recipe", "json", "recipe", max_lines=RECIPE_LINES)
    timer = gr.Timer(LOOK_EVERY_S, active=False)
    return Gallery(
        shown, box, take, size, larger, larger_line, film, film_box, explain, report, measure,
        numbers, steered, command, python, recipe, message, timer,
    )  # fmt: skip


def build_larger() -> tuple[gr.Dropdown, gr.HTML, gr.Button]:
    """The fold in which a picture is painted again: its size, what it takes, and the button."""
    with gr.Accordion("Again, larger", open=False):
        sizes = [(f"{side} px", side) for side in SIZES_PX]
        size = gr.Dropdown(sizes, value=LARGER_PX, label="Longer side", elem_id="larger-size")
        line = parts.line("larger-line")
        return size, line, gr.Button("Paint it at this size", elem_id="larger")


def build_more(title: str, asked: str, button_id: str, box_id: str) -> tuple[gr.Button, gr.HTML]:
    """A fold for what is made of a picture: the button that asks for it, and its place."""
    with gr.Accordion(title, open=False):
        button = gr.Button(asked, elem_id=button_id)
        return button, gr.HTML("", elem_id=box_id, js_on_load=None)


def code(label: str, language: Any, elem_id: str, **more: Any) -> gr.Code:
    """Lines to copy."""
    return gr.Code(
        "",
        lines=2,
        show_line_numbers=False,
        language=language,
        label=label,
        interactive=False,
        elem_id=elem_id,
        wrap_lines=True,
        **more,
    )


def recipe_of(entry: Entry) -> str:
    """What is in a picture's file, as text."""
    try:
        return json.dumps(pictures.read_recipe(entry.result_path), indent=1, ensure_ascii=False)
    except ImpastoError as error:
        return said(error)


def made(desk: Desk, entry: Entry | None) -> list[Any]:
    """What has come of a picture, for ``Gallery.of_it``.

    Its film, report and numbers, as HTML; whether each can be asked for (again, where none came of
    it); and whether the page should look again, since more is coming.
    """
    drawn = {kinds.FILM: film_html, kinds.EXPLAIN: report_html, kinds.MEASURES: numbers_html}
    shown, asked, coming = [], [], False
    for kind, draw in drawn.items():
        job = desk.made_of(entry, kind) if entry else None
        state = job.state() if job else None
        asked.append(gr.update(visible=state is None or state.status in NONE_CAME))
        if job is None or state is None:
            shown.append("")
        elif state.status == "done":
            shown.append(draw(job))
        else:
            coming = coming or not state.ended
            words = state.error or views.words(state).replace("Painting", NAMES[kind])
            shown.append(told(words, wrong=bool(state.error)))
    return [*shown, *asked, gr.update(active=coming)]


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
    wire_take(tab, paint, tabs, desk_of)
    wire_larger(tab, paint, tabs, desk_of)
    wire_more(tab, desk_of)


def chosen(shown: dict[str, Any], desk: Desk) -> Entry | None:
    """The picture that is looked at."""
    return desk.find(shown.get("chosen", ""))


def wire_choice(tab: Gallery, page: gr.Tab, desk_of: Any) -> None:
    """A picture is chosen, or the gallery is opened anew."""

    def choose(shown: dict[str, Any], request: gr.Request) -> list[Any]:
        desk = desk_of(request)
        entry = chosen(shown, desk)
        if entry is None or entry.task.kind != PICTURE:  # of a film there is the film
            return [gr.update(visible=False), *[""] * 4, *made(desk, None)]
        order = entry.task.order
        steered = told(AGAIN) if entry.turns() else ""
        words = [steered, lines.command(order), lines.python(order), recipe_of(entry)]
        return [gr.update(visible=True), *words, *made(desk, entry)]

    outputs = [tab.box, tab.steered, tab.command, tab.python, tab.recipe, *tab.of_it]
    tab.shown.select(choose, tab.shown, outputs, **PRIVATE)

    page.select(None, tab.shown, tab.shown, js=ANEW, **PRIVATE)


def wire_take(tab: Gallery, paint: Paint, tabs: gr.Tabs, desk_of: Any) -> None:
    """A picture's settings go to the first tab."""

    def take(shown: dict[str, Any], request: gr.Request) -> list[Any]:
        desk = desk_of(request)
        entry = chosen(shown, desk)
        if entry is None:
            return [gr.skip()] * (2 + len(paint.shown))
        try:
            return [gr.Tabs(selected="paint"), "", *paint_tab.filled(desk, desk.wanted_of(entry))]
        except ImpastoError as error:
            return [gr.skip(), told(said(error), wrong=True), *[gr.skip()] * len(paint.shown)]

    tab.take.click(take, tab.shown, [tabs, tab.message, *paint.shown], **PRIVATE)


def wire_larger(tab: Gallery, paint: Paint, tabs: gr.Tabs, desk_of: Any) -> None:
    """A picture is painted again at another size, once it is said what that takes."""

    def expect(shown: dict[str, Any], size: Any, request: gr.Request) -> str:
        desk = desk_of(request)
        entry = chosen(shown, desk)
        if entry is None:
            return ""
        try:
            return told(desk.larger_forecast(entry, parsed("size", size)).words)
        except ImpastoError as error:
            return told(said(error), wrong=True)

    changes = [tab.size.change, tab.shown.select]
    gr.on(changes, expect, [tab.shown, tab.size], tab.larger_line, **PRIVATE)

    def larger(shown: dict[str, Any], size: Any, request: gr.Request) -> list[Any]:
        desk = desk_of(request)
        entry = chosen(shown, desk)
        if entry is None:
            return [gr.skip()] * 4
        try:
            new = desk.larger(entry, parsed("size", size))
        except ImpastoError as error:
            return [gr.skip(), told(said(error), wrong=True), gr.skip(), gr.skip()]
        return [gr.Tabs(selected="paint"), "", new.id, new.id]

    outputs = [tabs, tab.larger_line, paint.job, paint.view]
    tab.larger.click(larger, [tab.shown, tab.size], outputs, **PRIVATE)


def wire_more(tab: Gallery, desk_of: Any) -> None:
    """Film, report and measures: begun with a button, shown when they are there."""

    def look(shown: dict[str, Any], request: gr.Request) -> list[Any]:
        desk = desk_of(request)
        return made(desk, chosen(shown, desk))

    tab.timer.tick(look, tab.shown, tab.of_it, **PRIVATE)

    def begin(kind: str) -> Any:
        def begun(shown: dict[str, Any], request: gr.Request) -> list[Any]:
            desk = desk_of(request)
            entry = chosen(shown, desk)
            try:
                if entry:
                    desk.more(entry, kind)
            except ImpastoError as error:
                return [*made(desk, entry), told(said(error), wrong=True)]
            return [*made(desk, entry), ""]

        return begun

    for kind, button in tab.more.items():
        button.click(begin(kind), tab.shown, [*tab.of_it, tab.message], **PRIVATE)

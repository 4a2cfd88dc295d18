"""The page's first tab: choose, paint, watch, steer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import gradio as gr
import PIL.Image

from impasto import pictures
from impasto.config import Config, in_hand
from impasto.errors import ImpastoError
from impasto.job.job import STEERABLE
from impasto.queue.entry import Entry
from impasto.studio import brush, parts, views
from impasto.studio.desk import (
    AS_CHOSEN,
    AS_PHOTOGRAPHED,
    SAME_COLOUR,
    VIEW_PX,
    Desk,
    Wanted,
    parsed,
    ticket,
)
from impasto.studio.parts import PRIVATE, told
from impasto.studio.shelf import Shelf, builtin
from impasto.studio.widgets import LABELS, MAIN, MORE, said, widget

EMPTY = "Choose a photograph and a painting, then press Paint. The picture comes into being here."
NO_PHOTO = "Choose a photograph first, or take the example."
STEERING = "Strength, strokes, colours and weights can be moved while it is painted."
DROP = "Drop a photograph here, click to choose one, or paste it"
BROWSER_SHOWS = (".png", ".jpg", ".jpeg", ".webp", ".gif", ".avif", ".bmp")
BRUSH_PX, BRUSH_SHARE = 40, 1 / 16  # half its width: at most, and of a small picture's longer side
# What time and memory hang on, and what a picture at work follows.
DECIDING = "size", "quality", "iterations", "precision", "fit", "threads", "optimizer", "backbone"
MOVED = "strength", "style_scale", "hand", "color", "tv_weight"
AFTER = {
    AS_CHOSEN: "The painting chosen above",
    SAME_COLOUR: "The same colour in the painting",
    AS_PHOTOGRAPHED: "Stays as photographed",
}


@dataclass
class Paint:
    """The tab's parts that others need.

    Attributes:
        photo: the photograph as it is shown.
        kept: its file in the queue's folder.
        refused: why there is none: the line about a file that could not be taken, or ''.
        picked: the cards.
        settings: the widgets, by setting.
        job: the id of the job that is shown, remembered by the browser.
        last: the photograph that was chosen last, as a ``ticket``, likewise.
        view: of it.
        message: a line about what was asked for.
        button: Paint.
        forecast: a line on what it will take.
        own: where paintings of one's own come in.
        regions: the fold's parts.
    """

    photo: gr.Image
    kept: gr.State
    refused: gr.State
    picked: gr.HTML
    settings: Mapping[str, Any]
    job: gr.BrowserState
    last: gr.BrowserState
    view: gr.HTML
    message: gr.HTML
    button: gr.Button
    forecast: gr.HTML
    own: gr.UploadButton
    forget: gr.Button
    example: gr.Button
    regions: Regions

    @property
    def chosen(self) -> list[Any]:
        """What ``wanted`` is made of, but for regions."""
        return [self.kept, self.picked, *self.settings.values()]

    @property
    def shown(self) -> list[Any]:
        """What ``filled`` fills."""
        return [*self.of_photo, *self.of_work]

    @property
    def of_photo(self) -> list[Any]:
        """Of that, the photograph and its masks."""
        return [self.photo, self.kept, self.regions.masks, self.regions.on]

    @property
    def of_work(self) -> list[Any]:
        """Of that, what is done with it."""
        return [self.picked, *self.settings.values(), *self.regions.after]


@dataclass
class Regions:
    """The fold in which parts are painted differently."""

    on: gr.Checkbox
    box: gr.Column
    photo: gr.ImageEditor
    painting: gr.ImageEditor
    after: list[gr.Dropdown]
    load: gr.UploadButton
    save: gr.Button
    file: gr.File
    message: gr.HTML
    masks: gr.State

    @property
    def inputs(self) -> list[Any]:
        return [self.on, self.photo, self.painting, *self.after]


def build() -> Paint:
    """Lay the tab out."""
    cards = parts.cards(builtin(), {builtin()[0].id: 1.0})
    with gr.Row(equal_height=False):
        with gr.Column(scale=5, min_width=320, elem_id="paint-left"):
            parts.step("1. A photograph")
            photo = parts.photograph(
                "photo", "Photograph", height=200, show_label=False, placeholder=DROP
            )
            example = gr.Button("Use the example", size="sm", elem_id="example")
            parts.step("2. A painting")
            picked = parts.card_picker(cards, "paintings")
            with gr.Row():
                own = gr.UploadButton(
                    "Add a painting of my own", size="sm", elem_id="own", file_count="multiple"
                )
                forget = gr.Button(
                    "Take it off the shelf", size="sm", elem_id="forget", visible=False
                )
            parts.step("3. How")
            parts.line("steering", STEERING)
            settings = main_settings()
            regions = build_regions()
        with gr.Column(scale=7, min_width=320, elem_id="paint-right"):
            with gr.Row(equal_height=True):
                forecast = parts.line("forecast", NO_PHOTO)
                button = gr.Button(
                    "Paint", variant="primary", size="lg", elem_id="paint-button", scale=0
                )
            message = parts.line("message")
            view = parts.view("view", EMPTY)
    job, last = parts.remembered("job"), parts.remembered("photo")
    return Paint(
        photo, gr.State(None), gr.State(""), picked, settings, job, last, view, message, button,
        forecast, own, forget, example, regions,
    )  # fmt: skip


def main_settings() -> dict[str, Any]:
    """The widgets of all settings, the rarer ones in a fold; ``editable`` opens them."""
    closed = partial(parts.control, interactive=False)
    hand = closed("hand")
    sliders = {name: closed(name) for name in ("strength", "style_scale")}
    with gr.Row():
        quality = closed("quality", min_width=260)
        size = closed("size", min_width=150)
    color = closed("color")
    settings = {**sliders, "quality": quality, "size": size, "color": color, "hand": hand}
    with gr.Accordion("More settings", open=False):
        settings |= {name: closed(name) for name in MORE}
    return settings


def build_regions() -> Regions:
    """Lay the fold out in which parts are painted differently."""
    with gr.Accordion("Regions: paint parts differently", open=False):
        on = gr.Checkbox(
            label="Use regions",
            info="Paint over parts of the photograph; each colour takes after what you say.",
            elem_id="regions-on",
        )
        with gr.Column(visible=False) as box:
            photo = editor("mask-photo", "On the photograph")
            with gr.Row():
                load = gr.UploadButton(
                    "Load a mask", size="sm", file_types=["image"], elem_id="load-mask"
                )
                save = gr.Button("Save the mask", size="sm", elem_id="save-mask")
            file = gr.File(label="The mask", visible=False, elem_id="mask-file")
            message = parts.line("regions-message")
            choices = region_choices(Shelf(Path()))
            names = [*brush.COLOURS, brush.REST_NAME]
            with gr.Row():
                after = [
                    gr.Dropdown(
                        choices,
                        value=AS_CHOSEN,
                        label=name,
                        min_width=200,
                        elem_id=f"after-{n}",
                        interactive=False,
                    )
                    for n, name in enumerate(names)
                ]
            painting = editor("mask-painting", "On the painting, for “the same colour”")
    masks = gr.State((None, None))
    return Regions(on, box, photo, painting, after, load, save, file, message, masks)


def editor(elem_id: str, label: str) -> gr.ImageEditor:
    """A picture to paint on with the few colours of regions."""
    return gr.ImageEditor(
        type="pil",
        label=label,
        sources=[],
        brush=painter(BRUSH_PX),
        eraser=gr.Eraser(default_size=BRUSH_PX),
        layers=False,
        transforms=[],
        buttons=[],
        elem_id=elem_id,
        height=420,
        canvas_size=(640, 480),
    )


def painter(size_px: int) -> gr.Brush:
    """The brush, with the colours of regions."""
    colours: list[Any] = [*brush.COLOURS.values()]
    return gr.Brush(default_size=size_px, colors=colours, color_mode="fixed")


def region_choices(shelf: Shelf) -> list[tuple[str, str]]:
    """What a colour can take after."""
    return [
        *((text, what) for what, text in AFTER.items()),
        *((p.title, p.id) for p in shelf.all()),
    ]


# What the page shows, made to what the desk wants, and back.


def wanted(kept: Path, picked: Mapping[str, Any], values: Sequence[Any]) -> Wanted:
    """What is chosen on the page."""
    given = dict(zip((*MAIN, *MORE), values, strict=True))
    settings = {}
    for name, value in given.items():
        value = None if value == "" else parsed(name, value)
        if value is not None and value != getattr(Config, name):
            settings[name] = value
    chosen = {str(i): float(w) for i, w in picked.get("chosen", {}).items()}
    return Wanted(kept, chosen, settings)


def chosen_words(desk: Desk, what: Wanted, without: Sequence[str] = ()) -> str:
    """What is chosen on this tab, for others where it holds too."""
    titles = " and ".join(each.title for each in desk.chosen(what.paintings)) or "no painting yet"
    named = {n: v for n, v in what.settings.items() if n not in without}
    settings = [f"{LABELS[name].lower()} {option(name, each)}" for name, each in named.items()]
    how = ", ".join(settings) or "with the usual settings"
    return f"As on the Paint tab: after {titles}, {how}."


def option(name: str, value: Any) -> str:
    """A setting's value as its widget shows it."""
    labels = {each: label for label, each in widget(name).choices}
    return str(labels.get(value, views.value(value))).lower()


def filled(desk: Desk, what: Wanted) -> list[Any]:
    """The page's widgets, showing this; as many as Paint.shown."""
    return [*photographed(what), *work_on(desk, what)]


def photographed(what: Wanted) -> list[Any]:
    """The photograph and its masks, as many as Paint.of_photo."""
    masks = what.mask, what.style_mask
    return [glance(what.photo), what.photo, masks, what.mask is not None]


def work_on(desk: Desk, what: Wanted) -> list[Any]:
    """What is done with the photograph, as many as Paint.of_work."""
    values = [what.settings.get(name, getattr(Config, name)) for name in (*MAIN, *MORE)]
    values[MAIN.index("size")] = with_choice(values[MAIN.index("size")])
    values = [(v[0] if v else Config.style_scale) if isinstance(v, tuple) else v for v in values]
    return [
        parts.cards(desk.shelf.all(), what.paintings),
        *values,
        *(
            gr.update(value=what.regions.get(name, AS_CHOSEN), choices=region_choices(desk.shelf))
            for name in (*brush.COLOURS, brush.REST_NAME)
        ),
    ]


def fresh(tab: Paint, desk: Desk) -> list[Any]:
    """The same where no job is shown."""
    found = [gr.skip() for _ in tab.of_work]
    count, choices = len(tab.regions.after), region_choices(desk.shelf)
    found[-count:] = [gr.update(choices=choices)] * count
    found[0] = parts.cards(desk.shelf.all(), {desk.shelf.all()[0].id: 1.0})
    return found


def editable(found: Sequence[Any]) -> list[Any]:
    """The same with widgets that can be changed: until it has come, it would undo a change."""
    cards, *values = found
    known = [each if isinstance(each, dict) else gr.update(value=each) for each in values]
    return [cards, *({**each, "interactive": True} for each in known)]


def with_choice(size: Any) -> Any:
    """The list of sizes, showing this one, which a program may have asked for."""
    known = list(widget("size").choices)
    if size not in [value for _, value in known]:
        known.append((f"{size} px", size))
    return gr.update(value=size, choices=known)


def glance(path: Path, longest_px: int = VIEW_PX) -> PIL.Image.Image:
    """A picture small enough for the page, as it would be seen."""
    found = pictures.load(path, "photograph", longest_px).filled()
    image = pictures.to_pil(found.pixels).convert("RGB")
    image.thumbnail((longest_px, longest_px))
    return image


def masked(desk: Desk, what: Wanted, values: Sequence[Any]) -> Wanted:
    """What is chosen, with the regions that were painted, if any."""
    from dataclasses import replace

    on, on_photo, on_painting, *after = values
    if not on or not on_photo:
        return what
    from impasto.studio.forecast import size_of

    mask = desk.keep_mask(on_photo["layers"], size_of(what.photo))
    if mask is None:
        return what
    chosen = desk.chosen(what.paintings)
    style_mask = None
    if on_painting and SAME_COLOUR in after and chosen:
        style_mask = desk.keep_mask(on_painting["layers"], size_of(chosen[0].path))
    regions = dict(zip([*brush.COLOURS, brush.REST_NAME], after, strict=True))
    return replace(what, mask=mask, style_mask=style_mask, regions=regions)


def steering(entry: Entry, what: Wanted, desk: Desk) -> dict[str, Any]:
    """Of what is chosen, that which a running picture can still follow."""
    found = {name: what.settings.get(name, getattr(Config, name)) for name in MAIN}
    same = [each.source for each in desk.chosen(what.paintings)] == list(entry.task.order.paintings)
    if same and len(what.paintings) > 1:
        found["style_weights"] = tuple(what.paintings.values())
    if found["hand"] == entry.config.hand:
        del found["hand"]  # what its settings say may have been changed one by one
    else:
        found |= in_hand(found["hand"], entry.config.quality)
    return {name: value for name, value in found.items() if name in STEERABLE}


def wire(tab: Paint, desk_of: Any) -> None:
    """Let the tab's parts do what they say."""
    wire_photo(tab, desk_of)
    wire_paintings(tab, desk_of)
    wire_forecast(tab, desk_of)
    wire_paint(tab, desk_of)
    wire_steering(tab, desk_of)
    wire_regions(tab, desk_of)


def wire_photo(tab: Paint, desk_of: Any) -> None:
    """A photograph comes in, or goes."""

    def take(handed: tuple[Path, str] | None, request: gr.Request) -> list[Any]:
        if handed is None:
            return [gr.skip(), None, "", (None, None)]
        path, name = handed
        try:
            kept = desk_of(request).keep(path, name)
        except ImpastoError as error:
            return [None, None, said(error), (None, None)]
        plain = kept.suffix.lower() in BROWSER_SHOWS
        return [gr.skip() if plain else glance(kept), kept, "", (None, None)]

    def example(picked: dict[str, Any], request: gr.Request) -> list[Any]:
        desk = desk_of(request)
        kept, painting = desk.example()
        chosen = picked.get("chosen") or {painting: 1.0}
        return [glance(kept), kept, parts.cards(desk.shelf.all(), chosen)]

    outputs = [tab.photo, tab.kept, tab.refused, tab.regions.masks]
    tab.photo.input(take, tab.photo, outputs, **PRIVATE)
    tab.kept.change(lambda kept: ticket(kept) if kept else "", tab.kept, tab.last, **PRIVATE)
    tab.photo.clear(lambda: [None, ""], None, [tab.kept, tab.refused], **PRIVATE)
    tab.example.click(example, tab.picked, [tab.photo, tab.kept, tab.picked], **PRIVATE)


def wire_paintings(tab: Paint, desk_of: Any) -> None:
    """Paintings of one's own come onto the shelf, and go."""

    def add(files: list[str], request: gr.Request) -> list[Any]:
        desk, new, lines = desk_of(request), [], []
        for each in files:
            try:
                new.append(desk.keep_painting(Path(each), Path(each).name))
            except ImpastoError as error:
                lines.append(said(error))
        chosen = {new[0].id: 1.0} if new else None
        cards = parts.cards(desk.shelf.all(), chosen) if chosen else gr.skip()
        return [cards, told(" ".join(lines), wrong=True), *choices(desk)]

    def choices(desk: Desk) -> list[Any]:
        return [gr.update(choices=region_choices(desk.shelf)) for _ in tab.regions.after]

    def forget(picked: dict[str, Any], request: gr.Request) -> list[Any]:
        desk = desk_of(request)
        for identity in picked["chosen"]:
            desk.shelf.remove(identity)
        return [parts.cards(desk.shelf.all(), {builtin()[0].id: 1.0}), "", *choices(desk)]

    def offer(picked: dict[str, Any]) -> Any:
        return gr.update(visible=any(i.startswith("own-") for i in picked.get("chosen", {})))

    outputs = [tab.picked, tab.message, *tab.regions.after]
    tab.own.upload(add, tab.own, outputs, **PRIVATE)
    tab.forget.click(forget, tab.picked, outputs, **PRIVATE)
    tab.picked.change(offer, tab.picked, tab.forget, **PRIVATE)


def wire_forecast(tab: Paint, desk_of: Any) -> None:
    """What it will take is said, or why that can't be said."""

    def expect(
        request: gr.Request, refused: str, kept: Path | None, picked: Any, *values: Any
    ) -> str:
        if kept is None:
            return told(refused or NO_PHOTO, wrong=bool(refused))
        try:
            return told(desk_of(request).forecast(wanted(kept, picked, values)).words)
        except ImpastoError as error:
            return told(said(error), wrong=True)

    changes = [each.change for each in (tab.kept, tab.refused, tab.picked)]
    changes += [tab.settings[name].change for name in DECIDING]
    inputs = [tab.refused, *tab.chosen]
    gr.on(changes, expect, inputs, tab.forecast, trigger_mode="always_last", **PRIVATE)


def wire_paint(tab: Paint, desk_of: Any) -> None:
    """Pictures are begun."""

    def paint(request: gr.Request, kept: Path | None, picked: Any, *values: Any) -> list[Any]:
        if kept is None:
            return [gr.skip(), gr.skip(), told(NO_PHOTO, wrong=True)]
        desk, count = desk_of(request), len(tab.settings)
        try:
            what = masked(desk, wanted(kept, picked, values[:count]), values[count:])
            entry = desk.paint(what)
        except ImpastoError as error:
            return [gr.skip(), gr.skip(), told(said(error), wrong=True)]
        return [entry.id, entry.id, ""]

    inputs = [*tab.chosen, *tab.regions.inputs]
    tab.button.click(paint, inputs, [tab.job, tab.view, tab.message], **PRIVATE)


def wire_steering(tab: Paint, desk_of: Any) -> None:
    """The picture that is at work follows what is moved."""

    def steer(request: gr.Request, job: str, kept: Path | None, picked: Any, *values: Any) -> str:
        desk = desk_of(request)
        entry = desk.find(job or "")
        if entry is None or kept is None:
            return ""
        try:
            what = wanted(kept, picked, values)
            desk.steer(entry, steering(entry, what, desk))
        except ImpastoError as error:
            return told(said(error), wrong=True)
        return ""

    moved = [tab.picked.input, *(tab.settings[n].input for n in MOVED)]
    inputs = [tab.job, *tab.chosen]
    gr.on(moved, steer, inputs, tab.message, trigger_mode="always_last", **PRIVATE)


def wire_regions(tab: Paint, desk_of: Any) -> None:
    """The brush, and masks as files."""
    fold = tab.regions

    def show(on: bool, kept: Any, picked: Any, masks: Any, request: gr.Request) -> list[Any]:
        if not on:
            return [gr.update(visible=False), gr.skip(), gr.skip(), gr.skip()]
        if kept is None:
            return [gr.update(visible=False), gr.skip(), gr.skip(), told(NO_PHOTO, wrong=True)]
        chosen = desk_of(request).chosen(picked["chosen"])
        photo, painting = masks
        under = chosen[0].path if chosen else builtin()[0].path
        return [gr.update(visible=True), painted_on(kept, photo), painted_on(under, painting), ""]

    def load(file: str, kept: Path | None) -> list[Any]:
        if kept is None:
            return [gr.skip(), told(NO_PHOTO, wrong=True)]
        try:
            return [painted_on(kept, Path(file)), ""]
        except ImpastoError as error:
            return [gr.skip(), told(said(error), wrong=True)]

    def save(painted: Any, kept: Path | None, request: gr.Request) -> list[Any]:
        from impasto.studio.forecast import size_of

        mask = None
        if kept is not None and painted:
            mask = desk_of(request).keep_mask(painted["layers"], size_of(kept))
        if mask is None:
            return [gr.skip(), told("Nothing is painted on the photograph yet.", wrong=True)]
        return [gr.update(value=str(copied(mask)), visible=True), ""]

    shown = [fold.box, fold.photo, fold.painting, tab.message]
    inputs = [fold.on, tab.kept, tab.picked, fold.masks]
    gr.on([fold.on.change, tab.kept.change], show, inputs, shown, **PRIVATE)
    fold.load.upload(load, [fold.load, tab.kept], [fold.photo, fold.message], **PRIVATE)
    fold.save.click(save, [fold.photo, tab.kept], [fold.file, fold.message], **PRIVATE)


def wire_cells(sheet: gr.HTML, tab: Paint, tabs: gr.Tabs, desk_of: Any) -> None:
    """A picture of a sheet is opened here, with its settings."""

    def take(event: gr.SelectData, request: gr.Request) -> list[Any]:
        desk = desk_of(request)
        entry = desk.find(str(event.value))
        if entry is None:
            return [gr.skip(), gr.skip(), gr.skip(), *(gr.skip() for _ in tab.shown)]
        try:
            shown = filled(desk, desk.wanted_of(entry))
        except ImpastoError:  # its photograph has gone; the picture is there
            shown = [gr.skip() for _ in tab.shown]
        return [gr.Tabs(selected="paint"), entry.id, entry.id, *shown]

    sheet.select(take, None, [tabs, tab.job, tab.view, *tab.shown], **PRIVATE)


def painted_on(path: Path, mask: Path | None = None) -> Any:
    """A picture to paint on, with what a mask has of the brushes' colours.

    Raises:
        ImpastoError: the mask can't be read, or has none of them.
    """
    under, layers = glance(path), []
    if mask is not None:
        found = pictures.to_pil(pictures.load(mask, "mask").pixels)
        layers = [brush.layer_of(found, under.size)]
    value = {"background": under, "layers": layers, "composite": None}
    # A canvas of another size would have the layers in its own middle, beside the picture.
    size_px = min(BRUSH_PX, round(BRUSH_SHARE * max(under.size)))
    brushes: dict[str, Any] = {"brush": painter(size_px), "eraser": gr.Eraser(default_size=size_px)}
    return gr.update(value=value, canvas_size=under.size, **brushes)


def copied(path: Path) -> Path:
    """A file where Gradio may give it out: its own folder."""
    import os
    import shutil
    import tempfile

    folder = Path(tempfile.mkdtemp(dir=os.environ["GRADIO_TEMP_DIR"]))
    return Path(shutil.copy(path, folder / path.name))

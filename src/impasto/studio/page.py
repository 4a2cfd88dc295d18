"""The page itself: its tabs, what they say to each other, and what programs may call."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gradio as gr

from impasto.errors import ImpastoError
from impasto.queue.store import Queue
from impasto.studio import api, gallery_tab, many_tab, paint_tab, parts
from impasto.studio.access import Access
from impasto.studio.desk import Desk, Wanted
from impasto.studio.parts import PRIVATE

HEAD = "<h1>impasto</h1><p>Your photograph, painted.</p>"
AT_ONCE = 16  # events of the page's that are answered at the same time

DeskOf = Callable[[gr.Request], Desk]


def page(queue: Queue, access: Access) -> gr.Blocks:
    """The page over a queue, for those who may come in."""

    def desk_of(request: gr.Request) -> Desk:
        return Desk(queue, access.owner(getattr(request, "username", None)))

    with gr.Blocks(title="impasto studio", analytics_enabled=False) as blocks:
        gr.HTML(HEAD, elem_id="head", js_on_load=None)
        with gr.Tabs(selected="paint") as tabs:
            with gr.Tab("Paint", id="paint"):
                paint = paint_tab.build()
            with gr.Tab("Try many", id="many"):
                many = many_tab.build()
            with gr.Tab("Gallery", id="gallery") as gallery_page:
                gallery = gallery_tab.build()
        paint_tab.wire(paint, desk_of)
        many_tab.wire(many, paint, tabs, desk_of)
        gallery_tab.wire(gallery, gallery_page, paint, tabs, desk_of)
        api.wire(desk_of)
        wire_load(blocks, paint, desk_of)
    blocks.queue(default_concurrency_limit=AT_ONCE)
    made: gr.Blocks = blocks
    return made


def wire_load(blocks: gr.Blocks, paint: paint_tab.Paint, desk_of: DeskOf) -> None:
    """A page that is opened, or reloaded, finds its job again."""

    def load(job: str, request: gr.Request) -> list[Any]:
        desk = desk_of(request)
        entry = desk.find(job or "") or desk.newest()
        nothing = [gr.skip() for _ in paint.shown]
        count, choices = len(paint.regions.after), paint_tab.region_choices(desk.shelf)
        nothing[-count:] = [gr.update(choices=choices)] * count
        chosen = {desk.shelf.all()[0].id: 1.0}
        nothing[2] = parts.cards(desk.shelf.all(), chosen)
        if entry is None:
            return ["", "", *nothing]
        try:
            what: Wanted = desk.wanted_of(entry)
            return [entry.id, entry.id, *paint_tab.filled(desk, what)]
        except ImpastoError:
            return [entry.id, entry.id, *nothing]

    outputs = [paint.job, paint.view, *paint.shown]
    blocks.load(load, paint.job, outputs, **PRIVATE)


__all__ = ["page", "parts"]

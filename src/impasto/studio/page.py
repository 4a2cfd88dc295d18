"""The page itself: its tabs, what they say to each other, and what programs may call."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
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
    """A page that is opened, or reloaded, finds its job and its photograph again."""

    def load(job: str, last: str, request: gr.Request) -> list[Any]:
        desk = desk_of(request)
        entry, photo = desk.find(job or "") or desk.newest(), desk.kept(last or "")
        identity = entry.id if entry else ""
        with suppress(ImpastoError):
            if entry:
                what = with_photo(desk.wanted_of(entry), photo)
                return [identity, identity, *paint_tab.filled(desk, what)]
        return [identity, identity, *paint_tab.fresh(paint, desk, photo)]

    outputs = [paint.job, paint.view, *paint.shown]
    blocks.load(load, [paint.job, paint.last], outputs, **PRIVATE)


def with_photo(what: Wanted, photo: Path | None) -> Wanted:
    """The same with another photograph, for which nothing is masked, if there is one."""
    if photo is None or photo == what.photo.resolve():
        return what
    return replace(what, photo=photo, mask=None, style_mask=None, regions={})


__all__ = ["page", "parts"]

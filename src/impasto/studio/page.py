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
from impasto.studio import api, clip_tab, folder_tab, gallery_tab, many_tab, paint_tab, parts
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
        group, film, last = (parts.remembered(key) for key in ("batch", "film", "clip"))
        with gr.Tabs(selected="paint", overflow_behavior="wrap") as tabs:
            with gr.Tab("Paint", id="paint"):
                paint = paint_tab.build()
            with gr.Tab("Try settings", id="many"):
                many = many_tab.build()
            with gr.Tab("Many photographs", id="folder") as folder_page:
                folder = folder_tab.build(group)
            with gr.Tab("Clip", id="clip") as clip_page:
                clip = clip_tab.build(film, last)
            with gr.Tab("Gallery", id="gallery") as gallery_page:
                gallery = gallery_tab.build()
        paint_tab.wire(paint, desk_of)
        many_tab.wire(many, paint, tabs, desk_of)
        folder_tab.wire(folder, folder_page, paint, tabs, desk_of)
        clip_tab.wire(clip, clip_page, paint, desk_of)
        gallery_tab.wire(gallery, gallery_page, paint, tabs, desk_of)
        api.wire(desk_of)
        wire_load(blocks, paint, desk_of)
        wire_load_others(blocks, folder, clip, desk_of)
    blocks.queue(default_concurrency_limit=AT_ONCE)
    made: gr.Blocks = blocks
    return made


def wire_load(blocks: gr.Blocks, paint: paint_tab.Paint, desk_of: DeskOf) -> None:
    """A page that is opened, or reloaded, finds its job and its photograph again."""

    def load(job: str, last: str, request: gr.Request) -> list[Any]:
        desk = desk_of(request)
        entry = desk.find(job or "") or desk.newest()
        shown = entry.id if entry else ""
        with suppress(ImpastoError):
            if what := known(desk, shown, last):
                return [shown, shown, *paint_tab.editable(paint_tab.work_on(desk, what))]
        return [shown, shown, *paint_tab.editable(paint_tab.fresh(paint, desk))]

    def photograph(
        job: str, last: str, handed: Any, kept: Path | None, refused: str, request: gr.Request
    ) -> list[Any]:
        desk = desk_of(request)
        if not (handed or kept or refused):  # a person may have been faster
            with suppress(ImpastoError):
                if what := known(desk, job, last):
                    return paint_tab.photographed(what)
                if photo := desk.kept(last or ""):
                    return paint_tab.photographed(Wanted(photo, {}))
        return [gr.skip() for _ in paint.of_photo]

    remembered = [paint.job, paint.last]
    outputs = [paint.job, paint.view, *paint.of_work]
    opened = blocks.load(load, remembered, outputs, **PRIVATE)
    inputs = [*remembered, paint.photo, paint.kept, paint.refused]
    opened.then(photograph, inputs, paint.of_photo, **PRIVATE)


def wire_load_others(
    blocks: gr.Blocks, folder: folder_tab.Folder, clip: clip_tab.ClipTab, desk_of: DeskOf
) -> None:
    """So do the other tabs that have something at work."""

    def batch(group: str, request: gr.Request) -> list[Any]:
        found = folder_tab.found_again(desk_of(request), group)
        return [found, found["group"]]

    def film(job: str, last: str, kept: Path | None, request: gr.Request) -> list[Any]:
        return clip_tab.found_again(desk_of(request), job, last, kept)

    blocks.load(batch, folder.group, [folder.sheet, folder.group], **PRIVATE)
    blocks.load(film, [clip.job, clip.last, clip.kept], clip.restored, **PRIVATE)


def known(desk: Desk, job: str, last: str) -> Wanted | None:
    """What a page showed: what a job was made of, with the photograph that was chosen last.

    Raises:
        ImpastoError: what the job was made of can't be read any more.
    """
    entry = desk.find(job or "")
    return with_photo(desk.wanted_of(entry), desk.kept(last or "")) if entry else None


def with_photo(what: Wanted, photo: Path | None) -> Wanted:
    """The same with another photograph, for which nothing is masked, if there is one."""
    if photo is None or photo == what.photo.resolve():
        return what
    return replace(what, photo=photo, mask=None, style_mask=None, regions={})


__all__ = ["page", "parts"]

"""Laws of the studio without a browser: its words, its doors, its endpoints, its folder."""

from __future__ import annotations

import html
import io
import json
import os
import re
import shlex
import socket
import sys
import threading
import time
import zipfile
from contextlib import contextmanager
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from skimage import data

pytest.importorskip("gradio")

import gradio as gr
import httpx
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError

from conftest import impasto, load_tool
from impasto import pictures
from impasto.checks import Number, OneOf
from impasto.config import CHECKS, PHOTO, Config, configure
from impasto.errors import ConfigError, ImpastoError, QueueError
from impasto.job.order import Order
from impasto.queue.store import Limits, Queue
from impasto.queue.task import STATUSES, State
from impasto.queue.worker import work_at
from impasto.studio import (
    brush,
    clip_tab,
    clips,
    downloads,
    gallery_tab,
    groups,
    kinds,
    lines,
    paint_tab,
    parts,
    routes,
    views,
)
from impasto.studio.access import Access, access, parse
from impasto.studio.clips import Span
from impasto.studio.desk import AS_PHOTOGRAPHED, SAME_COLOUR, Desk, Wanted, ticket
from impasto.studio.forecast import duration
from impasto.studio.groups import Batch
from impasto.studio.server import Settings, listening, opened
from impasto.studio.widgets import CHOICES, LABELS, MAIN, MORE, capital, said, spelling, widget
from impasto.words import HELP, ON_A_PAGE
from test_image_helpers import quick
from test_image_reading import BAD_FILES

PATIENCE_S = 120
UPLOAD_BYTES = 3_000_000
QUICK = {"size": 64, "quality": "draft"}
HOSTILE = '<img src=x onerror=alert(1)>"&.png'


# --- words ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [*MAIN, *MORE])
def test_a_widget_says_what_config_says(name):
    made, check = widget(name), CHECKS[name]
    assert made.default == getattr(Config, name)
    assert made.label == LABELS[name]
    plain = re.sub(r"`(\w+)`", lambda found: spelling(found[1]), ON_A_PAGE.get(name, HELP[name]))
    assert made.help == plain
    if isinstance(check, OneOf):
        assert [value for _, value in made.choices] == list(check.allowed)
    elif isinstance(check, Number) and name != "size":
        assert (made.low, made.whole) == (check.low, check.whole)
        assert (made.high or np.inf) == check.high
    for _, value in made.choices:
        check(name, value)  # each of them may be chosen
    if name == "style_scale":
        check(name, made.low), check(name, made.high)


def test_every_setting_has_one_text_and_the_page_names_only_settings():
    assert set(HELP) | {"preset"} == set(Config.__dataclass_fields__)
    assert set(LABELS) <= set(Config.__dataclass_fields__)
    for name, words in CHOICES.items():
        known = CHECKS[name].allowed if isinstance(CHECKS[name], OneOf) else words
        assert set(words) <= set(known)


def test_errors_name_settings_as_the_page_does():
    with pytest.raises(ConfigError) as error:
        configure(strength=2)
    assert said(error.value).startswith("“Strength” 2")


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("no painting; choose one", "No painting; choose one"),
        ("photograph 'me.jpg' is damaged", "Photograph 'me.jpg' is damaged"),
        ("me.jpg: the file is empty", "me.jpg: the file is empty"),
        ("'me.jpg' has 300 MB", "'me.jpg' has 300 MB"),
        ("", ""),
    ],
)
def test_a_line_begins_as_a_sentence_but_for_a_name(line, shown):
    assert capital(line) == shown


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(1, "5 s"), (41, "40 s"), (150, "2 min"), (3600, "1 h"), (4800, "1 h 20 min")],
)
def test_durations_are_short(seconds, words):
    assert duration(seconds) == words


@quick
@given(
    st.builds(
        State,
        status=st.sampled_from(STATUSES),
        fraction=st.floats(0, 1),
        iteration=st.integers(0, 9),
        seconds_left=st.none() | st.floats(0, 1e6),
    ),
    st.integers(0, 9),
)
def test_every_state_has_its_words(state, before):
    told = views.words(state, before)
    assert told
    assert "None" not in told + views.details(state)


# --- masks ----------------------------------------------------------------------------------------


@quick
@given(arrays.arrays(np.uint8, (6, 9), elements=st.integers(0, len(brush.COLOURS))))
def test_a_mask_is_what_the_brush_painted_and_back(painted):
    layer = np.zeros((6, 9, 4), np.uint8)
    for number, code in enumerate(brush.COLOURS.values(), 1):
        layer[painted == number] = (*brush.rgb(code), 255)
    mask = brush.mask_of([layer])
    assert (mask is None) == (not painted.any())
    if mask is None:
        return
    names = brush.colours_in(mask)
    assert len(names) == len(np.unique(painted))
    again = brush.layer_of(PIL.Image.fromarray(mask), (9, 6))
    assert np.array_equal(np.asarray(again), layer)


@pytest.mark.parametrize("side_px", [64, 160, 1000])
def test_the_brush_is_no_larger_than_what_is_painted_on(tmp_path, side_px):
    path = tmp_path / "photo.png"
    PIL.Image.new("RGB", (side_px, 64)).save(path)
    update = paint_tab.painted_on(path)
    for tool in (update["brush"], update["eraser"]):
        assert 1 < tool.default_size <= min(paint_tab.BRUSH_PX, side_px / 8)


def test_soft_edges_of_a_brush_are_no_regions_of_their_own():
    layer = np.zeros((4, 4, 4), np.uint8)
    layer[:, 1] = (*brush.rgb(brush.COLOURS["Orange"]), 130)
    layer[:, 2] = (200, 90, 10, 255)
    layer[:, 3] = (0, 0, 0, 40)
    assert brush.colours_in(brush.mask_of([layer])) == ["Orange", brush.REST_NAME]


# --- lines ----------------------------------------------------------------------------------------


ORDER = Order(
    Path("my photo.jpg"),
    ("night-swirls", "it's mine.png"),
    configure(strength=0.7, style_weights=(0.7, 0.3), pyramid=False, tileable="both", seed=3),
    Path("out.png"),
    bits=16,
    mask=Path("mask.png"),
    regions={"#000000": PHOTO},
)


def test_the_command_line_asks_for_the_very_order(monkeypatch, capsys):
    asked = {}
    module = sys.modules["impasto.cli.stylize"]  # the name is the command's too
    monkeypatch.setattr(module, "begin", lambda order, *_, **__: asked.update(order=order))
    words = shlex.split(lines.command(ORDER).replace("\\\n", ""))
    impasto(capsys, *words[1:])
    assert asked["order"] == ORDER


def test_the_python_lines_ask_for_the_same(monkeypatch):
    asked = {}

    class Result:
        def save(self, path, bits=8):
            asked.update(target=path, bits=bits)

    def stylize(content, style, **settings):
        asked.update(content=content, style=style, settings=settings)
        return Result()

    monkeypatch.setattr("impasto.stylize", stylize)
    exec(lines.python(ORDER), {})
    settings = asked["settings"]
    assert settings.pop("mask") == "mask.png"
    assert settings.pop("regions") == ORDER.regions
    assert configure(**settings) == ORDER.config
    assert (asked["content"], asked["target"], asked["bits"]) == ("my photo.jpg", "out.png", 16)


# --- doors ----------------------------------------------------------------------------------------


def test_another_host_wants_a_password_or_a_word(tmp_path, monkeypatch, capsys):
    monkeypatch.delenv("IMPASTO_STUDIO_PASSWORD", raising=False)
    monkeypatch.setattr("impasto.studio.server.serve", lambda *_, **__: None)
    err = impasto(capsys, "studio", "--host", "0.0.0.0", status=2).err
    assert "--password-file" in err
    assert "--open" in err
    for local in ("127.0.0.1", "::1", "localhost"):
        assert not access(local, None, open_to_all=False)
    assert not access("0.0.0.0", None, open_to_all=True)
    users = tmp_path / "users"
    users.write_text("ann:long enough\nbob: also long\n")
    found = access("0.0.0.0", users, open_to_all=False)
    assert found.admits("ann", "long enough")
    assert not found.admits("ann", "also long")
    assert not found.admits("", "long enough")
    assert found.owner("ann") == "ann"
    monkeypatch.setenv("IMPASTO_STUDIO_PASSWORD", "only one here")
    assert access("0.0.0.0", None, open_to_all=False).admits("anybody", "only one here")


@pytest.mark.parametrize(
    "text",
    ["", "\n", "short", "ann:short", ":long enough", "ann:long enough\nann:long enough", "a\nb"],
)
def test_passwords_that_are_none_are_refused(text):
    with pytest.raises(ConfigError):
        parse(text, "users.txt")


def test_without_gradio_there_is_one_line(monkeypatch, capsys):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.setattr("impasto.studio.server.opened", lambda _: pytest.fail("it was opened"))
    err = impasto(capsys, "studio", status=2).err
    assert err.count("\n") == 1
    assert "pip install 'impasto[studio]'" in err


def test_a_port_that_is_taken_is_said_and_the_next_free_one_found():
    with listening("127.0.0.1", 0) as held:
        port = held.getsockname()[1]
        held.listen()
        with pytest.raises(ConfigError, match=str(port)):
            listening("127.0.0.1", port)
    with listening("127.0.0.1", None) as free:
        assert isinstance(free, socket.socket)


# --- the desk -------------------------------------------------------------------------------------


@pytest.fixture
def desk(tmp_path):
    return Desk(Queue(tmp_path / "studio"))


def coffee(path):
    PIL.Image.fromarray(data.coffee()).resize((96, 64)).save(path)
    return path


@pytest.fixture
def photo(tmp_path):
    return coffee(tmp_path / "photo.png")


@pytest.mark.parametrize("name", BAD_FILES)
def test_what_the_command_line_refuses_the_desk_refuses_with_the_same_line(desk, tmp_path, name):
    path = tmp_path / name
    path.write_bytes(BAD_FILES[name][0])
    with pytest.raises(ImpastoError) as here:
        desk.keep(path, name)
    with pytest.raises(ImpastoError) as there:
        pictures.load(path, "photograph")
    error = there.value
    words = (part.replace(str(path), name) for part in (error.given, error.allowed, error.hint))
    assert said(here.value) == said(type(error)(*words))
    assert str(tmp_path) not in said(here.value)
    assert list(desk.queue.inputs.iterdir()) == []


def test_regions_become_an_orders(desk, photo):
    kept = desk.keep(photo, "photo.png")
    layer = np.zeros((64, 96, 4), np.uint8)
    layer[:, :30] = (*brush.rgb(brush.COLOURS["Blue"]), 255)
    layer[:, 30:50] = (*brush.rgb(brush.COLOURS["Orange"]), 255)
    mask = desk.keep_mask([layer], (64, 96))
    regions = {"Blue": AS_PHOTOGRAPHED, "Orange": "charcoal"}
    wanted = Wanted(kept, {"night-swirls": 1.0}, QUICK, mask, None, regions)
    order = desk.order(wanted)
    assert order.regions == {brush.COLOURS["Blue"]: PHOTO, brush.COLOURS["Orange"]: "charcoal"}
    assert desk.order(Wanted(kept, {"charcoal": 1.0}, QUICK, mask)).mask is None  # all alike
    order.prepare()
    again = desk.wanted_of(desk.paint(wanted))
    assert {**again.regions, **regions} == again.regions
    assert desk.order(again) == order
    with pytest.raises(ConfigError, match="same colour"):
        desk.order(Wanted(kept, {"charcoal": 1.0}, QUICK, mask, None, {"Blue": SAME_COLOUR}))
    same = Wanted(kept, {"charcoal": 1.0}, QUICK, mask, mask, {"Blue": SAME_COLOUR})
    assert desk.order(same).style_masks == (mask,)


def test_weights_follow_the_cards_and_a_full_queue_says_so(tmp_path, photo):
    desk = Desk(Queue(tmp_path / "small", Limits(waiting_each=2)))
    kept = desk.keep(photo, "photo.png")
    mixed = Wanted(kept, {"charcoal": 1.0, "night-swirls": 0.25}, QUICK)
    assert desk.paint(mixed).task.order.config.style_weights == (1.0, 0.25)
    assert desk.paint(Wanted(kept, {"charcoal": 1.0}, QUICK)).task.order.config.style_weights == ()
    with pytest.raises(QueueError, match="full"):
        desk.paint(mixed)


def test_a_sweep_is_a_job_for_each_cell_and_a_bad_value_none_at_all(desk, photo):
    kept = desk.keep(photo, "photo.png")
    wanted = Wanted(kept, {"charcoal": 1.0}, {**QUICK, "color": "luminance"})
    with pytest.raises(ConfigError):
        desk.sweep(wanted, [("strength", "0.2, 7")])
    assert desk.queue.entries() == []
    made = desk.sweep(wanted, [("strength", "0.2, 0.8"), ("style_scale", "1, 2")])
    configs = [entry.task.order.config for entry, _ in made]
    assert [(c.strength, c.style_scale) for c in configs] == [
        (0.2, 1),
        (0.2, 2),
        (0.8, 1),
        (0.8, 2),
    ]
    assert {(c.size, c.color, c.quality) for c in configs} == {(64, "luminance", "draft")}
    assert len({entry.task.group for entry, _ in made}) == 1
    assert made[1][1] == "Strength 0.2, stroke size 2"


# --- many photographs -----------------------------------------------------------------------------


BOTH = {"charcoal": 1.0, "night-swirls": 1.0}


def brought(desk, handed, paintings=None, mixed=False):
    """A batch all of whose photographs have been read."""
    wanted = Wanted(Path(), paintings or {"charcoal": 1.0}, QUICK)
    batch, photos = groups.begin(desk, handed, wanted, mixed=mixed)
    groups.bring(batch, photos, wanted, mixed=mixed)
    return batch


def made(entry, status="done"):
    """A picture as if it had been painted."""
    pixels = pictures.load(PIL.Image.new("RGB", (96, 64))).pixels
    pictures.save(pixels, entry.result_path, recipe={"settings": {}})
    entry.write_state(State(status=status, seconds=3.0, fraction=1.0))


@pytest.mark.parametrize("mixed", [False, True])
def test_every_photograph_is_painted_after_every_painting_or_after_all(desk, photo, mixed):
    names = ["b.png", "a.png"]
    batch = brought(desk, [(photo, name) for name in names], BOTH, mixed)
    orders = [(e.task.order.photo.name, e.task.order.paintings) for e in batch.entries]
    each = [tuple(BOTH)] if mixed else [(painting,) for painting in BOTH]
    assert orders == [(name, paintings) for name in sorted(names) for paintings in each]
    assert {entry.task.group for entry in batch.entries} == {batch.group}
    shown = groups.view(batch)
    assert (shown["columns"], shown["total"], shown["lines"]) == (
        0 if mixed else 2,
        len(orders),
        [],
    )


def test_a_bad_photograph_is_told_in_its_line_and_ends_none_of_the_others(desk, photo, tmp_path):
    bad = tmp_path / "half.png"
    bad.write_bytes(BAD_FILES["half.png"][0])
    handed = [(photo, "a.png"), (bad, "half.png"), (photo, "z.png"), (photo, "notes.txt")]
    batch = brought(desk, [*handed, (photo, ".hidden.png")])
    assert [entry.task.order.photo.name for entry in batch.entries] == ["a.png", "z.png"]
    passed, refused = groups.view(batch)["lines"]
    assert "'notes.txt'" in passed
    assert ".hidden" not in passed
    assert refused.startswith("Photograph 'half.png' is damaged")
    assert str(tmp_path) not in refused
    assert groups.view(Batch(Desk(Queue(desk.queue.folder)), batch.group))["lines"]  # started anew


def test_a_batch_that_cannot_be_is_none_at_all(desk, photo):
    for handed, wanted, line in (
        ([], Wanted(Path(), BOTH), "no photograph"),
        ([(photo, "a.txt")], Wanted(Path(), BOTH), "no pictures: 'a.txt'"),
        ([(photo, "a.png")], Wanted(Path(), {}), "no painting"),
        ([(photo, "a.png")], Wanted(Path(), {"gone": 1.0}), "not on the shelf"),
        ([(photo, "a.png")] * 101, Wanted(Path(), BOTH), "202 pictures"),
    ):
        with pytest.raises(ConfigError, match=line):
            groups.begin(desk, handed, wanted, mixed=False)
    assert desk.queue.entries() == []


def test_a_batch_is_there_while_its_photographs_are_read(desk, photo, monkeypatch):
    keep, goes_on = Desk.keep, threading.Event()

    def slowly(self, path, name):
        goes_on.wait(PATIENCE_S)
        return keep(self, path, name)

    monkeypatch.setattr(Desk, "keep", slowly)
    handed = [(photo, "a.png"), (photo, "b.png")]
    batch = groups.start(desk, handed, Wanted(Path(), BOTH, QUICK), mixed=False)
    shown = groups.view(batch)
    goes_on.set()
    assert (shown["open"], shown["total"], shown["lines"]) == (True, 4, [])
    assert "2 photographs still to be read" in shown["words"]
    while batch.reading:
        time.sleep(0.01)
    assert len(batch.entries) == 4
    assert "to be read" not in groups.view(batch)["words"]


def test_what_was_not_read_when_the_studio_was_closed_is_said(desk, photo):
    batch = brought(desk, [(photo, "a.png")])
    batch.write(replace(batch.record(), files=3))
    assert not batch.reading
    [line] = groups.view(batch)["lines"]
    assert "2 of 3 are missing" in line


def test_a_batch_is_paused_stopped_and_gone_on_with_as_one(desk, photo):
    batch = brought(desk, [(photo, f"{number}.png") for number in range(3)])
    made(batch.entries[0])
    statuses = {"pause": "paused", "go_on": "waiting", "stop": "stopped"}
    for verb, status in statuses.items():
        assert verb in groups.view(batch)["can"]
        groups.wish(batch, verb)
        assert [e.state().status for e in batch.entries] == ["done", status, status]
    assert groups.view(batch)["can"] == ["go_on"]


states = st.builds(
    State,
    status=st.sampled_from(STATUSES),
    fraction=st.floats(0, 1),
    seconds=st.floats(0, 1e4),
)


@quick
@given(st.lists(states, min_size=1, max_size=6))
def test_a_batchs_words_and_time_follow_from_its_pictures(several):
    statuses = [state.status for state in several]
    left_s = groups.seconds_left(several)
    assert left_s is None or left_s >= 0
    told = groups.words(statuses, len(several), left_s, 0)
    assert "None" not in told
    assert str(len(several)) in told
    assert all(0 <= groups.fraction(state) <= 1 for state in several)
    assert ("go_on" in groups.can(statuses)) == bool({"paused", "stopped"} & set(statuses))


def test_all_results_come_as_one_archive_of_the_very_files(desk, photo):
    batch = brought(desk, [(photo, "a.png"), (photo, "A.jpg"), (photo, "b.png")], BOTH)
    for entry in batch.entries[:4]:
        made(entry)
    results = batch.results
    whole = b"".join(downloads.archive(results, "png"))
    with zipfile.ZipFile(io.BytesIO(whole)) as found:
        assert found.testzip() is None
        names = found.namelist()
        assert [found.read(name) for name in names] == [e.result_path.read_bytes() for e in results]
    assert names == [
        "A-charcoal.png", "A-night-swirls.png", "a-charcoal-2.png", "a-night-swirls-2.png"
    ]  # fmt: skip
    results[0].result_path.write_bytes(b"damaged")
    with zipfile.ZipFile(io.BytesIO(b"".join(downloads.archive(results, "jpg")))) as found:
        *good, told = found.namelist()
        assert {found.read(name)[:2] for name in good} == {b"\xff\xd8"}
        assert (len(good), told) == (3, "left-out.txt")
        assert b"A-charcoal" in found.read(told)
    assert not list(desk.queue.jobs.glob("*/.download-*"))


def test_a_batch_is_its_owners(tmp_path, photo):
    queue = Queue(tmp_path / "studio")
    ann, bob = Desk(queue, "ann"), Desk(queue, "bob")
    batch = brought(ann, [(photo, "a.png")])
    assert Batch(ann, batch.group).there
    assert groups.newest(ann) == batch
    assert not Batch(bob, batch.group).there
    assert groups.newest(bob) is None
    for group in ("", "..", "batch-0", f"../all/{batch.group}"):
        assert not Batch(ann, group).there


# --- clips ----------------------------------------------------------------------------------------


FRAMES = 4
FEW = {"size": 64, "iterations": 2, "backbone": "vgg16"}


def pan(path, frames=FRAMES):
    """A clip of a photograph that passes by."""
    pytest.importorskip("av")
    pytest.importorskip("scenedetect")
    make_clips = load_tool("make_clips")
    make_clips.write(path, islice(make_clips.pan((48, 64)), frames))
    return path


@pytest.fixture
def clip(tmp_path):
    return pan(tmp_path / "pan.mp4")


def work(entry):
    """Let a worker do a job, here."""
    work_at(entry, dict(kinds.KINDS), threading.Event())
    return entry.state()


def test_a_clip_that_is_paused_goes_on_also_where_it_came_in_again(desk, clip, monkeypatch):
    wanted = Wanted(desk.keep_clip(clip, "pan.mp4"), {"charcoal": 1.0}, FEW)
    entry = desk.clip(wanted, Span())
    told, seen = clips.Told.frame, []
    monkeypatch.setattr("impasto.queue.reporter.INTERVAL_S", 60.0)  # and all is told in time

    def watched(self, event):
        seen.append(event.new)
        if len(seen) == FRAMES // 2:
            entry.pause()
        told(self, event)

    monkeypatch.setattr(clips.Told, "frame", watched)
    state = work(entry)
    assert (state.status, state.iteration, state.iterations) == ("paused", FRAMES // 2, FRAMES)
    assert entry.preview.is_file()
    later_s = time.time() + 60
    os.utime(desk.keep_clip(clip, "pan.mp4"), (later_s, later_s))
    entry.go_on()
    assert work(entry).status == "done"
    assert seen == [True] * (FRAMES // 2) + [False] * (FRAMES // 2) + [True] * (FRAMES // 2)
    assert len(list(clips.open_clip(entry.result_path).frames())) == FRAMES
    assert not entry.checkpoint_dir.exists()
    shown = views.view(entry)
    assert shown["film"].endswith("film.mp4")
    assert not shown["result"]
    assert [each["film"] for each in map(views.summary, desk.finished())] == [shown["film"]]


def test_a_preview_says_what_the_whole_will_take(desk, clip):
    wanted = Wanted(desk.keep_clip(clip, "pan.mp4"), {"charcoal": 1.0}, FEW)
    entry = desk.clip(wanted, Span(), kinds.PREVIEW)
    state = work(entry)
    assert state.status == "done", state.error
    assert "painting the clip will take about" in state.note
    assert PIL.Image.open(entry.preview).width > PIL.Image.open(entry.preview).height
    assert desk.finished() == []


def test_what_no_clip_can_be_is_said_before_a_job_is_made(desk, clip, photo, tmp_path):
    for path in (photo, Path(__file__)):
        with pytest.raises(ImpastoError) as error:
            desk.keep_clip(path, "mine.mp4")
        assert "'mine.mp4'" in said(error.value)
        assert str(path.parent) not in said(error.value)
    kept = desk.keep_clip(clip, "pan.mp4")
    for settings, span in (
        ({"size": "original"}, Span()),
        ({"tileable": "both"}, Span()),
        ({}, Span(begin_s=2, end_s=1)),
        ({}, Span(begin_s=60)),
        ({}, Span(fps=-1)),
    ):
        with pytest.raises(ImpastoError) as error:
            desk.clip(Wanted(kept, {"charcoal": 1.0}, {**FEW, **settings}), span)
        assert str(tmp_path) not in said(error.value)
    assert desk.queue.entries() == []


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("", None), (" 2.5 ", 2.5), ("1,5", 1.5), ("1:30", 90), ("1:00:02", 3602), ("soon", ...)],
)
def test_moments_are_typed_as_people_do(text, seconds):
    if seconds is ...:
        with pytest.raises(ConfigError, match="“From” 'soon'"):
            clips.moment(text, "From")
    else:
        assert clips.moment(text, "From") == seconds


def test_without_what_reads_clips_the_tab_says_so(monkeypatch):
    monkeypatch.setattr(clips, "find_spec", lambda name: None)
    with gr.Blocks() as page:
        tab = clip_tab.build(parts.remembered("film"), parts.remembered("clip"))
    [line] = [each for each in page.blocks.values() if each.elem_id == "clip-missing"]
    assert "pip install 'impasto[video]'" in html.unescape(line.value)
    assert not tab.go.interactive
    assert not tab.preview.interactive
    monkeypatch.undo()
    assert clips.missing() == ""


# --- from a finished picture ----------------------------------------------------------------------


def test_a_picture_again_differs_in_its_size_alone(desk, photo):
    kept = desk.keep(photo, "photo.png")
    entry = desk.paint(Wanted(kept, {"charcoal": 1.0}, {**QUICK, "seed": 7}))
    again = desk.larger(entry, 256)
    assert again.task.parent == entry.id
    assert again.config == replace(entry.config, size=256)
    assert replace(again.task.order, config=entry.config, target=entry.result_path) == (
        entry.task.order
    )
    assert desk.larger_forecast(entry, 256).size == (171, 256)


def test_a_ticket_finds_what_came_in_and_nothing_else(desk, photo):
    kept = desk.keep(photo, HOSTILE)
    assert desk.kept(ticket(kept)) == kept
    task = desk.paint(Wanted(kept, {"charcoal": 1.0}, QUICK)).folder / "task.json"
    assert task.is_file()
    up = f"../jobs/{task.parent.name}/task.json"
    for wrong in ("", ".", "a/b", kept.parent.name, up, f"a/../{up}", str(photo), str(task)):
        assert desk.kept(wrong) is None, wrong


@pytest.mark.parametrize("status", STATUSES)
def test_what_is_there_or_on_its_way_is_not_asked_for_again(desk, photo, status):
    kept = desk.keep(photo, "photo.png")
    entry = desk.paint(Wanted(kept, {"charcoal": 1.0}, QUICK))
    film = desk.more(entry, "film")
    film.write_state(State(status=status, error="no room" if status == "failed" else ""))
    box, _, _, asked, asked_report, _, timer = gallery_tab.made(desk, entry)
    assert asked["visible"] == (status in ("failed", "stopped"))
    assert asked["visible"] == (desk.more(entry, "film") != film)
    assert asked_report["visible"]
    assert timer["active"] == (status in ("waiting", "working", "paused"))
    assert "no room" in box or status != "failed"


def test_own_paintings_are_remembered_for_their_owner_only(tmp_path, photo):
    queue = Queue(tmp_path / "studio")
    ann, bob = Desk(queue, "ann"), Desk(queue, "bob")
    own = ann.keep_painting(photo, HOSTILE)
    assert Desk(queue, "ann").shelf.all()[0] == own
    assert own not in bob.shelf.all()
    ann.shelf.remove(own.id)
    assert own not in ann.shelf.all()


def test_names_are_text_wherever_they_are_shown(desk, photo):
    kept = desk.keep(photo, HOSTILE)
    entry = desk.paint(Wanted(kept, {"charcoal": 1.0}, QUICK), name=HOSTILE)
    assert "<img" not in parts.told(entry.name)
    script = routes.static("studio.js")
    assert "innerHTML" not in script
    assert "insertAdjacentHTML" not in script
    assert not re.search(r"https?://", script + routes.static("studio.css"))
    assert "/" not in downloads.file_name("../../etc/passwd")


# --- the whole, by its endpoints ------------------------------------------------------------------


@contextmanager
def studio_in(folder, **settings):
    with opened(Settings(folder, port=0, **settings)) as studio:
        while not studio.server.started:
            time.sleep(0.05)
        yield studio.url


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    with studio_in(tmp_path_factory.mktemp("studio"), limits=Limits(UPLOAD_BYTES)) as url:
        yield url


@pytest.fixture(scope="module")
def client(url):
    return Client(url, verbose=False)


@pytest.fixture(scope="module")
def painted(client, tmp_path_factory):
    """A picture that is there, and its photograph."""
    photo = coffee(tmp_path_factory.mktemp("in") / "photo.png")
    job = stylized(client, photo)
    state = ended(client, job)
    assert state["status"] == "done", state
    return job, photo


def stylized(client, photo, painting="charcoal", own=None, **settings):
    values = {**{name: widget(name).default for name in MAIN}, **QUICK, **settings}
    return client.predict(
        handle_file(photo),
        painting,
        own and handle_file(own),
        *values.values(),
        api_name="/stylize",
    )


def ended(client, job):
    until_s = time.monotonic() + PATIENCE_S
    while time.monotonic() < until_s:
        state = client.predict(job, api_name="/status")
        if state["status"] in ("done", "stopped", "failed"):
            return state
        time.sleep(0.1)
    raise AssertionError(state)


def test_a_picture_by_the_endpoints_is_that_of_the_command_line(
    client, url, painted, folder, capsys
):
    job, photo = painted
    result = Path(client.predict(job, api_name="/result"))
    impasto(capsys, "stylize", photo, "charcoal", "-o", "cli.png", "--size", 64, "--quality",
            "draft", "--bits", 16)  # fmt: skip
    ours, theirs = (pictures.load(path).pixels for path in (result, "cli.png"))
    assert bool((ours == theirs).all())
    for ending, magic in (("png", b"\x89PNG"), ("jpg", b"\xff\xd8"), ("tif", b"II")):
        answer = httpx.get(f"{url}studio/jobs/{job}/picture.{ending}")
        assert answer.content.startswith(magic)
        kept = folder / f"download.{ending}"
        kept.write_bytes(answer.content)
        assert pictures.read_recipe(kept)["settings"]["quality"] == "draft"
    assert "Jug-bottle-and-fruit.tif" in answer.headers["content-disposition"]


def test_only_four_endpoints_are_named(client):
    named = client.view_api(return_format="dict", print_info=False)["named_endpoints"]
    assert set(named) == {"/stylize", "/clip", "/status", "/result"}


def test_a_film_by_the_endpoints_is_played_in_pieces(client, url, tmp_path):
    clip = pan(tmp_path / "pan.mp4", 2)
    values = {**{name: widget(name).default for name in MAIN}, **QUICK}
    job = client.predict(
        handle_file(clip), "charcoal", None, None, None, None, *values.values(), api_name="/clip"
    )
    state = ended(client, job)
    assert state["status"] == "done", state
    whole = Path(client.predict(job, api_name="/result")).read_bytes()
    at = f"{url}{state['film']}"
    assert httpx.get(at).content == whole
    piece = httpx.get(at, headers={"Range": "bytes=10-99"})
    assert (piece.status_code, piece.content) == (206, whole[10:100])
    assert piece.headers["content-type"] == "video/mp4"
    assert piece.headers["content-range"] == f"bytes 10-99/{len(whole)}"
    films = {
        each["id"]: each["film"] for each in httpx.get(f"{url}studio/gallery").json()["pictures"]
    }
    assert films[job] == state["film"]


def test_a_batch_answers_its_own_page_alone(url, photo, tmp_path_factory):
    desk = Desk(Queue(tmp_path_factory.getbasetemp() / "studio0"))
    batch = brought(desk, [(photo, "a.png")])
    at = f"{url}studio/batches/{batch.group}"
    page = {"X-Impasto": "page"}
    assert httpx.post(f"{at}/stop").status_code == 403
    assert httpx.post(f"{at}/delete", headers=page).status_code == 403
    assert httpx.post(f"{at}/stop", headers=page).json()["group"] == batch.group
    assert httpx.get(f"{at}/batch.csv").status_code == 404
    assert httpx.get(f"{url}studio/batches/batch-00000000").status_code == 404
    assert httpx.get(f"{url}studio/batches/..%2f..%2fetc").status_code == 404


@pytest.mark.parametrize("name", BAD_FILES)
def test_a_bad_upload_is_answered_with_its_line(client, tmp_path, name):
    path = tmp_path / name
    path.write_bytes(BAD_FILES[name][0])
    with pytest.raises(AppError) as error:
        stylized(client, path)
    assert "Photograph" in str(error.value)
    assert "Traceback" not in str(error.value)


def test_a_bad_setting_and_an_unknown_job_are_answered_with_their_line(client, photo):
    with pytest.raises(AppError, match="not on the shelf"):
        stylized(client, photo, "no-such-painting")
    with pytest.raises(AppError, match="there is none"):
        client.predict("../../etc", api_name="/status")


def test_jobs_are_steered_by_their_owners_hand_and_answer_no_other_page(client, url, photo):
    job = stylized(client, photo, quality="fine", size=512)
    at = f"{url}studio/jobs/{job}"
    assert httpx.post(f"{at}/stop", json={}).status_code == 403  # as a form elsewhere would
    page = {"X-Impasto": "page"}
    assert (
        httpx.post(f"{at}/rename", json={"name": HOSTILE}, headers=page).json()["name"] == HOSTILE
    )
    assert httpx.post(f"{at}/stop", json={}, headers=page).status_code == 200
    assert ended(client, job)["status"] in ("stopped", "done")
    assert httpx.post(f"{at}/no-such", json={}, headers=page).status_code == 403
    assert httpx.post(f"{at}/delete", json={}, headers=page).status_code == 200
    assert httpx.get(f"{url}studio/status?ids={job}").json() == {"jobs": []}
    assert httpx.post(f"{at}/undelete", json={}, headers=page).status_code == 200
    assert len(httpx.get(f"{url}studio/status?ids={job}").json()["jobs"]) == 1


@pytest.mark.parametrize(
    "path",
    [
        "studio/jobs/..%2f..%2fetc/task.json",
        "studio/jobs/JOB/task.json",
        "studio/jobs/JOB/picture.exe",
        "studio/jobs/JOB/..%2ftask.json",
        "studio/paintings/..%2f..%2f.jpg",
        "gradio_api/file=/etc/passwd",
        "gradio_api/file=FOLDER/jobs/JOB/task.json",
    ],
)
def test_files_are_given_out_by_their_few_names_only(url, painted, path, tmp_path_factory):
    job, _ = painted
    folder = tmp_path_factory.getbasetemp() / "studio0"
    answer = httpx.get(url + path.replace("JOB", job).replace("FOLDER", str(folder)))
    assert answer.status_code in (403, 404), answer.text


def test_a_name_from_elsewhere_that_leads_here_is_turned_away(url):
    answer = httpx.get(url, headers={"Host": "evil.example"})
    assert answer.status_code == 403
    assert "default-src 'self'" in httpx.get(url).headers["content-security-policy"]


def test_users_do_not_see_each_others_jobs(tmp_path, photo):
    admitted = Access({"ann": "password a", "bob": "password b"})
    with studio_in(tmp_path / "shared", access=admitted) as url:
        assert httpx.get(f"{url}studio/gallery").status_code == 401
        assert httpx.get(f"{url}config").status_code == 401
        ann, bob = (
            Client(url, auth=(name, password), verbose=False)
            for name, password in admitted.users.items()
        )
        job = stylized(ann, photo)
        assert ann.predict(job, api_name="/status")["id"] == job
        with pytest.raises(AppError, match="there is none"):
            bob.predict(job, api_name="/status")
        with pytest.raises(AppError, match="there is none"):
            bob.predict(job, api_name="/result")
        page = {"X-Impasto": "page"}
        for what, seen in ((ann, 200), (bob, 404)):
            inside = httpx.Client(cookies=what.cookies)
            assert inside.get(f"{url}studio/jobs/{job}/photo.jpg").status_code == seen
            inside_stop = inside.post(f"{url}studio/jobs/{job}/favour", json={}, headers=page)
            assert inside_stop.status_code == seen
            told = inside.get(f"{url}studio/status?ids={job}").json()["jobs"]
            assert len(told) == (seen == 200)


def test_film_and_measures_come_from_a_picture(client, url, painted, tmp_path_factory):
    desk = Desk(Queue(tmp_path_factory.getbasetemp() / "studio0"))
    job, _ = painted
    entry = desk.get(job)
    made = {kind: desk.more(entry, kind) for kind in ("film", "measures")}
    assert desk.more(entry, "film") == made["film"]  # not twice
    for each in made.values():
        assert ended(client, each.id)["status"] == "done", each.state()
    film = made["film"].task.order.timeline
    answer = httpx.get(f"{url}studio/jobs/{made['film'].id}/film{film.suffix}")
    assert answer.status_code == 200
    numbers = json.loads((made["measures"].folder / "measures.json").read_text())
    assert numbers["lpips"] >= 0
    seen = httpx.get(f"{url}studio/gallery").json()["pictures"]
    assert job in [each["id"] for each in seen]
    assert made["film"].id not in [each["id"] for each in seen]


def test_an_upload_over_the_limit_is_answered_in_our_words(url):
    for size, status in ((UPLOAD_BYTES, 200), (UPLOAD_BYTES + 1, 413)):
        answer = httpx.post(f"{url}gradio_api/upload", files={"files": ("a.png", bytes(size))})
        assert answer.status_code == status
    assert "allowed: up to 3.0 MB" in answer.json()["error"]


def test_a_photographs_view_is_upright_and_small(url, client, tmp_path):
    path = tmp_path / "turned.jpg"
    exif = PIL.Image.Exif()
    exif[0x0112] = 6
    PIL.Image.fromarray(data.coffee()).resize((96, 64)).save(path, exif=exif)
    job = stylized(client, path)
    shown = PIL.Image.open(io.BytesIO(httpx.get(f"{url}studio/jobs/{job}/photo.jpg").content))
    assert shown.size == (64, 96)

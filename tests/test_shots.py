"""A film's shots side by side: the very frames that they have in turn, whatever stops it."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from itertools import islice

import numpy as np
import pytest

from conftest import impasto, load_tool

pytest.importorskip("cv2")
pytest.importorskip("scenedetect")
pytest.importorskip("av")

from impasto.batch import shot_crew, shots
from impasto.batch.shot_crew import ShotCrew
from impasto.config import configure
from impasto.errors import ImpastoError, PictureError
from impasto.queue import worker
from impasto.queue.store import Queue
from impasto.video import shooting
from impasto.video.clip import Clip, open_clip
from impasto.video.film import open_film, paint_film
from impasto.video.order import FilmOrder, Strength
from impasto.video.shooting import Event, ShotOrder, paint_shot

make_clips = load_tool("make_clips")
SIZE = 48, 64
LAYERS = {"content_layers": (("relu2_1", 1.0),), "style_layers": (("relu2_1", 1.0),)}
QUICK = {"size": 64, "backbone": "vgg16", "iterations": 2, "threads": 1, **LAYERS}
EACH = 3  # frames of a shot


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    """A film of three shots, of which nothing but the first frame is a key frame."""
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    make_clips.write(path, islice(make_clips.noisy(make_clips.cut(SIZE, EACH)), 3 * EACH))
    return path


@pytest.fixture(scope="module")
def in_turn(clip, tmp_path_factory):
    """The bytes of its film's frames, painted one after the other."""
    return frames_of(opened(clip, tmp_path_factory.mktemp("turn")))


def order_of(clip, **others):
    return FilmOrder(open_clip(clip), ("charcoal",), configure(**QUICK), **others)


def opened(clip, folder, **others):
    return open_film(order_of(clip, **others), folder / "frames")


def frames_of(film, *given):
    paint_film(film, *given)
    return [each.path.read_bytes() for each in film.placed]


class Here:
    """A pool whose one worker is a thread."""

    places = ()

    def __init__(self, folder, workers, kinds, limits):
        self.queue, self.workers, self.leaving = Queue(folder, limits), workers, threading.Event()

    def __enter__(self):
        words = (self.queue.folder, shots.KINDS, self.leaving)
        self.thread = threading.Thread(target=worker.serve, args=words, daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.leaving.set()
        self.thread.join()


@pytest.fixture
def here(monkeypatch):
    monkeypatch.setattr(shot_crew, "Pool", Here)
    monkeypatch.setattr(shot_crew.Deaths, "check", lambda *_, **__: None)
    monkeypatch.setattr(shot_crew, "POLL_S", 0.005)
    monkeypatch.setattr(worker, "POLL_S", 0.005)


def test_shots_painted_in_any_order_from_what_json_holds_are_those_in_turn(clip, in_turn, tmp_path):
    film = opened(clip, tmp_path)
    assert [list(shot.frames) for shot in film.shots] == [[0, 1, 2], [3, 4, 5], [6, 7, 8]]
    for each in film.orders[::-1]:
        known = json.loads(json.dumps(each.to_json()))
        paint_shot(ShotOrder.from_json(known, "here"))
    new = []
    assert frames_of(film, new.append) == in_turn
    assert new == [Event(number, new=False) for number in range(9)]


def test_processes_give_the_film_of_one_and_go_on_where_they_were_stopped(clip, in_turn, tmp_path):
    film, crew = opened(clip, tmp_path), ShotCrew(tmp_path / "frames" / "queue", 2)
    told = []

    def stop(event):
        told.append(event)
        if not event.planned:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        paint_film(film, stop, crew)
    assert told[0].planned > 0  # the first frame's iterations are told too
    there = film.done
    assert there >= 1
    again = []
    assert frames_of(film, again.append, crew) == in_turn
    done = [event for event in again if not event.planned]
    assert sorted(event.frame for event in done) == list(range(9))
    assert sum(event.new for event in done) == 9 - there
    assert not crew.folder.exists()


def test_a_shot_that_fails_ends_the_film_in_one_line_and_the_others_are_kept(
    clip, in_turn, tmp_path, here, monkeypatch
):
    def paint(order, *given):
        if order.shot.number == 2:
            raise PictureError("no paint", "", "buy some")
        paint_shot(order, *given)

    film = opened(clip, tmp_path)
    crew = ShotCrew(tmp_path / "queue", 1)
    with monkeypatch.context() as patch:
        patch.setattr(shots, "paint_shot", paint)
        with pytest.raises(ImpastoError, match=r"^no paint; buy some$"):
            paint_film(film, crew=crew)
    assert film.done == EACH
    assert frames_of(film, lambda _: None, crew) == in_turn


def test_a_frame_is_told_once_whoever_painted_it(tmp_path):
    class Entry:
        folder = tmp_path

    journal, file = shots.Journal(Entry()), tmp_path / shots.JOURNAL
    assert list(journal.news()) == []
    file.write_text("[0, 1, 2, true]\n[0, 2, 0, true]\n[1, 2, 0, tr")
    assert list(journal.news()) == [Event(0, 1, 2), Event(0, 2)]
    with file.open("a") as more:  # the worker died there, and another began
        more.write("ue]\n[0, 0, 0, false]\n[1, 0, 0, false]\n[2, 4, 0, true]\n")
    assert list(journal.news()) == [Event(1, 2), Event(2, 4)]


@pytest.mark.parametrize("suffix", [".mp4", ".webm", ".mkv", ".gif", ""])
@pytest.mark.parametrize("interval", [(None, None, None), (0.05, 0.7, None), (0.1, None, 9)])
def test_frames_from_any_time_on_are_the_last_of_all(tmp_path, suffix, interval):
    path = tmp_path / f"clip{suffix}"
    make_clips.write(path, islice(make_clips.pan(SIZE), 20))
    clip = open_clip(path)
    every = list(clip.frames(*interval))
    for seek in (True, False):
        for place in (0, 1, len(every) // 2, len(every) - 1):
            found = list(clip.frames_from(every[place].time, every[0].time, *interval, seek=seek))
            assert [(each.time, each.duration) for each in found] == [
                (each.time, each.duration) for each in every[place:]
            ]
            assert all(
                np.array_equal(one.pixels, other.pixels)
                for one, other in zip(found, every[place:], strict=True)
            )


def test_where_an_index_leads_elsewhere_a_clip_is_read_from_its_beginning(
    clip, in_turn, tmp_path, monkeypatch
):
    frames_from, ways = Clip.frames_from, []

    def misled(self, time, *given, seek):
        ways.append(seek)
        found = frames_from(self, time, *given, seek=seek)
        return (replace(each, pixels=255 - each.pixels) if seek else each for each in found)

    monkeypatch.setattr(Clip, "frames_from", misled)
    film = opened(clip, tmp_path)
    paint_shot(film.orders[1])
    assert ways == [True, False]
    assert [film.path(number).read_bytes() for number in range(3, 6)] == in_turn[3:6]
    monkeypatch.setattr(shooting, "check_of", lambda _: -1)
    with pytest.raises(PictureError, match="does not give the frames any more"):
        paint_shot(film.orders[2])


def test_a_shot_whose_memory_is_damaged_begins_anew_to_the_same_bytes(clip, in_turn, tmp_path):
    film = opened(clip, tmp_path)
    second = film.orders[1]
    paint_shot(second)
    film.path(5).unlink()
    second.kept.state(4).write_bytes(b"damaged")
    told = []
    paint_shot(second, told.append)
    assert [event.frame for event in told if not event.planned and event.new] == [3, 4, 5]
    assert [film.path(number).read_bytes() for number in range(3, 6)] == in_turn[3:6]


def test_a_film_keeps_the_threads_that_it_was_begun_with(clip, tmp_path):
    free = replace(order_of(clip), config=configure(**{**QUICK, "threads": None}))
    film = open_film(free, tmp_path / "a", share=3)
    assert film.order.config.threads == 3
    assert open_film(free, tmp_path / "a", share=2).order.config.threads == 3
    with pytest.raises(PictureError, match="of other settings"):
        open_film(order_of(clip), tmp_path / "a")
    alone = replace(free, end_s=0.1)  # one shot has all threads that there are
    assert open_film(alone, tmp_path / "b", share=99).order.config.threads < 99


def test_an_order_comes_back_from_json_as_it_was(clip, tmp_path):
    order = replace(
        order_of(clip, strength=Strength(0.1, 0.7), begin_s=0.1, end_s=0.3, fps=12.5),
        mask=tmp_path / "m.png",
        regions={"white": "charcoal", "black": "photo"},
    )
    back = FilmOrder.from_json(json.loads(json.dumps(order.to_json())), "here")
    assert back == replace(order, clip=back.clip)
    assert back.clip.path == order.clip.path


def test_the_command_tells_of_one_shot_and_paints_several(
    clip, tmp_path, monkeypatch, capsys, here
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "look.toml").write_text("iterations = 2\ncontent_layers = 'relu2_1'\n")
    small = ("--config", "look.toml", "--size", "64", "--backbone", "vgg16", "--threads", "1")
    words = ("video", clip, "charcoal", *small)
    _, said = impasto(capsys, *words, "-o", "a.mp4", "--workers", "2", "--to", "0.1")
    assert "one shot" in said
    out, said = impasto(capsys, *words, "-o", "b.mp4", "--workers", "2")
    assert "9 frames" in out
    assert "one shot" not in said
    _, said = impasto(capsys, *words, "-o", "c.mp4", "--workers", "0", status=2)
    assert "--workers" in said

"""A film on a small disk: stretches that are encoded early, and joined to the very same film."""

from __future__ import annotations

import errno
from collections import namedtuple
from dataclasses import replace
from fractions import Fraction
from itertools import islice

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from skimage import data

from conftest import impasto, load_tool

pytest.importorskip("cv2")
pytest.importorskip("scenedetect")
pytest.importorskip("av")


from impasto.config import configure
from impasto.errors import PictureError
from impasto.video import film, kept, painting, shooting, stretches
from impasto.video.clip import open_clip
from impasto.video.film import open_film, paint_film, write_film
from impasto.video.order import FilmOrder
from impasto.video.stretches import STRETCH_FRAMES, Coding, coding_of, join, stretches_of

make_clips = load_tool("make_clips")
SIZE = 48, 64
CODED = [".mp4", ".mov", ".mkv", ".webm"]
LAYERS = {"content_layers": (("relu2_1", 1.0),), "style_layers": (("relu2_1", 1.0),)}
QUICK = {"size": 64, "backbone": "vgg16", "iterations": 2, "threads": 1, **LAYERS}
# A variable rate: 0.1 s, then 0.35 s, then 0.04 s each, the last 0.5 s.
BEGINS = [Fraction(each, 100) for each in (300, 310, *range(345, 377, 4))]
END = Fraction(423, 100)


@given(st.integers(0, 10**6), st.integers(1, 5 * STRETCH_FRAMES))
def test_stretches_are_all_of_a_shot_and_none_is_short_or_long(first, count):
    parts = stretches_of(first, first + count - 1)
    assert [number for part in parts for number in part] == [*range(first, first + count)]
    assert all(min(count, STRETCH_FRAMES) <= len(part) < 2 * STRETCH_FRAMES for part in parts)


def rolled(count=10):
    cup = data.coffee()[:121, :160]  # an odd side; see docs/video.md for an odd width
    return [np.roll(cup, 3 * number, 1) for number in range(count)]


def files_of(folder, coding, ticks, frames, sizes):
    """Stretches of these sizes on disk."""
    found, first = [], 0
    for size in sizes:
        numbers = range(first, first + size)
        pairs = [(ticks[n], frames[n]) for n in numbers if ticks[n] is not None]
        found.append(folder / f"{first}.stretch")
        found[-1].write_bytes(coding.encode(pairs))
        first += size
    return found


@pytest.mark.parametrize("suffix", CODED)
def test_stretches_joined_are_a_film_with_every_frame_at_its_time(tmp_path, suffix):
    frames, path = rolled(), tmp_path / f"film{suffix}"
    coding, ticks = coding_of(suffix, frames[0].shape[:2], BEGINS, END)
    assert Coding.from_json(coding.to_json()) == coding
    contents = []
    for _ in range(2):
        found = files_of(tmp_path, coding, ticks, frames, (4, 1, 5))
        assert join(path, found, coding, BEGINS, END) == ()
        contents.append(path.read_bytes())
    assert suffix != ".webm" or contents[0] == contents[1]  # x264's bytes differ now and then
    read = list(open_clip(path).frames())
    assert [frame.time + 3 for frame in read] == BEGINS
    assert [frame.duration * 100 for frame in read] == [10, 35, *[4] * 7, 50]
    for frame, wanted in zip(read, frames, strict=True):
        assert np.abs(frame.pixels[:121].astype(float) - wanted).mean() < 5
    import av

    with av.open(str(path)) as inside:
        keys = [n for n, each in enumerate(inside.demux(video=0)) if each.is_keyframe]
        assert {0, 4, 5} <= set(keys)


def test_a_frame_too_short_to_be_shown_is_in_no_stretch_and_that_is_said(tmp_path):
    times = [Fraction(0), Fraction(1, 25), Fraction(1, 25) + Fraction(1, 9000), Fraction(2, 25)]
    coding, ticks = coding_of(".mkv", (121, 160), times, Fraction(3, 25))
    assert ticks == [0, 40, None, 80]
    found = files_of(tmp_path, coding, ticks, rolled(4), (2, 1, 1))
    notes = join(tmp_path / "a.mkv", found, coding, times, Fraction(3, 25))
    assert "1 frames are left out" in notes[0]
    assert len(list(open_clip(tmp_path / "a.mkv").frames())) == 3


def test_a_stretch_that_is_damaged_or_of_another_encoder_is_one_line(tmp_path):
    coding, ticks = coding_of(".mp4", (121, 160), BEGINS, END)
    found = files_of(tmp_path, coding, ticks, rolled(), (5, 5))
    path, whole = tmp_path / "a.mp4", found[1].read_bytes()
    found[1].write_bytes(whole[:-9] + bytes(9))
    with pytest.raises(PictureError, match=r"5.stretch' of the film cannot be read; remove it"):
        join(path, found, coding, BEGINS, END)
    other = replace(coding, size=(100, 100))
    found[1].write_bytes(other.encode([(0, rolled(1)[0][:100, :100])]))
    with pytest.raises(PictureError, match="another version of PyAV"):
        join(path, found, coding, BEGINS, END)
    assert not path.exists()


@pytest.fixture
def short(monkeypatch):
    """Stretches of three frames, and a memory of two."""
    monkeypatch.setattr(stretches, "STRETCH_FRAMES", 3)
    for each in (kept, painting, shooting):
        monkeypatch.setattr(each, "LOOK_BACK", (1, 2))


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    """Two shots, of 8 frames and of 4."""
    folder = tmp_path_factory.mktemp("clip")
    shots = [*islice(make_clips.pan(SIZE), 8), *islice(make_clips.still(SIZE, data.chelsea()), 4)]
    make_clips.write(folder / "clip.mp4", make_clips.noisy(shots))
    return folder / "clip.mp4"


def opened(clip, folder, suffix=".webm"):
    order = FilmOrder(open_clip(clip), ("charcoal",), configure(**QUICK))
    return open_film(order, folder, suffix=suffix)


def made(film, path):
    paint_film(film)
    write_film(film, path)
    return path.read_bytes()


def pictures_in(film):
    return sorted(int(each.stem) for each in film.path(0).parent.glob("*.png"))


def test_few_frames_are_pictures_at_once_and_however_it_is_stopped_the_film_is_the_same(
    clip, tmp_path, short
):
    whole, most = opened(clip, tmp_path / "whole"), 0

    def count(event):
        nonlocal most
        most = max(most, len(pictures_in(whole)))

    paint_film(whole, count)
    assert most <= 2 * 3 - 1 + 2  # a last stretch, and the memory
    assert pictures_in(whole) == []
    assert not list((tmp_path / "whole").glob("shot-*/*.safetensors"))
    wanted = made(whole, tmp_path / "whole.webm")
    for last in (0, 2, 3, 4, 7, 9):

        def stop(event, last=last):
            if event.frame == last and not event.planned:
                raise KeyboardInterrupt

        parts = opened(clip, tmp_path / "parts")
        with pytest.raises(KeyboardInterrupt):
            paint_film(parts, stop)
        assert parts.done == last + 1
    assert made(parts, tmp_path / "parts.webm") == wanted
    assert len(list(open_clip(tmp_path / "parts.webm").frames())) == 12


FULL = {
    "known.safetensors": "the first frame's curvature",
    "00000001.safetensors": "frame 1",
    "000002.png": "frame 2",
    "00000003.stretch": "frames 3 to 7",
}


def test_a_disk_that_fills_up_is_one_line_and_nothing_is_lost(clip, tmp_path, short, monkeypatch):
    wanted = made(opened(clip, tmp_path / "whole"), tmp_path / "whole.webm")
    write, failing = kept.files.write_atomically, dict(FULL)

    def full(path, data, temporary=None):
        if failing.pop(path.name, None):
            raise OSError(errno.ENOSPC, "No space left on device")
        write(path, data, temporary)

    fuller = opened(clip, tmp_path / "parts")
    with monkeypatch.context() as patch:
        patch.setattr(kept.files, "write_atomically", full)
        for what in FULL.values():
            words = f": {what} cannot be kept: No space left on device; free some space; the same"
            with pytest.raises(PictureError, match=words):
                paint_film(fuller)
    assert made(fuller, tmp_path / "parts.webm") == wanted


def test_a_folders_frames_are_moved_into_their_place(clip, tmp_path):
    whole = opened(clip, tmp_path / "frames", "")
    paint_film(whole)
    places = [whole.path(number).stat().st_ino for number in range(12)]
    (whole.path(0).parent / ".000003.png.tmp").write_bytes(b"half")
    write_film(whole, tmp_path / "out")
    out = sorted((tmp_path / "out").iterdir())
    assert [each.name for each in out] == [f"{number:06}.png" for number in range(12)]
    assert [each.stat().st_ino for each in out] == places


def test_a_disk_that_will_not_hold_the_film_is_told_before(clip, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "look.toml").write_text("iterations = 2\ncontent_layers = 'relu2_1'\n")
    small = ("--config", "look.toml", "--size", "64", "--backbone", "vgg16", "--to", "0.05")
    usage = namedtuple("usage", "free")
    monkeypatch.setattr(film.shutil, "disk_usage", lambda _: usage(10_000))
    _, said = impasto(capsys, "video", clip, "charcoal", "-o", "a.mp4", *small)
    assert "The disk has 0.0 MB free, and the film will take about" in said
    monkeypatch.setattr(film.shutil, "disk_usage", lambda _: usage(10**9))
    _, said = impasto(capsys, "video", clip, "charcoal", "-o", "b.mp4", *small)
    assert "free" not in said

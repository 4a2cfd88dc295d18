"""A film's mask that moves: regions follow it, frame by frame, and come and go."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from itertools import islice

import numpy as np
import PIL.Image
import pytest
from skimage import data

from conftest import impasto, load_tool

pytest.importorskip("cv2")
pytest.importorskip("scenedetect")
pytest.importorskip("av")

from impasto.config import configure
from impasto.errors import ConfigError, PictureError
from impasto.video.clip import open_clip
from impasto.video.film import open_film, paint_film
from impasto.video.masking import masks_from
from impasto.video.order import FilmOrder
from impasto.video.preview import preview

make_clips = load_tool("make_clips")
SIZE = 48, 64
LAYERS = {"content_layers": (("relu2_1", 1.0),), "style_layers": (("relu2_1", 1.0),)}
QUICK = {"size": 64, "backbone": "vgg16", "iterations": 3, "threads": 1, **LAYERS}
BLACK, WHITE, RED = (0, 0, 0), (255, 255, 255), (255, 0, 0)
COUNT = 6


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    """A still scene."""
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    make_clips.write(path, islice(make_clips.still(SIZE, data.chelsea()), COUNT))
    return path


def drawn(columns, colour=WHITE, size=SIZE):
    """Masks, black but for some columns of each."""
    found = []
    for first, last in columns:
        mask = np.zeros((*size, 3), np.uint8)
        mask[:, first:last] = colour
        found.append(mask)
    return found


def folder_of(path, masks):
    path.mkdir()
    for number, mask in enumerate(masks):
        PIL.Image.fromarray(mask).save(path / f"{number}.png")
    return path


def order_of(clip, mask, **others):
    regions = {"white": "charcoal", "black": "photo"}
    order = FilmOrder(open_clip(clip), (), configure(**QUICK), mask=mask, regions=regions)
    return replace(order, **others)


def painted(order, folder):
    """Each frame of the film, and its photograph."""
    film = open_film(order, folder)
    paint_film(film)
    frames = [np.asarray(PIL.Image.open(each.path)) for each in film.placed]
    return frames, [frame.pixels for frame in order.frames()]


MOVING = [(0, 24), (8, 32), (16, 40), (24, 48), (0, 0), (40, 64)]


def test_regions_follow_the_mask_and_may_come_and_go(clip, tmp_path):
    order = order_of(clip, folder_of(tmp_path / "mask", drawn(MOVING)))
    frames, photographs = painted(order, tmp_path / "frames")
    for (first, last), frame, photograph in zip(MOVING, frames, photographs, strict=True):
        apart = np.abs(frame.astype(int) - photograph).mean((0, 2))
        outside = np.ones(64, bool)
        outside[max(0, first - 3) : last + 3] = False
        assert apart[outside].max(initial=0) < 1  # as photographed, whatever was there before
        if last > first:
            assert apart[first + 3 : last - 3].mean() > 5


def test_a_film_with_a_moving_mask_goes_on_where_it_was_stopped(clip, tmp_path):
    order = order_of(clip, folder_of(tmp_path / "mask", drawn(MOVING)))
    whole, _ = painted(order, tmp_path / "whole")

    def stop(event):
        if event.frame == 4 and not event.planned:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        paint_film(open_film(order, tmp_path / "parts"), stop)
    parts, _ = painted(order, tmp_path / "parts")
    assert all(np.array_equal(one, other) for one, other in zip(whole, parts, strict=True))


def test_a_mask_that_stands_still_is_the_still_picture(clip, tmp_path):
    (mask,) = drawn([(16, 48)])
    PIL.Image.fromarray(mask).save(tmp_path / "mask.png")
    still, _ = painted(order_of(clip, tmp_path / "mask.png", end_s=0.1), tmp_path / "a")
    place = folder_of(tmp_path / "mask", [mask] * COUNT)
    moving, _ = painted(order_of(clip, place, end_s=0.1), tmp_path / "b")
    assert len(still) == 3
    assert all(np.array_equal(one, other) for one, other in zip(still, moving, strict=True))


def times_of(order, tmp_path):
    return [float(each) for each in open_film(order, tmp_path / "f").track.times]


def test_a_masks_frames_go_by_number_or_by_time(clip, tmp_path):
    part = order_of(clip, folder_of(tmp_path / "three", drawn(MOVING[:3])), begin_s=0.12)
    assert times_of(part, tmp_path) == [0, 0.04, 0.08]  # as many as the film has
    make_clips.write(tmp_path / "six.mp4", drawn(MOVING))
    whole = order_of(clip, tmp_path / "six.mp4", begin_s=0.12)
    (tmp_path / "x").mkdir()
    assert times_of(whole, tmp_path / "x") == [0.12, 0.16, 0.2]
    for thinner in (whole, replace(whole, fps=12.5)):
        found = list(masks_from(thinner, False, Fraction(20, 100), SIZE))
        assert len(found) == 1
        assert np.abs(found[0].astype(int) - drawn(MOVING)[5]).mean() < 5
    large = [np.kron(each, np.ones((2, 2, 1), np.uint8)) for each in drawn(MOVING)]
    (tmp_path / "y").mkdir()
    assert len(times_of(order_of(clip, folder_of(tmp_path / "large", large)), tmp_path / "y")) == 6


@pytest.mark.parametrize(
    ("masks", "regions", "words"),
    [
        (drawn(MOVING[:4]), {}, "has 4 frames, and the film 6; as many are wanted"),
        (drawn(MOVING, size=(64, 64)), {}, "is 64 x 64 px, and the clip 64 x 48 px"),
        (drawn([*MOVING[:5], (9, 50)], RED), {}, "region red of the mask has no painting"),
        (drawn(MOVING), {"blue": "charcoal"}, "region 'blue': no frame of the mask has it"),
    ],
)
def test_a_mask_that_does_not_fit_is_one_line_before_the_work(
    clip, tmp_path, masks, regions, words
):
    order = order_of(clip, folder_of(tmp_path / "mask", masks))
    order = replace(order, regions={**order.regions, **regions})
    with pytest.raises((PictureError, ConfigError), match=words) as caught:
        open_film(order, tmp_path / "frames")
    assert "\n" not in str(caught.value)


def test_the_command_takes_a_mask_that_moves(clip, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "look.toml").write_text("iterations = 2\ncontent_layers = 'relu2_1'\n")
    folder_of(tmp_path / "mask", drawn(MOVING))
    small = ("--config", "look.toml", "--size", "64", "--backbone", "vgg16")
    masked = ("--mask", "mask", "--region", "white=charcoal", "--region", "black=photo")
    out, _ = impasto(capsys, "video", clip, *masked, *small, "-o", "a.mp4")
    assert "6 frames" in out
    found = preview(order_of(clip, tmp_path / "mask"), 2)
    assert len(found.times) == 2

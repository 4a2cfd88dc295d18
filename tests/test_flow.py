"""Motion: what is still stands still, what moves is followed, and what came to be seen is new."""

from __future__ import annotations

import sys
from fractions import Fraction
from itertools import islice

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage import data

from conftest import load_tool, noise_picture
from impasto.errors import PictureError
from impasto.video import flow
from impasto.video.clip import Frame, open_clip
from impasto.video.flow import Motion, carried, long_trust, motion
from impasto.video.shots import find_shots

make_clips = load_tool("make_clips")
SIZE = 96, 128


def two(scene, noise=2.0, apart=1, **settings):
    """Two frames of a scene of tools/make_clips.py."""
    frames = make_clips.noisy(islice(scene(SIZE, **settings), apart + 1), noise)
    first, *_, last = frames
    return first, last


def everywhere(across, down, size):
    """The same motion at each place, in px."""
    field = torch.tensor([across, down], dtype=torch.float32).view(1, 2, 1, 1)
    return Motion(field.expand(1, 2, *size).clone(), torch.ones(1, 1, *size))


@pytest.mark.parametrize("noise", [0, 1, 2, 4, 8, 16])
def test_where_only_noise_changed_nothing_moved(noise):
    way = motion(*two(make_clips.still, noise))
    assert not bool(way.field.any())
    assert bool((way.trust == 1).all())
    picture = noise_picture(*SIZE)
    assert carried(picture, way) is picture


def test_what_an_encoder_makes_of_a_still_scene_is_still(tmp_path):
    make_clips.write(tmp_path / "still.mp4", make_clips.noisy(islice(make_clips.still(SIZE), 9)))
    frames = [frame.pixels for frame in open_clip(tmp_path / "still.mp4").frames()]
    assert not np.array_equal(frames[0], frames[1])
    for earlier, later in ((0, 1), (3, 4), (0, 8)):
        way = motion(frames[earlier], frames[later])
        assert not bool(way.field.any())
        assert bool((way.trust == 1).all())


@pytest.mark.parametrize(("step_px", "off_px"), [(0.2, 0.15), (1.5, 0.2), (6.0, 0.25)])
def test_a_pan_is_followed_and_a_slow_one_is_no_stillness(step_px, off_px):
    way = motion(*two(make_clips.pan, noise=1, step_px=step_px))
    across, down = way.field[0]
    off = torch.hypot(across - step_px, down)[way.trust[0, 0] > 0]
    assert way.trust.mean() > 0.85
    assert off.mean() < off_px
    assert float((way.field == 0).all(1).float().mean()) < 0.05


@pytest.mark.parametrize(("step_px", "noise"), [(0.05, 1), (0.1, 3)])
def test_a_very_slow_pan_in_noise_is_no_stillness(step_px, noise):
    way = motion(*two(make_clips.pan, noise, step_px=step_px))
    assert float((way.field == 0).all(1).float().mean()) < 0.3


def test_what_comes_from_behind_something_is_not_trusted_and_the_rest_stands():
    step = 6
    before, after = two(make_clips.occlusion, step_px=step)
    way = motion(before, after)
    left, top, height, width = 16, 24, 48, 64  # of the front in the first frame
    new = way.trust[0, 0, top : top + height, left : left + step]
    front = np.s_[0, :, top + 6 : top + height - 6, left + step + 8 : left + step + width - 8]
    assert new.mean() < 0.25
    assert (way.field[front][0] + step).abs().mean() < 0.3
    assert way.field[front][1].abs().mean() < 0.3
    assert way.trust[front[0], 0, *front[2:]].mean() > 0.9
    beyond = np.s_[:, :, :, left + width + step + 24 :]
    assert not bool(way.field[beyond].any())
    assert bool((way.trust[beyond] == 1).all())


def test_motion_is_the_same_with_any_number_of_threads(monkeypatch):
    frames, used, steadied = two(make_clips.pan), set(), flow.steadied
    threads, found = cv2.getNumThreads(), []
    watched = lambda *given: used.add(cv2.getNumThreads()) or steadied(*given)  # noqa: E731
    monkeypatch.setattr(flow, "steadied", watched)
    try:
        for count in (1, 2, 3):
            cv2.setNumThreads(count)
            found.append(motion(*frames, threads=count))
            assert cv2.getNumThreads() == count
    finally:
        cv2.setNumThreads(threads)
    assert used == {1}
    for other in found[1:]:
        assert torch.equal(other.field, found[0].field)
        assert torch.equal(other.trust, found[0].trust)


@given(st.integers(16, 40), st.integers(16, 40), st.integers(-5, 5), st.integers(-5, 5))
@settings(max_examples=25, deadline=None)
def test_whole_pixels_are_carried_exactly(height, width, across, down):
    picture = noise_picture(height, width)
    moved = carried(picture, everywhere(across, down, (height, width)))
    rows = (torch.arange(height) + down).clamp(0, height - 1)
    columns = (torch.arange(width) + across).clamp(0, width - 1)
    assert torch.allclose(moved, picture[:, :, rows][:, :, :, columns], atol=1e-4)


def test_strokes_stay_sharp_where_a_bicubic_kernel_blurs_them():
    picture = torch.from_numpy(data.astronaut()[100:196, 100:228].copy())
    picture = picture.permute(2, 0, 1)[None].float() / 255
    ours = others = picture
    size = picture.shape[2:]
    down, across = torch.meshgrid(*(torch.arange(n) for n in size), indexing="ij")
    for step in (-0.3, 0.7, -0.6, 0.2, 0.4, -0.8, 0.5, -0.1):  # which end where they began
        ours = carried(ours, everywhere(step, 0, size))
        grid = torch.stack([(across + step) / (size[1] - 1), down / (size[0] - 1)], -1) * 2 - 1
        others = torch.nn.functional.grid_sample(
            others, grid[None].float(), "bicubic", "border", align_corners=True
        ).clamp(0, 1)
    inside = np.s_[:, :, 8:-8, 8:-8]
    off, off_bicubic = ((each - picture)[inside].square().mean().sqrt() for each in (ours, others))
    assert off < 0.6 * off_bicubic


def test_carried_follows_what_moved():
    before, after = two(make_clips.pan, step_px=3.0)
    way = motion(before, after)
    first, last = (torch.from_numpy(each).permute(2, 0, 1)[None] / 255 for each in (before, after))
    off = ((carried(first, way) - last) * way.trust).abs().mean()
    assert off < 0.2 * (first - last).abs().mean()


def test_each_place_is_held_to_the_nearest_frame_that_can_be_trusted():
    trusts = [(noise_picture(8, 8, seed)[:, :1] > 0.5).float() for seed in range(3)]
    near, middle, far = long_trust(trusts)
    assert torch.equal(near, trusts[0])
    assert torch.equal(near + middle + far, torch.stack(trusts).amax(0))
    assert bool((middle <= trusts[1]).all())
    assert long_trust([]) == []


def shot(scene, count, noise=2.0):
    return list(make_clips.noisy(islice(scene(SIZE), count), noise))


@pytest.mark.parametrize(
    ("lengths", "found"),
    [
        ((), []),
        ((1,), [(0, 0)]),
        ((9,), [(0, 8)]),
        ((7, 5), [(0, 6), (7, 11)]),
        ((1, 6), [(0, 0), (1, 6)]),
        ((6, 1), [(0, 5), (6, 6)]),
        ((5, 4, 6), [(0, 4), (5, 8), (9, 14)]),
    ],
)
def test_shots_are_found_at_any_place(lengths, found):
    scenes = (make_clips.pan, make_clips.zoom, make_clips.still)
    frames = [
        frame for scene, count in zip(scenes, lengths, strict=False) for frame in shot(scene, count)
    ]
    assert find_shots(placed(frames)) == found


def test_neither_a_flash_nor_a_fast_pan_is_a_cut():
    white = np.full((*SIZE, 3), 255, np.uint8)
    flash = [*shot(make_clips.still, 6), white, *shot(make_clips.still, 6)]
    assert find_shots(placed(flash)) == [(0, 12)]
    fast = islice(make_clips.pan(SIZE, step_px=12.0), 14)
    assert find_shots(placed(fast)) == [(0, 13)]


def placed(frames):
    step = Fraction(1, 25)
    return [Frame(pixels, number * step, step) for number, pixels in enumerate(frames)]


@pytest.mark.parametrize("module", ["cv2", "scenedetect"])
def test_without_a_package_one_line_says_what_to_install(monkeypatch, module):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(PictureError, match=r"pip install 'impasto\[video\]'"):
        find_shots([])
    if module == "cv2":
        with pytest.raises(PictureError, match="OpenCV"):
            motion(*two(make_clips.still))


def test_equations_5_and_6_by_hand():
    """A way forth that answers the way back is trusted; one that is 2 px off, or an edge, isn't."""
    back = np.zeros((20, 30, 2), np.float32)
    back[:, :, 0] = 3
    forth = -back
    trusted = flow.trusted(back, forth)
    assert trusted[:, :26].all()
    assert not trusted[:, 28:].any()  # it came from beyond the frame
    forth[:10] += 2
    assert not flow.trusted(back, forth)[:9].any()
    back[:, 15:, 0] = 4
    assert not flow.trusted(back, -back)[:, 14:16].any()

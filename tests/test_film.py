"""A film repainted: strokes travel with things, what is still stands still, nothing is lost."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import PIL.Image
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage import data, transform

from conftest import noise_picture, signals_as_before, small_state

pytest.importorskip("cv2")
pytest.importorskip("scenedetect")

from impasto.cli import main
from impasto.config import Config, configure
from impasto.errors import ConfigError, PictureError
from impasto.network.vgg import VGG
from impasto.transfer.evaluation import Evaluator, Region
from impasto.transfer.losses import Anchor, departure
from impasto.video.clip import open_clip
from impasto.video.film import open_film, paint_film
from impasto.video.flow import carried, motion
from impasto.video.order import FilmOrder, Strength
from impasto.video.preview import spread

SIZE, BIG = (64, 96), (128, 192)  # height, width
LAYERS = {
    "content_layers": (("relu3_1", 1.0),),
    "style_layers": (("relu1_1", 1.0), ("relu2_1", 3.0), ("relu3_1", 3.0)),
}
QUICK = {"size": 96, "backbone": "vgg16", "iterations": 14, **LAYERS}
NOISE = 2 / 255


def written(folder, frames):
    """A clip: a folder of numbered pictures."""
    folder.mkdir()
    for number, frame in enumerate(frames):
        samples = (np.clip(frame, 0, 1) * 255).round().astype(np.uint8)
        PIL.Image.fromarray(samples).save(folder / f"{number:04}.png")
    return folder


def noisy(frames, seed=0):
    """The same with a camera's noise."""
    random = np.random.default_rng(seed)
    return [frame + random.normal(0, NOISE, frame.shape) for frame in frames]


def still(count):
    base = transform.resize(data.coffee(), SIZE, order=3)
    return noisy([base] * count)


def pan(count, step=1.5):
    wide = transform.resize(data.coffee(), (80, 160), order=3)
    return noisy(
        [
            transform.warp(
                wide,
                transform.AffineTransform(translation=(step * number, 0.4 * step * number)),
                output_shape=SIZE,
                order=3,
            )
            for number in range(count)
        ]
    )


def order_of(clip, **more):
    return FilmOrder(open_clip(clip), ("charcoal",), configure(**{**QUICK, **more}))


def painted(order, folder, on_frame=lambda *_: None, **others):
    """The frames of a film as bytes."""

    def tell(event):
        if not event.planned:
            on_frame(event.frame, event.iterations, event.new)

    film = open_film(order, folder)
    paint_film(film, tell, **others)
    return [each.path.read_bytes() for each in film.placed]


def pixels(data_):
    import io

    return np.asarray(PIL.Image.open(io.BytesIO(data_))).astype(np.float32) / 255


def test_the_gradient_of_a_departure_is_its_slope():
    picture, x, way = (noise_picture(8, 12, seed, torch.float64) for seed in (1, 2, 3))
    trust, held = (noise_picture(8, 12, seed, torch.float64)[:, :1] for seed in (4, 5))
    anchor, step = Anchor(picture, trust, held, 1.0), 1e-6
    _, gradient = departure(x, anchor)
    slope = (departure(x + step * way, anchor)[0] - departure(x - step * way, anchor)[0]) / 2 / step
    assert slope == pytest.approx(float((gradient * way).sum()), rel=1e-6)
    assert departure(picture, anchor)[0] == 0


def test_the_loss_alone_is_that_which_comes_with_a_gradient():
    photograph, painting, x, picture = (noise_picture(48, 64, seed) for seed in range(4))
    trust, held, preserve = (noise_picture(48, 64, seed)[:, :1] for seed in (5, 6, 7))
    config, anchor = Config(tv_weight=0.1), Anchor(picture, trust, held, 3.0)
    evaluate = Evaluator(
        VGG(small_state()), photograph, [Region.whole(painting)], config,
        preserve=preserve, grey=True, anchor=anchor,
    )  # fmt: skip
    found = evaluate(x)
    assert {"departure", "tv"} < set(found.losses)
    assert evaluate.value(x).loss == pytest.approx(found.loss, rel=1e-6)


def test_a_still_scene_stands_still_to_the_byte_and_costs_nothing(tmp_path):
    took = []
    frames = painted(
        order_of(written(tmp_path / "clip", still(6))),
        tmp_path / "frames",
        lambda number, iterations, new: took.append(iterations),
    )
    assert len(set(frames)) == 1
    assert took[0] > 0
    assert set(took[1:]) == {0}


def test_strokes_travel_with_things(tmp_path):
    """Held against frames that are painted one by one, by the clip's own motion."""
    clip = written(tmp_path / "clip", pan(5))
    order = order_of(clip)
    after = [pixels(each) for each in painted(order, tmp_path / "frames")]
    alone = [
        order.job(frame.pixels).run().pixels[0].permute(1, 2, 0).numpy() for frame in order.frames()
    ]
    found = [frame.pixels for frame in order.frames()]
    errors = []
    for film_ in (after, alone):
        total = 0.0
        for number in range(1, 5):
            way = motion(found[number - 1], found[number])
            before = torch.from_numpy(film_[number - 1]).permute(2, 0, 1)[None]
            there = carried(before, way)[0].permute(1, 2, 0).numpy()
            trust = way.trust[0, 0].numpy()[..., None]
            total += float((np.square(film_[number] - there) * trust).sum() / trust.sum())
        errors.append(total)
    steady, apart = errors
    assert steady < apart / 16  # of squares: a quarter of the error
    assert np.abs(after[4] - after[0]).mean() > 0.02  # and yet they move


def test_gone_on_with_at_any_frame_it_has_the_bytes_of_one_that_nothing_stopped(tmp_path):
    order = order_of(written(tmp_path / "clip", pan(6)))
    whole = painted(order, tmp_path / "whole")
    for last in (0, 2, 4):

        def stop(number, iterations, new, last=last):
            if number == last:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            painted(order, tmp_path / "parts", stop)
    new = []
    parts = painted(order, tmp_path / "parts", lambda number, took, is_new: new.append(is_new))
    assert parts == whole
    assert new == [False] * 5 + [True]


def test_a_cut_begins_a_shot_that_knows_nothing_of_the_one_before(tmp_path):
    cat = transform.resize(data.chelsea(), SIZE, order=3)
    second = noisy([cat] * 4, seed=1)
    both = painted(order_of(written(tmp_path / "both", pan(4) + second)), tmp_path / "a")
    alone = painted(order_of(written(tmp_path / "alone", second)), tmp_path / "b")
    assert both[4:] == alone


def test_what_was_hidden_meanwhile_comes_back_as_it_was(tmp_path):
    """A cat passes before a cup: behind it the cup is as before, mostly to the byte."""
    base = transform.resize(data.coffee(), BIG, order=3)
    cat = transform.resize(data.chelsea(), (50, 40), order=3)
    frames = []
    for number in range(7):
        frame, left = base.copy(), 40 * number - 50
        begin, end = max(0, left), min(BIG[1], left + 40)
        if end > begin:
            frame[40:90, begin:end] = cat[:, begin - left : end - left]
        frames.append(frame)
    order = order_of(written(tmp_path / "clip", noisy(frames)), size=max(BIG))
    found = [pixels(each) for each in painted(order, tmp_path / "f")]
    same = np.abs(found[6] - found[0]).max(2) == 0
    hidden = np.zeros(BIG, bool)
    hidden[40:90, 30:110] = True  # by frames 2 and 3, with a margin
    assert same[hidden].mean() > 0.5
    assert np.abs(found[2] - found[0])[40:90, 30:70].mean() > 0.05  # it was there


def test_what_changes_without_motion_is_followed(tmp_path):
    """A cup turns into a cat: the last frame is nearer to its own picture than the first."""
    cup, cat = (transform.resize(each(), SIZE, order=3) for each in (data.coffee, data.chelsea))
    shares = [0, 0, 0.2, 0.4, 0.6, 0.8, 1, 1, 1]
    order = order_of(written(tmp_path / "clip", noisy([cup * (1 - t) + cat * t for t in shares])))
    found = [pixels(each) for each in painted(order, tmp_path / "f")]
    alone = order.job(list(order.frames())[-1].pixels).run().pixels[0].permute(1, 2, 0).numpy()
    first, last = (np.abs(each - alone).mean() for each in (found[0], found[-1]))
    assert last < 0.7 * first


def test_another_films_folder_is_refused(tmp_path):
    clip = written(tmp_path / "clip", still(2))
    painted(order_of(clip), tmp_path / "f")
    with pytest.raises(PictureError, match="another film"):
        open_film(order_of(clip, seed=1), tmp_path / "f")


def test_a_films_settings_are_a_films(tmp_path):
    clip = written(tmp_path / "clip", still(2))
    for more, words in (
        ({"size": "original"}, "a film's is a number"),
        ({"tileable": True}, "borders"),
    ):
        with pytest.raises(ConfigError, match=words):
            order_of(clip, **more)


@pytest.mark.parametrize("color", ["luminance", "photo", "painting"])
def test_colours_are_whose_they_are_asked_to_be(tmp_path, color):
    order = order_of(written(tmp_path / "clip", pan(3)), color=color)
    order = replace(order, paintings=("night-swirls",))
    found = painted(order, tmp_path / "f")
    frame = list(order.frames())[2].pixels / 255
    picture = pixels(found[2])
    assert np.isfinite(picture).all()
    if color == "luminance":  # the photograph's own red against blue
        ours, theirs = ((p[..., 0] - p[..., 2]) for p in (picture, frame))
        assert np.corrcoef(ours.ravel(), theirs.ravel())[0, 1] > 0.8


def test_a_strength_goes_from_one_to_another(tmp_path):
    order = order_of(written(tmp_path / "clip", still(5)))
    order = replace(order, strength=Strength(0.2, 0.8))
    assert [order.config_at(n, 5).strength for n in range(5)] == [0.2, 0.35, 0.5, 0.65, 0.8]


@given(st.integers(1, 20), st.integers(1, 1000))
@settings(deadline=None)
def test_a_preview_is_spread_over_the_film(count, of):
    numbers = spread(count, of)
    assert len(numbers) == len(set(numbers)) == min(count, of)
    assert min(numbers) >= 0
    assert max(numbers) < of
    gaps = np.diff(numbers)
    assert not len(gaps) or gaps.max() - gaps.min() <= 1


def command(*words):
    with signals_as_before(), pytest.raises(SystemExit) as ended:
        main([str(word) for word in words])
    return ended.value.code or 0


def test_the_command_makes_a_film_with_all_frames_and_times(tmp_path, capsys, monkeypatch):
    pytest.importorskip("av")
    monkeypatch.chdir(tmp_path)
    written(tmp_path / "clip", pan(4))
    small = ("--config", "look.toml", "--size", "96", "--backbone", "vgg16", "--quality", "draft")
    (tmp_path / "look.toml").write_text("iterations = 8\n")
    assert command("video", "clip", "charcoal", "-o", "out.mp4", "--fps", "10", *small) == 0
    assert "4 frames" in capsys.readouterr().out
    made = open_clip("out.mp4")
    assert (made.frame_count, made.size, float(made.rate)) == (4, SIZE, 10)
    assert not (tmp_path / "out.mp4-frames").exists()
    assert command("video", "clip", "charcoal", "--preview", "-o", "sheet.png", *small) == 0
    assert "will take about" in capsys.readouterr().out
    assert command("video", "clip", "charcoal", "--strength", "0.3:x", *small) == 2
    assert "two such as 0.3:0.8" in capsys.readouterr().err

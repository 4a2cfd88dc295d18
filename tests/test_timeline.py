"""The picture coming into being: paced by change, gone on with to the same bytes, and whole."""

from __future__ import annotations

import errno
import sys
from dataclasses import replace
from functools import partial
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import PIL.Image
import pytest
import torch
from av.video.reformatter import Interpolation
from hypothesis import given
from hypothesis import strategies as st
from skimage import data

from conftest import impasto, signals_as_before
from impasto import timeline
from impasto.cli import main
from impasto.config import STARTS, configure
from impasto.errors import PictureError
from impasto.job import checkpoint
from impasto.job.order import Order
from impasto.job.prepare import prepare
from impasto.pictures.films import FORMS, mp4
from impasto.timeline import Timeline, at_equal_steps, change
from impasto.transfer.optimize import Step

SETTINGS = {
    "size": 64,
    "iterations": 9,
    "backbone": "vgg16",
    "content_layers": (("relu2_1", 1.0),),
    "style_layers": (("relu1_1", 1.0), ("relu2_1", 1.0)),
}
QUICK = ("--size", 64, "--iterations", 9, "--backbone", "vgg16")
QUICK += ("--content-layers", "relu2_1", "--style-layers", "relu1_1,relu2_1")
COMMAND = ("stylize", "photo.png", "charcoal", "-o", "out.png", *QUICK)
FOLDER = Path("out.png-checkpoint")
SUFFIXES = [form.suffix for form in FORMS]
# RMS that a lossy film of 64 px may be off by; the start and the result are 0.3 apart.
CLOSE = 0.05


def frames_of(path):
    """All frames of a film, and the seconds that it takes."""
    if path.suffix == ".mp4":
        exact = Interpolation.BICUBIC | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT
        with av.open(path) as film:
            frames = [
                each.reformat(format="rgb24", src_colorspace=1, interpolation=exact).to_ndarray()
                for each in film.decode(video=0)
            ]
            return frames, film.duration / av.time_base
    with PIL.Image.open(path) as film:
        frames, milliseconds = [], 0
        for place in range(film.n_frames):
            film.seek(place)
            frames.append(np.asarray(film.convert("RGB")))
            milliseconds += film.info["duration"]
        return frames, milliseconds / 1000


def picture(path):
    return np.asarray(PIL.Image.open(path).convert("RGB"))


def job_of(**settings):
    return prepare("photo.png", "charcoal", configure(**{**SETTINGS, **settings}))


def grey(level, size=(4, 6)):
    return np.full((*size, 3), level, np.uint8)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A folder with a film of each kind, made by a run that nothing disturbed, and its result."""
    made = tmp_path_factory.mktemp("whole")
    with signals_as_before(), pytest.MonkeyPatch.context() as here:
        here.chdir(made)
        here.setenv("IMPASTO_CACHE", str(made / "cache"))
        PIL.Image.fromarray(data.coffee()).resize((96, 64)).save("photo.png")
        for suffix in SUFFIXES:
            with pytest.raises(SystemExit) as exit_:
                main([str(word) for word in (*COMMAND, "--timeline", f"film{suffix}")])
            assert not exit_.value.code
    assert len(list(made.iterdir())) == 5  # neither a checkpoint nor frames
    return made


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_film_goes_from_the_start_to_the_result(folder, whole, suffix):
    form = next(form for form in FORMS if form.suffix == suffix)
    frames, seconds = frames_of(whole / f"film{suffix}")
    result = picture(whole / "out.png")
    height, width = result.shape[0] - result.shape[0] % form.multiple_px, result.shape[1]
    assert {frame.shape for frame in frames} == {(height, width, 3)}
    assert seconds == pytest.approx(form.seconds + timeline.FIRST_S + timeline.LAST_S, abs=0.2)
    start = Timeline(job_of(), f"film{suffix}").start
    shown = np.asarray(PIL.Image.fromarray(result).resize((width, height)))
    assert change(start, shown) > 3 * CLOSE
    assert change(frames[0], start) < CLOSE
    assert change(frames[-1], shown) < CLOSE


@pytest.mark.parametrize("form", FORMS, ids=SUFFIXES)
def test_the_same_frames_give_the_same_film(form, tmp_path):
    shots = [(grey(level, (32, 48)), 2) for level in (0, 90, 255)]
    paths = [tmp_path / f"{name}{form.suffix}" for name in ("one", "other")]
    for path in paths:
        path.write_bytes(form.encode(iter(shots), 10))
    if form.encode is not mp4:  # x264's own bytes differ now and then: see `mp4`
        assert paths[0].read_bytes() == paths[1].read_bytes()
    (one, lasting), (other, as_long) = map(frames_of, paths)
    assert lasting == as_long
    assert max(map(change, one, other)) < 1 / 255


def test_an_mp4_has_the_colours_of_its_frames_and_says_how_they_are_coded(tmp_path):
    path, red = tmp_path / "red.mp4", np.full((32, 48, 3), (200, 60, 30), np.uint8)
    path.write_bytes(mp4([(red, 3)], 24))
    frames, _ = frames_of(path)
    assert np.allclose(frames[-1], red, atol=2)
    with av.open(path) as film:
        context = film.streams.video[0].codec_context
        coded = (context.colorspace, context.color_primaries, context.color_trc)
        assert (*coded, context.color_range) == (1, 1, 13, 1)  # BT.709, sRGB's transfer, limited


def test_it_begins_with_what_the_optimisation_starts_from(folder):
    photo = PIL.Image.open("photo.png").resize((64, 43), PIL.Image.Resampling.BICUBIC)
    PIL.Image.new("RGB", (96, 64), "teal").save("teal.png")
    begins = {start: Timeline(job_of(start=start), "film.gif").start for start in STARTS}
    assert change(begins["content"], np.asarray(photo)) < 0.01
    assert change(begins["noise"], begins["content"]) > 0.2
    teal = Timeline(job_of(start="teal.png"), "film.gif").start
    assert (teal == (0, 128, 128)).all()


@given(
    st.lists(st.integers(0, 255), min_size=2, max_size=20),
    st.integers(1, 60),
)
def test_a_film_begins_with_its_first_picture_and_ends_with_its_last(levels, steps):
    film = list(at_equal_steps([partial(grey, level) for level in levels], steps))
    assert len(film) == steps + 1
    assert (film[0] == grey(levels[0])).all()
    assert (film[-1] == grey(levels[-1])).all()


@given(st.lists(st.integers(0, 25), min_size=3, max_size=20).filter(lambda some: sum(some) > 50))
def test_from_frame_to_frame_the_change_is_the_same(moves):
    levels = np.minimum(np.cumsum([0, *moves]), 255)
    steps = 10
    film = list(at_equal_steps([partial(grey, level) for level in levels], steps))
    moved = [255 * change(one, other) for one, other in pairwise(film)]
    assert np.allclose(moved, levels[-1] / steps, atol=1)  # each frame is rounded to 8 bits


def test_a_real_run_moves_evenly_though_its_iterations_do_not(folder):
    job, seen = job_of(iterations=12), []
    recorder = Timeline(job, "film.webp")
    job.run(lambda step: (recorder(step), seen.append(recorder.frame(step.picture()))))
    by_iteration = [change(a, b) for a, b in zip([recorder.start, *seen], seen, strict=False)]
    kept = [recorder.start, *(timeline.read(path) for path in recorder.kept)]
    film = list(at_equal_steps([partial(lambda each: each, each) for each in kept], 20))
    by_frame = [change(one, other) for one, other in pairwise(film)]
    assert max(by_iteration) > 5 * min(by_iteration)
    assert max(by_frame) < 2 * min(by_frame)


def stepping(recorder, levels):
    """Give a listener one step after another, of grey pictures; the iterations that it keeps."""
    for iteration, level in enumerate(levels, 1):
        pixels = torch.full((1, 3, *recorder.size), level / 255)
        recorder(Step(iteration, 99, recorder.size, 0.0, {}, pixels=pixels))
    return [int(path.stem) for path in recorder.kept]


def test_a_frame_is_kept_where_the_picture_has_changed_enough_since_the_last(folder, monkeypatch):
    recorder = Timeline(job_of(), "film.gif")
    assert stepping(recorder, [10, 10, 11, 11, 11, 13, 13]) == [1, 3, 6]
    monkeypatch.setattr(timeline, "MANY", 2)  # then twice the change counts, and so on
    recorder = Timeline(job_of(), "film.gif")
    assert stepping(recorder, range(10, 22)) == [1, 2, 4, 6, 10]


def stop_after_five(checkpointer, step, listen=checkpoint.Checkpointer.__call__):
    listen(checkpointer, step)
    if step.iteration == 5:
        raise KeyboardInterrupt


def test_after_ctrl_c_there_is_a_film_and_going_on_ends_in_the_same_bytes(folder, whole, capsys):
    with pytest.MonkeyPatch.context() as stopping:
        stopping.setattr(checkpoint.Checkpointer, "__call__", stop_after_five)
        impasto(capsys, *COMMAND, "--timeline", "film.webp", status=130)
    so_far, _ = frames_of(Path("film.webp"))
    assert change(so_far[-1], picture("out.png")[: len(so_far[-1])]) < CLOSE
    (frames,) = FOLDER.glob("frames-*")
    (frames / "00000006.png").write_bytes(b"of a moment that the checkpoint does not know")
    impasto(capsys, "resume", FOLDER)
    assert Path("out.png").read_bytes() == (whole / "out.png").read_bytes()
    assert Path("film.webp").read_bytes() == (whole / "film.webp").read_bytes()
    assert not FOLDER.exists()


def test_frames_of_another_run_in_the_same_folder_are_not_taken_for_this_ones(
    folder, whole, capsys
):
    with pytest.MonkeyPatch.context() as stopping:
        stopping.setattr(checkpoint.Checkpointer, "__call__", stop_after_five)
        impasto(capsys, *COMMAND, "--timeline", "a.gif", "--strength", 0.9, status=130)
        impasto(capsys, *COMMAND, "--timeline", "b.gif", status=130)
    assert len(list(FOLDER.glob("frames-*"))) == 2
    impasto(capsys, "resume", FOLDER)
    assert Path("b.gif").read_bytes() == (whole / "film.gif").read_bytes()
    assert not FOLDER.exists()


def test_a_film_asked_for_on_the_way_says_what_it_passes_over(folder, capsys):
    with pytest.MonkeyPatch.context() as stopping:
        stopping.setattr(checkpoint.Checkpointer, "__call__", stop_after_five)
        impasto(capsys, *COMMAND, status=130)
    err = impasto(capsys, *COMMAND, "--resume", "--timeline", "film.gif").err
    assert "No frames were kept so far" in err
    frames, _ = frames_of(Path("film.gif"))
    assert change(frames[-1], picture("out.png")) < CLOSE


def test_other_files_in_the_checkpoints_folder_stay(folder, capsys):
    (FOLDER / "frames-of-mine").mkdir(parents=True)
    mine = FOLDER / "frames-of-mine" / "00000001.png"
    mine.write_bytes(b"mine")
    impasto(capsys, *COMMAND, "--timeline", "film.gif")
    assert mine.read_bytes() == b"mine"
    assert [path.name for path in FOLDER.iterdir()] == ["frames-of-mine"]


@pytest.mark.parametrize("color", ["painted", "luminance"])
def test_from_python_the_last_frame_is_the_result_to_the_bit(folder, color):
    """Also where the picture to show is not the one that is optimised, and is transparent."""
    PIL.Image.open("photo.png").convert("RGBA").save("photo.png")
    clear = PIL.Image.open("photo.png")
    clear.putalpha(PIL.Image.linear_gradient("L").resize(clear.size))
    clear.save("photo.png")
    job = job_of(color=color)
    recorder = Timeline(job, "film.webp")
    result = job.run(recorder)
    assert recorder.save(result) == Path("film.webp")
    result.save("out.jpg", recipe=False)  # on white, as in the film
    last = recorder.frame(result.pixels)
    assert change(last, picture("out.jpg")) < 0.02
    assert change(timeline.read(recorder.kept[-1]), last) < CLOSE / 2
    white = np.asarray(result.image.getchannel("A")) < 3
    assert (last[white] > 250).all()


def test_without_pyav_mp4_is_one_line_before_the_work(folder, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)
    err = impasto(capsys, *COMMAND, "--timeline", "film.mp4", status=2).err
    assert err.count("\n") == 1
    assert "film 'film.mp4' needs PyAV" in err
    assert "allowed without it: .gif, .webp" in err
    assert "pip install av" in err
    assert sorted(path.name for path in Path().iterdir()) == ["photo.png"]


BAD = {
    "film.mpg": "the ending '.mpg'; allowed: .mp4, .gif, .webp; did you mean .mp4?",
    "film": "no ending",
    "nowhere/film.gif": "a folder that does not exist",
    "folder.gif": "is a folder",
    "out.webp": "would overwrite the result 'out.webp'",
    "photo.gif": "would overwrite the input 'photo.gif'",
    "link.gif": "would overwrite the input 'photo.gif'",
}


@pytest.mark.parametrize("name", BAD)
def test_a_film_that_cannot_be_is_one_line_before_the_work(folder, capsys, name):
    Path("folder.gif").mkdir()
    PIL.Image.open("photo.png").save("photo.gif")
    Path("link.gif").symlink_to("photo.gif")
    before = {path: path.read_bytes() for path in Path().iterdir() if path.is_file()}
    words = ("stylize", "photo.gif", "charcoal", "-o", "out.webp", *QUICK, "--timeline", name)
    err = impasto(capsys, *words, status=2).err
    assert err.count("\n") == 1
    assert BAD[name] in err
    assert {path: path.read_bytes() for path in Path().iterdir() if path.is_file()} == before


def full(*_words, **_more):
    raise OSError(errno.ENOSPC, "No space left on device")


def test_where_the_disk_fills_at_the_end_the_picture_is_there_and_the_film_can_be_made(
    folder, whole, capsys
):
    real = timeline.write_atomically

    def full_for_films(path, *rest):
        return full() if path.suffix == ".gif" else real(path, *rest)

    with pytest.MonkeyPatch.context() as crowded:
        crowded.setattr(timeline, "write_atomically", full_for_films)
        out = impasto(capsys, *COMMAND, "-q", "--timeline", "film.gif", status=1)
    assert out.err.count("\n") == 1
    assert "Film left out: film 'film.gif' cannot be written: No space left on device" in out.err
    assert out.err.endswith("to go on: impasto resume out.png-checkpoint\n")
    assert Path("out.png").read_bytes() == (whole / "out.png").read_bytes()
    impasto(capsys, "resume", FOLDER)
    assert Path("film.gif").read_bytes() == (whole / "film.gif").read_bytes()
    assert not FOLDER.exists()


def test_where_it_fills_on_the_way_that_is_said_once_and_there_is_a_film(
    folder, capsys, monkeypatch
):
    real = timeline.write_atomically

    def full_for_frames(path, *rest):
        return full() if path.suffix == ".png" else real(path, *rest)

    monkeypatch.setattr(timeline, "write_atomically", full_for_frames)
    err = impasto(capsys, *COMMAND, "-q", "--timeline", "film.gif").err
    assert err.count("\n") == 1
    assert "The film will have gaps: frame 00000001 of film 'film.gif' cannot be kept" in err
    frames, _ = frames_of(Path("film.gif"))
    assert change(frames[-1], picture("out.png")) < CLOSE


def test_what_an_encoder_makes_of_it_is_an_error_of_ours_and_no_file(folder, monkeypatch):
    job = job_of(iterations=2)
    recorder = Timeline(job, "film.gif")
    result = job.run(recorder)
    good = recorder.form
    recorder.form = replace(good, encode=lambda *_: 1 / 0)
    with pytest.raises(PictureError, match=r"film 'film.gif' cannot be made: ZeroDivisionError"):
        recorder.save(result)
    recorder.form = good
    recorder.kept[-1].write_bytes(b"damaged")
    with pytest.raises(PictureError, match=r"cannot be read; delete it"):
        recorder.save(result)
    assert not Path("film.gif").exists()


def test_without_checkpoints_frames_are_kept_elsewhere_and_go(folder, whole, capsys, monkeypatch):
    monkeypatch.setattr(timeline.tempfile, "tempdir", str(folder / "temporary"))
    Path("temporary").mkdir()
    impasto(capsys, *COMMAND, "--no-checkpoint", "--timeline", "a.gif")
    assert Path("a.gif").read_bytes() == (whole / "film.gif").read_bytes()
    assert list(Path("temporary").iterdir()) == []


@pytest.mark.parametrize(("result", "film"), [((64, 96), (64, 96)), ((2001, 3000), (480, 720))])
def test_a_film_has_even_sides_and_is_never_larger_than_the_result(result, film):
    mp4 = FORMS[0]
    assert mp4.size(result) == film
    assert mp4.size((65, 97)) == (64, 96)


def test_a_gif_has_one_palette_for_all(whole):
    with PIL.Image.open(whole / "film.gif") as film:
        colours = set()
        for place in range(film.n_frames):
            film.seek(place)
            colours |= {colour for _, colour in film.convert("RGB").getcolors(1 << 16)}
    assert 64 < len(colours) <= 256


def test_an_order_without_a_film_comes_back_too(tmp_path):
    order = Order(tmp_path / "a.png", ("charcoal",), configure(), tmp_path / "b.png")
    known = order.to_json()
    del known["timeline"]  # as checkpoints had it before there were films
    assert Order.from_json(known, tmp_path) == order
    film = replace(order, timeline=tmp_path / "film.gif")
    assert Order.from_json(film.to_json(), tmp_path) == film

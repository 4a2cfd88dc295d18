"""Bad input to `impasto video`, as somebody types it: one line, and nothing left behind."""

from __future__ import annotations

import shutil
from itertools import islice

import numpy as np
import PIL.Image
import pytest

from conftest import impasto, load_tool

pytest.importorskip("cv2")
pytest.importorskip("scenedetect")
pytest.importorskip("av")

import test_clips
from impasto.video import kinds
from impasto.video.clip import open_clip

make_clips = load_tool("make_clips")
SMALL = ("--config", "look.toml", "--size", "64", "--backbone", "vgg16", "--threads", "1")


@pytest.fixture(scope="module")
def stock(tmp_path_factory):
    """A good clip, and one of an odd width."""
    folder = tmp_path_factory.mktemp("stock")
    make_clips.write(folder / "clip.mp4", islice(make_clips.pan((48, 64)), 4))
    test_clips.coded(folder / "odd.mkv", list(islice(make_clips.pan((48, 63)), 3)), "ffv1", "bgr0")
    (folder / "look.toml").write_text("iterations = 2\ncontent_layers = 'relu2_1'\n")
    return folder


@pytest.fixture
def here(stock, tmp_path, monkeypatch):
    for each in stock.glob("*.*"):
        shutil.copy(each, tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def refused(capsys, here, *words):
    """What is said, in one line; all files are as they were."""
    before = {path: path.read_bytes() for path in here.rglob("*") if path.is_file()}
    out, said = impasto(capsys, "video", *words, *SMALL, status=2)
    assert out == ""
    assert said.startswith("impasto: ")
    assert said.count("\n") == 1
    assert {path: path.read_bytes() for path in here.rglob("*") if path.is_file()} == before
    assert not list(here.glob("*-frames"))
    return said


@pytest.mark.parametrize("name", test_clips.BAD)
def test_a_bad_clip_is_one_line(here, capsys, name):
    make, words = test_clips.BAD[name]
    make(here / name)
    assert words in refused(capsys, here, name, "charcoal", "-o", "out.mp4")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("clip.mp4", "charcoal", "-o", "clip.mp4"), "would overwrite the input"),
        (("clip.mp4", "charcoal", "-o", "./sub/../clip.mp4"), "would overwrite the input"),
        (("clip.mp4", "p.png", "-o", "p.webp", "--mask", "p.webp"), "would overwrite the input"),
        (("folder", "charcoal", "-o", "folder/out.gif"), "would be among the pictures of"),
        (("folder", "charcoal", "-o", "folder"), "a folder that is not empty"),
        (("clip.mp4", "charcoal", "-o", "out.mpg"), "allowed: .mp4"),
        (("clip.mp4", "charcoal", "-o", "no/out.mp4"), "a folder that does not exist"),
        (("clip.mp4", "nothing.jpg", "-o", "out.mp4"), "nothing.jpg"),
        (("clip.mp4", "-o", "out.mp4"), "painting"),
        (("clip.mp4", "charcoal", "--from", "0.1", "--to", "0.05"), "to a later moment"),
        (("clip.mp4", "charcoal", "--from", "0.1", "--to", "0.1"), "to a later moment"),
        (("clip.mp4", "charcoal", "--from", "9"), "begin earlier"),
        (("clip.mp4", "charcoal", "--from", "-1"), "from 0 s up"),
        (("clip.mp4", "charcoal", "--fps", "0"), "--fps 0"),
        (("clip.mp4", "charcoal", "--fps", "nan"), "--fps"),
        (("clip.mp4", "charcoal", "--to", "inf"), "--to"),
        (("clip.mp4", "charcoal", "--fps", "100000"), "up to 1,000"),
        (("clip.mp4", "charcoal", "--workers", "many"), "--workers"),
        (("clip.mp4", "charcoal", "--mask", "no.png", "--region", "black=photo"), "no.png"),
        (("fast.mkv", "charcoal", "-o", "out.mp4"), "say how many by --fps"),
    ],
)
def test_what_cannot_be_is_one_line(here, capsys, words, said):
    (here / "sub").mkdir()
    PIL.Image.new("RGB", (64, 48)).save(here / "p.png")
    PIL.Image.new("RGB", (64, 48)).save(here / "p.webp")
    (here / "folder").mkdir()
    for number in range(2):
        PIL.Image.new("RGB", (64, 48)).save(here / "folder" / f"{number}.png")
    if "fast.mkv" in words:
        test_clips.fast(here / "fast.mkv")
    assert said in refused(capsys, here, *words)


def test_an_encoder_that_is_missing_is_one_line(here, capsys, monkeypatch):
    import av
    from av.codec import codec

    def without(name, *rest):
        raise codec.UnknownCodecError(name)

    monkeypatch.setattr(av.codec, "Codec", without)
    assert "needs the encoder" in refused(capsys, here, "clip.mp4", "charcoal", "-o", "a.webm")
    assert kinds.kind_of(here / "a.webm").codec == "libvpx-vp9"


def test_an_odd_width_is_made_even_and_a_part_of_a_frame_is_a_film(here, capsys):
    out, _ = impasto(capsys, "video", "odd.mkv", "charcoal", "-o", "a.mp4", *SMALL)
    assert "63 x 48 px, 3 frames" in out
    assert open_clip("a.mp4").size == (48, 64)
    out, _ = impasto(capsys, "video", "clip.mp4", "charcoal", "-o", "b.gif", "--to", "0.01", *SMALL)
    assert "1 frames" in out


def test_a_clip_that_is_cut_short_says_so_and_is_a_film_up_to_there(here, capsys):
    frames = make_clips.noisy(list(islice(make_clips.pan((48, 64)), 1)) * 60, 20)
    make_clips.write(here / "cut.mkv", frames)
    whole = (here / "cut.mkv").read_bytes()
    (here / "cut.mkv").write_bytes(whole[: len(whole) // 8])
    out, said = impasto(capsys, "video", "cut.mkv", "charcoal", "-o", "a.mp4", *SMALL)
    assert "cut short" in said or "damaged" in said
    assert "Wrote a.mp4" in out
    assert np.all([0 < len(list(open_clip("a.mp4").frames())) < 60])

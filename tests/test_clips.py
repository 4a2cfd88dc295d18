"""Clips in and films out, through real codecs: times, sizes, turns, colours, sound, bad input."""

from __future__ import annotations

import json
import resource
import sys
from fractions import Fraction
from itertools import islice
from pathlib import Path

import av
import numpy as np
import PIL.Image
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage import data

from conftest import impasto, load_tool
from impasto.errors import ConfigError, ImpastoError, PictureError
from impasto.video import decoding, reel
from impasto.video import steadiness as video_steadiness
from impasto.video.clip import open_clip
from impasto.video.reel import Placed
from impasto.video.steadiness import steadiness

make_clips = load_tool("make_clips")
SIZE = 48, 64
CLOSE = 6.0  # grey levels that a lossy film of so small frames may be off, on average
LAZY_FRAMES = 3  # that may be decoded beyond those that were asked for


def scene(count=6, size=SIZE):
    return list(islice(make_clips.pan(size), count))


def put(folder, frames, times=None):
    """Frames on disk, at 25 a second or at given times."""
    folder.mkdir(exist_ok=True)
    placed = []
    for number, pixels in enumerate(frames):
        time = Fraction(number, 25) if times is None else times[number]
        placed.append(Placed(folder / f"{number:04}.png", time))
        PIL.Image.fromarray(pixels).save(placed[-1].path)
    return placed


def film(path, frames, times=None, end=None, **others):
    """A film by the project's own writer; what it said."""
    placed = put(path.parent / "frames", frames, times)
    return reel.write(path, placed, end or placed[-1].time + Fraction(1, 25), **others)


def coded(path, frames, codec="libx264", pix_fmt="yuv420p", container=None, **told):
    """A film by PyAV alone, with whatever its stream is to say."""
    turn, begin = told.pop("rotation", None), told.pop("begin", 0)
    told = {"colorspace": 1, "color_range": 1, **told}
    matrix, full = told["colorspace"], told["color_range"]
    with av.open(str(path), "w", format=container) as out:
        stream = out.add_stream(codec, rate=25, options={"crf": "4"})
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt, stream.codec_context.thread_count = pix_fmt, 1
        for name, value in told.items():
            setattr(stream.codec_context, name, value)
        if turn is not None:
            stream.set_display_rotation(turn)
        for number, pixels in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), "rgb24")
            frame = frame.reformat(
                format=pix_fmt, dst_colorspace={6: 5}.get(matrix, matrix), dst_color_range=full
            )
            frame.pts = number + begin
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path


def apart(one, other):
    return float(np.abs(one.astype(float) - other).mean())


def alike(found, frames, close=CLOSE):
    """Whether a clip's frames are these."""
    pairs = list(zip(found, frames, strict=True))
    return all(apart(each.pixels, wanted) <= close for each, wanted in pairs)


def message(call, *arguments, **others):
    with pytest.raises(ImpastoError) as caught:
        call(*arguments, **others)
    assert "\n" not in str(caught.value)
    return str(caught.value)


KINDS = [".mp4", ".mov", ".mkv", ".webm", ".gif", ".webp", ""]


@pytest.mark.parametrize("suffix", KINDS)
def test_what_is_written_is_read_again(tmp_path, suffix):
    frames, path = scene(), tmp_path / f"film{suffix}"
    assert film(path, frames) == ()
    clip = open_clip(path)
    found = list(clip.frames())
    assert clip.size == SIZE
    assert clip.rate == 25
    assert [frame.time for frame in found] == [Fraction(number, 25) for number in range(6)]
    assert {frame.duration for frame in found} == {Fraction(1, 25)}
    assert all(
        apart(frame.pixels, wanted) < CLOSE for frame, wanted in zip(found, frames, strict=True)
    )
    assert apart(found[0].pixels, frames[5]) > 2 * CLOSE
    assert clip.frame_count in (6, None)
    assert clip.expected() in (6, None)


@pytest.mark.parametrize("suffix", KINDS[:-1])
def test_the_same_frames_give_the_same_bytes_and_keep_their_times(tmp_path, suffix):
    """A variable rate: 0.1 s, then 0.35 s, then 0.04 s each, the last 0.5 s."""
    begins = [300, 310, *range(345, 377, 4)]
    times = [Fraction(each, 100) for each in begins]
    path, contents = tmp_path / f"film{suffix}", []
    cup = data.coffee()[:120, :160]  # large enough for frames in another order, if any were
    rolled = [np.roll(cup, 3 * number, 1) for number in range(10)]
    for _ in range(2):
        film(path, rolled, times, end=Fraction(423, 100))
        contents.append(path.read_bytes())
    assert contents[0] == contents[1]
    found = list(open_clip(path).frames())
    assert [frame.time * 100 + 300 for frame in found] == begins
    assert [frame.duration * 100 for frame in found] == [10, 35, *[4] * 7, 50]


def test_a_png_that_moves_is_read_by_what_it_holds_and_not_by_its_name(tmp_path):
    frames = scene()
    images = [PIL.Image.fromarray(each) for each in frames]
    path = tmp_path / "odd-name.bin"
    images[0].save(path, "PNG", save_all=True, append_images=images[1:], duration=40)
    found = list(open_clip(path).frames())
    assert len(found) == 6
    assert found[3].time == Fraction(3, 25)
    assert alike(found, frames)


def test_a_folder_is_read_by_its_numbers(tmp_path):
    frames = scene(12)
    for number, pixels in enumerate(frames):
        PIL.Image.fromarray(pixels).save(tmp_path / f"frame{number}.png")
    PIL.Image.fromarray(frames[0]).save(tmp_path / "cover.png")
    clip = open_clip(tmp_path)
    assert "1 pictures without a number" in clip.notes[0]
    found = list(clip.frames(fps=10))
    assert [frame.time for frame in found] == [Fraction(number, 10) for number in range(12)]
    assert alike(found, frames, 0)
    PIL.Image.fromarray(frames[0][:20]).save(tmp_path / "frame12.png")
    assert "'frame12.png' is 64 x 20 px" in message(list, open_clip(tmp_path).frames())


@pytest.mark.parametrize("rotation", [0, 90, 180, -90])
def test_a_film_is_turned_upright(tmp_path, rotation):
    frames = scene(2)
    path = coded(tmp_path / "a.mp4", frames, rotation=rotation)
    wanted = np.rot90(frames[0], rotation // 90)  # both count against the clock
    clip = open_clip(path)
    assert clip.size == wanted.shape[:2]
    assert apart(next(clip.frames()).pixels, wanted) < CLOSE


@pytest.mark.parametrize(
    ("aspect", "rotation", "size"),
    [((4, 3), 0, (48, 85)), ((1, 2), 0, (48, 32)), ((2, 1), 90, (128, 48))],
)
def test_pixels_are_made_square(tmp_path, aspect, rotation, size):
    told = {"sample_aspect_ratio": Fraction(*aspect), "rotation": rotation}
    clip = open_clip(coded(tmp_path / "a.mp4", scene(2), **told))
    assert clip.size == size
    pixels = next(clip.frames()).pixels
    assert pixels.shape[:2] == size
    squeezed = np.asarray(PIL.Image.fromarray(np.rot90(pixels, -rotation // 90)).resize((64, 48)))
    assert apart(squeezed, scene(1)[0]) < 1.5 * CLOSE  # half as wide, it has lost as much


@pytest.mark.parametrize("suffix", [".mkv", ".mp4", ".webm"])
def test_the_first_frame_is_at_0_whatever_its_stamp_is(tmp_path, suffix):
    codec = "libvpx-vp9" if suffix == ".webm" else "libx264"
    path = coded(tmp_path / f"a{suffix}", scene(), codec, begin=50)
    times = [frame.time for frame in open_clip(path).frames()]
    assert times == [Fraction(number, 25) for number in range(6)]


COLOURS = [(200, 60, 30), (40, 160, 90), (30, 60, 190), (128, 128, 128), (250, 250, 250)]


@pytest.mark.parametrize("matrix", [1, 6, 9])
@pytest.mark.parametrize("full", [1, 2])
@pytest.mark.parametrize(("codec", "suffix"), [("libx264", ".mp4"), ("libvpx-vp9", ".webm")])
def test_colours_come_by_the_matrix_and_range_that_the_file_says(
    tmp_path, matrix, full, codec, suffix
):
    wanted = np.zeros((32, 160, 3), np.uint8)
    for place, colour in enumerate(COLOURS):
        wanted[:, 32 * place : 32 * (place + 1)] = colour
    told = {"colorspace": matrix, "color_range": full}
    path = coded(tmp_path / f"a{suffix}", [wanted] * 2, codec, **told)
    found = next(open_clip(path).frames()).pixels
    for place, colour in enumerate(COLOURS):
        assert found[16, 32 * place + 16].astype(int) == pytest.approx(colour, abs=4)


@pytest.mark.parametrize(("height", "matrix"), [(96, 6), (720, 1)])
def test_colours_without_a_word_are_those_of_the_size(tmp_path, height, matrix):
    colour = 40, 160, 90
    wanted = np.full((height, 64, 3), colour, np.uint8)
    told = {"codec": "mpeg4", "colorspace": matrix}  # which says nothing of it
    path = coded(tmp_path / "a.mp4", [wanted] * 2, **told)
    with av.open(str(path)) as inside:
        assert next(inside.decode(video=0)).colorspace == decoding.UNSPECIFIED
    found = next(open_clip(path).frames()).pixels
    assert found[height // 2, 32].astype(int) == pytest.approx(colour, abs=4)


def test_a_wide_gamut_is_brought_to_that_of_srgb(tmp_path):
    told = {"colorspace": 9, "color_primaries": 9, "color_trc": 14, "pix_fmt": "yuv420p10le"}
    path = coded(tmp_path / "a.mp4", [np.full((32, 32, 3), (120, 160, 90), np.uint8)] * 2, **told)
    found = next(open_clip(path).frames()).pixels
    by_hand = 84, 154, 74  # of BT.2020's primaries
    assert found[16, 16].astype(int) == pytest.approx(by_hand, abs=4)


@pytest.mark.parametrize(("transfer", "name"), [(16, "PQ"), (18, "HLG")])
def test_hdr_is_refused(tmp_path, transfer, name):
    told = {"colorspace": 9, "color_primaries": 9, "color_trc": transfer}
    path = coded(tmp_path / "a.mp4", scene(2), **told)
    assert f"HDR ({name})" in message(open_clip, path)


def test_part_of_a_clip(tmp_path):
    path = tmp_path / "a.mp4"
    film(path, scene(20))
    clip = open_clip(path)
    whole = list(clip.frames())

    def numbers(*arguments, **others):
        return [int(frame.time * 25) for frame in clip.frames(*arguments, **others)]

    assert numbers(0.4, 0.6) == [10, 11, 12, 13, 14]
    assert numbers(0.41, 0.6) == [11, 12, 13, 14]  # what is left of frame 10 is too short
    assert numbers(end_s=0.1) == [0, 1, 2]
    part = next(clip.frames(0.4))
    assert np.array_equal(part.pixels, whole[10].pixels)
    assert next(clip.frames(size_px=32)).pixels.shape == (24, 32, 3)
    assert clip.expected(0.4, 0.6) == 5
    assert "between these moments" not in message(clip.frames, 5)
    assert "from 0 s up" in message(clip.frames, 0.5, 0.5)
    assert "16 px a side" in message(clip.frames, size_px=16)


def test_a_frame_that_stands_for_long_is_shown_from_the_moment_that_is_asked_for(tmp_path):
    path = tmp_path / "slides.mkv"
    film(path, scene(3), [Fraction(0), Fraction(2), Fraction(4)], end=Fraction(6))
    found = list(open_clip(path).frames(1, 5))
    assert [(frame.time, frame.duration) for frame in found] == [(1, 1), (2, 2), (4, 1)]


@pytest.mark.parametrize(
    ("fps", "times", "seen"),
    [
        (5, [0, 0.2, 0.4, 0.6], [0, 5, 10, 15]),
        (10, [0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7], [0, 2, 5, 7, 10, 12, 15, 17]),
        (25, [number / 25 for number in range(20)], range(20)),
    ],
)
def test_fewer_frames_a_second_are_those_that_are_seen_at_each_tick(tmp_path, fps, times, seen):
    path = tmp_path / "a.mkv"
    film(path, scene(20))
    clip = open_clip(path)
    whole, found = list(clip.frames()), list(clip.frames(fps=fps))
    assert [float(frame.time) for frame in found] == pytest.approx(times)
    pairs = zip(found, seen, strict=True)
    assert all(np.array_equal(each.pixels, whole[place].pixels) for each, place in pairs)
    assert clip.expected(fps=fps) == len(times)


def test_more_frames_a_second_are_no_more_frames(tmp_path):
    path = tmp_path / "a.mkv"
    film(path, scene(5))
    found = list(open_clip(path).frames(fps=60))
    assert len(found) == 5
    assert sum(frame.duration for frame in found) == Fraction(12, 60)


def test_frames_are_streamed(tmp_path, monkeypatch):
    path = tmp_path / "a.mp4"
    film(path, scene(1) * 60)
    came, made = [], []
    time_of, rgb = decoding.time_of, decoding.rgb
    monkeypatch.setattr(decoding, "time_of", lambda frame: came.append(1) or time_of(frame))
    monkeypatch.setattr(decoding, "rgb", lambda *given: made.append(1) or rgb(*given))
    clip = open_clip(path)
    came.clear()
    list(islice(clip.frames(), 4))
    assert len(made) == 4
    assert len(came) <= 4 + LAZY_FRAMES
    made.clear()
    assert len(list(clip.frames(1.0, 2.0, fps=5))) == 5  # pixels only of what is seen
    assert len(made) == 5


@given(st.integers(16, 41), st.integers(16, 41), st.sampled_from([".mp4", ".webm", ".gif"]))
@settings(max_examples=12, deadline=None)
def test_any_size_is_kept_but_that_h264_has_even_sides(tmp_path_factory, height, width, suffix):
    path = tmp_path_factory.mktemp("sizes") / f"a{suffix}"
    film(path, scene(2, (height, width)))
    even = suffix == ".mp4"
    size = height + (even and height % 2), width + (even and width % 2)
    pixels = next(open_clip(path).frames()).pixels
    assert pixels.shape[:2] == size
    assert apart(pixels[:height, :width], scene(1, (height, width))[0]) < 2 * CLOSE


# Bad input: each is one line, that says what is wrong.


def tagged(path):
    """A film of a codec that nobody has."""
    film(path, scene(2))
    path.write_bytes(path.read_bytes().replace(b"avc1", b"zzz9").replace(b"avcC", b"zzzC"))


def cut_at(path, share):
    film(path, scene(20))
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])


def only_sound(path):
    with av.open(str(path), "w") as out:
        tone(out.add_stream("aac", rate=48_000, layout="mono"), out)


def fast(path):
    coded(path, scene(3))
    with av.open(str(path)) as inside, av.open(str(path.with_name("b.mkv")), "w") as out:
        stream = out.add_stream("libx264", rate=100_000)
        stream.height, stream.width, stream.pix_fmt = *SIZE, "yuv420p"
        for frame in inside.decode(video=0):
            frame.pts = None
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    path.with_name("b.mkv").rename(path)


def one_pixel(path):
    coded(path, [np.zeros((1, 1, 3), np.uint8)] * 2, codec="ffv1", pix_fmt="bgr0")


BAD = {
    "text.mp4": (lambda path: path.write_text("no film at all"), "is not a film of a known kind"),
    "empty.mp4": (lambda path: path.write_bytes(b""), "is empty"),
    "old.avi": (lambda path: coded(path, scene(2)), "is not a film of a known kind"),
    "list.m3u8": (lambda path: path.write_text("#EXTM3U\na.ts\n"), "is not a film of a known kind"),
    "still.png": (lambda path: PIL.Image.new("RGB", (32, 32)).save(path), "is a still picture"),
    "still.gif": (lambda path: PIL.Image.new("RGB", (32, 32)).save(path), "is a still picture"),
    "photo.jpg": (lambda path: PIL.Image.new("RGB", (32, 32)).save(path), "not a film"),
    "one.mp4": (lambda path: film(path, scene(1)), "has one frame only"),
    "one": (lambda path: film(path, scene(1)), "one numbered picture"),
    "none": (lambda path: path.mkdir(), "no numbered pictures"),
    "tiny.mkv": (one_pixel, "is 1x1 px"),
    "sound.m4a": (only_sound, "has sound and no pictures"),
    "codec.mp4": (tagged, "not known here"),
    "index.mp4": (lambda path: path.write_bytes(b"\0\0\0\x18ftypisom" + bytes(200)), "cut short"),
    "head.mkv": (lambda path: cut_at(path, 0.02), "is damaged or cut short"),
    "body.mp4": (lambda path: cut_at(path, 0.1), "damaged or cut short"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_clips_are_one_line(tmp_path, name):
    make, words = BAD[name]
    make(tmp_path / name)
    assert words in message(open_clip, tmp_path / name)


def test_a_clip_that_is_missing_or_broken_on_the_way(tmp_path):
    film(tmp_path / "cats.mp4", scene(2))
    assert "did you mean" in message(open_clip, tmp_path / "cat.mp4")
    fast(tmp_path / "fast.mkv")
    clip = open_clip(tmp_path / "fast.mkv")
    assert "frames a second; allowed: up to 1,000; say how many by fps" in message(clip.frames)
    assert "`fps`" not in message(clip.frames, fps=100_000)
    (tmp_path / "cats.mp4").unlink()


@pytest.mark.parametrize("suffix", [".mkv", ".mp4", ".gif", ".webm"])
def test_a_clip_that_is_cut_short_is_read_up_to_there_and_says_so(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    noise = make_clips.noisy(scene(1) * 60, 20)
    film(path, list(noise))
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    notes = []
    found = list(open_clip(path).frames(on_note=notes.append))
    assert 10 < len(found) < 50
    assert any("cut short" in note or "damaged" in note for note in notes)
    assert apart(found[5].pixels, scene(1)[0]) < 20


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("out.mpg", "allowed: .mp4, .mov, .mkv, .webm, .gif, .webp, or no ending"),
        ("out.webmm", "did you mean .webm?"),
        ("missing/out.mp4", "a folder that does not exist"),
        ("full", "a folder that is not empty"),
        ("in.mp4", "would overwrite the input"),
    ],
)
def test_a_film_that_cannot_be_written_is_said_before_the_work(tmp_path, name, words):
    film(tmp_path / "in.mp4", scene(2))
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "a.txt").write_text("mine")
    path = tmp_path / name
    assert words in message(reel.check_target, path, SIZE, [tmp_path / "in.mp4"])


def test_a_missing_encoder_and_a_missing_package_are_one_line(tmp_path, monkeypatch):
    from av.codec import codec

    def without(name, *rest):
        raise codec.UnknownCodecError(name)

    film(tmp_path / "in.mp4", scene(2))
    monkeypatch.setattr(av.codec, "Codec", without)
    assert "needs the encoder libx264" in message(reel.check_target, tmp_path / "a.mp4", SIZE)
    monkeypatch.setitem(sys.modules, "av", None)
    assert "pip install 'impasto[video]'" in message(open_clip, tmp_path / "in.mp4")
    film(tmp_path / "pictures", scene(2))
    assert len(list(open_clip(tmp_path / "pictures").frames())) == 2  # wants none


@pytest.mark.parametrize("suffix", KINDS[:-1])
def test_a_full_disk_loses_nothing(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    placed = put(tmp_path / "frames", make_clips.noisy(scene(1) * 12, 60))
    reel.write(path, placed[:2], Fraction(2, 25))
    before, (_, hard) = path.read_bytes(), resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (6000, hard))  # no file may grow beyond
    try:
        said = message(reel.write, path, placed, Fraction(12, 25))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    assert "cannot be written" in said
    assert "free some space" in said
    assert path.read_bytes() == before
    assert sorted(each.name for each in tmp_path.iterdir()) == [path.name, "frames"]


def test_a_frame_that_is_gone_or_of_another_size_is_one_line(tmp_path):
    placed = put(tmp_path / "frames", [*scene(2), scene(1, (32, 32))[0]])
    said = message(reel.write, tmp_path / "a.webm", placed, Fraction(1))
    assert "0002.png' is not of the film's size" in said
    placed[1].path.write_bytes(b"")
    assert "0001.png' of the film cannot be read" in message(
        reel.write, tmp_path / "a.mp4", placed[:2], Fraction(1)
    )
    assert [each.name for each in tmp_path.iterdir()] == ["frames"]


# Sound.


def tone(stream, out, seconds=2, hz=48_000):
    """Beeps, 0.1 s on and 0.1 s off."""
    time = np.arange(seconds * hz) / hz
    samples = (0.5 * np.sin(2760 * time) * (np.floor(time * 10) % 2)).astype(np.float32)
    for first in range(0, len(samples), 1024):
        frame = av.AudioFrame.from_ndarray(samples[None, first : first + 1024], "fltp", "mono")
        frame.sample_rate, frame.pts, frame.time_base = hz, first, Fraction(1, hz)
        out.mux(stream.encode(frame))
    out.mux(stream.encode(None))


def with_sound(path, codec):
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=25)
        sound = out.add_stream(codec, rate=48_000, layout="mono")
        stream.height, stream.width, stream.pix_fmt = *SIZE, "yuv420p"
        for pixels in scene(1) * 50:
            out.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, "rgb24")))
        out.mux(stream.encode(None))
        tone(sound, out)
    return open_clip(path)


def payloads(path):
    with av.open(str(path)) as inside:
        return [bytes(packet) for packet in inside.demux(audio=0) if packet.size]


def loudness(path):
    """A film's sound: its codec, and RMS in each hundredth of a second."""
    heard = np.zeros(300)
    with av.open(str(path)) as inside:
        stream = inside.streams.audio[0]
        resampler = av.AudioResampler("fltp", "mono", 48_000)
        for frame in inside.decode(stream):
            for each in resampler.resample(frame):
                first = round(each.time * 48_000)
                for place, value in enumerate(np.square(each.to_ndarray()[0]), first):
                    heard[max(0, place) // 480] += value / 480
        return stream.codec.canonical_name, np.sqrt(heard)


@pytest.mark.parametrize(
    ("source", "codec", "suffix", "kept"),
    [
        (".mp4", "aac", ".mp4", "aac"),
        (".mp4", "aac", ".webm", "opus"),
        (".mkv", "libopus", ".webm", "opus"),
        (".mkv", "flac", ".mov", "aac"),
    ],
)
def test_sound_is_carried_over_in_time(tmp_path, source, codec, suffix, kept):
    clip = with_sound(tmp_path / f"clip{source}", codec)
    assert clip.has_sound
    times = [Fraction(number, 25) for number in range(10, 30)]  # from 0.4 s to 1.2 s
    path = tmp_path / f"film{suffix}"
    film(path, scene(1) * 20, times, sound=clip)
    name, heard = loudness(path)
    assert name == kept
    assert heard[88:].max() < 0.05
    wanted = loudness(clip.path)[1][40:120]
    assert np.corrcoef(heard[4:80], wanted[4:])[0, 1] > 0.9
    if clip.path.suffix[1:] == "mp4" == suffix[1:]:
        part = payloads(path)
        assert part
        assert set(part) <= set(payloads(clip.path))  # the very packets


def test_what_holds_no_sound_says_so(tmp_path):
    clip = with_sound(tmp_path / "clip.mp4", "aac")
    assert "has no sound" in film(tmp_path / "a.gif", scene(3), sound=clip)[0]
    assert film(tmp_path / "b.gif", scene(3)) == ()
    silent = tmp_path / "silent.mp4"
    film(silent, scene(3))
    assert film(tmp_path / "c.mp4", scene(3), sound=open_clip(silent)) == ()
    assert not open_clip(tmp_path / "c.mp4").has_sound


# How steady a film is.


@pytest.fixture(scope="module")
def films(tmp_path_factory):
    """A clip; a steady film of it, one that flickers, and one that darkens; all of two shots."""
    folder = tmp_path_factory.mktemp("films")
    size = 64, 96
    shots = [*islice(make_clips.pan(size), 8), *islice(make_clips.still(size, data.chelsea()), 8)]
    make_clips.write(folder / "clip.mp4", make_clips.noisy(shots, 1))
    toned = [np.asarray(each[..., ::-1]) for each in shots]
    make_clips.write(folder / "steady.mp4", toned)
    make_clips.write(folder / "flicker.mp4", make_clips.noisy(toned, 25))
    dark = [(each * (1 - 0.03 * (n % 8))).astype(np.uint8) for n, each in enumerate(toned)]
    make_clips.write(folder / "dark.mp4", dark)
    return folder


def test_steadiness_tells_flicker_from_drift(films):
    clip = open_clip(films / "clip.mp4")
    found = {
        name: steadiness(open_clip(films / f"{name}.mp4"), clip)
        for name in ("clip", "steady", "flicker", "dark")
    }
    assert all((each.frames, each.shots) == (16, 2) for each in found.values())
    own = found["clip"]
    assert own.warping == own.warping_original
    assert own.drift_mean == own.drift_contrast == own.drift_sharpness == 0
    assert found["steady"].warping < 0.02
    assert found["flicker"].warping > 4 * found["steady"].warping
    assert found["flicker"].flicker > 4 * found["steady"].flicker
    assert found["dark"].drift_contrast < -0.1 < found["flicker"].drift_contrast
    assert found["dark"].drift_mean < -0.03 < found["steady"].drift_mean


def test_evaluate_measures_a_film_beside_its_clip(films, capsys, monkeypatch):
    monkeypatch.chdir(films)
    monkeypatch.setattr(video_steadiness, "SAMPLES", 2)
    words = ("evaluate", "steady.mp4", "--content", "clip.mp4")
    found = json.loads(impasto(capsys, *words, "--style", "charcoal", "--json").out)
    assert found["frames"] == 16
    assert found["size"] == [64, 96]
    assert found["painted"]["style_left"] > 0
    out = impasto(capsys, *words).out
    for word in ("16 frames in 2 shots", "warping", "flicker", "drift sharpness", "original"):
        assert word in out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("steady.mp4",), "neither --content nor --style"),
        (("steady.mp4", "-p", "charcoal"), "a film without --content"),
        (("steady.mp4", "-c", "photo.png"), "is a still picture"),
        (("photo.png", "-c", "clip.mp4"), "is a still picture"),
        (("steady.mp4", "-c", "clip.mp4", "--from", 5), "from 5 s on"),
        (("photo.png", "-c", "photo.png", "--from", 5), "--from with a picture"),
        (("wide.mp4", "-c", "clip.mp4"), "the same shape is wanted"),
    ],
)
def test_a_film_that_cannot_be_measured_is_one_line(films, capsys, monkeypatch, words, said):
    monkeypatch.chdir(films)
    PIL.Image.new("RGB", (96, 64)).save("photo.png")
    if not Path("wide.mp4").exists():
        make_clips.write(Path("wide.mp4"), scene(3, (32, 96)))
    out = impasto(capsys, "evaluate", *words, status=2)
    assert said in out.err
    assert out.err.count("\n") == 1


def test_settings_that_are_wrong_are_the_callers(tmp_path):
    film(tmp_path / "a.mp4", scene(2))
    clip = open_clip(tmp_path / "a.mp4")
    with pytest.raises(ConfigError):
        clip.frames(fps=0)
    with pytest.raises(PictureError):
        open_clip(tmp_path / "b.mp4")

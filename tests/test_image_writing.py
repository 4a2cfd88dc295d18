"""Laws of writing: what is written is read back; a file is written whole or not at all."""

from __future__ import annotations

import errno
import io
import os
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from impasto.errors import PictureError, printable
from impasto.pictures import (
    check_target,
    load,
    read_recipe,
    save,
    srgb_profile,
    to_pil,
)
from test_image_helpers import (
    DEEP,
    LOSS,
    WRITABLE,
    noise,
    one_line,
    quick,
    seeds,
    sides,
    smooth,
    tensor,
)

LOSSLESS = [".png", ".tif", ".webp"]  # WebP at quality 100


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder for all examples of a property."""
    return tmp_path_factory.mktemp("pictures")


# --- round trips ----------------------------------------------------------------------------------


@quick
@given(st.sampled_from(LOSSLESS), sides, sides, seeds)
def test_lossless_formats_keep_every_8_bit_value(folder, suffix, height, width, seed):
    pixels = tensor(noise(height, width, 3, seed))
    path = save(pixels, folder / f"a{suffix}", quality=100)
    picture = load(path)
    assert torch.equal(picture.pixels, pixels)
    assert picture.alpha is None
    assert picture.size == (height, width)
    assert picture.name == f"a{suffix}"


@quick
@given(st.sampled_from(DEEP), sides, sides, seeds, st.booleans())
def test_deep_formats_keep_every_16_bit_value(folder, suffix, height, width, seed, with_alpha):
    samples = noise(height, width, 4, seed, bits=16)
    samples[..., 3] = samples[..., 3].clip(1)  # colours under alpha 0 are replaced, see below
    pixels, alpha = tensor(samples[..., :3]), tensor(samples[..., 3:]) if with_alpha else None
    picture = load(save(pixels, folder / f"b{suffix}", alpha=alpha, bits=16))
    assert torch.equal(picture.pixels, pixels)
    assert (picture.alpha is None) == (alpha is None)
    assert alpha is None or torch.equal(picture.alpha, alpha)


@quick
@given(st.sampled_from(LOSSLESS), sides, sides, seeds)
def test_alpha_and_the_colours_that_show_survive(folder, suffix, height, width, seed):
    samples = noise(height, width, 4, seed)
    samples[0, :3, 3] = 0, 1, 255
    pixels, alpha = tensor(samples[..., :3]), tensor(samples[..., 3:])
    picture = load(save(pixels, folder / f"c{suffix}", alpha=alpha, quality=100))
    shown = (alpha > 0).expand_as(pixels)
    assert torch.equal(picture.alpha, alpha)
    assert torch.equal(picture.pixels[shown], pixels[shown])


@pytest.mark.parametrize("suffix", [".jpg", ".webp", ".avif"])
def test_lossy_formats_stay_close(tmp_path, suffix):
    pixels = tensor(smooth())
    picture = load(save(pixels, tmp_path / f"d{suffix}"))
    assert (picture.pixels - pixels).abs().max() < LOSS


@pytest.mark.parametrize("suffix", WRITABLE)
def test_the_same_picture_gives_the_same_bytes_with_an_srgb_profile(tmp_path, suffix):
    pixels = tensor(smooth())
    first = save(pixels, tmp_path / f"1{suffix}", recipe={"seed": 1}).read_bytes()
    second = save(pixels, tmp_path / f"2{suffix}", recipe={"seed": 1}).read_bytes()
    assert first == second
    with Image.open(io.BytesIO(first)) as image:
        assert image.info["icc_profile"] == srgb_profile()


def test_the_profile_holds_no_date_of_today():
    assert struct.unpack(">6H", srgb_profile()[24:36]) == (2000, 1, 1, 0, 0, 0)


def test_16_bit_png_is_a_valid_file_with_profile(tmp_path):
    samples = noise(20, 30, 3, bits=16)
    path = save(tensor(samples), tmp_path / "a.png", bits=16)
    with Image.open(path) as image:
        image.verify()
        assert image.info["icc_profile"] == srgb_profile()
    with Image.open(path) as image:
        assert np.array_equal(np.asarray(image), samples >> 8)  # an independent decoder


def test_values_are_rounded_and_strays_clamped():
    pixels = torch.tensor([-0.2, 0.0, 0.4999 / 255, 0.5001 / 255, 1.0, 1.3]).view(1, 1, 1, 6)
    row = np.asarray(to_pil(pixels.expand(1, 3, 1, 6)))[0, :, 0]
    assert row.tolist() == [0, 0, 0, 1, 255, 255]


def test_to_pil_carries_alpha():
    samples = noise(20, 30, 4)
    image = to_pil(tensor(samples[..., :3]), tensor(samples[..., 3:]))
    assert image.mode == "RGBA"
    assert np.array_equal(np.asarray(image), samples)
    assert to_pil(tensor(samples[..., :3])).mode == "RGB"


def test_save_leaves_its_arguments_alone(tmp_path):
    pixels = tensor(smooth()) * 1.5 - 0.2
    alpha = torch.full((1, 1, 24, 32), 0.5)
    before = pixels.clone()
    save(pixels, tmp_path / "a.jpg", alpha=alpha)
    assert torch.equal(pixels, before)


def test_heif_round_trip_where_its_library_is_installed(tmp_path):
    pytest.importorskip("pillow_heif")
    pixels = tensor(smooth(64, 80))
    alpha = torch.ones(1, 1, 64, 80)
    alpha[..., :40] = 0.5
    for suffix in (".heic", ".heif"):
        path = save(pixels, tmp_path / f"a{suffix}", alpha=alpha, recipe={"seed": "\u3042" * 3000})
        picture = load(path)
        assert (picture.pixels - pixels).abs().max() < LOSS
        assert (picture.alpha - alpha).abs().max() < LOSS
        assert read_recipe(path) == {"seed": "\u3042" * 3000}


# --- recipes --------------------------------------------------------------------------------------


RECIPE = {
    "content": "Zürich \U0001f3a8 <&>\"'\\ ]]> \n\t.jpg",
    "weights": {"conv1_1": 0.2, "conv5_1": 1e-9},
    "snapshots": [1, 1065, 2999],
    "none": None,
    'tiff:Orientation="6"': "<tiff:Orientation>6</tiff:Orientation>",
}


@pytest.mark.parametrize(("suffix", "bits"), [(s, 8) for s in WRITABLE] + [(s, 16) for s in DEEP])
def test_recipes_survive_in_every_format(tmp_path, suffix, bits):
    long = RECIPE | {"history": "\u3042<" * 3000}
    assert len(str(long).encode()) > 10_000
    path = save(tensor(smooth()), tmp_path / f"r{suffix}", recipe=long, bits=bits)
    assert read_recipe(path) == long
    assert load(path).size == (24, 32)  # and nothing in it turns the picture


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=40, deadline=None)
@given(st.sampled_from([".png", ".jpg", ".webp", ".tif"]), st.dictionaries(st.text(), json_values))
def test_any_json_survives_as_a_recipe(folder, suffix, recipe):
    path = save(tensor(smooth(16, 16)), folder / f"j{suffix}", recipe=recipe)
    assert read_recipe(path) == recipe


@pytest.mark.parametrize("suffix", WRITABLE)
def test_without_a_recipe_nothing_is_written(tmp_path, suffix):
    path = save(tensor(smooth()), tmp_path / f"bare{suffix}")
    assert b"impasto:recipe" not in path.read_bytes()
    with pytest.raises(PictureError) as error:
        read_recipe(path)
    one_line(error, f"bare{suffix}", "no recipe")


def test_no_file_holds_the_machines_paths(tmp_path):
    for suffix in WRITABLE:
        path = save(tensor(smooth()), tmp_path / f"p{suffix}", recipe={"a": 1})
        assert str(tmp_path).encode() not in path.read_bytes()


def test_a_damaged_recipe_is_refused(tmp_path):
    Image.fromarray(smooth()).save(
        tmp_path / "d.jpg", xmp=b"<impasto:recipe>{broken</impasto:recipe>"
    )
    with pytest.raises(PictureError) as error:
        read_recipe(tmp_path / "d.jpg")
    one_line(error, "d.jpg", "damaged recipe")


def test_a_recipe_too_long_for_jpeg_is_refused_without_a_file(tmp_path):
    with pytest.raises(PictureError) as error:
        save(tensor(smooth()), tmp_path / "long.jpg", recipe={"a": "x" * 70_000})
    one_line(error, "long.jpg", ".png")
    assert list(tmp_path.iterdir()) == []


# --- targets --------------------------------------------------------------------------------------


def test_good_targets_pass_and_nothing_is_made(tmp_path):
    for suffix in (*WRITABLE, ".PNG", ".JpG"):
        path = tmp_path / f"out{suffix}"
        assert check_target(path, [tmp_path / "in.png", np.zeros(3)]) == path
    assert check_target(str(tmp_path / "out.tiff"), bits=16) == tmp_path / "out.tiff"
    assert list(tmp_path.iterdir()) == []


def test_bad_targets_are_refused_by_check_and_save(tmp_path):
    (tmp_path / "dir.png").mkdir()
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "ring.png").symlink_to(tmp_path / "ring.png")
    cases: dict[str, tuple[str, int]] = {
        "out.xyz": ("'.xyz'", 8),
        "out": ("no ending", 8),
        "dir.png": ("folder", 8),
        "pipe.png": ("pipe", 8),
        "nowhere/out.png": ("does not exist", 8),
        "out.jpg": ("16 bits", 16),
        "out.webp": (".tiff", 16),
        "out.png": ("12 bits", 12),
        "ring.png": ("ring.png", 8),
        "x" * 300 + ".png": ("a name of 304 bytes", 8),
        "null\0.png": ("null?.png", 8),
    }
    before = sorted(tmp_path.iterdir())
    for name, (words, bits) in cases.items():
        for attempt in (
            lambda path, bits=bits: check_target(path, bits=bits),
            lambda path, bits=bits: save(tensor(smooth()), path, bits=bits),
        ):
            with pytest.raises(PictureError) as error:
                attempt(tmp_path / name)
            one_line(error, words, printable(Path(name).name))
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize("what", ["folder", "file"])
def test_unwritable_targets(tmp_path, monkeypatch, what):
    (tmp_path / "old.png").write_bytes(b"old")
    closed = tmp_path if what == "folder" else tmp_path / "old.png"
    monkeypatch.setattr(os, "access", lambda path, _mode: Path(path) != closed)
    with pytest.raises(PictureError) as error:
        check_target(tmp_path / "old.png")
    one_line(error, "old.png", "permissions")


def test_an_output_never_overwrites_an_input(tmp_path, monkeypatch):
    source = save(tensor(smooth()), tmp_path / "in.png")
    (tmp_path / "soft.png").symlink_to(source)
    (tmp_path / "hard.png").hardlink_to(source)
    (tmp_path / "sub").mkdir()
    monkeypatch.chdir(tmp_path / "sub")
    for target in (source, tmp_path / "soft.png", tmp_path / "hard.png", "../in.png"):
        with pytest.raises(PictureError) as error:
            check_target(target, ["elsewhere.png", source])
        one_line(error, "overwrite", Path(target).name)
    assert check_target(tmp_path / "other.png", [source]) == tmp_path / "other.png"


def test_format_limits_are_known_beforehand(tmp_path):
    with pytest.raises(PictureError) as error:
        check_target(tmp_path / "wide.webp", size=(20, 20_000))
    one_line(error, "wide.webp", "16383")
    check_target(tmp_path / "wide.png", size=(20, 20_000))


@pytest.mark.parametrize(
    ("pixels", "alpha", "word"),
    [
        (torch.zeros(3, 20, 20), None, "(3, 20, 20)"),
        (torch.zeros(1, 1, 20, 20), None, "(1, 1, 20, 20)"),
        (torch.full((1, 3, 20, 20), float("nan")), None, "NaN"),
        (torch.zeros(1, 3, 20, 20), torch.zeros(1, 1, 20, 21), "same height"),
        (torch.zeros(1, 3, 20, 20), torch.zeros(1, 3, 20, 20), "alpha"),
    ],
)
def test_unfit_tensors_are_never_written(tmp_path, pixels, alpha, word):
    with pytest.raises(PictureError, match=r"allowed") as error:
        save(pixels, tmp_path / "a.png", alpha=alpha)
    one_line(error, word)
    with pytest.raises(PictureError):
        to_pil(pixels, alpha)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("quality", [0, 101])
def test_quality_has_a_range(tmp_path, quality):
    with pytest.raises(PictureError, match="1 to 100"):
        save(tensor(smooth()), tmp_path / "a.jpg", quality=quality)


def test_jpeg_is_flattened_on_white(tmp_path):
    pixels, alpha = torch.zeros(1, 3, 20, 32), torch.ones(1, 1, 20, 32)
    alpha[..., 16:] = 0
    picture = load(save(pixels, tmp_path / "a.jpg", alpha=alpha))
    assert picture.alpha is None
    assert picture.pixels[..., :14].max() < 0.05
    assert picture.pixels[..., 18:].min() > 0.95


def leftovers(path: Path) -> list[str]:
    return sorted(p.name for p in path.iterdir() if p.name.startswith(".impasto"))


# --- atomicity ------------------------------------------------------------------------------------


def fail_with(error: BaseException) -> Callable[..., object]:
    def fail(*_args: object, **_options: object) -> object:
        raise error

    return fail


@pytest.mark.parametrize("existing", [False, True])
@pytest.mark.parametrize(
    ("owner", "name", "error"),
    [
        (Image.Image, "save", RuntimeError("encoder\nbroke")),
        (os, "fsync", OSError(errno.ENOSPC, "No space left on device")),
        (Path, "replace", OSError(errno.EIO, "Input/output error")),
        (os, "fsync", KeyboardInterrupt()),
    ],
)
def test_a_failure_leaves_neither_a_part_nor_a_changed_file(
    tmp_path, monkeypatch, owner, name, error, existing
):
    path = tmp_path / "out.png"
    if existing:
        path.write_bytes(b"old")
    monkeypatch.setattr(owner, name, fail_with(error))
    expected = KeyboardInterrupt if isinstance(error, KeyboardInterrupt) else PictureError
    with pytest.raises(expected) as caught:
        save(tensor(smooth()), path)
    if expected is PictureError:
        one_line(caught, "out.png")
    assert [p.name for p in tmp_path.iterdir()] == (["out.png"] if existing else [])
    assert not existing or path.read_bytes() == b"old"


def test_saving_replaces_follows_links_and_respects_the_umask(tmp_path):
    (tmp_path / "real.png").write_bytes(b"old")
    (tmp_path / "link.png").symlink_to(tmp_path / "real.png")
    before = os.umask(0o027)
    try:
        assert save(tensor(smooth()), tmp_path / "link.png") == tmp_path / "link.png"
    finally:
        os.umask(before)
    assert (tmp_path / "link.png").is_symlink()
    assert torch.equal(load(tmp_path / "real.png").pixels, tensor(smooth()))
    assert (tmp_path / "real.png").stat().st_mode & 0o777 == 0o640
    assert leftovers(tmp_path) == []

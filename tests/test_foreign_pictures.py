"""Pictures that are not what they seem: names, frames, colours, sizes and credits."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import numpy as np
import pytest
import tifffile
import torch
from PIL import Image

from conftest import impasto
from impasto.errors import PictureError, as_on_disk
from impasto.pictures import load
from test_image_helpers import ONE_STEP, noise, one_line, smooth, swapped_profile, tensor

QUICK = ["--size", "64", "--iterations", "2", "--backbone", "vgg16", "--no-checkpoint"]


# --- names ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("forms", [("NFC", "NFD"), ("NFD", "NFC")])
def test_a_name_in_unicodes_other_form_is_the_same_file(folder, capsys, forms):
    typed, stored = (unicodedata.normalize(form, "café/Ångström.png") for form in forms)
    Path(stored).parent.mkdir()
    Path("photo.png").rename(stored)
    impasto(capsys, "stylize", typed, typed, "-o", "out.png", *QUICK)
    Path("out.png").rename(Path(stored).parent / "out.png")
    again = impasto(capsys, "rerun", Path(typed).parent / "out.png", "-o", "again.png")
    assert "Byte for byte the same." in again.out
    err = impasto(capsys, "stylize", typed, typed, "-o", stored, *QUICK, status=2).err
    assert "would overwrite" in err
    load(stored)  # which is unharmed


def test_a_name_that_is_there_is_taken_as_it_is(tmp_path):
    both = [tmp_path / unicodedata.normalize(form, "é.png") for form in ("NFC", "NFD")]
    for path in both:
        path.touch()
    assert [as_on_disk(path) for path in both] == both
    missing = tmp_path / "è.png"
    assert as_on_disk(missing) == missing


@pytest.mark.parametrize("words", [("loop.png", "charcoal"), ("photo.png", "loop.png")])
@pytest.mark.parametrize("named", [True, False])
def test_a_ring_of_links_is_one_line(folder, capsys, words, named):
    Path("loop.png").symlink_to("loop.png")
    output = ["-o", "out.png"] if named else []
    err = impasto(capsys, "stylize", *words, *output, *QUICK, status=2).err
    assert err.count("\n") == 1
    assert "'loop.png' cannot be read: Too many levels of symbolic links" in err


# --- frames and pages -----------------------------------------------------------------------------

CFA, LINEAR_RAW = 32803, 34892


def write_tiff(path, *pages, big=False, order="<"):
    """Pages of (samples, tags of tifffile's)."""
    with tifffile.TiffWriter(path, bigtiff=big, byteorder=order) as file:
        for samples, options in pages:
            file.write(samples, **{"photometric": "rgb", "metadata": None, **options})
    return path


def small(array):
    return np.ascontiguousarray(array[::2, ::2])


@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("place", ["page", "within", "within, unmarked", "old mark"])
def test_a_preview_is_not_the_picture(tmp_path, place, bits, big):
    main = noise(40, 48, 3, bits=bits)
    preview = {"subfiletype": 1} if place in ("page", "within") else {}
    preview |= {"extratags": [(255, "H", 1, 2, True)]} if place == "old mark" else {}
    preview |= {"subifds": 1} if "within" in place else {}
    order = "<" if bits == 8 or big else ">"  # Pillow knows no big-endian BigTIFF
    path = write_tiff(tmp_path / "a.dng", (small(main), preview), (main, {}), big=big, order=order)
    picture = load(path)
    assert torch.equal(picture.pixels, tensor(main))
    assert picture.notes == ()


def test_a_mask_or_a_smaller_copy_after_the_picture_changes_nothing(tmp_path):
    main = noise(40, 48, 3)
    copy = (small(main), {"subfiletype": 1})
    mask = (main[..., 0] > 99, {"photometric": 4, "subfiletype": 4})
    picture = load(write_tiff(tmp_path / "a.tif", (main, {"subifds": 1}), copy, mask))
    assert torch.equal(picture.pixels, tensor(main))
    assert picture.notes == ()


def test_what_the_picture_within_lacks_is_that_of_the_page_around_it(tmp_path):
    main, turned = smooth(), [(274, "H", 1, 6, True)]
    preview = {"subifds": 1, "extratags": turned, "iccprofile": swapped_profile()}
    picture = load(write_tiff(tmp_path / "a.dng", (small(main), preview), (main, {})))
    expected = tensor(np.ascontiguousarray(np.rot90(main[..., ::-1], -1)))
    assert (picture.pixels - expected).abs().max() < 3 * ONE_STEP


@pytest.mark.parametrize("kind", [CFA, LINEAR_RAW])
def test_sensor_data_is_to_be_developed_and_a_preview_is_refused(tmp_path, kind):
    preview = (noise(20, 24, 3), {"subfiletype": 1})
    path = write_tiff(tmp_path / "only.tif", preview)
    with pytest.raises(PictureError) as error:
        load(path)
    one_line(error, "only.tif", "holds a preview and not the picture")
    preview[1]["subifds"] = 1
    sensor = noise(40, 48, 1 if kind == CFA else 3, bits=16).squeeze()
    path = write_tiff(tmp_path / "raw.dng", preview, (sensor, {"photometric": kind}))
    with pytest.raises(PictureError) as error:
        load(path)
    one_line(error, "raw.dng", "camera raw", "develop it")


@pytest.mark.parametrize("suffix", [".gif", ".png", ".webp", ".avif", ".tif"])
def test_which_frame_was_taken_is_said(tmp_path, suffix):
    frames = [Image.fromarray(np.full((20, 20, 3), value, np.uint8)) for value in (255, 0, 128)]
    path = tmp_path / f"a{suffix}"
    frames[0].save(path, save_all=True, append_images=frames[1:])
    picture = load(path, "photograph")
    assert picture.pixels.min() > 0.9
    word = "page" if suffix == ".tif" else "frame"
    assert picture.notes == (f"photograph '{path}': {word} 1 of 3 is taken",)
    frames[0].save(path)
    assert load(path).notes == ()


@pytest.mark.parametrize("frames", [1, 2])
def test_an_animated_pngs_stand_in_is_no_frame(tmp_path, frames):
    colours = [Image.new("RGB", (20, 20), colour) for colour in ("red", "lime", "blue")]
    path = tmp_path / "a.png"
    rest = colours[1 : 1 + frames]
    colours[0].save(path, save_all=True, append_images=rest, default_image=True)
    picture = load(path)
    assert torch.equal(picture.pixels, load(colours[1]).pixels)
    assert picture.notes == ((f"picture '{path}': frame 1 of 2 is taken",) if frames == 2 else ())


def test_the_command_line_says_which_frame_once(folder, capsys):
    first = Image.open("photo.png")
    first.save("a.gif", save_all=True, append_images=[first.rotate(180)])
    err = impasto(capsys, "stylize", "a.gif", "a.gif", "a.gif", "-o", "out.png", *QUICK).err
    assert err.count("painting 'a.gif': frame 1 of 2 is taken") == 1
    assert err.count("photograph 'a.gif': frame 1 of 2 is taken") == 1
    err = impasto(capsys, "evaluate", "out.png", "--content", "a.gif").err
    assert err == "photograph 'a.gif': frame 1 of 2 is taken\n"

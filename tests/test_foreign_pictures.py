"""Pictures that are not what they seem: names, frames, colours, sizes and credits."""

from __future__ import annotations

import io
import struct
import unicodedata
import zlib
from pathlib import Path

import numpy as np
import pytest
import tifffile
import torch
from PIL import ExifTags, Image, ImageFile
from PIL.PngImagePlugin import PngInfo

from conftest import impasto
from impasto.errors import PictureError, as_on_disk
from impasto.job import memory
from impasto.pictures import (
    color_profile,
    color_tags,
    formats,
    load,
    read_recipe,
    reading,
    resize,
    save,
    sizes,
)
from impasto.pictures.credits import NO_CREDITS, Credits
from test_image_helpers import (
    DEEP,
    ONE_STEP,
    WRITABLE,
    noise,
    one_line,
    smooth,
    swapped_profile,
    tensor,
    white_ink_profile,
)

QUICK = ["--size", "32", "--iterations", "1", "--backbone", "vgg16", "--no-checkpoint"]


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


# --- colours --------------------------------------------------------------------------------------

ADOBE_RED, SRGB_RED = (219, 60, 60), (253, 57, 57)
DISPLAY_P3, SRGB_POINTS, PQ, HLG = (12, 13), (1, 13), (9, 16), (9, 18)
WIDE = (0.3127, 0.329, 0.64, 0.33, 0.21, 0.71, 0.15, 0.06)  # white, red, green, blue of Adobe RGB


def adobe_exif(space=65535, index="R03"):
    exif = Image.Exif()
    exif[ExifTags.Base.Make] = "camera"  # Pillow writes none without a tag of its own
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.ColorSpace] = space
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.IFD.Interop] = {1: index} if index else {}
    return exif


def png_with(path, colour, **chunks):
    """A PNG of one colour, with chunks before its pixels."""
    buffer = io.BytesIO()
    Image.new("RGB", (20, 20), colour).save(buffer, "PNG")
    data = buffer.getvalue()
    more = b"".join(formats.png_chunk(kind.encode(), body) for kind, body in chunks.items())
    path.write_bytes(data[:33] + more + data[33:])
    return path


def cicp(points, full=1):
    return bytes([*points, 0, full])


def gama(encoding):
    return struct.pack(">I", round(encoding * 100_000))


def chrm(numbers):
    return struct.pack(">8I", *(round(each * 100_000) for each in numbers))


def colour_of(source):
    """Of a picture of one colour, 0 to 255."""
    return np.rint(load(source).pixels[0, :, 9, 9].numpy() * 255)


def nearly(colour, levels=2):
    return pytest.approx(np.array(colour), abs=levels)


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".avif"])
@pytest.mark.parametrize(("space", "index"), [(65535, "R03"), (2, "")])
def test_adobe_rgb_told_by_exif_alone(tmp_path, suffix, space, index):
    path = tmp_path / f"a{suffix}"
    exif = adobe_exif(space, index)
    Image.new("RGB", (20, 20), ADOBE_RED).save(path, exif=exif, quality=100, subsampling="4:4:4")
    assert colour_of(path) == nearly(SRGB_RED, 3)


@pytest.mark.parametrize(("space", "index"), [(1, "R98"), (65535, "R98"), (65535, ""), (1, "R03")])
def test_exif_that_says_anything_else_changes_nothing(tmp_path, space, index):
    Image.new("RGB", (20, 20), ADOBE_RED).save(tmp_path / "a.png", exif=adobe_exif(space, index))
    assert colour_of(tmp_path / "a.png") == nearly(ADOBE_RED, 0)


P3_RED = (238, 36, 36)  # of (219, 60, 50) in Display P3, by the matrices of CSS Color 4


def test_pngs_code_points_and_gamma(tmp_path):
    path = tmp_path / "a.png"
    grey, light = (128, 128, 128), (188, 188, 188)  # of half the light: 1.055 * 0.5 ** (1 / 2.4)
    assert colour_of(png_with(path, grey, gAMA=gama(1.0))) == nearly(light, 1)
    assert colour_of(png_with(path, grey, cICP=cicp((1, 8)))) == nearly(light, 1)
    assert colour_of(png_with(path, ADOBE_RED, gAMA=gama(1 / 2.2), cHRM=chrm(WIDE)))[0] > 245
    for told in ({"gAMA": gama(1 / 2.2)}, {"cICP": cicp(SRGB_POINTS)}, {"gAMA": gama(0)}):
        assert colour_of(png_with(path, ADOBE_RED, **told)) == nearly(ADOBE_RED, 0)
    for nonsense in ((0,) * 8, (0.3,) * 8, (0.3127, 0.329, *[0.64, 0.33] * 3)):
        assert colour_of(png_with(path, ADOBE_RED, cHRM=chrm(nonsense))) == nearly(ADOBE_RED, 0)


def test_what_a_png_says_first_counts(tmp_path):
    """cICP before iCCP before sRGB before gAMA, by PNG's third edition."""
    path, colour = tmp_path / "a.png", (219, 60, 50)
    icc = b"x\0\0" + zlib.compress(swapped_profile())
    told = {"gAMA": gama(1.0)}
    assert colour_of(png_with(path, colour, **told))[0] > 235
    told["sRGB"] = b"\0"
    assert colour_of(png_with(path, colour, **told)) == nearly(colour, 0)
    told["iCCP"] = icc
    assert colour_of(png_with(path, colour, **told)) == nearly(colour[::-1])
    told["cICP"] = cicp(DISPLAY_P3)
    assert colour_of(png_with(path, colour, **told)) == nearly(P3_RED)


def with_code_points(path, points):
    """An AVIF's first bytes changed to tell other colours than Pillow's sRGB."""
    Image.new("RGB", (20, 20), (219, 60, 50)).save(path, quality=100, subsampling="4:4:4")
    data = path.read_bytes()
    at = data.index(b"colrnclx") + 8
    path.write_bytes(data[:at] + struct.pack(">HH", *points) + data[at + 4 :])
    return path


def test_an_avifs_code_points(tmp_path):
    assert colour_of(with_code_points(tmp_path / "a.avif", DISPLAY_P3)) == nearly(P3_RED, 3)
    for same in (SRGB_POINTS, (2, 2), (1, 1)):
        assert colour_of(with_code_points(tmp_path / "b.avif", same)) == nearly((219, 60, 50), 3)


@pytest.mark.parametrize(("points", "name"), [(PQ, "PQ"), (HLG, "HLG")])
def test_high_dynamic_range_is_refused(tmp_path, points, name):
    png = png_with(tmp_path / "a.png", ADOBE_RED, cICP=cicp(points))
    for path in (png, with_code_points(tmp_path / "a.avif", points)):
        with pytest.raises(PictureError) as error:
            load(path)
        one_line(error, path.name, f"HDR ({name})", "save it as SDR")
    for wrong in (cicp((9, 10)), cicp((99, 13)), cicp(SRGB_POINTS, full=0)):
        with pytest.raises(PictureError, match="convert it to sRGB"):
            load(png_with(tmp_path / "a.png", ADOBE_RED, cICP=wrong))


@pytest.mark.parametrize("mode", ["L", "LA", "P", "PA", "RGBA"])
def test_colours_told_count_in_every_mode(tmp_path, mode):
    image = Image.new("RGBA", (20, 20), (128, 128, 128, 255))
    image.putpixel((0, 0), (128, 128, 128, 77))
    if mode in ("P", "PA"):
        image = image.convert("RGBA").quantize(4)
    image = image if mode in ("P", "PA") else image.convert(mode)
    image.save(tmp_path / "a.png")
    data = (tmp_path / "a.png").read_bytes()
    gamma = formats.png_chunk(b"gAMA", gama(1.0))
    (tmp_path / "a.png").write_bytes(data[:33] + gamma + data[33:])
    picture = load(tmp_path / "a.png")
    assert (picture.pixels * 255 - 188).abs().max() < 1
    if mode != "L":
        assert picture.alpha[0, 0, 0, 0] == pytest.approx(77 / 255, abs=ONE_STEP)


# --- 16 bits in other colours ---------------------------------------------------------------------


def ramp(channels, alpha=False):
    """4096 greys as 16-bit samples."""
    levels = (np.arange(4096) * 65535 / 4095).round().astype(np.uint16).reshape(64, 64, 1)
    grey = levels.repeat(channels, 2)
    return np.dstack([grey, np.full_like(levels, 40_000)]) if alpha else grey


FOREIGN = {
    "adobe": color_profile.rgb_profile(color_tags.ADOBE, color_tags.ADOBE_GAMMA),
    "linear": color_profile.rgb_profile(color_profile.SRGB, 1.0),
    "p3": color_profile.rgb_profile(color_tags.PRIMARIES[12], None),
}


@pytest.mark.parametrize("name", FOREIGN)
@pytest.mark.parametrize(("channels", "alpha"), [(1, False), (3, False), (3, True)])
def test_16_bit_levels_survive_another_profile(tmp_path, name, channels, alpha):
    samples, profile = ramp(channels, alpha), FOREIGN[name]
    options = {"photometric": "rgb" if channels == 3 else "minisblack", "iccprofile": profile}
    options |= {"extrasamples": ["unassalpha"]} if alpha else {}
    tifffile.imwrite(tmp_path / "a.tif", samples.squeeze(), **options)
    picture = load(tmp_path / "a.tif")
    assert len(picture.pixels[0, 1].unique()) > 4000
    if alpha:
        assert (picture.alpha == 40_000 / 65535).all()
    samples = np.rint(ramp(3) / 257).astype(np.uint8)
    Image.fromarray(samples).save(tmp_path / "a.png", icc_profile=profile)
    steep = 4 if name == "linear" else 1  # the 8-bit samples' own steps, where the curve is steep
    apart = (picture.pixels - load(tmp_path / "a.png").pixels).abs()[..., 8:, :]
    assert apart.max() < (steep + 0.5) * ONE_STEP


def test_8_and_16_bits_of_the_same_colours_agree(tmp_path):
    colours = noise(40, 40, 3)
    for name, profile in FOREIGN.items():
        Image.fromarray(colours).save(tmp_path / "a.png", icc_profile=profile)
        deep = colours.astype(np.uint16) * 257
        tifffile.imwrite(tmp_path / "a.tif", deep, photometric="rgb", iccprofile=profile)
        apart = (load(tmp_path / "a.tif").pixels - load(tmp_path / "a.png").pixels).abs().max()
        assert apart < 1.01 * ONE_STEP, name


def test_16_bit_pngs_colours_are_told_by_chunks_too(tmp_path):
    path = save(tensor(ramp(3)), tmp_path / "a.png", bits=16)
    data = path.read_bytes()
    place = data.index(b"iCCP") - 4
    chunk = formats.png_chunk(b"cICP", cicp((1, 8)))
    path.write_bytes(data[:place] + chunk + data[place:])
    pixels = load(path).pixels
    assert len(pixels.unique()) > 4000
    expected = 1.055 * 0.5 ** (1 / 2.4) - 0.055
    assert pixels[0, 0, 32, 0] == pytest.approx(expected, abs=1e-3)


def test_a_broken_profile_of_16_bits_is_ignored(tmp_path):
    samples = noise(20, 30, 3, bits=16)
    for junk in (b"junk" * 50, FOREIGN["p3"][:200], white_ink_profile()):
        tifffile.imwrite(tmp_path / "a.tif", samples, photometric="rgb", iccprofile=junk)
        assert torch.equal(load(tmp_path / "a.tif").pixels, tensor(samples))


# --- very large pictures --------------------------------------------------------------------------


@pytest.fixture
def few_pixels_are_many(monkeypatch):
    monkeypatch.setattr(sizes, "REDUCE_FROM_PIXELS", 600 * 400)
    monkeypatch.setattr(sizes, "NEEDED_AT_LEAST_PX", 16)


def large(channels=3, bits=8):
    """A smooth picture of 600 x 400 px."""
    y, x = np.mgrid[0:1:400j, 0:1:600j]
    planes = np.stack([x, y, 1 - x * y, 0.2 + 0.8 * x], axis=-1)[..., :channels]
    return (planes * (2**bits - 1)).round().astype(np.uint8 if bits == 8 else np.uint16)


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".tif"])
@pytest.mark.parametrize(("channels", "bits"), [(3, 8), (4, 8), (3, 16), (4, 16)])
def test_a_very_large_picture_is_read_smaller(
    tmp_path, few_pixels_are_many, suffix, channels, bits
):
    path, samples = tmp_path / f"a{suffix}", large(channels, bits)
    if not (bits == 16 and suffix in (".jpg", ".webp")) and (channels, suffix) != (4, ".jpg"):
        alpha = tensor(samples[..., 3:]) if channels == 4 else None
        save(tensor(samples[..., :3]), path, alpha=alpha, bits=bits)
        whole, part = load(path), load(path, longest_px=40)
        assert 80 <= min(part.size) < 160, part.size
        assert part.notes == (
            f"picture '{path}': 600 x 400 px are read at {part.size[1]} x {part.size[0]}",
        )
        assert part.sha256 == whole.sha256
        assert torch.equal(part.pixels, load(path, longest_px=40).pixels)
        small = (27, 40)
        assert (part.at(small) - whole.at(small)).abs().max() < 3 * ONE_STEP
        if alpha is not None:
            assert (resize(part.alpha, small) - resize(whole.alpha, small)).abs().max() < ONE_STEP


def test_a_picture_that_is_not_very_large_or_much_larger_is_read_whole(
    tmp_path, few_pixels_are_many, monkeypatch
):
    path = tmp_path / "a.jpg"
    Image.fromarray(large()).save(path)
    for enough in (None, 101, 5000):
        assert load(path, longest_px=enough).size == (400, 600)
    assert load(path, longest_px=100).size == (200, 300)
    monkeypatch.undo()
    assert load(path, longest_px=20).size == (400, 600)


def test_hidden_colours_do_not_bleed_where_a_picture_is_read_smaller(tmp_path, few_pixels_are_many):
    samples = np.full((400, 600, 4), (255, 0, 0, 255), np.uint8)
    samples[::2] = 0, 255, 0, 0
    for name, array in (("a.png", samples), ("b.png", samples.astype(np.uint16) * 257)):
        data = formats.FORMATS[0].encode(array, b"", 0, NO_CREDITS)
        (tmp_path / name).write_bytes(data)
        part = load(tmp_path / name, longest_px=40)
        red = torch.tensor([1.0, 0, 0]).view(1, 3, 1, 1).expand_as(part.pixels)
        assert (part.pixels - red).abs().max() < 1.01 * ONE_STEP


def test_turned_pictures_colours_and_palettes_are_read_smaller_too(tmp_path, few_pixels_are_many):
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    image = Image.fromarray(large())
    cases = {
        "a.jpg": (image, {"exif": exif}),
        "b.jpg": (image.convert("CMYK"), {}),
        "c.png": (image.quantize(64), {}),
        "d.png": (image.convert("L"), {"icc_profile": FOREIGN["linear"]}),
        "e.png": (image.convert("1"), {}),
        "f.jpg": (image, {"icc_profile": FOREIGN["adobe"]}),
    }
    for name, (each, options) in cases.items():
        each.save(tmp_path / name, **options)
        whole, part = load(tmp_path / name), load(tmp_path / name, longest_px=40)
        small = (40, 27) if name == "a.jpg" else (27, 40)
        assert (part.at(small) - whole.at(small)).abs().mean() < 3 * ONE_STEP, name
        assert min(part.size) < 160


def test_what_is_needed_is_what_is_read(folder, capsys, few_pixels_are_many):
    Image.fromarray(large()).save("large.jpg", quality=95)
    quick = ["--iterations", "1", "--backbone", "vgg16", "-o", "out.png", "--no-checkpoint"]
    err = impasto(capsys, "stylize", "large.jpg", "large.jpg", *quick, "--size", "32").err
    assert err.count("600 x 400 px are read at 150 x 100\n") == 2
    mask = ["--mask", "mask.png", "--region", "white=photo"]
    Image.fromarray((large() > 99)[..., 0]).save("mask.png")
    err = impasto(capsys, "stylize", "large.jpg", "large.jpg", *quick, "--size", "32", *mask).err
    assert "photograph 'large.jpg'" not in err
    assert "painting 'large.jpg': 600 x 400 px" in err


def test_what_would_not_fit_into_memory_is_refused_before_it_is_decoded(
    folder, capsys, monkeypatch
):
    monkeypatch.setattr(memory, "free_bytes", lambda _: 2_000_000_000)
    monkeypatch.setattr(reading, "OPAQUE_BYTES", 400_000)  # as if it had that many more pixels
    monkeypatch.setattr(ImageFile.ImageFile, "load", None)
    words = ["stylize", "photo.png", "charcoal", "--size", "6000"]
    assert impasto(capsys, *words, status=2).err == (
        "impasto: photograph 'photo.png' is 96 x 64 px; reading it takes 2.5 GB of memory, "
        "and there are 1.8 GB; scale it down first\n"
    )


# --- whose it is ----------------------------------------------------------------------------------

MINE = Credits("Zoë Ōta", "© 2024 Zoë Ōta; all rights reserved", (300.0, 150.0))


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("suffix", WRITABLE)
def test_credits_come_back_from_every_format(tmp_path, suffix, bits):
    if bits == 8 or suffix in (*DEEP, ".tiff"):
        pixels, path = tensor(smooth()), tmp_path / f"a{suffix}"
        save(pixels, path, bits=bits, recipe={"a": 1}, credits=MINE)
        once = path.read_bytes()
        assert load(path).credits == MINE
        assert read_recipe(path) == {"a": 1}
        save(pixels, path, bits=bits, recipe={"a": 1}, credits=MINE)
        assert path.read_bytes() == once
        with Image.open(path) as image:
            image.load()
            if suffix != ".avif" and suffix != ".webp":  # which keep it in EXIF alone
                assert image.info["dpi"] == pytest.approx((300, 150), abs=0.05)


@pytest.mark.parametrize("suffix", WRITABLE)
def test_without_credits_a_file_says_none(tmp_path, suffix):
    path = save(tensor(smooth()), tmp_path / f"a{suffix}")
    assert load(path).credits == NO_CREDITS
    with Image.open(path) as image:
        assert "exif" not in image.info
        assert suffix.startswith(".tif") or "dpi" not in image.info


def test_a_result_keeps_credits_and_neither_place_nor_camera(folder, capsys):
    exif = Image.Exif()
    exif[ExifTags.Base.Artist] = MINE.artist.encode()
    exif[ExifTags.Base.Copyright] = b"Zo\xc3\xab\0an editor"
    exif[ExifTags.Base.Make] = "Secretcam"
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.BodySerialNumber] = "SERIAL-77"
    exif.get_ifd(ExifTags.IFD.GPSInfo)[ExifTags.GPS.GPSLatitude] = (51.0, 30.0, 12.0)
    Image.open("photo.png").save("photo.jpg", exif=exif, dpi=(240, 240))
    for name in ("out.jpg", "out.png", "plain.tif"):
        more = ["--no-recipe"] if name == "plain.tif" else []
        impasto(capsys, "stylize", "photo.jpg", "charcoal", "-o", name, *QUICK, *more)
        assert load(name).credits == Credits(MINE.artist, "Zoë; an editor", (240.0, 240.0))
        data = Path(name).read_bytes()
        assert b"Secretcam" not in data
        assert b"SERIAL-77" not in data
        with Image.open(name) as image:
            assert not image.getexif().get_ifd(ExifTags.IFD.GPSInfo)
    again = impasto(capsys, "rerun", "out.png", "-o", "again.png").out
    assert "Byte for byte the same." in again


def test_credits_told_otherwise_than_by_exif(tmp_path):
    info = PngInfo()
    info.add_text("Author", "Zoë")
    info.add_itxt("Copyright", "© Ōta")
    Image.new("RGB", (20, 20)).save(tmp_path / "a.png", pnginfo=info, dpi=(72, 72))
    assert load(tmp_path / "a.png").credits == Credits("Zoë", "© Ōta", (72.0, 72.0))
    items = "<rdf:Seq><rdf:li>A &amp; B</rdf:li><rdf:li>Ōta</rdf:li></rdf:Seq>"
    xmp = f"<x><dc:creator>{items}</dc:creator></x>".encode()
    Image.new("RGB", (20, 20)).save(tmp_path / "a.webp", xmp=xmp)
    assert load(tmp_path / "a.webp").credits == Credits("A & B; Ōta")


def test_a_resolution_that_nobody_told_is_none(tmp_path):
    exif = Image.Exif()
    exif[ExifTags.Base.Artist] = "Ada"
    for name in ("a.jpg", "a.tif"):
        Image.new("RGB", (20, 20)).save(tmp_path / name, exif=exif)  # Pillow's dpi is 72, or 1
        assert load(tmp_path / name).credits == Credits("Ada")
    exif[ExifTags.Base.XResolution] = exif[ExifTags.Base.YResolution] = 100
    exif[ExifTags.Base.ResolutionUnit] = 3  # a centimetre
    Image.new("RGB", (20, 20)).save(tmp_path / "a.webp", exif=exif)
    assert load(tmp_path / "a.webp").credits == Credits("Ada", "", (254.0, 254.0))

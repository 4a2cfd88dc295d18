"""Laws of reading: every kind of picture looks as it should; a bad one is refused in a line."""

from __future__ import annotations

import errno
import hashlib
import os
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import tifffile
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import ExifTags, Image, ImageOps

from impasto.errors import PictureError, printable
from impasto.pictures import (
    check_target,
    formats,
    load,
    opening,
    read_recipe,
    save,
    srgb_profile,
    to_pil,
)
from test_image_helpers import (
    LOSS,
    ONE_STEP,
    encoded,
    icc,
    noise,
    one_line,
    quick,
    seeds,
    smooth,
    swapped_profile,
    tensor,
    white_ink_profile,
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder for all examples of a property."""
    return tmp_path_factory.mktemp("pictures")


# --- modes and colour -----------------------------------------------------------------------------


@quick
@given(st.sampled_from(["1", "L", "P", "LA", "RGBA", "RGBa", "CMYK", "YCbCr", "HSV"]), seeds)
def test_every_mode_looks_as_pillow_shows_it(mode, seed):
    source = Image.fromarray(noise(20, 30, 4, seed).clip(1)).convert("RGBA")
    image = source.convert("RGB").convert(mode) if mode != "RGBa" else source.convert(mode)
    if mode in ("LA", "RGBA"):
        image = source.convert(mode)
    expected = image.convert("RGBA") if mode in ("LA", "RGBA", "RGBa") else image.convert("RGB")
    picture = load(image)
    got = np.asarray(to_pil(picture.pixels, picture.alpha))
    shown = np.asarray(expected)
    assert got.shape == shown.shape
    assert np.array_equal(got, shown)


def test_palette_with_transparency(tmp_path):
    image = Image.new("P", (32, 20), 0)
    image.putpalette([255, 0, 0, 0, 255, 0])
    image.paste(1, (0, 0, 16, 20))
    image.save(tmp_path / "p.png", transparency=1)
    image.save(tmp_path / "p.gif", transparency=1)
    for name in ("p.png", "p.gif"):
        picture = load(tmp_path / name)
        assert picture.alpha[0, 0, :, :16].max() == 0
        assert picture.alpha[0, 0, :, 16:].min() == 1
        # The hidden green half takes the visible colour.
        assert torch.equal(picture.pixels, tensor(np.full((20, 32, 3), (255, 0, 0), np.uint8)))


def test_hidden_colours_become_the_mean_of_the_visible():
    samples = np.zeros((20, 20, 4), np.float32)
    samples[:, :10] = 1, 1, 0, 0
    samples[:, 10:15] = 0.2, 0.4, 0.6, 1
    samples[:, 15:] = 0.8, 0.4, 0.0, 0.5
    hidden = load(samples).pixels[0, :, :, :10]
    expected = torch.tensor([0.4, 0.4, 0.4]).view(3, 1, 1).expand(3, 20, 10)
    torch.testing.assert_close(hidden, expected)


def test_an_alpha_that_hides_nothing_is_dropped():
    samples = noise(20, 20, 4)
    samples[..., 3] = 255
    assert load(samples).alpha is None


def test_wholly_transparent_is_refused(tmp_path):
    Image.new("RGBA", (20, 20)).save(tmp_path / "ghost.png")
    with pytest.raises(PictureError) as error:
        load(tmp_path / "ghost.png", "painting")
    one_line(error, "painting", "ghost.png", "transparent")


def test_cmyk_jpeg_of_adobe_is_not_inverted(tmp_path):
    inks = np.zeros((32, 32, 4), np.uint8)
    inks[:, :16, 1:3] = 255  # magenta and yellow: red; the right half is bare paper
    Image.frombytes("CMYK", (32, 32), inks.tobytes()).save(tmp_path / "c.jpg", quality=95)
    pixels = load(tmp_path / "c.jpg").pixels[0]
    red, paper = pixels[:, 16, 4], pixels[:, 16, 28]
    torch.testing.assert_close(red, torch.tensor([1.0, 0.0, 0.0]), atol=0.05, rtol=0)
    torch.testing.assert_close(paper, torch.ones(3), atol=0.05, rtol=0)


def test_lab_tiff(tmp_path):
    lab = Image.new("LAB", (20, 20), (255, 128, 128)).copy()
    lab.paste((0, 128, 128), (0, 0, 10, 20))
    lab.save(tmp_path / "lab.tif")
    pixels = load(tmp_path / "lab.tif").pixels
    assert pixels[..., 12:].min() > 0.97
    assert pixels[..., :8].max() < 0.03


def linear_grey_profile() -> bytes:
    white = b"XYZ \0\0\0\0" + struct.pack(">3I", 0xF6D6, 0x10000, 0xD32D)
    return icc(b"GRAY", b"mntr", b"XYZ ", {b"wtpt": white, b"kTRC": b"curv" + bytes(8)})


def linear_rgb_profile() -> bytes:
    """The primaries of sRGB without its curve."""
    columns = ((0.4361, 0.2225, 0.0139), (0.3851, 0.7169, 0.0971), (0.1431, 0.0606, 0.7141))
    tags = {b"wtpt": b"XYZ \0\0\0\0" + struct.pack(">3I", 0xF6D6, 0x10000, 0xD32D)}
    for letter, column in zip((b"r", b"g", b"b"), columns, strict=True):
        values = struct.pack(">3I", *(round(value * 0x10000) for value in column))
        tags[letter + b"XYZ"] = b"XYZ \0\0\0\0" + values
        tags[letter + b"TRC"] = b"curv" + bytes(8)
    return icc(b"RGB ", b"mntr", b"XYZ ", tags)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".tif", ".avif"])
def test_a_colour_profile_is_applied(tmp_path, suffix):
    path = tmp_path / f"swapped{suffix}"
    Image.fromarray(smooth()).save(path, icc_profile=swapped_profile(), quality=100)
    expected = tensor(smooth()[..., ::-1])
    assert (load(path).pixels - expected).abs().max() < LOSS


def test_a_profile_leaves_alpha_alone(tmp_path):
    samples = np.dstack([smooth(), noise(24, 32, 1).clip(1)])
    Image.fromarray(samples).save(tmp_path / "a.png", icc_profile=swapped_profile())
    picture = load(tmp_path / "a.png")
    assert torch.equal(picture.alpha, tensor(samples[..., 3:]))
    assert (picture.pixels - tensor(samples[..., 2::-1])).abs().max() < 3 * ONE_STEP


def test_a_profile_is_applied_to_16_bit_pictures(tmp_path):
    samples = smooth().astype(np.uint16) * 257
    tifffile.imwrite(tmp_path / "a.tif", samples, photometric="rgb", iccprofile=swapped_profile())
    expected = tensor(smooth()[..., ::-1])
    assert (load(tmp_path / "a.tif").pixels - expected).abs().max() < 3 * ONE_STEP


@pytest.mark.parametrize("profile", [linear_grey_profile(), linear_rgb_profile()])
@pytest.mark.parametrize("mode", ["L", "LA", "I;16"])
def test_a_profile_is_applied_to_grey(tmp_path, mode, profile):
    grey = np.full((20, 20), 128, np.uint8)
    image = Image.fromarray(grey.astype(np.uint16) * 257 if mode == "I;16" else grey)
    if mode == "LA":
        image.putalpha(Image.fromarray(grey))
    image.save(tmp_path / "g.png", icc_profile=profile)
    pixels = load(tmp_path / "g.png").pixels
    expected = 1.055 * (128 / 255) ** (1 / 2.4) - 0.055  # sRGB's own curve, of linear light
    assert (pixels - expected).abs().max() < 2 * ONE_STEP


def test_a_cmyk_profile_is_applied(tmp_path):
    image = Image.new("CMYK", (20, 20), (255, 255, 255, 255))
    image.save(tmp_path / "c.tif", icc_profile=white_ink_profile())
    assert load(tmp_path / "c.tif").pixels.min() > 0.97
    image.save(tmp_path / "c.tif")
    assert load(tmp_path / "c.tif").pixels.max() < 0.03


@quick
@given(st.binary(max_size=200), st.booleans(), st.sampled_from(["L", "RGB", "CMYK"]))
def test_a_broken_or_unfit_profile_is_ignored(folder, junk, unfit, mode):
    plain, broken = folder / "plain.tif", folder / "broken.tif"
    image = Image.fromarray(smooth()).convert(mode)
    image.save(plain)
    profile = {"L": white_ink_profile(), "RGB": linear_grey_profile(), "CMYK": srgb_profile()}
    image.save(broken, icc_profile=profile[mode] if unfit else junk)
    assert torch.equal(load(broken).pixels, load(plain).pixels)


# --- 16 bits --------------------------------------------------------------------------------------


def test_16_bit_tiff_of_other_writers_keeps_its_precision(tmp_path):
    samples = noise(20, 30, 3, bits=16)
    for order in "<>":
        for compression in (None, "zlib"):
            path = tmp_path / "a.tif"
            tifffile.imwrite(
                path, samples, photometric="rgb", byteorder=order, compression=compression
            )
            assert torch.equal(load(path).pixels, tensor(samples)), (order, compression)


def test_planar_16_bit_tiff_is_refused_rather_than_misread(tmp_path):
    path = tmp_path / "planar.tif"
    samples = noise(20, 30, 3, bits=16).transpose(2, 0, 1)
    tifffile.imwrite(path, samples, photometric="rgb", planarconfig="separate")
    with pytest.raises(PictureError) as error:
        load(path)
    one_line(error, "planar.tif", "interleaved")


def test_16_bit_grey_of_both_byte_orders(tmp_path):
    samples = noise(20, 30, 1, bits=16)
    Image.fromarray(samples[..., 0]).save(tmp_path / "grey.png")
    tifffile.imwrite(tmp_path / "grey.tif", samples[..., 0], byteorder=">")
    for name in ("grey.png", "grey.tif"):
        assert torch.equal(load(tmp_path / name).pixels, tensor(samples).expand(1, 3, 20, 30))


@pytest.mark.parametrize("bits", [8, 16])
def test_grey_that_counts_from_white_to_black_is_no_negative(tmp_path, bits):
    samples = noise(20, 30, 1, bits=bits)
    tifffile.imwrite(tmp_path / "a.tif", 2**bits - 1 - samples[..., 0], photometric="miniswhite")
    assert torch.equal(load(tmp_path / "a.tif").pixels, tensor(samples).expand(1, 3, 20, 30))


# --- orientation and frames -----------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".tif", ".avif"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_exif_orientation_is_undone(tmp_path, orientation, suffix):
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    path = tmp_path / f"turned{suffix}"
    Image.fromarray(smooth()).save(path, exif=exif, quality=100)
    with Image.open(path) as image:
        expected = np.asarray(ImageOps.exif_transpose(image).convert("RGB"))
    picture = load(path)
    assert picture.size == ((24, 32) if orientation < 5 else (32, 24))
    assert torch.equal(picture.pixels, tensor(expected))


def test_orientation_of_a_16_bit_picture(tmp_path):
    samples = noise(20, 30, 3, bits=16)
    extra = [(274, "H", 1, 6, True)]
    tifffile.imwrite(tmp_path / "a.tif", samples, photometric="rgb", extratags=extra)
    assert torch.equal(load(tmp_path / "a.tif").pixels, tensor(np.rot90(samples, -1)))


def test_orientation_of_an_image_in_memory():
    image = Image.fromarray(smooth())
    image.getexif()[ExifTags.Base.Orientation] = 3
    assert torch.equal(load(image).pixels, tensor(smooth()[::-1, ::-1]))


@pytest.mark.parametrize("suffix", [".gif", ".png", ".webp", ".tif"])
def test_animations_give_their_first_frame(tmp_path, suffix):
    first, second = Image.new("RGB", (20, 20), (255, 0, 0)), Image.new("RGB", (20, 20), (0, 0, 255))
    first.save(tmp_path / f"a{suffix}", save_all=True, append_images=[second], lossless=True)
    assert torch.equal(load(tmp_path / f"a{suffix}").pixels, load(first).pixels)


# --- arrays and tensors ---------------------------------------------------------------------------


@quick
@given(
    st.sampled_from([np.uint8, np.uint16, np.float16, np.float32, np.float64]),
    st.sampled_from([0, 1, 2, 3, 4]),
    seeds,
)
def test_arrays_and_tensors_of_one_picture_agree(kind, channels, seed):
    shape = (20, 30, channels) if channels else (20, 30)
    unit = np.random.default_rng(seed).integers(0, 2, shape)
    unit[0, 0], unit[0, 1] = 0, 1
    scale = np.iinfo(kind).max if np.issubdtype(kind, np.integer) else 1
    array = (unit * scale).astype(kind)
    from_array = load(array)
    assert from_array.name == "array"
    assert from_array.pixels.shape == (1, 3, 20, 30)
    assert from_array.pixels.dtype == torch.float32
    assert (from_array.alpha is not None) == (channels in (2, 4))
    planes = array.transpose(2, 0, 1) if channels else array
    for planar in (planes, planes[None] if channels else planes):
        from_tensor = load(torch.from_numpy(np.ascontiguousarray(planar)))
        assert torch.equal(from_tensor.pixels, from_array.pixels)
        assert from_tensor.sha256 == from_array.sha256


def test_a_loaded_tensor_is_a_copy():
    source = tensor(smooth())
    picture = load(source)
    picture.pixels.zero_()
    assert source.max() > 0
    assert load(source.bfloat16()).pixels.dtype == torch.float32


def test_sha256_of_a_file_is_that_of_its_bytes(tmp_path):
    path = save(tensor(smooth()), tmp_path / "a.png")
    assert load(path).sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert load(str(path)).sha256 == load(path).sha256
    assert load(smooth()).sha256 != load(smooth()[:, ::-1]).sha256


@pytest.mark.parametrize(
    ("source", "word"),
    [
        (np.zeros((20, 20, 5), np.uint8), "(20, 20, 5)"),
        (np.zeros((1, 3, 20, 20), np.uint8), "(1, 3, 20, 20)"),
        (np.zeros(20, np.uint8), "(20,)"),
        (np.zeros((20, 20, 3), np.int64), "int64"),
        (np.full((20, 20, 3), np.nan), "NaN"),
        (np.full((20, 20, 3), 128.0), "128"),
        (np.full((20, 20, 3), -0.5), "-0.5"),
        (np.zeros((0, 20, 3), np.uint8), "20x0"),
        (np.zeros((4000, 3, 3), np.uint8), "3x4000"),
        (np.zeros((20, 20), complex), "complex"),
        (torch.zeros(2, 3, 20, 20), "(2, 3, 20, 20)"),
        (torch.zeros(20, 20, 3), "(20, 20, 3)"),
        (torch.full((3, 20, 20), float("inf")), "infinite"),
        (np.broadcast_to(np.uint8(0), (100_000, 100_000)), "megapixels"),
        (Image.new("RGB", (1, 1)), "1x1"),
        (Image.new("I", (20, 20), 10**6), "int32"),
        (Image.new("F", (20, 20), 200.0), "200"),
        (b"bytes", "bytes"),
        (None, "NoneType"),
    ],
)
def test_unfit_sources_in_memory_are_refused(source, word):
    with pytest.raises(PictureError) as error:
        load(source, "photograph")
    one_line(error, "photograph", word)


# --- bad files ------------------------------------------------------------------------------------


def huge_png() -> bytes:
    """A header that claims 100 000 x 100 000 px, and 30 GB of pixels that aren't there."""
    body = b"IHDR" + struct.pack(">2I5B", 100_000, 100_000, 8, 2, 0, 0, 0)
    chunk = struct.pack(">I", 13) + body + struct.pack(">I", zlib.crc32(body))
    return b"\x89PNG\r\n\x1a\n" + chunk + struct.pack(">I", 10) + b"IDAT" + bytes(14)


BAD_FILES: dict[str, tuple[bytes, str]] = {
    "empty.png": (b"", "0 bytes"),
    "text.jpg": (b"Dear diary, no picture today.\n" * 20, "not a picture"),
    "page.jpg": (b"\n<!DOCTYPE html><html><body>404</body></html>", "web page"),
    "zeros.png": (bytes(5000), "not a picture"),
    "script.eps": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 99 99\n", "not a picture"),
    "head.png": (encoded("PNG")[:20], "damaged"),
    "half.png": (encoded("PNG")[:5000], "damaged"),
    "half.jpg": (encoded("JPEG")[:2000], "damaged"),
    "half.webp": (encoded("WEBP")[:2000], "damaged"),
    "half.tif": (encoded("TIFF")[:5000], "damaged"),
    "half.avif": (encoded("AVIF")[:2000], "damaged"),
    "half.gif": (encoded("GIF")[:2000], "damaged"),
    "half.bmp": (encoded("BMP")[:5000], "damaged"),
    "dot.png": (encoded("PNG", (1, 1)), "1x1"),
    "thin.png": (encoded("PNG", (4000, 3)), "4000x3"),
    "bomb.png": (huge_png(), "megapixels"),
    "line\nbreak\x1b.png": (b"", "line break?.png"),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_bad_files_are_refused_in_one_line(tmp_path, name, recwarn):
    content, word = BAD_FILES[name]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(PictureError) as error:
        load(tmp_path / name, "painting")
    one_line(error, "painting", word, printable(name.replace("\n", " ")))
    assert not recwarn.list


def test_a_bomb_is_refused_without_decoding(tmp_path, monkeypatch):
    def no_decoding(*_args: object) -> None:
        raise AssertionError("decoded")

    (tmp_path / "bomb.png").write_bytes(huge_png())
    monkeypatch.setattr(Image.Image, "load", no_decoding)
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", no_decoding)
    for reader in (load, read_recipe):
        with pytest.raises(PictureError, match="megapixels"):
            reader(tmp_path / "bomb.png")


def test_large_pictures_pass_where_pillow_would_warn_or_refuse(tmp_path, monkeypatch, recwarn):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    assert load(save(tensor(smooth()), tmp_path / "a.png")).size == (24, 32)
    assert not recwarn.list


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(["PNG", "JPEG", "WEBP", "TIFF", "AVIF", "GIF"]), st.data())
def test_damaged_files_give_a_picture_or_one_line(folder, form, data):
    content = bytearray(encoded(form, (20, 20)))
    for _ in range(data.draw(st.integers(1, 8))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = folder / "fuzz.bin"
    path.write_bytes(content[: data.draw(st.integers(1, len(content)))])
    message = "fuzz.bin"
    try:
        assert torch.isfinite(load(path).pixels).all()
    except PictureError as error:
        message = str(error)
    assert "\n" not in message
    assert "fuzz.bin" in message


def test_missing_files_folders_pipes_and_odd_paths(tmp_path):
    (tmp_path / "photo.jpeg").write_bytes(b"x")
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "broken.png").symlink_to(tmp_path / "nowhere.png")
    (tmp_path / "loop.png").symlink_to(tmp_path / "loop.png")
    cases = {
        tmp_path / "photo.jpg": "did you mean",
        tmp_path / "nowhere" / "b.png": "does not exist",
        tmp_path / "photo.jpeg" / "b.png": "does not exist",
        tmp_path: "folder",
        tmp_path / "pipe.png": "pipe",
        tmp_path / ("x" * 300): "cannot be read",
        tmp_path / "broken.png": "a link to a file that does not exist",
        tmp_path / "loop.png": "cannot be read",
        tmp_path / "null\0.png": "null?.png",
    }
    for path, words in cases.items():
        for reader in (load, read_recipe):
            with pytest.raises(PictureError) as error:
                reader(path)
            one_line(error, words)


def test_a_file_that_may_not_be_read(tmp_path, monkeypatch):
    def refuse(_self: Path) -> bytes:
        raise PermissionError(errno.EACCES, "Permission denied")

    (tmp_path / "secret.png").write_bytes(encoded("PNG"))
    monkeypatch.setattr(Path, "read_bytes", refuse)  # the real thing does not bind root
    with pytest.raises(PictureError) as error:
        load(tmp_path / "secret.png")
    one_line(error, "secret.png", "permissions")


def test_heif_without_its_library_says_what_to_install(tmp_path, monkeypatch):
    for place in (opening, formats):
        monkeypatch.setattr(place, "register_heif", lambda: False)
    monkeypatch.setattr(Image, "OPEN", {k: v for k, v in Image.OPEN.items() if k != "HEIF"})
    (tmp_path / "phone.heic").write_bytes(b"\0\0\0\x18ftypheic" + bytes(100))
    with pytest.raises(PictureError) as error:
        load(tmp_path / "phone.heic")
    one_line(error, "phone.heic", "pillow-heif")
    with pytest.raises(PictureError) as error:
        check_target(tmp_path / "out.heic")
    one_line(error, "out.heic", "pillow-heif", ".png")

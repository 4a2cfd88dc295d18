"""The gallery's pictures have a generator, which names every file and works."""

from __future__ import annotations

import PIL.Image

from conftest import ROOT, load_tool

gallery = load_tool("make_gallery")

TINY = ["--size", "48", "--iterations", "2", "--backbone", "vgg16", "--quiet"]


def test_the_gallerys_table_and_its_folder_name_the_same_files():
    there = {path.name for path in (ROOT / "docs" / "gallery").iterdir()}
    assert set(gallery.GALLERY) == there


def test_a_picture_of_the_gallery_is_made(tmp_path):
    made = gallery.make("chelsea-night-swirls.jpg", tmp_path, more=TINY)
    with PIL.Image.open(made) as picture:
        assert (picture.format, picture.size) == ("JPEG", (48, 32))


def test_a_sheet_of_the_gallery_has_the_committed_ones_layout(tmp_path):
    made = gallery.make("colours.jpg", tmp_path, more=[*TINY, "--iterations", "1"])
    with (
        PIL.Image.open(made) as picture,
        PIL.Image.open(ROOT / "docs" / "gallery" / made.name) as old,
    ):
        assert picture.size == old.size


def test_masks_of_the_gallery_have_three_colours(tmp_path):
    for name in gallery.MASKS:
        over = tmp_path / "over.png"
        PIL.Image.new("RGB", (90, 60)).save(over)
        mask = PIL.Image.open(gallery.draw_mask(name, over, tmp_path / f"{name}.png"))
        colours = {colour for _, colour in mask.getcolors()}
        assert colours == {(0, 0, 0), (255, 255, 255), (0, 0, 255)}


def test_a_picture_whose_input_is_not_here_is_skipped_with_a_line(tmp_path, capsys):
    gallery.main(["tuebingen-kandinsky.jpg", "-o", str(tmp_path / "out"), "-i", str(tmp_path)])
    said = f"tuebingen-kandinsky.jpg skipped: no tuebingen.jpg or .png in {tmp_path}\n"
    assert capsys.readouterr().out == said
    assert not (tmp_path / "out").exists()

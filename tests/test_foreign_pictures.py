"""Pictures that are not what they seem: names, frames, colours, sizes and credits."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest

from conftest import impasto
from impasto.errors import as_on_disk
from impasto.pictures import load

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

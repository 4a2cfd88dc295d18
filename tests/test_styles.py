"""The built-in styles are sound pictures, unlike one another, and can be found and repainted."""

from __future__ import annotations

import importlib
import sys
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from impasto.errors import ConfigError, ImpastoError
from impasto.pictures.sheet import CAPTION_PX, MARGIN_PX, PICTURE_PX
from impasto.pictures.styles import COLUMNS, STYLES, contact_sheet, find

TOOLS = Path(__file__).resolve().parents[1] / "tools"
NAMES = [style.name for style in STYLES]


def pixels(name: str) -> np.ndarray:
    with Image.open(find(name)) as picture:
        return np.asarray(picture.convert("RGB"), np.float32) / 255


@pytest.fixture
def painter(monkeypatch):
    monkeypatch.syspath_prepend(str(TOOLS))
    yield importlib.import_module("paint_styles")
    sys.modules.pop("paint_styles", None)


@pytest.mark.parametrize("style", STYLES, ids=NAMES)
def test_is_a_small_progressive_rgb_jpeg_of_about_1000_px(style):
    assert style.path.stat().st_size < 300_000
    with Image.open(style.path) as picture:
        picture.load()
        assert (picture.format, picture.mode) == ("JPEG", "RGB")
        assert picture.info.get("progressive")
        assert abs(max(picture.size) - 1000) <= 40
        assert min(picture.size) >= 600


@pytest.mark.parametrize("name", NAMES)
def test_has_a_wide_tonal_range_and_texture_at_every_scale(name):
    luma = pixels(name) @ np.float32([0.299, 0.587, 0.114])
    dark, light = np.percentile(luma, (1, 99))
    assert light - dark > 0.5
    for cell in (1, 4, 16, 64):
        h, w = (side // cell * cell for side in luma.shape)
        coarse = luma[:h, :w].reshape(h // cell, cell, w // cell, cell).mean((1, 3))
        assert np.abs(np.diff(coarse, axis=1)).mean() > 0.02, f"flat at {cell} px"


def test_no_two_share_their_colour_statistics():
    def signature(name: str) -> np.ndarray:
        flat = pixels(name).reshape(-1, 3)
        return np.concatenate([flat.mean(0), np.cov(flat.T)[np.triu_indices(3)] * 4])

    signatures = {name: signature(name) for name in NAMES}
    for one, other in combinations(NAMES, 2):
        assert np.linalg.norm(signatures[one] - signatures[other]) > 0.08, (one, other)


def test_rows_are_unique_and_described():
    assert len(set(NAMES)) == len(STYLES) >= 4
    assert all(style.title and style.description for style in STYLES)


@pytest.mark.parametrize("style", STYLES, ids=NAMES)
def test_find_gives_a_names_file(style):
    assert find(style.name) == style.path
    assert style.path.is_file()


def test_find_takes_a_path_that_exists(tmp_path, monkeypatch):
    picture = tmp_path / "mine.png"
    picture.touch()
    assert find(str(picture)) == picture
    monkeypatch.chdir(tmp_path)
    assert find("mine.png") == Path("mine.png")
    (tmp_path / "plain").touch()
    assert find("plain") == Path("plain")


def test_a_name_wins_over_a_file_of_that_name_but_not_over_a_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    mine = tmp_path / "charcoal"
    mine.touch()
    assert find("charcoal") != Path("charcoal")
    assert find(str(mine)) == mine


@pytest.mark.parametrize("wrong", ["night-swirl", "Charcaol", "nothing-like-it", "no/such.jpg", ""])
def test_find_says_what_is_allowed(wrong):
    with pytest.raises(ConfigError) as caught:
        find(wrong)
    assert isinstance(caught.value, ImpastoError)
    assert repr(wrong) in caught.value.given
    assert all(name in caught.value.allowed for name in NAMES)
    assert caught.value.hint


def test_find_names_the_nearest():
    with pytest.raises(ConfigError, match=r"did you mean night-swirls\?"):
        find("nightswirl")


def test_find_names_the_nearest_file_where_a_path_is_mistyped(tmp_path):
    (tmp_path / "sunflowers.jpg").touch()
    with pytest.raises(ConfigError, match=r"did you mean .*sunflowers\.jpg'\?"):
        find(str(tmp_path / "sunflower.jpg"))


def test_find_leaves_broken_links_and_odd_paths_to_the_reader_of_pictures(tmp_path):
    for name, target in (("broken", "nowhere.jpg"), ("loop", "loop")):
        (tmp_path / name).symlink_to(tmp_path / target)
        assert find(str(tmp_path / name)) == tmp_path / name
    assert find(str(tmp_path / ("x" * 300)))
    with pytest.raises(ConfigError):
        find(str(tmp_path / "null\0"))


def test_contact_sheet_shows_every_style_and_its_name():
    sheet = np.asarray(contact_sheet(), np.float32)
    ground = sheet[0, 0]
    cell = PICTURE_PX + MARGIN_PX
    for index in range(len(STYLES)):
        row, column = divmod(index, COLUMNS)
        x, y = MARGIN_PX + column * cell, MARGIN_PX + row * (cell + CAPTION_PX)
        picture = sheet[y : y + PICTURE_PX, x : x + PICTURE_PX]
        caption = sheet[y + PICTURE_PX : y + PICTURE_PX + CAPTION_PX, x : x + PICTURE_PX]
        assert np.abs(picture - ground).max(-1).mean() > 20
        assert (np.abs(caption - ground).max(-1) > 100).sum() > 100
    assert np.abs(sheet[:, : MARGIN_PX - 1] - ground).max() == 0


def test_the_tool_paints_just_these_styles(painter):
    assert list(painter.STYLES) == NAMES


@pytest.mark.parametrize("name", ["woodblock-waves", "pointillist-garden"])
def test_painting_is_deterministic(painter, name):
    once, again = (painter.encode(painter.paint(name, 160)) for _ in range(2))
    assert once == again


def test_the_tool_refuses_an_unknown_name(painter, tmp_path, capsys):
    with pytest.raises(SystemExit):
        painter.main(["fresco", "-o", str(tmp_path)])
    assert "fresco" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())

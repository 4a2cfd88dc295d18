"""Sweeps through the real command line: every combination, one sheet, a table, and going on."""

from __future__ import annotations

import csv
from pathlib import Path

import PIL.Image
import pytest
from skimage import data

from impasto import pictures
from impasto.cli import main
from impasto.errors import ConfigError, DivergenceError
from impasto.job.job import Job
from impasto.parsing import parse_setting
from impasto.pictures.sheet import CAPTION_PX, MARGIN_PX, PICTURE_PX
from impasto.sweep import slug

QUICK = ["--set", "size=64", "--set", "iterations=3", "--set", "backbone=vgg16"]


def sweep(capsys, *words, status=0):
    with pytest.raises(SystemExit) as exit_:
        main(["sweep", "photo.png", "charcoal", "-o", "sweep.png", *QUICK, *map(str, words)])
    out = capsys.readouterr()
    assert (exit_.value.code or 0) == status, out
    return out


def rows():
    with Path("sweep.csv").open() as file:
        return list(csv.DictReader(file))


def grid(columns, lines):
    """A sheet's size, of pictures of 64 x 43 px."""
    width, height = PICTURE_PX + MARGIN_PX, round(PICTURE_PX * 43 / 64) + CAPTION_PX + MARGIN_PX
    return columns * width + MARGIN_PX, lines * height + MARGIN_PX


ONE = ("--vary", "strength=0.2,0.8")
TWO = ("--vary", "strength=0.2,0.8", "--vary", "style-scale=0.5,2")


def test_two_options_make_a_grid_a_table_and_pictures_with_their_recipes(folder, capsys):
    out = sweep(capsys, *TWO)
    assert "4 pictures" in out.out
    assert "4/4  strength 0.8, style-scale 2: done" in out.err
    assert PIL.Image.open("sweep.png").size == grid(2, 2)
    found = rows()
    assert [(row["strength"], row["style_scale"]) for row in found] == [
        (strength, scale) for strength in ("0.2", "0.8") for scale in ("0.5", "2")
    ]
    for row in found:
        recipe = pictures.read_recipe(Path("sweep-pictures") / row["picture"])
        assert recipe["settings"]["strength"] == float(row["strength"])
        assert recipe["settings"]["style_scale"] == float(row["style_scale"])
        assert float(row["loss total"]) == pytest.approx(recipe["losses"]["total"], rel=1e-5)
        assert float(row["seconds"]) > 0
        assert 0 < float(row["lpips"]) < 1
    faint, _, strong, _ = found
    assert float(faint["lost"]) < float(strong["lost"])


def test_what_is_there_is_not_made_again_and_what_is_other_is(folder, capsys, monkeypatch):
    sweep(capsys, *ONE)
    table = Path("sweep.csv").read_text()
    Path("sweep-pictures/strength-0.2.png").unlink()
    made, run = [], Job.run

    def record(job, *words, **more):
        made.append(job.config)
        return run(job, *words, **more)

    monkeypatch.setattr(Job, "run", record)
    sweep(capsys, *ONE)
    assert [config.strength for config in made] == [0.2]
    again = Path("sweep.csv").read_text()
    assert [line.split(",")[:4] for line in again.splitlines()] == [
        line.split(",")[:4] for line in table.splitlines()
    ]
    assert all(row["seconds"] for row in rows())
    assert PIL.Image.open("sweep.png").size == grid(2, 1)
    made.clear()
    sweep(capsys, *ONE, "--set", "seed=1")
    assert len(made) == 2


def test_ctrl_c_keeps_what_there_is_and_the_same_command_goes_on(folder, capsys, monkeypatch):
    run, made = Job.run, []

    def ctrl_c(step):
        raise KeyboardInterrupt

    def interrupted(job, on_step, *words, **more):
        made.append(job)
        return run(job, on_step if len(made) == 1 else ctrl_c, *words, **more)

    monkeypatch.setattr(Job, "run", interrupted)
    sweep(capsys, "--vary", "strength=0.2,0.8", status=130)
    assert len(rows()) == 1
    assert PIL.Image.open("sweep.png").size == grid(1, 1)
    monkeypatch.setattr(Job, "run", run)
    sweep(capsys, *ONE)
    assert [row["status"] for row in rows()] == ["done"] * 2
    assert PIL.Image.open("sweep.png").size == grid(2, 1)


def test_one_that_diverges_is_shown_as_such_and_the_others_are_made(folder, capsys, monkeypatch):
    run = Job.run

    def diverging(job, *words, **more):
        if job.config.strength == 0.5:
            raise DivergenceError("the loss is nan at the first picture")
        return run(job, *words, **more)

    monkeypatch.setattr(Job, "run", diverging)
    out = sweep(capsys, "--vary", "strength=0.2,0.5,0.8")
    assert "1 of them failed" in out.out
    assert "strength 0.5: diverged: the loss is nan" in out.err
    failed = rows()[1]
    assert (failed["picture"], failed["lpips"]) == ("", "")
    assert failed["status"].startswith("diverged")
    assert PIL.Image.open("sweep.png").size == grid(3, 1)


def test_a_step_that_explodes_is_told(folder, capsys):
    words = ("--set", "optimizer=gd", "--vary", "learning-rate=0.1,1000", "--set", "pyramid=no")
    sweep(capsys, *words)
    calm, wild = rows()
    assert calm["status"] == "done"
    assert wild["status"].startswith("stepped back")


def test_values_with_commas_of_their_own_are_parted_by_semicolons(folder, capsys):
    sweep(capsys, "--vary", "style-layers=relu1_1;relu1_1=1,relu3_1=0.5")
    layers = [
        pictures.read_recipe(Path("sweep-pictures") / row["picture"])["settings"]["style_layers"]
        for row in rows()
    ]
    assert layers == [[["relu1_1", 1]], [["relu1_1", 1], ["relu3_1", 0.5]]]


def test_presets_can_be_compared(folder, capsys):
    sweep(capsys, "--vary", "preset=default,paper")
    assert [row["preset"] for row in rows()] == ["default", "paper"]
    recipe = pictures.read_recipe("sweep-pictures/preset-paper.png")
    assert recipe["settings"]["distance"] == "gram"


def test_a_table_that_cannot_be_written_is_one_line_and_the_picture_is_kept(folder, capsys):
    Path("sweep.csv").mkdir()
    out = sweep(capsys, *ONE, status=2)
    assert "the table cannot be written" in out.err
    assert Path("sweep-pictures/strength-0.2.png").is_file()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--vary", "strenght=1,2"), "strength"),
        (("--vary", "strength"), "an option and values such as"),
        (("--vary", "strength=0.5,,1"), "an option and values such as"),
        (("--vary", "strength=0.5,7"), "a number from 0 to 1"),
        (("--vary", "strength=0.5,0.5"), "each value once"),
        (("--vary", "seed=1", "--vary", "size=64", "--vary", "strength=1"), "one option, or two"),
        (("--vary", "seed=" + ",".join(map(str, range(401)))), "at most 400"),
        (("--vary", "seed=1", "-o", "photo.png"), "photo.png"),
        (("--vary", "seed=1", "--set", "pyramid=maybe"), "true or false"),
        (("--vary", "start=content,typo.png"), "typo.png"),
        (("--vary", "size=64,16", "--set", "pyramid=no"), "16 x 11 px"),
        (("--vary", "style-layers=relu1_1;relu1_1,relu5_4"), "relu5_4"),
    ],
)
def test_bad_input_is_one_line_and_makes_nothing(folder, capsys, words, told):
    out = sweep(capsys, *words, status=2)
    assert told in out.err
    assert out.err.count("\n") == 1
    assert not list(Path().rglob("*.csv"))
    assert [path.name for path in Path().rglob("*.png")] == ["photo.png"]


def test_no_picture_of_a_sweep_overwrites_its_photograph(folder, capsys):
    Path("sweep-pictures").mkdir()
    Path("photo.png").rename("sweep-pictures/strength-0.8.png")
    photo = Path("sweep-pictures/strength-0.8.png")
    before = photo.read_bytes()
    with pytest.raises(SystemExit) as exit_:
        main(["sweep", str(photo), "charcoal", "-o", "sweep.png", *QUICK, *ONE])
    assert exit_.value.code == 2
    assert photo.read_bytes() == before


def test_without_a_name_it_is_named_after_both_pictures(folder, capsys):
    with pytest.raises(SystemExit):
        main(["sweep", "photo.png", "charcoal", *QUICK, "--vary", "seed=1", "-q"])
    out = capsys.readouterr()
    assert (out.out, out.err) == ("", "")
    assert Path("photo-charcoal-sweep.png").is_file()
    assert Path("photo-charcoal-sweep-pictures/seed-1.png").is_file()


def test_a_narrow_painting_is_still_seen(folder, capsys):
    PIL.Image.fromarray(data.chelsea()).resize((400, 20)).save("narrow.png")
    words = ["--vary", "seed=1", "--set", "iterations=8", "-q", "-o", "sweep.png"]
    with pytest.raises(SystemExit) as exit_:
        main(["sweep", "photo.png", "narrow.png", *QUICK, *words])
    assert exit_.value.code in (0, None), capsys.readouterr().err
    picture = pictures.load(Path("sweep-pictures") / rows()[0]["picture"]).pixels
    photo, cat = (pictures.load(name).pixels for name in ("photo.png", "narrow.png"))
    away, before = (
        float((each.mean((2, 3)) - cat.mean((2, 3))).norm())
        for each in (picture, pictures.resize(photo, picture.shape[2:]))
    )
    assert picture.shape[2:] == (43, 64)
    assert away < 0.5 * before  # its colours have come
    assert 0 < float(rows()[0]["style_left"]) < 0.7  # and what no layer in use looked at


def test_a_setting_is_read_as_the_command_line_reads_it():
    assert parse_setting("--style-scale=2") == ("style_scale", 2)
    assert parse_setting("pyramid=no") == ("pyramid", False)
    assert parse_setting("size=original") == ("size", "original")
    with pytest.raises(ConfigError, match="NAME=VALUE"):
        parse_setting("size")


def test_a_name_of_a_file_has_nothing_that_a_file_system_minds():
    assert slug({"style_layers": "relu1_1=1,relu3_1", "start": "a/b c.png"}) == (
        "style-layers-relu1_1=1_relu3_1+start-a_b_c.png"
    )

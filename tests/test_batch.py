"""Batches through the real command line: the bytes of `impasto stylize`, whatever happens."""

from __future__ import annotations

import csv
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from io import StringIO
from pathlib import Path
from types import SimpleNamespace

import PIL.Image
import psutil
import pytest
import torch
from rich.console import Console
from skimage import data

from conftest import impasto, signals_as_before
from impasto import pictures
from impasto.batch import batch as whole
from impasto.batch import listing, local, orders, record, rehearsal, slots, there
from impasto.batch.crew import Event
from impasto.cli import main
from impasto.cli.batch import Teller
from impasto.config import configure
from impasto.errors import PictureError, QueueError
from impasto.job import checkpoint, threads
from impasto.job.order import Order
from impasto.pictures.sheet import CAPTION_PX, MARGIN_PX, Print
from impasto.pictures.sheet import sheet as sheet_of
from impasto.queue import picture, reporter, worker
from impasto.queue.picture import Watch
from impasto.queue.reporter import Leaving
from impasto.queue.store import Queue
from impasto.queue.task import State

SHALLOW = ("--content-layers", "relu2_1", "--style-layers", "relu1_1,relu2_1")
QUICK = ("--size", "64", "--backbone", "vgg16", *SHALLOW, "--iterations", "3")
STYLES = ("charcoal", "night-swirls")
PHOTOS = {"cat": data.chelsea, "cup": data.coffee}
PATIENCE_S = 120.0


class Here:
    """A pool whose one worker is a thread of this process."""

    places = ()

    def __init__(self, folder, workers, kinds, limits):
        self.queue, self.workers, self.leaving = Queue(folder, limits), workers, threading.Event()

    def __enter__(self):
        words = (self.queue.folder, {**worker.KINDS, **slots.KINDS}, self.leaving)
        self.thread = threading.Thread(target=worker.serve, args=words, daemon=True)
        Here.now = self
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.leaving.set()
        self.thread.join()


def hasten(patch):
    """No process but this one, and no waiting."""
    patch.setattr(local, "Pool", Here)
    patch.setattr(local.At, "_check_workers", lambda *_, **__: None)
    patch.setattr(local, "POLL_S", 0.005)
    patch.setattr(worker, "POLL_S", 0.005)
    patch.setattr(reporter, "INTERVAL_S", 0.0)


def photographs(folder):
    folder.mkdir(parents=True)
    for name, made_up in PHOTOS.items():
        PIL.Image.fromarray(made_up()).resize((96, 64)).save(folder / f"{name}.png")


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """A folder with photographs, and what `impasto stylize` makes of each after each painting."""
    folder = tmp_path_factory.mktemp("alone")
    with pytest.MonkeyPatch.context() as patch, signals_as_before():
        patch.chdir(folder)
        patch.setenv("IMPASTO_CACHE", str(folder / "cache"))
        photographs(folder / "photos")
        for name in PHOTOS:
            for style in STYLES:
                words = (f"photos/{name}.png", style, "-o", f"{name}-{style}.png", "-q")
                with pytest.raises(SystemExit) as ended:
                    main(["stylize", *words, *QUICK, "--threads", "1"])
                assert not ended.value.code
    return folder


@pytest.fixture
def folder(tmp_path, monkeypatch, alone):
    """A working directory with those photographs in it, where batches work in this process."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("IMPASTO_CACHE", str(alone / "cache"))
    shutil.copytree(alone / "photos", "photos")
    hasten(monkeypatch)
    return tmp_path


def batch(capsys, *words, status=0, threads=("--threads", "1")):
    return impasto(capsys, "batch", "-o", "out", *QUICK, *threads, *words, status=status)


BOTH = ("photos", "--style", STYLES[0], "--style", STYLES[1])
ONE = ("photos/cup.png", "--style", "charcoal")


def rows(path="out/batch.csv"):
    with Path(path).open(newline="") as file:
        return list(csv.DictReader(file))


def results(place="out"):
    """The bytes of all results, by name."""
    return {path.name: path.read_bytes() for path in Path(place).glob("*-*.png")}


def made(monkeypatch):
    """A list of the iterations that are made from here on, of each picture one after the other."""
    seen, count = [], Watch.count
    monkeypatch.setattr(
        Watch, "count", lambda watch, step: (seen.append(step.iteration), count(watch, step))
    )
    return seen


# What comes of it.


def test_every_photograph_after_every_painting_has_the_bytes_of_stylize(folder, alone, capsys):
    out = batch(capsys, *BOTH)
    assert results() == results(alone)
    assert len(results()) == 4
    assert out.out.startswith("4 pictures in out; out/batch.csv, out/batch.jpg\n")
    lines = [line for line in out.err.splitlines() if ": done, " in line]
    assert [line.split()[0] for line in lines] == [f"{n}/4" for n in range(1, 5)]
    found = rows()
    assert [(row["photograph"], row["painting"]) for row in found] == [
        (f"photos/{name}.png", style) for name in sorted(PHOTOS) for style in STYLES
    ]
    for row in found:
        recipe = pictures.read_recipe(Path("out") / row["picture"])
        assert (row["state"], row["iterations"], row["error"]) == ("done", "3", "")
        assert float(row["loss"]) == pytest.approx(recipe["losses"]["total"], rel=1e-5)
        assert float(row["seconds"]) > 0
    with PIL.Image.open("out/batch.jpg") as sheet:
        assert sheet.width == 2 * 360 + 3 * 28
    names = {"batch.csv", "batch.jpg"}
    assert {path.name for path in Path("out").iterdir()} == {*results(), *names}


def test_what_is_there_is_not_made_again_and_keeps_its_line(folder, alone, capsys, monkeypatch):
    batch(capsys, *BOTH)
    before, seen = rows(), made(monkeypatch)
    out = batch(capsys, *BOTH)
    assert (rows(), seen) == (before, [])
    assert "4 pictures in out, 4 there before" in out.out
    Path("out/cup-charcoal.png").unlink()
    batch(capsys, *BOTH)
    assert seen == [1, 2, 3]
    assert results() == results(alone)


def test_threads_that_nobody_asked_for_and_versions_make_no_other_picture(
    folder, capsys, monkeypatch
):
    batch(capsys, *ONE)
    monkeypatch.setattr("impasto.job.job.version", lambda name: "9.9")
    monkeypatch.setattr(threads, "default", lambda: 2)
    out = batch(capsys, *ONE, threads=())
    assert "1 there before" in out.out
    out = batch(capsys, *ONE, status=2, threads=("--threads", "2"))
    assert "another picture: threads was 1, here it is 2; add --overwrite, or" in out.err


def test_what_was_made_from_others_is_an_error_before_any_work_or_is_made_anew(
    folder, alone, capsys, monkeypatch
):
    batch(capsys, *BOTH)
    kept, seen = results(), made(monkeypatch)
    out = batch(capsys, *BOTH, "--strength", "0.7", status=2)
    assert "settings strength was 0.5, here it is 0.7, and 3 more; add --overwrite" in out.err
    shutil.copy("photos/cat.png", "photos/cup.png")
    out = batch(capsys, *ONE, status=2)
    assert "inputs photograph sha256 was" in out.err
    assert (results(), seen) == (kept, [])
    batch(capsys, *BOTH, "--overwrite")
    assert seen == [1, 2, 3] * 2  # of the one that is another photograph now, and no other
    shutil.copy(alone / "photos/cup.png", "photos/cup.png")
    batch(capsys, *BOTH, "--overwrite")
    assert results() == results(alone)


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("--bits", "16"), "its bits a channel were 8, here they are 16"),
        (("--iterations", "4"), "settings iterations was 3, here it is 4"),
        (("--style", "ink.png"), "two results"),
    ],
)
def test_every_difference_counts(folder, capsys, words, why):
    batch(capsys, *ONE)
    shutil.copy("photos/cat.png", "ink.png")
    if "--style" in words:
        Path("out/cup-ink.png").symlink_to("cup-charcoal.png")
    assert why in batch(capsys, *ONE, *words, status=2).err


def test_a_half_made_picture_a_foreign_one_and_a_folder_are_in_the_way(folder, capsys):
    Path("out").mkdir()
    target = Path("out/cup-charcoal.png")
    shutil.copy("photos/cup.png", target)
    assert "it has no recipe that tells" in batch(capsys, *ONE, status=2).err
    target.unlink()
    target.mkdir()
    assert "is a folder" in batch(capsys, *ONE, "--overwrite", status=2).err


def test_the_recipe_that_is_expected_is_that_of_the_job(folder, capsys):
    """For every kind of input, though no picture is decoded to know it."""
    Path("manners").mkdir()
    for name in ("cat", "cup"):
        shutil.copy(f"photos/{name}.png", "manners")
    mask = PIL.Image.new("RGB", (96, 64), "black")
    mask.paste("white", (0, 0, 48, 64))
    mask.save("mask.png")
    PIL.Image.new("RGB", (96, 64), "white").save("all.png")
    base = {"photo": Path("photos/cup.png"), "target": Path("out.png")}
    quick = {"size": 64, "backbone": "vgg16", "iterations": 2, "threads": 1}
    shallow = {"content_layers": (("relu2_1", 1.0),), "style_layers": (("relu1_1", 1.0),)}
    plain, start = configure(**quick, **shallow), {"start": "photos/cat.png"}
    for order in (
        Order(paintings=("charcoal", "manners"), config=plain, **base),
        Order(paintings=("./photos/cat.png",), config=replace(plain, **start), **base),
        Order(paintings=("charcoal",), config=plain, mask=Path("mask.png"),
              regions={"black": "photo"}, **base),
        Order(paintings=("photos/cat.png",), config=plain, mask=Path("mask.png"),
              style_masks=(Path("mask.png"),), **base),
    ):  # fmt: skip
        job = order.checked()
        result = job.run()
        result.save(order.target)
        recipe = there.recipe_at(order.target)
        assert recipe.difference(there.wanted(order, recipe), versions=False) == ""
        if not order.regions:
            assert there.inputs_of(order) == job.recipe.inputs
        assert there.difference(order) == ""


def test_without_recipes_what_is_there_is_known_too(folder, capsys, monkeypatch):
    batch(capsys, *BOTH, "--no-recipe")
    seen = made(monkeypatch)
    batch(capsys, *BOTH, "--no-recipe")
    assert seen == []
    out = batch(capsys, *BOTH, "--no-recipe", "--strength", "0.6", status=2)
    assert "it has no recipe" in out.err
    impasto(capsys, "stylize", *ONE[:1], "charcoal", "-o", "one.png", "-q", "--no-recipe", *QUICK,
            "--threads", "1")  # fmt: skip
    assert Path("one.png").read_bytes() == results()["cup-charcoal.png"]


def test_snapshots_and_films_come_beside_each_result(folder, capsys):
    words = ("--snapshots", "1,last", "--timeline", "gif")
    batch(capsys, *ONE, *words)
    impasto(capsys, "stylize", "photos/cup.png", "charcoal", "-o", "cup.png", *QUICK, "--snapshots",
            "1,last", "--timeline", "cup.gif", "-q", "--threads", "1")  # fmt: skip
    for here, alone in (
        ("cup-charcoal.png", "cup.png"),
        ("cup-charcoal-film.gif", "cup.gif"),
        ("cup-charcoal.png-snapshots/iteration-0001.png", "cup.png-snapshots/iteration-0001.png"),
        ("cup-charcoal.png-snapshots/iteration-0003.png", "cup.png-snapshots/iteration-0003.png"),
    ):
        assert Path("out", here).read_bytes() == Path(alone).read_bytes(), here


# What goes wrong.


def test_a_picture_that_fails_ends_no_other_and_is_listed(folder, alone, capsys):
    Path("photos/broken.png").write_bytes(b"no picture at all")
    PIL.Image.new("RGB", (400, 5)).save("photos/flat.png")
    out = batch(capsys, *BOTH, status=1)
    assert results() == results(alone)
    assert "4 failed:" in out.err
    listed = out.err[out.err.index("4 failed:") :].splitlines()[1:]
    assert [line.split(":")[0] for line in listed] == [
        f"  {name}-{style}.png" for name in ("broken", "flat") for style in STYLES
    ]
    assert "broken.png' is not a picture" in listed[0]
    assert {row["state"] for row in rows()} == {"done", "failed"}
    assert [row["error"] != "" for row in rows()] == [row["state"] == "failed" for row in rows()]
    assert not Path("out", whole.QUEUE).exists()
    out = batch(capsys, "-q", *BOTH, status=1)
    assert (out.out, out.err.splitlines()) == ("", ["4 failed:", *listed])
    for name in ("broken", "flat"):
        shutil.copy("photos/cup.png", f"photos/{name}.png")
    assert "8 pictures" in batch(capsys, *BOTH).out


def test_a_result_that_cannot_be_put_into_its_place_is_kept(folder, alone, capsys, monkeypatch):
    replace = Path.replace

    def refuse(path, other):
        if Path(other).parent.name == "out" and Path(other).suffix == ".png":
            raise PermissionError(13, "Permission denied")
        return replace(path, other)

    monkeypatch.setattr(Path, "replace", refuse)
    out = batch(capsys, *ONE, status=1)
    assert "out/cup-charcoal.png: it cannot be put there: Permission denied" in out.err
    monkeypatch.setattr(Path, "replace", replace)
    (entry,) = Queue(Path("out", whole.QUEUE)).entries()
    assert entry.result_path.exists()
    batch(capsys, *ONE)
    assert results() == {"cup-charcoal.png": (alone / "cup-charcoal.png").read_bytes()}
    assert not Path("out", whole.QUEUE).exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "no photograph; PHOTOS..., or --pairs with a table"),
        (("photos",), "no painting; --style with a file"),
        (("photo", "--style", "charcoal"), "'photo' does not exist; did you mean 'photos'?"),
        (("*.jpg", "--style", "charcoal"), "photographs '*.jpg': no picture matches"),
        (("empty", "--style", "charcoal"), "'empty': there is no picture in it; name those within"),
        (("phot*/*.png", "--style", "charcoal", "-o", "photos"), "another folder for the results"),
        (("out", "--style", "charcoal"), "'out' is where the results are to be"),
        (("photos", "--style", "charcol"), "did you mean charcoal?"),
        ((*ONE, "--strength", "2"), "--strength 2; a number from 0"),
        ((*ONE, "--workers", "0"), "--workers 0; a whole number from 1"),
        ((*ONE, "--style-layers", "relu9_1"), "layer 'relu9_1'"),
        ((*ONE, "--format", "gif"), "'out/cup-charcoal.gif' has the ending '.gif'"),
        ((*ONE, "--timeline", "avi"), "has the ending '.avi'; allowed"),
        ((*ONE, "--mask", "photos/cup.png"), "a mask alone"),
        ((*ONE, "--style", "photos", "-o", "photos"), "among the paintings of 'photos'"),
        ((*ONE, "--pairs", "table.csv"), "photographs, and a table of them too"),
        (("--pairs", "table.csv"), "table 'table.csv': No such file"),
    ],
)
def test_what_can_be_found_wrong_is_found_before_any_work(folder, capsys, words, message):
    Path("empty").mkdir()
    Path("out").mkdir()
    out = batch(capsys, *words, status=2)
    assert message in out.err
    assert out.err.count("\n") == 1
    assert list(Path("out").iterdir()) == []


def test_no_photograph_is_overwritten(folder, capsys):
    shutil.copytree("photos", "out")
    Path("out/cup.png").rename("out/cup-charcoal.png")
    Path("photos/cup.png").unlink()
    Path("photos/cup.png").symlink_to("../out/cup-charcoal.png")
    out = batch(capsys, *ONE, "--overwrite", status=2)
    assert "'out/cup-charcoal.png' would overwrite the input 'photos/cup.png'" in out.err


def test_a_folder_belongs_to_one_batch(folder, capsys):
    Path("out").mkdir()
    held = "import sys; from impasto.files import locked; from pathlib import Path\n"
    held += "with locked(Path('out/.impasto-batch.lock')): print(flush=True); sys.stdin.read()"
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", held], **pipes) as other:
        other.stdout.readline()
        assert "out: another batch is at work in this" in batch(capsys, *ONE, status=2).err
        other.stdin.close()
    batch(capsys, *ONE)


# Names.


def test_patterns_and_folders_take_pictures_and_never_results(folder, capsys, monkeypatch):
    Path("photos/deep/er").mkdir(parents=True)
    shutil.move("photos/cat.png", "photos/deep/er/cat.png")
    Path("photos/deep/notes.txt").write_text("no picture")
    Path("photos/.hidden.png").write_bytes(b"")
    words = ("**/*", "photos/cup.png", "photos", "--style", "charcoal")
    batch(capsys, *words)
    assert set(results()) == {f"{name}-charcoal.png" for name in PHOTOS}
    seen = made(monkeypatch)
    batch(capsys, *words)
    assert seen == []


def test_results_of_one_name_are_told_apart(folder, capsys):
    for place in ("a", "b"):
        shutil.copytree("photos", f"{place}/x")
    shutil.copy("photos/cup.png", "a/x/cat.webp")
    shutil.copy("photos/cup.png", "a/x/CAT.jpg")
    Path("monet.png").write_bytes(Path("photos/cat.png").read_bytes())
    shutil.copytree("photos", "b/y")
    shutil.copy("monet.png", "b/y/monet.png")
    words = ("a/x/cat.png", "a/x/cat.webp", "a/x/CAT.jpg", "b/y/cup.png", "a/x/cup.png",
             "b/y/cat.png", "--style", "monet.png", "--style", "b/y/monet.png")  # fmt: skip
    batch(capsys, *words, "--iterations", "1")
    here = folder.name
    assert len(results()) == 12
    assert f"y-cat.png-{here}-monet.png.png" in results()
    assert "x-cat.webp-y-monet.png.png" in results()
    assert "x-CAT.jpg-y-monet.png.png" in results()


def test_hostile_names(folder, capsys):
    words = ("[red]x[end]", "a\nb", "-q", "日本 é", "x" * 240, "'\";$(x)", "*", "=1+1")
    names = [*(f"{word}.png" for word in words), os.fsdecode(b"not-\xff-utf8.png")]
    Path("odd").mkdir()
    for name in names:
        shutil.copy("photos/cup.png", Path("odd") / name)
    batch(capsys, "odd", "odd/*.png", "--style", "charcoal", "--iterations", "1")
    assert len(results()) == len(names)
    assert "*-charcoal.png" in results()
    assert len(rows()) == len(names)
    assert {row["state"] for row in rows()} == {"done"}
    seen = batch(capsys, "odd", "--style", "charcoal", "--iterations", "1")
    assert f"{len(names)} there before" in seen.out


# Tables.


def table(text, name="table.csv", encoding="utf-8"):
    Path(name).write_bytes(text.encode(encoding))
    return "--pairs", name


def test_a_table_has_pairs_and_settings(folder, alone, capsys):
    Path("look.toml").write_text('strength = 0.9\npainting = "charcoal"\n')
    words = table(
        "Photograph;painting;strength;Style-Scale;picture\r\n"
        "photos/cup.png;;0.5;;\r\n\r\n"
        "photos/cup.png;charcoal;;;\r\n"
        "photos/cat.png;night-swirls;0.5;1;my cat.jpg\r\n"
        "photos/cat.png;night-swirls;0.5;2\r\n",
        encoding="utf-8-sig",
    )
    batch(capsys, *words, "--config", "look.toml")
    found = rows()
    assert [row["picture"] for row in found] == [
        "cup-charcoal+strength-0.5.png", "cup-charcoal.png", "my cat.jpg", "cat-night-swirls.png",
    ]  # fmt: skip
    first = results()["cup-charcoal+strength-0.5.png"]
    assert first == (alone / "cup-charcoal.png").read_bytes()
    strengths = [pictures.read_recipe(Path("out") / row["picture"])["settings"]["strength"]
                 for row in found]  # fmt: skip
    assert strengths == [0.5, 0.9, 0.5, 0.5]
    assert [row["strength"] for row in found] == ["0.5", "", "0.5", "0.5"]
    assert [row["style_scale"] for row in found] == ["", "", "1", "2"]


def test_a_table_beside_its_pictures_and_one_that_fails_in_its_turn(folder, capsys):
    words = table("photograph,painting\ncup.png,cat.png\ngone.png,cat.png\ncup.png,gone\n",
                  "photos/table.csv")  # fmt: skip
    out = batch(capsys, *words, status=1)
    assert set(results()) == {"cup-cat.png"}
    assert "gone-cat.png: photograph '" in out.err
    assert "/gone': there is no such file and no built-in style" in out.err


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "there is no row in it"),
        ("photograph\n", "there is no row in it"),
        (
            "photo\nx.png\n",
            "column 'photo'; photograph, painting, picture, mask, or a setting; did",
        ),
        ("photograph,photograph\n", "column 'photograph' twice"),
        ("painting\ncharcoal\n", "no column 'photograph'"),
        ("photograph,strength\na.png,7\n", "line 2: --strength 7; a number from 0 to 1"),
        ("photograph,size\na.png,big\n", "line 2: --size 'big'"),
        ("photograph,size\na.png,64\n,64\n", "line 3: no photograph"),
        ("photograph\na.png,b,c\n", "line 2: 3 cells; 1, as many as"),
        ('photograph\n"a.png\n', "line"),
        ("photograph,picture\na.png,../x.png\n", "'../x.png'; a file's name, without folders"),
        (
            "photograph,picture\na.png,Batch.csv\nb.png,batch.CSV\n",
            "'batch.CSV.png' would be the r",
        ),
        ("photograph,picture\na.png,batch-2.jpg\n", "which a batch writes itself; another name"),
        ("photograph,picture\na.png,x\nb.png,X.png\n", "would be the result of 'a.png' and of"),
    ],
)
def test_a_table_that_is_none_is_an_error_before_any_work(folder, capsys, text, message):
    out = batch(capsys, *table(text), "--style", "charcoal", status=2)
    assert message in out.err
    assert out.err.count("\n") == 1


def test_a_table_in_another_encoding_and_one_that_is_a_result(folder, capsys):
    out = batch(capsys, *table("photograph\nx.png\n", encoding="utf-16"), status=2)
    assert "table 'table.csv' is not in UTF-8" in out.err
    Path("out").mkdir()
    words = table("photograph\nphotos/cup.png\n", "out/batch.csv")
    out = batch(capsys, *words, "--style", "charcoal", status=2)
    assert "'out/batch.csv' would overwrite the input" in out.err


# Stopped and gone on with.


def at(patch, number, act):
    """Do something at an iteration, counted over all pictures, once."""
    count, left = Watch.count, [number]

    def counted(watch, step):
        count(watch, step)
        left[0] -= 1
        if not left[0]:
            act()

    patch.setattr(Watch, "count", counted)


def ctrl_c():
    """As a person does who then waits."""
    os.kill(os.getpid(), signal.SIGINT)
    end_s = time.monotonic() + PATIENCE_S
    while not Here.now.leaving.is_set():
        assert time.monotonic() < end_s
        time.sleep(0.001)


def test_ctrl_c_says_how_to_go_on_and_within_a_picture_it_does(folder, alone, capsys, monkeypatch):
    with pytest.MonkeyPatch.context() as patch:
        at(patch, 5, ctrl_c)
        out = batch(capsys, *BOTH, status=130)
    assert "Stopped: 1 of 4 pictures are there; the same command goes on, within" in out.err
    assert "Stopping: each picture at work is kept" in out.err
    assert [row["state"] for row in rows()] == ["done", *["waiting"] * 3]
    (entry,) = [e for e in Queue(Path("out", whole.QUEUE)).entries() if e.state().iteration]
    at_iteration = checkpoint.read(entry.checkpoint_dir).step.iteration
    assert at_iteration == 2
    seen = made(monkeypatch)
    batch(capsys, *BOTH)
    assert seen == [3, *[1, 2, 3] * 2]
    assert results() == results(alone)


def test_what_rests_of_another_batch_is_left_alone(folder, alone, capsys):
    with pytest.MonkeyPatch.context() as patch:
        at(patch, 2, ctrl_c)
        batch(capsys, *ONE, status=130)
    batch(capsys, "photos/cat.png", "--style", "charcoal")
    (entry,) = Queue(Path("out", whole.QUEUE)).entries()
    assert entry.state().status == "paused"
    batch(capsys, *ONE)
    assert results()["cup-charcoal.png"] == (alone / "cup-charcoal.png").read_bytes()
    assert not Path("out", whole.QUEUE).exists()


KILLS, MOST_EVENTS = 7, 50
SERVER = """
import json, os, signal, sys
sys.path.insert(0, {tests!r})
import impasto.api, pytest
import conftest, test_batch
from pathlib import Path
from impasto import files, pictures
from impasto.job import checkpoint
from impasto.queue import entry, picture
checkpoint.INTERVAL_S = 0.0  # one after every iteration
test_batch.hasten(pytest.MonkeyPatch())
conftest.embedded()
def kill_at_event(number):
    # The so-manieth thing of all that is done on disk or about it is the last.
    def counted(real):
        def call(*words, **more):
            nonlocal number
            number -= 1
            if not number:
                os.kill(os.getpid(), signal.SIGKILL)
            return real(*words, **more)
        return call
    for owner, name in (
        (files, 'sync'), (Path, 'replace'), (Path, 'mkdir'), (Path, 'rename'),
        (checkpoint.Checkpointer, '__call__'), (pictures, 'save'), (entry.Entry, 'delete'),
    ):
        setattr(owner, name, counted(getattr(owner, name)))
for line in sys.stdin:
    child = os.fork()
    if not child:
        number, words = json.loads(line)
        kill_at_event(number)
        impasto.cli.main([*words, '-q'])
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


def test_killed_at_any_moment_and_started_again_it_ends_in_the_same_bytes(folder, alone):
    moments, there_before = random.Random(0), 0
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    words = ["batch", *BOTH, "-o", "out", *QUICK]
    server = [sys.executable, "-c", SERVER.format(tests=str(Path(__file__).parent))]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(server, env=environment, **pipes) as process:

        def run(number):
            print(json.dumps([number, words]), file=process.stdin, flush=True)
            return int(process.stdout.readline())

        for _ in range(KILLS):
            assert run(moments.randint(1, MOST_EVENTS)) == -signal.SIGKILL
            now = results()
            assert now.items() <= results(alone).items()  # whole, whenever it was
            assert len(now) >= there_before
            there_before = len(now)
        assert run(-1) == 0
        process.stdin.close()
    assert results() == results(alone)
    assert {row["state"] for row in rows()} == {"done"}
    assert not Path("out", whole.QUEUE).exists()
    assert not list(Path("out").glob(".*.tmp")) or there_before < 4


def test_real_workers_one_computes_one_waits_and_their_parent_is_killed(
    alone, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("IMPASTO_CACHE", str(alone / "cache"))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    shutil.copytree(alone / "photos", "photos")
    command = [
        sys.executable,
        "-m",
        "impasto",
        "batch",
        *BOTH,
        "-o",
        "out",
        *QUICK,
        "--workers",
        "1",
    ]
    process = subprocess.Popen(command, stderr=subprocess.PIPE)
    end_s = time.monotonic() + PATIENCE_S
    while not results():
        assert time.monotonic() < end_s
        assert process.poll() is None
        time.sleep(0.01)
    workers = psutil.Process(process.pid).children()
    assert len(workers) == 2
    process.kill()
    process.wait()
    workers[0].kill()
    ended = subprocess.run([*command, "-q"], capture_output=True, check=False)
    assert (ended.returncode, ended.stderr) == (0, b"")
    assert results() == results(alone)
    assert not psutil.wait_procs(workers, timeout=PATIENCE_S)[1]


# How many at once.


class Deaf:
    """A reporter to whom nothing is wished."""

    def __init__(self):
        self.seconds = 0.0

    def rested(self, seconds):
        self.seconds += seconds

    def heed(self, stops=True):
        assert not stops


def test_no_more_compute_at_once_than_there_are_slots(tmp_path, monkeypatch):
    monkeypatch.setattr(slots, "POLL_S", 0.001)
    at_once, seen = [0], []

    def compute(_):
        with slots.in_slot(tmp_path, 2, Deaf()):
            at_once[0] += 1
            seen.append(at_once[0])
            time.sleep(0.01)
            at_once[0] -= 1

    threads = [threading.Thread(target=compute, args=(n,)) for n in range(6)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert len(seen) == 6
    assert max(seen) == 2


def test_who_waits_for_a_slot_hears_that_it_is_to_end(tmp_path):
    class Leaves(Deaf):
        def heed(self, stops=True):
            raise Leaving

    with slots.in_slot(tmp_path, 1, Deaf()), pytest.raises(Leaving):  # noqa: SIM117
        with slots.in_slot(tmp_path, 1, Leaves()):
            pass


def test_what_fails_ahead_of_its_slot_is_tried_again_in_it(folder, alone, capsys, monkeypatch):
    begun, left = picture.begun, [1]

    def crowded(*words):
        left[0] -= 1
        if left[0] >= 0:
            raise PictureError("no memory beside the other")
        return begun(*words)

    monkeypatch.setattr(picture, "begun", crowded)
    batch(capsys, *ONE)
    assert results() == {"cup-charcoal.png": (alone / "cup-charcoal.png").read_bytes()}


@pytest.mark.parametrize(
    ("workers", "threads_asked", "cores", "gigabytes", "several", "expected"),
    [
        (None, None, 8, 9, 50, (1, None, 1)),  # one, which has all cores
        (None, 1, 8, 99, 50, (8, None, 8)),  # the bytes are settled: as many as have cores
        (None, 3, 8, 99, 50, (2, None, 2)),
        (4, None, 8, 99, 50, (4, 2, 4)),
        (4, None, 8, 99, 3, (3, 2, 0)),  # no more than pictures; the share is that of four
        (4, None, 8, 2.2, 50, (2, 2, 0)),  # memory
        (4, None, 8, 2.8, 50, (2, 2, 1)),
        (1, None, 8, 0.5, 50, (1, None, 0)),  # one there is always
        (16, None, 8, 99, 50, (16, 1, 16)),
    ],
)
def test_how_many_processes_there_are(
    monkeypatch, workers, threads_asked, cores, gigabytes, several, expected
):
    monkeypatch.setattr(rehearsal, "room_bytes", lambda device: round(gigabytes * 1e9))
    monkeypatch.setattr(threads, "allowed", lambda: cores)
    monkeypatch.setattr(threads, "default", lambda: cores)
    job = SimpleNamespace(
        plan=SimpleNamespace(peak_bytes=10**9),
        device=torch.device("cpu"),
        config=configure(threads=threads_asked),
        threads=threads_asked or cores,
    )
    hands = rehearsal.hands(workers, job, several)
    assert (hands.slots.several, hands.slots.threads, hands.spares) == expected


def test_a_table_of_thousands_is_written_now_and_then(tmp_path, monkeypatch):
    row = listing.Row(Path("a.png"), ("charcoal",), configure())
    found = orders.pieces(
        [replace(row, name=f"{n}.png") for n in range(50)], orders.Common(tmp_path)
    )
    book, written, now_s = record.Record(found), [], [0.0]

    def write(path, data):
        written.append(data)
        now_s[0] += 1.0  # which it takes

    monkeypatch.setattr(record, "write_atomically", write)
    monkeypatch.setattr(record.time, "monotonic", lambda: now_s[0])
    for _ in range(500):
        book.write(at_once=False)
        now_s[0] += 1.0
    assert len(written) == 10
    book.write()
    assert len(written) == 11


def test_sheets_have_a_hundred_pictures_at_most(tmp_path):
    row = listing.Row(Path("a.png"), ("charcoal",), configure())
    several = [replace(row, name=f"{n}") for n in range(101)]
    found = orders.pieces(several, orders.Common(tmp_path))
    sheets = [path.name for path in record.Record(found).sheets()]
    assert sheets == ["batch-1.jpg", "batch-2.jpg"]


def test_measures_are_in_the_table_where_they_are_asked_for(folder, capsys):
    batch(capsys, *ONE, "--measures")
    (row,) = rows()
    assert 0 < float(row["lpips"]) < 1
    batch(capsys, *ONE)
    assert rows() == [row]


def test_a_bar_shows_names_as_they_are_and_the_time_left(tmp_path, monkeypatch):
    row = listing.Row(Path("[red]x.png"), ("charcoal",), configure())
    found = orders.pieces([row, replace(row, photo=Path("y.png"))], orders.Common(tmp_path))
    teller, now_s = Teller(found, [0, 1], quiet=False), [0.0]
    monkeypatch.setattr("impasto.job.session.time.monotonic", lambda: now_s[0])
    with teller:
        working = State("working", iteration=3, iterations=6, fraction=0.5)
        teller.hear(Event(0, working))
        for seconds, state in ((10.0, replace(working, fraction=0.75)), (20.0, State("done"))):
            now_s[0] = seconds
            teller.hear(Event(0, state))
        assert teller.count == "1/2"
        assert teller.pace.seconds_left == pytest.approx(40.0)
        console = Console(file=StringIO(), width=200)
        console.print(teller.progress.make_tasks_table(teller.progress.tasks))
        assert "[red]x-charcoal.png" in console.file.getvalue()


def test_results_of_every_format_and_depth_are_on_the_sheet(folder, capsys):
    for words in (("--format", "tif", "--bits", "16"), ("--format", "jpg"), ("--format", "webp")):
        batch(capsys, *ONE, *words)
        with PIL.Image.open("out/batch.jpg") as sheet:
            assert sheet.getpixel((sheet.width // 2, 100)) != (247, 245, 240)


def test_a_sheets_rows_are_as_high_as_their_pictures():
    prints = [Print(PIL.Image.new("RGB", size), "") for size in ((99, 33), (99, 33), (33, 99))]
    one, two = (sheet_of(prints, columns) for columns in (1, 2))
    assert one.height == 2 * 120 + 360 + 3 * CAPTION_PX + 4 * MARGIN_PX
    assert two.height == 120 + 360 + 2 * CAPTION_PX + 3 * MARGIN_PX


def test_workers_that_die_without_a_jobs_doing_end_the_batch():
    pool = SimpleNamespace(places=[SimpleNamespace(deaths=0)], queue=None, trouble="no memory")
    at_work = local.At(pool, [], {})
    for deaths in (1, 2, 3):
        pool.places[0].deaths = deaths
        at_work._check_workers(ended=False)
    at_work._check_workers(ended=True)  # it was a job's doing, which has failed now
    pool.places[0].deaths = 6
    at_work._check_workers(ended=False)
    pool.places[0].deaths = 7
    with pytest.raises(QueueError, match="no memory; free some"):
        at_work._check_workers(ended=False)

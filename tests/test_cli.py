"""User journeys through the real command line."""

from __future__ import annotations

import errno
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from PIL.PngImagePlugin import PngInfo
from rich.console import Console

from impasto import pictures
from impasto.cli import main
from impasto.cli.pictures import text
from impasto.cli.progress import Narrator, clock, describe, is_dumb
from impasto.errors import PictureError
from impasto.job.job import Snapshots
from impasto.pictures.styles import STYLES
from impasto.transfer.optimize import Step

QUICK = ["--size", "64", "--iterations", "4", "--backbone", "vgg16"]


def impasto(*words, status=0, capsys=None):
    """Run a command in this process; what it printed. No status: 0 or 2."""
    with pytest.raises(SystemExit) as exit_:
        main([str(word) for word in words])
    out = capsys.readouterr() if capsys else None
    assert (exit_.value.code or 0) in ((0, 2) if status is None else (status,)), out
    return out


def start(*words):
    """Run a command in a process of its own."""
    command = [sys.executable, "-m", "impasto", *map(str, words)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_a_photograph_and_a_style_in_a_picture_out(folder):
    process = start("stylize", "photo.png", "night-swirls", "-o", "out.png", *QUICK)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    assert "Wrote out.png (64 x 43 px)" in out
    assert "embedded vgg16" in err
    assert "4/4" in err
    assert "\x1b" not in err  # no control characters where there is no terminal
    with PIL.Image.open("out.png") as picture:
        assert picture.size == (64, 43)


def test_the_same_command_writes_the_same_bytes_and_show_tells_how(folder, capsys):
    for name in ("one.png", "two.png"):
        impasto("stylize", "photo.png", "charcoal", "-o", name, *QUICK, capsys=capsys)
    assert Path("one.png").read_bytes() == Path("two.png").read_bytes()
    shown = impasto("show", "one.png", capsys=capsys).out
    assert "charcoal.jpg" in shown
    recipe = json.loads(impasto("show", "one.png", "--json", capsys=capsys).out)
    assert recipe["settings"]["iterations"] == 4


def test_options_reach_the_recipe(folder, capsys):
    impasto(
        *("stylize", "photo.png", "charcoal", "-o", "out.png", "--size", 48, "--iterations", 3),
        *("--strength", 0.8, "--style-layers", "relu1_1=2,relu2_1", "--optimizer", "adam"),
        *("--pooling", "average", "--tv-weight", 1, "--seed", 7, "--start", "noise"),
        capsys=capsys,
    )
    settings = json.loads(impasto("show", "out.png", "--json", capsys=capsys).out)["settings"]
    wanted = {"size": 48, "strength": 0.8, "optimizer": "adam", "seed": 7, "start": "noise"}
    assert {name: settings[name] for name in wanted} == wanted
    assert settings["style_layers"] == [["relu1_1", 2.0], ["relu2_1", 1.0]]


def test_no_recipe_leaves_nothing_to_show(folder, capsys):
    command = ("stylize", "photo.png", "charcoal", "-o", "out.png", "--no-recipe", *QUICK)
    impasto(*command, capsys=capsys)
    assert "recipe" in impasto("show", "out.png", status=2, capsys=capsys).err


def test_16_bits_and_quiet(folder, capsys):
    command = ("stylize", "photo.png", "charcoal", "-o", "out.tif", "--bits", 16, "-q", *QUICK)
    assert impasto(*command, capsys=capsys) == ("", "")
    import tifffile

    assert tifffile.imread("out.tif").dtype == np.uint16


def test_without_o_the_result_is_named_after_both_and_nothing_is_overwritten(folder, capsys):
    command = ("stylize", "photo.png", "charcoal", *QUICK)
    impasto(*command, capsys=capsys)
    before = Path("photo-charcoal.png").read_bytes()
    err = impasto(*command, status=2, capsys=capsys).err
    assert "add -o photo-charcoal.png" in err
    assert Path("photo-charcoal.png").read_bytes() == before


def test_snapshots_go_into_their_folder(folder, capsys):
    snapshots = ("--snapshots", "1,last", "-d", "steps")
    impasto("stylize", "photo.png", "charcoal", "-o", "o.png", *snapshots, *QUICK, capsys=capsys)
    names = sorted(path.name for path in Path("steps").iterdir())
    assert names == ["iteration-0001.png", "iteration-0004.png"]


def test_a_snapshot_that_cannot_be_written_does_not_end_the_work(folder, capsys, monkeypatch):
    def full(*_):
        raise PictureError("no space left")

    monkeypatch.setattr(Snapshots, "__call__", full)
    snapshots = ("--snapshots", "1", "-d", "steps", "--quiet")
    command = ("stylize", "photo.png", "charcoal", "-o", "o.png", *snapshots, *QUICK)
    assert "Snapshot left out: no space" in impasto(*command, capsys=capsys).err
    assert Path("o.png").is_file()


def test_a_picture_that_cannot_be_written_after_all_is_kept_elsewhere(folder, capsys, monkeypatch):
    Path("gone").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder / "spare"))
    Path("spare").mkdir()
    monkeypatch.setattr(Narrator, "__call__", lambda *_: shutil.rmtree("gone", ignore_errors=True))
    command = ("stylize", "photo.png", "charcoal", "-o", "gone/o.png", *QUICK)
    err = impasto(*command, status=2, capsys=capsys).err
    (kept,) = Path("spare").glob("*/o.png")
    assert f"nothing is lost: it is in {folder / kept}" in err
    # Two of introduction, one for the checkpoint, one error; rich before 14.3 adds an empty one.
    assert len(list(filter(None, err.splitlines()))) == 4


def test_a_drive_that_knows_no_fsync_gets_the_picture_and_its_checkpoint(
    folder, capsys, monkeypatch
):
    def unknown(_):
        raise OSError(errno.EINVAL, "Invalid argument")

    monkeypatch.setattr(os, "fsync", unknown)
    err = impasto(
        "stylize", "photo.png", "charcoal", "-o", "o.png", "-q", *QUICK, capsys=capsys
    ).err
    assert err == ""
    assert PIL.Image.open("o.png").size == (64, 43)


CYRILLIC = "портрет.png"
QUICKER = ("--size", 32, "--iterations", 1, "--backbone", "vgg16")
LEGACY = {
    "stylize": ("stylize", CYRILLIC, "charcoal", "-o", f"2{CYRILLIC}", *QUICKER),
    "texture": ("texture", CYRILLIC, "-o", f"2{CYRILLIC}", *QUICKER),
    "styles": ("styles", "-o", CYRILLIC),
    "show": ("show", f"painted-{CYRILLIC}"),
    "compare": ("compare", CYRILLIC, f"painted-{CYRILLIC}", "--content", CYRILLIC),
    "sweep": (
        *("sweep", CYRILLIC, "charcoal", "--vary", "seed=1", "--set", "size=32"),
        *("--set", "iterations=1", "--set", "backbone=vgg16", "-o", f"2{CYRILLIC}"),
    ),
}


@pytest.mark.parametrize("command", LEGACY)
def test_names_that_the_output_cannot_encode_are_said_by_their_escapes(
    folder, capsys, monkeypatch, command
):
    Path("photo.png").rename(CYRILLIC)
    if command in ("show", "compare"):
        impasto("stylize", CYRILLIC, "charcoal", "-o", f"painted-{CYRILLIC}", *QUICKER)
    streams = {
        name: io.TextIOWrapper(io.BytesIO(), "cp1252", errors="strict")
        for name in ("stdout", "stderr")
    }
    for name, stream in streams.items():
        monkeypatch.setattr(sys, name, stream)
    with pytest.raises(SystemExit) as exit_:
        main([str(word) for word in LEGACY[command]])
    said = ""
    for stream in streams.values():
        stream.flush()
        said += stream.buffer.getvalue().decode("cp1252")
    assert not exit_.value.code, said
    escaped = CYRILLIC.encode("cp1252", "backslashreplace").decode("cp1252")
    assert escaped in said.replace("\n", "").replace(" ", "")


def test_a_name_that_the_output_cannot_encode_is_one_line_of_an_error_too(folder):
    command = [sys.executable, "-m", "impasto", "explain", CYRILLIC, "charcoal"]
    env = {**os.environ, "PYTHONIOENCODING": "cp1252:strict"}
    run = subprocess.run(command, capture_output=True, env=env, check=False)
    assert run.returncode == 2
    assert run.stderr.startswith(b"impasto: photograph '\\u043f\\u043e")
    assert run.stderr.count(b"\n") == 1


FORCED = {
    "stylize": ("stylize", "photo.png", "charcoal", "-o", "o.png", *QUICKER),
    "sweep": (*LEGACY["sweep"][:1], "photo.png", *LEGACY["sweep"][2:-1], "o.png"),
    "styles": ("styles", "--no-sheet"),
    "show": ("show", "painted.png"),
    "weights": ("weights", "list"),
    "help": ("stylize", "--help"),
    "error": ("stylize", "nowhere.png", "charcoal"),
}


@pytest.mark.parametrize("command", FORCED)
def test_a_log_file_gets_no_escapes_whatever_a_system_sets_for_all(
    folder, capsys, monkeypatch, command
):
    if command == "show":
        impasto("stylize", "photo.png", "charcoal", "-o", "painted.png", *QUICKER, capsys=capsys)
    for name in ("FORCE_COLOR", "GITHUB_ACTIONS", "TTY_COMPATIBLE", "CLICOLOR_FORCE"):
        monkeypatch.setenv(name, "1")
    out = impasto(*FORCED[command], status=2 if command == "error" else 0, capsys=capsys)
    assert out.out + out.err != ""
    assert "\x1b" not in out.out + out.err


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize(
    ("name", "value", "red"),
    [("TERM", "xterm", True), ("NO_COLOR", "1", False), ("TERM", "dumb", False)],
)
def test_an_error_is_red_on_a_terminal_that_can_and_may(folder, monkeypatch, name, value, red):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "stderr", Terminal())
    impasto("stylize", "nowhere.png", "charcoal", status=2)
    assert ("\x1b[31m" in sys.stderr.getvalue()) == red
    assert "nowhere.png" in sys.stderr.getvalue()


CHINESE = "画" * 82  # 246 bytes: with .png it fits, and with -checkpoint it does not


def test_names_that_would_be_too_long_are_cut_and_that_is_said_before_the_work(folder, capsys):
    err = impasto(
        *("stylize", "photo.png", "charcoal", "-o", f"{CHINESE}.png", "--snapshots", "1", *QUICK),
        capsys=capsys,
    ).err
    first, *_ = err.splitlines()
    assert first.startswith(f"{CHINESE}.png-checkpoint is too long a name here: it is cut to 画")
    assert {path.name[:3] for path in Path().iterdir()} == {"画画画", "pho"}
    (snapshots,) = Path().glob("*-snapshots")
    assert len(list(snapshots.iterdir())) == 1
    assert Path(f"{CHINESE}.png").is_file()


def test_a_result_that_is_named_after_two_long_names_is_cut_and_rerun_too(folder, capsys):
    photo, painting = (Path(f"{letter * 200}.png") for letter in "ab")
    shutil.copy("photo.png", photo)
    Path("photo.png").rename(painting)
    out = impasto("stylize", photo, painting, *QUICK, capsys=capsys)
    (made,) = set(Path().iterdir()) - {photo, painting}
    assert made.name.startswith("a" * 200 + "-bbb")
    assert made.suffix == ".png"
    assert f"it is cut to {made}" in out.err
    impasto("rerun", made, "-q", capsys=capsys)
    (again,) = set(Path().iterdir()) - {photo, painting, made}
    assert again.name.endswith("-again.png")
    assert PIL.Image.open(again).tobytes() == PIL.Image.open(made).tobytes()


def test_a_result_that_no_file_system_takes_is_one_line_before_the_work(folder, capsys):
    name = "画" * 90 + ".png"
    err = impasto("stylize", "photo.png", "charcoal", "-o", name, status=2, capsys=capsys).err
    assert err.count("\n") == 1
    assert "a name of 274 bytes; allowed: up to 255 there; choose a shorter name" in err
    assert [path.name for path in Path().iterdir()] == ["photo.png"]


def running(marker, *words):
    """A command in a process of its own, once it has said the marker, and where its words go."""
    log = Path("log.txt")
    with log.open("w") as stderr:
        process = subprocess.Popen([sys.executable, "-m", "impasto", *words], stderr=stderr)
    while marker not in log.read_text() and process.poll() is None:
        time.sleep(0.02)
    return process, log


ENDLESS = ("--size", "96", "--iterations", "20000", "--backbone", "vgg16", "--optimizer", "adam")


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_ctrl_c_writes_the_picture_as_it_stands_and_exits_130(folder, stop):
    words = ("stylize", "photo.png", "charcoal", "-o", "out.png", *ENDLESS)
    process, log = running("1/20000", *words)
    for _ in range(20):  # an impatient hand
        process.send_signal(stop)
        time.sleep(0.01)
        if process.poll() is not None:
            break
    assert process.wait(timeout=60) == 130
    last = log.read_text().splitlines()[-1]
    assert "Stopped at iteration" in last
    assert "PartialResultWarning" not in log.read_text()
    assert "to out.png (96 x 64 px)" in last
    assert "Traceback" not in log.read_text()
    with PIL.Image.open("out.png") as picture:
        assert picture.size == (96, 64)


def test_ctrl_c_before_there_is_a_picture_is_one_line(folder):
    """While the command line itself is being imported, and while torch is."""
    for module in ("typer", "torch"):
        Path(module).mkdir()
        (Path(module) / "__init__.py").write_text("open('here', 'w').close()\nwhile True: pass")
        with Path("log.txt").open("w") as stderr:
            process = subprocess.Popen(
                [sys.executable, "-m", "impasto", "stylize", "photo.png", "charcoal"], stderr=stderr
            )
        while not Path("here").exists():
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=60) == 130
        assert Path("log.txt").read_text() == "impasto: stopped\n"
        shutil.rmtree(module)
        Path("here").unlink()


def test_work_goes_on_when_nobody_listens_any_more(folder):
    process = start("stylize", "photo.png", "charcoal", "-o", "out.png", *QUICK)
    process.stderr.close()
    assert process.wait(timeout=120) == 0
    assert Path("out.png").is_file()


def test_work_goes_on_when_standard_error_is_full(folder):
    command = [sys.executable, "-m", "impasto", "stylize", "photo.png", "charcoal", "-o", "o.png"]
    with Path("/dev/full").open("w") as full:
        subprocess.run([*command, *QUICK], stderr=full, check=False, timeout=120)
    assert Path("o.png").is_file()


def test_a_dumb_terminal_gets_lines_and_a_narrow_one_keeps_count_and_time(monkeypatch):
    monkeypatch.setenv("TERM", "dumb")
    assert is_dumb(Console(force_terminal=True))
    step = Step(3, 9, (48, 64), 1.5, {"content": 0.5, "style": 1.0}, pixels=None)
    assert describe(step, 0.5, 120) == "64x48 loss 1.5 content 0.5 style 1 2.0 it/s"
    assert describe(step, 2.0, 80) == "64x48 content 0.5 style 1 2.0 s/it"
    assert describe(step, 2.0, 40) == "64x48"


def test_no_command_shows_the_help_and_nothing_else(folder, capsys):
    output = impasto(status=2, capsys=capsys)
    assert "stylize" in output.out
    assert output.err == ""


def test_snapshots_have_a_folder_beside_the_result_and_never_overwrite_an_input(folder, capsys):
    command = ("stylize", "photo.png", "charcoal", "-o", "out.png", *QUICK)
    impasto(*command, "--snapshots", "2", capsys=capsys)
    (snapshot,) = Path("out.png-snapshots").iterdir()
    before = snapshot.read_bytes()
    again = ("stylize", snapshot, "charcoal", "-o", "out.png", *QUICK, "--snapshots", "2,last")
    assert "overwrite" in impasto(*again, status=2, capsys=capsys).err
    assert snapshot.read_bytes() == before


BAD = {
    "a missing photograph": (("no.png", "charcoal"), "no.png"),
    "a missing painting": (("photo.png", "no/painting.jpg"), "painting.jpg"),
    "a misspelt style": (("photo.png", "charcole"), "charcoal"),
    "a text file": (("words.jpg", "charcoal"), "words.jpg"),
    "an empty file": (("empty.png", "charcoal"), "empty.png"),
    "a directory": (("cache", "charcoal"), "cache"),
    "an unknown format to write": (("photo.png", "charcoal", "-o", "out.xyz"), "out.xyz"),
    "a folder that is not there": (("photo.png", "charcoal", "-o", "no/out.png"), "does not exist"),
    "the photograph as output": (("photo.png", "charcoal", "-o", "photo.png"), "overwrite"),
    "a strength of 2": (("photo.png", "charcoal", "--strength", "2"), "from 0 to 1"),
    "a strength of words": (("photo.png", "charcoal", "--strength", "much"), "from 0 to 1"),
    "a size of words": (("photo.png", "charcoal", "--size", "big"), "'original'"),
    "an unknown layer": (("photo.png", "charcoal", "--style-layers", "relu9_1"), "relu9_1"),
    "a layer of another network": (
        ("photo.png", "charcoal", "--style-layers", "conv5_4", "--backbone", "vgg16"),
        "vgg16 does not have it",
    ),
    "an unknown optimiser": (("photo.png", "charcoal", "--optimizer", "sgd"), "lbfgs, adam, gd"),
    "a size of nothing": (("photo.png", "charcoal", "--size", ""), "a whole number from 16"),
    "a misspelt start": (("photo.png", "charcoal", "--start", "Noise"), "did you mean noise?"),
    "a snapshot after the end": (
        ("photo.png", "charcoal", "--iterations", "3", "--snapshots", "4"),
        "there are 3",
    ),
    "snapshots into a file": (
        ("photo.png", "charcoal", "--snapshots", "1", "-d", "words.jpg"),
        "choose another folder",
    ),
    "the paper without vgg19": (("photo.png", "charcoal", "--preset", "paper"), "weights fetch"),
    "a strength for the paper": (
        ("photo.png", "charcoal", "--preset", "paper", "--strength", "0.5"),
        "alpha against beta",
    ),
    "no threads": (("photo.png", "charcoal", "--threads", "0"), "a whole number from 1 to"),
    "threads of words": (
        ("photo.png", "charcoal", "--threads", "many"),
        "a whole number from 1 to",
    ),
    "a learning rate for L-BFGS": (
        ("photo.png", "charcoal", "--learning-rate", "1"),
        "adam and gd",
    ),
    "larger than WebP": (("photo.png", "charcoal", "-o", "o.webp", "--size", "16384"), "16383"),
    "16 bits of JPEG": (("photo.png", "charcoal", "-o", "out.jpg", "--bits", "16"), "16"),
    "no painting at all": (("photo.png",), "PAINTING"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_one_line_status_2_and_no_file(folder, capsys, case):
    Path("words.jpg").write_text("not a picture")
    Path("empty.png").touch()
    Path("cache").mkdir(exist_ok=True)
    before = {path: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    words, told = BAD[case]
    output = impasto("stylize", *words, status=2, capsys=capsys)
    assert output.err.startswith("impasto: ")
    assert output.err.count("\n") == 1
    assert told in output.err
    assert output.out == ""
    assert {path: path.read_bytes() for path in folder.iterdir() if path.is_file()} == before


CRAFTED = {
    "a preset that is a list": {"settings": {"preset": ["default"]}},
    "half a character": {"picture\ud800": "a\ud800b", "part": {"n\ud800": "v"}},
    "escapes": {"title\x1b[2J": {"name\x1b[2J": "value\x1b[2J"}},
}


@pytest.mark.parametrize("as_json", [(), ("--json",)])
@pytest.mark.parametrize("case", CRAFTED)
def test_a_strangers_recipe_is_shown_without_harm(folder, capsys, case, as_json):
    pictures.save(pictures.load("photo.png").pixels, "crafted.png", recipe=CRAFTED[case])
    output = impasto("show", "crafted.png", *as_json, capsys=capsys)
    assert output.out.replace("\n", "").isprintable()


@pytest.mark.parametrize("depth", [300, 900, 100_000])
def test_a_recipe_of_lists_in_lists_is_damaged(folder, capsys, depth):
    nest = "[" * depth + "]" * depth
    packet = f'<impasto:recipe>{{"a": {nest}}}</impasto:recipe>'
    info = PngInfo()
    info.add_itxt("XML:com.adobe.xmp", packet)
    PIL.Image.new("RGB", (20, 20)).save("nest.png", pnginfo=info)
    output = impasto("show", "nest.png", status=None, capsys=capsys)
    assert output.err.count("\n") <= 1
    assert "unexpected" not in output.err


def test_a_files_name_cannot_upset_the_terminal(folder, capsys):
    Path("photo\x1b[2J.png").write_bytes(Path("photo.png").read_bytes())
    words = ("stylize", "photo\x1b[2J.png", "charcoal", "-o", "out.png", *QUICK)
    assert "\x1b" not in impasto(*words, capsys=capsys).err


def test_styles_are_listed_and_hung(folder, capsys):
    out = impasto("styles", "-o", "sheet.png", capsys=capsys).out
    assert all(style.name in out for style in STYLES)
    with PIL.Image.open("sheet.png") as sheet:
        assert min(sheet.size) > 600


def test_weights_say_what_there_is_and_where(folder, capsys):
    assert "vgg19" in impasto("weights", "list", capsys=capsys).out
    where = impasto("weights", "where", capsys=capsys).out.strip()
    assert Path(where).is_relative_to(folder / "cache")
    assert impasto("weights", "verify", capsys=capsys).out.startswith("ok")
    err = impasto("weights", "add", "photo.png", status=2, capsys=capsys).err
    assert "photo.png" in err


def test_help_and_version_need_no_torch(folder):
    code = (
        "import sys, impasto.cli\n"
        "try: impasto.cli.main(sys.argv[1:])\n"
        "finally: assert not {'torch', 'PIL', 'numpy', 'av'} & set(sys.modules), 'slow to start'"
    )
    for words in (["--help"], ["stylize", "--help"], ["--version"], ["weights", "--help"]):
        run = subprocess.run(
            [sys.executable, "-c", code, *words], capture_output=True, text=True, check=False
        )
        assert run.returncode == 0, run.stderr


def test_an_unexpected_error_is_a_line_and_a_traceback_on_demand(folder, capsys, monkeypatch):
    def broken(*_args):
        raise RuntimeError("boom")

    monkeypatch.setattr("impasto.job.prepare.prepare", broken)
    err = impasto("stylize", "photo.png", "charcoal", "-o", "o.png", status=1, capsys=capsys).err
    assert "RuntimeError: boom" in err
    assert "Traceback" not in err
    monkeypatch.setenv("IMPASTO_DEBUG", "1")
    err = impasto("stylize", "photo.png", "charcoal", "-o", "o.png", status=1, capsys=capsys).err
    assert "Traceback" in err


def test_running_out_of_memory_says_what_to_try(folder, capsys, monkeypatch):
    def broken(*_args):
        raise RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: ...")

    monkeypatch.setattr("impasto.job.prepare.prepare", broken)
    err = impasto("stylize", "photo.png", "charcoal", "-o", "o.png", status=1, capsys=capsys).err
    assert "smaller --size" in err


def test_numbers_are_told_as_people_write_them():
    assert [clock(s) for s in (0, 65, 3600 + 62)] == ["0:00", "1:05", "1:01:02"]
    assert text((("relu1_1", 1.0), ("relu2_1", 0.5))) == "relu1_1=1,relu2_1=0.5"


def test_the_demos_photograph_is_there():
    root = Path(__file__).parents[1]
    run = subprocess.run(
        [sys.executable, root / "tools" / "demo_photo.py"],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": ""},
    )
    assert Path(run.stdout.strip()).is_file()


HELPS = [
    *([name] for name in ("stylize", "texture", "resume", "rerun", "sweep", "explain", "styles")),
    *([name] for name in ("show", "evaluate", "compare", "weights")),
    *(["weights", name] for name in ("list", "fetch", "add", "verify", "where")),
]


@pytest.mark.parametrize("command", [[], *HELPS], ids=" ".join)
def test_help_is_whole_at_80_columns(capsys, monkeypatch, command):
    monkeypatch.setenv("COLUMNS", "80")
    shown = impasto(*command, "--help", capsys=capsys).out
    assert "Usage:" in shown
    assert "…" not in shown
    assert max(map(len, shown.splitlines())) <= 80


def test_help_says_both_presets_defaults_and_what_has_not_been_tried(capsys):
    shown = impasto("stylize", "--help", capsys=capsys).out
    shown = " ".join(shown.replace("│", " ").split())
    assert "[default: 0.5; preset paper: none]" in shown
    assert "[default: yes; preset paper: no]" in shown
    assert "[preset paper: 3000]" in shown
    assert "CUDA and MPS have not been tried yet." in shown

"""Nothing lost: killed at any moment and gone on with, a run ends in the same bytes."""

from __future__ import annotations

import contextlib
import io
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import PIL.Image
import pytest
import torch
from skimage import data

from conftest import Crowded, signals_as_before
from impasto import files, pictures, timeline
from impasto.cli import main
from impasto.config import configure
from impasto.errors import CheckpointError
from impasto.job import checkpoint, memory, plan
from impasto.job import job as room
from impasto.job.job import CTRL_C
from impasto.job.order import Order
from impasto.job.prepare import prepare
from impasto.network import weights
from impasto.transfer import walk

SHALLOW = ("--content-layers", "relu2_1", "--style-layers", "relu1_1,relu2_1")
SMALL = ("--size", "64", "--backbone", "vgg16", *SHALLOW)
QUICK = (*SMALL, "--iterations", "12")
COMMAND = ("stylize", "photo.png", "charcoal", "-o", "out.png")
FOLDER = Path("out.png-checkpoint")

KILLS, MOST_EVENTS = 20, 60  # kills; events that a process may see: some twenty an iteration
LONG = (*SMALL, "--iterations", "60", "--snapshots", "1,50,last")
# Imports once what takes long; each command is then a process of its own, to be killed as any.
SERVER = """
import json, os, signal, sys
import impasto.api, impasto.cli.work
from pathlib import Path
from impasto import files, pictures, timeline
from impasto.job import checkpoint
from impasto.transfer import schedule
checkpoint.INTERVAL_S = 0.0  # one after every iteration
schedule.COARSEST_PX, schedule.COARSEST_SHORT_PX = 32, 16
def kill_at(owner, name, calls, when=lambda *words: True):
    # That call of it, of those that are meant, is the last thing this process does.
    real = getattr(owner, name)
    def counted(*words, **more):
        nonlocal calls
        calls -= bool(when(*words))
        if not calls:
            os.kill(os.getpid(), signal.SIGKILL)
        return real(*words, **more)
    setattr(owner, name, counted)
def kill_within(owner, name, calls, parts):
    # So many of the parts that this call yields are the last that this process takes.
    real = getattr(owner, name)
    def counted(*words):
        nonlocal calls
        calls -= 1
        for place, part in enumerate(real(*words)):
            if not calls and place == parts:
                os.kill(os.getpid(), signal.SIGKILL)
            yield part
    setattr(owner, name, counted)
def kill_at_event(number):
    # The so-manieth thing of all that is done on disk or about it is the last.
    def happens(name):
        nonlocal number
        number -= 1
        if not number:
            Path('hit').write_text(name)
            os.kill(os.getpid(), signal.SIGKILL)
    def counted(real, name):
        def call(*words, **more):
            happens(name)
            return real(*words, **more)
        return call
    real_parts = files.safetensors_parts
    def parts(*words):
        for part in real_parts(*words):
            happens('part')
            yield part
    files.safetensors_parts = parts
    for owner, name in (
        (files, 'sync'), (Path, 'replace'), (Path, 'mkdir'), (checkpoint, 'to_parts'),
        (checkpoint.Checkpointer, '__call__'), (timeline.Timeline, '__call__'), (pictures, 'save'),
    ):
        setattr(owner, name, counted(getattr(owner, name), name))
def of_frame(file):
    return Path(file.name).parent.name.startswith('frames-')
for line in sys.stdin:
    child = os.fork()
    if not child:
        words, first = json.loads(line)
        exec(first)
        impasto.cli.main([*words, '--quiet'])
    print(child, flush=True)
    sys.stdin.readline()  # until then its number is no other process's
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working directory with a photograph in it, and an empty cache."""
    enter(tmp_path, monkeypatch)
    PIL.Image.fromarray(data.coffee()).resize((96, 64)).save("photo.png")
    return tmp_path


def enter(folder, monkeypatch):
    monkeypatch.chdir(folder)
    monkeypatch.setenv("IMPASTO_CACHE", str(folder / "cache"))


def impasto(*words, status=0, capsys):
    """Run a command in this process; what it printed."""
    code, out = run(*words), capsys.readouterr()
    assert code == status, out
    return out


def run(*words):
    """Its exit status."""
    with pytest.raises(SystemExit) as exit_:
        main([str(word) for word in words])
    return exit_.value.code or 0


def stop_after_five(checkpointer, step, listen=checkpoint.Checkpointer.__call__):
    """A checkpointer's listener with a hand on Ctrl-C."""
    listen(checkpointer, step)
    if step.iteration == 5:
        raise KeyboardInterrupt


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """Once for all: a run that nothing stopped, one that Ctrl-C did, and where both were made."""
    made = tmp_path_factory.mktemp("kept") / "made"
    made.mkdir()
    with signals_as_before(), pytest.MonkeyPatch.context() as here:
        enter(made, here)
        PIL.Image.fromarray(data.coffee()).resize((96, 64)).save("photo.png")
        whole = run(*COMMAND, *QUICK)
        undisturbed = Path("out.png").read_bytes()
        here.setattr(checkpoint.Checkpointer, "__call__", stop_after_five)
        with contextlib.redirect_stderr(io.StringIO()) as err:
            stopped = run(*COMMAND, *QUICK)
    assert (whole, stopped) == (0, 130)
    assert sorted(path.name for path in made.iterdir()) == [
        "out.png",
        "out.png-checkpoint",
        "photo.png",
    ]
    shutil.copytree(made, made.with_name("copy"))
    return made, undisturbed, err.getvalue()


@pytest.fixture
def stopped(kept, monkeypatch):
    """In the folder of that run, as it was left, what it said."""
    made, _, said = kept
    shutil.rmtree(made)
    shutil.copytree(made.with_name("copy"), made)  # a checkpoint knows the place it was made in
    enter(made, monkeypatch)
    return said


@pytest.fixture
def undisturbed(kept):
    """The bytes of the run that nothing stopped."""
    return kept[1]


class Server:
    """Runs commands, each in a process of its own, one at a time."""

    def __init__(self):
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        self.process = subprocess.Popen([sys.executable, "-c", SERVER], text=True, **pipes)

    def start(self, *words, first=""):
        """Its process's number; ``first`` is Python to run in it before the command."""
        print(json.dumps([words, first]), file=self.process.stdin, flush=True)
        return int(self.process.stdout.readline())

    def wait(self):
        """Its exit status, or minus the signal that ended it."""
        print(file=self.process.stdin, flush=True)
        return int(self.process.stdout.readline())

    def run(self, *words, first=""):
        self.start(*words, first=first)
        return self.wait()


@pytest.fixture
def server(folder):
    server = Server()
    yield server
    server.process.stdin.close()
    server.process.wait(timeout=60)


def commands():
    """Both ways to go on, by turns; one of them needs a checkpoint, the other does not."""
    while True:
        yield (*COMMAND, *LONG, "--timeline", "film.gif", "--resume")
        yield ("resume", str(FOLDER))


def test_killed_at_any_moment_and_resumed_it_ends_in_the_same_bytes(server):
    Path("whole").mkdir()
    assert server.run(*COMMAND[:-1], "whole/out.png", *LONG, "--timeline", "whole/film.gif") == 0
    moments, done, hit = random.Random(0), [], []
    for words, _ in zip(commands(), range(KILLS), strict=False):
        event = moments.randint(1, MOST_EVENTS) if done else MOST_EVENTS  # so that there is one
        assert server.run(*words, first=f"kill_at_event({event})") == -signal.SIGKILL
        hit.append(Path("hit").read_text())
        done.append(checkpoint.read(FOLDER).step.iteration)
    assert server.run(*next(commands())) == 0
    assert len({*hit} & {"part", "sync", "replace"}) == 3, hit
    assert done == sorted(done)
    assert len(set(done)) >= KILLS / 4, done
    assert not FOLDER.exists()
    for path in (*Path("whole").rglob("*.png"), Path("whole/film.gif")):
        assert Path(path.relative_to("whole")).read_bytes() == path.read_bytes()


FILE, TEMPORARY = FOLDER / checkpoint.FILE, FOLDER / checkpoint.TEMPORARY


def is_whole(path):
    """Whether a checkpoint's file is all there."""
    try:
        return bool(files.read_safetensors(path))
    except Exception:
        return False


# What a process does last, and what is on disk then.
WORST = {
    "no checkpoint yet": (
        "kill_at(checkpoint, 'to_parts', 1)",
        lambda: FOLDER.is_dir() and not FILE.exists(),
    ),
    "half a file written": (
        "kill_within(files, 'safetensors_parts', 2, 5)",
        lambda: is_whole(FILE) and 0 < TEMPORARY.stat().st_size < FILE.stat().st_size,
    ),
    "half a frame written": (
        "kill_at(files, 'sync', 1, of_frame)",
        lambda: is_whole(FILE) and list(FOLDER.glob(f"frames-*/{checkpoint.TEMPORARY}")),
    ),
    "before it takes the old one's place": (
        f"kill_at(Path, 'replace', 2, lambda path, _: path == Path('{TEMPORARY}'))",
        lambda: is_whole(FILE) and is_whole(TEMPORARY),
    ),
    "all done, no picture yet": (
        "kill_at(pictures, 'save', 1)",
        lambda: checkpoint.read(FOLDER).step.iteration == 12 and not Path("out.png").exists(),
    ),
    "the picture there, no film yet": (
        "kill_at(timeline.Timeline, 'save', 1)",
        lambda: Path("out.png").exists() and not Path("film.gif").exists(),
    ),
    "all there, and the checkpoint": (
        "kill_at(checkpoint, 'remove', 1)",
        lambda: Path("film.gif").exists() and is_whole(FILE),
    ),
    "the checkpoint gone, its folder there": (
        f"kill_at(Path, 'rmdir', 1, lambda path: path == Path('{FOLDER}'))",
        lambda: FOLDER.is_dir() and not FILE.exists(),
    ),
}


def test_killed_at_the_worst_moments_it_ends_in_the_same_bytes(server):
    Path("whole").mkdir()
    film = ("--timeline", "film.gif")
    assert server.run(*COMMAND[:-1], "whole/out.png", *QUICK, film[0], "whole/film.gif") == 0
    words = (*COMMAND, *QUICK, *film, "--resume")
    for moment, (first, is_so) in WORST.items():
        assert server.run(*words, first=first) == -signal.SIGKILL, moment
        assert is_so(), moment
    assert server.run(*words) == 0
    for name in ("out.png", "film.gif"):
        assert Path(name).read_bytes() == Path("whole", name).read_bytes()
    assert not FOLDER.exists()


@pytest.mark.parametrize("command", [(*COMMAND, *QUICK, "--resume"), ("resume", FOLDER)])
def test_after_ctrl_c_it_goes_on_to_the_same_bytes(undisturbed, stopped, capsys, command):
    assert "Stopped at iteration 5 of 12" in stopped
    assert stopped.endswith("; to go on: impasto resume out.png-checkpoint\n")
    assert Path("out.png").read_bytes() != undisturbed
    assert "Going on after iteration 5 of 12." in impasto(*command, capsys=capsys).err
    assert Path("out.png").read_bytes() == undisturbed
    assert not FOLDER.exists()


def test_it_goes_on_from_any_folder_with_all_that_was_asked_for(folder, capsys):
    """Also with a start, a network and a painting that were named relative to the first folder."""
    Path("painting.png").write_bytes(Path("photo.png").read_bytes())
    shutil.copy(weights.embedded_path(), "net.safetensors")
    words = ("stylize", "photo.png", "painting.png", *QUICK, "--backbone", "net.safetensors")
    asked = ("--start", "painting.png", "--bits", 16, "--no-recipe", "--snapshots", "2,last")
    places = ("-o", "b.png", "-d", "steps", "--checkpoint-dir", "kept")
    impasto(*words, *asked, "-o", "a.png", "-d", "a", capsys=capsys)
    with pytest.MonkeyPatch.context() as stopping:
        stopping.setattr(checkpoint.Checkpointer, "__call__", stop_after_five)
        err = impasto(*words, *asked, *places, status=130, capsys=capsys).err
    assert "impasto resume kept" in err
    assert not Path("b.png-checkpoint").exists()
    Path("elsewhere").mkdir()
    os.chdir("elsewhere")
    impasto("resume", "../kept", "-q", capsys=capsys)
    os.chdir("..")
    assert list(Path("elsewhere").iterdir()) == []
    assert Path("a.png").read_bytes() == Path("b.png").read_bytes()
    for path in Path("a").iterdir():
        assert Path("steps", path.name).read_bytes() == path.read_bytes()


def test_a_result_that_was_not_asked_for_by_name_is_gone_on_with_too(folder, capsys):
    words = ("stylize", "photo.png", "charcoal", *QUICK)
    with pytest.MonkeyPatch.context() as stopping:
        stopping.setattr(checkpoint.Checkpointer, "__call__", stop_after_five)
        impasto(*words, status=130, capsys=capsys)
    assert "exists" in impasto(*words, status=2, capsys=capsys).err
    impasto(*words, "--resume", capsys=capsys)
    assert "exists" in impasto(*words, "--resume", status=2, capsys=capsys).err


def test_without_a_checkpoint_resume_starts_from_the_beginning_and_says_so(
    stopped, undisturbed, capsys
):
    shutil.rmtree(FOLDER)
    err = impasto(*COMMAND, *QUICK, "--resume", capsys=capsys).err
    assert "No checkpoint in out.png-checkpoint: starting from the beginning." in err
    assert Path("out.png").read_bytes() == undisturbed
    err = impasto("resume", FOLDER, status=2, capsys=capsys).err
    assert "out.png-checkpoint: there is no checkpoint in it" in err


def test_without_resume_it_starts_anew_and_says_so(undisturbed, stopped, capsys):
    err = impasto(*COMMAND, *QUICK, capsys=capsys).err
    assert "The checkpoint in out.png-checkpoint will be overwritten (--resume goes on" in err
    assert "\n1/12" in err
    assert Path("out.png").read_bytes() == undisturbed
    assert not FOLDER.exists()


@pytest.mark.parametrize(
    "config", [configure("paper", size="original"), configure(snapshots=(1, 2), start="a/b.png")]
)
def test_an_order_comes_back_from_json_as_it_was(tmp_path, config):
    target = tmp_path / "half \ud800.png"
    for folder in (None, tmp_path / "steps"):
        order = Order(tmp_path / "a.png", ("charcoal",), config, target, 16, False, folder)
        again = Order.from_json(json.loads(json.dumps(order.to_json())), tmp_path)
        start = config.start if config.preset == "paper" else str(Path("a/b.png").absolute())
        assert again == replace(order, config=replace(config, start=start))


def damage():
    file = FOLDER / checkpoint.FILE
    file.write_bytes(file.read_bytes()[:-1])


def repaint(name):
    return lambda: PIL.Image.new("RGB", (96, 64), "teal").save(name)


def of_a_library():
    there = checkpoint.read(FOLDER)
    checkpoint.write(checkpoint.Checkpoint(FOLDER, there.recipe, there.step, there.history, {}))


MISFITS = {
    "damaged": (damage, (), "the checkpoint is damaged"),
    "another photograph": (repaint("photo.png"), (), "photograph sha256 was"),
    "no photograph": (lambda: Path("photo.png").unlink(), (), "photograph"),
    "another strength": (None, ("--strength", "0.7"), "strength was 0.5, here it is 0.7"),
    "another start": (None, ("--start", "photo.png"), "start was content, here it is photo.png"),
    "another network": (None, ("--backbone", "net.safetensors"), "backbone"),
    "more iterations": (None, ("--iterations", "13"), "iterations was 12, here it is 13"),
    "of another program": (of_a_library, None, "its checkpoint is not of `impasto stylize`"),
}


@pytest.mark.parametrize("case", MISFITS)
def test_what_does_not_fit_is_one_line_status_2_and_no_picture(stopped, capsys, case):
    change, words, told = MISFITS[case]
    shutil.copy(weights.embedded_path(), "net.safetensors")
    if change:
        change()
    before = {path: path.read_bytes() for path in Path().rglob("*") if path.is_file()}
    commands = [] if words is None else [(*COMMAND, *QUICK, "--resume", *words)]
    if change:
        commands.append(("resume", FOLDER))
    for command in commands:
        output = impasto(*command, status=2, capsys=capsys)
        assert output.out == ""
        assert output.err.count("\n") == 1
        assert told in output.err.replace("photograph '/", "photograph '")
    assert {path: path.read_bytes() for path in Path().rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("name", ["torch", "impasto", "pillow", "python"])
def test_another_version_goes_on_and_says_that_bytes_may_differ(
    stopped, undisturbed, capsys, monkeypatch, name
):
    real, now = room.version, room.platform.python_version()
    with monkeypatch.context() as other:
        if name == "python":
            other.setattr(room.platform, "python_version", lambda: "0")
        for place in (room, checkpoint):
            other.setattr(place, "version", lambda of: "0" if of == name else real(of))
        err = impasto("resume", FOLDER, "-q", capsys=capsys).err
    was = now if name == "python" else real(name)
    assert err == f"The picture may differ in a few bytes: {name} was {was}, here 0.\n"
    assert pixels_of("out.png") == pixels_of(io.BytesIO(undisturbed))
    assert not FOLDER.exists()


def pixels_of(file):
    with PIL.Image.open(file) as picture:
        return picture.tobytes()


def test_under_another_version_a_film_goes_on_with_its_frames_twice(folder, capsys, monkeypatch):
    """Also where the second stop comes under that version."""
    film = ("--timeline", "film.gif")
    impasto(*COMMAND, *QUICK, *film, capsys=capsys)
    whole = Path("film.gif").read_bytes()
    monkeypatch.setattr(checkpoint, "INTERVAL_S", 0.0)
    with pytest.MonkeyPatch.context() as stopping:
        stopping.setattr(checkpoint.Checkpointer, "__call__", stop_after_five)
        impasto(*COMMAND, *QUICK, *film, status=130, capsys=capsys)
    monkeypatch.setattr(room.platform, "python_version", lambda: "0")
    with pytest.MonkeyPatch.context() as stopping:
        stopping.setattr(timeline.Timeline, "save", lambda *_: os.fsync(-1))
        assert "unexpected" in impasto("resume", FOLDER, status=1, capsys=capsys).err
    err = impasto("resume", FOLDER, capsys=capsys).err
    assert "Going on after iteration 12 of 12" in err
    assert "No frames" not in err
    assert "python was" in err
    assert Path("film.gif").read_bytes() == whole


def test_what_lies_around_a_checkpoint_moves_with_it(folder, capsys):
    """Inputs by their checksums, in a folder of their own; what is written goes beside it."""
    place = Path("home/album")
    place.mkdir(parents=True)
    for path in ("home/photo.png", "home/album/start.png", "home/album/mask.png"):
        shutil.copy("photo.png", path)
    Path("home/paintings").mkdir()
    for seed, name in enumerate("ab"):
        PIL.Image.effect_noise((80, 80), 30 + seed).save(f"home/paintings/{name}.png")
    PIL.Image.new("L", (96, 64)).save(place / "mask.png")
    half = PIL.Image.open(place / "mask.png")
    half.paste(255, (0, 0, 48, 64))
    half.save(place / "mask.png")
    shutil.copy(weights.embedded_path(), "home/net.safetensors")
    words = ("stylize", "home/photo.png", "home/paintings", *QUICK, "--start", place / "start.png")
    words += ("--backbone", "home/net.safetensors", "--mask", place / "mask.png")
    words += ("--region", "#fff=home/paintings/a.png", "--snapshots", "2,last")
    impasto(*words, "-o", "whole.png", capsys=capsys)
    with pytest.MonkeyPatch.context() as stopping:
        stopping.setattr(checkpoint.Checkpointer, "__call__", stop_after_five)
        asked = ("-o", place / "out.png", "--timeline", place / "film.gif")
        impasto(*words, *asked, status=130, capsys=capsys)
    shutil.copytree("home", "copy")
    Path("home").rename("new")
    before = Path("copy/album/out.png").read_bytes()
    out = impasto("resume", "new/album/out.png-checkpoint", capsys=capsys)
    assert "new/album/out.png" in out.out
    assert Path("new/album/out.png").read_bytes() == Path("whole.png").read_bytes()
    assert Path("new/album/film.gif").is_file()
    for name in ("iteration-0002.png", "iteration-0012.png"):
        snapshot = Path("new/album/out.png-snapshots", name)
        assert snapshot.read_bytes() == Path("whole.png-snapshots", name).read_bytes()
    assert not Path("home").exists()
    Path("home").mkdir()  # the old place is there: its copy is gone on with where it is
    impasto("resume", "copy/album/out.png-checkpoint", capsys=capsys)
    assert list(Path("home").iterdir()) == []
    assert Path("copy/album/out.png").read_bytes() != before


def test_inputs_are_found_beside_the_checkpoint_and_another_file_of_the_name_is_not_taken(
    stopped, undisturbed, capsys
):
    """The checkpoint was given away with its photograph alone, and where it was is another."""
    place = Path("elsewhere")
    place.mkdir()
    FOLDER.rename(place / FOLDER)
    Path("photo.png").rename(place / "photo.png")
    PIL.Image.new("RGB", (96, 64), "teal").save("photo.png")
    impasto("resume", place / FOLDER, capsys=capsys)
    assert (place / "out.png").read_bytes() == undisturbed


def test_two_pictures_of_one_stem_have_a_checkpoint_each(folder, capsys):
    """The one is stopped; the other, done after it, leaves it alone."""
    snapshots = ("--snapshots", "1")
    with pytest.MonkeyPatch.context() as stopping:
        stopping.setattr(checkpoint.Checkpointer, "__call__", stop_after_five)
        impasto(*COMMAND, *QUICK, *snapshots, status=130, capsys=capsys)
    other = ("stylize", "photo.png", "night-swirls", "-o", "out.jpg", *QUICK, *snapshots)
    impasto(*other, capsys=capsys)
    assert not Path("out.jpg-checkpoint").exists()
    first = [Path(f"out.{form}-snapshots/iteration-0001.png") for form in ("png", "jpg")]
    assert first[0].read_bytes() != first[1].read_bytes()
    assert "Going on after iteration 5" in impasto("resume", FOLDER, capsys=capsys).err


def test_another_pictures_checkpoint_is_not_overwritten(stopped, undisturbed, capsys):
    there = FILE.read_bytes()
    words = ("stylize", "photo.png", "charcoal", *QUICK, "-o", "b.png", "--checkpoint-dir", FOLDER)
    err = impasto(*words, status=2, capsys=capsys).err
    assert err.count("\n") == 1
    assert "the checkpoint there is another picture's, out.png; impasto resume" in err
    assert FILE.read_bytes() == there
    impasto("resume", FOLDER, "-q", capsys=capsys)
    assert Path("out.png").read_bytes() == undisturbed


IN_USE = {
    "the same command": ((*COMMAND, *QUICK), "another process is at work with this checkpoint"),
    "resume": (("resume", FOLDER), "another process is at work with this checkpoint"),
    "another checkpoint": (
        (*COMMAND, *QUICK, "--checkpoint-dir", "other"),
        "output 'out.png': another process is painting it",
    ),
    "none": ((*COMMAND, *QUICK, "--no-checkpoint"), "another process is painting it"),
}


def test_what_another_process_works_with_is_refused_in_one_line_and_a_kill_frees_it(server, capsys):
    """Whatever way the other one takes to it."""
    process = server.start(*COMMAND, *LONG[:-4], "--iterations", "100000")
    deadline_s = time.monotonic() + 60
    while not FILE.exists() and time.monotonic() < deadline_s:
        time.sleep(0.01)
    for words, told in IN_USE.values():
        err = impasto(*words, status=2, capsys=capsys).err
        assert err.count("\n") == 1
        assert told in err
    assert not Path("other").exists()
    os.kill(process, signal.SIGKILL)
    assert server.wait() == -signal.SIGKILL
    assert Path(".out.png.lock").exists()  # and is in nobody's way
    impasto(*COMMAND, *QUICK, capsys=capsys)
    assert sorted(path.name for path in Path().iterdir()) == ["out.png", "photo.png"]


def test_what_cannot_be_kept_does_not_end_the_work_and_is_said_once(folder, capsys, monkeypatch):
    def full(_):
        raise CheckpointError("no space left")

    monkeypatch.setattr(checkpoint, "INTERVAL_S", 0.0)
    monkeypatch.setattr(checkpoint, "write", full)
    err = impasto(*COMMAND, *QUICK, "-q", capsys=capsys).err
    assert err == "Going on without a new checkpoint: no space left\n"
    assert Path("out.png").is_file()


def test_without_checkpoints_none_is_kept_and_none_is_promised(folder, capsys, monkeypatch):
    monkeypatch.setattr(checkpoint, "write", lambda _: pytest.fail("one was written"))
    impasto(*COMMAND, *QUICK, "--no-checkpoint", capsys=capsys)
    for words in (("--resume",), ("--checkpoint-dir", "c")):
        err = impasto(*COMMAND, *QUICK, "--no-checkpoint", *words, status=2, capsys=capsys).err
        assert "--no-checkpoint" in err
    Path("file").touch()
    words = (*COMMAND, *QUICK, "--checkpoint-dir", "file")
    assert "file: no checkpoint" in impasto(*words, status=2, capsys=capsys).err


def test_in_windows_it_goes_on_to_the_same_bytes_whatever_memory_there_is_by_then(
    folder, capsys, monkeypatch
):
    """What was planned in windows goes on in those, not in what would be planned today."""
    monkeypatch.setattr(walk, "SMALLEST_SIDE_PX", 16)
    words = ("stylize", "photo.png", "charcoal", *QUICK, "--size", 96)
    with pytest.MonkeyPatch.context() as crowded:
        crowded.setattr(plan, "LARGEST_SIDE_PX", 24)
        crowded.setattr(memory, "free_bytes", lambda _: 0)
        impasto(*words, "-o", "whole.png", "-q", capsys=capsys)
        crowded.setattr(checkpoint.Checkpointer, "__call__", stop_after_five)
        impasto(*words, "-o", "out.png", status=130, capsys=capsys)
    assert checkpoint.read(FOLDER).windows == ((1, 24),)
    err = impasto("resume", FOLDER, capsys=capsys).err
    assert "In windows of 24 px" in err
    assert Path("out.png").read_bytes() == Path("whole.png").read_bytes()


def test_where_memory_ran_out_the_record_says_so_and_is_followed_to_the_byte(folder, capsys):
    """Whether it is made again or gone on with: by a machine that has enough memory by then."""
    words = ("stylize", "photo.png", "charcoal", *QUICK, "--size", 96)

    def crowd_after_five(checkpointer, step, real=checkpoint.Checkpointer.__call__):
        real(checkpointer, step)
        if step.iteration == 5:
            Crowded(64 * 64, crowded)

    def stop_after_eight(checkpointer, step, narrow=crowd_after_five):
        narrow(checkpointer, step)
        if step.iteration == 8:
            raise KeyboardInterrupt

    for name, listen in (("out", stop_after_eight), ("whole", crowd_after_five)):
        with pytest.MonkeyPatch.context() as crowded:
            crowded.setattr(walk, "SMALLEST_SIDE_PX", 16)
            crowded.setattr(checkpoint.Checkpointer, "__call__", listen)
            status = 130 if name == "out" else 0
            err = impasto(*words, "-o", f"{name}.png", status=status, capsys=capsys).err
        assert "memory ran out: going on in windows of 48 px" in err
    assert pictures.read_recipe(Path("whole.png"))["windows_px"] == [[1, None], [6, 48]]
    impasto("resume", FOLDER, capsys=capsys)
    assert Path("out.png").read_bytes() == Path("whole.png").read_bytes()
    assert "Byte for byte" in impasto("rerun", "whole.png", "-o", "again.png", capsys=capsys).out


def test_a_library_call_goes_on_with_its_whole_history_and_refuses_another_job(folder):
    settings = {"size": 64, "iterations": 8, "backbone": "vgg16"}
    job = prepare("photo.png", "charcoal", configure(**settings))
    checkpointer, whole = job.checkpointer(FOLDER, {}), job.run()

    def stop(step):
        checkpointer(step)
        if step.iteration == 3:
            checkpointer.write()
            raise KeyboardInterrupt

    assert job.run(stop).stopped == CTRL_C
    before, heard = checkpoint.read(FOLDER), []
    again = job.run(lambda step: heard.append(step.iteration), before)
    assert heard == [4, 5, 6, 7, 8]
    assert again.history == whole.history
    assert again.recipe == whole.recipe
    assert torch.equal(again.pixels, whole.pixels)
    other = prepare("photo.png", "charcoal", configure(**settings, seed=1))
    with pytest.raises(CheckpointError, match="seed was 0, here it is 1"):
        other.run(None, before)


def test_what_breaks_or_stops_right_after_going_on_keeps_the_picture(folder, monkeypatch):
    job = prepare("photo.png", "charcoal", configure(size=64, iterations=4, backbone="vgg16"))
    checkpointer = job.checkpointer(FOLDER, {})
    steps = []

    def stopped_at_three(step):
        checkpointer(step)
        steps.append(step)
        if step.iteration == 3:
            raise KeyboardInterrupt

    assert job.run(stopped_at_three).stopped == CTRL_C
    checkpointer.write()
    last = checkpoint.read(FOLDER)
    assert job.run(None, last).stopped is None
    for error, stopped in ((RuntimeError("no memory"), "no memory"), (KeyboardInterrupt, "Ctrl-C")):

        def broken(*_, error=error):
            raise error
            yield

        monkeypatch.setattr(room, "optimize", broken)
        result = job.run(None, last)
        assert result.stopped == stopped
        assert len(result.history) == 3
        assert torch.equal(result.pixels, last.step.pixels)

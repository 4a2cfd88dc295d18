"""Batches on a real Ray cluster: the bytes of `impasto stylize`, whoever dies."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import sys
import time
from contextlib import nullcontext
from dataclasses import replace
from itertools import islice
from pathlib import Path
from types import SimpleNamespace

import PIL.Image
import psutil
import pytest

from conftest import impasto, load_tool, signals_as_before
from impasto.batch import cluster as crews
from impasto.batch import far_shots, node, parcels
from impasto.batch.cluster import RayCrew
from impasto.batch.node import Ticket
from impasto.cli import main
from impasto.cli.batch import Teller
from impasto.cli.video import Painting
from impasto.cluster import errands as module
from impasto.cluster import extra, probe, session
from impasto.cluster.errands import Ended, Errand, Errands, Stuck, Told
from impasto.cluster.line import Line
from impasto.cluster.session import Needs, Node, Session
from impasto.config import configure
from impasto.errors import ClusterError
from impasto.job import checkpoint
from impasto.job.order import Order
from impasto.parsing import parse_look
from impasto.queue.picture import Watch
from impasto.video.clip import open_clip
from impasto.video.film import open_film
from impasto.video.order import FilmOrder
from test_batch import ONE, PHOTOS, QUICK, results, rows
from test_batch import photographs as write_photographs

STORE_BYTES = 80 * 2**20  # of objects, on a node; Ray takes no less than 75 MB
STYLE = "charcoal"
SLOW = ("--iterations", "40")  # so that there is a middle to be killed in


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """A folder with photographs, and what `impasto stylize` makes of each."""
    folder = tmp_path_factory.mktemp("alone")
    with pytest.MonkeyPatch.context() as patch, signals_as_before():
        patch.chdir(folder)
        patch.setenv("IMPASTO_CACHE", str(folder / "cache"))
        write_photographs(folder / "photos")
        for number in range(2):
            photo = PIL.Image.open(f"photos/{sorted(PHOTOS)[number % 2]}.png")
            photo.rotate(90 * number, expand=True).save(f"photos/turned{number}.png")
        for path in sorted(Path("photos").iterdir()):
            words = (str(path), STYLE, "-o", f"{path.stem}-{STYLE}.png", "-q")
            with pytest.raises(SystemExit) as ended:
                main(["stylize", *words, *QUICK, *SLOW, "--threads", "1"])
            assert not ended.value.code
    return folder


@pytest.fixture(scope="module")
def nodes(alone):
    """Three nodes on this machine, each with a core."""
    from ray.cluster_utils import Cluster

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("IMPASTO_CACHE", str(alone / "cache"))
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("OMP_NUM_THREADS", "1")
        each = {"num_cpus": 1, "object_store_memory": STORE_BYTES, "include_dashboard": False}
        found = Cluster(initialize_head=True, head_node_args=each)
        for _ in range(2):
            found.add_node(**each, wait=False)
        found.wait_for_nodes()
        yield found
        found.shutdown()


@pytest.fixture
def folder(tmp_path, monkeypatch, alone):
    """A working directory with those photographs in it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("IMPASTO_CACHE", str(alone / "cache"))
    shutil.copytree(alone / "photos", "photos")
    return tmp_path


@pytest.fixture(scope="module")
def joined(nodes):
    """The cluster, joined once: a process is in one at a time."""
    with Session(nodes.address) as found:
        yield found


@pytest.fixture
def far(nodes, joined, monkeypatch):
    """The same, wherever the command line joins it."""

    def by_address(address):
        assert address == nodes.address
        return nullcontext(joined)

    monkeypatch.setattr(session, "Session", by_address)
    return nodes


def batch(capsys, nodes, *words, status=0, threads="1"):
    more = ("--threads", threads, "--cluster", nodes.address)
    return impasto(capsys, "batch", "-o", "out", *QUICK, *SLOW, *more, *words, status=status)


def heard(patch, act):
    """All events of a batch, in a list; ``act`` is called with each."""
    events, hear = [], Teller.hear

    def listen(teller, event):
        hear(teller, event)
        events.append(event)
        act(event)

    patch.setattr(Teller, "hear", listen)
    return events


def node_of(nodes, pid):
    """The node that a worker belongs to, if it is not the head, where the driver is."""
    raylet = psutil.Process(pid).ppid()
    for each in nodes.worker_nodes:
        if raylet in [p.process.pid for p in each.all_processes["raylet"]]:
            return each
    return None


# What comes of it.


def test_a_node_dies_in_the_middle_and_every_picture_is_there_once(
    folder, alone, far, capfd, monkeypatch
):
    killed, before = [], {}

    def kill(event):
        state = event.state
        if not killed and state.status == "working" and 0 < state.iteration < state.iterations:
            dying = node_of(far, state.worker)
            if dying:
                before.update(results())
                killed.append(event.number)
                far.remove_node(dying, allow_graceful=False)

    with monkeypatch.context() as patch:
        events = heard(patch, kill)
        out = batch(capfd, far, "photos", "--style", STYLE)
    assert killed
    assert results() == results(alone)
    assert before.items() <= results().items()
    ended = sorted(event.number for event in events if event.state.ended)
    assert ended == list(range(len(PHOTOS) + 2))
    assert {row["state"] for row in rows()} == {"done"}
    assert {path.name for path in Path("out").iterdir()} == {*results(), "batch.csv", "batch.jpg"}
    strange = [line for line in out.err.splitlines() if ".png: " not in line]
    assert (strange, out.out.count("\n")) == ([], 1)  # nothing of Ray's
    far.add_node(num_cpus=1, object_store_memory=STORE_BYTES, include_dashboard=False)


def test_sent_there_and_back_ctrl_c_keeps_the_picture_and_a_failure_has_its_own_name(
    folder, alone, far, capfd, monkeypatch
):
    Path("photos/a-broken.png").write_bytes(b"no picture at all")
    words = ("photos", "--style", STYLE, "--files", "sent", "--snapshots", "last")
    done = len(results(alone))

    def ctrl_c(event):
        state = event.state
        if state.status == "working" and 0 < state.iteration < state.iterations:
            patch.setattr(Teller, "hear", lambda *_: None)
            os.kill(os.getpid(), signal.SIGINT)

    with monkeypatch.context() as patch:
        heard(patch, ctrl_c)
        out = batch(capfd, far, *words, status=130)
    assert "the same command goes on, within a picture too" in out.err
    kept = list(Path("out").rglob(checkpoint.FILE))
    assert kept
    out = batch(capfd, far, *words, status=1)
    assert results() == results(alone)
    assert len(list(Path("out").glob("*-snapshots/*.png"))) == done
    listed = out.err[out.err.index("1 failed:") :].splitlines()[1:]
    (line,) = listed
    known = "photograph 'photos/a-broken.png' is not a picture of a known format; allowed: PNG"
    assert line.startswith(f"  a-broken-{STYLE}.png: {known}")
    assert not list(Path("out").rglob(checkpoint.FILE))
    assert not Path("out/.impasto-cluster").exists()


# Films.

SHOTS, EACH = 4, 4  # frames of each


@pytest.fixture(scope="module")
def film(alone):
    """A clip of four shots, and the frames that it has painted in turn."""
    make_clips = load_tool("make_clips")
    frames = make_clips.noisy(make_clips.cut((48, 64), EACH))
    make_clips.write(alone / "clip.mp4", islice(frames, SHOTS * EACH))
    with pytest.MonkeyPatch.context() as patch, signals_as_before():
        patch.chdir(alone)
        patch.setenv("IMPASTO_CACHE", str(alone / "cache"))
        look(alone / "film.toml")
        with pytest.raises(SystemExit) as ended:
            main(["video", "clip.mp4", "charcoal", "-o", "film", "--config", "film.toml", "-q"])
        assert not ended.value.code
    return frames_in(alone / "film")


def look(path):
    """Settings of a film that takes no time."""
    path.write_text(
        'size = 64\niterations = 2\nbackbone = "vgg16"\nthreads = 1\n'
        'content_layers = "relu2_1"\nstyle_layers = "relu2_1"\n'
    )


def frames_in(path):
    return {each.name: each.read_bytes() for each in sorted(path.glob("*.png"))}


def video(capfd, far, *words, status=0):
    more = ("-o", "film", "--config", "film.toml", "--cluster", far.address)
    return impasto(capfd, "video", "clip.mp4", "charcoal", *more, *words, status=status)


@pytest.fixture
def filming(folder, alone):
    shutil.copy(alone / "clip.mp4", ".")
    look(Path("film.toml"))
    return folder


def test_a_films_shots_are_painted_on_nodes_of_which_one_dies(
    filming, film, far, capfd, monkeypatch
):
    killed, told, hear = [], [], Painting.__call__

    def listen(painting, event):
        hear(painting, event)
        told.append(event)
        if not killed and not event.planned and event.new:
            killed.append(event.frame)
            far.remove_node(next(iter(far.worker_nodes)), allow_graceful=False)

    monkeypatch.setattr(Painting, "__call__", listen)
    out = video(capfd, far)
    assert killed
    assert frames_in(Path("film")) == film
    there = [event.frame for event in told if not event.planned]
    assert sorted(there) == list(range(SHOTS * EACH))
    assert not Path("film-frames").exists()
    assert "Wrote film (64 x 48 px, 16 frames)" in out.out
    far.add_node(num_cpus=1, object_store_memory=STORE_BYTES, include_dashboard=False)


def test_a_films_shots_are_sent_there_and_back_and_gone_on_with(
    filming, film, far, capfd, monkeypatch
):
    hear = Painting.__call__

    def ctrl_c(painting, event):
        hear(painting, event)
        if event.frame % EACH == 1 and event.new:
            patch.setattr(Painting, "__call__", lambda *_: None)
            os.kill(os.getpid(), signal.SIGINT)

    with monkeypatch.context() as patch:
        patch.setattr(Painting, "__call__", ctrl_c)
        out = video(capfd, far, "--files", "sent", status=130)
    assert "the same command goes on from there" in out.err
    assert list(Path("film-frames").rglob("*.png"))
    found = []
    monkeypatch.setattr(Painting, "__call__", lambda _, event: found.append(event))
    video(capfd, far, "--files", "sent")
    assert frames_in(Path("film")) == film
    assert False in {event.new for event in found}  # what was there was not painted again


def test_a_shot_goes_from_bytes_to_bytes_and_its_errors_have_the_inputs_names(filming, film):
    order = FilmOrder(
        open_clip(Path("clip.mp4")),
        ("charcoal",),
        configure(**parse_look(Path("film.toml").read_text(), "film.toml")),
    )
    whole = open_film(order, Path("frames"))
    known = whole.orders[1].to_json()
    named = parcels.inputs(far_shots.order_of(known))
    packed = [parcels.packed(each) for each in named]
    done = far_shots.paint_there(Line(None, "", 0, 0.0), known, named, *packed, {})
    assert (done.error, [each.frame for each in done.told]) == ("", [4, 5, 6, 7])
    pictures = {name.removeprefix("pictures/"): data for name, data in done.files.items()}
    numbers = sorted(film)[4:8]
    assert [pictures[number] for number in numbers] == [film[number] for number in numbers]
    again = far_shots.paint_there(Line(None, "", 0, 0.0), known, named, *packed, done.files)
    assert {each.new for each in again.told} == {False}
    Path("clip.mp4").write_bytes(b"no film")
    broken = [parcels.packed(each) for each in named]
    failed = far_shots.paint_there(Line(None, "", 0, 0.0), known, named, *broken, {})
    assert str(Path("clip.mp4").absolute()) in failed.error


# On a node.


def at_iteration(patch, number, act):
    """Do something at an iteration; a list of all that are made."""
    seen, count = [], Watch.count

    def counted(watch, step):
        count(watch, step)
        seen.append(step.iteration)
        if len(seen) == number:
            act()

    patch.setattr(Watch, "count", counted)
    return seen


def ticket(folder, threads=1):
    """Of a photograph, in a folder that all see."""
    shallow = {"content_layers": (("relu2_1", 1.0),), "style_layers": (("relu1_1", 1.0),)}
    config = configure(size=64, backbone="vgg16", iterations=4, threads=threads, **shallow)
    order = Order(Path("photos/cup.png"), (STYLE,), config, Path("out.png"))
    whole = Order.from_json(order.to_json(), Path())
    return Ticket(whole if folder else order, folder, crews.network_of("vgg16"), 0)


def test_who_takes_over_in_a_shared_folder_goes_on_and_makes_nothing_twice(folder, monkeypatch):
    job = folder / "jobs" / "one"
    line = Line(None, "", 0, 0.0)
    first = at_iteration(monkeypatch, 2, line.stop.set)
    assert node.paint(line, ticket(job)).state.status == "waiting"
    assert first == [1, 2]
    line = Line(None, "", 0, 0.0)
    made = node.paint(line, ticket(job)).state
    assert (first, made.status, made.iteration) == ([1, 2, 3, 4], "done", 4)
    assert not job.exists()
    again = node.paint(line, ticket(job)).state
    assert (first, again.status, again.loss) == ([1, 2, 3, 4], "done", pytest.approx(made.loss))
    ticket(None).order.checked().run().save("alone.png")
    assert Path("out.png").read_bytes() == Path("alone.png").read_bytes()


def test_from_bytes_to_bytes_every_kind_of_input_keeps_its_name(folder):
    Path("manners").mkdir()
    for name in ("cat", "cup"):
        shutil.copy(f"photos/{name}.png", "manners")
    PIL.Image.new("RGB", (96, 64), "white").save("all.png")
    base = ticket(None)
    quick = replace(base.order.config, iterations=1, start="photos/cat.png")
    paintings = ("manners", "./photos/cat.png", STYLE)
    order = replace(base.order, paintings=paintings, config=quick, timeline=Path("film.gif"))
    whole = replace(order, mask=Path("all.png"), regions={"white": "manners"}, paintings=())
    for each in (order, whole):
        each.checked().run().save(each.target)
        names = parcels.inputs(each)
        packed = [parcels.packed(name) for name in names]
        sent = replace(base, order=each, inputs=tuple(names))
        outcome = node.paint(Line(None, "", 0, 0.0), sent, *packed)
        assert outcome.state.status == "done", outcome.state.error
        assert outcome.files[parcels.PICTURE] == each.target.read_bytes()
        assert set(outcome.files) == {parcels.PICTURE, parcels.FILM}


def test_a_picture_that_kills_its_processes_is_given_up_with_a_line(folder):
    line = Line(None, "", 0, 0.0)
    line.deaths = node_deaths = 3
    state = node.paint(line, replace(ticket(folder / "jobs"), peak_bytes=9_100_000_000)).state
    assert state.status == "failed"
    assert f"was killed {node_deaths} times; it was to take about 9.1 GB; most" in state.error


def test_other_weights_on_a_node_fail_the_picture(folder):
    other = replace(ticket(folder / "jobs"), network="another")
    state = node.paint(Line(None, "", 0, 0.0), other).state
    assert state.status == "failed"
    assert "backbone vgg16 is vgg16 of" in state.error


def test_what_a_node_does_not_see_is_a_line(folder):
    token = Path("jobs/token")
    token.parent.mkdir()
    token.write_text("ours")
    good = ([str(folder)], str(token), "ours", {"vgg16": crews.network_of("vgg16")})
    assert node.look(*good) == ("", "", "")
    assert "does not see the folder '/not/here'" in node.look(["/not/here"], *good[1:])[0]
    assert "or sees another folder there" in node.look(good[0], good[1], "others'", {})[0]
    assert "backbone" in node.look(*good[:3], {"vgg16": "another"})[0]


# Tasks.


def test_tasks_that_die_are_begun_again_and_know_it_and_telling_may_fail(joined, monkeypatch):
    def work(line, deaths):
        line.tell("begun")
        if line.deaths < deaths:
            os.kill(os.getpid(), signal.SIGKILL)
        return line.deaths

    def make(number):
        if number == 2:
            return Ended(error="not even begun")
        return Errand(work, ((1, 9)[number],), Needs())

    until_s = time.monotonic() + 60
    while joined.at_once(Needs()) < 3 and time.monotonic() < until_s:  # one may just have come
        time.sleep(0.1)
    assert joined.at_once(Needs()) == 3
    news = list(Errands(joined, make, 3, Needs()).news())
    ended = {number: each for number, each in news if isinstance(each, Ended)}
    assert ended[0] == Ended(1)
    assert "has died 4 times" in ended[1].error
    assert ended[2] == Ended(error="not even begun")
    monkeypatch.setattr(joined, "board", "no actor")
    errands = Errands(joined, lambda _: Errand(work, (0,), Needs()), 2, Needs())
    assert sorted(errands.news()) == [(0, Ended(0)), (1, Ended(0))]


def test_a_head_that_is_gone_ends_the_work_in_order_and_no_node_is_told_of(joined, monkeypatch):
    def work(line):
        line.tell("begun")
        while not line.leaving():
            time.sleep(0.01)
        return "kept"

    errands = Errands(joined, lambda _: Errand(work, (), Needs()), 1, Needs())
    news = errands.news()
    with socket.create_server(("127.0.0.1", 0)) as server:
        nobody = f"127.0.0.1:{server.getsockname()[1]}"
    assert next(news) == (0, Told("begun"))
    monkeypatch.setattr(module, "LOOK_S", 0.0)
    monkeypatch.setattr(module, "HEAD_S", 0.2)
    with monkeypatch.context() as patch:
        patch.setattr(joined, "address", nobody)
        with pytest.raises(ClusterError, match="has gone; the same command goes on"):
            list(news)
    assert errands.cancel() == [(0, Ended("kept"))]
    large = Needs(cpus=64)
    errands = Errands(joined, lambda _: Errand(work, (), large), 1, large)
    assert next(errands.news()) == (0, Stuck())
    errands.cancel()


def test_a_task_takes_a_gpu_where_there_is_one():
    machines = [Node("a", "a", 4, 0, 100), Node("b", "b", 4, 2, 50)]
    fake = SimpleNamespace(nodes=lambda: machines, has_gpus=lambda: True)
    crew = RayCrew(fake, Path("jobs"), threads=3, peak_bytes=120)
    order = ticket(None, threads=None).order
    assert crew.needs(order) == Needs(cpus=1, gpus=1)
    cpu = replace(order, config=replace(order.config, device="cpu"))
    assert crew.needs(cpu) == Needs(cpus=3, memory_bytes=100)
    assert [each.takes(Needs(1, 1)) for each in machines] == [0, 2]
    assert [each.takes(Needs(3, memory_bytes=100)) for each in machines] == [1, 0]


def test_where_many_write_to_a_folder_they_do_so_rarely(folder, monkeypatch):
    machine = Node("a", "a", 16, 0, 0)
    assert crews.rarely_s([machine] * 3) == 0.0  # as on one machine
    assert crews.rarely_s([machine] * 100) == pytest.approx(320.0)
    written = []
    monkeypatch.setattr(checkpoint, "write", written.append)
    node.paint(Line(None, "", 0, 0.0), replace(ticket(folder / "jobs"), rarely_s=320.0))
    assert written == []
    Path("out.png").unlink()
    node.paint(Line(None, "", 0, 0.0), ticket(folder / "jobs"))
    assert len(written) == 1


def test_an_input_is_sent_once_and_kept_as_long_as_one_needs_it(folder):
    order = ticket(None).order
    cat = replace(order, photo=Path("photos/cat.png"), paintings=("photos/cup.png",))
    orders = [replace(order, paintings=("photos/cup.png",)), order, cat]
    put = []
    post = crews.Post(lambda parcel: put.append(parcel.name) or len(put), orders)
    for each in orders:
        for name in parcels.inputs(each):
            post.sent(name)
    assert put == ["cup.png", "cat.png"]
    for number, kept in enumerate((["photos/cup.png", "photos/cat.png"],) * 2 + ([],)):
        post.done(orders[number])
        assert list(post.kept) == kept


# What goes wrong.


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--cluster", "auto", "--workers", "2"), "--cluster with --workers; one or the other"),
        (("--files", "sent"), "--files without --cluster"),
        (("--cluster", "auto", "--files", "send"), "--files 'send'; allowed: shared, sent; did"),
        (("--cluster", "nonsense"), "--cluster 'nonsense'; auto, or HOST:PORT as"),
        (("--cluster", "here:0"), "--cluster 'here:0'; auto, or HOST:PORT"),
        (("--cluster", "ray://here:10001"), "ray://here:10001: a client's address; auto, or"),
        (("--cluster", "127.0.0.1:1"), "127.0.0.1:1: nobody answers there (Connection refused)"),
        (("--cluster", "no.invalid:6379"), "no.invalid:6379: nobody answers there"),
    ],
)
def test_bad_words_are_one_line_before_any_work(folder, capfd, words, message):
    out = impasto(capfd, "batch", "-o", "out", *QUICK, *ONE, *words, status=2)
    assert message in out.err
    assert (out.err.count("\n"), out.out) == (1, "")


def test_what_is_no_ray_is_waited_for_a_while_and_no_longer(folder, capfd, monkeypatch):
    monkeypatch.setattr(probe, "JOIN_S", 1.0)
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
        words = ("-o", "out", *QUICK, *ONE, "--cluster", address)
        out = impasto(capfd, "batch", *words, status=2)
    assert f"--cluster {address}: no Ray has answered in 1 s" in out.err
    assert out.err.count("\n") == 1


def test_a_cluster_that_has_ended_is_none(folder, capfd, monkeypatch):
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:1")
    out = impasto(capfd, "batch", "-o", "out", *QUICK, *ONE, "--cluster", "auto", status=2)
    assert "--cluster auto: no cluster is running on this machine; `ray start`" in out.err
    assert out.err.count("\n") == 1


def test_without_ray_there_is_a_line(folder, capfd, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with socket.create_server(("127.0.0.1", 0)) as server:
        words = (*ONE, "--cluster", f"127.0.0.1:{server.getsockname()[1]}")
        out = impasto(capfd, "batch", "-o", "out", *QUICK, *words, status=2)
    assert out.err == f"impasto: a cluster needs Ray; {extra.INSTALL}\n"


def test_what_ray_says_of_a_bad_address_or_another_version_becomes_a_line():
    from ray._private.utils import check_version_info

    with pytest.raises(RuntimeError) as told:
        check_version_info({"ray_version": "1.2.3", "python_version": "3.9.1"}, "here")
    here = probe.trouble("a:1", {"error": "RuntimeError", "words": str(told.value)})
    assert str(here).startswith("cluster a:1 has Ray 1.2.3 in Python 3.9.1; here: Ray ")
    none = probe.trouble("auto", {"error": "ConnectionError", "words": "Could not find any"})
    assert "cluster auto: no cluster is running on this machine" in str(none)
    other = probe.trouble("a:1", {"error": "ValueError", "words": "Who?\nA long story"})
    assert str(other).startswith("cluster a:1: Ray can't join it (Who?); run the command on")


def test_nodes_that_do_not_fit_are_a_line_before_any_work(folder, far, capfd, monkeypatch):
    def line(*words, threads="1"):
        out = batch(capfd, far, *ONE, *words, status=2, threads=threads)
        assert out.err.count("\n") == 1
        return out.err

    assert "has 2 CPUs, one for each thread of a picture; allowed: up to 1; set --threads" in line(
        threads="2"
    )
    assert "no node of the cluster has a GPU; set --device to cpu" in line("--device", "cuda")
    with monkeypatch.context() as patch:
        patch.setattr(session, "versions", lambda: {"impasto": "9.9"})
        assert "has impasto 0." in line()
        patch.setattr(session, "versions", lambda: {"Python": "2.7.18"})
        assert ": here it is 2.7.18; install the same" in line().replace("; here", ": here")
    with monkeypatch.context() as patch:
        patch.setattr(RayCrew, "_shown", lambda *_: (["/not/here"], "", ""))
        assert "it does not see the folder '/not/here'; set --files to sent" in line()
    assert not any(path.suffix == ".png" for path in Path("out").iterdir())

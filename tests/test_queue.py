"""The queue's folder: round trips, limits, wishes, claims, damage, and disks that are full."""

from __future__ import annotations

import errno
import json
import os
import threading
import time
from dataclasses import fields, replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from impasto.config import configure
from impasto.errors import ConfigError, ImpastoError, QueueError
from impasto.files import NAME_BYTES, locked, name_bytes
from impasto.job.order import Order
from impasto.queue import entry as entry_room
from impasto.queue import store
from impasto.queue.entry import LOCK, Entry, Turn
from impasto.queue.names import DEVICES, clean_name
from impasto.queue.store import Limits, Queue
from impasto.queue.task import KINDS, STATUSES, WORDS, Label, State, Task, Wish

ORDER = Order(None, ("charcoal",), configure(size=64), Path("out.png"))


@pytest.fixture
def queue(tmp_path):
    return Queue(tmp_path / "queue")


def task(**words):
    return Task(**{"order": ORDER, "name": "Me in charcoal", **words})


def as_if(entry, status, **facts):
    """Write what a worker would have."""
    entry.write_state(replace(entry.written(), status=status, **facts))


# What is written comes back.

TEXT = st.text(max_size=20)
COUNT = st.integers(0, 10**6)
NUMBER = st.floats(0, 1e12)
MAYBE = st.none() | NUMBER
SIZE = st.none() | st.tuples(st.integers(1, 9999), st.integers(1, 9999))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda each: st.lists(each, max_size=3) | st.dictionaries(TEXT, each, max_size=3),
    max_leaves=8,
)
OPTIONS = st.dictionaries(TEXT, st.integers() | TEXT | st.booleans() | st.lists(TEXT), max_size=3)
STEERING = st.dictionaries(
    TEXT, st.integers() | NUMBER | TEXT | st.lists(NUMBER).map(tuple), max_size=3
)
PATHS = st.text("ab ü\ud800'", min_size=1, max_size=9).map(lambda name: Path("/in", f"{name}.png"))
ORDERS = st.builds(
    Order,
    st.none() | PATHS,
    st.lists(PATHS.map(str) | st.just("charcoal"), max_size=3).map(tuple),
    st.builds(configure, size=st.integers(16, 4096), strength=st.floats(0.01, 0.99)),
    PATHS,
    st.sampled_from([8, 16]),
    mask=st.none() | PATHS,
    regions=st.dictionaries(st.sampled_from(["red", "blue"]), PATHS.map(str)),
    timeline=st.none() | st.just(Path("/in/film.gif")),
)
TASKS = st.builds(Task, ORDERS, TEXT, TEXT, TEXT, TEXT, OPTIONS, TEXT)
STATES = st.builds(
    State,
    st.sampled_from(STATUSES),
    *[COUNT] * 5,
    *[
        NUMBER,
        MAYBE,
        NUMBER,
        MAYBE,
        st.none() | COUNT,
        SIZE,
        SIZE,
        TEXT,
        TEXT,
        NUMBER,
        MAYBE,
        MAYBE,
    ],
    st.none() | COUNT,
)
WISHES = st.builds(Wish, st.sampled_from(WORDS), COUNT, st.lists(STEERING, max_size=3).map(tuple))
LABELS = st.builds(Label, TEXT, st.booleans(), NUMBER, st.booleans())


@given(st.one_of(TASKS, STATES, WISHES, LABELS))
@settings(deadline=None)
def test_tasks_states_wishes_and_labels_come_back_from_json_as_they_were(it):
    assert type(it).from_json(json.loads(json.dumps(it.to_json())), "it") == it


@given(st.lists(st.builds(Turn, COUNT, COUNT, STEERING), max_size=3).map(tuple))
def test_turns_come_back_too(turns):
    known = json.loads(json.dumps([each.to_json() for each in turns]))
    assert Turn.several(known, "it") == turns


@given(
    JSON | st.fixed_dictionaries({}, optional={each.name: JSON for each in fields(State)}),
    st.sampled_from(
        [Task.from_json, State.from_json, Wish.from_json, Label.from_json, Turn.several]
    ),
)
@settings(deadline=None)
def test_json_that_is_none_of_ours_is_a_line_or_holds_what_it_says(known, parse):
    line = ""
    try:
        found = parse(known, "it")
    except QueueError as error:
        line = str(error)
    else:
        json.dumps(found.to_json() if not isinstance(found, tuple) else [])
    assert not line or line.startswith("it: none of ours, or damaged (")
    assert "\n" not in line


def test_every_field_of_what_is_written_has_a_type_that_can_be_checked():
    for each in (State, Wish, Label):
        assert {str(part.type) for part in fields(each)} <= set(KINDS)


# Names.


@given(st.text(max_size=300) | st.sampled_from(["con", "a/b", "..", "x" * 400, "ü" * 300]))
def test_a_cleaned_name_is_one_that_every_system_takes_and_stays_as_it_is(name):
    folder = Path(__file__).parent
    clean = clean_name(name, folder)
    assert clean_name(clean, folder) == clean
    assert clean not in ("", ".", "..")
    assert clean.isprintable()
    assert not set(clean) & set('<>:"|?*\\/\0')
    assert clean == clean.strip(" .")
    assert name_bytes(clean) <= NAME_BYTES
    assert not DEVICES.fullmatch(clean.partition(".")[0])


HOSTILE = {
    "../../../etc/passwd": "passwd",
    "..\\..\\windows\\me.png": "me.png",
    "/": "picture",
    "..": "picture",
    "": "picture",
    ".": "picture",
    ".png": "png",
    "nul\0byte.png": "nulbyte.png",
    "line\nbreak\x1b[31m.png": "linebreak[31m.png",
    "CON": "_CON",
    "lpt1.png": "_lpt1.png",
    "aux.tar.png": "_aux.tar.png",
    "<script>alert('x')</script>.png": "script.png",
    "me.png . .": "me.png",
    "\ud800lone.png": "lone.png",
    "\u202egnp.exe": "gnp.exe",
    "Cafe\u0301.png": "Café.png",
    "日本語 写真.png": "日本語 写真.png",
    "-rf": "-rf",
    ".hidden.png": "hidden.png",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_stay_in_the_folder_and_keep_what_can_be_kept(queue, name):
    path = queue.keep(b"a picture", name)
    assert path.parent.parent == queue.inputs
    assert path.read_bytes() == b"a picture"
    assert path.name == HOSTILE[name]
    named = task(name=name, order=replace(ORDER, target=Path(f"{name}.png".replace("\0", ""))))
    assert queue.add(named).result_path.parent.parent == queue.jobs


def test_a_long_name_is_cut_before_its_ending(queue):
    path = queue.keep(b"a picture", "ü" * 1000 + ".jpeg")
    assert path.name.endswith(".jpeg")
    assert name_bytes(path.name) <= NAME_BYTES


def test_a_result_never_takes_the_place_of_a_file_of_ours(queue):
    for name in (*entry_room.OWN_NAMES, "Preview.JPG"):
        entry = queue.add(task(order=replace(ORDER, target=Path(name))))
        assert entry.result_path == entry.folder / f"the-{name}"


# Pictures that are handed in.


def test_pictures_are_kept_by_content_under_the_name_that_they_had(queue, tmp_path):
    path = queue.keep(b"one", "photo.png")
    (tmp_path / "file").write_bytes(b"one")
    assert queue.keep(tmp_path / "file", "photo.png") == path
    assert queue.keep(b"one", "other.png") == path.with_name("other.png")
    assert queue.keep(b"two", "photo.png") not in (path, path.with_name("other.png"))
    path.write_bytes(b"half of it was written elsewhere")
    assert queue.keep(b"one", "photo.png").read_bytes() == b"one"


def test_what_is_too_large_or_not_there_is_a_line(tmp_path):
    queue = Queue(tmp_path, Limits(upload_bytes=2_000_000))
    (tmp_path / "large").write_bytes(bytes(3_000_000))
    for data in (bytes(3_000_000), tmp_path / "large"):
        with pytest.raises(
            QueueError, match=r"'me.png' has 3.0 MB; allowed: up to 2.0 MB; save it"
        ):
            queue.keep(data, "me.png")
    with pytest.raises(QueueError, match=r"'me.png' cannot be read: No such"):
        queue.keep(tmp_path / "gone", "me.png")
    assert list(queue.inputs.iterdir()) == []


# Jobs.


def test_jobs_come_newest_first_and_each_owner_sees_their_own(queue):
    entries = [queue.add(task(owner=owner)) for owner in ("ann", "bob", "ann")]
    assert queue.entries() == entries[::-1]
    assert queue.entries("ann") == [entries[2], entries[0]]
    assert queue.get(entries[1].id).task == entries[1].task
    assert queue.get(entries[1].id, "bob") == entries[1]
    with pytest.raises(QueueError, match="there is none"):
        queue.get(entries[1].id, "ann")
    assert [each.id for each in Queue(queue.folder).entries()] == [
        each.id for each in entries[::-1]
    ]
    assert entries[0].state().status == "waiting"
    assert abs(entries[0].state().made_s - time.time()) < 60


@pytest.mark.parametrize("id", ["", "..", "../inputs", "/etc", "x\0", "20261129-051233-123456-ab"])
def test_an_id_is_no_path(queue, id):
    with pytest.raises(QueueError, match="there is none"):
        queue.get(id)


def test_results_films_and_snapshots_are_in_the_jobs_folder_whatever_the_order_says(queue):
    places = {
        "target": Path("/etc/a.png"),
        "timeline": Path("../b.gif"),
        "snapshot_dir": Path("/c"),
    }
    entry = queue.add(task(order=replace(ORDER, **places)))
    order = Queue(queue.folder).get(entry.id).task.order
    assert order.target == entry.result_path == entry.folder / "a.png"
    assert order.timeline == entry.folder / "b.gif"
    assert order.snapshot_dir == entry.folder / "snapshots"


def test_a_full_queue_says_so(tmp_path):
    queue = Queue(tmp_path, Limits(waiting_each=2, waiting_all=3))
    mine = [queue.add(task(owner="ann")) for _ in range(2)]
    with pytest.raises(
        QueueError, match="the queue is full: 2 jobs of yours are waiting; allowed: 2"
    ):
        queue.add(task(owner="ann"))
    queue.add(task(owner="bob"))
    with pytest.raises(
        QueueError, match="the queue is full: 3 jobs in all are waiting; allowed: 3"
    ):
        queue.add(task(owner="bob"))
    assert len(queue.entries()) == 3
    as_if(mine[0], "done")
    mine[1].pause()
    queue.add(task(owner="ann"))


def test_a_folder_that_holds_all_it_may_takes_no_more(tmp_path):
    queue = Queue(tmp_path, Limits(disk_bytes=1_000_000))
    queue.keep(bytes(900_000), "a.png")
    with pytest.raises(QueueError, match=r"folder is full: it holds 0.9 MB; allowed: 1.0"):
        queue.keep(bytes(200_000), "b.png")
    queue.add(task())
    queue.keep(bytes(90_000), "c.png")
    (queue.folder / "workers.log").write_bytes(bytes(90_000))
    with pytest.raises(QueueError, match="folder is full"):
        queue.add(task())


def test_a_job_too_large_to_be_read_again_is_not_added(queue):
    with pytest.raises(QueueError, match="allowed: up to 16777216"):
        queue.add(task(options={"all": "x" * 2**24}))
    assert list(queue.jobs.iterdir()) == []
    assert queue.add(task(name="x\n" * 10**7)).name == "x " * 100


def test_a_queue_that_was_moved_has_its_pictures_with_it(tmp_path):
    queue = Queue(tmp_path / "here")
    photo, painting, elsewhere = queue.keep(b"1", "a.png"), queue.keep(b"2", "b.png"), "/else/c.png"
    order = replace(ORDER, photo=photo, paintings=(str(painting), "charcoal", elsewhere))
    id = queue.add(task(order=order, options={"also": [str(photo)]})).id
    (tmp_path / "deep").mkdir()
    queue.folder.rename(tmp_path / "deep" / "there")
    there = Queue(tmp_path / "deep" / "there")
    moved = there.get(id).task
    assert moved.order.photo.read_bytes() == b"1"
    assert Path(moved.order.paintings[0]).read_bytes() == b"2"
    assert moved.order.paintings[1:] == ("charcoal", elsewhere)
    assert Path(moved.options["also"][0]).is_relative_to(there.folder)
    assert moved.order.target == there.jobs / id / "out.png"


# Wishes.

# Status as the worker wrote it, whether it had begun, the wish, and what it comes to.
WISHED = [
    ("waiting", False, "pause", "paused"),
    ("waiting", True, "pause", "paused"),
    ("waiting", False, "stop", "stopped"),
    ("waiting", True, "stop", "waiting"),  # for a worker, which writes the picture as it stands
    ("waiting", False, "go", "waiting"),
    ("working", True, "pause", "working"),  # until its worker follows
    ("working", True, "stop", "working"),
    ("working", True, "go", "working"),
    ("paused", True, "go", "waiting"),
    ("paused", False, "stop", "stopped"),
    ("paused", True, "stop", "waiting"),
    ("paused", True, "pause", "paused"),
    ("stopped", True, "go", "waiting"),
    ("stopped", True, "pause", "stopped"),
    ("failed", True, "go", "waiting"),
    ("failed", True, "stop", "failed"),
    ("done", True, "go", "done"),
    ("done", True, "stop", "done"),
    ("done", True, "pause", "done"),
]
VERBS = {"go": Entry.go_on, "pause": Entry.pause, "stop": Entry.stop}


@pytest.mark.parametrize(("status", "begun", "word", "comes_to"), WISHED)
def test_a_wish_counts_at_once_where_no_worker_is_at_it(queue, status, begun, word, comes_to):
    entry = queue.add(task())
    as_if(entry, status, iteration=5 * begun)
    VERBS[word](entry)
    assert entry.state().status == comes_to
    as_if(entry, status, iteration=5 * begun, heard=entry.wish().number)
    assert entry.state().status == status


def test_the_last_wish_counts(queue):
    entry = queue.add(task())
    for word, status in (("pause", "paused"), ("go", "waiting"), ("stop", "stopped")) * 2:
        VERBS[word](entry)
        assert entry.state().status == status


def test_wishes_of_many_at_once_all_count(queue):
    entry = queue.add(task())
    asked = [lambda: entry.steer({"strength": 0.7}), entry.favour, entry.pause] * 5
    threads = [threading.Thread(target=each) for each in asked]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert len(entry.wish().steering) == entry.wish().number == 5
    assert entry.favourite


def test_steering_is_checked_when_it_is_asked_for(queue):
    entry = queue.add(task())
    entry.steer({"strength": 0.8})
    entry.steer({"style_weights": [1, 3]})
    assert entry.config == replace(ORDER.config, strength=0.8, style_weights=(1, 3))
    for settings_, words in (({"size": 128}, "size"), ({"strength": 2.0}, "strength 2.0")):
        with pytest.raises(ConfigError, match=words):
            entry.steer(settings_)
    assert len(entry.wish().steering) == 2
    as_if(entry, "done")
    with pytest.raises(QueueError, match="'Me in charcoal' is done; make another"):
        entry.steer({"strength": 0.7})


def test_names_and_favourites_are_kept(queue):
    entry = queue.add(task())
    entry.rename("  Me\n<b>at</b> night " + "x" * 1000)
    entry.favour()
    again = Queue(queue.folder).get(entry.id)
    assert again.name.startswith("Me <b>at</b> night xxx")
    assert len(again.name) == entry_room.LONGEST_NAME
    assert again.favourite
    entry.rename("")
    entry.favour(False)
    assert (again.name, again.favourite) == ("Me in charcoal", False)


@pytest.mark.parametrize("status", ["waiting", "working", "paused", "done"])
def test_what_is_deleted_rests_and_can_be_had_back_until_it_is_purged(queue, status):
    entry = queue.add(task())
    as_if(entry, status)
    entry.delete()
    entry.delete()  # no other than once
    assert queue.entries() == []
    assert queue.entries(deleted=True) == queue.entries(deleted=None) == [entry]
    assert entry.wish().word == ("pause" if status in ("waiting", "working") else "go")
    queue.purge()
    entry.undelete()
    assert queue.entries() == [entry]
    assert entry.state().status == status
    entry.delete()
    with locked(entry.folder / LOCK):  # a worker is at it
        queue.purge(after_s=0)
        assert queue.entries(deleted=True) == [entry]
    queue.purge(after_s=0)
    assert queue.entries(deleted=None) == []
    assert list(queue.jobs.iterdir()) == []
    with pytest.raises(QueueError, match="deleted for good"):
        queue.get(entry.id)


# Claims.


def claimed(queue):
    with queue.next() as entry:
        return entry and entry.id


def test_the_oldest_that_waits_is_next_and_nobody_else_has_it(queue):
    first, second, third = (queue.add(task()) for _ in range(3))
    with queue.next() as one, Queue(queue.folder).next() as other:
        assert (one, other) == (first, second)
        as_if(one, "working")
        as_if(other, "done")
        assert claimed(queue) == third.id
        third.pause()
        assert claimed(queue) is None
    assert claimed(queue) == first.id  # its worker is gone, and it was not done


def test_of_many_who_claim_at_once_each_job_has_one(queue):
    for _ in range(12):
        queue.add(task())
    done = []

    def work():
        own = Queue(queue.folder)
        while any(each.state().status != "done" for each in own.entries()):
            with own.next() as entry:
                if entry:
                    as_if(entry, "working")
                    done.append(entry.id)
                    as_if(entry, "done")

    workers = [threading.Thread(target=work) for _ in range(4)]
    for each in workers:
        each.start()
    for each in workers:
        each.join()
    assert sorted(done) == sorted(each.id for each in queue.entries())


def test_a_job_whose_worker_was_killed_through_no_fault_of_it_waits_again(queue):
    entries = [queue.add(task()) for _ in range(3)]
    for entry, worker in zip(entries, (77, 78, 77), strict=True):
        as_if(entry, "working", worker=worker)
    with locked(entries[2].folder / LOCK):  # another is at it by now
        queue.release(77)
    assert [each.state().status for each in entries] == ["waiting", "working", "working"]


def test_what_changes_is_seen_at_once_though_files_are_kept_in_memory(queue, monkeypatch):
    monkeypatch.setattr(entry_room, "RACY_S", -1.0)  # as if all of it were old
    entry, other = queue.add(task()), Queue(queue.folder)
    for iteration in range(20):
        as_if(entry, "working", iteration=iteration)
        entry.rename(f"name {iteration}")
        (seen,) = other.entries()
        assert (seen.state().iteration, seen.name) == (iteration, f"name {iteration}")
    reads = []
    real = entry_room.contents
    monkeypatch.setattr(entry_room, "contents", lambda *words: reads.append(words) or real(*words))
    other.entries()
    assert reads == []


# Damage.

DAMAGE = {
    "no task": lambda folder: (folder / "task.json").unlink(),
    "no state": lambda folder: (folder / "state.json").unlink(),
    "half a task": lambda folder: cut(folder / "task.json"),
    "half a state": lambda folder: cut(folder / "state.json"),
    "an empty state": lambda folder: (folder / "state.json").write_text(""),
    "another's task": lambda folder: (folder / "task.json").write_text('{"order": {"a": 1}}'),
    "another's state": lambda folder: (folder / "state.json").write_text('{"status": "cooked"}'),
    "no number": lambda folder: (folder / "state.json").write_text(f'{{"seconds": 1{"0" * 400}}}'),
    "a list": lambda folder: (folder / "label.json").write_text("[]"),
    "a number": lambda folder: (folder / "wish.json").write_text("3"),
    "no text": lambda folder: (folder / "wish.json").write_bytes(b"\xff\xfe\x00"),
    "turns of nothing": lambda folder: (folder / "turns.json").write_text('[{"number": 1}]'),
    "deep": lambda folder: (folder / "label.json").write_text("[" * 10**5),
    "a folder": lambda folder: (folder / "label.json").mkdir(),
    "a pipe": lambda folder: os.mkfifo(folder / "label.json"),
    "huge": lambda folder: os.truncate(make(folder / "wish.json"), 2**25),
    "an empty folder": lambda folder: [path.unlink() for path in folder.iterdir()],
}


def cut(path):
    path.write_bytes(path.read_bytes()[:-20])


def make(path):
    path.touch()
    return path


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_job_is_passed_over_and_told_of_and_the_others_go_on(queue, damage):
    before, bad, after = (queue.add(task()) for _ in range(3))
    DAMAGE[damage](bad.folder)
    assert queue.entries(deleted=None) == [after, before]
    assert list(queue.damaged()) == [bad.id]
    assert "\n" not in queue.damaged()[bad.id]
    with pytest.raises(QueueError):
        queue.get(bad.id)
    with queue.next() as one, queue.next() as other:
        assert (one, other) == (before, after)
        assert claimed(queue) is None
    queue.add(task())
    queue.tidy([])
    queue.purge(0)
    assert bad.folder.exists()


def test_what_lies_among_the_jobs_and_is_none_is_told_of(queue):
    queue.add(task())
    (queue.jobs / "notes.txt").write_text("mine")
    (queue.jobs / "\x1b[31m red").mkdir()
    (queue.jobs / "20261129-051233-123456-abcd").write_text("a file of a job's name")
    (queue.jobs / ".new-1234").mkdir()  # being made
    assert len(queue.entries()) == 1
    assert set(queue.damaged()) == {"notes.txt", "\x1b[31m red", "20261129-051233-123456-abcd"}
    assert all(line.isprintable() for line in queue.damaged().values())


# A disk that is full.


@pytest.fixture
def full_disk(monkeypatch):
    def fail(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(entry_room, "write_atomically", fail)
    monkeypatch.setattr(store, "write_atomically", fail)


def test_on_a_full_disk_nothing_is_half_done_and_all_that_was_there_is(queue, request):
    entry = queue.add(task())
    kept = queue.keep(b"one", "a.png")
    request.getfixturevalue("full_disk")
    for each in (
        lambda: queue.add(task()),
        lambda: queue.keep(b"two", "b.png"),
        entry.pause,
        entry.favour,
        lambda: entry.steer({"strength": 0.7}),
    ):
        with pytest.raises(QueueError, match="No space left on device; free some space"):
            each()
    assert queue.entries() == [entry]
    assert entry.state().status == "waiting"
    assert [path.name for path in queue.jobs.iterdir()] == [entry.id]
    assert queue.keep(b"one", "a.png") == kept


# Room.


def old(entry, status, name="a.png"):
    as_if(entry, status)
    for path in (entry.result_path, entry.preview, entry.checkpoint_dir / "checkpoint.safetensors"):
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(bytes(100_000))
    return entry


def left(entry):
    there = (entry.result_path, entry.preview, entry.checkpoint_dir)
    return [path.exists() for path in there]


def test_room_is_made_by_what_can_be_done_without_the_oldest_first(queue):
    stopped, failed = (old(queue.add(task()), status) for status in ("stopped", "failed"))
    paused, done, deleted = (old(queue.add(task()), each) for each in ("paused", "done", "stopped"))
    deleted.delete()
    queue.tidy()
    assert left(done) == [True, True, False]  # a leftover, whatever the room
    used = queue.used_bytes()

    def tidied(room_bytes):
        tight = Queue(queue.folder, Limits(disk_bytes=used - room_bytes))
        tight.tidy()
        assert tight.used_bytes() <= used - room_bytes

    tidied(50_000)
    assert [left(each)[1] for each in (stopped, failed, done, deleted)] == [False, True, True, True]
    tidied(400_000)
    assert [left(each)[1] for each in (stopped, failed, done, deleted)] == [False] * 4
    assert left(stopped)[2]
    tidied(500_000)
    assert [left(each)[2] for each in (stopped, failed, deleted)] == [False, True, True]
    tidied(700_000)
    assert left(paused) == [True, True, True]
    assert all(left(each)[0] for each in (stopped, failed, done, deleted))


def test_inputs_go_last_and_only_those_of_no_job(queue):
    used, spared, loose = (queue.keep(bytes([n]) * 1000, "a.png") for n in range(3))
    queue.add(task(options={"any": [str(used)]}))
    tight = Queue(queue.folder, Limits(disk_bytes=1))
    tight.tidy()
    assert loose.exists()
    tight.tidy(spared=[spared])
    assert [path.exists() for path in (used, spared, loose)] == [True, True, False]


def test_what_killed_processes_left_lying_goes_in_time(queue):
    kept = queue.keep(b"one", "a.png")
    litter = [queue.jobs / ".new-1", queue.jobs / ".new-2", kept.with_name(".impasto-1.tmp")]
    for path in litter:
        path.mkdir()
    queue.purge()
    assert all(path.exists() for path in litter)
    for path in litter[:2]:
        os.utime(path, (0, 0))
    queue.purge()
    assert [path.exists() for path in litter] == [False, False, True]


def test_a_folder_that_cannot_be_had_is_a_line(tmp_path):
    (tmp_path / "file").touch()
    for place in (tmp_path / "file", tmp_path / "nul\0"):
        with pytest.raises(QueueError, match="the folder cannot be made"):
            Queue(place)


def test_errors_are_of_the_house():
    assert issubclass(QueueError, ImpastoError)

"""Laws of calibration: what is chosen follows from what was measured here, or else is safe."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace

import pytest
import torch

from conftest import impasto
from impasto.config import configure
from impasto.errors import ConfigError
from impasto.job import calibration, machine, trials
from impasto.job.calibration import Calibration, Ways, calibrated, choose_ways, ways_of
from impasto.job.estimate import seconds
from impasto.job.job import network_of
from impasto.job.trials import Timing
from impasto.network import weights
from impasto.network.conv import NEVER, NOWHERE, least_patches

CPU = torch.device("cpu")
HERE = calibration.machine_with(1)


def timings(gains, bfloat16=0.5):
    """Of 64 and 128 channels at three sizes, by how much faster Winograd's way is."""
    sizes = ((16, 16), (32, 32), (64, 64))
    return tuple(
        Timing(channels, *size, 0.01 * gain, 0.01, bfloat16 and 0.01 * gain * bfloat16)
        for channels, of_sizes in gains.items()
        for size, gain in zip(sizes, of_sizes, strict=True)
    )


FAST = Calibration(HERE, timings({64: (0.9, 1.3, 1.4), 128: (1.5, 1.5, 1.6)}))


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache, and nothing known; machines are not really measured."""
    monkeypatch.delenv(calibration.ENVIRONMENT, raising=False)
    monkeypatch.setenv("IMPASTO_CACHE", str(tmp_path))
    monkeypatch.setattr(calibration, "KNOWN", {})
    measured = []

    def measure(machine, threads):
        measured.append(threads)
        return replace(FAST, machine=machine)

    monkeypatch.setattr(calibration, "measure", measure)
    return measured


@pytest.mark.parametrize(
    ("gains", "table"),
    [
        ({64: (0.9, 1.3, 1.4), 128: (1.5, 1.5, 1.6)}, {64: 64, 128: 16}),
        ({64: (0.9, 0.9, 0.9), 128: (0.9, 0.9, 1.2)}, {128: 256}),
        ({64: (1.5, 1.0, 1.5), 128: (1.5, 1.5, 0.9)}, {64: 256, 128: NEVER}),
        ({64: (1.0, 1.05, 0.9), 128: (0.5, 1.0, 1.05)}, {}),
    ],
)
def test_winograds_way_is_taken_from_the_size_on_where_it_always_gained(gains, table):
    found = Calibration(HERE, timings(gains)).winograd
    assert found == table
    for channels in (64, 100, 128, 512):
        known = [each for each in gains if each <= channels]
        least = least_patches(found, channels)
        gained = [
            t
            for t in timings(gains)
            if t.channels == max(known) and least is not None and t.height * t.width / 16 >= least
        ]
        assert all(t.direct >= 1.1 * t.winograd for t in gained)


@pytest.mark.parametrize(
    ("share", "preferred"), [(0.4, True), (0.7, True), (0.95, False), (None, False)]
)
def test_bfloat16_is_taken_where_it_gains_enough_against_the_faster_way(share, preferred):
    found = Calibration(HERE, timings({64: (0.9, 0.9, 0.9)}, share))
    assert found.prefers_bfloat16 == preferred
    assert found.has_bfloat16 == (share is not None)
    twice = Calibration(HERE, timings({64: (2.0, 2.0, 2.0)}, share))
    assert not twice.prefers_bfloat16 or share == 0.4  # Winograd's had half the direct way's time


def test_what_was_measured_is_kept_and_asked_for_once(cache):
    told = []
    first = calibrated(3, lambda: told.append(True))
    assert calibrated(3) is first
    calibration.KNOWN.clear()
    assert calibrated(3, lambda: told.append(True)) == first
    assert cache == [3]
    assert told == [True]
    calibrated(2)
    assert cache == [3, 2]
    calibration.forget(2)
    calibrated(2)
    assert cache == [3, 2, 2]


def broken(text):
    known = json.loads(text)
    yield b""
    yield b"[]"
    yield b"\xff\x00"
    yield text[: len(text) // 2]
    yield text.replace(b"0.01", b"0.02")
    yield json.dumps({"calibration": 1}).encode()
    for name, value in (
        ("calibration", 99),
        ("machine", {**known["machine"], "torch": "0"}),
        ("timings", [{**known["timings"][0], "direct": -1.0}]),
        ("timings", [{**known["timings"][0], "direct": "fast"}]),
        ("timings", [{"channels": 64}]),
    ):
        body = {k: v for k, v in {**known, name: value}.items() if k != calibration.CHECKSUM}
        signed = {**body, calibration.CHECKSUM: calibration.checksum(body)}
        yield json.dumps(signed).encode()


def test_one_that_is_damaged_or_of_another_machine_is_never_trusted(cache):
    found = calibrated(1)
    path = calibration.path_of(found.machine)
    good = path.read_bytes()
    for count, bad in enumerate(broken(good), 2):
        path.write_bytes(bad)
        calibration.KNOWN.clear()
        assert calibrated(1) == found
        assert len(cache) == count
        assert json.loads(path.read_bytes()) == json.loads(good)


def test_what_cannot_be_kept_is_not_measured(cache, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("IMPASTO_CACHE", str(tmp_path / "file"))
    found = calibrated(1)
    assert cache == []
    assert "cannot be written" in found.why
    assert (found.winograd, found.prefers_bfloat16) == (NOWHERE, False)


def test_the_safe_word_measures_nothing(cache, monkeypatch):
    monkeypatch.setenv(calibration.ENVIRONMENT, calibration.SAFE_WORD)
    assert choose_ways("auto", CPU, 1) == Ways()
    assert cache == []
    with pytest.raises(ConfigError, match="'bfloat16' on this processor; IMPASTO_CALIBRATION=safe"):
        choose_ways("bfloat16", CPU, 1)


def test_ways_follow_the_calibration_and_the_word(cache):
    assert choose_ways("auto", CPU, 1) == Ways(torch.bfloat16)
    assert choose_ways("bfloat16", CPU, 1) == Ways(torch.bfloat16)
    assert choose_ways("float32", CPU, 1) == Ways(torch.float32, FAST.winograd)
    calibration.KNOWN[1] = Calibration(HERE, timings({64: (1.5, 1.5, 1.5)}, None))
    assert choose_ways("auto", CPU, 1) == Ways(torch.float32, {64: 16})
    with pytest.raises(ConfigError, match="it has no instructions for it; leave precision out"):
        choose_ways("bfloat16", CPU, 1)


def test_another_runs_ways_are_taken_where_the_machine_can(cache):
    assert ways_of("bfloat16", NOWHERE, CPU, 1) == Ways(torch.bfloat16)
    assert ways_of("float32", {64: 7}, CPU, 1) == Ways(torch.float32, {64: 7})
    calibration.KNOWN[1] = Calibration(HERE, timings({64: (1.5, 1.5, 1.5)}, None))
    assert ways_of("bfloat16", {64: 7}, CPU, 1) == Ways(torch.float32, {64: 7})


def test_on_cuda_bfloat16_is_taken_where_it_is_real(monkeypatch):
    cuda = torch.device("cuda")
    for real, expected in ((True, torch.bfloat16), (False, torch.float32)):
        monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda real=real, **_: real)
        assert choose_ways("auto", cuda, 1).dtype == expected
    assert choose_ways("float32", cuda, 1) == Ways()
    with pytest.raises(ConfigError, match="'bfloat16' on mps"):
        choose_ways("bfloat16", torch.device("mps"), 1)


SAID = [
    {"timings": [{"channels": 64, "height": 8, "width": 8, "direct": 0.2, "winograd": 0.1}]},
    {
        "timings": [
            {
                "channels": 64,
                "height": 8,
                "width": 8,
                "direct": 0.2,
                "winograd": 0.1,
                "bfloat16": 0.05,
            }
        ]
    },
]


@pytest.mark.parametrize(
    ("script", "count", "why"),
    [
        (f"print({json.dumps(SAID[0])!r}); print({json.dumps(SAID[1])!r})", 1, ""),
        # It dies of bfloat16, by the signal for an unknown instruction.
        (f"print({json.dumps(SAID[0])!r}, flush=True); os.kill(os.getpid(), 4)", 1, ""),
        (f"print({json.dumps(SAID[0])!r}); print({json.dumps(SAID[1])[:60]!r})", 1, ""),
        (f"print({json.dumps(SAID[0])!r}, flush=True); time.sleep(60)", 1, ""),
        ("os.kill(os.getpid(), 4)", 0, "status -4"),
        ("time.sleep(60)", 0, "took more than"),
        ("print('hello')", 0, "status 0"),
    ],
)
def test_the_trials_may_die_and_what_they_told_until_then_counts(
    script, count, why, monkeypatch, tmp_path
):
    stand_in = tmp_path / "python"
    stand_in.write_text(f"#!{sys.executable}\nimport os, time\n{script}\n")
    stand_in.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(stand_in))
    monkeypatch.setattr(calibration, "LONGEST_S", 1.5)
    found = calibration.measure(HERE, 1)
    assert len(found.timings) == count
    assert why in found.why
    whole = f"print({json.dumps(SAID[1])!r})" in script
    assert found.has_bfloat16 == whole


def test_without_a_python_to_run_nothing_is_measured(monkeypatch):
    for missing in ("", "/nowhere/python", None, "/usr/bin/true", "C:/studio.exe"):
        monkeypatch.setattr(sys, "executable", missing)
        found = calibration.measure(HERE, 1)
        assert not found.timings
        assert "cannot be run" in found.why


def test_the_trials_measure_every_shape(monkeypatch):
    """For real, in this process, a map of each number of channels in no time."""
    monkeypatch.setattr(trials, "ROUNDS", 1)
    shapes = [(channels, (8, 8)) for channels in (64, 128)]
    found = trials.in_float32(shapes, 0.0)
    assert [each.channels for each in found] == [64, 128]
    assert all(map(calibration.is_good, found))


def test_both_ways_that_are_tried_make_the_same():
    x, kernel = trials.example(64, 12, 16)
    torch.testing.assert_close(trials.direct(x, kernel), trials.ours(x, kernel), atol=1e-5, rtol=0)


def test_processes_that_ask_at_once_measure_once(tmp_path):
    script = (
        "from impasto.job import calibration as c\n"
        "import time, dataclasses\n"
        "def measure(machine, threads):\n"
        "    print('measured', flush=True); time.sleep(1)\n"
        "    return c.Calibration(machine, why='tried')\n"
        "c.measure = measure\n"
        "assert c.calibrated(1).why == 'tried'\n"
    )
    env = {k: v for k, v in os.environ.items() if k != calibration.ENVIRONMENT}
    env["IMPASTO_CACHE"] = str(tmp_path)
    both = [
        subprocess.Popen([sys.executable, "-c", script], env=env, stdout=subprocess.PIPE)
        for _ in range(2)
    ]
    output = b"".join(each.communicate()[0] for each in both)
    assert [each.returncode for each in both] == [0, 0]
    assert output.split() == [b"measured"]


def test_an_estimate_grows_with_the_work_and_with_slower_ways():
    config = configure(quality="normal")
    network = network_of(weights.resolve("vgg16"), config)
    layers = [layer for layer, _ in (*config.content_layers, *config.style_layers)]

    def estimate(side, ways, quality="normal", hand=None, **how):
        size = (side * 3 // 4, side)
        asked = configure(quality=quality, hand=hand)
        return seconds(network, layers, size, asked, ways, FAST.timings, **how)

    fast, slow = Ways(torch.bfloat16), Ways()
    assert 0 < estimate(256, fast) < estimate(512, fast) < estimate(1024, fast)
    assert estimate(512, fast, "draft") < estimate(512, fast) < estimate(512, fast, "fine")
    assert estimate(512, fast) < estimate(512, slow)
    assert estimate(512, fast, hand="faithful") < estimate(512, fast, hand="painterly")
    assert estimate(4096, fast) < estimate(4096, fast, windows=True)
    assert seconds(network, layers, (96, 128), config, fast, ()) is None


def test_the_facts_are_json_and_name_what_was_chosen(cache):
    known = json.loads(json.dumps(machine.facts()))
    assert known["versions"]["torch"] == torch.__version__
    assert known["measured"]["precision"] == "bfloat16"
    assert known["seconds"]["normal"]["512 px"] > 0
    assert known["weights"]
    assert "vgg16" in str(known["weights"])


def test_info_tells_what_to_paste_into_a_bug_report(folder, capsys):
    out = impasto(capsys, "info").out
    for words in ("versions", "torch", "threads", "precision", "normal", "512 px", "calibration"):
        assert words in out
    known = json.loads(impasto(capsys, "info", "--json").out)
    assert known["measured"]["not measured"] == "IMPASTO_CALIBRATION=safe"
    assert known["seconds"]["draft"] == {"512 px": None, "1024 px": None, "4096 px": None}


def test_measured_for_real_it_is_said_once_and_kept(folder, capsys, monkeypatch):
    monkeypatch.delenv(calibration.ENVIRONMENT)
    monkeypatch.setattr(calibration, "KNOWN", {})
    first = impasto(capsys, "info", "--json")
    assert "Measuring what this processor is fast at" in first.err
    monkeypatch.setattr(calibration, "KNOWN", {})
    second = impasto(capsys, "info", "--json")
    assert second.err == ""
    one, other = (json.loads(each.out) for each in (first, second))
    assert one["measured"] == other["measured"]
    assert one["measured"]["milliseconds of a convolution"]
    gain = one["measured"]["bfloat16 against float32"]  # none, or a processor may emulate it
    worth = gain is not None and gain >= calibration.WORTH_BFLOAT16
    assert one["measured"]["precision"] == ("bfloat16" if worth else "float32")
    assert one["seconds"]["draft"]["512 px"] > 0

"""Laws of the plan: what fits is whole, what does not is in windows, and the prediction holds."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace

import pytest
import torch

from conftest import has_bfloat16, noise_picture
from impasto.config import Config, configure
from impasto.errors import ConfigError
from impasto.job.plan import SAFE_SHARE, hand_bytes, maps, plan, work_bytes
from impasto.network import weights
from impasto.network.vgg import VGG, Stage
from impasto.transfer.walk import LARGEST_SIDE_PX, SMALLEST_SIDE_PX

GB = 10**9
PHOTO, LARGE = (768, 1024), (3072, 4096)


@pytest.fixture(scope="module")
def network():
    return VGG(weights.resolve("vgg16").state)


def made(network, size, fit="auto", free=16 * GB, used=GB // 2):
    config = Config(size=max(size), fit=fit)
    return plan(network, size, [PHOTO], config, used_bytes=used, free_bytes=free)


def test_what_fits_is_taken_whole_and_what_does_not_in_the_largest_windows(network):
    assert made(network, (384, 512)).window_px is None
    large = made(network, LARGE)
    assert large.window_px == LARGEST_SIDE_PX
    assert GB < large.peak_bytes < large.limit_bytes < 16 * GB


def test_less_memory_means_smaller_windows_and_they_stay_within_it(network):
    used, largest = GB // 2, made(network, LARGE)
    needed = (largest.peak_bytes - used) / SAFE_SHARE
    for share, smaller in ((1.01, False), (0.99, True)):
        planned = made(network, LARGE, free=round(needed * share), used=used)
        assert planned.peak_bytes <= planned.limit_bytes
        assert (planned.window_px < LARGEST_SIDE_PX) == smaller


def test_where_nothing_fits_the_smallest_are_tried_all_the_same(network):
    planned = made(network, LARGE, free=GB)
    assert SMALLEST_SIDE_PX <= planned.window_px < 2 * SMALLEST_SIDE_PX
    assert planned.peak_bytes > planned.limit_bytes


def test_fit_says_which_or_how_much(network):
    assert made(network, LARGE, "whole").window_px is None
    assert made(network, (384, 512), "windows").window_px == LARGEST_SIDE_PX
    assert made(network, (384, 512), 3 * GB).window_px is None
    small = made(network, PHOTO, round(2 * GB))
    assert small.window_px
    assert small.peak_bytes <= 2 * GB
    with pytest.raises(
        ConfigError, match=r"fit 1 GB for 4096 x 3072 px; at least \d.*GB are needed"
    ):
        made(network, LARGE, GB)


def test_more_pixels_and_larger_windows_take_more(network):
    work = [
        work_bytes(network, size, [PHOTO], replace(Config(), size=max(size)), side)
        for size, side in ((PHOTO, 256), (PHOTO, 512), (PHOTO, None), ((1024, 1024), None))
    ]
    assert work == sorted(set(work))


MEASURE = """
import json, sys
from dataclasses import replace
import torch
torch.set_num_threads(1)
from skimage import data
from impasto.job.prepare import prepare
from impasto.job.job import network_of
from impasto.job import memory
from impasto.job.calibration import EXACT, Ways
from impasto.config import Config
from impasto.job.plan import HELD_BYTES, work_bytes
size, side, way = json.loads(sys.argv[1])
ways = {'direct': EXACT, 'bfloat16': Ways(torch.bfloat16)}
ways = {**ways, 'winograd': Ways(torch.float32, {64: 24})}[way]
memory.hold(*([HELD_BYTES] if side else []))
job = prepare(data.coffee(), 'charcoal', Config(
    backbone='vgg16', size=size, fit='windows' if side else 'whole', iterations=3, pyramid=False))
before, network = (network_of(job.backbone, job.config, each) for each in (job.ways, ways))
planned = work_bytes(before, job.size, job.scene.sizes, job.config, job.plan.window_px)
taken = work_bytes(network, job.size, job.scene.sizes, job.config, side)
plan = replace(job.plan, window_px=side, peak_bytes=job.plan.peak_bytes - planned + taken)
job = replace(job, plan=plan, ways=ways)
del before, network
job.run()
# Not getrusage's, which counts what the parent held when it forked.
(line,) = [line for line in open('/proc/self/status') if line.startswith('VmHWM')]
peak = int(line.split()[1]) * 1024
print(json.dumps([job.plan.peak_bytes, peak]))
"""


def test_regions_and_what_is_kept_take_memory_too(network):
    size = (300, 400)
    plain, regions, kept = (
        work_bytes(network, size, [PHOTO], Config(), None, **more)
        for more in ({}, {"regions": 4}, {"regions": 4, "preserve": True})
    )
    assert plain + 4 * 32e6 < regions < kept < plain + 4 * 40e6


def test_the_gates_of_the_stages_before_are_counted_as_they_are_packed(network, monkeypatch):
    layers = [layer for layer, _ in (*Config().content_layers, *Config().style_layers)]
    stages, x = network.stages(layers, apart=True), noise_picture(32, 48)
    for stage in stages[:-1]:
        height, width = x.shape[2:]
        _, x, gates = stage.gated(x)
        held_bytes = sum(gate.numel() for gate in gates)
        assert held_bytes == 4 * stage.gate_floats * height * width
    first, counted = stages[0].gate_floats * LARGE[0] * LARGE[1], maps(stages, LARGE, 512)
    monkeypatch.setattr(Stage, "gate_floats", 0.0)
    assert counted - maps(stages, LARGE, 512) == first  # the worst moment is in the second


# Size in pixels, side of the windows, and the way of computing.
MEASURED = [
    (448, None, "direct"),
    (640, None, "winograd"),
    (640, 256, "direct"),
    (640, None, "bfloat16"),
]


@pytest.fixture(scope="module")
def runs():
    """Every run that is measured, side by side: they are slow, and their memory is their own."""
    command = [sys.executable, "-c", MEASURE]
    started = {
        case: subprocess.Popen([*command, json.dumps(case)], stdout=subprocess.PIPE, text=True)
        for case in MEASURED
    }
    yield started
    for process in started.values():
        process.kill()


# The same run peaks at 811 to 848 MB on one machine, and at a tenth more on another: libraries'
# own, what of their files is cached, how the heap's gaps fall. A fifth failed on one of three.
WITHIN = 1.3


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="was measured on Linux")
@pytest.mark.parametrize("case", MEASURED)
def test_the_prediction_is_on_the_safe_side_of_the_peak_and_near_it(case, runs):
    if case[-1] == "bfloat16" and not has_bfloat16():
        pytest.skip("this processor does not compute in bfloat16")
    out, _ = runs[case].communicate()
    assert runs[case].returncode == 0
    predicted, measured = json.loads(out)
    assert measured <= predicted <= WITHIN * measured


def test_what_a_hand_holds_is_counted_and_bounded():
    faithful, painterly = (configure(hand=hand) for hand in ("faithful", "painterly"))
    assert hand_bytes(faithful, (384, 512), torch.float32) == 0
    small, large = (
        hand_bytes(painterly, size, torch.float32) for size in ((384, 512), (6144, 8192))
    )
    assert 0 < small <= large < 100_000_000
    assert small < hand_bytes(painterly, (384, 512), torch.bfloat16) < 100_000_000

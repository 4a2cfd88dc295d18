"""Shared by all tests: small networks, small pictures, nothing from the network."""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from types import ModuleType

import PIL.Image
import pytest
import torch
from skimage import data
from torch import Tensor

from impasto.cli import main
from impasto.cli.process import STOPS
from impasto.job import calibration
from impasto.network.vgg import VGG, Stage
from impasto.network.weights import store
from impasto.transfer import walk

CHANNELS = (6, 8, 10, 12, 14)  # of a network small enough for float64 and many sizes
CONVOLUTIONS = (2, 2, 3, 3, 1)
SMALL_FLOATS = 6 + 6 + (8 + 8) / 4  # that its first two blocks make for a pixel


ROOT = Path(__file__).parents[1]


@cache
def has_bfloat16() -> bool:
    """Whether this processor computes in bfloat16 itself; asked of a process that may die of it."""
    asked = "import sys; from impasto.job import trials; sys.exit(not trials.computes_bfloat16())"
    return subprocess.run([sys.executable, "-c", asked], check=False).returncode == 0


needs_bfloat16 = pytest.mark.skipif(
    "not __import__('conftest').has_bfloat16()", reason="this processor has no bfloat16"
)


def load_tool(name: str) -> ModuleType:
    """A script of tools/, as a module."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "tools" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def small_state(
    dtype: torch.dtype = torch.float32,
    seed: int = 0,
    channels: tuple[int, ...] = CHANNELS,
    convolutions: tuple[int, ...] = CONVOLUTIONS,
) -> dict[str, Tensor]:
    """Random weights of VGG's shape with few channels, scaled to keep activations near 1."""
    generator = torch.Generator().manual_seed(seed)
    state = {"mean": torch.tensor([0.485, 0.456, 0.406], dtype=dtype)}
    inputs = 3
    for block, (outputs, count) in enumerate(zip(channels, convolutions, strict=True), 1):
        for place in range(1, count + 1):
            weight = torch.randn(outputs, inputs, 3, 3, generator=generator, dtype=dtype)
            name = f"conv{block}_{place}"
            state[f"{name}.weight"] = weight * (2 / (9 * inputs)) ** 0.5
            state[f"{name}.bias"] = torch.randn(outputs, generator=generator, dtype=dtype) * 0.1
            inputs = outputs
    return state


def noise_picture(height: int, width: int, seed: int = 0, dtype=torch.float32) -> Tensor:
    """A smooth random picture (1, 3, height, width) in [0, 1]."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(1, 3, max(2, height // 6), max(2, width // 6), generator=generator)
    picture = torch.nn.functional.interpolate(coarse, (height, width), mode="bilinear")
    grain = torch.rand(1, 3, height, width, generator=generator)
    return (0.8 * picture + 0.2 * grain).to(dtype)


# The embedded network is read once for all jobs of this process: a quarter of what a small one
# takes, many hundred times.
READ = store.read


@cache
def embedded():
    return READ(store.embedded_path())


store.read = lambda path: embedded() if path == store.embedded_path() else READ(path)

# In the tests' processes and in those that they start: the same ways of computing on every machine.
os.environ[calibration.ENVIRONMENT] = calibration.SAFE_WORD


@pytest.fixture(autouse=True)
def signals():
    """The command line sets them for its whole process; here that is the tests' own."""
    with signals_as_before():
        yield


@contextmanager
def signals_as_before():
    """For fixtures of a whole module too, which are made before those of a test."""
    before = {each: signal.getsignal(each) for each in STOPS}
    for each, handler in before.items():
        if handler == signal.SIG_IGN:  # as a shell has it for what runs in the background
            usual = signal.default_int_handler if each == signal.SIGINT else signal.SIG_DFL
            signal.signal(each, usual)
    yield
    for each, handler in before.items():
        signal.signal(each, handler)


def impasto(capsys, *words, status=0):
    """Run a command in this process; what it printed."""
    with pytest.raises(SystemExit) as exit_:
        main([str(word) for word in words])
    out = capsys.readouterr()
    assert (exit_.value.code or 0) == status, out
    return out


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working directory with a photograph in it, and an empty cache."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("IMPASTO_CACHE", str(tmp_path / "cache"))
    PIL.Image.fromarray(data.coffee()).resize((96, 64)).save("photo.png")
    return tmp_path


class Crowded:
    """A machine with room for windows of so many positions and no larger ones."""

    def __init__(self, positions, monkeypatch):
        real = Stage.__call__

        def call(stage, x):
            if x.shape[2] * x.shape[3] > positions:
                raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried ...")
            return real(stage, x)

        monkeypatch.setattr(Stage, "__call__", call)


@pytest.fixture
def small_windows(monkeypatch):
    """Windows' sides are pixels of the small network, too, which makes few numbers a pixel."""
    monkeypatch.setattr(walk, "REFERENCE_FLOATS", SMALL_FLOATS)


@pytest.fixture
def network() -> VGG:
    return VGG(small_state())


@pytest.fixture
def exact_network() -> VGG:
    return VGG(small_state(torch.float64))

"""A host program's modes are its own: they change no byte of a picture, and no picture them."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
import warnings
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import torch
from skimage import data

import impasto
from impasto import pictures, stylize, texture
from impasto.config import configure
from impasto.job.prepare import prepare
from impasto.measure.appraise import Appraiser
from impasto.modes import made_in_own_modes, own_modes

QUICK = {"size": 64, "iterations": 2, "backbone": "vgg16"}


@contextmanager
def default_dtype(dtype):
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    yield
    torch.set_default_dtype(before)


@contextmanager
def default_device(name):
    torch.set_default_device(name)
    yield
    torch.set_default_device(None)


@contextmanager
def deterministic():
    torch.use_deterministic_algorithms(True)
    yield
    torch.use_deterministic_algorithms(False)


@contextmanager
def warnings_as_errors():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


@contextmanager
def everything():
    with (
        default_dtype(torch.float64),
        default_device("meta"),
        deterministic(),
        np.errstate(all="raise"),
        warnings_as_errors(),
        torch.inference_mode(),
        torch.autocast("cpu"),
    ):
        yield


MODES = {
    "inference mode": torch.inference_mode,
    "no gradients": torch.no_grad,
    "autocast": lambda: torch.autocast("cpu"),
    "float64": lambda: default_dtype(torch.float64),
    "default device": lambda: default_device("meta"),
    "a device's block": lambda: torch.device("meta"),
    "deterministic algorithms": deterministic,
    "numpy's errors": lambda: np.errstate(all="raise"),
    "warnings as errors": warnings_as_errors,
    "all at once": everything,
}


def modes():
    """Those that a thread has now."""
    return (
        torch.is_inference_mode_enabled(),
        torch.is_grad_enabled(),
        torch.is_autocast_enabled("cpu"),
        torch.get_default_dtype(),
        torch.get_default_device(),
        np.geterr(),
    )


@pytest.fixture(scope="module")
def photograph():
    return PIL.Image.fromarray(data.coffee()).resize((96, 64))


def painted(photograph, on_step=None):
    """A picture that goes through many rooms: windows, a mask, colours."""
    mask = np.zeros((64, 96, 3), np.uint8)
    mask[:, 40:] = 255
    words = {"mask": mask, "regions": {"white": "photo"}, "color": "photo", "fit": "windows"}
    return stylize(photograph, "charcoal", on_step=on_step, **words, **QUICK)


def tile():
    """Another, from noise, that goes on around its edges, with gates and no photograph."""
    return texture("charcoal", 64, tileable=True, fit="windows", iterations=1, backbone="vgg16")


@pytest.fixture(scope="module")
def usual(photograph):
    return painted(photograph).pixels


@pytest.mark.parametrize("mode", MODES)
def test_no_mode_of_the_host_changes_a_byte_or_is_changed(photograph, usual, mode):
    heard, shown = [], []

    def listen(step):
        heard.append(modes())
        shown.append(step.picture())

    with MODES[mode]():
        before = modes()
        result = painted(photograph, listen)
        assert modes() == before
    assert heard == [before, before]
    assert result.pixels.dtype == torch.float32
    assert result.pixels.device.type == "cpu"
    assert torch.equal(result.pixels, usual)
    assert torch.equal(shown[-1], usual)


def test_nor_of_a_texture_or_of_what_is_measured(photograph):
    def found():
        appraiser = Appraiser(photograph, "charcoal", size=64)
        recoloured = pictures.periodic(pictures.load(photograph).pixels, (True, True))
        return tile().pixels, appraiser(photograph.rotate(180)).measures, recoloured

    pixels, measures, recoloured = found()
    with everything():
        again, measures_again, recoloured_again = found()
    assert torch.equal(pixels, again)
    assert measures == measures_again
    assert torch.equal(recoloured, recoloured_again)


def test_a_step_has_the_hosts_modes_and_its_making_impastos(photograph):
    with everything():
        before = modes()
        steps = prepare(photograph, "charcoal", configure(**QUICK)).steps()
        for step in steps:
            assert modes() == before
            assert not step.pixels.is_inference()
            break
        steps.close()
        assert modes() == before
    seen = []

    def items():
        for number in range(2):
            seen.append(modes())
            yield number
        raise RuntimeError("mine")

    with torch.inference_mode(), pytest.raises(RuntimeError, match="mine"):
        assert list(made_in_own_modes(items())) == [0, 1]
    with own_modes():
        assert seen == [modes()] * 2


def test_a_tensor_of_any_mode_is_the_same_photograph(photograph):
    usual = stylize(photograph, "charcoal", **QUICK).pixels
    with torch.inference_mode():
        given = pictures.load(photograph).pixels.double()
        given = given.contiguous(memory_format=torch.channels_last)
    again = stylize(given, "charcoal", **QUICK)
    assert torch.equal(again.pixels, usual)


# What makes a tensor of nothing but numbers: in the host's default dtype, on its default device.
FACTORIES = {"arange", "empty", "eye", "full", "linspace", "ones", "rand", "randn", "tensor"}
FACTORIES |= {"zeros", "randint", "logspace", "fftfreq", "rfftfreq", "as_tensor"}


def test_whoever_makes_a_tensor_says_of_what_type_and_where():
    nameless = []
    for path in Path(impasto.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            call = node.func if isinstance(node, ast.Call) else None
            if not isinstance(call, ast.Attribute) or call.attr not in FACTORIES:
                continue
            if not ast.unparse(call.value).startswith("torch"):
                continue
            wanted = {"device"} if call.attr == "as_tensor" else {"device", "dtype"}
            if wanted - {keyword.arg for keyword in node.keywords}:
                nameless.append(f"{path.name}:{node.lineno}")
    assert nameless == []


FORKED = """
import hashlib, multiprocessing, os, sys
import torch
from impasto import stylize

def threads_of_child():
    reading, writing = os.pipe()
    if os.fork() == 0:
        os.write(writing, str(torch.get_num_threads()).encode())
        os._exit(0)
    os.wait()
    return int(os.read(reading, 9))

def paint(queue=None):
    result = stylize("photo.png", "charcoal", size=64, iterations=2, backbone="vgg16")
    if queue:
        queue.put(result.image.size)
    return result

environment = dict(os.environ)
assert threads_of_child() == 2, "an import changes nothing"
paint()
assert torch.get_num_threads() == 2
assert dict(os.environ) == environment
child = os.fork()
if child == 0:
    paint()
    os._exit(7)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
fork = multiprocessing.get_context("fork")
queue = fork.Queue()
process = fork.Process(target=paint, args=(queue,))
process.start()
print(queue.get())
process.join()
paint()
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no forks here")
def test_a_process_forked_after_a_picture_paints_one_too(photograph, tmp_path):
    photograph.save(tmp_path / "photo.png")
    words = [sys.executable, "-W", "ignore", "-c", FORKED]
    done = subprocess.Popen(
        words,
        env={**os.environ, "OMP_NUM_THREADS": "2", "OMP_WAIT_POLICY": "passive"},
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        out, err = done.communicate(timeout=300)
    except subprocess.TimeoutExpired:
        os.killpg(done.pid, 9)  # a child that hangs would outlive it
        out, err = done.communicate()
        pytest.fail("a forked child hangs")
    assert (out.strip(), done.returncode) == ("(64, 43)", 0), err

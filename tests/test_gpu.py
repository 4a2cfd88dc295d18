"""The checks of benchmarks/gpu.py, on the CPU: what fails elsewhere is then a device's doing."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch

from impasto.network.vgg import Stage

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))

import gpu


@pytest.mark.parametrize("name", gpu.CHECKS)
def test_what_a_device_can_break_holds_on_the_cpu(name):
    gpu.CHECKS[name]("cpu")


def test_the_checks_can_fail(monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(Stage, "halo", 0)  # windows that do not see beyond themselves
        with pytest.raises(AssertionError):
            gpu.CHECKS["windows are the whole"]("cpu")
    with monkeypatch.context() as patch:
        runs = iter(range(100))
        patch.setattr(
            gpu, "last_of", lambda _: gpu.argparse.Namespace(pixels=torch.ones(next(runs)))
        )
        with pytest.raises(AssertionError, match="differ"):
            gpu.CHECKS["two runs give the same bytes"]("cpu")

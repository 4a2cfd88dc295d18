"""What there is to work with: versions, devices, cores, weights, and how fast it will be."""

from __future__ import annotations

import platform
from collections.abc import Callable, Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Any, get_args

import torch

from impasto.config import Quality, configure
from impasto.job import calibration, memory, threads
from impasto.job.calibration import Calibration, choose_ways
from impasto.job.estimate import seconds
from impasto.job.job import network_of
from impasto.job.trials import Timing
from impasto.network import weights

PACKAGES = ("impasto", "torch", "numpy", "pillow", "scipy", "imagecodecs", "av", "pillow-heif")
SIZES_PX = (512, 1024, 4096)  # longer sides of pictures of 4:3 whose times are told
WINDOWS_FROM_PX = 4096
GIGA = 1e9


def facts(on_measure: Callable[[], None] | None = None) -> dict[str, Any]:
    """All of it, as JSON holds it, by topic.

    Args:
        on_measure: called where the processor has yet to be measured.
    """
    count = threads.default()
    found = calibration.calibrated(count, on_measure)
    return {
        "versions": versions(),
        "system": platform.platform(),
        "processor": {**calibration.processor(), "kernels": found.machine["kernels"]},
        "threads": {
            "used": count,
            "cores of this process": threads.cores(),
            "quota of its container": min(threads.quotas(), default="none"),
        },
        "memory": {
            "GB": round(memory.total_bytes() / GIGA, 1),
            "free for this process": round(memory.free_bytes(torch.device("cpu")) / GIGA, 1),
        },
        "devices": devices(),
        "measured": measured(found),
        "seconds": times(found, count),
        "weights": {row.name: row.what for row in weights.available() if row.present},
        "caches": {
            "weights": str(weights.cache_dir()),
            "calibration": str(calibration.path_of(found.machine)),
        },
    }


def versions() -> dict[str, str]:
    """Of Python and of the packages that are here."""
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def devices() -> dict[str, str]:
    """What could compute, by the word that a setting has for it."""
    found = {"cpu": calibration.processor()["model name"]}
    if torch.backends.mps.is_available():
        found["mps"] = "Apple's GPU"
    if torch.cuda.is_available():
        free, total = torch.cuda.mem_get_info()
        name = torch.cuda.get_device_name()
        found["cuda"] = f"{name}, {free / GIGA:.0f} of {total / GIGA:.0f} GB free"
    return found


def measured(found: Calibration) -> dict[str, Any]:
    """What a calibration says, and what was chosen by it."""
    ways = choose_ways("auto", torch.device("cpu"), int(found.machine["threads"]))
    chosen = {
        "precision": ways.precision,
        "Winograd's way in float32": {
            f"{channels} channels": f"from {least} patches"
            for channels, least in found.winograd.items()
        },
        "bfloat16 against float32": round(found.gain, 2) or None,
    }
    if found.why:
        chosen["not measured"] = found.why
    return {**chosen, "milliseconds of a convolution": [row(each) for each in found.timings]}


def row(timing: Timing) -> dict[str, Any]:
    """A timing in milliseconds."""
    both = {name: getattr(timing, name) for name in ("direct", "winograd", "bfloat16")}
    return {
        "channels": timing.channels,
        "map": f"{timing.width} x {timing.height}",
        **{name: round(1e3 * s, 2) if s else None for name, s in both.items()},
    }


def times(found: Calibration, count: int) -> Mapping[str, Mapping[str, int | None]]:
    """About how many seconds a picture of 4:3 takes on the CPU, by quality and longer side."""
    ways = choose_ways("auto", torch.device("cpu"), count)
    told: dict[str, dict[str, int | None]] = {}
    for quality in get_args(Quality):
        config = configure(quality=quality)
        network = network_of(weights.resolve(config.backbone), config)
        layers = [layer for layer, _ in (*config.content_layers, *config.style_layers)]
        told[quality] = {}
        for side in SIZES_PX:
            windows = side >= WINDOWS_FROM_PX
            size = (side * 3 // 4, side)
            about = seconds(network, layers, size, config, ways, found.timings, windows=windows)
            told[quality][f"{side} px"] = None if about is None else round(about)
    return told

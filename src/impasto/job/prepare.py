"""Load, check and plan all that a job needs, so that nothing is found wrong hours later."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch

from impasto import pictures
from impasto.config import Config, Size, seamless_size
from impasto.errors import ConfigError
from impasto.job import threads
from impasto.job.calibration import choose_ways
from impasto.job.casting import Masks, Several, compose
from impasto.job.job import Job
from impasto.modes import own_modes
from impasto.network import weights
from impasto.pictures import PictureSource


@own_modes()
def prepare(
    content: PictureSource | None,
    style: PictureSource | Several,
    config: Config,
    masks: Masks | None = None,
    on_measure: Callable[[], None] | None = None,
) -> Job:
    """Load and check all that a stylisation needs, so that nothing can be found wrong hours later.

    Args:
        content: as in `stylize`; None where there is none, for a texture.
        style: likewise.
        config: every setting.
        masks: which region of the photograph takes whose manner.
        on_measure: called where it is yet to be measured what this processor is fast at, which
            takes some 3 seconds.

    Raises:
        ImpastoError: of its children the one that fits.
    """
    count = config.threads or threads.default()
    with threads.using(count):
        scene = compose(content, style, config, masks)
    size = scene.photograph.size if content is None else output_size(scene.photograph.size, config)
    backbone = weights.resolve(config.backbone)
    device = choose_device(config.device)
    ways = choose_ways(config.precision, device, count, on_measure)
    job = Job.of(scene, backbone, device, ways, size, config, count)
    return replace(job, composed=lambda other: compose(content, style, other, masks))


def output_size(photograph: Size, config: Config) -> Size:
    """(height, width) of the result: the photograph's aspect, config's longer side."""
    if isinstance(config.size, tuple):
        height, width = config.size
        raise ConfigError(
            f"`size` {width}x{height}",
            "a picture has its photograph's shape: one number, the longer side, is wanted",
            f"try {max(config.size)}",
        )
    size = photograph if config.size == "original" else pictures.fit(photograph, config.size)
    return seamless_size(size, config.around)


def choose_device(name: str) -> torch.device:
    """The device of this name; ``auto`` is CUDA where there is one, else MPS, else the CPU."""
    present = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
        "cpu": True,
    }
    if name == "auto":
        name = next(kind for kind, there in present.items() if there)
    if not present[name]:
        there = ", ".join(kind for kind, there in present.items() if there)
        raise ConfigError(f"`device` {name!r}: this machine has none", f"here: auto, {there}")
    return torch.device(name)

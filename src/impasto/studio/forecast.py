"""Before the work: how long it will take here, and how much memory. Nothing is loaded but sizes."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from impasto.config import Config, Size

if TYPE_CHECKING:
    from impasto.network.weights import Weights

GIGABYTE = 1e9
FIRST_S, MINUTE_S, HOUR_S = 5, 60, 3600
_one_at_a_time = threading.Lock()  # a network is loaded for it, once


@dataclass(frozen=True)
class Forecast:
    """What a picture will take.

    Attributes:
        size: (height, width) of it.
        seconds: of work; None where this machine was never measured.
        peak_bytes: of memory.
        limit_bytes: that may be had.
        window_px: of the windows that it is computed in; None is whole.
    """

    size: Size
    seconds: float | None
    peak_bytes: int
    limit_bytes: int
    window_px: int | None

    @property
    def words(self) -> str:
        """For people: ``768 × 512 px, about 2 min, 1.4 GB of memory``."""
        height, width = self.size
        parts = [f"{width} × {height} px"]
        if self.seconds is not None:
            parts.append(f"about {duration(self.seconds)}")
        parts.append(f"{self.peak_bytes / GIGABYTE:.1f} GB of memory")
        if self.window_px:
            parts.append("in parts, to fit the memory")
        if self.peak_bytes > self.limit_bytes:
            parts.append(f"more than the {self.limit_bytes / GIGABYTE:.1f} GB that are free")
        return ", ".join(parts)


def duration(seconds: float) -> str:
    """``20 s``, ``3 min`` or ``1 h 20 min``."""
    if seconds < MINUTE_S:
        return f"{max(FIRST_S, round(seconds / FIRST_S) * FIRST_S)} s"
    if seconds < HOUR_S:
        return f"{round(seconds / MINUTE_S)} min"
    hours, rest = divmod(round(seconds / MINUTE_S), 60)
    return f"{hours} h {rest} min" if rest else f"{hours} h"


def forecast(photo: Path, paintings: Sequence[Path], config: Config, regions: int = 0) -> Forecast:
    """What a picture will take, by its size and this machine.

    Args:
        photo: its file.
        paintings: their files.
        config: every setting.
        regions: that a mask has.

    Raises:
        ImpastoError: of its children the one that fits.
    """
    from impasto.job import memory, threads
    from impasto.job.calibration import calibrated, choose_ways
    from impasto.job.estimate import seconds
    from impasto.job.job import network_of
    from impasto.job.plan import plan
    from impasto.job.prepare import choose_device, output_size

    size = output_size(size_of(photo), config)
    device, count = choose_device(config.device), config.threads or threads.default()
    with _one_at_a_time:
        ways = choose_ways(config.precision, device, count)
        network = network_of(weights_of(config.backbone), config, ways)
        used, free = memory.used_bytes(device), memory.free_bytes(device)
        originals = [size_of(photo), *(size_of(each) for each in paintings)]
        largest = (max(size), max(size))  # nothing is read larger than it will be looked at
        originals = [min(each, largest, key=area) for each in originals]
        known: dict[str, Any] = {"used_bytes": used, "free_bytes": free, "regions": regions}
        planned = plan(network, size, originals, config, **known)
        timings = calibrated(count).timings if device.type == "cpu" else ()
    layers = [layer for layer, _ in (*config.content_layers, *config.style_layers)]
    windows = planned.window_px is not None
    took = seconds(network, layers, size, config, ways, timings, windows=windows)
    return Forecast(size, took, planned.peak_bytes, planned.limit_bytes, planned.window_px)


def area(size: Size) -> int:
    """In pixels."""
    return size[0] * size[1]


@lru_cache(maxsize=2)
def weights_of(backbone: str) -> Weights:
    """The weights of the network that will look; read once."""
    from impasto.network import weights

    return weights.resolve(backbone)


def size_of(path: Path) -> Size:
    """(height, width) of a picture's file as it will be seen, by its header alone.

    Raises:
        PictureError: it can't be read.
    """
    stat = path.stat()
    return _size_of(path, stat.st_mtime_ns, stat.st_size)


@lru_cache(maxsize=256)
def _size_of(path: Path, _changed_ns: int, _bytes: int) -> Size:
    from PIL import ExifTags

    from impasto.pictures.opening import open_image, read_bytes

    what = f"picture '{path.name}'"
    image = open_image(read_bytes(path, what), what)
    turned = False
    try:
        turned = int(image.getexif().get(ExifTags.Base.Orientation, 1)) in (5, 6, 7, 8)
    except Exception:  # a broken EXIF block raises anything and is no reason to refuse
        turned = False
    return (image.width, image.height) if turned else (image.height, image.width)

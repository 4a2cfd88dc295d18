"""By which ways this machine computes fastest: measured where it runs, once, and kept.

What was measured is a file in the cache directory, for one processor, number of threads and version
of PyTorch. One that is damaged, or of another machine, is as good as none; and where nothing can be
measured or kept, the safe ways are taken: float32 and PyTorch's own convolution.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch

from impasto import files
from impasto.errors import ConfigError
from impasto.job.trials import Timing
from impasto.network.conv import NEVER, NOWHERE, LeastPatches, patches

FORMAT = 1  # of the file, and of what is measured
LONGEST_S = 20.0  # that the trials may take; on an idle machine they take 3
CHECKSUM = "sha256"
# The fastest way is no longer the fastest when its gain is within what two measurements differ by.
WORTH_BFLOAT16, WORTH_WINOGRAD = 1.15, 1.1
CPU_INFO = Path("/proc/cpuinfo")
TOLD_BY_CPU_INFO = ("vendor_id", "cpu family", "model", "model name", "stepping", "flags")
# What makes the libraries compute in another way on the same processor.
SWITCHES = (
    "ONEDNN_MAX_CPU_ISA",
    "DNNL_MAX_CPU_ISA",
    "ATEN_CPU_CAPABILITY",
    "MKL_ENABLE_INSTRUCTIONS",
    "MKL_DEBUG_CPU_TYPE",
)
ENVIRONMENT = "IMPASTO_CALIBRATION"
SAFE_WORD = "safe"  # what that may say: measure nothing, take nothing for granted


@dataclass(frozen=True)
class Ways:
    """How a network's features are computed. A recipe holds it: other ways round otherwise.

    Attributes:
        dtype: of the features.
        winograd: where convolutions in float32 go Winograd's way, on a CPU.
    """

    dtype: torch.dtype = torch.float32
    winograd: LeastPatches = field(default_factory=lambda: NOWHERE)

    @property
    def precision(self) -> str:
        """The features' type in words."""
        return str(self.dtype).removeprefix("torch.")


EXACT = Ways()  # as PyTorch computes, in float32


@dataclass(frozen=True)
class Calibration:
    """What was measured on this machine, and what follows from it.

    Attributes:
        machine: what it holds for, in words by name.
        timings: of convolutions; none where nothing could be measured.
        why: where there are none, the reason.
    """

    machine: Mapping[str, str]
    timings: tuple[Timing, ...] = ()
    why: str = ""

    @property
    def winograd(self) -> LeastPatches:
        """By channels, from how many patches on Winograd's is the faster way in float32."""
        found = {}
        for channels in {each.channels: None for each in self.timings}:
            gains = {
                patches(t.height, t.width): t.direct / t.winograd
                for t in self.timings
                if t.channels == channels
            }
            slow = [size for size, gain in gains.items() if gain < WORTH_WINOGRAD]
            faster = [size for size in gains if size > max(slow, default=0)]
            if faster:
                found[channels] = min(faster)
            elif found:  # a table speaks for all channels above those that it names
                found[channels] = NEVER
        return found or NOWHERE

    @property
    def has_bfloat16(self) -> bool:
        """Whether the processor computes in bfloat16 itself."""
        return bool(self.timings) and all(each.bfloat16 for each in self.timings)

    @property
    def gain(self) -> float:
        """How many times as fast convolutions are in bfloat16 as in float32; 0 is not at all."""
        if not self.has_bfloat16:
            return 0.0
        fastest = sum(min(each.direct, each.winograd) for each in self.timings)
        return fastest / sum(each.bfloat16 or 0.0 for each in self.timings)

    @property
    def prefers_bfloat16(self) -> bool:
        """Whether that is worth its rounding."""
        return self.gain >= WORTH_BFLOAT16

    def to_json(self) -> dict[str, Any]:
        """As a file holds it, with a checksum."""
        known = {"calibration": FORMAT, **asdict(self)}
        return {**known, CHECKSUM: checksum(known)}

    @classmethod
    def from_json(cls, known: Any, machine: Mapping[str, str]) -> Calibration:
        """The calibration that gave this.

        Raises:
            ValueError: it is none, is damaged, or holds for another machine than this one.
        """
        try:
            body = {name: value for name, value in known.items() if name != CHECKSUM}
            if known[CHECKSUM] != checksum(body):
                raise ValueError("it is damaged")
            if (known["calibration"], known["machine"]) != (FORMAT, dict(machine)):
                raise ValueError("it is of another machine or version")
            timings = tuple(Timing(**each) for each in known["timings"])
            if not all(is_good(timing) for timing in timings):
                raise ValueError("it has seconds that are none")
            return cls(machine, timings, str(known["why"]))
        except (LookupError, TypeError, AttributeError) as error:
            raise ValueError("it is no calibration") from error


def is_good(timing: Timing) -> bool:
    """Whether its seconds are such."""
    return all(
        isinstance(seconds, float) and 0 < seconds < LONGEST_S
        for seconds in (timing.direct, timing.winograd, timing.bfloat16)
        if seconds is not None
    )


def checksum(known: Mapping[str, Any]) -> str:
    """Of what JSON holds."""
    return hashlib.sha256(json.dumps(known, sort_keys=True).encode()).hexdigest()


KNOWN: dict[int, Calibration] = {}  # by number of threads, as far as this process has asked


def calibrated(threads: int, on_measure: Callable[[], None] | None = None) -> Calibration:
    """What this machine is fast at with so many threads: as kept, or else measured now.

    Args:
        threads: that compute at once.
        on_measure: called where it has to be measured, which takes some 3 seconds.
    """
    if os.environ.get(ENVIRONMENT) == SAFE_WORD:
        return Calibration(machine_with(threads), why=f"{ENVIRONMENT}={SAFE_WORD}")
    if threads not in KNOWN:
        KNOWN[threads] = kept_or_measured(threads, on_measure)
    return KNOWN[threads]


def kept_or_measured(threads: int, on_measure: Callable[[], None] | None) -> Calibration:
    """The one in the cache; a new one where there is none and it can be kept."""
    machine = machine_with(threads)
    path = path_of(machine)
    with suppress(OSError, ValueError):
        return read(path, machine)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with files.locked(path.with_suffix(".lock"), on_wait=lambda: None):
            with suppress(OSError, ValueError):  # another process has measured meanwhile
                return read(path, machine)
            # What can't be kept is not measured: each run might find something else. What is kept
            # meanwhile is no calibration, should this process end on the way.
            files.write_atomically(path, b"")
            if on_measure:
                on_measure()
            found = measure(machine, threads)
            files.write_atomically(path, json.dumps(found.to_json(), indent=1).encode())
            return found
    except OSError as error:
        return Calibration(machine, why=f"{path.parent} cannot be written: {error.strerror}")


def read(path: Path, machine: Mapping[str, str]) -> Calibration:
    """The calibration in a file.

    Raises:
        OSError: it can't be read.
        ValueError: it is not to be trusted.
    """
    return Calibration.from_json(json.loads(path.read_bytes()), machine)


def forget(threads: int) -> None:
    """Measure anew when it is next asked for."""
    KNOWN.pop(threads, None)
    with suppress(OSError):
        path_of(machine_with(threads)).unlink()


def path_of(machine: Mapping[str, str]) -> Path:
    """The file of this machine's calibration, be it there or not."""
    digits = checksum(machine)[:16]
    return files.cache_dir("calibration") / f"{digits}.json"


def machine_with(threads: int) -> dict[str, str]:
    """What a calibration holds for, in words by name."""
    return {
        **processor(),
        "threads": str(threads),
        "torch": torch.__version__,
        "kernels": torch.backends.cpu.get_cpu_capability(),
        **{name: os.environ[name] for name in SWITCHES if name in os.environ},
    }


def processor() -> dict[str, str]:
    """What the system tells of the processor; its abilities as a checksum, since they are many."""
    known = {"system": platform.system(), "architecture": platform.machine()}
    with suppress(OSError):
        lines = CPU_INFO.read_text().split("\n\n")[0].splitlines()
        told = dict(line.split(":", 1) for line in lines if ":" in line)
        known |= {
            name: told_value.strip()
            for name, told_value in ((each.strip(), value) for each, value in told.items())
            if name in TOLD_BY_CPU_INFO
        }
    known.setdefault("model name", platform.processor())
    if "flags" in known:
        known["flags"] = hashlib.sha256(known["flags"].encode()).hexdigest()[:16]
    return known


def measure(machine: Mapping[str, str], threads: int) -> Calibration:
    """Try this machine out, in a process of its own, whatever comes of it."""
    here = str(Path(files.__file__).parents[1])
    path = os.pathsep.join(filter(None, (here, os.environ.get("PYTHONPATH"))))
    try:
        done = subprocess.run(
            [python(), "-m", "impasto.job.trials", str(threads)],
            env={**os.environ, "PYTHONPATH": path},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=LONGEST_S,
            check=False,
        )
        output, why = done.stdout, f"the trials ended with status {done.returncode}"
    except subprocess.TimeoutExpired as error:
        output, why = error.stdout or b"", f"the trials took more than {LONGEST_S:.0f} s"
    except (OSError, ValueError) as error:
        output, why = b"", f"the trials cannot be run: {error}"
    timings = last_told(output.splitlines())
    return Calibration(machine, timings, "" if timings else why)


def python() -> str:
    """The Python that runs this, as a command.

    Raises:
        ValueError: it is inside another program, which is not to be started once more.
    """
    name = Path(sys.executable or "").name.lower()
    if not name.startswith(("python", "pypy")):
        raise ValueError(f"{name or 'this program'} is no Python")
    return sys.executable


def last_told(lines: Iterable[bytes]) -> tuple[Timing, ...]:
    """The timings of the last whole line that has good ones; a process that died leaves a part."""
    found: Sequence[Timing] = ()
    for line in lines:
        with suppress(ValueError, LookupError, TypeError):
            timings = [Timing(**each) for each in json.loads(line)["timings"]]
            found = timings if all(map(is_good, timings)) else found
    return tuple(found)


def choose_ways(
    precision: str,
    device: torch.device,
    threads: int,
    on_measure: Callable[[], None] | None = None,
) -> Ways:
    """The fastest ways that this machine has.

    Args:
        precision: a word of Config's; ``auto`` is bfloat16 where the device is faster at it.
        device: that computes.
        threads: of a CPU.
        on_measure: as in ``calibrated``.

    Raises:
        ConfigError: bfloat16 where the device has none.
    """
    wanted = precision == "bfloat16"
    if device.type == "cuda":
        real = torch.cuda.is_bf16_supported(including_emulation=False)
        return Ways(torch.bfloat16) if wanted or (real and precision == "auto") else EXACT
    if device.type != "cpu":
        if wanted:
            raise no_bfloat16(device.type, "elsewhere than on CUDA and CPUs features are float32")
        return EXACT
    found = calibrated(threads, on_measure)
    if wanted and not found.has_bfloat16:
        raise no_bfloat16("this processor", found.why or "it has no instructions for it")
    if wanted or (precision == "auto" and found.prefers_bfloat16):
        return Ways(torch.bfloat16)
    return Ways(torch.float32, found.winograd)


def ways_of(precision: str, winograd: LeastPatches, device: torch.device, threads: int) -> Ways:
    """The ways of another run, as far as this machine has them: else float32.

    Args:
        precision: of that run's features.
        winograd: likewise.
        device: that computes here.
        threads: of a CPU.
    """
    here = device.type == "cuda" or (device.type == "cpu" and calibrated(threads).has_bfloat16)
    if precision == "bfloat16" and here:
        return Ways(torch.bfloat16)
    return Ways(torch.float32, winograd)


def no_bfloat16(where: str, why: str) -> ConfigError:
    """The error of who asks for it all the same."""
    return ConfigError(f"`precision` 'bfloat16' on {where}", why, "leave `precision` out")

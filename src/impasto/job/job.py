"""A job: pictures, a network and a config that fit together, to be run, kept and recorded."""

from __future__ import annotations

import io
import platform
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from importlib.metadata import version
from itertools import accumulate
from pathlib import Path
from typing import Any

import PIL.Image
import torch
from torch import Tensor

from impasto import pictures
from impasto.config import LAST, Config, Size, schedule
from impasto.errors import DivergenceError, PictureError
from impasto.job.checkpoint import Checkpoint, Keeper, check_fits, check_folder
from impasto.job.plan import Plan, work_bytes
from impasto.job.scene import Scene
from impasto.network import weights
from impasto.network.vgg import VGG
from impasto.pictures import Picture, color
from impasto.transfer.optimize import Step, Subject, enlarge, optimize

OnStep = Callable[[Step], None]

CTRL_C = "Ctrl-C"
BROKEN = (DivergenceError, MemoryError, RuntimeError)  # torch out of memory is a RuntimeError


@dataclass(frozen=True)
class Result:
    """A finished picture and how it came about.

    Attributes:
        pixels: (1, 3, H, W), float32, sRGB in [0, 1].
        alpha: (1, 1, H, W) in [0, 1], the photograph's transparency, or None.
        history: a row for each iteration: iteration, height, width, loss, each term's loss, and a
            note where something happened that a person should know of.
        recipe: every setting, the backbone and its checksum, the inputs' sha256, versions and
            final losses. ``save`` writes it into the file.
        stopped: why the work ended early: ``CTRL_C``, or what went wrong; None if it did not.
    """

    pixels: Tensor = field(repr=False)
    alpha: Tensor | None = field(repr=False)
    history: list[dict[str, Any]] = field(repr=False)
    recipe: dict[str, Any]
    stopped: str | None = None

    @property
    def image(self) -> PIL.Image.Image:
        """The picture, RGB, or RGBA where the photograph had transparency."""
        return pictures.to_pil(self.pixels, self.alpha)

    def save(self, path: str | Path, *, bits: int = 8, recipe: bool = True) -> Path:
        """Write the picture; its format is the path's suffix. ``bits`` 16 is for PNG and TIFF."""
        kept = {**self.recipe, "bits": bits} if recipe else None
        return pictures.save(self.pixels, path, alpha=self.alpha, recipe=kept, bits=bits)

    def _repr_png_(self) -> bytes:
        """What a notebook shows."""
        buffer = io.BytesIO()
        self.image.save(buffer, "PNG")
        return buffer.getvalue()


@dataclass(frozen=True)
class Job:
    """Pictures, a network and a config that fit together: all checked, nothing run yet.

    Attributes:
        scene: the photograph, and which part of it takes whose manner.
        backbone: the network's weights.
        device: where it runs.
        dtype: of the network's features.
        size: (height, width) of the result.
        plan: whole or in windows, and the memory that it will take.
        config: every setting.
    """

    scene: Scene
    backbone: weights.Weights
    device: torch.device
    dtype: torch.dtype
    size: Size
    plan: Plan
    config: Config

    @property
    def photograph(self) -> Picture:
        """What is repainted."""
        return self.scene.photograph

    @property
    def iterations(self) -> int:
        return sum(count for _, count in schedule(self.size, self.config))

    def steps(self, after: Step | None = None) -> Iterator[Step]:
        """The optimisation, one Step an iteration: all, or those after one of the same job.

        Nothing runs between steps.
        """
        network = network_of(self.backbone, self.config).lowered(self.dtype).to(self.device)
        after = after.to(self.device) if after else None
        side = self.plan.side
        steps = optimize(network, self._subject(), self.size, self.config, after, side)
        return (replace(step, finish=self._finish) for step in steps)

    def first(self) -> Tensor:
        """What the optimisation starts from, at the first scale, (1, 3, h, w), as steps show it."""
        scale, _ = schedule(self.size, self.config)[0]
        return self._finish(self._subject().start(scale).to("cpu", copy=True))

    def in_windows_of(self, facts: Mapping[str, Any]) -> Job:
        """It, computed in the windows of the run that has these facts; memory may have changed.

        Windows of another size round otherwise, and the bytes would differ.
        """
        side: int | None = facts.get("windows_px")
        network = network_of(self.backbone, self.config)
        now, then = (
            work_bytes(network, self.size, self.scene.sizes, self.config, each, **self.scene.extent)
            for each in (self.plan.side, side)
        )
        peak = self.plan.peak_bytes - now + then
        return replace(self, plan=replace(self.plan, side=side, peak_bytes=peak))

    def run(self, on_step: OnStep | None = None, before: Checkpoint | None = None) -> Result:
        """The whole optimisation; one that ends early keeps what there is after a first step.

        Args:
            on_step: called after each iteration.
            before: a checkpoint of this job, to go on from; the result is then that of a run that
                was never interrupted.

        Raises:
            CheckpointError: the checkpoint is of another job.
        """
        history: list[dict[str, Any]] = []
        last, stopped = None, None
        if before:
            check_fits(before, self.facts())
            history, last = list(before.history), before.step
        try:
            for step in until_broken(self.steps(last), begun=bool(before)):
                if isinstance(step, str):
                    stopped = step
                    break
                last = step
                history.append(step.row())
                if on_step:
                    on_step(step)
        except KeyboardInterrupt:
            if last is None:
                raise
            stopped = CTRL_C
        assert last is not None, "every schedule has an iteration"
        return self._result(last, history, stopped)

    def _result(self, last: Step, history: list[dict[str, Any]], stopped: str | None) -> Result:
        pixels = last.pixels
        if last.scale != self.size:  # stopped at a coarser scale
            detail, around = self._subject().detail, self.config.tileable
            pixels = enlarge(pixels.to(self.device), self.size, detail, around=around)
        pixels = self._finish(pixels.to("cpu", copy=True))
        alpha = self.photograph.alpha
        if alpha is not None:
            alpha = pictures.resize(alpha, self.size)
        return Result(pixels, alpha, history, self.recipe(last), stopped)

    def _finish(self, pixels: Tensor) -> Tensor:
        """The picture to show, of the pixels that were optimised, (1, 3, h, w) on the CPU."""
        original, size = self.scene.original, (pixels.shape[2], pixels.shape[3])
        if original is None:
            return pixels
        photograph = pictures.resize(original.pixels, size)
        if self.config.color == "luminance":
            pixels = color.with_luminance(photograph, pixels)
        keep = self.scene.kept_at(size)
        return pixels if keep is None else torch.lerp(pixels, photograph, keep)

    def keeper(
        self, directory: Path, command: Mapping[str, Any], before: Checkpoint | None = None
    ) -> Keeper:
        """A listener that keeps a checkpoint in a folder.

        Args:
            directory: as in Keeper.
            command: as in Checkpoint.
            before: the checkpoint that the run is to go on from.

        Raises:
            CheckpointError: ``before`` is of another job, or the folder is none.
        """
        check_folder(directory)
        if before:
            check_fits(before, self.facts())
        ends = set(accumulate(count for _, count in schedule(self.size, self.config)))
        return Keeper(directory, self.facts(), ends, command, before)

    def recipe(self, last: Step) -> dict[str, Any]:
        """All that is needed to make the picture again, and what came out; no times, no paths."""
        return {
            **self.facts(),
            "iterations": {"done": last.iteration, "planned": last.iterations},
            "losses": {"total": last.loss, **last.losses},
        }

    def facts(self) -> dict[str, Any]:
        """All that decides the picture; no times, no paths."""
        settings = asdict(self.config)
        settings.pop("snapshots")
        for name in ("backbone", "start"):  # where they are paths: the file's name
            settings[name] = Path(settings[name]).name
        packages = ("impasto", "torch", "numpy", "pillow")
        return {
            "settings": settings,
            "size": list(self.size),
            "backbone": {
                "name": self.backbone.name,
                "source": self.backbone.source,
                "sha256": self.backbone.sha256,
            },
            "inputs": self.scene.inputs,
            **({"regions": self.scene.regions} if self.scene.regions else {}),
            "device": str(self.device),
            "precision": str(self.dtype).removeprefix("torch."),
            "windows_px": self.plan.side,
            "versions": {
                "python": platform.python_version(),
                **{package: version(package) for package in packages},
            },
        }

    def _subject(self) -> Subject:
        return self.scene.subject(self.size, self.config, self.device)


def network_of(backbone: weights.Weights, config: Config) -> VGG:
    """The network that looks, in float32, on the CPU."""
    return VGG(backbone.state, pooling=config.pooling, edges=config.edges)


def until_broken(steps: Iterator[Step], begun: bool) -> Iterator[Step | str]:
    """The steps; if they break off once there is a picture, the last item says why."""
    if not begun:
        yield next(steps)
    try:
        yield from steps
    except BROKEN as error:
        yield " ".join(str(error).split()) or type(error).__name__


@dataclass(frozen=True)
class Snapshots:
    """A listener that writes the picture after chosen iterations: DIR/iteration-0100.png.

    The directory is made at once, so that one that can't be is found before the work.

    Raises:
        PictureError: the directory can't be made, or, when called, a picture not be written.
    """

    directory: Path
    iterations: tuple[int, ...]

    def __post_init__(self) -> None:
        try:
            self.directory.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            given = f"{self.directory}: the folder cannot be made ({error.strerror})"
            raise PictureError(given, "", "choose another folder for the snapshots") from error

    def paths(self, iterations: int) -> dict[int, Path]:
        """The files to come, by iteration, of a run of so many iterations."""
        digits = max(4, len(str(iterations)))
        due = {iterations if number == LAST else number for number in self.iterations}
        return {n: self.directory / f"iteration-{n:0{digits}}.png" for n in due if n <= iterations}

    def __call__(self, step: Step) -> None:
        path = self.paths(step.iterations).get(step.iteration)
        if path:
            pictures.save(step.picture(), path)

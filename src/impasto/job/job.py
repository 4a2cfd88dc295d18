"""A job: pictures, a network and a config that fit together, to be run, kept and recorded."""

from __future__ import annotations

import io
import platform
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from itertools import accumulate
from pathlib import Path
from typing import Any, Literal, get_args

import PIL.Image
import torch
from torch import Tensor

from impasto import pictures
from impasto.config import LAST, STARTS, Config, Size
from impasto.errors import ConfigError, DivergenceError, PictureError, did_you_mean
from impasto.job import memory, threads
from impasto.job.calibration import EXACT, Ways, ways_of
from impasto.job.checkpoint import Checkpoint, Checkpointer, check_fits, check_folder
from impasto.job.plan import Plan, plan, work_bytes
from impasto.job.recipe import Network, Recipe, Steering, kept_settings
from impasto.job.scene import Scene
from impasto.modes import made_in_own_modes, own_modes
from impasto.network import weights
from impasto.network.vgg import VGG, convolution_names, minimum_side_px
from impasto.pictures import Picture, color
from impasto.pictures.credits import NO_CREDITS, Credits
from impasto.transfer.optimize import (
    Step,
    Subject,
    Windows,
    changes,
    enlarge,
    optimize,
    window_at,
)
from impasto.transfer.schedule import schedule, steered

OnStep = Callable[[Step], None]
Steer = Callable[[Step], Mapping[str, Any]]  # settings to change after a step, mostly none

OnInterrupt = Literal["keep", "raise"]
CTRL_C = "Ctrl-C"
PACKAGES = ("impasto", "torch", "numpy", "pillow")  # whose versions bytes may depend on
# Settings that loading and casting have followed: a job's pictures, network and device.
CAST = (
    "backbone",
    "color",
    "color_match",
    "device",
    "precision",
    "size",
    "style_scale",
    "style_weights",
    "threads",
    "tileable",
)
# Settings that may change while a job runs: what it goes for, and nothing of how it computes.
STEERABLE = (
    "alpha",
    "beta",
    "color",
    "color_match",
    "detail",
    "hand",
    "relations",
    "slices",
    "strength",
    "style_scale",
    "style_weights",
    "tv_weight",
)
RUN_ERRORS = (DivergenceError, MemoryError, RuntimeError)  # torch out of memory is a RuntimeError


@dataclass(frozen=True)
class Result:
    """A finished picture and how it came about.

    Attributes:
        pixels: (1, 3, H, W), float32, sRGB in [0, 1].
        alpha: (1, 1, H, W) in [0, 1], the photograph's transparency, or None.
        history: a row for each iteration: iteration, height, width, loss, each term's loss, and a
            note where something happened that a person should know of.
        recipe: all that decided the picture, and how it went. ``save`` writes it into the file.
        stopped: why the work ended early: ``impasto.api.CTRL_C``, or what went wrong; None if it
            did not.
        credits: the photograph's artist, copyright and resolution, which ``save`` writes too.
    """

    pixels: Tensor = field(repr=False)
    alpha: Tensor | None = field(repr=False)
    history: list[dict[str, Any]] = field(repr=False)
    recipe: Recipe
    stopped: str | None = None
    credits: Credits = NO_CREDITS

    @property
    def image(self) -> PIL.Image.Image:
        """The picture, RGB, or RGBA where the photograph had transparency."""
        return pictures.to_pil(self.pixels, self.alpha)

    def save(self, path: str | Path, *, bits: int = 8, recipe: bool = True) -> Path:
        """Write the picture; its format is the path's suffix. ``bits`` 16 is for PNG and TIFF."""
        known = replace(self.recipe, bits=bits).to_json() if recipe else None
        return pictures.save(
            self.pixels, path, alpha=self.alpha, recipe=known, bits=bits, credits=self.credits
        )

    def _repr_png_(self) -> bytes:
        """What a notebook shows."""
        buffer = io.BytesIO()
        self.image.save(buffer, "PNG")
        return buffer.getvalue()


def straight_on(_: Step) -> Mapping[str, Any]:
    """Change nothing."""
    return {}


@dataclass(frozen=True)
class Turn:
    """A change of aim on the way of a run.

    Attributes:
        after: the iteration, counted from 1, that was the last with the aim before.
        settings: that changed.
        scene: from there on.
        config: from there on.
    """

    after: int
    settings: Mapping[str, Any]
    scene: Scene
    config: Config


@dataclass(frozen=True)
class Job:
    """Pictures, a network and a config that fit together: all checked, nothing run yet.

    Attributes:
        scene: the photograph, and which part of it takes whose manner; before any turn.
        backbone: the network's weights.
        device: where it runs.
        ways: how the network's features are computed.
        size: (height, width) of the result.
        plan: whole or in windows, and the memory that it will take.
        config: every setting, before any turn.
        threads: how many compute at once, on the CPU.
        windows: that it is computed in, where not as planned.
        turns: changes of its aim on the way, in their order.
        composed: the scene of the same pictures with other settings; None where nobody can tell.
    """

    scene: Scene
    backbone: weights.Weights
    device: torch.device
    ways: Ways
    size: Size
    plan: Plan
    config: Config
    threads: int
    windows: Windows = ()
    turns: tuple[Turn, ...] = ()
    composed: Callable[[Config], Scene] | None = field(default=None, repr=False, compare=False)

    @classmethod
    def of(
        cls,
        scene: Scene,
        backbone: weights.Weights,
        device: torch.device,
        ways: Ways,
        size: Size,
        config: Config,
        count: int,
    ) -> Job:
        """The job of these, once they are known to fit, planned by the memory that there is.

        ``count`` is how many threads compute at once, on the CPU.

        Raises:
            ConfigError: a layer that the network has not, a picture too small for the layers, or
                less memory than can do.
        """
        check_layers(backbone, config)
        check_size(size, config)
        planned = plan(
            network_of(backbone, config, ways),
            size,
            scene.sizes,
            config,
            used_bytes=memory.used_bytes(device),
            free_bytes=memory.free_bytes(device),
            **scene.extent,
        )
        return cls(scene, backbone, device, ways, size, planned, config, count)

    def with_settings(self, size: Size | None = None, **settings: Any) -> Job:
        """The job of the same pictures with other settings, checked and planned anew.

        Args:
            size: (height, width) of the result; None leaves it.
            **settings: attributes of ``Config``, but for those in CAST, which have decided what
                the network sees; of starts, those in words.

        Raises:
            ConfigError: a setting that only `prepare` can follow, or as in ``of``.
        """
        config = replace(self.config, **settings)
        fixed = [name for name in CAST if getattr(config, name) != getattr(self.config, name)]
        if config.start != self.config.start and config.start not in STARTS:
            fixed.append("start")
        if fixed:
            given = (
                f"`{fixed[0]}` {getattr(config, fixed[0])!r} for pictures that are loaded already"
            )
            raise ConfigError(given, "", "prepare another job")
        scene = self.scene
        if config.start in STARTS:
            scene = replace(scene, start=None, inputs=replace(scene.inputs, start=None))
        size = size or self.size
        job = Job.of(scene, self.backbone, self.device, self.ways, size, config, self.threads)
        return replace(job, composed=self.composed)

    @property
    def photograph(self) -> Picture:
        """What is repainted."""
        return self.scene.photograph

    @property
    def scales(self) -> list[tuple[Size, int]]:
        """Sizes (height, width) from coarse to fine, each with its number of iterations."""
        return steered(schedule(self.size, self.config), [turn.after for turn in self.turns])

    @property
    def iterations(self) -> int:
        return sum(count for _, count in self.scales)

    def steps(self, resume_from: Step | None = None) -> Iterator[Step]:
        """The optimisation, one Step an iteration: all, or those after one of the same job.

        Nothing runs between steps, and PyTorch has its caller's number of threads there.
        """
        return made_in_own_modes(threads.paced(self._turning(resume_from), self.threads))

    def _turning(self, last: Step | None) -> Iterator[Step]:
        """The steps of one aim after the other."""
        ends = [*(turn.after for turn in self.turns), self.iterations]
        for turn, end in zip((None, *self.turns), ends, strict=True):
            if last and last.iteration >= end:
                continue
            aimed = self.aimed(end)
            for step in aimed._straight(last):
                turned = turn.settings if turn and step.iteration == turn.after + 1 else {}
                told = replace(step, finish=aimed._finish, turn=turned)
                last = told if told.iteration == end else None  # else its tensors may go
                yield told
                if last:
                    break

    def _straight(self, last: Step | None) -> Iterator[Step]:
        """The steps that a job would make without turns, where it has come to one that has."""
        network = network_of(self.backbone, self.config, self.ways).to(self.device)
        last = last.to(self.device) if last else None
        windows = self.windows or ((1, self.plan.window_px),)
        turns = [turn.after for turn in self.turns]
        return optimize(network, self.subject(), self.size, self.config, last, windows, turns)

    def aimed(self, iteration: int) -> Job:
        """The same job with the scene and config that this iteration, counted from 1, has."""
        at_last = next((turn for turn in reversed(self.turns) if turn.after < iteration), None)
        return replace(self, scene=at_last.scene, config=at_last.config) if at_last else self

    @own_modes()
    def first(self) -> Tensor:
        """What the optimisation starts from, at the first scale, (1, 3, h, w), as steps show it."""
        scale, _ = self.scales[0]
        return self._finish(self.subject().start(scale).to("cpu", copy=True))

    def in_windows(self, windows: Windows) -> Job:
        """The same job, computed in the windows of another run; memory may have changed since.

        Windows of another size round otherwise, and the bytes would differ.
        """
        network = network_of(self.backbone, self.config, self.ways)
        window_px = window_at(windows, 1)
        now, then = (
            work_bytes(network, self.size, self.scene.sizes, self.config, each, **self.scene.extent)
            for each in (self.plan.window_px, window_px)
        )
        peak = self.plan.peak_bytes - now + then
        return replace(
            self,
            plan=replace(self.plan, window_px=window_px, peak_bytes=peak),
            windows=tuple(windows),
        )

    def steered(self, steering: Steering) -> Job:
        """The same job, with its aim changed on the way; errors as ``turned``."""
        job = self
        for after, settings in steering:
            job = job.turned(after, settings)
        return job

    @own_modes()
    def turned(self, after: int, settings: Mapping[str, Any]) -> Job:
        """The same job, which from an iteration on goes for something else.

        It goes on from the picture as it stands, at the scale where it is, whose iterations begin
        anew.

        Args:
            after: the last iteration, counted from 1, with the aim before.
            settings: of those in STEERABLE; what is so already changes nothing.

        Raises:
            ConfigError: another setting, one out of range, or no place for a turn.
            PictureError: a picture has to be read again, and is another one by now.
        """
        check_steerable(settings)
        before = self.aimed(self.iterations)
        config = replace(before.config, **settings)
        changed = {n: v for n in settings if (v := getattr(config, n)) != getattr(before.config, n)}
        if not changed:
            return self
        last = self.turns[-1].after if self.turns else 0
        if not last < after < self.iterations:
            allowed = f"after {last}, and before {self.iterations}, which is the last"
            raise ConfigError(f"a change of aim after iteration {after}", allowed)
        turn = Turn(after, changed, before._composed_for(config), config)
        return replace(self, turns=(*self.turns, turn))

    def _composed_for(self, config: Config) -> Scene:
        """The scene of the same pictures with other settings."""
        cast = any(getattr(config, name) != getattr(self.config, name) for name in CAST)
        if not cast and self.scene.inputs.photograph:
            return self.scene
        if self.composed is None:
            raise ConfigError("a change of pictures that nobody can load again", "", "use prepare")
        with threads.using(self.threads):
            scene = self.composed(config)
        if scene.inputs != self.scene.inputs:
            raise PictureError("a picture of this run is another one by now", "", "begin anew")
        return scene

    def in_ways_of(self, recipe: Recipe) -> Job:
        """The same job, its features computed as those of another run, where this device can.

        Unless a precision is asked for by its name.
        """
        if self.config.precision != "auto":
            return self
        ways = ways_of(recipe.precision, recipe.winograd, self.device, self.threads)
        return replace(self, ways=ways)

    def run(
        self,
        on_step: OnStep | None = None,
        resume_from: Checkpoint | None = None,
        *,
        on_interrupt: OnInterrupt = "keep",
        steer: Steer = straight_on,
    ) -> Result:
        """The whole optimisation; one that ends early keeps what there is after a first step.

        Args:
            on_step: called after each iteration.
            resume_from: a checkpoint of this job; the result is then that of a run that was never
                interrupted.
            on_interrupt: what Ctrl-C does once there is a picture: ``keep`` gives it as it stands,
                ``raise`` lets KeyboardInterrupt through.
            steer: asked after each iteration but the last, and where a run is gone on with; gives
                the settings that are to change, as in ``turned``. The recipe says which did.

        Raises:
            CheckpointError: the checkpoint is of another job.
            ConfigError: ``on_interrupt`` is another word, or ``steer`` asks for what can't be.
            KeyboardInterrupt: Ctrl-C, before the first step or where it is to be raised.
        """
        check_interrupt(on_interrupt)
        history: list[dict[str, Any]] = []
        last, stopped = None, None
        job = self
        if resume_from:
            check_fits(resume_from, self.recipe)
            history, last = list(resume_from.history), resume_from.step
            job = self.gone_on_with(resume_from)
            job = job.asked(steer, last, history)
        steps = job.steps(last)
        try:
            while True:
                step, stopped = next_of(steps, begun=last is not None)
                if step is None:
                    break
                last = step
                history.append(step.row())
                if on_step:
                    on_step(step)
                if (turned := job.asked(steer, step, history)) is not job:
                    job, steps = turned, turned.steps(step)
        except KeyboardInterrupt:
            if last is None or on_interrupt == "raise":
                raise
            stopped = CTRL_C
        assert last is not None, "every schedule has an iteration"
        return job._result(last, history, stopped)

    def gone_on_with(self, resume_from: Checkpoint) -> Job:
        """The same job as the run of a checkpoint went: its ways, windows and turns."""
        job = self.in_ways_of(resume_from.recipe).in_windows(resume_from.windows)
        return job.steered(() if self.turns else resume_from.steering)

    def asked(self, steer: Steer, step: Step, history: Sequence[Mapping[str, Any]]) -> Job:
        """The job to go on with after a step; this one where nothing is to change."""
        last = self.turns[-1].after if self.turns else 0
        if not last < step.iteration < self.iterations:  # at its end, or turned here already
            return self
        turned = self.turned(step.iteration, steer(step))
        if turned is self:
            return self
        return replace(turned, windows=changes(row["window_px"] for row in history))

    @own_modes()
    def _result(self, last: Step, history: list[dict[str, Any]], stopped: str | None) -> Result:
        pixels, aimed = last.pixels, self.aimed(last.iteration)
        if last.scale != self.size:  # stopped at a coarser scale
            detail, around = aimed.subject().detail, self.config.around
            pixels = enlarge(pixels.to(self.device), self.size, detail, around=around)
        pixels = aimed._finish(pixels.to("cpu", copy=True))
        alpha = self.photograph.alpha
        if alpha is not None:
            alpha = pictures.resize(alpha, self.size)
        recipe, credits = self.recipe.after(last, history), self.photograph.credits
        return Result(pixels, alpha, history, recipe, stopped, credits)

    @own_modes()
    def _finish(self, pixels: Tensor) -> Tensor:
        """The picture to show, of the pixels that were optimised, (1, 3, h, w) on the CPU."""
        original, size = self.scene.original, (pixels.shape[2], pixels.shape[3])
        return self.finished(pixels, None if original is None else original.at(size))

    def finished(
        self, pixels: Tensor, photograph: Tensor | None, preserve: Tensor | None = None
    ) -> Tensor:
        """The picture to show, of pixels that were optimised, where this was photographed.

        Both are (1, 3, h, w); the photograph is wanted where the result takes something of it.
        Where it stays it is as ``preserve`` says, (1, 1, h, w); None is as the scene does.
        """
        size = (pixels.shape[2], pixels.shape[3])
        if self.scene.grey:  # as the loss saw them
            pixels = color.nearest_grey(pixels)
        if photograph is None or self.scene.original is None:
            return pixels
        if self.scene.own_colours:
            pixels = color.with_luminance(photograph, pixels)
        preserve = self.scene.preserved_at(size) if preserve is None else preserve
        return pixels if preserve is None else torch.lerp(pixels, photograph, preserve)

    def checkpointer(
        self, directory: Path, command: Mapping[str, Any], resume_from: Checkpoint | None = None
    ) -> Checkpointer:
        """A listener that keeps a checkpoint in a folder.

        Args:
            directory: as in Checkpointer.
            command: as in Checkpoint.
            resume_from: the checkpoint that the run is to go on from.

        Raises:
            CheckpointError: ``resume_from`` is of another job, or the folder is none.
        """
        check_folder(directory)
        if resume_from:
            check_fits(resume_from, self.recipe)
        ends = set(accumulate(count for _, count in self.scales))
        recipe = (
            resume_from.recipe if resume_from else self.recipe
        )  # the versions that it was begun with
        return Checkpointer(directory, recipe, ends, command, resume_from)

    @property
    def recipe(self) -> Recipe:
        """All that decides the picture."""
        return Recipe(
            settings=kept_settings(self.config),
            size=self.size,
            inputs=self.scene.inputs,
            network=Network(self.backbone.name, self.backbone.source, self.backbone.sha256),
            device=str(self.device),
            precision=self.ways.precision,
            winograd=self.ways.winograd,
            threads=self.threads,
            versions={"python": platform.python_version(), **{p: version(p) for p in PACKAGES}},
        )

    def subject(self) -> Subject:
        """Its pictures, for the loop."""
        return self.scene.subject(self.size, self.config, self.device)


def check_steerable(settings: Mapping[str, Any]) -> None:
    """Raise a ConfigError that names the first setting that may not change on the way."""
    for name in settings:
        if name not in STEERABLE:
            allowed = f"while a job runs: {', '.join(STEERABLE)}"
            raise ConfigError(f"a change of `{name}`", allowed, did_you_mean(name, STEERABLE))


def network_of(backbone: weights.Weights, config: Config, ways: Ways = EXACT) -> VGG:
    """The network that looks, on the CPU."""
    network = VGG(
        backbone.state, pooling=config.pooling, edges=config.edges, winograd=ways.winograd
    )
    return network.lowered(ways.dtype)


def next_of(steps: Iterator[Step], *, begun: bool) -> tuple[Step | None, str | None]:
    """The next step, or None at the end; and why, where an error ended a run that has begun."""
    try:
        return next(steps, None), None
    except RUN_ERRORS as error:
        if not begun:  # there is no picture yet to keep
            raise
        return None, " ".join(str(error).split()) or type(error).__name__


def check_interrupt(on_interrupt: object) -> None:
    """Raise a ConfigError where it is no word for what Ctrl-C is to do."""
    if on_interrupt not in (known := get_args(OnInterrupt)):
        raise ConfigError(f"on_interrupt {on_interrupt!r}", f"allowed: {', '.join(known)}")


def check_layers(backbone: weights.Weights, config: Config) -> None:
    """Raise a ConfigError that names the first layer that the backbone does not have."""
    known = convolution_names(backbone.state)
    for layer, _ in (*config.content_layers, *config.style_layers):
        if layer.replace("relu", "conv") not in known:
            raise ConfigError(
                f"layer {layer}: {backbone.name} does not have it",
                f"its layers are {', '.join(known)}, and relu... of each",
                did_you_mean(layer, [name.replace("conv", layer[:4]) for name in known]),
            )


def check_size(size: Size, config: Config) -> None:
    """Raise a ConfigError where the deepest layer would see nothing of a picture of this size."""
    layers = [layer for layer, _ in (*config.content_layers, *config.style_layers)]
    smallest = minimum_side_px(layers)
    if min(size) < smallest:
        raise ConfigError(
            f"a result of {size[1]} x {size[0]} px",
            f"the layers in use need at least {smallest} px a side",
            "try a larger `size`, or crop the photograph",
        )


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

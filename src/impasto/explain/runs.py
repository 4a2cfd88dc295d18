"""The optimisations that a report is made of, each kept on disk: a report that was stopped goes on.

What is kept says which facts it was made from. Another picture, setting, network or version makes
it anew; the same ones are not computed again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from torch import Tensor

from impasto import files, pictures
from impasto.config import HANDS, SMALLEST_SIZE_PX, Config, Size, Weighted
from impasto.errors import DivergenceError, PictureError
from impasto.job.job import Job, check_layers, check_size, network_of
from impasto.job.session import Session
from impasto.transfer.evaluation import at_layers, look
from impasto.transfer.losses import variation
from impasto.transfer.optimize import Step

KEPT = "kept"  # the folder beside the page
FORMAT = 2  # of the files in it; to be raised with each change of what they hold
LAYERS = tuple(f"conv{block}_1" for block in range(1, 6))  # of figure 1 of Gatys et al. 2015
EACH: Weighted = tuple((layer, 1.0) for layer in LAYERS)
RATES = (0.0003, 0.003, 0.03, 0.1, 1.0)  # of Adam, in pixel values: found by trying, like the rest
RATE_SIZE_PX = 128  # longer side; what a rate does is seen there as well, at a quarter of the cost
SHOTS = 24  # pictures of the timeline, or a few less
SHOT_SPACING = 1.5  # exponent: more of them early, where more happens
THIRD = 1065 / 2999  # of the way, where the source shows its second picture
# What a content reconstruction pays for roughness, in units of the feature variance that it lost.
# Deep layers hardly mind fine noise, and with nothing against it the eye sees nothing else. After
# Mahendran & Vedaldi 2015; 5 was picked by eye, 1 leaves noise.
SMOOTHNESS = 5.0
EFFORTS: Mapping[str, float] = MappingProxyType({"draft": 0.25, "normal": 1.0, "fine": 2.0})


@dataclass(frozen=True)
class Effort:
    """Iterations of each run but the main one, whose number is the config's.

    Attributes:
        content: of the reconstructions from conv1_1, ..., conv5_1 alone. Deeper ones need more.
        style: of those from conv1_1, then conv1_1 and conv2_1, up to all five.
        rate: of each learning rate.
    """

    content: tuple[int, ...] = (20, 30, 50, 80, 100)
    style: tuple[int, ...] = (30, 40, 50, 60, 60)
    rate: int = 50

    def times(self, factor: float) -> Effort:
        """So many times the work."""

        def scaled(count: int) -> int:
            return max(1, round(count * factor))

        return Effort(
            tuple(map(scaled, self.content)), tuple(map(scaled, self.style)), scaled(self.rate)
        )


@dataclass(frozen=True)
class Study:
    """One run of a report.

    Attributes:
        name: of its file.
        title: what a person calls it.
        job: what is run.
        shots: iterations after which the picture is kept.
    """

    name: str
    title: str
    job: Job
    shots: frozenset[int] = frozenset()

    @property
    def config(self) -> Config:
        return self.job.config


@dataclass(frozen=True)
class Run:
    """What came of a part.

    Attributes:
        pixels: (1, 3, H, W), those that were optimised, after the last iteration.
        picture: (1, 3, H, W) in [0, 1], what a person is shown of them.
        shots: by iteration, pictures on the way, each (1, 3, h, w).
        history: a row for each iteration, as in ``Result``.
        stopped: why it ended early, or None.
        first: like pixels, after the first iteration: where it started if that was taken back.
    """

    pixels: Tensor = field(repr=False)
    picture: Tensor = field(repr=False)
    shots: Mapping[int, Tensor] = field(repr=False)
    history: Sequence[Mapping[str, Any]] = field(repr=False)
    stopped: str | None = None
    first: Tensor | None = field(default=None, repr=False)

    @property
    def taken_back(self) -> int:
        """How many steps exploded."""
        return sum(row["rejected"] for row in self.history)

    @property
    def rises(self) -> int:
        """After how many steps the loss was higher than before."""
        return sum(after > before for before, after in pairwise(self.losses))

    @property
    def losses(self) -> list[float]:
        return [row["loss"] for row in self.history]


def parts(job: Job, effort: Effort) -> list[Study]:
    """All runs of a report, in the order in which it tells of them.

    Args:
        job: the main one, as `impasto stylize` would run it.
        effort: of all others.
    """
    check_layers(job.backbone, replace(job.config, style_layers=EACH))
    for size in (job.size, rate_size(job)):
        check_size(size, replace(job.config, style_layers=EACH))
    whole = Study("main", "the picture itself", job, shots_of(job.iterations))
    others = [*content_parts(job, effort), *style_parts(job, effort), *rate_parts(job, effort)]
    return [whole, *others]


def shots_of(iterations: int) -> frozenset[int]:
    """The iterations of a timeline: the first, the last, a third of the way, and some between."""
    spread = (iterations - 1) * np.linspace(0, 1, SHOTS) ** SHOT_SPACING
    return frozenset({1 + round(each) for each in spread} | {third(iterations), iterations})


def third(iterations: int) -> int:
    """About a third of the way."""
    return max(1, round(iterations * THIRD))


def content_parts(job: Job, effort: Effort) -> Iterator[Study]:
    """From noise to a picture that looks like the photograph to one layer: figure 1, lower row."""
    known = alone(
        job, pooling="average", edges="replicate", units="sums", strength=None, alpha=1.0, beta=0.0
    )
    network = network_of(job.backbone, known.config)
    photograph = pictures.resize(job.photograph.pixels, job.size)
    maps, _ = look(network, photograph, None, maps=LAYERS)
    shares = at_layers(job.scene.visible_at(job.size), LAYERS, photograph)
    for layer, count in zip(LAYERS, effort.content, strict=True):
        part = known.with_settings(
            content_layers=((layer, 1.0),),
            style_layers=((layer, 1.0),),  # which beta makes weigh nothing
            alpha=2 / variation(maps[layer], shares.get(layer)),  # the loss is the fraction lost
            tv_weight=SMOOTHNESS,
            iterations=count,
        )
        yield Study(f"content-{layer}", f"what {layer} holds", part)


def style_parts(job: Job, effort: Effort) -> Iterator[Study]:
    """From noise to the painting's statistics, layer upon layer: figure 1, upper row."""
    known = alone(job, units="fractions", strength=1.0, alpha=1.0, beta=1.0)
    for count, iterations in enumerate(effort.style, 1):
        layers: Weighted = tuple((layer, 1.0) for layer in LAYERS[:count])
        part = known.with_settings(
            content_layers=layers[-1:],  # which a strength of 1 makes weigh nothing
            style_layers=layers,
            tv_weight=Config.tv_weight,
            iterations=iterations,
        )
        name = f"style-{LAYERS[count - 1]}"
        title = "the style in conv1_1" + (f" to {LAYERS[count - 1]}" if count > 1 else "")
        yield Study(name, title, part)


def alone(job: Job, **settings: Any) -> Job:
    """The job, from noise and at one scale, by the minimiser that needs no learning rate."""
    return job.with_settings(
        start="noise",
        pyramid=False,
        optimizer="lbfgs",
        learning_rate=None,
        snapshots=(),
        hand="faithful",
        **HANDS["faithful"],
        **settings,
    )


def rate_parts(job: Job, effort: Effort) -> Iterator[Study]:
    """The main job, small, by Adam at each learning rate."""
    size = rate_size(job)
    strokes = job.config.style_size
    smaller = strokes and max(SMALLEST_SIZE_PX, round(strokes * max(size) / max(job.size)))
    for rate in RATES:
        part = job.with_settings(
            size,
            optimizer="adam",
            learning_rate=rate,
            iterations=effort.rate,
            pyramid=False,
            snapshots=(),
            style_size=smaller,
        )
        title = f"a learning rate of {rate:g}"
        yield Study(f"rate-{rate:g}", title, part)


def rate_size(job: Job) -> Size:
    """(height, width) at which learning rates are tried."""
    return pictures.fit(job.size, min(RATE_SIZE_PX, max(job.size)))


def obtained(
    part: Study,
    folder: Path,
    on_part: Callable[[Study], None],
    on_step: Callable[[Step], None],
    *,
    own_process: bool = False,
) -> Run:
    """What came of a part: from the folder, or else it is run, and kept there.

    Args:
        part: that one.
        folder: of all that is kept; it is there.
        on_part: called before it where it has to be run.
        on_step: called after each of its iterations.
        own_process: as in ``Session``.

    Raises:
        KeyboardInterrupt: Ctrl-C; it is not kept.
        DivergenceError: it came to nothing; where a learning rate did, that is a result.
        PictureError: it can't be written, or would overwrite another program's file.
    """
    path = path_of(part, folder)
    run = cached(part, path)
    if run is None:
        on_part(part)
        run = made(part, Session(part.job, own_process=own_process), on_step)
        store(part, run, path)
    return run


def path_of(part: Study, folder: Path) -> Path:
    """Name the file of what came of a study, in the folder of all that is kept."""
    return folder / f"{part.name}.safetensors"


def made(part: Study, session: Session, on_step: Callable[[Step], None]) -> Run:
    """Run a part in a session of its job."""
    shots: dict[int, Tensor] = {}
    first: Tensor | None = None
    last: Step | None = None

    def listen(step: Step) -> None:
        nonlocal first, last
        last = step
        if first is None:
            first = step.pixels.detach().to("cpu", copy=True)
        if step.iteration in part.shots:
            shots[step.iteration] = eight_bits(step.picture())
        on_step(step)

    result = session.run(listen, on_interrupt="raise")
    if result.stopped and part.config.learning_rate is None:
        raise DivergenceError(f"{part.title}: {result.stopped}")
    assert last is not None, "every schedule has an iteration"
    pixels = last.pixels.detach().to("cpu", copy=True)
    return Run(pixels, result.pixels, shots, result.history, result.stopped, first)


def eight_bits(picture: Tensor) -> Tensor:
    """The picture (1, 3, h, w) as a file would hold it."""
    samples = torch.from_numpy(np.array(pictures.to_pil(picture)))
    return samples.permute(2, 0, 1)[None].float() / 255


def identity(part: Study) -> dict[str, Any]:
    """All that decides what comes of a part, as JSON gives it back."""
    return {**part.job.recipe.deciding(), "shots": sorted(part.shots), "format": FORMAT}


def store(part: Study, run: Run, path: Path) -> None:
    """Write what came of a part, whole or not at all."""
    tensors = {"pixels": run.pixels, "picture": run.picture}
    tensors |= {"first": run.first} if run.first is not None else {}
    for number, shot in run.shots.items():  # exactly, since they were 8-bit: eight_bits
        tensors[f"shot {number}"] = (shot * 255).round().to(torch.uint8)
    info = {"identity": identity(part), "history": list(run.history), "stopped": run.stopped}
    try:
        files.write_atomically(path, files.to_safetensors(tensors, info))
    except OSError as error:
        given = f"{path}: it cannot be written ({error.strerror})"
        raise PictureError(given, "", "what was kept before is kept; try again") from error


def cached(part: Study, path: Path) -> Run | None:
    """What came of a part, if it is there, whole, and made from the same facts; else None.

    Raises:
        PictureError: a file of this name that is another program's.
    """
    if not path.exists():
        return None
    try:
        tensors, info = files.read_safetensors(path)
    except Exception:  # whatever a damaged file leads to, the part is made anew
        return None
    if info is None or "identity" not in info:
        given = f"{path}: a file of that name is there, which impasto did not write"
        raise PictureError(given, "", "choose another folder with -o")
    if info["identity"] != identity(part):
        return None
    shots = {
        int(name.removeprefix("shot ")): tensor.float() / 255
        for name, tensor in tensors.items()
        if name.startswith("shot ")
    }
    ordered = dict(sorted(shots.items()))
    whole = tensors["pixels"], tensors["picture"]
    return Run(*whole, ordered, info["history"], info["stopped"], tensors.get("first"))

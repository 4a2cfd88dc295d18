"""A film repainted: its shots, each frame on disk once, gone on with wherever it was stopped.

    FOLDER/film.json              what decides the frames; another film's folder is refused
    FOLDER/shots.json             the first and last frame of each shot, and every frame's time
    FOLDER/shot-0001/known.safetensors       what the shot's first frame found out of curvature
    FOLDER/shot-0001/00000012.png            a frame of the result
    FOLDER/shot-0001/00000012.safetensors    what the frames after it want to know of it

A frame depends on those before it in its shot as they are on disk, and on nothing else, so that a
film which was killed has the bytes of one that nothing stopped, and shots may be painted in any
order, by any process.
"""

from __future__ import annotations

import io
import json
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import Any

import PIL.Image
import torch
from torch import Tensor

from impasto import files, pictures
from impasto.config import Config
from impasto.errors import ConfigError, PictureError
from impasto.job.casting import Masks
from impasto.job.estimate import SCALE_BEGINS
from impasto.job.following import Following
from impasto.job.job import Job
from impasto.job.prepare import prepare
from impasto.job.session import Session
from impasto.modes import own_modes
from impasto.pictures.sheet import Print, sheet
from impasto.transfer.descent import alike
from impasto.transfer.optimize import Step
from impasto.transfer.schedule import schedule
from impasto.video.clip import Clip, Frame
from impasto.video.painting import LOOK_BACK, Painted, as_tensor, paint
from impasto.video.reel import Placed
from impasto.video.shots import find_shots
from impasto.video.source import Pixels

FILM, SHOTS, KNOWN = "film.json", "shots.json", "known.safetensors"
NEXT_WORK = 3.5  # iterations that a frame costs that comes from another, motion included
OnFrame = Callable[[int, int, bool], None]
SHOT, FRAME, STATE = "shot-{:04}", "{:08}.png", "{:08}.safetensors"
FAST_PNG = 1  # zlib's level, as of a film's frames elsewhere: see timeline.py


@dataclass(frozen=True)
class Strength:
    """A strength that goes from one value to another over a film, evenly."""

    first: float
    last: float

    def at(self, share: float) -> float:
        """At a moment, 0 the beginning and 1 the end."""
        return self.first + (self.last - self.first) * share


@dataclass(frozen=True)
class FilmOrder:
    """Which film, how, and from when to when.

    Attributes:
        clip: that is repainted.
        paintings: files, folders, or built-in styles' names.
        config: of its frames; its size is a number of pixels.
        strength: that changes over the film; None is the config's.
        mask: of the frames' size.
        style_masks: the paintings'.
        regions: by colour, a painting, or ``photo``.
        begin_s: of the clip's time; None is its beginning.
        end_s: likewise; None is its end.
        fps: frames in a second at most; None is the clip's own times.
    """

    clip: Clip
    paintings: tuple[str, ...]
    config: Config
    strength: Strength | None = None
    mask: Path | None = None
    style_masks: tuple[Path, ...] = ()
    regions: Mapping[str, str] | None = None
    begin_s: float | None = None
    end_s: float | None = None
    fps: float | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.config.size, int):
            raise ConfigError(f"`size` {self.config.size!r}", "a film's is a number of pixels")
        if self.config.tileable:
            raise ConfigError("`tileable` for a film", "its frames have borders")

    @property
    def side_px(self) -> int:
        """Longer side of the frames: no clip is enlarged."""
        assert isinstance(self.config.size, int)
        return min(self.config.size, max(self.clip.size))

    @property
    def expected(self) -> int | None:
        """About how many frames there are; None where nobody knows before they are read."""
        return self.clip.expected(self.begin_s, self.end_s, self.fps)

    def frames(self, on_note: Callable[[str], None] | None = None) -> Iterator[Frame]:
        """The frames to paint, at their size; the same each time."""
        return self.clip.frames(self.begin_s, self.end_s, self.fps, self.side_px, on_note)

    def job(self, photograph: Pixels) -> Job:
        """The job of a frame that comes from nowhere."""
        masks = Masks(self.mask, self.style_masks, self.regions or {})
        return prepare(photograph, self.paintings, self.config, masks)


@dataclass(frozen=True)
class Shot:
    """Frames without a cut.

    Attributes:
        number: from 1.
        first: number of its first frame, from 0, in the film.
        last: of its last one.
    """

    number: int
    first: int
    last: int


@dataclass(frozen=True)
class Film:
    """A film whose shots are known, and the folder of its frames.

    Attributes:
        order: what is painted.
        folder: where.
        shots: in their order.
        times: when each frame comes, in s on the clip's clock.
        end: when the last one ends.
    """

    order: FilmOrder
    folder: Path
    shots: tuple[Shot, ...]
    times: tuple[Fraction, ...]
    end: Fraction

    def path(self, shot: Shot, number: int) -> Path:
        """A frame's file."""
        return self.folder / SHOT.format(shot.number) / FRAME.format(number)

    def config_at(self, number: int) -> Config:
        """A frame's settings."""
        if self.order.strength is None:
            return self.order.config
        share = number / max(1, len(self.times) - 1)
        return replace(self.order.config, strength=round(self.order.strength.at(share), 6))

    @property
    def placed(self) -> list[Placed]:
        """Every frame's file and time."""
        return [
            Placed(self.path(shot, number), self.times[number])
            for shot in self.shots
            for number in range(shot.first, shot.last + 1)
        ]

    @property
    def done(self) -> int:
        """How many frames are there."""
        return sum(each.path.exists() for each in self.placed)

    @property
    def work(self) -> float:
        """All of it, in iterations at the frames' size."""
        return sum(map(self.work_of, range(len(self.times))))

    def work_of(self, number: int) -> float:
        """About what a frame takes, in iterations at the frames' size."""
        begins = any(shot.first == number for shot in self.shots)
        return first_work(self.order) if begins else NEXT_WORK


def open_film(
    order: FilmOrder, folder: Path, on_frame: Callable[[int], None] = lambda _: None
) -> Film:
    """Find a film's shots, or read which they are; the folder is made where it is missing.

    Args:
        order: what is to be painted.
        folder: of its frames.
        on_frame: told how many frames have been looked at.

    Raises:
        PictureError: the folder is another film's, or the clip can't be read.
    """
    facts = identity(order)
    try:
        folder.mkdir(exist_ok=True)
        path = folder / FILM
        if path.exists() and json.loads(path.read_text("utf-8")) != facts:
            given = f"{folder}: the frames in it are of another film, or of other settings"
            raise PictureError(given, "", "remove it, or choose another name for the result")
        files.write_atomically(path, json.dumps(facts).encode())
        with suppress(FileNotFoundError, ValueError, LookupError):
            known = json.loads((folder / SHOTS).read_text("utf-8"))
            return made(order, folder, known)
        known = looked_at(order, on_frame)
        files.write_atomically(folder / SHOTS, json.dumps(known).encode())
        return made(order, folder, known)
    except OSError as error:
        given = f"{folder}: the film's frames cannot be kept there: {error.strerror}"
        raise PictureError(given, "", "free some space, or choose another place") from error


def identity(order: FilmOrder) -> dict[str, Any]:
    """What decides a film's frames, as JSON holds it: the clip by its size and its time stamp."""
    config = {k: v for k, v in asdict(order.config).items() if k not in ("threads", "snapshots")}
    found = order.clip.path.stat()
    known = {
        "clip": [str(order.clip.path.absolute()), found.st_size, found.st_mtime_ns],
        "paintings": [str(each) for each in order.paintings],
        "config": config,
        "strength": order.strength and asdict(order.strength),
        "masks": [str(order.mask), list(map(str, order.style_masks)), dict(order.regions or {})],
        "interval": [order.begin_s, order.end_s, order.fps],
    }
    plain: dict[str, Any] = json.loads(json.dumps(known))
    return plain


def looked_at(order: FilmOrder, on_frame: Callable[[int], None]) -> dict[str, Any]:
    """Shots and times, as JSON holds them."""
    times: list[Frame] = []

    def watched() -> Iterator[Frame]:
        for frame in order.frames():
            times.append(replace(frame, pixels=frame.pixels[:0]))
            on_frame(len(times))
            yield frame

    shots = find_shots(watched())
    last = times[-1]
    return {
        "shots": shots,
        "times": [str(each.time) for each in times],
        "end": str(last.time + last.duration),
    }


def made(order: FilmOrder, folder: Path, known: Mapping[str, Any]) -> Film:
    """The film of what `looked_at` found."""
    shots = tuple(Shot(number, *each) for number, each in enumerate(known["shots"], 1))
    return Film(order, folder, shots, tuple(map(Fraction, known["times"])), Fraction(known["end"]))


def first_work(order: FilmOrder) -> float:
    """What a frame that comes from nowhere takes, in iterations at its size."""
    size = order.clip.size_at(order.side_px)
    plan = schedule(size, order.config)
    pixels = size[0] * size[1]
    return sum(h * w / pixels * (count - 1 + SCALE_BEGINS) for (h, w), count in plan)


@dataclass(frozen=True)
class Preview:
    """A few frames of a film, painted each by itself.

    Attributes:
        sheet: them, side by side.
        times: of them, in s.
        frames: about how many the film has.
        seconds: about how long the whole will take here.
    """

    sheet: PIL.Image.Image
    times: tuple[Fraction, ...]
    frames: int
    seconds: float


def preview(
    order: FilmOrder, count: int, on_step: Callable[[Step], None] = lambda _: None
) -> Preview:
    """Paint a few frames, spread over the clip, and say what the whole will take.

    Args:
        order: of the film.
        count: frames, at most.
        on_step: told of each iteration.
    """
    total = order.expected or sum(1 for _ in order.frames())
    wanted = set(spread(count, total))
    prints, times, seconds = [], [], 0.0
    for number, frame in enumerate(order.frames()):
        if number in wanted:
            job = order.job(frame.pixels)
            began = time.monotonic()
            result = Session(job, own_process=True).run(on_step, on_interrupt="raise")
            seconds += time.monotonic() - began
            times.append(frame.time)
            prints.append(Print(result.image.convert("RGB"), f"{float(frame.time):.1f} s", ""))
    work = first_work(order) + NEXT_WORK * (total - 1)
    takes = seconds / max(1, len(prints)) / first_work(order) * work
    return Preview(sheet(prints, min(3, len(prints))), tuple(times), total, takes)


def spread(count: int, of: int) -> list[int]:
    """So many numbers, or all, evenly spread over those from 0 up to ``of``."""
    count = min(count, of)
    return [(2 * place + 1) * of // (2 * count) for place in range(count)]


@own_modes()
def paint_shot(
    film: Film,
    shot: Shot,
    frames: Iterator[Frame],
    on_step: Callable[[Step], None] = lambda _: None,
    on_frame: OnFrame = lambda *_: None,
) -> None:
    """Paint what of a shot is not on disk yet.

    Args:
        film: its film.
        shot: that one.
        frames: of the clip, from the shot's first on; as many as it has are taken.
        on_step: told of each iteration of the first frame.
        on_frame: told the number of each frame that is there now, how many iterations it took,
            and whether it is new.

    Raises:
        ImpastoError: of its children the one that fits.
    """
    folder = film.folder / SHOT.format(shot.number)
    folder.mkdir(exist_ok=True)
    earlier: deque[Painted] = deque(maxlen=max(LOOK_BACK))  # the last first
    manner: Following | None = None
    first: Pixels | None = None
    count = shot.last - shot.first + 1
    for number, frame in enumerate(islice(frames, count), shot.first):
        first = frame.pixels if first is None else first
        painted, iterations = read(folder, number, frame.pixels), 0
        if new := painted is None:
            if number == shot.first:
                painted, iterations = begin(film, folder, frame.pixels, number, on_step)
            else:
                manner = manner or manner_of(film, folder, first, shot.first)
                painted, iterations = paint(manner, frame.pixels, earlier, film.config_at(number))
            write(folder, number, painted)
        earlier.appendleft(painted)
        forget(folder, number - max(LOOK_BACK))
        on_frame(number, iterations, new)


def begin(
    film: Film, folder: Path, photograph: Pixels, number: int, on_step: Callable[[Step], None]
) -> tuple[Painted, int]:
    """Paint a shot's first frame as a picture of its own, and keep what it found of curvature."""
    job = replace(film.order, config=film.config_at(number)).job(photograph)
    steps: list[Step] = []

    def hear(step: Step) -> None:
        steps[:] = [step]
        on_step(step)

    result = Session(job, own_process=True).run(hear, on_interrupt="raise")
    if result.stopped:
        raise PictureError(f"frame {number} could not be painted: {result.stopped}")
    known = alike(steps[0].to("cpu").state)
    tensors = {name: value for name, value in known.items() if isinstance(value, Tensor)}
    info = {name: value for name, value in known.items() if name not in tensors}
    tensors = tensors or {"none": torch.zeros(1, dtype=torch.float32, device="cpu")}
    files.write_atomically(folder / KNOWN, files.to_safetensors(tensors, info))
    (_, iterations), *_ = reversed(job.scales)
    return Painted.first(photograph, result.pixels, iterations), job.iterations


def manner_of(film: Film, folder: Path, first: Pixels, number: int) -> Following:
    """The manner of a shot, from its first frame and what that found of curvature."""
    job = replace(film.order, config=film.config_at(number)).job(first)
    tensors, info = files.read_safetensors(folder / KNOWN)
    known = {name: value.clone() for name, value in tensors.items() if name != "none"}
    scalars = {k: v for k, v in (info or {}).items() if k != files.CHECKSUM}
    return Following(job, {**known, **scalars})


def write(folder: Path, number: int, painted: Painted) -> None:
    """Put a frame on disk: first what later ones want to know of it, then the picture."""
    tensors = {"seen": painted.seen, "age": painted.age}
    try:
        data = files.to_safetensors(tensors, {})
        files.write_atomically(folder / STATE.format(number), data)
        files.write_atomically(folder / FRAME.format(number), png_of(painted.picture))
    except OSError as error:
        given = f"{folder}: frame {number} cannot be kept: {error.strerror}"
        hint = "free some space; the same command goes on from there"
        raise PictureError(given, "", hint) from error


def png_of(picture: Tensor) -> bytes:
    """A picture (1, 3, H, W) of bytes as a PNG file."""
    data = io.BytesIO()
    samples = picture[0].permute(1, 2, 0).contiguous().numpy()
    PIL.Image.fromarray(samples).save(data, "PNG", compress_level=FAST_PNG)
    return data.getvalue()


def read(folder: Path, number: int, photograph: Pixels) -> Painted | None:
    """A frame that is on disk, or None; of old ones only that they are there is wanted."""
    path, state = folder / FRAME.format(number), folder / STATE.format(number)
    if not path.exists():
        return None
    if not state.exists():
        blank = as_tensor(photograph)
        return Painted(photograph, blank, blank, blank[:, :1])
    tensors, _ = files.read_safetensors(state)
    picture = (pictures.load(path).pixels * 255).round().to(torch.uint8)
    return Painted(photograph, picture, tensors["seen"].clone(), tensors["age"].clone())


def forget(folder: Path, number: int) -> None:
    """Remove what no frame to come wants to know."""
    with suppress(OSError):
        (folder / STATE.format(number)).unlink()


def paint_film(
    film: Film,
    on_step: Callable[[Step], None] = lambda _: None,
    on_frame: OnFrame = lambda *_: None,
) -> Sequence[Placed]:
    """Paint every frame that is not on disk yet, shot by shot; arguments as for ``paint_shot``."""
    frames = film.order.frames()
    for shot in film.shots:
        paint_shot(film, shot, frames, on_step, on_frame)
    return film.placed

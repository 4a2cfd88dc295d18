"""A film repainted: its shots, each frame on disk once, gone on with wherever it was stopped.

    FOLDER/film.json              what decides the frames; another film's folder is refused
    FOLDER/shots.json             the first and last frame of each shot, and every frame's time
    FOLDER/pictures, FOLDER/shot-0001, ...   the frames: see kept.py

A frame depends on those before it in its shot as they are on disk, and on nothing else, so that a
film which was killed has the bytes of one that nothing stopped, and shots may be painted in any
order, by any process: see crew.py.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from typing import Any

from impasto import files
from impasto.config import Size
from impasto.errors import PictureError
from impasto.job import threads
from impasto.video.clip import Frame
from impasto.video.crew import Crew, InTurn
from impasto.video.kept import Shot, in_times, picture_path
from impasto.video.masking import Track, check_regions, masks_from, track_of
from impasto.video.order import NEXT_WORK, FilmOrder, first_work
from impasto.video.painting import LOOK_BACK
from impasto.video.reel import Placed, write
from impasto.video.shooting import ShotOrder, Tell, check_of
from impasto.video.shots import find_shots
from impasto.video.stretches import STRETCH_FRAMES, Coding, coding_of, join

# Of a frame on disk, for each of its pixels: as PNG (2.2 to 2.3 were measured), in a stretch (0.03
# to 0.09; as much again in the film, while that is written), in a GIF or WebP, and what later ones
# want to know of it.
PNG_BYTES, STRETCH_BYTES, FILM_BYTES, MEMORY_BYTES = 2.3, 0.1, 1.0, 4.0
FILM, SHOTS = "film.json", "shots.json"
Watch = Callable[[int], None]


@dataclass(frozen=True)
class Film:
    """A film whose shots are known, and the folder of its frames.

    Attributes:
        order: what is painted, and in how many threads.
        folder: where.
        shots: in their order.
        checks: ``check_of`` each shot's first photograph.
        times: when each frame comes, in s on the clip's clock.
        end: when the last one ends.
        suffix: of the film's name, which says how its frames are kept; '' is a folder.
        track: of its mask, where that moves.
        notes: what a person should know of how the clip was read, a sentence each.
    """

    order: FilmOrder
    folder: Path
    shots: tuple[Shot, ...]
    checks: tuple[int, ...]
    times: tuple[Fraction, ...]
    end: Fraction
    suffix: str = ""
    track: Track | None = None
    notes: tuple[str, ...] = ()

    @property
    def size(self) -> Size:
        """(height, width) of its frames."""
        return self.order.clip.size_at(self.order.side_px)

    @cached_property
    def coded(self) -> tuple[Coding | None, list[int | None]]:
        """How its frames are encoded, and at which tick each comes."""
        return coding_of(self.suffix, self.size, self.times, self.end)

    @property
    def orders(self) -> list[ShotOrder]:
        """Its shots, for whoever paints them."""
        total, origin = len(self.times), self.times[0]
        coding, ticks = self.coded
        return [
            ShotOrder(
                self.order,
                self.folder,
                shot,
                self.times[shot.first : shot.last + 1],
                check,
                origin,
                total,
                coding,
                tuple(ticks[shot.first : shot.last + 1]),
                self._masked(shot),
            )
            for shot, check in zip(self.shots, self.checks, strict=True)
        ]

    def _masked(self, shot: Shot) -> tuple[Fraction, bool] | None:
        return None if self.track is None else (self.track.times[shot.first], self.track.whole)

    def path(self, number: int) -> Path:
        """A frame's file."""
        return picture_path(self.folder, number, len(self.times))

    @property
    def placed(self) -> list[Placed]:
        """Every frame's file and time, where the film is not encoded."""
        return [Placed(self.path(number), time) for number, time in enumerate(self.times)]

    @property
    def done(self) -> int:
        """How many frames are there."""
        return sum(each.kept.done for each in self.orders)

    @property
    def work(self) -> float:
        """All of it, in iterations at the frames' size."""
        return sum(map(self.work_of, range(len(self.times))))

    @cached_property
    def begins(self) -> frozenset[int]:
        """The numbers of the shots' first frames."""
        return frozenset(shot.first for shot in self.shots)

    @cached_property
    def first_work(self) -> float:
        """What a shot's first frame takes, in iterations at its size."""
        return first_work(self.order)

    def work_of(self, number: int) -> float:
        """About what a frame takes, in iterations at the frames' size."""
        return self.first_work if number in self.begins else NEXT_WORK


def open_film(
    order: FilmOrder,
    folder: Path,
    on_frame: Watch = lambda _: None,
    share: int | None = None,
    suffix: str = "",
) -> Film:
    """Find a film's shots, or read which they are; the folder is made where it is missing.

    The number of threads, on which the bytes depend, is settled when the film is begun: what the
    order says, or else ``share`` where there are several shots, or else as many as there may be.

    Args:
        order: what is to be painted.
        folder: of its frames.
        on_frame: told how many frames have been looked at.
        share: the threads of each of those that paint shots side by side; None is all.
        suffix: of the film's name, as in Film.

    Raises:
        PictureError: the folder is another film's, or the clip can't be read.
    """
    facts = identity(order)
    try:
        folder.mkdir(exist_ok=True)
        path = folder / FILM
        if path.exists() and json.loads(path.read_text("utf-8")) != facts:
            raise another(folder)
        files.write_atomically(path, json.dumps(facts).encode())
        with suppress(FileNotFoundError, ValueError, LookupError):
            known = json.loads((folder / SHOTS).read_text("utf-8"))
            film = made(order, folder, known, suffix)
            if order.config.threads not in (None, film.order.config.threads):
                raise another(folder)
            return film
        known = looked_at(order, on_frame, share)
        files.write_atomically(folder / SHOTS, json.dumps(known).encode())
        return made(order, folder, known, suffix)
    except OSError as error:
        given = f"{folder}: the film's frames cannot be kept there: {error.strerror}"
        raise PictureError(given, "", "free some space, or choose another place") from error


def another(folder: Path) -> PictureError:
    """The error for a folder that holds another film's frames."""
    given = f"{folder}: the frames in it are of another film, or of other settings"
    return PictureError(given, "", "remove it, or choose another name for the result")


def identity(order: FilmOrder) -> dict[str, Any]:
    """What decides a film's frames, as JSON holds it: files by their sizes and time stamps."""
    config = {k: v for k, v in asdict(order.config).items() if k not in ("threads", "snapshots")}
    masks = [order.mask, *order.style_masks]
    regions = dict(order.regions or {})
    named: list[str | Path] = [order.clip.path, *order.paintings, *filter(None, masks)]
    named += regions.values()
    known = {
        "paintings": [str(each) for each in order.paintings],
        "config": config,
        "strength": order.strength and asdict(order.strength),
        "masks": [str(order.mask), list(map(str, order.style_masks)), regions],
        "interval": [order.begin_s, order.end_s, order.fps],
        "files": [stamp(Path(each)) for each in named],
    }
    plain: dict[str, Any] = json.loads(json.dumps(known))
    return plain


def stamp(path: Path) -> list[Any]:
    """What tells that a file, or one in a folder, was changed; of a word, such as a style's name,
    the word.
    """
    inside = sorted(path.iterdir()) if path.is_dir() else [path]
    found = [each.stat() for each in inside if each.exists()]
    if not found:
        return [str(path)]
    newest = max(each.st_mtime_ns for each in found)
    return [str(path.absolute()), len(found), sum(each.st_size for each in found), newest]


def looked_at(order: FilmOrder, on_frame: Watch, share: int | None) -> dict[str, Any]:
    """Shots and times, as JSON holds them."""
    times: list[Frame] = []
    checks: list[int] = []
    notes = list(order.clip.notes)

    def watched() -> Iterator[Frame]:
        for frame in order.frames(notes.append):
            times.append(replace(frame, pixels=frame.pixels[:0]))
            checks.append(check_of(frame.pixels))
            on_frame(len(times))
            yield frame

    shots = find_shots(watched())
    last = times[-1]
    alone = len(shots) == 1
    track = mask_looked_at(order, [each.time for each in times]) if order.moving else None
    return {
        "shots": shots,
        "checks": [checks[first] for first, _ in shots],
        "times": [str(each.time) for each in times],
        "end": str(last.time + last.duration),
        "threads": order.config.threads or (None if alone else share) or threads.default(),
        "notes": notes,
        "mask": track and [list(map(str, track.times)), track.whole],
    }


def mask_looked_at(order: FilmOrder, times: Sequence[Fraction]) -> Track:
    """Which of a moving mask's frames go with the film's, all of which can be used."""
    track, first = track_of(order, times), next(order.frames()).pixels
    size = order.clip.size_at(order.side_px)
    check_regions(order, first, masks_from(order, track.whole, track.times[0], size))
    return track


def made(order: FilmOrder, folder: Path, known: Mapping[str, Any], suffix: str) -> Film:
    """The film of what `looked_at` found."""
    order = replace(order, config=replace(order.config, threads=known["threads"]))
    shots = tuple(Shot(number, *each) for number, each in enumerate(known["shots"], 1))
    times, checks = in_times(known["times"]), tuple(known["checks"])
    track = known["mask"] and Track(in_times(known["mask"][0]), known["mask"][1])
    end, notes = Fraction(known["end"]), tuple(known["notes"])
    return Film(order, folder, shots, checks, times, end, suffix, track, notes)


def paint_film(film: Film, tell: Tell = lambda _: None, crew: Crew | None = None) -> None:
    """Paint every frame that is not on disk yet.

    Args:
        film: whose.
        tell: as `Crew.work` has it.
        crew: who paints; None is this process, shot by shot.

    Raises:
        ImpastoError: of its children the one that fits.
    """
    (crew or InTurn()).work(film.orders, tell)


def room_bytes(film: Film, painters: int) -> tuple[int, int]:
    """About what a film's frames and its file will yet take of the disk, and what is free there.

    Args:
        film: to be painted.
        painters: how many paint at once.
    """
    count, coding = len(film.times), film.coded[0]
    pixels = film.size[0] * film.size[1]
    waiting = max(len(shot.frames) for shot in film.shots) if coding else count
    if coding:
        waiting = painters * min(waiting, 2 * STRETCH_FRAMES + max(LOOK_BACK))
    each = 2 * STRETCH_BYTES if coding else FILM_BYTES if film.suffix else 0.0
    state = MEMORY_BYTES * painters * max(LOOK_BACK)
    takes = round(pixels * (PNG_BYTES * waiting + each * count + state))
    there = sum(file.stat().st_size for file in film.folder.glob("*/*"))
    return max(0, takes - there), shutil.disk_usage(film.folder).free


def write_film(film: Film, path: Path) -> tuple[str, ...]:
    """Make the film's file, or its folder, of frames that are all on disk.

    Args:
        film: painted.
        path: of its suffix.

    Returns:
        What a person should know, a sentence each.

    Raises:
        PictureError: it can't be written; the frames are kept.
    """
    clip, (coding, _) = film.order.clip, film.coded
    if coding is not None:
        stretches = [file for each in film.orders for file in each.kept.stretches]
        return join(path, stretches, coding, film.times, film.end, clip)
    return write(path, film.placed, film.end, clip, moved=True)

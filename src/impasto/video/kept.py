"""What of a shot is on disk: its frames, and what the frames after them want to know of them.

    FOLDER/pictures/000012.png               a frame of the result
    FOLDER/shot-0001/known.safetensors       what the shot's first frame found out of curvature
    FOLDER/shot-0001/00000012.safetensors    what the frames after one want to know of it
    FOLDER/shot-0001/00000000.stretch        frames from that one on, encoded

The frames of a shot that are there are its first ones, without a gap. Its memory, that of the last
few of them, is whole, or the shot begins anew: to the same bytes. Of a film that is encoded, a
frame's picture goes once it is in a stretch, and no frame to come wants to know of it.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from typing import Any

import PIL.Image
import torch
from torch import Tensor

from impasto import files, pictures
from impasto.errors import PictureError
from impasto.video.painting import LOOK_BACK, Painted
from impasto.video.reel import DIGITS
from impasto.video.reel import read as picture_at
from impasto.video.stretches import STRETCH_FRAMES, Coding, stretches_of

PICTURES, KNOWN, LOCK = "pictures", "known.safetensors", ".lock"
SHOT, STATE, STRETCH = "shot-{:04}", "{:08}.safetensors", "{:08}.stretch"
RECENT_FRAMES = 4 * STRETCH_FRAMES  # of whose pictures a killed process may have left some
FAST_PNG = 1  # zlib's level, as of a film's frames elsewhere: see timeline.py


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

    @property
    def frames(self) -> range:
        """The numbers of its frames."""
        return range(self.first, self.last + 1)


@dataclass(frozen=True)
class Memory:
    """What the frames after one want to know of it, as in Painted."""

    picture: Tensor
    seen: Tensor
    age: Tensor


@dataclass(frozen=True)
class Kept:
    """A shot on disk.

    Attributes:
        folder: of the film's frames.
        shot: whose they are.
        total: frames of the whole film.
        coding: of the film; None is one whose frames stay pictures.
        ticks: at which each of its frames comes; None at none.
    """

    folder: Path
    shot: Shot
    total: int
    coding: Coding | None = None
    ticks: tuple[int | None, ...] = ()

    @property
    def place(self) -> Path:
        """The shot's own folder."""
        return self.folder / SHOT.format(self.shot.number)

    def path(self, number: int) -> Path:
        """A frame's file."""
        return picture_path(self.folder, number, self.total)

    def state(self, number: int) -> Path:
        """The file of what later frames want to know of one."""
        return self.place / STATE.format(number)

    def stretch(self, frames: range) -> Path:
        """The file of a stretch."""
        return self.place / STRETCH.format(frames.start)

    @cached_property
    def parts(self) -> list[range]:
        """Its stretches, of a film that is encoded."""
        return stretches_of(self.shot.first, self.shot.last) if self.coding else []

    @property
    def stretches(self) -> list[Path]:
        """Their files, in their order."""
        return [self.stretch(each) for each in self.parts]

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Keep the shot to this process: one whose parent was killed may still be at it.

        Raises:
            PictureError: the folder can't be written.
        """
        with writing(self.place, "the shot"):
            for each in (self.folder / PICTURES, self.place):
                each.mkdir(exist_ok=True)
        with files.locked(self.place / LOCK, on_wait=lambda: None):
            yield

    @property
    def done(self) -> int:
        """How many of its frames are there."""
        encoded = {number for part in self.parts if self.stretch(part).exists() for number in part}
        for count, number in enumerate(self.shot.frames):
            if number not in encoded and not self.path(number).exists():
                return count
        return len(self.shot.frames)

    def recalled(self, done: int) -> list[Memory] | None:
        """What the next frame wants to know of those before it, in their order; None is nothing.

        Args:
            done: how many frames are there.
        """
        until = self.shot.first + done
        numbers = range(max(self.shot.first, until - max(LOOK_BACK)), until)
        try:
            files.read_safetensors(self.place / KNOWN)
            return [self._read(number) for number in numbers]
        except Exception:  # whatever safetensors and Pillow make of what is damaged or gone
            return None

    def _read(self, number: int) -> Memory:
        tensors, _ = files.read_safetensors(self.state(number))
        picture = (pictures.load(self.path(number)).pixels * 255).round().to(torch.uint8)
        return Memory(picture, tensors["seen"].clone(), tensors["age"].clone())

    def write(self, number: int, painted: Painted) -> None:
        """Put a frame on disk: first what later ones want to know of it, then the picture.

        Raises:
            PictureError: it can't be.
        """
        data = files.to_safetensors({"seen": painted.seen, "age": painted.age}, {})
        with writing(self.place, f"frame {number}"):
            write(self.state(number), data)
            write(self.path(number), png_of(painted.picture))
        self.settle(number + 1 - self.shot.first)

    def settle(self, done: int) -> None:
        """Encode what stretches are whole, and let go of what no frame to come wants to know.

        Args:
            done: how many frames are there.

        Raises:
            PictureError: a stretch can't be kept, or a frame of it can't be read.
        """
        until = self.shot.first + done
        whole = until > self.shot.last
        wanted = until if whole else until - max(LOOK_BACK)  # and what comes after it
        recent = [part for part in self.parts if part.stop > wanted - RECENT_FRAMES]
        for part in recent:
            if part.stop <= until and not self.stretch(part).exists():
                self._encode(part)
        encoded = [part for part in recent if self.stretch(part).exists()]
        remove(self.path(number) for part in encoded for number in part if number < wanted)
        remove(map(self.state, range(max(self.shot.first, wanted - 2 * max(LOOK_BACK)), wanted)))
        if whole:
            remove([self.place / KNOWN])

    def _encode(self, part: range) -> None:
        assert self.coding is not None, "else there are no parts"
        ticks = ((number, self.ticks[number - self.shot.first]) for number in part)
        frames = (
            (tick, picture_at(self.path(number))) for number, tick in ticks if tick is not None
        )
        data = self.coding.encode(frames)
        with writing(self.place, f"frames {part.start} to {part.stop - 1}"):
            write(self.stretch(part), data)

    def write_known(self, known: Mapping[str, Any]) -> None:
        """Keep the state of the minimiser that ended at the shot's first frame.

        Raises:
            PictureError: it can't be.
        """
        tensors = {name: value for name, value in known.items() if isinstance(value, Tensor)}
        info = {name: value for name, value in known.items() if name not in tensors}
        tensors = tensors or {"none": torch.zeros(1, dtype=torch.float32, device="cpu")}
        with writing(self.place, "the first frame's curvature"):
            write(self.place / KNOWN, files.to_safetensors(tensors, info))

    def known(self) -> dict[str, Any]:
        """What ``write_known`` wrote."""
        tensors, info = files.read_safetensors(self.place / KNOWN)
        known = {name: value.clone() for name, value in tensors.items() if name != "none"}
        return {**known, **{k: v for k, v in (info or {}).items() if k != files.CHECKSUM}}


def write(path: Path, data: bytes) -> None:
    """Put data into a file, by way of a name that kills do not multiply."""
    files.write_atomically(path, data, path.with_name(f".{path.name}.tmp"))


def remove(paths: Iterable[Path]) -> None:
    """Remove files, as far as they are there and can be."""
    for path in paths:
        with suppress(OSError):
            path.unlink()


def picture_path(folder: Path, number: int, total: int) -> Path:
    """A frame's file in a film's folder: numbered as in a folder of pictures."""
    digits = max(DIGITS, len(str(total)))
    return folder / PICTURES / f"{number:0{digits}}.png"


@contextmanager
def writing(place: Path, what: str) -> Iterator[None]:
    """Turn an error of the system into one that says what could not be kept."""
    try:
        yield
    except OSError as error:
        given = f"{place}: {what} cannot be kept: {error.strerror}"
        hint = "free some space; the same command goes on from there"
        raise PictureError(given, "", hint) from error


def png_of(picture: Tensor) -> bytes:
    """A picture (1, 3, H, W) of bytes as a PNG file."""
    data = io.BytesIO()
    samples = picture[0].permute(1, 2, 0).contiguous().numpy()
    PIL.Image.fromarray(samples).save(data, "PNG", compress_level=FAST_PNG)
    return data.getvalue()


def in_times(times: Sequence[str]) -> tuple[Fraction, ...]:
    """Times as JSON holds them."""
    return tuple(map(Fraction, times))

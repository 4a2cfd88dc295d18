"""Which film, how, and from when to when; and the way there and back into JSON."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from typing import Any

from impasto.config import Config
from impasto.errors import ConfigError, PictureError
from impasto.job.casting import Masks
from impasto.job.estimate import SCALE_BEGINS
from impasto.job.job import Job
from impasto.job.order import Order
from impasto.job.prepare import prepare
from impasto.transfer.schedule import schedule
from impasto.video.clip import Clip, Frame, moves, open_clip
from impasto.video.source import Pixels

NEXT_WORK = 3.5  # iterations that a frame costs that comes from another, motion included
ROUNDED = 6  # digits of a strength after the point: no frame shows a finer step


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
        mask: of the frames' size; or a clip of their shape, a frame for each.
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

    def frames_from(self, time: Fraction, origin: Fraction, *, seek: bool) -> Iterator[Frame]:
        """Those of ``frames`` from a time on; the others as ``Clip.frames_from`` has them."""
        interval = self.begin_s, self.end_s, self.fps
        return self.clip.frames_from(time, origin, *interval, self.side_px, seek=seek)

    def config_at(self, number: int, count: int) -> Config:
        """The settings of one of so many frames, from 0."""
        if self.strength is None:
            return self.config
        share = number / max(1, count - 1)
        return replace(self.config, strength=round(self.strength.at(share), ROUNDED))

    @cached_property
    def moving(self) -> Clip | None:
        """The mask, where it moves."""
        return open_clip(self.mask, "mask") if self.mask and moves(self.mask) else None

    def job(self, photograph: Pixels, mask: Pixels | None = None) -> Job:
        """The job of a frame that comes from nowhere, and of its mask where that moves."""
        where = self.mask if mask is None else mask
        masks = Masks(where, self.style_masks, self.regions or {}, passing=mask is not None)
        config = replace(self.config, size=self.side_px)  # a picture is enlarged, a film is not
        return prepare(photograph, self.paintings, config, masks)

    def picture(self, name: str) -> Order:
        """What is like a picture's order in it, for whoever keeps orders; to be called so."""
        masks = self.mask, self.style_masks, self.regions or {}
        return Order(
            self.clip.path,
            self.paintings,
            self.config,
            Path(name),
            mask=masks[0],
            style_masks=masks[1],
            regions=masks[2],
        )

    def to_json(self) -> dict[str, Any]:
        """The order as JSON can hold it, good in any folder: its paths are absolute."""
        return {
            "order": self.picture("film").to_json(),
            "strength": self.strength and asdict(self.strength),
            "interval": [self.begin_s, self.end_s, self.fps],
        }

    @classmethod
    def from_json(cls, known: Mapping[str, Any], source: str) -> FilmOrder:
        """The order that gave this; source is what an error names.

        Raises:
            PictureError: it is none of ``to_json``, or the clip can't be read.
        """
        try:
            like = Order.from_json(known["order"], Path(source))
            strength = known["strength"] and Strength(**known["strength"])
            begin_s, end_s, fps = known["interval"]
            assert like.photo is not None
        except (LookupError, TypeError, ValueError, AssertionError) as error:
            raise PictureError(f"{source}: no film's order") from error
        return cls(
            open_clip(like.photo),
            like.paintings,
            like.config,
            strength,
            like.mask,
            like.style_masks,
            like.regions,
            begin_s,
            end_s,
            fps,
        )


def first_work(order: FilmOrder) -> float:
    """What a frame that comes from nowhere takes, in iterations at its size."""
    size = order.clip.size_at(order.side_px)
    plan = schedule(size, order.config)
    pixels = size[0] * size[1]
    return sum(h * w / pixels * (count - 1 + SCALE_BEGINS) for (h, w), count in plan)

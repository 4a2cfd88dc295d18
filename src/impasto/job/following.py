"""A film's frames after a job's own: each painted in its manner, from where the last one's are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from impasto.config import Config
from impasto.job import threads
from impasto.job.casting import as_painted, as_seen, located
from impasto.job.job import Job, network_of
from impasto.job.scene import region_at
from impasto.modes import own_modes
from impasto.pictures import PictureSource
from impasto.pictures.color import match_covariance
from impasto.transfer.descent import State
from impasto.transfer.follow import Follower, Seen
from impasto.transfer.losses import Anchor

LEAST_KNOWN = 0.05  # of a frame's area, below which a palette is no palette


@dataclass(frozen=True)
class Origin:
    """From where a frame's picture comes.

    Attributes:
        picture: earlier results, carried to where their things are now, (1, 3, H, W) in [0, 1].
        known: how far each pixel comes from there and not from nowhere, (1, 1, H, W) in [0, 1].
        trust: how firmly it is kept near there, likewise.
        held: where it stays what it is there, 1 or 0, likewise.
    """

    picture: Tensor
    known: Tensor
    trust: Tensor
    held: Tensor


@dataclass(frozen=True)
class Place:
    """Where a frame's regions are.

    Attributes:
        where: which part of the frame each is, (1, 1, H, W) in [0, 1]; None is all.
        preserve: where it stays as photographed, likewise; None is nowhere.
    """

    where: Sequence[Tensor | None]
    preserve: Tensor | None

    @property
    def kept(self) -> Tensor | None:
        """The last on the CPU."""
        return None if self.preserve is None else self.preserve.to("cpu")


class Following:
    """The manner of a job, for the frames that come after its own.

    Args:
        job: of a shot's first frame.
        known: its minimiser's state, as the last of its steps has it.
    """

    @own_modes()
    def __init__(self, job: Job, known: State) -> None:
        self.job = job
        with threads.using(job.threads):
            subject = job.subject()
            self.follower = Follower(
                network_of(job.backbone, job.config, job.ways).to(job.device),
                subject.regions(job.size),
                job.config,
                known,
                grey=job.scene.grey,
                window_px=job.plan.window_px,
            )
            where = [each.where for each in self.follower.regions]
            self.place = Place(where, subject.preserve(job.size))

    @own_modes()
    def placed(self, mask: PictureSource) -> Place | None:
        """Where the job's regions are by another frame's mask; None where that has others."""
        found = located(self.job.scene, mask)
        if found is None:
            return None
        where, preserve = found
        size, device = self.job.size, self.job.device
        parts = [None if each is None else region_at(each, size).to(device) for each in where]
        kept = None if preserve is None else region_at(preserve, size).to(device)
        return Place(parts, kept)

    @own_modes()
    def paint(
        self,
        photograph: Tensor,
        origin: Origin,
        weight: float,
        iterations: int,
        config: Config,
        place: Place | None = None,
    ) -> Tensor:
        """A frame in the job's manner, (1, 3, H, W) in [0, 1], on the CPU.

        Args:
            photograph: (1, 3, H, W), sRGB in [0, 1], of the job's size.
            origin: from where its picture comes; what is new begins as the photograph, in the
                colours that the rest was painted in: large areas of colour take more iterations
                than a frame has.
            weight: of the departure from there in the loss.
            iterations: at least 1.
            config: the job's, but for the weights of content and style.
            place: where its regions are; None is where they were in the job's own frame.
        """
        job, device = self.job, self.job.device
        with threads.using(job.threads):
            shown = as_seen(job.scene, photograph, config).to(device)
            before = as_painted(job.scene, origin.picture).to(device)
            place = place or self.place
            known = origin.known.to(device)
            start = torch.lerp(in_palette_of(shown, before, known), before, known)
            anchor = Anchor(before, origin.trust.to(device), origin.held.to(device), weight)
            seen = Seen(shown, place.preserve, place.where)
            pixels = self.follower.paint(seen, start, anchor, iterations, config)
            finished = job.finished(pixels.to("cpu"), photograph, place.kept)
        return torch.lerp(finished, origin.picture, origin.held)


def in_palette_of(photograph: Tensor, picture: Tensor, known: Tensor) -> Tensor:
    """A photograph (1, 3, H, W) in the colours of a picture, where that is known.

    Args:
        photograph: in [0, 1].
        picture: likewise, of the same size.
        known: how far the picture is known, (1, 1, H, W) in [0, 1]; where it is nowhere the
            photograph is left.
    """
    if not float(known.mean()) > LEAST_KNOWN:
        return photograph
    return match_covariance(photograph, picture, known, known)

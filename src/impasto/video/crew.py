"""Whoever paints a film's shots: orders in, events out. The seam to other processes, and machines.

A shot knows nothing of the others, so that they may be painted in any order, and side by side, to
the same bytes. What a painter has to know is in a ShotOrder, which goes through JSON; its frames
come into the film's folder, which all painters share.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from impasto.video.shooting import Footage, ShotOrder, Tell, paint_shot


class Crew(Protocol):
    """Processes here, or on other machines."""

    def work(self, shots: Sequence[ShotOrder], tell: Tell) -> None:
        """Paint what of each shot is not on disk yet.

        One that fails ends the others: there is no film without it, and what is painted is kept.
        A crew that is killed and given the same orders again goes on where it was.

        Args:
            shots: of one film.
            tell: told once of each frame that is there, those of a shot in their order, and now
                and then of a shot's first one that is being painted. What it raises ends the work.

        Raises:
            ImpastoError: one of them can't be painted.
        """
        ...


class InTurn:
    """One shot after the other, in the caller's process."""

    def work(self, shots: Sequence[ShotOrder], tell: Tell) -> None:
        """Paint them, as in `Crew`."""
        footage = Footage()
        for each in shots:
            paint_shot(each, tell, footage)

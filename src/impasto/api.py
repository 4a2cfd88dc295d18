"""stylize() and texture(): the whole of impasto in a call. Neither prints nor exits."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

from impasto.config import Size, configure, style_alone
from impasto.errors import PartialResultWarning
from impasto.job.casting import Masks, Several
from impasto.job.job import CTRL_C, OnInterrupt, OnStep, Result, check_interrupt
from impasto.job.prepare import prepare
from impasto.pictures import PictureSource

__all__ = ["CTRL_C", "PartialResultWarning", "Result", "prepare", "stylize", "texture"]


def stylize(
    content: PictureSource,
    style: PictureSource | Several,
    *,
    mask: PictureSource | None = None,
    style_masks: Several = (),
    regions: Mapping[str, PictureSource] | None = None,
    preset: str = "default",
    on_step: OnStep | None = None,
    on_interrupt: OnInterrupt = "keep",
    **settings: Any,
) -> Result:
    """Repaint a photograph in the manner of a painting, or of several.

    Whatever goes wrong once there is a picture, Ctrl-C included, stops the work and returns the
    picture as it stands, with a ``PartialResultWarning``; ``result.stopped`` says why, and is
    ``CTRL_C`` where that was it.

    Args:
        content: the photograph: a path, a PIL image, or an array (H, W), (H, W, 1), (H, W, 3) or
            (H, W, 4) of uint8, uint16 or floats in [0, 1].
        style: the painting, likewise, or a built-in style's name, or a folder of paintings, which
            are taken as one style; or a list of any of them, to meet in between.
        mask: a picture of the photograph's size, whose colours name regions of it; or labels, an
            array or a tensor of whole numbers or booleans.
        style_masks: of the paintings, in their order: each region takes after the part of the
            painting that has the same colour, or the same label.
        regions: by colour (``"white"``, ``"#ff0000"``, ``"128"``), or by label (``1``,
            ``"label 1"``), a painting of its own, or ``"photo"`` where the picture is to stay as
            photographed.
        preset: ``default`` or ``paper``.
        on_step: called after each iteration.
        on_interrupt: ``keep`` the picture as it stands at Ctrl-C, or ``raise`` KeyboardInterrupt.
        **settings: any attributes of ``Config``, such as ``size=768`` or ``strength=0.7``.

    Raises:
        ImpastoError: of its children the one that fits; its text says what to try.
        KeyboardInterrupt: Ctrl-C before the first iteration's end, or with ``raise``.
        Exception: anything that ``on_step`` raises, or the first iteration.

    Example:
        >>> result = stylize("photo.jpg", "night-swirls", size=256)  # doctest: +SKIP
        >>> result.save("out.png")  # doctest: +SKIP
    """
    check_interrupt(on_interrupt)
    masks = Masks(mask, style_masks, regions or {})
    job = prepare(content, style, configure(preset, **settings), masks)
    return told_if_partial(job.run(on_step, on_interrupt=on_interrupt))


def texture(
    style: PictureSource | Several,
    size: int | Size | None = None,
    *,
    preset: str = "default",
    on_step: OnStep | None = None,
    on_interrupt: OnInterrupt = "keep",
    **settings: Any,
) -> Result:
    """Make a picture of a painting's style alone, from noise: Gatys, Ecker & Bethge 2015a.

    "Texture Synthesis Using Convolutional Neural Networks". A stop is as in `stylize`.

    Args:
        style: as in `stylize`.
        size: a square's side, or (height, width), in pixels; left out, ``Config``'s.
        preset: as in `stylize`.
        on_step: likewise.
        on_interrupt: likewise.
        **settings: any attributes of ``Config``; ``tileable=True`` for one without a seam.

    Raises:
        ImpastoError: as in `stylize`.
    """
    check_interrupt(on_interrupt)
    config = configure(preset, **{"size": size, **style_alone(preset), **settings})
    return told_if_partial(prepare(None, style, config).run(on_step, on_interrupt=on_interrupt))


def told_if_partial(result: Result) -> Result:
    """The result, with a warning at the line that asked for it where it was stopped on the way."""
    if result.stopped:
        went = result.recipe.outcome
        assert went is not None, "a run has an outcome"
        text = f"stopped at iteration {went.done} of {went.planned} ({result.stopped})"
        warnings.warn(
            f"{text}: this is the picture as it stood", PartialResultWarning, stacklevel=3
        )
    return result

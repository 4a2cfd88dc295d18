"""Settings as a page offers them; what they may be and their defaults are config.py's."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from impasto.checks import Number, OneOf
from impasto.config import CHECKS, ORIGINAL, SEAMLESS, STARTS, STYLE_SCALE, Config
from impasto.errors import SETTING, ImpastoError
from impasto.words import HELP, ON_A_PAGE

LABELS: Mapping[str, str] = MappingProxyType(
    {
        "strength": "Strength",
        "style_scale": "Stroke size",
        "hand": "Hand",
        "style_weights": "How much of each painting",
        "quality": "Quality",
        "size": "Size",
        "color": "Colours",
        "color_match": "Palettes are matched",
        "tileable": "Tile",
        "start": "Starts from",
        "seed": "Seed",
        "tv_weight": "Smoothness",
        "distance": "Styles are compared by",
        "iterations": "Iterations",
        "optimizer": "Optimiser",
        "backbone": "Network",
        "fit": "Memory",
        "threads": "Threads",
        "precision": "Precision",
    }
)
CHOICES: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "color": {
            "painted": "As painted",
            "luminance": "The photograph's own",
            "photo": "The photograph's palette",
            "painting": "The painting's palette",
        },
        "hand": {"faithful": "Faithful", "painterly": "Painterly"},
        "distance": {"wasserstein": "Means and covariances", "gram": "Gram matrices"},
        "color_match": {"covariance": "All colours together", "histogram": "Channel by channel"},
        "optimizer": {"lbfgs": "L-BFGS", "adam": "Adam", "gd": "Gradient descent"},
        "start": {
            "content": "The photograph",
            "noise": "Noise",
            "noise*content": "Both mixed",
        },
    }
)
# What a hand can do on a slider, of the range that config.py allows: beyond it strokes are specks
# or larger than the picture. The command line takes the rest.
STROKES, STROKES_STEP = (0.25, 4.0), 0.05
STRENGTH_STEP = 0.05
SIZES_PX = (128, 256, 384, 512, 768, 1024, 1536, 2048, 3072, 4096)
MAIN = ("strength", "style_scale", "quality", "size", "color", "hand")
MORE = (
    "tileable",
    "start",
    "color_match",
    "tv_weight",
    "seed",
    "distance",
    "optimizer",
    "iterations",
    "backbone",
    "precision",
    "fit",
    "threads",
)
PLAIN_WORD = re.compile(r"[a-z]+[ ,;]")  # and no file's name, host or setting
BACKBONES = ("auto", "vgg19", "vgg16")


@dataclass(frozen=True)
class Widget:
    """A setting on the page.

    Attributes:
        name: Config's.
        label: what stands beside it.
        help: what it is good for.
        default: Config's.
        choices: (label, value) of each; () where it is a number.
        low: the least that it may be, and
        high: the greatest; None is no limit.
        step: between two places of a slider.
        whole: whether it has no fraction.
        free: whether other values than the choices may be typed.
    """

    name: str
    label: str
    help: str
    default: Any
    choices: tuple[tuple[str, Any], ...] = ()
    low: float | None = None
    high: float | None = None
    step: float | None = None
    whole: bool = False
    free: bool = False


def spelling(name: str) -> str:
    """What the page calls a setting, in an error or a help; any other name as it is."""
    return f"“{LABELS[name]}”" if name in LABELS else name


def said(error: ImpastoError) -> str:
    """An error's one line, with settings as the page calls them."""
    return capital(error.line(spelling))


def capital(line: str) -> str:
    """A line as a sentence begins, unless it begins with a name."""
    return line[:1].upper() + line[1:] if PLAIN_WORD.match(line) else line


@contextmanager
def by_name(path: Path, name: str) -> Iterator[None]:
    """Errors within name a file by its name alone: where it lies here is nobody's business."""
    try:
        yield
    except ImpastoError as error:
        parts = (error.given, error.allowed, error.hint)
        raise type(error)(*(part.replace(str(path), name) for part in parts)) from error


def widget(name: str) -> Widget:
    """A setting's, made of what config.py and words.py know of it."""
    text = SETTING.sub(lambda found: spelling(found[1]), ON_A_PAGE.get(name, HELP[name]))
    default, check = getattr(Config, name), CHECKS.get(name)
    made = Widget(name, LABELS[name], text, default)
    named = CHOICES.get(name, {})
    if name == "style_scale":
        ends = {"low": max(STROKES[0], STYLE_SCALE.low), "high": min(STROKES[1], STYLE_SCALE.high)}
        return _with(made, **ends, step=STROKES_STEP)
    if name == "size":
        sizes = [(f"{side} px", side) for side in SIZES_PX]
        return _with(made, choices=(*sizes, ("As the photograph", ORIGINAL)))
    if name == "tileable":
        ways = [
            (f"Goes on {way}" if way != "both" else "Goes on both ways", way) for way in SEAMLESS
        ]
        return _with(made, choices=(("No", False), *ways))
    if name == "start":
        return _with(made, choices=tuple((named[word], word) for word in STARTS))
    if name == "backbone":
        return _with(made, choices=tuple((word, word) for word in BACKBONES))
    if name == "fit":
        return _with(made, choices=tuple((w, w) for w in ("auto", "whole", "windows")), free=True)
    if isinstance(check, OneOf):
        words = ((named.get(word, word.capitalize()), word) for word in check.allowed)
        return _with(made, choices=tuple(words))
    assert isinstance(check, Number), f"{name} is offered in no form"
    high = None if check.high == math.inf else check.high
    step = STRENGTH_STEP if name == "strength" else None
    return _with(made, low=check.low, high=high, step=step, whole=check.whole)


def _with(made: Widget, **known: Any) -> Widget:
    return replace(made, **known)

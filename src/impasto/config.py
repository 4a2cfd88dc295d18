"""Every setting, its default and its limits, in one frozen dataclass; no torch here.

Two presets: ``default``, the best picture for the time, and ``paper``, the formulas of Gatys,
Ecker & Bethge 2015 as printed. A setting left at None takes what the preset says.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from itertools import pairwise
from types import MappingProxyType
from typing import Any, Literal, get_args

from impasto.errors import ConfigError, did_you_mean

Distance = Literal["wasserstein", "gram"]
Units = Literal["fractions", "sums"]
Optimizer = Literal["lbfgs", "adam", "gd"]
Pooling = Literal["max", "average"]
Edges = Literal["replicate", "zeros"]
Quality = Literal["draft", "normal", "fine"]
Color = Literal["painted", "luminance", "photo", "painting"]
ColorMatch = Literal["covariance", "histogram"]
Precision = Literal["auto", "float32", "bfloat16"]
Weighted = tuple[tuple[str, float], ...]  # layers by name, each with its weight
Size = tuple[int, int]  # (height, width) in pixels
Axes = tuple[bool, bool]  # down and across: whether a picture goes on around its edges that way

STARTS = ("content", "noise", "noise*content")
DEVICES = ("auto", "cuda", "mps", "cpu")
FITS = ("auto", "whole", "tiles")
BORDERED: Axes = (False, False)
TILED: Mapping[str, Axes] = MappingProxyType(
    {"horizontally": (False, True), "vertically": (True, False), "both": (True, True)}
)
UNITS = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
LEAST_FIT_BYTES = 10**6  # less is a slip: a number of gigabytes without its unit
ORIGINAL = "original"  # the size of the photograph itself
PAINTING = "painting"  # what a look may hold besides settings
PHOTO = "photo"  # a region that is to stay as photographed
LAST = -1  # the snapshot of the last iteration, whichever that is

LARGEST_SIZE_PX = 16_384
SMALLEST_SIZE_PX = 16  # at which the deepest layers still have one position
COARSEST_PX = 128  # longer side of the first scale: large enough for a face, 16 times cheaper
COARSEST_SHORT_PX = 32  # and its shorter side: two positions at conv5_1
SCALE_STEP = 2.0  # from one scale to the next
TILE_PX = 16  # a tile's sides are multiples of it: four poolings then halve it without a rest
ROUNDED = 0.05  # of a scale step: 255 px, rounded from a larger picture's half, has two scales
# Iterations at the coarsest scale, at each one in between, and at the last. The coarsest lays out
# colours and large forms where an iteration costs least; what it loses of the photograph comes back
# only at full size, where most of the work belongs. Measured: docs/performance.md.
ITERATIONS: Mapping[str, tuple[int, int, int]] = MappingProxyType(
    {"draft": (16, 2, 2), "normal": (36, 8, 20), "fine": (80, 30, 60)}
)
# Above this longer side the last scale's number falls as the side grows: what little is new there,
# the finest strokes, is there after a few iterations, and each one costs four times as much.
ENOUGH_PX = 512
LEAST_ITERATIONS: Mapping[str, int] = MappingProxyType({"draft": 2, "normal": 6, "fine": 12})

# The content's weight against the style's is CONTENT_AT_HALF * ((1 - s) / s)^2 at strength s, both
# distances being fractions: 0.12 was picked by eye over the pairs described in docs/performance.md.
CONTENT_AT_HALF = 0.12
STRENGTH_EXPONENT = 2.0

# Adam's is in pixel values an iteration (Crowson's default); gradient descent's is what the first
# iteration moves the fastest pixel, and was found by trying: docs/paper.md.
LEARNING_RATES: Mapping[str, float] = MappingProxyType({"adam": 0.02, "gd": 0.1})

PLACES = tuple(f"{block}_{place}" for block in range(1, 6) for place in range(1, 5))
LAYERS = tuple(f"{kind}{place}" for kind in ("relu", "conv") for place in PLACES)
_LAYER = re.compile(r"(conv|relu)([1-5])_([1-4])")


def split_layer(name: str) -> tuple[str, int, int]:
    """``"conv4_2"`` as ``("conv", 4, 2)``: kind, block, and place in the block, from 1."""
    match = _LAYER.fullmatch(str(name))
    if not match:
        raise ConfigError(
            f"layer {name!r}",
            "layers are conv1_1 ... conv5_4 and relu1_1 ... relu5_4",
            did_you_mean(str(name), LAYERS),
        )
    return match[1], int(match[2]), int(match[3])


CHOICES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "distance": get_args(Distance),
        "units": get_args(Units),
        "pooling": get_args(Pooling),
        "edges": get_args(Edges),
        "optimizer": get_args(Optimizer),
        "quality": get_args(Quality),
        "color": get_args(Color),
        "color_match": get_args(ColorMatch),
        "precision": get_args(Precision),
        "device": DEVICES,
    }
)

RANGES: Mapping[str, tuple[float, float]] = MappingProxyType(
    {
        "strength": (0.0, 1.0),
        "alpha": (0.0, math.inf),
        "beta": (0.0, math.inf),
        "tv_weight": (0.0, math.inf),
        "learning_rate": (0.0, math.inf),
        "iterations": (1, 1_000_000),
        "style_size": (SMALLEST_SIZE_PX, LARGEST_SIZE_PX),
        "seed": (0, 2**63 - 1),
    }
)
STYLE_SCALES = (0.05, 20.0)
WHOLE = ("iterations", "style_size", "seed", "size")


def _check_choice(name: str, value: object, allowed: Sequence[str]) -> None:
    if value in allowed:
        return
    allowed_text = f"allowed: {', '.join(allowed)}"
    raise ConfigError(f"`{name}` {value!r}", allowed_text, did_you_mean(str(value), allowed))


def _check_range(name: str, value: Any, low: float, high: float) -> None:
    if value is None:
        return
    kinds, noun = (int, "whole number") if name in WHOLE else (int | float, "number")
    number = isinstance(value, kinds) and not isinstance(value, bool)
    if not number or not low <= value <= high or value == math.inf:
        limits = f"from {low:g} up" if high == math.inf else f"from {low:g} to {high:g}"
        also = f", or {ORIGINAL!r}, or for a texture WIDTHxHEIGHT" if name == "size" else ""
        what = f"`{name}`" if name.isidentifier() else name
        raise ConfigError(f"{what} {value!r}", f"a {noun} {limits} is wanted{also}")


def _check_styles(scales: Any, weights: Any) -> None:
    for scale in scales if isinstance(scales, tuple) else (scales,):
        _check_range("style_scale", scale, *STYLE_SCALES)
    if isinstance(scales, tuple) and not scales:
        raise ConfigError("no `style_scale`", "one number, or one for each painting")
    if not isinstance(weights, tuple):
        raise ConfigError(f"`style_weights` {weights!r}", "a number for each painting")
    for weight in weights:
        _check_range("`style_weights`: a style's weight", weight, 0.0, math.inf)
    if weights and not sum(weights) > 0:
        raise ConfigError(f"`style_weights` {weights}", "at least one above 0 is wanted")


def _check_size(size: Any) -> None:
    sides = size if isinstance(size, tuple) and len(size) == len(("height", "width")) else (size,)
    for side in sides:
        if side != ORIGINAL:
            _check_range("size", side, SMALLEST_SIZE_PX, LARGEST_SIZE_PX)


def _check_tileable(tileable: object) -> None:
    if tileable is not False and tileable not in TILED:
        allowed = f"allowed: {', '.join(TILED)}, true (both ways) or false"
        raise ConfigError(
            f"`tileable` {tileable!r}", allowed, did_you_mean(str(tileable), tuple(TILED))
        )


def _check_fit(fit: object) -> None:
    if fit in FITS or (isinstance(fit, int) and fit >= LEAST_FIT_BYTES):
        return
    allowed = f"allowed: {', '.join(FITS)}, or the memory that may be used, such as 6GB"
    raise ConfigError(f"`fit` {fit!r}", allowed, did_you_mean(str(fit), FITS))


def _check_layers(name: str, layers: Any) -> None:
    pairs = isinstance(layers, tuple | list) and all(
        isinstance(pair, tuple | list) and len(pair) == len(("name", "weight")) for pair in layers
    )
    if not pairs:
        raise ConfigError(f"`{name}` {layers!r}", 'pairs such as (("relu1_1", 1.0),) are wanted')
    for layer, weight in layers:
        split_layer(layer)
        _check_range(f"the weight of {layer}", weight, 0.0, math.inf)
    names = [layer for layer, _ in layers]
    if len(set(names)) < len(names):
        raise ConfigError(f"`{name}` {names}", "each layer only once")
    if not sum(weight for _, weight in layers) > 0:
        raise ConfigError(
            f"`{name}` {layers}", "at least one layer with a weight above 0 is wanted"
        )


@dataclass(frozen=True)
class Config:
    """All that decides a picture but the two pictures themselves. Checked when it is made.

    Attributes:
        preset: the name of the preset that this started from.
        backbone: ``auto``, ``vgg19``, ``vgg16`` or the path of a weights file.
        size: longer side of the result in pixels, or ``"original"``: the photograph's own; of a
            texture, (height, width) too.
        units: of content and style. ``fractions``: of the photograph's feature variance that is
            lost, and of the distance from photograph to painting that is left, balanced by
            ``strength``. ``sums``: as the paper prints them, alpha against beta.
        strength: of fractions, 0 (the photograph) to 1 (only style); of sums there is none.
        alpha: factor on the content's part of the loss. None, of sums: chosen by the
            pair, as if CONTENT_AT_HALF were asked of fractions.
        beta: factor on the style's part of the loss.
        tv_weight: factor on the total variation, which smooths; of fractions, also times the
            style's factor, so that strength 0 is the photograph itself.
        content_layers: names and weights of the layers that keep the photograph.
        style_layers: names and weights of the layers that hold the painting's manner.
        distance: how styles are compared: ``wasserstein`` (means and covariances) or ``gram``.
        pooling: ``max`` or ``average``.
        edges: what the network sees beyond the picture, which is mirrored until its sides are
            multiples of 16 px: ``replicate`` or ``zeros``.
        tileable: whether the result goes on without a seam where copies of it are laid side by
            side: ``horizontally`` (as a panorama of all directions does), ``vertically``, ``both``
            ways (or True), or False. That way its side is then a multiple of TILE_PX. The
            photograph's opposite borders are brought together first, and near them it counts less.
        pyramid: from coarse to fine, or at the full size from the start.
        optimizer: ``lbfgs``, ``adam`` or ``gd``, plain gradient descent.
        learning_rate: step size of Adam (in pixel values) and of gradient descent (see
            docs/paper.md); None is the optimiser's own default. L-BFGS finds its own step.
        quality: ``draft``, ``normal`` or ``fine``: how many iterations the schedule has.
        iterations: in all, over all scales; None is the schedule's own number.
        start: ``content``, ``noise``, ``noise*content`` or the path of a picture.
        style_scale: size of the painting against the photograph's: above 1 for broader strokes;
            one for all paintings, or one for each. A long painting is taken at the size that a part
            of it would have: its strokes are no finer for its length.
        style_weights: how much each of several paintings counts; () is alike.
        style_size: longer side of the painting in pixels, instead of ``style_scale``.
        color: whose colours the result has: ``painted``, as the style has it; ``luminance``: the
            photograph's own, and only light and dark are repainted; ``photo``: the painting is
            recoloured to the photograph's palette first; ``painting``: the photograph to the
            painting's.
        color_match: how a palette is matched: ``covariance``, a linear map of colours, or
            ``histogram``, channel by channel.
        seed: of the noise.
        device: ``auto`` (CUDA, else MPS, else CPU), ``cuda``, ``mps`` or ``cpu``.
        precision: of the network's features: ``float32``, or ``bfloat16``, faster on GPUs that have
            it; ``auto`` takes it there. Losses are float32 whatever it is.
        fit: ``whole`` (the picture at once), ``tiles`` (in windows), ``auto`` (windows where the
            whole would not fit the free memory), or the bytes that the work may take.
        snapshots: iterations, from 1, after which a snapshot is due; -1 is the last.

    Raises:
        ConfigError: a value outside its range, or two that exclude each other.
    """

    preset: str = "default"
    backbone: str = "auto"
    size: int | Literal["original"] | Size = 512
    units: Units = "fractions"
    strength: float | None = 0.5
    alpha: float | None = 1.0
    beta: float = 1.0
    tv_weight: float = 2.0
    content_layers: Weighted = (("relu4_2", 1.0),)
    style_layers: Weighted = (
        ("relu1_1", 1.0),
        ("relu2_1", 3.0),
        ("relu3_1", 3.0),
        ("relu4_1", 1.0),
        ("relu5_1", 0.06),
    )
    distance: Distance = "wasserstein"
    pooling: Pooling = "max"
    edges: Edges = "replicate"
    tileable: bool | str = False
    pyramid: bool = True
    optimizer: Optimizer = "lbfgs"
    learning_rate: float | None = None
    quality: Quality = "normal"
    iterations: int | None = None
    start: str = "content"
    style_scale: float | tuple[float, ...] = 1.0
    style_weights: tuple[float, ...] = ()
    style_size: int | None = None
    color: Color = "painted"
    color_match: ColorMatch = "covariance"
    seed: int = 0
    device: str = "auto"
    precision: Precision = "auto"
    fit: int | str = "auto"
    snapshots: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        for name in ("backbone", "start"):
            value = getattr(self, name)
            if not isinstance(value, str | os.PathLike):
                raise ConfigError(f"`{name}` {value!r}", "a name or a path is wanted")
            object.__setattr__(self, name, os.fspath(value))
        if not isinstance(self.pyramid, bool):
            raise ConfigError(f"`pyramid` {self.pyramid!r}", "true or false is wanted")
        object.__setattr__(self, "tileable", "both" if self.tileable is True else self.tileable)
        _check_tileable(self.tileable)
        for name, allowed in CHOICES.items():
            _check_choice(name, getattr(self, name), allowed)
        for name, (low, high) in RANGES.items():
            _check_range(name, getattr(self, name), low, high)
        for name in ("style_scale", "style_weights", "size"):
            value = getattr(self, name)
            object.__setattr__(self, name, tuple(value) if isinstance(value, list) else value)
        _check_styles(self.style_scale, self.style_weights)
        _check_fit(self.fit)
        _check_size(self.size)
        _check_layers("content_layers", self.content_layers)
        _check_layers("style_layers", self.style_layers)
        for number in self.snapshots:
            if not isinstance(number, int) or (number != LAST and number < 1):
                raise ConfigError(f"snapshot {number}", "snapshots are iterations from 1, or last")
        self._check_together()

    def _check_together(self) -> None:
        if self.learning_rate is not None and self.optimizer == "lbfgs":
            raise ConfigError(
                "a learning rate with the optimizer lbfgs, which finds its own step",
                "the optimizers adam and gd take one",
            )
        if (self.strength is None) != (self.units == "sums"):
            raise ConfigError(
                f"a strength of {self.strength} in units of {self.units}",
                "fractions are balanced by a strength, sums by alpha against beta",
            )
        if self.style_size is not None and self.style_scale != 1:
            raise ConfigError("`style_size` and `style_scale` both", "one of them is wanted")
        if self.color_match != "covariance" and self.color not in ("photo", "painting"):
            raise ConfigError(
                f"`color_match` {self.color_match!r} with `color` {self.color!r}",
                "palettes are matched with `color` photo or painting",
            )
        if max(self.weights()) == 0:
            raise ConfigError("nothing to optimise: both content and style weigh 0")

    @property
    def around(self) -> Axes:
        """Which ways the result goes on around its edges."""
        return TILED[self.tileable] if isinstance(self.tileable, str) else BORDERED

    @property
    def rate(self) -> float:
        """The learning rate of Adam or of gradient descent; L-BFGS has none."""
        if self.learning_rate is not None:
            return self.learning_rate
        return LEARNING_RATES[self.optimizer]

    def weights(self) -> tuple[float, float]:
        """The factors on the content's and the style's part of the loss at this strength.

        For a strength s they sum to 1 (before alpha and beta), so that 0 is the photograph
        itself, 1 is style alone, and the loss has the same size at every strength. Without one
        they are alpha and beta; an alpha that is to be chosen by the pair counts as beta.
        """
        if self.units == "sums":
            return self.beta if self.alpha is None else self.alpha, self.beta
        assert self.strength is not None, "fractions have a strength"
        style = self.strength**STRENGTH_EXPONENT
        content = CONTENT_AT_HALF * (1 - self.strength) ** STRENGTH_EXPONENT
        total = style + content
        alpha = 1.0 if self.alpha is None else self.alpha
        return alpha * content / total, self.beta * style / total


PRESETS: Mapping[str, Config] = MappingProxyType(
    {
        "default": Config(),
        # Gatys, Ecker & Bethge 2015 as DESIGN.md prints it: sums, not means; one scale.
        "paper": Config(
            preset="paper",
            backbone="vgg19",
            units="sums",
            strength=None,
            alpha=None,
            beta=1.0,
            tv_weight=0.0,
            content_layers=(("conv4_2", 1.0),),
            style_layers=tuple((f"conv{block}_1", 1.0) for block in range(1, 6)),
            distance="gram",
            edges="zeros",
            pyramid=False,
            optimizer="gd",
            iterations=3000,
            start="noise*content",
            snapshots=(1, 1065, 2999),
        ),
    }
)


def style_alone(preset: str = "default") -> dict[str, Any]:
    """Settings with which nothing of a photograph counts, as for a texture."""
    _check_choice("preset", preset, tuple(PRESETS))
    nothing = {"alpha": 0.0} if PRESETS[preset].units == "sums" else {"strength": 1.0}
    return {"start": "noise", **nothing}


def configure(preset: str = "default", **settings: Any) -> Config:
    """The preset's config with every setting that is not None put in its place.

    Raises:
        ConfigError: an unknown preset or setting, or a value out of range.
    """
    _check_choice("preset", preset, tuple(PRESETS))
    names = tuple(field.name for field in fields(Config))
    for name in settings:
        _check_choice("setting", name, names)
    given = {name: value for name, value in settings.items() if value is not None}
    units = given.get("units")
    if units and units != PRESETS[preset].units:  # what each takes from a preset of the other
        given = {"strength": None if units == "sums" else Config.strength, **given}
    return replace(PRESETS[preset], **given)


def schedule(size: Size, config: Config) -> list[tuple[Size, int]]:
    """Sizes (height, width) from coarse to fine, each with its number of iterations.

    Each scale's sides are half of the next one's, down to ``COARSEST_PX``.
    """
    longest, shortest = max(size), min(size)
    coarsest = max(COARSEST_PX, COARSEST_SHORT_PX * longest / shortest)
    steps = max(0, math.floor(math.log(longest / coarsest, SCALE_STEP) + ROUNDED))
    if not config.pyramid:
        steps = 0
    coarsest, between, last = ITERATIONS[config.quality]
    last = max(LEAST_ITERATIONS[config.quality], round(last * min(1.0, ENOUGH_PX / longest)))
    counts = [coarsest, *[between] * (steps - 1), last] if steps else [coarsest + last]
    counts = share(config.iterations, counts) if config.iterations else counts
    sizes = [scale_size(size, SCALE_STEP**-step) for step in range(steps, -1, -1)]
    sizes = [whole_tiles(each, config.around) for each in sizes]
    return [(size, count) for size, count in zip(sizes, counts, strict=True) if count]


def share(total: int, parts: Sequence[int]) -> list[int]:
    """``total`` split in proportion to ``parts``; the last part takes at least 1."""
    bounds = [round((total - 1) * sum(parts[: i + 1]) / sum(parts)) for i in range(len(parts))]
    bounds[-1] = total
    return [high - low for low, high in pairwise([0, *bounds])]


def whole_tiles(size: Size, around: Axes) -> Size:
    """(height, width) rounded to a multiple of TILE_PX, at least one, where it goes around."""
    height, width = (
        max(1, round(side / TILE_PX)) * TILE_PX if joined else side
        for side, joined in zip(size, around, strict=True)
    )
    return height, width


def scale_size(size: Size, factor: float) -> Size:
    """(height, width) times the factor, rounded, at least 1 pixel a side."""
    return max(1, round(size[0] * factor)), max(1, round(size[1] * factor))

"""Every setting, its default and its check, in one frozen dataclass; no torch here.

Two presets: ``default``, the best picture for the time, and ``paper``, the formulas of Gatys,
Ecker & Bethge 2015 as printed. A setting left at None takes what the preset says.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from types import MappingProxyType
from typing import Annotated, Any, Literal

from impasto.checks import Number, OneOf, as_tuple, checks_of, name_or_path, named
from impasto.errors import ConfigError, did_you_mean

Distance = Literal["wasserstein", "gram"]
Units = Literal["fractions", "sums"]
Optimizer = Literal["lbfgs", "adam", "gd"]
Pooling = Literal["max", "average"]
Edges = Literal["replicate", "zeros"]
Quality = Literal["draft", "normal", "fine"]
Hand = Literal["faithful", "painterly"]
Color = Literal["painted", "luminance", "photo", "painting"]
ColorMatch = Literal["covariance", "histogram"]
Device = Literal["auto", "cuda", "mps", "cpu"]
Precision = Literal["auto", "float32", "bfloat16"]
Weighted = tuple[tuple[str, float], ...]  # layers by name, each with its weight
Size = tuple[int, int]  # (height, width) in pixels
Axes = tuple[bool, bool]  # down and across: whether a picture goes on around its edges that way

STARTS = ("content", "noise", "noise*content")
FITS = ("auto", "whole", "windows")
BORDERED: Axes = (False, False)
SEAMLESS: Mapping[str, Axes] = MappingProxyType(
    {"horizontally": (False, True), "vertically": (True, False), "both": (True, True)}
)
UNITS = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
LEAST_FIT_BYTES = 10**6  # less is a slip: a number of gigabytes without its unit
ORIGINAL = "original"  # the size of the photograph itself
PAINTING = "painting"  # what a look may hold besides settings
PHOTO = "photo"  # a region that is to stay as photographed
LAST = -1  # the snapshot of the last iteration, whichever that is

LARGEST_SIZE_PX = 16_384
MOST_THREADS = 1024  # no machine has more cores that one job could use; a slip rather
SMALLEST_SIZE_PX = 16  # at which the deepest layers still have one position
SEAMLESS_PX = 16  # a tile's sides are multiples of it: four poolings then halve it without a rest
# The content's weight against the style's is CONTENT_AT_HALF * ((1 - s) / s)^2 at strength s, both
# distances being fractions: 0.12 was picked by eye over the pairs described in docs/performance.md.
CONTENT_AT_HALF = 0.12
MIDDLE_STRENGTH = 0.5  # below it finer scales begin with more of the photograph's detail
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


SIDE = Number(
    SMALLEST_SIZE_PX,
    LARGEST_SIZE_PX,
    whole=True,
    also=f", or {ORIGINAL!r}, or for a texture WIDTHxHEIGHT",
)
STYLE_SIZE = Number(SMALLEST_SIZE_PX, LARGEST_SIZE_PX, whole=True, optional=True)
THREADS = Number(1, MOST_THREADS, whole=True, optional=True)
STYLE_SCALE, WEIGHT = Number(0.05, 20.0), Number(0.0)


def _size(name: str, size: Any) -> Any:
    """Check for a longer side, ORIGINAL, or (height, width)."""
    size = as_tuple(size)
    sides = size if isinstance(size, tuple) and len(size) == len(("height", "width")) else (size,)
    for side in sides:
        if side != ORIGINAL:
            SIDE(name, side)
    return size


def _scales(name: str, scales: Any) -> Any:
    """Check for one number, or one for each painting."""
    scales = as_tuple(scales)
    if scales == ():
        raise ConfigError(f"no {named(name)}", "one number, or one for each painting")
    for scale in scales if isinstance(scales, tuple) else (scales,):
        STYLE_SCALE(name, scale)
    return scales


def _weights(name: str, weights: Any) -> Any:
    """Check for a number for each painting, or () for weights that are alike."""
    weights = as_tuple(weights)
    if not isinstance(weights, tuple):
        raise ConfigError(f"{named(name)} {weights!r}", "a number for each painting")
    for weight in weights:
        WEIGHT(f"{named(name)}: a style's weight", weight)
    if weights and not sum(weights) > 0:
        raise ConfigError(f"{named(name)} {weights}", "at least one above 0 is wanted")
    return weights


def _tileable(name: str, tileable: Any) -> Any:
    """Check for a word of SEAMLESS, or a switch: true is both ways."""
    if tileable is not False and tileable is not True and tileable not in SEAMLESS:
        allowed = f"allowed: {', '.join(SEAMLESS)}, true (both ways) or false"
        hint = did_you_mean(str(tileable), tuple(SEAMLESS))
        raise ConfigError(f"{named(name)} {tileable!r}", allowed, hint)
    return "both" if tileable is True else tileable


def _fit(name: str, fit: Any) -> Any:
    """Check for a word of FITS, or a number of bytes."""
    if fit in FITS or (isinstance(fit, int) and fit >= LEAST_FIT_BYTES):
        return fit
    allowed = f"allowed: {', '.join(FITS)}, or the memory that may be used, such as 6GB"
    raise ConfigError(f"{named(name)} {fit!r}", allowed, did_you_mean(str(fit), FITS))


def _layers(name: str, layers: Any) -> Any:
    """Check for pairs of a layer's name and its weight."""
    pairs = isinstance(layers, tuple | list) and all(
        isinstance(pair, tuple | list) and len(pair) == len(("name", "weight")) for pair in layers
    )
    if not pairs:
        raise ConfigError(
            f"{named(name)} {layers!r}", 'pairs such as (("relu1_1", 1.0),) are wanted'
        )
    for layer, weight in layers:
        split_layer(layer)
        WEIGHT(f"the weight of {layer}", weight)
    names = [layer for layer, _ in layers]
    if len(set(names)) < len(names):
        raise ConfigError(f"{named(name)} {names}", "each layer only once")
    if not sum(weight for _, weight in layers) > 0:
        raise ConfigError(
            f"{named(name)} {layers}", "at least one layer with a weight above 0 is wanted"
        )
    return layers


def _snapshots(_: str, snapshots: Any) -> Any:
    """Check for iterations, from 1, or LAST."""
    for number in snapshots:
        if not isinstance(number, int) or (number != LAST and number < 1):
            raise ConfigError(f"snapshot {number}", "snapshots are iterations from 1, or last")
    return snapshots


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
        hand: the name of the row of HANDS that ``slices``, ``relations`` and ``detail`` started
            from.
        slices: of the style's part, how much counts by the features' whole distributions along
            many directions, and not by ``distance``: strokes get edges, and flat planes are flat.
        relations: of the content's part, how much counts by which places are alike in the
            photograph, and not by its features there: a contour may become a stroke.
        detail: how much of the photograph's fine detail each finer scale begins with; without it
            that scale's strokes are all of paint. In a draft it is 1 in both hands. Below a
            strength of 0.5 it is more than asked for, and at 0 all.
        pooling: ``max`` or ``average``.
        edges: what the network sees beyond the picture, which is mirrored until its sides are
            multiples of 16 px: ``replicate`` or ``zeros``. With ``replicate`` coarse scales have a
            margin too, which is cut off, and content in fractions counts half at the borders.
        tileable: whether the result goes on without a seam where copies of it are laid side by
            side: ``horizontally`` (as a panorama of all directions does), ``vertically``, ``both``
            ways (or True), or False. That way its side is then a multiple of SEAMLESS_PX. The
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
        device: ``auto`` (CUDA, else MPS, else CPU), ``cuda``, ``mps`` or ``cpu``. Only the last has
            been run yet.
        precision: of the network's features: ``float32``, or ``bfloat16``, faster on processors and
            GPUs that compute in it; ``auto`` takes it there. Losses are float32 whatever it is.
        fit: ``whole`` (the picture in one piece), ``windows``, ``auto`` (windows where the
            whole would not fit the free memory), or the bytes that the work may take.
        threads: of the CPU's that compute at once; sums, and so the picture's bytes, depend on it.
            None is as many as this process may use.
        snapshots: iterations, from 1, after which a snapshot is due; -1 is the last.

    Raises:
        ConfigError: a value outside its range, or two that exclude each other.
    """

    preset: str = "default"
    backbone: Annotated[str, name_or_path] = "auto"
    size: Annotated[int | Literal["original"] | Size, _size] = 512
    units: Units = "fractions"
    strength: Annotated[float | None, Number(0.0, 1.0, optional=True)] = 0.5
    alpha: Annotated[float | None, Number(0.0, optional=True)] = 1.0
    beta: Annotated[float, Number(0.0)] = 1.0
    tv_weight: Annotated[float, Number(0.0)] = 2.0
    content_layers: Annotated[Weighted, _layers] = (("relu4_2", 1.0),)
    style_layers: Annotated[Weighted, _layers] = (
        ("relu1_1", 1.0),
        ("relu2_1", 3.0),
        ("relu3_1", 3.0),
        ("relu4_1", 1.0),
        ("relu5_1", 0.06),
    )
    distance: Distance = "wasserstein"
    hand: Hand = "painterly"
    slices: Annotated[float, Number(0.0, 1.0)] = 0.5
    relations: Annotated[float, Number(0.0, 1.0)] = 0.3
    detail: Annotated[float, Number(0.0, 1.0)] = 0.3
    pooling: Pooling = "max"
    edges: Edges = "replicate"
    tileable: Annotated[bool | str, _tileable] = False
    pyramid: bool = True
    optimizer: Optimizer = "lbfgs"
    learning_rate: Annotated[float | None, Number(0.0, optional=True)] = None
    quality: Quality = "normal"
    iterations: Annotated[int | None, Number(1, 1_000_000, whole=True, optional=True)] = None
    start: Annotated[str, name_or_path] = "content"
    style_scale: Annotated[float | tuple[float, ...], _scales] = 1.0
    style_weights: Annotated[tuple[float, ...], _weights] = ()
    style_size: Annotated[int | None, STYLE_SIZE] = None
    color: Color = "painted"
    color_match: ColorMatch = "covariance"
    seed: Annotated[int, Number(0, 2**63 - 1, whole=True)] = 0
    device: Device = "auto"
    precision: Precision = "auto"
    fit: Annotated[int | str, _fit] = "auto"
    threads: Annotated[int | None, THREADS] = None
    snapshots: Annotated[tuple[int, ...], _snapshots] = ()

    def __post_init__(self) -> None:
        for name, check in CHECKS.items():
            object.__setattr__(self, name, check(name, getattr(self, name)))
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
        if self.units == "sums" and (self.slices or self.relations):
            raise ConfigError(
                f"`slices` {self.slices:g} and `relations` {self.relations:g} in units of sums",
                "they are parts of fractions; the paper's sums have neither",
                "leave them and `hand` out, or take the units fractions",
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
        return SEAMLESS[self.tileable] if isinstance(self.tileable, str) else BORDERED

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

    def photographed(self, sharp: float = 1.0) -> float:
        """How much of the photograph's detail a finer scale begins with.

        ``detail`` from the middle strength on, and below that more of it: at strength 0 the
        picture is the photograph.

        Args:
            sharp: how much of it there is: see ``Subject.sharp``.
        """
        detail = self.detail * sharp
        if self.strength is None:
            return detail
        return 1 - (1 - detail) * min(1.0, self.strength / MIDDLE_STRENGTH)


CHECKS = checks_of(Config)
NUMBERS = tuple(name for name, check in CHECKS.items() if isinstance(check, Number))


def choices(name: str) -> tuple[str, ...]:
    """The words that a setting may be."""
    check = CHECKS[name]
    assert isinstance(check, OneOf), f"{name} has no list of words"
    return tuple(check.allowed)


# What a picture keeps of the photograph, and how much of a painter's hand is in it.
HANDS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "faithful": MappingProxyType({"slices": 0.0, "relations": 0.0, "detail": 1.0}),
        "painterly": MappingProxyType({"slices": 0.5, "relations": 0.3, "detail": 0.3}),
    }
)
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
            hand="faithful",
            slices=0.0,
            relations=0.0,
            detail=1.0,
            edges="zeros",
            pyramid=False,
            optimizer="gd",
            iterations=3000,
            start="noise*content",
            snapshots=(1, 1065, 2999),
        ),
    }
)

FRACTIONS: Mapping[str, Any] = MappingProxyType({"strength": Config.strength})


def style_alone(preset: str = "default") -> dict[str, Any]:
    """Settings with which nothing of a photograph counts, as for a texture."""
    OneOf(tuple(PRESETS))("preset", preset)
    nothing = {"alpha": 0.0} if PRESETS[preset].units == "sums" else {"strength": 1.0}
    return {"start": "noise", **nothing}


def configure(preset: str = "default", **settings: Any) -> Config:
    """The preset's config with every setting that is not None put in its place.

    Raises:
        ConfigError: an unknown preset or setting, or a value out of range.
    """
    OneOf(tuple(PRESETS))("preset", preset)
    names = tuple(field.name for field in fields(Config))
    for name in settings:
        OneOf(names)("setting", name)
    given = {name: value for name, value in settings.items() if value is not None}
    units = given.get("units")
    if units and units != PRESETS[preset].units:  # what each takes from a preset of the other
        of_other = {"strength": None, "hand": "faithful"} if units == "sums" else FRACTIONS
        given = {**of_other, **given}
    chosen = {name: given.get(name, getattr(PRESETS[preset], name)) for name in ("hand", "quality")}
    return replace(PRESETS[preset], **{**in_hand(**chosen), **given})


def in_hand(hand: str, quality: str) -> dict[str, Any]:
    """The settings that a hand stands for: its row of HANDS, and in a draft all of the detail.

    A draft's few iterations can't fill what the photograph's detail leaves free: blur, and haloes.

    Raises:
        ConfigError: there is no such hand.
    """
    row = HANDS[OneOf(tuple(HANDS))("hand", hand)]
    return {**row, "detail": 1.0} if quality == "draft" else dict(row)


def kept(settings: Mapping[str, Any]) -> Config:
    """The config that a file holds; one of before there were hands means the faithful one.

    Raises:
        ConfigError: values out of range.
        TypeError: a setting that there is not.
    """
    return Config(**{"hand": "faithful", **HANDS["faithful"], **settings})


def usual(preset: str, hand: str, quality: str) -> Config:
    """What a preset says in a hand; of another quality only what that changes in other settings."""
    found = configure(preset, hand=hand, quality=quality)
    return replace(found, quality=PRESETS[preset].quality)


def seamless_size(size: Size, around: Axes) -> Size:
    """(height, width) rounded to a multiple of SEAMLESS_PX, at least one, where it goes around."""
    height, width = (
        max(1, round(side / SEAMLESS_PX)) * SEAMLESS_PX if joined else side
        for side, joined in zip(size, around, strict=True)
    )
    return height, width


def scale_size(size: Size, factor: float) -> Size:
    """(height, width) times the factor, rounded, at least 1 pixel a side."""
    return max(1, round(size[0] * factor)), max(1, round(size[1] * factor))

"""The options of `impasto stylize`, each with its help; every default is config.py's."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
import typer.core

from impasto import config
from impasto.config import FITS, HANDS, LAST, PRESETS, SEAMLESS, STARTS, Config
from impasto.errors import SETTING
from impasto.words import HELP

PICTURE, REGIONS, BALANCE = "Picture", "Regions", "Balance"
OPTIMISATION, OUTPUT = "Optimisation", "Output"


# What is not called as the library calls it, with hyphens.
SPELT = {"open_to_all": "--open", "style_masks": "--style-mask", "regions": "--region"}
SPELT |= {"begin": "--from", "end": "--to"}
ARGUMENTS = (
    "mask",
    "resume",
    "checkpoint_dir",
    "host",
    "port",
    "password_file",
    "mcp",
    "overwrite",
    "workers",
    "cluster",
    "files",
    "fps",
    *SPELT,
)  # that errors name, besides settings


def spelling(name: str) -> str:
    """A setting's option; any other name as it is."""
    if name not in ARGUMENTS and name not in Config.__dataclass_fields__:
        return name
    return SPELT.get(name, f"--{name.replace('_', '-')}")


def default_of(name: str) -> str:
    """The default of a setting as the help shows it; presets' and hands' where they differ."""
    shown = {preset: _shown(getattr(config, name)) for preset, config in PRESETS.items()}
    usual = shown.pop(Config.preset)
    parts = [f"default: {usual}"] if usual else []
    parts += [
        f"preset {preset}: {text or 'none'}" for preset, text in shown.items() if text != usual
    ]
    hands = {hand: _shown(row[name]) for hand, row in HANDS.items() if name in row}
    parts += [f"hand {hand}: {text}" for hand, text in hands.items() if text != usual]
    return f"[{'; '.join(parts)}]" if parts else ""


def _shown(value: Any) -> str:
    if isinstance(value, tuple):
        parts = (item if isinstance(item, tuple) else (item,) for item in value)
        return ", ".join("=".join(_shown(part) for part in item) for item in parts)  # so it wraps
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:g}"
    return "" if value is None else "last" if value == LAST else str(value)


def setting(name: str, panel: str, metavar: str, *flags: str, text: str = "") -> Any:
    """An option for one attribute of Config; ``text`` where words.py's does not do."""
    words = SETTING.sub(lambda found: spelling(found[1]), text or HELP[name])
    described = f"{words} {default_of(name)}".replace("[", r"\[")
    return typer.Option(
        spelling(name),
        *flags,
        help=described,
        rich_help_panel=panel,
        metavar=metavar,
        show_default=False,
    )


class Command(typer.core.TyperCommand):
    """One whose ``--tileable`` may come with a word or without; typer's options do either."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        return super().parse_args(ctx, spelled_out(args))


def spelled_out(words: Sequence[str]) -> list[str]:
    """A command line with its ``--tileable`` and ``--not-tileable`` as ``--tileable=WORD``."""
    found, left = list[str](), list(words)
    while left:
        word = left.pop(0)
        if word == "--":  # what follows is no option
            return [*found, word, *left]
        if word == "--tileable":
            word += f"={left.pop(0) if left and left[0] in SEAMLESS else 'both'}"
        found.append("--tileable=no" if word == "--not-tileable" else word)
    return found


def output(text: str) -> Any:
    """The option for what a command writes."""
    return typer.Option(
        "-o", "--output", metavar="FILE", help=text, rich_help_panel=OUTPUT, show_default=False
    )


def choices(name: str) -> str:
    """The allowed words of a setting, for its metavar."""
    return "|".join(config.choices(name))


Photo = Annotated[Path, typer.Argument(metavar="PHOTO", help="The photograph.", show_default=False)]
Paintings = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="PAINTING...",
        help="A file, a built-in style's name (see impasto styles), or a folder of paintings, "
        "taken as one; of several, the style between them. They may be in --config instead.",
        show_default=False,
    ),
]
Output = Annotated[
    Path | None,
    output(
        "The result: .png, .jpg, .webp, .tif or .avif. Left out, it is named after both "
        "pictures, in the current folder, and no file is overwritten."
    ),
]
Look = Annotated[
    Path | None,
    typer.Option(
        "--config",
        metavar="FILE",
        rich_help_panel=PICTURE,
        show_default=False,
        help="A look: a file of settings in TOML, such as strength = 0.6. Options given here "
        "count for more.",
    ),
]
Preset = Annotated[
    str | None,
    typer.Option(
        metavar="|".join(PRESETS),
        rich_help_panel=PICTURE,
        show_default=False,
        help="Settings to start from: the best picture for the time, or Gatys et al. 2015 as "
        "printed. "
        rf"\[default: {Config.preset}]",
    ),
]
Hand = Annotated[str | None, setting("hand", PICTURE, choices("hand"))]
Size = Annotated[
    str | None,
    setting("size", PICTURE, "PX"),
]
StyleScale = Annotated[
    str | None,
    setting(
        "style_scale",
        PICTURE,
        "FACTOR",
    ),
]
StyleWeights = Annotated[
    str | None,
    setting(
        "style_weights",
        PICTURE,
        "0.7,0.3",
    ),
]
Mask = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        rich_help_panel=REGIONS,
        show_default=False,
        help="A picture of the photograph's size whose flat colours, or labels, name "
        "regions of it.",
    ),
]
StyleMasks = Annotated[
    list[Path] | None,
    typer.Option(
        "--style-mask",
        metavar="FILE",
        rich_help_panel=REGIONS,
        show_default=False,
        help="The painting's mask: each region takes after its part of the same colour. Once for "
        "each painting.",
    ),
]
Regions = Annotated[
    list[str] | None,
    typer.Option(
        "--region",
        metavar="COLOUR=PAINTING|photo",
        rich_help_panel=REGIONS,
        show_default=False,
        help="A painting of a region's own, or as photographed. COLOUR: white, #ff0000, 128, "
        "or 'label 1'. Once for each region.",
    ),
]
StyleSize = Annotated[
    str | None,
    setting("style_size", PICTURE, "PX"),
]
Start = Annotated[
    str | None,
    setting(
        "start",
        PICTURE,
        f"{'|'.join(STARTS)}|FILE",
    ),
]
Tileable = Annotated[
    str | None,
    setting(
        "tileable",
        PICTURE,
        "WAY",
        text=f"{HELP['tileable'][:-1]}: {', '.join(SEAMLESS)} (without a word, both). "
        "--not-tileable takes back what a look says.",
    ),
]
Color = Annotated[
    str | None,
    setting(
        "color",
        PICTURE,
        choices("color"),
    ),
]
ColorMatch = Annotated[
    str | None,
    setting(
        "color_match",
        PICTURE,
        choices("color_match"),
    ),
]
Seed = Annotated[
    str | None,
    setting("seed", PICTURE, "N"),
]
Strength = Annotated[
    str | None,
    setting(
        "strength",
        BALANCE,
        "0..1",
        "-s",
    ),
]
ContentLayers = Annotated[
    str | None,
    setting(
        "content_layers",
        BALANCE,
        "NAME=WEIGHT,...",
    ),
]
StyleLayers = Annotated[
    str | None,
    setting(
        "style_layers",
        BALANCE,
        "NAME=WEIGHT,...",
    ),
]
Alpha = Annotated[str | None, setting("alpha", BALANCE, "FACTOR")]
Beta = Annotated[str | None, setting("beta", BALANCE, "FACTOR")]
Units = Annotated[
    str | None,
    setting(
        "units",
        BALANCE,
        choices("units"),
    ),
]
TvWeight = Annotated[
    str | None,
    setting("tv_weight", BALANCE, "FACTOR"),
]
Slices = Annotated[str | None, setting("slices", BALANCE, "0..1")]
Relations = Annotated[str | None, setting("relations", BALANCE, "0..1")]
Detail = Annotated[str | None, setting("detail", BALANCE, "0..1")]
StyleDistance = Annotated[
    str | None,
    setting(
        "distance",
        BALANCE,
        choices("distance"),
    ),
]
Backbone = Annotated[
    str | None,
    setting(
        "backbone",
        OPTIMISATION,
        "auto|vgg19|vgg16|FILE",
    ),
]
Optimizer = Annotated[
    str | None,
    setting(
        "optimizer",
        OPTIMISATION,
        choices("optimizer"),
    ),
]
Quality = Annotated[
    str | None,
    setting(
        "quality",
        PICTURE,
        choices("quality"),
    ),
]
Threads = Annotated[
    str | None,
    setting(
        "threads",
        OPTIMISATION,
        "N",
    ),
]
Precision = Annotated[
    str | None,
    setting(
        "precision",
        OPTIMISATION,
        choices("precision"),
    ),
]
Fit = Annotated[
    str | None,
    setting(
        "fit",
        OPTIMISATION,
        f"{'|'.join(FITS)}|BYTES",
    ),
]
Iterations = Annotated[
    str | None,
    setting("iterations", OPTIMISATION, "N"),
]
LearningRate = Annotated[
    str | None,
    setting("learning_rate", OPTIMISATION, "RATE"),
]
Pooling = Annotated[
    str | None,
    setting(
        "pooling",
        OPTIMISATION,
        choices("pooling"),
    ),
]
Edges = Annotated[
    str | None,
    setting(
        "edges",
        OPTIMISATION,
        choices("edges"),
    ),
]
Pyramid = Annotated[
    bool | None,
    typer.Option(
        "--pyramid/--no-pyramid",
        rich_help_panel=OPTIMISATION,
        show_default=False,
        help=f"{HELP['pyramid']} {default_of('pyramid')}".replace("[", r"\["),
    ),
]
Device = Annotated[
    str | None,
    setting(
        "device",
        OPTIMISATION,
        choices("device"),
    ),
]
Snapshots = Annotated[
    str | None,
    setting("snapshots", OUTPUT, "1,100,last"),
]
SnapshotDir = Annotated[
    Path | None,
    typer.Option(
        "-d",
        "--snapshot-dir",
        metavar="DIR",
        rich_help_panel=OUTPUT,
        show_default=False,
        help="The folder for snapshots. [default: OUT-snapshots, beside the result]".replace(
            "[", r"\["
        ),
    ),
]
Timeline = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        rich_help_panel=OUTPUT,
        show_default=False,
        help="A film of the picture coming into being: .mp4 (needs PyAV), .gif or .webp.",
    ),
]
CheckpointDir = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR",
        rich_help_panel=OUTPUT,
        show_default=False,
        help="The folder that --resume goes on from; removed once the result is written. "
        "[default: OUT-checkpoint, beside the result]".replace("[", r"\["),
    ),
]
Checkpoint = Annotated[
    bool,
    typer.Option(
        "--checkpoint/--no-checkpoint",
        rich_help_panel=OUTPUT,
        help="Keep what is needed to go on after a crash or Ctrl-C.",
    ),
]
Resume = Annotated[
    bool,
    typer.Option(
        "--resume",
        rich_help_panel=OUTPUT,
        help="Go on from the checkpoint, if there is one (see also impasto resume).",
    ),
]
Bits = Annotated[
    int,
    typer.Option(
        metavar="8|16",
        rich_help_panel=OUTPUT,
        help="Bits per colour channel; 16 is for .png and .tif.",
    ),
]
Recipe = Annotated[
    bool,
    typer.Option(
        "--recipe/--no-recipe",
        rich_help_panel=OUTPUT,
        help="Write all settings into the picture's metadata.",
    ),
]
Quiet = Annotated[
    bool,
    typer.Option("-q", "--quiet", rich_help_panel=OUTPUT, help="Print errors and nothing else."),
]

"""`impasto stylize`: two pictures in, one out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from impasto.cli import options as o
from impasto.cli.work import begin, derived
from impasto.config import PAINTING, PHOTO, Config, configure, style_alone
from impasto.errors import ConfigError, as_on_disk, nearest_file
from impasto.job.order import Order, named_after
from impasto.parsing import (
    PARSERS,
    look_text,
    parse_look,
)


def stylize(
    photo: o.Photo,
    paintings: o.Paintings = None,
    output: o.Output = None,
    look: o.Look = None,
    preset: o.Preset = None,
    hand: o.Hand = None,
    size: o.Size = None,
    quality: o.Quality = None,
    style_weights: o.StyleWeights = None,
    mask: o.Mask = None,
    style_masks: o.StyleMasks = None,
    regions: o.Regions = None,
    style_scale: o.StyleScale = None,
    style_size: o.StyleSize = None,
    tileable: o.Tileable = None,
    color: o.Color = None,
    color_match: o.ColorMatch = None,
    start: o.Start = None,
    seed: o.Seed = None,
    strength: o.Strength = None,
    units: o.Units = None,
    content_layers: o.ContentLayers = None,
    style_layers: o.StyleLayers = None,
    distance: o.StyleDistance = None,
    alpha: o.Alpha = None,
    beta: o.Beta = None,
    slices: o.Slices = None,
    relations: o.Relations = None,
    detail: o.Detail = None,
    tv_weight: o.TvWeight = None,
    backbone: o.Backbone = None,
    optimizer: o.Optimizer = None,
    iterations: o.Iterations = None,
    pyramid: o.Pyramid = None,
    learning_rate: o.LearningRate = None,
    pooling: o.Pooling = None,
    edges: o.Edges = None,
    device: o.Device = None,
    precision: o.Precision = None,
    fit: o.Fit = None,
    threads: o.Threads = None,
    snapshots: o.Snapshots = None,
    snapshot_dir: o.SnapshotDir = None,
    timeline: o.Timeline = None,
    checkpoint_dir: o.CheckpointDir = None,
    checkpoint: o.Checkpoint = True,
    resume: o.Resume = False,
    bits: o.Bits = 8,
    recipe: o.Recipe = True,
    quiet: o.Quiet = False,
) -> None:
    """Repaint a photograph in the manner of a painting, or of several.

    [dim]impasto stylize photo.jpg painting.jpg -o out.png
    impasto stylize photo.jpg night-swirls -o night.png --strength 0.7
    impasto stylize photo.jpg charcoal -o large.png --size 1024
    impasto stylize photo.jpg a.jpg b.jpg --style-weights 0.7,0.3
    impasto stylize photo.jpg charcoal --mask mask.png --region black=photo
    impasto stylize photo.jpg --config look.toml[/dim]

    Ctrl-C stops and keeps the picture as it stands; --resume goes on from there.
    """
    given = {k: v for k, v in locals().items() if k in Config.__dataclass_fields__}
    config, named = config_and_paintings(look, given, paintings or [], wanted=not regions)
    order = Order(
        photo,
        named,
        config,
        output or derived(Path(f"{photo.stem}-{named_after(named)}.png"), ".png", quiet=quiet),
        bits,
        recipe,
        snapshot_dir,
        mask,
        tuple(style_masks or ()),
        parse_regions(regions or ()),
        timeline,
    )
    begin(order, checkpoint_dir, checkpoint, resume, quiet, named=bool(output))


def parse_regions(texts: Sequence[str]) -> dict[str, str]:
    """``"white=monet.jpg"`` and so on: by colour, what is to be there."""
    found: dict[str, str] = {}
    for text in texts:
        colour, equals, what = (part.strip() for part in text.partition("="))
        if not equals or not what:
            raise ConfigError(f"region {text!r}", f"COLOUR=PAINTING, or COLOUR={PHOTO}")
        if colour in found:
            raise ConfigError(f"region {colour!r} twice", "each region once")
        found[colour] = what
    return found


def config_and_paintings(
    look: Path | None,
    given: Mapping[str, Any],
    paintings: Sequence[str],
    *,
    wanted: bool,
    alone: bool = False,
) -> tuple[Config, tuple[str, ...]]:
    """What is given on the command line, and for the rest what a look says.

    Args:
        look: its file.
        given: settings as they were written; None where they were not.
        paintings: as they were written.
        wanted: whether there has to be a painting.
        alone: whether nothing of a photograph is to count, whatever a look says.
    """
    settings, in_look = settings_and_paintings(look, given)
    preset = settings.pop("preset", Config.preset)
    settings |= style_alone(preset) if alone else {}
    config = configure(preset, **settings)
    found = tuple(paintings or in_look)
    if wanted and not found:
        words = "a file, or a style's name (impasto styles lists them), as PAINTING or in --config"
        raise ConfigError("no painting", words)
    return config, found


def settings_and_paintings(
    look: Path | None, given: Mapping[str, Any]
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """What is given on the command line, and for the rest a look's, ready for `configure`.

    Args:
        look: its file.
        given: settings as they were written; None where they were not.
    """
    settings = _read_look(look) if look else {}
    settings |= {
        name: PARSERS[name](value) if isinstance(value, str) and name in PARSERS else value
        for name, value in given.items()
        if value is not None
    }
    return settings, settings.pop(PAINTING, ())


def _read_look(path: Path) -> dict[str, Any]:
    """The settings in a file; a painting's path in it is seen from where the file is."""
    try:
        data = as_on_disk(path).read_bytes()
    except (OSError, ValueError) as error:  # ValueError: a path with a null character
        reason = getattr(error, "strerror", None) or error
        raise ConfigError(f"look '{path}': {reason}", "", nearest_file(path)) from error
    settings = parse_look(look_text(data, f"look '{path}'"), f"look '{path}'")
    if PAINTING in settings:
        beside = [path.parent / each for each in settings[PAINTING]]
        settings[PAINTING] = tuple(
            str(place) if place.exists() else each
            for place, each in zip(beside, settings[PAINTING], strict=True)
        )
    return settings

"""`impasto texture`: a painting's style alone, from noise."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from impasto.cli import options as o
from impasto.cli.stylize import config_and_paintings
from impasto.cli.work import begin, derived
from impasto.config import Config
from impasto.job.order import Order, named_after

Size = Annotated[
    str | None,
    o.setting("size", o.PICTURE, "WxH", text="Width and height in pixels, or a square's side."),
]


def texture(
    paintings: o.Paintings = None,
    output: o.Output = None,
    look: o.Look = None,
    hand: o.Hand = None,
    size: Size = None,
    tileable: o.Tileable = None,
    quality: o.Quality = None,
    style_weights: o.StyleWeights = None,
    style_scale: o.StyleScale = None,
    style_size: o.StyleSize = None,
    seed: o.Seed = None,
    style_layers: o.StyleLayers = None,
    distance: o.StyleDistance = None,
    units: o.Units = None,
    slices: o.Slices = None,
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
    """Make a picture of a painting's style alone, from noise.

    [dim]impasto texture painting.jpg --size 1024x1024
    impasto texture woodblock-waves --tileable -o tile.png[/dim]

    Ctrl-C stops and keeps the picture as it stands; --resume goes on from there.
    """
    given = {k: v for k, v in locals().items() if k in Config.__dataclass_fields__}
    config, named = config_and_paintings(look, given, paintings or [], wanted=True, alone=True)
    after = Path(f"{named_after(named)}-texture.png")
    target = output or derived(after, "-texture.png", quiet=quiet)
    order = Order(None, named, config, target, bits, recipe, snapshot_dir, timeline=timeline)
    begin(order, checkpoint_dir, checkpoint, resume, quiet, named=bool(output))

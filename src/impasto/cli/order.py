"""What `impasto stylize` was asked for, and the way there and back into a checkpoint."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from impasto.config import STARTS, Config
from impasto.errors import CheckpointError


@dataclass(frozen=True)
class Order:
    """Which pictures, how, and where to.

    Attributes:
        photo: the photograph's file.
        painting: a file, or a built-in style's name.
        config: every setting.
        target: the result's file.
        bits: a channel.
        recipe: whether the result holds its recipe.
        snapshot_dir: None is a folder beside the result.
    """

    photo: Path
    painting: str
    config: Config
    target: Path
    bits: int
    recipe: bool
    snapshot_dir: Path | None

    def to_json(self) -> dict[str, Any]:
        """The order as JSON can hold it, good in any folder: its paths are absolute."""
        from impasto.styles import STYLES
        from impasto.weights import NAMES

        config = asdict(self.config)
        config["backbone"] = absolute(os.path.expanduser(config["backbone"]), NAMES)  # noqa: PTH111
        config["start"] = absolute(config["start"], STARTS)
        return {
            "photo": absolute(self.photo),
            "painting": absolute(self.painting, [style.name for style in STYLES]),
            "config": config,
            "target": absolute(self.target),
            "bits": self.bits,
            "recipe": self.recipe,
            "snapshot_dir": self.snapshot_dir and absolute(self.snapshot_dir),
        }

    @classmethod
    def from_json(cls, known: Mapping[str, Any], source: Path) -> Order:
        """The order that gave this; source is what an error names.

        Raises:
            CheckpointError: it is none of `to_json`.
            ConfigError: its settings are none.
        """
        try:
            config = {name: as_tuples(value) for name, value in known["config"].items()}
            folder = known["snapshot_dir"]
            return cls(
                Path(known["photo"]),
                known["painting"],
                Config(**config),
                Path(known["target"]),
                known["bits"],
                known["recipe"],
                folder and Path(folder),
            )
        except (KeyError, TypeError, AttributeError) as error:
            given = f"{source}: its checkpoint is not of `impasto stylize`"
            raise CheckpointError(given, "", "go on with the program that wrote it") from error


def absolute(path: str | Path, words: Collection[str] = ()) -> str:
    """The path from the root; one of the words is no path and stays."""
    return str(path) if path in words else str(Path(path).absolute())


def as_tuples(value: Any) -> Any:
    """JSON's lists, in lists, as the tuples that they were."""
    return tuple(as_tuples(part) for part in value) if isinstance(value, list) else value

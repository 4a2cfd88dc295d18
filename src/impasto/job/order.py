"""What `impasto stylize` was asked for, and the way there and back into a checkpoint."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from impasto.config import PHOTO, STARTS, Config
from impasto.errors import CheckpointError, ConfigError

if TYPE_CHECKING:
    from impasto.job.job import Job


@dataclass(frozen=True)
class Order:
    """Which pictures, how, and where to.

    Attributes:
        photo: the photograph's file; None for a texture.
        paintings: files, folders, or built-in styles' names.
        config: every setting.
        target: the result's file.
        bits: a channel.
        recipe: whether the result holds its recipe.
        snapshot_dir: None is a folder beside the result.
        mask: the photograph's, a file.
        style_masks: the paintings', files.
        regions: by colour, a painting as in ``paintings``, or ``photo``.
        timeline: the film of the picture coming into being; None is none.
    """

    photo: Path | None
    paintings: tuple[str, ...]
    config: Config
    target: Path
    bits: int = 8
    recipe: bool = True
    snapshot_dir: Path | None = None
    mask: Path | None = None
    style_masks: tuple[Path, ...] = ()
    regions: Mapping[str, str] = field(default_factory=dict)
    timeline: Path | None = None

    @property
    def inputs(self) -> list[str | Path]:
        """All files that it reads, and a few words."""
        words = [*self.paintings, self.config.start, *self.regions.values()]
        files = filter(None, (self.photo, self.mask, *self.style_masks))
        return [*files, *words, *(path for folder in self.folders for path in folder.iterdir())]

    @property
    def folders(self) -> list[Path]:
        """Those of its paintings that are folders."""
        named = [*self.paintings, *(each for each in self.regions.values() if each != PHOTO)]
        return [Path(each) for each in named if Path(each).is_dir()]

    def check_apart(self) -> None:
        """Raise a ConfigError where a picture of ours would become one of a folder's paintings."""
        folders = self.folders
        written = {path: path.parent for path in (self.target, self.timeline) if path}
        written |= {self.snapshot_dir: self.snapshot_dir} if self.snapshot_dir else {}
        for path, place in written.items():
            for each in folders:
                if os.path.realpath(place) == os.path.realpath(each):
                    given = f"{path} would be among the paintings of '{each}'"
                    raise ConfigError(given, "", "choose another place")

    def prepare(self) -> Job:
        """The job, checked."""
        from impasto.job.casting import Masks
        from impasto.job.prepare import prepare

        masks = Masks(self.mask, self.style_masks, self.regions)
        return prepare(self.photo, self.paintings, self.config, masks)

    def to_json(self) -> dict[str, Any]:
        """The order as JSON can hold it, good in any folder: its paths are absolute."""
        from impasto.network.weights import NAMES
        from impasto.pictures.styles import STYLES

        words = [*(style.name for style in STYLES), PHOTO]
        config = asdict(self.config)
        config["backbone"] = absolute(os.path.expanduser(config["backbone"]), NAMES)  # noqa: PTH111
        config["start"] = absolute(config["start"], STARTS)
        return {
            "photo": self.photo and absolute(self.photo),
            "paintings": [absolute(each, words) for each in self.paintings],
            "config": config,
            "target": absolute(self.target),
            "bits": self.bits,
            "recipe": self.recipe,
            "snapshot_dir": self.snapshot_dir and absolute(self.snapshot_dir),
            "mask": self.mask and absolute(self.mask),
            "style_masks": [absolute(each) for each in self.style_masks],
            "regions": {name: absolute(each, words) for name, each in self.regions.items()},
            "timeline": self.timeline and absolute(self.timeline),
        }

    @classmethod
    def from_json(cls, known: Mapping[str, Any], source: Path) -> Order:
        """The order that gave this; source is what an error names.

        Raises:
            CheckpointError: it is none of `to_json`.
            ConfigError: its settings are none.
        """
        from impasto.job.recipe import as_tuples

        try:
            config = {name: as_tuples(value) for name, value in known["config"].items()}
            folder, mask = known["snapshot_dir"], known["mask"]
            film = known.get("timeline")
            return cls(
                photo=known["photo"] and Path(known["photo"]),
                paintings=tuple(known["paintings"]),
                config=Config(**config),
                target=Path(known["target"]),
                bits=known["bits"],
                recipe=known["recipe"],
                snapshot_dir=folder and Path(folder),
                mask=mask and Path(mask),
                style_masks=tuple(map(Path, known["style_masks"])),
                regions=dict(known["regions"]),
                timeline=film and Path(film),
            )
        except (KeyError, TypeError, AttributeError) as error:
            given = f"{source}: its checkpoint is not of `impasto stylize`"
            raise CheckpointError(given, "", "go on with the program that wrote it") from error


def absolute(path: str | Path, words: Collection[str] = ()) -> str:
    """The path from the root; one of the words is no path and stays."""
    return str(path) if path in words else str(Path(path).absolute())

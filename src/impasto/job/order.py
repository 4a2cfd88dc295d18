"""What `impasto stylize` was asked for, and the way there and back into a checkpoint."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from impasto.config import LAST, PHOTO, PRESETS, STARTS, Config, kept
from impasto.errors import CheckpointError, ConfigError, PictureError

if TYPE_CHECKING:
    from impasto.job.checkpoint import Checkpoint
    from impasto.job.job import Job, OnStep
    from impasto.job.recipe import Recipe, Source
    from impasto.transfer.optimize import Windows


FOLDER = "checkpoint"  # of the order in JSON: the folder that it was kept in


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
        """The paintings that are folders."""
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

    def with_threads(self, count: int | None) -> Order:
        """The order with as many threads as another run had, unless a number is asked for.

        Another number sums in another order, and the bytes would differ.
        """
        threads = self.config.threads or count
        return replace(self, config=replace(self.config, threads=threads))

    def prepare(self, on_measure: Callable[[], None] | None = None) -> Job:
        """The job, checked; ``on_measure`` as in job/prepare.py."""
        from impasto.job.casting import Masks
        from impasto.job.prepare import prepare

        masks = Masks(self.mask, self.style_masks, self.regions)
        return prepare(self.photo, self.paintings, self.config, masks, on_measure)

    def checked(
        self,
        like: Recipe | None = None,
        windows: Windows = (),
        on_measure: Callable[[], None] | None = None,
    ) -> Job:
        """The job, if its result can be written and overwrites nothing that it is made of.

        Args:
            like: of a run whose ways of computing this one takes.
            windows: of a run that this one is to repeat to the byte.
            on_measure: as in job/prepare.py.

        Raises:
            ImpastoError: of its children the one that fits.
        """
        from impasto import pictures

        self.check_apart()
        pictures.check_target(self.target, inputs=self.inputs, bits=self.bits)
        job = self.prepare(on_measure)
        job = job.in_ways_of(like) if like else job
        job = job.in_windows(windows) if windows else job
        pictures.check_target(self.target, bits=self.bits, size=job.size)
        return job

    @property
    def snapshot_folder(self) -> Path:
        """Where snapshots go, if any are asked for."""
        from impasto.files import fitting

        target = self.target
        beside = fitting(target.with_name(f"{target.name}-snapshots"), "-snapshots")
        return self.snapshot_dir or beside

    def snapshots(self, job: Job) -> OnStep:
        """A listener that writes the snapshots asked for, if any; none may overwrite an input.

        Raises:
            ConfigError: one of an iteration that there is not.
            PictureError: they can't be written.
        """
        from impasto import pictures
        from impasto.job.job import Snapshots

        wanted = job.config.snapshots or ((LAST,) if self.snapshot_dir else ())
        if not wanted:
            return lambda _: None
        for number in wanted:
            if number > job.iterations and wanted != PRESETS[job.config.preset].snapshots:
                raise ConfigError(
                    f"a snapshot of iteration {number}", f"there are {job.iterations}, and last"
                )
        snapshots = Snapshots(self.snapshot_folder, wanted)
        for path in snapshots.paths(job.iterations).values():
            pictures.check_target(path, inputs=self.inputs)
        return snapshots

    def to_json(self, folder: Path | None = None) -> dict[str, Any]:
        """The order as JSON can hold it, good in any folder: its paths are absolute.

        Args:
            folder: of the checkpoint that will hold it, so that both can move together.
        """
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
            FOLDER: folder and absolute(folder),
        }

    @classmethod
    def resumed(cls, resume_from: Checkpoint) -> Order:
        """The order in a checkpoint, with each file where it is by now.

        Inputs are looked for where they were and beside the checkpoint, and known by their
        checksums; one that is nowhere keeps its place. What is written follows the checkpoint's
        folder, where that has moved with what was around it.

        Raises:
            CheckpointError, ConfigError: as ``from_json``.
        """
        order, made_of = (
            cls.from_json(resume_from.command, resume_from.directory),
            resume_from.recipe.inputs,
        )
        move, config = Move.of(resume_from), order.config
        config = replace(
            config,
            start=move.input(config.start, made_of.start),
            backbone=move.network(config.backbone),
        )
        return replace(
            order,
            photo=order.photo and Path(move.input(order.photo, made_of.photograph)),
            paintings=tuple(move.several(order.paintings, made_of.paintings)),
            config=config,
            target=move.output(order.target),
            snapshot_dir=order.snapshot_dir and move.output(order.snapshot_dir),
            mask=order.mask and Path(move.input(order.mask, made_of.mask)),
            style_masks=tuple(map(Path, move.several(order.style_masks, made_of.style_masks))),
            regions={
                name: move.input(each, source)
                for (name, each), source in zip(
                    order.regions.items(), made_of.regions.values(), strict=True
                )
            },
            timeline=order.timeline and move.output(order.timeline),
        )

    @staticmethod
    def target_in(known: Mapping[str, Any], folder: Path) -> Path | None:
        """The result of the order in JSON, from the root, where its checkpoint is in folder now.

        None where it is none of ours.
        """
        try:
            return Move(Path(known[FOLDER]), Path(absolute(folder))).output(Path(known["target"]))
        except (LookupError, TypeError):
            return None

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
                config=kept(config),
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


def named_after(paintings: Sequence[str]) -> str:
    """What of a result's name comes from the paintings."""
    return "-".join(Path(os.path.realpath(each)).stem for each in paintings) or "regions"


def absolute(path: str | Path, words: Collection[str] = ()) -> str:
    """The path from the root; one of the words is no path and stays."""
    return str(path) if path in words else str(Path(path).absolute())


@dataclass(frozen=True)
class Move:
    """The way of a checkpoint's folder, and of what was around it.

    Attributes:
        then: its place, from the root, when the checkpoint was written.
        now: its place, from the root.
    """

    then: Path
    now: Path

    @classmethod
    def of(cls, resume_from: Checkpoint) -> Move:
        """Find the way of the folder of a checkpoint that holds an Order."""
        now = absolute(resume_from.directory)
        then = resume_from.command.get(FOLDER) or now
        return cls(Path(then), Path(now))

    def follow(self, path: str | Path) -> Path:
        """Where a path is if it moved with the folder."""
        try:
            seen = os.path.relpath(path, self.then)
        except ValueError:  # on another drive of Windows
            return Path(path)
        return Path(path) if self.now == self.then else Path(os.path.normpath(self.now / seen))

    def output(self, path: Path) -> Path:
        """Where a file is to be written: moved with the folder if there is a place for it."""
        there = self.follow(path)
        return there if there.parent.is_dir() else path

    def places(self, path: str | Path) -> list[Path]:
        """Where a file may be: moved with the folder, where it was, beside the folder."""
        return [self.follow(path), Path(path), self.now.parent / Path(path).name]

    def network(self, name: str) -> str:
        """Where a weights file is; its checksum is compared when it is read."""
        if not Path(name).is_absolute():  # a backbone's name
            return name
        return str(next((place for place in self.places(name) if os.path.lexists(place)), name))

    def input(self, path: str | Path, source: Source | None) -> str:
        """Where the file of a source is, by its checksum; as it was where it is nowhere."""
        if source is None or not Path(path).is_absolute():  # a built-in style, or another word
            return str(path)
        for place in dict.fromkeys(self.places(path)):
            with suppress(PictureError, OSError):  # it may not be read: another may
                if place.exists() and sha256_of(place) == source.sha256:
                    return str(place)
        return str(path)

    def several(self, paths: Sequence[str | Path], sources: Sequence[Source]) -> list[str]:
        """Find several files, in their order, as ``input`` finds one."""
        return [self.input(path, source) for path, source in zip(paths, sources, strict=True)]


def sha256_of(place: Path) -> str:
    """The checksum of a file, or of a folder's pictures.

    Raises:
        PictureError: a file that can't be read.
    """
    from impasto import pictures
    from impasto.job.scene import joined_sha256
    from impasto.pictures.opening import read_bytes

    paths = pictures.in_folder(place) if place.is_dir() else [place]
    contents = (read_bytes(path, f"picture '{path}'") for path in paths)
    checksums = [hashlib.sha256(content).hexdigest() for content in contents]
    return checksums[0] if len(checksums) == 1 else joined_sha256(checksums)

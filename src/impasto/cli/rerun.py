"""`impasto rerun`: make a picture again from the recipe in it, or make it larger."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from impasto.cli import options as o
from impasto.cli.stylize import parse_regions
from impasto.cli.work import check_unused, checkpoint_folder, claimed, derived, find_checkpoint, run
from impasto.config import FITS, PHOTO, Config
from impasto.errors import PictureError, WeightsError, as_on_disk
from impasto.job.order import Order, sha256_of
from impasto.parsing import parse_fit, parse_number, parse_size

if TYPE_CHECKING:
    from impasto.job.recipe import Inputs, Recipe, Source


def instead(words: str) -> Any:
    """An option for what the recipe says otherwise."""
    return typer.Option(metavar=words, show_default=False, help="Instead of the recipe's.")


Given = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE", show_default=False, help="The file, where it isn't beside PICTURE."
    ),
]
SeveralGiven = Annotated[
    list[Path] | None,
    typer.Option(
        metavar="FILE", show_default=False, help="Likewise; of several, once for each, in order."
    ),
]
RegionsGiven = Annotated[
    list[str] | None,
    typer.Option(
        metavar="COLOUR=FILE", show_default=False, help="Likewise, a region's own painting."
    ),
]
Picture = Annotated[
    Path,
    typer.Argument(metavar="PICTURE", help="A picture that impasto wrote.", show_default=False),
]
Target = Annotated[
    Path | None,
    o.output("The result. Left out, PICTURE-again or PICTURE-SIZE, in the current folder."),
]
Device = Annotated[str | None, instead(o.choices("device"))]
Precision = Annotated[str | None, instead(o.choices("precision"))]
Fit = Annotated[str | None, instead(f"{'|'.join(FITS)}|BYTES")]
Threads = Annotated[str | None, instead("N")]
Size = Annotated[
    str | None,
    typer.Option(metavar="PX", show_default=False, help="Longer side, instead of the recipe's."),
]


def rerun(
    picture: Picture,
    output: Target = None,
    size: Size = None,
    photo: Given = None,
    painting: SeveralGiven = None,
    start: Given = None,
    mask: Given = None,
    style_mask: SeveralGiven = None,
    region: RegionsGiven = None,
    backbone: Given = None,
    device: Device = None,
    precision: Precision = None,
    fit: Fit = None,
    threads: Threads = None,
    quiet: o.Quiet = False,
) -> None:
    """Make a picture again from its recipe, or make it larger.

    [dim]impasto rerun out.png
    impasto rerun draft.png --size 2048 -o large.png[/dim]

    At the same size, with the same versions on the same machine, it is byte for
    byte the same; it takes as many threads as the picture did. One that was
    steered on its way is steered so again; at another size it goes for its last
    aim from the start. Photograph and painting are looked for beside PICTURE and
    in the current folder, by name, and have to be the very same files.
    """
    from impasto import pictures
    from impasto.job.recipe import Recipe

    recipe = Recipe.from_json(pictures.read_recipe(picture), f"picture '{picture}'")
    recipe = recipe.settled() if size else recipe  # it has other iterations there
    here: dict[str, Any] = {"size": size and parse_size(size), "fit": fit and parse_fit(fit)}
    here |= {"device": device, "precision": precision}
    here["threads"] = parse_number(threads) if threads else recipe.threads
    here["backbone"] = backbone_of(recipe, backbone, picture)
    look = Finder(picture, recipe.inputs)
    here["start"] = look.one("start", recipe.inputs.start, start)
    target = output or free_name(picture, size or "again", quiet=quiet)
    order = Order(
        look.one("photo", recipe.inputs.photograph, photo),
        tuple(map(str, look.several("painting", recipe.inputs.paintings, painting))),
        config_of(recipe, picture, here),
        target,
        bits=min(recipe.bits or 8, pictures.most_bits(target)),
        mask=look.one("mask", recipe.inputs.mask, mask),
        style_masks=tuple(look.several("style-mask", recipe.inputs.style_masks, style_mask)),
        regions=look.regions(region or ()),
    )
    repeat(order, picture, recipe, quiet, whole=not (size or fit))


def free_name(picture: Path, suffix: str, *, quiet: bool) -> Path:
    """A result's name after a picture's, in the current folder, that is not taken."""
    ending = f"-{suffix}{picture.suffix}"
    target = derived(Path(f"{picture.stem}{ending}"), ending, quiet=quiet)
    check_unused(target)
    return target


def repeat(order: Order, picture: Path, recipe: Recipe, quiet: bool, *, whole: bool) -> None:
    """Make it again; where all is as it was, say how far the two are alike."""
    from impasto import pictures

    pictures.check_target(order.target, inputs=[picture])
    folder = checkpoint_folder(order.target, quiet=quiet)
    went = recipe.outcome
    windows, steering = (went.windows_px if whole else (), went.steering) if went else ((), ())
    with claimed(order.target, folder):
        _, overwritten = find_checkpoint(folder, False, order.target)
        run(order, folder, None, overwritten, quiet, recipe, windows, steering)
    if whole and not quiet:
        typer.echo(likeness(picture, order.target, recipe))


def likeness(before: Path, target: Path, recipe: Recipe) -> str:
    """How far a picture is what it was, by the recipe, and why not where the recipe cannot say."""
    import torch

    from impasto import pictures

    if target.read_bytes() == as_on_disk(before).read_bytes():
        return "Byte for byte the same."
    loaded = [pictures.load(path) for path in (before, target)]  # in 16 bits, where it has them
    old, new = ([t for t in (each.pixels, each.alpha) if t is not None] for each in loaded)
    if len(old) == len(new) and all(map(torch.equal, old, new)):
        return "The same picture; its file differs in what its recipe says, such as names."
    if recipe.threads is None:  # as older versions wrote it
        return (
            "Not the same picture to the byte: how many threads made it is not in its recipe, "
            "and each number rounds otherwise (--threads N tries another)."
        )
    return "Not the same picture to the byte."


def config_of(recipe: Recipe, picture: Path, instead: Mapping[str, Any]) -> Config:
    """The settings in a recipe, but for those that are given instead and not None."""
    try:
        return recipe.config(**instead)
    except TypeError as error:
        given = f"picture '{picture}' has a recipe that this version cannot follow ({error})"
        raise PictureError(given, "", "impasto show tells what is in it") from error


@dataclass(frozen=True)
class Finder:
    """Finds the files that a picture was made from, by their checksums.

    Attributes:
        picture: beside which they may be.
        inputs: of its recipe.
    """

    picture: Path
    inputs: Inputs

    def one(self, option: str, source: Source | None, given: Path | None) -> Path | None:
        """The file of a source; None where there was none, and none is given."""
        if source:
            return self.found(option, f"--{option}", source, given)
        if given:
            raise PictureError(f"--{option} '{given}': '{self.picture}' was made without one")
        return None

    def several(
        self, option: str, sources: Sequence[Source], given: Sequence[Path] | None
    ) -> list[Path]:
        """The files of all sources, in their order; those that are given come first."""
        places: list[Path | None] = [*(given or ()), *[None] * len(sources)]
        if given and len(given) > len(sources):
            raise PictureError(f"{len(given)} times --{option}", f"it has {len(sources)}")
        return [
            self.found(f"{option} {number}" if number > 1 else option, f"--{option}", source, place)
            for number, (source, place) in enumerate(zip(sources, places, strict=False), 1)
        ]

    def regions(self, given: Sequence[str]) -> dict[str, str]:
        """What each colour of the mask was given, where that was not the paintings."""
        places = {name: Path(place) for name, place in parse_regions(given).items()}
        own = {name: source for name, source in self.inputs.regions.items() if source}
        for name in places:
            if name not in own:
                raise PictureError(
                    f"--region {name}: '{self.picture}' has no such one", ", ".join(own)
                )
        return {
            name: str(
                self.found(f"region {name}", f"--region '{name}=FILE'", source, places.get(name))
            )
            if source
            else PHOTO
            for name, source in self.inputs.regions.items()
        }

    def region(self, name: str, source: Source, given: Path | None) -> Path:
        """The file of a region's own painting."""
        return self.found(f"region {name}", f"--region '{name}=FILE'", source, given)

    def found(self, what: str, option: str, source: Source, given: Path | None) -> Path:
        """The file of a source, which messages call what it was, and ask for by an option.

        Raises:
            PictureError: it is not there, or another file has its name.
        """
        from impasto.pictures.styles import STYLES

        name = source.name
        builtin = [style.path for style in STYLES if style.path.name == name]
        places = [given] if given else [*builtin, self.picture.parent / name, Path(name)]
        there = [place for place in map(as_on_disk, places) if place.exists()]
        for place in there:
            if sha256_of(place) == source.sha256:
                return place
        if there:
            raise PictureError(
                f"{what} '{there[0]}' is another file than the one that '{self.picture.name}' was "
                "made from",
                f"its sha256 begins with {source.sha256[:12]}",
                f"give the original with {option}",
            )
        where = f"'{given}' is not there" if given else f"'{name}' is not beside it, nor here"
        raise PictureError(
            f"{what} of '{self.picture}': {where}", "", f"say with {option} where it is"
        )


def backbone_of(recipe: Recipe, given: Path | None, picture: Path) -> str:
    """The name or path under which the very network that a recipe names is here.

    Raises:
        WeightsError: another one, or none, goes by that name here.
    """
    from impasto.network import weights

    known = recipe.network
    names = [str(given or recipe.settings["backbone"])]
    names += [] if given else [known.name, str(weights.embedded_path())]
    for name in names:
        if weights.resolve(name).sha256 == known.sha256:
            return name
    raise WeightsError(
        f"'{picture}' was made with {known.source}, and here {names[0]} is another network",
        "",
        "give its file with --backbone",
    )

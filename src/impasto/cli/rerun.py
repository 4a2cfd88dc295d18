"""`impasto rerun`: make a picture again from the recipe in it, or make it larger."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from itertools import takewhile
from pathlib import Path
from typing import Annotated, Any

import typer

from impasto.cli import options as o
from impasto.cli.stylize import parse_regions
from impasto.cli.work import check_unused, checkpoint_folder, find_checkpoint, run
from impasto.config import PHOTO, Config
from impasto.errors import PictureError, WeightsError, printable
from impasto.job.order import Order, as_tuples
from impasto.parsing import parse_fit, parse_size

Given = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE", show_default=False, help="Where it is now, if not beside PICTURE."
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
    Path, typer.Argument(metavar="PICTURE", help="One of impasto's.", show_default=False)
]
Target = Annotated[
    Path | None,
    o.output("The result. Left out, PICTURE-again or PICTURE-SIZE, in the current folder."),
]
Instead = Annotated[str | None, typer.Option(show_default=False, help="Instead of the recipe's.")]
Size = Annotated[
    str | None,
    typer.Option(metavar="PX", show_default=False, help="Another size than the recipe's."),
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
    device: Instead = None,
    precision: Instead = None,
    fit: Instead = None,
    quiet: o.Quiet = False,
) -> None:
    """Make a picture again from its recipe, or make it larger.

    [dim]impasto rerun out.png
    impasto rerun draft.png --size 2048 -o large.png[/dim]

    At the same size, with the same versions on the same machine, it is byte for
    byte the same. Photograph and painting are looked for beside PICTURE and in
    the current folder, by name, and have to be the very same files.
    """
    from impasto import pictures

    recipe = pictures.read_recipe(picture)
    here: dict[str, Any] = {"size": size and parse_size(size), "fit": fit and parse_fit(fit)}
    here |= {"device": device, "precision": precision}
    here["backbone"] = backbone_of(recipe, backbone, picture)
    here["start"] = find_if_any("start", start, recipe, picture)
    config = config_of(recipe, picture, here)
    target = output or free_name(picture, size or "again")
    order = Order(
        find_if_any("photograph", photo, recipe, picture),
        tuple(map(str, find_all("painting", painting, recipe, picture))),
        config,
        target,
        bits=min(int(str(recipe.get("bits", 8))), pictures.most_bits(target)),
        mask=find_if_any("mask", mask, recipe, picture),
        style_masks=tuple(find_all("style mask", style_mask, recipe, picture)),
        regions=regions_of(region or (), recipe, picture),
    )
    repeat(order, picture, recipe, quiet, whole=not (size or fit))


def free_name(picture: Path, suffix: str) -> Path:
    """A result's name after a picture's, in the current folder, that is not taken."""
    target = Path(f"{picture.stem}-{suffix}{picture.suffix}")
    check_unused(target)
    return target


def repeat(
    order: Order, picture: Path, recipe: Mapping[str, Any], quiet: bool, *, whole: bool
) -> None:
    """Make it again; where all is as it was, say how far the two are alike."""
    from impasto import pictures

    pictures.check_target(order.target, inputs=[picture])
    before = picture.read_bytes()
    folder = checkpoint_folder(order.target)
    _, overwritten = find_checkpoint(folder, resume=False)
    note = " ".join(filter(None, (differences(recipe), overwritten)))
    run(order, folder, None, note, quiet, recipe if whole else None)
    if whole and not quiet:
        typer.echo(likeness(before, order.target))


def likeness(before: bytes, target: Path) -> str:
    """How far a picture is what it was."""
    import io

    import PIL.Image

    if target.read_bytes() == before:
        return "Byte for byte the same."
    with PIL.Image.open(io.BytesIO(before)) as old, PIL.Image.open(target) as new:
        if old.mode == new.mode and old.tobytes() == new.tobytes():
            return "The same picture; its file differs in what its recipe says, such as names."
    return "Not the same picture to the byte."


def config_of(recipe: Mapping[str, Any], picture: Path, instead: Mapping[str, Any]) -> Config:
    """The settings in a recipe, but for those that are given instead and not None."""
    try:
        settings = {name: as_tuples(value) for name, value in recipe["settings"].items()}
        settings |= {name: value for name, value in instead.items() if value is not None}
        return Config(**settings)
    except (LookupError, TypeError, AttributeError) as error:
        given = f"picture '{picture}' has a recipe that this version cannot follow ({error})"
        raise PictureError(given, "", "impasto show tells what is in it") from error


def inputs_of(recipe: Mapping[str, Any]) -> Mapping[str, Any]:
    """Names and checksums by role; empty where the recipe has none."""
    inputs = recipe.get("inputs")
    return inputs if isinstance(inputs, Mapping) else {}


def find_if_any(
    role: str, given: Path | None, recipe: Mapping[str, Any], picture: Path
) -> Path | None:
    """The file that had a role; None where none had, and none is given."""
    if role in inputs_of(recipe):
        return find(role, given, recipe, picture)
    if given:
        raise PictureError(f"{option_of(role)} '{given}': '{picture}' was made without one")
    return None


def find_all(
    role: str, given: Sequence[Path] | None, recipe: Mapping[str, Any], picture: Path
) -> list[Path]:
    """All files of a role, in their order; those that are given come first."""
    from impasto.job.casting import numbered

    roles = list(takewhile(lambda each: each in inputs_of(recipe), numbered(role)))
    places: list[Path | None] = [*(given or ()), *[None] * len(roles)]
    if given and len(given) > len(roles):
        raise PictureError(f"{len(given)} times --{role.replace(' ', '-')}", f"it has {len(roles)}")
    return [find(each, place, recipe, picture) for each, place in zip(roles, places, strict=False)]


def regions_of(given: Sequence[str], recipe: Mapping[str, Any], picture: Path) -> dict[str, str]:
    """What each colour of the mask was given, where that was not the paintings."""
    places = parse_regions(given)
    regions: Mapping[str, str | None] = recipe.get("regions", {})
    found = {name: PHOTO for name, what in regions.items() if what is None}
    for role in inputs_of(recipe):
        if role.startswith("region "):
            name = role.removeprefix("region ")
            place = Path(places.pop(name)) if name in places else None
            found[name] = str(find(role, place, recipe, picture))
    for name in places:
        known = ", ".join(role for role in inputs_of(recipe) if role.startswith("region "))
        raise PictureError(f"--region {name}: '{picture}' has no such one", known)
    return found


def option_of(role: str) -> str:
    """The option that says where a file is."""
    if role.startswith("region "):
        return f"--region '{role.removeprefix('region ')}=FILE'"
    return (
        "--photo" if role == "photograph" else f"--{role.rstrip(' 0123456789').replace(' ', '-')}"
    )


def checksum(place: Path) -> str:
    """Of a file, or of a folder's pictures."""
    from impasto import pictures
    from impasto.job.scene import joined_sha256
    from impasto.pictures.opening import read_bytes

    paths = pictures.in_folder(place) if place.is_dir() else [place]
    contents = (read_bytes(path, f"picture '{path}'") for path in paths)
    checksums = [hashlib.sha256(content).hexdigest() for content in contents]
    return checksums[0] if len(checksums) == 1 else joined_sha256(checksums)


def find(role: str, given: Path | None, recipe: Mapping[str, Any], picture: Path) -> Path:
    """The file that had a role, known by its checksum.

    Raises:
        PictureError: it is not there, or another file has its name.
    """
    from impasto.pictures.styles import STYLES

    try:
        known = recipe["inputs"][role]
        name, wanted = str(known["name"]), str(known["sha256"])
    except (LookupError, TypeError) as error:
        raise PictureError(f"picture '{picture}' has a recipe without its {role}") from error
    option = option_of(role)
    builtin = [style.path for style in STYLES if style.path.name == name]
    places = [given] if given else [*builtin, picture.parent / name, Path(name)]
    there = [place for place in places if place.exists()]
    for place in there:
        if checksum(place) == wanted:
            return place
    if there:
        raise PictureError(
            f"{role} '{there[0]}' is another file than the one that '{picture.name}' was made from",
            f"its sha256 begins with {wanted[:12]}",
            f"give the original with {option}",
        )
    where = f"'{given}' is not there" if given else f"'{name}' is not beside it, nor in this folder"
    raise PictureError(f"{role} of '{picture}': {where}", "", f"say with {option} where it is")


def backbone_of(recipe: Mapping[str, Any], given: Path | None, picture: Path) -> str:
    """The name or path under which the very network that a recipe names is here.

    Raises:
        WeightsError: another one, or none, goes by that name here.
    """
    from impasto.network import weights

    try:
        known: Mapping[str, Any] = recipe["backbone"]
        wanted, network, source = (str(known[name]) for name in ("sha256", "name", "source"))
    except (LookupError, TypeError) as error:
        raise PictureError(f"picture '{picture}' has a recipe without its network") from error
    names = [str(given or recipe["settings"]["backbone"])]
    names += [] if given else [network, str(weights.embedded_path())]
    for name in names:
        if weights.resolve(name).sha256 == wanted:
            return name
    raise WeightsError(
        f"'{picture}' was made with {source}, and here {names[0]} is another network",
        "",
        "give its file with --backbone",
    )


def differences(recipe: Mapping[str, Any]) -> str:
    """What of the versions is not as it was, and may change the bytes; '' if nothing is."""
    versions: Mapping[str, Any] = recipe.get("versions", {})
    other = [
        f"{name} was {printable(versions[name])}"
        for name in ("impasto", "torch", "numpy", "pillow")
        if name in versions and versions[name] != version(name)
    ]
    return f"The picture may differ: {', '.join(other)}." if other else ""

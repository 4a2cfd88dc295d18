"""`impasto evaluate` and `impasto compare`."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from impasto.cli.progress import console_on
from impasto.errors import ConfigError, did_you_mean, printable
from impasto.words import MEASURES

if TYPE_CHECKING:
    from impasto.measure.appraise import Appraisal
    from impasto.measure.metrics import Measures
    from impasto.video.steadiness import Steadiness

FILM_HELP = {
    "warping": "from the frame before carried along the motion, RMS where it is trusted",
    "flicker": "the same difference, absolute, on average",
    "trusted": "share of places whose motion can be trusted",
    "contrast": "standard deviation of a frame's luma",
    "drift_mean": "of luma over a shot, beyond the original's; the most of any",
    "drift_contrast": "likewise of contrast, as a share",
    "drift_sharpness": "likewise of the mean gradient, as a share",
}
LARGER_IS_BETTER = ("ssim",)

Content = Annotated[
    Path | None, typer.Option("--content", "-c", metavar="PHOTO", help="The photograph.")
]
Style = Annotated[
    str | None,
    typer.Option("--style", "-p", metavar="PAINTING", help="The painting, or a style's name."),
]
Size = Annotated[
    int,
    typer.Option(metavar="PX", min=16, help="Longer side at which larger pictures are measured."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]


def evaluate(
    picture: Annotated[
        Path, typer.Argument(metavar="PICTURE", help="The result: a picture, or a film.")
    ],
    content: Annotated[
        Path | None,
        typer.Option(
            "--content", "-c", metavar="PHOTO", help="The photograph, or the clip of a film."
        ),
    ] = None,
    style: Style = None,
    size: Size = 1024,
    begin_s: Annotated[
        float,
        typer.Option("--from", metavar="SECONDS", min=0, help="Where in its clip a film begins."),
    ] = 0.0,
    as_json: AsJson = False,
) -> None:
    """Measure a picture against its photograph and its painting, or a film against its clip.

    [dim]impasto evaluate out.png --content photo.jpg --style painting.jpg[/dim]
    [dim]impasto evaluate out.mp4 --content clip.mp4[/dim]

    What each number says, and what it does not: docs/measures.md.
    """
    from impasto.job.threads import default, paced
    from impasto.measure.appraise import Appraiser

    _check_wanted(content, style)
    if _is_film(picture, content):
        _evaluate_film(picture, content, style, size, begin_s, as_json)
        return
    if begin_s:
        raise ConfigError("--from with a picture", "a film is wanted")
    (appraisal,) = paced(map(Appraiser(content, style, size=size), [picture]), default())
    tell_notes([appraisal])
    if as_json:
        typer.echo(json.dumps(as_dict(appraisal), indent=2))
        return
    console = console_on(sys.stdout)
    height, width = appraisal.size
    console.print(
        f"[bold]{escape(printable(appraisal.name))}[/bold], measured at {width} x {height} px"
    )
    console.print(numbers_table(appraisal.measures))
    if appraisal.measures.style:
        console.print(style_table(appraisal))


def _is_film(picture: Path, content: Path | None) -> bool:
    """Whether either is a film; or both are pictures that move, of which alone the first counts."""
    from impasto.video.clip import is_clip, moves

    if content is None:
        return is_clip(picture)
    return is_clip(picture) or is_clip(content) or (moves(picture) and moves(content))


def _evaluate_film(
    film: Path, content: Path | None, style: str | None, size: int, begin_s: float, as_json: bool
) -> None:
    """The same of a film, frame by frame."""
    from impasto.job.threads import default, paced
    from impasto.video.clip import open_clip
    from impasto.video.steadiness import steadiness

    if content is None:
        raise ConfigError("a film without --content", "the clip that it was made from is wanted")
    clips = open_clip(film, "film"), open_clip(content, "clip")
    for note in dict.fromkeys(note for clip in clips for note in clip.notes):
        typer.echo(printable(note), err=True)
    begun = (steadiness(*clips, style, begin_s=begin_s, longest_px=size) for _ in range(1))
    (found,) = paced(begun, default())
    if as_json:
        typer.echo(json.dumps(film_dict(found), indent=2))
        return
    console = console_on(sys.stdout)
    height, width = found.size
    where = f"{found.frames} frames in {found.shots} shots, measured at {width} x {height} px"
    console.print(f"[bold]{escape(printable(film.name))}[/bold], {where}")
    console.print(film_table(found))
    if style is not None:
        console.print("in the mean of some frames:")
        console.print(numbers_table(found.painted))


def film_table(found: Steadiness) -> Table:
    """A line a number, that of the original beside it where there is one."""
    table = Table(box=None, pad_edge=False)
    for column in ("", "film", "original"):
        table.add_column(column, justify="right" if column else "left")
    table.add_column("")
    for name, words in FILM_HELP.items():
        other = getattr(found, f"{name}_original", None)
        beside = "" if other is None else f"{other:.4f}"
        row = f"  {name.replace('_', ' ')}", f"{getattr(found, name):.4f}", beside
        table.add_row(*row, f"[dim]{words}[/dim]")
    return table


def film_dict(found: Steadiness) -> dict[str, Any]:
    """All of it, ready for JSON."""
    painted = found.painted
    numbers = {name: value(painted, name) for name in MEASURES} if painted.style else {}
    known = {each.name: getattr(found, each.name) for each in fields(found)}
    return {**known, "size": list(found.size), "painted": numbers}


def compare(
    pictures: Annotated[list[Path], typer.Argument(metavar="PICTURE...", help="The candidates.")],
    content: Content = None,
    style: Style = None,
    by: Annotated[
        str | None,
        typer.Option(metavar="|".join(MEASURES).replace("_", "-"), help="What to sort by."),
    ] = None,
    size: Size = 1024,
    as_json: AsJson = False,
) -> None:
    """Measure several pictures and sort them, the best first.

    [dim]impasto compare a.png b.png c.png --content photo.jpg --style painting.jpg[/dim]

    Sorted by the score where there are a photograph and a painting; else by what there is.
    """
    from impasto.job.threads import default, paced
    from impasto.measure.appraise import Appraiser

    _check_wanted(content, style)
    key = parse_key(by)
    appraiser = Appraiser(content, style, size=size)
    found = paced(map(appraiser, pictures), default())
    appraisals = [(str(path), each) for path, each in zip(pictures, found, strict=True)]
    tell_notes([appraisal for _, appraisal in appraisals])
    key = key or _default_key(appraisals[0][1].measures)
    ranked = ranking(appraisals, key)
    if as_json:
        typer.echo(json.dumps([{"picture": path, **as_dict(a)} for path, a in ranked], indent=2))
        return
    console_on(sys.stdout).print(ranking_table(ranked, key))


def tell_notes(appraisals: Sequence[Appraisal]) -> None:
    """What a person should know of how pictures were read, once each, on standard error."""
    for note in dict.fromkeys(note for each in appraisals for note in each.notes):
        typer.echo(printable(note), err=True)


def parse_key(by: str | None) -> str | None:
    """What to sort by; a ConfigError where it is no measure."""
    known = [name.replace("_", "-") for name in MEASURES]
    if by is not None and by not in known:
        raise ConfigError(f"--by {by!r}", f"allowed: {', '.join(known)}", did_you_mean(by, known))
    return by and by.replace("-", "_")


def ranking_table(ranked: list[tuple[str, Appraisal]], key: str) -> Table:
    """A line a picture; the number that it is sorted by in bold."""
    table = Table(box=None, pad_edge=False)
    table.add_column("picture", overflow="fold")
    known = [name for name in MEASURES if value(ranked[0][1].measures, name) is not None]
    columns = [name for name in known if name in (key, *shown_beside(known))]
    for name in columns:
        words = f"[bold]{title(name)}[/bold]" if name == key else title(name)
        table.add_column(words, justify="right", no_wrap=True)
    names = [Path(path).name for path, _ in ranked]
    for (path, appraisal), name in zip(ranked, names, strict=True):
        cells = (f"{value(appraisal.measures, column):.4f}" for column in columns)
        shown = name if names.count(name) == 1 else path
        table.add_row(escape(printable(shown)), *cells)
    return table


def shown_beside(known: list[str]) -> list[str]:
    """Numbers for a table: a style distance says no more beside what is left of it."""
    return [name for name in known if name != "style_distance" or "style_left" not in known]


def ranking(appraisals: list[tuple[str, Appraisal]], key: str) -> list[tuple[str, Appraisal]]:
    """The best first; a ConfigError where the number is not known."""
    found = [value(appraisal.measures, key) for _, appraisal in appraisals]
    if None in found:
        raise ConfigError(
            f"--by {key.replace('_', '-')} without what it compares with",
            "score and style-left want --content and --style; lpips, ssim and lost want --content, "
            "style-distance wants --style",
        )
    sign = -1 if key in LARGER_IS_BETTER else 1
    return sorted(appraisals, key=lambda each: sign * (value(each[1].measures, key) or 0.0))


def numbers_table(measures: Measures) -> Table:
    """A line a number."""
    table = Table(box=None, show_header=False, pad_edge=False)
    for name, words in MEASURES.items():
        number = value(measures, name)
        if number is not None:
            table.add_row(f"  {title(name)}", f"{number:.4f}", f"[dim]{words}[/dim]")
    return table


def style_table(appraisal: Appraisal) -> Table:
    """Style by layer."""
    measures = appraisal.measures
    table = Table(box=None, pad_edge=False)
    table.add_column("  style")
    table.add_column("distance", justify="right")
    if measures.left:
        table.add_column("left", justify="right")
    table.add_column("")
    looked_at = {layer[4:] for layer in appraisal.optimised}  # before its ReLU or behind it
    for layer, distance in measures.style.items():
        left = [f"{measures.left[layer]:.4f}"] if measures.left else []
        optimised = "optimised" if layer[4:] in looked_at else "[dim]held out[/dim]"
        table.add_row(f"  {layer}", f"{distance:.4f}", *left, optimised)
    return table


def value(measures: Measures, name: str) -> float | None:
    """A number by name."""
    number: float | None = getattr(measures, name)
    return number


def title(name: str) -> str:
    """How a number is called in a table."""
    return {"lpips": "LPIPS", "ssim": "SSIM", "tv": "TV"}.get(name, name.replace("_", " "))


def as_dict(appraisal: Appraisal) -> dict[str, Any]:
    """All of it, ready for JSON."""
    measures = appraisal.measures
    return {
        "size": list(appraisal.size),
        **{name: value(measures, name) for name in MEASURES},
        "style": dict(measures.style),
        "left": dict(measures.left),
        "optimised": list(appraisal.optimised),
    }


def _check_wanted(content: Path | None, style: str | None) -> None:
    if content is None and style is None:
        raise ConfigError(
            "neither --content nor --style", "the photograph, the painting, or both are wanted"
        )


def _default_key(measures: Measures) -> str:
    """The first that is known, of those that say something about the pictures at hand."""
    if measures.score is not None:
        return "score"
    return "lpips" if measures.lpips is not None else "style_distance"

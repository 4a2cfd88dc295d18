"""Make the pictures of docs/gallery: ``make gallery [GALLERY_INPUTS=DIR]``.

GALLERY says of each file which commands it comes from. Photographs within scikit-image's wheel and
the built-in styles are always there; a picture that needs another, or a browser, is skipped with a
line where that is absent. The new ones lie in out/gallery: look at them before any is committed.
"""

from __future__ import annotations

import argparse
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from PIL import Image, ImageDraw

from impasto.cli import main as impasto
from impasto.pictures.sheet import Print, sheet
from impasto.pictures.styles import STYLES

OUTPUT = Path("out") / "gallery"
JPEG_QUALITY = 85  # the gallery's pictures have 60 to 200 kB with it
INCLUDED = {  # scikit-image's
    "chelsea": "chelsea.png",
    "astronaut": "astronaut.png",
    "coffee": "coffee.png",
    "rocket": "rocket.jpg",
    "motorcycle": "motorcycle_left.png",
}
# Wanted in the folder of inputs: .jpg or .png. Tübingen's is the paper's photograph.
WANTED = ("tuebingen", "starry-night", "kandinsky")
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
PAGE_PX = (760, 1552)  # width and height of a column of a report
Point = tuple[float, float]  # fractions of a picture's width and height

# Hand-drawn regions, each a polygon on white: what is black, and then what is blue.
MASKS: Mapping[str, tuple[str, tuple[tuple[str, tuple[Point, ...]], ...]]] = {
    "tuebingen-mask": (
        "tuebingen",
        (
            (
                "black",
                (
                    *((1, 1), (0, 1), (0, 0.564), (0.094, 0.484), (0.208, 0.504), (0.253, 0.484)),
                    *((0.272, 0.457), (0.317, 0.442), (0.383, 0.453), (0.439, 0.411)),
                    *((0.508, 0.422), (0.533, 0.442), (0.581, 0.434), (0.593, 0.374)),
                    *((0.629, 0.342), (0.653, 0.165), (0.662, 0.202), (0.665, 0.265)),
                    *((0.679, 0.284), (0.683, 0.321), (0.706, 0.302), (0.781, 0.309)),
                    *((0.828, 0.278), (0.914, 0.27), (0.933, 0.239), (1, 0.247)),
                ),
            ),
            (
                "blue",
                (
                    *((0.733, 1), (0, 1), (0, 0.949), (0.043, 0.93), (0.021, 0.825)),
                    *((0.022, 0.807), (0.136, 0.768), (0.281, 0.807), (0.464, 0.835)),
                    (0.547, 0.893),
                ),
            ),
        ),
    ),
    "starry-night-mask": (
        "starry-night",
        (
            (
                "black",
                (
                    *((1, 1), (0, 1), (0, 0.73), (0.151, 0.726), (0.157, 0.534), (0.151, 0.313)),
                    *((0.182, 0.299), (0.193, 0.089), (0.212, 0.352), (0.24, 0.573)),
                    *((0.281, 0.589), (0.326, 0.683), (0.381, 0.728), (0.439, 0.689)),
                    *((0.547, 0.689), (0.603, 0.639), (0.681, 0.621), (0.731, 0.632)),
                    *((0.861, 0.593), (0.911, 0.518), (1, 0.496)),
                ),
            ),
            ("blue", ((1, 1), (0.675, 1), (0.674, 0.719), (0.889, 0.714), (1, 0.689))),
        ),
    ),
}


@dataclass(frozen=True)
class Shot:
    """One picture of a sheet.

    Attributes:
        words: a command's, without ``impasto`` and ``-o``, with inputs as ``{name}``; or an input.
        name: the caption's first line.
        title: its second.
        copies: how many stand side by side, and below each other.
    """

    words: str
    name: str = ""
    title: str = ""
    copies: int = 1


@dataclass(frozen=True)
class Entry:
    """How a picture of the gallery comes about.

    Attributes:
        shots: the only one is the picture itself; several are hung on a sheet.
        columns: of the sheet.
        width_px: to which the whole is brought, if it is wider.
        make: instead of all that, a function of the entry, its inputs, a folder and more words.
    """

    shots: tuple[Shot, ...]
    columns: int = 0
    width_px: int = 1200
    make: Callable[[Entry, Mapping[str, Path], Path, Sequence[str]], Image.Image] | None = None

    def needs(self) -> Iterator[str]:
        """The names of its inputs."""
        for name in (*INCLUDED, *WANTED, *MASKS):
            if any(f"{{{name}}}" in shot.words for shot in self.shots):
                yield name


class MissingError(Exception):
    """What a picture needs and this machine does not have."""


def run(words: str, inputs: Mapping[str, Path], output: Path, more: Sequence[str]) -> None:
    """A command of impasto's, in this process."""
    given = [word.format_map(inputs) for word in shlex.split(words)]
    try:
        impasto([*given, *more, "-o", str(output)])
    except SystemExit as end:
        if end.code:
            raise


def picture(shot: Shot, inputs: Mapping[str, Path], path: Path, more: Sequence[str]) -> Image.Image:
    """A shot's picture, RGB."""
    name = shot.words.strip("{}")
    if name in inputs:
        return Image.open(inputs[name]).convert("RGB")
    run(shot.words, inputs, path, more)
    made = Image.open(path).convert("RGB")
    whole = Image.new("RGB", (made.width * shot.copies, made.height * shot.copies))
    for index in range(shot.copies**2):
        row, column = divmod(index, shot.copies)
        whole.paste(made, (column * made.width, row * made.height))
    return whole


def hung(
    entry: Entry, inputs: Mapping[str, Path], folder: Path, more: Sequence[str]
) -> Image.Image:
    """All of an entry's shots: one picture, or a sheet."""
    made = [
        picture(shot, inputs, folder / f"{number}.png", more)
        for number, shot in enumerate(entry.shots)
    ]
    if not entry.columns:
        return made[0]
    pairs = zip(made, entry.shots, strict=True)
    return sheet([Print(each, shot.name, shot.title) for each, shot in pairs], entry.columns)


def by_change_and_by_iteration(
    entry: Entry, inputs: Mapping[str, Path], folder: Path, more: Sequence[str]
) -> Image.Image:
    """One run at equal steps of change, and at equal numbers of iterations."""
    film, shots, steps = folder / "film.webp", folder / "shots", entry.columns - 1
    kept = f"--timeline {film} --snapshot-dir {shots}"
    run(f"{entry.shots[0].words} {kept}", inputs, folder / "result.png", more)
    above = []
    with Image.open(film) as opened:  # it goes by change: its frames are equal steps
        for step in range(steps + 1):
            opened.seek(round(step / steps * (opened.n_frames - 1)))
            above.append(Print(opened.convert("RGB"), f"{100 * step // steps} % of the change"))
    below = [Print(above[0].picture, "iteration 0")]
    for path in sorted(shots.iterdir()):
        number = int(path.stem.rpartition("-")[2])
        below.append(Print(Image.open(path).convert("RGB"), f"iteration {number}"))
    return sheet([*above, *below], entry.columns)


def page(
    entry: Entry, inputs: Mapping[str, Path], folder: Path, more: Sequence[str]
) -> Image.Image:
    """The first part of a report, as a browser shows it, in columns."""
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if not browser:
        raise MissingError(f"none of the browsers {', '.join(BROWSERS)}")
    run(entry.shots[0].words, inputs, folder / "report", more)
    shot, (width, height) = folder / "page.png", PAGE_PX
    window = f"--window-size={width},{height * entry.columns}"
    flags = ("--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", window)
    target = (f"--screenshot={shot}", (folder / "report" / "index.html").resolve().as_uri())
    subprocess.run(
        [browser, *flags, f"--user-data-dir={folder / 'profile'}", *target],
        check=True,
        capture_output=True,
    )
    seen = Image.open(shot).convert("RGB")
    whole = Image.new("RGB", (width * entry.columns, height))
    for column in range(entry.columns):
        whole.paste(
            seen.crop((0, column * height, width, (column + 1) * height)), (column * width, 0)
        )
    return whole


def alone(words: str) -> Entry:
    """A command's picture by itself."""
    return Entry((Shot(words),))


def looks(hand: str) -> Entry:
    """Six photographs, each in a row, after six paintings, each in a column."""
    shots = (
        Shot(f"stylize {{{photograph}}} {painting} --hand {hand} --size 360", painting)
        for photograph in ("tuebingen", *INCLUDED)
        for painting in (style.name for style in STYLES)
    )
    return Entry(tuple(shots), columns=len(STYLES), width_px=1440)


CAT = "stylize {chelsea} night-swirls"
NIGHT_AND_CHARCOAL = "stylize {chelsea} night-swirls charcoal"
TOWN = "stylize {tuebingen}"

GALLERY: Mapping[str, Entry] = {
    "chelsea-night-swirls.jpg": alone(CAT),
    "astronaut-pointillist-garden.jpg": alone("stylize {astronaut} pointillist-garden"),
    "coffee-woodblock-waves.jpg": alone("stylize {coffee} woodblock-waves"),
    "tuebingen-kandinsky.jpg": alone(f"{TOWN} {{kandinsky}}"),
    "tuebingen-starry-night.jpg": alone(f"{TOWN} {{starry-night}} --hand faithful"),
    "styles.jpg": Entry((Shot("styles"),), width_px=900),
    "looks-faithful.jpg": looks("faithful"),
    "looks-painterly.jpg": looks("painterly"),
    "paintings.jpg": Entry(
        (
            Shot(CAT, "--style-weights 1,0", "night-swirls alone"),
            Shot(f"{NIGHT_AND_CHARCOAL} --style-weights 0.7,0.3", "--style-weights 0.7,0.3"),
            Shot(f"{NIGHT_AND_CHARCOAL} --style-weights 0.3,0.7", "--style-weights 0.3,0.7"),
            Shot("stylize {chelsea} charcoal", "--style-weights 0,1", "charcoal alone"),
            Shot(f"{NIGHT_AND_CHARCOAL} --style-scale 1,0.4", "--style-scale 1,0.4", "both alike"),
            Shot(f"{NIGHT_AND_CHARCOAL} --style-scale 0.4,1", "--style-scale 0.4,1", "both alike"),
        ),
        columns=3,
    ),
    "regions.jpg": Entry(
        (
            Shot("{tuebingen}", "The photograph"),
            Shot("{tuebingen-mask}", "--mask"),
            Shot("{starry-night-mask}", "--style-mask of the Starry Night"),
            Shot(
                f"{TOWN} {{starry-night}} --mask {{tuebingen-mask}} "
                "--style-mask {starry-night-mask}",
                "With both masks",
                "sky after sky, river after village",
            ),
            Shot(
                f"{TOWN} night-swirls --mask {{tuebingen-mask}} --region black=photo",
                "--region black=photo",
                "night-swirls elsewhere",
            ),
            Shot(
                f"{TOWN} --mask {{tuebingen-mask}} --region white=night-swirls "
                "--region black=stained-glass --region blue=woodblock-waves",
                "Three regions, three styles",
                "night-swirls, stained-glass, woodblock-waves",
            ),
        ),
        columns=3,
    ),
    "textures.jpg": Entry(
        (
            Shot("texture night-swirls --size 768x512", "impasto texture night-swirls"),
            Shot(
                "texture stained-glass --size 768x512 --style-scale 0.5",
                "impasto texture stained-glass",
                "--style-scale 0.5",
            ),
            Shot(
                "texture woodblock-waves --size 384x256 --tileable",
                "... woodblock-waves --tileable",
                "four copies side by side",
                copies=2,
            ),
            Shot(
                "stylize {coffee} pointillist-garden --size 384 --tileable",
                "impasto stylize --tileable",
                "a photograph, four copies side by side",
                copies=2,
            ),
        ),
        columns=2,
    ),
    "layers.jpg": Entry(
        (
            Shot(f"{CAT} --style-layers relu1_1", "--style-layers relu1_1"),
            Shot(f"{CAT} --style-layers relu1_1,relu2_1", "... relu1_1,relu2_1"),
            Shot(f"{CAT} --style-layers relu1_1,relu2_1,relu3_1", "... relu1_1,relu2_1,relu3_1"),
            Shot(f"{CAT} --content-layers relu2_2", "--content-layers relu2_2"),
            Shot(CAT, "... relu4_2 (the default)"),
            Shot(f"{CAT} --content-layers relu5_2", "... relu5_2"),
        ),
        columns=3,
    ),
    "colours.jpg": Entry(
        tuple(
            Shot(f"stylize {{coffee}} night-swirls --color {word}", word)
            for word in ("painted", "luminance", "photo", "painting")
        ),
        columns=2,
    ),
    "sweep.jpg": Entry(
        (
            Shot(
                "sweep {coffee} night-swirls --vary strength=0.2,0.5,0.8 --vary style-scale=0.5,1,2"
            ),
        ),
        width_px=900,
    ),
    "timeline.jpg": Entry(
        (Shot(f"{TOWN} {{kandinsky}} --snapshots 14,28,42,last"),),
        columns=5,
        make=by_change_and_by_iteration,
    ),
    "explain.jpg": Entry(
        (Shot("explain {tuebingen} {starry-night}"),),
        columns=3,
        make=page,
    ),
}


def draw_mask(name: str, over: Path, path: Path) -> Path:
    """A mask of MASKS, of the size of the picture that it is over."""
    with Image.open(over) as opened:
        width, height = opened.size
    mask = Image.new("RGB", (width, height), "white")
    for colour, points in MASKS[name][1]:
        ImageDraw.Draw(mask).polygon([(x * width, y * height) for x, y in points], fill=colour)
    mask.save(path)
    return path


def inputs_of(entry: Entry, given: Path | None, folder: Path) -> dict[str, Path]:
    """An entry's inputs by name; masks are drawn into the folder.

    Raises:
        MissingError: one is not there.
    """
    found: dict[str, Path] = {}
    for name in entry.needs():
        if name in MASKS:
            over = MASKS[name][0]
            found[name] = draw_mask(name, find(over, given), folder / f"{name}.png")
        else:
            found[name] = find(name, given)
    return found


def find(name: str, given: Path | None) -> Path:
    """An input's file, or MissingError."""
    if name in INCLUDED:
        return Path(str(files("skimage") / "data" / INCLUDED[name]))
    paths = [given / f"{name}{ending}" for ending in (".jpg", ".png")] if given else []
    there = next((path for path in paths if path.is_file()), None)
    if not there:
        where = f"in {given}" if given else "(GALLERY_INPUTS=DIR says where)"
        raise MissingError(f"no {name}.jpg or .png {where}")
    return there


def make(name: str, output: Path, given: Path | None = None, more: Sequence[str] = ()) -> Path:
    """Make one picture of the gallery.

    Args:
        name: its file's, in GALLERY.
        output: the folder that it is put into.
        given: the folder with those inputs that are not included.
        more: words that are put behind each command's, such as a smaller --size.

    Raises:
        MissingError: something that it needs is not here.
    """
    entry = GALLERY[name]
    with tempfile.TemporaryDirectory(prefix="impasto-gallery-") as temporary:
        folder = Path(temporary)
        whole = (entry.make or hung)(entry, inputs_of(entry, given, folder), folder, more)
    if whole.width > entry.width_px:
        size = (entry.width_px, round(whole.height * entry.width_px / whole.width))
        whole = whole.resize(size, Image.Resampling.LANCZOS)
    output.mkdir(parents=True, exist_ok=True)
    whole.save(output / name, "JPEG", quality=JPEG_QUALITY, optimize=True)
    return output / name


def main(arguments: Sequence[str] | None = None) -> None:
    """Make the named pictures, or all of them."""
    parser = argparse.ArgumentParser(description="Make the pictures of docs/gallery.")
    parser.add_argument("names", nargs="*", metavar="FILE", help=", ".join(GALLERY))
    parser.add_argument("-o", "--output", type=Path, default=OUTPUT, metavar="DIR")
    parser.add_argument("-i", "--inputs", type=Path, metavar="DIR", help=f"{', '.join(WANTED)}")
    options = parser.parse_args(arguments)
    if unknown := set(options.names) - set(GALLERY):
        parser.error(f"no picture named {', '.join(sorted(unknown))}")
    for name in options.names or GALLERY:
        try:
            print(make(name, options.output, options.inputs))
        except MissingError as reason:
            print(f"{name} skipped: {reason}")


if __name__ == "__main__":
    main()

"""The built-in styles: six pictures of the project's own, painted by tools/paint_styles.py."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from impasto.errors import ConfigError, as_on_disk, did_you_mean, nearest_file
from impasto.pictures.sheet import Print, sheet

if TYPE_CHECKING:
    from PIL import Image

COLUMNS = 3  # of the contact sheet


@dataclass(frozen=True)
class BuiltinStyle:
    """A painting that comes with the package.

    Args:
        name: what is typed on the command line, e.g. ``"night-swirls"``.
        title: what would stand on its label.
        description: its manner, in one line.
    """

    name: str
    title: str
    description: str

    @property
    def path(self) -> Path:
        """The JPEG's place among the package's files."""
        folder = resources.files("impasto") / "data" / "styles"
        return Path(str(folder / f"{self.name}.jpg"))


STYLES: tuple[BuiltinStyle, ...] = (
    BuiltinStyle(
        "night-swirls",
        "Night over the valley",
        "long, thick strokes that follow a turning sky; deep blues, yellow lamps and stars",
    ),
    BuiltinStyle(
        "pointillist-garden",
        "Garden by the river",
        "dots of pure colour that mix in the eye; bright greens, blues and roses",
    ),
    BuiltinStyle(
        "stained-glass",
        "Window with irises",
        "panes of saturated glass in dark lead, with streaks, bubbles and light behind",
    ),
    BuiltinStyle(
        "charcoal",
        "Jug, bottle and fruit",
        "charcoal hatching and white chalk on toned, grainy paper",
    ),
    BuiltinStyle(
        "woodblock-waves",
        "The claw of the wave",
        "flat indigo inks with dark contours, graded skies and claws of foam",
    ),
    BuiltinStyle(
        "cubist-facets",
        "Guitar on a table",
        "overlapping, shaded planes in ochre, grey and umber",
    ),
)


def find(name_or_path: str) -> Path:
    """The file of a style given as a built-in style's name or as a path.

    A built-in style's name comes before a file of that name: ``./charcoal`` is the file. Whether
    a path can be read as a picture is the image package's business.

    Raises:
        ConfigError: it is neither; the message lists the names and the nearest of them.
    """
    by_name = {style.name: style for style in STYLES}
    if name_or_path in by_name:
        return by_name[name_or_path].path
    path = as_on_disk(Path(name_or_path))
    if name_or_path and _is_there(path):
        return path
    raise ConfigError(
        f"style {name_or_path!r}: there is no such file and no built-in style of that name",
        f"a picture's path, or one of {', '.join(by_name)}",
        _nearest(path, list(by_name)),
    )


def _is_there(path: Path) -> bool:
    """Whether there is anything at a path, be it a broken link or in a locked folder."""
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return False
    except OSError:
        return True
    return True


def _nearest(path: Path, names: list[str]) -> str:
    """A hint: the name or the file that was probably meant, else where to see the names."""
    near = did_you_mean(path.stem, names) or nearest_file(path)
    return near or "`impasto styles` shows the built-in ones"


def contact_sheet() -> Image.Image:
    """Every built-in style in a grid with its name and title beneath, as an RGB picture."""
    from PIL import Image

    prints = []
    for style in STYLES:
        with Image.open(style.path) as opened:
            prints.append(Print(opened.convert("RGB"), style.name, style.title))
    return sheet(prints, COLUMNS)

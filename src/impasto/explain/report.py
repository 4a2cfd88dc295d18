"""What a report is asked of, and the files that come of it. Neither prints nor exits."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from impasto import files
from impasto.config import Config
from impasto.errors import ConfigError, PictureError
from impasto.explain import findings, page
from impasto.explain.runs import EFFORTS, KEPT, Effort, Run, Study, cached, obtained, parts, path_of
from impasto.job.prepare import prepare as prepare_job
from impasto.modes import own_modes
from impasto.pictures import PictureSource
from impasto.transfer.optimize import Step

PAGE, NUMBERS = "index.html", "numbers.json"
# What either file of ours begins with, in so many characters.
SIGNS = {PAGE: '<meta name="generator" content="impasto">', NUMBERS: '"made_by": "impasto"'}
LOOKED_AT_CHARACTERS = 2000
LARGEST_SIZE_PX = 1024  # longer side: at it a report takes hours, and a page shows no more


def nothing(_: object) -> None:
    """What a listener does who does not listen."""


@dataclass(frozen=True)
class Report:
    """Two pictures, what is to be run, and where it goes: all checked, nothing run yet.

    Attributes:
        folder: of the page.
        parts: all runs, the main one first.
    """

    folder: Path
    parts: Sequence[Study]

    @property
    def kept(self) -> Path:
        """The folder of what a stopped report goes on from."""
        return self.folder / KEPT


def explain(
    photo: PictureSource,
    painting: PictureSource,
    folder: str | Path,
    config: Config,
    effort: Effort | None = None,
    on_part: Callable[[Study], None] = nothing,
    on_step: Callable[[Step], None] = nothing,
) -> Path:
    """Write a page that explains how this photograph takes on this painting's manner.

    Args:
        photo: the photograph, as for ``stylize``.
        painting: the painting, or a built-in style's name.
        folder: where the page goes, and what a stopped report goes on from.
        config: of the picture that is explained; its size is that of all runs.
        effort: iterations of the other runs; left out, what the config's quality asks for.
        on_part: called before each run that was not kept.
        on_step: called after each of its iterations.

    Raises:
        ImpastoError: of its children the one that fits.
    """
    report = prepare(photo, painting, folder, config, effort)
    runs = {part.name: obtained(part, report.kept, on_part, on_step) for part in report.parts}
    return write(report, runs)


@own_modes()
def prepare(
    photo: PictureSource,
    painting: PictureSource,
    folder: str | Path,
    config: Config,
    effort: Effort | None = None,
) -> Report:
    """Check all that a report needs, and make its folder; arguments as for ``explain``.

    Raises:
        ImpastoError: of its children the one that fits.
    """
    folder = Path(folder)
    job = prepare_job(photo, painting, config)
    if max(job.size) > LARGEST_SIZE_PX:
        raise ConfigError(
            f"a report of {max(job.size)} px", f"at most {LARGEST_SIZE_PX} px", "try `size` 256"
        )
    if len(job.scene.paintings[0].pictures) > 1 or config.tileable:
        what = "a tile" if config.tileable else "a folder of paintings"
        raise ConfigError(f"a report of {what}", "one painting, and a picture with borders")
    wanted = parts(job, effort or Effort().times(EFFORTS[config.quality]))
    check_folder(folder)
    for part in wanted:
        cached(part, path_of(part, folder / KEPT))  # none of them is another program's
    return Report(folder, wanted)


def check_folder(folder: Path) -> None:
    """Make it, and find before the work what is there of others'.

    Raises:
        PictureError: it can't be made, or what would be written is there and not impasto's.
    """
    try:
        for name, sign in SIGNS.items():
            path = folder / name
            if path.exists() and sign not in beginning(path):
                given = f"{path}: it is there, and impasto did not write it"
                raise PictureError(given, "", "choose another folder with -o")
        (folder / KEPT).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        given = f"{folder}: the folder cannot be used ({error.strerror})"
        raise PictureError(given, "", "choose another place with -o") from error


def beginning(path: Path) -> str:
    """The first characters of a file, whatever it is."""
    with path.open(encoding="utf-8", errors="replace") as file:
        return file.read(LOOKED_AT_CHARACTERS)


@own_modes()
def write(report: Report, runs: Mapping[str, Run]) -> Path:
    """Write the page and its numbers, and give the page's path.

    Raises:
        PictureError: one of them can't be written.
    """
    found = findings.find(report.parts, runs)
    numbers = findings.numbers(found)
    texts = {
        NUMBERS: json.dumps(numbers, indent=1, ensure_ascii=False) + "\n",
        PAGE: page.page(found, numbers),
    }
    for name, text in texts.items():
        path = report.folder / name
        try:
            files.write_atomically(path, text.encode())
        except OSError as error:
            given = f"{path}: it cannot be written ({error.strerror})"
            raise PictureError(given, "", "the same command tries again, at once") from error
    return report.folder / PAGE

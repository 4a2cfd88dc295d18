"""Names that anybody may have made up, to names of files that every system takes."""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path, PurePosixPath

from impasto.files import fitting

# What Windows takes for a device, whatever the ending, and what its names may not hold.
DEVICES = re.compile(r"(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9¹²³])", re.IGNORECASE)
FORBIDDEN = re.compile(r'[<>:"|?*]')
SLASHES = re.compile(r"[\\/]")
ENDS = " ."  # which Windows takes off a name, and with which others hide it
NAMELESS = "picture"
LONGEST_ENDING = 16  # characters; what is longer after a dot is no ending


def clean_name(name: str, folder: Path) -> str:
    """A file's name in a folder, as near to the one given as every system allows.

    What is before the last slash goes, either way of writing them; so do characters that cannot be
    shown or that a system forbids, and dots and spaces at the ends. What is too long is cut before
    its ending. A name that is clean already stays.
    """
    name = unicodedata.normalize("NFC", SLASHES.split(name)[-1])
    name = FORBIDDEN.sub("", "".join(c for c in name if c.isprintable())).strip(ENDS)
    ending = PurePosixPath(name).suffix
    if len(ending) > LONGEST_ENDING:
        ending = ""
    stem = name.removesuffix(ending).strip(ENDS) or NAMELESS
    if DEVICES.fullmatch(stem.partition(".")[0].rstrip()):
        stem = f"_{stem}"
    return fitting(folder / f"{stem}{ending}", ending).name

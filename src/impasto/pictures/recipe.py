"""The recipe: every setting of a picture as JSON in its file's metadata.

It is kept in an XMP packet, the one kind of metadata that every format has.
"""

from __future__ import annotations

import html
import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from xml.sax.saxutils import escape

from impasto.errors import PictureError
from impasto.pictures.opening import open_image, read_bytes

RECIPE_NAMESPACE = "urn:impasto:1.0#"
XMP_KEYWORD = "XML:com.adobe.xmp"  # of the PNG chunk that holds the packet


def to_xmp(recipe: Mapping[str, object]) -> bytes:
    """The recipe as an XMP packet.

    ASCII only (JSON escapes the rest): no reader's idea of an encoding can harm it.
    """
    text = escape(json.dumps(dict(recipe)))
    return (
        '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>'
        '<x:xmpmeta xmlns:x="adobe:ns:meta/">'
        '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        f'<rdf:Description rdf:about="" xmlns:impasto="{RECIPE_NAMESPACE}">'
        f"<impasto:recipe>{text}</impasto:recipe>"
        '</rdf:Description></rdf:RDF></x:xmpmeta><?xpacket end="w"?>'
    ).encode()


def read_recipe(path: str | os.PathLike[str]) -> dict[str, object]:
    """The recipe that `save` put into a file, as JSON knows it (tuples have become lists).

    Raises:
        PictureError: if the file cannot be read or holds no recipe.
    """
    what = f"picture '{path}'"
    info = open_image(read_bytes(Path(path), what), what).info
    packet = info.get("xmp") or info.get(XMP_KEYWORD) or ""
    text = packet.decode("utf-8", "replace") if isinstance(packet, bytes) else str(packet)
    found = re.search(r"<impasto:recipe>(\{[^<]*)<", text)
    if found is None:
        allowed = "allowed: a file that impasto wrote with its recipe"
        hint = "programs that edit or send pictures often remove it: try the original file"
        raise PictureError(f"{what} holds no recipe", allowed, hint)
    try:
        recipe: dict[str, object] = json.loads(html.unescape(found[1]))
    except (ValueError, RecursionError) as error:
        raise PictureError(f"{what} holds a damaged recipe: {error}") from error
    return recipe

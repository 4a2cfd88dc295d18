"""Neural artistic style transfer: repaint a photograph in the manner of a painting.

from impasto import stylize
stylize("photo.jpg", "painting.jpg", size=512).save("out.png")
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from impasto.api import stylize, texture
    from impasto.config import Config
    from impasto.errors import ImpastoError, PartialResultWarning
    from impasto.job.job import Result

__all__ = ["Config", "ImpastoError", "PartialResultWarning", "Result", "stylize", "texture"]

_ROOMS = {
    "Config": "impasto.config",
    "ImpastoError": "impasto.errors",
    "PartialResultWarning": "impasto.errors",
    "Result": "impasto.job.job",
    "stylize": "impasto.api",
    "texture": "impasto.api",
}


def __getattr__(name: str) -> Any:
    """Import on first use, so that `import impasto` alone does not wait for torch."""
    if name not in _ROOMS:
        raise AttributeError(f"module 'impasto' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_ROOMS[name]), name)

"""The packages of the extra `video`, or one line that says how to get them."""

from __future__ import annotations

from importlib import import_module

from impasto.errors import PictureError

PACKAGES = {"av": "PyAV", "cv2": "OpenCV", "scenedetect": "PySceneDetect"}
INSTALL = "install video support: pip install 'impasto[video]'"


def require(what: str, *modules: str) -> None:
    """Make sure that packages can be imported.

    Args:
        what: that needs them, as a message begins: ``"clip 'a.mp4'"``.
        modules: of PACKAGES; all of them by default.

    Raises:
        PictureError: one is not there.
    """
    for module in modules or PACKAGES:
        try:
            import_module(module)
        except ImportError as error:
            raise PictureError(f"{what} needs {PACKAGES[module]}", "", INSTALL) from error

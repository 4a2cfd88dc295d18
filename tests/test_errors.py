"""Laws of messages: the library names settings, the command line its options."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from conftest import impasto
from impasto import errors
from impasto.errors import ImpastoError


def test_no_message_of_the_library_speaks_the_command_line():
    """It names settings in backquotes, and the command line puts its options there."""
    root = Path(errors.__file__).parent
    texts = {
        (path.name, node.lineno): node.value
        for path in root.rglob("*.py")
        if "cli" not in path.relative_to(root).parts
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    assert len(texts) > 1000
    assert {where: text for where, text in texts.items() if re.search(r"--[a-z]", text)} == {}


@pytest.mark.parametrize(
    ("words", "message", "library"),
    [
        (["--style-weights", "x"], "--style-weights: a style's weight 'x'; a", None),
        (["--tv-weight", "-1"], "--tv-weight -1; a number from 0 up", "tv_weight -1; a number"),
        (["--color", "blue"], "--color 'blue'; allowed: painted", "color 'blue'; allowed: painted"),
        (["--fit", "small"], "--fit 'small'; allowed", "fit 'small'; allowed"),
        (
            ["--style-size", "99", "--style-scale", "2"],
            "--style-size and --style-scale both",
            "style_size and style_scale both",
        ),
        (["--size", "16"], "try a larger --size, or crop", "try a larger size, or crop"),
        (
            ["--backbone", "vgg19"],
            "; --backbone vgg16 needs no download",
            "; backbone vgg16 needs no download",
        ),
        (
            ["--mask", "photo.png"],
            "try --region with black as 'photo'",
            "try regions with black as 'photo'",
        ),
        (
            ["--checkpoint-dir", "photo.png"],
            "; choose another --checkpoint-dir",
            "; choose another checkpoint_dir",
        ),
    ],
)
def test_errors_name_what_was_typed(folder, capsys, monkeypatch, words, message, library):
    caught = []
    line = ImpastoError.line
    monkeypatch.setattr(
        ImpastoError, "line", lambda error, spell: caught.append(error) or line(error, spell)
    )
    out = impasto(capsys, "stylize", "photo.png", "charcoal", *words, status=2)
    assert message in out.err
    assert "`" not in re.sub("`impasto [^`]*`", "", out.err)
    assert library is None or library in str(caught[-1])

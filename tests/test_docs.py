"""The examples of docs/python.md and of the notebook run, made small; links lead somewhere."""

from __future__ import annotations

import json
import re
import shlex
from contextlib import redirect_stdout
from io import StringIO

import PIL.Image
import PIL.ImageDraw
import pytest
from skimage import data

from conftest import ROOT, impasto

DOCS = ROOT / "docs"
PAGES = sorted([*DOCS.glob("*.md"), *ROOT.glob("*.md")])


def small(code: str) -> str:
    """The code with pictures of a few pixels and a few iterations."""
    code = code.replace("size=(256, 384)", "size=(64, 48), iterations=2")
    return re.sub(r"\bsize=256\b", "size=48, iterations=6", code)


@pytest.fixture
def pictures_here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    photo = PIL.Image.fromarray(data.coffee()).resize((96, 64))
    photo.save("photo.jpg")
    PIL.Image.fromarray(data.chelsea()).resize((96, 64)).save("painting.jpg")
    mask = PIL.Image.new("RGB", photo.size, "black")
    PIL.ImageDraw.Draw(mask).rectangle((0, 0, 48, 64), fill="white")
    mask.save("mask.png")
    return tmp_path


def test_the_examples_of_the_page_on_python_run_in_their_order(pictures_here):
    blocks = re.findall(r"```python\n(.*?)```", (DOCS / "python.md").read_text(), re.DOTALL)
    assert len(blocks) >= 12
    known, printed = {}, StringIO()
    with redirect_stdout(printed):
        for block in blocks:
            exec(compile(small(block), "python.md", "exec"), known)
    assert "strength 7; a number from 0 to 1 is wanted\n" in printed.getvalue()
    assert "5 of 6: " in printed.getvalue()
    assert {"out.png", "out.webp", "tile.png"} <= {path.name for path in pictures_here.iterdir()}
    assert not (pictures_here / "out-checkpoint").exists()
    with PIL.Image.open("tile.png") as tile:
        assert tile.size == (48, 64)


def test_the_notebook_runs_and_holds_no_outputs(pictures_here):
    notebook = json.loads((DOCS / "notebook.ipynb").read_text())
    assert notebook["nbformat"] == 4
    cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in cells)
    known = {}
    for cell in cells:
        exec(compile(small("".join(cell["source"])), "notebook.ipynb", "exec"), known)
    assert known["result"]._repr_png_().startswith(b"\x89PNG")
    assert len(known["seen"]) == 2
    assert (pictures_here / "notebook.png").is_file()


def anchor(heading: str) -> str:
    """What GitHub makes of a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_of_a_page_leads_to_a_file_and_a_heading(page):
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if target.startswith(("http://", "https://")):
            continue
        name, _, place = target.partition("#")
        path = page.parent / name if name else page
        assert path.exists(), target
        if place:
            headings = re.findall(r"^#+ (.*)$", path.read_text(), re.MULTILINE)
            assert place in map(anchor, headings), target


def test_every_option_and_command_that_a_page_names_is_there(capsys):
    known = impasto(capsys, "--help").out
    for command in (
        "stylize",
        "texture",
        "rerun",
        "batch",
        "video",
        "sweep",
        "explain",
        "evaluate",
        "compare",
        "info",
        "studio",
    ):
        known += impasto(capsys, command, "--help").out
    theirs = {"--torch-backend", "--pip-args"}  # uv's and pipx's
    theirs |= {"--head", "--address", "--num-cpus", "--port"}  # Ray's
    theirs |= {"--autoscaling-config", "--object-store-memory"}
    theirs |= {"--against", "--largest", "--rounds"}  # our benchmarks'
    option = r"(?<![\w-])--[a-z][a-z-]+"
    theirs |= set(re.findall(option, (ROOT / "tools" / "make_clips.py").read_text()))
    for page in (ROOT / "README.md", *DOCS.glob("*.md")):
        options = set(re.findall(option, page.read_text()))
        assert [each for each in options - theirs if each not in known] == [], page
        commands = re.findall(r"(?:^|`)impasto ([a-z]+)", page.read_text(), re.MULTILINE)
        assert [each for each in commands if f" {each} " not in known] == [], page


def test_the_page_by_symptom_only_has_commands_that_work(pictures_here, capsys):
    """As printed, but small; README's and the other pages' are tried elsewhere."""
    text = (DOCS / "trouble.md").read_text()
    commands = re.findall(r"^impasto (.*)$", text, re.MULTILINE)
    assert len(commands) == 2
    for command in commands:
        words = shlex.split(command)
        small = ("--set size=48 --set iterations=1", "--size 48 --iterations 2")
        impasto(capsys, *words, *small[words[0] == "stylize"].split())
    assert {"strengths.png", "out.png"} <= {path.name for path in pictures_here.iterdir()}


def test_recipes_name_files_and_tables_that_are_there():
    text = (ROOT / "CONTRIBUTING.md").read_text()
    recipes = text[text.index("## Recipes") : text.index("## Why each dependency")]
    source = ROOT / "src" / "impasto"
    for name in re.findall(r"(?<![\w/.])[\w/]+\.(?:py|md)\b", recipes):
        places = (ROOT / name, source / name, ROOT / "tests" / name, *source.rglob(name))
        assert any(place.is_file() for place in places), name
    folders = (source, ROOT / "tools", ROOT / "tests")
    code = "\n".join(path.read_text() for each in folders for path in each.rglob("*.py"))
    for name in re.findall(r"`([A-Z_a-z]+)`", recipes):
        assert re.search(rf"\b{name}\b", code), name

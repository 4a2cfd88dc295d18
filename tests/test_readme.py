"""The README's examples run: every command and the Python, on small pictures in an empty folder."""

from __future__ import annotations

import re
import shlex
import tomllib
from pathlib import Path

import PIL.Image
import pytest
from skimage import data

from impasto.cli import main

README = (Path(__file__).parents[1] / "README.md").read_text()
# The last --size counts.
SMALLER = {
    "stylize": ["--size", "64", "--iterations", "5"],
    "rerun": ["--size", "72"],
    "video": ["--size", "64", "--quality", "draft"],
    "batch": ["--size", "64", "--iterations", "2"],
    "sweep": ["--set", "size=64", "--set", "iterations=2"],
    "explain": ["--size", "48", "--set", "iterations=2", "--set", "quality=draft"],
}
NETWORK = ["weights fetch"]  # not run: tests are offline


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


COMMANDS = [
    line for block in blocks("console") for line in block.splitlines() if line.startswith("impasto")
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """One folder for all, since later commands show what earlier ones made."""
    folder = tmp_path_factory.mktemp("readme")
    PIL.Image.fromarray(data.coffee()).resize((96, 64)).save(folder / "photo.jpg")
    PIL.Image.fromarray(data.chelsea()).resize((96, 64)).save(folder / "painting.jpg")
    wide = PIL.Image.fromarray(data.coffee()).resize((104, 64))
    frames = [wide.crop((left, 0, left + 96, 64)) for left in (0, 2, 4)]
    frames[0].save(folder / "clip.gif", save_all=True, append_images=frames[1:], duration=100)
    (folder / "photos").mkdir()
    PIL.Image.fromarray(data.astronaut()).resize((64, 64)).save(folder / "photos" / "her.jpg")
    return folder


def test_there_are_examples():
    assert len(COMMANDS) >= 8
    assert len(blocks("python")) == 1


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_of_the_readme_works(folder, monkeypatch, capsys, command):
    monkeypatch.chdir(folder)
    words = shlex.split(command)[1:]
    if any(f"impasto {offline}" in command for offline in NETWORK):
        words = [*words[:2], "--help"]
    words += SMALLER.get(words[0], [])
    words += ["--iterations", "50"] if "1,50,last" in words else []
    with pytest.raises(SystemExit) as exit_:
        main(words)
    assert exit_.value.code in (0, None), capsys.readouterr().err


def test_the_python_of_the_readme_works(folder, monkeypatch):
    monkeypatch.chdir(folder)
    (code,) = blocks("python")
    exec(code.replace("size=256", "size=64, iterations=2"), {})
    assert (folder / "out.png").is_file()


def test_every_picture_and_page_that_the_readme_shows_is_there():
    for target in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (Path(__file__).parents[1] / target).exists(), target


def test_whoever_has_no_clone_finds_the_way_in():
    first_screen = README[: README.index("## A first picture")]
    for page in ("#installation", "docs/control.md", "docs/trouble.md", "docs/python.md"):
        assert f"({page})" in first_screen
    assert "not on PyPI yet" in README
    for line in ("py -m venv .venv", r".venv\Scripts\activate", "pipx install ./impasto"):
        assert line in README.splitlines()


def test_gigabytes_are_told_before_they_are_downloaded():
    assert README.index("download of several GB") < README.index("make demo\n```")
    installation = README[README.index("## Installation") :]
    assert installation.index("CPU build") < installation.index("pip install")
    (torch,) = set(re.findall(r"torch==[\d.]+\d", README))
    assert torch in (Path(__file__).parents[1] / "constraints.txt").read_text().splitlines()


def test_the_extras_that_the_readme_installs_are_there():
    given = re.findall(r"'\.\[([\w,]+)\]'", README)
    extras = {name for names in given for name in names.split(",")}
    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())["project"]
    assert extras == {"heif", "video", "studio", "cluster"}
    assert extras < set(project["optional-dependencies"])

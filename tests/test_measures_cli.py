"""`impasto evaluate` and `impasto compare`, through the real command line."""

from __future__ import annotations

import json

import pytest
from skimage import data

from impasto import cli, pictures, stylize
from impasto.measure.metrics import HELD_OUT, STYLE_LAYERS

SIZE = 96


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A photograph, and three pictures of it: hardly, half and wholly repainted."""
    path = tmp_path_factory.mktemp("measures")
    photograph = pictures.load(data.coffee())
    pictures.save(pictures.resize(photograph.pixels, (64, SIZE)), path / "photo.png")
    for name, strength in (("faint", 0.02), ("half", 0.5), ("full", 1.0)):
        result = stylize(
            path / "photo.png",
            "night-swirls",
            size=SIZE,
            iterations=12,
            strength=strength,
            backbone="vgg16",
        )
        result.save(path / f"{name}.png")
    return path


def run(capsys, *arguments):
    with pytest.raises(SystemExit) as ended:
        cli.main([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    return ended.value.code, captured.out, captured.err


def against(folder):
    return ["--content", folder / "photo.png", "--style", "night-swirls"]


def test_evaluate_gives_every_number_and_says_which_layers_were_optimised(capsys, folder):
    code, out, _ = run(capsys, "evaluate", folder / "half.png", *against(folder), "--json")
    found = json.loads(out)
    assert code == 0
    assert found["size"] == [64, SIZE]
    assert list(found["style"]) == list(found["left"]) == list(STYLE_LAYERS)
    assert 0 < found["lost"] < 1
    assert 0 < found["lpips"] < 1
    assert not set(HELD_OUT) & set(found["optimised"])
    code, out, _ = run(capsys, "evaluate", folder / "half.png", *against(folder))
    assert code == 0
    for words in ("LPIPS", "SSIM", f"{found['lpips']:.4f}", "relu1_2", "held out", "96 x 64 px"):
        assert words in out


def test_evaluate_tells_what_one_of_the_two_can_tell(capsys, folder):
    _, out, _ = run(capsys, "evaluate", folder / "half.png", "-c", folder / "photo.png", "--json")
    found = json.loads(out)
    assert found["lpips"] > 0
    assert found["style"] == {}
    assert found["score"] is None
    _, out, _ = run(capsys, "evaluate", folder / "half.png", "-p", "night-swirls", "--json")
    found = json.loads(out)
    assert found["lpips"] is None
    assert found["style_distance"] > 0


def test_evaluate_takes_the_optimised_layers_from_the_recipe(capsys, folder):
    result = stylize(
        folder / "photo.png",
        "charcoal",
        size=SIZE,
        iterations=1,
        style_layers=(("relu2_2", 1.0),),
        backbone="vgg16",
    )
    result.save(folder / "other.png")
    _, out, _ = run(capsys, "evaluate", folder / "other.png", *against(folder), "--json")
    assert json.loads(out)["optimised"] == ["relu2_2"]


@pytest.mark.parametrize(
    ("by", "order"),
    [
        ("lost", ["faint", "half", "full"]),
        ("ssim", ["faint", "half", "full"]),
        ("style-left", ["full", "half", "faint"]),
    ],
)
def test_compare_sorts_the_best_first(capsys, folder, by, order):
    pictures = [folder / f"{name}.png" for name in ("half", "full", "faint")]
    code, out, _ = run(capsys, "compare", *pictures, *against(folder), "--by", by, "--json")
    assert code == 0
    assert [row["picture"] for row in json.loads(out)] == [
        str(folder / f"{name}.png") for name in order
    ]


def test_compare_shows_a_table_sorted_by_the_score(capsys, folder):
    pictures = [folder / f"{name}.png" for name in ("full", "half")]
    _, out, _ = run(capsys, "compare", *pictures, *against(folder), "--json")
    first, second = json.loads(out)
    assert first["score"] < second["score"]
    code, out, _ = run(capsys, "compare", *pictures, *against(folder))
    header, *lines = out.splitlines()
    assert code == 0
    assert header.split()[:3] == ["picture", "score", "LPIPS"]
    assert [line.split()[1] for line in lines[:2]] == [
        f"{row['score']:.4f}" for row in (first, second)
    ]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "neither --content nor --style"),
        (["--content", "missing.png"], "does not exist"),
        (["--style", "night-swirl"], "did you mean night-swirls?"),
        (["--content", "square.png"], "the same shape is wanted"),
    ],
)
def test_bad_input_is_one_line(capsys, folder, arguments, words, monkeypatch):
    monkeypatch.chdir(folder)
    pictures.save(
        pictures.resize(pictures.load(data.coffee()).pixels, (64, 64)), folder / "square.png"
    )
    code, out, err = run(capsys, "evaluate", "half.png", *arguments)
    assert (code, out) == (2, "")
    assert words in err
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--by", "lpip", "--content", "photo.png"], "did you mean lpips?"),
        (["--by", "score", "--content", "photo.png"], "score and style-left want"),
    ],
)
def test_compare_by_what_there_is_not_is_one_line(capsys, folder, arguments, words, monkeypatch):
    monkeypatch.chdir(folder)
    code, out, err = run(capsys, "compare", "half.png", "full.png", *arguments)
    assert (code, out) == (2, "")
    assert words in err
    assert err.count("\n") == 1

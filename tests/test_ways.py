"""A picture is made again, and gone on with, in the ways in which it was begun."""

from __future__ import annotations

import json

import PIL.Image
import pytest
import torch
from skimage import data

from conftest import impasto, needs_bfloat16
from impasto import pictures
from impasto.config import configure
from impasto.job import calibration, checkpoint
from impasto.job.calibration import Calibration
from impasto.job.prepare import prepare
from impasto.job.trials import Timing

QUICK = ("--size", 96, "--iterations", 6, "-q")
LESS, MORE = 0.01, 0.02  # seconds of a convolution


def machine(winograd=MORE, bfloat16=None):
    """One on which Winograd's way, and bfloat16, take so long; the direct way takes MORE."""
    timings = (Timing(64, 16, 16, MORE, winograd, bfloat16),)
    return Calibration(calibration.machine_with(1), timings)


@pytest.fixture
def sit_at(monkeypatch, folder):
    """Change the machine."""
    PIL.Image.fromarray(data.astronaut()).resize((90, 90)).save("painting.png")
    monkeypatch.delenv(calibration.ENVIRONMENT)

    def sit(at):
        monkeypatch.setattr(calibration, "calibrated", lambda *_: at)

    return sit


def test_a_rerun_convolves_as_the_picture_did_on_whatever_machine(sit_at, capsys):
    sit_at(machine(winograd=LESS))
    impasto(capsys, "stylize", "photo.png", "painting.png", "-o", "a.png", *QUICK)
    assert pictures.read_recipe("a.png")["winograd"] == {"64": 16}
    sit_at(machine())
    assert "Byte for byte the same" in impasto(capsys, "rerun", "a.png").out
    impasto(capsys, "stylize", "photo.png", "painting.png", "-o", "b.png", *QUICK)
    assert pictures.read_recipe("b.png")["winograd"] == {}
    one, other = (pictures.load(name).pixels for name in ("a.png", "b.png"))
    assert (one - other).abs().mean() < 0.01


@needs_bfloat16
def test_a_rerun_has_the_pictures_precision_where_the_machine_has_it_and_else_says_so(
    sit_at, capsys
):
    sit_at(machine(bfloat16=LESS))
    impasto(capsys, "stylize", "photo.png", "painting.png", "-o", "a.png", *QUICK)
    assert pictures.read_recipe("a.png")["precision"] == "bfloat16"
    sit_at(machine(bfloat16=MORE))  # it would not be chosen here
    assert "Byte for byte the same" in impasto(capsys, "rerun", "a.png", "-o", "b.png").out
    sit_at(machine())
    out = impasto(capsys, "rerun", "a.png", "-o", "c.png")
    assert "may differ in a few bytes: precision was bfloat16, here float32" in out.err
    assert pictures.read_recipe("c.png")["precision"] == "float32"
    one, other = (pictures.load(name).pixels for name in ("a.png", "c.png"))
    assert 0 < (one - other).abs().mean() < 0.02
    out = impasto(capsys, "rerun", "a.png", "--precision", "bfloat16", "-o", "d.png", status=2)
    assert "this processor; it has no instructions for it" in out.err


@needs_bfloat16
@pytest.mark.parametrize("fit", ["whole", "windows"])
def test_a_run_goes_on_in_its_precision_to_the_same_bytes(sit_at, fit):
    sit_at(machine(bfloat16=LESS))
    config = configure(size=96, iterations=6, fit=fit, backbone="vgg16")
    job = prepare("photo.png", "painting.png", config)
    steps = list(job.steps())
    assert job.recipe.precision == "bfloat16"
    begun = steps[2]
    history = [step.row() for step in steps[:3]]
    kept = checkpoint.Checkpoint(job.scene, job.recipe, begun, history, {})
    for here, same in ((machine(bfloat16=MORE), True), (machine(), False)):
        sit_at(here)
        result = prepare("photo.png", "painting.png", config).run(resume_from=kept)
        assert torch.equal(result.pixels, job._finish(steps[-1].picture())) == same
        assert (result.pixels - steps[-1].picture()).abs().mean() < 0.02
        assert result.recipe.precision == ("bfloat16" if same else "float32")


@needs_bfloat16
def test_everything_that_can_be_asked_for_works_in_bfloat16(sit_at, capsys):
    """Each against float32: nearly the same picture."""
    PIL.Image.new("L", (96, 64)).save("mask.png")
    mask = PIL.Image.new("L", (96, 64))
    mask.paste(255, (0, 0, 48, 64))
    mask.save("mask.png")
    asked = {
        "several": ("night-swirls",),
        "regions": ("--mask", "mask.png", "--region", "white=charcoal"),
        "kept": ("--mask", "mask.png", "--region", "white=photo"),
        "tile": ("--tileable", "both"),
        "windows": ("--fit", "windows"),
        "gram": ("--distance", "gram"),
        "paper": ("--preset", "paper", "--backbone", "vgg16"),
        "adam": ("--optimizer", "adam"),
        "average": ("--pooling", "average"),
    }
    for name, options in asked.items():
        for precision, at in (("float32", machine()), ("bfloat16", machine(bfloat16=LESS))):
            sit_at(at)
            words = ("photo.png", "painting.png", *options, "-o", f"{precision}.png", *QUICK)
            impasto(capsys, "stylize", *words)
            assert pictures.read_recipe(f"{precision}.png")["precision"] == precision
        one, other = (pictures.load(f"{each}.png").pixels for each in ("float32", "bfloat16"))
        assert 0 < (one - other).abs().mean() < 0.03, name
    sit_at(machine(bfloat16=LESS))
    impasto(capsys, "texture", "painting.png", "-o", "texture.png", *QUICK)
    assert pictures.load("texture.png").pixels.std() > 0.05


def test_an_early_recipe_says_nothing_of_winograd_and_is_followed_as_it_was(sit_at, capsys):
    sit_at(machine())
    impasto(capsys, "stylize", "photo.png", "painting.png", "-o", "a.png", *QUICK)
    recipe = pictures.read_recipe("a.png")
    del recipe["winograd"]
    early = json.loads(json.dumps(recipe))
    pictures.save(pictures.load("a.png").pixels, "early.png", recipe=early)
    impasto(capsys, "rerun", "early.png", "-o", "again.png", "-q")
    assert pictures.read_recipe("again.png")["winograd"] == {"64": 24}

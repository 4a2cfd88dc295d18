"""A recipe reads and writes itself, and says what decides a picture."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from impasto.config import Config, configure
from impasto.errors import PictureError
from impasto.job.recipe import Inputs, Network, Outcome, Recipe, Source

PHOTO, SKY, ROOFS = (Source(f"{name}.png", name * 16) for name in ("phot", "skyy", "roof"))
RECIPE = Recipe(
    settings={"size": 64, "strength": 0.5, "style_layers": [["relu1_1", 1.0]]},
    size=(64, 48),
    inputs=Inputs(PHOTO, (SKY, ROOFS), None, PHOTO, (SKY,), {"white": ROOFS, "black": None}),
    network=Network("vgg16", "embedded", "1" * 64),
    device="cpu",
    precision="float32",
    winograd={64: 24, 256: 96},
    threads=2,
    versions={"torch": "2", "python": "3.11.7"},
    outcome=Outcome(9, 12, ((1, None), (7, 256)), {"total": 1 / 3}),
    bits=16,
)


@pytest.mark.parametrize(
    "recipe", [RECIPE, replace(RECIPE, outcome=None, bits=None, inputs=Inputs())]
)
def test_it_comes_back_from_json_as_it_was(recipe):
    known = json.loads(json.dumps(recipe.to_json()))
    assert known == recipe.to_json()
    assert Recipe.from_json(known, "it") == recipe


def test_how_a_run_went_and_its_file_decide_nothing():
    other = replace(RECIPE, bits=8, outcome=Outcome(12, 12, ((1, 512),), {}))
    assert RECIPE.difference(other) == ""


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"settings": {**RECIPE.settings, "strength": 0.6}}, "settings strength was 0.5, here"),
        ({"size": (64, 47)}, "size 2 was 48, here it is 47"),
        ({"inputs": replace(RECIPE.inputs, paintings=(ROOFS, SKY))}, "inputs paintings 1 name"),
        ({"inputs": replace(RECIPE.inputs, regions={"white": None})}, "inputs regions white"),
        ({"network": replace(RECIPE.network, sha256="2" * 64)}, "backbone sha256"),
        ({"precision": "bfloat16"}, "precision was float32"),
        ({"versions": {"torch": "3"}}, "versions torch was 2, here it is 3"),
    ],
)
def test_what_decides_otherwise_is_named(changes, told):
    assert told in RECIPE.difference(replace(RECIPE, **changes))


def test_other_versions_may_be_left_out():
    other = replace(RECIPE, versions={"torch": "3"})
    assert RECIPE.difference(other, versions=False) == ""
    assert RECIPE.difference(replace(other, device="cuda"), versions=False)


def test_a_recipe_of_the_first_format_is_followed():
    settings = {name: getattr(Config(), name) for name in Config.__dataclass_fields__}
    del settings["units"], settings["snapshots"]
    old = {
        **RECIPE.to_json(),
        "settings": settings,
        "windows_px": 512,
        "inputs": {
            "photograph": vars(PHOTO),
            "painting": vars(SKY),
            "painting 2": vars(ROOFS),
            "mask": vars(PHOTO),
            "style mask": vars(SKY),
            "region white": vars(ROOFS),
        },
        "regions": {"white": "roof.png", "black": None, "red": "skyy.png"},
    }
    del old["recipe"]
    found = Recipe.from_json(json.loads(json.dumps(old)), "it")
    assert found.inputs == RECIPE.inputs
    assert found.outcome.windows_px == ((1, 512),)
    assert found.config(size=128) == configure(size=128)


@pytest.mark.parametrize(
    ("known", "told"),
    [
        ({}, "it has a recipe that this version cannot follow"),
        ({"recipe": 99}, "a recipe of format 99"),
        ({**RECIPE.to_json(), "backbone": "vgg"}, "cannot follow"),
        ({**RECIPE.to_json(), "size": 5}, "cannot follow"),
        ("words", "cannot follow"),
    ],
)
def test_what_is_no_recipe_is_one_line(known, told):
    with pytest.raises(PictureError, match=told) as caught:
        Recipe.from_json(known, "it")
    assert "\n" not in str(caught.value)

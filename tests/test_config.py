"""Laws of the settings: checked when made, errors that teach, schedules that add up."""

from __future__ import annotations

import math
import subprocess
import sys
from dataclasses import FrozenInstanceError
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from impasto.config import LAST, PRESETS, Config, configure
from impasto.errors import ConfigError
from impasto.parsing import parse_fit, parse_layers, parse_number, parse_size, parse_snapshots
from impasto.transfer.schedule import schedule

sides = st.integers(16, 9000)


@given(height=sides, width=sides, iterations=st.none() | st.integers(1, 5000))
def test_a_schedule_goes_up_to_the_size_and_its_iterations_add_up(height, width, iterations):
    plan = schedule((height, width), Config(iterations=iterations))
    sizes = [size for size, _ in plan]
    assert sizes[-1] == (height, width)
    assert sizes == sorted(sizes)
    assert all(count >= 1 for _, count in plan)
    if iterations:
        assert sum(count for _, count in plan) == iterations


@given(height=sides, width=sides)
def test_scales_keep_the_aspect_and_never_get_too_thin(height, width):
    for size, _ in schedule((height, width), Config()):
        assert size[0] / height == pytest.approx(size[1] / width, rel=0.05)
        assert min(size) >= min(32 * 0.98, height, width) - 1


def test_better_quality_is_more_work_at_every_scale_and_the_last_falls_with_size():
    by_quality = [
        [count for _, count in schedule((768, 1024), Config(quality=quality))]
        for quality in ("draft", "normal", "fine")
    ]
    for counts in zip(*by_quality, strict=True):
        assert list(counts) == sorted(set(counts))
    last = [schedule((side, side), Config())[-1][1] for side in (256, 512, 1024, 2048, 8192)]
    assert last == sorted(last, reverse=True)
    assert last[0] == last[1] > last[2] > last[3]
    assert min(last) > 0


def test_a_print_has_an_iteration_more_at_its_scales_than_a_draft():
    draft, *_, last = [count for _, count in schedule((768, 1024), Config(quality="draft"))]
    coarsest, *finer = [count for _, count in schedule((1536, 2048), Config(quality="draft"))]
    assert coarsest == draft
    assert min(finer) == last + 1
    normal = [count for _, count in schedule((768, 1024), Config())]
    assert [count for _, count in schedule((1536, 2048), Config())][:3] == normal[:3]


@pytest.mark.parametrize(
    ("text", "fit"),
    [
        ("6GB", 6 * 10**9),
        ("1.5 gb", 15 * 10**8),
        ("500MB", 5 * 10**8),
        ("2000000", 2 * 10**6),
        ("auto", "auto"),
        ("6 acres", "6 acres"),
        ("1.2.3GB", "1.2.3GB"),
        ("", ""),
    ],
)
def test_memory_is_read_with_its_unit_and_words_stay_words(text, fit):
    assert parse_fit(text) == fit


def test_the_paper_has_one_scale_and_3000_iterations():
    assert schedule((384, 512), PRESETS["paper"]) == [((384, 512), 3000)]


@given(strength=st.floats(0, 1))
def test_strength_is_a_balance_that_sums_to_one(strength):
    content, style = Config(strength=strength).weights()
    assert content + style == pytest.approx(1)
    assert min(content, style) >= 0


def test_strength_ends_at_the_photograph_and_at_style_alone():
    assert Config(strength=0.0).weights() == (1, 0)
    assert Config(strength=1.0).weights() == (0, 1)
    shares = [Config(strength=s / 20).weights()[1] for s in range(21)]
    assert shares == sorted(shares)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"strength": 1.5}, "strength 1.5; a number from 0 to 1"),
        ({"size": 3}, "size 3; a whole number from 16"),
        ({"size": "orginal"}, "or 'original'"),
        ({"iterations": 2.5}, "a whole number from 1"),
        ({"seed": 1.5}, "seed 1.5"),
        ({"beta": math.inf}, "beta inf"),
        ({"start": 3}, "start 3; a name or a path"),
        ({"learning_rate": 0.1}, "the optimizers adam and gd"),
        ({"style_size": 300, "style_scale": 2.0}, "one of them"),
        ({"content_layers": (("relu4_2", 0.0),)}, "a weight above 0"),
        ({"strength": 1.0, "beta": 0.0}, "nothing to optimise"),
        ({"preset": "paper", "beta": 0.0}, "nothing to optimise"),
        ({"iterations": 0}, "iterations 0"),
        ({"iterations": True}, "iterations True"),
        ({"tv_weight": -1.0}, "a number from 0 up"),
        ({"alpha": math.nan}, "alpha nan"),
        ({"optimizer": "adamw"}, "did you mean adam?"),
        ({"quality": "best"}, "allowed: draft, normal, fine"),
        ({"fit": "windws"}, "did you mean windows?"),
        ({"fit": 6}, "the memory that may be used, such as 6GB"),
        ({"fit": "6 acres"}, "fit '6 acres'"),
        ({"precision": "half"}, "allowed: auto, float32, bfloat16"),
        ({"pooling": "mean"}, "allowed: max, average"),
        ({"style_layers": (("conv6_1", 1.0),)}, "layer 'conv6_1'"),
        ({"style_layers": ()}, "at least one layer"),
        ({"style_layers": "relu1_1"}, 'such as (("relu1_1", 1.0),)'),
        ({"style_layers": ["relu1_1"]}, "pairs"),
        ({"snapshots": (1.5,)}, "snapshot 1.5"),
        ({"content_layers": (("relu4_2", 1.0), ("relu4_2", 2.0))}, "each layer only once"),
        ({"content_layers": (("relu4_2", -1.0),)}, "the weight of relu4_2"),
        ({"snapshots": (0,)}, "snapshot 0"),
        ({"strenght": 0.5}, "did you mean strength?"),
        ({"preset": "papre"}, "did you mean paper?"),
        ({"preset": "paper", "strength": 0.5}, "alpha against beta"),
    ],
)
def test_a_wrong_setting_is_one_line_that_says_what_is_allowed(settings, words):
    with pytest.raises(ConfigError) as caught:
        configure(**settings)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_none_leaves_a_setting_to_the_preset():
    assert configure("paper", size=None, alpha=2.0).size == PRESETS["paper"].size
    with pytest.raises(FrozenInstanceError):
        Config().size = 3  # type: ignore[misc]


def test_words_of_the_command_line_become_values():
    assert parse_layers("conv1_1=1, conv3_1=0.5,relu4_2") == (
        ("conv1_1", 1.0),
        ("conv3_1", 0.5),
        ("relu4_2", 1.0),
    )
    assert parse_snapshots("1,100,last") == (1, 100, LAST)
    assert (parse_size("640"), parse_size("original")) == (640, "original")
    assert [parse_number(text) for text in ("3", "0.5", "much")] == [3, 0.5, "much"]
    with pytest.raises(ConfigError, match="1,100,last"):
        parse_snapshots("1;2")
    with pytest.raises(ConfigError, match="the weight of conv1_1 'x'; a number from 0 up"):
        configure(style_layers=parse_layers("conv1_1=x"))


def test_settings_need_no_torch():
    code = "import sys, impasto.config; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_path_is_as_good_as_its_text():
    config = configure(start=Path("a/b.png"), backbone=Path("w.h5"))
    assert (config.start, config.backbone) == (str(Path("a/b.png")), "w.h5")

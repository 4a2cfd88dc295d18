"""Several paintings, and regions: in the loss, through the library and the real command line."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import torch
from skimage import data

from conftest import impasto, noise_picture, small_state
from impasto import pictures
from impasto.api import stylize
from impasto.config import PRESETS, Config
from impasto.errors import ConfigError
from impasto.job.casting import Masks, compose
from impasto.job.order import Order
from impasto.network.vgg import VGG
from impasto.pictures import styles
from impasto.transfer import losses
from impasto.transfer.evaluation import Evaluator, Region, Sample

EXACT = torch.float64
QUICK = ["--size", "64", "--iterations", "4", "--backbone", "vgg16"]
FEW = {"size": 96, "iterations": 6, "backbone": "vgg16"}
SMALL = {**FEW, "size": 64}
SIZE = (97, 143)


def half(height, width):
    """A region, its edge soft."""
    return torch.linspace(-3, 4, width, dtype=EXACT).clamp(0, 1).expand(1, 1, height, width)


def two_regions():
    paintings = [noise_picture(80, 90, seed, EXACT) for seed in (2, 3)]
    where, part = half(*SIZE), half(80, 90)
    both = [Sample(partial(torch.clone, each)) for each in paintings]
    return [
        Region([(1.0, [Sample(lambda: paintings[0], part)])], "white", where),
        Region([(0.4, both)], "black", 1 - where),
    ]


@pytest.mark.parametrize("config", [Config(), replace(Config(), distance="gram"), PRESETS["paper"]])
def test_regions_in_windows_are_those_of_the_whole_and_have_the_gradient(config, monkeypatch):
    monkeypatch.setattr(losses, "EIGENVALUE_FLOOR", 1e-15)  # below it the gradient is held back
    network, keep = VGG(small_state(EXACT)), half(*SIZE) * 0.5
    photograph, x = (noise_picture(*SIZE, seed, EXACT) for seed in (1, 4))
    whole, parts = (
        Evaluator(network, photograph, two_regions(), config, side, keep) for side in (None, 64)
    )
    expected, found = whole(x), parts(x)
    kinds = 2 if config.slices else 1
    assert len({name for name in expected.losses if "in white" in name}) == 5 * kinds
    assert found.losses == pytest.approx(expected.losses, rel=1e-9)
    torch.testing.assert_close(found.gradient, expected.gradient, rtol=1e-7, atol=1e-12)
    # Roots of eigenvalues that are 0 but for rounding are noise of another size on each processor,
    # and long steps cross more kinks: a right gradient is right at one of the lengths between.
    direction = noise_picture(*SIZE, 5, EXACT) - 0.5
    slopes = [
        (whole(x + step * direction).loss - whole(x - step * direction).loss) / (2 * step)
        for step in (1e-5, 3e-5, 1e-4)
    ]
    wanted = float((expected.gradient * direction).sum())
    assert min(abs(slope / wanted - 1) for slope in slopes) < 1e-3


def test_where_the_photograph_is_kept_pixels_do_not_count():
    network, keep = VGG(small_state(EXACT)), (half(*SIZE) > 0.5).to(EXACT)
    photograph, x = (noise_picture(*SIZE, seed, EXACT) for seed in (1, 4))
    evaluate = Evaluator(network, photograph, two_regions(), Config(), None, keep)
    other = torch.where(keep.bool(), torch.rand_like(x), x)
    assert evaluate(other).loss == evaluate(x).loss
    assert not evaluate(x).gradient[keep.expand_as(x).bool()].any()


@pytest.fixture(scope="module")
def photograph():
    return np.asarray(PIL.Image.fromarray(data.coffee()).resize((96, 64)))


def halves(width=96, height=64, left=(255, 255, 255), right=(0, 0, 0)):
    mask = np.full((height, width, 3), right, np.uint8)
    mask[:, : width // 2] = left
    return mask


def thirds(width, height):
    """A label map: 0, 1 and 2 from left to right."""
    return np.repeat(np.arange(3, dtype=np.uint8), width // 3)[None].repeat(height, 0)


def balance(run):
    """Fractions of the photograph's features lost, and of the way to the styles left."""
    content, painting = Config().weights()
    lost, left = (
        sum(value for key, value in run.history[-1].items() if key.startswith(part))
        for part in ("content", "style")
    )
    return lost / content, left / painting


@pytest.mark.parametrize(
    ("style", "more"),
    [
        (["night-swirls", "woodblock-waves"], {"style_weights": (0.7, 0.3)}),
        (["night-swirls", "charcoal"], {"style_scale": (1.0, 0.5)}),
        ("night-swirls", {"mask": halves(), "regions": {"black": "stained-glass"}}),
        ("night-swirls", {"tileable": True}),
        ("charcoal", {"style_layers": (("conv3_1", 1.0), ("conv4_1", 1.0))}),
    ],
)
def test_one_strength_means_one_balance_with_several_paintings_and_regions(photograph, style, more):
    settings = {**FEW, "iterations": 30}
    lost, left = balance(stylize(photograph, style, **settings, **more))
    assert 0.3 < lost < 0.7
    assert left < 0.35


def test_a_region_stays_as_photographed_to_the_bit_and_its_edge_is_soft(photograph):
    masks = {"mask": halves(), "regions": {"black": "photo"}, "start": "noise"}
    shown = []
    for color in ("painted", "luminance"):
        run = stylize(
            photograph,
            "night-swirls",
            **FEW,
            **masks,
            color=color,
            on_step=lambda s: shown.append(s.picture()),
        )
        wanted = pictures.load(photograph).pixels
        for pixels in (run.pixels, shown[-1]):
            assert torch.equal(pixels[..., 56:], wanted[..., 56:])
            assert float((pixels - wanted)[..., :40].abs().mean()) > 0.02
    assert run.recipe.inputs.regions == {"black": None}


def test_a_region_takes_after_the_part_of_its_colour(photograph):
    """Of a painting that is half red, half blue: so is the picture, the other way round."""
    painting = halves(80, 60, (220, 30, 30), (30, 30, 220))
    run = stylize(
        photograph,
        painting,
        mask=halves(),
        style_masks=[halves(80, 60, (0, 0, 0), (255, 255, 255))],
        **{**FEW, "iterations": 20, "strength": 0.9},
    )
    red, _, blue = run.pixels[0]
    assert float((blue - red)[:, :40].mean()) > 0.1
    assert float((red - blue)[:, 56:].mean()) > 0.1


def test_a_region_too_small_for_deep_layers_takes_after_what_the_others_see(photograph):
    mask, of_painting = halves(), halves(512, 512)
    mask[:] = 255
    mask[30:34, 40:44] = 0
    of_painting[:] = 255
    of_painting[:6, :6] = 0
    masks = {"mask": mask, "style_masks": [of_painting]}
    run = stylize(photograph, data.astronaut(), **SMALL, **masks)
    assert run.stopped is None
    assert all(np.isfinite(row["loss"]) for row in run.history)


def test_one_painting_twice_is_that_painting(photograph):
    once = stylize(photograph, "charcoal", **FEW)
    twice = stylize(photograph, ["charcoal", "charcoal"], style_weights=(0.7, 0.3), **FEW)
    torch.testing.assert_close(twice.pixels, once.pixels, atol=0.05, rtol=0)
    alone = stylize(photograph, ["charcoal", "night-swirls"], style_weights=(1, 0), **FEW)
    assert torch.equal(alone.pixels, once.pixels)


def test_between_two_paintings_is_nearer_to_the_one_that_weighs_more(photograph):
    painted = {
        share: stylize(
            photograph, ["night-swirls", "charcoal"], style_weights=(share, 1 - share), **SMALL
        ).pixels
        for share in (0, 0.2, 0.8, 1)
    }

    def apart(a, b):
        return float((painted[a] - painted[b]).square().mean())

    assert apart(0.2, 0) < apart(0.2, 1)
    assert apart(0.8, 1) < apart(0.8, 0)


def test_a_folder_is_one_style_and_made_small_where_it_will_be_looked_at_small(
    photograph, tmp_path
):
    for name in ("charcoal", "night-swirls"):
        shutil.copy(styles.find(name), tmp_path)
    (tmp_path / "notes.txt").write_text("no picture")
    scene = compose(photograph, tmp_path, Config(size=96))
    (painting,) = scene.paintings
    assert painting.name == tmp_path.name
    assert [picture.name for picture in painting.pictures] == ["charcoal.jpg", "night-swirls.jpg"]
    assert all(max(picture.size) == 96 for picture in painting.pictures)
    (region,) = scene.subject((64, 96), Config(), torch.device("cpu")).regions((64, 96))
    assert [len(samples) for _, samples in region.styles] == [2]


def test_a_palette_can_be_that_of_several_paintings(photograph):
    mean = torch.stack(
        [
            pictures.load(styles.find(name)).pixels.mean((2, 3))
            for name in ("charcoal", "night-swirls")
        ]
    ).mean(0)
    scene = compose(photograph, ["charcoal", "night-swirls"], Config(color="painting"))
    torch.testing.assert_close(scene.photograph.pixels.mean((2, 3)), mean, atol=0.03, rtol=0)


@pytest.fixture
def folder(folder):
    """With a painting, a folder of paintings, and masks."""
    PIL.Image.fromarray(data.chelsea()).resize((90, 60)).save("painting.png")
    Path("several").mkdir()
    PIL.Image.fromarray(data.chelsea()).resize((80, 60)).save("several/a.png")
    PIL.Image.fromarray(data.astronaut()).resize((60, 60)).save("several/b.png")
    PIL.Image.fromarray(halves()).save("mask.png")
    PIL.Image.fromarray(halves(90, 60)).save("of-painting.png")
    PIL.Image.fromarray(halves(90, 60, right=(0, 0, 255))).save("other.png")
    PIL.Image.fromarray(halves(90, 64)).save("small.png")
    PIL.Image.fromarray(np.dstack([halves(), halves()[..., :1]])).save("clear.png")
    PIL.Image.fromarray(thirds(96, 64)).save("labels.png")
    PIL.Image.fromarray(thirds(90, 60)).save("labels-of-painting.png")
    palette = PIL.Image.fromarray(thirds(96, 64)).convert("L")
    palette.putpalette([128, 0, 0, 0, 128, 0, 128, 128, 0])
    palette.save("palette.png")
    return folder


JOURNEYS = [
    ["painting.png", "several", "charcoal", "--style-weights", "2,1,1"],
    ["painting.png", "charcoal", "--style-scale", "1,0.5", "--fit", "windows"],
    ["painting.png", "--mask", "mask.png", "--style-mask", "of-painting.png"],
    ["charcoal", "--mask", "mask.png", "--region", "black=photo", "--color", "photo"],
    ["--mask", "mask.png", "--region", "black=several", "--region", "255=painting.png"],
    [
        "charcoal",
        "--mask",
        "palette.png",
        "--region",
        "label 1=photo",
        "--region",
        "2=night-swirls",
    ],
]


@pytest.mark.parametrize("words", JOURNEYS, ids=range(len(JOURNEYS)))
def test_what_was_made_is_made_again_to_the_byte(folder, capsys, words):
    out = impasto(capsys, "stylize", "photo.png", *words, "-o", "a.png", *QUICK)
    assert "in the manner of" in out.err
    assert "Byte for byte the same" in impasto(capsys, "rerun", "a.png").out


def test_with_files_elsewhere_rerun_takes_them_in_order(folder, capsys):
    words = ["painting.png", "several", "--mask", "mask.png", "--region", "black=photo"]
    impasto(capsys, "stylize", "photo.png", *words, "-o", "a.png", *QUICK)
    for name in ("painting.png", "several", "mask.png"):
        shutil.move(name, f"moved-{name}")
    out = impasto(capsys, "rerun", "a.png", status=2)
    assert "painting of 'a.png': 'painting.png' is not beside it" in out.err
    given = ["--painting", "moved-painting.png", "--painting", "moved-several"]
    out = impasto(capsys, "rerun", "a.png", *given, "--mask", "moved-mask.png")
    assert "The same picture; its file differs in what its recipe says, such as names" in out.out
    Path("a-again.png").unlink()
    shutil.copy("photo.png", "moved-several/b.png")
    out = impasto(capsys, "rerun", "a.png", *given, "--mask", "moved-mask.png", status=2)
    assert "painting 2 'moved-several' is another file than" in out.err


def test_a_regions_own_painting_can_be_elsewhere_too(folder, capsys):
    words = ["--mask", "mask.png", "--region", "black=several/a.png", "--region", "255=charcoal"]
    impasto(capsys, "stylize", "photo.png", *words, "-o", "made.png", *QUICK)
    out = impasto(capsys, "rerun", "made.png", status=2)
    assert "say with --region 'black=FILE' where it is" in out.err
    out = impasto(capsys, "rerun", "made.png", "--region", "black=several/a.png")
    assert "Byte for byte the same" in out.out
    more = ["--region", "black=several/a.png", "--region", "red=several/a.png"]
    out = impasto(capsys, "rerun", "made.png", *more, "-o", "b.png", status=2)
    assert "--region red: 'made.png' has no such one" in out.err


def test_a_result_does_not_become_one_of_the_paintings(folder, capsys):
    before = Path("several/b.png").read_bytes()
    places = [["-o", "several/b.png"], ["-o", "several/c.png"]]
    places += [["-o", "a.png", more, "several"] for more in ("-d",)]
    places += [["-o", "a.png", "--timeline", "several/b.gif"]]
    for place in places:
        out = impasto(capsys, "stylize", "photo.png", "several", *place, *QUICK, status=2)
        assert "would be among the paintings of 'several'" in out.err
        assert out.err.count("\n") == 1
    assert Path("several/b.png").read_bytes() == before
    assert not Path("several/c.png").exists()


def test_two_colours_of_a_style_mask_that_mean_one_region_are_one(photograph):
    levels = np.repeat(np.repeat([[80, 120]], 40, 1), 80, 0)[..., None].repeat(3, 2)
    mask = np.full((64, 96, 3), 100, np.uint8)
    mask[:, :20] = 255
    levels[:10] = 255
    masks = Masks(mask, [levels.astype(np.uint8)])
    scene = compose(photograph, np.zeros((80, 80, 3), np.uint8), Config(size=96), masks)
    (area,) = [each for each in scene.areas if each.colour == (100, 100, 100)]
    assert float(area.styles[0].parts[area.colour].mean()) == pytest.approx(7 / 8)


@pytest.mark.parametrize("make", [np.copy, np.int64, lambda numbers: numbers + 256])
def test_labels_are_matched_by_their_numbers(photograph, make):
    """And not by what they look like: 1 takes after 1, of two that are one shade of black."""
    of_painting = make(thirds(90, 60).astype(np.uint16))
    of_painting[of_painting == of_painting.max()] = of_painting.min()
    masks = Masks(make(thirds(96, 64).astype(np.uint16)), [of_painting])
    first = int(of_painting.min())
    given = replace(masks, regions={str(first + 2): "photo"})
    scene = compose(photograph, np.zeros((60, 90, 3), np.uint8), Config(size=96), given)
    assert scene.regions == {f"label {first}": "array", f"label {first + 1}": "array"} | {
        f"label {first + 2}": None
    }
    shares = {area.name: float(area.styles[0].parts[area.colour].mean()) for area in scene.areas}
    assert shares == pytest.approx({f"label {first}": 2 / 3, f"label {first + 1}": 1 / 3})
    (zero, one) = scene.subject((64, 96), Config(), torch.device("cpu")).regions((64, 96))
    assert all(sample.where is not None for _, (sample,) in (*zero.styles, *one.styles))
    with pytest.raises(ConfigError, match=f"region label {first + 2} of the mask is in no style"):
        compose(photograph, np.zeros((60, 90, 3), np.uint8), Config(size=96), masks)


def test_a_palette_may_be_matched_to_a_map_of_labels(folder, photograph):
    styled = Masks("palette.png", ["labels-of-painting.png"])
    scene = compose("photo.png", "painting.png", Config(), styled)
    assert list(scene.regions) == ["label 0", "label 1", "label 2"]


def test_true_and_false_are_labels(photograph):
    mask = thirds(96, 64) > 0
    for given in (mask, torch.from_numpy(mask)):
        scene = compose(photograph, "charcoal", Config(), Masks(given, regions={True: "photo"}))
        assert scene.regions == {"label 0": "charcoal.jpg", "label 1": None}
        assert scene.preserve is not None
        assert float(scene.preserve.mean()) == pytest.approx(2 / 3)


def test_paintings_with_and_without_a_mask_can_meet(photograph):
    masks = Masks(halves(), [halves(80, 60)])
    scene = compose(photograph, [np.zeros((60, 80, 3), np.uint8), "charcoal"], Config(), masks)
    for region in scene.subject((64, 96), Config(), torch.device("cpu")).regions((64, 96)):
        (_, (one,)), (_, (other,)) = region.styles
        assert one.where is not None
        assert other.where is None


def test_regions_with_the_same_paintings_look_at_them_once(photograph):
    masks = Masks(halves(), regions={"black": "night-swirls"})
    scene = compose(photograph, "charcoal", Config(), masks)
    regions = scene.subject((64, 96), Config(), torch.device("cpu")).regions((64, 96))
    assert len({id(region.styles) for region in regions}) == 2
    masks = Masks(np.concatenate([halves()[:32], 255 - halves()[32:] // 2]), regions={"0": "photo"})
    scene = compose(photograph, "charcoal", Config(), masks)
    regions = scene.subject((64, 96), Config(), torch.device("cpu")).regions((64, 96))
    assert len(regions) == 2
    assert len({id(region.styles) for region in regions}) == 1


def test_lists_of_numbers_are_as_good_as_tuples():
    config = Config(style_weights=[0.7, 0.3], style_scale=[1.0, 0.5])
    assert config == Config(style_weights=(0.7, 0.3), style_scale=(1.0, 0.5))
    with pytest.raises(ConfigError, match="style_weights 2"):
        Config(style_weights=2)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"style_masks": "mask.png"}, "style_masks of type str; a list"),
        ({"regions": ["white=photo"]}, "regions of type list; such as"),
        ({"regions": {(0, 0, 0): "photo"}}, r"colour '\(0, 0, 0\)'"),
    ],
)
def test_masks_of_other_types_are_one_line(photograph, given, words):
    with pytest.raises(ConfigError, match=words):
        compose(photograph, "charcoal", Config(), Masks(**{"mask": halves(), **given}))


def test_a_grey_level_may_be_a_number(photograph):
    masks = Masks(halves(), regions={0: "photo"})
    assert compose(photograph, "charcoal", Config(), masks).preserve is not None


def test_a_painting_called_photo_is_a_painting(folder, capsys):
    shutil.copytree("several", "photo")
    words = ["./photo", "--mask", "mask.png", "--region", "white=painting.png"]
    impasto(capsys, "stylize", "photo.png", *words, "-o", "made.png", *QUICK)
    assert "Byte for byte the same" in impasto(capsys, "rerun", "made.png").out
    out = impasto(capsys, "rerun", "made.png", "--start", "mask.png", "-o", "b.png", status=2)
    assert "--start 'mask.png': 'made.png' was made without one" in out.err


def test_a_look_can_name_several_paintings(folder, capsys):
    Path("looks").mkdir()
    shutil.move("painting.png", "looks/painting.png")
    Path("looks/a.toml").write_text(
        'painting = ["painting.png", "charcoal"]\nstyle-weights = [2, 1]'
    )
    impasto(capsys, "stylize", "photo.png", "--config", "looks/a.toml", "-o", "a.png", *QUICK)
    recipe = pictures.read_recipe("a.png")
    assert [each["name"] for each in recipe["inputs"]["paintings"]] == [
        "painting.png",
        "charcoal.jpg",
    ]
    assert recipe["settings"]["style_weights"] == [2, 1]


def test_an_order_with_regions_comes_back_from_json_as_it_was(tmp_path):
    order = Order(
        tmp_path / "a.png",
        ("charcoal", str(tmp_path / "several")),
        Config(style_scale=(1.0, 0.5), style_weights=(1.0, 2.0)),
        tmp_path / "out.png",
        mask=tmp_path / "mask.png",
        style_masks=(tmp_path / "m.png",),
        regions={"white": "photo", "black": "night-swirls", "#ff0000": str(tmp_path / "b.png")},
    )
    assert Order.from_json(json.loads(json.dumps(order.to_json())), tmp_path) == order


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["charcoal", "--style-weights", "1,2"],
            "impasto: --style-weights 1,2 for 1 painting; one number",
        ),
        (
            ["charcoal", "night-swirls", "--style-scale", "1,2,3"],
            "impasto: --style-scale 1,2,3 for 2",
        ),
        (["charcoal", "night-swirls", "--style-weights", "1,x"], "a style's weight 'x'"),
        (["charcoal", "night-swirls", "--style-weights", "0,0"], "at least one above 0"),
        (["charcoal", "--mask", "mask.png"], "a mask alone; its regions want"),
        (["charcoal", "--region", "black=photo"], "regions without a mask"),
        (["painting.png", "--style-mask", "of-painting.png"], "style masks without a mask"),
        (
            ["charcoal", "--mask", "small.png", "--region", "black=photo"],
            "mask 'small.png' is 90 x 64 px, and the photograph 96 x 64 px; the same size",
        ),
        (
            ["painting.png", "--mask", "mask.png", "--style-mask", "mask.png"],
            "style mask 'mask.png' is 96 x 64 px, and the painting 'painting.png' 90 x 60 px",
        ),
        (
            ["painting.png", "--mask", "mask.png", "--style-mask", "other.png"],
            "region blue of style mask 'other.png' is not in the photograph's mask",
        ),
        (
            ["charcoal", "--mask", "mask.png", "--region", "red=photo"],
            "region 'red': the mask has no such colour; it has black, white (what",
        ),
        (["--mask", "mask.png", "--region", "black=photo"], "region white of the mask has no"),
        (
            ["--mask", "mask.png", "--region", "black=photo", "--region", "white=photo"],
            "every region stays as photographed",
        ),
        (["charcoal", "--mask", "mask.png", "--region", "blakc=photo"], "did you mean black?"),
        (["charcoal", "--mask", "mask.png", "--region", "black"], "COLOUR=PAINTING"),
        (
            ["charcoal", "--mask", "mask.png", "--region", "black=photo", "--region", "0=photo"],
            "region '0' twice",
        ),
        (
            ["charcoal", "--mask", "mask.png", "--region", "0=photo", "--region", "0=several"],
            "region '0' twice",
        ),
        (
            ["charcoal", "--mask", "mask.png", *["--region", "black=several", "--region", "255=a"]],
            "'a': there is no such file",
        ),
        (
            ["charcoal", "--mask", "clear.png", "--region", "black=photo"],
            "is transparent in places",
        ),
        (["charcoal", "night-swirls", "--style-weights", ""], "a style's weight ''"),
        (["charcoal", "--mask", "mask.png", "--region", f"{'9' * 5000}=photo"], "colour '9"),
        (
            ["charcoal", "--mask", "labels.png", "--region", "3=photo"],
            "region '3': mask 'labels.png' has no such label; it has label 0, label 1, label 2",
        ),
        (
            ["charcoal", "--mask", "labels.png", "--region", "white=photo"],
            "region 'white': mask 'labels.png' has no such label; it has label 0, label 1, label 2",
        ),
        (
            ["charcoal", "--mask", "palette.png", "--region", "1=photo"],
            "region '1': the mask has no such colour; it has #800000, #808000, #008000 (what is "
            "smaller than 9 px, or is a shade, is no region); 'label 1' is its palette's number 1",
        ),
        (
            ["charcoal", "--mask", "other-photo.jpg", "--region", "label 1=photo"],
            "mask 'other-photo.jpg' has colours and no labels, and region 'label 1' is a label",
        ),
        (
            ["charcoal", "--mask", "labels.png", "--region", "1=photo", "--region", "label 1=a"],
            "region 'label 1' twice",
        ),
        (
            ["painting.png", "--mask", "labels.png", "--style-mask", "other.png"],
            "style mask 'other.png' has colours and no labels, and mask 'labels.png' is a label "
            "map; masks are told apart either all by colour, or all by label",
        ),
        (
            ["painting.png", "--mask", "labels.png", "--style-mask", "of-painting.png"],
            "region label 255 of style mask 'of-painting.png' is not in the photograph's mask; "
            "that one has label 0, label 1, label 2",
        ),
        (["empty"], "painting 'empty' is a folder without pictures"),
        (["charcoal", "--style-layers", "relu1_7"], "did you mean relu1_"),
    ],
)
def test_what_does_not_fit_is_one_line(folder, capsys, words, message):
    Path("empty").mkdir()
    PIL.Image.fromarray(halves()).save("other-photo.jpg")
    out = impasto(capsys, "stylize", "photo.png", *words, "-o", "a.png", *QUICK, status=2)
    assert message in out.err
    assert out.err.count("\n") == 1
    assert not Path("a.png").exists()


def test_a_style_mask_names_what_no_painting_has(folder, capsys):
    PIL.Image.fromarray(np.full((60, 90, 3), 255, np.uint8)).save("white.png")
    words = ["painting.png", "--mask", "mask.png", "--style-mask", "white.png", "-o", "a.png"]
    out = impasto(capsys, "stylize", "photo.png", *words, *QUICK, status=2)
    assert "region black of the mask is in no style mask; the style masks have white" in out.err

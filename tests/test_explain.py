"""The page of `impasto explain`: its numbers against tensors, going on, and a real browser."""

from __future__ import annotations

import base64
import io
import json
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import torch
from skimage import data

from impasto import explain, files, pictures
from impasto.cli import main
from impasto.cli.explain import Teller
from impasto.config import configure
from impasto.explain import figures, findings
from impasto.explain.runs import LAYERS, RATES, parts, shots_of, third
from impasto.job.job import network_of
from impasto.job.prepare import prepare
from impasto.job.session import SCALE_BEGINS, costs
from impasto.network import weights
from impasto.pictures import styles
from impasto.transfer.evaluation import look

SIZE_PX = 80  # sides of both pictures are then multiples of 16, and nothing of them is mirrored
SETTINGS = {"size": SIZE_PX, "iterations": 5, "backbone": "vgg16", "device": "cpu"}
EFFORT = explain.Effort(content=(1,) * 5, style=(1,) * 5, rate=3)
PAINTING = "charcoal"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
PHONE_PX = 380


@pytest.fixture(scope="module")
def folder_(tmp_path_factory):
    """A photograph, and a report on it."""
    folder = tmp_path_factory.mktemp("explain")
    PIL.Image.fromarray(data.coffee()).resize((100, 80)).save(folder / "photo.png")
    return folder


@pytest.fixture(scope="module")
def photo(folder_):
    return folder_ / "photo.png"


@pytest.fixture(scope="module")
def report(folder_, photo):
    """The folder of a small report."""
    folder = folder_ / "report"
    explain.explain(photo, PAINTING, folder, configure(**SETTINGS), EFFORT)
    return folder


@pytest.fixture(scope="module")
def page(report):
    return (report / "index.html").read_text()


@pytest.fixture(scope="module")
def numbers(report):
    return json.loads((report / "numbers.json").read_text())


@pytest.fixture(scope="module")
def network():
    config = configure(**SETTINGS)
    return network_of(weights.resolve("vgg16"), config)


def again(photo, folder, **other):
    """The same report again, and the names of the runs that had to be made for it."""
    made = []
    explain.explain(
        photo, PAINTING, folder, configure(**{**SETTINGS, **other}), EFFORT, made.append
    )
    return [part.name for part in made]


def kept(report, name):
    tensors, info = files.read_safetensors(report / "kept" / f"{name}.safetensors")
    return tensors, info


def pictures_of(photo):
    """Photograph and painting as they are compared, made here from the files."""
    seen = pictures.resize(pictures.load(photo).pixels, (64, 80))
    painting = pictures.load(styles.find(PAINTING)).pixels
    height, width = painting.shape[2:]
    longer = max(height, width)
    size = round(height * SIZE_PX / longer), round(width * SIZE_PX / longer)
    return seen, pictures.resize(painting, size)


def gram(network, picture, layer):
    F = network(picture, [layer])[layer].double().flatten(2)[0]
    return F @ F.T / F.shape[1]


def shown(value):
    """A fraction as the page writes it."""
    percent = f"{100 * value:.0f}" if abs(value) >= 0.0995 else f"{100 * value:.2g}"
    return f"{percent}\u00a0%"


# Numbers, followed back to tensors.


def test_gram_distances_are_those_of_the_tensors(report, photo, page, numbers, network):
    seen, painting = pictures_of(photo)
    result = kept(report, "main")[0]["pixels"]
    for layer in ("relu1_1", "relu3_1"):
        target = gram(network, painting, layer)
        for role, picture, word in (
            ("photograph", seen, "Photograph"),
            ("result", result, "Result"),
        ):
            distance = float((gram(network, picture, layer) - target).norm() / target.norm())
            assert numbers["gram"][layer][role]["gram"] == pytest.approx(distance, rel=1e-3)
            assert f"{word}: {shown(distance)} away" in page


def test_a_gram_heat_map_is_the_gram_matrix(photo, page, numbers, network):
    _, painting = pictures_of(photo)
    order = numbers["gram"]["relu2_1"]["shown"]
    whole = gram(network, painting, "relu2_1")
    energy = whole.diagonal()[order]
    assert (energy.diff() <= 0).all()
    assert float(energy[-1]) >= float(whole.diagonal().sort().values[-len(order)]) * (1 - 1e-4)
    drawn = picture_with_alt(page, "Gram matrix of the painting at relu2_1").mean(-1)
    assert drawn.shape == (len(order),) * 2
    expected = whole[order][:, order].numpy()
    ranks = [np.argsort(np.argsort(each.reshape(-1))) for each in (drawn, expected)]
    assert np.corrcoef(*ranks)[0, 1] > 0.99


def test_the_last_loss_is_that_of_the_picture_that_is_shown(report, photo, numbers, network):
    seen, _ = pictures_of(photo)
    tensors, info = kept(report, "main")
    F, P = (network(x, ["relu4_2"])["relu4_2"].double() for x in (tensors["pixels"], seen))
    config = configure(**SETTINGS)
    lost = (F - P).square().sum() / (P - P.mean((2, 3), keepdim=True)).square().sum()
    by_features = 1 - config.relations
    term = config.weights()[0] * sharp(photo) * by_features * float(lost)
    assert numbers["timeline"]["terms"]["content relu4_2"][-1] == pytest.approx(term, rel=1e-3)
    assert numbers["pulls"]["content_lost"]["relu4_2"] == pytest.approx(
        float((F - P).square().sum()), rel=1e-3
    )
    assert numbers["timeline"]["loss"] == [row["loss"] for row in info["history"]]
    assert len(numbers["timeline"]["loss"]) == SETTINGS["iterations"]


def sharp(photo):
    """A photograph that is enlarged counts less as content."""
    with PIL.Image.open(photo) as opened:
        return min(1.0, max(opened.size) / SIZE_PX)


def test_the_cosine_is_that_of_autograds_gradients(photo, network, tmp_path):
    """Of the faithful hand's, which can be written out."""
    report, settings = tmp_path / "faithful", {**SETTINGS, "hand": "faithful"}
    effort = explain.Effort(content=(1,) * 5, style=(1,) * 5, rate=1)
    explain.explain(photo, PAINTING, report, configure(**settings), effort)
    numbers = json.loads((report / "numbers.json").read_text())
    page = (report / "index.html").read_text()
    seen, painting = pictures_of(photo)
    config = configure(**settings)
    x = kept(report, "main")[0]["pixels"].clone().requires_grad_()
    (P,) = network(seen, ["relu4_2"]).values()
    (F,) = network(x, ["relu4_2"]).values()
    (by_content,) = torch.autograd.grad((F - P).square().sum(), x)
    style = torch.zeros(())
    for layer, weight in config.style_layers:
        (found, target) = (moments(network, each, layer) for each in (x, painting))
        style = style + weight * figures.wasserstein(target)(found)
    (by_style,) = torch.autograd.grad(style, x)
    cosine = float(torch.cosine_similarity(by_content.flatten(), by_style.flatten(), dim=0))
    assert numbers["pulls"]["cosine"] == pytest.approx(cosine, abs=2e-3)
    told = f"{numbers['pulls']['cosine']:.2f}".replace("-", "−")
    assert f"the cosine between them is {told}" in page


def moments(network, picture, layer):
    F = network(picture, [layer])[layer].flatten(2)[0]
    mean = F.mean(1)
    covariance = F @ F.T / F.shape[1] - torch.outer(mean, mean)
    return figures.Moments(mean, covariance, F.shape[1])


def test_layers_have_the_sizes_that_their_maps_have(photo, page, numbers, network):
    seen, _ = pictures_of(photo)
    names = [layer["name"] for layer in numbers["network"]["layers"]]
    assert names == network.names
    maps = network(seen, names)
    for layer in numbers["network"]["layers"]:
        size = layer["channels"], layer["height"], layer["width"]
        assert maps[layer["name"]].shape[1:] == size
        assert f"{size[0]} maps, {size[2]} × {size[1]}" in page


def test_so_they_have_where_sides_are_no_multiple_of_16(network):
    maps, _ = look(network, torch.rand(1, 3, 43, 50), None, maps=["conv1_1", "conv4_2"])
    layers = figures.network_layers(network, (43, 50), configure(**SETTINGS))
    sizes = {each.name: (each.height, each.width) for each in layers}
    assert sizes["conv4_2"] == (6, 7)
    assert all(F.shape[2:] == sizes[name] for name, F in maps.items())


def test_a_place_sees_as_many_pixels_as_move_it(network):
    layers = figures.network_layers(network, (256, 256), configure(**SETTINGS))
    for name in ("conv2_2", "conv3_1"):
        x = torch.zeros(1, 3, 96, 96, requires_grad=True)
        F = x
        for each in network.names[: network.names.index(name) + 1]:
            if each.endswith("_1") and each != "conv1_1":
                F = torch.nn.functional.avg_pool2d(F, 2)
            F = torch.nn.functional.conv2d(F, torch.ones(1, F.shape[1], 3, 3), padding=1)
        F[0, 0, F.shape[2] // 2, F.shape[3] // 2].backward()
        rows = x.grad[0].abs().sum((0, 2)).nonzero()
        sees = int(rows.max() - rows.min()) + 1
        assert next(each.sees_px for each in layers if each.name == name) == sees


def test_the_busiest_maps_are_the_busiest(photo, page, numbers, network):
    seen, _ = pictures_of(photo)
    means = network(seen, ["relu4_1"])["relu4_1"].mean((0, 2, 3))
    told = numbers["features"]["relu4_1"]["photograph"]
    order = means.argsort(descending=True)[: len(told)].tolist()
    assert [each["channel"] for each in told] == order
    drawn = picture_with_alt(page, f"Feature map {order[0]} of relu4_1 on the photograph")
    assert drawn.shape[:2] == (64 // 8, 80 // 8)


def test_a_reconstruction_is_measured_against_its_layer(report, photo, page, numbers):
    seen, _ = pictures_of(photo)
    other = network_of(
        weights.resolve("vgg16"), configure(**SETTINGS, pooling="average", edges="replicate")
    )
    for layer, told in zip(LAYERS, numbers["content"], strict=True):
        pixels = kept(report, f"content-{layer}")[0]["pixels"]
        F, P = (other(x, [layer])[layer].double() for x in (pixels, seen))
        lost = (F - P).square().sum() / (P - P.mean((2, 3), keepdim=True)).square().sum()
        assert told["lost"] == pytest.approx(float(lost), rel=1e-3)
        off = float((pixels - seen).square().mean().sqrt())
        assert told["pixels_off"] == pytest.approx(off, rel=1e-4)
        assert f"{layer}: {shown(1 - told['lost'])} of what it says is back" in page


def test_the_slip_is_the_step_that_the_run_took_back(report, numbers, page):
    note = kept(report, f"rate-{RATES[-1]:g}")[1]["history"][0]["note"]
    assert f"the loss went to {numbers['slip']['after']:.3g}" in note
    assert numbers["rates"][-1]["verdict"] == "explodes"
    assert "where its first step led" in page
    assert numbers["rates"][0]["verdict"] == "too small"


def test_the_timeline_has_the_first_a_third_and_the_last():
    for count in (1, 2, 56, 3000):
        assert {1, third(count), count} <= shots_of(count)
        assert max(shots_of(count)) == count
    assert third(2999) == 1065


# The page.


class Links(HTMLParser):
    """All that a page would load or lead to."""

    def __init__(self):
        super().__init__()
        self.loaded, self.linked, self.images = [], [], []

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        if tag == "img":
            self.images.append(given)
        for name in ("src", "srcset", "poster", "data", "action"):
            if name in given:
                self.loaded.append(given[name])
        if "href" in given:
            (self.linked if tag == "a" else self.loaded).append(given["href"])


def picture_with_alt(page, alt):
    links = Links()
    links.feed(page)
    (uri,) = [each["src"] for each in links.images if each["alt"] == alt]
    return pixels_of(uri)


def pixels_of(uri):
    _, _, encoded = uri.partition(";base64,")
    return np.asarray(PIL.Image.open(io.BytesIO(base64.b64decode(encoded))).convert("RGB")) / 255


def test_everything_is_inside_the_page(page):
    links = Links()
    links.feed(page)
    assert len(links.images) > 60
    assert all(each.startswith("data:") for each in links.loaded)
    assert all(each.startswith("https://arxiv.org/abs/") for each in links.linked)
    assert "@import" not in page
    assert not re.search(r"url\((?!data:)", page)
    for each in links.images:
        assert each["alt"], each["src"][:60]
        assert pixels_of(each["src"]).size


def test_without_the_script_three_pictures_show_the_way(page):
    links = Links()
    links.feed(page)
    shown = [each["alt"] for each in links.images if "after iteration" in each["alt"]]
    count = SETTINGS["iterations"]
    assert shown == [f"The picture after iteration {n}" for n in (1, third(count), count)]
    assert 'id="player" hidden' in page
    assert page.count("<details open>") == page.count("<details") == 8


def test_frames_are_the_pictures_of_the_run(report, page):
    text = re.search(r'id="frames">(.*?)</script>', page, re.DOTALL)[1]
    frames = json.loads(text)
    tensors, _ = kept(report, "main")
    assert [frame["iteration"] for frame in frames] == list(range(1, SETTINGS["iterations"] + 1))
    for frame in frames:
        there = tensors[f"shot {frame['iteration']}"][0].permute(1, 2, 0).numpy() / 255
        assert np.abs(pixels_of(frame["uri"]) - there).mean() < 0.03


# Going on.


def test_again_nothing_is_computed_and_the_bytes_are_the_same(report, photo):
    names = ("index.html", "numbers.json")
    before = [(report / name).read_bytes() for name in names]
    assert again(photo, report) == []
    assert [(report / name).read_bytes() for name in names] == before


def test_only_what_is_missing_damaged_or_other_is_computed(report, photo, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(report, copy)
    (copy / "kept/style-conv2_1.safetensors").unlink()
    damaged = copy / "kept/content-conv1_1.safetensors"
    damaged.write_bytes(damaged.read_bytes()[:-8])
    assert again(photo, copy) == ["content-conv1_1", "style-conv2_1"]
    for name in ("index.html", "numbers.json"):
        assert (copy / name).read_bytes() == (report / name).read_bytes()
    assert again(photo, copy, iterations=4) == ["main"]


COUNTS = {"rate-0.1": EFFORT.rate, "main": SETTINGS["iterations"]}


def test_work_is_counted_by_how_deep_and_how_large(photo):
    job = prepare(photo, PAINTING, configure(**SETTINGS))
    work = {part.name: sum(costs(part.job)) for part in parts(job, EFFORT)}
    content = [work[f"content-{layer}"] for layer in LAYERS]
    assert content == sorted(set(content))
    iterations = {name: count - 1 + SCALE_BEGINS for name, count in COUNTS.items()}
    shares = {name: work[name] / count for name, count in iterations.items()}
    assert shares["rate-0.1"] == pytest.approx(shares["main"])


# The command line.

QUICK = ["--size", "48", "--backbone", "vgg16", "--set", "iterations=2", "--set", "quality=draft"]


def run(capsys, *words, status=0):
    with pytest.raises(SystemExit) as exit_:
        main(["explain", "photo.png", "charcoal", "-o", "report", *map(str, words)])
    out = capsys.readouterr()
    assert (exit_.value.code or 0) == status, out
    return out


@pytest.fixture
def brief(monkeypatch):
    """Reports of one iteration each."""
    monkeypatch.setattr(explain.Effort, "times", lambda effort, factor: explain.Effort(*ONES))


ONES = ((1,) * 5, (1,) * 5, 1)


def test_ctrl_c_keeps_what_there_is_and_the_same_command_goes_on(
    folder, capsys, monkeypatch, brief
):
    tell = Teller.__call__

    def interrupted(teller, step):
        if teller.number == 3:
            raise KeyboardInterrupt
        tell(teller, step)

    monkeypatch.setattr(Teller, "__call__", interrupted)
    out = run(capsys, *QUICK, status=130)
    assert "3 of 16 runs are kept in report/kept: the same command goes on" in out.err
    assert not Path("report/index.html").exists()
    monkeypatch.setattr(Teller, "__call__", tell)
    out = run(capsys, *QUICK)
    assert [line.split(": ")[1] for line in out.err.splitlines()[:3]] == ["kept"] * 3
    assert out.err.count(": kept") == 3
    assert "16/16  a learning rate of 1: " in out.err
    assert out.out.startswith("Wrote report/index.html")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--size", "2000"), "at most 1024 px"),
        (("--size", "16"), "the layers in use need at least 16 px"),
        (("--size", "large"), "size 'large'"),
        (("--set", "strenght=1"), "strength"),
        (("--set", "strength=7"), "a number from 0 to 1"),
        (("--set", "color=blue"), "allowed: painted"),
        (("--backbone", "vgg17"), "vgg17"),
        (("-o", "photo.png"), "photo.png"),
    ],
)
def test_bad_input_is_one_line_and_makes_nothing(folder, capsys, words, told):
    out = run(capsys, *words, status=2)
    assert told in out.err
    assert out.err.count("\n") == 1
    assert not Path("report").exists()


def test_a_photograph_that_is_not_there_is_one_line(folder, capsys):
    with pytest.raises(SystemExit) as exit_:
        main(["explain", "foto.png", "charcoal", "-o", "report"])
    assert exit_.value.code == 2
    assert "photo.png" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["index.html", "numbers.json", "kept/rate-1.safetensors"])
def test_nobody_elses_file_is_overwritten(folder, capsys, name, brief):
    path = Path("report") / name
    path.parent.mkdir(parents=True)
    if name.endswith("safetensors"):
        from safetensors.torch import save_file

        save_file({"w": torch.ones(2)}, path)
    else:
        path.write_text("<h1>Mine</h1>")
    before = path.read_bytes()
    out = run(capsys, *QUICK, status=2)
    assert f"report/{name}" in out.err
    assert "impasto did not write" in out.err
    assert path.read_bytes() == before


def test_what_a_verdict_says():
    def judged(losses, notes=()):
        rows = [{"loss": loss, "note": "", "rejected": False} for loss in losses]
        for place, note in enumerate(notes):
            rows[place] |= {"note": note, "rejected": bool(note)}
        empty = torch.zeros(1, 3, 1, 1)
        return findings.verdict(explain.Run(empty, empty, {}, rows), 1.0, 0.8)

    assert judged([1.0, 0.9, 0.8]) == "too small"
    assert judged([1.0, 0.6, 0.4]) == "slow"
    assert judged([1.0, 0.6, 0.21]) == "good"
    assert judged([1.0, 0.5, 0.6, 0.4]) == "swings"
    assert judged([1.3, *np.linspace(1, 0.2, 20)]) == "overshoots"
    assert judged([0.9, 0.5], ["the loss went to 9: back to the best picture"]) == "explodes"


# A real browser.


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    """What a headless Chromium makes of a page: its DOM and what it complained of."""
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if not found:
        pytest.skip(f"none of {', '.join(BROWSERS)} is installed")
    profile = tmp_path_factory.mktemp("profile")

    def opened(url, width_px=1200, *more):
        words = [
            *(found, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic"),
            *("--no-first-run", "--disable-background-networking", "--disable-component-update"),
            *("--disable-sync", "--disable-dev-shm-usage", "--hide-scrollbars"),
            *("--enable-logging=stderr", f"--user-data-dir={profile}"),
            *(f"--window-size={width_px},900", "--virtual-time-budget=2000", *more),
        ]
        return subprocess.run([*words, url], capture_output=True, text=True, timeout=120)

    return opened


# In frames, since a window is 500 px wide at least: the body is told what is too wide.
PROBE = """<!DOCTYPE html><html><body>
<iframe id="page" style="width:{width}px;height:800px;border:0" srcdoc="{page}"></iframe><script>
const frame = document.getElementById("page");
frame.addEventListener("load", () => {{
  const root = frame.contentDocument.documentElement;
  const wide = Array.from(root.querySelectorAll("body *")).filter((each) =>
    each.getBoundingClientRect().right > {width} + 0.5 && !each.closest("math"));
  document.body.dataset.width = root.scrollWidth;
  document.body.dataset.wide = wide.map((each) => each.tagName).join(" ");
  document.body.dataset.broken = Array.from(frame.contentDocument.images)
    .filter((each) => !each.naturalWidth).length;
}});
</script></body></html>"""


def test_a_browser_runs_the_page_without_a_complaint(browser, report):
    url = (report / "index.html").as_uri()
    done = browser(url, 1200, "--dump-dom")
    assert 'data-ready="yes"' in done.stdout, done.stderr
    assert f'data-iteration="{SETTINGS["iterations"]}"' in done.stdout
    assert "CONSOLE" not in done.stderr, done.stderr
    asked = browser(f"{url}#iteration=3", 1200, "--dump-dom").stdout
    assert 'data-iteration="3"' in asked
    assert f"Iteration 3 of {SETTINGS['iterations']}" in asked
    assert "<details open" not in asked


def test_a_phone_shows_it_without_scrolling_sideways(browser, page, tmp_path):
    from html import escape

    probe = tmp_path / "probe.html"
    opened = page.replace("each.open = false", "each.open = true")  # formulas too
    probe.write_text(PROBE.format(width=PHONE_PX, page=escape(opened)))
    done = browser(probe.as_uri(), 800, "--dump-dom").stdout
    assert f'data-width="{PHONE_PX}"' in done
    assert 'data-wide=""' in done
    assert 'data-broken="0"' in done


def test_a_browser_draws_it(browser, report, tmp_path):
    picture = tmp_path / "page.png"
    browser((report / "index.html").as_uri(), 1200, f"--screenshot={picture}")
    with PIL.Image.open(picture) as opened:
        pixels = np.asarray(opened.convert("RGB"))
    assert pixels.shape[1] == 1200
    assert len(np.unique(pixels.reshape(-1, 3), axis=0)) > 1000  # pictures, not a blank page

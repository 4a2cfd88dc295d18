"""The studio as it is used: in a real browser whose network is cut off but for the page."""

from __future__ import annotations

import json
import shutil
import time

import PIL.Image
import pytest
from skimage import data

pytest.importorskip("gradio")
pytest.importorskip("playwright")

from playwright.sync_api import expect, sync_playwright

from impasto import pictures
from impasto.queue.store import Queue
from impasto.studio.desk import Desk
from test_studio import BAD_FILES, HOSTILE, studio_in

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
FOUND = next(filter(None, map(shutil.which, BROWSERS)), None)
pytestmark = pytest.mark.skipif(FOUND is None, reason="there is no browser")
# Root has no sandbox; and every name but ours leads nowhere.
FLAGS = ["--no-sandbox", "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1"]
PATIENCE_MS = 100_000
WIDE, PHONE = {"width": 1400, "height": 900}, {"width": 390, "height": 844}
LEAST_CONTRAST = 4.5  # WCAG 2.2, AA, of text


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The studio's own, and a photograph beside it."""
    folder = tmp_path_factory.mktemp("browser")
    PIL.Image.fromarray(data.coffee()).resize((192, 128)).save(folder / "coffee.png")
    return folder


@pytest.fixture(scope="module")
def open_page(folder):
    """Opens the studio's page; at the end nobody else may have been asked for anything."""
    asked, broken = [], []
    with studio_in(folder / "studio") as url, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=FOUND, args=FLAGS)

        def page_of(viewport=WIDE, dark=False, context=None):
            scheme = "dark" if dark else "light"
            context = context or browser.new_context(viewport=viewport, color_scheme=scheme)
            context.set_default_timeout(PATIENCE_MS)
            page = context.new_page()
            page.on("request", lambda request: asked.append(request.url))
            page.on("pageerror", lambda error: broken.append(str(error)))
            page.goto(url)
            expect(page.locator("#paintings .card").first).to_be_visible(timeout=PATIENCE_MS)
            expect(page.locator("#set-strength input").first).to_be_editable(timeout=PATIENCE_MS)
            return page

        yield page_of
        browser.close()
    assert [each for each in asked if not each.startswith((url, "data:", "blob:"))] == []
    assert broken == []


@pytest.fixture
def desk(folder):
    return Desk(Queue(folder / "studio"))


def pick(page, where, name):
    """An option of a list."""
    page.locator(f"{where} input").click()
    page.get_by_role("option", name=name, exact=True).click()


def choose(page, folder, size=128, iterations=None):
    """A photograph, a draft, and a small one."""
    page.locator("#photo input[type=file]").set_input_files(folder / "coffee.png")
    page.get_by_label("Draft").check()
    pick(page, "#set-size", f"{size} px")
    if iterations:
        page.get_by_role("button", name="More settings").click()
        page.locator("#set-iterations textarea, #set-iterations input").fill(str(iterations))
    expect(page.locator("#forecast")).to_contain_text(f"{size} ×", timeout=PATIENCE_MS)


def reached(page, *statuses):
    """Wait until the picture that is shown stands so; its job's id."""
    view = page.locator("impasto-view")
    page.wait_for_function(
        "statuses => statuses.includes(document.querySelector('impasto-view')?.dataset.status)",
        arg=list(statuses),
        timeout=PATIENCE_MS,
    )
    return view.get_attribute("job")


def press(page, verb):
    page.locator(f"impasto-view button[data-verb={verb}]").click()


def tab(page, name):
    page.get_by_role("tab", name=name).click()


def test_upload_paint_watch_steer_stop_reload_go_on(open_page, folder, desk):
    page = open_page()
    choose(page, folder, iterations=40)
    page.get_by_role("button", name="Window with irises").first.click()
    page.click("#paint-button")
    reached(page, "working")
    seen = set()
    until_s = time.monotonic() + PATIENCE_MS / 1000
    while len(seen) < 3 and time.monotonic() < until_s:  # it comes into being
        seen |= {page.locator("impasto-view").get_attribute("data-previews")} - {None, ""}
        page.wait_for_timeout(100)
    assert len(seen) >= 3
    slider = page.locator("#set-strength input[type=range]")
    slider.focus()
    slider.press("ArrowRight")
    slider.press("ArrowRight")
    expect(page.locator("impasto-view")).to_contain_text("Steered after step")
    press(page, "stop")
    job = reached(page, "stopped")
    stopped_at = desk.get(job).state().iteration
    assert 0 < stopped_at < 40
    page.reload()
    assert reached(page, "stopped") == job
    expect(page.locator("#set-strength input[type=number]")).to_have_value("0.6")
    press(page, "go_on")
    reached(page, "working")
    press(page, "pause")
    reached(page, "paused")
    press(page, "go_on")
    assert reached(page, "done") == job
    recipe = pictures.read_recipe(desk.get(job).result_path)
    assert "strength" in json.dumps(recipe["steering"])
    assert recipe["iterations"]["done"] > stopped_at
    tab(page, "Gallery")
    page.locator(f"impasto-gallery .cell[data-job='{job}']").click()
    page.get_by_role("button", name="Recipe, command line and Python").click()
    expect(page.locator("#steered")).to_contain_text("This picture was steered")
    expect(page.locator("#command")).to_contain_text("stained-glass")


def test_a_mask_is_painted_and_followed(open_page, folder, desk):
    page = open_page()
    choose(page, folder)
    page.get_by_role("button", name="Regions: paint parts differently").click()
    page.get_by_label("Use regions").check()
    canvas = page.locator("#mask-photo canvas").first
    expect(canvas).to_be_visible()
    page.wait_for_timeout(1500)  # the editor draws its picture after it is there
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x - 60, y)
    page.mouse.down()
    page.mouse.move(x + 60, y, steps=12)
    page.mouse.up()
    pick(page, "#after-0", "Stays as photographed")
    page.click("#save-mask")
    expect(page.locator("#mask-file")).to_contain_text(".png")
    page.click("#paint-button")
    job = reached(page, "done")
    order = desk.get(job).task.order
    assert order.regions == {"#0072b2": "photo"}
    before, after = (pictures.load(p).at((85, 128)) for p in (order.photo, order.target))
    apart = (before - after).abs().mean(1)[0]
    assert apart[41:44, 56:72].mean() < 0.02 < apart[:8].mean()  # kept there, painted elsewhere


def test_a_sweep_of_four_fills_cell_by_cell_and_gives_its_settings(open_page, folder):
    page = open_page()
    choose(page, folder)
    tab(page, "Try many")
    pick(page, "#sheet-size", "128 px")
    pick(page, "#vary-2", "Stroke size")
    page.locator("#values-1").get_by_role("textbox").fill("0.3, 0.7")
    page.locator("#values-2").get_by_role("textbox").fill("0.5, 2")
    page.click("#try")
    expect(page.locator("impasto-sheet .cell")).to_have_count(4)
    expect(page.locator("impasto-sheet[data-done='4']")).to_be_visible(timeout=PATIENCE_MS)
    page.locator("impasto-sheet .cell").nth(3).click()
    expect(page.locator("#set-strength input[type=number]")).to_have_value("0.7")
    expect(page.locator("#set-style-scale input[type=number]")).to_have_value("2")


def test_the_gallery_on_a_phone(open_page, desk):
    page = open_page(PHONE, dark=True)
    tab(page, "Gallery")
    cells = page.locator("impasto-gallery .cell")
    expect(cells.first).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    count = cells.count()
    cells.first.click()
    name = page.get_by_label("Name of the picture")
    name.fill(HOSTILE)
    name.press("Enter")
    page.get_by_role("button", name="☆ Favourite").click()
    expect(page.get_by_role("button", name="★ Favourite")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    page.get_by_role("button", name="← All pictures").click()
    page.get_by_label("Search by name").fill("onerror")
    expect(cells).to_have_count(1)
    expect(cells.first).to_contain_text(HOSTILE)  # text, and never markup
    assert page.locator("impasto-gallery .cell img[onerror]").count() == 0
    cells.first.click()
    page.get_by_role("button", name="Delete").click()
    expect(page.get_by_text("is deleted")).to_be_visible()
    page.get_by_label("Search by name").fill("")
    expect(cells).to_have_count(count - 1)
    page.get_by_role("button", name="Undo").click()
    expect(cells).to_have_count(count)
    page.get_by_role("button", name="Compare two").click()
    cells.nth(0).click()
    cells.nth(1).click()
    expect(page.locator("impasto-gallery impasto-compare.both input")).to_be_visible()


def test_a_bad_file_is_refused_on_the_page_with_its_line(open_page, tmp_path):
    page = open_page()
    path = tmp_path / "half.png"
    path.write_bytes(BAD_FILES["half.png"][0])
    page.locator("#photo input[type=file]").set_input_files(path)
    expect(page.locator("#forecast")).to_contain_text("photograph 'half.png' is damaged")
    page.click("#paint-button")
    expect(page.locator("#message")).to_contain_text("Choose a photograph first")


LEGIBLE = (
    *("#paint-button", "#forecast p", "#example", ".step h2", "#head p", "button[role=tab]"),
    *(".card .pick span", "impasto-view .empty p"),
)
NAMELESS = """
[...document.querySelectorAll('button, input, select, textarea, a[href], img, iframe')]
  .filter(e => e.checkVisibility() && e.type !== 'file')
  .filter(e => !(e.getAttribute('aria-label') || e.getAttribute('title') || e.innerText
    || e.labels?.length || e.hasAttribute('alt') || e.placeholder
    || e.getAttribute('aria-labelledby')))
  .map(e => e.outerHTML.slice(0, 200))
"""
CONTRAST = """
(selector) => {
  const light = (c) => { const [r, g, b] = c.match(/[\\d.]+/g).map(Number).map(v => v / 255)
      .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
  const e = document.querySelector(selector);
  if (!e) return 21;
  let under = e, back = 'rgba(0, 0, 0, 0)';
  while (under && /, 0\\)$/.test(back)) {
    back = getComputedStyle(under).backgroundColor;
    under = under.parentElement;
  }
  const [a, b] = [light(getComputedStyle(e).color), light(back)].sort((x, y) => y - x);
  return (a + 0.05) / (b + 0.05);
}
"""


@pytest.mark.parametrize("dark", [False, True])
def test_everything_has_a_name_a_focus_and_a_contrast(open_page, dark):
    page = open_page(dark=dark)
    assert page.evaluate(NAMELESS) == []
    for each in LEGIBLE:
        assert page.evaluate(CONTRAST, each) >= LEAST_CONTRAST, each
    reached_ids = set()
    page.locator("body").click(position={"x": 5, "y": 5})
    for _ in range(80):
        page.keyboard.press("Tab")
        reached_ids.add(
            page.evaluate("document.activeElement.closest('[id]')?.id || document.activeElement.id")
        )
    assert {"example", "paint-button", "own", "set-strength"} <= reached_ids, reached_ids


def test_the_page_stays_within_any_window(open_page):
    for width in (320, 390, 700, 1000):
        page = open_page({"width": width, "height": 800})
        for name in ("Paint", "Try many", "Gallery"):
            tab(page, name)
            page.wait_for_timeout(200)
            assert page.evaluate("document.documentElement.scrollWidth") <= width, (width, name)
        page.close()

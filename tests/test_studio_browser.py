"""The studio as it is used: in a real browser whose network is cut off but for the page."""

from __future__ import annotations

import json
import re
import shutil
import threading
import time
import zipfile

import numpy as np
import PIL.Image
import pytest
from skimage import data

pytest.importorskip("gradio")
pytest.importorskip("playwright")

from playwright.sync_api import expect, sync_playwright

from impasto import pictures
from impasto.queue.store import Limits, Queue
from impasto.queue.task import State
from impasto.studio import brush
from impasto.studio.access import Access
from impasto.studio.desk import Desk, Wanted
from test_studio import BAD_FILES, HOSTILE, UPLOAD_BYTES, pan, studio_in

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
FOUND = next(filter(None, map(shutil.which, BROWSERS)), None)
pytestmark = pytest.mark.skipif(FOUND is None, reason="there is no browser")
# Root has no sandbox; and every name but ours leads nowhere.
FLAGS = ["--no-sandbox", "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1"]
PATIENCE_MS = 60_000
expect.set_options(timeout=PATIENCE_MS)  # its own 5 s are not enough where others work beside it
# Until the page has its last job back: a photograph that is chosen before is lost to that one's.
SETTLING_MS = 1500
WIDE, PHONE = {"width": 1400, "height": 900}, {"width": 390, "height": 844}
TABS = ("Paint", "Try settings", "Many photographs", "Clip", "Gallery")
LEAST_CONTRAST = 4.5  # WCAG 2.2, AA, of text


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The studio's own, with pictures that are there, and photographs beside it."""
    folder = tmp_path_factory.mktemp("browser")
    for name, image in (("coffee", data.coffee()), ("cat", data.chelsea())):
        PIL.Image.fromarray(image).resize((192, 128)).save(folder / f"{name}.png")
    finished(Desk(Queue(folder / "studio")), folder / "coffee.png", "coffee")
    finished(Desk(Queue(folder / "studio")), folder / "cat.png", "cat")
    return folder


def finished(desk, photo, name):
    """A picture as if it had been painted."""
    wanted = Wanted(desk.keep(photo, photo.name), {"charcoal": 1.0}, {"size": 128})
    entry = desk.paint(wanted, name=name)
    image = PIL.Image.open(photo).convert("L").convert("RGB").resize((128, 85))
    image.save(entry.result_path)
    entry.write_state(State(status="done", size=(85, 128), fraction=1.0, seconds=1.0))
    return entry


@pytest.fixture(scope="module")
def browsers():
    """The one browser, once there is a page."""
    return []


@pytest.fixture(scope="module")
def open_page(folder, browsers):
    """Opens the studio's page; at the end nobody else may have been asked for anything."""
    asked, broken, limits = [], [], Limits(UPLOAD_BYTES)
    with studio_in(folder / "studio", limits=limits) as url, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=FOUND, args=FLAGS)
        browsers.append(browser)

        def page_of(viewport=WIDE, dark=False, context=None, settled=True):
            scheme = "dark" if dark else "light"
            context = context or browser.new_context(viewport=viewport, color_scheme=scheme)
            context.set_default_timeout(PATIENCE_MS)
            page = context.new_page()
            page.on("request", lambda request: asked.append(request.url))
            page.on("pageerror", lambda error: broken.append(str(error)))
            page.goto(url)
            if not settled:
                return page
            expect(page.locator("#paintings .card").first).to_be_visible(timeout=PATIENCE_MS)
            expect(page.locator("#set-strength input").first).to_be_editable(timeout=PATIENCE_MS)
            return page

        yield page_of
        browser.close()
    assert [each for each in asked if not each.startswith((url, "data:", "blob:"))] == []
    assert broken == []


@pytest.fixture
def remembered(monkeypatch):
    """What a page gets of its last job when it opens waits until this is set."""
    sent, newest = threading.Event(), Desk.newest

    def later(desk):
        sent.wait(PATIENCE_MS / 1000)
        return newest(desk)

    monkeypatch.setattr(Desk, "newest", later)
    yield sent
    sent.set()


@pytest.fixture
def desk(folder):
    return Desk(Queue(folder / "studio"))


def pick(page, where, name):
    """An option of a list, once no other list is open."""
    expect(page.get_by_role("option")).to_have_count(0)
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
    expect(page.locator("#forecast")).to_contain_text(f"{size} ×")


def reached(page, *statuses):
    """Wait until the picture that is shown stands so; its job's id."""
    view = page.locator("impasto-view")
    page.wait_for_function(
        "statuses => statuses.includes(document.querySelector('impasto-view')?.dataset.status)",
        arg=list(statuses),
    )
    return view.get_attribute("job")


def press(page, verb):
    page.locator(f"impasto-view button[data-verb={verb}]").click()


def tab(page, name):
    page.get_by_role("tab", name=name).click()


def use_regions(page):
    page.get_by_role("button", name="Regions: paint parts differently").click()
    page.get_by_label("Use regions").check()
    expect(page.locator("#mask-photo canvas").first).to_be_visible()
    page.wait_for_timeout(1500)  # the editor draws its picture after it is there


def stroke(page, where, begin, end):
    """Draw a line with the brush, half way down, from one share of the width to another."""
    canvas = page.locator(f"{where} canvas").first
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    y = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + begin * box["width"], y)
    page.mouse.down()
    page.mouse.move(box["x"] + end * box["width"], y, steps=8)
    page.mouse.up()


def bring(page, button, *paths):
    """Files, by a button that asks for them."""
    with page.expect_file_chooser() as asked:
        page.locator(button).click()
    asked.value.set_files(paths)


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
    choose(page, folder, iterations=8)
    use_regions(page)
    stroke(page, "#mask-photo", 0.35, 0.65)
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


def test_a_mask_from_a_file_lies_on_its_photograph_and_the_paintings_own_is_followed(
    open_page, folder, desk
):
    page = open_page()
    choose(page, folder)
    use_regions(page)
    mask = np.zeros((128, 192, 3), np.uint8)
    mask[:, :48] = brush.rgb(brush.COLOURS["Orange"])
    PIL.Image.fromarray(mask).save(folder / "mask.png")
    bring(page, "#load-mask", folder / "mask.png")
    page.wait_for_timeout(1500)
    stroke(page, "#mask-photo", 0.7, 0.8)
    page.click("#save-mask")
    with page.expect_download() as saved:
        page.locator("#mask-file a").first.click()
    saved.value.save_as(folder / "saved.png")
    found = np.asarray(PIL.Image.open(folder / "saved.png").convert("RGB"))
    assert (found[:, :48] == mask[:, :48]).all()  # as it was, after a stroke
    assert set(brush.colours_in(found)) == {"Blue", "Orange", brush.REST_NAME}
    assert (found[60:68, 140:150] == brush.rgb(brush.COLOURS["Blue"])).all()
    pick(page, "#after-1", "The same colour in the painting")
    page.click("#paint-button")
    expect(page.locator("#message")).to_contain_text("nothing is painted on the painting")
    page.locator("#mask-painting").get_by_label("Brush").first.click()
    stroke(page, "#mask-painting", 0.4, 0.6)
    page.wait_for_timeout(500)
    pick(page, "#after-0", "The same colour in the painting")
    pick(page, "#after-1", "The painting chosen above")
    before = {entry.id for entry in desk.queue.entries()}
    page.click("#paint-button")
    page.wait_for_function(
        "known => !known.includes(document.querySelector('impasto-view').getAttribute('job'))",
        arg=[*before, "", None],
    )
    job = page.locator("impasto-view").get_attribute("job")
    order = desk.get(job).task.order
    desk.get(job).stop()
    on_painting = np.asarray(PIL.Image.open(order.style_masks[0]).convert("RGB"))
    assert brush.colours_in(on_painting) == ["Blue", brush.REST_NAME]
    assert brush.COLOURS["Blue"] not in order.regions


def test_a_folder_is_painted_but_for_the_bad_one_over_a_reload_and_taken_away(
    open_page, folder, desk, tmp_path
):
    holiday = tmp_path / "holiday"
    holiday.mkdir()
    for name in ("coffee.png", "cat.png"):
        shutil.copy(folder / name, holiday)
    (holiday / "half.png").write_bytes(BAD_FILES["half.png"][0])
    (holiday / ".hidden.png").write_bytes(b"nobody's")
    page = open_page()
    choose(page, folder, iterations=6)
    page.get_by_label("Mix Jug, bottle and fruit in").click()
    tab(page, "Many photographs")
    expect(page.locator("#batch-chosen")).to_contain_text("quality draft, size 128 px")
    bring(page, "#batch-folder", holiday)
    expect(page.locator("#batch-forecast")).to_contain_text("3 photographs, 6 pictures")
    page.click("#batch-go")
    cells = page.locator("impasto-batch .cell")
    expect(cells).to_have_count(4)
    page.locator("impasto-batch [data-verb=pause]").click()
    expect(page.locator("impasto-batch")).to_contain_text("paused")
    page.reload()
    tab(page, "Many photographs")
    expect(cells).to_have_count(4)
    lines = page.locator("impasto-batch .lines li")
    expect(lines).to_have_count(1)
    expect(lines).to_contain_text("Photograph 'half.png' is damaged")
    page.locator("impasto-batch [data-verb=go_on]").click()
    done = page.locator("impasto-batch[data-done='4'][data-open=false]")
    expect(done).to_be_visible(timeout=PATIENCE_MS)
    page.reload()  # a batch that is done is there as well
    tab(page, "Many photographs")
    expect(page.locator("impasto-batch .title")).to_have_text("All 4 pictures done")
    with page.expect_download() as saved:
        page.get_by_role("link", name="All as PNG, in a .zip").click()
    with zipfile.ZipFile(saved.value.path()) as found:
        ours = {name: found.read(name) for name in found.namelist()}
    ids = [cell.get_attribute("data-job") for cell in cells.all()]
    assert sorted(ours.values()) == sorted(desk.get(i).result_path.read_bytes() for i in ids)
    assert "cat-charcoal.png" in ours


def test_a_clip_is_previewed_painted_over_a_reload_and_played(open_page, folder, desk, tmp_path):
    page = open_page()
    choose(page, folder, iterations=3)
    tab(page, "Clip")
    page.locator("#clip input[type=file]").set_input_files(folder / "coffee.png")
    expect(page.locator("#clip-message")).to_contain_text("Clip 'coffee.png' is a still picture")
    page.click("#clip-go")
    expect(page.locator("#clip-message")).to_contain_text("Choose a clip first")
    page.get_by_label("Clear").first.click()
    page.locator("#clip input[type=file]").set_input_files(pan(tmp_path / "pan.mp4", 6))
    expect(page.locator("#clip-shown")).to_contain_text("pan.mp4: 64 × 48 px")
    expect(page.locator("#clip-chosen")).to_contain_text("quality draft")
    page.click("#clip-preview")
    view = page.locator("#clip-view impasto-view")
    expect(view).to_contain_text("painting the clip will take about")
    page.click("#clip-go")
    expect(view).to_contain_text("of 6")
    view.locator("[data-verb=pause]").click()
    expect(view).to_have_attribute("data-status", "paused")
    page.reload()
    tab(page, "Clip")
    expect(page.locator("#clip-shown")).to_contain_text("pan.mp4")
    expect(view).to_have_attribute("data-status", "paused")
    view.locator("[data-verb=go_on]").click()
    video = view.locator("video")
    expect(video).to_have_attribute("controls", "")
    job = view.get_attribute("job")
    assert job in video.get_attribute("poster")
    page.wait_for_function("document.querySelector('#clip-view video').readyState >= 2")
    assert abs(video.evaluate("v => v.duration") - 6 / 25) < 1 / 25
    video.evaluate("v => v.play()")
    page.wait_for_function("document.querySelector('#clip-view video').played.length > 0")
    tab(page, "Gallery")
    page.locator(f"impasto-gallery .cell[data-job='{job}']").click()
    expect(page.locator("impasto-gallery video")).to_be_visible()
    with page.expect_download() as saved:
        page.locator("impasto-gallery").get_by_text("Save the film").click()
    assert saved.value.suggested_filename.endswith(".mp4")
    expect(page.locator("#of-one")).to_be_hidden()


def test_what_was_brought_is_there_after_a_reload(open_page, folder):
    page = open_page()
    choose(page, folder)
    bring(page, "#own", folder / "cat.png")
    first = page.locator("#paintings .card").first
    expect(first).to_contain_text("cat")
    page.reload()
    expect(page.locator("#forecast")).to_contain_text("memory")
    expect(page.locator("#photo img")).to_be_visible()  # chosen, and never painted
    expect(first).to_contain_text("cat")
    first.locator(".pick").click()
    page.click("#forget")
    expect(first).not_to_contain_text("cat")


def test_a_phone_keeps_the_picture_in_sight_while_it_is_steered(open_page, folder, desk, request):
    wanted = Wanted(desk.keep(folder / "coffee.png", "coffee.png"), {"charcoal": 1.0})
    entry = desk.paint(wanted)
    entry.pause()
    request.addfinalizer(entry.stop)
    page = open_page(PHONE)
    mini, slider = page.locator("impasto-view .mini"), page.locator("#set-strength")
    slider.scroll_into_view_if_needed()
    expect(mini).to_be_in_viewport(ratio=0.99)
    expect(mini.locator("img")).to_have_attribute("src", re.compile(r"/photo\.jpg"))
    expect(mini).to_contain_text("Paused")
    for each in ("#set-strength input[type=range]", "#set-color input", "#example"):
        page.locator(each).focus()  # never under it
        box, over = page.locator(each).bounding_box(), mini.bounding_box()
        assert over is None or box["y"] + box["height"] <= over["y"], each
    mini.click()
    expect(page.locator("impasto-view impasto-compare")).to_be_in_viewport(ratio=0.9)
    expect(mini).to_be_hidden()
    page.set_viewport_size(WIDE)
    slider.scroll_into_view_if_needed()
    expect(mini).to_be_hidden()
    assert page.locator("#paint-right").bounding_box()["y"] >= 0


def test_a_file_over_the_limit_is_refused_before_it_is_sent(open_page, tmp_path):
    page, sent = open_page(), []
    page.on("request", lambda request: sent.append(request.url))
    path = tmp_path / "large.png"
    path.write_bytes(bytes(UPLOAD_BYTES + 1))
    line = "'large.png' has 3.0 MB; allowed: up to 3.0 MB; save it smaller: a photograph as a JPEG"
    page.locator("#photo input[type=file]").set_input_files(path)
    expect(page.get_by_role("alert").filter(has_text=line)).to_be_visible()
    page.click("#example")
    bring(page, "#own", path)
    expect(page.locator(".too-large")).to_have_count(1)
    expect(page.locator(".too-large")).to_contain_text(line)
    assert not [each for each in sent if "gradio_api/upload" in each]


def test_two_users_sign_in_and_see_their_own_alone(open_page, browsers, folder, tmp_path):
    open_page().close()  # the browser is there
    queue, admitted = Queue(tmp_path), Access({"ann": "password a", "bob": "password b"})
    for name in admitted.users:
        finished(Desk(queue, name), folder / "cat.png", f"a cat of {name}'s")
    with studio_in(tmp_path, access=admitted) as url:
        for name, password in admitted.users.items():
            context = browsers[0].new_context()
            page = context.new_page()
            page.goto(url)
            page.get_by_label("username").fill(name)
            page.get_by_label("password").fill("password c")
            page.get_by_role("button", name="Login").click()
            expect(page.get_by_text("Incorrect")).to_be_visible()
            page.get_by_label("username").fill(name)
            page.get_by_label("password").fill(password)
            page.get_by_role("button", name="Login").click()
            tab(page, "Gallery")
            expect(page.locator("impasto-gallery .cell")).to_have_count(1)
            expect(page.locator("impasto-gallery .cell")).to_contain_text(f"{name}'s")
            context.close()


def test_a_picture_again_larger_is_said_and_begun(open_page, desk):
    page = open_page()
    tab(page, "Gallery")
    page.locator("impasto-gallery .cell:not(:has(.moves))").first.click()
    page.get_by_role("button", name="Again, larger").click()
    pick(page, "#larger-size", "256 px")
    expect(page.locator("#larger-line")).to_contain_text("256 ×")
    page.click("#larger")
    reached(page, "waiting", "working")
    job = desk.get(page.locator("impasto-view").get_attribute("job"))
    job.stop()
    assert job.config.size == 256
    assert job.task.parent


def test_a_sweep_of_four_fills_cell_by_cell_and_gives_its_settings(open_page, folder):
    page = open_page()
    choose(page, folder, iterations=2)
    tab(page, "Try settings")
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


def all_ended(desk):
    """Wait until nothing is at work that would add a picture."""
    until_s = time.monotonic() + PATIENCE_MS / 1000
    while still := [entry for entry in desk.queue.entries() if not entry.state().ended]:
        assert time.monotonic() < until_s, [(each.name, each.state()) for each in still]
        time.sleep(0.1)


def test_the_gallery_on_a_phone(open_page, desk):
    all_ended(desk)
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
    expect(page.locator("#forecast")).to_contain_text("Photograph 'half.png' is damaged")
    page.click("#paint-button")
    expect(page.locator("#message")).to_contain_text("Choose a photograph first")


@pytest.mark.parametrize("file", ["good", "half.png"])
def test_who_is_faster_than_the_page_keeps_what_they_chose(
    open_page, folder, tmp_path, request, file
):
    before = open_page()
    before.locator("#photo input[type=file]").set_input_files(folder / "coffee.png")
    expect(before.locator("#forecast")).to_contain_text("px")
    before.wait_for_timeout(SETTLING_MS)  # now the browser remembers it
    path = folder / "cat.png"
    if file != "good":
        path = tmp_path / file
        path.write_bytes(BAD_FILES[file][0])
    remembered = request.getfixturevalue("remembered")
    page = open_page(context=before.context, settled=False)
    page.locator("#photo input[type=file]").set_input_files(path)
    wanted = "px" if file == "good" else f"Photograph '{file}' is damaged"
    expect(page.locator("#forecast")).to_contain_text(wanted)
    remembered.set()  # what was chosen is there before it
    page.wait_for_timeout(2 * SETTLING_MS)
    expect(page.locator("#forecast")).to_contain_text(wanted)
    image = page.locator("#photo img")
    expect(image).to_have_count(1 if file == "good" else 0)
    if file == "good":
        expect(image).to_have_attribute("src", re.compile("cat"))


def test_a_setting_is_not_open_until_what_the_page_remembers_has_come(open_page, remembered):
    page = open_page(settled=False)
    size = page.locator("#set-size input")
    expect(size).to_be_disabled()
    remembered.set()
    pick(page, "#set-size", "384 px")  # waits until it can
    page.wait_for_timeout(SETTLING_MS)
    expect(size).to_have_value("384 px")
    expect(page.get_by_label("Draft")).to_be_enabled()


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
    for name in TABS[1:]:
        tab(page, name)
        page.wait_for_timeout(300)
        assert page.evaluate(NAMELESS) == [], name
    tab(page, "Clip")
    page.locator("#clip-from textarea, #clip-from input").focus()
    walked = set()
    for _ in range(9):
        page.keyboard.press("Tab")
        walked.add(page.evaluate("document.activeElement.closest('[id]')?.id"))
    assert {"clip-preview", "clip-go"} <= walked, walked


def test_the_page_stays_within_any_window(open_page):
    page = open_page()
    for width in (320, 390, 700, 1000):
        page.set_viewport_size({"width": width, "height": 800})
        for name in TABS:
            tab(page, name)
            page.wait_for_timeout(200)
            assert page.evaluate("document.documentElement.scrollWidth") <= width, (width, name)

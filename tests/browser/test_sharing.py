"""Links, the share panel, a teacher's flags and files, in a browser: what one visitor sees, the next one gets."""

import csv
import hashlib
import io
import re
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import segno
from PIL import Image
from playwright.sync_api import Browser, Locator, Page, expect

from fcn.model.segmenter import Segmenter
from fcn.photos.images import decode, labels_to_own_size
from fcn.pictures.export import FILES
from fcn.ui.classroom.share import HIDEABLE
from tests.support.browsing import (
    SCORES,
    canvas,
    captions,
    choose,
    collect_tab_stops,
    expected_result,
    jpeg,
    open_page,
    opening_more,
    option,
    part,
    pictures,
    sample_hash,
    shows_no_error,
    unpack_url,
    upload,
    viewer,
    visiting,
    wait_until_drawn,
    wait_until_quiet,
)

pytestmark = pytest.mark.browser

PEOPLE, PEOPLE_SAMPLE = "people_animals", "horses"


def state(page: Page) -> tuple[str | None, list[str], list[str]]:
    """What the pictures show: what they name themselves, their captions and their pixels."""
    page.mouse.move(0, 0)
    wait_until_quiet(page)
    return viewer(page).get_attribute("data-ready"), captions(page), pictures(page)


def choose_sample(page: Page, model: str, name: str) -> None:
    """Choose a sample, which brings its model."""
    page.locator(f'[data-sample="{name}"]').click()
    wait_until_drawn(page, sample_hash(model, name))
    expect(page).to_have_url(re.compile(f"sample={name}"))


def go(page: Page, title: str, path: str) -> None:
    """Go to another page by the navigation."""
    page.get_by_role("link", name=title, exact=True).click()
    expect(page).to_have_url(re.compile(f"//[^/]+/{path}"))
    wait_until_quiet(page)


# Links


def show_score(page: Page) -> None:
    choose(page, "cells", "Score", "score")
    page.get_by_label("Class", exact=True).select_option("horse")
    expect(page).to_have_url(re.compile("class=horse"))


def show_channel(page: Page) -> None:
    choose(page, "cells", "Features", "features")
    canvas(page, SCORES).click(position={"x": 20, "y": 20})
    page.get_by_label("Feature map, strongest first").select_option("2")
    expect(page).to_have_url(re.compile("channel=2"))
    with opening_more(page) as controls:
        controls.get_by_label("Longest side").last.select_option("320")
        wait_until_drawn(page, " 320")


@pytest.mark.parametrize("view, middle", [("Segmentation", show_score), ("Difference", show_channel)])
def test_link_opens_all_that_was_chosen(
    browser: Browser, server: str, view: str, middle: Callable[[Page], None]
) -> None:
    with visiting(browser, server) as page:
        open_page(page, "/")
        choose_sample(page, PEOPLE, PEOPLE_SAMPLE)
        choose(page, "stride", "16", "16$")
        choose(page, "upsampling", "Cells", "nearest")
        choose(page, "view", view)
        middle(page)
        wait_until_quiet(page)
        chosen, address = state(page), page.url
    with visiting(browser, server) as page:
        open_page(page, address)
        assert state(page) == chosen


def test_other_pages_keep_model_sample_and_flags(page: Page) -> None:
    open_page(page, "/?hide=facts,truth")
    choose_sample(page, PEOPLE, PEOPLE_SAMPLE)
    choose(page, "upsampling", "Bilinear", "bilinear")
    before = state(page)
    go(page, "How good is it?", "quality")
    expect(option(page, "model", "People & animals")).to_be_checked()
    expect(page).to_have_url(re.compile("hide=facts,truth|hide=facts%2Ctruth"))
    go(page, "Try it", "")
    wait_until_drawn(page, sample_hash(PEOPLE, PEOPLE_SAMPLE))
    assert state(page) == before
    expect(part(page, "facts")).to_be_hidden()
    for text in (f"sample={PEOPLE_SAMPLE}", "upsampling=bilinear", "hide=facts"):
        expect(page).to_have_url(re.compile(text))


def test_one_step_back_takes_one_choice_back(page: Page) -> None:
    open_page(page, "/")
    entries = page.evaluate("history.length")
    states = [viewer(page).get_attribute("data-ready") or ""]
    for act in (
        lambda: choose_sample(page, "street", "scene-26"),
        lambda: choose(page, "upsampling", "Cells", "nearest"),
        lambda: choose(page, "view", "Compare", "compare"),
        lambda: choose(page, "stride", "8", "8$"),
    ):
        act()
        wait_until_quiet(page)
        states.append(viewer(page).get_attribute("data-ready") or "")
    assert len(set(states)) == 5 and page.evaluate("history.length") == entries + 4
    for before in states[-2::-1]:
        page.go_back()
        expect(viewer(page)).to_have_attribute("data-ready", before)
    page.go_forward()
    expect(viewer(page)).to_have_attribute("data-ready", states[1])
    assert shows_no_error(page)


def test_going_to_a_page_and_back_is_one_step_each(page: Page) -> None:
    open_page(page, "/?sample=cow&upsampling=nearest")
    entries = page.evaluate("history.length")
    go(page, "How good is it?", "quality")
    assert page.evaluate("history.length") == entries + 1
    page.go_back()
    wait_until_drawn(page, sample_hash(PEOPLE, "cow"))
    expect(page).to_have_url(re.compile("upsampling=nearest"))


def test_own_photo_is_no_part_of_the_link(browser: Browser, server: str) -> None:
    data = jpeg(320, 240)
    with visiting(browser, server) as page:
        open_page(page)
        choose_sample(page, "street", "scene-17")
        choose(page, "stride", "8", "8$")
        upload(page, "secret-name.jpg", data)
        wait_until_drawn(page, hashlib.sha256(data).hexdigest())
        with opening_panel(page) as shown:
            expect(shown.get_by_test_id("stAlert")).to_contain_text("Your photo stays")
            address = link(shown)
        for text in (address, page.url):
            assert "secret" not in text and "sample" not in text and hashlib.sha256(data).hexdigest()[:8] not in text
            assert "stride=8" in text
    with visiting(browser, server) as page:
        open_page(page, address)
        assert viewer(page).get_attribute("data-ready", timeout=0) == (
            f"people_animals {sample_hash(PEOPLE, 'orange-kitten')} 480transposedoverlayclass8"
        )


# The share panel


@contextmanager
def opening_panel(page: Page) -> Iterator[Locator]:
    """The share panel, open for as long as the context lasts."""
    page.locator(".st-key-share").get_by_role("button").click()
    shown = page.get_by_role("dialog")
    expect(shown.locator("img")).to_be_visible()
    wait_until_quiet(page)
    yield shown
    shown.get_by_role("button", name="Close").click()
    expect(shown).to_have_count(0)
    wait_until_quiet(page)


def link(shown: Locator) -> str:
    """The link that the panel shows."""
    return shown.locator("code").inner_text().strip()


def modules(shown: Locator) -> np.ndarray:
    """The QR code as the browser draws it: True for dark modules, border included."""
    drawn = shown.locator("img").evaluate(
        """async image => {
            const source = await (await fetch(image.src)).text();
            const side = Number(source.match(/viewBox="0 0 (\\d+) /)[1]), scale = 5;
            const canvas = document.createElement("canvas");
            canvas.width = canvas.height = side * scale;
            await image.decode();
            canvas.getContext("2d").drawImage(image, 0, 0, side * scale, side * scale);
            return [side, scale, canvas.toDataURL()];
        }"""
    )
    side, scale, url = drawn
    picture = np.asarray(Image.open(io.BytesIO(unpack_url(url))).convert("L"))
    return picture.reshape(side, scale, side, scale)[:, scale // 2, :, scale // 2] < 128


def check_code(shown: Locator, address: str) -> None:
    """Check that the QR code says this address, with room around it."""
    expected = np.array(list(segno.make(address, error="m").matrix)) == 1
    drawn = modules(shown)
    rim = (len(drawn) - len(expected)) // 2
    assert rim >= 3 and np.array_equal(drawn[rim:-rim, rim:-rim], expected)
    assert drawn.sum() == expected.sum()
    expect(shown.locator("img")).to_have_attribute("alt", re.compile(re.escape(address)))


def test_share_panel_shows_link_and_code_and_flags_change_both(page: Page) -> None:
    open_page(page, "/?upsampling=bilinear&sample=scene-17")
    with opening_panel(page) as shown:
        plain = link(shown)
        assert plain == page.url
        check_code(shown, plain)
        for label, text, flag in (("Hide", "Your photo", "hide=upload"), ("Lock", "Model", "lock=model")):
            shown.get_by_label(label, exact=True).fill(text)
            page.keyboard.press("Enter")
            expect(shown.locator("code")).to_contain_text(flag)
            page.keyboard.press("Escape")
        shown.get_by_text("Presenter mode").click()
        expect(shown.locator("code")).to_contain_text("present=1")
        wait_until_quiet(page)
        flagged = link(shown)
        assert flagged == f"{plain}&model=Street+scenes&hide=upload&lock=model&present=1"
        check_code(shown, flagged)
    page.goto(flagged)  # presenter mode opens with the story
    page.get_by_role("link", name="Try it").click()
    wait_until_drawn(page, sample_hash("street", "scene-17"))
    expect(page.locator(".give")).to_be_hidden()
    expect(part(page, "model").locator("select")).to_be_disabled()
    assert "bilinear" in (viewer(page).get_attribute("data-ready") or "")


# Flags


@pytest.mark.parametrize("half", [0, 1])
def test_hidden_controls_are_neither_seen_nor_focused(page: Page, half: int) -> None:
    hidden, kept = list(HIDEABLE)[half::2], list(HIDEABLE)[1 - half :: 2]
    open_page(page, f"/?sample=scene-24&hide={','.join(hidden)}")
    focused = {key for stop in collect_tab_stops(page) for key in stop.keys}
    for key in hidden:
        expect(visible_part(page, key)).to_be_hidden()
        assert key not in focused - {"upload"}
    for key in kept:
        expect(visible_part(page, key)).to_be_visible()
    assert set(kept) - {"truth", "facts", "upload"} <= focused


def visible_part(page: Page, key: str) -> Locator:
    """As `part`, without the file input that is never seen."""
    return page.locator(".give") if key == "upload" else part(page, key)


def test_locked_controls_cannot_be_changed(page: Page) -> None:
    open_page(page, "/?lock=model,stride&sample=scene-24&model=Street+scenes")
    expect(part(page, "model").locator("select")).to_be_disabled()
    expect(option(page, "stride", "8")).to_be_disabled()
    option(page, "stride", "8").locator("..").click(force=True)
    page.wait_for_timeout(500)
    wait_until_drawn(page, "^street .*32$")
    expect(option(page, "upsampling", "Bilinear")).to_be_enabled()
    choose_sample(page, "people_animals", "cow")
    expect(viewer(page)).to_have_attribute("data-ready", re.compile("^street "))


def test_presenter_mode_has_large_type_slim_ways_and_ways_out(page: Page) -> None:
    open_page(page, "/?sample=cow")
    size = "one => parseFloat(getComputedStyle(one).fontSize)"
    small = page.locator(".viewer figcaption b").first.evaluate(size)
    open_page(page, "/try?sample=cow&present=1")  # without a page in the link the story opens
    large = page.locator(".viewer figcaption b").first.evaluate(size)
    assert large >= 1.25 * small
    for place in (".st-key-share", ".st-key-actions", ".give"):
        expect(page.locator(place)).to_be_hidden()
    expect(page.get_by_role("link", name="Step by step")).to_be_visible()
    page.locator("body").press("ArrowRight")
    wait_until_drawn(page, sample_hash(PEOPLE, "mariachi"))
    choose(page, "upsampling", "Bilinear", "bilinear")
    page.locator("body").press("Escape")
    expect(page.locator(".st-key-share")).to_be_visible()
    expect(page).not_to_have_url(re.compile("present"))
    wait_until_drawn(page, "bilinear")
    assert page.locator(".viewer figcaption b").first.evaluate(size) == small


HOSTILE = (
    "hide=x{}body{display:none}.y&lock=x}body{display:none",
    "hide=<script>document.title='broken'</script>&lock=<img src=x onerror=document.title='broken'>&present=<b>",
    f"hide={'a' * 2000},{'b,' * 500}&lock={'c' * 1000}&present={'1' * 1000}",
    "hide=x%20~%20*{}%20.stApp&lock=stride%0amodel&present=true",
)


@pytest.mark.parametrize("query", HOSTILE, ids=["rule", "markup", "long", "selector"])
def test_hostile_flags_change_nothing(page: Page, query: str) -> None:
    open_page(page, f"/?sample=scene-24&{query}")
    assert shows_no_error(page) and page.title() != "broken"
    for key in set(HIDEABLE) - ({"upload", "camera", "actions", "share"} if "present=1" in query else set()):
        expect(visible_part(page, key)).to_be_visible()
    expect(part(page, "model").locator("select")).to_be_enabled()
    with opening_panel(page) as shown:
        assert "hide" not in link(shown) and "lock" not in link(shown)


# Files


@contextmanager
def downloading(page: Page) -> Iterator[Callable[[str], bytes]]:
    """Fetch a file by the title of its button, for as long as the context lasts."""
    page.locator(".st-key-actions").get_by_role("button").click()
    offered = page.get_by_test_id("stPopoverBody")

    def fetch(title: str) -> bytes:
        with page.expect_download() as waiting:
            offered.get_by_role("button", name=title, exact=True).click()
        names.append(waiting.value.suggested_filename)
        return Path(waiting.value.path()).read_bytes()

    names: list[str] = []
    yield fetch
    assert len(set(names)) == len(names) and not any("/" in name for name in names)


def test_zip_holds_what_is_shown(page: Page) -> None:
    open_page(page, "/?sample=scene-24&stride=16&upsampling=bilinear&opacity=30")
    with downloading(page) as fetch, zipfile.ZipFile(io.BytesIO(fetch("All files (ZIP)"))) as archive:
        assert archive.testzip() is None and archive.namelist() == list(FILES)
        files = {name: archive.read(name) for name in FILES}
        singles = {name: fetch(name) for name in FILES}
    assert singles == files
    labels, scores = expected_result().labels(16, "bilinear"), expected_result().scores
    drawn = {name: Image.open(io.BytesIO(data)) for name, data in files.items() if name.endswith(".png")}
    assert drawn["labels.png"].mode == "P" and np.array_equal(np.asarray(drawn["labels.png"]), labels)
    photo = expected_result().photo
    overlay = 0.7 * photo + 0.3 * expected_result().palette[labels]
    assert np.abs(np.asarray(drawn["overlay.png"]) - overlay).max() <= 1
    assert np.asarray(drawn["coarse.png"]).shape == labels.shape
    differ = expected_result().labels(16, "nearest") != labels  # what bilinear is compared with
    orange = (np.asarray(drawn["difference.png"].convert("RGB")) == (213, 94, 0)).all(-1)
    assert np.array_equal(orange, differ)
    rows = list(csv.DictReader(io.StringIO(files["shares.csv"].decode())))
    assert abs(sum(float(row["percent"]) for row in rows) - 100) < 0.01
    assert [int(row["pixels"]) for row in rows] == np.bincount(labels.ravel(), minlength=len(rows)).tolist()
    array = np.load(io.BytesIO(files["scores.npy"]), allow_pickle=False)
    assert array.shape == (-(-360 // 16), 30, len(expected_result().card.classes)) and array.dtype == np.float32
    assert np.allclose(array, scores.cells(16), atol=1e-3)
    readme = files["README.txt"].decode()
    assert (
        "480 x 360" in readme
        and "FCN-16s" in readme
        and "bilinear, x16" in readme
        and expected_result().card.sha256 in readme
    )


def test_files_of_an_own_photo_have_its_own_size(page: Page) -> None:
    open_page(page)
    data = jpeg(701, 503)
    upload(page, "own.jpg", data)
    wait_until_drawn(page, hashlib.sha256(data).hexdigest())
    with downloading(page) as fetch:
        found = np.asarray(Image.open(io.BytesIO(fetch("labels.png"))))
    segmenter = Segmenter.load((viewer(page).get_attribute("data-ready") or "").split()[0])
    expected = segmenter.upsample(segmenter.score(decode(data).pixels)).labels
    assert np.array_equal(found, labels_to_own_size(expected, (503, 701)))

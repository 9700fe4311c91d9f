"""Giving a photo and using the switches, with a stopwatch: by pointer, keys, clipboard, drop and camera."""

import base64
import hashlib
import io
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, FilePayload, Page, WebSocket, expect

from fcn.scenes.scene import render_scene
from tests.support import browsing
from tests.support.browsing import (
    SCORES,
    SEGMENTATION,
    canvas,
    choose,
    jpeg,
    open_page,
    option,
    part,
    pictures,
    readout,
    shows_no_error,
    viewer,
    visiting,
    wait_until_drawn,
    wait_until_quiet,
)

pytestmark = pytest.mark.browser

#: Hand files to the page as a paste or a drop does.
HAND = """([kind, files]) => {
    const transfer = new DataTransfer();
    for (const [name, type, data] of files)
        transfer.items.add(new File([Uint8Array.from(atob(data), letter => letter.charCodeAt(0))], name, { type }));
    const event = kind === "paste"
        ? new ClipboardEvent("paste", { clipboardData: transfer, bubbles: true, composed: true })
        : new DragEvent("drop", { dataTransfer: transfer, bubbles: true, cancelable: true, composed: true });
    document.body.dispatchEvent(event);
}"""


#: A camera that films a drawing.
CAMERA = """navigator.mediaDevices ??= {};
navigator.mediaDevices.getUserMedia = async () => {
    const canvas = Object.assign(document.createElement("canvas"), { width: 320, height: 240 });
    const pen = canvas.getContext("2d");
    setInterval(() => { pen.fillStyle = `hsl(${Date.now() % 360} 80% 50%)`; pen.fillRect(0, 0, 320, 240); }, 30);
    return canvas.captureStream();
};"""


def hand(page: Page, kind: str, *files: tuple[str, str, bytes]) -> None:
    page.evaluate(HAND, [kind, [[name, mime, base64.b64encode(data).decode()] for name, mime, data in files]])


def png(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(array).save(file, "PNG")
    return file.getvalue()


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def test_an_own_photo_is_two_actions_away(page: Page) -> None:
    open_page(page, "/")
    data = jpeg(320, 240)
    with page.expect_file_chooser() as waiting:
        page.get_by_role("button", name="+ Your photo").click()
    assert waiting.value.element.get_attribute("accept") == "image/*,.heic,.heif"
    file: FilePayload = {"name": "own.jpg", "mimeType": "image/jpeg", "buffer": data}
    waiting.value.set_files([file])
    wait_until_drawn(page, digest(data))
    expect(viewer(page).locator(".note")).to_contain_text("photo")
    expect(viewer(page).locator('[data-sample=""]')).to_have_attribute("aria-pressed", "true")


@pytest.mark.parametrize("how", ["press", "drop"])
def test_who_is_quicker_than_the_page_gives_a_photo_too(page: Page, how: str) -> None:
    """The file input appears only after the photo was given."""
    open_page(page, "/")
    data = jpeg(315, 225)
    page.evaluate(
        """() => {
            const place = document.querySelector('[class*="st-key-upload"]');
            const name = place.className;
            place.className = "";
            setTimeout(() => { place.className = name; }, 1500);
        }"""
    )
    if how == "press":
        with page.expect_file_chooser() as waiting:
            page.get_by_role("button", name="+ Your photo").click()
        waiting.value.set_files([FilePayload(name="own.jpg", mimeType="image/jpeg", buffer=data)])
    else:
        hand(page, "drop", ("own.jpg", "image/jpeg", data))
    wait_until_drawn(page, digest(data))


@pytest.mark.parametrize("kind", ["paste", "drop"])
def test_a_photo_is_taken_from_the_clipboard_and_where_it_is_dropped(page: Page, kind: str) -> None:
    open_page(page, "/")
    data = jpeg(300, 200)
    hand(page, kind, ("own.jpg", "image/jpeg", data))
    wait_until_drawn(page, digest(data))
    assert shows_no_error(page) and "own" not in page.url


def test_what_is_no_picture_is_answered_at_once(page: Page) -> None:
    open_page(page, "/")
    before = pictures(page)
    hand(page, "drop", ("notes.txt", "text/plain", b"Dear sir"))
    expect(viewer(page).locator(".note")).to_contain_text("notes.txt is not a picture")
    assert pictures(page) == before


@pytest.mark.parametrize(
    ("status", "sentence"), [(503, "the server is busy"), (413, "more than 20 MB"), (0, "the connection broke")]
)
def test_an_upload_that_the_server_does_not_take_is_told_and_can_be_repeated(
    page: Page, status: int, sentence: str
) -> None:
    open_page(page, "/")
    before, data = pictures(page), jpeg(310, 210)
    address = "**/_stcore/upload_file/**"
    page.route(address, lambda route: route.fulfill(status=status) if status else route.abort())
    for _ in range(2):
        hand(page, "drop", ("own.jpg", "image/jpeg", data))
        expect(viewer(page).locator(".note")).to_contain_text(sentence)
        expect(viewer(page)).to_have_attribute("aria-busy", "false")
        assert pictures(page) == before
        page.wait_for_timeout(500)
    page.unroute(address)
    hand(page, "drop", ("own.jpg", "image/jpeg", data))
    wait_until_drawn(page, digest(data))
    before, later = pictures(page), jpeg(305, 215)
    page.route(address, lambda route: route.fulfill(status=status) if status else route.abort())
    hand(page, "drop", ("later.jpg", "image/jpeg", later))  # the photo that is shown stays, and so does the sentence
    expect(viewer(page).locator(".note")).to_contain_text(sentence)
    page.wait_for_timeout(2000)
    expect(viewer(page).locator(".note")).to_contain_text(sentence)
    expect(viewer(page)).to_have_attribute("aria-busy", "false")
    assert pictures(page) == before
    page.unroute(address)
    hand(page, "drop", ("later.jpg", "image/jpeg", later))
    wait_until_drawn(page, digest(later))
    expect(viewer(page).locator(".note")).not_to_contain_text(sentence)


def test_a_file_that_is_too_large_is_told_when_it_is_chosen(page: Page, tmp_path: Path) -> None:
    open_page(page, "/")
    large = tmp_path / "large.jpg"
    large.write_bytes(bytes(22 * 1024**2))
    with page.expect_file_chooser() as waiting:
        page.get_by_role("button", name="+ Your photo").click()
    waiting.value.set_files(large)
    expect(viewer(page).locator(".note")).to_contain_text("more than 20 MB")
    expect(viewer(page)).to_have_attribute("aria-busy", "false")


def test_a_mask_that_is_dropped_with_its_photo_scores_it(page: Page) -> None:
    open_page(page, "/?lock=model&model=Street+scenes")
    scene = render_scene(7, 240, 180)
    photo = png(scene.photo)
    hand(page, "drop", ("street.png", "image/png", photo), ("street_mask.png", "image/png", png(scene.labels)))
    wait_until_drawn(page, digest(photo))
    expect(page.locator(".st-key-truth")).to_contain_text("overlap (mIoU)")


def test_the_camera_gives_a_photo(page: Page) -> None:
    page.add_init_script(CAMERA)
    open_page(page, "/")
    before = pictures(page)
    page.get_by_role("button", name="Take a photo", exact=True).click()
    page.wait_for_timeout(300)  # for the first picture of the camera
    page.get_by_role("button", name="Take the photo").click()
    expect(viewer(page).locator('[data-sample=""]')).to_have_attribute("aria-pressed", "true")
    wait_until_drawn(page)
    assert pictures(page) != before


def test_hidden_upload_takes_nothing(page: Page) -> None:
    open_page(page, "/?hide=upload")
    before = pictures(page)
    hand(page, "paste", ("own.jpg", "image/jpeg", jpeg(300, 200)))
    page.wait_for_timeout(1000)
    assert pictures(page) == before


def test_a_sample_is_one_card_by_pointer_and_key_and_the_result_stays_in_view(page: Page) -> None:
    open_page(page, "/")
    for name in ("cow", "sheep"):
        card = viewer(page).locator(f'[data-sample="{name}"]')
        if name == "cow":
            card.click()
        else:
            card.press("Enter")
        expect(page).to_have_url(re.compile(f"sample={name}"))
        expect(card).to_have_attribute("aria-pressed", "true")
        wait_until_quiet(page)
        expect(canvas(page, SEGMENTATION)).to_be_in_viewport(ratio=0.9)


# The switches


@pytest.mark.parametrize(
    ("key", "title"), [("upsampling", "Cells"), ("upsampling", "Bilinear"), ("view", "Compare"), ("view", "Difference")]
)
def test_switches_act_in_the_browser_and_cost_little_on_the_wire(page: Page, key: str, title: str) -> None:
    received: list[int] = []

    def watch(socket: WebSocket) -> None:
        socket.on("framereceived", lambda data: received.append(len(data)))

    page.on("websocket", watch)
    open_page(page, "/")
    page.wait_for_timeout(800)
    received.clear()
    milliseconds = option(page, key, title).evaluate(
        """one => new Promise(done => {
            const start = performance.now();
            one.click();
            requestAnimationFrame(() => requestAnimationFrame(() => done(performance.now() - start)));
        })"""
    )
    wait_until_drawn(page)
    page.wait_for_timeout(800)
    print(f"{title}: {milliseconds:.0f} ms to the next picture, {sum(received)} bytes")
    assert milliseconds < 150, "50 ms and two frames on a quiet machine"
    assert 0 < sum(received) < 10_000


@pytest.fixture
def street(page: Page) -> Iterator[Page]:
    yield open_page(page)


def test_show_where_zooms_and_shows_both_in_turn(street: Page) -> None:
    viewer(street).get_by_role("button", name="Show where").click()
    expect(canvas(street, SEGMENTATION)).to_have_class(re.compile("zoomed"))
    corner = viewer(street).locator(".corner.left")
    for name in ("Bilinear", "Transposed", "Bilinear"):
        expect(corner).to_have_text(name)
    choose(street, "upsampling", "Cells", "nearest")
    expect(corner).to_be_hidden()


def test_every_pair_can_be_compared(street: Page) -> None:
    choose(street, "view", "Compare", "compare")
    for title, other in (("Cells", "transposed"), ("Bilinear", "transposed"), ("Transposed convolution", "nearest")):
        choose(street, "upsampling", title)
        street.get_by_label("Compare with").select_option(other)
        wait_until_quiet(street)
        short = {"nearest": "Cells", "transposed": "Transposed"}[other]
        expect(viewer(street).locator(".corner.left")).to_have_text(short)
        expect(viewer(street).locator(".corner.right")).to_have_text(title.split()[0])


def test_the_line_follows_a_drag_anywhere_and_the_keys(street: Page) -> None:
    choose(street, "view", "Compare", "compare")
    line = street.get_by_role("slider", name="Dividing line")
    box = canvas(street, SEGMENTATION).bounding_box()
    assert box is not None
    street.mouse.move(box["x"] + 0.9 * box["width"], box["y"] + 20)
    street.mouse.down()
    street.mouse.move(box["x"] + 0.25 * box["width"], box["y"] + 60, steps=4)
    street.mouse.up()
    expect(line).to_have_attribute("aria-valuenow", "25")
    line.press("ArrowRight")
    expect(line).to_have_attribute("aria-valuenow", "27")


def test_what_does_not_act_in_a_view_is_disabled_with_a_reason(street: Page) -> None:
    choose(street, "view", "Difference", "difference")
    for control in (street.get_by_role("slider", name="Fill", include_hidden=True), street.get_by_label("Names on")):
        expect(control).to_be_disabled()
        assert "ifference shows no classes" in (control.locator("..").get_attribute("title") or "")
    button = viewer(street).locator(".legend button").first
    expect(button).to_be_disabled()
    assert "ifference shows no classes" in (button.get_attribute("title") or "")


@pytest.mark.parametrize(
    ("title", "sheet", "name"), [("Features", "features", "Feature map"), ("Shapes", "shapes", "Shape channel")]
)
def test_mosaic_reads_values_and_opens_a_map(street: Page, title: str, sheet: str, name: str) -> None:
    choose(street, "cells", title, sheet)
    box = canvas(street, SCORES).bounding_box()
    assert box is not None
    street.mouse.move(box["x"] + 0.6 * box["width"], box["y"] + 0.3 * box["height"])
    assert re.search(rf"row \d+, column \d+\. {name} 7 \(channel \d+\): [01]\.\d\d", readout(street))
    street.mouse.down()
    street.mouse.up()
    expect(street.get_by_label(f"{name}, strongest first")).to_have_value("7")
    street.get_by_role("button", name="All maps").click()
    wait_until_drawn(street, sheet)


@pytest.mark.parametrize("shape", [(180, 320), (640, 200)], ids=["9 to 16", "panorama"])
def test_legend_stays_in_sight_whatever_the_shape(browser: Browser, server: str, shape: tuple[int, int]) -> None:
    with visiting(browser, server, 1366, 768) as page:
        open_page(page, "/")
        data = jpeg(*shape)
        browsing.upload(page, "own.jpg", data)
        wait_until_drawn(page, digest(data))
        expect(viewer(page).locator(".legend")).to_be_in_viewport(ratio=1)
        choose(page, "view", "Compare", "compare")
        handle, picture = viewer(page).locator(".handle").bounding_box(), canvas(page, SEGMENTATION).bounding_box()
        assert handle and picture
        assert abs(handle["x"] + handle["width"] / 2 - picture["x"] - picture["width"] / 2) < 3


def test_on_a_phone_the_result_is_seen_after_an_upload_and_read_beside_the_finger(
    browser: Browser, server: str
) -> None:
    with visiting(browser, server, 390, 844, has_touch=True, is_mobile=True) as page:
        open_page(page, "/")
        data = jpeg(240, 320)
        browsing.upload(page, "own.jpg", data)
        wait_until_drawn(page, digest(data))
        expect(canvas(page, SEGMENTATION)).to_be_in_viewport(ratio=0.6)
        lefts = [canvas(page, index).evaluate("one => one.getBoundingClientRect().left") for index in range(3)]
        assert lefts[SEGMENTATION] < lefts[SCORES] < lefts[0]
        assert part(page, "upsampling").get_by_role("radio").count() == 3


def test_a_click_calls_what_another_file_hangs_in(street: Page) -> None:
    viewer(street).evaluate("one => { one.viewer.onPixel = (x, y) => { one.dataset.called = `${x},${y}`; }; }")
    street.mouse.click(*browsing.point(street, SEGMENTATION, 100, 90))
    expect(viewer(street)).to_have_attribute("data-called", "100,90")
    canvas(street, SEGMENTATION).press("ArrowRight")
    canvas(street, SEGMENTATION).press("Enter")
    expect(viewer(street)).to_have_attribute("data-called", "101,90")

"""The page in a real browser: what only layout, scripts and a true upload can show.

Skipped where there is no chromium; with FCN_REQUIRE_BROWSER=1 in the environment that is a failure instead.
"""

import hashlib
import io
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, ConsoleMessage, Locator, Page, expect, sync_playwright

pytestmark = pytest.mark.browser

ROOT = Path(__file__).parents[1]
PATIENCE = 300  # seconds, for a busy machine
PHOTO, SEGMENTATION = 0, 2
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-quic",
    "--no-first-run",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="module")
def chromium() -> str:
    """Path of the installed browser."""
    names = ("chromium", "/usr/bin/chromium", "chromium-browser", "google-chrome")
    path = next(filter(None, map(shutil.which, names)), None)
    if path is None and os.environ.get("FCN_REQUIRE_BROWSER") == "1":
        pytest.fail("FCN_REQUIRE_BROWSER=1, but no chromium is installed.")
    if path is None:
        pytest.skip("No chromium is installed.")
    return path


@pytest.fixture(scope="module")
def server(chromium: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of the app, run as a visitor's server runs it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "streamlit", "run", "app.py", "--server.headless", "true"]
    command += ["--server.address", "127.0.0.1", "--server.port", str(port)]
    log = tmp_path_factory.mktemp("server") / "log.txt"
    with log.open("w") as output:
        process = subprocess.Popen(command, cwd=ROOT, stdout=output, stderr=subprocess.STDOUT)
        try:
            address = f"http://127.0.0.1:{port}"
            wait_until_healthy(address, process, log)
            yield address
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def wait_until_healthy(address: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        try:
            with urllib.request.urlopen(f"{address}/_stcore/health", timeout=5) as answer:
                if answer.status == 200:
                    return
        except (urllib.error.URLError, OSError):
            pass
        try:
            process.wait(0.2)
        except subprocess.TimeoutExpired:
            continue
        break
    pytest.fail(f"The server did not start:\n{log.read_text()}")


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(
            executable_path=chromium, args=ARGUMENTS, timeout=1000 * PATIENCE, chromium_sandbox=False
        )
        yield started
        started.close()


@pytest.fixture
def page(browser: Browser, server: str) -> Iterator[Page]:
    """A new visitor before the first page."""
    yield from visitor(browser, server, 1280, 900)


@pytest.fixture
def phone(browser: Browser, server: str) -> Iterator[Page]:
    yield from visitor(browser, server, 390, 844)


def visitor(browser: Browser, server: str, width: int, height: int) -> Iterator[Page]:
    context = browser.new_context(base_url=server, viewport={"width": width, "height": height})
    context.set_default_timeout(1000 * PATIENCE)
    context.set_default_navigation_timeout(1000 * PATIENCE)
    expect.set_options(timeout=1000 * PATIENCE)
    context.route(lambda url: not url.startswith(server), lambda route: route.abort())
    yield context.new_page()
    context.close()


def opened(page: Page, address: str = "/") -> Page:
    """Open the app and wait until the pictures are drawn and the server has nothing more to say."""
    page.goto(address)
    settled(page)
    return page


def viewer(page: Page) -> Locator:
    """The part of the page that draws the three pictures; it tells in `data-ready` what it has drawn."""
    return page.locator(".viewer")


def settled(page: Page, ready: str = ".") -> None:
    """Wait until the server is done and the pictures that `ready` tells of are drawn."""
    expect(viewer(page)).to_have_attribute("data-ready", re.compile(ready))
    expect(page.get_by_test_id("stApp")).to_have_attribute("data-test-script-state", "notRunning")
    page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")


def pictures(page: Page) -> list[str]:
    """Pixels of the photo, the score map and the segmentation, as the browser has drawn them."""
    drawn: list[str] = page.locator(".viewer canvas").evaluate_all("all => all.map(one => one.toDataURL())")
    return drawn


def switch(page: Page, title: str, name: str) -> None:
    """Use the switch and wait for the new picture."""
    page.locator(".st-key-upsampling").get_by_text(title, exact=True).click()
    settled(page, name)


def upload(page: Page, name: str, data: bytes) -> None:
    chooser = page.locator(".st-key-upload input[type=file]")
    chooser.set_input_files([{"name": name, "mimeType": "application/octet-stream", "buffer": data}])


def jpeg(width: int, height: int) -> bytes:
    rows, columns = np.mgrid[0 : 1 : height * 1j, 0 : 1 : width * 1j]
    pixels = np.stack([rows * 250, columns * 250, 60 + 0 * rows], -1).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG")
    return file.getvalue()


def test_page_opens_with_three_pictures_and_no_error(page: Page, server: str) -> None:
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))

    def note(message: ConsoleMessage) -> None:
        if message.type == "error" and message.location["url"].startswith(server):
            errors.append(message.text)

    page.on("console", note)
    opened(page)
    assert page.get_by_test_id("stException").count() == 0 and not errors
    canvases = page.locator(".viewer canvas")
    assert canvases.count() == 3
    for index in range(3):
        expect(canvases.nth(index)).to_be_visible()
    assert len(set(pictures(page))) == 3


def test_switch_changes_the_segmentation_alone(page: Page) -> None:
    opened(page)
    transposed = pictures(page)
    switch(page, "Bilinear", "bilinear")
    bilinear = pictures(page)
    assert transposed[:SEGMENTATION] == bilinear[:SEGMENTATION]
    assert transposed[SEGMENTATION] != bilinear[SEGMENTATION]
    switch(page, "Transposed convolution", "transposed")
    assert pictures(page) == transposed


def test_nothing_jumps_when_the_switch_is_used(page: Page) -> None:
    opened(page)
    watched = page.locator(".viewer canvas, .viewer .readout")
    watched.evaluate_all(
        """all => {
            window.places = all.map(() => []);
            const look = () => {
                all.forEach((one, index) => {
                    const box = one.getBoundingClientRect();
                    window.places[index].push([box.top, box.height]);
                });
                requestAnimationFrame(look);
            };
            look();
        }"""
    )
    switch(page, "Bilinear", "bilinear")
    for places in page.evaluate("window.places"):
        spread = np.ptp(np.array(places), axis=0)  # over every frame drawn, not only at the end
        assert spread.max() <= 1, f"top and height moved by {spread} pixels"


def test_pointing_at_a_pixel_reads_it_out(page: Page) -> None:
    opened(page)
    before = viewer(page).locator(".readout").inner_text()
    page.locator(".viewer canvas").nth(SEGMENTATION).hover()
    expect(viewer(page).locator(".readout")).not_to_have_text(before)


def test_uploaded_photo_replaces_the_sample(page: Page) -> None:
    opened(page)
    data = jpeg(200, 150)
    upload(page, "own.jpg", data)
    settled(page, hashlib.sha256(data).hexdigest())
    shape = page.locator(".viewer canvas").nth(PHOTO).evaluate("one => one.clientWidth / one.clientHeight")
    assert abs(shape - 200 / 150) < 0.02
    assert "own" not in page.url


def test_refused_upload_is_told_and_the_photo_stays(page: Page) -> None:
    opened(page)
    before = pictures(page)
    upload(page, "<img src=x onerror=document.title='broken'>.png", b"no image at all")
    expect(page.get_by_test_id("stAlert")).to_contain_text("not an image")
    settled(page)
    assert pictures(page) == before
    assert page.locator('[data-testid="stMain"] img[src="x"]').count() == 0 and page.title() != "broken"


def test_hostile_link_opens_the_page(page: Page) -> None:
    opened(page, "/?stride=&upsampling=<script>alert(1)</script>&sample=../../etc&size=1&opacity=999&model=&view=")
    assert page.get_by_test_id("stException").count() == page.get_by_test_id("stAlert").count() == 0


@pytest.mark.parametrize("address", ["/", "/?stride=FCN-8s"])
def test_phone_has_no_sideways_scrolling(phone: Page, address: str) -> None:
    opened(phone, address)
    too_wide = phone.evaluate(
        """() => [document.scrollingElement, ...document.querySelectorAll(
            '[data-testid="stAppViewContainer"], [data-testid="stMain"], [data-testid="stMainBlockContainer"]')]
            .filter(one => one.scrollWidth > one.clientWidth).map(one => one.outerHTML.slice(0, 80))"""
    )
    assert not too_wide
    rights = phone.locator(".viewer canvas").evaluate_all("all => all.map(one => one.getBoundingClientRect().right)")
    assert max(rights) <= 390


def test_model_and_network_are_switched_and_kept_in_the_link(page: Page) -> None:
    opened(page, "/")
    page.locator(".st-key-model").get_by_text("People & animals", exact=True).click()
    expect(page.locator(".viewer .legend")).to_contain_text("person", timeout=PATIENCE * 1000)
    page.locator(".st-key-stride").get_by_text("FCN-8s", exact=True).click()
    expect(page.locator(".viewer figcaption").nth(1)).to_contain_text("8 x 8 pixels", timeout=PATIENCE * 1000)
    page.wait_for_url("**stride=FCN-8s**")
    opened(page, "/?" + page.url.split("?", 1)[1])
    expect(page.locator(".viewer .legend")).to_contain_text("person")
    expect(page.locator(".viewer figcaption").nth(1)).to_contain_text("8 x 8 pixels")

"""The page in a real browser: what only layout, scripts and a true upload can show.

Skipped where there is no chromium; with FCN_REQUIRE_BROWSER=1 in the environment that is a failure instead.
"""

import io
import os
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
from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright

pytestmark = pytest.mark.browser

ROOT = Path(__file__).parents[1]
PATIENCE = 120  # seconds, for a busy machine
PHOTO, SCORE_MAP, SEGMENTATION = range(3)
ARGUMENTS = (
    "--no-sandbox --disable-gpu --disable-background-networking --disable-quic --no-first-run "
    "--disable-component-update --disable-sync"
).split()


@pytest.fixture(scope="module")
def chromium() -> str:
    """Path of the installed browser."""
    path = shutil.which("chromium") or shutil.which("/usr/bin/chromium")
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
    """Open the app and wait until the pictures are there and the server has nothing more to say."""
    page.goto(address)
    for index in range(3):
        loaded(page, index)
    at_rest(page)
    return page


def at_rest(page: Page) -> None:
    expect(page.get_by_test_id("stApp")).to_have_attribute("data-test-script-state", "notRunning")


def picture(page: Page, index: int) -> Locator:
    """One of the three pictures; the thumbnails of the gallery have no description."""
    return page.locator('[data-testid="stMain"] img[alt]:not([alt=""])').nth(index)


def loaded(page: Page, index: int) -> Locator:
    """The picture, once the browser has decoded it."""
    shown = picture(page, index)
    expect(shown).to_be_visible()
    page.wait_for_function("image => image.complete && image.naturalWidth > 0", arg=shown.element_handle())
    return shown


def sources(page: Page) -> list[str | None]:
    return [loaded(page, index).get_attribute("src") for index in range(3)]


def choose_upsampling(page: Page, title: str) -> None:
    """Use the switch and wait for the new picture."""
    old = picture(page, SEGMENTATION).get_attribute("src")
    assert old is not None
    page.locator(".st-key-upsampling").get_by_text(title, exact=True).click()
    expect(picture(page, SEGMENTATION)).not_to_have_attribute("src", old)
    loaded(page, SEGMENTATION)
    at_rest(page)


def jpeg(width: int, height: int) -> bytes:
    rows, columns = np.mgrid[0 : 1 : height * 1j, 0 : 1 : width * 1j]
    pixels = np.stack([rows * 250, columns * 250, 60 + 0 * rows], -1).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG")
    return file.getvalue()


def test_page_opens_with_three_pictures_and_no_error(page: Page, server: str) -> None:
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on(
        "console",
        lambda message: (
            errors.append(message.text)
            if message.type == "error" and message.location["url"].startswith(("/", server))
            else None
        ),
    )
    opened(page)
    assert page.get_by_test_id("stException").count() == 0
    assert not errors


def test_switch_changes_the_segmentation_alone(page: Page) -> None:
    opened(page)
    before = sources(page)
    choose_upsampling(page, "Bilinear")
    after = sources(page)
    assert (before[PHOTO], before[SCORE_MAP]) == (after[PHOTO], after[SCORE_MAP])
    assert before[SEGMENTATION] != after[SEGMENTATION]
    choose_upsampling(page, "Transposed convolution")
    assert sources(page) == before


def test_nothing_jumps_when_the_switch_is_used(page: Page) -> None:
    opened(page)
    page.evaluate(
        """() => {
            const watched = [...document.querySelectorAll('[data-testid="stMain"] img[alt]:not([alt=""])')].slice(0, 3);
            window.seen = watched.map(() => []);
            const look = () => {
                watched.forEach((image, index) => {
                    const box = image.getBoundingClientRect();
                    window.seen[index].push([box.top, box.height]);
                });
                requestAnimationFrame(look);
            };
            look();
        }"""
    )
    choose_upsampling(page, "Bilinear")
    for places in page.evaluate("window.seen"):
        spread = np.ptp(np.array(places), axis=0)  # in every frame drawn, not only at the end
        assert spread.max() <= 1, f"top and height moved by {spread} pixels"


def test_uploaded_photo_replaces_the_sample(page: Page) -> None:
    opened(page)
    before = sources(page)
    chooser = page.locator(".st-key-upload input[type=file]")
    chooser.set_input_files([{"name": "own.jpg", "mimeType": "image/jpeg", "buffer": jpeg(200, 150)}])
    expect(picture(page, PHOTO)).not_to_have_attribute("src", str(before[PHOTO]))
    at_rest(page)
    assert loaded(page, PHOTO).evaluate("image => [image.naturalWidth, image.naturalHeight]") == [200, 150]
    assert loaded(page, SEGMENTATION).evaluate("image => [image.naturalWidth, image.naturalHeight]") == [200, 150]
    assert "own" not in page.url


def test_refused_upload_is_told_and_the_photo_stays(page: Page) -> None:
    opened(page)
    before = sources(page)
    name = "<img src=x onerror=document.title='broken'>.png"
    chooser = page.locator(".st-key-upload input[type=file]")
    chooser.set_input_files([{"name": name, "mimeType": "image/png", "buffer": b"no image at all"}])
    expect(page.get_by_test_id("stAlert")).to_contain_text("not an image")
    at_rest(page)
    assert sources(page) == before
    assert page.locator('[data-testid="stMain"] img[src="x"]').count() == 0 and page.title() != "broken"


def test_hostile_link_opens_the_page(page: Page) -> None:
    opened(page, "/?stride=&upsampling=<script>alert(1)</script>&sample=../../etc&size=1&opacity=999&model=")
    assert page.get_by_test_id("stException").count() == 0


@pytest.mark.parametrize("address", ["/", "/?stride=8"])
def test_phone_has_no_sideways_scrolling(phone: Page, address: str) -> None:
    opened(phone, address)
    too_wide = phone.evaluate(
        """() => [document.scrollingElement, ...document.querySelectorAll(
            '[data-testid="stAppViewContainer"], [data-testid="stMain"], [data-testid="stMainBlockContainer"]'
        )].filter(element => element.scrollWidth > element.clientWidth).map(element => element.outerHTML.slice(0, 80))"""
    )
    assert not too_wide
    right = max(picture(phone, index).evaluate("image => image.getBoundingClientRect().right") for index in range(3))
    assert right <= 390

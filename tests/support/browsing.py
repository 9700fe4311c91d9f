"""A visitor with a real browser: opening pages, using their controls, reading what is drawn.

Also what the page should draw, computed here by the same path from a photo to its labels (`expected_result`).
"""

from __future__ import annotations

import base64
import io
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

import numpy as np
from PIL import Image
from playwright.sync_api import Browser, FilePayload, Locator, Page, Playwright, expect

from fcn.model import zoo
from fcn.model.segmenter import Scores, Segmentation, Segmenter
from fcn.pictures import render
from fcn.ui.choices import OPACITY
from fcn.ui.photo.samples import samples

PATIENCE = 300  # seconds, for a busy machine
PHOTO, SCORES, SEGMENTATION = 0, 1, 2  # the three pictures
WIDE = 1520, 1000  # window in which a picture of 480 x 360 pixels is drawn pixel by pixel
#: The sample that the tests look at, without names on its regions, which would hide pixels.
STREET = "/?sample=scene-24&names=0"
NAMES = ("chromium", "/usr/bin/chromium", "chromium-browser", "google-chrome")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-quic",
    "--no-first-run",
    "--disable-component-update",
    "--disable-sync",
]

# The visit


def find_browser() -> str | None:
    """Path of the browser, if there is one."""
    return next(filter(None, map(shutil.which, NAMES)), None)


def is_browser_required() -> bool:
    """Whether a missing browser is a failure."""
    return os.environ.get("FCN_REQUIRE_BROWSER") == "1"


def launch(playwright: Playwright, path: str) -> Browser:
    """Start the browser."""
    return playwright.chromium.launch(
        executable_path=path, args=ARGUMENTS, timeout=1000 * PATIENCE, chromium_sandbox=False
    )


@contextmanager
def visiting(browser: Browser, server: str, width: int = 1280, height: int = 900, **options: Any) -> Iterator[Page]:
    """A new visitor before the first page, who reaches nothing but the server.

    Args:
        browser: From `launch`.
        server: Address of the app.
        width: Of the window, pixels.
        height: Of the window, pixels.
        options: More options of `Browser.new_context`.
    """
    context = browser.new_context(base_url=server, viewport={"width": width, "height": height}, **options)
    context.set_default_timeout(1000 * PATIENCE)
    context.set_default_navigation_timeout(1000 * PATIENCE)
    expect.set_options(timeout=1000 * PATIENCE)
    context.route(lambda url: not url.startswith(server), lambda route: route.abort())
    yield context.new_page()
    context.close()


def open_page(page: Page, address: str = STREET) -> Page:
    """Open the first page and wait until the pictures are drawn and the server is done."""
    page.goto(address)
    wait_until_drawn(page)
    return page


def viewer(page: Page) -> Locator:
    """The part of the page that draws the three pictures; it tells in `data-ready` what it has drawn."""
    return page.locator(".viewer")


def wait_until_quiet(page: Page) -> None:
    """Wait until the server is done and what it sent is drawn."""
    expect(page.get_by_test_id("stApp")).to_have_attribute("data-test-script-state", "notRunning")
    page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")


def wait_until_drawn(page: Page, ready: str = ".") -> None:
    """Wait until the server is done and the pictures that `ready` describes are drawn."""
    expect(viewer(page)).to_have_attribute("data-ready", re.compile(ready))
    wait_until_quiet(page)


def shows_no_error(page: Page) -> bool:
    """Whether the page shows neither an exception nor an error."""
    return page.get_by_test_id("stException").count() == page.get_by_test_id("stAlertContentError").count() == 0


# Controls


def option(page: Page, key: str, title: str) -> Locator:
    """A choice of a switch, of Streamlit's or of the first screen."""
    return page.locator(f".st-key-{key}, [data-part='{key}']").get_by_role("radio", name=title, exact=True)


def part(page: Page, name: str) -> Locator:
    """What a teacher may hide under this name: a part of the first screen or of the page."""
    return page.locator(f".st-key-{name}, [data-part='{name}']")


def choose(page: Page, key: str, title: str, ready: str = ".") -> None:
    """Choose in a segmented control and wait for the pictures that `ready` describes."""
    wanted = option(page, key, title)
    if not wanted.is_checked():
        hidden = wanted.evaluate("one => one.tagName") == "INPUT"  # its label is what is seen
        (wanted.locator("..") if hidden else wanted).click()
    expect(wanted).to_be_checked()
    wait_until_drawn(page, ready)


def switch(page: Page, title: str, name: str) -> None:
    """Use the switch and wait for the new picture."""
    choose(page, "upsampling", title, name)


@contextmanager
def opening_more(page: Page) -> Iterator[Locator]:
    """The controls of "More", open for as long as the context lasts."""
    place = part(page, "more")
    place.locator("summary").click()
    yield place
    place.locator("summary").click()
    wait_until_quiet(page)


def use_model(page: Page, name: str) -> None:
    """Choose a model on the first screen, by name, and wait for its pictures."""
    part(page, "model").locator("select").select_option(name)
    wait_until_drawn(page, f"^{name} ")


def upload(page: Page, name: str, data: bytes) -> None:
    chooser = page.locator(".st-key-upload input[type=file]")
    file: FilePayload = {"name": name, "mimeType": "application/octet-stream", "buffer": data}
    chooser.set_input_files([file])


def jpeg(width: int, height: int) -> bytes:
    """A photo with a different colour in every corner."""
    rows, columns = np.mgrid[0 : 1 : height * 1j, 0 : 1 : width * 1j]
    pixels = np.stack([rows * 250, columns * 250, 60 + 0 * rows], -1).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG")
    return file.getvalue()


@dataclass(frozen=True)
class Stop:
    """What has the focus: its name, its kind of element, and the keys of the controls that it is in."""

    name: str
    tag: str
    keys: tuple[str, ...]


def collect_tab_stops(page: Page, most: int = 120) -> list[Stop]:
    """Press Tab from the top of the page until it comes round; return everything that got the focus."""
    page.locator("body").evaluate("one => { one.tabIndex = -1; one.focus(); one.removeAttribute('tabindex'); }")
    page.evaluate("window.seen = []")
    stops: list[Stop] = []
    for _ in range(most):
        page.keyboard.press("Tab")
        name, tag, keys, number = page.evaluate(FOCUSED)
        if tag == "BODY" or number < len(stops):
            break
        stops.append(Stop(name, tag, tuple(keys)))
    return stops


#: Name, tag, keys and number (in the order of the first focus) of what has the focus, in a shadow tree too.
FOCUSED = """() => {
    let one = document.activeElement, keys = [], host;
    while (one.shadowRoot?.activeElement) one = one.shadowRoot.activeElement;
    for (let part = one; part; part = part.parentElement ?? part.getRootNode().host)
        keys.push(...(part.dataset?.part ? [part.dataset.part] : []),
            ...[...part.classList].filter(name => name.startsWith("st-key-")).map(name => name.slice(7)));
    const seen = window.seen;
    if (!seen.includes(one)) seen.push(one);
    const name = one.getAttribute("aria-label") || one.labels?.[0]?.innerText || one.innerText || "";
    return [name.trim(), one.tagName, keys, seen.indexOf(one)];
}"""


# The wire


@dataclass
class Frame:
    """A message of the WebSocket: time in seconds of the browser's clock, direction, and bytes before compression."""

    time: float
    sent: bool
    size: int


class Wire:
    """Everything that a page loads and exchanges with the server, from the moment this is made.

    Attributes:
        loaded: Bytes of each answer on the wire, header included, by address and in the order of their end.
        frames: Messages of the WebSocket.
    """

    def __init__(self, page: Page):
        self.loaded: list[tuple[str, int]] = []
        self.frames: list[Frame] = []
        self._addresses: dict[str, str] = {}
        session = page.context.new_cdp_session(page)
        session.on("Network.requestWillBeSent", self._note_request)
        session.on("Network.loadingFinished", self._note_end)
        session.on("Network.webSocketFrameSent", lambda event: self._note_frame(event, True))
        session.on("Network.webSocketFrameReceived", lambda event: self._note_frame(event, False))
        session.send("Network.enable")

    def _note_request(self, event: dict[str, Any]) -> None:
        self._addresses[event["requestId"]] = event["request"]["url"]

    def _note_end(self, event: dict[str, Any]) -> None:
        self.loaded.append((self._addresses.get(event["requestId"], ""), int(event["encodedDataLength"])))

    def _note_frame(self, event: dict[str, Any], sent: bool) -> None:
        text, binary = event["response"]["payloadData"], event["response"]["opcode"] == 2
        size = len(text) * 3 // 4 - text[-2:].count("=") if binary else len(text.encode())
        self.frames.append(Frame(event["timestamp"], sent, size))

    def bundle(self) -> int:
        """Bytes of Streamlit's own files."""
        return sum(size for address, size in self.loaded if "/static/" in address)

    def bytes(self) -> dict[str, int]:
        """Bytes by what they are for."""
        total = sum(size for _, size in self.loaded)
        received = sum(frame.size for frame in self.frames if not frame.sent)
        return {"Streamlit's files": self.bundle(), "other files": total - self.bundle(), "WebSocket": received}


# Pictures


def canvas(page: Page, index: int) -> Locator:
    return page.locator(".viewer canvas").nth(index)


def pictures(page: Page) -> list[str]:
    """Pixels of the photo, the score map and the segmentation, as the browser has drawn them."""
    drawn: list[str] = page.locator(".viewer canvas").evaluate_all("all => all.map(one => one.toDataURL())")
    return drawn


def pixels(page: Page) -> list[np.ndarray]:
    """The three pictures, each (H, W, 3) int."""
    return [np.asarray(Image.open(io.BytesIO(unpack_url(url))).convert("RGB")).astype(int) for url in pictures(page)]


def unpack_url(url: str) -> bytes:
    """The content of a data URL."""
    return base64.b64decode(url.partition(",")[2])


def captions(page: Page) -> list[str]:
    return page.locator(".viewer figcaption").all_inner_texts()


def readout(page: Page) -> str:
    return page.locator(".viewer .readout").inner_text()


def point(page: Page, index: int, x: float, y: float, width: int = 480, height: int = 360) -> tuple[float, float]:
    """Where on the screen a pixel of the photo is, when the whole photo is shown."""
    box = canvas(page, index).bounding_box()
    assert box is not None
    return box["x"] + (x + 0.5) / width * box["width"], box["y"] + (y + 0.5) / height * box["height"]


# What it should be


@dataclass(frozen=True, eq=False)
class ExpectedResult:
    """What the page should show of a sample, at the working size."""

    card: zoo.Card
    photo: np.ndarray  # (h, w, 3) uint8
    pixels: np.ndarray  # (h, w, 3) uint8, as the page shows the photo
    scores: Scores
    segmenter: Segmenter

    @cached_property
    def palette(self) -> np.ndarray:
        """(C, 3) int."""
        return np.array(self.card.palette)

    @cache  # noqa: B019 - lives as long as the tests
    def segmentation(self, stride: int, upsampling: str) -> Segmentation:
        return self.segmenter.upsample(self.scores, stride, upsampling, confidence=True)

    def labels(self, stride: int = 32, upsampling: str = "transposed") -> np.ndarray:
        """(h, w) uint8."""
        return self.segmentation(stride, upsampling).labels

    def inner(self, stride: int = 32, upsampling: str = "transposed", margin: int = 3) -> np.ndarray:
        """(h, w) bool: pixels that no outline of a region reaches."""
        labels = self.labels(stride, upsampling)
        edge = np.zeros(labels.shape, bool)
        for axis in (0, 1):
            differs = np.diff(labels.astype(int), axis=axis) != 0
            for shift in range(-margin, margin + 1):
                moved = np.pad(differs, [(0, 1) if side == axis else (0, 0) for side in (0, 1)])
                edge |= np.roll(moved, shift, axis)
        for axis in (0, 1):  # round corners
            edge |= np.roll(edge, margin, axis) | np.roll(edge, -margin, axis)
        return ~edge

    def overlay(self, stride: int = 32, upsampling: str = "transposed", opacity: float = OPACITY / 100) -> np.ndarray:
        """(h, w, 3): the colours of the labels over the photo."""
        return (1 - opacity) * self.pixels + opacity * self.palette[self.labels(stride, upsampling)]


@cache
def expected_result(model: str = "street", sample: str = "scene-24") -> ExpectedResult:
    """Compute what the page should show of a sample of 480 x 360 pixels."""
    segmenter = Segmenter.load(model)
    photo, _ = samples(model)[sample].read()
    shown = np.asarray(Image.open(io.BytesIO(render.jpeg(photo.pixels))))
    return ExpectedResult(segmenter.card, photo.pixels, shown, segmenter.score(photo.pixels), segmenter)


def sample_hash(model: str, sample: str) -> str:
    """Hash of a sample's file, which is part of `data-ready`."""
    return samples(model)[sample].read()[0].sha256

"""A visitor with a real browser: opening pages, using their controls, reading what is drawn.

Also what the page should draw, computed here by the same path from a photo to its labels (`known`).
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
from playwright.sync_api import Browser, Locator, Page, Playwright, expect

from fcn import render, zoo
from fcn.segmenter import Scores, Segmentation, Segmenter
from fcn.ui.samples import samples

PATIENCE = 300  # seconds, for a busy machine
PHOTO, SCORES, SEGMENTATION = 0, 1, 2  # the three pictures
WIDE = 1632, 1000  # window in which a picture of 480 x 360 pixels is drawn pixel by pixel
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


def installed() -> str | None:
    """Path of the browser, if there is one."""
    return next(filter(None, map(shutil.which, NAMES)), None)


def required() -> bool:
    """Whether a missing browser is a failure."""
    return os.environ.get("FCN_REQUIRE_BROWSER") == "1"


def launched(playwright: Playwright, path: str) -> Browser:
    """Start the browser."""
    return playwright.chromium.launch(
        executable_path=path, args=ARGUMENTS, timeout=1000 * PATIENCE, chromium_sandbox=False
    )


@contextmanager
def visiting(browser: Browser, server: str, width: int = 1280, height: int = 900, **options: Any) -> Iterator[Page]:
    """A new visitor before the first page, who reaches nothing but the server.

    Args:
        browser: From `launched`.
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


def opened(page: Page, address: str = "/") -> Page:
    """Open the first page and wait until the pictures are drawn and the server has nothing more to say."""
    page.goto(address)
    settled(page)
    return page


def viewer(page: Page) -> Locator:
    """The part of the page that draws the three pictures; it tells in `data-ready` what it has drawn."""
    return page.locator(".viewer")


def quiet(page: Page) -> None:
    """Wait until the server is done and what it sent is drawn."""
    expect(page.get_by_test_id("stApp")).to_have_attribute("data-test-script-state", "notRunning")
    page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")


def settled(page: Page, ready: str = ".") -> None:
    """Wait until the server is done and the pictures that `ready` tells of are drawn."""
    expect(viewer(page)).to_have_attribute("data-ready", re.compile(ready))
    quiet(page)


def fine(page: Page) -> bool:
    """Whether the page shows neither an exception nor an error."""
    return page.get_by_test_id("stException").count() == page.get_by_test_id("stAlertContentError").count() == 0


# Controls


def option(page: Page, key: str, title: str) -> Locator:
    """A choice of a segmented control."""
    return page.locator(f".st-key-{key}").get_by_role("radio", name=title, exact=True)


def choose(page: Page, key: str, title: str, ready: str = ".") -> None:
    """Choose in a segmented control and wait for pictures that `ready` tells of."""
    option(page, key, title).click()
    expect(option(page, key, title)).to_be_checked()
    settled(page, ready)


def switch(page: Page, title: str, name: str) -> None:
    """Use the switch and wait for the new picture."""
    choose(page, "upsampling", title, name)


@contextmanager
def more(page: Page) -> Iterator[Locator]:
    """The controls of "More", open for as long as the context lasts."""
    page.locator(".st-key-more").get_by_role("button").click()
    yield page.get_by_test_id("stPopoverBody")
    page.keyboard.press("Escape")
    expect(page.get_by_test_id("stPopoverBody")).to_have_count(0)
    quiet(page)


def upload(page: Page, name: str, data: bytes) -> None:
    chooser = page.locator(".st-key-upload input[type=file]")
    chooser.set_input_files([{"name": name, "mimeType": "application/octet-stream", "buffer": data}])


def jpeg(width: int, height: int) -> bytes:
    """A photo with a different colour in every corner."""
    rows, columns = np.mgrid[0 : 1 : height * 1j, 0 : 1 : width * 1j]
    pixels = np.stack([rows * 250, columns * 250, 60 + 0 * rows], -1).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG")
    return file.getvalue()


# Pictures


def canvas(page: Page, index: int) -> Locator:
    return page.locator(".viewer canvas").nth(index)


def pictures(page: Page) -> list[str]:
    """Pixels of the photo, the score map and the segmentation, as the browser has drawn them."""
    drawn: list[str] = page.locator(".viewer canvas").evaluate_all("all => all.map(one => one.toDataURL())")
    return drawn


def pixels(page: Page) -> list[np.ndarray]:
    """The three pictures, each (H, W, 3) int."""
    return [np.asarray(Image.open(io.BytesIO(unpacked(url))).convert("RGB")).astype(int) for url in pictures(page)]


def unpacked(url: str) -> bytes:
    """What a data URL holds."""
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
class Known:
    """What the network says of a sample, at working size."""

    card: zoo.Card
    pixels: np.ndarray  # (h, w, 3) uint8, as the page shows the photo
    scores: Scores
    segmenter: Segmenter

    @cached_property
    def palette(self) -> np.ndarray:
        """(C, 3) int."""
        return np.array(self.card.palette)

    @cache  # noqa: B019 - lives as long as the tests
    def segmentation(self, stride: int, way: str) -> Segmentation:
        return self.segmenter.upsample(self.scores, stride, way, confidence=True)

    def labels(self, stride: int = 32, way: str = "transposed") -> np.ndarray:
        """(h, w) uint8."""
        return self.segmentation(stride, way).labels

    def overlay(self, stride: int = 32, way: str = "transposed", opacity: float = 0.65) -> np.ndarray:
        """(h, w, 3): the colours of the labels over the photo."""
        return (1 - opacity) * self.pixels + opacity * self.palette[self.labels(stride, way)]


@cache
def known(model: str = "street", sample: str = "scene-24") -> Known:
    """Look at a sample of the gallery, of 480 x 360 pixels."""
    segmenter = Segmenter.load(model)
    photo, _ = samples(model)[sample].read()
    shown = np.asarray(Image.open(io.BytesIO(render.jpeg(photo.pixels))))
    return Known(segmenter.card, shown, segmenter.score(photo.pixels), segmenter)

"""The page in a real browser: what only layout, scripts and a true upload can show.

Skipped where there is no chromium; with FCN_REQUIRE_BROWSER=1 in the environment that is a failure instead.
"""

import hashlib

import numpy as np
import pytest
from playwright.sync_api import ConsoleMessage, Page, expect

from tests.support.browsing import (
    PHOTO,
    SEGMENTATION,
    Wire,
    choose,
    jpeg,
    open_page,
    pictures,
    switch,
    upload,
    use_model,
    viewer,
    wait_until_drawn,
)

pytestmark = pytest.mark.browser


def test_page_opens_with_three_pictures_and_no_error(page: Page, server: str) -> None:
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))

    def note(message: ConsoleMessage) -> None:
        if message.type == "error" and message.location["url"].startswith(server):
            errors.append(message.text)

    page.on("console", note)
    open_page(page)
    assert page.get_by_test_id("stException").count() == 0 and not errors
    canvases = page.locator(".viewer canvas")
    assert canvases.count() == 3
    for index in range(3):
        expect(canvases.nth(index)).to_be_visible()
    assert len(set(pictures(page))) == 3


def test_switch_changes_the_segmentation_alone(page: Page) -> None:
    open_page(page)
    transposed = pictures(page)
    switch(page, "Bilinear", "bilinear")
    bilinear = pictures(page)
    assert transposed[:SEGMENTATION] == bilinear[:SEGMENTATION]
    assert transposed[SEGMENTATION] != bilinear[SEGMENTATION]
    switch(page, "Transposed convolution", "transposed")
    assert pictures(page) == transposed


def watch(page: Page) -> None:
    """Note where the pictures and what is below them are, in every frame drawn from now on."""
    page.locator(".viewer canvas, .viewer .readout, .viewer .legend, .sentence").evaluate_all(
        """all => {
            window.places = all.map(() => []);
            const look = () => {
                all.forEach((one, index) => {
                    const box = one.getBoundingClientRect();
                    window.places[index].push([box.top, one.matches("canvas") ? box.height : 0]);
                });
                requestAnimationFrame(look);
            };
            look();
        }"""
    )


def measure_movement(page: Page) -> float:
    """How far anything has moved up or down since `watch` was called, pixels."""
    return max(float(np.ptp(np.array(places), axis=0).max()) for places in page.evaluate("window.places"))


def test_nothing_jumps_when_the_switch_is_used(page: Page) -> None:
    open_page(page)
    watch(page)
    switch(page, "Bilinear", "bilinear")
    assert measure_movement(page) <= 1


def test_pointing_at_a_pixel_reads_it_out(page: Page) -> None:
    open_page(page)
    before = viewer(page).locator(".readout").inner_text()
    page.locator(".viewer canvas").nth(SEGMENTATION).hover()
    expect(viewer(page).locator(".readout")).not_to_have_text(before)


def test_uploaded_photo_replaces_the_sample(page: Page) -> None:
    open_page(page)
    data = jpeg(200, 150)
    upload(page, "own.jpg", data)
    wait_until_drawn(page, hashlib.sha256(data).hexdigest())
    shape = page.locator(".viewer canvas").nth(PHOTO).evaluate("one => one.clientWidth / one.clientHeight")
    assert abs(shape - 200 / 150) < 0.02
    assert "own" not in page.url


def test_refused_upload_is_told_and_the_photo_stays(page: Page) -> None:
    open_page(page)
    before = pictures(page)
    upload(page, "<img src=x onerror=document.title='broken'>.png", b"no image at all")
    expect(page.get_by_test_id("stAlert")).to_contain_text("not an image")
    wait_until_drawn(page)
    assert pictures(page) == before
    assert page.locator('[data-testid="stMain"] img[src="x"]').count() == 0 and page.title() != "broken"


def test_hostile_link_opens_the_page(page: Page) -> None:
    open_page(page, "/?stride=&upsampling=<script>alert(1)</script>&sample=../../etc&size=1&opacity=999&model=&view=")
    assert page.get_by_test_id("stException").count() == page.get_by_test_id("stAlert").count() == 0


@pytest.mark.parametrize("address", ["/", "/?stride=FCN-8s"])
def test_phone_has_no_sideways_scrolling(phone: Page, address: str) -> None:
    open_page(phone, address)
    too_wide = phone.evaluate(
        """() => [document.scrollingElement, ...document.querySelectorAll(
            '[data-testid="stAppViewContainer"], [data-testid="stMain"], [data-testid="stMainBlockContainer"]')]
            .filter(one => one.scrollWidth > one.clientWidth).map(one => one.outerHTML.slice(0, 80))"""
    )
    assert not too_wide
    rights = phone.locator(".viewer canvas").evaluate_all("all => all.map(one => one.getBoundingClientRect().right)")
    assert min(rights) <= 390  # the result; the other pictures are swiped to


def test_model_and_cell_size_are_switched_and_kept_in_the_link(page: Page) -> None:
    open_page(page, "/?sample=scene-24")
    use_model(page, "people_animals")
    expect(page.locator(".viewer .legend")).to_contain_text("background")
    choose(page, "stride", "8", "8$")
    expect(page.locator(".viewer figcaption").nth(1)).to_contain_text("8 x 8 pixels")
    page.wait_for_url("**stride=8**")
    open_page(page, "/?" + page.url.split("?", 1)[1])
    expect(page.locator(".viewer .legend")).to_contain_text("background")
    expect(page.locator(".viewer figcaption").nth(1)).to_contain_text("8 x 8 pixels")


@pytest.mark.parametrize(
    "key, title, ready",
    [("view", "Difference", "difference"), ("view", "Compare", "compare"), ("stride", "8", "8$")],
)
def test_nothing_jumps_when_another_picture_or_network_is_chosen(page: Page, key: str, title: str, ready: str) -> None:
    open_page(page)
    watch(page)
    choose(page, key, title, ready)
    assert measure_movement(page) <= 1


def test_first_page_weighs_little_beside_streamlit_itself(page: Page) -> None:
    wire = Wire(page)
    open_page(page)
    page.wait_for_load_state("networkidle")
    found = wire.bytes()
    total, own = sum(found.values()), sum(found.values()) - wire.bundle()
    print(f"first page: {total / 1000:.0f} kB, of which this app {own / 1000:.0f} kB", found)
    assert found["WebSocket"] > 50_000 and found["other files"] > 10_000 and wire.bundle() > 500_000, "not all counted"
    assert own < 500_000

"""Every page for everyone: narrow windows, the keyboard alone, words for pictures, contrast in light and dark."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.support.browsing import (
    canvas,
    collect_tab_stops,
    open_page,
    option,
    part,
    viewer,
    visiting,
    wait_until_drawn,
    wait_until_quiet,
)

pytestmark = pytest.mark.browser

#: Pages, with what comes last on each.
PATHS = {
    "/": ".viewer[data-ready]",
    "/steps": '[data-testid="stExpander"] >> nth=6',
    "/quality": ".stPlotlyChart .main-svg >> nth=2",
}

#: Every element that matches a selector, in shadow trees too.
DEEP = """
const deep = (selector, root = document) => [...root.querySelectorAll("*")].flatMap(one =>
    [...(one.matches(selector) ? [one] : []), ...(one.shadowRoot ? deep(selector, one.shadowRoot) : [])]);
const parent = one => one.assignedSlot ?? one.parentElement ?? one.getRootNode().host;
const thin = (one, box = one.getBoundingClientRect()) => box.width <= 1 || box.height <= 1;
const seen = one => one.checkVisibility({ checkVisibilityCSS: true, checkOpacity: true }) && !thin(one) &&
    !(parent(one) && thin(parent(one)) && getComputedStyle(parent(one)).display !== "contents");
const named = one => (one.getAttribute("aria-label") ?? one.innerText ?? "").trim() || one.outerHTML.slice(0, 90);
"""


def visit(page: Page, path: str) -> Page:
    """Open a page and wait until all of it is there."""
    page.goto(path)
    expect(page.locator(PATHS[path])).to_be_attached()
    page.wait_for_load_state("networkidle")
    wait_until_quiet(page)
    return page


@pytest.fixture(scope="module", params=PATHS)
def narrow_page(request: pytest.FixtureRequest, browser: Browser, server: str) -> Iterator[Page]:
    """Each page in a window of 390 pixels."""
    with visiting(browser, server, 390, 844, has_touch=True) as page:
        yield visit(page, request.param)


@pytest.fixture(scope="module", params=[(path, scheme) for path in PATHS for scheme in ("light", "dark")], ids=" ".join)
def themed_page(request: pytest.FixtureRequest, browser: Browser, server: str) -> Iterator[Page]:
    """Each page in each theme."""
    path, scheme = request.param
    with visiting(browser, server, color_scheme=scheme) as page:
        yield visit(page, path)


# Narrow windows


def test_nothing_is_wider_than_a_phone(narrow_page: Page) -> None:
    wide = narrow_page.evaluate(
        f"""() => {{ {DEEP}
            const scrolls = [document.scrollingElement, ...deep('[data-testid="stAppViewContainer"],' +
                '[data-testid="stMain"], [data-testid="stMainBlockContainer"]')];
            return scrolls.filter(one => one.scrollWidth > one.clientWidth).map(one => one.outerHTML.slice(0, 80));
        }}"""
    )
    assert not wide


def test_every_control_is_inside_a_phone(narrow_page: Page) -> None:
    outside = narrow_page.evaluate(OUTSIDE)
    assert not outside, outside


#: Controls that reach out of the window and cannot be scrolled to in a part of the page that scrolls by itself.
OUTSIDE = f"""() => {{ {DEEP}
    const scrolled = one => one && (/auto|scroll/.test(getComputedStyle(one).overflowX) &&
        one.scrollWidth > one.clientWidth ? true : scrolled(parent(one)));
    const folded = one => one.closest('[data-testid="stSidebar"][data-collapsed="true"]');  // the menu, while closed
    return deep("button, a, input, select, canvas, summary").filter(one => seen(one) && !folded(one)).filter(one => {{
        const box = one.getBoundingClientRect();
        return (box.left < -1 || box.right > innerWidth + 1) && !scrolled(parent(one));
    }}).map(named);
}}"""


def test_pages_of_a_phone_are_links_at_the_top(phone: Page) -> None:
    open_page(phone)
    link = phone.get_by_role("link", name="How good is it?")
    link.scroll_into_view_if_needed()
    link.click()
    expect(phone).to_have_url(re.compile("/quality"))
    expect(phone.get_by_test_id("stSidebar")).not_to_be_visible()


@pytest.mark.parametrize("size", [(1366, 768), (1440, 900), (390, 844)])
def test_a_photo_can_be_given_without_scrolling_and_controls_are_compact(
    browser: Browser, server: str, size: tuple[int, int]
) -> None:
    with visiting(browser, server, *size) as page:
        open_page(page, "/")
        expect(page.get_by_role("button", name="+ Your photo")).to_be_in_viewport(ratio=1)
        expect(canvas(page, 2)).to_be_in_viewport(ratio=0.9)
        top = canvas(page, 2).evaluate("one => one.getBoundingClientRect().top")
        assert top <= size[1] / 3 + 20
        if size[0] > 640:
            expect(viewer(page).locator(".legend")).to_be_in_viewport(ratio=1)
            lefts = viewer(page).evaluate(
                """root => [".give", "figcaption", "canvas", ".legend", ".sentence"].map(
                    name => root.querySelector(name).getBoundingClientRect().left)"""
            )
            assert max(lefts) - min(lefts) <= 4
            rows = (
                viewer(page)
                .locator(".controls > :not([hidden])")
                .evaluate_all(
                    "all => all.map(one => one.getBoundingClientRect()).map(box => (box.top + box.bottom) / 2)"
                )
            )
            assert max(rows) - min(rows) <= 4, "the controls wrap"


def test_popovers_and_panel_are_inside_a_phone(phone: Page) -> None:
    open_page(phone)
    part(phone, "more").locator("summary").click()
    assert not phone.evaluate(OUTSIDE)
    part(phone, "more").locator("summary").press("Escape")
    phone.locator(".st-key-actions").get_by_role("button").click()
    expect(phone.get_by_test_id("stPopoverBody")).to_be_visible()
    wait_until_quiet(phone)
    assert not phone.evaluate(OUTSIDE)
    phone.keyboard.press("Escape")
    expect(phone.get_by_test_id("stPopoverBody")).to_have_count(0)
    phone.locator(".st-key-share").get_by_role("button").click()
    panel = phone.get_by_role("dialog", name="Share")
    expect(panel.locator("img")).to_be_visible()
    assert not phone.evaluate(OUTSIDE)
    assert panel.evaluate("one => one.scrollWidth <= one.clientWidth")
    panel.locator("code").scroll_into_view_if_needed()
    expect(panel.locator("code")).to_be_in_viewport()


# The keyboard alone


def test_tab_reaches_every_control_of_the_first_page(page: Page) -> None:
    open_page(page)
    stops = collect_tab_stops(page)
    keys = {key for stop in stops for key in stop.keys}
    wanted = {
        "model",
        "stride",
        "upsampling",
        "cells",
        "view",
        "more",
        "share",
        "actions",
        "upload",
        "camera",
        "samples",
    }
    assert wanted <= keys
    names = [stop.name for stop in stops]
    assert next(place for place, stop in enumerate(stops) if "upload" in stop.keys) < 10
    samples = page.locator("[data-sample] span").all_inner_texts()
    assert len(samples) >= 6 and set(samples) <= set(names)
    canvases = page.locator(".viewer canvas").evaluate_all("all => all.map(one => one.ariaLabel)")
    legend = viewer(page).locator(".legend button").all_inner_texts()
    assert len(legend) >= 5
    for name in (*canvases, *legend, "Zoom in", "Zoom out", "Show the whole picture"):
        assert name.strip() in names
    assert {"Try it", "Step by step", "How good is it?"} <= set(names)
    assert all(names), "something has the focus and no name"


def test_controls_work_by_keyboard(page: Page) -> None:
    open_page(page)
    option(page, "upsampling", "Transposed convolution").focus()
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Enter")
    wait_until_drawn(page, "bilinear")
    part(page, "more").locator("summary").focus()
    page.keyboard.press("Enter")
    names = [stop.name for stop in collect_tab_stops(page)]
    assert {"Fill, percent", "Longest side for the network, pixels"} <= set(names)
    part(page, "more").locator("summary").press("Escape")
    expect(page.get_by_role("slider", name="Fill")).to_be_hidden()
    button = viewer(page).locator(".legend button").first
    button.focus()
    page.keyboard.press("Space")
    expect(button).to_have_attribute("aria-pressed", "false")
    page.locator("[data-sample=scene-17]").focus()
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("sample=scene-17"))


def test_focus_is_seen_on_the_pictures(page: Page) -> None:
    open_page(page)
    page.keyboard.press("Tab")
    canvas(page, 0).focus()
    outline = canvas(page, 0).evaluate("one => getComputedStyle(one).outlineWidth + getComputedStyle(one).outlineStyle")
    assert outline == "3pxsolid"


# Words for pictures


def test_every_picture_has_words(themed_page: Page) -> None:
    mute = themed_page.evaluate(
        f"""() => {{ {DEEP}
            const beside = one => one.closest('[data-testid="stVerticalBlock"]')?.querySelector("button p")?.innerText;
            return deep("img, canvas, [role=img], .stPlotlyChart").filter(seen).filter(one => {{
                if (one.getAttribute("aria-label") || one.closest('[data-testid="stDataFrame"]')) return false;
                if (one.closest("[role=img], [aria-label]") && !one.matches("img, .stPlotlyChart")) return false;
                const named = beside(one) || one.closest("button")?.innerText; // the words beside it name it
                return !(one.tagName === "IMG" && (one.alt || one.hasAttribute("alt") && named));
            }}).map(one => one.outerHTML.slice(0, 160));
        }}"""
    )
    assert not mute


# Contrast


CONTRAST = f"""() => {{ {DEEP}
    const pen = Object.assign(document.createElement("canvas"), {{ width: 1, height: 1 }}).getContext("2d");
    const rgba = text => {{
        pen.clearRect(0, 0, 1, 1);
        pen.fillStyle = text;
        pen.fillRect(0, 0, 1, 1);
        const [red, green, blue, alpha] = pen.getImageData(0, 0, 1, 1).data;
        return [red, green, blue, alpha / 255];
    }};
    const over = ([red, green, blue, alpha], ground) =>
        [red, green, blue].map((value, index) => alpha * value + (1 - alpha) * ground[index]);
    const light = colour => colour.map(value => value / 255)
        .map(value => value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4)
        .reduce((sum, value, index) => sum + value * [0.2126, 0.7152, 0.0722][index], 0);
    const ground = one => {{
        const layers = [], box = one.getBoundingClientRect(), y = (box.top + box.bottom) / 2;
        for (; one; one = parent(one)) {{
            const around = one.getBoundingClientRect();  // the number of a slider stands above its thumb
            if (one.closest('[data-testid="stSlider"]') && (y < around.top || y > around.bottom)) continue;
            layers.push(rgba(getComputedStyle(one).backgroundColor));
            if (layers.at(-1)[3] > 0.99) break;
        }}
        return layers.reverse().reduce((below, layer) => over(layer, below), [255, 255, 255]);
    }};
    const opacity = one => one ? Number(getComputedStyle(one).opacity) * opacity(parent(one)) : 1;
    const words = one => [...one.childNodes].filter(node => node.nodeType === 3).map(node => node.data.trim()).join("");
    const judged = (one, style, text) => {{
        const size = parseFloat(style.fontSize), bold = Number(style.fontWeight) >= 600;
        const [red, green, blue, alpha] = rgba(style.color), behind = ground(one);
        const front = over([red, green, blue, alpha * opacity(one)], behind);
        const [low, high] = [light(front), light(behind)].sort((a, b) => a - b);
        const ratio = (high + 0.05) / (low + 0.05), wanted = size >= 24 || bold && size >= 18.66 ? 3 : 4.5;
        return ratio < wanted ? [`${{ratio.toFixed(2)}} ${{text.slice(0, 60)}}`] : [];
    }};
    const still = one => !one.closest("svg, [disabled], [aria-disabled=true], [data-testid=stIconMaterial], option");
    return [
        ...deep("*").filter(one => words(one) && seen(one) && still(one))
            .flatMap(one => judged(one, getComputedStyle(one), words(one))),
        ...deep("input[placeholder]").filter(one => !one.value && seen(one))
            .flatMap(one => judged(one, getComputedStyle(one, "::placeholder"), one.placeholder)),
    ];
}}"""


def test_text_stands_out_in_light_and_dark(themed_page: Page) -> None:
    faint = themed_page.evaluate(CONTRAST)
    for popover in themed_page.get_by_test_id("stPopoverButton").all():
        popover.click()
        expect(themed_page.get_by_test_id("stPopoverBody")).to_be_visible()
        wait_until_quiet(themed_page)
        faint += themed_page.evaluate(CONTRAST)
        themed_page.keyboard.press("Escape")
        expect(themed_page.get_by_test_id("stPopoverBody")).to_have_count(0)
    themed_page.locator(".st-key-share").get_by_role("button").click()
    expect(themed_page.get_by_role("dialog").locator("img")).to_be_visible()
    wait_until_quiet(themed_page)
    faint += themed_page.evaluate(CONTRAST)
    themed_page.get_by_role("dialog").get_by_role("button", name="Close").click()
    assert not faint, sorted(set(faint))

"""The story in a browser: by pointer, finger and keys, played, unseen, without motion, on a phone, to an audience."""

import re

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.support.browsing import shows_no_error, visiting, wait_until_quiet

pytestmark = pytest.mark.browser

ADDRESS = "/story?model=Street+scenes&sample=scene-24"
LAST = 12  # the beat of the truth


def open_story(page: Page, address: str = ADDRESS) -> Locator:
    page.goto(address)
    expect(page.locator(".story")).to_have_attribute("data-ready", re.compile("."))
    wait_until_quiet(page)
    return page.locator(".story")


def expect_beat(story: Locator, beat: int) -> None:
    expect(story).to_have_attribute("data-time", f"{beat:.2f}")


def picture(story: Locator) -> str:
    drawn: str = story.locator("canvas").evaluate("one => one.toDataURL()")
    return drawn


def button(story: Locator, name: str) -> Locator:
    return story.get_by_role("button", name=name, exact=True)


@pytest.mark.parametrize("address", ["/story?present=1", "/try", "/try?present=1", "/?present=1"])
def test_every_page_has_its_address_in_every_mode(page: Page, address: str) -> None:
    page.goto(address)
    expect(page.locator(".viewer, .story")).to_have_attribute("data-ready", re.compile("."))
    wait_until_quiet(page)
    expect(page.get_by_text("Page not found")).to_have_count(0)


def test_the_legend_names_the_colours_once_there_are_some(page: Page) -> None:
    story = open_story(page)
    legend = story.locator(".legend")
    expect(legend).to_be_hidden()
    button(story, "Cells").click()
    expect(legend).to_be_visible()
    expect(legend.locator("li").first).to_have_text("road")
    assert (
        story.locator(".legend i").first.evaluate("one => getComputedStyle(one).backgroundColor")
        == "rgb(110, 136, 122)"
    )


def test_buttons_keys_and_bar_go_from_beat_to_beat(page: Page) -> None:
    story = open_story(page)
    expect_beat(story, 0)
    seen = {picture(story)}
    button(story, "Next").click()
    expect_beat(story, 1)
    seen.add(picture(story))
    story.focus()
    for key, beat in (("ArrowRight", 2), ("Space", 3), ("ArrowLeft", 2), ("5", 8), ("End", LAST), ("Home", 0)):
        page.keyboard.press(key)
        expect_beat(story, beat)
    page.keyboard.press("Shift+ArrowRight")
    expect(story).to_have_attribute("data-time", "0.10")
    for beat in range(2, LAST + 1):
        story.get_by_role("slider").fill(str(beat))
        expect_beat(story, beat)
        seen.add(picture(story))
    assert len(seen) == LAST + 1, "two beats look alike"
    expect(story.locator(".where")).to_have_text("Stop 7 of 7")
    assert shows_no_error(page)


def test_picture_changes_continuously(page: Page) -> None:
    story, seen = open_story(page), set()
    for place in range(2 * LAST + 1):
        story.get_by_role("slider").fill(str(place / 2))
        expect(story).to_have_attribute("data-time", f"{place / 2:.2f}")
        seen.add(picture(story))
    assert len(seen) == 2 * LAST + 1


def test_playing_goes_on_by_itself_and_waits_while_unseen(page: Page) -> None:
    story = open_story(page)
    story.get_by_role("slider").fill("7.5")
    button(story, "Play").click()
    page.wait_for_timeout(600)
    moved = float(story.get_attribute("data-time") or 0)
    assert 7.5 < moved < 8
    page.get_by_text("In Keras").scroll_into_view_if_needed()
    page.wait_for_timeout(500)
    held = story.get_attribute("data-time")
    page.wait_for_timeout(700)
    assert story.get_attribute("data-time") == held
    story.locator("canvas").scroll_into_view_if_needed()
    expect(story).not_to_have_attribute("data-time", held or "")
    button(story, "Pause").click()
    expect(button(story, "Play")).to_be_visible()


def test_nothing_moves_for_those_who_want_no_motion(browser: Browser, server: str) -> None:
    with visiting(browser, server, reduced_motion="reduce") as page:
        story = open_story(page)
        story.evaluate(
            "one => { window.times = []; const note = () => times.push(one.dataset.time);"
            "new MutationObserver(note).observe(one, { attributeFilter: ['data-time'] }) }"
        )
        button(story, "Next").click()
        expect_beat(story, 1)
        page.wait_for_timeout(300)
        assert set(page.evaluate("window.times")) <= {"0.00", "1.00"}  # nothing between


def test_a_finger_swipes_from_beat_to_beat(browser: Browser, server: str) -> None:
    with visiting(browser, server, 390, 844, has_touch=True, is_mobile=True) as page:
        story = open_story(page)
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        box = story.locator("canvas").bounding_box()
        assert box is not None and box["width"] > 340
        session, y = page.context.new_cdp_session(page), box["y"] + 60

        def touch(kind: str, x: float | None = None) -> None:
            points = [] if x is None else [{"x": x, "y": y}]
            session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

        for direction, beat in ((-1, 1), (-1, 2), (1, 1)):
            start = 200 - 60 * direction
            touch("touchStart", start)
            for part in range(1, 6):
                touch("touchMove", start + direction * 24 * part)
            touch("touchEnd")
            expect_beat(story, beat)
        story.locator("canvas").tap()
        expect_beat(story, 2)


def test_text_version_says_all_that_the_beats_say(page: Page) -> None:
    story = open_story(page)
    story.get_by_text("The story in words").click()
    text = story.locator(".text").inner_text()
    for beat in range(LAST + 1):
        story.get_by_role("slider").fill(str(beat))
        expect_beat(story, beat)
        for part in (".sentence", ".number b", ".number span"):
            assert story.locator(part).inner_text() in text
        assert story.locator(".sentence").inner_text() in (story.locator("canvas").get_attribute("aria-label") or "")
    assert story.locator(".text li").count() == 7


def test_presenter_mode_opens_with_the_story_and_goes_on_by_one_key(page: Page) -> None:
    story = open_story(page, "/?present=1&sample=scene-24&model=Street+scenes")
    for beat in range(1, LAST + 1):
        page.keyboard.press("Space")
        expect_beat(story, beat)
    assert story.get_by_role("slider").get_attribute("max") == str(LAST)


def test_why_not_bilinear_and_keras_are_on_the_page(page: Page) -> None:
    open_story(page)
    expect(page.get_by_text("Why not bilinear x 32?")).to_be_visible()
    page.get_by_test_id("stExpander").filter(has_text="In Keras").locator("summary").click()
    expect(page.get_by_test_id("stCode")).to_contain_text("keras.layers.Conv2DTranspose")

"""Why this pixel in a browser: the sums that are written add up, by pointer, touch and keys, at every stride."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.support.browsing import (
    SEGMENTATION,
    canvas,
    expected_result,
    open_page,
    option,
    pictures,
    point,
    visiting,
    wait_until_drawn,
)

pytestmark = pytest.mark.browser

NUMBER = r"\N{MINUS SIGN}?\d+\.\d\d"


def parse_hundredths(text: str) -> int:
    """A number from the page, in hundredths."""
    return round(100 * float(text.replace("\N{MINUS SIGN}", "-")))


def ask_why(page: Page, x: int, y: int) -> Locator:
    """Click a pixel of the segmentation and wait for its sums."""
    page.mouse.click(*point(page, SEGMENTATION, x, y))
    return find_sums(page)


def find_sums(page: Page) -> Locator:
    expect(page.locator(".why")).to_be_visible()
    return page.locator(".why")


def adds_up(written: str) -> bool:
    """Whether "1.31 + 0.48 - 0.07 = 1.72" is right to the last digit."""
    left, right = written.rsplit(" = ", 1)
    terms = re.findall(rf"(?:^|([+\N{{MINUS SIGN}}]) )({NUMBER})", left)
    signs = [-1 if sign == "\N{MINUS SIGN}" else 1 for sign, _ in terms]
    return sum(sign * parse_hundredths(term) for sign, (_, term) in zip(signs, terms, strict=True)) == parse_hundredths(
        right
    )


def check_sums(page: Page, stride: int, x: int, y: int) -> None:
    """Check that every sum adds up and that the first class of each column is the one in the label map."""
    look, why = expected_result(), find_sums(page)
    expect(page.locator(".beside")).to_have_attribute("data-pixel", f"{x} {y}")
    for column, upsampling in zip(why.locator(".columns > div").all(), ("bilinear", "transposed"), strict=True):
        classes = column.locator(".class")
        assert classes.first.locator("b").first.inner_text() == look.card.classes[look.labels(stride, upsampling)[y, x]]
        totals = []
        for part in classes.all():
            total = parse_hundredths(part.locator(".total").inner_text())
            first, *more = part.locator("> p").all_inner_texts()
            assert adds_up(first.split(" = ", 1)[1]), first
            last = more[0] if more else first
            if more:
                assert adds_up(re.sub(r" (its own scores|other classes|shape channels)", "", last)), last
            assert parse_hundredths(last.rsplit(" = ", 1)[1]) == total
            totals.append(total)
        assert max(totals) == totals[0]
        margin = column.locator(".verdict").inner_text()
        assert f"by {(totals[0] - totals[1]) / 100:.2f}" in margin or totals[0] == totals[1]


@pytest.mark.parametrize("stride", [32, 16, 8])
def test_sums_add_up_and_the_winner_is_the_label(page: Page, stride: int) -> None:
    open_page(page, f"/?sample=scene-24&stride={stride}")
    wait_until_drawn(page, f"{stride}$")
    for x, y in ((307, 223), (120, 250), (14, 1), (466, 357)):  # inside, and at two edges
        ask_why(page, x, y)
        expect(page.locator(".beside")).to_have_attribute("data-pixel", f"{x} {y}")
        check_sums(page, stride, x, y)
        said = page.locator(".why").inner_text()
        # Padding below the photo has cells of its own; 480 pixels are a multiple of every stride.
        assert ("beyond the edge" in said) == (y < stride // 2 or x >= 480 - stride // 2)


def test_keys_open_and_move_and_outlines_are_drawn(page: Page) -> None:
    open_page(page, "/?sample=scene-24")
    plain = pictures(page)
    canvas(page, SEGMENTATION).focus()
    page.keyboard.press("Enter")
    find_sums(page)
    expect(page.locator(".beside")).to_have_attribute("data-pixel", "240 180")
    assert pictures(page)[2] != plain[2] and pictures(page)[1] != plain[1]
    page.keyboard.press("ArrowRight")
    check_sums(page, 32, 241, 180)
    page.locator(".why").get_by_role("button", name="Close").click()
    expect(page.locator(".why")).to_have_count(0)


def test_a_tap_opens_it_on_a_phone(browser: Browser, server: str) -> None:
    with visiting(browser, server, 390, 844, has_touch=True, is_mobile=True) as page:
        open_page(page, "/?sample=scene-24")
        canvas(page, SEGMENTATION).tap()
        why = find_sums(page)
        box = why.bounding_box()
        assert box is not None and box["x"] >= 0 and box["x"] + box["width"] <= 390


def test_another_stride_gives_other_sums_of_the_same_pixel(page: Page) -> None:
    open_page(page, "/?sample=scene-24")
    ask_why(page, 307, 223)
    before = page.locator(".why .columns").inner_text()
    option(page, "stride", "8").locator("..").click()
    wait_until_drawn(page, "8$")
    expect(page.locator(".why .columns")).not_to_have_text(before, use_inner_text=True)
    check_sums(page, 8, 307, 223)

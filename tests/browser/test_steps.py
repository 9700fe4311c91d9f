"""The page "Step by step" in a browser: the player plays, its numbers are those of fcn.explain, Keras agrees."""

import re
from collections.abc import Iterator
from fractions import Fraction

import numpy as np
import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from fcn import explain
from fcn.ui.lessons.kernels import CELLS
from fcn.ui.stepper.stepper import START
from tests.support.browsing import option, shows_no_error, visiting, wait_until_quiet

pytestmark = pytest.mark.browser

FIRST_PIXEL = 4  # the step at which the first pixel of the result is computed, counted from 1


@pytest.fixture(scope="module")
def shared_page(browser: Browser, server: str) -> Iterator[Page]:
    with visiting(browser, server) as page:
        page.goto("/steps")
        wait_until_loaded(page)
        yield page


@pytest.fixture
def steps(shared_page: Page) -> Page:
    """The page with its first settings, at the first step."""
    for key, title in (("steps_side", "3 x 3"), ("steps_stride", "2"), ("steps_kernel", "Bilinear")):
        set_option(shared_page, key, title)
    button(shared_page, "First step").click()
    expect_step(shared_page, 1)
    return shared_page


def wait_until_loaded(page: Page) -> None:
    """Wait until the whole page is there, down to the questions."""
    expect(page.get_by_test_id("stExpander")).to_have_count(8)  # seven questions, and In Keras
    expect(page.locator(".stepper .where")).to_contain_text("Step 1 of")
    wait_until_quiet(page)


def set_option(page: Page, key: str, title: str) -> None:
    if not option(page, key, title).is_checked():
        option(page, key, title).click()
    expect(option(page, key, title)).to_be_checked()
    wait_until_quiet(page)


def player(page: Page) -> Locator:
    return page.locator(".stepper")


def button(page: Page, name: str) -> Locator:
    return player(page).get_by_role("button", name=name, exact=True)


def expect_step(page: Page, step: int, side: int = 6) -> None:
    """Wait until the player is at a step, counted from 1, and check that the bar and the result say so too."""
    last = FIRST_PIXEL - 1 + side**2
    expect(player(page).locator(".where")).to_contain_text(f"Step {step} of {last}:")
    bar = player(page).get_by_role("slider", name="Step")
    assert (bar.input_value(), bar.get_attribute("max")) == (str(step - 1), str(last - 1))
    assert len(result(page)) == max(0, step - FIRST_PIXEL + 1)


def result(page: Page) -> list[float]:
    """The pixels of the result that are filled so far, row by row."""
    texts = player(page).locator(".result .cell + text").all_text_contents()
    return [float(text.replace("\N{MINUS SIGN}", "-")) for text in texts]


def expected_pixels(scores: np.ndarray, stride: int = 2, kind: str = "bilinear") -> np.ndarray:
    return explain.transposed(scores, stride, explain.kernel(kind, stride)).ravel()


def difference(text: str) -> float:
    """The number after "Largest difference from Keras:"."""
    found = re.search(r"Largest difference from Keras: (\S+)", text)
    assert found, text
    return float(found[1])


def test_page_has_no_exception_and_keras_agrees(steps: Page) -> None:
    assert shows_no_error(steps)
    told = steps.get_by_test_id("stMarkdown").filter(has_text="Largest difference from Keras")
    assert difference(told.inner_text()) < 1e-4
    expect(player(steps).locator(".check")).to_be_empty()  # not before all pixels are there
    button(steps, "Last step").click()
    expect_step(steps, 39)
    assert difference(player(steps).locator(".check").inner_text()) < 1e-4
    assert np.allclose(result(steps), expected_pixels(START[:3, :3]), atol=0.0051)


def test_buttons_step_and_jump(steps: Page) -> None:
    for name, step in (
        ("One step forward", 2),
        ("One step forward", 3),
        ("One step back", 2),
        ("Last step", 39),
        ("One step forward", 39),
        ("First step", 1),
        ("One step back", 1),
    ):
        button(steps, name).click()
        expect_step(steps, step)
    player(steps).get_by_role("button", name="Slide the kernel").click()
    expect_step(steps, FIRST_PIXEL)
    player(steps).get_by_role("button", name="Done").click()
    expect_step(steps, 39)


def test_keys_step_and_jump(steps: Page) -> None:
    player(steps).focus()
    for key, step in (
        ("ArrowRight", 2),
        ("ArrowDown", 3),
        ("ArrowRight", 4),
        ("ArrowDown", 10),  # a row of six pixels
        ("ArrowUp", 4),
        ("ArrowLeft", 3),
        ("End", 39),
        ("Home", 1),
    ):
        steps.keyboard.press(key)
        expect_step(steps, step)


def test_bar_and_click_on_a_pixel_go_to_a_step(steps: Page) -> None:
    player(steps).get_by_role("slider", name="Step").fill("10")
    expect_step(steps, 11)
    box = player(steps).locator(".result").bounding_box()
    assert box is not None
    steps.mouse.click(box["x"] + box["width"] * 2.5 / 6, box["y"] + box["height"] * 4.5 / 6)
    expect_step(steps, FIRST_PIXEL + 4 * 6 + 2)
    pixel = expected_pixels(START[:3, :3]).reshape(6, 6)[4, 2]
    expect(player(steps).locator(".sum")).to_contain_text("Row 5, column 3: ")
    expect(player(steps).locator(".sum")).to_contain_text(f"= {pixel:g}.")


def test_play_runs_to_the_end_and_pause_holds(steps: Page) -> None:
    speed = player(steps).get_by_role("combobox", name="Speed")
    speed.select_option("16 steps a second")
    player(steps).focus()
    steps.keyboard.press("Space")
    expect(button(steps, "Pause")).to_be_visible()
    expect(player(steps).locator(".where")).to_contain_text("Pixel", ignore_case=True)
    button(steps, "Pause").click()
    held = player(steps).locator(".where").inner_text()
    steps.wait_for_timeout(500)
    assert player(steps).locator(".where").inner_text() == held and "39 of" not in held
    speed.select_option("60 steps a second")
    button(steps, "Play").click()
    expect_step(steps, 39)
    expect(button(steps, "Play")).to_be_visible()


def test_sums_are_written_in_fractions_that_add_up(steps: Page) -> None:
    for pixel in (0, 7, 8, 35):
        player(steps).get_by_role("slider", name="Step").fill(str(FIRST_PIXEL - 1 + pixel))
        said = player(steps).locator(".sum").inner_text().replace("\N{MINUS SIGN}", "-")
        left, whole, decimal = re.findall(r": (.*) = (\S+) = (\S+)\.(?: |$)", said)[0]
        terms = [Fraction(score) * Fraction(weight) for score, weight in re.findall(r"(-?\d+) × (\d+/\d+)", left)]
        assert sum(terms) == Fraction(whole) == Fraction(decimal)
        assert float(Fraction(decimal)) == expected_pixels(START[:3, :3])[pixel]


def test_only_numbers_that_can_be_changed_look_like_it(steps: Page) -> None:
    assert player(steps).locator(".kernel input").count() == 0 < player(steps).locator(".scores input").count()
    border = "one => getComputedStyle(one).borderBottomWidth"
    assert player(steps).locator(".kernel > *").first.evaluate(border) == "0px"
    assert player(steps).locator(".scores > *").first.evaluate(border) == "3px"
    expect(player(steps).locator(".kernel-note")).to_contain_text("Fixed")
    set_option(steps, "steps_kernel", "Own numbers")
    expect(player(steps).locator(".kernel-note")).to_contain_text("Click a weight")
    assert player(steps).locator(".kernel > *").first.evaluate(border) == "3px"


def test_no_choice_of_kernel_or_size_moves_what_is_below(steps: Page) -> None:
    player(steps).evaluate("one => one.scrollIntoView()")
    place = "one => one.getBoundingClientRect().top - one.closest('.stepper').getBoundingClientRect().top"
    tops, kernels = set(), set()
    for key, title in (
        ("steps_kernel", "Random"),
        ("steps_side", "5 x 5"),
        ("steps_kernel", "Own numbers"),
        ("steps_side", "2 x 2"),
        ("steps_kernel", "Bilinear"),
    ):
        set_option(steps, key, title)
        controls = steps.locator(".st-key-steps_kernel").bounding_box()
        box = player(steps).bounding_box()
        assert controls is not None and box is not None
        tops.add(round(box["y"] - controls["y"]))
        kernels.add(round(player(steps).locator(".kernel-title").evaluate(place)))
    assert len(tops) == len(kernels) == 1


def test_contents_lead_to_the_sections(steps: Page) -> None:
    steps.get_by_role("link", name="What training changed").click()
    expect(steps.get_by_text("6. What training changed")).to_be_in_viewport()


def test_typed_number_changes_the_result_and_keras_follows(steps: Page) -> None:
    button(steps, "Last step").click()
    cell = player(steps).get_by_label("Score, row 1, column 2")
    scores = START[:3, :3].copy()
    for value in (-7.5, scores[0, 1]):
        cell.fill(str(value))
        cell.press("Tab")
        scores[0, 1] = value
        expect(player(steps).locator(".check")).to_contain_text("Largest difference")
        assert np.allclose(result(steps), expected_pixels(scores), atol=0.0051)
        assert difference(player(steps).locator(".check").inner_text()) < 1e-4
        wait_until_quiet(steps)
    cell.fill("")
    expect(cell).to_have_attribute("aria-invalid", "true")
    cell.fill(str(scores[0, 1]))
    cell.press("Tab")
    wait_until_quiet(steps)


def test_own_kernel_is_used(steps: Page) -> None:
    set_option(steps, "steps_kernel", "Own numbers")
    weight = player(steps).get_by_label("Kernel, row 3, column 1")
    weight.fill("-4")
    weight.press("Tab")
    button(steps, "Last step").click()
    expect(player(steps).locator(".check")).to_contain_text("Largest difference")
    kernel = np.ones((3, 3))
    kernel[2, 0] = -4
    assert np.allclose(result(steps), explain.transposed(START[:3, :3], 2, kernel).ravel(), atol=0.0051)
    wait_until_quiet(steps)


@pytest.mark.parametrize("kind, size", [("Nearest", 4), ("Bilinear", 8), ("Random", 3), ("Own numbers", 3)])
def test_kernels_of_any_size_follow_each_other(steps: Page, kind: str, size: int) -> None:
    set_option(steps, "steps_kernel", "Nearest")
    set_option(steps, "steps_stride", "4")
    set_option(steps, "steps_kernel", kind)
    expect(player(steps).locator(".kernel-title")).to_have_text(re.compile(f"^Kernel, {size} x"))
    set_option(steps, "steps_stride", "2")
    set_option(steps, "steps_side", "5 x 5")
    button(steps, "Last step").click()
    expect_step(steps, FIRST_PIXEL - 1 + 100, side=10)
    assert difference(player(steps).locator(".check").inner_text()) < 1e-4


def test_link_opens_the_same_settings(steps: Page, page: Page) -> None:
    set_option(steps, "steps_side", "2 x 2")
    set_option(steps, "steps_stride", "3")
    set_option(steps, "steps_kernel", "Nearest")
    address = steps.url
    page.goto(address)
    expect(page.locator(".stepper .kernel-title")).to_have_text("Kernel, 3 x 3: nearest")
    button(page, "Last step").click()
    expect_step(page, FIRST_PIXEL - 1 + 36)
    assert np.allclose(result(page), expected_pixels(START[:2, :2], 3, "nearest"))


def test_overlap_shows_where_checkerboards_are(steps: Page) -> None:
    counts = steps.locator(".st-key-steps_overlap_map")
    frame = steps.locator(".st-key-steps_overlap_table .shapelayer path")
    places = set()
    for size, stride, verdict, low, high in (
        ("3", "2", "A checkerboard.", 1, 4),
        ("4", "2", "Even.", 4, 4),
        ("2", "4", "Holes.", 0, 1),
    ):
        set_option(steps, "steps_overlap_size", size)
        set_option(steps, "steps_overlap_stride", stride)
        expect(steps.get_by_text(verdict, exact=True)).to_be_visible()
        said = re.compile(f"kernel {size}, stride {stride}: {low} to {high}$")
        expect(counts.get_by_role("figure")).to_have_attribute("aria-label", said)
        drawn = explain.overlap(CELLS[int(stride)], int(stride), int(size)).ravel()
        expect(counts.locator("svg text")).to_have_text([str(int(count)) for count in drawn])
        places.add(frame.first.get_attribute("d"))
    assert len(places) == 3, "the frame in the table does not move"

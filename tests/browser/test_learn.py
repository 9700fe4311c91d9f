"""The page "Watch it learn" in a browser: a recorded run is played, and a live one trained."""

import re
from collections.abc import Iterator

import numpy as np
import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from fcn.compute import recording
from fcn.pictures import render
from fcn.ui.learning import claims
from fcn.ui.photo.samples import samples
from tests.support.browsing import option, shows_no_error, unpack_url, visiting, wait_until_quiet

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def shared_page(browser: Browser, server: str) -> Iterator[Page]:
    with visiting(browser, server) as page:
        page.goto("/learn")
        expect(page.locator(".learning .where")).to_have_count(2)
        wait_until_quiet(page)
        yield page


@pytest.fixture
def recorded_run(shared_page: Page) -> Locator:
    """The recorded run "From zeros", at its beginning."""
    if not option(shared_page, "learn_run", "From zeros").is_checked():
        option(shared_page, "learn_run", "From zeros").click()
        wait_until_quiet(shared_page)
    part = shared_page.locator(".learning").first
    button(part, "First result").click()
    expect_step(part, 0)
    return part


def button(part: Locator, name: str) -> Locator:
    return part.get_by_role("button", name=name, exact=True)


def expect_step(part: Locator, step: int) -> None:
    expect(part).to_have_attribute("data-step", str(step))
    expect(part.locator(".where")).to_have_text(re.compile(f"^Step {step} of "))


def pixels(part: Locator) -> np.ndarray:
    """The picture as it is drawn, (H, W, 3) int."""
    import io

    from PIL import Image

    url = part.locator(".picture canvas").evaluate("one => one.toDataURL()")
    return np.asarray(Image.open(io.BytesIO(unpack_url(url))).convert("RGB")).astype(int)


def loss(part: Locator) -> float:
    """The loss on unseen pictures at the result shown, as the chart says it."""
    said = part.locator('.chart[data-figure="loss"] svg').get_attribute("aria-label")
    found = re.search(r"unseen ([\d.]+)", said or "")
    assert found, said
    return float(found[1])


def test_scrubbing_shows_each_result_as_it_was_recorded(shared_page: Page, recorded_run: Locator) -> None:
    run = recording.read().runs[0]
    card_palette = np.array(learn_palette())
    photo, _ = samples("street")["scene-24"].read()
    import io

    from PIL import Image

    shown = np.asarray(Image.open(io.BytesIO(render.jpeg(photo.pixels)))).astype(int)
    for place in (0, 8, len(run.results) - 1):
        recorded_run.get_by_role("slider", name="Result").fill(str(place))
        result = run.results[place]
        expect_step(recorded_run, result.step)
        wanted = 0.35 * shown + 0.65 * card_palette[result.labels]
        assert np.abs(pixels(recorded_run) - wanted).max() <= 3
        assert loss(recorded_run) == result.figures["loss"]
        expect(recorded_run.locator(".moment")).to_contain_text(f"Step {result.step}: mIoU")
    assert shows_no_error(shared_page)


def test_the_curve_is_marked_where_it_overtakes_each(recorded_run: Locator) -> None:
    run = recording.read().runs[0]
    button(recorded_run, "Last result").click()
    expect_step(recorded_run, run.results[-1].step)
    marks = recorded_run.locator('.chart[data-figure="miou"] .mark title').all_text_contents()
    steps = [claims.first_step_above(run, goal) for goal in ("nearest", "bilinear")]
    assert marks == [
        f"overtakes {name} at step {step}"
        for name, step in zip(("cells", "bilinear"), steps, strict=True)
        if step is not None
    ]
    expect(recorded_run.locator('.chart[data-figure="miou"] .goal')).to_have_count(2)
    expect(recorded_run.locator(".moment")).to_contain_text(
        f"It overtook cells ({run.task.goals['nearest']['miou']:.1f})"
    )


def test_keys_and_play_go_through_the_run(shared_page: Page, recorded_run: Locator) -> None:
    recorded_run.focus()
    for key, step in (("ArrowRight", 1), ("ArrowRight", 2), ("ArrowLeft", 1), ("End", 200), ("Home", 0)):
        shared_page.keyboard.press(key)
        expect_step(recorded_run, step)
    shared_page.keyboard.press("Space")
    expect(button(recorded_run, "Pause")).to_be_visible()
    expect(recorded_run).to_have_attribute("data-step", re.compile(r"[4-9]|\d\d+"))  # or it was there already
    button(recorded_run, "Pause").click()
    held = recorded_run.get_attribute("data-step")
    shared_page.wait_for_timeout(900)
    assert recorded_run.get_attribute("data-step") == held != "200"


def test_cells_bilinear_and_truth_can_be_seen_and_kernels_chosen(recorded_run: Locator) -> None:
    learned = pixels(recorded_run)
    seen = []
    for name in ("Cells", "Bilinear", "Truth"):
        recorded_run.get_by_role("radio", name=name).click()
        expect(recorded_run.get_by_role("radio", name=name)).to_have_attribute("aria-checked", "true")
        seen.append(pixels(recorded_run))
    recorded_run.get_by_role("radio", name="Learned").click()
    assert len({one.tobytes() for one in [learned, *seen]}) == 4
    button(recorded_run, "Last result").click()
    select, kernel = recorded_run.get_by_role("combobox"), recorded_run.locator(".kernel canvas")
    drawn = set()
    for index in range(len(recording.read().runs[0].pairs)):
        select.select_option(index=index)
        drawn.add(kernel.evaluate("one => one.toDataURL()"))
    assert len(drawn) == len(recording.read().runs[0].pairs)


def test_another_recorded_run_follows_from_its_start(shared_page: Page, recorded_run: Locator) -> None:
    button(recorded_run, "Last result").click()
    option(shared_page, "learn_run", "From bilinear").click()
    wait_until_quiet(shared_page)
    expect_step(recorded_run, 0)
    expect(recorded_run.locator(".moment")).to_contain_text("It overtook cells")


def test_twenty_steps_from_zeros_lower_the_loss_and_change_the_picture(shared_page: Page) -> None:
    option(shared_page, "learn_pictures", "4").click()
    wait_until_quiet(shared_page)
    live = shared_page.locator(".learning.training")
    expect(live.locator(".where")).to_have_text("Not started")
    button(live, "One step").click()
    expect(live.locator(".state span")).to_have_text(re.compile("Loading Keras|Drawing|Training|Paused"))
    expect_step(live, 1)
    expect(live.locator(".state span")).to_have_text(re.compile("^Paused at step 1 of"))
    first, picture = loss(live), pixels(live)
    button(live, "Play").click()
    expect(live.locator(".state span")).to_have_text(re.compile(r"^Training, step \d+ of \d+, about \d+ s left$"))
    expect(live).to_have_attribute("data-step", re.compile(r"^([2-9]\d|\d{3})$"))
    button(live, "Pause").click()
    expect(live.locator(".state span")).to_have_text(re.compile(r"^Paused at step \d+ of"))
    assert loss(live) < 0.7 * first
    assert (np.abs(pixels(live) - picture).max(-1) > 10).mean() > 0.05
    with shared_page.expect_download() as download:
        shared_page.locator(".st-key-learn_download").get_by_role("button").click()
    assert download.value.suggested_filename.endswith("-steps.keras")
    shared_page.locator(".st-key-learn_use").get_by_role("button").click()
    expect(shared_page.get_by_text("uses your kernel for FCN-")).to_be_visible()
    wait_until_quiet(shared_page)
    shared_page.get_by_role("link", name="Try it").click()
    expect(shared_page.locator(".st-key-own_kernel_notice")).to_contain_text("your own kernel")
    assert shows_no_error(shared_page)


def learn_palette() -> tuple[tuple[int, int, int], ...]:
    from fcn.model import zoo

    return zoo.read_card("street").palette

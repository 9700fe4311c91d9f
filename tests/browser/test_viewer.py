"""The three linked pictures in a browser: every pixel drawn, what is read out, zoom, wipe and classes on and off.

The window is so wide that a picture of 480 x 360 pixels is drawn pixel by pixel, and everything drawn or read out is
compared with what the network says here, in the test.
"""

import re
from collections.abc import Iterator

import numpy as np
import pytest
from playwright.sync_api import Browser, Page, WebSocket, expect

from fcn.model.segmenter import BLOCK
from fcn.ui.choices import CELLS, VIEWS
from fcn.ui.parts import UPSAMPLING_TITLES
from tests.support.browsing import (
    PHOTO,
    SCORES,
    SEGMENTATION,
    STREET,
    WIDE,
    canvas,
    choose,
    expected_result,
    open_page,
    opening_more,
    pixels,
    point,
    readout,
    viewer,
    visiting,
    wait_until_drawn,
    wait_until_quiet,
)

pytestmark = pytest.mark.browser

HEIGHT, WIDTH = 360, 480
VIRIDIS = np.array([[68, 1, 84], [59, 82, 139], [33, 145, 140], [94, 201, 98], [253, 231, 37]])
ORANGE = np.array([213, 94, 0])
DIM = np.array([16, 20, 24]), 150 / 255  # over the pixels that do not differ


@pytest.fixture(scope="module")
def street(browser: Browser, server: str) -> Iterator[Page]:
    """The first sample, drawn pixel by pixel; tests that share it set what they need and point at nothing."""
    with visiting(browser, server, *WIDE) as page:
        yield open_page(page)


@pytest.fixture(scope="module")
def pointed_page(browser: Browser, server: str) -> Iterator[Page]:
    """As `street`, for tests that point at things."""
    with visiting(browser, server, *WIDE) as page:
        yield open_page(page)


def middles(stride: int) -> tuple[np.ndarray, ...]:
    """Rows and columns of pixels in the middle of the cells; the last cells are cut at the edge of the photo."""
    rows, columns = (np.arange(0, side, stride) for side in (HEIGHT, WIDTH))
    return np.ix_(np.minimum(rows + stride // 2, HEIGHT - 4), np.minimum(columns + stride // 2, WIDTH - 4))


def ramp(values: np.ndarray) -> np.ndarray:
    """Colours of numbers from 0 to 1: (..., 3)."""
    return np.stack([np.interp(values, np.linspace(0, 1, len(VIRIDIS)), channel) for channel in VIRIDIS.T], -1)


def share_alike(drawn: np.ndarray, expected: np.ndarray, tolerance: int = 4) -> float:
    """Share of pixels whose colours agree."""
    return float((np.abs(drawn - expected) <= tolerance).all(-1).mean())


def set_view(
    page: Page, stride: int = 32, upsampling: str = "transposed", right: str = "overlay", left: str = "class"
) -> Page:
    """Set everything that changes what is drawn, whatever an earlier test left behind."""
    choose(page, "upsampling", UPSAMPLING_TITLES[upsampling], upsampling)
    choose(page, "stride", str(stride), f"{stride}$")
    choose(page, "view", VIEWS[right], right)
    choose(page, "cells", CELLS["features" if left == "channel" else left], right)
    if left == "channel" and page.get_by_label("Feature map, strongest first").count() == 0:
        canvas(page, SCORES).click(position={"x": 20, "y": 20})
    if left == "features" and (back := page.get_by_role("button", name="All maps")).count():
        back.click()
    wait_until_drawn(page, right + left)
    viewer(page).evaluate("one => { one.viewer.spot = null; one.viewer.draw(); one.viewer.read(); }")
    wait_until_quiet(page)
    return page


# What is drawn


def test_photo_and_overlay_have_the_colours_of_the_network(street: Page) -> None:
    photo, _, overlay = pixels(set_view(street))
    assert photo.shape == (HEIGHT, WIDTH, 3)
    assert share_alike(photo, expected_result().pixels) > 0.999
    inner = expected_result().inner()
    assert inner.mean() > 0.5 and share_alike(overlay[inner], expected_result().overlay()[inner]) > 0.999


@pytest.mark.parametrize("stride", [32, 16, 8])
@pytest.mark.parametrize("upsampling", ["nearest", "bilinear", "transposed"])
def test_every_network_and_upsampling_is_drawn(street: Page, stride: int, upsampling: str) -> None:
    _, cells, overlay = pixels(set_view(street, stride, upsampling))
    best = expected_result().palette[expected_result().scores.coarse_labels(stride)]
    assert np.array_equal(cells[middles(stride)], best)
    inner = expected_result().inner(stride, upsampling)
    assert share_alike(overlay[inner], expected_result().overlay(stride, upsampling)[inner]) > 0.999


def test_score_of_one_class_is_its_probability_in_each_cell(street: Page) -> None:
    set_view(street, left="score")
    probabilities = expected_result().scores.probabilities(32)
    for name in ("sky", "car"):
        street.get_by_label("Class", exact=True).select_option(name)
        expect(canvas(street, SCORES)).to_have_attribute("aria-label", re.compile(f"Probability of {name}"))
        wait_until_quiet(street)
        _, cells, _ = pixels(street)
        expected = ramp(probabilities[..., expected_result().card.classes.index(name)])
        assert share_alike(cells[middles(32)], expected) == 1


def test_one_feature_map_is_drawn_from_its_least_to_its_greatest_value(street: Page) -> None:
    set_view(street, left="channel")
    for place in (1, 4):
        street.get_by_label("Feature map, strongest first").select_option(str(place))
        caption = f"{place} (channel {expected_result().scores.channels[32][place - 1]})"
        expect(viewer(street).locator("figcaption").nth(SCORES)).to_contain_text(caption)
        wait_until_quiet(street)
        _, cells, _ = pixels(street)
        assert share_alike(cells[middles(32)], ramp(features(place - 1))) == 1


def test_sixteen_feature_maps_are_drawn_in_a_sheet(street: Page) -> None:
    _, sheet, _ = pixels(set_view(street, left="features"))
    rows, columns = features(0).shape
    for place in range(16):
        high, wide = HEIGHT / 4 - 2, WIDTH / 4 - 2
        top, left = place // 4 * HEIGHT / 4, place % 4 * WIDTH / 4
        middle = np.ix_(
            (top + visible_middles(rows, HEIGHT) * high / HEIGHT).astype(int),
            (left + visible_middles(columns, WIDTH) * wide / WIDTH).astype(int),
        )
        assert share_alike(sheet[middle], ramp(features(place))) == 1, f"map {place + 1}"


def visible_middles(cells: int, side: int) -> np.ndarray:
    """Middle of the visible part of each cell along a side of the photo, pixels; the last cell may be cut."""
    edges = np.minimum(32 * np.arange(cells + 1), side)
    return (edges[:-1] + edges[1:]) / 2


def features(place: int) -> np.ndarray:
    """A feature map of stride 32 by strength, without padding, 0 to 1."""
    rows, columns = expected_result().scores.coarse_labels(32).shape
    return expected_result().scores.features[32][:rows, :columns, place] / 255


def test_difference_is_orange_exactly_where_the_label_maps_differ(street: Page) -> None:
    _, _, drawn = pixels(set_view(street, right="difference"))
    differ = expected_result().labels(32, "bilinear") != expected_result().labels(32, "transposed")
    assert 0 < differ.mean() < 0.5
    assert np.array_equal((drawn == ORANGE).all(-1), differ)
    colour, share = DIM
    expected = (1 - share) * expected_result().pixels + share * colour
    assert share_alike(drawn[~differ], expected[~differ]) > 0.999


@pytest.mark.parametrize("percent", [60, 20, 0, 100])
def test_line_shows_bilinear_left_and_transposed_right(street: Page, percent: int) -> None:
    set_view(street, right="compare")
    line = street.get_by_role("slider", name="Dividing line")
    line.press("Home")
    for _ in range(percent // 20):
        line.press("PageUp")
    expect(line).to_have_attribute("aria-valuenow", str(percent))
    expect(viewer(street).locator(".corner.left")).to_have_text("Bilinear")
    expect(viewer(street).locator(".corner.right")).to_have_text("Transposed")
    wait_until_quiet(street)
    _, _, drawn = pixels(street)
    edge, gap = percent * WIDTH // 100, 4  # the white line is between
    for upsampling, side in (("bilinear", np.s_[:, : max(0, edge - gap)]), ("transposed", np.s_[:, edge + gap :])):
        inner = expected_result().inner(32, upsampling)[side]
        assert (
            drawn[side].size == 0
            or share_alike(drawn[side][inner], expected_result().overlay(32, upsampling)[side][inner]) > 0.999
        )
    if 0 < percent < 100:
        assert (drawn[:, edge] == 255).all()


def test_opacity_is_that_of_the_colours(street: Page) -> None:
    set_view(street)
    inner = expected_result().inner()
    for percent in (0, 100, 45):
        with opening_more(street) as controls:
            controls.get_by_role("slider", name="Fill").fill(str(percent))
        assert (
            share_alike(pixels(street)[SEGMENTATION][inner], expected_result().overlay(opacity=percent / 100)[inner])
            > 0.999
        )


def test_a_hidden_class_loses_its_colour_and_gets_it_back(street: Page) -> None:
    set_view(street)
    before = pixels(street)[SEGMENTATION]
    road = expected_result().labels() == expected_result().card.classes.index("road")
    button = viewer(street).get_by_role("button", name=re.compile("^road"))
    expect(button).to_have_attribute("aria-pressed", "true")
    button.click()
    expect(button).to_have_attribute("aria-pressed", "false")
    wait_until_quiet(street)
    without = pixels(street)[SEGMENTATION]
    inner = expected_result().inner()
    assert share_alike(without[road & inner], expected_result().pixels[road & inner]) > 0.999
    assert np.array_equal(without[~road & inner], before[~road & inner])
    button.press("Enter")
    expect(button).to_have_attribute("aria-pressed", "true")
    wait_until_quiet(street)
    assert np.array_equal(pixels(street)[SEGMENTATION], before)


# What is read out


def parse_readout(page: Page) -> tuple[tuple[int, int], tuple[str, float], tuple[int, int], dict[str, float]]:
    """The read-out: pixel (x, y), its class and percent, row and column of its cell, the cell's classes in percent."""
    text = readout(page)
    found = re.fullmatch(
        r"Pixel (\d+), (\d+): (.+?) (\S+|under 1%)\. Its cell \(row (\d+), column (\d+)\): (.+)\.", text
    )
    assert found, text
    x, y, name, share, row, column, cell = found.groups()
    shares = dict(part.split(" ", 1) for part in cell.split(", "))
    return (
        (int(x), int(y)),
        (name, parse_percent(share)),
        (int(row), int(column)),
        {name: parse_percent(share) for name, share in shares.items()},
    )


def parse_percent(said: str) -> float:
    return 0.5 if said == "under 1%" else float(said.removesuffix("%"))


def check_readout(page: Page, x: int, y: int, stride: int = 32, upsampling: str = "transposed") -> None:
    """Compare what is read out with what the network says of pixel (x, y)."""
    expect(viewer(page).locator(".readout")).to_contain_text(f"Pixel {x}, {y}:")
    _, (name, confidence), place, shares = parse_readout(page)
    found, classes = expected_result().segmentation(stride, upsampling), expected_result().card.classes
    assert found.confidence is not None
    assert place == (y // stride + 1, x // stride + 1)
    assert name == classes[found.labels[y, x]]
    assert abs(confidence - 100 / 255 * found.confidence[y // BLOCK, x // BLOCK]) <= 1
    cell = 100 * expected_result().scores.probabilities(stride)[y // stride, x // stride]
    assert len(shares) == 3 and all(abs(share - cell[classes.index(name)]) <= 1 for name, share in shares.items())
    assert np.abs(np.array(list(shares.values())) - np.sort(cell)[:-4:-1]).max() <= 1, "not the top three in order"


def find_undecided_pixel(stride: int = 32) -> tuple[int, int]:
    """A pixel to which the two upsamplings and its cell give three different classes: x, y."""
    cells = expected_result().scores.coarse_labels(stride).repeat(stride, 0).repeat(stride, 1)[:HEIGHT, :WIDTH]
    bilinear, transposed = expected_result().labels(stride, "bilinear"), expected_result().labels(stride, "transposed")
    rows, columns = np.nonzero((cells != bilinear) & (cells != transposed) & (bilinear != transposed))
    return int(columns[0]), int(rows[0])


@pytest.mark.parametrize("stride, upsampling", [(32, "transposed"), (8, "bilinear")])
def test_pointing_reads_out_what_the_network_says(pointed_page: Page, stride: int, upsampling: str) -> None:
    set_view(pointed_page, stride, upsampling)
    for index in (PHOTO, SCORES, SEGMENTATION):
        for x, y in ((20, 0), (479, 340), (100, 250), find_undecided_pixel(stride)):
            pointed_page.mouse.move(*point(pointed_page, index, x, y))
            check_readout(pointed_page, x, y, stride, upsampling)


def test_keys_move_the_pixel_and_shift_moves_it_by_a_cell(pointed_page: Page) -> None:
    set_view(pointed_page)
    pointed_page.mouse.move(*point(pointed_page, PHOTO, 100, 50))
    for index in (PHOTO, SCORES, SEGMENTATION):
        start = parse_readout(pointed_page)[0]
        canvas(pointed_page, index).focus()
        for key in ("ArrowRight", "ArrowRight", "ArrowDown", "ArrowUp", "ArrowDown", "ArrowLeft", "Shift+ArrowRight"):
            pointed_page.keyboard.press(key)
        check_readout(pointed_page, start[0] + 33, start[1] + 1)


def test_touch_reads_out_what_the_network_says(browser: Browser, server: str) -> None:
    options = {"has_touch": True, "is_mobile": True, "device_scale_factor": 2}
    with visiting(browser, server, 390, 844, **options) as page:
        open_page(page)
        for index, x, y in ((SEGMENTATION, *find_undecided_pixel()), (SCORES, 30, 300), (PHOTO, 471, 9)):
            canvas(page, index).scroll_into_view_if_needed()
            page.touchscreen.tap(*point(page, index, x, y))
            check_readout(page, x, y)


def test_two_fingers_zoom_all_three(browser: Browser, server: str) -> None:
    with visiting(browser, server, *WIDE, has_touch=True) as page:
        open_page(page, f"{STREET}&opacity=100")
        x, y = point(page, SCORES, 239.5, 179.5)
        session = page.context.new_cdp_session(page)

        def touch(kind: str, *places: tuple[float, float]) -> None:
            points = [{"x": x, "y": y, "id": number} for number, (x, y) in enumerate(places)]
            session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

        touch("touchStart", (x - 50, y), (x + 50, y))
        for spread in range(60, 110, 10):
            touch("touchMove", (x - spread, y), (x + spread, y))
        touch("touchEnd")
        expect(canvas(page, PHOTO)).to_have_class("zoomed")
        check_window(page, 120, 90, 2, share=0.94)


@pytest.mark.parametrize("index", [PHOTO, SCORES, SEGMENTATION])
def test_the_cell_is_outlined_in_all_three_pictures(pointed_page: Page, index: int) -> None:
    set_view(pointed_page)
    seen = []
    for column, row in ((2, 3), (9, 7)):
        pointed_page.mouse.move(*point(pointed_page, index, 32 * column + 16, 32 * row + 16))
        wait_until_quiet(pointed_page)
        seen.append(pixels(pointed_page))
    for first, second in zip(*seen, strict=True):
        assert np.array_equal(find_outlined_cells(first), [[3, 2]]) and np.array_equal(
            find_outlined_cells(second), [[7, 9]]
        )
        changed = (first != second).any(-1)
        for column, row in ((2, 3), (9, 7)):
            changed[32 * row - 3 : 32 * row + 35, 32 * column - 3 : 32 * column + 35] = False
        assert not changed.any()


def find_outlined_cells(picture: np.ndarray) -> np.ndarray:
    """Row and column of the cells inside the photo whose four sides are white in the middle."""
    light = picture.min(-1) > 200
    middle = slice(8, 24)

    def is_outlined(row: int, column: int) -> bool:
        top, left = 32 * row, 32 * column
        across, down = light[:, left : left + 32][:, middle], light[top : top + 32][middle]
        return bool(
            across[top - 1 : top + 1].any(0).all()
            and across[top + 31 : top + 33].any(0).all()
            and down[:, left - 1 : left + 1].any(1).all()
            and down[:, left + 31 : left + 33].any(1).all()
        )

    return np.array([(row, column) for row in range(1, 11) for column in range(1, 14) if is_outlined(row, column)])


def test_pointing_makes_no_round_trip_to_the_server(page: Page) -> None:
    frames: list[str] = []

    def watch(socket: WebSocket) -> None:
        socket.on("framesent", lambda _: frames.append("sent"))
        socket.on("framereceived", lambda _: frames.append("received"))

    page.on("websocket", watch)
    open_page(page)
    assert "sent" in frames and "received" in frames
    page.wait_for_timeout(500)  # for whatever the page still says after it was drawn
    frames.clear()
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    read = set()
    for index in (PHOTO, SCORES, SEGMENTATION):
        for x in range(0, 480, 24):
            page.mouse.move(*point(page, index, x, 0.7 * x))
            read.add(readout(page))
    page.mouse.move(*point(page, PHOTO, 240, 180))
    page.mouse.down()  # in the segmentation it would ask for the sums of a square
    page.mouse.up()
    page.keyboard.press("ArrowLeft")
    page.wait_for_timeout(1000)
    assert len(read) >= 20 and not frames and not requests


# Zoom


def check_window(page: Page, left: float, top: float, scale: float, share: float = 0.95) -> None:
    """Check that all three pictures show the same window of the photo, pixel for pixel; opacity is 100 %.

    A `share` of the pixels must agree: there are outlines and the marks of the four cells too, and fingers are not
    placed to a pixel.
    """
    wait_until_quiet(page)
    photo, cells, segmentation = pixels(page)
    x, y = left + (np.arange(WIDTH) + 0.5) / scale, top + (np.arange(HEIGHT) + 0.5) / scale  # in photo pixels
    place = np.ix_(y.astype(int), x.astype(int))
    best = expected_result().scores.coarse_labels(32).repeat(32, 0).repeat(32, 1)[:HEIGHT, :WIDTH]
    inside = np.ix_(*((scale * (along % 32) > 2) & (scale * (along % 32) < 32 * scale - 2) for along in (y, x)))
    inner = expected_result().inner()[place]
    assert share_alike(segmentation[inner], expected_result().palette[expected_result().labels()][place][inner]) > share
    assert share_alike(cells[inside], expected_result().palette[best][place][inside]) > share
    assert np.abs(photo - expected_result().pixels[place]).mean() < 10


def test_buttons_zoom_and_dragging_pans_all_three_in_step(pointed_page: Page) -> None:
    open_page(pointed_page, f"{STREET}&opacity=100")
    check_window(pointed_page, 0, 0, 1)
    for _ in range(3):
        viewer(pointed_page).get_by_role("button", name="Zoom in").click()
    scale = 1.5**3
    left, top = (WIDTH - WIDTH / scale) / 2, (HEIGHT - HEIGHT / scale) / 2
    check_window(pointed_page, left, top, scale)
    for index, (across, down) in zip((PHOTO, SCORES, SEGMENTATION), ((60, -30), (-100, 45), (15, 20)), strict=True):
        x, y = point(pointed_page, index, 240, 180)
        pointed_page.mouse.move(x, y)
        pointed_page.mouse.down()
        pointed_page.mouse.move(x + across / 2, y + down / 2)
        pointed_page.mouse.move(x + across, y + down)
        pointed_page.mouse.up()
        left, top = left - across / scale, top - down / scale
        check_window(pointed_page, left, top, scale)
    viewer(pointed_page).get_by_role("button", name="Zoom out").click()
    left, top = ((start * 2 + side / scale - side / scale * 1.5) / 2 for start, side in ((left, WIDTH), (top, HEIGHT)))
    viewer(pointed_page).get_by_role("button", name="Show the whole picture").click()
    check_window(pointed_page, 0, 0, 1)


@pytest.mark.parametrize("index", [PHOTO, SCORES, SEGMENTATION])
def test_wheel_with_control_double_click_and_keys_zoom_where_one_points(pointed_page: Page, index: int) -> None:
    open_page(pointed_page, f"{STREET}&opacity=100")
    x, y = 361, 127
    place = point(pointed_page, index, x, y)
    pointed_page.mouse.move(*place)
    pointed_page.mouse.wheel(0, -120)  # without control: that is for the page
    check_window(pointed_page, 0, 0, 1)
    pointed_page.evaluate("document.querySelector('[data-testid=\"stMain\"]').scrollTop = 0")
    pointed_page.keyboard.down("Control")
    pointed_page.mouse.wheel(0, -120)
    pointed_page.keyboard.up("Control")
    scale = 1.25
    check_window(pointed_page, (x + 0.5) * (1 - 1 / scale), (y + 0.5) * (1 - 1 / scale), scale)
    pointed_page.mouse.dblclick(*place)
    scale = 2.5
    check_window(pointed_page, (x + 0.5) * (1 - 1 / scale), (y + 0.5) * (1 - 1 / scale), scale)
    canvas(pointed_page, index).press("-")
    canvas(pointed_page, index).press("+")
    assert parse_readout(pointed_page)[0] == (x, y)
    canvas(pointed_page, index).press("0")
    check_window(pointed_page, 0, 0, 1)

"""Pictures of every page, for looking at them: three widths, light and dark.

    python -m tests.support.screenshots DIR

Starts the app and writes PAGE-WIDTH-THEME.png, each page from top to bottom, and first-page.png, the picture of the
README: the first screen, in few colours.
"""

from __future__ import annotations

import argparse
import os
import sys
from itertools import product
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path.insert(0, str(Path(__file__).parents[2]))

from PIL import Image
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.support.browsing import find_browser, launch, open_page, visiting, wait_until_quiet
from tests.support.live import serving

#: Name -> address, and what comes last on the page.
PAGES = {
    "try": ("/", ".viewer[data-ready]"),
    "story": ("/story", ".story[data-ready]"),
    "steps": ("/steps", '[data-testid="stExpander"] >> nth=6'),
    "quality": ("/quality", ".stPlotlyChart .main-svg >> nth=2"),
    "share": ("/", ".viewer[data-ready]"),
    "presenter": ("/?present=1", ".story[data-ready]"),
}
WIDTHS = {1440: 900, 1366: 768, 390: 844}  # of the window -> its height
THEMES = ("light", "dark")
SETTLING = 1500  # milliseconds for figures that grow into their places


def main() -> int:
    """Take all pictures; return 1 without a browser."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("folder", metavar="DIR", type=Path)
    folder: Path = arguments.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    path = find_browser()
    if path is None:
        print("No chromium is installed.", file=sys.stderr)
        return 1
    with sync_playwright() as playwright, serving(folder / "server.log") as server:
        browser = launch(playwright, path)
        save_readme_picture(browser, server.url, folder / "first-page.png")
        for name, width, theme in product(PAGES, WIDTHS, THEMES):
            file = folder / f"{name}-{width}-{theme}.png"
            with visiting(browser, server.url, width, WIDTHS[width], color_scheme=theme) as page:
                show_page(page, name, width)
                page.screenshot(path=file)
            print(file)
        browser.close()
    return 0


def show_page(page: Page, name: str, width: int) -> None:
    """Open a page and make the window as high as what it shows."""
    address, last = PAGES[name]
    page.goto(address)
    expect(page.locator(last)).to_be_attached()
    page.wait_for_load_state("networkidle")
    if name == "share":
        page.locator(".st-key-share").get_by_role("button").click()
        expect(page.get_by_role("dialog").locator("img")).to_be_visible()
    part = '[role="dialog"]' if name == "share" else '[data-testid="stMain"]'
    for _ in range(2):  # a higher window may make the page higher
        page.wait_for_timeout(SETTLING)
        wait_until_quiet(page)
        whole = page.locator(part).evaluate(
            "one => one.scrollHeight + 2 * Math.max(0, one.getBoundingClientRect().top)"
        )
        page.set_viewport_size({"width": width, "height": int(whole) + 1})
    page.wait_for_timeout(SETTLING)


def save_readme_picture(browser: Browser, server: str, file: Path) -> None:
    """Save the first screen, light, in 256 colours."""
    with visiting(browser, server, 1440, 900, color_scheme="light") as page:
        open_page(page, "/?sample=cow")
        page.screenshot(path=file)
    Image.open(file).convert("RGB").quantize(256, kmeans=3).save(file, optimize=True)


if __name__ == "__main__":
    sys.exit(main())

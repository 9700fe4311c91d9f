"""The pages of a hosted server in a real browser: its Content-Security-Policy stops nothing that they need."""

import re
from collections.abc import Iterator

import pytest

from tests.benchmarks.proxy import find_free_ports, replica
from tests.support import browsing
from tests.support.live import ROOT

pytestmark = pytest.mark.browser
PATHS = [f"/{path}" for path in re.findall(r'url_path="(\w+)"', (ROOT / "app.py").read_text()) if path != "home"]
BROKEN = """
    window.stopped = [];
    document.addEventListener("securitypolicyviolation", event =>
        window.stopped.push(`${event.violatedDirective} ${event.blockedURI} ${event.sourceFile}`));
"""


@pytest.fixture(scope="module")
def hosted_url(chromium: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    [port] = find_free_ports(1)
    with replica(port, tmp_path_factory.mktemp("hosted") / "log.txt") as server:
        *_, (status, text) = server.wait_until_ready()
        assert status == 200, text
        yield server.url


@pytest.mark.parametrize("path", ["/", *PATHS])
def test_nothing_that_a_page_needs_is_stopped(browser, hosted_url: str, path: str) -> None:  # type: ignore[no-untyped-def]
    with browsing.visiting(browser, hosted_url) as page:
        page.add_init_script(BROKEN)
        page.goto(hosted_url + path)
        browsing.wait_until_quiet(page)
        page.wait_for_timeout(2000)
        if path == "/":
            browsing.wait_until_drawn(page)
            page.locator(".st-key-upload input[type=file]").set_input_files(
                {"name": "mine.jpg", "mimeType": "image/jpeg", "buffer": browsing.jpeg(320, 240)}
            )
            browsing.wait_until_quiet(page)
        for _ in range(12):  # what is drawn when it is seen
            page.mouse.wheel(0, 800)
            page.wait_for_timeout(200)
        assert page.evaluate("window.stopped") == []
        assert page.evaluate("document.querySelectorAll('[data-testid=stException]').length") == 0
        charts = page.locator(".js-plotly-plot")
        if path in ("/steps", "/quality"):
            assert charts.count() > 0 and page.locator(".js-plotly-plot svg").count() > 0
            assert page.locator(".js-plotly-plot .no-webgl").count() == 0


def test_a_script_from_elsewhere_does_not_run(browser, hosted_url: str) -> None:  # type: ignore[no-untyped-def]
    with browsing.visiting(browser, hosted_url) as page:
        page.add_init_script(BROKEN)
        page.goto(hosted_url)
        browsing.wait_until_quiet(page)
        page.evaluate(
            """() => {
                const script = document.createElement("script");
                script.textContent = "window.hurt = true";
                document.body.append(script);
                document.body.insertAdjacentHTML("beforeend", "<img src=x onerror='window.hurt = true'>");
            }"""
        )
        page.wait_for_timeout(500)
        assert page.evaluate("window.hurt") is None and len(page.evaluate("window.stopped")) == 2

"""Every benchmark still runs: once, as short as it gets. Whether its targets are met is for a quiet machine to say."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.browsing import find_browser

ROOT = Path(__file__).parents[2]
SHORT = {
    "speed": ["--repeats", "1", "--starts", "1", "--patience", "0"],
    "interaction": ["--repeats", "1"],
    "load": ["--visitors", "2", "--uploads", "1", "--photos", "2"],
    "proxy": ["--visitors", "2", "--photos", "1"],
    "soak": ["--visitors", "2", "--minutes", "0.3"],
}


def test_none_is_left_out() -> None:
    assert {path.stem for path in (ROOT / "tests" / "benchmarks").glob("*.py")} == SHORT.keys()


@pytest.mark.parametrize("name", SHORT)
def test_a_short_run_ends_with_a_table(name: str) -> None:
    if name in ("interaction", "proxy") and find_browser() is None:
        pytest.skip("No chromium is installed.")
    if name == "proxy" and shutil.which("haproxy") is None:
        pytest.skip("No haproxy is installed.")
    command = [sys.executable, "-m", f"tests.benchmarks.{name}", *SHORT[name]]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert run.returncode in (0, 1) and "Traceback" not in run.stderr, run.stderr[-3000:]
    assert any(sign in run.stdout for sign in ("|", " met", "MISSED")), "no table"

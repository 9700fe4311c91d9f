"""The scripts of a part are sent to the browser in the order in which .ci/javascript checks their types."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fcn.ui.learning import learning
from fcn.ui.stepper import stepper
from fcn.ui.story import story
from fcn.ui.viewer import viewer
from tests.support.live import ROOT

PARTS = {
    "viewer": (viewer.HERE, viewer.SCRIPTS),
    "carrier": (viewer.HERE, viewer.CARRIER),
    "story": (story.HERE, story.SCRIPTS),
    "learning": (learning.HERE, learning.SCRIPTS),
    "stepper": (stepper.HERE, stepper.SCRIPTS),
}


def read_project(part: str) -> list[Path]:
    """The scripts of a part's project, in order."""
    folder = ROOT / ".ci" / "javascript" / part
    files = json.loads((folder / "tsconfig.json").read_text(encoding="utf-8"))["files"]
    return [(folder / name).resolve() for name in files if name.endswith(".js")]


@pytest.mark.parametrize("part", PARTS)
def test_what_is_sent_is_what_is_checked(part: str) -> None:
    folder, names = PARTS[part]
    assert read_project(part) == [(folder / name).resolve() for name in names]

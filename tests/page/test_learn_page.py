"""The page "Watch it learn" without a browser: recorded runs, choices, links, short memory."""

import json
from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from fcn.compute.learning import RATES, STEPS, Settings
from fcn.compute.trainings import Run
from fcn.ui import compute
from fcn.ui.learning import own_kernel
from fcn.ui.pages import learn

SCRIPT = """
import streamlit as st

from fcn.ui.pages import learn

st.set_page_config(layout="wide")
learn.show()
"""


def open_page(**link: str) -> AppTest:
    app = AppTest.from_string(SCRIPT, default_timeout=120)
    app.query_params.update(link)
    return run_page(app)


def run_page(app: AppTest) -> AppTest:
    app.run()
    assert not app.exception and not app.error
    return app


def words(app: AppTest) -> str:
    return "\n".join(element.value for shown in (app.markdown, app.caption, app.info) for element in shown)


def payloads(app: AppTest) -> list[dict[str, Any]]:
    """What the page sends to its parts: the recorded run, the live one."""
    found = [element.proto for element in app.get("bidi_component")]
    return [json.loads(one.json or one.mixed.json) for one in found]


@pytest.fixture(scope="module")
def page() -> AppTest:
    return open_page()


def test_the_recorded_run_is_there_at_once_and_nothing_is_computed(page: AppTest) -> None:
    recorded, live = payloads(page)
    assert recorded["results"][0]["step"] == 0 and recorded["results"][-1]["step"] == recorded["last"]
    assert len(recorded["pairs"]) == len(recorded["results"][0]["limits"])
    assert recorded["goals"]["bilinear"]["miou"] > recorded["goals"]["nearest"]["miou"]
    assert live["results"] == [] and live["state"] is None
    assert compute.keras().pid is None


def test_page_tells_settings_date_and_what_the_runs_show(page: AppTest) -> None:
    text = words(page)
    assert "Recorded on 20" in text and "learning rate 0.03, 64 pictures" in text
    for name in ("nearest", "bilinear"):
        goal = payloads(page)[0]["goals"][name]["miou"]
        assert goal > 0
    assert "overtake" in text and "Random numbers" in text and "picture" in text


@pytest.mark.parametrize("name", ["random", "bilinear", "one"])
def test_a_link_opens_another_recorded_run(name: str) -> None:
    titles = {run.name: run.title for run in learn.read_recording().runs}
    recorded, _ = payloads(open_page(learn_run=titles[name]))
    assert recorded["run"] == f"recorded {name}"


def test_each_start_has_a_rate_that_suits_it() -> None:
    app = open_page()
    assert app.button_group(key="learn_rate_zeros").value == 0.03
    app.button_group(key="learn_start").set_value("bilinear")
    assert run_page(app).button_group(key="learn_rate_bilinear").value == 0.003
    assert len(app.button_group(key="learn_rate_bilinear").options) == len(RATES)


def test_shape_channels_are_offered_if_the_model_has_them(page: AppTest) -> None:
    kernel = compute.segmenter("street").kernel(32)
    keys = [group.key for group in page.get("button_group")]
    assert ("learn_shape" in keys) == (kernel.shape[3] > kernel.shape[2])


@pytest.mark.parametrize(
    "link",
    [
        {"learn_run": "", "learn_start": "", "learn_pictures": "", "learn_stride": "", "learn_rate_zeros": ""},
        {"learn_run": "x", "learn_start": "9", "learn_pictures": "-1", "learn_stride": "16", "learn_draw": "1e9"},
        {"learn_draw": "inf"},
        {"learn_draw": "1e400"},
        {"learn_rate_zeros": "nan", "learn_draw": "\N{GRINNING FACE}" * 99, "learn_shape": "True"},
    ],
)
def test_any_link_opens_the_page(link: dict[str, str]) -> None:
    assert len(payloads(open_page(**link))) == 2


def test_where_memory_is_short_only_the_recorded_run_is_offered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compute, "free_memory", lambda: 1_200_000_000)
    app = open_page()
    assert "1.2 GB of memory left; training needs 1.5 GB" in words(app)
    assert len(payloads(app)) == 1


@pytest.mark.parametrize(
    "asked",
    [None, 5, "x", {}, {"number": 1}, {"number": "1", "act": 1, "settings": [], "run": 1, "have": None, "goals": 0}],
)
def test_a_question_that_is_none_is_ignored(asked: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(learn.st, "session_state", {learn.KEY: {"ask": asked}})
    assert learn.question() is None


@pytest.mark.parametrize("target, steps", [(10**9, STEPS), (-5, 1), (7, 7), (None, 1), ("x", 1)])
def test_a_request_stays_within_bounds(target: object, steps: int, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = {"number": 1, "act": "train", "settings": "", "run": "", "have": -3, "goals": False, "until": target}
    monkeypatch.setattr(learn.st, "session_state", {learn.KEY: {"ask": asked}})
    found = learn.question()
    assert found and found["until"] == steps and found["have"] == 0


@pytest.mark.parametrize(
    "changed, said",
    [
        ({"trouble": "It broke."}, "It broke."),
        ({"step": STEPS}, f"all {STEPS} steps are done"),
        ({"step": 9, "seconds": 61.0}, "60 seconds of computing are used up"),
        ({"doing": "Loading Keras"}, "Loading Keras ..."),
        ({"doing": "Training", "step": 100, "training": 20.0, "measuring": 1.0}, "about 25 s left"),
        ({"step": 9}, f"Paused at step 9 of {STEPS}"),
    ],
)
def test_the_state_of_a_run_is_told(changed: dict[str, Any], said: str) -> None:
    run = Run(Settings(), 1)
    for name, value in changed.items():
        setattr(run, name, value)
    assert said in learn.words(run)


def test_an_own_kernel_is_used_until_it_is_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """On "Try it", for its model and stride alone."""
    app = AppTest.from_string(SCRIPT.replace("learn", "try_it"), default_timeout=120)
    app.query_params["model"] = "street"
    before = maps(run_page(app))
    kernel = np.zeros_like(compute.segmenter("street").kernel(32))  # all classes alike: the first one wins
    app.session_state[own_kernel.PLACE] = own_kernel.OwnKernel("street", 32, kernel, "nothing", "sha")
    after = maps(run_page(app))
    assert after["transposed"] != before["transposed"] and after["bilinear"] == before["bilinear"]
    assert "your own kernel: nothing" in words(app)
    app.query_params["stride"] = "8"
    assert "your own kernel" not in words(run_page(app))
    app.query_params["stride"] = "32"
    run_page(app)
    app.button(key="own_kernel_forget").click()
    assert maps(run_page(app)) == before
    assert "your own kernel" not in words(app)


def maps(app: AppTest) -> dict[str, str]:
    """The labels that "Try it" sends to the browser, packed, by upsampling."""
    parts = [part.proto for part in app.get("bidi_component") if part.proto.component_name.endswith("fcn_carrier")]
    [found] = [part["content"] for part in map(json.loads, (part.json for part in parts)) if part["kind"] == "maps"]
    return {name: found[name] for name in ("bilinear", "transposed")}

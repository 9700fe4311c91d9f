"""Links and flags: what is shared opens the same view, and a link can break nothing."""

import json
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
import segno
import streamlit as st
from streamlit.testing.v1 import AppTest

from fcn.model import zoo
from fcn.ui import layout
from fcn.ui.classroom import share
from fcn.ui.classroom.flags import Flags

APP = str(Path(__file__).parents[2] / "app.py")


def open_page(**parameters: str) -> AppTest:
    app = AppTest.from_file(APP, default_timeout=120)
    for name, value in parameters.items():
        app.query_params[name] = value
    app.run()
    assert not app.exception
    return app


def shared_link(app: AppTest) -> str:
    """The link that the panel shows; there is other code on the page."""
    return next(str(code.value) for code in app.code if code.value.startswith(("http", "/?")))


def styles(app: AppTest) -> str:
    return "".join(element.proto.body for element in app.get("html")).replace(layout.STYLE, "")


def state(app: AppTest) -> dict[str, Any]:
    """What the first screen is told."""
    parts = [json.loads(part.proto.json) for part in app.get("bidi_component") if part.proto.json]
    return next(part["content"] for part in parts if part["kind"] == "state")


def test_a_plain_link_hides_nothing() -> None:
    app = open_page()
    assert styles(app) == "<style></style>" and state(app)["hide"] == state(app)["lock"] == []


def test_hidden_controls_are_hidden_and_still_work() -> None:
    app = open_page(hide="actions,stride", stride="FCN-8s")
    assert ".st-key-actions { display: none" in styles(app) and state(app)["hide"] == ["actions", "stride"]
    assert state(app)["choices"]["stride"] == 8  # the link rules, seen or not


@pytest.mark.parametrize(
    "value", ["x}body{display:none", "</style><script>alert(1)</script>", "a" * 5000, "a,b;c", "", ",,,", "\x00", "ä"]
)
def test_hostile_flags_change_nothing(value: str) -> None:
    app = open_page(hide=value, lock=value, present=value)
    rules = styles(app) + str(state(app)["hide"]) + str(state(app)["lock"])
    assert "body" not in rules and "script" not in rules and len(rules) < 200
    app.button(key="share").click().run()
    assert not app.exception


def test_a_locked_model_cannot_be_changed() -> None:
    app = open_page(lock="model", model="People & animals")
    assert state(app)["lock"] == ["model"] and state(app)["model"] == "people_animals"
    app.query_params["sample"] = "scene-17"
    app.run()
    assert state(app)["shown"] == "scene-17" and state(app)["model"] == "people_animals"


def test_what_is_locked_is_not_taken_from_the_browser() -> None:
    app = open_page(lock="stride,model", model="People & animals")

    def receive() -> None:
        from fcn.ui.pages import try_it

        try_it.take({"stride": 8, "model": "street", "upsampling": "nearest", "turn": 3})

    script = AppTest.from_function(receive)
    script.query_params.update(app.query_params)
    script.run()
    assert not script.exception
    found = script.session_state["choices"]
    assert (found.stride, found.model, found.upsampling) == (32, "people_animals", "nearest")


def test_the_shared_link_keeps_every_choice() -> None:
    chosen = {"sample": "cow", "stride": "8", "upsampling": "nearest", "against": "transposed", "view": "compare",
              "cells": "score", "class": "cow", "channel": "3", "opacity": "30", "names": "0", "size": "320",
              "model": "People & animals"}  # fmt: skip
    app = open_page(**chosen)
    app.button(key="share").click().run()
    address = shared_link(app)
    assert dict(parse_qsl(urlsplit(address).query)) == chosen


def test_presenter_mode_can_be_left() -> None:
    app = open_page(present="1", hide="more")
    assert "font-size" in styles(app)
    app.button(key="leave").click().run()
    assert "font-size" not in styles(app) and ".st-key-more" in styles(app)
    assert "present" not in app.query_params and app.query_params["hide"] == "more"


@pytest.mark.parametrize(
    ("address", "here"),
    [
        ("http://localhost:8501/", True),
        ("http://127.0.0.1:8501/steps", True),
        ("http://[::1]:8501/", True),
        ("https://demo.example.org/", False),
        ("http://192.168.1.7:8501/", False),
        ("", False),
    ],
)
def test_an_address_of_this_computer_only_is_known(address: str, here: bool) -> None:
    assert share.only_here(address) is here


def test_qr_code_is_of_the_link() -> None:
    address = "https://demo.example.org/steps?model=People+%26+animals&hide=upload,camera"
    picture = share.qr(address) or ""
    modules = segno.make(address, error="m")
    assert f'viewBox="0 0 {modules.symbol_size(border=3)[0]} ' in picture and "#fff" in picture


def test_a_link_of_3000_characters_is_shared_without_what_nobody_knows() -> None:
    app = open_page(nonsense="x" * 3000, stride="8", other="1", own="2")
    app.button(key="share").click().run()
    assert not app.exception
    address = shared_link(app)
    assert "stride=" in address and "nonsense" not in address and "other" not in address and len(address) < 200


def test_an_address_too_long_for_a_qr_code_is_said() -> None:
    assert share.qr("https://demo.example.org/?x=" + "x" * 3000) is None


def test_flags_as_parameters_leave_out_what_is_not_set() -> None:
    assert Flags().parameters() == {}
    assert Flags(("upload", "camera"), ("model",), True).parameters() == {
        "hide": "upload,camera",
        "lock": "model",
        "present": "1",
    }


def test_a_server_without_models_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    st.cache_data.clear()
    monkeypatch.setattr(zoo, "MODELS", tmp_path)
    app = open_page()
    st.cache_data.clear()
    [error] = app.error
    assert "No model is installed" in error.value and "Restore it" in error.value

"""Links and flags: what is shared opens the same view, and a link can break nothing."""

from pathlib import Path

import pytest
import segno
import streamlit as st
from streamlit.testing.v1 import AppTest

from fcn.model import zoo
from fcn.ui.classroom import share
from fcn.ui.classroom.flags import Flags

APP = str(Path(__file__).parents[2] / "app.py")


def opened(**parameters: str) -> AppTest:
    app = AppTest.from_file(APP, default_timeout=120)
    for name, value in parameters.items():
        app.query_params[name] = value
    app.run()
    assert not app.exception
    return app


def styles(app: AppTest) -> str:
    return "".join(element.proto.body for element in app.get("html"))


def test_a_plain_link_hides_nothing() -> None:
    assert styles(opened()) == ""


def test_hidden_controls_are_hidden_and_still_work() -> None:
    app = opened(hide="upload,stride", stride="FCN-8s")
    assert ".st-key-upload { display: none" in styles(app) and ".st-key-stride { display: none" in styles(app)
    assert app.button_group(key="stride").value == 8  # the link rules, seen or not


@pytest.mark.parametrize(
    "value", ["x}body{display:none", "</style><script>alert(1)</script>", "a" * 5000, "a,b;c", "", ",,,", "\x00", "ä"]
)
def test_hostile_flags_change_nothing(value: str) -> None:
    app = opened(hide=value, lock=value, present=value)
    rules = styles(app)
    assert "body" not in rules and "script" not in rules and len(rules) < 200
    app.button(key="share").click().run()
    assert not app.exception


def test_a_locked_model_cannot_be_changed() -> None:
    app = opened(lock="model", model="People & animals")
    assert app.button_group(key="model").disabled
    assert app.button_group(key="model").value == "people_animals"
    assert not app.button_group(key="stride").disabled


def test_presenter_mode_can_be_left() -> None:
    app = opened(present="1", hide="more")
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
    app = opened(nonsense="x" * 3000, stride="FCN-8s", other="1", own="2")
    app.button(key="share").click().run()
    assert not app.exception
    [address] = [code.value for code in app.code]
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
    app = opened()
    st.cache_data.clear()
    [error] = app.error
    assert "No model is installed" in error.value and "Restore it" in error.value

"""What is used of the insides of other libraries still does what it is used for."""

import asyncio
import inspect
import io
import re
from pathlib import Path

import numpy as np
import pytest
import streamlit
from PIL import Image
from starlette.datastructures import Headers, UploadFile
from starlette.formparsers import MultiPartParser
from streamlit.runtime import Runtime
from streamlit.runtime.runtime import AsyncObjects

from fcn import internals

ROOT = Path(__file__).parents[2]


def test_nothing_else_looks_inside() -> None:
    """Test ids and the modules that are known to be private stand in fcn/internals.py alone."""
    inside = re.compile(
        r"data-testid|tensorflow\.python|_session_mgr|_files_by_session_and_coord|_get_inactive_file_ids|_delete_file|_get_async_objs|net_util|spool_max_size|Image\.OPEN"
    )
    sources = [ROOT / "app.py", *(ROOT / "deploy").glob("*.py")]
    sources += [path for kind in ("py", "css", "js", "html") for path in (ROOT / "fcn").rglob(f"*.{kind}")]
    looking = {path.relative_to(ROOT).as_posix() for path in sources if inside.search(path.read_text("utf-8"))}
    assert looking == {"fcn/internals.py"}


@pytest.mark.parametrize("name", ["JPEG", "PNG"])
def test_pillow_names_what_opens_a_format(name: str) -> None:
    file = io.BytesIO()
    Image.fromarray(np.zeros((2, 3, 3), np.uint8)).save(file, name)
    factory, accept = internals.pillow_plugin(name)
    assert factory is not None and accept is not None and accept(file.getvalue()[:16])
    file.seek(0)
    assert factory(file, "").size == (3, 2)
    assert internals.pillow_plugin("NOTHING") == (None, None)


def test_an_upload_stays_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(MultiPartParser, "spool_max_size", 10)

    async def is_on_disk(size: int) -> bool:
        async def body():  # type: ignore[no-untyped-def]
            yield (
                b'--x\r\nContent-Disposition: form-data; name="f"; filename="f"\r\n\r\n'
                + bytes(size)
                + b"\r\n--x--\r\n"
            )

        headers = Headers({"content-type": "multipart/form-data; boundary=x"})
        form = await MultiPartParser(headers, body()).parse()
        file = form["f"]
        assert isinstance(file, UploadFile)
        try:
            return bool(file.file._rolled)  # type: ignore[attr-defined]
        finally:
            await form.close()

    assert asyncio.run(is_on_disk(1000)), "the limit is not read from here any more"
    internals.keep_uploads_in_memory(2000)
    assert not asyncio.run(is_on_disk(1000))


def test_streamlit_asks_nobody_for_its_address(monkeypatch: pytest.MonkeyPatch) -> None:
    from streamlit import net_util
    from streamlit.web.server import server_util

    monkeypatch.setattr(net_util, "get_external_ip", lambda: "203.0.113.5")
    assert server_util.is_url_from_allowed_origins("http://203.0.113.5:8501"), "the address is not looked up there"
    internals.ask_nobody_for_own_address()
    assert not server_util.is_url_from_allowed_origins("http://203.0.113.5:8501")


@pytest.mark.parametrize(
    "selector",
    [
        internals.HEADER,
        internals.MAIN_BLOCK,
        internals.VERTICAL_BLOCK,
        internals.LAYOUT_WRAPPER,
        internals.ELEMENT_CONTAINER,
    ],
)
def test_streamlit_has_these_test_ids(selector: str) -> None:
    name = selector.split('"')[1]
    bundle = Path(streamlit.__file__).parent / "static"
    assert any(
        f'"{name}"' in path.read_text("utf-8") or f"`{name}`" in path.read_text("utf-8")
        for path in bundle.rglob("*.js")
    )


def test_a_frozen_function_holds_its_weights() -> None:
    import tensorflow as tf

    weight = tf.Variable(np.full(3, 2, np.float32))
    traced = tf.function(lambda photo: photo * weight, input_signature=[tf.TensorSpec((3,), tf.float32)])
    frozen = internals.freeze(traced.get_concrete_function())
    assert not frozen.variables
    assert np.asarray(frozen(tf.ones(3))[0]).tolist() == [2, 2, 2]


def test_a_runtime_of_streamlit_tells_its_visits_and_its_loop() -> None:
    """Its attributes are set in code that only a running server reaches: they are looked for in the source."""
    source = inspect.getsource(Runtime)
    assert "self._session_mgr =" in source and "def _get_async_objs(self)" in source
    assert "eventloop" in inspect.getsource(AsyncObjects)

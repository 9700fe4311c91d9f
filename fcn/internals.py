"""Everything used from the internals of other libraries: any release may change it, so each use has a test.

The tests are in tests/core/test_internals.py, and for what a visit may keep (fcn/ui/visits.py and fcn/ui/downloads.py
patch three methods of Streamlit's) in tests/server/test_visits.py. Run them before raising a bound in requirements.txt.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

from PIL import Image

# Streamlit has no option that hides its header or narrows the margins for one visitor alone: these are the test ids of
# the two in its page.
HEADER = '[data-testid="stHeader"]'
MAIN_BLOCK = '[data-testid="stMainBlockContainer"]'
# Nor an element that takes no room, or a gap between all elements of a page: what wraps elements, by its test ids.
VERTICAL_BLOCK = '[data-testid="stVerticalBlock"]'
LAYOUT_WRAPPER = '[data-testid="stLayoutWrapper"]'
ELEMENT_CONTAINER = '[data-testid="stElementContainer"]'

HOLDER = "downloads"  # the visit under which Streamlit keeps files for downloads


def pillow_plugin(name: str) -> tuple[Callable[..., Any] | None, Callable[[bytes], Any] | None]:
    """Return what opens files of a format, and what recognises their first bytes; None twice for an unknown format.

    Pillow's registry. `Image.open` offers no way to read a header without its size check, which warns or fails by
    global settings, and tries formats that were not requested.
    """
    Image.init()
    return Image.OPEN.get(name, (None, None))


def keep_uploads_in_memory(limit: int) -> None:
    """Let Starlette keep an upload of up to `limit` bytes in memory.

    It writes more than 1 MB to a temporary file, and has no setting that Streamlit would hand through. Photos of
    visitors must not reach a disk.
    """
    from starlette.formparsers import MultiPartParser

    MultiPartParser.spool_max_size = limit


def ask_nobody_for_own_address() -> None:
    """Keep Streamlit from asking an outside server for this one's address.

    It does so for every WebSocket from another origin, and all visitors would wait for the answer, up to 2 s. The
    module is loaded by name because only fcn/ui may depend on Streamlit; only a server calls this.
    """
    importlib.import_module("streamlit.net_util").get_external_ip = lambda: None  # type: ignore[attr-defined]


def session_manager(runtime: Any) -> Any:
    """The session manager of a Streamlit runtime: it alone knows which visits may still come back."""
    return runtime._session_mgr


def event_loop(runtime: Any) -> Any:
    """The event loop of a Streamlit runtime, whose thread is the only one that may end a visit."""
    return runtime._get_async_objs().eventloop


def hold_file(manager: Any, name: str, url: str) -> int | None:
    """Let Streamlit's media file manager keep the file at an address under a name; return its bytes.

    Streamlit forgets which files a visit uses whenever its page is drawn. Here it stands under a visit of its own. None
    if the file is gone already.
    """
    file_id = url.rpartition("/")[2].partition(".")[0]
    with manager._lock:
        manager._files_by_session_and_coord[HOLDER][name] = file_id
    file = manager.read_file(file_id)
    return None if file is None else len(file.content)


def drop_file(manager: Any, name: str) -> None:
    """End what `hold_file` began: the file is removed unless something else shows it."""
    with manager._lock:
        file_id = manager._files_by_session_and_coord[HOLDER].pop(name, None)
        if file_id in manager._get_inactive_file_ids():
            manager._delete_file(file_id)


def freeze(function: Any) -> Any:
    """Turn the variables of a TensorFlow function into constants.

    The public converter keeps them beside the graph when it is handed a function, and then the file has no weights.
    """
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    return convert_variables_to_constants_v2(function)

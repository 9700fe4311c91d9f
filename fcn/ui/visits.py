"""What one visit may keep in memory, and for how long: limits that also hold for clients without a page.

Streamlit keeps every file that a visit sends until the visit ends, accepts files of visits that are over, and notices
the end of a visit only when another one ends. `install` changes all three; tests/server/test_visits.py fails when an
update of Streamlit undoes it.
"""

from __future__ import annotations

import ctypes
import functools
import gc
import threading
import time
from collections.abc import Callable
from contextlib import suppress

from streamlit import config
from streamlit.runtime import Runtime
from streamlit.runtime.memory_session_storage import MemorySessionStorage
from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager
from streamlit.runtime.session_manager import SessionInfo
from streamlit.runtime.uploaded_file_manager import UploadedFileRec

from fcn import internals
from fcn.machine import is_full, memory
from fcn.ui import compute, downloads

FILES = 3  # of a visit: a photo, one of the camera, a mask
BYTES = 60 * 1024**2  # of a visit
ALL = max(3 * BYTES, min(192 * 1024**2, memory() // 4))  # bytes of all visits
PIXELS_KEPT = 120.0  # seconds for which a decoded photo that nobody uses is kept
EVERY = 10.0  # seconds between two looks for visits that are over

_installed = threading.Lock()
_left: dict[str, float] = {}  # visit without a connection -> when it broke
_dropped = threading.Event()  # a file was refused or removed since the last look: libc may still hold its memory


def install() -> None:
    """Apply the limits to all visits of this process from now on. A test of pages alone has no server."""
    if type(Runtime.instance()) is Runtime and _installed.acquire(blocking=False):
        MemoryUploadedFileManager.add_file = _add_file  # type: ignore[method-assign, assignment]
        MemorySessionStorage.save = _save  # type: ignore[method-assign, assignment]
        downloads.install()
        threading.Thread(target=_sweep, name="visits", daemon=True).start()


_original_add = MemoryUploadedFileManager.add_file
_original_save = MemorySessionStorage.save


@functools.wraps(_original_add)
def _add_file(manager: MemoryUploadedFileManager, session_id: str, file: UploadedFileRec) -> None:
    """Accept a file; older ones are dropped if there are too many, and one of a finished visit at once.

    A server that is full takes none: the page then says that the file is not there.
    """
    if not _lives(session_id) or is_full():
        _dropped.set()
        return
    _original_add(manager, session_id, file)
    held = list(manager.file_storage.get(session_id, {}).values())
    held.sort(key=lambda other: other is file)  # one that is sent again is the newest
    while len(held) > FILES or (len(held) > 1 and sum(len(one.data) for one in held) > BYTES):
        manager.remove_file(session_id, held.pop(0).file_id)
        _dropped.set()
    if _held(manager) > ALL:
        _make_room(manager, session_id)


def _held(manager: MemoryUploadedFileManager) -> int:
    return sum(len(file.data) for files in list(manager.file_storage.values()) for file in list(files.values()))


def _make_room(manager: MemoryUploadedFileManager, newest: str) -> None:
    """Visits that have left go first, then the files of present ones, starting with the visit that uploaded first."""
    runtime = Runtime.instance()
    for away in (True, False):
        for session_id in list(manager.file_storage):
            if _held(manager) <= ALL:
                return
            if away and not runtime.is_active_session(session_id):
                runtime.close_session(session_id)
                manager.remove_session_files(session_id)
            elif not away and session_id != newest:
                manager.remove_session_files(session_id)


@functools.wraps(_original_save)
def _save(storage: MemorySessionStorage, session_info: SessionInfo) -> None:
    """Remember when the connection of a visit broke."""
    _left[session_info.session.id] = time.monotonic()
    _original_save(storage, session_info)


def _lives(session_id: str) -> bool:
    """Whether a visit is present, or may still come back."""
    manager = internals.session_manager(Runtime.instance())
    return manager.is_active_session(session_id) or manager.get_session_info(session_id) is not None


def _sweep() -> None:
    """End visits that cannot come back, in an endless loop; nothing else on a quiet server does."""
    while True:
        time.sleep(EVERY)
        done, ended = threading.Event(), [0]
        with suppress(RuntimeError):  # the server is just starting or stopping
            internals.event_loop(Runtime.instance()).call_soon_threadsafe(_end, ended, done)
            let_go = downloads.drop_old() | compute.photos().drop_unused(PIXELS_KEPT)
            if _dropped.is_set():
                _dropped.clear()  # what is dropped from now on is for the next look
                let_go = True
            if done.wait(60) and ended[0]:
                free()
            elif let_go:
                trim()


def _end(ended: list[int], done: threading.Event) -> None:
    """On the server's own thread: close visits that left too long ago, and drop files that belong to none."""
    try:
        runtime = Runtime.instance()
        # A little sooner than Streamlit forgets them, which it would do without closing them.
        limit = config.get_option("server.disconnectedSessionTTL") - EVERY
        for session_id, since in list(_left.items()):
            if runtime.is_active_session(session_id):
                del _left[session_id]  # it came back
            elif not _lives(session_id) or time.monotonic() - since > limit:
                runtime.close_session(session_id)
                del _left[session_id]
                ended[0] += 1
        files = runtime.uploaded_file_mgr
        if isinstance(files, MemoryUploadedFileManager):
            for session_id in list(files.file_storage):
                if not _lives(session_id):
                    files.remove_session_files(session_id)
                    ended[0] += 1
    finally:
        done.set()


def free() -> None:
    """Give memory back to the system: objects of visits refer to each other, and libc keeps what is free."""
    gc.collect()
    trim()


def trim() -> None:
    """The second half of `free`, which stops nobody: what was dropped had no references left."""
    if give_back := _malloc_trim():
        give_back(0)


@functools.cache
def _malloc_trim() -> Callable[[int], int] | None:
    try:
        return ctypes.CDLL(None).malloc_trim  # type: ignore[no-any-return]
    except (AttributeError, OSError, TypeError):  # not the C library of GNU
        return None

"""Files that visitors download: how many are written at once, how many are kept, and for how long.

Streamlit keeps a file that it wrote for a download until anybody's pages have run twice more. On a quiet server that is
for ever, and on a busy one the file can be gone before the browser asks for it. It also lets a visit ask for any number
at once, on a few threads that all visits share.
"""

from __future__ import annotations

import asyncio
import functools
import threading
import time
from collections import Counter

from streamlit.proto.BackMsg_pb2 import BackendOperationRequest
from streamlit.proto.ForwardMsg_pb2 import BackendOperationResponse
from streamlit.runtime import Runtime
from streamlit.runtime.backend_operation_handler import DeferredFileHandler

from fcn import internals

AT_ONCE = 3  # wait for a thread; there are at least five
PENDING = 2  # of a visit
KEPT = 60.0  # seconds for which a file can be fetched; a visit has as many as it may wait for
ALL = 128 * 1024**2  # bytes of all files kept

_turns = asyncio.Semaphore(AT_ONCE)
_pending: Counter[str] = Counter()  # by visit
_held: dict[tuple[str, str], tuple[float, int]] = {}  # visit and address -> when it was written, bytes; oldest first
_lock = threading.Lock()


def install() -> None:
    """Apply these limits to all visits of this process from now on."""
    DeferredFileHandler.handle = _handle  # type: ignore[method-assign, assignment]


_original_handle = DeferredFileHandler.handle


@functools.wraps(_original_handle)
async def _handle(
    handler: DeferredFileHandler, request: BackendOperationRequest, session_id: str
) -> BackendOperationResponse:
    """Write a file in a turn, unless its visit waits for too many already or has left."""
    if _pending[session_id] >= PENDING:
        return BackendOperationResponse(request_id=request.request_id, error_msg="Wait for your other files.")
    _pending[session_id] += 1
    try:
        async with _turns:
            if not Runtime.instance().is_active_session(session_id):
                return BackendOperationResponse(request_id=request.request_id, error_msg="The visit is over.")
            response = await _original_handle(handler, request, session_id)
    finally:
        _pending[session_id] -= 1
        if not _pending[session_id]:
            del _pending[session_id]
    if response.deferred_file and not _hold(session_id, response.deferred_file.url):
        return BackendOperationResponse(request_id=request.request_id, error_msg="The file is gone. Try again.")
    return response


def _hold(visit: str, url: str) -> bool:
    """Keep the file at an address for a visit; its older ones, and the oldest of all, make room.

    Returns:
        Whether it was still there.
    """
    with _lock:
        size = internals.hold_file(Runtime.instance().media_file_mgr, f"{visit} {url}", url)
        _held.pop((visit, url), None)
        _held[visit, url] = time.monotonic(), size or 0
        for one in [one for one in _held if one[0] == visit][:-PENDING]:
            _drop(one)
        while len(_held) > 1 and sum(bytes_ for _, bytes_ in _held.values()) > ALL:
            _drop(next(iter(_held)))
    return size is not None


def drop_old(now: float | None = None) -> bool:
    """Drop files that were kept long enough; return whether there were any. `now` is on the monotonic clock."""
    now = time.monotonic() if now is None else now
    with _lock:
        old = [one for one, (since, _) in _held.items() if now - since > KEPT]
        for one in old:
            _drop(one)
    return bool(old)


def _drop(one: tuple[str, str]) -> None:
    del _held[one]
    internals.drop_file(Runtime.instance().media_file_mgr, " ".join(one))

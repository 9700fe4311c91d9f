"""Entry point of a hosted server: `streamlit run deploy/serve.py`, from the top folder of the project.

The same app as `app.py`, with the models loaded before the first visitor comes, and `/ready` for load balancers:
`/_stcore/health` tells whether the process is alive, `/ready` whether it can show a result at once.
"""

from __future__ import annotations

import asyncio
import base64
import gc
import hashlib
import os
import re
import sys
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import streamlit as st
from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # `streamlit run` adds deploy/ alone

from fcn.internals import ask_nobody_for_own_address  # noqa: E402
from fcn.machine import is_full, memory  # noqa: E402
from fcn.photos.files import MAX_BYTES  # noqa: E402

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]

if st.get_option("server.maxUploadSize") * 1024**2 > 2 * MAX_BYTES:
    # Streamlit reads .streamlit/config.toml in the folder it is started from; without it, 200 MB are accepted.
    sys.exit(f"The settings of the project were not found. Start the server from {ROOT}.")

if resource:  # four files a visitor; many systems allow 1024 unless asked
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)

ask_nobody_for_own_address()

# Sites that may show the pages in a frame, such as "https://huggingface.co"; nobody else may.
FRAMES = os.environ.get("FCN_FRAME_ANCESTORS", "'self'")


def content_policy() -> str:
    """What the pages may load and run: what this server sends, and nothing else.

    Scripts: Streamlit's files, the scripts in its first page (by hash), and the parts of this app, which Streamlit
    imports from blob addresses; one of Streamlit's libraries counts with WebAssembly. Styles are written into the page
    by Streamlit and Plotly. Pictures are sent as data.
    """
    first_page = (Path(st.__file__).parent / "static" / "index.html").read_bytes()
    digests = [hashlib.sha256(script).digest() for script in re.findall(rb"<script>(.*?)</script>", first_page, re.S)]
    hashes = " ".join(f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests)
    return "; ".join(
        (
            "default-src 'self'",
            f"script-src 'self' blob: 'wasm-unsafe-eval' {hashes}",
            "style-src 'self' 'unsafe-inline'",
            "img-src 'self' data: blob:",
            "font-src 'self' data:",
            "media-src 'self' blob:",
            "worker-src 'self' blob:",
            "object-src 'none'",
            "base-uri 'self'",
            "form-action 'self'",
            f"frame-ancestors {FRAMES}",
        )
    )


HEADERS = {
    "Content-Security-Policy": content_policy(),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",  # the link holds what the visitor has chosen
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=()",
}
if FRAMES == "'self'":
    HEADERS["X-Frame-Options"] = "SAMEORIGIN"  # for browsers that are too old for the policy


class Guard:
    """Adds HEADERS to every response, and hides the figures about the process."""

    def __init__(self, inner: ASGIApp) -> None:
        self.inner = inner

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        if scope["type"] != "http":
            await self.inner(scope, receive, send)
        elif "_stcore/metrics" in scope["path"].lower():
            await PlainTextResponse("Not found", 404)(scope, receive, with_headers)
        else:
            await self.inner(scope, receive, with_headers)


class Upload:
    """An upload in progress: when it began, on the clock of the event loop, what limits it, and bytes so far."""

    def __init__(self, start: float, limit: asyncio.Timeout) -> None:
        self.start, self.limit, self.received = start, limit, 0


class Uploads:
    """Limits uploads in progress: two files per visit at once, and in all as much as four of the largest photos.

    Further uploads wait before their first byte, unless too many wait already. One that stalls, or comes more slowly
    than on a slow line, is aborted; while others wait for room, so is the slowest now and then. While the server has
    most of its memory in use, nobody's photo gets in.
    """

    PATH = re.compile(r"/_stcore/upload_file/([^/]+)/")
    OF_A_VISIT = 2
    ROOM = 4 * MAX_BYTES
    WAIT = 120.0  # seconds until an upload may begin
    STALL = 15.0  # seconds without a byte
    RATE = 50_000  # bytes a second that a slow line has
    FAST = 500_000  # bytes a second; so fast an upload holds nobody up
    MOST_WAITING = 10, 300  # of a visit, of all

    def __init__(self, inner: ASGIApp) -> None:
        self.inner = inner
        self.room = max(3 * MAX_BYTES, min(self.ROOM, memory() // 8))
        self.visits: Counter[str] = Counter()
        self.waiting: Counter[str] = Counter()  # by visit
        self.running: list[Upload] = []
        self.aborted = 0.0  # when the slowest was aborted last
        self.change = asyncio.Condition()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        upload = self.PATH.search(scope["path"]) if scope["type"] == "http" and scope["method"] == "PUT" else None
        if upload is None:
            await self.inner(scope, receive, send)
            return

        async def refuse(status: int, sentence: str) -> None:
            await PlainTextResponse(sentence, status, {"Connection": "close"})(scope, receive, send)

        visit, length = upload[1], Headers(scope=scope).get("content-length", "")
        if not length.isdecimal() or "transfer-encoding" in Headers(scope=scope):
            # browsers always state it; without it nothing can be reserved
            await refuse(411, "State the length of the file.")
            return
        if self.waiting[visit] >= self.MOST_WAITING[0] or self.waiting.total() >= self.MOST_WAITING[1] or is_full():
            await refuse(503, "The server is full. Try again in a minute.")
            return
        size = min(int(length), 2 * MAX_BYTES)  # larger ones are refused further in
        self.waiting[visit] += 1
        try:
            async with asyncio.timeout(self.WAIT), self.change:
                while self.visits[visit] >= self.OF_A_VISIT or size > self.room:
                    with suppress(TimeoutError):
                        async with asyncio.timeout(self.STALL):
                            await self.change.wait()
                            continue
                    if self.visits[visit] < self.OF_A_VISIT:  # it is room that is lacking
                        self._abort_slowest()
                self.visits[visit] += 1
                self.room -= size
        except TimeoutError:
            await refuse(503, "Too many photos are being uploaded. Try again in a minute.")
            return
        finally:
            self.waiting[visit] -= 1
            self.waiting += Counter()  # forgets those at 0
        try:
            if not await self._pass_on(scope, receive, send):
                await refuse(408, "The upload took too long.")
        finally:
            self.room += size
            self.visits[visit] -= 1
            self.visits += Counter()  # forgets those at 0
            async with self.change:
                self.change.notify_all()

    def _abort_slowest(self) -> None:
        """Make room for those who wait: abort one upload, the slowest, if it has had its time; no more than that."""
        now = asyncio.get_running_loop().time()
        old = [upload for upload in self.running if now - upload.start > self.STALL]
        if not old or now - self.aborted < self.STALL:
            return
        slowest = min(old, key=lambda upload: upload.received / (now - upload.start))
        if slowest.received < self.FAST * (now - slowest.start) and not slowest.limit.expired():
            self.aborted = now
            slowest.limit.reschedule(now)

    async def _pass_on(self, scope: Scope, receive: Receive, send: Send) -> bool:
        """Hand an upload on as long as it comes at a fair rate; return whether it was answered."""
        begun = False

        async def receive_counted() -> Message:
            message = await receive()
            upload.received += len(message.get("body", b""))
            now = asyncio.get_running_loop().time()
            if not limit.expired():
                limit.reschedule(min(now, upload.start + upload.received / self.RATE) + self.STALL)
            return message

        async def send_noted(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            async with asyncio.timeout(self.STALL) as limit:
                upload = Upload(asyncio.get_running_loop().time(), limit)
                self.running.append(upload)
                try:
                    await self.inner(scope, receive_counted, send_noted)
                finally:
                    self.running.remove(upload)
        except TimeoutError:
            return begun
        except ClientDisconnect:  # nobody is left who could be answered
            return True
        return True


class Readiness:
    """Whether the models are loaded yet, and whether a photo gets through."""

    FRESH = 1.0  # seconds for which an answer is reused

    def __init__(self) -> None:
        self.loaded: dict[str, str] = {}  # name -> the engine that runs it
        self.problems: dict[str, str] = {}  # name -> why it cannot be used
        self.sentence = "The models are being loaded. Try again in a few seconds."
        self._thread = ThreadPoolExecutor(1, "ready")
        self._look: asyncio.Task[str] | None = None
        self._looked = 0.0

    def load(self) -> None:
        """Load all models; those that fail are left out until the next start."""
        try:
            from fcn.ui import readiness

            self.loaded, self.problems = readiness.preload()
            problems = " ".join(f"{name}: {problem}" for name, problem in self.problems.items())
            self.sentence = f"No model could be loaded. {problems or 'assets/models is empty.'}"
            if problems:
                print(f"Not all models could be loaded. {problems}", file=sys.stderr, flush=True)
            gc.collect()
            gc.freeze()  # these objects stay for good: scanning them on every collection would only take time
        except Exception as error:
            self.sentence = f"The models could not be loaded: {error}"
            print(self.sentence, file=sys.stderr, flush=True)

    async def look(self) -> str:
        """Why a photo cannot be computed, in a sentence; empty if it can. All who ask at once share one look."""
        from fcn.ui import readiness

        if self._look is None or (self._look.done() and time.monotonic() - self._looked > self.FRESH):
            self._look = asyncio.create_task(self._ask(lambda: readiness.look(list(self.loaded))))
        return await asyncio.shield(self._look)

    async def _ask(self, look: object) -> str:
        try:
            await asyncio.get_running_loop().run_in_executor(self._thread, look)  # type: ignore[arg-type]
        except TimeoutError as error:
            return str(error)
        except Exception as error:
            return f"A tiny photo cannot be processed: {type(error).__name__}."
        finally:
            self._looked = time.monotonic()
        return ""


readiness = Readiness()


async def ready(_: Request) -> Response:
    """200 and the models with their engines while photos get through, 503 and a sentence otherwise."""
    headers = {"Cache-Control": "no-store"}
    if not readiness.loaded:
        return PlainTextResponse(readiness.sentence, 503, headers)
    if sentence := await readiness.look():
        return PlainTextResponse(sentence, 503, headers)
    return JSONResponse({"models": readiness.loaded, "problems": readiness.problems}, headers=headers)


@asynccontextmanager
async def lifespan(_: st.App) -> AsyncIterator[None]:
    """Load the models in the background: the server answers from the start, and a stuck thread cannot keep it alive."""
    threading.Thread(target=readiness.load, name="load-models", daemon=True).start()
    yield


app = st.App(
    ROOT / "app.py",
    routes=[Route("/ready", ready)],
    lifespan=lifespan,
    middleware=[Middleware(Guard), Middleware(Uploads)],
)

"""Entry point of a hosted server: `streamlit run deploy/serve.py`, from the top folder of the project.

The same app as `app.py`, with the models loaded before the first visitor comes, and `/ready` for load balancers:
`/_stcore/health` says that the process lives, `/ready` that it can show a result at once.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import streamlit as st
from starlette.datastructures import MutableHeaders
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # `streamlit run` adds deploy/ alone

from fcn.internals import ask_nobody_for_own_address  # noqa: E402
from fcn.photos.files import MAX_BYTES  # noqa: E402

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]

if st.get_option("server.maxUploadSize") * 1024**2 > 2 * MAX_BYTES:
    # Streamlit reads .streamlit/config.toml of the folder that it is started from; without it 200 MB are let in.
    sys.exit(f"The settings of the project were not found. Start the server from {ROOT}.")

if resource:  # four files a visitor; many systems allow 1024 unless asked
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)

ask_nobody_for_own_address()

HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",  # the link holds what the visitor has chosen
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=()",
}


class Headers:
    """Adds HEADERS to every answer. Who may show the page in a frame is for the proxy to say: some hosts need one."""

    def __init__(self, inner: ASGIApp) -> None:
        self.inner = inner

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        await self.inner(scope, receive, with_headers if scope["type"] == "http" else send)


class Models:
    """Whether the models are loaded yet."""

    def __init__(self) -> None:
        self.loaded: dict[str, str] = {}  # name -> the engine that runs it
        self.problem = "The models are being loaded. Ask again in a few seconds."

    def load(self) -> None:
        """Load them all; a failure is kept for `/ready`, for then only a new start helps."""
        try:
            from fcn.ui import compute

            self.loaded = compute.preload()
        except Exception as error:
            self.problem = f"The models could not be loaded: {error}"
            print(self.problem, file=sys.stderr, flush=True)


models = Models()


async def ready(_: Request) -> Response:
    """200 and the models with their engines once all are loaded, 503 and a sentence until then."""
    headers = {"Cache-Control": "no-store"}
    if not models.loaded:
        return PlainTextResponse(models.problem, 503, headers)
    return JSONResponse({"models": models.loaded}, headers=headers)


@asynccontextmanager
async def lifespan(_: st.App) -> AsyncIterator[None]:
    """Load the models beside the server, which answers from the start; a thread that is stuck keeps no server alive."""
    threading.Thread(target=models.load, name="load-models", daemon=True).start()
    yield


app = st.App(ROOT / "app.py", routes=[Route("/ready", ready)], lifespan=lifespan, middleware=[Middleware(Headers)])

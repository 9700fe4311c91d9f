"""A visitor without a browser: speaks Streamlit's own WebSocket protocol to a running server, as a browser's page does.

with serving(log) as server:
    async with Visitor(server.url, "model=street") as visitor:
        await visitor.run()
        await visitor.pick(upsampling="bilinear")
        await visitor.upload("own.jpg", data, "image/jpeg")
        print(visitor.payload["captions"], visitor.texts("alert"), visitor.received)
"""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import sys
import time
import urllib.request
import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qs, urlencode, urlsplit

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.Common_pb2 import FileURLs
from streamlit.proto.Element_pb2 import Element
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.proto.WidgetStates_pb2 import WidgetState
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException
from websockets.typing import Origin, Subprotocol

ROOT = Path(__file__).parents[2]
COOKIE = "_streamlit_xsrf"
KEPT = 2  # runs for which a browser keeps a large message that the server may refer to
_requests = ThreadPoolExecutor(64, "request")


class LiveError(Exception):
    """What went wrong for the visitor, in a sentence."""


@dataclass(frozen=True)
class Server:
    """A running server: its address without a slash at the end, its process and the file of all that it printed."""

    url: str
    process: subprocess.Popen[bytes]
    log: Path


@contextmanager
def serving(log: Path, *options: str, root: Path = ROOT, path: str = "", patience: float = 120) -> Iterator[Server]:
    """Run the app on a free port of the loopback address for as long as the context lasts.

    Args:
        log: File to write what the server prints to.
        options: More options of `streamlit run`, such as "--server.maxUploadSize", "1".
        root: Folder that holds app.py.
        path: The app's folder in its address, such as "demo" for http://127.0.0.1:8501/demo.
        patience: How long the server may take to start, seconds.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    command = [sys.executable, "-m", "streamlit", "run", "app.py", "--server.headless", "true", "--server.port", port]
    command += ["--server.address", "127.0.0.1", "--server.baseUrlPath", path, *options]
    with log.open("wb") as output:
        process = subprocess.Popen(command, cwd=root, stdout=output, stderr=subprocess.STDOUT)
    try:
        server = Server(f"http://127.0.0.1:{port}/{path}".rstrip("/"), process, log)
        _wait_until_healthy(server, time.monotonic() + patience)
        yield server
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_until_healthy(server: Server, end: float) -> None:
    while time.monotonic() < end and server.process.poll() is None:
        with suppress(OSError), urllib.request.urlopen(f"{server.url}/_stcore/health", timeout=5):
            return
        time.sleep(0.2)
    raise LiveError(f"The server did not start:\n{server.log.read_text(errors='replace')}")


@dataclass(frozen=True)
class Answer:
    """What the server answers to a request: status, header fields by name in small letters, body."""

    status: int
    headers: dict[str, str]
    body: bytes


class Visitor:
    """One visitor with one page open.

    Every method that waits raises LiveError when the page shows an exception, the server refuses or hangs up, or
    `patience` runs out.

    Attributes:
        url: Address of the server, with the app's folder where it has one.
        query: Query of the link that the visitor opens; then of the link as the page and its bound controls change it.
        page: Path of the page in the app, such as "steps"; empty for the first.
        patience: How long a step may take, seconds.
        session: What the server calls the visit.
        received: Bytes that came over the WebSocket so far, framing and handshake included.
        finished: Number of runs of the script that came to their end.
    """

    def __init__(self, url: str, query: str = "", page: str = "", patience: float = 60):
        self.url, self.query, self.page, self.patience = url.rstrip("/"), query, page, patience
        self.session, self.received, self.finished = "", 0, 0
        self._cookie, self._script = "", ""
        self._run, self._fragments = 0, [""]
        self._socket: ClientConnection | None = None
        self._drawn: dict[tuple[int, ...], tuple[int, str, Element]] = {}  # place -> run, fragment, element
        self._values: dict[str, WidgetState] = {}
        self._kept: dict[str, tuple[int, ForwardMsg]] = {}  # hash -> run, message
        self._uploads: dict[str, FileURLs] = {}
        self._downloads: dict[str, Any] = {}

    async def __aenter__(self) -> Self:
        await self.connect()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.disconnect()

    async def connect(self) -> None:
        """Fetch the cookie and open the WebSocket. After `disconnect` this goes on with the same visit."""
        answer = await self.request("GET", "/_stcore/health")
        self._cookie = answer.headers.get("set-cookie", "").partition(";")[0].removeprefix(f"{COOKIE}=")
        visitor = self

        class CountingConnection(ClientConnection):
            def data_received(self, data: bytes) -> None:
                visitor.received += len(data)
                super().data_received(data)

        parts = urlsplit(self.url)
        names = ["streamlit", self._cookie or "none", self.session]
        try:
            self._socket = await connect(
                f"{self.url.replace('http', 'ws', 1)}/_stcore/stream",
                origin=Origin(f"{parts.scheme}://{parts.netloc}"),
                subprotocols=[Subprotocol(name) for name in names if name],
                additional_headers={"Cookie": f"{COOKIE}={self._cookie}"},
                create_connection=CountingConnection,
                proxy=None,
                max_size=None,
                max_queue=None,
                open_timeout=self.patience,
                ping_interval=None,  # as a browser, which leaves that to the server
                close_timeout=1,
            )
        except (OSError, WebSocketException) as error:
            raise LiveError(f"The page does not connect: {error!r}.") from error

    async def disconnect(self) -> None:
        """Close the connection."""
        if self._socket is not None:
            await self._socket.close()
            self._socket = None

    @property
    def elements(self) -> dict[tuple[int, ...], Element]:
        """What the page shows, by place, from top to bottom."""
        return {place: element for place, (_, _, element) in sorted(self._drawn.items())}

    @property
    def payload(self) -> Any:
        """What the page told its first screen last."""
        return self.contents["state"]

    @property
    def contents(self) -> dict[str, Any]:
        """What the page sent to the browser for its first screen, by kind."""
        found = [json.loads(one.json) for one in self._components() if one.json]
        return {part["kind"]: part["content"] for part in found}

    def _components(self) -> list[Any]:
        shown = [one.bidi_component for one in self.elements.values() if one.WhichOneof("type") == "bidi_component"]
        return list(shown)

    async def pick(self, **choices: Any) -> None:
        """Choose on the first screen, by the names of `fcn.ui.choices.Choices`, and wait until the page is drawn."""
        screen = next(one for one in self._components() if one.component_name == "fcn_viewer")
        known = self.payload
        value = {"choices": {**known["choices"], **choices, "turn": known["turn"] + 1}}
        self._values[screen.id] = WidgetState(id=screen.id, json_value=json.dumps(value))
        await self._rerun()

    async def train(self, steps: int, press: bool = False) -> dict[str, Any]:
        """Ask on the page "Watch it learn" for a training up to a step, as its part does twice a second.

        Args:
            steps: Up to this one.
            press: As when the visitor presses Play; a training that ended in trouble begins anew.

        Returns:
            What the page says of the training; `fcn.ui.pages.learn.state`.
        """
        place, told = self._find_training()
        _, fragment, element = self._drawn[place]
        name, have = element.bidi_component.id, told["first"] + len(told["results"])
        ask = {"number": time.time_ns(), "act": "train", "until": steps, "settings": told["settings"], "press": press}
        value = {"ask": {**ask, "run": told["run"], "have": have, "goals": have > 1}}
        self._values[name] = WidgetState(id=name, json_value=json.dumps(value))
        await self._rerun(fragment=fragment)
        state: dict[str, Any] = self._find_training()[1]["state"]
        return state

    def _find_training(self) -> tuple[tuple[int, ...], dict[str, Any]]:
        """The part that trains: its place, and what the page sent it last."""
        for place, (_, _, element) in self._drawn.items():
            if element.bidi_component.component_name.endswith("fcn_learning"):
                told = json.loads(element.bidi_component.json or element.bidi_component.mixed.json)
                if told["live"]:
                    return place, told
        raise LiveError("The page offers no training.")

    def texts(self, kind: str) -> list[str]:
        """The texts of all elements of a kind: "markdown" (captions too), "alert" or "exception"."""
        found = [getattr(one, kind) for one in self.elements.values() if one.WhichOneof("type") == kind]
        return [one.message if kind == "exception" else one.body for one in found]

    def find(self, kind: str, label: str = "") -> Any:
        """The first element of a kind, such as "button_group", whose label begins so."""
        return self._find([kind], label)[1]

    def _find(self, kinds: Sequence[str], label: str) -> tuple[str, Any, str]:
        for _, (_, fragment, element) in sorted(self._drawn.items()):
            kind = str(element.WhichOneof("type"))
            if kind in kinds and getattr(shown := getattr(element, kind), "label", "").startswith(label):
                return kind, shown, fragment
        raise LiveError(f"The page shows no {' or '.join(kinds)} {label!r}.")

    async def run(self) -> None:
        """Open the page, or have the script run again, and wait until it is done."""
        await self._rerun()

    async def choose(self, label: str, value: str | float | bool) -> None:
        """Give a control a value, or the option as it is shown, and wait until the page is drawn."""
        kind, shown, fragment = self._find(("button_group", "selectbox", "slider", "checkbox"), label)
        options = [getattr(option, "content", option) for option in getattr(shown, "options", ())]
        if options and value not in options:
            raise LiveError(f"{shown.label!r} has no option {value!r}, only {options}.")
        state = WidgetState(id=shown.id)
        if kind == "checkbox":
            state.bool_value = bool(value)
        elif kind == "selectbox":
            state.string_value = str(value)
        elif options:
            state.string_array_value.data.append(str(value))
        else:
            state.double_array_value.data.append(float(value))
        self._values[shown.id] = state
        if key := getattr(shown, "query_param_key", ""):
            usual = list(shown.default) if hasattr(shown.default, "append") else [shown.default]
            query = parse_qs(self.query)
            query[key] = [] if [options.index(value) if options else value] == usual else [str(value)]
            self.query = urlencode(query, doseq=True)
        await self._rerun(fragment=fragment)

    async def press(self, label: str) -> None:
        """Press a button and wait until the page is drawn."""
        _, shown, fragment = self._find(["button"], label)
        await self._rerun(WidgetState(id=shown.id, trigger_value=True), fragment=fragment)

    async def upload(self, name: str, data: bytes, mime: str = "image/jpeg", label: str = "Your photo") -> None:
        """Give an uploader a file in place of the one before, and wait until the page is drawn."""
        _, shown, fragment = self._find(("file_uploader", "camera_input"), label)
        urls = await self.ask_file_urls(name)
        if before := self._values.get(shown.id):
            await self.request("DELETE", before.file_uploader_state_value.uploaded_file_info[0].file_urls.delete_url)
        answer = await self.put(urls.upload_url, data, name, mime)
        if answer.status != 204:
            raise LiveError(f"The server answers the upload of {name!r} with {answer.status}: {answer.body[:200]!r}.")
        state = self._values[shown.id] = WidgetState(id=shown.id)
        state.file_uploader_state_value.uploaded_file_info.add(
            name=name, size=len(data), file_id=urls.file_id, file_urls=urls
        )
        await self._rerun(fragment=fragment)

    async def download(self, label: str) -> Answer:
        """Press a download button and fetch the file."""
        url = await self.ask_for_download(label)
        return await self.request("GET", url)

    async def ask_for_download(self, label: str, wait: bool = True) -> str:
        """Press a download button; return where the file is, once it is written, or "" at once."""
        _, shown, _ = self._find(["download_button"], label)
        message = BackMsg()
        request = message.backend_operation_request
        request.request_id, request.session_id = uuid.uuid4().hex, self.session
        request.deferred_file.file_id = shown.deferred_file_id
        await self._send(message)
        if not wait:
            return ""
        await self._wait_until(lambda: request.request_id in self._downloads, "a download")
        answer = self._downloads.pop(request.request_id)
        if not answer.deferred_file.url:
            raise LiveError(f"The server writes no file: {answer.error_msg}")
        return str(answer.deferred_file.url)

    async def ask_file_urls(self, name: str) -> FileURLs:
        """Ask where a file may be uploaded to, once the page is drawn."""
        message = BackMsg()
        request = message.file_urls_request
        request.request_id, request.session_id = uuid.uuid4().hex, self.session
        request.file_names.append(name)
        await self._send(message)
        await self._wait_until(lambda: request.request_id in self._uploads, "an address for the upload")
        return self._uploads.pop(request.request_id)

    async def put(
        self, path: str, data: bytes, name: str = "file", mime: str = "image/jpeg", chunked: bool = False
    ) -> Answer:
        """Send a file to a path below the app's address, as a form of one part; `chunked` as for `request`."""
        mark = uuid.uuid4().hex
        head = f'--{mark}\r\nContent-Disposition: form-data; name="{name}"; filename="{name}"\r\nContent-Type: {mime}'
        body = f"{head}\r\n\r\n".encode() + data + f"\r\n--{mark}--\r\n".encode()
        return await self.request("PUT", path, body, {"Content-Type": f"multipart/form-data; boundary={mark}"}, chunked)

    async def request(
        self, method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None, chunked: bool = False
    ) -> Answer:
        """Send any request on a connection of its own; a server may answer before it has read everything.

        Args:
            method: Such as "GET".
            path: Below the app's address, with a slash at the beginning.
            body: Sent as it is.
            headers: More fields, or other values for the cookie, its token and the length, which are sent anyhow.
            chunked: Send the body in chunks of 64 KiB without saying its length.
        """
        fields = {"Cookie": f"{COOKIE}={self._cookie}", "X-Xsrftoken": self._cookie} if self._cookie else {}
        fields |= {"Transfer-Encoding": "chunked"} if chunked else {"Content-Length": str(len(body))}
        fields |= headers or {}
        exchange = partial(_exchange, self.url, method, path, fields, body, chunked, self.patience)
        try:
            return await asyncio.get_running_loop().run_in_executor(_requests, exchange)
        except (OSError, HTTPException) as error:
            raise LiveError(f"{method} {path} gets no answer: {error!r}.") from error

    async def _rerun(self, *pressed: WidgetState, fragment: str = "") -> None:
        message = BackMsg()
        state = message.rerun_script
        state.query_string, state.page_script_hash, state.fragment_id = self.query, self._script, fragment
        state.page_name = "" if self._script else self.page
        state.widget_states.widgets.extend([*self._values.values(), *pressed])
        state.cached_message_hashes.extend(self._kept)
        state.context_info.url = f"{self.url}/{self.page}"
        await self._send(message)
        awaited = self.finished + 1
        await self._wait_until(lambda: self.finished >= awaited, "the page")
        if errors := self.texts("exception"):
            raise LiveError(f"The page shows an exception: {errors[0]}")

    async def _send(self, message: BackMsg) -> None:
        if self._socket is None:
            raise LiveError("The visitor is not connected.")
        try:
            await self._socket.send(message.SerializeToString())
        except WebSocketException as error:
            raise LiveError(f"The server closed the connection: {error}.") from error

    async def _wait_until(self, met: Callable[[], bool], what: str) -> None:
        """Take messages in until a condition is met."""
        assert self._socket is not None
        try:
            async with asyncio.timeout(self.patience):
                while not met():
                    self._take(ForwardMsg.FromString(await self._socket.recv(decode=False)))
        except TimeoutError as error:
            raise LiveError(f"The visitor waited {self.patience:g} s for {what}, in vain.") from error
        except WebSocketException as error:
            raise LiveError(
                f"The server closed the connection while the visitor waited for {what}: {error}."
            ) from error

    def _take(self, message: ForwardMsg) -> None:
        kind = message.WhichOneof("type")
        if kind == "delta" or kind == "ref_hash":
            self._draw(message)
        elif kind == "new_session":
            session = message.new_session
            self._run += 1
            self.session, self._script = session.initialize.session_id, session.page_script_hash
            self._fragments = list(message.metadata.run.fragment_ids)
        elif kind == "navigation":
            self._script = message.navigation.page_script_hash
        elif kind == "page_info_changed":
            self.query = message.page_info_changed.query_string
        elif kind == "file_urls_response":
            self._uploads[message.file_urls_response.response_id] = message.file_urls_response.file_urls[0]
        elif kind == "backend_operation_response":
            self._downloads[message.backend_operation_response.request_id] = message.backend_operation_response
        elif kind == "page_not_found":
            raise LiveError(f"The app has no page {self.page!r}.")
        elif kind == "session_event" and message.session_event.HasField("script_compilation_exception"):
            raise LiveError(f"The script cannot be read: {message.session_event.script_compilation_exception.message}")
        elif kind == "script_finished" and message.script_finished != ForwardMsg.FINISHED_EARLY_FOR_RERUN:
            self._finish()

    def _draw(self, message: ForwardMsg) -> None:
        place = tuple(message.metadata.delta_path)
        cacheable = message.metadata.cacheable
        if name := message.ref_hash:
            if name not in self._kept:
                raise LiveError(f"The server refers to a message that the page no longer has: {name}.")
            message, cacheable = self._kept[name][1], True
        if cacheable:
            self._kept[message.hash] = self.finished, message
        self._drawn.pop(place, None)
        if message.delta.HasField("new_element"):
            self._drawn[place] = self._run, message.delta.fragment_id, message.delta.new_element

    def _finish(self) -> None:
        """Drop what this run did not draw again; a run of fragments leaves the rest of the page as it is."""
        self.finished += 1
        self._drawn = {
            place: (run, fragment, element)
            for place, (run, fragment, element) in self._drawn.items()
            if run == self._run or (self._fragments and fragment not in self._fragments)
        }
        self._kept = {name: kept for name, kept in self._kept.items() if self.finished - kept[0] <= KEPT}


def _exchange(
    url: str, method: str, path: str, fields: dict[str, str], body: bytes, chunked: bool, patience: float
) -> Answer:
    parts = urlsplit(url)
    kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=patience)
    try:
        connection.putrequest(method, parts.path + path, skip_accept_encoding=True)
        for name, value in fields.items():
            connection.putheader(name, value)
        connection.endheaders()
        with suppress(ConnectionError):  # the answer may be there all the same
            for start in range(0, len(body), 65536):
                piece = body[start : start + 65536]
                connection.send(b"%x\r\n%b\r\n" % (len(piece), piece) if chunked else piece)
            if chunked:
                connection.send(b"0\r\n\r\n")
        answer = connection.getresponse()
        return Answer(answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read())
    finally:
        connection.close()

"""Uploads as the server takes them, without the checks of a browser: what is refused, what is shown, what is left."""

import asyncio
import hashlib
import os
import re
import tomllib
import uuid
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from fcn.photos.files import MAX_BYTES
from tests.support import hostile
from tests.support.hostile import PHOTO, SENTENCE
from tests.support.live import ROOT, Answer, Server, Visitor, serving

PATIENCE = 120  # seconds, for a busy machine
MARK = "zebra-41-quagga"  # in names and contents: nowhere in a log or a folder
MEGABYTE = 1024**2
STAYS = " The previous photo stays."
LIMIT = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text())["server"]["maxUploadSize"] * MEGABYTE
SENT = [  # a handful of tests/hostile.py
    "JPEG as it should be",
    "bomb of 169 megapixels",
    "PNG of mode LA",
    "SVG under the name of a photo",
    "GIF of 2000 frames",
    "JPEG cut at 50%",
    "JPEG and ZIP in one",
    "TIFF of five million strips",
    "TIFF of mode CMYK",
    "zero bytes",
    "EXIF that contains itself",
    "PNG with 100 MB of zTXt",
    "JPEG of endless scans",
    "exactly the byte limit",
    "one byte over the limit",
]
NAMES = [
    f"{MARK}<script>alert(1)</script>.jpg",
    f"{MARK}<img src=x onerror=alert(1)>.jpg",
    f"{MARK}[a link](https://example.org) ![x](https://example.org/x.png) **bold** _it_ # - 1.jpg",
    f"{MARK}`code` $x^2$ :red[red] :material/home: :smile: ~~no~~ | a | b |.jpg",
    f"{MARK}" + "long " * 400 + ".jpg",
    f"{MARK}\u202egpj.exe",
    f"{MARK}\u2066 фото 写真 \U0001f600.jpg",
    f"{MARK}\x1b[31m\x07\x7f.jpg",
    f"{MARK}../../etc/passwd",
    f"www.{MARK}.jpg",
    f"1. {MARK}.jpg",
    f"- {MARK}@x.jpg",
    f"{MARK}&amp;&#46; -- :material/home: -> https://example.org.jpg",
]


@pytest.fixture(scope="module")
def temporary_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The server's folder for temporary files."""
    return tmp_path_factory.mktemp("temporary")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, temporary_folder: Path) -> Iterator[Server]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TMPDIR", str(temporary_folder))
        with serving(tmp_path_factory.mktemp("server") / "log.txt", patience=PATIENCE) as running:
            patch.undo()
            yield running


def visit(server: Server, work: Callable[[Visitor], Awaitable[None]]) -> None:
    """Open the page and do something there."""

    async def work_on_page() -> None:
        async with Visitor(server.url, patience=PATIENCE) as visitor:
            await visitor.run()
            await work(visitor)

    asyncio.run(work_on_page())


def form(*files: bytes) -> tuple[bytes, dict[str, str]]:
    """A form that carries files, and its header fields."""
    head = '--mark\r\nContent-Disposition: form-data; name="{}"; filename="a.jpg"\r\nContent-Type: image/jpeg\r\n\r\n'
    parts = [head.format(number).encode() + data + b"\r\n" for number, data in enumerate(files)]
    return b"".join(parts) + b"--mark--\r\n", {"Content-Type": "multipart/form-data; boundary=mark"}


def unescape_markdown(markdown: str) -> str:
    """What a reader of Markdown sees, where every character with a meaning is escaped."""
    left = re.sub(r"\\[\\`*_{}\[\]()#+!|<>~$:&.=-]", "", markdown)
    assert not re.search(r"[\\`*_{}\[\]#+!|<>~$&]|:\w+\[|:\w+:|(?i:www)\.|://|\w@|^\d+[.)]|^[-=]", left), markdown
    return re.sub(r"\\(\W|_)", r"\1", markdown).replace("\u2060", "")


def read_refusal(visitor: Visitor) -> str:
    """The sentence that says why a file was refused, as a reader sees it; empty if there is none."""
    told = [unescape_markdown(text) for text in visitor.texts("alert") if text.endswith(STAYS)]
    assert len(told) < 2, told
    return "".join(told).removesuffix(STAYS)


def test_server_refuses_what_a_browser_would_not_send(server: Server) -> None:
    async def send(visitor: Visitor) -> None:
        path = (await visitor.ask_file_urls("a.jpg")).upload_url
        body, fields = form(hostile.in_jpeg(b""))

        async def put_form(
            changed: dict[str, str], data: bytes = body, where: str = path, chunked: bool = False
        ) -> int:
            answer: Answer = await visitor.request("PUT", where, data, fields | changed, chunked)
            assert b"Traceback" not in answer.body
            return answer.status

        large, larger = form(bytes(LIMIT + 1))[0], form(bytes(LIMIT + 2 * MEGABYTE))[0]
        assert await put_form({}, large) == 413
        assert await put_form({}, large, chunked=True) == 413  # without a length
        assert await put_form({}, larger, chunked=True) == 413
        assert await put_form({"Content-Length": str(10**12)}) == 413
        assert await put_form({"Content-Length": "100"}) == 400  # less than there is
        assert await put_form({"Content-Length": "many"}) == 400
        assert await put_form({"X-Xsrftoken": ""}) == 403
        assert await put_form({"X-Xsrftoken": "2|00000000|" + "0" * 32 + "|1"}) == 403
        assert await put_form({"Cookie": "other=1"}) == 403
        assert await put_form({}, where=path.replace(visitor.session, str(uuid.uuid4()))) == 400
        assert await put_form({}, form(b"one", b"two")[0]) == 400
        assert await put_form({}, form()[0]) == 400
        assert await put_form({}, b"no form") == 400
        assert await put_form({"Content-Type": "image/jpeg"}) == 400
        sample = visitor.payload["key"]
        await visitor.run()
        assert visitor.payload["key"] == sample and not read_refusal(visitor)
        assert await put_form({}) == 204  # the same as it should be

    visit(server, send)


def test_upload_ends_as_a_picture_or_a_sentence(server: Server) -> None:
    cases = [next(case for case in hostile.CASES if case.name == name) for name in SENT]

    async def send(visitor: Visitor) -> None:
        last = visitor.payload["key"]
        for case in cases:
            data = case.build()
            await visitor.upload(case.file, data)  # fails on any exception on the page
            if case.expected == PHOTO:
                last = visitor.payload["key"]
                assert hashlib.sha256(data).hexdigest() in last, case.name
                assert not read_refusal(visitor), case.name
            else:
                assert case.expected == SENTENCE and visitor.payload["key"] == last, case.name
                said = read_refusal(visitor)
                assert case.says in said and hostile.is_plain(said, case.file), said

    visit(server, send)


def test_name_of_a_file_is_shown_as_text(server: Server) -> None:
    async def send(visitor: Visitor) -> None:
        for name in NAMES:
            await visitor.upload(name, b"no photo")
            assert hostile.is_plain(read_refusal(visitor), name), read_refusal(visitor)
            await visitor.upload(name, hostile.in_jpeg(b""))
            assert not read_refusal(visitor)
            assert "Your photo" in str(visitor.payload["alt"])
            for element in visitor.elements.values():
                kind = str(element.WhichOneof("type"))
                assert MARK not in str(getattr(element, kind)), kind

    visit(server, send)


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs /proc")
def test_photo_is_written_to_no_disk(server: Server, temporary_folder: Path) -> None:
    photo = hostile.in_jpeg(hostile.segment(0xFE, MARK.encode())).ljust(MAX_BYTES - 1000, b"\0")
    found: set[str] = set()

    def look() -> None:
        for link in Path(f"/proc/{server.process.pid}/fd").iterdir():
            try:
                target = os.readlink(link)
            except OSError:
                continue  # closed meanwhile
            if str(temporary_folder) in target or "/tmp/" in target and "deleted" in target:
                found.add(target)

    async def send(visitor: Visitor) -> None:
        for number in range(3):
            sending = asyncio.create_task(visitor.upload(f"{MARK}{number}.jpg", photo[number:]))
            while not sending.done():
                look()
                await asyncio.sleep(0.002)
            await sending

    visit(server, send)
    assert not found
    assert not list(temporary_folder.iterdir())


def test_log_knows_nothing_of_the_photos(server: Server) -> None:
    log = server.log.read_text(errors="replace")
    assert '"event": "upload"' in log
    for word in (MARK, "photo.jpg", "Traceback", "Warning", "PIL", "Dear sir", "<script>"):
        assert word not in log, word

"""Decoding in child processes: the same photos as without, and nothing that a child does reaches the server."""

import contextlib
import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from fcn.compute.decoding import Decoder
from fcn.errors import MaskError, PhotoError
from fcn.photos import images
from fcn.photos.images import HEIF, decode, decode_light
from fcn.photos.masks import read_mask
from tests.support.photos import smooth_photo

ROOT = Path(__file__).parents[2]
PHOTO = smooth_photo(120, 160)
#: What a child answers for a photo of one pixel, as Python.
DOT = "({'shape': [1, 1, 3], 'size': [1, 1], 'notes': []}, child.np.zeros((1, 1, 3), child.np.uint8))"
limited = pytest.mark.skipif(sys.platform != "linux", reason="Only Linux limits the memory of a process.")


def encode(array: np.ndarray, form: str = "PNG", **options: Any) -> bytes:
    file = io.BytesIO()
    Image.fromarray(array).save(file, form, **options)
    return file.getvalue()


@pytest.fixture(scope="module")
def decoder() -> Iterator[Decoder]:
    with Decoder(1) as started:
        yield started


@pytest.fixture
def wild_decoder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Decoder]:
    """A decoder whose child runs the name of a photo as Python, as a file might that has taken over a library."""
    script = (
        "from fcn.compute import decoding_child as child\n"
        "child.JOBS['photo'] = lambda data, name, **more: eval(name)\n"
        "child.main()"
    )
    start = subprocess.Popen

    def popen(command: list[str], **options: Any) -> "subprocess.Popen[bytes]":
        assert command[1:] == ["-m", "fcn.compute.decoding_child"]
        return start([command[0], "-c", script], **options)

    monkeypatch.setattr(subprocess, "Popen", popen)
    with Decoder(1, patience=4) as started:
        yield started


def child_id(decoder: Decoder) -> int:
    process = decoder._children[0]._process
    assert process is not None
    return process.pid


def run_code(decoder: Decoder, code: str) -> str:
    """Let a child run this code; return the sentence of the error."""
    with pytest.raises(PhotoError) as caught:
        decoder.decode(b"photo", code)
    return str(caught.value)


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "GIF", "TIFF", *HEIF])
def test_a_child_gives_the_same_photo(decoder: Decoder, form: str) -> None:
    data = encode(smooth_photo(1501, 2100), form)
    for found, expected in (
        (decoder.decode(data, "a.jpg"), decode(data, "a.jpg")),
        (decoder.decode(data, max_side=1300), decode(data, max_side=1300)),
        (decoder.decode_light(data), decode_light(data)),
        (decoder.decode_light(data, side=2100), decode(data, max_side=None)),
    ):
        np.testing.assert_array_equal(found.pixels, expected.pixels)
        assert (found.size, found.sha256, found.notes) == (expected.size, expected.sha256, expected.notes)
        assert not found.pixels.flags.writeable


def test_a_child_gives_the_same_mask(decoder: Decoder) -> None:
    colours = ((1, 2, 3), (4, 5, 6))
    mask = np.asarray(colours, np.uint8)[np.arange(48).reshape(6, 8) % 2]
    found = decoder.read_mask(encode(mask), (6, 8), 2, colours, 12)
    np.testing.assert_array_equal(found, read_mask(encode(mask), (6, 8), 2, colours, most=12))
    assert found.shape == (3, 4)


@pytest.mark.parametrize("data", [b"", b"no photo", bytes(images.MAX_EXIF * 21), encode(PHOTO)[:900]])
def test_a_child_says_the_same_sentences(decoder: Decoder, data: bytes) -> None:
    said = []
    for ask in (decode, decoder.decode):
        with pytest.raises(PhotoError) as caught:
            ask(data, "name <b>.jpg")
        said.append(str(caught.value))
    assert said[0] == said[1]
    with pytest.raises(MaskError):
        decoder.read_mask(data, (120, 160), 3, (), 100)


@pytest.mark.skipif(os.name == "nt", reason="This system stops no processes.")
@pytest.mark.parametrize("name", ["SIGKILL", "SIGSTOP"])
def test_a_child_that_was_killed_or_stopped_costs_no_photo(decoder: Decoder, name: str) -> None:
    decoder.decode(encode(PHOTO))
    first, start = child_id(decoder), time.perf_counter()
    os.kill(first, getattr(signal, name))
    assert decoder.decode(encode(PHOTO)).size == (120, 160) and child_id(decoder) != first
    assert time.perf_counter() - start < 8  # PATIENCE would be 10


def test_a_crash_while_decoding_is_a_sentence(wild_decoder: Decoder) -> None:
    first = child_id(wild_decoder)
    for code in ("__import__('ctypes').string_at(0)", "__import__('os').abort()", "__import__('os')._exit(0)"):
        assert "cannot be decoded" in run_code(wild_decoder, code)
    assert child_id(wild_decoder) != first


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="This system has no such limit.")
def test_computing_for_too_long_is_a_sentence(wild_decoder: Decoder) -> None:
    run_code(wild_decoder, "1 / 0")  # the child is ready
    start = time.perf_counter()
    assert "takes too long" in run_code(wild_decoder, "[None for _ in iter(int, 1)]")
    assert time.perf_counter() - start < 9  # two seconds of a processor that others use too


def test_waiting_for_too_long_is_a_sentence(wild_decoder: Decoder) -> None:
    start = time.perf_counter()
    assert "takes too long" in run_code(wild_decoder, "__import__('time').sleep(60)")
    assert 3 < time.perf_counter() - start < 15


@limited
def test_too_much_memory_is_a_sentence_and_the_server_keeps_its_own(wild_decoder: Decoder) -> None:
    before = int(Path("/proc/self/statm").read_text().split()[1])
    assert "cannot be decoded" in run_code(wild_decoder, "bytearray(600 * 1024**2)")
    assert int(Path("/proc/self/statm").read_text().split()[1]) - before < 10_000  # pages


@limited
def test_a_child_that_keeps_much_memory_is_replaced(wild_decoder: Decoder) -> None:
    wild_decoder.decode(b"photo", DOT)
    first = child_id(wild_decoder)
    wild_decoder.decode(b"photo", DOT)
    assert child_id(wild_decoder) == first
    wild_decoder.decode(b"photo", f"setattr(child, 'kept', b'x' * 200 * 1024**2) or {DOT}")
    assert child_id(wild_decoder) != first
    wild_decoder.decode(b"photo", DOT)


@limited
@pytest.mark.parametrize(
    "code",
    [
        "open('/tmp/written-by-a-child', 'w').write('x') or __import__('os').fsync(1)",
        "[open('/dev/null') for _ in range(20)]",
        "__import__('resource').setrlimit(__import__('resource').RLIMIT_AS, (-1, -1))",
    ],
)
def test_a_child_has_few_rights(wild_decoder: Decoder, code: str) -> None:
    run_code(wild_decoder, code)
    written = Path("/tmp/written-by-a-child")
    assert not written.exists() or written.stat().st_size == 0
    written.unlink(missing_ok=True)


def test_a_child_knows_nothing_of_the_servers_environment(
    monkeypatch: pytest.MonkeyPatch, wild_decoder: Decoder
) -> None:
    monkeypatch.setenv("SECRET", "1")
    with Decoder(1) as decoder:
        leak = "(_ for _ in ()).throw(child.FcnError(repr(dict(__import__('os').environ))))"
        assert "PATH" in run_code(decoder, leak) and "SECRET" not in run_code(decoder, leak)


@pytest.mark.parametrize(
    "values",
    [
        {"shape": [10**6, 10**6, 3], "size": [1, 1], "notes": []},
        {"shape": [-1, 5, 3], "size": [1, 1], "notes": []},
        {"shape": [1, 1, 3], "size": "x", "notes": []},
        {"shape": [1, 1], "size": [1, 1], "notes": []},
        {"shape": [2, 2, 3], "size": [1, 1], "notes": []},
        {"shape": [2, 2, 3]},
        {"shape": [float("inf"), 2, 3], "size": [1, 1], "notes": []},
        {"shape": [2, 2, 3], "size": [float("inf"), 2], "notes": []},
        {"shape": [2, 2, 3], "size": [10**6, 10**6], "notes": []},
        {"shape": [2, 2, 3], "size": [2, 2], "notes": 7},
        {"shape": None},
        [],
        ["sentence"],
        "a sentence",
    ],
)
def test_a_child_is_not_believed(wild_decoder: Decoder, values: object) -> None:
    assert "cannot be decoded" in run_code(wild_decoder, f"({values!r}, child.np.zeros((2, 2, 3), child.np.uint8))")


def test_a_mask_of_a_child_is_not_believed(wild_decoder: Decoder) -> None:
    mask = "lambda *a, **k: ({'shape': [6, 8]}, child.np.full((6, 8), 77, child.np.uint8))"
    wild_decoder.decode(b"photo", f"child.JOBS.update(mask={mask}) or {DOT}")
    for size in ((6, 8), (60, 80)):  # 77 is no class, and another size was asked for
        with pytest.raises(MaskError, match="cannot be decoded"):
            wild_decoder.read_mask(b"mask", size, 2, (), 10**6)


def test_a_child_that_says_one_thing_too_many_is_replaced_in_time(wild_decoder: Decoder) -> None:
    """It answers a photo before it has read all of the next greeting, or a greeting without an end."""
    for extra in (r"b'\nx'", "b'x'"):
        pipe = "[n for n in range(3, 8) if 'pipe' in child.os.readlink(f'/proc/self/fd/{n}')][-1]"
        late = f"__import__('threading').Timer(0.2, lambda: child.os.write({pipe}, {extra})).start()"
        assert wild_decoder.decode(b"photo", f"{late} or {DOT}").size == (1, 1)
        time.sleep(0.5)
        start = time.perf_counter()
        with contextlib.suppress(PhotoError):
            wild_decoder.decode(b"photo", DOT)
        assert wild_decoder.decode(b"photo", DOT).size == (1, 1)
        assert time.perf_counter() - start < 9


@pytest.mark.skipif(os.name == "nt", reason="This system stops no processes.")
def test_a_child_that_comes_up_too_late_is_told_and_the_next_one_works(monkeypatch: pytest.MonkeyPatch) -> None:
    with Decoder(1, patience=2) as decoder:
        decoder.decode(encode(PHOTO))
        first = child_id(decoder)
        start = subprocess.Popen

        def start_stopped(*command: Any, **options: Any) -> "subprocess.Popen[bytes]":
            process = start(*command, **options)
            os.kill(process.pid, signal.SIGSTOP)
            return process

        monkeypatch.setattr(subprocess, "Popen", start_stopped)
        os.kill(first, signal.SIGSTOP)
        with pytest.raises(PhotoError, match="cannot be decoded now: the server is overloaded"):
            decoder.decode(encode(PHOTO))
        monkeypatch.undo()
        assert decoder.decode(encode(PHOTO)).size == (120, 160)


def test_what_a_child_says_is_cleaned(wild_decoder: Decoder) -> None:
    said = run_code(wild_decoder, "({'sentence': 'a\\x1b[31m' + 'b' * 9999}, None)")
    assert said.isprintable() and len(said) == 600


def test_threads_share_the_children() -> None:
    files = [encode(smooth_photo(60 + number, 80)) for number in range(12)]
    with Decoder(2) as decoder, ThreadPoolExecutor(6) as threads:
        found = list(threads.map(decoder.decode, files))
    assert [photo.size for photo in found] == [(60 + number, 80) for number in range(12)]


def test_where_no_process_can_start_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError("Cannot allocate memory")

    monkeypatch.setattr(subprocess, "Popen", refuse)
    with pytest.raises(PhotoError, match="cannot be decoded now"):
        Decoder(1).decode(encode(PHOTO))


def test_a_child_ends_with_its_server() -> None:
    script = "import time; from fcn.compute.decoding import Decoder; d = Decoder(1); d.decode(open(0, 'rb').read())\n"
    script += "print(d._children[0]._process.pid, flush=True); import os; os.kill(os.getpid(), 9)"
    done = subprocess.run([sys.executable, "-c", script], input=encode(PHOTO), capture_output=True, cwd=ROOT)
    number, end = int(done.stdout), time.monotonic() + 10
    while time.monotonic() < end and is_alive(number):
        time.sleep(0.05)
    assert not is_alive(number)


def is_alive(number: int) -> bool:
    try:
        return Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_a_child_imports_nothing_heavy() -> None:
    script = "import sys, json, fcn.compute.decoding_child; print(json.dumps(list(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT)
    heavy = {"tensorflow", "keras", "streamlit", "ai_edge_litert", "torch", "plotly", "multiprocessing"}
    assert not heavy & set(json.loads(done.stdout))

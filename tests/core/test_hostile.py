"""Whatever a visitor sends becomes a photo or one plain sentence, in little time and memory.

The files are in hostile.py. They are sent to a decoding child from a process of their own, as the server would: without
pytest's warning filters, with its own stderr, and with peaks of memory of their own.
"""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support import hostile
from tests.support.hostile import CASES, EITHER, MASKS, PHOTO, SENTENCE, Case, is_plain

#: Seconds of computing, here and in the child; a download is decoded for the page before.
SECONDS = {run: 1.2 * most for run, most in (("page", 2.0), ("mask", 2.0), ("download", 7.0))}
MEGABYTES, CHILD_MEGABYTES = 300, 600  # here more than before, and in the child, at the most
TOLERANCE = 25  # of 255; JPEG and LAB blur the corners
TOLD = {case.name: case for case in [*CASES, *MASKS]}
LIBTIFF = re.compile(r"(tempfile\.tif|JPEG\w*|LZW\w*|Fax\w*|\w*Deflate\w*|TIFF\w*|[A-Z]\w+Decode\w*): [^/]*\.?")


def run_child(*arguments: str, patience: int = 400) -> list[dict[str, Any]]:
    """Run hostile.py and return what it prints. It must not crash, hang or write into the log of a server."""
    command = [sys.executable, "-X", "faulthandler", hostile.__file__, *arguments]
    freed_at_once = {"MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "65536"}
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=patience, env={**os.environ, **freed_at_once}
        )
    except subprocess.TimeoutExpired as hung:
        lines = (hung.stdout or b"").decode().splitlines()
        pytest.fail(f"No end after {patience} seconds. Last: {lines[-1:]}")
    lines = done.stdout.splitlines()
    assert done.returncode == 0, f"{done.returncode}, last {lines[-1:]}: {done.stderr[-2000:]}"
    # libtiff writes there itself; it knows neither the name nor a pixel of the file
    leaked = [line for line in done.stderr.splitlines() if not LIBTIFF.fullmatch(line)]
    assert not leaked, leaked
    return [json.loads(line) for line in lines]


@pytest.fixture(scope="module")
def results() -> list[dict[str, Any]]:
    """What came of every case, each time that it was decoded."""
    found = [result for result in run_child("cases") if "run" in result]
    assert {result["name"] for result in found} == set(TOLD)
    return found


def find_fault(case: Case, result: dict[str, Any]) -> str | None:
    """What is wrong with a result; None if nothing is."""
    outcome, said = result["outcome"], result.get("said", "")
    if outcome not in (PHOTO, SENTENCE):
        return f"ended in {outcome}"
    if outcome == SENTENCE and not is_plain(said, "The mask" if result["run"] == "mask" else case.file):
        return f"does not name the file or what to do: {said}"
    if result["run"] == "mask" and case not in MASKS:
        return None  # any photo may or may not be a mask
    if outcome == SENTENCE and case.large and "takes too long" in said:
        return None  # on a machine that does other things too
    if case.expected not in (EITHER, outcome):
        return f"expected a {case.expected}: {said}"
    if outcome == SENTENCE:
        return None if case.says in said else f"does not say {case.says}: {said}"
    if case.size is not None and case.size != tuple(result["size"]):
        return f"size {result['size']}"
    if case.corners is not None:
        pairs = zip(sum(result["corners"], []), sum(map(list, case.corners), []), strict=True)
        if max(abs(one - other) for one, other in pairs) > TOLERANCE:
            return f"corners {result['corners']}"
    return None


def test_every_file_ends_in_its_photo_or_in_a_plain_sentence(results: list[dict[str, Any]]) -> None:
    found = [(result["name"], result["run"], find_fault(TOLD[result["name"]], result)) for result in results]
    assert not [finding for finding in found if finding[2]]


def test_every_file_takes_little_time(results: list[dict[str, Any]]) -> None:
    slowest = sorted(results, key=lambda result: -result["seconds"])
    print(*(f"{result['seconds']:.2f} s, {result['name']}" for result in slowest[:5]), sep="\n")
    assert not [result for result in slowest if result["seconds"] > SECONDS[result["run"]]]


def test_every_file_takes_little_memory(results: list[dict[str, Any]]) -> None:
    if results[0]["megabytes"] is None:
        pytest.skip("This system does not tell the peak of a process's memory.")
    for field, limit in (("megabytes", MEGABYTES), ("child megabytes", CHILD_MEGABYTES)):
        largest = sorted(results, key=lambda result: -result[field])
        print(*(f"{result[field]:.0f} {field}, {result['name']}" for result in largest[:5]), sep="\n")
        assert largest[0][field] < limit, largest[0]


def test_damaged_files_give_a_photo_or_a_plain_sentence() -> None:
    (counts,) = run_child("mutations", "6000")
    print(counts)
    assert counts[PHOTO] > 500 and counts[SENTENCE] > 500


def test_heic_is_read_or_named(tmp_path: Path) -> None:
    """Where pillow-heif is missing, a HEIC file is told from a damaged one."""
    data = hostile.heic() if hostile.HEIF else next(c for c in CASES if c.name == "HEIC header").build()
    (tmp_path / "photo.heic").write_bytes(data)
    script = (
        "import sys; sys.modules['pillow_heif'] = None\n"
        "from fcn.photos.images import FORMAT_NAMES, decode\n"
        "try:\n    decode(open(sys.argv[1], 'rb').read(), 'photo.heic', max_side=960)\n"
        "except Exception as error:\n    print(type(error).__name__, error, FORMAT_NAMES)"
    )
    command = [sys.executable, "-c", script, str(tmp_path / "photo.heic")]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2])
    assert done.stdout.strip() == (
        "PhotoError photo.heic is a HEIC file, which this server cannot read. Save it as JPEG and upload that. "
        "JPEG, PNG, WebP, BMP, GIF or TIFF"
    )
    assert not done.stderr

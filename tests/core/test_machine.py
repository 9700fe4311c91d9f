"""What a container grants counts, and how much runs at once follows."""

from pathlib import Path

import pytest

from fcn import machine

GIB = 1024**3


def test_the_limit_of_a_container_counts(tmp_path: Path) -> None:
    whole = machine.memory(tmp_path)
    (tmp_path / "memory.max").write_text("max\n")
    assert machine.memory(tmp_path) == whole
    (tmp_path / "memory.max").write_text(f"{GIB // 2}\n")
    (tmp_path / "cpu.max").write_text("100000 100000\n")
    assert machine.memory(tmp_path) == GIB // 2 and machine.processors(tmp_path) == 1
    (tmp_path / "cpu.max").write_text("max 100000\n")
    assert machine.processors(tmp_path) >= 1


def test_the_limit_of_an_older_system_counts(tmp_path: Path) -> None:
    (tmp_path / "memory").mkdir()
    (tmp_path / "memory" / "memory.limit_in_bytes").write_text(f"{GIB // 4}\n")
    assert machine.memory(tmp_path) == GIB // 4


@pytest.mark.parametrize(
    ("cores", "memory", "photos"),
    [(1, 16 * GIB, 2), (2, 2 * GIB, 2), (16, 2 * GIB, 2), (16, 64 * GIB, 16), (16, 4 * GIB, 6), (8, 690 * 10**6, 1)],
)
def test_photos_at_once_follow_cores_and_memory(cores: int, memory: int, photos: int) -> None:
    assert machine.photos_at_once(cores, memory) == photos

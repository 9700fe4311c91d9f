"""How much memory is left: of the machine, and of a container around the process."""

from pathlib import Path

import pytest

from fcn.machine import free_memory

SYSTEM = "MemTotal: 8000 kB\nMemFree: 100 kB\nMemAvailable: 4000 kB\n"


@pytest.fixture
def system(tmp_path: Path) -> Path:
    path = tmp_path / "meminfo"
    path.write_text(SYSTEM)
    return path


def group(folder: Path, limit: str, current: int, cached: int) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "memory.max").write_text(f"{limit}\n")
    (folder / "memory.current").write_text(f"{current}\n")
    (folder / "memory.stat").write_text(f"anon 5\ninactive_file {cached}\n")
    return folder


def test_the_container_counts_where_it_has_less(tmp_path: Path, system: Path) -> None:
    assert free_memory(group(tmp_path / "a", "3000000", 2500000, 100000), system) == 600000
    assert free_memory(group(tmp_path / "b", "30000000", 2500000, 0), system) == 4_096_000
    assert free_memory(group(tmp_path / "c", "max", 2500000, 0), system) == 4_096_000


def test_where_nothing_is_told_it_is_unknown(tmp_path: Path, system: Path) -> None:
    assert free_memory(tmp_path / "none", system) == 4_096_000
    assert free_memory(tmp_path / "none", tmp_path / "none") is None

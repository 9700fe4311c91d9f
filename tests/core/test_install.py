"""What other hands need: the README's lines run, the package installs, and the lock files fit the bounds."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from fcn.model import zoo

ROOT = Path(__file__).parents[2]
PHOTO = ROOT / "assets" / "samples" / "people_animals" / "chelsea-cat.jpg"


def test_the_readmes_lines_segment_a_photo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = re.search(r"<!-- library -->\n```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.S)
    assert found and len(found[1].replace("\n\n", "\n").splitlines()) == 5
    shutil.copy(PHOTO, tmp_path / "photo.jpg")
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    exec(found[1], names)  # noqa: S102
    labels = names["labels"]
    assert max(labels.shape) <= 480  # type: ignore[attr-defined]
    cat = zoo.read_card("people_animals").classes.index("cat")
    assert (labels == cat).mean() > 0.2  # type: ignore[attr-defined]


@pytest.mark.slow
def test_the_package_installs_and_gives_the_command(tmp_path: Path) -> None:
    """Installed without this folder: what a page reads beside its Python is there, and FCN_MODELS finds the models."""
    source = tmp_path / "source"
    for name in ("fcn", "pyproject.toml", "README.md", "LICENSE", "requirements.txt"):
        path = ROOT / name
        copy = shutil.copytree if path.is_dir() else shutil.copy
        source.mkdir(exist_ok=True)
        copy(path, source / name)
    target = tmp_path / "installed"
    quietly = {"capture_output": True, "text": True, "check": False}
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(target), str(source)]
    installed = subprocess.run(pip, **quietly)  # type: ignore[call-overload]
    assert installed.returncode == 0, installed.stderr
    beside = {path.relative_to(ROOT) for kind in ("html", "css", "js") for path in (ROOT / "fcn").rglob(f"*.{kind}")}
    assert beside and all((target / path).is_file() for path in beside)
    environment = os.environ | {"PYTHONPATH": str(target)}
    command = [str(target / "bin" / "fcn"), "segment", str(PHOTO), "--model", "people_animals", "--out", "out"]
    without = subprocess.run(command, cwd=tmp_path, env=environment, **quietly)  # type: ignore[call-overload]
    assert without.returncode == 2 and "Set FCN_MODELS" in without.stderr
    environment |= {"FCN_MODELS": str(zoo.MODELS)}
    run = subprocess.run(command, cwd=tmp_path, env=environment, **quietly)  # type: ignore[call-overload]
    assert run.returncode == 0, run.stderr
    assert (tmp_path / "out" / "chelsea-cat.labels.png").is_file()


@pytest.mark.parametrize("folder", [ROOT, ROOT / "tests"])
def test_the_lock_file_pins_what_the_bounds_allow(folder: Path) -> None:
    text = (folder / "requirements.lock").read_text(encoding="utf-8")
    assert "://" not in text, "a lock file names no host"
    blocks = re.split(r"\n(?=\w)", text.split("\n", 2)[2])
    pins: dict[str, set[str]] = {}
    for block in blocks:
        requirement = Requirement(block.split("\\")[0].strip())
        (pin,) = requirement.specifier
        assert pin.operator == "==" and "--hash=sha256:" in block
        pins.setdefault(requirement.name.lower().replace("_", "-"), set()).add(pin.version)
    wanted = [file for file in (ROOT, folder) for file in [file / "requirements.txt"]]
    for line in "\n".join(file.read_text(encoding="utf-8") for file in wanted).splitlines():
        if line and not line.startswith(("-r", "#")):
            requirement = Requirement(line.partition("  #")[0])
            versions = pins.get(requirement.name.lower().replace("_", "-"), set())
            assert versions and all(requirement.specifier.contains(version) for version in versions), line

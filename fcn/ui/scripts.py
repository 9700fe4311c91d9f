"""The files of a part of the page that run in the browser, read and joined."""

from __future__ import annotations

import re
from pathlib import Path


def join_files(folder: Path, *names: str) -> str:
    """Join files of HTML, CSS or JavaScript without comments and types, which the browser does not need.

    Args:
        folder: Where the Python of the part lies.
        names: Of the files, as seen from there. All scripts of a part form one scope, in this order.
    """
    text = "".join((folder / name).read_text(encoding="utf-8") for name in names)
    text = re.sub(r"/\*\*.*?\*/", "", text, flags=re.DOTALL)
    return "\n".join(line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("//"))

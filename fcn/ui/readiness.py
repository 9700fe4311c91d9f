"""Whether this server can show a result: which models work, and whether a photo gets through."""

from __future__ import annotations

import io
import math
import time

import numpy as np
from PIL import Image

from fcn.errors import ModelError
from fcn.model import zoo
from fcn.ui import compute

SIDE = 64  # pixels of the tiny photo
PATIENCE = 5.0  # seconds that it may take


def preload() -> tuple[dict[str, str], dict[str, str]]:
    """Load every model with a file; return the engine of each, and what is wrong with the others.

    A model that cannot be loaded is on no page until the next start.
    """
    compute.decoder()  # the first upload finds its child ready
    engines: dict[str, str] = {}
    problems: dict[str, str] = {}
    for name in zoo.installed():
        try:
            compute.card(name)
            engines[name] = compute.segmenter(name).engine.name
        except Exception as error:  # a broken file may raise anything
            problems[name] = str(error) if isinstance(error, ModelError) else f"It cannot be loaded: {error!r}"
            compute.failed[name, str(zoo.MODELS)] = problems[name]
    return engines, problems


def look(models: list[str], patience: float = PATIENCE) -> None:
    """Send a tiny photo along the path of every photo, ahead of all that wait.

    Args:
        models: Which segment it.
        patience: Seconds.

    Raises:
        TimeoutError: It took longer, so visitors would wait in vain.
    """
    end = time.monotonic() + patience

    def waiting(before: int) -> None:
        if time.monotonic() > end:
            raise TimeoutError(f"A tiny photo was not processed within {patience:g} s.")

    def segment_tiny() -> None:
        photo = compute.decode(_tiny(), "tiny.png")
        for model in models:
            network = compute.segmenter(model)
            network.upsample(network.score(photo.pixels))

    compute.workers().get(("look", *models), segment_tiny, waiting, keep=False, gives_way=-math.inf)


def _tiny() -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.full((SIDE, SIDE, 3), 128, np.uint8)).save(file, "PNG")
    return file.getvalue()

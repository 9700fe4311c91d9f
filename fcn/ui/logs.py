"""The server's log: one line of JSON for each thing done, with times and sizes; never a name or content of a photo."""

from __future__ import annotations

import datetime
import json
import logging

_log = logging.getLogger("fcn")
if not _log.handlers:
    _log.addHandler(logging.StreamHandler())  # stderr
    _log.setLevel(logging.INFO)


def line(event: str, **fields: str | float) -> None:
    """Write a line.

    Args:
        event: What was done: "upload" or "look".
        fields: Sizes in pixels or bytes, times in milliseconds, outcome.
    """
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds")
    _log.info(json.dumps({"time": now, "event": event, **fields}))

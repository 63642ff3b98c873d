"""Human-readable request lines on a terminal, instead of the access log's JSON."""

import json
import time
from collections.abc import Mapping
from typing import Any

from rich.text import Text


def read(line: str) -> Mapping[str, Any] | None:
    """Return the entry of a line of the access log; None for any other line."""
    if not line.startswith('{"request_id"'):
        return None
    try:
        found = json.loads(line)
    except ValueError:
        return None
    return found if isinstance(found, dict) and "status" in found else None


def is_worth_showing(entry: Mapping[str, Any]) -> bool:
    """Leave out the background requests of the web UI: successful ones for files and health."""
    return entry.get("method") != "GET" or int(entry["status"]) >= 400


def show(entry: Mapping[str, Any]) -> Text:
    """Return a line such as `22:14:03  POST /invocations  200  1 image  9 ms`, rejected ones coloured."""
    images = entry.get("images")
    parts = [
        time.strftime("%H:%M:%S"),
        f"{entry.get('method', '')} {entry.get('path', '')}",
        str(entry["status"]),
        f"{images} image{'s' if images != 1 else ''}" if images else "",
        str(entry.get("error", "")),
        f"{entry.get('total_ms', 0):.0f} ms",
    ]
    status = int(entry["status"])
    style = "red" if status >= 500 else "yellow" if status >= 400 else ""
    return Text("  ".join(part for part in parts if part), style=style)

"""Files of expected output: a test compares, and writes them when UPDATE_GOLDEN is set."""

import json
import os
from pathlib import Path
from typing import Any


def assert_golden(path: Path, found: Any) -> None:
    """Compare JSON with a file; with UPDATE_GOLDEN=1 write the file, whose difference git then shows."""
    text = json.dumps(found, indent=2) + "\n"
    if os.environ.get("UPDATE_GOLDEN") == "1":
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8"), f"{path.name} differs; UPDATE_GOLDEN=1 writes it again"

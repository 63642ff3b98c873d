"""The grammar of IRIs that jsonschema imports, read when an IRI is first checked: it takes a second of each process."""

import importlib
import sys
from types import ModuleType
from typing import Any

NAME = "rfc3987_syntax"


def defer() -> None:
    """Let `rfc3987_syntax` be imported at its first use; nothing where it has been imported already."""
    if NAME in sys.modules:
        return
    found: dict[str, Any] = {}

    def is_valid_syntax(*given: Any) -> Any:
        if not found:
            del sys.modules[NAME]
            found[NAME] = importlib.import_module(NAME)
        return found[NAME].is_valid_syntax(*given)

    deferred = ModuleType(NAME)
    deferred.is_valid_syntax = is_valid_syntax  # type: ignore[attr-defined]
    sys.modules[NAME] = deferred

"""Imports without an optional dependency that the program never uses through them."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def hidden(module: str) -> Iterator[None]:
    """Make `module` look missing to the imports in the block, which tolerate that; one that is loaded stays visible.

    Afterwards it can be imported by its own name.
    """
    if module in sys.modules:
        yield
        return
    sys.modules[module] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        del sys.modules[module]

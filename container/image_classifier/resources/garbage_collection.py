"""Exclude objects that live as long as the process from Python's garbage collection."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def gc_frozen() -> Iterator[None]:
    """Exclude all objects that any thread creates inside the block from garbage collection, permanently.

    Later objects are collected as usual. Measured in docs/decisions/0020.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if was_on:
            gc.enable()

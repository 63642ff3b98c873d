"""Python's collector of garbage, which need not look through what lives as long as the process."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def gc_frozen() -> Iterator[None]:
    """Keep what the process makes meanwhile, in any of its threads, from being looked through: now and for good.

    What comes later is collected as before. Measured in docs/decisions/0020.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if was_on:
            gc.enable()

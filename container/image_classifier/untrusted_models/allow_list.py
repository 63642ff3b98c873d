"""The operations that an untrusted SavedModel may contain.

`allowed_operations.txt` lists them, sorted. `python -m tests.families.allowed_operations` writes it and a test
compares it: the operations used by the catalogue's families, our own exports and those of the built-in algorithm, and
pure computation of the same kind. Operations that a later TensorFlow adds are rejected.
"""

import functools
from pathlib import Path

FILE = Path(__file__).with_name("allowed_operations.txt")
WRITE_CHECKPOINT = frozenset({"SaveV2", "MergeV2Checkpoints"})
READ_CHECKPOINT = frozenset({"RestoreV2"})
"""Allowed only in the graph's own saver, see `saver.py`, which TensorFlow writes into every SavedModel."""


@functools.cache
def allowed() -> frozenset[str]:
    """Return the names of the allowed operations, without those of the saver."""
    return frozenset(FILE.read_text(encoding="utf-8").split())

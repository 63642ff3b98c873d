"""The operations that a SavedModel may contain without being trusted.

`allowed_operations.txt` has one a line, sorted. It is written by `python -m tests.families.allowed_operations`, and a
test compares: what the catalogue's families, our own exports and those of the built-in algorithm use, and pure
computation of the same kind. What is not in it is rejected, whatever a later TensorFlow adds.
"""

import functools
from pathlib import Path

FILE = Path(__file__).with_name("allowed_operations.txt")
WRITE_CHECKPOINT = frozenset({"SaveV2", "MergeV2Checkpoints"})
READ_CHECKPOINT = frozenset({"RestoreV2"})
"""Allowed in the graph's own saver alone, see `saver.py`; TensorFlow writes one into every SavedModel."""


@functools.cache
def allowed() -> frozenset[str]:
    """Return the names of the allowed operations, without those of the saver."""
    return frozenset(FILE.read_text(encoding="utf-8").split())

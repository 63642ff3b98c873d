"""Lines that a library writes to the process's standard error past Python, and past its own log level."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

TENSORFLOW_NOISE = (b"All log messages before absl::InitializeLog()", b"oneDNN custom operations are on")
"""What TensorFlow 2.21 prints at every import, whatever TF_CPP_MIN_LOG_LEVEL says."""


@contextmanager
def without(noise: tuple[bytes, ...]) -> Iterator[None]:
    """Hold standard error back while the block runs, then write it without the lines that contain `noise`."""
    sys.stderr.flush()
    kept, original = os.memfd_create("standard-error"), os.dup(2)
    os.dup2(kept, 2)
    try:
        yield
    finally:
        sys.stderr.flush()
        os.dup2(original, 2)
        os.close(original)
        with os.fdopen(kept, "rb") as lines:
            lines.seek(0)
            for line in lines:
                if not any(words in line for words in noise):
                    os.write(2, line)

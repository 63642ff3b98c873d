"""Start-up of TensorFlow for the whole program: with tf_keras, and without noise in the log."""

import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import util

from image_classifier.resources import garbage_collection
from image_classifier.resources.optional_imports import hidden

TENSORFLOW_NOISE = (b"All log messages before absl::InitializeLog()", b"oneDNN custom operations are on")
"""What TensorFlow 2.21 prints at every import, regardless of TF_CPP_MIN_LOG_LEVEL."""


@contextmanager
def without(noise: tuple[bytes, ...]) -> Iterator[None]:
    """Buffer standard error while the block runs, then write it without the lines that contain `noise`."""
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


def is_installed() -> bool:
    """Return whether TensorFlow is installed, without importing it; the serve image does without."""
    return util.find_spec("tensorflow") is not None


def configure() -> None:
    """Set environment variables that must be set before TensorFlow is imported; existing values are kept."""
    # hub.KerasLayer is a tf_keras layer, and a Keras 3 model rejects it.
    os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    # Otherwise tf_keras reads settings from the home folder, which change its arithmetic, and writes them there.
    os.environ.setdefault("KERAS_HOME", os.devnull)
    # Enables XLA on CPUs for jobs that request it; it does not compile anything by default.
    os.environ.setdefault("TF_XLA_FLAGS", "--tf_xla_cpu_global_jit")
    warnings.filterwarnings("ignore", message="pkg_resources is deprecated", category=UserWarning)


def start() -> None:
    """Import TensorFlow, which takes seconds the first time."""
    configure()
    if "tensorflow" in sys.modules:
        return
    # TensorFlow and tf_keras import SciPy and pandas, where installed, for functions that this program never calls.
    with without(TENSORFLOW_NOISE), garbage_collection.gc_frozen(), hidden("scipy"), hidden("pandas"):
        import tensorflow  # noqa: F401

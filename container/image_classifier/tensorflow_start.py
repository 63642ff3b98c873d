"""How TensorFlow is started everywhere in this program: with tf_keras, and without noise in the log."""

import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import util

from image_classifier.resources import garbage_collection

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


def is_installed() -> bool:
    """Say whether TensorFlow is there, without importing it: the serve image has none."""
    return util.find_spec("tensorflow") is not None


def configure() -> None:
    """Set what counts only before TensorFlow is imported; what the environment says already is left alone."""
    # hub.KerasLayer is a tf_keras layer, and a Keras 3 model rejects it.
    os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    # tf_keras would read settings from the home folder, which change its arithmetic, and write them there.
    os.environ.setdefault("KERAS_HOME", os.devnull)
    # Lets a job that asks for XLA have it on a CPU too; without being asked nothing is compiled.
    os.environ.setdefault("TF_XLA_FLAGS", "--tf_xla_cpu_global_jit")
    warnings.filterwarnings("ignore", message="pkg_resources is deprecated", category=UserWarning)


def start() -> None:
    """Import TensorFlow, which takes seconds the first time."""
    configure()
    if "tensorflow" in sys.modules:
        return
    with without(TENSORFLOW_NOISE), garbage_collection.gc_frozen():
        import tensorflow  # noqa: F401

"""Starting TensorFlow: lines on standard error that come from below Python."""

import contextlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from image_classifier import PROGRAM, tensorflow_start


def test_noise_is_dropped_and_the_rest_kept(capfd: pytest.CaptureFixture[str]) -> None:
    """Three lines written to the descriptor, one of them noise -> the two others, in order."""
    with tensorflow_start.without((b"noise",)):
        os.write(2, b"first\nsome noise here\nlast\n")
    assert capfd.readouterr().err == "first\nlast\n"


def test_lines_survive_an_exception(capfd: pytest.CaptureFixture[str]) -> None:
    """An exception inside -> it comes out, and so does what was written before it."""
    with contextlib.suppress(RuntimeError), tensorflow_start.without((b"noise",)):
        os.write(2, b"reason\nnoise\n")
        raise RuntimeError
    assert capfd.readouterr().err == "reason\n"


@pytest.mark.every
def test_home_folder_is_left_alone(tmp_path: Path) -> None:
    """Given an empty home folder -> a process that starts TensorFlow and uses tf_keras writes nothing there."""
    program = "from image_classifier import tensorflow_start; tensorflow_start.start(); import tf_keras.backend"
    environment = {**os.environ, "HOME": str(tmp_path), "PYTHONPATH": str(PROGRAM)}
    environment.pop("KERAS_HOME", None)
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    assert list(tmp_path.iterdir()) == []

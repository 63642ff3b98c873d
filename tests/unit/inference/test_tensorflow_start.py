"""Starting TensorFlow: lines on standard error that come from below Python."""

import contextlib
import os

import pytest

from image_classifier import tensorflow_start


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

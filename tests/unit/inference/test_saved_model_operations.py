"""Which graphs are refused for what they could do."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tensorflow as tf

from image_classifier.contract.errors import UserError
from image_classifier.inference.engines.saved_model_operations import UNSAFE_OPERATIONS, refuse_unsafe_operations
from image_classifier.inference.engines.tensorflow import is_registered


def save(folder: Path, function: Callable[[Any], Any]) -> Path:
    """Save a function of one float vector."""
    module = tf.__internal__.tracking.AutoTrackable()
    module.weights = tf.Variable([1.0])
    module.__call__ = tf.function(function, input_signature=[tf.TensorSpec((None,), tf.float32)])
    tf.saved_model.save(module, str(folder), signatures=module.__call__)
    return folder


def reads_a_file(x: Any) -> Any:
    """Depend on a file's content."""
    return x + tf.cast(tf.strings.length(tf.io.read_file("/etc/hostname")), tf.float32)


def writes_a_file(x: Any) -> Any:
    """Leave a file behind, in a branch that a first look would miss."""
    return tf.cond(tf.size(x) > 1000, lambda: _written(x), lambda: x)


def _written(x: Any) -> Any:
    with tf.control_dependencies([tf.io.write_file("/tmp/never-written", "x")]):
        return tf.identity(x)


def calls_python(x: Any) -> Any:
    """Call back into the process."""
    return tf.numpy_function(lambda value: value, [x], tf.float32)


HOSTILE = [(reads_a_file, "ReadFile"), (writes_a_file, "WriteFile"), (calls_python, "PyFunc")]


@pytest.mark.parametrize(("function", "operation"), HOSTILE)
def test_file_and_python_operations_are_refused(tmp_path: Path, function: Any, operation: str) -> None:
    """A graph that reads, writes or calls Python, in a branch too -> refused by name, with the ways out."""
    folder = save(tmp_path / "1", function)
    with pytest.raises(UserError, match=f"{operation}.*trust_model=True.*SERVE_TRUST_MODEL=true"):
        refuse_unsafe_operations(folder, trust=False)


def test_trusted_models_pass(tmp_path: Path) -> None:
    """The same graph from someone who is trusted -> no objection."""
    folder = save(tmp_path / "1", reads_a_file)
    refuse_unsafe_operations(folder, trust=True)
    assert (folder / "saved_model.pb").is_file()


def test_ordinary_model_passes(colour_model: Callable[[str], Path]) -> None:
    """A classifier with variables, so with SaveV2 and RestoreV2 in its own saver -> no objection."""
    folder = colour_model("both") / "1"
    assert b"RestoreV2" in (folder / "saved_model.pb").read_bytes()
    refuse_unsafe_operations(folder, trust=False)


def test_custom_operation_is_refused_even_when_trusted(colour_model: Callable[[str], Path], tmp_path: Path) -> None:
    """A graph with an operation that this TensorFlow lacks -> refused by its name, trusted or not."""
    folder = tmp_path / "1"
    shutil.copytree(colour_model("pixels") / "1", folder)
    content = (folder / "saved_model.pb").read_bytes()
    (folder / "saved_model.pb").write_bytes(content.replace(b"Softmax", b"Sofwhat"))
    with pytest.raises(UserError, match=f"TensorFlow {tf.__version__} does not have: Sofwhat"):
        refuse_unsafe_operations(folder, trust=True)


def test_unreadable_graph_is_said(tmp_path: Path) -> None:
    """A saved_model.pb of random bytes -> one sentence that names the folder."""
    (tmp_path / "saved_model.pb").write_bytes(b"\xff" * 100)
    with pytest.raises(UserError, match="cannot be read as a SavedModel"):
        refuse_unsafe_operations(tmp_path, trust=False)


def test_the_list_names_operations_that_exist() -> None:
    """The refused operations -> all are TensorFlow's, so that none is misspelt; LoadLibrary was one of old."""
    assert {name for name in UNSAFE_OPERATIONS if not is_registered(name)} <= {"LoadLibrary"}

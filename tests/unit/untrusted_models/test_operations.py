"""Which graphs are rejected for what they could do."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tensorflow as tf

from image_classifier.contract.errors import UserError
from image_classifier.untrusted_models import allow_list, operations

raw = tf.raw_ops


def save(folder: Path, function: Callable[[Any], Any]) -> Path:
    """Save a function of one float vector."""
    module = tf.__internal__.tracking.AutoTrackable()
    module.weights = tf.Variable([1.0])
    module.__call__ = tf.function(function, input_signature=[tf.TensorSpec((None,), tf.float32)], autograph=False)
    tf.saved_model.save(module, str(folder), signatures=module.__call__)
    return folder


def after(operation: Callable[[], Any]) -> Callable[[Any], Any]:
    """Return a function that does something before it returns its argument."""

    def call(x: Any) -> Any:
        with tf.control_dependencies([operation()]):
            return tf.identity(x)

    return call


def number(operation: Callable[[], Any]) -> Callable[[Any], Any]:
    """Return a function whose answer depends on an operation's."""
    return lambda x: x + tf.cast(tf.size(operation()), tf.float32)


def in_a_branch(x: Any) -> Any:
    """Leave a file behind, in a branch that a first look would miss."""
    write = after(lambda: tf.io.write_file("/tmp/never-written", "x"))
    return tf.cond(tf.size(x) > 1000, lambda: write(x), lambda: tf.identity(x))


def text_table() -> Any:
    """Fill a table from any file."""
    table = raw.HashTableV2(key_dtype=tf.string, value_dtype=tf.int64)
    return raw.InitializeTableFromTextFileV2(table_handle=table, filename="/etc/hostname", key_index=-2, value_index=-1)


HOSTILE: dict[str, Callable[[Any], Any]] = {
    "WriteFile": in_a_branch,
    "PyFunc": lambda x: tf.numpy_function(lambda value: value, [x], tf.float32),
    "ReadFile": number(lambda: tf.io.read_file("/etc/hostname")),
    "MatchingFiles": number(lambda: tf.io.matching_files("/etc/*")),
    "DatasetFromGraph": number(lambda: raw.DatasetCardinality(input_dataset=raw.DatasetFromGraph(graph_def="a graph"))),
    "Save": after(lambda: raw.Save(filename="/tmp/never-written", tensor_names=["x"], data=[tf.constant("x")])),
    "SaveSlices": after(
        lambda: raw.SaveSlices(
            filename="/tmp/never", tensor_names=["x"], shapes_and_slices=[""], data=[tf.constant("x")]
        )
    ),
    "SaveV2": after(
        lambda: raw.SaveV2(prefix="/tmp/never", tensor_names=["x"], shape_and_slices=[""], tensors=[tf.constant(1.0)])
    ),
    "MergeV2Checkpoints": after(
        lambda: raw.MergeV2Checkpoints(checkpoint_prefixes=["/tmp/never"], destination_prefix="/tmp/never-either")
    ),
    "RestoreV2": number(
        lambda: raw.RestoreV2(prefix="/tmp/never", tensor_names=["x"], shape_and_slices=[""], dtypes=[tf.float32])[0]
    ),
    "Restore": number(lambda: raw.Restore(file_pattern="/tmp/never", tensor_name="x", dt=tf.float32)),
    "InitializeTableFromTextFileV2": after(text_table),
    "ImmutableConst": number(
        lambda: raw.ImmutableConst(dtype=tf.uint8, shape=(1,), memory_region_name="/etc/hostname")
    ),
    "PrintV2": after(lambda: raw.PrintV2(input="x", output_stream="file:///tmp/never-written")),
    "Print": number(lambda: raw.Print(input=tf.constant(1.0), data=[tf.constant(1.0)])),
    "TFRecordDataset": number(
        lambda: raw.DatasetCardinality(
            input_dataset=raw.TFRecordDataset(filenames="/etc/hostname", compression_type="", buffer_size=0)
        )
    ),
    "Abort": after(lambda: raw.Abort()),
    "DecodeProtoV2": number(
        lambda: raw.DecodeProtoV2(
            bytes="", message_type="x", field_names=["x"], output_types=[tf.int32], descriptor_source="/etc/hostname"
        )[0]
    ),
}


@pytest.mark.parametrize("operation", HOSTILE)
def test_operation_beyond_the_list_is_rejected(tmp_path: Path, operation: str) -> None:
    """A graph that reaches files, Python or hidden graphs -> rejected by the operation's name, with the ways out."""
    folder = save(tmp_path / "1", HOSTILE[operation])
    message = rf"{folder} is rejected: .*\b{operation}\b.*trust_model=True.*SERVE_TRUST_MODEL=true"
    with pytest.raises(UserError, match=message):
        operations.check(folder, trust=False)


def test_trusted_models_pass(tmp_path: Path) -> None:
    """The same graph from a trusted author -> no objection."""
    folder = save(tmp_path / "1", HOSTILE["ReadFile"])
    operations.check(folder, trust=True)
    assert (folder / "saved_model.pb").is_file()


def test_ordinary_model_passes(colour_model: Callable[[str], Path]) -> None:
    """A classifier with variables, so with SaveV2 and RestoreV2 in its own saver -> no objection."""
    folder = colour_model("both") / "1"
    content = (folder / "saved_model.pb").read_bytes()
    assert b"RestoreV2" in content
    assert b"SaveV2" in content
    operations.check(folder, trust=False)


def test_custom_operation_is_rejected_even_when_trusted(colour_model: Callable[[str], Path], tmp_path: Path) -> None:
    """A graph with an operation that this TensorFlow lacks -> rejected by its name, trusted or not."""
    folder = tmp_path / "1"
    shutil.copytree(colour_model("pixels") / "1", folder)
    content = (folder / "saved_model.pb").read_bytes()
    (folder / "saved_model.pb").write_bytes(content.replace(b"Softmax", b"Sofwhat"))
    with pytest.raises(UserError, match=f"TensorFlow {tf.__version__} does not have: Sofwhat"):
        operations.check(folder, trust=True)


def nested(depth: int) -> bytes:
    """Return a SavedModel whose meta graph's tags go `depth` messages deep: field 2 of field 2 of field 2."""
    content = b""
    for _ in range(depth):
        size, length = len(content), b""
        while size > 127:
            length, size = length + bytes([size & 127 | 128]), size >> 7
        content = b"\x12" + length + bytes([size]) + content
    return content


@pytest.mark.parametrize("content", [b"\xff" * 100, nested(5_000)], ids=["random bytes", "nested"])
def test_unreadable_graph_is_said(tmp_path: Path, content: bytes) -> None:
    """A saved_model.pb of random bytes, or of messages in messages without end -> a sentence that names the folder."""
    (tmp_path / "saved_model.pb").write_bytes(content)
    with pytest.raises(UserError, match=f"{tmp_path}.*cannot be read as a SavedModel"):
        operations.check(tmp_path, trust=False)


def test_graph_larger_than_a_message_can_be_is_not_read(tmp_path: Path) -> None:
    """A sparse saved_model.pb of 3 GB -> its size in the message, within a moment."""
    with (tmp_path / "saved_model.pb").open("wb") as file:
        file.truncate(3 * 2**30)
    with pytest.raises(UserError, match=r"has 3,221,225,472 bytes"):
        operations.check(tmp_path, trust=False)


def test_constant_that_unfolds_is_rejected(tmp_path: Path) -> None:
    """A constant of one value and the shape of 2^40 -> rejected before it is made."""
    graph = tf.Graph()
    with graph.as_default():
        tf.constant(1.0, name="bomb")
    definition = graph.as_graph_def()
    definition.node[0].attr["value"].tensor.tensor_shape.dim.add().size = 2**40
    found = saved(definition)
    (tmp_path / "saved_model.pb").write_bytes(found)
    with pytest.raises(UserError, match=r"constants of more than 2,147,483,647 bytes \(bomb\)"):
        operations.check(tmp_path, trust=False)


def saved(definition: Any) -> bytes:
    """Return the bytes of a SavedModel of one graph."""
    from tensorflow.core.protobuf import saved_model_pb2

    model = saved_model_pb2.SavedModel(saved_model_schema_version=1)
    model.meta_graphs.add().graph_def.CopyFrom(definition)
    return bytes(model.SerializeToString())


def test_every_allowed_operation_exists() -> None:
    """The allowed operations -> all are TensorFlow's, so that none is misspelt, in order and without a repetition."""
    from tensorflow.python.framework import op_def_registry

    listed = allow_list.FILE.read_text().split()
    assert listed == sorted(set(listed))
    assert [name for name in listed if op_def_registry.get(name) is None] == []


def test_nothing_that_reaches_out_is_allowed() -> None:
    """The allowed operations -> none has a word in its name, or an attribute, by which operations reach out."""
    from tensorflow.python.framework import op_def_registry

    words = ["Barrier", "Checkpoint", "Collective", "Dataset", "Debug", "File", "Iterator", "Nccl", "PyFunc", "Queue"]
    words += ["Reader", "Recv", "Remote", "Restore", "Rpc", "Save", "Send", "Session", "Sleep", "Stage", "TPU", "Xla"]
    attributes = {"filename", "file_pattern", "output_stream", "descriptor_source", "debug_urls", "tensor_name"}
    found = [
        name
        for name in allow_list.allowed()
        if any(word in name for word in words)
        or not attributes.isdisjoint(
            {
                *(attribute.name for attribute in op_def_registry.get(name).attr),
                *(argument.name for argument in op_def_registry.get(name).input_arg),
            }
        )
    ]
    # Which puts a name together and opens nothing.
    assert found == ["ShardedFilename"]

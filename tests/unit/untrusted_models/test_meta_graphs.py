"""Nothing in one meta graph hides anything in another, and checkpoint operations stay in the saver."""

from collections.abc import Callable
from typing import Any

import pytest
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from image_classifier.untrusted_models import operations
from image_classifier.untrusted_models.operations import Violations

tf1 = tf.compat.v1
raw = tf.raw_ops
CLEAN = Violations()


def meta_graph(body: Callable[[], Any] = lambda: None, saver: bool = True, **collections: Any) -> Any:
    """Return a meta graph in TensorFlow 1's format: `y = x + v`, what `body` adds, and a saver.

    The collections are given as functions that return nodes.
    """
    with tf.Graph().as_default() as graph:
        x = tf1.placeholder(tf.float32, (None,), "x")
        variable = tf1.get_variable("v", (), use_resource=True)
        tf.identity(x + variable.read_value(), "y")
        for name, make in collections.items():
            graph.add_to_collection(name, make())
        definition = tf1.train.Saver().as_saver_def() if saver else None
        body()
        found = tf1.train.export_meta_graph(saver_def=definition)
    signature = tf1.saved_model.build_signature_def(
        {"x": tensor("x:0")}, {"y": tensor("y:0")}, "tensorflow/serving/predict"
    )
    found.signature_def["serving_default"].CopyFrom(signature)
    return found


def tensor(name: str) -> Any:
    """Return what a signature says of a tensor."""
    return tf1.TensorInfo(name=name, dtype=tf.float32.as_datatype_enum)


def violations(*meta_graphs: Any) -> Violations:
    """Look through a SavedModel of these meta graphs."""
    model = saved_model_pb2.SavedModel()
    for found in meta_graphs:
        model.meta_graphs.add().CopyFrom(found)
    return operations.violations(model)


def write_file() -> Any:
    """Add the operation that writes any file."""
    return raw.WriteFile(filename="/tmp/never-written", contents="x", name="write")


def save() -> Any:
    """Add an operation that writes a checkpoint."""
    return raw.SaveV2(
        prefix="/tmp/never", tensor_names=["x"], shape_and_slices=[""], tensors=[tf.constant(1.0)], name="foreign"
    )


def named_function(found: Any, name: str) -> Any:
    """Add a function of one node to the library of a meta graph."""
    function = found.graph_def.library.function.add()
    function.signature.name = name
    return function.node_def.add(name="inner", op="NoOp")


def test_own_saver_and_one_that_was_left_behind_pass() -> None:
    """A graph with its own saver, and with that of the training that it comes from -> no objection."""
    assert violations(meta_graph()) == CLEAN
    assert violations(meta_graph(tf1.train.Saver)) == CLEAN


@pytest.mark.parametrize("place", [0, 1])
def test_other_meta_graph_hides_nothing(place: int) -> None:
    """Given two meta graphs, one with an operation and one with a function of its name -> the operation is found."""
    hostile, other = meta_graph(write_file), meta_graph()
    named_function(other, "WriteFile")
    graphs = [hostile, other] if place == 0 else [other, hostile]
    assert violations(*graphs) == Violations(operations=("WriteFile",), functions=("WriteFile",))


def test_meta_graph_that_is_not_loaded_counts_too() -> None:
    """Given a clean graph and one for training with a file operation -> rejected."""
    assert violations(meta_graph(), meta_graph(write_file)).operations == ("WriteFile",)


def test_function_of_an_operations_name_hides_nothing() -> None:
    """Given a function called WriteFile and the operation in the same meta graph -> both are found."""
    found = meta_graph(write_file)
    named_function(found, "WriteFile")
    assert violations(found) == Violations(operations=("WriteFile",), functions=("WriteFile",))


def test_function_is_called_by_its_own_name() -> None:
    """Given a node whose operation is a function of the same meta graph -> no objection; of another one -> unknown."""
    found = meta_graph()
    named_function(found, "mine")
    found.graph_def.node.add(name="call", op="mine")
    assert violations(found) == CLEAN
    del found.graph_def.library.function[:]
    assert violations(found).unknown == ("mine",)


def test_undefined_function_is_found() -> None:
    """Given a call of a function that another model may have brought into the process -> its name."""
    found = meta_graph()
    node = found.graph_def.node.add(name="call", op="PartitionedCall")
    node.attr["f"].func.name = "__inference_of_another_model_7"
    assert violations(found).functions == ("__inference_of_another_model_7",)
    other = meta_graph()
    named_function(other, "__inference_of_another_model_7")
    assert violations(found, other).functions == ("__inference_of_another_model_7",)


def test_operation_in_a_function_that_nothing_calls_is_found() -> None:
    """Given a function of the library with a file operation -> found, called or not."""
    found = meta_graph()
    named_function(found, "idle").op = "ReadFile"
    assert violations(found).operations == ("ReadFile",)


def through_signature(found: Any) -> None:
    """Let the answer depend on the checkpoint operation."""
    next(node for node in found.graph_def.node if node.name == "y").input.append("^foreign")


def through_restore(found: Any) -> None:
    """Let restoring, which loading runs, depend on it."""
    name = found.saver_def.restore_op_name
    next(node for node in found.graph_def.node if node.name == name).input.append("^foreign")


def through_main_op(found: Any) -> None:
    """Let the initialisation of tables and the like, which loading runs, be it."""
    found.collection_def["saved_model_main_op"].node_list.value.append("foreign")


def through_init_signature(found: Any) -> None:
    """Let the initialisation as TensorFlow 2 names it be it."""
    found.signature_def["__saved_model_init_op"].outputs["__saved_model_init_op"].name = "foreign"


def through_local_variable(found: Any) -> None:
    """Let the initialiser of a local variable, which loading runs, be it."""
    from tensorflow.core.framework import variable_pb2

    variable = variable_pb2.VariableDef(variable_name="v:0", initializer_name="foreign")
    found.collection_def["local_variables"].bytes_list.value.append(variable.SerializeToString())


ENTRANCES = [through_signature, through_restore, through_main_op, through_init_signature, through_local_variable]


@pytest.mark.parametrize("enter", ENTRANCES)
def test_writing_a_checkpoint_outside_the_saver_is_found(enter: Callable[[Any], None]) -> None:
    """Given SaveV2 where calling or loading a model leads to it -> found; where nothing does -> no objection."""
    found = meta_graph(save)
    assert violations(found) == CLEAN
    enter(found)
    assert violations(found).operations == ("SaveV2",)


@pytest.mark.parametrize("enter", ENTRANCES)
def test_saver_that_is_entered_from_outside_is_found(enter: Callable[[Any], None]) -> None:
    """Given the saver's own SaveV2 as a function that something else calls -> found."""
    found = meta_graph()
    named_function(found, "__inference__traced_save_1").op = "SaveV2"
    call = found.graph_def.node.add(name="foreign", op="StatefulPartitionedCall")
    call.attr["f"].func.name = "__inference__traced_save_1"
    found.saver_def.save_tensor_name = "foreign:0"
    assert violations(found) == CLEAN
    enter(found)
    assert violations(found).operations == ("SaveV2",)


def test_function_of_the_object_graph_does_not_write() -> None:
    """Given a function that writes a checkpoint among those that an object offers -> found."""
    found = meta_graph()
    named_function(found, "__inference_call_1").op = "SaveV2"
    assert violations(found) == CLEAN
    found.object_graph_def.nodes.add().function.concrete_functions.append("__inference_call_1")
    assert violations(found).operations == ("SaveV2",)


def test_saver_reads_the_checkpoint_that_it_is_given() -> None:
    """Given a restore operation that reads a checkpoint of its own choice -> found."""
    found = meta_graph()
    assert violations(found) == CLEAN
    chosen = found.graph_def.node.add(name="chosen", op="Const")
    chosen.attr["value"].tensor.string_val.append(b"/somewhere/else")
    chosen.attr["value"].tensor.dtype = chosen.attr["dtype"].type = tf.string.as_datatype_enum
    next(node for node in found.graph_def.node if node.op == "RestoreV2").input[0] = "chosen"
    assert violations(found).operations == ("RestoreV2",)

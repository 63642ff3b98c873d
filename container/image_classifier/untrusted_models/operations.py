"""Check that a SavedModel contains only allowed operations, using the parser with which TensorFlow loads it."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from image_classifier import tensorflow_start
from image_classifier.contract.errors import UserError, first_line
from image_classifier.contract.names import listed
from image_classifier.untrusted_models import allow_list, saver
from image_classifier.untrusted_models.meta_graph import MetaGraph

MAX_GRAPH_BYTES = 2**31 - 1
"""Limit of saved_model.pb: that of a protocol buffer (https://protobuf.dev/overview/#limits)."""
MAX_CONSTANT_BYTES = 2**31 - 1
"""Limit of one constant in memory. One stored value may fill a tensor of any shape, so the file size is not a limit."""


@dataclass(frozen=True)
class Violations:
    """The reasons to reject a SavedModel, as sorted names."""

    unknown: tuple[str, ...] = ()
    """Operations that this TensorFlow does not have."""
    operations: tuple[str, ...] = ()
    """Operations that are not allowed, or not allowed at their position."""
    functions: tuple[str, ...] = ()
    """Functions that are called but not defined, or that have the name of an operation."""
    constants: tuple[str, ...] = ()
    """Constants larger than `MAX_CONSTANT_BYTES`."""


def check(saved_model: Path, trust: bool) -> None:
    """Check every meta graph of a SavedModel.

    Args:
        saved_model: The folder of saved_model.pb.
        trust: Accept every operation of this TensorFlow, including those that reach files or Python.

    Raises:
        UserError: saved_model.pb cannot be read, needs an operation that this TensorFlow does not have (of a custom
            operation library or a newer release), or is untrusted and contains something that is not allowed.
    """
    found = violations(parse(saved_model))
    if found.unknown:
        import tensorflow as tf

        raise UserError(
            f"{saved_model} needs operations that TensorFlow {tf.__version__} does not have: "
            f"{listed(found.unknown, 10)}. Custom operation libraries are never loaded; save the model without them, "
            "or with an older TensorFlow."
        )
    if trust:
        return
    reasons = [
        f"{what} ({listed(names, 10)})"
        for what, names in (
            (
                "operations that an image classifier does not need and that may reach files, the network or Python",
                found.operations,
            ),
            ("functions that are not defined or that have the name of an operation", found.functions),
            (f"constants of more than {MAX_CONSTANT_BYTES:,} bytes", found.constants),
        )
        if names
    ]
    if reasons:
        raise UserError(
            f"{saved_model} is rejected: it contains {'; '.join(reasons)}. If you trust its author, set the "
            "hyperparameter trust_model=True for training, the environment variable SERVE_TRUST_MODEL=true for serving "
            "or the option --trust-model of a command."
        )


def violations(parsed: Any) -> Violations:
    """Return the reasons to reject a `SavedModel` protocol buffer."""
    found = [_of_meta_graph(meta_graph) for meta_graph in parsed.meta_graphs]

    def together(lists: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
        return tuple(sorted(set().union(*lists)))

    return Violations(
        together(one.unknown for one in found),
        together(one.operations for one in found),
        together(one.functions for one in found),
        together(one.constants for one in found),
    )


def _of_meta_graph(definition: Any) -> Violations:
    from tensorflow.python.framework import op_def_registry

    registered = op_def_registry.get
    graph = MetaGraph(definition, registered)
    used = {node.op for node in graph.all_nodes()}
    masking = {name for name in graph.functions if registered(name) is not None}
    # A function may be called by its own name like an operation; one with the name of an operation does not hide it.
    operations = used - (set(graph.functions) - masking)
    unknown = {name for name in operations if registered(name) is None}
    checkpoint = allow_list.WRITE_CHECKPOINT | allow_list.READ_CHECKPOINT
    called = set[str]().union(*(graph.called_by(node) for node in graph.all_nodes()))
    return Violations(
        unknown=tuple(unknown),
        operations=tuple(
            (operations - unknown - checkpoint - allow_list.allowed()) | saver.misplaced_operations(graph)
        ),
        functions=tuple(masking | ((called | _gradients(definition)) - set(graph.functions))),
        constants=tuple(
            node.name for node in graph.all_nodes() if node.op == "Const" and _bytes(node) > MAX_CONSTANT_BYTES
        ),
    )


def _gradients(definition: Any) -> set[str]:
    library = definition.graph_def.library
    return {one.gradient_func for one in (*library.gradient, *library.registered_gradients)}


def _bytes(node: Any) -> int:
    import tensorflow as tf

    tensor = node.attr["value"].tensor
    count = 1
    for dimension in tensor.tensor_shape.dim:
        count *= max(dimension.size, 0)
    return count * (tf.dtypes.as_dtype(tensor.dtype).size or 1) if tensor.dtype else 0


def parse(saved_model: Path) -> Any:
    """Return the `SavedModel` protocol buffer of a folder, using TensorFlow's own parser.

    Raises:
        UserError: It cannot be read.
    """
    tensorflow_start.start()
    import tensorflow as tf

    try:
        if (size := (saved_model / "saved_model.pb").stat().st_size) > MAX_GRAPH_BYTES:
            raise UserError(
                f"{saved_model / 'saved_model.pb'} has {size:,} bytes; allowed: {MAX_GRAPH_BYTES:,}. Save the model "
                "with its weights as variables."
            )
        return tf.__internal__.saved_model.parse_saved_model(str(saved_model))
    except OSError as error:
        raise UserError(f"{saved_model} cannot be read as a SavedModel: {first_line(error)}. Copy it again.") from error

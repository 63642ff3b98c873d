"""Whether a SavedModel contains allowed operations alone. TensorFlow parses it, as it does when it loads it."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from image_classifier import tensorflow_start
from image_classifier.contract.errors import UserError, first_line
from image_classifier.untrusted_models import allow_list, saver
from image_classifier.untrusted_models.meta_graph import MetaGraph

MAX_GRAPH_BYTES = 2**31 - 1
"""Of saved_model.pb: what a protocol buffer can hold (https://protobuf.dev/overview/#limits)."""
MAX_CONSTANT_BYTES = 2**31 - 1
"""Of one constant in memory. One value may stand for a tensor of any shape, so the file's size is no bound."""


@dataclass(frozen=True)
class Objections:
    """What speaks against a SavedModel, in sorted names."""

    unknown: tuple[str, ...] = ()
    """Operations that this TensorFlow does not have."""
    operations: tuple[str, ...] = ()
    """Operations that are not allowed, or not where they are."""
    functions: tuple[str, ...] = ()
    """Functions that are called and not defined, or named as an operation is."""
    constants: tuple[str, ...] = ()
    """Constants that are larger than `MAX_CONSTANT_BYTES`."""


def check(saved_model: Path, trust: bool) -> None:
    """Look through every meta graph of a SavedModel, each for itself.

    Args:
        saved_model: The folder that holds saved_model.pb.
        trust: Accept every operation of this TensorFlow, those that reach files or Python included.

    Raises:
        UserError: saved_model.pb cannot be read, needs an operation that is not part of this TensorFlow (a custom
            operation's library, or a newer release), or contains what is not allowed and is not trusted.
    """
    found = objections(parse(saved_model))
    if found.unknown:
        import tensorflow as tf

        raise UserError(
            f"{saved_model} needs operations that TensorFlow {tf.__version__} does not have: "
            f"{_listed(found.unknown)}. Custom operation libraries are never loaded; save the model without them, or "
            "with an older TensorFlow."
        )
    if trust:
        return
    reasons = [
        f"{what} ({_listed(names)})"
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


def objections(parsed: Any) -> Objections:
    """Return what speaks against a `SavedModel` protocol buffer."""
    found = [_of_meta_graph(meta_graph) for meta_graph in parsed.meta_graphs]

    def together(lists: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
        return tuple(sorted(set().union(*lists)))

    return Objections(
        together(one.unknown for one in found),
        together(one.operations for one in found),
        together(one.functions for one in found),
        together(one.constants for one in found),
    )


def _of_meta_graph(definition: Any) -> Objections:
    from tensorflow.python.framework import op_def_registry

    registered = op_def_registry.get
    graph = MetaGraph(definition, registered)
    used = {node.op for node in graph.all_nodes()}
    masking = {name for name in graph.functions if registered(name) is not None}
    # A function may be called by its own name, as if it were an operation; one that is named as an operation is, hides
    # nothing.
    operations = used - (set(graph.functions) - masking)
    unknown = {name for name in operations if registered(name) is None}
    checkpoint = allow_list.WRITE_CHECKPOINT | allow_list.READ_CHECKPOINT
    called = set[str]().union(*(graph.called_by(node) for node in graph.all_nodes()))
    return Objections(
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
    """Return the `SavedModel` protocol buffer of a folder, by the parser that loading uses too.

    Raises:
        UserError: It cannot be read.
    """
    tensorflow_start.start()
    import tensorflow as tf

    try:
        if (size := (saved_model / "saved_model.pb").stat().st_size) > MAX_GRAPH_BYTES:
            raise UserError(
                f"{saved_model / 'saved_model.pb'} has {size:,} bytes; a SavedModel's graph has at most "
                f"{MAX_GRAPH_BYTES:,}. Save the model with its weights as variables."
            )
        return tf.__internal__.saved_model.parse_saved_model(str(saved_model))
    except OSError as error:
        raise UserError(f"{saved_model} cannot be read as a SavedModel: {first_line(error)}. Copy it again.") from error


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join(names[:10]) + (f" and {len(names) - 10} more" if len(names) > 10 else "")

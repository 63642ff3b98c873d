"""The saver that TensorFlow writes into every SavedModel: the only allowed position of checkpoint operations.

Loading a SavedModel in TensorFlow 1's format runs the saver's restore operation, never its save operation. Therefore an
operation that writes a checkpoint must be reachable only by saving, and one that reads a checkpoint must read the one
whose name the loader passes: this SavedModel's own.
"""

from collections.abc import Iterable, Iterator
from typing import Any

from image_classifier.untrusted_models.allow_list import READ_CHECKPOINT, WRITE_CHECKPOINT
from image_classifier.untrusted_models.meta_graph import MetaGraph, bare

_FORWARDS = frozenset({"Identity", "PlaceholderWithDefault"})


def misplaced_operations(graph: MetaGraph) -> set[str]:
    """Return the names of the checkpoint operations that are reachable other than through the graph's saver."""
    writing, reading = (_holders(graph, names) for names in (WRITE_CHECKPOINT, READ_CHECKPOINT))
    if not writing and not reading:
        return set()
    saver = graph.definition.saver_def
    others = graph.reached_from(_entry_points(graph))
    restoring = graph.reached_from([saver.restore_op_name])
    found = _within(writing, others.nodes | others.functions | restoring.nodes | restoring.functions)
    found |= _within(reading, others.nodes | others.functions)
    return found | _foreign_reads(graph, restoring.nodes, restoring.functions, bare(saver.filename_tensor_name))


def _holders(graph: MetaGraph, operations: frozenset[str]) -> dict[str, set[str]]:
    """Return the nodes of the main graph and the functions that contain one of the operations, with these."""
    found = {node.name: {node.op} for node in graph.definition.graph_def.node if node.op in operations}
    for function in graph.definition.graph_def.library.function:
        used = {node.op for node in function.node_def} & operations
        if used:
            found.setdefault(function.signature.name, set()).update(used)
    return found


def _within(holders: dict[str, set[str]], reached: frozenset[str]) -> set[str]:
    return set().union(*(operations for name, operations in holders.items() if name in reached))


def _entry_points(graph: MetaGraph) -> Iterator[str]:
    """Yield the names of everything that a loader or a caller may run, except for the saver."""
    for signature in graph.definition.signature_def.values():
        for tensor in (*signature.inputs.values(), *signature.outputs.values()):
            yield from _tensor_names(tensor)
    yield from _collected(graph.definition.collection_def.values())
    objects = graph.definition.object_graph_def
    yield from objects.concrete_functions
    for node in objects.nodes:
        yield from node.function.concrete_functions
        yield node.bare_concrete_function.concrete_function_name
        yield node.constant.operation
    for defined in graph.definition.graph_def.library.gradient:
        yield defined.gradient_func
    for registered in graph.definition.graph_def.library.registered_gradients:
        yield registered.gradient_func


def _tensor_names(tensor: Any) -> Iterator[str]:
    yield tensor.name
    yield from (tensor.coo_sparse.values_tensor_name, tensor.coo_sparse.indices_tensor_name)
    yield tensor.coo_sparse.dense_shape_tensor_name
    yield from (component.name for component in tensor.composite_tensor.components)


def _collected(collections: Iterable[Any]) -> Iterator[str]:
    """Yield the nodes in collections, including initialisers of variables, which loading may run."""
    from google.protobuf.message import DecodeError
    from tensorflow.core.framework.variable_pb2 import VariableDef

    for collection in collections:
        yield from collection.node_list.value
        for content in collection.bytes_list.value:
            try:
                variable = VariableDef.FromString(content)
            except DecodeError:
                continue
            yield from (variable.initializer_name, variable.initial_value_name, variable.snapshot_name)
            yield variable.variable_name


def _foreign_reads(graph: MetaGraph, nodes: frozenset[str], functions: frozenset[str], given: str) -> set[str]:
    """Return the saver's read operations if they read another checkpoint than the one passed by the loader."""
    readers = _reading_functions(graph)

    def reads(node: Any) -> bool:
        return node.op in READ_CHECKPOINT or not readers.isdisjoint(graph.called_by(node))

    main = [graph.nodes[name] for name in nodes]
    if any(reads(node) and _source(node, graph.nodes, given) != given for node in main):
        return set(READ_CHECKPOINT)
    for function in (one for name in functions for one in graph.functions[name]):
        inner, arguments = {node.name: node for node in function.node_def}, _arguments(function)
        if any(reads(node) and _source(node, inner, None) not in arguments for node in function.node_def):
            return set(READ_CHECKPOINT)
    return set()


def _reading_functions(graph: MetaGraph) -> set[str]:
    """Return the names of the functions that read a checkpoint, directly or through another function."""
    found = {name for name in _holders(graph, READ_CHECKPOINT) if name in graph.functions}
    while True:
        calling = {
            name
            for name, definitions in graph.functions.items()
            if any(graph.called_by(node) & found for function in definitions for node in function.node_def)
        }
        if calling <= found:
            return found
        found |= calling


def _arguments(function: Any) -> set[str]:
    return {argument.name for argument in function.signature.input_arg}


def _source(node: Any, nodes: dict[str, Any], end: str | None) -> str | None:
    """Follow a node's first input to the source of its value."""
    for _ in range(len(nodes) + 1):
        if not node.input:
            return None
        name = bare(node.input[0])
        if name == end or name not in nodes or nodes[name].op not in _FORWARDS:
            return name
        node = nodes[name]
    return None

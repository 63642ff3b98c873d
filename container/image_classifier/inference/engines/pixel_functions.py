"""Which functions of a loaded SavedModel another runtime could take over, given that it cannot decode images."""

import contextlib
import functools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import tensorflow as tf

from image_classifier.artifacts import FEATURES, PROBABILITIES, ModelInfo
from image_classifier.contract.errors import UserError
from image_classifier.inference.engines import tensorflow
from image_classifier.inference.engines.calling_conventions import PIXELS, Function
from image_classifier.inference.engines.tensorflow import TensorFlowEngine


def candidates(engine: TensorFlowEngine, info: ModelInfo, where: Path) -> Iterator[Any]:
    """Yield concrete functions, uint8 pixels (n, h, w, 3) to probabilities, that may compute what the engine answers.

    The one that answers the features too first, where there is one; then the engine's own. A model that takes the bytes
    of images gets them encoded there, which no other runtime follows: then its call on floats, and its graph from the
    decoded images on, with and without scaling. Whether one of these is the same network, the caller finds out by
    comparing answers.
    """
    if both := with_features(engine.model, info):
        yield both
    yield engine.function
    if not _decodes(engine.function):
        return
    if callable(engine.model):
        bare = _Called(engine.model)
        with contextlib.suppress(UserError):
            yield tensorflow.make_engine(
                bare, replace(info, signature=None, output_key=None, output=None), where
            ).function
    yield from _after_decoding(engine.function, info)


def with_features(loaded: Any, info: ModelInfo) -> Any:
    """Return the concrete function from uint8 pixels (n, h, w, 3) to probabilities and pooled features, by their names.

    None where the loaded model has no signature `pixels` that answers both, as training writes it.
    """
    signature = getattr(loaded, "signatures", {}).get(PIXELS)
    if signature is None or not {PROBABILITIES, FEATURES} <= {*signature.structured_outputs}:
        return None

    def answer(pixels: Any) -> dict[str, Any]:
        found = signature(pixels=pixels)
        return {name: found[name] for name in (PROBABILITIES, FEATURES)}

    return tensorflow.compiled(answer, info)


def serialized(function: Any) -> bytes:
    """Return a concrete function as a GraphDef, variables as constants, which runtimes read without TensorFlow.

    Its last nodes are called `answer/` and the name of what they answer; `PROBABILITIES` where it is one tensor.

    Raises:
        ValueError: It is larger than the 2 GB that a protocol buffer can hold.
    """
    definition = _frozen(function, lower_control_flow=True).graph.as_graph_def()
    answers = function.structured_outputs
    # TensorFlow flattens a mapping by its sorted keys.
    names = sorted(answers) if isinstance(answers, Mapping) else [PROBABILITIES]
    for name, tensor in zip(names, function.outputs, strict=True):
        node = definition.node.add(op="Identity", name=f"answer/{name}", input=[tensor.op.name])
        node.attr["T"].type = tensor.dtype.as_datatype_enum
    return definition.SerializeToString()  # type: ignore[no-any-return]


@contextlib.contextmanager
def full_float32() -> Iterator[None]:
    """Keep TensorFlow from multiplying in TensorFloat-32 on GPUs, its default, while the block runs."""
    before = tf.config.experimental.tensor_float_32_execution_enabled()
    tf.config.experimental.enable_tensor_float_32_execution(False)
    try:
        yield
    finally:
        tf.config.experimental.enable_tensor_float_32_execution(before)


@dataclass(frozen=True)
class _Called:
    """A loaded model without its signatures."""

    model: Any

    def __call__(self, scaled: Any) -> Any:
        return self.model(scaled)


def _frozen(function: Any, lower_control_flow: bool) -> Any:
    # TensorFlow has no public name for it.
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    return convert_variables_to_constants_v2(function, lower_control_flow=lower_control_flow)


def _decodes(function: Any) -> bool:
    definition = function.graph.as_graph_def()
    nodes = [*definition.node, *(node for inner in definition.library.function for node in inner.node_def)]
    return any(node.op.startswith("Decode") for node in nodes)


def _after_decoding(function: Any, info: ModelInfo) -> Iterator[Any]:
    frozen = _frozen(function, lower_control_flow=False)
    definition, answer = frozen.graph.as_graph_def(), frozen.outputs[0].name
    for node in definition.node:
        # Nothing is left that must happen in an order, and these edges would lead back to the images' bytes.
        kept = [name for name in node.input if not name.startswith("^")]
        del node.input[:]
        node.input.extend(kept)
    for node in frozen.graph.get_operations():
        # What a map over the images ends in: all of them in one tensor.
        if node.type != "TensorListStack" or node.outputs[0].dtype not in (tf.uint8, tf.float32):
            continue
        rest = _between(definition, node.outputs[0].name, answer)
        if rest is not None:
            yield _prepared(rest, functools.partial(tf.cast, dtype=node.outputs[0].dtype), info)
            yield _prepared(rest, functools.partial(tensorflow.scale, method=info.pixel_scaling_method), info)


def _between(definition: Any, decoded: str, answer: str) -> Any:
    """Return the part of a graph from the decoded images to the answer, None where the one does not lead there."""
    whole = tf.compat.v1.wrap_function(lambda: tf.graph_util.import_graph_def(definition, name=""), [])
    try:
        return whole.prune(whole.graph.get_tensor_by_name(decoded), whole.graph.get_tensor_by_name(answer))
    except Exception:  # TensorFlow's type for it is not public
        return None


def _prepared(rest: Any, prepare: Function, info: ModelInfo) -> Any:
    return tensorflow.compiled(lambda pixels: rest(prepare(pixels)), info)

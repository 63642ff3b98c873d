"""Functions of a loaded SavedModel that another runtime can execute, one that cannot decode images."""

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
    """Yield concrete functions, uint8 pixels (n, h, w, 3) to probabilities, that may compute the engine's output.

    First the function that also returns features, where there is one, then the engine's own. For a model that takes
    encoded images, whose decoding no other runtime supports, also its call on floats and its graph downstream of
    decoding, with and without scaling. The caller determines by comparing outputs which one is the same network.
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
    """Return the concrete function from uint8 pixels (n, h, w, 3) to named probabilities and pooled features.

    None unless the loaded model has the signature `pixels` with both outputs, as training writes it.
    """
    signature = getattr(loaded, "signatures", {}).get(PIXELS)
    if signature is None or not {PROBABILITIES, FEATURES} <= {*signature.structured_outputs}:
        return None

    def answer(pixels: Any) -> dict[str, Any]:
        found = signature(pixels=pixels)
        return {name: found[name] for name in (PROBABILITIES, FEATURES)}

    return tensorflow.compiled(answer, info)


def serialized(function: Any) -> bytes:
    """Serialise a concrete function as a GraphDef with its variables frozen to constants.

    Output nodes are named `answer/<output>`; the output is `PROBABILITIES` for a single tensor.

    Raises:
        ValueError: It exceeds the 2 GB limit of protocol buffers.
    """
    definition = _frozen(function, lower_control_flow=True).graph.as_graph_def()
    answers = function.structured_outputs
    # TensorFlow flattens a mapping in the order of its sorted keys.
    names = sorted(answers) if isinstance(answers, Mapping) else [PROBABILITIES]
    for name, tensor in zip(names, function.outputs, strict=True):
        node = definition.node.add(op="Identity", name=f"answer/{name}", input=[tensor.op.name])
        node.attr["T"].type = tensor.dtype.as_datatype_enum
    return definition.SerializeToString()  # type: ignore[no-any-return]


@contextlib.contextmanager
def full_float32() -> Iterator[None]:
    """Disable TensorFloat-32, TensorFlow's default on GPUs, while the block runs."""
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
    # There is no public API for this.
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
        # Control dependencies are no longer needed, and these would lead back to the encoded images.
        kept = [name for name in node.input if not name.startswith("^")]
        del node.input[:]
        node.input.extend(kept)
    for node in frozen.graph.get_operations():
        # The end of a map over the images, which stacks them into one tensor.
        if node.type != "TensorListStack" or node.outputs[0].dtype not in (tf.uint8, tf.float32):
            continue
        rest = _between(definition, node.outputs[0].name, answer)
        if rest is not None:
            yield _prepared(rest, functools.partial(tf.cast, dtype=node.outputs[0].dtype), info)
            yield _prepared(rest, functools.partial(tensorflow.scale, method=info.pixel_scaling_method), info)


def _between(definition: Any, decoded: str, answer: str) -> Any:
    """Return the subgraph from the decoded images to the output, None where they are not connected."""
    whole = tf.compat.v1.wrap_function(lambda: tf.graph_util.import_graph_def(definition, name=""), [])
    try:
        return whole.prune(whole.graph.get_tensor_by_name(decoded), whole.graph.get_tensor_by_name(answer))
    except Exception:  # TensorFlow's exception type is not public
        return None


def _prepared(rest: Any, prepare: Function, info: ModelInfo) -> Any:
    return tensorflow.compiled(lambda pixels: rest(prepare(pixels)), info)

"""Run a SavedModel with TensorFlow, whichever way it wants to be called."""

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from image_classifier import artifacts
from image_classifier.artifacts import ModelInfo
from image_classifier.contract.errors import UserError, first_line
from image_classifier.inference.engines import Outputs
from image_classifier.inference.processors import available_processors

VERSION: str = tf.__version__
Function = Callable[[Any], Any]
"""In a graph, from uint8 pixels (n, h, w, 3) to a float tensor (n, k)."""
# Keys under which classifiers answer, the best first; "default" is what Hub modules of TensorFlow 1 use.
_PROBABILITY_KEYS = ("probabilities", "scores", "predictions")
_OUTPUT_KEYS = (*_PROBABILITY_KEYS, "logits", "default", "output_0", "outputs")
_MEAN = (0.485, 0.456, 0.406)
_DEVIATION = (0.229, 0.224, 0.225)


def scale(pixels: Any, method: str) -> Any:
    """Bring pixels 0…255 of any type into the network's range, float32 of the same shape.

    The methods are those of the built-in algorithm's model info; mean and deviation are ImageNet's, as the authors of
    the models give them.

    Raises:
        ValueError: The method is none of `artifacts.PIXEL_SCALING_METHODS`.
    """
    pixels = tf.cast(pixels, tf.float32)
    if method == "normalize":
        return pixels / 255.0
    if method == "center":
        return pixels / 127.5 - 1.0
    if method == "standardize_on_imagenet":
        return (pixels / 255.0 - tf.constant(_MEAN)) / tf.constant(_DEVIATION)
    raise ValueError(f"pixel_scaling_method {method!r} is none of {', '.join(artifacts.PIXEL_SCALING_METHODS)}")


def operations_in(saved_model: Path) -> set[str]:
    """Return the names of all operations in the graphs and function libraries of a SavedModel.

    Raises:
        UserError: saved_model.pb cannot be read.
    """
    try:
        # The parser that loading uses too, so what is looked at is what is run.
        found = tf.__internal__.saved_model.parse_saved_model(str(saved_model))
    except OSError as error:
        raise UserError(f"{saved_model} cannot be read as a SavedModel: {first_line(error)}. Copy it again.") from error
    used: set[str] = set()
    for meta_graph in found.meta_graphs:
        graph = meta_graph.graph_def
        used.update(node.op for node in graph.node)
        used.update(node.op for function in graph.library.function for node in function.node_def)
        # A function may be called by its own name, as if it were an operation.
        used -= {function.signature.name for function in graph.library.function}
    return used


def is_registered(operation: str) -> bool:
    """Say whether this TensorFlow has an operation."""
    from tensorflow.python.framework import op_def_registry

    return op_def_registry.get(operation) is not None


@dataclass(frozen=True)
class TensorFlowEngine:
    """A SavedModel behind one compiled function from pixels to probabilities."""

    function: Any
    outputs: int
    model: Any
    """Kept, because TensorFlow frees the variables of a model that nobody holds."""
    name: str = "tensorflow"
    rungs: tuple[int, ...] = (1, 2)

    @property
    def concurrency(self) -> int:
        """A thread a CPU."""
        return available_processors()

    def run(self, pixels: NDArray[np.uint8]) -> Outputs:
        """Answer RGB pixels, uint8 (n, height, width, 3)."""
        return Outputs(self.probabilities(pixels))

    def probabilities(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return probabilities, float32 (n, outputs), of RGB pixels, uint8 (n, height, width, 3)."""
        return np.asarray(self.function(tf.constant(pixels)), np.float32)


def load_engine(folder: Path, info: ModelInfo) -> TensorFlowEngine:
    """Load the SavedModel of a model folder and find out how it is called.

    In this order: the signature that the model info names; `pixels`, which takes uint8 pixels; a signature that takes
    the bytes of pictures, which then gets the pixels as PNG; the Hub's calling convention, on scaled floats; the only
    or the first well-known signature on floats. Logits become probabilities.

    Raises:
        UserError: It cannot be loaded or called with pictures of the recorded size, or has no classifier in it.
    """
    _claim_no_more_than_allowed()
    saved_model = artifacts.saved_model_folder(folder)
    # Modules of TensorFlow 1's Hub hold a second graph for training, and the one for inference has no tag.
    tags: list[str] | None = [] if (saved_model / "tfhub_module.pb").exists() else None
    try:
        loaded = tf.saved_model.load(str(saved_model), tags=tags)
    except Exception as error:  # TensorFlow raises whatever a damaged file makes it stumble over
        raise UserError(f"The SavedModel in {saved_model} cannot be loaded: {first_line(error)}.") from error
    return make_engine(loaded, info, saved_model)


def _claim_no_more_than_allowed() -> None:
    # Too late, and no harm, when the runtime has started already: it keeps what it was given.
    with contextlib.suppress(RuntimeError):
        for device in tf.config.list_physical_devices("GPU"):
            tf.config.experimental.set_memory_growth(device, True)
        tf.config.threading.set_intra_op_parallelism_threads(available_processors())
        tf.config.threading.set_inter_op_parallelism_threads(available_processors())


def make_engine(loaded: Any, info: ModelInfo, where: Path) -> TensorFlowEngine:
    """Find out how a loaded model is called, see `load_engine`; `where` names it in errors.

    Raises:
        UserError: It cannot be called with pictures of the recorded size, or has no classifier in it.
    """
    if info.output == "features":
        raise UserError(f"{where} is a backbone: it answers features, not classes. Serve a model that was trained.")
    call, key = _call(loaded, info, where)
    noise = np.random.default_rng(0).integers(0, 256, (2, *info.image_size, 3), dtype=np.uint8)
    try:
        answer = np.asarray(compiled(call, info)(tf.constant(noise)), np.float32)
    except (tf.errors.OpError, ValueError, TypeError) as error:
        height, width = info.image_size
        raise UserError(
            f"The SavedModel in {where} does not answer pictures of {height}x{width} pixels, the image_size of its "
            f"model info: {first_line(error)}."
        ) from error
    if answer.ndim != 2 or len(answer) != 2 or answer.shape[1] == 0:
        raise UserError(
            f"The SavedModel in {where} answers two pictures with the shape {answer.shape}; a classifier answers "
            "(2, classes). Name signature and output_key in its model info."
        )
    classes = answer.shape[1]
    if _kind(key, info.output, answer) == "logits":
        activation = tf.sigmoid if classes == 1 else tf.nn.softmax
        return TensorFlowEngine(compiled(lambda pixels: activation(call(pixels)), info), classes, loaded)
    return TensorFlowEngine(compiled(call, info), classes, loaded)


def compiled(call: Function, info: ModelInfo) -> Any:
    """Return the concrete function of `call` for any number of pictures of the recorded size."""
    # Without AutoGraph, which would bury what went wrong under its own words.
    pixels = tf.TensorSpec((None, *info.image_size, 3), tf.uint8)
    return tf.function(call, autograph=False).get_concrete_function(pixels)


def _kind(key: str | None, recorded: str | None, answer: NDArray[np.float32]) -> str:
    # The key first: a model may answer logits when it is called and probabilities by its signature.
    if key == "logits" or key in _PROBABILITY_KEYS:
        return "logits" if key == "logits" else "probabilities"
    if recorded:
        return recorded
    within = bool(((answer >= 0) & (answer <= 1)).all())
    adds_up = answer.shape[1] == 1 or bool((np.abs(answer.sum(axis=1) - 1) < 1e-3).all())
    return "probabilities" if within and adds_up else "logits"


def _call(loaded: Any, info: ModelInfo, where: Path) -> tuple[Function, str | None]:
    """Return the function from pixels to the model's own output, and the output's key when it has one."""
    signatures: dict[str, Any] = dict(getattr(loaded, "signatures", {}))
    if info.signature and info.signature not in signatures:
        raise UserError(f"{where} has no signature {info.signature!r}, which its model info names; {_has(signatures)}.")
    by_type = {name: _input(function) for name, function in signatures.items()}
    strings = [name for name, given in by_type.items() if given and given.dtype == tf.string]
    chosen = info.signature or ("pixels" if "pixels" in signatures else None) or _preferred(strings)
    if chosen is None and callable(loaded):
        return _keyed(lambda pixels: loaded(scale(pixels, info.pixel_scaling_method)), info)
    chosen = chosen or _preferred([name for name, given in by_type.items() if given])
    if chosen is None:
        raise UserError(f"{where} cannot be called with pictures: {_has(signatures)}, none with one input.")
    function, specification = signatures[chosen], by_type[chosen]
    if specification is None:
        raise UserError(f"The signature {chosen!r} of {where} does not take exactly one input.")
    prepare = _preparation(specification.dtype, info)
    key = _output_key(function, info, where)
    return lambda pixels: function(**{specification.name: prepare(pixels)})[key], key


def _keyed(call: Callable[[Any], Any], info: ModelInfo) -> tuple[Function, str | None]:
    """Read the output of a Hub model: a tensor, a tuple that begins with it, or a mapping."""

    def first(pixels: Any) -> Any:
        output = call(pixels)
        if isinstance(output, Mapping):
            key = info.output_key or next((name for name in _OUTPUT_KEYS if name in output), None)
            if key not in output:
                raise ValueError(f"its output has the keys {', '.join(sorted(output))}; name one as output_key")
            return output[key]
        return output[0] if isinstance(output, tuple | list) else output

    return first, info.output_key


def _preparation(wanted: Any, info: ModelInfo) -> Callable[[Any], Any]:
    if wanted == tf.string:
        # PNG keeps every pixel as it is, and a picture of the right size is not resized again.
        return lambda pixels: tf.map_fn(
            lambda picture: tf.io.encode_png(picture, compression=1), pixels, fn_output_signature=tf.string
        )
    if wanted == tf.uint8:
        return lambda pixels: pixels
    return lambda pixels: tf.cast(scale(pixels, info.pixel_scaling_method), wanted)


@dataclass(frozen=True)
class _Input:
    name: str
    dtype: Any


def _input(function: Any) -> _Input | None:
    _, named = function.structured_input_signature
    return next((_Input(name, found.dtype) for name, found in named.items()), None) if len(named) == 1 else None


def _preferred(names: list[str]) -> str | None:
    known = ("serving_default", "image_classification", "default")
    return next((name for name in known if name in names), names[0] if len(names) == 1 else None)


def _output_key(function: Any, info: ModelInfo, where: Path) -> str:
    keys = list(function.structured_outputs)
    wanted = (info.output_key,) if info.output_key else _OUTPUT_KEYS
    key = next((name for name in wanted if name in keys), None)
    if key is None and len(keys) == 1 and not info.output_key:
        key = keys[0]
    if key is None:
        raise UserError(
            f"The signature of {where} answers {', '.join(sorted(keys))}; name one of them as output_key in its model "
            f"info (given: {info.output_key})."
        )
    return str(key)


def _has(signatures: Mapping[str, Any]) -> str:
    return f"it has the signatures {', '.join(sorted(signatures))}" if signatures else "it has no signatures"

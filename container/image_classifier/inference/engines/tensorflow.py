"""Run a SavedModel with TensorFlow, whatever its calling convention."""

import contextlib
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from image_classifier import artifacts
from image_classifier.artifacts import ModelInfo
from image_classifier.contract.errors import UserError, first_line
from image_classifier.inference.engines import calling_conventions
from image_classifier.inference.engines.calling_conventions import Function
from image_classifier.inference.engines.engine import Outputs
from image_classifier.inference.engines.execution_mode import PLAIN, ExecutionMode
from image_classifier.resources.processors import available_processors
from image_classifier.untrusted_models.loader import load_untrusted

BATCH_SIZES = (1, 2, 4, 8, 16, 32)
"""Batch sizes on a GPU: other sizes are padded to the next one, so that every size that occurs was warmed up."""
_MEAN = (0.485, 0.456, 0.406)
_DEVIATION = (0.229, 0.224, 0.225)


def scale(pixels: Any, method: str) -> Any:
    """Scale pixels 0…255 of any type to the network's input range, float32 of the same shape.

    The methods are those of the built-in algorithm's model info; mean and deviation are ImageNet's, as published with
    the models.

    Raises:
        ValueError: The method is not one of `artifacts.PIXEL_SCALING_METHODS`.
    """
    pixels = tf.cast(pixels, tf.float32)
    if method == "normalize":
        return pixels / 255.0
    if method == "center":
        return pixels / 127.5 - 1.0
    if method == "standardize_on_imagenet":
        return (pixels / 255.0 - tf.constant(_MEAN)) / tf.constant(_DEVIATION)
    raise ValueError(f"pixel_scaling_method {method!r} is not one of {', '.join(artifacts.PIXEL_SCALING_METHODS)}")


def has_gpu() -> bool:
    """Say whether TensorFlow can use a GPU."""
    return bool(tf.config.list_physical_devices("GPU"))


@dataclass(frozen=True)
class TensorFlowEngine:
    """A SavedModel behind compiled functions on pixels."""

    function: Any
    """Returns the probabilities."""
    answer: Any
    """Returns the probabilities and, where exposed, the features."""
    outputs: int
    model: Any
    """Referenced because TensorFlow frees the variables of an unreferenced model."""
    mode: ExecutionMode = PLAIN
    name: str = "tensorflow"

    @property
    def precision(self) -> str:
        """float32, or float16 where TensorFlow's graph rewriter considers it safe."""
        return "f16" if self.mode.float16 else "f32"

    @property
    def concurrency(self) -> int:
        """One thread per CPU; with dynamic batching enough threads to fill a batch while another one is computed."""
        return 2 * BATCH_SIZES[-1] if self.mode.dynamic_batching else available_processors()

    @property
    def warm_up_sizes(self) -> tuple[int, ...]:
        """Every batch size."""
        return BATCH_SIZES if self.mode.dynamic_batching else (1, 2)

    def announce(self) -> contextlib.AbstractContextManager[None]:
        """Do nothing: this engine has no separate latency path."""
        return contextlib.nullcontext()

    def run(self, pixels: NDArray[np.uint8]) -> Outputs:
        """Run RGB pixels, uint8 (n, height, width, 3)."""
        at_once = BATCH_SIZES[-1]
        parts = [self._answer(pixels[start : start + at_once]) for start in range(0, max(len(pixels), 1), at_once)]
        return Outputs(*(np.concatenate(found) for found in zip(*parts, strict=True)))

    def _answer(self, pixels: NDArray[np.uint8]) -> list[NDArray[np.float32]]:
        # Batches are assembled in host memory.
        with tf.device("CPU:0"):
            given = tf.constant(pixels)
        return [np.asarray(found, np.float32) for found in self.answer(given)]

    def probabilities(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return only the probabilities of `run`, float32 (n, outputs)."""
        return self.run(pixels).probabilities


def load_engine(folder: Path, info: ModelInfo, mode: ExecutionMode = PLAIN, trust: bool = False) -> TensorFlowEngine:
    """Load the SavedModel of a model folder and determine its calling convention.

    In this order: the signature that the model info names; `pixels`, which takes uint8 pixels; a signature that takes
    encoded images, which receives the pixels as PNG; the Hub's calling convention on scaled floats; the only or the
    first well-known signature on floats. Logits are converted to probabilities.

    Raises:
        UserError: It is rejected (see `load_untrusted`, also for `trust`), cannot be loaded or called with images of
            the recorded size, or is not a classifier.
    """
    _respect_resource_limits()
    if mode.float16:
        # Before anything runs: functions inside a batch use the options with which the runtime started.
        tf.config.optimizer.set_experimental_options({"auto_mixed_precision": True})
    saved_model = artifacts.saved_model_folder(folder)
    loaded = load_untrusted(saved_model, trust, info)
    return make_engine(loaded, info, saved_model, mode)


def _respect_resource_limits() -> None:
    # A runtime that has started already rejects new settings and keeps its own.
    with contextlib.suppress(RuntimeError):
        for device in tf.config.list_physical_devices("GPU"):
            tf.config.experimental.set_memory_growth(device, True)
        tf.config.threading.set_intra_op_parallelism_threads(available_processors())
        tf.config.threading.set_inter_op_parallelism_threads(available_processors())


def make_engine(loaded: Any, info: ModelInfo, where: Path, mode: ExecutionMode = PLAIN) -> TensorFlowEngine:
    """Make the engine of a loaded model, see `load_engine`; `where` is its location, for errors.

    Raises:
        UserError: It cannot be called with images of the recorded size, or is not a classifier.
    """
    if info.output == artifacts.FEATURES:
        raise UserError(f"{where} is a backbone: it returns features, not classes. Serve a fine-tuned model.")
    convention = calling_conventions.find(loaded, info, where, lambda wanted: _preparation(wanted, info))
    call = convention.call
    noise = np.random.default_rng(0).integers(0, 256, (2, *info.image_size, 3), dtype=np.uint8)
    try:
        answer = np.asarray(compiled(call, info)(tf.constant(noise))[0], np.float32)
    except (tf.errors.OpError, ValueError, TypeError) as error:
        height, width = info.image_size
        raise UserError(
            f"The SavedModel in {where} rejects images of {height}x{width} pixels, the image_size of its model info: "
            f"{first_line(error)}."
        ) from error
    if answer.ndim != 2 or len(answer) != 2 or answer.shape[1] == 0:
        raise UserError(
            f"The SavedModel in {where} returns the shape {answer.shape} for two images; expected (2, classes). Set "
            "signature and output_key in its model info."
        )
    classes = answer.shape[1]
    if calling_conventions.kind(convention.key, info.output, answer) == artifacts.LOGITS:
        call = calling_conventions.activated(call, tf.sigmoid if classes == 1 else tf.nn.softmax)
    function = compiled(lambda pixels: call(pixels)[0], info)
    answer_function = (_batched if mode.dynamic_batching else compiled)(call, info)
    return TensorFlowEngine(function, answer_function, classes, loaded, mode)


def answers_to_encoded(
    engine: TensorFlowEngine, info: ModelInfo, where: Path, images: Sequence[bytes]
) -> list[NDArray[np.float32] | None] | None:
    """Return the probabilities, (outputs,) each, that the model's own signature gives for encoded images.

    The signature decodes and resizes inside the graph, as the server that the model was made for relies on. None
    without such a signature; None in the place of an image that it cannot decode.

    Raises:
        UserError: The signature lacks the output that the model info names.
    """
    found = calling_conventions.of_encoded(engine.model, info, where)
    if found is None:
        return None
    call, key = found
    answers: list[NDArray[np.float32] | None] = []
    for image in images:
        try:
            output = call(tf.constant([image]))
        except tf.errors.OpError:
            answers.append(None)
            continue
        if calling_conventions.kind(key, info.output, np.asarray(output, np.float32)) == artifacts.LOGITS:
            output = tf.sigmoid(output) if engine.outputs == 1 else tf.nn.softmax(output)
        answers.append(np.asarray(output, np.float32)[0])
    return answers


def compiled(call: Function, info: ModelInfo) -> Any:
    """Return the concrete function of `call` for any number of images of the recorded size."""
    # Without AutoGraph, whose own messages would hide the cause of an error.
    pixels = tf.TensorSpec((None, *info.image_size, 3), tf.uint8)
    return tf.function(call, autograph=False).get_concrete_function(pixels)


def _batched(call: Function, info: ModelInfo) -> Any:
    """Return `compiled` with dynamic batching: concurrent calls of several threads are computed together.

    Uses TensorFlow's own operation: one of its two threads assembles a batch while the other computes, and takes the
    pending calls as soon as it is free. A single call does not wait. An error affects the whole batch.
    """
    inner = compiled(call, info)
    # Calls under the same name share batches.
    name = f"images-{uuid.uuid4().hex}"

    def batched(pixels: Any) -> Any:
        return tf.raw_ops.BatchFunction(
            in_tensors=[pixels],
            captured_tensors=inner.captured_inputs,
            f=inner,
            Tout=[output.dtype for output in inner.outputs],
            num_batch_threads=2,
            max_batch_size=BATCH_SIZES[-1],
            allowed_batch_sizes=list(BATCH_SIZES),
            batch_timeout_micros=0,
            # Each admitted thread may submit a full batch.
            max_enqueued_batches=4 * BATCH_SIZES[-1],
            enable_large_batch_splitting=True,
            shared_name=name,
        )

    return compiled(batched, info)


def _preparation(wanted: Any, info: ModelInfo) -> Function:
    """Return the conversion of pixels to the dtype `wanted`: encoded images, uint8, or floats in the input range."""
    if wanted == tf.string:
        # PNG is lossless, and an image of the right size is not resized again.
        return lambda pixels: tf.map_fn(
            lambda image: tf.io.encode_png(image, compression=1), pixels, fn_output_signature=tf.string
        )
    if wanted == tf.uint8:
        return lambda pixels: pixels
    return lambda pixels: tf.cast(scale(pixels, info.pixel_scaling_method), wanted or tf.float32)

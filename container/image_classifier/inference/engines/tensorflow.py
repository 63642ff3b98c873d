"""Run a SavedModel with TensorFlow, whichever way it wants to be called."""

import contextlib
import uuid
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
"""Sizes of batches on a GPU: what is between is filled up, so that every size that occurs was warmed."""
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


def has_gpu() -> bool:
    """Say whether TensorFlow can use a GPU."""
    return bool(tf.config.list_physical_devices("GPU"))


@dataclass(frozen=True)
class TensorFlowEngine:
    """A SavedModel behind compiled functions from pixels."""

    function: Any
    """To probabilities."""
    answer: Any
    """To probabilities, and to features where there are any."""
    outputs: int
    model: Any
    """Kept, because TensorFlow frees the variables of a model that nobody holds."""
    manner: ExecutionMode = PLAIN
    name: str = "tensorflow"

    @property
    def concurrency(self) -> int:
        """A thread a CPU; with batches as many as fill one while another is computed."""
        return 2 * BATCH_SIZES[-1] if self.manner.batches else available_processors()

    @property
    def rungs(self) -> tuple[int, ...]:
        """Every size of a batch."""
        return BATCH_SIZES if self.manner.batches else (1, 2)

    def expecting(self) -> contextlib.AbstractContextManager[None]:
        """Announce images that are being decoded: it makes no difference here."""
        return contextlib.nullcontext()

    def run(self, pixels: NDArray[np.uint8]) -> Outputs:
        """Answer RGB pixels, uint8 (n, height, width, 3)."""
        at_once = BATCH_SIZES[-1]
        parts = [self._answer(pixels[start : start + at_once]) for start in range(0, max(len(pixels), 1), at_once)]
        return Outputs(*(np.concatenate(found) for found in zip(*parts, strict=True)))

    def _answer(self, pixels: NDArray[np.uint8]) -> list[NDArray[np.float32]]:
        # Batches are put together in the host's memory.
        with tf.device("CPU:0"):
            given = tf.constant(pixels)
        return [np.asarray(found, np.float32) for found in self.answer(given)]

    def probabilities(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the probabilities of `run` alone, float32 (n, outputs)."""
        return self.run(pixels).probabilities


def load_engine(folder: Path, info: ModelInfo, manner: ExecutionMode = PLAIN, trust: bool = False) -> TensorFlowEngine:
    """Load the SavedModel of a model folder and find out how it is called.

    In this order: the signature that the model info names; `pixels`, which takes uint8 pixels; a signature that takes
    the bytes of images, which then gets the pixels as PNG; the Hub's calling convention, on scaled floats; the only
    or the first well-known signature on floats. Logits become probabilities.

    Raises:
        UserError: It is rejected (see `load_untrusted`, also for `trust`), cannot be loaded or called with images of
            the recorded size, or has no classifier in it.
    """
    _claim_no_more_than_allowed()
    if manner.half:
        # Before anything runs: the functions inside a batch compute as the runtime was told when it started.
        tf.config.optimizer.set_experimental_options({"auto_mixed_precision": True})
    saved_model = artifacts.saved_model_folder(folder)
    loaded = load_untrusted(saved_model, trust, info)
    return make_engine(loaded, info, saved_model, manner)


def _claim_no_more_than_allowed() -> None:
    # Too late, and no harm, when the runtime has started already: it keeps what it was given.
    with contextlib.suppress(RuntimeError):
        for device in tf.config.list_physical_devices("GPU"):
            tf.config.experimental.set_memory_growth(device, True)
        tf.config.threading.set_intra_op_parallelism_threads(available_processors())
        tf.config.threading.set_inter_op_parallelism_threads(available_processors())


def make_engine(loaded: Any, info: ModelInfo, where: Path, manner: ExecutionMode = PLAIN) -> TensorFlowEngine:
    """Find out how a loaded model is called, see `load_engine`; `where` names it in errors.

    Raises:
        UserError: It cannot be called with images of the recorded size, or has no classifier in it.
    """
    if info.output == artifacts.FEATURES:
        raise UserError(f"{where} is a backbone: it answers features, not classes. Serve a model that was trained.")
    convention = calling_conventions.find(loaded, info, where, lambda wanted: _preparation(wanted, info))
    call = convention.call
    noise = np.random.default_rng(0).integers(0, 256, (2, *info.image_size, 3), dtype=np.uint8)
    try:
        answer = np.asarray(compiled(call, info)(tf.constant(noise))[0], np.float32)
    except (tf.errors.OpError, ValueError, TypeError) as error:
        height, width = info.image_size
        raise UserError(
            f"The SavedModel in {where} does not answer images of {height}x{width} pixels, the image_size of its "
            f"model info: {first_line(error)}."
        ) from error
    if answer.ndim != 2 or len(answer) != 2 or answer.shape[1] == 0:
        raise UserError(
            f"The SavedModel in {where} answers two images with the shape {answer.shape}; a classifier answers "
            "(2, classes). Name signature and output_key in its model info."
        )
    classes = answer.shape[1]
    if calling_conventions.kind(convention.key, info.output, answer) == artifacts.LOGITS:
        call = calling_conventions.activated(call, tf.sigmoid if classes == 1 else tf.nn.softmax)
    function = compiled(lambda pixels: call(pixels)[0], info)
    return TensorFlowEngine(function, (_batched if manner.batches else compiled)(call, info), classes, loaded, manner)


def compiled(call: Function, info: ModelInfo) -> Any:
    """Return the concrete function of `call` for any number of images of the recorded size."""
    # Without AutoGraph, which would bury what went wrong under its own words.
    pixels = tf.TensorSpec((None, *info.image_size, 3), tf.uint8)
    return tf.function(call, autograph=False).get_concrete_function(pixels)


def _batched(call: Function, info: ModelInfo) -> Any:
    """Return `compiled`, whose calls by several threads are computed together.

    By TensorFlow's own operation: one of its two threads puts a batch together while the other computes, and takes
    what has come as soon as it is free. A call that is alone does not wait. An error is that of the whole batch.
    """
    inner = compiled(call, info)
    # Whatever has the same name is put into the same batches.
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
            # Each of the threads that are let in may bring a full one.
            max_enqueued_batches=4 * BATCH_SIZES[-1],
            enable_large_batch_splitting=True,
            shared_name=name,
        )

    return compiled(batched, info)


def _preparation(wanted: Any, info: ModelInfo) -> Function:
    """Return what makes of pixels the input that is `wanted`: strings, bytes, or floats in the network's range."""
    if wanted == tf.string:
        # PNG keeps every pixel as it is, and an image of the right size is not resized again.
        return lambda pixels: tf.map_fn(
            lambda image: tf.io.encode_png(image, compression=1), pixels, fn_output_signature=tf.string
        )
    if wanted == tf.uint8:
        return lambda pixels: pixels
    return lambda pixels: tf.cast(scale(pixels, info.pixel_scaling_method), wanted or tf.float32)

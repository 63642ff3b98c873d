"""Calls of several threads in one batch: what a GPU is served with, here forced on a CPU."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from numpy.typing import NDArray

from image_classifier.artifacts import ModelInfo
from image_classifier.inference.engines import tensorflow
from image_classifier.inference.engines.execution_mode import ExecutionMode, execution_mode_of
from image_classifier.inference.engines.tensorflow import BATCH_SIZES, TensorFlowEngine

SIZE = (4, 6)
INFO = ModelInfo(image_size=SIZE)
FAILING_LEVEL = 255
"""The level of grey that the network fails at."""


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> TensorFlowEngine:
    """A network whose features are the size of the batch, in batches."""
    return load(tmp_path_factory.mktemp("batches"))


def load(folder: Path, sign: float = 1.0) -> TensorFlowEngine:
    """Save a network and load it in batches.

    Its one probability is `sigmoid(sign * grey)` of the first pixel's level, 0 to 1. Slow, so that others come
    meanwhile, and failing at `FAILING_LEVEL`.
    """
    module = tf.__internal__.tracking.AutoTrackable()
    module.sign = tf.Variable(sign, trainable=False)
    noise = tf.ones((400, 400))

    @tf.function(input_signature=[tf.TensorSpec((None, *SIZE, 3), tf.uint8, name="pixels")])
    def answer(pixels):  # type: ignore[no-untyped-def]
        check = tf.debugging.Assert(tf.reduce_all(pixels < FAILING_LEVEL), ["an image that this network fails at"])
        with tf.control_dependencies([check]):
            level = tf.cast(pixels[:, 0, 0, :1], tf.float32) / FAILING_LEVEL
        slow = tf.reduce_sum(tf.linalg.matmul(tf.linalg.matmul(noise, noise), noise)) * 0.0
        count = tf.cast(tf.shape(pixels)[0], tf.float32)
        return {"probabilities": tf.sigmoid(module.sign * level) + slow, "features": tf.zeros_like(level) + count}

    tf.saved_model.save(module, str(folder / "1"), signatures={"pixels": answer})
    return tensorflow.load_engine(folder, INFO, ExecutionMode(dynamic_batching=True))


def grey(*levels: int) -> NDArray[np.uint8]:
    """Return an image a level."""
    return np.full((len(levels), *SIZE, 3), np.reshape(levels, (-1, 1, 1, 1)), np.uint8)


def expected(*levels: int, sign: float = 1.0) -> NDArray[np.float64]:
    """Compute in NumPy what the network answers."""
    return np.asarray(1 / (1 + np.exp(-sign * np.array(levels)[:, None] / FAILING_LEVEL)))


def at_once(count: int, work: Callable[[int], Any]) -> list[Any]:
    """Call `work` with 0 … count - 1 in as many threads that begin together; an error is a result."""
    gate = threading.Barrier(count)

    def begin(number: int) -> Any:
        gate.wait()
        try:
            return work(number)
        except tf.errors.OpError as error:
            return error

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(begin, range(count)))


def test_every_thread_gets_its_own_answer(engine: TensorFlowEngine) -> None:
    """Given 32 threads with different images, five times -> each gets its own result, and some share a batch."""

    def ask(number: int) -> float:
        found = [engine.run(grey(5 * number + turn)) for turn in range(5)]
        for turn, outputs in enumerate(found):
            assert outputs.probabilities == pytest.approx(expected(5 * number + turn), abs=1e-6)
        return max(float(outputs.features[0, 0]) for outputs in found if outputs.features is not None)

    assert 1 < max(at_once(32, ask)) <= BATCH_SIZES[-1]


def test_single_image_does_not_wait_for_a_batch(engine: TensorFlowEngine) -> None:
    """Given a single in-flight image -> a batch of one, started without waiting for other calls."""
    outputs = engine.run(grey(7))
    assert outputs.features is not None
    assert outputs.features.tolist() == [[1.0]]
    node = next(node for node in engine.answer.graph.as_graph_def().node if node.op == "BatchFunction")
    assert node.attr["batch_timeout_micros"].i == 0


@pytest.mark.parametrize(("count", "computed"), [(3, [4] * 3), (32, [32] * 32), (33, [32] * 32 + [1])])
def test_batches_have_warmed_up_sizes(engine: TensorFlowEngine, count: int, computed: list[int]) -> None:
    """Given 3 images, a full batch, one more -> batches of the declared sizes, and all results in order."""
    outputs = engine.run(grey(*range(count)))
    assert outputs.features is not None
    assert outputs.features[:, 0].tolist() == computed
    assert outputs.probabilities == pytest.approx(expected(*range(count)), abs=1e-6)
    assert set(computed) <= set(engine.warm_up_sizes)


def test_a_failure_reaches_every_call_of_the_batch(engine: TensorFlowEngine) -> None:
    """Given 16 threads with an image that the network fails on -> an error each, and the next call succeeds."""
    failed = at_once(16, lambda number: engine.run(grey(FAILING_LEVEL)))
    assert [type(error) for error in failed] == [tf.errors.InvalidArgumentError] * 16
    assert engine.probabilities(grey(7)) == pytest.approx(expected(7), abs=1e-6)


def test_two_networks_keep_apart(engine: TensorFlowEngine, tmp_path: Path) -> None:
    """Threads that ask two loaded networks at the same time -> each gets the answer of the one it asked."""
    other = load(tmp_path, sign=-1.0)
    engines = [engine, other]
    answered = at_once(16, lambda number: float(engines[number % 2].probabilities(grey(number + 50))[0, 0]))
    right = [float(expected(number + 50, sign=(1.0, -1.0)[number % 2])[0, 0]) for number in range(16)]
    assert answered == pytest.approx(right, abs=1e-6)


def test_batches_and_float16_are_for_gpus() -> None:
    """A model trained in float16 on a CPU, on a GPU, there with exactness wanted -> only where they help."""
    trained = ModelInfo(image_size=SIZE, extra={"mixed_precision": "float16"})
    assert execution_mode_of(trained, gpu=False) == ExecutionMode()
    assert execution_mode_of(trained, gpu=True) == ExecutionMode(float16=True, dynamic_batching=True)
    assert execution_mode_of(trained, gpu=True, force_float32=True) == ExecutionMode(dynamic_batching=True)
    assert execution_mode_of(INFO, gpu=True) == ExecutionMode(dynamic_batching=True)


def test_dynamic_batching_raises_the_concurrency(engine: TensorFlowEngine) -> None:
    """Given dynamic batching -> a concurrency of two full batches, and every batch size is warmed up."""
    assert (engine.concurrency, engine.warm_up_sizes) == (64, (1, 2, 4, 8, 16, 32))


def test_rewriting_to_float16_is_switched_on_for_the_process(engine: TensorFlowEngine, tmp_path: Path) -> None:
    """A network loaded to compute in float16 -> TensorFlow's rewriter is configured so; otherwise it is not."""
    options = tf.config.optimizer.get_experimental_options
    before = options().get("auto_mixed_precision", False)
    load(tmp_path)
    try:
        tensorflow.load_engine(tmp_path, INFO, ExecutionMode(float16=True))
        after = options()["auto_mixed_precision"]
    finally:
        tf.config.optimizer.set_experimental_options({"auto_mixed_precision": False})
    assert (before, after) == (False, True)

"""Which type a step computes in: chosen by the devices, seen in the graph that TensorFlow runs."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from image_classifier import PROGRAM
from image_classifier.contract.errors import UserError
from image_classifier.resources.processors import has_bfloat16
from image_classifier.training.devices import precision
from image_classifier.training.devices.accelerators import Gpu
from tests.unit.training import small

T4, A10G = Gpu("Tesla T4", "7.5"), Gpu("NVIDIA A10G", "8.6")
K80, UNKNOWN = Gpu("Tesla K80", "3.7"), Gpu("A new one")


needs_bfloat16 = pytest.mark.skipif(not has_bfloat16(), reason="this CPU has no bfloat16 instructions")


@pytest.fixture
def rewritten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let TensorFlow write each graph before and after its rewriting here."""
    monkeypatch.setenv("TF_AUTO_MIXED_PRECISION_GRAPH_REWRITE_LOG_PATH", str(tmp_path))
    return tmp_path


def operations_in_bfloat16(folder: Path) -> set[str]:
    """Return the operations of all rewritten graphs that compute in bfloat16."""
    found = set()
    for path in folder.glob("graphdef_AutoMixedPrecision_*.pb"):
        graph = tf.compat.v1.GraphDef.FromString(path.read_bytes())
        found |= {
            node.op
            for node in graph.node
            if any(value.type == tf.bfloat16.as_datatype_enum for value in node.attr.values())
        }
    return found


@pytest.mark.parametrize(
    ("asked", "gpus", "chosen"),
    [
        ("auto", [], "off"),
        ("auto", [T4], "float16"),
        ("auto", [T4, A10G], "float16"),
        ("auto", [Gpu("Tesla V100", "7.0")], "float16"),
        ("auto", [Gpu("RTX PRO 6000", "12.0")], "float16"),
        ("auto", [T4, K80], "off"),
        ("auto", [UNKNOWN], "off"),
        ("off", [A10G], "off"),
        ("float16", [A10G], "float16"),
        ("bfloat16", [], "bfloat16"),
    ],
)
def test_choice_by_the_devices(asked: str, gpus: list[Gpu], chosen: str) -> None:
    """No GPU, one or two of several capabilities -> auto means float16 where all have tensor cores, else off."""
    assert precision.choose(small.settings(mixed_precision=asked), gpus, cpu_has_bfloat16=True) == chosen


@pytest.mark.parametrize(
    ("asked", "gpus", "reason"),
    [
        ("float16", [], "needs a GPU, and this machine has none; allowed: auto, off or bfloat16."),
        (
            "float16",
            [T4, K80],
            "7.0 or more; this machine has Tesla K80 (compute capability 3.7); allowed: auto or off.",
        ),
        ("float16", [UNKNOWN], "this machine has A new one; allowed"),
        (
            "bfloat16",
            [A10G],
            "is for CPUs, since TensorFlow rewrites graphs for GPUs only to float16; allowed here: auto",
        ),
        ("bfloat16", [], "needs a CPU with bfloat16 instructions (avx512_bf16 or amx_bf16), and this one has none;"),
    ],
)
def test_a_type_that_the_devices_do_not_compute_in(asked: str, gpus: list[Gpu], reason: str) -> None:
    """A type asked for on devices without it -> rejected with the reason and what is allowed here."""
    with pytest.raises(UserError) as rejected:
        precision.choose(small.settings(mixed_precision=asked), gpus, cpu_has_bfloat16=False)
    assert f"mixed_precision={asked} " in str(rejected.value)
    assert reason in str(rejected.value)


def loss_and_gradients() -> Any:
    """Return a function from a step's images to loss and gradients of a small network."""
    network = small.build_network((32, 40))
    head = tf.Variable(np.random.default_rng(1).normal(size=(12, 3)).astype(np.float32))

    def compute(pixels: Any) -> Any:
        variables = [head, *network.trainable_variables]
        with tf.GradientTape() as tape:
            logits = network(pixels / 255, training=True) @ head
            loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits([0, 1, 2, 0], logits))
        return [loss, *tape.gradient(loss, variables)]

    return compute


@needs_bfloat16
def test_bfloat16_is_in_the_graph_inside_the_block_alone(rewritten: Path) -> None:
    """A step before, in and after the block -> rewritten, with its gradients, in it alone, where it differs."""
    step = tf.function(loss_and_gradients())
    pixels = tf.constant(np.random.default_rng(0).uniform(0, 255, (4, 32, 40, 3)), tf.float32)
    before = step(pixels)
    assert operations_in_bfloat16(rewritten) == set()
    with precision.applied("bfloat16"):
        inside = step(pixels)
    assert {"Conv2D", "Conv2DBackpropFilter", "MatMul"} <= operations_in_bfloat16(rewritten)
    after = step(pixels)
    assert {value.dtype for value in inside} == {tf.float32}
    assert 1e-6 < abs(float(inside[0] - before[0])) < 0.02
    gradient, changed, again = (
        np.concatenate([np.ravel(one) for one in found[1:]]) for found in (before, inside, after)
    )
    assert 1e-3 < np.linalg.norm(changed - gradient) / np.linalg.norm(gradient) < 0.1
    np.testing.assert_allclose(again, gradient, atol=1e-6)


def test_rewriting_ends_with_the_block_that_fails(rewritten: Path) -> None:
    """A step that raises inside the block -> the options are what they were before."""
    with pytest.raises(ZeroDivisionError), precision.applied("bfloat16"):
        raise ZeroDivisionError
    options = tf.config.optimizer.get_experimental_options()
    assert not options["auto_mixed_precision_onednn_bfloat16"]
    assert list(rewritten.iterdir()) == []


def test_nothing_is_rewritten_when_it_is_off(rewritten: Path) -> None:
    """A step in a block of "off" -> no graph was looked at."""
    with precision.applied("off"):
        tf.function(loss_and_gradients())(tf.zeros((4, 32, 40, 3)))
    assert list(rewritten.iterdir()) == []


def test_equal_seeds_draw_equal_numbers() -> None:
    """A network that draws numbers itself, after the same seed twice -> the same numbers; after another -> others."""

    def drawn(seed: int) -> list[float]:
        precision.make_deterministic(small.settings(random_seed=seed))
        numbers: list[float] = tf.random.uniform((4,)).numpy().tolist()
        return numbers

    assert drawn(7) == drawn(7)
    assert drawn(7) != drawn(8)


@pytest.mark.every
def test_equal_bits_are_asked_of_tensorflow() -> None:
    """With deterministic=True, in a process of its own -> TensorFlow rejects an operation without a seed; else not."""
    program = """
from tests.unit.training import small
from image_classifier.training.devices import precision
import tensorflow as tf
for given in ("False", "True"):
    print(given, flush=True)
    precision.make_deterministic(small.settings(deterministic=given))
    tf.raw_ops.RandomUniform(shape=[2], dtype=tf.float32)
"""
    command = [sys.executable, "-W", "ignore", "-c", program]
    environment = {**os.environ, "PYTHONPATH": f"{PROGRAM}:{Path(__file__).parents[4]}"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["False", "True"], done.stderr
    assert "random ops must have a seed" in done.stderr

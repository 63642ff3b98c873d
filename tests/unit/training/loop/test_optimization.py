"""What one step does to the weights, against steps computed by hand."""

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from image_classifier.training.loop.optimization import FusedAdam, Optimizers, build_optimizer
from tests.unit.training import optimizing, small
from tests.unit.training.optimizing import BACKBONE, HEAD, OVERFLOW, RANDOM

SUMMED = np.array(RANDOM).sum(axis=1)
"""The gradients of the four steps, over both images."""


def run(gradients: Any = RANDOM, precision: str = "off", **given: Any) -> optimizing.Part:
    """Take steps on one device, at a learning rate of 0.1."""
    return optimizing.run(tf.distribute.get_strategy(), precision, gradients, learning_rate=0.1, **given)


def sgd(start: tuple[float, ...], gradients: Any, rate: float, momentum: float) -> Any:
    """Return the weights after steps of Sutskever's momentum."""
    weights, velocity = np.array(start), np.zeros(len(start))
    for gradient in gradients:
        velocity = momentum * velocity - rate * gradient
        weights = weights + velocity
    return weights


def adam(start: tuple[float, ...], gradients: Any, rate: float) -> Any:
    """Return the weights after steps of Kingma and Ba's algorithm 1, with epsilon where TensorFlow has it."""
    weights, first, second = np.array(start), np.zeros(len(start)), np.zeros(len(start))
    for step, gradient in enumerate(gradients, start=1):
        first = 0.9 * first + 0.1 * gradient
        second = 0.999 * second + 0.001 * gradient**2
        corrected = rate * np.sqrt(1 - 0.999**step) / (1 - 0.9**step)
        weights = weights - corrected * first / (np.sqrt(second) + 1e-7)
    return weights


def test_optimizers_take_their_own_hyperparameters() -> None:
    """Values other than the defaults -> found in the optimizer that uses them; nesterov sets Nesterov momentum."""
    given: dict[str, Any] = {
        "learning_rate": 0.011,
        "beta_1": 0.81,
        "beta_2": 0.82,
        "epsilon": 0.0013,
        "momentum": 0.71,
        "rho": 0.91,
        "initial_accumulator_value": 0.07,
    }
    expected: dict[str, dict[str, Any]] = {
        "adam": {"beta_1": 0.81, "beta_2": 0.82, "epsilon": 0.0013, "amsgrad": False},
        "sgd": {"momentum": 0.71, "nesterov": False},
        "nesterov": {"momentum": 0.71, "nesterov": True},
        "rmsprop": {"rho": 0.91, "momentum": 0.71, "epsilon": 0.0013, "centered": False},
        "adagrad": {"initial_accumulator_value": 0.07, "epsilon": 0.0013},
        "adadelta": {"rho": 0.91, "epsilon": 0.0013},
    }
    for name, wanted in expected.items():
        config = build_optimizer(small.settings(optimizer=name, **given)).get_config()
        assert {key: config[key] for key in wanted} == wanted, name
        assert config["learning_rate"] == pytest.approx(0.011)


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_sgd_steps_by_hand(momentum: float) -> None:
    """Four steps of SGD with and without momentum -> the weights computed by hand, the backbone's at a tenth."""
    part = run(optimizer="sgd", momentum=momentum, factor=0.1)
    np.testing.assert_allclose(part.head[-1], sgd(HEAD, SUMMED[:, :2], 0.1, momentum), rtol=1e-5)
    np.testing.assert_allclose(part.backbone[-1], sgd(BACKBONE, SUMMED[:, 2:], 0.01, momentum), rtol=1e-5)


def test_adam_steps_by_hand_with_a_backbone_that_starts_later() -> None:
    """Two steps of the head, then two of both -> as computed by hand, the backbone's counted from its first step."""
    part = run(optimizer="adam", frozen=2)
    np.testing.assert_allclose(part.head[-1], adam(HEAD, SUMMED[:, :2], 0.1), rtol=1e-4)
    assert part.backbone[:2] == [list(BACKBONE)] * 2
    np.testing.assert_allclose(part.backbone[-1], adam(BACKBONE, SUMMED[2:, 2:], 0.1), rtol=1e-4)


def test_fused_adam_is_keras_adam() -> None:
    """Twenty steps of random gradients on a matrix -> the weights and both moments of tf_keras's own Adam."""
    import tf_keras

    draws = np.random.default_rng(5).normal(size=(20, 7, 3)).astype(np.float32)
    left = []
    for kind in (FusedAdam, tf_keras.optimizers.Adam):
        variable, optimizer = tf.Variable(draws[0]), kind(0.01, beta_1=0.8, beta_2=0.95, epsilon=1e-3)
        for gradient in draws:
            optimizer.apply_gradients([(tf.constant(gradient), variable)])
        left.append([variable.numpy(), *(slot.numpy() for slot in optimizer.variables[-2:])])
    for ours, theirs in zip(*left, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=2e-5, atol=1e-7)


def test_norm_is_limited_over_head_and_backbone_together() -> None:
    """Gradients 3 and 4 in two parts, limit 1 -> 0.6 and 0.8; limit 6, or 0 for no limit -> unchanged."""
    gradients = [[[3.0, 0, 0, 4.0, 0]]]
    for limit, expected in ((1, (0.6, 0.8)), (6, (3, 4)), (0, (3, 4))):
        part = run(gradients, optimizer="sgd", momentum=0, gradient_clip_norm=limit)
        moved = [HEAD[0] - part.head[0][0], BACKBONE[1] - part.backbone[0][1]]
        np.testing.assert_allclose(moved, [0.1 * value for value in expected], rtol=1e-5)


def test_rate_set_before_a_step_is_the_rate_of_that_step() -> None:
    """Rates 0.5, 0.25 and 0.25, the backbone at half -> weights move by the rate of each step times the gradient."""
    head, backbone = tf.Variable([1.0]), tf.Variable([1.0])
    values = small.settings(optimizer="sgd", momentum=0, backbone_learning_rate_factor=0.5)
    optimizers = Optimizers(values, [head], [backbone], "off")
    seen = []
    for rate in (0.5, 0.25, 0.25):
        optimizers.set_rate(rate)
        optimizers.apply([tf.constant([1.0])], [tf.constant([1.0])])
        seen.append((float(head[0]), float(backbone[0])))
    assert seen == [(0.5, 0.75), (0.25, 0.625), (0.0, 0.5)]


def test_variable_without_a_gradient_is_unchanged() -> None:
    """No gradient for the second of two variables -> it is unchanged, the first is updated."""
    first, second, third = (tf.Variable([1.0]) for _ in range(3))
    optimizers = Optimizers(small.settings(optimizer="sgd", momentum=0), [first, second], [third], "off")
    optimizers.set_rate(1.0)
    optimizers.apply([tf.constant([0.25]), None], [tf.constant([0.5])])
    assert [float(variable[0]) for variable in (first, second, third)] == [0.75, 1.0, 0.5]


def test_a_head_alone_has_one_optimizer() -> None:
    """No backbone variables -> the slots of the head alone, and a step without gradients of a backbone."""
    head = tf.Variable([1.0])
    optimizers = Optimizers(small.settings(optimizer="adam"), [head], [], "off")
    assert len(optimizers.variables) == 3
    optimizers.apply([tf.constant([1.0])])
    assert float(head[0]) == pytest.approx(0.999)


def test_variables_are_the_whole_state() -> None:
    """Weights and `variables` restored before the third step -> the same further steps, to the bit."""
    whole = run(OVERFLOW, "float16", optimizer="adam", gradient_clip_norm=1)
    head, backbone = tf.Variable(whole.head[1]), tf.Variable(whole.backbone[1])
    values = small.settings(optimizer="adam", gradient_clip_norm=1, learning_rate=0.1)
    optimizers = Optimizers(values, [head], [backbone], "float16")
    for variable, kept in zip(optimizers.variables, whole.variables[1], strict=True):
        variable.assign(kept)

    def apply(gradient: Any) -> None:
        optimizers.apply([optimizers.scaled(gradient[:2])], [optimizers.scaled(gradient[2:])])

    step = tf.function(apply)
    for gradient in OVERFLOW[2:]:
        step(tf.constant(np.sum(np.array(gradient, np.float32), axis=0)))
    assert (head.numpy().tolist(), backbone.numpy().tolist()) == (whole.head[-1], whole.backbone[-1])


def test_float16_scales_the_loss_and_not_the_step() -> None:
    """Finite gradients with float16 -> the loss is scaled by 2^15, and the weights change as without scaling."""
    scaled, plain = (run(precision=precision, optimizer="adam") for precision in ("float16", "off"))
    assert scaled.scale == [2**15] * 4
    assert plain.scale == [1] * 4
    np.testing.assert_allclose(scaled.head, plain.head, rtol=1e-6)
    np.testing.assert_allclose(scaled.backbone, plain.backbone, rtol=1e-6)


@pytest.mark.parametrize("limit", [0, 0.5])
def test_float16_skips_a_step_that_is_not_finite(limit: float) -> None:
    """The second of four gradients is infinite -> that step changes only the scale, the others are unaffected."""
    with_it = run(OVERFLOW, "float16", optimizer="adam", gradient_clip_norm=limit)
    without = run([*OVERFLOW[:1], *OVERFLOW[2:]], "float16", optimizer="adam", gradient_clip_norm=limit)
    assert with_it.scale == [2**15, 2**14, 2**14, 2**14]
    assert with_it.head[0] == with_it.head[1]
    assert with_it.backbone[0] == with_it.backbone[1]
    np.testing.assert_allclose(with_it.head[-1], without.head[-1], rtol=1e-6)
    np.testing.assert_allclose(with_it.backbone[-1], without.backbone[-1], rtol=1e-6)


def test_scale_doubles_after_two_thousand_finite_steps() -> None:
    """After 1,999 finite steps -> one more doubles the scale and resets the count; it never falls below 1."""
    head = tf.Variable([1.0])
    optimizers = Optimizers(small.settings(), [head], [], "float16")
    scale, good_steps = optimizers.variables[-2:]
    good_steps.assign(1999)
    optimizers.apply([tf.constant([1.0])])
    assert (float(scale), int(good_steps)) == (2**16, 0)
    scale.assign(1.0)
    optimizers.apply([tf.constant([float("nan")])])
    assert (float(scale), int(good_steps)) == (1, 0)

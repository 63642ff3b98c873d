"""Each update rule against the Keras optimizer that the job uses."""

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from image_classifier.training.loop import optimization
from image_classifier.training.recipes import update_rules
from tests.unit.training import small

CASES: dict[str, dict[str, Any]] = {
    **{name: {"optimizer": name} for name in ("adam", "sgd", "nesterov", "rmsprop", "adagrad")},
    # With its usual epsilon the first steps would be too short to see a difference.
    "adadelta": {"optimizer": "adadelta", "epsilon": 0.01},
    "rmsprop without momentum": {"optimizer": "rmsprop", "momentum": 0},
    "sgd without momentum": {"optimizer": "sgd", "momentum": 0},
    "adam with other constants": {"optimizer": "adam", "beta_1": 0.5, "beta_2": 0.7, "epsilon": 0.01},
}


@pytest.mark.parametrize("given", CASES.values(), ids=CASES.keys())
def test_rule_is_that_of_the_optimizer(given: dict[str, Any]) -> None:
    """Given six gradients and a learning rate that changes -> the weights of the Keras optimizer after each step."""
    values = small.settings(**given)
    random = np.random.default_rng(0)
    weights = random.normal(size=(4, 3)).astype(np.float32)
    variable, optimizer = tf.Variable(weights), optimization.build_optimizer(values)
    optimizer.build([variable])
    rule, start = update_rules.build(values, weights), weights.copy()
    for rate in (0.1, 0.1, 0.05, 0.05, 0.2, 0.2):
        gradient = random.normal(size=(4, 3)).astype(np.float32)
        optimizer.learning_rate = rate
        optimizer.apply_gradients([(tf.constant(gradient), variable)])
        rule.update(weights, gradient, rate)
        np.testing.assert_allclose(weights, variable.numpy(), atol=1e-6, rtol=1e-5)
    assert np.abs(weights - start).max() > 1e-3

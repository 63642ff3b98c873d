"""Which settings a network can be tuned with."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from image_classifier.training.recipes import settings
from image_classifier.training.recipes.settings import LAST_THIRD, SCALES, WHOLE, Mode


def network(*trainable: tuple[int, ...], statistics: int = 0) -> Any:
    """Return what settings look at in a network: trainable variables of some shapes, and moving statistics."""
    import tensorflow as tf

    variables = [tf.Variable(tf.zeros(shape)) for shape in trainable]
    layer = SimpleNamespace(non_trainable_variables=[tf.Variable(tf.zeros(3)) for _ in range(statistics)])
    layer.non_trainable_variables.append(tf.Variable(0, trainable=False))
    return SimpleNamespace(backbone=SimpleNamespace(hub_layer=layer, trainable_variables=variables))


BLOCK = ((3, 3), (3,))


@pytest.mark.parametrize(
    ("shapes", "statistics", "modes"),
    [
        (BLOCK * 3, 6, {Mode(WHOLE, True), Mode(WHOLE, False), Mode(LAST_THIRD, False), Mode(SCALES, False)}),
        (BLOCK * 3, 0, {Mode(WHOLE, False), Mode(LAST_THIRD, False), Mode(SCALES, False)}),
        (((3, 3),) * 3, 0, {Mode(WHOLE, False), Mode(LAST_THIRD, False)}),
        (((3, 3),), 0, {Mode(WHOLE, False)}),
        (((3,),) * 2, 0, {Mode(WHOLE, False)}),
        ((), 2, set()),
    ],
)
def test_settings_without_an_effect_are_not_offered(shapes: Any, statistics: int, modes: set[Mode]) -> None:
    """Given a network with or without BatchNorm, biases or enough layers -> each mode that differs, once per rate."""
    found = settings.candidates(network(*shapes, statistics=statistics))
    assert {one.mode for one in found} == modes
    assert len(set(found)) == len(found)


def test_parts_are_the_last_variables_and_those_of_rank_1() -> None:
    """Given six variables in the order of the forward pass -> the last two; and the second, fourth and sixth."""
    given = network(*BLOCK * 3)
    variables = given.backbone.trainable_variables

    def indices(part: str) -> list[int]:
        tuned = settings.tuned_part(given, Mode(part, False)).variables
        return [index for index, one in enumerate(variables) if any(one is other for other in tuned)]

    assert (indices(WHOLE), indices(LAST_THIRD), indices(SCALES)) == ([0, 1, 2, 3, 4, 5], [4, 5], [1, 3, 5])


def test_brier_score_of_several_classes_and_of_one_output() -> None:
    """Given certain, wrong and undecided predictions -> 0, 2 and 1 - 1/K, averaged; a single output counts as two."""
    from image_classifier.training.recipes.short_runs import brier

    several = np.array([[1, 0, 0, 0], [1, 0, 0, 0], [0.25] * 4], np.float32)
    assert brier(several, np.array([0, 1, 2])) == pytest.approx((0 + 2 + 0.75) / 3)
    assert brier(np.array([[1.0], [1.0], [0.5]], np.float32), np.array([1, 0, 1])) == pytest.approx((0 + 2 + 0.5) / 3)

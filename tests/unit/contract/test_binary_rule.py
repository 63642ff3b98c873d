"""Binary mode at a probability of exactly 0.5: everything that predicts a class from one output agrees."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from image_classifier.cli.predictions.answers import Answer
from image_classifier.cli.predictions.image_files import ImageFile
from image_classifier.contract import binary_rule
from image_classifier.heads import linear_head
from image_classifier.inference.openvino_model import agreement
from image_classifier.inference.prediction import Prediction
from image_classifier.monitoring import responses

NAMES = ("zebra", "ant")
"""Not in the order of the alphabet, in which a tie must not be decided."""
BELOW = float(np.nextafter(np.float32(0.5), np.float32(0)))
ABOVE = float(np.nextafter(np.float32(0.5), np.float32(1)))


def served(probability: float) -> int:
    """Return the class of the server's `predicted_label`."""
    return Prediction(NAMES, np.array([probability], np.float32)).predicted_index


def listed_first(probability: float) -> int:
    """Return the class that the server lists first, as predictions.csv does."""
    return NAMES.index(Prediction(NAMES, np.array([probability], np.float32)).most_probable(1).labels[0])


def reported(probability: float) -> int:
    """Return the class by which a report, a verification and a precision gate judge."""
    return int(agreement.two_columns(np.array([[probability]], np.float32)).argmax(axis=1)[0])


def chosen(probability: float) -> int:
    """Return the class by which a recipe judges."""
    return int(linear_head.predicted(np.array([[probability]], np.float32))[0])


def monitored(probability: float) -> int:
    """Return the class that a captured response is counted as."""
    (found,) = responses.answers(b'{"probabilities": [%a]}' % probability, NAMES)
    return found.predicted


def printed(probability: float) -> int:
    """Return the class that scripts/predict prints and scores."""
    raw = {"probabilities": [probability], "labels": list(NAMES)}
    return NAMES.index(Answer.of(ImageFile(Path("a.jpg")), raw).ranked[0][1])


@pytest.mark.parametrize(("probability", "expected"), [(BELOW, 0), (0.5, 1), (ABOVE, 1)])
@pytest.mark.parametrize("decide", [served, listed_first, reported, chosen, monitored, printed])
def test_every_decision_is_the_same(decide: Callable[[float], int], probability: float, expected: int) -> None:
    """Given the float32 before 0.5, 0.5 and the one after it -> class 0, 1, 1."""
    assert decide(probability) == expected
    assert binary_rule.is_class_1(probability) == bool(expected)


def test_keras_gets_the_largest_float32_below() -> None:
    """Keras counts what is above its threshold -> the float32 in front of 0.5."""
    assert binary_rule.LARGEST_BELOW == BELOW

"""The judgement of a LiteRT file by its predictions: what is accepted, what is not, and what stays open."""

import numpy as np
import pytest
from numpy.typing import NDArray

from image_classifier.inference.litert_model import judgement
from image_classifier.inference.litert_model.exchange import FLOAT16, FLOAT32, INT8, INT8_WEIGHTS
from image_classifier.inference.openvino_model import precision_gate

MANY = precision_gate.LEAST_IMAGES


def table(classes: NDArray[np.int64], sure: float = 0.9) -> NDArray[np.float32]:
    """Return probabilities (n, 3) whose largest is that of the given class."""
    found = np.full((len(classes), 3), (1 - sure) / 2, np.float32)
    found[np.arange(len(classes)), classes] = sure
    return found


@pytest.fixture
def labels() -> NDArray[np.int64]:
    """As many labels as a judgement takes."""
    return np.arange(MANY, dtype=np.int64) % 3


def flipped(classes: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """Return the classes, the first `count` of them changed."""
    return np.where(np.arange(len(classes)) < count, (classes + 1) % 3, classes)


def test_rounding_in_float32_is_accepted(labels: NDArray[np.int64]) -> None:
    """Given probabilities that differ by rounding, of few images -> no objection, and nothing undecided."""
    judged = judgement.judge(FLOAT32, table(labels[:5]), table(labels[:5]) + np.float32(1e-5), None, synthetic=True)
    assert (judged.objection, judged.undecided, judged.flips, judged.gate) == (None, False, 0, None)
    assert judged.largest_difference == pytest.approx(1e-5, rel=0.01)


def test_other_network_in_float32_is_an_objection(labels: NDArray[np.int64]) -> None:
    """Given probabilities further apart than rounding -> the objection names the difference."""
    judged = judgement.judge(FLOAT32, table(labels), table(labels, sure=0.8), None, synthetic=True)
    assert judged.objection == "its probabilities differ by up to 0.1000"


@pytest.mark.parametrize("precision", [FLOAT16, INT8_WEIGHTS, INT8])
@pytest.mark.parametrize(("flips", "accepted"), [(4, True), (5, False)])
def test_flips_of_a_lower_precision_are_limited(
    labels: NDArray[np.int64], precision: str, flips: int, accepted: bool
) -> None:
    """Given 200 images without labels -> four other predictions, 2 %, are accepted, five are not."""
    judged = judgement.judge(precision, table(labels), table(flipped(labels, flips)), None, synthetic=False)
    assert judged.flips == flips
    assert (judged.objection is None) == accepted
    assert accepted or judged.objection == "2.50 % of the predictions differ, more than 2 %"


def test_labels_bring_the_accuracy(labels: NDArray[np.int64]) -> None:
    """Given labels, and two right predictions that became wrong -> the drop in accuracy alone is the objection."""
    judged = judgement.judge(INT8, table(labels), table(flipped(labels, 2)), labels, synthetic=False)
    assert judged.gate is not None
    assert (judged.gate.accuracy_f32, judged.gate.accuracy) == (1.0, 0.99)
    assert judged.objection is not None
    assert judged.objection.startswith("accuracy falls from 1.0000 to 0.9900, by more than 0.005")


@pytest.mark.parametrize(("images", "synthetic"), [(MANY - 1, False), (MANY, True)])
def test_few_or_synthetic_images_cannot_tell(labels: NDArray[np.int64], images: int, synthetic: bool) -> None:
    """Given every prediction changed on too few or synthetic images -> no objection, but undecided."""
    expected, found = table(labels[:images]), table(flipped(labels, MANY)[:images])
    judged = judgement.judge(INT8, expected, found, None, synthetic)
    assert (judged.objection, judged.undecided, judged.flips) == (None, True, images)


@pytest.mark.parametrize("precision", [FLOAT32, INT8])
def test_numbers_that_are_not_finite_are_an_objection(labels: NDArray[np.int64], precision: str) -> None:
    """Given NaN of few images -> an objection in any precision."""
    found = table(labels[:5])
    found[0, 0] = np.nan
    judged = judgement.judge(precision, table(labels[:5]), found, None, synthetic=False)
    assert judged.objection == "it returns numbers that are not finite (NaN or infinity)"


def test_folders_that_are_classes_are_labels() -> None:
    """Given folders named after classes, one in Unicode's decomposed form -> their indices; another folder -> None."""
    classes = ("b", "caf\u00e9", "a")
    found = judgement.labels_of(["a", "b", "caf\u00e9"], [classes[0], "cafe\u0301", classes[2]])
    assert found is not None
    assert found.tolist() == [2, 0, 1]
    assert judgement.labels_of(["a", "photos"], classes) is None

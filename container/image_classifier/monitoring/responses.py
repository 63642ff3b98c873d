"""The predictions of a captured response, in every format that the server offers."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from image_classifier.contract import binary_rule
from image_classifier.evaluation.drift.profile import UNKNOWN
from image_classifier.monitoring import captured_json


@dataclass(frozen=True)
class Answer:
    """What the server said of one image."""

    predicted: int = UNKNOWN
    """Class index."""
    confidence: float = math.nan
    """Probability of that class."""
    embedding: NDArray[np.float32] | None = field(default=None, repr=False)
    """(D,) if it was asked for."""


NO_ANSWER = Answer()


def answers(body: bytes, class_names: Sequence[str]) -> list[Answer]:
    """Return the answers in a body; an image that the server rejected has `NO_ANSWER`.

    Raises:
        ValueError: It is not JSON of such a form.
    """
    try:
        found = captured_json.parse(body)
        entries = _entries(found)
    except ValueError:
        entries = [captured_json.parse(line) for line in body.splitlines() if line.strip()]
    return [_answer(entry, class_names) for entry in entries]


def _entries(found: Any) -> list[Any]:
    if isinstance(found, dict):
        for key in ("predictions", "outputs"):
            if isinstance(found.get(key), list):
                return list(found[key])
    return [found]


def _answer(entry: Any, class_names: Sequence[str]) -> Answer:
    # The plain format lists bare probabilities.
    fields = entry if isinstance(entry, dict) else {"probabilities": entry}
    probabilities = _numbers(fields.get("probabilities"))
    if probabilities is None:
        return NO_ANSWER
    embedding = _numbers(fields.get("embedding"))
    labels = fields.get("labels")
    if isinstance(labels, list):
        predicted, confidence = _named(fields.get("predicted_label"), labels, probabilities)
        index = class_names.index(predicted) if predicted in class_names else UNKNOWN
        return Answer(index, confidence if index != UNKNOWN else math.nan, embedding)
    index, confidence = _indexed(probabilities, len(class_names))
    return Answer(index, confidence, embedding)


def _named(predicted: Any, labels: list[Any], probabilities: NDArray[np.float32]) -> tuple[Any, float]:
    """Return label and probability of a verbose answer, whose labels may be a few, ordered by probability."""
    if predicted not in labels:
        return None, math.nan
    place = labels.index(predicted)
    if len(labels) == 2 and len(probabilities) == 1:
        # Binary: the one probability is that of the second class.
        return predicted, _of_second(probabilities, place)
    return predicted, float(probabilities[place]) if place < len(probabilities) else math.nan


def _indexed(probabilities: NDArray[np.float32], classes: int) -> tuple[int, float]:
    if classes == 2 and len(probabilities) == 1:
        index = int(binary_rule.is_class_1(float(probabilities[0])))
        return index, _of_second(probabilities, index)
    if len(probabilities) != classes:
        return UNKNOWN, math.nan
    index = int(probabilities.argmax())
    return index, float(probabilities[index])


def _of_second(probabilities: NDArray[np.float32], place: int) -> float:
    return float(probabilities[0] if place == 1 else 1 - probabilities[0])


def _numbers(found: Any) -> NDArray[np.float32] | None:
    """Return a list of finite numbers (n,), at least one; None for anything else."""
    if not isinstance(found, list) or not found:
        return None
    if not all(isinstance(one, int | float) and not isinstance(one, bool) for one in found):
        return None
    try:
        numbers = np.array(found, np.float32)
    except OverflowError:
        # An integer of more digits than any float has.
        return None
    return numbers if np.isfinite(numbers).all() else None

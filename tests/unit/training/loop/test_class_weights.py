"""How much an image of each class counts, on values."""

import json
import unicodedata

import numpy as np
import pytest

from image_classifier.contract.errors import UserError
from image_classifier.training.loop import class_weights
from tests.unit.training import small

NAMES = ("cat", "dog", "eel")


def weights(written: str, counts: tuple[int, ...] = (10, 20, 30)) -> list[float]:
    """Return the weights of the three classes."""
    found = class_weights.weights(small.settings(class_weights=written), NAMES, counts)
    assert found.dtype == np.float32
    return [float(weight) for weight in found]


def test_none_counts_every_image_alike() -> None:
    """The default -> 1 for every class, whatever their sizes."""
    assert weights("none") == [1, 1, 1]


def test_auto_gives_every_class_the_same_share() -> None:
    """Classes of 10, 20 and 30 -> 2, 1 and 2/3: a total of 20 for each class, and a mean of 1 over the images."""
    assert weights("auto") == pytest.approx([2, 1, 2 / 3])
    assert np.dot(weights("auto", (1, 5, 54)), (1, 5, 54)) == pytest.approx(60)


def test_named_classes_have_their_weight_and_others_one() -> None:
    """A JSON object of two of three classes -> their weights in the classes' order, and 1 for the third."""
    assert weights('{"eel": 4, "cat": 0.5}') == [0.5, 1, 4]


def test_unknown_classes_are_rejected() -> None:
    """Names of unknown classes -> rejected; the message lists them and the classes of the data."""
    with pytest.raises(UserError, match=r"channel lacks: Dog, bee\. Its classes are cat, dog, eel\.$"):
        weights('{"Dog": 2, "cat": 1, "bee": 3}')


def test_a_class_is_found_in_either_unicode_form() -> None:
    """A weight for a decomposed name, as macOS types it -> that of the class, which is composed."""
    composed, decomposed = (unicodedata.normalize(form, "café") for form in ("NFC", "NFD"))
    values = small.settings(class_weights=json.dumps({decomposed: 2}))
    found = class_weights.weights(values, (composed, "tea"), (1, 1))
    assert found.tolist() == [2, 1]

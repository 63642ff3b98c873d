"""How much an image of each class counts in the loss."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from image_classifier.contract import value_forms
from image_classifier.contract.errors import UserError
from image_classifier.contract.hyperparameters import Hyperparameters
from image_classifier.contract.names import normalised


def weights(values: Hyperparameters, class_names: Sequence[str], counts: Sequence[int]) -> NDArray[np.float32]:
    """Return a weight for each class, float32 (K,), from the number of its training images `counts`, each above 0.

    `auto` gives class c with n_c of n images n / (K n_c), so all classes count the same in all and the mean over the
    images is 1: King, Zeng, Logistic regression in rare events data (2001), scikit-learn's "balanced".

    Raises:
        UserError: A class that was given a weight is not in the data.
    """
    given = value_forms.class_weights(values.class_weights)
    if given == "none":
        return np.ones(len(class_names), np.float32)
    if given == "auto":
        return np.array([sum(counts) / (len(counts) * count) for count in counts], np.float32)
    assert not isinstance(given, str)
    given = {normalised(name): weight for name, weight in given.items()}
    if unknown := [name for name in given if name not in class_names]:
        raise UserError(
            f"class_weights names {', '.join(unknown)}, which is no class of the training data; allowed: "
            f"{', '.join(class_names)}."
        )
    return np.array([given.get(name, 1.0) for name in class_names], np.float32)

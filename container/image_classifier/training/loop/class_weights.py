"""Class weights: how much an image of each class counts in the loss."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from image_classifier.class_folders.problems import raise_all
from image_classifier.contract import value_forms
from image_classifier.contract.hyperparameters import Hyperparameters
from image_classifier.training.data import preflight


def weights(values: Hyperparameters, class_names: Sequence[str], counts: Sequence[int]) -> NDArray[np.float32]:
    """Return the weight of each class, float32 (K,), from its number of training images in `counts`, each above 0.

    `auto` gives class c with n_c of n images n / (K n_c), so that all classes have the same total weight and the mean
    over the images is 1: King, Zeng, Logistic regression in rare events data (2001), scikit-learn's "balanced".

    Raises:
        UserError: A weight is given for a class that is not in the data.
    """
    given = value_forms.class_weights(values.class_weights)
    if given == "none":
        return np.ones(len(class_names), np.float32)
    if given == "auto":
        return np.array([sum(counts) / (len(counts) * count) for count in counts], np.float32)
    assert not isinstance(given, str)
    raise_all(preflight.problems_of_values(class_names, values))
    return np.array([given.get(name, 1.0) for name in class_names], np.float32)

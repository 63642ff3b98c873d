"""Binary mode: which class the one output, the probability of class 1, predicts.

Training's metrics, recipes, reports, serving and the commands all decide by this rule.
"""

from typing import TYPE_CHECKING, overload

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

THRESHOLD = 0.5
"""Class 1 is predicted from this probability on, class 0 below it."""
LARGEST_BELOW = THRESHOLD - 2.0**-25
"""The largest float32 below `THRESHOLD`, for Keras, whose metrics count the probabilities above a threshold."""


@overload
def is_class_1(probability: float) -> bool: ...
@overload
def is_class_1(probability: "NDArray[np.float32]") -> "NDArray[np.bool_]": ...
def is_class_1(probability: "float | NDArray[np.float32]") -> "bool | NDArray[np.bool_]":
    """Return whether class 1 is predicted, for its probability in [0, 1] or an array of them."""
    return probability >= THRESHOLD

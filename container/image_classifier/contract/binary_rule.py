"""Binary mode: which class the one output, the probability of class 1, predicts.

Training's metrics, recipes, reports, serving and the commands all decide by this rule.
"""

THRESHOLD = 0.5
"""Class 1 is predicted from this probability on, class 0 below it."""
LARGEST_BELOW = THRESHOLD - 2.0**-25
"""The largest float32 below `THRESHOLD`, for Keras, whose metrics count the probabilities above a threshold."""


def is_class_1(probability: float) -> bool:
    """Return whether class 1 is predicted, for its probability in [0, 1]."""
    return probability >= THRESHOLD

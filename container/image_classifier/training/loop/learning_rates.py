"""Learning-rate schedules with warm-up."""

import math

from image_classifier.contract.hyperparameters import Hyperparameters


def rate(values: Hyperparameters, step: int, steps: int) -> float:
    """Return the learning rate of a step, counted from 0, of the `steps` of the whole job.

    In the w warm-up steps (`warmup_fraction` of all, rounded) the rate of step s is (s + 1) / (w + 1) of
    `learning_rate`, so that no rate is 0 and the first step after them has the full rate. Step s of the d steps after
    the warm-up has `learning_rate` times 1 (constant), (1 + cos(πs/d)) / 2 (cosine; Loshchilov, Hutter, SGDR, 2017,
    equation 5 without restarts) or 1 - s/d (linear): both would reach 0 at step d.
    """
    warmup = min(steps, round(values.warmup_fraction * steps))
    if step < warmup:
        return values.learning_rate * (step + 1) / (warmup + 1)
    progress = (step - warmup) / (steps - warmup)
    match values.learning_rate_schedule:
        case "constant":
            return values.learning_rate
        case "cosine":
            return values.learning_rate * (1 + math.cos(math.pi * progress)) / 2
        case "linear":
            return values.learning_rate * (1 - progress)
        case other:
            raise AssertionError(f"unimplemented schedule {other}")

"""calibration=temperature: the temperature of the validation images, folded into the head before it is exported."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from image_classifier.contract import binary_rule
from image_classifier.evaluation import calibration
from image_classifier.evaluation.evidence import VALIDATION
from image_classifier.inference.openvino_model import agreement
from image_classifier.training.export import evidence
from image_classifier.training.progress import log

if TYPE_CHECKING:
    from image_classifier.training.trained import Trained

OFF = "off"


@dataclass(frozen=True)
class CalibratedHead:
    """A classifier whose head was divided by a temperature."""

    trained: "Trained"
    record: dict[str, Any]
    """For the model info; empty with calibration=off."""


def calibrate(trained: "Trained", method: str) -> CalibratedHead:
    """Divide kernel and bias of the head, in place, by the temperature, and return it with calibrated predictions.

    Dividing the weights divides the logits, so that every graph that is made of the head agrees. `method` is the
    hyperparameter `calibration`; with "off", and below `calibration.LEAST_IMAGES` validation images, nothing changes.
    """
    if method == OFF:
        return CalibratedHead(trained, {})
    count = len(trained.validation.examples)
    if count < calibration.LEAST_IMAGES:
        reason = f"{count} validation images are fewer than the {calibration.LEAST_IMAGES} that it takes"
        log(f"Calibration: no, {reason}.")
        return CalibratedHead(trained, {"left_out": reason})
    found = calibration.measure(evidence.split(VALIDATION, trained.validation, trained.probabilities, None))
    temperature = found.temperature
    assert temperature is not None
    dense = trained.head.get_layer("classes")
    kernel, bias = (weights / np.float32(temperature) for weights in dense.get_weights())
    dense.set_weights([kernel, bias])
    record = {
        "method": method,
        "temperature": temperature,
        "images": count,
        "ece_before": found.ece,
        "ece_after": found.ece_after,
    }
    log(
        f"Calibration: temperature {temperature:.4f} on {count:,} validation images; expected calibration error "
        f"{found.ece:.4f} before, {found.ece_after:.4f} after, cross-fitted"
    )
    return CalibratedHead(_with_temperature(trained, temperature, [kernel, bias]), record)


def _with_temperature(trained: "Trained", temperature: float, head: list[NDArray[np.float32]]) -> "Trained":
    probabilities = scaled(trained.probabilities, temperature)
    test = trained.test
    return replace(
        trained,
        weights=[*head, *trained.weights[len(head) :]],
        probabilities=probabilities,
        expected=scaled(trained.expected, temperature) if trained.is_refitted else probabilities,
        test=replace(test, probabilities=scaled(test.probabilities, temperature)) if test else None,
        temperature=temperature,
    )


def scaled(probabilities: NDArray[np.float32], temperature: float) -> NDArray[np.float32]:
    """Return probabilities after division of their logits, (n, K), or (n, 1) in binary mode."""
    found = calibration.apply_temperature(agreement.two_columns(probabilities), temperature)
    if probabilities.shape[1] > 1:
        return found
    # The logit of the threshold is 0, which stays 0; rounding here would make it another class than the head serves.
    return np.where(probabilities == binary_rule.THRESHOLD, probabilities, found[:, 1:])

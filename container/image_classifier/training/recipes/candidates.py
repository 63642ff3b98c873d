"""What stage 3 chooses between: a network with weights, its predictions for the validation images and its metrics."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from image_classifier.contract.hyperparameters import Hyperparameters
from image_classifier.training import fine_tuning
from image_classifier.training.data.batches import Rows
from image_classifier.training.loop import snapshots
from image_classifier.training.loop.scoring import Evaluator, Predictions
from image_classifier.training.model.classifier import Network
from image_classifier.training.recipes.inputs import Inputs
from image_classifier.training.recipes.linear_head import LinearHead


@dataclass(frozen=True)
class Candidate:
    """A trained network."""

    values: Hyperparameters
    """Those that were chosen for it."""
    network: Network
    evaluator: Evaluator
    weights: Sequence[NDArray[Any]]
    """Values of `Network.trained_variables`."""
    predictions: Predictions
    """For the validation images, in their order."""
    metrics: dict[str, float]
    """Of training and validation, under the names of an epoch."""

    @property
    def probabilities(self) -> NDArray[np.float32]:
        """Probabilities of the validation images, (n, K) or (n, 1) in binary mode."""
        return self.predictions.probabilities(self.values)


def of_head(inputs: Inputs, head: LinearHead) -> Candidate:
    """Return the candidate with the head on the frozen backbone."""
    values, cluster = inputs.head_values, inputs.session.cluster
    with cluster.strategy.scope():
        network = fine_tuning.build(inputs.backbone, values, len(inputs.class_names))
    evaluator = Evaluator(network, values, cluster)
    weights = [head.kernel, head.bias]
    snapshots.assign(network.trained_variables, weights)
    found = {name: predictions(head, part.rows) for name, part in _parts(inputs).items()}
    scores = {
        f"{prefix}{name}": value
        for prefix, part in _parts(inputs).items()
        for name, value in evaluator.score(found[prefix], part.rows.labels).items()
    }
    return Candidate(values, network, evaluator, weights, found["val_"], scores)


def predictions(head: LinearHead, rows: Rows) -> Predictions:
    """Return the predictions of a head for features."""
    features = np.asarray(rows.inputs)
    outputs = head.probabilities(features) if len(head.bias) == 1 else head.logits(features)
    return Predictions(outputs, np.arange(len(features)))


def _parts(inputs: Inputs) -> dict[str, Any]:
    return {"": inputs.training, "val_": inputs.validation}

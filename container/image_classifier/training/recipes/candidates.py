"""What stage 2 chooses between: a network with weights, its predictions for the validation images and its metrics."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from image_classifier.contract import metrics as metric_lines
from image_classifier.contract.hyperparameters import Hyperparameters
from image_classifier.heads.linear_head import LinearHead
from image_classifier.training import fine_tuning
from image_classifier.training.data.batches import Rows
from image_classifier.training.loop import snapshots
from image_classifier.training.loop.scoring import Evaluator, Predictions
from image_classifier.training.model.classifier import Network
from image_classifier.training.recipes import stage_store
from image_classifier.training.recipes.inputs import Inputs
from image_classifier.training.recipes.stage_store import Stage


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
    """Of training, for a tuned network in its last epoch, and of validation; under the names of an epoch."""
    trained_of_backbone: int = 0
    """How many weights of the backbone were trained."""

    @property
    def probabilities(self) -> NDArray[np.float32]:
        """Probabilities of the validation images, (n, K) or (n, 1) in binary mode."""
        return self.predictions.probabilities(self.values)


def of_head(inputs: Inputs, head: LinearHead) -> Candidate:
    """Return the candidate with the head on the frozen backbone. Collective."""
    values, cluster = inputs.head_values, inputs.session.cluster
    with cluster.strategy.scope():
        network = fine_tuning.build(inputs.backbone, values, len(inputs.class_names))
    evaluator = Evaluator(network, values, cluster)
    weights = [head.kernel, head.bias]
    snapshots.assign(network.trained_variables, weights)
    training, validation = inputs.training.rows, inputs.validation.rows
    # From the chief, since another kind of CPU rounds otherwise, and every host must come to the same choice.
    outputs = stage_store.from_chief(
        inputs.session,
        lambda: Stage(
            {},
            {
                "training": predictions(head, training).outputs,
                "validation": predictions(head, validation).outputs,
            },
        ),
    ).arrays
    of_training = evaluator.score(_all_rows(outputs["training"]), training.labels)
    found = _all_rows(outputs["validation"])
    of_validation = evaluator.score(found, validation.labels)
    metrics = {**of_training, **metric_lines.of_validation(of_validation)}
    return Candidate(values, network, evaluator, weights, found, metrics)


def predictions(head: LinearHead, rows: Rows) -> Predictions:
    """Return the predictions of a head for features."""
    features = np.asarray(rows.inputs)
    return _all_rows(head.probabilities(features) if len(head.bias) == 1 else head.logits(features))


def _all_rows(outputs: NDArray[np.float32]) -> Predictions:
    return Predictions(outputs, np.arange(len(outputs)))

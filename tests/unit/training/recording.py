"""What the tests of the recipes share: the plainest training, and a look at the weights after each of its epochs."""

from typing import Any

from numpy.typing import NDArray

from image_classifier.training.loop.fitting import Session
from image_classifier.training.loop.scoring import Evaluator

NAMES = ("cat", "dog", "eel")
PLAIN: dict[str, Any] = {
    "optimizer": "sgd",
    "momentum": 0,
    "learning_rate": 0.5,
    "dropout_rate": 0,
    "label_smoothing": 0,
    "regularizers_l2": 0,
}
OFF: dict[str, Any] = {
    "backbone_learning_rate_factor": 1,
    "class_weights": "none",
    "deterministic": False,
    "gradient_clip_norm": 0,
    "learning_rate_schedule": "constant",
    "mixed_precision": "off",
    "unfreeze_after": 0,
    "warmup_fraction": 0,
    "xla": "off",
}
Array = NDArray[Any]


class Recorder(Evaluator):
    """An evaluator that notes the weights at the end of each epoch, and what it answered then."""

    def __init__(self, network: Any, values: Any) -> None:
        super().__init__(network, values, Session().cluster)
        self._observed = network
        self.epochs = [self.weights()]
        self.predictions: list[NDArray[Any]] = []

    def weights(self) -> list[Array]:
        """Return the head's kernel and bias, then the backbone's variables."""
        return [variable.numpy() for variable in self._observed.trained_variables]

    def predict(self, *arguments: Any) -> Any:
        """Note the weights, and answer."""
        self.epochs.append(self.weights())
        predictions = super().predict(*arguments)
        self.predictions.append(predictions.outputs)
        return predictions

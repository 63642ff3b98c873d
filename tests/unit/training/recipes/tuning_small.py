"""A small network to tune on coloured images, as arrays."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from image_classifier.training.data.batches import Rows
from tests.unit.training import small

NAMES = ("amber", "blue", "cyan")
COLOURS = np.array([[200, 120, 40], [40, 60, 200], [40, 190, 200]])


def rows(count: int, seed: int) -> Rows:
    """Return noisy images (count, 32, 40, 3), the classes in turn."""
    labels = np.arange(count) % 3
    noise = np.random.default_rng(seed).normal(0, 60, (count, 32, 40, 3))
    return Rows(np.clip(COLOURS[labels][:, None, None] + noise, 0, 255).astype(np.uint8), labels)


def inputs(folder: Path, session: Any = None, seed: int = 0, training: int = 48, **given: Any) -> Any:
    """Return the inputs of stage 1: a head of small random weights on a backbone, and coloured images."""
    from image_classifier.heads.linear_head import LinearHead
    from image_classifier.training import fine_tuning
    from image_classifier.training.loop.fitting import Session
    from image_classifier.training.loop.scoring import Evaluator
    from image_classifier.training.model import backbone
    from image_classifier.training.recipes import tuning
    from image_classifier.training.recipes.tuning_inputs import Images, Stage0, TuningInputs

    session = session or Session()
    values = tuning.values_for(small.settings(**{"batch_size": 8, **given}))
    network = fine_tuning.build(backbone.load(folder, trainable=True, trust=False), values, len(NAMES))
    kernel = np.random.default_rng(seed).normal(0, 0.1, (12, 3)).astype(np.float32)
    head = LinearHead(kernel, np.zeros(3, np.float32))
    images = Images(rows(training, seed + 1), rows(30, seed + 2), NAMES)
    weights = [variable.numpy() for variable in network.trained_variables]
    network.head.set_weights([head.kernel, head.bias])
    outputs = Evaluator(network, values, session.cluster).predict(images.validation).outputs
    network.head.set_weights(weights[:2])
    return TuningInputs(network, Stage0(head, outputs, lambda some: head), values, images, session)


def weights(network: Any) -> list[NDArray[Any]]:
    """Return the values of the trained variables."""
    return [variable.numpy() for variable in network.trained_variables]

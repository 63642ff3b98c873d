"""What a recipe may change in the loop: which epoch is kept, and the context in which it is validated."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest

from image_classifier.training.data.batches import Rows
from tests.unit.training import small
from tests.unit.training.recording import NAMES, PLAIN, Recorder

ROWS = Rows(np.random.default_rng(1).normal(size=(12, 5)).astype(np.float32), np.arange(12) % 3)


class Planted(Recorder):
    """An evaluator that finds the second epoch best."""

    def score(self, *arguments: Any) -> dict[str, float]:
        """Return a planted accuracy."""
        return {**super().score(*arguments), "accuracy": 0.9 if len(self.predictions) == 2 else 0.5}


def fit(variant: Callable[[Any], Any]) -> tuple[Any, Planted]:
    """Train a head for three epochs with a variant for its network; return the history and the evaluator."""
    from image_classifier.training.loop import fitting
    from image_classifier.training.model import classifier
    from image_classifier.training.model.classifier import Network

    values = small.settings(**PLAIN, batch_size=4, epochs=3)
    network = Network(classifier.build_head(values, 5, 3))
    evaluator, session = Planted(network, values), fitting.Session()
    history = fitting.fit(network, values, ROWS, ROWS, NAMES, session, evaluator=evaluator, variant=variant(network))
    for one, other in zip(history.weights, evaluator.weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    return history, evaluator


@pytest.mark.parametrize(("keep_last", "kept"), [(False, 1), (True, 2)])
def test_which_epoch_is_kept(keep_last: bool, kept: int) -> None:
    """Given a second epoch that is the best of three -> its weights and predictions are kept, or the last ones."""
    from image_classifier.training.loop.fitting import Variant

    history, evaluator = fit(lambda network: Variant(keep_last=keep_last))
    assert history.best_epoch == kept
    np.testing.assert_array_equal(history.predictions.outputs, evaluator.predictions[kept])
    for one, other in zip(evaluator.epochs[kept + 1], history.weights, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.every
def test_weights_are_validated_and_kept_in_the_context_alone() -> None:
    """Given a context that doubles the bias -> predictions and kept weights have it, and the training does not."""
    from image_classifier.training.loop.fitting import Variant

    steps: list[int] = []

    def doubling(network: Any) -> Variant:
        bias = network.head.variables[1]

        @contextmanager
        def doubled(done: int) -> Iterator[None]:
            steps.append(done)
            before = bias.numpy()
            bias.assign(2 * before)
            yield
            bias.assign(before)

        return Variant(keep_last=True, evaluation=doubled)

    _, plain = fit(lambda network: Variant(keep_last=True))
    history, _ = fit(doubling)
    assert steps == [3, 6, 9]
    kernel, bias = plain.epochs[-1]
    np.testing.assert_array_equal(history.weights[0], kernel)
    np.testing.assert_array_equal(history.weights[1], 2 * bias)
    np.testing.assert_allclose(history.predictions.outputs, plain.predictions[-1] + bias, rtol=1e-5, atol=1e-6)

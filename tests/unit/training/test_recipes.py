"""Each recipe in a whole training: the weights that it leaves, against steps computed by hand or against plain ones."""

import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from image_classifier.training import backbone, batches, classifier, fine_tuning, loop, precision
from image_classifier.training.batches import Rows
from image_classifier.training.evaluation import Evaluator
from image_classifier.training.loop import Session
from image_classifier.training.stopping import Stop
from tests.unit.training import small

NAMES = ("cat", "dog", "eel")
COUNTS = (12, 5, 3)
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
    """An evaluator that notes the weights at the end of each epoch."""

    def __init__(self, network: Any, values: Any) -> None:
        super().__init__(network, values, Session().hosts)
        self._observed = network
        self.epochs = [self.weights()]

    def weights(self) -> list[Array]:
        """Return the head's kernel and bias, then the backbone's variables."""
        return [variable.numpy() for variable in self._observed.learned]

    def ask(self, *arguments: Any) -> Any:
        """Note the weights, and answer."""
        self.epochs.append(self.weights())
        return super().ask(*arguments)


def features() -> Rows:
    """Return feature vectors of classes of unequal sizes."""
    labels = np.repeat(np.arange(3), COUNTS)
    inputs = np.random.default_rng(2).normal(size=(20, 6)) + labels[:, None]
    return Rows(inputs.astype(np.float32), labels)


def train_head(rows: Rows | None = None, names: Sequence[str] = NAMES, **given: Any) -> list[list[Array]]:
    """Train a head on features and return its weights before, and after each epoch of five batches of four rows."""
    rows = rows or features()
    values = small.settings(**PLAIN | {"batch_size": 4, "epochs": 1, "train_only_top_layer": True} | given)
    network = classifier.Network(classifier.build_head(values, 6, len(names)))
    recorder = Recorder(network, values)
    loop.fit(network, values, rows, rows, names, Session(), evaluator=recorder)
    return recorder.epochs


def by_hand(
    start: list[Array], rates: Sequence[float], weights: Sequence[float] = (1, 1, 1), limit: float = math.inf
) -> list[Array]:
    """Return kernel and bias after an epoch of gradient descent on the class-weighted softmax cross-entropy."""
    rows, (kernel, bias) = features(), start
    for step, chosen in enumerate(np.split(batches.order(20, 123, 0), 5)):
        assert isinstance(rows.inputs, np.ndarray)
        inputs, labels = rows.inputs[chosen].astype(np.float64), rows.labels[chosen]
        odds = np.exp(inputs @ kernel + bias)
        error = odds / odds.sum(axis=1, keepdims=True) - np.eye(3)[labels]
        error *= np.array(weights)[labels][:, None] / len(chosen)
        gradients = [inputs.T @ error, error.sum(axis=0)]
        norm = math.sqrt(sum((gradient**2).sum() for gradient in gradients))
        shrink = min(1.0, limit / norm)
        kernel, bias = (one - rates[step] * shrink * by for one, by in zip((kernel, bias), gradients, strict=True))
    return [kernel, bias]


def fifths(*numbers: float) -> list[float]:
    """Return rates as parts of the job's, 0.5."""
    return [0.5 * number for number in numbers]


COSINES = [(1 + math.cos(math.pi * step / 5)) / 2 for step in range(5)]
ALL = fifths(1, 1, 1, 1, 1)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, {"rates": ALL}),
        (OFF, {"rates": ALL}),
        ({"learning_rate_schedule": "linear"}, {"rates": fifths(1, 0.8, 0.6, 0.4, 0.2)}),
        ({"learning_rate_schedule": "cosine"}, {"rates": fifths(*COSINES)}),
        (
            {"learning_rate_schedule": "linear", "warmup_fraction": 0.6},
            {"rates": fifths(0.25, 0.5, 0.75, 1, 0.5)},
        ),
        ({"class_weights": '{"eel": 3, "cat": 0.5}'}, {"rates": ALL, "weights": (0.5, 1, 3)}),
        ({"class_weights": "auto"}, {"rates": ALL, "weights": (20 / 36, 20 / 15, 20 / 9)}),
        ({"gradient_clip_norm": 0.2}, {"rates": ALL, "limit": 0.2}),
        ({"gradient_clip_norm": 100}, {"rates": ALL}),
        (
            {"class_weights": "auto", "gradient_clip_norm": 0.3, "warmup_fraction": 0.4},
            {"rates": fifths(1 / 3, 2 / 3, 1, 1, 1), "weights": (20 / 36, 20 / 15, 20 / 9), "limit": 0.3},
        ),
    ],
    ids=[
        "nothing given",
        "all off",
        "linear",
        "cosine",
        "warm-up",
        "weights",
        "auto weights",
        "clipped",
        "a limit that is not reached",
        "several",
    ],
)
def test_an_epoch_is_the_one_computed_by_hand(given: dict[str, Any], expected: dict[str, Any]) -> None:
    """A recipe, or all of them off, over five batches -> kernel and bias of the same five steps in NumPy."""
    start, end = train_head(**given)
    for ours, wanted in zip(end, by_hand(start, **expected), strict=True):
        np.testing.assert_allclose(ours, wanted, rtol=1e-4, atol=1e-5)


def test_recipes_that_are_off_change_no_bit() -> None:
    """Every recipe given as off, over three epochs -> the weights of training without a word of them, to the bit."""
    for one, other in zip(train_head(epochs=3, **OFF), train_head(epochs=3), strict=True):
        assert all(map(np.array_equal, one, other))


def test_schedule_goes_over_the_whole_job() -> None:
    """Two epochs of a linear fall, every row alike -> the second epoch moves the bias by what is left of the rate."""
    rows = Rows(np.zeros((20, 6), np.float32), np.zeros(20, np.int64))
    given: dict[str, Any] = {"learning_rate": 1e-4, "learning_rate_schedule": "linear", "epochs": 2}
    start, first, second = (epoch[1][0] for epoch in train_head(rows, **given))
    # Of a bias of about 0 the gradient is 1/3 - 1 throughout; ten steps have 1, 0.9, … 0.1 of the rate.
    assert first - start == pytest.approx(2 / 3 * 1e-4 * 4.0, rel=1e-2)
    assert second - first == pytest.approx(2 / 3 * 1e-4 * 1.5, rel=1e-2)


def test_class_weights_in_binary_mode() -> None:
    """Weights of two classes with a sigmoid -> the step of the loss weighted by hand, which is another than without."""
    rows = Rows(features().inputs, np.repeat([0, 1], [15, 5]))
    given: dict[str, Any] = {"binary_mode": True, "batch_size": 20, "class_weights": '{"dog": 3}'}
    start, end = train_head(rows, NAMES[:2], **given)
    assert isinstance(rows.inputs, np.ndarray)
    error = 1 / (1 + np.exp(-(rows.inputs @ start[0] + start[1]))) - rows.labels[:, None]
    error *= np.where(rows.labels == 1, 3, 1)[:, None] / 20
    np.testing.assert_allclose(start[0] - end[0], 0.5 * rows.inputs.T @ error, rtol=1e-4, atol=1e-6)
    assert not np.allclose(end[0], train_head(rows, NAMES[:2], binary_mode=True, batch_size=20)[1][0])


@pytest.fixture
def train_whole(backbone_folder: Path) -> Callable[..., list[list[Array]]]:
    """Return what trains a small network on noise, a batch an epoch, and returns the weights before and after each."""
    labels = np.arange(8) % 3
    random = np.random.default_rng(4)
    rows = Rows(random.integers(0, 256, (8, 32, 40, 3)).astype(np.uint8), labels)

    def train(kind: str = "off", **given: Any) -> list[list[Array]]:
        values = small.settings(**PLAIN | {"batch_size": 8, "epochs": 1, "learning_rate": 0.01} | given)
        loaded = backbone.load(backbone_folder, trainable=not values.train_only_top_layer, trust=False)
        network = fine_tuning.build(loaded, values, 3)
        recorder = Recorder(network, values)
        loop.fit(network, values, rows, rows, NAMES, Session(precision=kind), evaluator=recorder)
        return recorder.epochs

    return train


def moved(epochs: list[list[Array]]) -> list[Array]:
    """Return by how much the first epoch changed each variable: kernel, bias, then the backbone's."""
    return [after - before for before, after in zip(*epochs[:2], strict=True)]


STATISTICS = slice(-2, None)
"""Where BatchNorm's moving mean and variance stand among the variables of the small network."""


def test_backbone_rests_until_it_is_unfrozen(train_whole: Callable[..., Any]) -> None:
    """unfreeze_after=2 of three epochs -> not a bit of the backbone changes in two, all of it in the third.

    The head changes in each, in the first two as that of a frozen backbone does.
    """
    start, first, second, third = train_whole(epochs=3, unfreeze_after=2)
    assert len(start) == 2 + 8
    for frozen in (first, second):
        assert all(map(np.array_equal, start[2:], frozen[2:]))
    assert not any(map(np.array_equal, second[2:], third[2:]))
    for one, other in zip((start, first, second), (first, second, third), strict=True):
        assert not any(map(np.array_equal, one[:2], other[:2]))
    # With augmentation that changes nothing, since a frozen backbone would else be left out.
    still = {"augmentation_random_flip": "None", "augmentation_random_rotation": 0, "augmentation_random_zoom": 0}
    alone = train_whole(epochs=3, train_only_top_layer=True, augmentation=True, **still)
    for ours, wanted in zip(second[:2], alone[2], strict=True):
        np.testing.assert_allclose(ours, wanted, rtol=1e-5, atol=1e-6)


def test_backbone_learns_at_its_share_of_the_rate(train_whole: Callable[..., Any]) -> None:
    """Factors 1, 0.25 and 0 -> the backbone's steps are whole, a quarter and none; head and statistics are alike."""
    whole, quarter, none = (moved(train_whole(backbone_learning_rate_factor=factor)) for factor in (1, 0.25, 0))
    trainable = slice(2, -2)
    for one, other, nothing in zip(whole[trainable], quarter[trainable], none[trainable], strict=True):
        np.testing.assert_allclose(other, 0.25 * one, rtol=2e-2, atol=1e-6)
        assert not nothing.any()
    for part in (slice(2), STATISTICS):
        for one, other, nothing in zip(whole[part], quarter[part], none[part], strict=True):
            assert one.any()
            np.testing.assert_allclose(other, one, rtol=1e-4, atol=1e-6)
            np.testing.assert_allclose(nothing, one, rtol=1e-4, atol=1e-6)


def test_norm_of_the_whole_network_is_limited(train_whole: Callable[..., Any]) -> None:
    """A limit below the gradient's norm -> a step of exactly that length over head and backbone, in its direction."""
    plain, clipped = (
        np.hstack([np.ravel(one) for one in moved(train_whole(gradient_clip_norm=limit))[:-2]]) for limit in (0, 0.2)
    )
    assert np.linalg.norm(plain) / 0.01 > 0.5
    assert np.linalg.norm(clipped) / 0.01 == pytest.approx(0.2, rel=1e-3)
    assert plain @ clipped / np.linalg.norm(plain) / np.linalg.norm(clipped) == pytest.approx(1, abs=1e-3)


def test_recipes_off_leave_the_whole_network_alike(train_whole: Callable[..., Any]) -> None:
    """Every recipe given as off -> the weights of plain training of the whole network."""
    for one, other in zip(train_whole(**OFF)[-1], train_whole()[-1], strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-7)


def test_compiled_step_leaves_the_same_weights(train_whole: Callable[..., Any]) -> None:
    """xla=on with augmentation, clipping and a late backbone -> the weights without it, up to rounding."""
    given = {"epochs": 2, "unfreeze_after": 1, "augmentation": True, "gradient_clip_norm": 0.5}
    for one, other in zip(train_whole(xla="on", **given)[-1], train_whole(**given)[-1], strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-5)


@pytest.fixture
def no_rewriting() -> Iterator[None]:
    """Switch the rewriting of graphs off after the test."""
    yield
    precision.switch_on("off")


@pytest.mark.usefixtures("no_rewriting")
def test_bfloat16_learns_nearly_the_same(tmp_path: Path, backbone_folder: Path, read_data: Callable[..., Any]) -> None:
    """mixed_precision=bfloat16 on coloured pictures -> the loss falls, to about that of float32 and not to the bit."""
    data = read_data(small.write_pictures(tmp_path / "pictures"))
    epochs = []
    for kind in ("off", "bfloat16"):
        values = small.settings(batch_size=8, epochs=8, learning_rate=0.01, mixed_precision=kind)
        loaded = backbone.load(backbone_folder, trainable=True, trust=False)
        epochs.append(fine_tuning.train(data, loaded, values, Stop()).history.epochs)
    exact, rounded = ([epoch["loss"] for epoch in history] for history in epochs)
    assert rounded[-1] < 0.8 * rounded[0]
    assert rounded[-1] == pytest.approx(exact[-1], abs=0.1)
    assert 0 < abs(rounded[0] - exact[0]) < 0.05

"""recipe=auto with its fine-tuning, on a small backbone: chosen or not, stopped, resumed, and reported."""

import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from image_classifier.training.data.splits import DataSplits
from image_classifier.training.model import backbone
from image_classifier.training.recipes.settings import LAST_THIRD, SCALES, WHOLE
from image_classifier.training.stopping import SIGTERM, StopSignal
from tests.support import stripes
from tests.unit.training import small

Reader = Callable[..., DataSplits]


WEIGHTS = {"none": 0, SCALES: 3 * 8 + 12, LAST_THIRD: 9 * 8 * 12 + 12, WHOLE: 9 * 3 * 8 + 3 * 8 + 9 * 8 * 12 + 12}
"""Of the small backbone, by the part of it that is tuned."""


@pytest.fixture(scope="module")
def striped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two classes of 60 images that differ in the direction of stripes alone."""
    return stripes.write(tmp_path_factory.mktemp("striped"), 60)


def train(
    data: DataSplits, folder: Path, checkpoints: Path | None = None, stop: StopSignal | None = None, **given: Any
) -> Any:
    """Load a backbone and train on it as a job with recipe=auto does."""
    from image_classifier.training.recipes import recipe

    loaded = backbone.load(folder, trainable=None, trust=False)
    values = small.settings(**{"recipe": "auto", "batch_size": 8, **given})
    return recipe.train(data, loaded, values, stop or StopSignal(), None, checkpoints)


@pytest.mark.parametrize("short", [True, pytest.param(False, marks=pytest.mark.every)], ids=["short", "whole"])
def test_result_is_the_better_of_both_and_the_network_that_is_exported(
    striped: Path, backbone_folder: Path, read_data: Reader, monkeypatch: pytest.MonkeyPatch, short: bool
) -> None:
    """Stripes -> a tuned network is compared; what is chosen gives the recorded predictions through its own weights."""
    from image_classifier.training import fine_tuning
    from image_classifier.training.recipes import budget

    if short:
        monkeypatch.setattr(budget, "_SIZES", ((3, 16),))
        monkeypatch.setattr(budget, "EPOCHS", (2,))
    trained = train(read_data(striped), backbone_folder)
    tuning = trained.recipe["tuning"]
    compared = tuning["comparison"]
    assert tuning["reason"] == ""
    assert compared["images"] == len(trained.validation.examples) == 30
    assert (trained.recipe["chosen"] == "network") == compared["network_wins"]
    assert trained.recipe["rule"] == compared["rule"]
    assert trained.expected is trained.probabilities
    fresh = fine_tuning.rebuilt(trained, backbone.load(backbone_folder, trainable=None, trust=False))
    for model in (trained, fresh):
        np.testing.assert_allclose(probabilities(model), trained.expected, atol=1e-5)
    part = tuning["settings"].split(" with ")[0] if compared["network_wins"] else "none"
    assert trained.trainable_parameters == 12 * 2 + 2 + WEIGHTS[part]
    assert trained.history.best == trained.history.epochs[trained.history.best_epoch]
    names = set(trained.history.epochs[0])
    assert all(set(epoch) == names for epoch in trained.history.epochs)


def probabilities(trained: Any) -> Any:
    """Return what backbone and head give for the validation images."""
    import tensorflow as tf

    from image_classifier.training.data.decoding import Decoder

    pixels = np.stack([Decoder((32, 40), "bilinear")(example.path) for example in trained.validation.examples])
    return tf.nn.softmax(trained.head(trained.backbone.feature_function()(pixels))).numpy()


@pytest.mark.parametrize(
    ("given", "count", "reason"),
    [
        ({"train_only_top_layer": True}, 60, "train_only_top_layer=True"),
        pytest.param({}, 8, "18 of 18 training images, more than one in 10, are of classes", marks=pytest.mark.every),
        pytest.param({}, 60, " epochs would take ", marks=pytest.mark.every),
    ],
)
def test_network_is_not_tuned_where_a_rule_says_so(
    tmp_path: Path,
    backbone_folder: Path,
    read_data: Reader,
    monkeypatch: pytest.MonkeyPatch,
    given: dict[str, Any],
    count: int,
    reason: str,
) -> None:
    """A head alone, few images, or no time -> the head, unharmed, and the reason in the record and in the rule."""
    from image_classifier.training.recipes import budget

    monkeypatch.setattr(budget, "CPU_SECONDS", 0.01)
    data = read_data(small.write_images(tmp_path / "images", count=count, random=True))
    before = backbone.load(backbone_folder, trainable=None, trust=False).layer.get_weights()
    trained = train(data, backbone_folder, **given)
    assert trained.recipe["chosen"] == "head"
    assert reason in trained.recipe["tuning"]["reason"]
    assert trained.recipe["rule"] == f"no network was tuned: {trained.recipe['tuning']['reason']}"
    for old, new in zip(before, trained.backbone.layer.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


@pytest.mark.parametrize(("mistakes", "copies", "reason"), [(2, 0, True), (3, 0, False), (3, 1, True), (3, 30, False)])
def test_network_is_not_tuned_where_it_could_not_win(mistakes: int, copies: int, reason: bool) -> None:
    """Given a head with two mistakes on images that compare, or three -> the reason; or none, as with copies alone."""
    from image_classifier.training.loop.scoring import Predictions
    from image_classifier.training.recipes import tuning_stage
    from image_classifier.training.recipes.copied_rows import CopiedRows

    labels, rows = np.arange(30) % 3, np.arange(30)
    outputs = np.eye(3, dtype=np.float32)[np.where(rows < mistakes, (labels + 1) % 3, labels)]
    inputs: Any = SimpleNamespace(validation=SimpleNamespace(rows=SimpleNamespace(labels=labels)))
    head: Any = SimpleNamespace(predictions=Predictions(outputs, rows))
    found = tuning_stage._too_few_mistakes(inputs, head, CopiedRows(np.arange(9), rows < copies))
    assert bool(found) is reason
    if found:
        assert found.startswith(f"the head classifies 2 of {30 - copies} validation images incorrectly, too few for a ")


@pytest.mark.every
def test_a_rare_class_does_not_keep_the_network_from_being_tuned(
    striped: Path, backbone_folder: Path, read_data: Reader, tmp_path: Path
) -> None:
    """Stripes, and a third class of 8 images -> a tuned network is compared on validation images of all classes."""
    folder = small.write_images(tmp_path / "three", classes=1, count=8)
    for name in ("across", "down"):
        shutil.copytree(striped / name, folder / name)
    trained = train(read_data(folder), backbone_folder)
    assert min(trained.training.counts().values()) < 20
    assert trained.recipe["tuning"]["reason"] == ""
    assert trained.recipe["tuning"]["comparison"]["images"] == len(trained.validation.examples)


@pytest.mark.every
def test_stop_during_the_tuning_leaves_the_head_and_resumes_to_the_same_result(
    striped: Path, tmp_path: Path, backbone_folder: Path, read_data: Reader
) -> None:
    """SIGTERM during the race -> the head; the same job again -> the result of one that was never stopped."""
    data, folder = read_data(striped), tmp_path / "broken"

    class StopInRace(StopSignal):
        def is_set(self) -> bool:
            if any((folder / "race").glob("checkpoint-*-step-2")):
                self.set()
            return super().is_set()

    undisturbed = train(data, backbone_folder, tmp_path / "whole", deterministic=True)
    stopped = train(data, backbone_folder, folder, StopInRace(), deterministic=True)
    assert stopped.recipe["chosen"] == "head"
    assert SIGTERM in stopped.recipe["tuning"]["reason"]
    resumed = train(data, backbone_folder, folder, deterministic=True)
    assert resumed.recipe["rule"] == undisturbed.recipe["rule"]
    assert resumed.recipe["tuning"]["race"] == undisturbed.recipe["tuning"]["race"]
    np.testing.assert_allclose(resumed.expected, undisturbed.expected, atol=1e-4)

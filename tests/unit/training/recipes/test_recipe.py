"""recipe=auto on coloured images and a small backbone, from the listing to the trained model."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from image_classifier.class_folders import channel_listing
from image_classifier.contract.errors import UserError
from image_classifier.training.data.splits import DataSplits
from image_classifier.training.model import backbone
from image_classifier.training.model.earlier_model import Head
from image_classifier.training.stopping import JobStopped, StopSignal
from tests.unit.training import small

Reader = Callable[..., DataSplits]


def train(
    data: DataSplits, folder: Path, checkpoints: Path | None = None, stop: StopSignal | None = None, **given: Any
) -> Any:
    """Load a backbone and train on it as a job with recipe=auto does."""
    from image_classifier.training.recipes import recipe

    values = small.settings(**{"recipe": "auto", "train_only_top_layer": True, **given})
    loaded = backbone.load(folder, trainable=None, trust=False)
    return recipe.train(data, loaded, values, stop or StopSignal(), None, checkpoints)


def labels(trained: Any) -> Any:
    """Return the classes of the validation images."""
    return np.array([example.label for example in trained.validation.examples])


def test_head_learns_colours_and_cannot_learn_random_ones(
    tmp_path: Path, backbone_folder: Path, read_data: Reader
) -> None:
    """Classes of one colour each -> nearly all validation images right; random colours -> about a third."""
    learnt = train(read_data(small.write_images(tmp_path / "a")), backbone_folder)
    guessed = train(read_data(small.write_images(tmp_path / "b", random=True, count=60)), backbone_folder)
    assert learnt.history.best["val_accuracy"] >= 0.9
    assert guessed.history.best["val_accuracy"] <= 0.6
    assert learnt.recipe["head"]["score"]["accuracy"] >= 0.9
    assert (learnt.probabilities.argmax(axis=1) == labels(learnt)).mean() == learnt.history.best["val_accuracy"]


def test_head_is_a_dense_layer_that_gives_the_probabilities(
    images: Path, backbone_folder: Path, read_data: Reader
) -> None:
    """A head without refit -> the Keras layer that is exported gives the recorded probabilities from features."""
    import tensorflow as tf

    trained = train(read_data(images), backbone_folder, refit="False")
    features = trained.backbone.feature_function()
    from image_classifier.training.data.decoding import Decoder

    pixels = np.stack([Decoder((32, 40), "bilinear")(example.path) for example in trained.validation.examples])
    found = tf.nn.softmax(trained.head(features(pixels))).numpy()
    np.testing.assert_allclose(found, trained.probabilities, atol=1e-5)
    assert trained.expected is trained.probabilities


def test_refit_uses_validation_images_and_is_reported(tmp_path: Path, backbone_folder: Path, read_data: Reader) -> None:
    """No validation channel -> other weights are exported than those that were scored, and the record says so."""
    split = read_data(small.write_images(tmp_path / "images", random=True))
    data = DataSplits(split.training, split.validation, None, validation_given=False)
    trained, without = train(data, backbone_folder), train(data, backbone_folder, refit="False")
    np.testing.assert_array_equal(trained.probabilities, without.probabilities)
    assert np.abs(trained.expected - trained.probabilities).max() > 1e-3
    assert trained.history.best == without.history.best
    assert trained.recipe["refit"].startswith("yes, on all 60 images")
    kept = train(replace(data, validation_given=True), backbone_folder)
    assert kept.recipe["refit"] == "no, there is a validation channel (refit=Auto)"


def test_stop_during_the_refit_leaves_the_head_that_was_measured(
    tmp_path: Path, backbone_folder: Path, read_data: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SIGTERM while the chosen head is fitted again -> it is interrupted, and the head of before is the result."""
    from image_classifier.training.features import feature_rows

    stop, joined = StopSignal(), feature_rows.joined

    def joined_and_stopped(*parts: Any) -> Any:
        stop.set()
        return joined(*parts)

    monkeypatch.setattr(feature_rows, "joined", joined_and_stopped)
    split = read_data(small.write_images(tmp_path / "images", random=True))
    data = DataSplits(split.training, split.validation, None, validation_given=False)
    trained = train(data, backbone_folder, stop=stop)
    assert trained.recipe["refit"] == "no, the job was stopped"
    assert trained.expected is trained.probabilities


@pytest.mark.every
def test_copies_of_a_file_have_the_features_of_copies(tmp_path: Path, backbone_folder: Path, read_data: Reader) -> None:
    """Each file three times, in other batches -> the features of equal files count as copies, those of others not."""
    from image_classifier.heads import copies

    folder = small.write_images(tmp_path / "images", random=True, count=30)
    for path in sorted(folder.glob("*/*.png")):
        for number in (1, 2):
            (path.parent / f"{number}-{path.name}").write_bytes(path.read_bytes())
    trained = train(read_data(folder), backbone_folder)
    contents = [example.path.read_bytes() for example in trained.training.examples]
    found = copies.first_copies(trained.arrays.training, np.arange(len(contents)))
    assert found.tolist() == [contents.index(content) for content in contents]


def test_binary_mode(tmp_path: Path, backbone_folder: Path, read_data: Reader) -> None:
    """Two classes in binary mode -> one probability, large for class 1, and the binary metrics."""
    data = read_data(small.write_images(tmp_path / "two", classes=2))
    trained = train(data, backbone_folder, binary_mode=True)
    assert trained.probabilities.shape == (10, 1)
    assert ((trained.probabilities[:, 0] >= 0.5) == labels(trained)).mean() >= 0.9
    assert {"val_auc", "val_prc", "val_recall"} <= set(trained.history.best)


def test_class_weights_move_the_head_towards_a_class(tmp_path: Path, backbone_folder: Path, read_data: Reader) -> None:
    """Random colours, and a class with a weight of 100 -> nearly every image is predicted as that class."""
    data = read_data(small.write_images(tmp_path / "random", random=True, count=40))
    weighted = train(data, backbone_folder, class_weights='{"colour-1": 100}')
    assert (weighted.probabilities.argmax(axis=1) == 1).mean() > 0.9
    with pytest.raises(UserError, match="class_weights names classes that the training channel lacks: colour-9"):
        train(data, backbone_folder, class_weights='{"colour-9": 2}')


def test_out_of_fold_probabilities_are_those_of_training_images(
    images: Path, backbone_folder: Path, read_data: Reader
) -> None:
    """45 training images, one of them corrupt -> 44 cross-validated predictions, and one skipped image."""
    (images / "colour-0" / "003.png").write_text("no image")
    trained = train(read_data(images), backbone_folder)
    found = trained.cross_validated
    assert len(found.listing.examples) == len(found.probabilities) == len(trained.training.examples)
    assert len(trained.training.examples) + len(trained.validation.examples) == 59
    assert [skipped.path.name for skipped in trained.skipped] == ["003.png"]


def test_test_channel_is_scored(images: Path, tmp_path: Path, backbone_folder: Path, read_data: Reader) -> None:
    """A test channel -> scored once, by the head that is exported."""
    split = read_data(images)
    test = channel_listing.list_channel(
        small.write_images(tmp_path / "test", count=11, seed=5), "test", split.training.class_names
    )
    trained = train(DataSplits(split.training, split.validation, test), backbone_folder)
    assert trained.test.images == 33
    assert trained.test.metrics["accuracy"] >= 0.9


def test_finished_head_is_not_fitted_again(
    images: Path,
    tmp_path: Path,
    backbone_folder: Path,
    read_data: Reader,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The same job twice in one checkpoint folder -> the second reads the head, and the result is the same."""
    from image_classifier.heads import cross_validation

    data, folder = read_data(images), tmp_path / "checkpoints"
    first = train(data, backbone_folder, folder)
    monkeypatch.setattr(cross_validation, "select", lambda *_, **__: pytest.fail("fitted again"))
    capsys.readouterr()
    second = train(data, backbone_folder, folder)
    assert "Resuming from a checkpoint: finished before: head" in capsys.readouterr().out
    assert {**first.recipe, "features_seconds": 0} == {**second.recipe, "features_seconds": 0}
    assert first.history.best == second.history.best
    np.testing.assert_array_equal(first.probabilities, second.probabilities)
    for ours, others in zip(first.weights, second.weights, strict=True):
        np.testing.assert_array_equal(ours, others)


def test_checkpoints_of_another_recipe_are_rejected(
    images: Path, tmp_path: Path, backbone_folder: Path, read_data: Reader
) -> None:
    """The checkpoint folder of the built-in way -> rejected with the hyperparameter that differs."""
    from image_classifier.training import fine_tuning

    data, folder = read_data(images), tmp_path / "checkpoints"
    loaded = backbone.load(backbone_folder, trainable=False, trust=False)
    values = small.settings(train_only_top_layer=True, epochs=1)
    fine_tuning.train(data, loaded, values, StopSignal(), None, folder)
    with pytest.raises(UserError, match='recipe was "builtin" and is now "auto"'):
        train(data, backbone_folder, folder)


def test_stop_before_the_head_is_fitted_leaves_nothing(images: Path, backbone_folder: Path, read_data: Reader) -> None:
    """SIGTERM during the feature pass -> JobStopped, as before a first epoch."""
    from image_classifier.training.recipes import recipe

    stop = StopSignal()
    stop.set()
    loaded = backbone.load(backbone_folder, trainable=None, trust=False)
    with pytest.raises(JobStopped):
        recipe.train(read_data(images), loaded, small.settings(recipe="auto"), stop)


@pytest.mark.every
def test_earlier_head_is_kept_where_it_is_better(
    tmp_path: Path, backbone_folder: Path, read_data: Reader, capsys: pytest.CaptureFixture[str]
) -> None:
    """Wrong training labels -> an earlier head that knows the colours stays, with a warning; a spoilt one does not."""
    from image_classifier.training.recipes import recipe

    def again(weights: Any) -> Any:
        loaded = replace(backbone.load(backbone_folder, trainable=None, trust=False), head=Head(*weights))
        return recipe.train(data, loaded, small.settings(recipe="auto"), StopSignal())

    first = train(read_data(small.write_images(tmp_path / "right", classes=6)), backbone_folder)
    kernel, bias = (np.asarray(weight) for weight in first.weights)
    data = read_data(small.write_images(tmp_path / "wrong", classes=6))
    wrong = tuple(replace(example, label=(example.label + 1) % 6) for example in data.training.examples)
    data = replace(data, training=replace(data.training, examples=wrong))
    kept = again((kernel, bias))
    assert kept.recipe["earlier"]["kept"]
    assert kept.recipe["refit"] == "no, the head of the earlier job is kept"
    np.testing.assert_array_equal(kept.weights[0], kernel)
    assert not again((-kernel, -bias)).recipe["earlier"]["kept"]
    assert "WARNING: The head of the earlier job" not in capsys.readouterr().out
    data = replace(data, validation_given=False)
    assert again((kernel, bias)).recipe["earlier"]["kept"]
    assert "WARNING: The head of the earlier job is better on the validation images" in capsys.readouterr().out


def test_log_has_one_line_for_each_metric_and_the_block(
    images: Path, backbone_folder: Path, read_data: Reader, capsys: pytest.CaptureFixture[str]
) -> None:
    """A whole recipe -> the head's metrics in one line that the platform's expressions match, then the block."""
    import re

    from image_classifier.contract import metrics

    train(read_data(images), backbone_folder)
    lines = capsys.readouterr().out.splitlines()
    matched = [line for line in lines if any(re.search(one["Regex"], line) for one in metrics.definitions())]
    assert len(matched) == 1
    assert "- val_accuracy: " in matched[0]
    block = [line for line in lines if line.startswith("Recipe: ")]
    assert any(line.startswith("Recipe: the head on the frozen backbone is chosen, since ") for line in block)
    assert any("5-fold cross-validation of 45 images with 12 features, C=" in line for line in block)

"""Training: both modes, binary mode, optimizers, augmentation, stopping, the best epoch."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from image_classifier import archives
from image_classifier.artifacts import ModelInfo
from image_classifier.class_folders import channel_listing
from image_classifier.contract.errors import UserError
from image_classifier.model_hub import staging
from image_classifier.photographs import sample_sets
from image_classifier.training.data import dataset, decoding
from image_classifier.training.data.splits import DataSplits
from image_classifier.training.model import backbone
from image_classifier.training.stopping import SIGTERM, JobStopped, StopSignal
from tests.support.representatives import some_of
from tests.unit.training import small

Reader = Callable[..., DataSplits]


def train(data: DataSplits, folder: Path, stop: StopSignal | None = None, **given: Any) -> Any:
    """Load a backbone and train on it as a job does."""
    from image_classifier.training import fine_tuning

    values = small.settings(**{"batch_size": 8, "learning_rate": 0.05, "epochs": 6, "label_smoothing": 0.0, **given})
    loaded = backbone.load(folder, trainable=not values.train_only_top_layer, trust=False)
    return fine_tuning.train(data, loaded, values, stop or StopSignal())


def test_head_alone_learns_colours_and_cannot_learn_random_ones(
    tmp_path: Path, backbone_folder: Path, read_data: Reader
) -> None:
    """Classes of one colour each -> nearly all validation images right; random colours -> about a third."""
    learnt = train(read_data(small.write_images(tmp_path / "a")), backbone_folder, train_only_top_layer=True)
    noise = read_data(small.write_images(tmp_path / "b", random=True, count=60))
    guessed = train(noise, backbone_folder, train_only_top_layer=True)
    assert learnt.history.best["val_accuracy"] >= 0.9
    assert guessed.history.best["val_accuracy"] <= 0.6


def test_frozen_backbone_is_left_as_it_was(images: Path, backbone_folder: Path, read_data: Reader) -> None:
    """A frozen backbone that runs in every step, as augmentation makes it -> no weight of it changes."""
    before = backbone.load(backbone_folder, trainable=False, trust=False).layer.get_weights()
    trained = train(read_data(images), backbone_folder, train_only_top_layer=True, augmentation=True, epochs=2)
    after = trained.backbone.layer.get_weights()
    assert all(np.array_equal(old, new) for old, new in zip(before, after, strict=True))
    assert trained.trainable_parameters == 12 * 3 + 3


def test_whole_network_changes_every_variable_and_the_moving_statistics(
    images: Path, backbone_folder: Path, read_data: Reader
) -> None:
    """train_only_top_layer=False -> every trainable variable and BatchNorm's statistics change, and it learns."""
    before = backbone.load(backbone_folder, trainable=True, trust=False).layer.get_weights()
    trained = train(read_data(images), backbone_folder, train_only_top_layer=False, learning_rate=0.01, epochs=8)
    after = trained.backbone.layer.get_weights()
    assert len(after) == 8
    assert all(not np.array_equal(old, new) for old, new in zip(before, after, strict=True))
    assert trained.history.best["val_accuracy"] >= 0.9
    assert trained.parameters - trained.trainable_parameters == 2 * 8


@pytest.mark.every
@pytest.mark.slow
@pytest.mark.no_cover
def test_whole_lite0_changes_every_variable_on_photographs(tmp_path: Path) -> None:
    """Lite0 tuned for an epoch on stamps -> each of its trainable variables and BatchNorm statistics has changed."""
    archive = staging.stage("lite0", tmp_path / "lite0.tar.gz")
    folder = archives.materialise(archive, tmp_path / "lite0")
    stamps = channel_listing.list_channel(sample_sets.fetch("stamps", tmp_path / "stamps") / "train", "training")
    some = tuple(example for index, example in enumerate(stamps.examples) if index % 8 == 0)
    training, validation = dataset.split(replace(stamps, examples=some), 0.2, 1)
    before = backbone.load(folder, trainable=True, trust=False).layer.get_weights()
    given = {"train_only_top_layer": False, "learning_rate": 1e-4, "epochs": 1}
    trained = train(DataSplits(training, validation, None), folder, None, **given)
    layer = trained.backbone.layer
    changed = [not np.array_equal(old, new) for old, new in zip(before, layer.get_weights(), strict=True)]
    statistics = len(layer.weights) - len(layer.trainable_weights)
    assert (len(layer.trainable_weights), statistics) == (147, 98)
    assert all(changed)


def test_features_once_equal_the_long_way(images: Path, backbone_folder: Path, read_data: Reader) -> None:
    """The same seed, dropout off -> the head trained on features equals the one trained through the frozen backbone."""
    from image_classifier.training.data import batches
    from image_classifier.training.loop import fitting
    from image_classifier.training.model import classifier

    data = read_data(images)
    given: dict[str, Any] = {"train_only_top_layer": True, "dropout_rate": 0.0, "epochs": 5}
    short = train(data, backbone_folder, **given)
    values = small.settings(**{"batch_size": 8, "learning_rate": 0.05, "label_smoothing": 0.0, **given})
    loaded = backbone.load(backbone_folder, trainable=False, trust=False)
    decoder = decoding.Decoder(loaded.info.image_size, "bilinear")
    rows: list[Any] = []
    for part in (data.training, data.validation):
        labels = np.array([example.label for example in part.examples], np.int64)
        rows.append(batches.Rows(decoding.CachedImages(decoder, part.examples), labels))
    head = classifier.build_head(values, loaded.feature_count, 3)
    fitting.fit(
        classifier.Network(head, loaded), values, rows[0], rows[1], data.training.class_names, fitting.Session()
    )
    for ours, long in zip(short.head.get_weights(), head.get_weights(), strict=True):
        np.testing.assert_allclose(ours, long, atol=1e-4)


@pytest.mark.every
def test_same_seed_gives_the_same_result(images: Path, backbone_folder: Path, read_data: Reader) -> None:
    """The same job twice -> the same measurements; another seed -> others."""
    runs = [train(read_data(images), backbone_folder, train_only_top_layer=True, random_seed=s) for s in (1, 1, 2)]
    losses = [run.history.epochs[-1]["loss"] for run in runs]
    assert losses[0] == losses[1] != losses[2]


@pytest.mark.parametrize(
    "optimizer", some_of(("adam", "sgd", "nesterov", "rmsprop", "adagrad", "adadelta"), ("adadelta",))
)
def test_each_optimizer_lowers_the_loss(images: Path, backbone_folder: Path, read_data: Reader, optimizer: str) -> None:
    """Each of the six optimizers -> the loss of the last epoch is below the first's."""
    rate = 1.0 if optimizer == "adadelta" else 0.05
    given: dict[str, Any] = {"train_only_top_layer": True, "optimizer": optimizer, "learning_rate": rate, "epochs": 5}
    epochs = train(read_data(images), backbone_folder, **given).history.epochs
    assert epochs[-1]["loss"] < epochs[0]["loss"]


def test_binary_mode_has_one_output_for_class_1(tmp_path: Path, backbone_folder: Path, read_data: Reader) -> None:
    """Two classes in binary mode -> one probability, large for class 1; the binary metrics are measured."""
    data = read_data(small.write_images(tmp_path / "two", classes=2))
    given: dict[str, Any] = {"train_only_top_layer": True, "binary_mode": True, "eval_metric": "auc", "epochs": 5}
    trained = train(data, backbone_folder, **given)
    labels = np.array([example.label for example in trained.validation.examples])
    assert trained.probabilities.shape == (10, 1)
    assert ((trained.probabilities[:, 0] >= 0.5) == labels).mean() >= 0.9
    assert {"val_auc", "val_prc", "val_recall", "val_true_positives"} <= set(trained.history.best)


@pytest.mark.every
def test_top_five_is_measured_with_more_than_five_classes(
    tmp_path: Path, backbone_folder: Path, read_data: Reader
) -> None:
    """Six classes -> top_5_accuracy is there; three -> it is not."""
    six = read_data(small.write_images(tmp_path / "six", classes=6, count=4))
    three = read_data(small.write_images(tmp_path / "three", count=4))
    measured = [set(train(d, backbone_folder, train_only_top_layer=True, epochs=1).history.best) for d in (six, three)]
    assert "val_top_5_accuracy" in measured[0]
    assert "val_top_5_accuracy" not in measured[1]


def test_best_epoch_is_restored(tmp_path: Path, backbone_folder: Path, read_data: Reader) -> None:
    """Colours that cannot be learned -> the probabilities kept are the best epoch's, not the last one's."""
    noise = read_data(small.write_images(tmp_path / "noise", random=True))
    trained = train(noise, backbone_folder, train_only_top_layer=True, learning_rate=1.0, epochs=6)
    values = [epoch["val_accuracy"] for epoch in trained.history.epochs]
    assert values[-1] < max(values)
    labels = np.array([example.label for example in trained.validation.examples])
    assert trained.history.best_epoch == values.index(max(values))
    assert (trained.probabilities.argmax(axis=1) == labels).mean() == pytest.approx(max(values))


def test_early_stopping_counts_epochs_without_progress(images: Path, backbone_folder: Path, read_data: Reader) -> None:
    """Progress of less than min_delta 1.0 in every epoch, patience 2 -> three epochs of twenty, and why."""
    given: dict[str, Any] = {
        "early_stopping": True,
        "early_stopping_patience": 2,
        "early_stopping_min_delta": 1.0,
        "epochs": 20,
    }
    trained = train(read_data(images), backbone_folder, train_only_top_layer=True, **given)
    assert len(trained.history.epochs) == 3
    assert "did not improve for 2 epochs" in trained.history.stopped


def test_loss_that_is_no_number_stops_the_job(images: Path, tmp_path: Path, read_data: Reader) -> None:
    """A backbone whose output overflows -> one sentence with epoch, step and learning rate, no result."""
    network = small.build_network((None, None), batch_norm=False)
    network.set_weights([weight * 1e30 for weight in network.get_weights()])
    folder = small.save_backbone(tmp_path / "huge", ModelInfo(image_size=(16, 16)), network)
    with pytest.raises(UserError, match=r"The loss became (nan|inf) in epoch 1, step 1, at learning_rate=0\.05"):
        train(read_data(images), folder, train_only_top_layer=True)


def test_stop_before_the_first_epoch_leaves_nothing(images: Path, backbone_folder: Path, read_data: Reader) -> None:
    """SIGTERM while the images are read -> JobStopped, in both modes."""
    stop = StopSignal()
    stop.set()
    for head_only in (True, False):
        with pytest.raises(JobStopped):
            train(read_data(images), backbone_folder, stop, train_only_top_layer=head_only)


def test_stop_during_training_keeps_the_best(images: Path, backbone_folder: Path, read_data: Reader) -> None:
    """SIGTERM in the middle of training -> the step ends, what was best is kept, the history says why."""
    from image_classifier.training.data import batches
    from image_classifier.training.loop import fitting
    from image_classifier.training.model import classifier

    data = read_data(images)
    values = small.settings(batch_size=8, epochs=5000, train_only_top_layer=True)
    rows: list[Any] = []
    for part in (data.training, data.validation):
        labels = np.array([example.label for example in part.examples], np.int64)
        rows.append(batches.Rows(np.eye(12, dtype=np.float32)[labels], labels))

    class StopInSeventhEpoch(StopSignal):
        steps = 0

        def after_step(self, seconds: float) -> bool:
            self.steps += 1
            if self.steps == 40:
                self.set()
            return super().after_step(seconds)

    network = classifier.Network(classifier.build_head(values, 12, 3))
    history = fitting.fit(
        network, values, rows[0], rows[1], data.training.class_names, fitting.Session(StopInSeventhEpoch())
    )
    assert history.stopped == SIGTERM
    assert len(history.epochs) == 6
    assert history.best_epoch is not None


def test_class_without_a_readable_image_is_rejected(images: Path, backbone_folder: Path, read_data: Reader) -> None:
    """Every image of a class corrupt, and the limit raised -> rejected with the class's name."""
    for path in (images / "colour-1").iterdir():
        path.write_text("no image")
    with pytest.raises(UserError, match="No image of colour-1 is readable"):
        train(read_data(images), backbone_folder, train_only_top_layer=True, max_bad_fraction=1.0)


def test_stop_while_the_test_channel_is_scored_keeps_the_model(
    images: Path,
    tmp_path: Path,
    backbone_folder: Path,
    read_data: Reader,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """SIGTERM between two batches of the test channel's features -> a trained model without a score of the test."""
    from image_classifier.training.features import feature_pass

    class StopInTest(StopSignal):
        asked = -1_000_000

        def after_step(self, seconds: float) -> bool:
            told = super().after_step(seconds)
            self.asked = 0
            return told

        def is_set(self) -> bool:
            # After the last step: by the validation, before the test, after its first batch, and then.
            self.asked += 1
            if self.asked == 4:
                self.set()
            return super().is_set()

    monkeypatch.setattr(feature_pass, "BATCH", 4)
    data = read_data(images)
    test = channel_listing.list_channel(
        small.write_images(tmp_path / "test", count=11), "test", data.training.class_names
    )
    given: dict[str, Any] = {"train_only_top_layer": True, "epochs": 1, "batch_size": 64}
    trained = train(DataSplits(data.training, data.validation, test), backbone_folder, StopInTest(), **given)
    assert "Test images: 4/33" in capsys.readouterr().out
    assert trained.test is None
    assert (len(trained.history.epochs), trained.history.stopped) == (1, None)


def test_test_channel_is_scored_once(images: Path, tmp_path: Path, backbone_folder: Path, read_data: Reader) -> None:
    """A test channel with a corrupt image -> scored on the others, which are counted and timed."""
    folder = small.write_images(tmp_path / "test", count=11, seed=5)
    (folder / "colour-0" / "000.png").write_text("no image")
    data = read_data(images)
    test = channel_listing.list_channel(folder, "test", data.training.class_names)
    trained = train(DataSplits(data.training, data.validation, test), backbone_folder, train_only_top_layer=True)
    assert trained.test.images == 32
    assert trained.test.metrics["accuracy"] >= 0.9
    assert trained.test.seconds > 0
    assert [item.path.name for item in trained.skipped] == ["000.png"]

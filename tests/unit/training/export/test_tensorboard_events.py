"""Event files of TensorBoard, read back by TensorFlow's own reader."""

from pathlib import Path

from image_classifier.training.export import tensorboard_events


def events(folder: Path) -> list[tuple[int, dict[str, float]]]:
    """Read the steps of a run and their values; the first record must name the version."""
    import tensorflow as tf
    from tensorflow.core.util import event_pb2

    [path] = folder.iterdir()
    records = [event_pb2.Event.FromString(one.numpy()) for one in tf.data.TFRecordDataset(str(path))]
    assert records[0].file_version == "brain.Event:2"
    return [(one.step, {value.tag: value.simple_value for value in one.summary.value}) for one in records[1:]]


def test_each_epoch_is_a_step_of_both_runs(tmp_path: Path) -> None:
    """Two epochs -> two steps in train and in validation, under Keras's tags, with the values of each alone."""
    epochs = [{"loss": 0.5, "accuracy": 0.25, "val_loss": 0.75, "val_accuracy": 0.125}, {"loss": 0.25, "val_loss": 1.0}]
    tensorboard_events.write(tmp_path / "new", epochs)
    assert events(tmp_path / "new/train") == [
        (1, {"epoch_loss": 0.5, "epoch_accuracy": 0.25}),
        (2, {"epoch_loss": 0.25}),
    ]
    assert events(tmp_path / "new/validation") == [
        (1, {"epoch_loss": 0.75, "epoch_accuracy": 0.125}),
        (2, {"epoch_loss": 1.0}),
    ]


def test_job_without_epochs_leaves_the_version_alone(tmp_path: Path) -> None:
    """No epoch -> valid files without steps."""
    tensorboard_events.write(tmp_path, [])
    assert events(tmp_path / "train") == events(tmp_path / "validation") == []

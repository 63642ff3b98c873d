"""Lines of a job's log and what they mean."""

import pytest

from image_classifier.contract import hyperparameters, metrics
from image_classifier.runners import job_log
from image_classifier.runners.job_log import Epoch, Note, Part, Problem, Progress, Resumed, Setting, Summary


@pytest.mark.parametrize(
    ("line", "event"),
    [
        ("epochs = 20 (given)", Setting("epochs", "20", "given")),
        ("dropout_rate = 0.2 (our default)", Setting("dropout_rate", "0.2", "our default")),
        ("Training images: 160/1423 images, 4 s", Progress("Training images", 160, 1423, 4)),
        ("9/9 - 3s - loss: 0.5 - val_accuracy: 1.0", Epoch({"loss": 0.5, "val_accuracy": 1.0}, 3)),
        ("test: 5 images of 2 classes (a (b) 2, c 3)", Part("test", 5, 2, "a (b) 2, c 3")),
        ("Resuming from a checkpoint: epoch 3, after step 2 of 9, 2 epochs measured before.", Resumed(2)),
        ("- val_accuracy: 0.8535", Summary()),
        ("- Average test latency per sample: 0.000012", Summary()),
        ("UserError: no.", Problem("UserError: no.")),
        ("WARNING: maybe.", Problem("WARNING: maybe.")),
        ("epochs = 20", Note("epochs = 20")),
        ("", Note("")),
    ],
)
def test_each_line_has_its_meaning(line: str, event: job_log.Event) -> None:
    """Given a line of each kind, and some that look similar -> its event."""
    assert job_log.read(line) == event


def test_lines_of_the_program_are_understood() -> None:
    """Given the lines that the job's own code writes -> settings, epochs and the closing block, none left as a note."""
    settings = hyperparameters.parse({"epochs": "3"}).log_lines()
    assert {type(job_log.read(line)) for line in settings} == {Setting}
    logs = {"loss": 0.5, "accuracy": 0.25, "val_loss": 0.75, "val_accuracy": 1.0}
    assert job_log.read(metrics.epoch_line(9, 9, 2.0, logs)) == Epoch(logs, 2)
    closing = [*metrics.final_lines(logs), *metrics.parameter_lines(9, 1), *metrics.duration_lines(3.0, 2)]
    closing += metrics.test_lines({"loss": 0.5, "accuracy": 0.25}, 2.0, 8)
    assert {type(job_log.read(line)) for line in closing} == {Summary}

"""The training view: the log of a real job in, the screen out."""

import io

import pytest
from rich.console import Console

from image_classifier.cli.terminal.training_view import TrainingView

LOG = """\
dropout_rate = 0.2 (our default)
epochs = 3 (given)
learning_rate = 0.003 (given)
training: 1423 images of 2 classes (defective 458, functional 965)
validation: 355 images of 2 classes (defective 114, functional 241)
Head: new, on a backbone.
Devices: 2 CPUs, no GPU
Backbone: lite0, 224x224 pixels, 1280 features, loaded in 1.3 s
Features: computed by OpenVINO, prepared in 2.8 s; on the first 32 images they differ from TensorFlow's by at most 0.00
Training images: 160/1423 images, 4 s
Training images: 1423/1423 images, 16 s
45/45 - 0s - loss: 0.489034 - accuracy: 0.8060 - val_loss: 0.483954 - val_accuracy: 0.7887
45/45 - 0s - loss: 0.431865 - accuracy: 0.8566 - val_loss: 0.465122 - val_accuracy: 0.8197
45/45 - 0s - loss: 0.400755 - accuracy: 0.8700 - val_loss: 0.451970 - val_accuracy: 0.8000
- loss: 0.431865
- val_accuracy: 0.8197
- Number of parameters: 3415586
- Average training duration per epoch: 1.076
OpenVINO IR: on 100 validation images its probabilities differ from TensorFlow's by at most 0.0; made in 3.3 s
Verification: a fresh process classified 355 validation images with openvino, accuracy 0.8535 (training: 0.8535), \
largest difference of a probability 0.000000, 0 different predictions.
Something that no table knows
WARNING: a warning
UserError: a sentence.
"""


def shown(log: str, width: int = 100) -> str:
    """Return the screen of a terminal of that width."""
    console = Console(file=io.StringIO(), force_terminal=True, color_system=None, width=width)
    with TrainingView(console) as view:
        for line in log.splitlines():
            view.show(line)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


@pytest.mark.parametrize(("width", "expected"), [(100, True), (72, False)])
def test_line_of_the_epochs_has_a_curve(width: int, expected: bool) -> None:
    """Given validation accuracies of 0.7887, 0.8197 and 0.8000 -> their curve beside the best, where there is room."""
    console = Console(file=io.StringIO(), force_terminal=True, color_system=None, width=width)
    with TrainingView(console) as view:
        for line in LOG.splitlines()[:14]:
            view.show(line)
        # Otherwise redrawn ten times a second.
        view._progress.refresh()
        assert isinstance(console.file, io.StringIO)
        (*_, last) = [line for line in console.file.getvalue().splitlines() if "epoch 3/3, best 0.8197" in line]
    assert ("best 0.8197 ▁█▄" in last) is expected
    assert any(letter in last for letter in "▁▄█") is expected


def test_terminal_shows_what_counts() -> None:
    """Given a job's log -> given values only, the data, numbered epochs with the best marked, the check, problems."""
    screen = shown(LOG)
    assert "Settings: epochs=3, learning_rate=0.003\n" in screen
    assert "dropout_rate" not in screen
    assert "Training: 1,423 images of 2 classes (defective 458, functional 965)" in screen
    best = [line for line in screen.splitlines() if "Epoch " in line and " * " in line]
    assert [line.split()[1] for line in best] == ["1/3", "2/3"]
    assert "Epoch 3/3   loss 0.4008  accuracy 0.8700  val_loss 0.4520  val_accuracy 0.8000" in screen
    assert "Checked: 355 images, same answers as in training" in screen
    assert "Number of parameters" not in screen
    for line in ("Something that no table knows", "WARNING: a warning", "UserError: a sentence."):
        assert line in screen


def test_silences_have_a_name() -> None:
    """Given a log that stops after each line in turn -> the current activity is on the screen."""
    lines = LOG.splitlines()
    for beginning, activity in (
        ("", "Reading the images"),
        ("Head:", "Loading TensorFlow and the model"),
        ("Backbone:", "Preparing the first step"),
        ("Training images: 160", "Features of training images"),
        ("45/45", "Training"),
        ("- loss", "Saving the model and converting it to OpenVINO"),
        ("OpenVINO IR", "Checking the saved model in a fresh process"),
    ):
        count = next((n for n, line in enumerate(lines, 1) if beginning and line.startswith(beginning)), 0)
        assert activity in shown("\n".join(lines[:count]))


def test_resumed_job_keeps_counting() -> None:
    """Given a job that resumes after 2 of 4 epochs -> its next epoch is the third."""
    log = "epochs = 4 (given)\nResuming from a checkpoint: epoch 3, after step 0 of 9, 2 epochs measured before.\n"
    screen = shown(log + "9/9 - 3s - loss: 0.5 - val_accuracy: 0.5")
    assert "* marks the best one so far since the job resumed:" in screen
    assert "Resuming from a checkpoint after 2 of 4 epochs" in screen
    assert "Epoch 3/4" in screen


def test_long_job_prints_few_epochs() -> None:
    """Given 500 epochs without progress -> the first, which is the best, and every tenth."""
    epoch = "9/9 - 3s - loss: 0.5 - val_accuracy: 0.5\n"
    screen = shown("epochs = 500 (given)\n" + 500 * epoch)
    assert screen.count("Epoch ") == 51


def test_narrow_terminal_loses_nothing() -> None:
    """Given 40 columns -> every figure of an epoch is still there."""
    assert all(figure in shown(LOG, width=40) for figure in ("0.4008", "0.8700", "0.4520", "0.8000"))


def test_lines_fit_80_columns() -> None:
    """Given 80 columns -> an epoch with five-digit metrics and the bar of a large data set take one line each."""
    log = LOG.replace("epochs = 3 ", "epochs = 20 ").replace("160/1423 images, 4 s", "16000/142300 images, 4 s")
    screen = shown(log.partition("Training images: 1423/")[0], width=80)
    bar = next(line for line in screen.replace("\r", "\n").splitlines() if "16,000/142,300" in line)
    assert "Features of training images" in bar
    assert "Epoch  1/20 * loss 0.4890  accuracy 0.8060  val_loss 0.4840  val_accuracy 0.7887\n" in shown(log, width=80)
    longer = log.replace("epochs = 20 ", "epochs = 500 ")
    assert "Epoch   1/500 * loss 0.4890 accuracy 0.8060 val_loss 0.4840 val_accuracy 0.7887\n" in shown(
        longer, width=80
    )


RECIPE = """\
recipe = auto (given)
Features: computed by TensorFlow, since 120 images are too few to make up for the conversion
Training images: 90/90 images, 1 s
Recipe: cross-validation of the head on 90 images of 2 classes
1/1 - 2s - loss: 0.5 - accuracy: 0.75 - val_loss: 0.5 - val_accuracy: 0.5
Recipe: fine-tuning the network from this head, for at most about 600 s (the default on CPUs)
Tuning: measuring steps; the budget is 600 s.
Training images: 90/90 images, 2 s
Tuning: a race of 10 settings for 16 steps each; then 20 epochs (at most 8 s).
Race: 16 steps each: whole network, learning rate 0.001: Brier score 0.0909
Tuning: 20 epochs with whole network, learning rate 0.001.
9/9 - 3s - loss: 0.5 - accuracy: 0.75 - val_loss: 0.5 - val_accuracy: 0.625
Recipe: the fine-tuned network is chosen, since it wins.
"""


def test_recipe_shows_its_stages_and_its_choice() -> None:
    """Given the log of recipe=auto -> head and epochs of the fine-tuning by name, and the block of the choice."""
    screen = shown(RECIPE)
    assert "Head: loss 0.5000  accuracy 0.7500  val_loss 0.5000  val_accuracy 0.5000" in screen
    assert "Fine-tuning, epoch 1: loss 0.5000" in screen
    assert "Recipe: the fine-tuned network is chosen, since it wins." in screen
    assert "marks the best" not in screen
    assert "Race:" not in screen
    assert ("Features of 90 training images" in screen, "Decoded 90 training images" in screen) == (True, True)


@pytest.mark.parametrize(
    ("beginning", "activity"),
    [
        ("Recipe: cross", "Choosing the head by cross-validation"),
        ("Tuning: measuring", "Measuring steps of the fine-tuning"),
        ("Tuning: a race", "Choosing the settings of the fine-tuning in a race"),
        ("Tuning: 20", "Fine-tuning the network"),
    ],
)
def test_stages_of_a_recipe_have_a_name(beginning: str, activity: str) -> None:
    """Given a log that stops in a stage -> the stage is on the screen."""
    lines = RECIPE.splitlines()
    count = next(number for number, line in enumerate(lines, 1) if line.startswith(beginning))
    assert activity in shown("\n".join(lines[:count]))

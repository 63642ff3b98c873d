"""scripts/train-locally on a terminal and in a pipe: output, Ctrl-C, a closed window, resuming."""

import json
import os
import re
import signal
from pathlib import Path

import pytest
from PIL import Image

from tests.platform.serving import ROOT
from tests.support import pseudo_terminal
from tests.support.waiting import wait_until

pytestmark = pytest.mark.no_cover

LONG = ("epochs=100000", "learning_rate=0.001", "train_only_top_layer=True")
BAR = re.compile(r"Training ━.* epoch \d+/100000, best \d\.\d{4} .*(?:\d\d|--):(?:\d\d|--)")


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """Class folders of two colours, with 15 and 12 images."""
    for name, colour, count in (("blue", (20, 20, 200), 15), ("red", (200, 20, 20), 12)):
        (tmp_path / "images" / name).mkdir(parents=True)
        for number in range(count):
            shade = tuple(value + 3 * number for value in colour)
            Image.new("RGB", (50, 40), shade).save(tmp_path / "images" / name / f"{number:02}.png")
    return tmp_path / "images"


def command(images: Path, backbone: Path, *words: object) -> list[object]:
    """Return the command that trains in `job` below the working folder."""
    script = ROOT / "scripts" / "train-locally"
    return [script, "--training", images, "--model", backbone, "--output", "job", *words]


def state(folder: Path) -> dict[str, object]:
    """Return how the job ended."""
    found: dict[str, object] = json.loads((folder / "job" / "job.json").read_text())
    return found


@pytest.mark.every
@pytest.mark.parametrize(("columns", "lines"), [(80, 24), pytest.param(120, 40, marks=pytest.mark.every)])
def test_terminal_ends_with_the_result(
    images: Path, tiny_backbone: Path, tmp_path: Path, columns: int, lines: int
) -> None:
    """Given a job on a terminal of each size -> given values only, epochs, the verification, one screen of summary."""
    words = command(images, tiny_backbone, "epochs=3", "train_only_top_layer=True")
    with pseudo_terminal.running(words, columns, lines, cwd=tmp_path) as terminal:
        assert terminal.exit_code() == 0, terminal.text
        text = terminal.text
    assert "Settings: epochs=3, train_only_top_layer=True" in text
    assert "dropout_rate" not in text
    assert "Training: 22 images of 2 classes" in text
    assert [f"Epoch {number}/3" in text for number in (1, 2, 3)] == [True] * 3
    assert "same answers as in training" in text
    closing = text[text.rindex("Validation accuracy") :].splitlines()
    assert len(closing) < lines
    assert "always answering blue: 0.6000" in closing[0]
    assert closing[1].startswith("Weakest class: ")
    assert "  scripts/serve-locally job" in closing
    assert state(tmp_path)["state"] == "finished"
    # Left out on the terminal.
    assert "dropout_rate = 0.2 (our default)" in (tmp_path / "job" / "job.log").read_text()


@pytest.mark.every
def test_ctrl_c_saves_and_the_same_command_resumes(images: Path, tiny_backbone: Path, tmp_path: Path) -> None:
    """Given Ctrl-C in the middle of many epochs -> the best model, the omissions; the next run continues the count."""
    words = command(images, tiny_backbone, *LONG)
    for first in (True, False):
        with pseudo_terminal.running(words, columns=120, cwd=tmp_path) as terminal:
            if not first:
                terminal.wait_for("Resuming from a checkpoint after ")
            terminal.wait_for("/100000, best ")
            terminal.press(pseudo_terminal.CTRL_C)
            terminal.wait_for("Stopping: the best model so far is being saved")
            assert terminal.exit_code() == 0, terminal.text
            text = terminal.text
        assert BAR.search(text.replace("\r", "\n"))
        saved = re.search(r"Saved epoch (\d+), the best of (\d+); 100000 were planned\.", text)
        assert saved, text
        # Wrapped between words.
        assert "were left out; scripts/convert-model job/model adds the network." in " ".join(text.split())
        assert (tmp_path / "job/model/1/saved_model.pb").is_file()
        assert state(tmp_path)["state"] == "stopped"


@pytest.mark.every
def test_second_ctrl_c_does_not_wait(images: Path, tiny_backbone: Path, tmp_path: Path) -> None:
    """Given Ctrl-C twice -> the job and its children are killed, and no final state is recorded."""
    with pseudo_terminal.running(command(images, tiny_backbone, *LONG), cwd=tmp_path) as terminal:
        terminal.wait_for("Loading TensorFlow")
        terminal.press(pseudo_terminal.CTRL_C)
        terminal.wait_for("Press Ctrl-C again")
        terminal.press(pseudo_terminal.CTRL_C)
        assert terminal.exit_code(20) != 0
        assert "Stopped without saving." in terminal.text
    assert not (tmp_path / "job" / "job.json").exists()


@pytest.mark.every
def test_closed_terminal_saves_the_best_model(images: Path, tiny_backbone: Path, tmp_path: Path) -> None:
    """Given a terminal window that is closed in the middle of training -> the job stops and saves its model."""
    with pseudo_terminal.running(command(images, tiny_backbone, *LONG), cwd=tmp_path) as terminal:
        terminal.wait_for("Epoch ")
        terminal.close()
        wait_until((tmp_path / "job" / "job.json").is_file, 120, "the job records that it was stopped")
    assert state(tmp_path)["state"] == "stopped"
    assert "SIGTERM" in (tmp_path / "job" / "job.log").read_text()


@pytest.mark.every
def test_finished_job_is_replaced_on_request_alone(images: Path, tiny_backbone: Path, tmp_path: Path) -> None:
    """Given a finished job -> rejected with its date and accuracy; with --overwrite the new model replaces it."""
    words = command(images, tiny_backbone, "epochs=1", "train_only_top_layer=True")
    for more, code in (((), 0), ((), 1), (("--overwrite", "batch_size=8"), 0)):
        with pseudo_terminal.running([*words, *more], columns=200, cwd=tmp_path) as terminal:
            assert terminal.exit_code() == code, terminal.text
            text = terminal.text
        if code:
            assert re.search(r"Error: --output job holds a job that finished at .* accuracy \d\.\d{4}", text)
    info = json.loads((tmp_path / "job/model/__model_info__.json").read_text())
    assert info["hyperparameters"]["batch_size"] == 8
    assert sorted(path.name for path in tmp_path.iterdir()) == ["images", "job"]


def test_messages_show_paths_as_they_were_typed(images: Path, tiny_backbone: Path, tmp_path: Path) -> None:
    """Given an empty class folder -> the error names the folder that was typed, not the link in the job's tree."""
    (images / "empty").mkdir()
    words = command(Path("images"), tiny_backbone, "train_only_top_layer=True")
    with pseudo_terminal.running(words, columns=200, cwd=tmp_path) as terminal:
        assert terminal.exit_code() == 1
        assert "empty" in terminal.text
        assert "input/data" not in terminal.text


@pytest.mark.every
def test_pipe_gets_the_log_as_it_is(images: Path, tiny_backbone: Path, tmp_path: Path) -> None:
    """Given a pipe -> the job's lines with paths as they were typed, and the closing lines in plain text."""
    words = command(images, tiny_backbone, "epochs=1", "train_only_top_layer=True")
    with pseudo_terminal.running(["sh", "-c", '"$@" | cat', "sh", *words], cwd=tmp_path) as terminal:
        assert terminal.exit_code() == 0
        shown = terminal.text.splitlines()
        assert "\x1b" not in terminal.raw
    log = (tmp_path / "job" / "job.log").read_text().replace(f"{tmp_path}/job/", "job/").splitlines()
    # The closing lines repeat the verdict.
    assert [line for line in shown if line in log][: len(log)] == log
    assert any(line.startswith("Validation accuracy ") for line in shown)


@pytest.mark.every
def test_signal_to_the_command_alone_is_passed_on(images: Path, tiny_backbone: Path, tmp_path: Path) -> None:
    """Given SIGTERM to the command, as from a supervisor -> the job stops and saves."""
    with pseudo_terminal.running(command(images, tiny_backbone, *LONG), cwd=tmp_path) as terminal:
        terminal.wait_for("Epoch ")
        children = Path(f"/proc/{terminal.process.pid}/task/{terminal.process.pid}/children").read_text().split()
        os.kill(int(children[0]), signal.SIGTERM)
        assert terminal.exit_code() == 0, terminal.text
    assert state(tmp_path)["state"] == "stopped"

"""The finished folder, asked by a new process and compared with what training saw."""

import os
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from image_classifier.class_folders.storage import Storage
from image_classifier.contract.errors import AlgorithmError
from image_classifier.inference.predictor import Predictor
from image_classifier.training.data import validation_sample
from image_classifier.training.data.splits import DataSplits
from image_classifier.training.data.validation_sample import ValidationSample
from image_classifier.training.export import verification
from image_classifier.training.export.child_process import Child, ChildKilled, Interrupted
from image_classifier.training.export.finished_model import BytesPredictions
from image_classifier.training.export.verification import NothingToCompare
from image_classifier.training.stopping import StopSignal
from tests.unit.inference import colours
from tests.unit.training import small


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A classifier of colours that TensorFlow serves."""
    return colours.saved_once(tmp_path_factory)


@pytest.fixture
def asked(folder: Path, tmp_path: Path, read_data: Callable[..., DataSplits]) -> ValidationSample:
    """Fifteen validation images with the answers that the classifier gives in this process."""
    examples = read_data(small.write_images(tmp_path / "data")).validation.examples
    predictions = Predictor.load(folder).predict([example.path.read_bytes() for example in examples])
    return validation_sample.choose(examples, np.array([found.probabilities for found in predictions], np.float32), 1)


def answers(asked: ValidationSample, rows: Any = None) -> BytesPredictions:
    """Return what training expects as the answers of the bytes signature, of all rows or of some."""
    chosen = np.arange(len(asked.paths)) if rows is None else rows
    return BytesPredictions(chosen, asked.expected[chosen], 0)


def test_equal_model_is_verified(
    folder: Path, asked: ValidationSample, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The folder as it was exported -> no other answer, both accuracies and the twin's difference are said."""
    result = verification.verify(folder, asked, answers(asked, np.arange(0, 15, 2)), tmp_path / "work", StopSignal())
    assert (result.other_answers, result.engine, result.images, result.twin_images) == (0, "tensorflow", 15, 8)
    assert result.served_accuracy == result.training_accuracy
    assert result.largest_difference < 1e-5
    assert result.twin_largest_difference is not None
    assert result.twin_largest_difference < 1e-5
    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith("Verification: a fresh process classified 15 validation images with tensorflow")
    assert said[1].startswith("Bytes signature on 8 of them: median difference 0.000000")


def test_other_answers_fail_the_job(
    tmp_path_factory: pytest.TempPathFactory, asked: ValidationSample, tmp_path: Path
) -> None:
    """A model that answers another class than training did -> the job fails and says how often."""
    # OpenVINO, by which most models are verified, starts in a third of the time.
    folder = colours.converted_once(tmp_path_factory)
    other = replace(asked, expected=np.roll(asked.expected, 1, axis=1))
    with pytest.raises(
        AlgorithmError, match=r"classifies 15 of 15 validation images differently from the model in tra"
    ):
        verification.verify(folder, other, answers(asked), tmp_path / "work", StopSignal())


def test_folder_that_cannot_be_loaded_fails_the_job(asked: ValidationSample, tmp_path: Path) -> None:
    """A folder without its graph -> the job fails with the reason, which is not a trace."""
    broken = colours.save(tmp_path / "broken")
    (broken / "1" / "saved_model.pb").unlink()
    with pytest.raises(AlgorithmError, match=r"cannot be loaded and run by a new process: .* contains no SavedModel"):
        verification.verify(broken, asked, answers(asked), tmp_path / "work", StopSignal())


def test_told_to_stop_while_verifying(folder: Path, asked: ValidationSample, tmp_path: Path) -> None:
    """No time is left -> Interrupted, which is not a failure."""
    stop = StopSignal()
    stop.set()
    with pytest.raises(Interrupted):
        verification.verify(folder, asked, answers(asked), tmp_path / "work", stop)


def test_killed_process_is_told_apart(
    folder: Path, asked: ValidationSample, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process is killed, as when memory runs out -> ChildKilled: nothing is known against the model."""
    wait = Child.wait

    def kill_first(child: Child, stop: StopSignal) -> None:
        os.kill(child._process.pid, signal.SIGKILL)
        wait(child, stop)

    monkeypatch.setattr(Child, "wait", kill_first)
    with pytest.raises(ChildKilled, match="SIGKILL"):
        verification.verify(folder, asked, answers(asked), tmp_path / "work", StopSignal())


def test_comparison_counts_close_answers_apart() -> None:
    """Another top-1 where the two best lie within twice the tolerance -> close; where they are far apart -> other."""
    expected = np.array([[0.5005, 0.4995], [0.9, 0.1], [0.3, 0.7]], np.float32)
    served = np.array([[0.4995, 0.5005], [0.4, 0.6], [0.3, 0.7]], np.float32)
    asked = ValidationSample((Path(), Path(), Path()), np.array([0, 0, 1]), expected)
    twin = BytesPredictions(np.array([0, 2]), served[[0, 2]], 1)
    result = verification.compare("tensorflow", asked, np.arange(3), served, twin)
    assert (result.close_answers, result.other_answers) == (1, 1)
    assert result.training_accuracy == 1.0
    assert result.served_accuracy == pytest.approx(1 / 3)
    assert result.largest_difference == pytest.approx(0.5)
    assert (result.twin_images, result.twin_largest_difference, result.twin_same_answer) == (2, 0.0, 1.0)
    assert result.twin_left_out == 1


def test_comparison_without_any_image_that_tensorflow_decodes() -> None:
    """Every image of the twin left out -> counted, and its differences are None, not numbers."""
    served = np.array([[0.9, 0.1]], np.float32)
    asked = ValidationSample((Path(),), np.array([0]), served)
    none = BytesPredictions(np.empty(0, np.int64), np.empty((0, 2), np.float32), 1)
    result = verification.compare("tensorflow", asked, np.arange(1), served, none)
    assert (result.twin_images, result.twin_left_out, result.twin_median_difference) == (0, 1, None)


@pytest.mark.every
@pytest.mark.parametrize("change", ["emptied", "overwritten"])
def test_image_that_changed_after_training_is_left_out(
    folder: Path, asked: ValidationSample, tmp_path: Path, capsys: pytest.CaptureFixture[str], change: str
) -> None:
    """A validation file emptied or overwritten after training -> left out and counted; the others are compared."""
    twin = answers(asked)
    if change == "emptied":
        asked.paths[3].write_bytes(b"")
    else:
        asked.paths[3].write_text("no image")
    result = verification.verify(folder, asked, twin, tmp_path / "work", StopSignal())
    assert (result.images, result.unread, result.other_answers, result.twin_images) == (14, 1, 0, 14)
    assert "1 images could not be read again" in capsys.readouterr().out


@pytest.mark.every
def test_nothing_left_to_compare_is_said(folder: Path, asked: ValidationSample, tmp_path: Path) -> None:
    """Every validation file overwritten after training -> NothingToCompare, which ends no job."""
    twin = answers(asked)
    for path in asked.paths:
        path.write_text("no image")
    with pytest.raises(NothingToCompare, match="none of its validation images"):
        verification.verify(folder, asked, twin, tmp_path / "work", StopSignal())


def test_sample_is_seeded_bounded_and_keeps_its_answers(tmp_path: Path, read_data: Callable[..., DataSplits]) -> None:
    """1,200 examples -> 1,000 different ones, the same for the same seed, each with its own answer."""
    few = read_data(small.write_images(tmp_path / "data")).training.examples
    many = [replace(few[0], path=Path(str(number))) for number in range(1200)]
    answers = np.arange(1200, dtype=np.float32)[:, np.newaxis]
    first, again, other = (validation_sample.choose(many, answers, seed) for seed in (1, 1, 2))
    assert len(set(first.paths)) == 1000
    assert first.paths == again.paths != other.paths
    assert [float(path.name) for path in first.paths] == first.expected[:, 0].tolist()


def test_files_that_vanished_are_left_out_of_a_sample(tmp_path: Path, read_data: Callable[..., DataSplits]) -> None:
    """Two of fifteen files deleted -> the other thirteen with their own labels and answers."""
    examples = read_data(small.write_images(tmp_path / "data")).validation.examples
    whole = validation_sample.choose(examples, np.arange(15, dtype=np.float32)[:, np.newaxis], 1)
    for row in (2, 14):
        whole.paths[row].unlink()
    left = whole.readable(Storage(pauses=()))
    assert left.expected[:, 0].tolist() == [row for row in range(15) if row not in (2, 14)]
    assert left.paths == tuple(path for path in whole.paths if path.exists())


def test_few_are_spread_over_all_classes() -> None:
    """Four of ten images in the order of their classes -> from the first to the last; of two no more than two."""
    ten = ValidationSample(tuple(map(Path, "abcdefghij")), np.arange(10), np.zeros((10, 1), np.float32))
    assert ten.evenly_spaced(4).tolist() == [0, 3, 6, 9]
    assert ten.rows(np.array([2, 7])).labels.tolist() == [2, 7]
    assert len(ten.rows(np.array([2, 7])).evenly_spaced(4)) == 2

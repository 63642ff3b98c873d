"""scripts/drift: what it prints, its exit code, and the folder that it writes."""

import json
import shutil
from pathlib import Path

import pytest

from image_classifier.cli import drift
from image_classifier.evaluation.drift import baseline
from tests.support import captured, monitored


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model folder with a drift baseline."""
    folder = tmp_path_factory.mktemp("model")
    baseline.write(folder, monitored.known())
    return folder


def test_production_like_the_baseline_exits_with_zero(
    tmp_path: Path, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Given captured images like the baseline's, and a corrupt line -> a table, the verdict, 0; the line is counted."""
    captured.write(tmp_path, [*monitored.lines(1, 120), "{"])
    assert drift.main([str(tmp_path), str(model)]) == 0
    text = capsys.readouterr().out
    assert text.splitlines()[0].split() == ["feature", "result", "change", "size", "threshold", "p", "test"]
    assert "drifted" not in text
    assert "Of 121 captured lines: 1 corrupt lines." in text
    assert text.splitlines()[-1].startswith("Production looks like the training data.")


def test_darker_production_exits_with_two_and_writes_a_report(
    tmp_path: Path, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Given brightness x 0.6 and --output -> exit code 2, brightness in the table as drifted, and both files."""
    captured.write(tmp_path / "captured", monitored.lines(2, 120, 0.6))
    output = tmp_path / "report"
    words = [str(tmp_path / "captured"), str(model), "--output", str(output)]
    assert drift.main(words) == 2
    text = capsys.readouterr().out
    assert any(line.split()[:2] == ["brightness", "drifted"] for line in text.splitlines())
    assert f"Report: {output / 'drift.html'}" in text
    assert json.loads((output / "drift.json").read_text())["drifted"] is True
    assert drift.main(words) == 2, "its own folder is written again"


def test_folder_of_a_local_job_stands_for_its_model(
    tmp_path: Path, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Given the folder of a job that scripts/train-locally made -> compared with the baseline of its model."""
    captured.write(tmp_path / "captured", monitored.lines(2, 120, 0.6))
    job = tmp_path / "job"
    (job / "input").mkdir(parents=True)
    shutil.copytree(model, job / "model")
    assert drift.main([str(tmp_path / "captured"), str(job)]) == 2
    assert "brightness" in capsys.readouterr().out


def test_folder_of_others_is_left_alone(tmp_path: Path, model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Given --output with files of others -> exit code 1, a sentence, and nothing written."""
    captured.write(tmp_path / "captured", monitored.lines(1, 60))
    output = tmp_path / "photos"
    output.mkdir()
    (output / "drift.html").write_text("mine")
    assert drift.main([str(tmp_path / "captured"), str(model), "--output", str(output)]) == 1
    assert "holds files of others" in capsys.readouterr().err
    assert [path.read_text() for path in output.iterdir()] == ["mine"]
    # Before anything is read: the captured lines need not exist.
    assert drift.main([str(tmp_path / "nothing"), str(model), "--output", str(output)]) == 1
    assert "holds files of others" in capsys.readouterr().err


def test_period_is_chosen_by_its_times(tmp_path: Path, model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Given --start after every request -> nothing is compared, which the verdict says; a wrong time is rejected."""
    captured.write(tmp_path, monitored.lines(2, 60, 0.6))
    assert drift.main([str(tmp_path), str(model), "--start", "2026-12-01"]) == 0
    assert "It is unknown whether production is different." in capsys.readouterr().out
    with pytest.raises(SystemExit):
        drift.main([str(tmp_path), str(model), "--start", "noon"])
    assert "'noon' is not a time" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("lines", "given", "words"),
    [(True, "none", "does not exist. Give a model folder"), (False, "", "no captured lines")],
)
def test_missing_input_is_one_sentence(
    tmp_path: Path, model: Path, capsys: pytest.CaptureFixture[str], lines: bool, given: str, words: str
) -> None:
    """Given a path where nothing is -> exit code 1 and one sentence that names it."""
    if lines:
        captured.write(tmp_path / "captured", [])
    assert drift.main([str(tmp_path / "captured"), str(tmp_path / given if given else model)]) == 1
    assert words in capsys.readouterr().err


def test_file_that_is_no_capture_is_named(tmp_path: Path, model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Given a text in the place of captured lines -> exit code 1 and what is expected, not "capture more requests"."""
    (tmp_path / "notes.txt").write_text("one\ntwo\n")
    assert drift.main([str(tmp_path / "notes.txt"), str(model)]) == 1
    said = capsys.readouterr()
    assert "notes.txt has no captured request: none of its 2 lines is one. Give the .jsonl files" in said.err
    assert said.out == ""

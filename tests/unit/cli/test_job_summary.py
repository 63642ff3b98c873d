"""The summary of a finished or stopped job, read from its files."""

import json
from pathlib import Path
from typing import Any

import pytest

from image_classifier.cli.terminal import job_summary, typed_paths
from image_classifier.contract.errors import AlgorithmError
from image_classifier.contract.opt_ml import OptMl
from image_classifier.runners import job_result

ANSWERS = ("cat,cat", "cat,cat", "cat,dog", "dog,dog", "fox,cat", "fox,fox")
STOPPED = {"left_out": "the job was stopped before it: SIGTERM"}


@pytest.fixture
def tree(tmp_path: Path) -> OptMl:
    """A finished job of 3 epochs whose validation part has 6 images of 3 classes."""
    found = OptMl(tmp_path)
    for folder in (found.model_dir, found.output_data_dir):
        folder.mkdir(parents=True)
    write(found)
    rows = [f"{number}.jpg,{pair},0.9" for number, pair in enumerate(ANSWERS)]
    (found.output_data_dir / "predictions.csv").write_text("\n".join(["file,label,predicted,probability", *rows]))
    return found


def write(tree: OptMl, metrics: dict[str, Any] | None = None, **info: Any) -> None:
    """Write the metrics and the model info, with some entries of their own."""
    found = {"epochs": 3, "best_epoch": 2, "val_accuracy": 4 / 6, **(metrics or {})}
    (tree.output_data_dir / "metrics.json").write_text(json.dumps(found))
    described = {"hyperparameters": {"epochs": 9}, "openvino": {}, "verification": {}, **info}
    (tree.model_dir / "__model_info__.json").write_text(json.dumps(described))


def text(tree: OptMl) -> str:
    """Return the closing lines."""
    return "\n".join(job_summary.lines(job_result.read(tree), 61.4, "run/job"))


def test_accuracy_is_compared_and_the_weakest_class_named(tree: OptMl) -> None:
    """Given six answers -> accuracy beside the largest class, the class with the lowest recall, the next commands."""
    shown = text(tree)
    assert "Validation accuracy 0.6667 on 6 images; always answering cat: 0.5000" in shown
    assert "Weakest class: fox, 1 of 2 images right (0.5000)" in shown
    assert "Took 61 s. Model: run/job/model" in shown
    assert "  scripts/serve-locally run/job" in job_summary.next_commands("run/job")
    assert "planned" not in shown


def test_test_channel_comes_first(tree: OptMl) -> None:
    """Given a test channel -> its accuracy is the first line."""
    write(tree, {"test_accuracy": 0.75})
    assert text(tree).splitlines()[0] == "Test accuracy 0.7500"


def test_stopped_job_says_what_is_missing(tree: OptMl) -> None:
    """Given a job that was stopped -> the saved epoch, the command that resumes, the omitted artefacts."""
    write(tree, openvino=STOPPED, verification=STOPPED)
    assert job_result.read(tree).was_stopped
    shown = text(tree)
    assert "Saved epoch 2, the best of 3; 9 were planned. The same command with --output run/job resumes" in shown
    assert "The OpenVINO network and the verification by a fresh process were left out; scripts/convert-model" in shown


def test_stopped_recipe_says_what_it_had_finished(tree: OptMl) -> None:
    """Given a recipe that was stopped during its fine-tuning -> the head was saved; no epochs were planned."""
    write(tree, {"recipe": {"chosen": "head"}}, openvino=STOPPED, verification=STOPPED)
    shown = text(tree)
    assert "Saved the best that the recipe had finished: the head. The same command with --output run/job" in shown
    assert "planned" not in shown


def test_network_that_does_not_convert_is_not_a_stop(tree: OptMl) -> None:
    """Given a network that OpenVINO cannot run -> left out, and the job counts as finished."""
    write(tree, openvino={"left_out": "an operation is not supported"})
    assert not job_result.read(tree).was_stopped
    assert "The OpenVINO network was left out" in text(tree)


def test_incomplete_reports_are_said(tree: OptMl) -> None:
    """Given no predictions -> a sentence that names the folder."""
    (tree.output_data_dir / "predictions.csv").write_text("file,label,predicted,probability\n")
    with pytest.raises(AlgorithmError, match="are incomplete"):
        job_result.read(tree)


def test_longest_path_is_restored_first() -> None:
    """Given a path that begins with another -> each is replaced by its typed path."""
    typed = {"/t/job": "job", "/t/job/input/data/training": "photos"}
    assert typed_paths.restore("/t/job/input/data/training/a in /t/job/model", typed) == "photos/a in job/model"


def test_marks_before_names_are_undone(tree: OptMl) -> None:
    """Given a class whose name the report marks with an apostrophe -> named without it."""
    rows = ["1.jpg,'+plus,cat,0.9", "2.jpg,cat,cat,0.9"]
    (tree.output_data_dir / "predictions.csv").write_text("\n".join(["file,label,predicted,probability", *rows]))
    assert "Weakest class: +plus, 0 of 1 images right" in text(tree)

"""`container/train` as SageMaker starts it: a process on a folder tree."""

import csv
import json
import re
import tarfile
from pathlib import Path
from typing import Any

import pytest

from image_classifier.contract import metrics as declared
from tests.platform.training_process import COLOURS, FinishedJob, failure, link_backbone, make_tree, run_train
from tests.support.made_once import made_once


def test_five_mistakes_make_one_message(tmp_path: Path) -> None:
    """Five wrong hyperparameters -> exit 1 and one failure message that names all five; no data was there yet."""
    wrong = {
        "epochs": "zero",
        "learning_rate": "7",
        "optimizer": "adamw",
        "batch_sise": "32",
        "dropout_rate": "1.0",
    }
    config = tmp_path / "input" / "config"
    config.mkdir(parents=True)
    (config / "hyperparameters.json").write_text(json.dumps(wrong))
    done = run_train(tmp_path)
    assert done.returncode == 1
    message = failure(tmp_path)
    assert message.startswith("UserError: ")
    assert all(name in message for name in wrong)
    assert "batch_size" in message
    assert message.strip() in done.stderr


@pytest.mark.parametrize(
    ("break_tree", "message"),
    [
        (lambda tree: (tree / "input/data/training").rename(tree / "elsewhere"), "training channel is missing"),
        (lambda tree: (tree / "input/data/training/red").rename(tree / "elsewhere"), "has one class, blue"),
        (lambda tree: (tree / "input/data/training/green").mkdir(), "classes without an image: green"),
        (lambda tree: None, "No backbone to train on"),
        (lambda tree: (tree / "input/config/hyperparameters.json").write_text("{"), "is not valid JSON"),
    ],
    ids=["no channel", "one class", "empty class", "no backbone", "broken JSON"],
)
def test_unusable_input_fails_before_tensorflow_is_loaded(tmp_path: Path, break_tree: Any, message: str) -> None:
    """Each unusable input -> exit 1, the sentence first in the failure file, no traceback, no model."""
    tree = make_tree(tmp_path, COLOURS, count=2)
    break_tree(tree)
    done = run_train(tree, MODEL_HUB_DIR=str(tmp_path / "no-hub"))
    assert done.returncode == 1
    assert failure(tree).startswith("UserError: ")
    assert message in failure(tree)
    assert "Traceback" not in done.stderr
    assert not (tree / "model").exists()


def test_train_leaves_everything_the_platform_collects(finished_job: FinishedJob) -> None:
    """A small job with a corrupt image -> exit 0, artefact, labels, model info, four reports, the log's lines."""
    tree = finished_job.tree
    # The features, which a restart would have needed, are gone.
    assert {path.name.split("-")[0] for path in (tree / "checkpoints").iterdir()} == {"checkpoint"}
    assert not (tree / "output" / "failure").exists()
    assert (tree / "model" / "1" / "saved_model.pb").is_file()
    assert json.loads((tree / "model/labels_info.json").read_text()) == {"labels": ["blue", "red"]}
    assert json.loads((tree / "model/class_label_to_prediction_index.json").read_text()) == {"blue": 0, "red": 1}
    info = json.loads((tree / "model/__model_info__.json").read_text())
    assert info["finetuned"] is True
    assert info["verified"] is True
    assert info["image_size"] == [32, 40]
    assert info["hyperparameter_sources"]["epochs"] == "given"
    metrics = json.loads((tree / "output/data/metrics.json").read_text())
    assert metrics["skipped"] == 1
    assert metrics["verification"]["other_answers"] == 0
    with (tree / "output/data/predictions.csv").open() as file:
        rows = list(csv.DictReader(file))
    right = sum(row["label"] == row["predicted"] for row in rows) / len(rows)
    assert right == pytest.approx(metrics["val_accuracy"])
    assert "00.jpg" in (tree / "output/data/skipped.csv").read_text()
    assert len((tree / "output/data/history.csv").read_text().splitlines()) == 5
    lines = finished_job.log.splitlines()
    assert sum(line.startswith(("1/1 - ", "2/2 - ")) for line in lines) == 4
    assert any("learning_rate" in line and "given" in line for line in lines)


def test_metric_regexes_read_the_log_as_the_platform_does(finished_job: FinishedJob) -> None:
    """The declared regexes applied to a job's log, last match taken -> the numbers of metrics.json."""
    log = finished_job.log
    written = json.loads((finished_job.tree / "output/data/metrics.json").read_text())
    both_names = {"validation:accuracy": "val_accuracy", "tflow-ic:val-accuracy": "val_accuracy"}
    read = {
        both_names.get(definition["Name"], definition["Name"].removeprefix("train_")): float(found[-1])
        for definition in declared.definitions()
        if (found := re.findall(definition["Regex"], log))
    }
    names = ("loss", "accuracy", "val_loss", "val_accuracy")
    assert {name: read[name] for name in names} == pytest.approx({name: written[name] for name in names}, abs=1e-4)


@pytest.mark.every
def test_damaged_images_beyond_the_limit_fail_the_job(tmp_path: Path, tiny_backbone: Path) -> None:
    """A quarter of the images unreadable -> exit 1 with the count and the limit, no model."""
    tree = make_tree(tmp_path, COLOURS, train_only_top_layer="True")
    for index in range(6):
        (tree / f"input/data/training/red/{index:02}.jpg").write_bytes(b"\xff\xd8\xff broken")
    link_backbone(tree, tiny_backbone)
    assert run_train(tree).returncode == 1
    assert "6 of 24 images could not be read, more than max_bad_fraction=0.1" in failure(tree)
    assert not (tree / "model" / "1").exists()


@pytest.fixture(scope="module")
def binary_job(tmp_path_factory: pytest.TempPathFactory, tiny_backbone: Path) -> FinishedJob:
    """A job in binary mode with a test channel, and a backbone that is named by model_id instead of a channel."""

    def make(folder: Path) -> None:
        settings: dict[str, Any] = {"binary_mode": "True", "eval_metric": "auc", "epochs": "3", "batch_size": "8"}
        tree = make_tree(folder / "tree", COLOURS, train_only_top_layer="True", model_id="tiny", **settings)
        make_tree(folder / "other", COLOURS, count=3)
        (folder / "other/input/data/training").rename(tree / "input/data/test")
        (folder / "hub").mkdir()
        (folder / "hub" / "tiny.tar.gz").symlink_to(tiny_backbone)
        done = run_train(tree, MODEL_HUB_DIR=str(folder / "hub"))
        assert done.returncode == 0, done.stderr
        (folder / "log").write_text(done.stdout, encoding="utf-8")

    return FinishedJob(made_once(tmp_path_factory, "binary-job", make))


@pytest.mark.every
def test_binary_mode_with_test_channel(binary_job: FinishedJob) -> None:
    """Binary mode with a test channel -> one sigmoid output, the binary metrics and the test lines."""
    metrics = json.loads((binary_job.tree / "output/data/metrics.json").read_text())
    assert {"val_auc", "val_precision", "val_true_positives", "test_accuracy"} <= set(metrics)
    assert "- Test accuracy: " in binary_job.log
    assert json.loads((binary_job.tree / "model/__model_info__.json").read_text())["binary_mode"] is True


@pytest.mark.every
def test_staged_model_id_needs_no_model_channel(binary_job: FinishedJob) -> None:
    """A backbone staged under the hub folder and named by model_id -> trained on, without a model channel."""
    assert not (binary_job.tree / "input/data/model").exists()
    assert (binary_job.tree / "model/1/saved_model.pb").is_file()


def test_hostile_model_archive_is_rejected(tmp_path: Path) -> None:
    """A model archive with a member outside its folder -> exit 1, rejected by name."""
    tree = make_tree(tmp_path, COLOURS, count=2)
    channel = tree / "input" / "data" / "model"
    channel.mkdir()
    with tarfile.open(channel / "model.tar.gz", "w:gz") as tar:
        tar.add(__file__, arcname="../escaped.py")
    assert run_train(tree).returncode == 1
    assert "points outside the folder" in failure(tree)
    assert not (channel.parent / "escaped.py").exists()

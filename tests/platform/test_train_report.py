"""A job's report: planted faults that it finds, and a report that fails or finds no time without costing the job."""

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from image_classifier.console.judging import refit, results
from image_classifier.console.judging.corrections import Corrections
from image_classifier.evaluation import archive
from tests.platform.training_process import COLOURS, FinishedJob, link_backbone, make_tree, run_train
from tests.support import schemas
from tests.support.made_once import made_once
from tests.support.representatives import some_of

FLIPPED = ("007.png", "018.png", "031.png")
"""Red images among the blue ones."""
LEAKED = "training/red/003.png", "validation/red/leaked.png"
SETTINGS: dict[str, Any] = {"train_only_top_layer": "True", "epochs": "30", "learning_rate": "0.05", "batch_size": "16"}


def write_images(folder: Path, count: int, seed: int) -> None:
    """Write textures of two colours: no two images are alike, and every pixel tells the class."""
    noise = np.random.default_rng(seed)
    for name, colour in COLOURS.items():
        (folder / name).mkdir(parents=True)
        for index in range(count):
            coarse = noise.normal(0, 40, (10, 12, 3)).repeat(4, axis=0).repeat(4, axis=1)
            pixels = np.clip(np.array(colour) + coarse, 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{index:03}.png")


def lay_out(tree: Path, backbone: Path, plant: bool) -> Path:
    """Lay out a job with a validation channel; plant three flipped labels and one leak, or nothing."""
    make_tree(tree, {}, **SETTINGS, report="True", tensorboard="True")
    write_images(tree / "input/data/training", 40, seed=1)
    write_images(tree / "input/data/validation", 20, seed=2)
    link_backbone(tree, backbone)
    if plant:
        training = tree / "input/data/training"
        for name in FLIPPED:
            (training / "red" / name).rename(training / "blue" / f"flipped-{name}")
        shutil.copy(tree / "input/data" / LEAKED[0], tree / "input/data" / LEAKED[1])
    return tree


def run(folder: Path, backbone: Path, plant: bool) -> None:
    """Run the job and keep its log."""
    tree = lay_out(folder / "tree", backbone, plant)
    done = run_train(tree)
    assert done.returncode == 0, done.stderr
    (folder / "log").write_text(done.stdout, encoding="utf-8")
    (folder / "errors").write_text(done.stderr, encoding="utf-8")


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory, tiny_backbone: Path) -> FinishedJob:
    """Run the job with planted faults; to be left as it is."""
    return FinishedJob(made_once(tmp_path_factory, "report-planted", lambda folder: run(folder, tiny_backbone, True)))


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory, tiny_backbone: Path) -> FinishedJob:
    """Run the same job without; to be left as it is."""
    return FinishedJob(made_once(tmp_path_factory, "report-clean", lambda folder: run(folder, tiny_backbone, False)))


def issues(job: FinishedJob, *kinds: str) -> set[str]:
    """Return the files of issues.csv of some kinds."""
    with (job.tree / "output/data/issues.csv").open() as file:
        return {row["file"] for row in csv.DictReader(file) if row["kind"] in kinds}


@pytest.mark.every
def test_flipped_labels_and_the_leak_are_found(planted: FinishedJob) -> None:
    """Three labels flipped and one image leaked -> exactly these in issues.csv, and named in report.html."""
    found = issues(planted, "label")
    assert found == {f"training/blue/flipped-{name}" for name in FLIPPED}
    assert issues(planted, "leak") & set(LEAKED)
    assert issues(planted, "leak") <= set(LEAKED)
    page = (planted.tree / "output/data/report.html").read_text()
    assert all(name in page for name in FLIPPED)
    assert "leaked.png" in page


@pytest.mark.every
def test_nothing_is_found_where_nothing_is_planted(clean: FinishedJob) -> None:
    """The same images with their own labels and no copies -> no label issue, no duplicate, no leak."""
    assert issues(clean, "label", "leak", "duplicate", "contradiction") == set()


@pytest.mark.every
def test_score_is_that_of_the_metrics(clean: FinishedJob) -> None:
    """evaluation.json -> the validation images, and the accuracy of metrics.json; the verdict is in both places."""
    folder = clean.tree / "output/data"
    metrics = json.loads((folder / "metrics.json").read_text())
    found = json.loads((folder / "evaluation.json").read_text())["binary_classification_metrics"]
    assert found["accuracy"]["value"] == pytest.approx(metrics["val_accuracy"])
    assert sum(sum(row.values()) for row in found["confusion_matrix"].values()) == 40
    assert metrics["verdict"] in clean.log


def test_result_opens_again_with_the_same_score(finished_job: FinishedJob) -> None:
    """evidence.npz of a job -> the score of its metrics, and the features of its images."""
    result = results.open_job(finished_job.tree)
    metrics = json.loads((finished_job.tree / "output/data/metrics.json").read_text())
    assert result.opened.evaluation.score.accuracy.value == pytest.approx(metrics["val_accuracy"])
    assert result.opened.has_features


@pytest.mark.every
def test_head_can_be_fitted_on_corrected_labels(planted: FinishedJob) -> None:
    """evidence.npz of the planted job -> a head on the flipped labels' true classes."""
    result = results.open_job(planted.tree)
    evidence = result.opened.evaluation.evidence
    training = evidence.training
    assert training is not None
    rows = [row for row, file in enumerate(training.files) if "flipped" in file]
    right = {row: evidence.class_names.index("red") for row in rows}
    before = refit.prepare(evidence, lambda split: archive.features(result.file, split))
    found = refit.measure(evidence, before, Corrections(evidence.class_names, {"training": right}))
    assert (found.training_changed, found.images) == (len(FLIPPED), len(training))
    assert found.after.count >= found.before.count


@pytest.mark.parametrize("name", some_of(("finished_job", "planted", "clean"), {"finished_job"}))
def test_machine_readable_files_follow_the_documented_schemas(request: pytest.FixtureRequest, name: str) -> None:
    """A job with faults, and others without -> evaluation.json and model_card.json as SageMaker documents them."""
    job: FinishedJob = request.getfixturevalue(name)
    folder = job.tree / "output/data"
    schemas.validate(json.loads((folder / "evaluation.json").read_text()), "model_quality")
    card = json.loads((folder / "model_card.json").read_text())
    schemas.validate(card, "model_card")
    details = card["training_details"]["training_job_details"]
    given = json.loads((job.tree / "input/config/hyperparameters.json").read_text())
    assert {"name": "epochs", "value": given["epochs"]} in details["user_provided_hyper_parameters"]
    assert "val_accuracy" in {metric["name"] for metric in details["user_provided_training_metrics"]}


@pytest.mark.every
def test_artefact_carries_what_scores_images_and_drift(clean: FinishedJob) -> None:
    """A head on features -> both arrays beside the model; the log names the report and nothing else goes wrong."""
    assert (clean.tree / "model/familiarity.npz").stat().st_size <= 1_500_000
    assert (clean.tree / "model/drift_baseline.npz").is_file()
    assert "Report: " in clean.log
    assert "WARNING" not in clean.log
    assert clean.errors == ""
    assert {path.name for path in (clean.tree / "output/tensorboard").iterdir()} == {"train", "validation"}


@pytest.mark.every
def test_model_is_the_same_with_and_without_a_report(clean: FinishedJob, tmp_path: Path, tiny_backbone: Path) -> None:
    """report=False -> no report, no arrays, and the predictions of the same job with one."""
    tree = lay_out(tmp_path, tiny_backbone, plant=False)
    (tree / "input/config/hyperparameters.json").write_text(json.dumps({**SETTINGS, "report": "False"}))
    assert run_train(tree).returncode == 0
    assert not list(tree.rglob("report.html"))
    assert not list((tree / "model").glob("*.npz"))
    predictions = [folder / "output/data/predictions.csv" for folder in (tree, clean.tree)]
    assert predictions[0].read_bytes() == predictions[1].read_bytes()


@pytest.mark.every
def test_report_that_fails_does_not_fail_the_job(tmp_path: Path, tiny_backbone: Path) -> None:
    """A folder in the place of report.html -> exit 0, one warning, a verified model and the CSV files."""
    tree = lay_out(tmp_path, tiny_backbone, plant=False)
    (tree / "output/data/report.html/mine").mkdir(parents=True)
    done = run_train(tree)
    assert done.returncode == 0, done.stderr
    [warning] = [line for line in done.stdout.splitlines() if line.startswith("WARNING")]
    assert warning.startswith("WARNING: No report: IsADirectoryError: ")
    assert json.loads((tree / "model/__model_info__.json").read_text())["verified"]
    assert (tree / "output/data/predictions.csv").is_file()
    assert (tree / "output/data/report.html/mine").is_dir()

"""What a model registry gets: figures of an evaluation, a model card in its schema, and the verb `gate`."""

import json
from pathlib import Path
from typing import Any

import pytest

from image_classifier import archives
from image_classifier.contract.errors import UserError
from image_classifier.contract.payload_types import REQUEST_TYPES, RESPONSE_TYPES
from image_classifier.evaluation import model_card
from image_classifier.registration import figures, job, package_card
from image_classifier.serving.formats import codecs, response_formats
from tests.support import registered, schemas
from tests.support.evaluations import evaluation


@pytest.fixture
def opt_ml(tmp_path: Path) -> Path:
    """The folders of a Processing job with the two archives of a training job as inputs."""
    base = tmp_path / "opt-ml"
    registered.write_model(tmp_path / "model")
    registered.write_report(tmp_path / "reports")
    for name, archive in (("model", "model.tar.gz"), ("reports", "output.tar.gz")):
        (base / "processing" / "input" / name).mkdir(parents=True)
        archives.pack(tmp_path / name, base / "processing" / "input" / name / archive)
    return base


def test_figures_are_those_of_the_confusion_matrix(tmp_path: Path) -> None:
    """Given an evaluation of 100 images, 96 right -> the accuracy, its Wilson interval, the margin and the verdict."""
    registered.write_report(tmp_path)
    found = figures.read(tmp_path)
    assert (found.accuracy.count, found.accuracy.total, found.constant) == (96, 100, 0.37)
    assert found.accuracy.interval.low == pytest.approx(0.9016, abs=1e-4)
    assert found.margin == pytest.approx(0.9016 - 0.37, abs=1e-4)
    assert found.verdict == "Good enough (96 %)."
    assert "Accuracy 0.9600, 95 % interval 0.9016 to 0.9843, on 100 images" in found.sentence


@pytest.mark.parametrize("content", ["{}", "[]", "no JSON", '{"binary_classification_metrics": {}}', None])
def test_what_is_no_evaluation_is_named(tmp_path: Path, content: str | None) -> None:
    """Given no file, or one of another form -> a sentence with its path."""
    if content is not None:
        (tmp_path / "evaluation.json").write_text(content)
    with pytest.raises(UserError, match=r"evaluation\.json"):
        figures.read(tmp_path)


def test_card_keeps_everything_in_the_registrys_schema(tmp_path: Path) -> None:
    """Given a job's model card -> an overview of the artefact alone, and what it said before among the details."""
    found = package_card.content(model_card.build(evaluation(tmp_path, 3)), "s3://bucket/model.tar.gz")
    schemas.validate(found, "model_card")
    assert found["model_overview"] == {"model_artifact": ["s3://bucket/model.tar.gz"]}
    assert found["additional_information"]["custom_details"]["problem_type"] == "Multiclass Classification"
    assert "\n" not in json.dumps(found)


def test_card_that_is_too_long_is_rejected(tmp_path: Path) -> None:
    """Given a card of more than 100,000 characters -> a sentence; without a card -> the empty text."""
    assert package_card.read(tmp_path, "s3://b/m") == ""
    (tmp_path / "model_card.json").write_text(json.dumps({"intended_uses": {"x": "x" * 100_000}}))
    with pytest.raises(UserError, match="SageMaker accepts 100,000"):
        package_card.read(tmp_path, "s3://b/m")


def test_gate_writes_what_condition_and_registry_read(opt_ml: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Given the archives of a job -> figures as numbers, its evaluation and card, and its drift baseline."""
    assert job.main({"SAGEMAKER_BASE_DIR": str(opt_ml)}) == 0
    output = opt_ml / "processing" / "output"
    assert sorted(path.name for path in output.iterdir()) == [
        *("constraints.json", "evaluation.json", "gate.json", "model_card.json", "statistics.json"),
    ]
    found: dict[str, Any] = json.loads((output / "gate.json").read_text())
    assert found["accuracy_low"] == pytest.approx(0.9016, abs=1e-4)
    assert found["margin_over_best_constant"] > 0
    assert found["has_openvino"] == 1
    assert json.loads((output / "evaluation.json").read_text()) == registered.EVALUATION
    assert capsys.readouterr().out.startswith("Accuracy 0.9600")


def test_gate_names_what_a_stopped_job_did_not_leave(opt_ml: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Given no archive of reports -> exit code 1 and a sentence that says what is expected."""
    (opt_ml / "processing" / "input" / "reports" / "output.tar.gz").unlink()
    assert job.main({"SAGEMAKER_BASE_DIR": str(opt_ml)}) == 1
    assert "has 0 archives; expected one" in capsys.readouterr().err


def test_registered_types_are_those_of_the_server() -> None:
    """Given the declared content and response types -> the server decodes and offers each of them."""
    assert set(REQUEST_TYPES) == set(codecs.DECODERS) - {"image/*"}
    for accept in RESPONSE_TYPES:
        assert response_formats.negotiate(accept).media_type == accept.partition(";")[0]

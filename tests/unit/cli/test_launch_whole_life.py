"""The whole life of a model by scripts/launch, over HTTP: from the upload to the deletion of all that it made.

The platform is moto's, and training is pretended; the model is real, and endpoints and batches answer with the server.
"""

import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto.sagemaker.models import HyperParameterTuningJob

from image_classifier.cli.launch import __main__ as launch
from image_classifier.cloud.sagemaker import calls
from image_classifier.cloud.sagemaker.calls import Call
from image_classifier.runners import experiment, sagemaker
from image_classifier.runners.job import State
from image_classifier.runners.sagemaker_job import process, record
from tests.support.aws import ACCOUNT
from tests.support.colour_jobs import Answers, finish, hosted_here, local_answers, write_inputs, write_model
from tests.support.golden_files import assert_golden
from tests.support.golden_requests import changing
from tests.support.permissions import recorded
from tests.support.pipeline_executions import JOB as JOB_OF_AN_EXECUTION
from tests.support.pipeline_executions import Execution
from tests.support.sagemaker_jobs import job_of, look
from tests.support.sagemaker_service import BUCKET, IMAGE, REGION, ROLE, SageMakerService

JOB = f"""\
name = "colours"
training = "photos"
model = "backbone.tar.gz"

[hyperparameters]
recipe = "builtin"
epochs = 3

[sagemaker]
image = "{IMAGE}"
role = "{ROLE}"
location = "s3://{BUCKET}/image-classifier"
"""
GOLDEN = Path(__file__).parent / "golden"
FOLDER, BEST = Path("run/colours"), Path("run/best")
ARNS = [f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:model-package/colours/{version}" for version in (1, 2)]
"""Of the version of the job, and of that of the pipeline."""
ENDPOINTS = {
    "now": ("--capture-percent", "10"),
    "rarely": ("--kind", "serverless"),
    "later": ("--kind", "asynchronous"),
}


@pytest.fixture
def service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SageMakerService]:
    """SageMaker on this machine; jobs are followed in this process."""
    monkeypatch.setattr(sagemaker, "_follow", lambda folder, lock: None)
    monkeypatch.setattr("image_classifier.cloud.sagemaker.tags.__version__", "1.2.3")
    with hosted_here(monkeypatch, tmp_path) as found:
        yield found


@pytest.fixture
def trained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The model that the jobs leave; the working folder has images of its classes, a backbone and a job.toml."""
    monkeypatch.chdir(tmp_path)
    write_inputs(tmp_path)
    Path("job.toml").write_text(JOB)
    return write_model(tmp_path / "trained")


def test_whole_life(
    service: SageMakerService, trained: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Given a job.toml -> each verb in turn does its part, all answers are the local ones, and nothing is left."""
    local = local_answers(trained)
    with recorded(monkeypatch) as recorder:
        train_through_an_interruption(service, trained, local, monkeypatch)
        search(service, trained, local, monkeypatch)
        assert local_answers(FOLDER / "model") == local
        capsys.readouterr()
        for name, kind in ENDPOINTS.items():
            deploy_and_invoke(name, kind, local, capsys)
        classify_a_folder(local)
        register_and_deploy(local, capsys)
        train_again_as_a_pipeline(service, trained, local, capsys)
        assert launch.main(["monitor", "now", str(FOLDER), "--scheduler-role", f"{ROLE}-of-the-scheduler"]) == 0
        delete(service, capsys)
    calls.validate([Call(*request, "") for request in recorder.requests])
    assert_golden(GOLDEN / "launch_whole_life.json", changing(recorder.requests))


def train_through_an_interruption(
    service: SageMakerService,
    trained: Path,
    local: Answers,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Train on spot instances: the first is taken away, and so is the process that follows the job."""
    assert launch.main(["train", "job.toml", "--output", str(FOLDER), "--detach"]) == 0
    asked_for = record.read(FOLDER)
    assert asked_for is not None
    process._create(FOLDER, asked_for)
    request = dict(service.requests)["CreateTrainingJob"]
    assert request["EnableManagedSpotTraining"] is True
    assert request["CheckpointConfig"]["S3Uri"].startswith(f"s3://{BUCKET}/image-classifier/")
    job = job_of(FOLDER)
    for secondary, state in (("Interrupted", State.STARTING), ("Training", State.RUNNING)):
        service.set_job(job, "InProgress", secondary)
        look(FOLDER, monkeypatch)
        assert sagemaker.status(FOLDER).state == state
    finish(job, service, trained, local)
    service.set_job(job, "Completed")
    process.run(FOLDER)
    assert launch.main(["status", str(FOLDER)]) == 0
    assert sagemaker.status(FOLDER).state == State.FINISHED
    assert (FOLDER / "output/data/report.html").read_text() == "<p>report</p>"
    assert service.operations().count("CreateTrainingJob") == 1


def search(
    service: SageMakerService,
    trained: Path,
    local: Answers,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Search; the best of its jobs is fetched with its report, as if it had been trained alone."""
    best: dict[str, Any] = {"TrainingJobName": "search-best", "TunedHyperParameters": {"learning_rate": "0.01"}}
    describe = HyperParameterTuningJob.describe

    def run(given: Mapping[str, Any]) -> None:
        # The platform's own jobs have no tags of this program.
        definition = {**given["TrainingJobDefinition"], "TrainingJobName": "search-best"}
        definition["HyperParameters"] = definition.pop("StaticHyperParameters")
        for name in ("HyperParameterRanges", "EnableManagedSpotTraining", "CheckpointConfig"):
            definition.pop(name, None)
        boto3.client("sagemaker").create_training_job(**definition)
        finish("search-best", service, trained, local)
        metric = {"MetricName": "validation:accuracy", "Value": 1.0}
        service.backend.tuned = [{**best, "FinalHyperParameterTuningJobObjectiveMetric": metric}]

    service.before["CreateHyperParameterTuningJob"] = run
    monkeypatch.setattr(HyperParameterTuningJob, "describe", lambda job: {**describe(job), "BestTrainingJob": best})
    assert launch.main(["tune", "job.toml", "--output", str(BEST), "--max-jobs", "3"]) == 0
    assert (BEST / "output/data/report.html").is_file()
    assert experiment.read(BEST / experiment.FILE).hyperparameters["learning_rate"] == "0.01"


def deploy_and_invoke(
    name: str,
    kind: Sequence[str],
    local: Answers,
    capsys: pytest.CaptureFixture[str],
    model: str = str(FOLDER),
    flags: Sequence[str] = (),
) -> None:
    """Deploy the job, or a registered version; what the endpoint answers is what the model answers here."""
    assert launch.main(["deploy", model, "--name", name, *kind, *flags]) == 0
    # The answer to an image of the job's own was compared with the job's.
    is_compared = model == str(FOLDER) and "asynchronous" not in kind
    assert ("Checked with" in capsys.readouterr().out) is is_compared
    assert launch.main(["invoke", name, "photos", "--json"]) == 0
    answers = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {each["file"]: (each["predicted_label"], round(max(each["probabilities"]), 5)) for each in answers} == local


def classify_a_folder(local: Answers) -> None:
    """Classify the images as a batch; the answers are the local ones, and have the images' own names."""
    assert launch.main(["batch", str(FOLDER), "photos", "--csv", "answers.csv"]) == 0
    with Path("answers.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert {row["file"]: row["predicted"] for row in rows} == {place: label for place, (label, _) in local.items()}


def register_and_deploy(local: Answers, capsys: pytest.CaptureFixture[str]) -> None:
    """Register the job and approve it; the endpoint of the version answers what the model answers here."""
    assert launch.main(["register", str(FOLDER)]) == 0
    assert launch.main(["register", "colours:1", "--approve"]) == 0
    deploy_and_invoke("approved", (), local, capsys, model="colours", flags=("--role", ROLE))


def train_again_as_a_pipeline(
    service: SageMakerService, trained: Path, local: Answers, capsys: pytest.CaptureFixture[str]
) -> None:
    """Let a pipeline train, judge and register; its version gets the model card that the job's own has."""
    execution = Execution(service, lambda job: finish(job, service, trained, local), trained.parent / "judged")
    service.before["StartPipelineExecution"] = execution.run
    capsys.readouterr()
    assert launch.main(["pipeline", "job.toml", "--minimum-accuracy", "0.9", "--start"]) == 0
    shown = capsys.readouterr().out
    assert f"Train: Succeeded ({JOB_OF_AN_EXECUTION})" in shown
    assert "Registered colours:2, PendingManualApproval: " in shown
    own, of_pipeline = (boto3.client("sagemaker").describe_model_package(ModelPackageName=arn) for arn in ARNS)
    cards = [json.loads(version["ModelCard"]["ModelCardContent"]) for version in (own, of_pipeline)]
    artefacts = [card["model_overview"].pop("model_artifact") for card in cards]
    assert cards[0] == cards[1]
    for version, artefact in zip((own, of_pipeline), artefacts, strict=True):
        assert artefact == [version["InferenceSpecification"]["Containers"][0]["ModelDataUrl"]]
    assert own["CustomerMetadataProperties"] == of_pipeline["CustomerMetadataProperties"]


def delete(service: SageMakerService, capsys: pytest.CaptureFixture[str]) -> None:
    """Delete everything; transform jobs, which the API cannot delete, lose the program's tags."""
    capsys.readouterr()
    assert launch.main(["status", "--json"]) == 0
    made = [each["kind"] for each in json.loads(capsys.readouterr().out)]
    assert {kind: made.count(kind) for kind in made} == {
        **{"endpoint": 4, "endpoint configuration": 4, "model": 4, "pipeline": 1},
        **{"tuning job": 1, "training job": 1, "transform job": 1, "drift schedule": 1, "drift alarm": 1},
        **{"model package": 2, "model package group": 1},
    }
    assert launch.main(["delete", "--all", "--records", "--yes"]) == 0
    assert [each for each in service.tagged() if each["Tags"]] == []
    assert service.backend.model_packages == {}
    assert launch.main(["status"]) == 0
    assert "Nothing on AWS in this region was made by this program." in capsys.readouterr().out

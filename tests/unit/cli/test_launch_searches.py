"""scripts/launch tune and batch, over HTTP."""

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto.sagemaker.models import HyperParameterTuningJob

from image_classifier.cli.launch import __main__ as launch
from image_classifier.cloud.sagemaker import waiting
from image_classifier.cloud.sagemaker.session import Session
from image_classifier.runners import experiment
from image_classifier.runners.sagemaker_job import process
from tests.support.sagemaker_results import ACCURACY, LOG, put_results
from tests.support.sagemaker_service import BUCKET, IMAGE, ROLE, SageMakerService, sagemaker_on_this_machine

FLAGS = ["--image", IMAGE, "--role", ROLE, "--location", f"s3://{BUCKET}/image-classifier"]
BEST = "search-007"
TUNED = {"learning_rate": "0.01", "optimizer": '"adam"'}
SEARCH = ["tune", "--training", "photos", "--model", "model.tar.gz", "--output", "run/best", "--max-jobs", "3", *FLAGS]
ANSWER = {"probabilities": [0.9, 0.1], "labels": ["cat", "dog"], "predicted_label": "cat"}


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[SageMakerService]:
    """SageMaker on this machine, where jobs have names of one time."""
    for module in (waiting, process):
        monkeypatch.setattr(module, "PAUSE", 0.0)
    monkeypatch.setattr("image_classifier.cloud.sagemaker.names._STAMP", "-1")
    with sagemaker_on_this_machine(monkeypatch) as found:
        yield found


@pytest.fixture
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two classes of images, and a model."""
    for name in ("photos/cat/1.jpg", "photos/dog/1.jpg"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    (tmp_path / "model.tar.gz").write_bytes(b"model")
    monkeypatch.chdir(tmp_path)
    return tmp_path / "photos"


def found_best(service: SageMakerService, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the search be over, with the results of its best job."""
    boto3.client("sagemaker").create_training_job(
        TrainingJobName=BEST,
        RoleArn=ROLE,
        AlgorithmSpecification={"TrainingImage": IMAGE, "TrainingInputMode": "File"},
        OutputDataConfig={"S3OutputPath": f"s3://{BUCKET}/image-classifier/jobs"},
        ResourceConfig={"InstanceType": "ml.m5.xlarge", "InstanceCount": 1, "VolumeSizeInGB": 1},
        StoppingCondition={"MaxRuntimeInSeconds": 60},
    )
    service.log(BEST, LOG)
    put_results(BEST)
    objective = {"MetricName": "validation:accuracy", "Value": 0.9}
    summary: dict[str, Any] = {"TrainingJobName": BEST, "TunedHyperParameters": TUNED}
    service.backend.tuned = [{**summary, "FinalHyperParameterTuningJobObjectiveMetric": objective}]
    describe = HyperParameterTuningJob.describe
    monkeypatch.setattr(HyperParameterTuningJob, "describe", lambda job: {**describe(job), "BestTrainingJob": summary})


def test_search_ends_with_the_best_job_in_the_folder(
    service: SageMakerService, photos: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given a search -> a leader board, the best values, and the report and model of the best job."""
    found_best(service, monkeypatch)
    assert launch.main(SEARCH) == 0
    shown = capsys.readouterr().out
    assert f"0.9000    {BEST}" in shown
    assert "Best: learning_rate=0.01 optimizer=adam" in shown
    assert f"Validation accuracy {ACCURACY:.4f}" in shown
    assert Path("run/best/output/data/report.html").is_file()
    kept = experiment.read(Path("run/best") / experiment.FILE)
    assert (kept.hyperparameters["optimizer"], kept.hyperparameters["learning_rate"]) == ("adam", "0.01")


def test_dry_run_of_a_search_sends_nothing(
    service: SageMakerService, photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Given --dry-run -> the uploads and the request, valid and not sent."""
    words = ["tune", "--training", str(photos), "--model", "model.tar.gz", "--dry-run", "optimizer=adam"]
    assert launch.main([*words, *FLAGS]) == 0
    planned = json.loads(capsys.readouterr().out)
    assert [each["operation"] for each in planned] == ["PutObject", "PutObject", "CreateHyperParameterTuningJob"]
    assert service.requests == []


def test_search_is_detached_and_followed_again(
    service: SageMakerService, photos: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given Ctrl-C -> the search continues; the same command with its name fetches the best job."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(waiting, "until", interrupt)
        assert launch.main(SEARCH) == 0
    assert "with --attach photos-1 follows it further" in capsys.readouterr().out
    assert "StopHyperParameterTuningJob" not in service.operations()
    found_best(service, monkeypatch)
    assert launch.main([*SEARCH, "--attach", "photos-1"]) == 0
    assert service.operations().count("CreateHyperParameterTuningJob") == 1
    assert "Best: learning_rate=0.01 optimizer=adam" in capsys.readouterr().out


def test_dry_run_of_a_batch_prints_uploads_too(
    service: SageMakerService, photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Given --dry-run -> the uploads of model and images, the model, the job and the deletion; none is sent."""
    assert launch.main(["batch", "model.tar.gz", "photos", "--csv", "answers.csv", "--dry-run", *FLAGS]) == 0
    planned = json.loads(capsys.readouterr().out)
    made = ["CreateModel", "CreateTransformJob", "DeleteModel"]
    assert [each["operation"] for each in planned] == ["PutObject", "PutObject", *made]
    images = planned[1]["parameters"]
    assert (images["from"], images["files"]) == ("photos", 2)
    # A job reads what lies below a folder.
    source = planned[3]["parameters"]["TransformInput"]["DataSource"]["S3DataSource"]["S3Uri"]
    assert source == f"{images['to'].rstrip('/')}/"
    assert service.requests == []
    assert not Path("answers.csv").exists()


@pytest.mark.every
def test_batch_joins_answers_with_the_names_of_images(
    service: SageMakerService, photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Given a folder of images -> a row for each with its own path, and the model of the job is deleted."""
    for name in ("cat/1.jpg", "dog/1.jpg"):
        key = f"image-classifier/batch/model-1/{name}.out"
        boto3.client("s3").put_object(Bucket=BUCKET, Key=key, Body=json.dumps(ANSWER).encode())
    (photos / "list.csv").write_text("a table, which is not an image")
    assert launch.main(["batch", "model.tar.gz", "photos", "--csv", "answers.csv", *FLAGS]) == 0
    with Path("answers.csv").open() as file:
        rows = [(row["file"], row["label"], row["predicted"]) for row in csv.DictReader(file)]
    assert rows == [("photos/cat/1.jpg", "cat", "cat"), ("photos/dog/1.jpg", "dog", "cat")]
    (job,) = service.backend.transform_jobs.values()
    uri = job.transform_input["DataSource"]["S3DataSource"]["S3Uri"]
    keys = [f"s3://{BUCKET}/{item['Key']}" for item in boto3.client("s3").list_objects_v2(Bucket=BUCKET)["Contents"]]
    assert f"{uri}cat/1.jpg" in keys
    assert not any(key.endswith("list.csv") for key in keys)
    assert service.backend._models == {}


def test_failed_batch_names_the_reason_and_leaves_no_model(
    service: SageMakerService, photos: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given a job that fails -> its reason with the owner's error, and no model is left."""
    answer = Session._answer

    def failed(self: Any, call: Any) -> dict[str, Any]:
        status = {"TransformJobStatus": "Failed", "FailureReason": "ClientError: See job logs for more information"}
        return {**answer(self, call), **(status if call.operation == "DescribeTransformJob" else {})}

    monkeypatch.setattr(Session, "_answer", failed)
    assert launch.main(["batch", "model.tar.gz", "photos", "--csv", "answers.csv", *FLAGS]) == 1
    assert "failed: ClientError: See job logs" in capsys.readouterr().err
    assert service.backend._models == {}
    assert not Path("answers.csv").exists()

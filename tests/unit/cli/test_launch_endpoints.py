"""scripts/launch deploy, over HTTP."""

import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto.backends import get_backend
from moto.sagemaker.responses import SageMakerResponse

from image_classifier.cli.launch import __main__ as launch
from image_classifier.cloud.sagemaker import endpoints
from image_classifier.runners import experiment
from image_classifier.runners.experiment import Experiment
from image_classifier.runners.sagemaker_job import record
from image_classifier.runners.sagemaker_job.record import Platform, Record
from tests.support.aws import ACCOUNT
from tests.support.guides import write_plain_image
from tests.support.sagemaker_service import (
    BUCKET,
    IMAGE,
    REGION,
    ROLE,
    Fault,
    SageMakerService,
)

SERVE = IMAGE.replace("image-classifier@", "serve@")
FLAGS = ["--image", IMAGE, "--role", ROLE, "--location", f"s3://{BUCKET}/image-classifier"]
ANSWER = {"probabilities": [0.9, 0.1], "labels": ["cat", "dog"], "predicted_label": "cat"}


@pytest.fixture
def job(tmp_path: Path) -> Path:
    """The folder of a job on SageMaker that has finished, whose model has an OpenVINO network."""
    folder = tmp_path / "run"
    (folder / "model" / "openvino").mkdir(parents=True)
    table = {"image": IMAGE, "serve_image": SERVE, "role": ROLE, "location": f"s3://{BUCKET}/image-classifier"}
    asked_for = Experiment("flowers", "s3://b/images", runner="sagemaker", options={"sagemaker": table})
    experiment.write(folder / experiment.FILE, asked_for)
    storage = f"s3://{BUCKET}/image-classifier"
    done = Record("flowers-1", REGION, "", storage, "flowers-1", 0.0, platform=Platform("Completed"), downloaded=True)
    record.write(folder, done)
    return folder


def answer_with(*found: Any) -> None:
    """Let the endpoint answer so."""
    queue = get_backend("sagemaker-runtime")[ACCOUNT][REGION].results_queue
    queue += [(json.dumps(each), "application/json", "all", "") for each in found]


def test_job_is_deployed_with_its_own_options(
    service: SageMakerService, job: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Given a job's folder -> its artefact behind the serve image, what it costs, and the next command."""
    assert launch.main(["deploy", str(job), "SERVE_EXPLAIN=false", "--instances", "2", "--price", "0.1"]) == 0
    shown = capsys.readouterr().out
    assert "It costs 0.20 per hour until scripts/launch delete flowers." in shown
    assert "  scripts/launch invoke flowers IMAGE_OR_FOLDER" in shown
    client = boto3.client("sagemaker")
    model = client.describe_model(ModelName=client.list_models()["Models"][0]["ModelName"])["PrimaryContainer"]
    assert model["Image"] == SERVE
    assert model["ModelDataUrl"] == f"s3://{BUCKET}/image-classifier/jobs/flowers-1/output/model.tar.gz"
    assert model["Environment"] == {"SERVE_EXPLAIN": "false"}
    assert client.describe_endpoint(EndpointName="flowers")["EndpointStatus"] == "InService"


def test_model_folder_is_packed_and_uploaded(
    service: SageMakerService, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Given a model folder -> a dry run names its archive and sends nothing; then the archive is in S3."""
    (tmp_path / "mine" / "1").mkdir(parents=True)
    (tmp_path / "mine" / "1" / "saved_model.pb").write_bytes(b"graph")
    words = ["deploy", str(tmp_path / "mine"), *FLAGS]
    assert launch.main([*words, "--dry-run"]) == 0
    planned = json.loads(capsys.readouterr().out)
    assert [each["operation"] for each in planned] == [
        "PutObject",
        "CreateModel",
        "CreateEndpointConfig",
        "CreateEndpoint",
    ]
    assert service.requests == []
    assert launch.main(words) == 0
    keys = [f"s3://{BUCKET}/{item['Key']}" for item in boto3.client("s3").list_objects_v2(Bucket=BUCKET)["Contents"]]
    assert keys == [planned[0]["parameters"]["to"]]


def test_scaling_begins_when_the_endpoint_is_in_service(service: SageMakerService, job: Path) -> None:
    """Given auto scaling -> its limits are registered, and the deletion of the endpoint takes them away."""
    assert launch.main(["deploy", str(job), "--max-instances", "3"]) == 0
    scaling = boto3.client("application-autoscaling")
    (target,) = scaling.describe_scalable_targets(ServiceNamespace="sagemaker")["ScalableTargets"]
    assert (target["MinCapacity"], target["MaxCapacity"]) == (1, 3)
    assert launch.main(["delete", "--all", "--yes"]) == 0
    assert scaling.describe_scalable_targets(ServiceNamespace="sagemaker")["ScalableTargets"] == []
    assert service.tagged() == []


def test_failed_endpoint_shows_its_last_log_lines(
    service: SageMakerService, job: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given a container that does not start -> the reason and the last lines of its log."""

    def fail() -> None:
        endpoint = service.backend.endpoints["flowers"]
        endpoint.endpoint_status, endpoint.failure_reason = (
            "Failed",
            "The container did not pass the ping health check.",
        )
        logs = boto3.client("logs")
        group, stream = "/aws/sagemaker/Endpoints/flowers", "all/i-1"
        logs.create_log_group(logGroupName=group)
        logs.create_log_stream(logGroupName=group, logStreamName=stream)
        event = {"timestamp": int(time.time() * 1000), "message": "UserError: no model in /opt/ml/model"}
        logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=[event])

    wait = endpoints.wait

    def fail_first(*words: Any) -> None:
        fail()
        wait(*words)

    monkeypatch.setattr(endpoints, "wait", fail_first)
    assert launch.main(["deploy", str(job)]) == 1
    shown = capsys.readouterr().err
    assert "did not pass the ping health check" in shown
    assert "UserError: no model in /opt/ml/model" in shown


@pytest.mark.parametrize(("predicted", "code", "part"), [("cat", 0, "Checked with"), ("dog", 1, "WARNING: for")])
def test_answer_is_compared_with_that_of_the_job(
    service: SageMakerService,
    job: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    predicted: str,
    code: int,
    part: str,
) -> None:
    """Given a validation image of this machine -> the endpoint's answer agrees with the job's, or a warning."""
    asked_for = experiment.read(job / experiment.FILE)
    write_plain_image(tmp_path / "photos" / "cat" / "1.bmp")
    experiment.write(job / experiment.FILE, replace(asked_for, training=str(tmp_path / "photos")))
    (job / "output" / "data").mkdir(parents=True)
    rows = f"file,label,predicted,probability\ngone.bmp,cat,cat,0.5\ncat/1.bmp,cat,{predicted},0.903\n"
    (job / "output" / "data" / "predictions.csv").write_text(rows)
    answer_with(ANSWER)
    assert launch.main(["deploy", str(job)]) == code
    assert part in capsys.readouterr().out


def test_second_deployment_replaces_the_first(service: SageMakerService, job: Path) -> None:
    """Given an endpoint of that name -> it gets the new configuration, and is not made again."""
    launch.main(["deploy", str(job)])
    service.faults["UpdateEndpoint"] = [Fault("ValidationException", "stands for moto, which has no UpdateEndpoint")]
    assert launch.main(["deploy", str(job), "--instances", "2"]) == 1
    assert service.operations().count("CreateEndpoint") == 1
    assert service.operations().count("UpdateEndpoint") == 1


def test_used_up_quota_is_retried_as_long_as_asked_for(
    service: SageMakerService, job: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given two rejections -> a line for each attempt and an endpoint; without --retry-for the first is the answer."""
    monkeypatch.setattr("image_classifier.cloud.sagemaker.session._FIRST_PAUSE", 0.01)
    quota = "The account-level service limit 'ml.c5.large for endpoint usage' is 0 Instances, with current usage of 0."
    service.faults["CreateEndpoint"] = [Fault("ResourceLimitExceeded", quota)] * 2
    assert launch.main(["deploy", str(job), "--retry-for", "10m"]) == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("Attempt")]
    assert len(lines) == 2
    assert "quota “ml.c5.large for endpoint usage” (0 Instances)" in lines[0]
    service.faults["CreateEndpoint"] = [Fault("ResourceLimitExceeded", quota)]
    assert launch.main(["deploy", str(job), "--name", "other"]) == 1
    assert "servicequotas" in capsys.readouterr().err


def test_update_that_was_rolled_back_is_a_failure(
    service: SageMakerService, job: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given an endpoint in service with the earlier configuration after an update -> an error with the reason."""
    monkeypatch.setattr(SageMakerResponse, "update_endpoint", lambda response: "{}", raising=False)
    monkeypatch.setattr("image_classifier.cloud.sagemaker.names._STAMP", "-1")
    assert launch.main(["deploy", str(job)]) == 0
    monkeypatch.setattr("image_classifier.cloud.sagemaker.names._STAMP", "-2")
    service.backend.endpoints["flowers"].failure_reason = "Request to service failed."
    assert launch.main(["deploy", str(job)]) == 1
    shown = capsys.readouterr().err
    assert "The update was rolled back, and the earlier model answers (Request to service failed.)" in shown

"""The policies of docs/guides/iam/ allow what scripts/launch and scripts/publish ask AWS for, and nothing else."""

import ast
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, tzinfo
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto.backends import get_backend
from moto.sagemaker.models import HyperParameterTuningJob

from image_classifier.cli.launch import __main__ as launch
from image_classifier.cli.launch import following, monitor
from image_classifier.cloud import ecr
from image_classifier.cloud.sagemaker import calls, monitoring, waiting
from image_classifier.runners import sagemaker
from image_classifier.runners.sagemaker_job import process, record
from tests.support import registered
from tests.support.aws import ACCOUNT
from tests.support.guides import GUIDES, write_plain_image
from tests.support.permissions import REGION, Need, Recorder, listed, matches, needs_of, recorded, unused
from tests.support.sagemaker_results import LOG, put_results
from tests.support.sagemaker_service import BUCKET, IMAGE, ROLE, Fault, SageMakerService, sagemaker_on_this_machine
from tests.unit.cloud.test_monitoring_requests import monitor as drift_monitor

FOLDER = GUIDES / "iam"
POLICIES = sorted(path for path in FOLDER.glob("*.json") if not path.stem.endswith("-trust"))
FLAGS = ["--image", IMAGE, "--role", ROLE, "--location", f"s3://{BUCKET}/image-classifier"]
CAPTURE = ["--capture-percent", "10"]
SCHEDULER_ROLE = f"arn:aws:iam::{ACCOUNT}:role/scheduler"
ANSWER = {"probabilities": [0.9, 0.1], "labels": ["cat", "dog"], "predicted_label": "cat"}
_PARTS = 9 * 1024**2
"""Bytes of a file that boto3 uploads in parts."""
_PUSH = (
    *("BatchCheckLayerAvailability", "BatchGetImage", "InitiateLayerUpload", "UploadLayerPart"),
    *("CompleteLayerUpload", "PutImage"),
)
"""What Docker needs: https://docs.aws.amazon.com/AmazonECR/latest/userguide/image-push-iam.html."""

_SERVICES = {"tag": "resourcegroupstaggingapi"}
_NO_OPERATIONS = (
    *("s3:ListBucket", "iam:PassRole", "kms:CreateGrant", "sagemaker:AddTags"),
    *("sagemaker:InvokeEndpointAsync", "application-autoscaling:PutScalingPolicy"),
)


@contextmanager
def without_waiting(monkeypatch: pytest.MonkeyPatch) -> Iterator[SageMakerService]:
    """Run SageMaker on this machine, where nothing waits."""
    for module in (waiting, process, following):
        monkeypatch.setattr(module, "PAUSE", 0.0)
    with sagemaker_on_this_machine(monkeypatch) as found:
        yield found


@pytest.fixture(scope="module")
def requested(tmp_path_factory: pytest.TempPathFactory) -> list[Need]:
    """What every verb of scripts/launch asks AWS for, in a folder with images and a model that is uploaded in parts."""
    folder = tmp_path_factory.mktemp("launch")
    for name in ("photos/cat/1.bmp", "photos/dog/1.bmp"):
        write_plain_image(folder / name)
    (folder / "model.tar.gz").write_bytes(bytes(_PARTS))
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.chdir(folder)
        monkeypatch.setattr("image_classifier.cloud.sagemaker.names._STAMP", "-1")
        with without_waiting(monkeypatch) as service, recorded(monkeypatch) as recorder:
            train_stop_and_resume(service, recorder, monkeypatch)
            search(service, monkeypatch)
            serve(service, recorder)
            watch(service, recorder)
            registered.walk(FLAGS)
            delete(service)
    # moto answers asynchronous requests from a bucket of its own.
    return [need for need in recorder.needs() if not need.resource.startswith("arn:aws:s3:::sagemaker-output-")]


def read(name: str) -> list[dict[str, Any]]:
    """Return the statements of a policy, for the bucket of the tests."""
    text = (FOLDER / f"{name}.json").read_text(encoding="utf-8").replace("my-bucket", BUCKET)
    statements: list[dict[str, Any]] = json.loads(text)["Statement"]
    return statements


def denied(statements: Sequence[Mapping[str, Any]], needs: Sequence[Need]) -> set[tuple[str, str]]:
    """Return the actions that no statement allows, with their resources."""
    not_allowed = [need for need in needs if not any(matches(statement, need) for statement in statements)]
    return {(need.action, need.resource) for need in not_allowed}


def train_stop_and_resume(service: SageMakerService, recorder: Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a job run, stop it, and let it run from its checkpoints."""
    words = ["train", "--name", "flowers", "--training", "photos", "--model", "model.tar.gz", "--output", "run/mine"]
    folder = Path("run/mine")
    with monkeypatch.context() as patched:
        patched.setattr(sagemaker, "_follow", lambda folder, lock: None)
        assert launch.main([*words, "--detach", *FLAGS]) == 0
        process._create(folder, read_record(folder))
    # moto's jobs are over at once.
    service.set_job(read_record(folder).job, "InProgress", "Training")
    record.write(folder, replace(read_record(folder), platform=record.Platform("InProgress")))
    with monkeypatch.context() as patched:
        patched.setattr(sagemaker, "_follow", lambda folder, lock: None)
        assert launch.main(["stop", "run/mine"]) == 0
    follow_to_the_end(service, recorder, folder, stopped=True)
    monkeypatch.setattr("image_classifier.cloud.sagemaker.names._STAMP", "-2")
    monkeypatch.setattr(sagemaker, "_follow", lambda folder, lock: follow_to_the_end(service, recorder, folder))
    assert launch.main(["resume", "run/mine"]) == 0
    assert read_record(folder).job == "flowers-2"


def follow_to_the_end(service: SageMakerService, recorder: Recorder, folder: Path, stopped: bool = False) -> None:
    """Follow a job whose results are there."""
    job = read_record(folder).job
    with recorder.paused():
        put_results(job, stopped=stopped)
        service.log(job, LOG)
    process.run(folder)


def read_record(folder: Path) -> record.Record:
    """Return the record of a job's folder."""
    found = record.read(folder)
    assert found is not None
    return found


def search(service: SageMakerService, monkeypatch: pytest.MonkeyPatch) -> None:
    """Search, with the job that was trained as the best one."""
    summary: dict[str, Any] = {"TrainingJobName": "flowers-2", "TunedHyperParameters": {}}
    objective = {"MetricName": "validation:accuracy", "Value": 0.9}
    service.backend.tuned = [{**summary, "FinalHyperParameterTuningJobObjectiveMetric": objective}]
    describe = HyperParameterTuningJob.describe
    monkeypatch.setattr(HyperParameterTuningJob, "describe", lambda job: {**describe(job), "BestTrainingJob": summary})
    words = ["tune", "--name", "search", "--training", "photos", "--model", "model.tar.gz", "--output", "run/best"]
    assert launch.main([*words, *FLAGS]) == 0


def serve(service: SageMakerService, recorder: Recorder) -> None:
    """Deploy with auto scaling, again, asynchronously and many models; send images, and classify a bucket."""
    runtime = get_backend("sagemaker-runtime")[ACCOUNT][REGION]
    runtime.async_results_queue.append((False, json.dumps(ANSWER)))
    runtime.results_queue.append((json.dumps(ANSWER), "application/json", "all", ""))
    assert launch.main(["deploy", "model.tar.gz", "--name", "mine", "--max-instances", "2", *CAPTURE, *FLAGS]) == 0
    service.faults["UpdateEndpoint"] = [Fault("ValidationException", "stands for moto, which has no UpdateEndpoint")]
    assert launch.main(["deploy", "model.tar.gz", "--name", "mine", *CAPTURE, *FLAGS]) == 1
    assert launch.main(["deploy", "model.tar.gz", "--name", "later", "--kind", "asynchronous", *FLAGS]) == 0
    assert launch.main(["deploy", "run/mine", "--name", "many", "--kind", "multi-model"]) == 0
    for endpoint in ("mine", "later"):
        assert launch.main(["invoke", endpoint, "photos/cat/1.bmp", "--json"]) == 0
    for name in ("cat/1.bmp", "dog/1.bmp"):
        key = f"image-classifier/batch/model-2/{name}.out"
        with recorder.paused():
            boto3.client("s3").put_object(Bucket=BUCKET, Key=key, Body=json.dumps(ANSWER).encode())
    assert launch.main(["batch", "model.tar.gz", "photos", "--csv", "answers.csv", *FLAGS]) == 0


def watch(service: SageMakerService, recorder: Recorder) -> None:
    """Monitor an endpoint regularly, with other options, and once."""
    words = ["monitor", "mine", "--scheduler-role", SCHEDULER_ROLE, *FLAGS]
    assert launch.main([*words, "--alarm-email", "me@example.com"]) == 0
    assert launch.main([*words, "--every", "7d"]) == 0
    with recorder.paused():
        key = "image-classifier/drift/mine/drift-mine-20261130-060000/drift.json"
        boto3.client("s3").put_object(Bucket=BUCKET, Key=key, Body=b'{"verdict": "No drift.", "drifted": false}')
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(monitor, "datetime", FixedTime)
        assert launch.main(["monitor", "mine", "--now", *FLAGS]) == 0


class FixedTime(datetime):
    """A clock that stands still."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> "FixedTime":
        """Return the same time always."""
        return cls(2026, 11, 30, 6, tzinfo=tz)


def delete(service: SageMakerService) -> None:
    """Delete everything, with jobs of each kind at work."""
    service.set_job("flowers-2", "InProgress", "Training")
    for job in service.backend.transform_jobs.values():
        job.transform_job_status = "InProgress"
    for job in service.backend.hyper_parameter_tuning_jobs.values():
        job.hyper_parameter_tuning_job_status = "InProgress"
    for job in service.backend.processing_jobs.values():
        job.processing_job_status = "InProgress"
    for pipeline in service.backend.pipelines.values():
        for execution in pipeline.pipeline_executions.values():
            execution.pipeline_execution_status = "Executing"
    assert launch.main(["status"]) == 0
    assert launch.main(["delete", "--all", "--records", "--yes"]) == 0


def test_caller_may_do_what_the_verbs_ask_for_and_nothing_else(requested: list[Need]) -> None:
    """Given the requests of every verb -> each is allowed, and no action or resource of the policy is superfluous."""
    statements = read("caller") + read("caller-monitoring")
    assert denied(statements, requested) == set()
    assert [unused(statement, requested) for statement in statements] == [[] for _ in statements]


def test_caller_may_not_touch_what_others_made() -> None:
    """Given an endpoint without the tag, another bucket and another role -> no statement allows it."""
    endpoint, statements = f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:endpoint/theirs", read("caller")
    statements += read("caller-monitoring")
    for action, resource in (
        ("sagemaker:DeleteEndpoint", endpoint),
        ("sagemaker:CreateEndpoint", endpoint),
        ("s3:GetObject", "arn:aws:s3:::another-bucket/image-classifier/a"),
        ("iam:PassRole", f"arn:aws:iam::{ACCOUNT}:role/administrator"),
        ("scheduler:DeleteScheduleGroup", f"arn:aws:scheduler:{REGION}:{ACCOUNT}:schedule-group/theirs"),
    ):
        assert denied(statements, [Need(action, resource, {})]) == {(action, resource)}


def test_every_operation_of_the_sources_was_asked_for(requested: list[Need]) -> None:
    """Given the operations that the sources name -> each is among the recorded ones, so that none goes unnoticed."""
    asked_for = {need.action.partition(":")[2] for need in requested}
    assert operations_of_the_sources() - asked_for == {"GetCallerIdentity"}


def operations_of_the_sources() -> set[str]:
    """Return the operations of the literal calls in the sources of scripts/launch."""
    program = Path(launch.__file__).parents[2]
    found = set()
    for folder in ("cloud", "runners", "cli/launch"):
        for path in (program / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Call":
                    operation = node.args[1]
                    found |= {operation.value} if isinstance(operation, ast.Constant) else set()
    return {str(operation) for operation in found}


def test_scheduler_may_start_the_job_of_its_schedule_and_nothing_else() -> None:
    """Given the request that a schedule sends -> the scheduler's role may send it, and has no other permission."""
    call = monitoring.example_job(drift_monitor("mine"))
    needs, statements = needs_of(call.service, call.operation, call.parameters), read("scheduler-role")
    assert denied(statements, needs) == set()
    assert [unused(statement, needs) for statement in statements] == [[] for _ in statements]


@pytest.mark.parametrize("path", POLICIES, ids=lambda path: path.stem)
def test_policies_have_a_size_that_iam_accepts(path: Path) -> None:
    """Given a policy without its whitespace -> at most the characters of a managed policy."""
    text = json.dumps(json.loads(path.read_text(encoding="utf-8")), separators=(",", ":"))
    # https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
    assert len(text) <= 6_144


def test_ci_may_push_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    """Given the requests of scripts/publish and those of docker push -> each is allowed, and nothing else is."""
    with without_waiting(monkeypatch), recorded(monkeypatch) as recorder:
        for _ in range(2):
            ecr.open_registry("image-classifier", REGION, None, None)
    repository = f"arn:aws:ecr:{REGION}:{ACCOUNT}:repository/image-classifier"
    needs = [*recorder.needs(), *(Need(f"ecr:{operation}", repository, {}) for operation in _PUSH)]
    statements = read("ci")
    assert denied(statements, needs) == set()
    assert [unused(statement, needs) for statement in statements] == [[] for _ in statements]


@pytest.mark.parametrize("path", POLICIES, ids=lambda path: path.stem)
def test_actions_exist_and_are_written_out(path: Path) -> None:
    """Given a policy -> each action is an operation of the service's API, or one of the few that are not."""
    for statement in json.loads(path.read_text(encoding="utf-8"))["Statement"]:
        for action in statement["Action"]:
            namespace, _, operation = action.partition(":")
            assert action in _NO_OPERATIONS or operation in operations(_SERVICES.get(namespace, namespace)), action


def operations(service: str) -> list[str]:
    """Return the names of a service's operations; SageMaker's are those of its two services."""
    names = list(calls.service_model(service).operation_names)
    return names + (operations("sagemaker-runtime") if service == "sagemaker" else [])


@pytest.mark.parametrize("path", POLICIES, ids=lambda path: path.stem)
def test_every_resource_that_is_a_star_is_explained(path: Path) -> None:
    """Given the actions of a policy that are allowed on `*` -> the guide has a row with the reason for each."""
    rows = [line for line in (FOLDER / "README.md").read_text(encoding="utf-8").splitlines() if line.startswith("|")]
    for statement in json.loads(path.read_text(encoding="utf-8"))["Statement"]:
        if "*" in listed(statement["Resource"]):
            for action in statement["Action"]:
                assert any(f"`{path.name}`" in row and f"`{action}`" in row for row in rows), action

"""SageMaker on this machine: moto's server over HTTP, with the operations and states that moto lacks.

moto finishes training jobs and executions of pipelines at once and cannot stop them, knows no steps of executions,
cannot delete registered versions, and its tagging service does not know SageMaker. Faults are answers that a test puts
in front of an operation; every request is recorded.
"""

import io
import json
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import boto3
import pytest
from moto.backends import get_backend
from moto.sagemaker.responses import SageMakerResponse
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

from tests.support.aws import ACCOUNT, CREDENTIALS, forget, moto, share_sessions
from tests.support.sagemaker_operations import LACKING
from tests.support.web_servers import in_a_thread

REGION = "eu-west-1"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/sagemaker"
BUCKET = "bucket-of-the-test"
IMAGE = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/image-classifier@sha256:{'0' * 64}"
_TAGGED = {
    "training-job": "training_jobs",
    "hyper-parameter-tuning-job": "hyper_parameter_tuning_jobs",
    "transform-job": "transform_jobs",
    "processing-job": "processing_jobs",
    "model": "_models",
    "endpoint-config": "endpoint_configs",
    "endpoint": "endpoints",
    "model-package-group": "model_package_groups",
    "pipeline": "pipelines",
}
"""Kinds of resources, as ARNs name them, and the attribute of moto's backend that holds them."""


@dataclass(frozen=True)
class Fault:
    """An error answer."""

    code: str
    message: str
    status: int = 400


@dataclass
class SageMakerService:
    """The stand-in: what it was asked, which faults come next, and moto's own state."""

    address: str = ""
    requests: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    """Operation and parameters of each request with a JSON body."""
    faults: dict[str, list[Fault]] = field(default_factory=lambda: defaultdict(list))
    before: dict[str, Callable[[dict[str, Any]], None]] = field(default_factory=dict)
    """What is called with the parameters of an operation before moto answers it."""
    hidden: set[str] = field(default_factory=set)
    """Buckets to which the caller has no access, as if their policies denied it."""
    hosting: Callable[[dict[str, Any], Any], Iterable[bytes]] | None = None
    """A WSGI application that answers the requests to endpoints in moto's place."""

    @property
    def backend(self) -> Any:
        """The state that moto keeps."""
        return get_backend("sagemaker")[ACCOUNT][REGION]

    def reset(self) -> None:
        """Forget everything but an empty bucket."""
        forget()
        self.requests.clear()
        self.faults.clear()
        self.before.clear()
        self.hidden.clear()
        self.hosting = None
        boto3.client("s3").create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})

    def operations(self) -> list[str]:
        """Return the names of the operations that were asked for, in order."""
        return [operation for operation, _ in self.requests]

    def set_job(self, name: str, status: str, secondary: str = "", failure: str = "") -> None:
        """Give a training job another state than moto's, which is Completed."""
        job = self.backend.training_jobs[name]
        job.training_job_status, job.secondary_status = status, secondary or status
        job.failure_reason = failure or None
        job.training_end_time = None if status in ("InProgress", "Stopping") else job.last_modified_time

    def log(self, job: str, lines: Iterable[str], host: str = "algo-1-1700000000") -> None:
        """Write lines into a training job's log, as the platform does."""
        logs = boto3.client("logs")
        group, stream = "/aws/sagemaker/TrainingJobs", f"{job}/{host}"
        if group not in [each["logGroupName"] for each in logs.describe_log_groups()["logGroups"]]:
            logs.create_log_group(logGroupName=group)
        if not logs.describe_log_streams(logGroupName=group, logStreamNamePrefix=stream)["logStreams"]:
            logs.create_log_stream(logGroupName=group, logStreamName=stream)
        # CloudWatch rejects events that are older than 14 days.
        now = int(time.time() * 1000)
        events = [{"timestamp": now, "message": line} for line in lines]
        logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=events)

    def tagged(self) -> list[dict[str, Any]]:
        """Return everything that has tags, as the tagging service answers."""
        found = []
        for attribute in _TAGGED.values():
            for resource in getattr(self.backend, attribute).values():
                arn = getattr(resource, "arn", None) or getattr(resource, "endpoint_arn", None) or resource.model_arn
                # moto keeps the ARN of an endpoint configuration in a tuple.
                arn = arn[0] if isinstance(arn, tuple) else arn
                if tags := getattr(resource, "tags", None):
                    found.append({"ResourceARN": arn, "Tags": tags})
        return found + [entry for entry in _tagged_elsewhere() if entry["Tags"]]


def _tagged_elsewhere() -> Iterator[dict[str, Any]]:
    scheduler = get_backend("scheduler")[ACCOUNT][REGION]
    cloudwatch = get_backend("cloudwatch")[ACCOUNT][REGION]
    sns = get_backend("sns")[ACCOUNT][REGION]
    for group in scheduler.schedule_groups.values():
        yield {"ResourceARN": group.arn, "Tags": scheduler.tagger.list_tags_for_resource(group.arn)["Tags"]}
    for alarm in cloudwatch.alarms.values():
        tags = cloudwatch.tagger.list_tags_for_resource(alarm.alarm_arn)["Tags"]
        yield {"ResourceARN": alarm.alarm_arn, "Tags": tags}
    for topic in sns.topics.values():
        tags = [{"Key": key, "Value": value} for key, value in topic._tags.items()]
        yield {"ResourceARN": topic.arn, "Tags": tags}


class _Handler(WSGIRequestHandler):
    def log(self, type: str, message: str, *args: Any) -> None:
        pass


class _Front:
    """A WSGI application before moto's."""

    def __init__(self, service: SageMakerService) -> None:
        self._service = service
        self._moto = moto()

    def __call__(self, environment: dict[str, Any], start: Any) -> Iterable[bytes]:
        target = environment.get("HTTP_X_AMZ_TARGET", "")
        if self._service.hosting and environment["PATH_INFO"].startswith("/endpoints/"):
            return self._service.hosting(environment, start)
        bucket = environment["PATH_INFO"].split("/")[1]
        if not target and bucket in self._service.hidden:
            start("403 Forbidden", [("Content-Type", "application/xml"), ("x-amz-bucket-region", _region_of(bucket))])
            return [b"<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"]
        if not target:
            return self._moto(environment, start)  # type: ignore[no-any-return]
        service, _, operation = target.partition(".")
        body = environment["wsgi.input"].read(int(environment.get("CONTENT_LENGTH") or 0))
        environment["wsgi.input"] = io.BytesIO(body)
        parameters = json.loads(body or b"{}")
        self._service.requests.append((operation, parameters))
        if self._service.faults[operation]:
            fault = self._service.faults[operation].pop(0)
            answer = {"__type": fault.code, "message": fault.message, "Message": fault.message}
            return _answer(start, f"{fault.status} Error", answer)
        if operation in self._service.before:
            self._service.before[operation](parameters)
        if service.startswith("ResourceGroupsTaggingAPI"):
            return _answer(start, "200 OK", {"ResourceTagMappingList": self._fitting(parameters)})
        return self._moto(environment, start)  # type: ignore[no-any-return]

    def _fitting(self, parameters: dict[str, Any]) -> list[dict[str, Any]]:
        wanted = parameters.get("TagFilters", [])
        return [
            entry
            for entry in self._service.tagged()
            if all(
                any(tag["Key"] == each["Key"] and tag["Value"] in each["Values"] for tag in entry["Tags"])
                for each in wanted
            )
        ]


def _region_of(bucket: str) -> str:
    return str(get_backend("s3")[ACCOUNT]["aws"].buckets[bucket].region_name)


def _answer(start: Any, status: str, content: dict[str, Any]) -> list[bytes]:
    start(status, [("Content-Type", "application/x-amz-json-1.1")])
    return [json.dumps(content).encode()]


@contextmanager
def sagemaker_on_this_machine(monkeypatch: pytest.MonkeyPatch) -> Iterator[SageMakerService]:
    """Run the service with an empty bucket, and point the environment at it."""
    for name, method in LACKING.items():
        monkeypatch.setattr(SageMakerResponse, name, method, raising=False)
    service = SageMakerService()
    server: BaseWSGIServer = make_server("127.0.0.1", 0, _Front(service), threaded=True, request_handler=_Handler)
    service.address = f"http://127.0.0.1:{server.server_port}"
    share_sessions(monkeypatch)
    for unwanted in ("AWS_PROFILE", "AWS_REGION", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(unwanted, raising=False)
    variables = {**CREDENTIALS, "AWS_ENDPOINT_URL": service.address, "AWS_DEFAULT_REGION": REGION}
    for variable, value in variables.items():
        monkeypatch.setenv(variable, value)
    with in_a_thread(server):
        service.reset()
        yield service

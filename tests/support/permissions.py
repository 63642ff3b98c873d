"""What AWS requests need permission for, and whether an IAM policy allows it."""

import fnmatch
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from botocore.client import BaseClient  # type: ignore[import-untyped]

from image_classifier.cloud.sagemaker import kinds, tags
from tests.support.aws import ACCOUNT

REGION = "eu-west-1"
_TAG = f"aws:RequestTag/{tags.CREATED_BY}"
_OWN = {f"aws:ResourceTag/{tags.CREATED_BY}": tags.PROGRAM_NAME}
_PASSED = {"iam:PassedToService": "sagemaker.amazonaws.com"}
_SCALED = {"application-autoscaling:service-namespace": "sagemaker"}
_NAMESPACES = {"sagemaker-runtime": "sagemaker", "resourcegroupstaggingapi": "tag"}
_OBJECTS = {
    "PutObject": ("PutObject",),
    "UploadPart": ("PutObject",),
    "CompleteMultipartUpload": ("PutObject",),
    # An upload that fails is taken back.
    "CreateMultipartUpload": ("PutObject", "AbortMultipartUpload"),
    "CopyObject": ("GetObject", "PutObject"),
    "HeadObject": ("GetObject",),
    "GetObject": ("GetObject",),
}
"""Actions of S3's operations on objects: https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html."""
_BUCKETS = {"ListObjectsV2": "ListBucket", "HeadBucket": "ListBucket"}
_SCALING = (
    *(("sagemaker", action) for action in ("DescribeEndpoint", "DescribeEndpointConfig")),
    ("sagemaker", "UpdateEndpointWeightsAndCapacities"),
    *(("cloudwatch", action) for action in ("DescribeAlarms", "PutMetricAlarm", "DeleteAlarms")),
)
"""What Application Auto Scaling does with the caller's permissions:
https://docs.aws.amazon.com/sagemaker/latest/dg/endpoint-auto-scaling-prerequisites.html."""
_LINKED = "sagemaker.application-autoscaling.amazonaws.com"
_LINKED_ROLE = f"role/aws-service-role/{_LINKED}/AWSServiceRoleForApplicationAutoScaling_SageMakerEndpoint"


@dataclass(frozen=True)
class Need:
    """An action on a resource, with the values of the condition keys."""

    action: str
    resource: str
    context: Mapping[str, str]


@dataclass
class Recorder:
    """The requests of a program."""

    requests: list[tuple[str, str, Mapping[str, Any]]] = field(default_factory=list)
    """Service, operation and parameters."""
    _paused: int = 0

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Do not record what a test itself asks for."""
        self._paused += 1
        try:
            yield
        finally:
            self._paused -= 1

    def needs(self) -> list[Need]:
        """Return what the requests need permission for."""
        return [need for request in self.requests for need in _needs(*request)]


def needs_of(service: str, operation: str, parameters: Mapping[str, Any]) -> list[Need]:
    """Return what one request needs permission for."""
    return list(_needs(service, operation, parameters))


@contextmanager
def recorded(monkeypatch: pytest.MonkeyPatch) -> Iterator[Recorder]:
    """Record every request of boto3, in all threads."""
    found, send, lock = Recorder(), BaseClient._make_api_call, threading.Lock()

    def send_recorded(client: Any, operation: str, parameters: Mapping[str, Any]) -> Any:
        if not found._paused:
            with lock:
                found.requests.append((client.meta.service_model.service_name, operation, dict(parameters)))
        return send(client, operation, parameters)

    with monkeypatch.context() as patched:
        patched.setattr(BaseClient, "_make_api_call", send_recorded)
        yield found


def _needs(service: str, operation: str, parameters: Mapping[str, Any]) -> Iterator[Need]:
    if service == "s3":
        yield from _of_s3(operation, parameters)
    elif service in ("sagemaker", "sagemaker-runtime"):
        yield from _of_sagemaker(operation, parameters)
    elif service == "logs":
        yield Need(f"logs:{operation}", _arn("logs", f"log-group:{parameters['logGroupName']}:log-stream:any"), {})
    elif service in ("scheduler", "sns", "cloudwatch"):
        yield from _of_monitoring(service, operation, parameters)
    elif service == "application-autoscaling":
        yield Need(f"{service}:{operation}", _arn(service, "scalable-target/1"), _SCALED)
        if operation != "DeregisterScalableTarget":
            yield from _of_scaling()
        else:
            yield Need("cloudwatch:DeleteAlarms", _arn("cloudwatch", "alarm:TargetTracking-endpoint-1"), {})
    elif service == "ecr" and "repositoryName" in str(parameters):
        name = parameters.get("repositoryName") or parameters["repositoryNames"][0]
        yield Need(f"ecr:{operation}", _arn("ecr", f"repository/{name}"), {})
    elif (service, operation) != ("sts", "GetCallerIdentity"):
        # GetCallerIdentity needs no permission.
        yield Need(f"{_NAMESPACES.get(service, service)}:{operation}", "*", {})


def _of_s3(operation: str, parameters: Mapping[str, Any]) -> Iterator[Need]:
    bucket = f"arn:aws:s3:::{parameters['Bucket']}"
    if operation in _BUCKETS:
        yield Need(f"s3:{_BUCKETS[operation]}", bucket, {})
        return
    for action in _OBJECTS[operation]:
        yield Need(f"s3:{action}", f"{bucket}/{parameters['Key']}", {})


def _of_sagemaker(operation: str, parameters: Mapping[str, Any]) -> Iterator[Need]:
    if operation in ("ListTags", "DeleteTags"):
        yield Need(f"sagemaker:{operation}", parameters["ResourceArn"], _OWN)
        return
    untagged = _without_tags(operation, parameters)
    if untagged:
        for resource in untagged:
            yield Need(f"sagemaker:{operation}", resource, {})
        return
    longest_first = sorted(kinds.KINDS, key=lambda kind: -len(kind.noun))
    kind = next(kind for kind in longest_first if kind.noun in operation and kind.service == "sagemaker")
    resources = [_arn("sagemaker", f"{kind.arn}/{parameters[f'{kind.noun}Name']}")]
    if operation in ("CreateEndpoint", "UpdateEndpoint"):
        resources.append(_arn("sagemaker", f"endpoint-config/{parameters['EndpointConfigName']}"))
    marks = tags.as_mapping(parameters.get("Tags", []))
    marked = {_TAG: marks[tags.CREATED_BY]} if tags.CREATED_BY in marks else {}
    for resource in resources:
        yield Need(f"sagemaker:{operation}", resource, marked if operation.startswith("Create") else _OWN)
    if marked:
        yield Need("sagemaker:AddTags", resources[0], marked)
    for role in _roles(parameters):
        yield Need("iam:PassRole", role, _PASSED)


def _of_monitoring(service: str, operation: str, parameters: Mapping[str, Any]) -> Iterator[Need]:
    """Yield what drift schedules, their alarms and topics need; the tags of a request are a permission of their own."""
    if operation == "DescribeAlarmsForMetric":
        yield Need(f"{service}:{operation}", "*", {})
        return
    group = parameters.get("GroupName") or parameters.get("Name") or str(parameters.get("ResourceArn")).split("/")[-1]
    names = {
        "scheduler": f"schedule-group/{group}",
        "cloudwatch": f"alarm:{parameters.get('AlarmName') or parameters.get('AlarmNames', [''])[0]}",
        "sns": str(parameters.get("Name") or str(parameters.get("TopicArn")).rpartition(":")[2]),
    }
    resource = _arn(service, names[service])
    if operation in ("CreateSchedule", "GetSchedule", "UpdateSchedule"):
        resource = _arn(service, f"schedule/{group}/{parameters['Name']}")
    marks = tags.as_mapping(parameters.get("Tags", []))
    context = {_TAG: marks[tags.CREATED_BY]} if marks else _OWN
    yield Need(f"{service}:{operation}", resource, context)
    if marks:
        yield Need(f"{service}:TagResource", resource, context)
    if operation == "DeleteScheduleGroup":
        # https://docs.aws.amazon.com/service-authorization/latest/reference/list_scheduler.html
        yield Need("scheduler:DeleteSchedule", _arn(service, f"schedule/{group}/drift"), {})
    for role in _roles(parameters):
        yield Need("iam:PassRole", role, {"iam:PassedToService": f"{service}.amazonaws.com"})


def _without_tags(operation: str, parameters: Mapping[str, Any]) -> list[str]:
    """Return the resources of a request for what has no tags: versions of models, executions of pipelines."""
    if operation == "ListModelPackages":
        return ["*"]
    if operation == "CreateModelPackage":
        group = parameters["ModelPackageGroupName"]
        return [_arn("sagemaker", f"model-package-group/{group}"), _arn("sagemaker", f"model-package/{group}/1")]
    named = ("PipelineExecutionArn", "ModelPackageArn", "ModelPackageName")
    return [parameters[name] for name in named if name in parameters]


def _of_scaling() -> Iterator[Need]:
    for service, action in _SCALING:
        kind = "endpoint-config/any" if action == "DescribeEndpointConfig" else "endpoint/any"
        name = kind if service == "sagemaker" else "alarm:TargetTracking-endpoint-1"
        yield Need(f"{service}:{action}", _arn(service, name), _OWN)
    yield Need("iam:CreateServiceLinkedRole", f"arn:aws:iam::{ACCOUNT}:{_LINKED_ROLE}", {"iam:AWSServiceName": _LINKED})


def _roles(parameters: Mapping[str, Any]) -> Iterator[str]:
    for name, value in parameters.items():
        if name in ("RoleArn", "ExecutionRoleArn"):
            yield value
        elif isinstance(value, Mapping):
            yield from _roles(value)


def _arn(service: str, name: str) -> str:
    return f"arn:aws:{service}:{REGION}:{ACCOUNT}:{name}"


def listed(value: str | Sequence[str]) -> list[str]:
    """Return an element of a policy, which is a text or a list, as a list."""
    return [value] if isinstance(value, str) else list(value)


def matches(statement: Mapping[str, Any], need: Need) -> bool:
    """Return whether a statement allows it; conditions are of the operator StringEquals alone."""
    conditions = statement.get("Condition", {})
    assert set(conditions) <= {"StringEquals"}
    return (
        statement["Effect"] == "Allow"
        and need.action in listed(statement["Action"])
        and any(fnmatch.fnmatchcase(need.resource, pattern) for pattern in listed(statement["Resource"]))
        and all(need.context.get(key) in listed(value) for key, value in conditions.get("StringEquals", {}).items())
    )


def unused(statement: Mapping[str, Any], needs: Sequence[Need]) -> list[str]:
    """Return the actions and the resources of a statement without which it would allow the same of what is needed."""
    used = [need for need in needs if matches(statement, need)]
    actions = [action for action in listed(statement["Action"]) if action not in {need.action for need in used}]
    patterns = listed(statement["Resource"])
    return actions + [
        pattern for pattern in patterns if not any(fnmatch.fnmatchcase(need.resource, pattern) for need in used)
    ]

"""The policies of the execution role: what SageMaker does for the requests of the golden files, and nothing else.

SageMaker reads and writes S3, pulls the Docker image and writes logs and metrics with this role. What a request makes
it do follows from the request's fields, as the developer guide lists them:
https://docs.aws.amazon.com/sagemaker/latest/dg/sagemaker-roles.html.
"""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import boto3
import pytest

from image_classifier.cloud import s3
from image_classifier.cloud.s3 import Access, S3Storage
from image_classifier.model_hub import download_s3
from tests.support.aws import ACCOUNT
from tests.support.permissions import REGION, Need, recorded, unused
from tests.support.sagemaker_service import BUCKET, sagemaker_on_this_machine
from tests.unit.cli.test_permissions import denied, read

GOLDEN = Path(__file__).parents[1] / "cloud" / "golden"
FOLDER = f"s3://{BUCKET}/image-classifier"
_READ = {"S3DataSource", "S3Input", "ModelDataUrl"}
"""Fields, or what holds them, whose objects SageMaker reads."""
_WRITTEN = {
    "OutputDataConfig",
    "TensorBoardOutputConfig",
    "S3Output",
    "DestinationS3Uri",
    "S3OutputPath",
    "S3FailurePath",
}
_BOTH = {"CheckpointConfig"}
_LOGS = {
    "CreateTrainingJob": "TrainingJobs",
    "CreateHyperParameterTuningJob": "TrainingJobs",
    "CreateProcessingJob": "ProcessingJobs",
    "CreateEndpoint": "Endpoints/flowers",
}
_LOG_ACTIONS = ("CreateLogGroup", "CreateLogStream", "DescribeLogStreams", "PutLogEvents")
_PULL = ("BatchCheckLayerAvailability", "BatchGetImage", "GetDownloadUrlForLayer")
_IMAGE = re.compile(r"\d{12}\.dkr\.ecr\.[\w-]+\.amazonaws\.com/([\w-]+)[@:]")
_KEY = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/00000000-0000-0000-0000-000000000000"
_KMS = ("CreateGrant", "Decrypt", "DescribeKey", "Encrypt", "GenerateDataKey")
"""For the volumes of the instances, and for objects that are written with the key and read again."""
_INTERFACES = (
    *("CreateNetworkInterface", "CreateNetworkInterfacePermission", "DeleteNetworkInterface"),
    *("DeleteNetworkInterfacePermission", "DescribeDhcpOptions", "DescribeNetworkInterfaces", "DescribeSecurityGroups"),
    *("DescribeSubnets", "DescribeVpcs"),
)
"""https://docs.aws.amazon.com/sagemaker/latest/dg/train-vpc.html."""


@pytest.fixture(scope="module")
def requests() -> list[Mapping[str, Any]]:
    """The requests of training, tuning, hosting and monitoring, as if all data lay in the program's folder."""
    found = []
    for path in sorted(GOLDEN.glob("*.json")):
        # In the golden files inputs lie in a bucket of their own, and the serve image in a repository of its own.
        text = (
            path.read_text(encoding="utf-8")
            .replace('"s3://b/', f'"{FOLDER}/')
            .replace("s3://bucket/", f"s3://{BUCKET}/")
        )
        content = json.loads(text.replace("amazonaws.com/serve@", "amazonaws.com/image-classifier@"))
        found += content if isinstance(content, list) else [content] if "operation" in content else []
    assert {request["operation"] for request in found} >= set(_LOGS)
    return found


def needs_of(request: Mapping[str, Any]) -> Iterator[Need]:
    """Yield what SageMaker needs the execution role for after a request."""
    operation, parameters = request["operation"], request["parameters"]
    yield from _of_fields(parameters, "")
    if operation in _LOGS:
        stream = f"log-group:/aws/sagemaker/{_LOGS[operation]}:log-stream:any"
        for action in _LOG_ACTIONS:
            yield Need(f"logs:{action}", f"arn:aws:logs:{REGION}:{ACCOUNT}:{stream}", {})
        yield Need("cloudwatch:PutMetricData", "*", {})
    text = json.dumps(parameters)
    for repository in _IMAGE.findall(text):
        yield Need("ecr:GetAuthorizationToken", "*", {})
        for action in _PULL:
            yield Need(f"ecr:{action}", f"arn:aws:ecr:{REGION}:{ACCOUNT}:repository/{repository}", {})
    if "KmsKeyId" in text:
        yield from (Need(f"kms:{action}", _KEY, {}) for action in _KMS)
    if "Subnets" in text:
        yield from (Need(f"ec2:{action}", "*", {}) for action in _INTERFACES)


def _of_fields(value: Any, holder: str) -> Iterator[Need]:
    if isinstance(value, list):
        for one in value:
            yield from _of_fields(one, holder)
    elif isinstance(value, Mapping):
        for name, one in value.items():
            yield from _of_fields(one, name if name in _READ | _WRITTEN | _BOTH else holder)
    elif isinstance(value, str) and value.startswith("s3://"):
        assert holder in _READ | _WRITTEN | _BOTH, f"{value}: does SageMaker read it or write it?"
        bucket, _, key = value.removeprefix("s3://").partition("/")
        if holder in _READ | _BOTH:
            yield Need("s3:GetObject", f"arn:aws:s3:::{bucket}/{key}", {})
            yield Need("s3:ListBucket", f"arn:aws:s3:::{bucket}", {})
        if holder in _WRITTEN | _BOTH:
            # Large objects are uploaded in parts, and one that fails is taken back.
            for action in ("PutObject", "AbortMultipartUpload"):
                yield Need(f"s3:{action}", f"arn:aws:s3:::{bucket}/{key}/any", {})


def test_role_may_do_what_requests_make_sagemaker_do_and_nothing_else(requests: list[Mapping[str, Any]]) -> None:
    """Given every field of the golden requests -> each need is allowed, and no action or resource is superfluous."""
    needs = [need for request in requests for need in needs_of(request)]
    statements = [one for name in ("", "-kms", "-vpc") for one in read(f"execution-role{name}")]
    assert denied(statements, needs) == set()
    assert [unused(statement, needs) for statement in statements] == [[] for _ in statements]


def test_without_key_and_vpc_the_first_policy_is_enough(requests: list[Mapping[str, Any]]) -> None:
    """Given requests without a KMS key and without subnets -> execution-role.json allows all of it."""
    plain = [request for request in requests if not re.search("KmsKeyId|Subnets", json.dumps(request))]
    assert {request["operation"] for request in plain} >= set(_LOGS) - {"CreateProcessingJob"}
    assert denied(read("execution-role"), [need for request in plain for need in needs_of(request)]) == set()


def test_role_allows_what_the_container_itself_asks_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a model_uri of an object, and one of a folder -> the job's own downloads are allowed."""
    with sagemaker_on_this_machine(monkeypatch):
        for key in ("models/a.tar.gz", "models/folder/saved_model.pb"):
            boto3.client("s3").put_object(Bucket=BUCKET, Key=f"image-classifier/{key}", Body=b"model")
        storage = S3Storage(Access(region=REGION))
        with recorded(monkeypatch) as recorder:
            download_s3.fetch(storage, s3.parse(f"{FOLDER}/models/a.tar.gz"), tmp_path / "a.tar.gz")
            download_s3.fetch_folder(storage, s3.parse(f"{FOLDER}/models/folder"), tmp_path / "folder")
    assert {need.action for need in recorder.needs()} == {"s3:GetObject", "s3:ListBucket"}
    assert denied(read("execution-role"), recorder.needs()) == set()

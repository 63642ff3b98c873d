"""Failures on AWS that users meet, provoked over HTTP through scripts/launch; each is one sentence with its remedy."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from image_classifier.cli.launch import __main__ as launch
from image_classifier.cloud.sagemaker import endpoints, waiting
from tests.support.sagemaker_service import BUCKET, IMAGE, ROLE, Fault, SageMakerService, sagemaker_on_this_machine

FLAGS = ["--image", IMAGE, "--role", ROLE, "--location", f"s3://{BUCKET}/image-classifier"]
DEPLOY = ["deploy", f"s3://{BUCKET}/flowers/model.tar.gz", "--name", "flowers", *FLAGS]
MODEL_DATA = (
    f'Could not access model data at s3://{BUCKET}/flowers/model.tar.gz. Please ensure that the role "{ROLE}" exists '
    'and that its trust relationship policy allows the action "sts:AssumeRole" for the service principal '
    '"sagemaker.amazonaws.com". Also ensure that the role has "s3:GetObject" permissions and that the object is '
    "located in eu-west-1."
)


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[SageMakerService]:
    """SageMaker on this machine, where nothing waits."""
    monkeypatch.setattr(waiting, "PAUSE", 0.0)
    monkeypatch.setattr("botocore.retries.standard.ExponentialBackoff.delay_amount", lambda *_: 0.0)
    with sagemaker_on_this_machine(monkeypatch) as found:
        yield found


def complained(words: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """Run a command that fails, and return what it says."""
    assert launch.main(words) == 1
    return capsys.readouterr().err


@pytest.mark.parametrize(
    ("operation", "fault", "part"),
    [
        ("CreateModel", Fault("ValidationException", MODEL_DATA), "the model's archive cannot be read"),
        pytest.param(
            "CreateModel",
            Fault("ValidationException", f"Requested image {IMAGE} not found."),
            "Push it with scripts/publish",
            marks=pytest.mark.every,
        ),
        pytest.param(
            "CreateEndpointConfig",
            Fault("ValidationException", "The KMS key arn:aws:kms:eu-west-1:123456789012:key/1 is not accessible."),
            "the KMS key may not be used",
            marks=pytest.mark.every,
        ),
        pytest.param(
            "CreateEndpoint",
            Fault("ThrottlingException", "Rate exceeded"),
            "AWS throttles requests of this account",
            marks=pytest.mark.every,
        ),
    ],
    ids=["model-data", "image", "kms", "throttled"],
)
def test_rejected_deployment_is_one_sentence(
    service: SageMakerService, capsys: pytest.CaptureFixture[str], operation: str, fault: Fault, part: str
) -> None:
    """Given an answer of AWS to a request of a deployment -> its sentence."""
    service.faults[operation] = [fault] * 10
    said = complained(DEPLOY, capsys)
    assert part in said
    assert len(said.strip().splitlines()) == 1


@pytest.mark.parametrize(
    ("reason", "owner", "part"),
    [
        (
            "Unable to provision requested ML compute capacity due to InsufficientInstanceCapacity error. Please retry "
            "using a different ML instance type or after some time.",
            "PlatformError: ",
            "AWS has no free capacity of this instance type now",
        ),
        pytest.param(
            f"Failed to pull image {IMAGE}: not found",
            "UserError: ",
            "Push it with scripts/publish",
            marks=pytest.mark.every,
        ),
        pytest.param(
            "User is not authorized to use the KMS key for decryption: kms:Decrypt",
            "UserError: ",
            "kms:CreateGrant to the execution role",
            marks=pytest.mark.every,
        ),
    ],
    ids=["capacity", "image", "kms"],
)
def test_endpoint_that_failed_names_reason_owner_and_log(
    service: SageMakerService,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    reason: str,
    owner: str,
    part: str,
) -> None:
    """Given the reason for which an endpoint failed -> its sentence, and whether there is a log."""
    wait = endpoints.wait

    def fail_first(*words: object) -> None:
        found = service.backend.endpoints["flowers"]
        found.endpoint_status, found.failure_reason = "Failed", reason
        wait(*words)  # type: ignore[arg-type]

    monkeypatch.setattr(endpoints, "wait", fail_first)
    said = complained(DEPLOY, capsys)
    assert said.startswith(owner)
    assert part in said
    assert "It wrote no log." in said


def test_without_credentials_or_network_every_verb_says_so(
    service: SageMakerService, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Given no credentials, and then no server at the address of AWS -> what to do, in one sentence."""
    with monkeypatch.context() as patched:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            patched.delenv(name)
        for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
            patched.setenv(name, str(tmp_path / "absent"))
        for words in (["status"], ["delete", "--all"], ["register", "flowers:1", "--approve"], ["monitor", "flowers"]):
            said = complained(words, capsys)
            assert "No AWS credentials for the" in said
            assert "aws configure" in said
    assert service.requests == []
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    said = complained(["status"], capsys)
    assert said.startswith("PlatformError: ")
    assert "cannot be reached" in said

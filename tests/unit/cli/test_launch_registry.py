"""scripts/launch register, and the deployment of a registered version, over HTTP."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from image_classifier.cli.launch import __main__ as launch
from image_classifier.cloud.sagemaker import registering, waiting
from image_classifier.contract.errors import UserError
from tests.support import registered
from tests.support.golden_files import assert_golden
from tests.support.registered import STORAGE
from tests.support.sagemaker_service import BUCKET, REGION, ROLE, Fault, SageMakerService, sagemaker_on_this_machine

GOLDEN = Path(__file__).parent / "golden"
ARN = f"arn:aws:sagemaker:{REGION}:123456789012:model-package/flowers"


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[SageMakerService]:
    """SageMaker on this machine."""
    monkeypatch.setattr(waiting, "PAUSE", 0.0)
    monkeypatch.setattr("image_classifier.cloud.sagemaker.tags.__version__", "1.2.3")
    with sagemaker_on_this_machine(monkeypatch) as found:
        yield found


@pytest.fixture
def job(tmp_path: Path) -> Path:
    """The folder of a finished job."""
    return registered.write_job(tmp_path / "run")


def created(service: SageMakerService) -> dict[str, Any]:
    """Return the parameters of the last registration."""
    return [parameters for operation, parameters in service.requests if operation == "CreateModelPackage"][-1]


def test_dry_run_is_the_golden_one(service: SageMakerService, job: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Given a job -> its uploads, the group and the version of the golden file, and no request."""
    assert launch.main(["register", str(job), "--dry-run"]) == 0
    assert service.requests == []
    # The drift baseline has floating-point numbers, which processors and libraries round differently.
    text = re.sub(r"[0-9a-f]{64}|[0-9a-f]{24}", "HASH", capsys.readouterr().out)
    assert_golden(GOLDEN / "launch_register.json", json.loads(text))


def test_version_has_evaluation_card_and_baselines(
    service: SageMakerService, job: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Given a job with a report -> files in S3, the serve image, headline figures, a status, the next command."""
    assert launch.main(["register", str(job)]) == 0
    found = created(service)
    container = found["InferenceSpecification"]["Containers"][0]
    assert container == {"Image": registered.SERVE, "ModelDataUrl": f"{STORAGE}/jobs/flowers-1/output/model.tar.gz"}
    assert found["ModelApprovalStatus"] == "PendingManualApproval"
    assert found["CustomerMetadataProperties"]["accuracy-low"] == "0.9016"
    assert found["CustomerMetadataProperties"]["verdict"] == "Good enough 96 percent."
    assert json.loads(found["ModelCard"]["ModelCardContent"])["intended_uses"] == {"risk_rating": "Unknown"}
    files = [found["ModelMetrics"]["ModelQuality"]["Statistics"]]
    files += found["DriftCheckBaselines"]["ModelDataQuality"].values()
    for file in files:
        key = file["S3Uri"].removeprefix(f"s3://{BUCKET}/")
        assert json.loads(boto3.client("s3").get_object(Bucket=BUCKET, Key=key)["Body"].read())
    assert "Tags" not in found
    group = boto3.client("sagemaker").list_tags(ResourceArn=ARN.replace("package", "package-group"))["Tags"]
    assert {"Key": "created-by", "Value": "image-classifier"} in group
    shown = capsys.readouterr().out
    assert "Registered flowers:1, PendingManualApproval: Accuracy 0.9600, 95 % interval 0.9016 to" in shown
    assert shown.endswith("  scripts/launch register flowers:1 --approve\n")


def test_the_same_artefact_is_registered_once(
    service: SageMakerService, job: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Given a job that is registered already -> the version that it is, whose status a flag changes."""
    for _ in range(2):
        assert launch.main(["register", str(job)]) == 0
    assert "flowers:1 is this artefact already; it is PendingManualApproval" in capsys.readouterr().out
    assert launch.main(["register", str(job), "--approve", "--json"]) == 0
    expected = {"version": "flowers:1", "arn": f"{ARN}/1", "approval": "Approved"}
    assert json.loads(capsys.readouterr().out) == expected
    assert service.operations().count("CreateModelPackage") == 1
    assert service.operations().count("CreateModelPackageGroup") == 1
    assert launch.main(["register", "flowers:1", "--reject"]) == 0
    assert "it was Approved and is Rejected now" in capsys.readouterr().out
    assert launch.main(["register", "flowers:1"]) == 1
    assert "Say what to do with flowers:1: --approve, --pending or --reject." in capsys.readouterr().err


@pytest.mark.every
def test_mistakes_are_one_sentence_each(
    service: SageMakerService, job: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Given no evaluation, and a version that does not exist -> what to do, and nothing is registered."""
    (job / "output" / "data" / "evaluation.json").unlink()
    for words, part in (
        ([str(job)], "scripts/evaluate"),
        (["flowers:1"], "flowers:1 is not registered"),
        (["flowers:1", "--approve"], "flowers:1 is not registered"),
        (["flowers:1", "--approve", "--dry-run"], "Give the ARN"),
    ):
        assert launch.main(["register", *words]) == 1
        assert part in capsys.readouterr().err
    assert "CreateModelPackageGroup" not in service.operations()


def test_version_is_approved_where_its_files_cannot_be_read(
    service: SageMakerService, job: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given a version without a model card whose files are not readable -> a line that says so, and the approval."""
    (job / "output" / "data" / "model_card.json").unlink()
    launch.main(["register", str(job)])

    def deny(*_: object) -> None:
        raise UserError("AWS rejected GetObject.")

    monkeypatch.setattr("image_classifier.cloud.s3.S3Storage.read_bytes", deny)
    assert launch.main(["register", "flowers:1"]) == 1
    assert "flowers:1 still lacks its model card. AWS rejected GetObject." in capsys.readouterr().err
    assert launch.main(["register", "flowers:1", "--approve"]) == 0
    shown = capsys.readouterr().out
    assert "flowers:1 still lacks its model card. AWS rejected GetObject." in shown
    assert "it was PendingManualApproval and is Approved now" in shown


@pytest.mark.every
def test_model_without_a_baseline_is_registered_with_a_remark(
    service: SageMakerService, job: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Given a model from before drift baselines -> a line that says so, and a version without them."""
    (job / "model" / "drift_baseline.npz").unlink()
    assert launch.main(["register", str(job), "--group", "others"]) == 0
    assert "The version gets no drift baselines." in capsys.readouterr().out
    assert "DriftCheckBaselines" not in created(service)
    assert created(service)["ModelPackageGroupName"] == "others"


def test_version_is_deployed_when_it_is_approved(
    service: SageMakerService, job: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Given a pending version -> no deployment without a flag; approved -> its model names the package."""
    launch.main(["register", str(job)])
    words = ["deploy", "flowers:1", "--role", ROLE]
    assert launch.main(words) == 1
    assert "flowers:1 is PendingManualApproval, so that it is not deployed" in capsys.readouterr().err
    assert launch.main(["deploy", "flowers", "--role", ROLE]) == 1
    assert "neither a model on this machine nor a model package group with an approved" in capsys.readouterr().err
    assert launch.main([*words, "--allow-unapproved", "--name", "trial"]) == 0
    launch.main(["register", "flowers:1", "--approve"])
    for named in ("flowers", f"{ARN}/1"):
        assert launch.main(["deploy", named, "--role", ROLE, "--name", f"at-{len(named)}"]) == 0
    packages = [
        parameters["PrimaryContainer"] for operation, parameters in service.requests if operation == "CreateModel"
    ]
    assert packages == [{"ModelPackageName": f"{ARN}/1"}] * 3


@pytest.mark.every
def test_dry_run_of_a_deployment_asks_for_nothing(
    service: SageMakerService, capsys: pytest.CaptureFixture[str]
) -> None:
    """Given a version -> its requests, with the account of the role; given a group alone -> a sentence."""
    assert launch.main(["deploy", "flowers:2", "--role", ROLE, "--dry-run"]) == 0
    planned = json.loads(capsys.readouterr().out)
    assert planned[0]["parameters"]["PrimaryContainer"] == {"ModelPackageName": f"{ARN}/2"}
    assert launch.main(["deploy", "flowers", "--role", ROLE, "--dry-run"]) == 1
    assert "Name one, such as flowers:1" in capsys.readouterr().err
    assert launch.main(["deploy", "flowers:2", "--role", ROLE, "--kind", "multi-model"]) == 1
    assert "takes archives, not registered versions" in capsys.readouterr().err
    assert service.requests == []


@pytest.mark.every
def test_version_that_does_not_exist_is_named(service: SageMakerService, capsys: pytest.CaptureFixture[str]) -> None:
    """Given a version that the registry does not have -> a sentence with its group."""
    service.faults["DescribeModelPackage"] = [Fault("ValidationException", f"ModelPackage {ARN}/9 does not exist.")]
    assert launch.main(["deploy", "flowers:9", "--role", ROLE]) == 1
    assert "flowers has no version 9 in eu-west-1" in capsys.readouterr().err


def test_status_and_deletion_know_versions(
    service: SageMakerService, job: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Given two versions, one of another program -> ours is listed and deleted, and the group stays with theirs."""
    launch.main(["register", str(job)])
    theirs = boto3.client("sagemaker").create_model_package(
        ModelPackageGroupName="flowers", InferenceSpecification=registering.inference("image", "s3://b/m")
    )["ModelPackageArn"]
    capsys.readouterr()
    assert launch.main(["status"]) == 0
    rows = [re.split("  +", line)[:3] for line in capsys.readouterr().out.splitlines()[1:]]
    assert rows == [
        ["model package", "flowers:1", "PendingManualApproval"],
        ["model package group", "flowers", "Completed"],
    ]
    assert launch.main(["delete", "--all", "--yes"]) == 0
    assert "nothing to delete" in capsys.readouterr().out
    assert launch.main(["delete", "flowers", "--records", "--yes"]) == 0
    assert "It stays, since it holds versions that are not deleted: flowers:2" in capsys.readouterr().out
    assert list(service.backend.model_packages) == [theirs]
    service.backend.model_packages.clear()
    for _ in range(2):
        assert launch.main(["delete", "--all", "--records", "--yes"]) == 0
    assert service.tagged() == []

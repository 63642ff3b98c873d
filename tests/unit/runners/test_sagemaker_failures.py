"""Jobs on SageMaker that fail, are stopped early or lose the process that follows them: moto's server over HTTP."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import boto3
import pytest

from image_classifier.contract.errors import UserError
from image_classifier.runners import experiment, sagemaker
from image_classifier.runners.experiment import Experiment
from image_classifier.runners.job import State
from image_classifier.runners.sagemaker_job import process, record
from tests.support.sagemaker_jobs import OPTIONS, created, flowers, followed_here, look
from tests.support.sagemaker_service import Fault, SageMakerService


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[SageMakerService]:
    """SageMaker on this machine."""
    with followed_here(monkeypatch) as found:
        yield found


@pytest.fixture
def asked_for(tmp_path: Path) -> Experiment:
    """An experiment with a folder of images and a model on this machine."""
    return flowers(tmp_path)


def test_failed_job_shows_its_reason_with_a_remedy(
    service: SageMakerService, asked_for: Experiment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given a failure of the program and one of the platform -> the program's sentence, and a remedy."""
    folder = tmp_path / "run"
    job = created(service, asked_for, folder, monkeypatch)
    service.set_job(
        job, "Failed", failure="AlgorithmError: UserError: No image in /opt/ml/input/data/training., exit code: 1"
    )
    look(folder, monkeypatch)
    failed = sagemaker.status(folder)
    assert failed.state == State.FAILED
    assert failed.failure == "UserError: No image in /opt/ml/input/data/training., exit code: 1"
    other = tmp_path / "other"
    job = created(service, replace(asked_for, name="other"), other, monkeypatch)
    service.set_job(job, "Failed", failure="CapacityError: Unable to provision requested ML compute capacity.")
    look(other, monkeypatch)
    assert "no free capacity" in str(sagemaker.status(other).failure)


def test_error_before_the_job_exists_is_its_failure(
    service: SageMakerService, asked_for: Experiment, tmp_path: Path
) -> None:
    """Given a rejected request -> the status has the sentence with its owner, and no process is started again."""
    folder = tmp_path / "run"
    sagemaker.start(asked_for, folder)
    service.faults["CreateTrainingJob"] = [Fault("ValidationException", "Could not assume role arn:aws:iam::1:role/x.")]
    process.run(folder)
    failed = sagemaker.status(folder)
    assert failed.state == State.FAILED
    assert str(failed.failure).startswith("UserError: The training job flowers-")
    assert "trust policy" in str(failed.failure)


def test_bucket_of_another_region_is_found_before_the_upload(
    service: SageMakerService, asked_for: Experiment, tmp_path: Path
) -> None:
    """Given a bucket in us-west-2 and a job in eu-west-1 -> an error that names both, and nothing is uploaded."""
    boto3.client("s3", region_name="us-west-2").create_bucket(
        Bucket="far-away", CreateBucketConfiguration={"LocationConstraint": "us-west-2"}
    )
    folder = tmp_path / "run"
    options = {experiment.SAGEMAKER: {**OPTIONS, "location": "s3://far-away/x"}}
    sagemaker.start(replace(asked_for, options=options), folder)
    process.run(folder)
    assert "far-away is in us-west-2, and SageMaker would work in eu-west-1" in str(sagemaker.status(folder).failure)
    assert boto3.client("s3").list_objects_v2(Bucket="far-away")["KeyCount"] == 0


def test_stop_during_the_upload_creates_no_job(
    service: SageMakerService, asked_for: Experiment, tmp_path: Path
) -> None:
    """Given a stop request before the job exists -> no job is created, and the status is stopped."""
    folder = tmp_path / "run"
    sagemaker.start(asked_for, folder)
    sagemaker.stop(folder)
    process.run(folder)
    assert sagemaker.status(folder).state == State.STOPPED
    assert "CreateTrainingJob" not in service.operations()


@pytest.mark.every
def test_job_is_adopted_after_a_crash_of_its_process(
    service: SageMakerService, asked_for: Experiment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given a process that was killed after it created the job -> the next one adopts the job and creates no other."""
    folder = tmp_path / "run"
    sagemaker.start(asked_for, folder)
    before = record.read(folder)
    assert before is not None
    process.run(folder)
    record.write(folder, before)
    process.run(folder)
    assert service.operations().count("CreateTrainingJob") == 1
    assert sagemaker.status(folder).state == State.FINISHED


def test_unreachable_platform_is_asked_again(
    service: SageMakerService, asked_for: Experiment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given expired credentials for a moment -> a warning while they are, and the job is followed afterwards."""
    folder = tmp_path / "run"
    created(service, asked_for, folder, monkeypatch)
    service.faults["DescribeTrainingJob"] = [Fault("ExpiredTokenException", "The security token is expired")]
    look(folder, monkeypatch)
    assert "aws sso login" in sagemaker.status(folder).warnings[-1]
    look(folder, monkeypatch)
    assert sagemaker.status(folder).warnings == ()


def test_every_problem_is_in_one_message(service: SageMakerService, asked_for: Experiment, tmp_path: Path) -> None:
    """Given a missing folder, image and role and an invalid hyperparameter -> one error, no request."""
    wrong = replace(
        asked_for,
        training=str(tmp_path / "nowhere"),
        hyperparameters={"epochs": "none of it"},
        options={experiment.SAGEMAKER: {}},
    )
    with pytest.raises(UserError) as caught:
        sagemaker.check(wrong, tmp_path / "run")
    for part in ("nowhere, which is not a folder", "epochs", "image: the URI", "role: the execution role"):
        assert part in str(caught.value)
    assert service.requests == []


def test_folder_of_a_job_is_not_used_again(service: SageMakerService, asked_for: Experiment, tmp_path: Path) -> None:
    """Given a folder with a job on SageMaker -> an error that names the way to resume it, and its record stays."""
    folder = tmp_path / "run"
    sagemaker.start(asked_for, folder)
    before = record.read(folder)
    with pytest.raises(UserError, match=r"scripts/launch resume .*run resumes one"):
        sagemaker.start(asked_for, folder)
    assert record.read(folder) == before


def test_folder_of_others_is_not_used(service: SageMakerService, asked_for: Experiment, tmp_path: Path) -> None:
    """Given a folder with files of the user -> an error, and nothing is written."""
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "file").write_text("x")
    with pytest.raises(UserError, match="holds files of others"):
        sagemaker.start(asked_for, tmp_path / "mine")
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["file"]

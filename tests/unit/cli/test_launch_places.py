"""A bucket in another region than SageMaker: each verb says so before it uploads or creates anything."""

from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest

from image_classifier.cli.launch import __main__ as launch
from tests.support import registered
from tests.support.representatives import some_of
from tests.support.sagemaker_service import IMAGE, ROLE, SageMakerService, sagemaker_on_this_machine

FLAGS = ["--image", IMAGE, "--role", ROLE, "--location", "s3://far-away/image-classifier"]
INPUTS = ["--training", "photos", "--model", "model.tar.gz"]
VERBS = {
    "train": ["train", *INPUTS, "--output", "run/a"],
    "tune": ["tune", *INPUTS, "--output", "run/b"],
    "pipeline": ["pipeline", *INPUTS],
    "deploy": ["deploy", "model.tar.gz", "--name", "flowers"],
    "multi-model": ["deploy", "s3://far-away/model.tar.gz", "--name", "flowers", "--kind", "multi-model"],
    "batch": ["batch", "model.tar.gz", "photos", "--csv", "answers.csv"],
    "register": ["register", "run/mine"],
}


@pytest.fixture
def service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SageMakerService]:
    """SageMaker on this machine, a bucket in another region, and a working folder with images, a model and a job."""
    for name in ("photos/cat/1.jpg", "photos/dog/1.jpg", "model.tar.gz"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"\x1f\x8b")
    registered.write_job(tmp_path / "run" / "mine")
    monkeypatch.chdir(tmp_path)
    with sagemaker_on_this_machine(monkeypatch) as found:
        boto3.client("s3", region_name="us-west-2").create_bucket(
            Bucket="far-away", CreateBucketConfiguration={"LocationConstraint": "us-west-2"}
        )
        yield found


@pytest.mark.parametrize("verb", some_of(VERBS, {"train", "deploy"}))
def test_bucket_elsewhere_is_found_first(
    service: SageMakerService, capsys: pytest.CaptureFixture[str], verb: str
) -> None:
    """Given a bucket in us-west-2 and a session in eu-west-1 -> one sentence; nothing is uploaded or created."""
    assert launch.main([*VERBS[verb], *FLAGS]) == 1
    said = capsys.readouterr().err
    assert "The bucket far-away is in us-west-2, and SageMaker would work in eu-west-1" in said
    assert "Give --region us-west-2, or another --location." in said
    assert boto3.client("s3").list_objects_v2(Bucket="far-away")["KeyCount"] == 0
    assert [name for name in service.operations() if name.startswith("Create")] == []
    assert service.tagged() == []
    # The folder of the job that was there.
    assert [path.name for path in Path("run").iterdir()] == ["mine"]


def test_input_elsewhere_is_found_first(service: SageMakerService, capsys: pytest.CaptureFixture[str]) -> None:
    """Given images in a bucket of another region -> what to do about them, and no job is created."""
    words = ["train", "--training", "s3://far-away/photos", "--model", "model.tar.gz", "--output", "run/c"]
    assert launch.main([*words, *FLAGS[:4], "--location", "s3://bucket-of-the-test/x"]) == 1
    assert "or copy training into a bucket there." in capsys.readouterr().err
    assert service.operations() == []


def test_detached_job_needs_credentials_at_once(
    service: SageMakerService, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Given --detach without credentials -> exit code 1 with what to do, and no folder of a job that cannot begin."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "absent"))
    assert launch.main([*VERBS["train"], "--detach", *FLAGS]) == 1
    assert "No AWS credentials for s3://far-away/" in capsys.readouterr().err
    assert not Path("run/a").exists()

import json
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto.core.responses import ActionResult

from tests.image.sagemaker_sdk.conftest import ROLE, Run, sleeping_at_most
from tests.support.guides import script, write_plain_image

REGISTRY = "123456789012.dkr.ecr.eu-west-1.amazonaws.com"
ANSWER = {"probabilities": [0.9, 0.1], "labels": ["a", "b"], "predicted_label": "a"}


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for what the scripts write; they start no containers, so that no image is needed."""
    return tmp_path_factory.mktemp("guides")


@pytest.fixture
def client(aws: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Make the stand-in's clients; it leaves out empty objects, as AWS does and version 3 of the SDK expects."""

    def without_empty_objects(result: Mapping[str, Any]) -> ActionResult:
        return ActionResult({name: value for name, value in result.items() if value != {}})

    monkeypatch.setattr("moto.sagemaker.responses.ActionResult", without_empty_objects)
    session = boto3.Session("test", "test", region_name="eu-west-1")
    return lambda service: session.client(service, endpoint_url=aws)


@pytest.fixture(params=["v2", "v3"])
def version(request: pytest.FixtureRequest) -> str:
    """Version of the SDK, of its guide and of what its script makes."""
    return str(request.param)


@pytest.fixture
def names(version: str, tmp_path: Path, aws: str, client: Any) -> Mapping[str, str]:
    """What the guides ask the reader for: role and bucket are there, and endpoints answer as the image does."""
    photo = write_plain_image(tmp_path / "images" / "a class" / "one.bmp")
    (tmp_path / "backbone").mkdir()
    (tmp_path / "backbone" / "model.tar.gz").write_bytes(b"\x1f\x8b")
    bucket = f"bucket-of-{version}"
    client("s3").create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    if version == "v3":
        client("iam").create_role(RoleName=ROLE.rpartition("/")[2], AssumeRolePolicyDocument="{}")
    results = [{"Body": json.dumps(ANSWER), "ContentType": "application/json"}] * 3
    queue = json.dumps({"region": "eu-west-1", "results": results}).encode()
    urllib.request.urlopen(f"{aws}/moto-api/static/sagemaker/endpoint-results", queue).close()
    of_version = {
        "v2": {
            "images": str(tmp_path / "images"),
            "backbone": str(tmp_path / "backbone"),
            "new_images": str(photo.parent),
        },
        "v3": {"photo": str(photo)},
    }
    return {
        "image_uri": f"{REGISTRY}/image-classifier:0.1.0-cpu",
        "serve_image_uri": f"{REGISTRY}/image-classifier:0.1.0-serve",
        "role": ROLE,
        "bucket": bucket,
        **of_version[version],
    }


def test_every_request_of_the_guide_is_valid(
    version: str, names: Mapping[str, str], client: Any, run_with_sdk: Run
) -> None:
    """Given a guide's blocks for SageMaker and a stand-in for it -> all requests are accepted, endpoints are gone."""
    text = sleeping_at_most(0) + script(f"sdk-{version}.md", "On SageMaker", **names)
    done = run_with_sdk(version, text, local_mode=False)
    assert done.exit_code == 0, done.output[-6000:]
    assert "'predicted_label': 'a'" in done.output.replace('"', "'")
    jobs = client("sagemaker").list_training_jobs(NameContains="image-classifier")["TrainingJobSummaries"]
    [job] = [
        found
        for summary in jobs
        if (found := client("sagemaker").describe_training_job(TrainingJobName=summary["TrainingJobName"]))
        if names["bucket"] in found["OutputDataConfig"]["S3OutputPath"]
    ]
    assert [channel["ChannelName"] for channel in job["InputDataConfig"]] == ["training", "model"]
    assert job["HyperParameters"]["train_only_top_layer"] in ("True", "true")
    assert job["EnableManagedSpotTraining"] is True
    assert job["CheckpointConfig"]["S3Uri"].startswith(f"s3://{names['bucket']}/checkpoints/")
    assert client("sagemaker").list_endpoints()["Endpoints"] == []

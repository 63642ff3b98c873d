import subprocess
import sys
from pathlib import Path

import boto3
import pytest

from tests.support.aws import CREDENTIALS, aws_on_this_machine
from tests.support.guides import script, write_plain_image

NAMES = {
    "image_uri": "123456789012.dkr.ecr.eu-west-1.amazonaws.com/image-classifier:0.1.0-cpu",
    "serve_image_uri": "123456789012.dkr.ecr.eu-west-1.amazonaws.com/image-classifier:0.1.0-serve",
    "role": "arn:aws:iam::123456789012:role/sagemaker",
    "bucket": "the-bucket",
}


def test_every_call_of_the_boto3_guide_is_valid(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given the guide's blocks and a stand-in for AWS -> all requests are accepted, their resources exist."""
    photo = write_plain_image(tmp_path / "images" / "a class" / "one.bmp")
    (tmp_path / "model.tar.gz").write_bytes(b"\x1f\x8b")
    places = {"images": tmp_path / "images", "backbone": tmp_path / "model.tar.gz", "photo": photo}
    with aws_on_this_machine() as address:
        for name, value in {**CREDENTIALS, "AWS_ENDPOINT_URL": address, "AWS_DEFAULT_REGION": "eu-west-1"}.items():
            monkeypatch.setenv(name, value)
        boto3.client("s3").create_bucket(
            Bucket="the-bucket", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
        )
        text = script("boto3.md", "On SageMaker", **NAMES, **places)
        done = subprocess.run(
            [sys.executable, "-"], input=text, capture_output=True, text=True, check=False, timeout=300
        )
        assert done.returncode == 0, done.stderr[-4000:]
        keys = [item["Key"] for item in boto3.client("s3").list_objects_v2(Bucket="the-bucket")["Contents"]]
        assert keys == ["backbone/model.tar.gz", "images/a class/one.bmp", "new/one.bmp"]
        sagemaker = boto3.client("sagemaker")
        job = sagemaker.describe_training_job(TrainingJobName="images")
        assert [channel["ChannelName"] for channel in job["InputDataConfig"]] == ["training", "model"]
        assert sagemaker.describe_transform_job(TransformJobName="images")["BatchStrategy"] == "SingleRecord"
        assert sagemaker.list_endpoints()["Endpoints"] == []
    assert done.stdout.startswith("Completed s3://the-bucket/jobs/images/output/model.tar.gz\n")

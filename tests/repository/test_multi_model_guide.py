import subprocess
import sys
from pathlib import Path

import boto3
import pytest

from tests.support.aws import CREDENTIALS, aws_on_this_machine
from tests.support.guides import script, write_plain_image

NAMES = {
    "serve_image_uri": "123456789012.dkr.ecr.eu-west-1.amazonaws.com/image-classifier:0.1.0-serve",
    "role": "arn:aws:iam::123456789012:role/sagemaker",
    "bucket": "bucket-of-models",
}


def test_every_call_of_the_multi_model_guide_is_valid(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given the guide's blocks and a stand-in for AWS -> all requests are accepted, several models are served."""
    photo = write_plain_image(tmp_path / "one.bmp")
    for name in ("birds", "flowers"):
        (tmp_path / f"{name}.tar.gz").write_bytes(b"\x1f\x8b")
    with aws_on_this_machine() as address:
        for name, value in {**CREDENTIALS, "AWS_ENDPOINT_URL": address, "AWS_DEFAULT_REGION": "eu-west-1"}.items():
            monkeypatch.setenv(name, value)
        boto3.client("s3").create_bucket(
            Bucket="bucket-of-models", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
        )
        text = script("multi-model.md", "On SageMaker", **NAMES, artefacts=tmp_path, photo=photo)
        done = subprocess.run(
            [sys.executable, "-"], input=text, capture_output=True, text=True, check=False, timeout=120
        )
        assert done.returncode == 0, done.stderr[-4000:]
        keys = [item["Key"] for item in boto3.client("s3").list_objects_v2(Bucket="bucket-of-models")["Contents"]]
        container = boto3.client("sagemaker").describe_model(ModelName="many")["PrimaryContainer"]
    assert keys == ["models/birds.tar.gz", "models/flowers.tar.gz"]
    assert (container["Mode"], container["ModelDataUrl"]) == ("MultiModel", "s3://bucket-of-models/models/")
    assert [line.split()[0] for line in done.stdout.splitlines()] == ["birds.tar.gz", "flowers.tar.gz"]

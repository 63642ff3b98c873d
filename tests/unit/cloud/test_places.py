"""The places in S3 that a request names: moto's server over HTTP, with buckets here, elsewhere, hidden and absent."""

from collections.abc import Iterator

import boto3
import pytest

from image_classifier.cloud import s3
from image_classifier.cloud.s3 import Access, S3Storage
from image_classifier.cloud.sagemaker import places
from image_classifier.contract.errors import UserError
from tests.support.sagemaker_service import BUCKET, REGION, SageMakerService, sagemaker_on_this_machine

FOLDER = s3.parse(f"s3://{BUCKET}/image-classifier")


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[SageMakerService]:
    """SageMaker on this machine, with a bucket in another region, and one object in each."""
    with sagemaker_on_this_machine(monkeypatch) as found:
        boto3.client("s3", region_name="us-west-2").create_bucket(
            Bucket="far-away", CreateBucketConfiguration={"LocationConstraint": "us-west-2"}
        )
        for bucket in (BUCKET, "far-away"):
            boto3.client("s3").put_object(Bucket=bucket, Key="photos/cat/1.jpg", Body=b"cat")
        yield found


def check(location: s3.Location = FOLDER, **inputs: str) -> str:
    """Return what is wrong with the places; empty if nothing is."""
    try:
        places.check(S3Storage(Access(region=REGION)), REGION, location, inputs)
    except UserError as error:
        return str(error)
    return ""


def test_what_exists_here_passes(service: SageMakerService) -> None:
    """Given a folder of this region, and inputs with and without a slash, an object and a bucket -> no error."""
    for name in ("photos", "photos/", "photos/cat/1.jpg", ""):
        assert check(training=f"s3://{BUCKET}/{name}") == ""


def test_another_region_is_named_with_both_remedies(service: SageMakerService) -> None:
    """Given the program's folder, or an input, in another region -> both regions, and what to give instead."""
    far = s3.parse("s3://far-away/image-classifier")
    begin = f"The bucket far-away is in us-west-2, and SageMaker would work in {REGION}"
    assert check(far).startswith(begin)
    assert check(far).endswith("Give --region us-west-2, or another --location.")
    assert check(training="s3://far-away/photos").endswith("or copy training into a bucket there.")
    # One bucket is one problem.
    assert check(far, training="s3://far-away/photos").count("far-away is in") == 1


def test_what_does_not_exist_is_named(service: SageMakerService) -> None:
    """Given a bucket or a prefix that does not exist, for each input -> one message with a sentence for each."""
    said = check(s3.parse("s3://absent-1/x"), training="s3://absent-2/x", test=f"s3://{BUCKET}/phot0s/")
    assert f"make it: `aws s3 mb s3://absent-1 --region {REGION}`" in said
    assert "training is s3://absent-2/x, and the bucket absent-2 does not exist" in said
    assert f"test is s3://{BUCKET}/phot0s/, and no object has a key that begins so" in said


def test_hidden_buckets_are_left_to_the_role(service: SageMakerService) -> None:
    """Given buckets that deny the caller access -> those here pass, and S3 tells the region of one elsewhere."""
    service.hidden |= {BUCKET, "far-away"}
    assert check(training=f"s3://{BUCKET}/anything") == ""
    assert "far-away is in us-west-2" in check(training="s3://far-away/photos")

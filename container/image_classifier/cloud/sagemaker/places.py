"""The places in S3 that a request names, looked at before anything is uploaded or created.

SageMaker reads buckets of its own region only, and an input that does not exist fails a job minutes after its start.
"""

from collections.abc import Mapping
from types import MappingProxyType

from image_classifier.cloud import s3
from image_classifier.cloud.s3 import Location, S3Storage
from image_classifier.contract.errors import UserError

_NO_INPUTS: Mapping[str, str] = MappingProxyType({})


def check(storage: S3Storage, region: str, location: Location, inputs: Mapping[str, str] = _NO_INPUTS) -> None:
    """Ensure that everything lies in the region, and that the inputs exist.

    What these credentials may not read is not checked: the execution role may see it, and an upload is rejected anyway.

    Args:
        storage: Access with the caller's credentials.
        region: That of the request.
        location: The program's folder, to which the caller writes.
        inputs: S3 URIs of folders or objects, by their names in messages, such as `training`.

    Raises:
        UserError: One message with every problem.
        PlatformError: S3 cannot be reached or fails.
    """
    found = []
    if problem := _of_folder(storage, region, location):
        found.append(problem)
    for name, uri in inputs.items():
        place = s3.parse(uri)
        # The bucket's own problem was reported above.
        is_said = bool(found) and place.bucket == location.bucket
        if not is_said and (problem := _of_input(storage, region, name, place)):
            found.append(problem)
    if found:
        raise UserError(" ".join(dict.fromkeys(found)))


def _of_folder(storage: S3Storage, region: str, location: Location) -> str:
    actual = storage.region_of(location.bucket)
    if actual is None:
        return (
            f"The bucket {location.bucket} does not exist, in which data and results would lie. Give another "
            f"--location, or make it: `aws s3 mb s3://{location.bucket} --region {region}`."
        )
    return _elsewhere(location.bucket, actual, region, "or another --location")


def _of_input(storage: S3Storage, region: str, name: str, place: Location) -> str:
    actual = storage.region_of(place.bucket)
    if actual is None:
        return f"{name} is {place}, and the bucket {place.bucket} does not exist. Check its name."
    if problem := _elsewhere(place.bucket, actual, region, f"or copy {name} into a bucket there"):
        return problem
    if not storage.has_objects(place):
        return f"{name} is {place}, and no object has a key that begins so. Check it with `aws s3 ls {place}`."
    return ""


def _elsewhere(bucket: str, actual: str, region: str, other: str) -> str:
    if not actual or actual == region:
        return ""
    return (
        f"The bucket {bucket} is in {actual}, and SageMaker would work in {region}: it reads buckets of its own region "
        f"only. Give --region {actual}, {other}."
    )

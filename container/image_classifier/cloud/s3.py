"""S3: download and upload files through boto3's transfer manager, and list folders."""

import re
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from image_classifier.cloud.errors import ABSENT, Request, explained
from image_classifier.contract.addresses import without_secrets
from image_classifier.contract.errors import UserError

_CONCURRENT_UPLOADS = 8
_ATTEMPTS = 4
"""Of one HTTP request."""
_HIDDEN = ("403", "AccessDenied")
_WRITTEN_BY = "written-by"
"""Key of an object's user-defined metadata."""
_EXAMPLE = "s3://my-bucket/models/lite0.tar.gz"


@dataclass(frozen=True)
class Location:
    """A bucket and a key; a key that is empty or ends in `/` denotes a folder."""

    bucket: str
    key: str

    def __str__(self) -> str:
        return without_secrets(self.uri)

    @property
    def uri(self) -> str:
        """The complete address. For messages use `str`, which drops a query that was pasted along with it."""
        return f"s3://{self.bucket}/{self.key}"

    def below(self, name: str) -> "Location":
        """Return the location of `name` in this folder."""
        return Location(self.bucket, f"{self.key.rstrip('/')}/{name}".lstrip("/"))


@dataclass(frozen=True)
class ObjectEntry:
    """One object of a folder: its name relative to the folder, and its size in bytes."""

    name: str
    size: int


@dataclass(frozen=True)
class Access:
    """How to reach S3. boto3 determines the endpoint from `AWS_ENDPOINT_URL` and the AWS configuration."""

    region: str | None = None
    anonymous: bool = False
    """Send unsigned requests, which public buckets allow."""
    profile: str | None = None
    """Of the AWS configuration; None: the default one."""


def parse(uri: str) -> Location:
    """Return the location that a URI names.

    Raises:
        UserError: It does not have the form `s3://bucket/key`.
    """
    found = re.fullmatch(r"s3://([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:/(.*))?", uri)
    if not found:
        raise UserError(f"{without_secrets(uri)!r} is not an S3 address. Expected s3://bucket/key, such as {_EXAMPLE}.")
    return Location(found[1], found[2] or "")


class S3Storage:
    """S3 with one kind of access.

    Raises:
        UserError: There are no credentials, S3 rejects a request, or the object does not exist.
        PlatformError: S3 cannot be reached or fails.
    """

    def __init__(self, access: Access) -> None:
        with explained(_request("S3")):
            import boto3
            from botocore import UNSIGNED  # type: ignore[import-untyped]
            from botocore.config import Config  # type: ignore[import-untyped]

            signature = {"signature_version": UNSIGNED} if access.anonymous else {}
            retries = {"total_max_attempts": _ATTEMPTS, "mode": "standard"}
            config = Config(connect_timeout=10, read_timeout=60, retries=retries, max_pool_connections=16, **signature)
            session = boto3.Session(region_name=access.region, profile_name=access.profile)
            self._client = session.client("s3", config=config)

    def size(self, location: Location) -> int:
        """Return the size of an object in bytes."""
        with explained(_request(location)):
            return int(self._client.head_object(Bucket=location.bucket, Key=location.key)["ContentLength"])

    def download(self, location: Location, target: Path, threads: bool = True) -> None:
        """Download an object to a file, which appears only when it is complete.

        Interrupted transfers are resumed. `threads`: download the parts of a large object concurrently.
        """
        with explained(_request(location)):
            from boto3.s3.transfer import TransferConfig

            config = TransferConfig(use_threads=threads)
            self._client.download_file(location.bucket, location.key, str(target), Config=config)

    def list(self, folder: Location) -> Iterator[ObjectEntry]:
        """Yield the objects of a folder and of its subfolders in the order of their names."""
        for name, item in self._contents(folder):
            if name and not name.endswith("/"):
                yield ObjectEntry(name, int(item["Size"]))

    def newest(self, folder: Location, limit: int) -> tuple[str, ...]:
        """Return the names of the objects of a folder that were written last, the newest first."""
        found = sorted(((item["LastModified"], name) for name, item in self._contents(folder)), reverse=True)
        return tuple(name for _, name in found[:limit])

    def _contents(self, folder: Location) -> Iterator[tuple[str, Mapping[str, Any]]]:
        """Yield the objects below a folder: the name relative to it, empty for the folder itself, and S3's entry."""
        prefix = f"{folder.key.rstrip('/')}/".lstrip("/")
        with explained(_request(folder)):
            for page in self._client.get_paginator("list_objects_v2").paginate(Bucket=folder.bucket, Prefix=prefix):
                for item in page.get("Contents", []):
                    yield item["Key"][len(prefix) :], item

    def read_bytes(self, location: Location) -> bytes | None:
        """Return the content of a small object; None if it does not exist."""
        with explained(_request(location)):
            try:
                return bytes(self._client.get_object(Bucket=location.bucket, Key=location.key)["Body"].read())
            except self._client.exceptions.ClientError as error:
                if error.response["Error"]["Code"] in ABSENT - {"NoSuchBucket"}:
                    return None
                raise

    def write_bytes(self, content: bytes, location: Location) -> None:
        """Write a small object."""
        with explained(_request(location)):
            self._client.put_object(Bucket=location.bucket, Key=location.key, Body=content)

    def copy(self, source: Location, target: Location) -> None:
        """Copy an object inside S3, without a transfer through this machine."""
        with explained(_request(target)):
            self._client.copy({"Bucket": source.bucket, "Key": source.key}, target.bucket, target.key)

    def exists(self, location: Location) -> bool:
        """Return whether an object exists."""
        return self.written_by(location) is not None

    def region_of(self, bucket: str) -> str | None:
        """Return the region of a bucket as far as S3 tells it: empty without access, None if it does not exist."""
        with explained(_request(Location(bucket, ""))):
            try:
                return _region_in(self._client.head_bucket(Bucket=bucket))
            except self._client.exceptions.ClientError as error:
                if error.response["Error"]["Code"] in ABSENT:
                    return None
                if error.response["Error"]["Code"] in _HIDDEN:
                    return _region_in(error.response)
                raise

    def has_objects(self, prefix: Location) -> bool:
        """Return whether an object's key begins with a prefix; True where these credentials may not list the bucket."""
        with explained(_request(prefix)):
            try:
                found = self._client.list_objects_v2(Bucket=prefix.bucket, Prefix=prefix.key, MaxKeys=1)
            except self._client.exceptions.ClientError as error:
                if error.response["Error"]["Code"] in _HIDDEN:
                    return True
                raise
        return bool(found["KeyCount"])

    def put(self, file: Path, location: Location, writer: str | None = None) -> None:
        """Upload a file, in parts if it is large; `writer` is recorded in the object's metadata."""
        more = {"ExtraArgs": {"Metadata": {_WRITTEN_BY: writer}}} if writer else {}
        with explained(_request(location)):
            self._client.upload_file(str(file), location.bucket, location.key, **more)

    def written_by(self, location: Location) -> str | None:
        """Return the recorded writer of an object, see `put`: empty if none is recorded, None if there is no object."""
        with explained(_request(location)):
            try:
                found = self._client.head_object(Bucket=location.bucket, Key=location.key)
            except self._client.exceptions.ClientError as error:
                if error.response["Error"]["Code"] in ABSENT:
                    return None
                raise
        return str(found["Metadata"].get(_WRITTEN_BY, ""))

    def put_folder(self, folder: Path, location: Location) -> int:
        """Upload every file of a folder below a location and return their number."""
        files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
        with ThreadPoolExecutor(_CONCURRENT_UPLOADS) as threads:
            below = [location.below(path.relative_to(folder).as_posix()) for path in files]
            # Consuming the results raises the first error.
            list(threads.map(self.put, files, below))
        return len(files)


def _region_in(answer: Mapping[str, Any]) -> str:
    headers = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    return str(answer.get("BucketRegion") or headers.get("x-amz-bucket-region", ""))


def _request(target: Location | str) -> Request:
    return Request(
        str(target),
        permissions="s3:GetObject and s3:ListBucket for reading, s3:PutObject for writing",
        location="the bucket, the key and the region",
    )

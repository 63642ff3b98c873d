"""Ask S3 for objects, whole or from a byte on, list a folder, and put files there."""

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from image_classifier.contract.addresses import without_secrets
from image_classifier.contract.errors import PlatformError, UserError, first_line

_ABSENT = frozenset({"404", "NoSuchKey", "NoSuchBucket", "NotFound"})
_AT_ONCE = 8
_CHANGED = frozenset({"412", "416", "PreconditionFailed", "InvalidRange"})

_WRITTEN_BY = "written-by"
"""An object's user-defined metadata."""


class TransientError(Exception):
    """What may go well when it is tried again."""


class ChangedError(Exception):
    """The object is no longer the one of which a part was read before."""


@dataclass(frozen=True)
class Location:
    """A bucket and a key; a key that is empty or ends in `/` means a folder."""

    bucket: str
    key: str

    def __str__(self) -> str:
        return without_secrets(self.uri)

    @property
    def uri(self) -> str:
        """The whole address. For messages take `str`, which leaves out what was pasted behind a question mark."""
        return f"s3://{self.bucket}/{self.key}"

    def below(self, name: str) -> "Location":
        """Return the location of `name` in this folder."""
        return Location(self.bucket, f"{self.key.rstrip('/')}/{name}".lstrip("/"))


@dataclass(frozen=True)
class Listed:
    """One object of a folder: its name below the folder, and its size in bytes."""

    name: str
    size: int


@dataclass(frozen=True)
class Body:
    """An object's bytes from `start` on: `stream.read(n)`; `total` is the size of the whole object."""

    stream: Any
    start: int
    total: int
    etag: str


@dataclass(frozen=True)
class Access:
    """How to reach S3. The address is boto3's to find: `AWS_ENDPOINT_URL` and the AWS configuration are heeded."""

    region: str | None = None
    anonymous: bool = False
    """Ask without a signature, as public buckets allow."""


def parse(uri: str) -> Location:
    """Return the location that a URI names.

    Raises:
        UserError: It is no `s3://bucket/key`.
    """
    found = re.fullmatch(r"s3://([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:/(.*))?", uri)
    if not found:
        raise UserError(
            f"{without_secrets(uri)!r} is no S3 address. Expected s3://bucket/key, such as s3://my-bucket/models/lite0.tar.gz."
        )
    return Location(found[1], found[2] or "")


class Storage:
    """S3 as one caller sees it. Every method says in one sentence why it fails.

    Raises:
        UserError: There are no credentials, or S3 rejects or lacks what is asked for.
        PlatformError: S3 does not answer.
    """

    def __init__(self, access: Access) -> None:
        with _explained("S3"):
            import boto3
            from botocore import UNSIGNED  # type: ignore[import-untyped]
            from botocore.config import Config  # type: ignore[import-untyped]

            signature = {"signature_version": UNSIGNED} if access.anonymous else {}
            retries = {"total_max_attempts": 2, "mode": "standard"}
            config = Config(connect_timeout=10, read_timeout=60, retries=retries, max_pool_connections=16, **signature)
            self._client = boto3.Session(region_name=access.region).client("s3", config=config)

    def open(self, location: Location, start: int = 0, etag: str | None = None) -> Body:
        """Start to read an object at a byte; with `etag`, only when it is still that object.

        Raises:
            ChangedError: It is another object by now, or is shorter than `start`.
            TransientError: S3 is busy or cannot be reached.
        """
        part = {"Range": f"bytes={start}-"} if start else {}
        same = {"IfMatch": etag} if etag and start else {}
        with _explained(str(location), again=True):
            answer = self._client.get_object(Bucket=location.bucket, Key=location.key, **part, **same)
        whole = str(answer.get("ContentRange") or f"/{answer['ContentLength']}").rpartition("/")[2]
        return Body(_Stream(answer["Body"]), start if "ContentRange" in answer else 0, int(whole), answer["ETag"])

    def list(self, folder: Location) -> Iterator[Listed]:
        """Yield the objects of a folder and of the folders in it, in the order of their names."""
        prefix = f"{folder.key.rstrip('/')}/".lstrip("/")
        with _explained(str(folder)):
            for page in self._client.get_paginator("list_objects_v2").paginate(Bucket=folder.bucket, Prefix=prefix):
                for item in page.get("Contents", []):
                    if not item["Key"].endswith("/"):
                        yield Listed(item["Key"][len(prefix) :], int(item["Size"]))

    def put(self, file: Path, location: Location, writer: str | None = None) -> None:
        """Write a file's content as an object, with its `writer` where one is named; large files go in parts."""
        more = {"ExtraArgs": {"Metadata": {_WRITTEN_BY: writer}}} if writer else {}
        with _explained(str(location)):
            self._client.upload_file(str(file), location.bucket, location.key, **more)

    def written_by(self, location: Location) -> str | None:
        """Return the writer of an object, see `put`; empty when none is recorded, None when there is no object."""
        with _explained(str(location)):
            try:
                found = self._client.head_object(Bucket=location.bucket, Key=location.key)
            except self._client.exceptions.ClientError as error:
                if error.response["Error"]["Code"] in _ABSENT:
                    return None
                raise
        return str(found["Metadata"].get(_WRITTEN_BY, ""))

    def put_folder(self, folder: Path, location: Location) -> int:
        """Write every file of a folder below a location and return how many there are."""
        files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
        with ThreadPoolExecutor(_AT_ONCE) as threads:
            below = [location.below(path.relative_to(folder).as_posix()) for path in files]
            # The list makes the first error be raised.
            list(threads.map(self.put, files, below))
        return len(files)


@dataclass(frozen=True)
class _Stream:
    body: Any

    def read(self, count: int) -> bytes:
        with _explained("S3", again=True):
            return bytes(self.body.read(count))

    def close(self) -> None:
        self.body.close()


@contextmanager
def _explained(what: str, again: bool = False) -> Iterator[None]:
    from boto3.exceptions import Boto3Error
    from botocore import exceptions

    without = (exceptions.NoCredentialsError, exceptions.PartialCredentialsError, exceptions.CredentialRetrievalError)
    offline = (exceptions.ConnectionError, exceptions.HTTPClientError, exceptions.IncompleteReadError)
    try:
        yield
    except without as error:
        raise UserError(
            f"{what} cannot be read or written: there are no AWS credentials ({first_line(error)}). A job takes its "
            "role's; elsewhere run `aws configure`, or set AWS_PROFILE."
        ) from error
    except exceptions.ClientError as error:
        raise _rejected(what, error, again) from error
    except offline as error:
        if again:
            raise TransientError(first_line(error)) from error
        raise PlatformError(f"{what} cannot be reached: {first_line(error)}. Look at the network.") from error
    except (exceptions.BotoCoreError, Boto3Error) as error:
        raise UserError(
            f"{what} cannot be read or written: {first_line(error)}. Look at the AWS configuration."
        ) from error


def _rejected(what: str, error: Any, again: bool) -> Exception:
    code, message = error.response["Error"]["Code"], str(error.response["Error"].get("Message", "")).rstrip(".")
    status = int(error.response["ResponseMetadata"].get("HTTPStatusCode", 400))
    if code in _CHANGED:
        return ChangedError(message)
    if status >= 500 or status == 429:
        return (
            TransientError(f"{code}: {message}") if again else PlatformError(f"{what}: S3 answered {code}: {message}.")
        )
    if code in _ABSENT:
        return UserError(f"{what} does not exist ({code}: {message}). Look at the bucket, the key and the region.")
    return UserError(
        f"{what} is rejected by S3 ({code}: {message}). Reading takes s3:GetObject and s3:ListBucket, writing "
        "s3:PutObject."
    )

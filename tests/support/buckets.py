"""A bucket on this machine, kept by moto's server and reached as S3 is."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import boto3
import pytest

from tests.support.aws import CREDENTIALS, aws_on_this_machine, share_sessions

REGION = "us-east-1"


@dataclass(frozen=True)
class LocalBucket:
    """A bucket of its own; `variables` is the caller's environment."""

    name: str
    variables: dict[str, str]
    client: Any

    def put(self, key: str, content: bytes, public: bool = False) -> str:
        """Write an object and return its URI; a public one is also for those without credentials."""
        access = {"ACL": "public-read"} if public else {}
        self.client.put_object(Bucket=self.name, Key=key, Body=content, **access)
        return f"s3://{self.name}/{key}"

    def read(self, key: str) -> bytes:
        """Return an object's bytes."""
        return bytes(self.client.get_object(Bucket=self.name, Key=key)["Body"].read())

    def keys(self) -> list[str]:
        """Return the keys of all objects in order."""
        return [item["Key"] for item in self.client.list_objects_v2(Bucket=self.name).get("Contents", [])]


@contextmanager
def bucket_on_this_machine(monkeypatch: pytest.MonkeyPatch, name: str = "bucket-of-the-test") -> Iterator[LocalBucket]:
    """Run moto's server, point the environment at it and yield an empty bucket."""
    share_sessions(monkeypatch)
    with aws_on_this_machine() as address:
        variables = {**CREDENTIALS, "AWS_ENDPOINT_URL": address, "AWS_DEFAULT_REGION": REGION}
        for unwanted in ("AWS_PROFILE", "AWS_REGION", "AWS_SESSION_TOKEN"):
            monkeypatch.delenv(unwanted, raising=False)
        for variable, value in variables.items():
            monkeypatch.setenv(variable, value)
        client = boto3.client("s3")
        client.create_bucket(Bucket=name)
        yield LocalBucket(name, variables, client)
        client.close()

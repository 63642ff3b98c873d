"""The AWS account and region of a command: clients with jittered retries, requests with explained errors."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from image_classifier.cloud.errors import Request, explained, is_absent
from image_classifier.cloud.sagemaker.calls import Call
from image_classifier.contract.errors import UserError

ATTEMPTS = 6
"""Of one request. botocore's standard mode waits up to 1, 2, 4, 8 and 16 s between them, each with full jitter."""

_NAMESPACES = {"sagemaker-runtime": "sagemaker", "resourcegroupstaggingapi": "tag"}
"""Of permissions, where it is not the service's name."""


@dataclass(frozen=True)
class Session:
    """Clients of one region; made by `open_session`."""

    region: str
    profile: str
    """Of the AWS configuration; empty: the default one."""
    _boto: Any = field(repr=False)
    _clients: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)

    def client(self, service: str) -> Any:
        """Return the client of a service, made once."""
        if service not in self._clients:
            from botocore.config import Config  # type: ignore[import-untyped]

            retries = {"total_max_attempts": ATTEMPTS, "mode": "standard"}
            config = Config(connect_timeout=10, read_timeout=70, retries=retries, max_pool_connections=16)
            self._clients[service] = self._boto.client(service, config=config)
        return self._clients[service]

    @cached_property
    def account(self) -> str:
        """The number of the account, which STS answers.

        Raises:
            ExplainedError: It cannot be asked for.
        """
        asked = self.send(Call("sts", "GetCallerIdentity", {}, "The AWS account"))
        return str(asked["Account"])

    def send(self, call: Call) -> dict[str, Any]:
        """Send a request and return the answer; throttled and failed attempts are repeated.

        Raises:
            UserError: Credentials are missing, or AWS rejects the request.
            PlatformError: AWS cannot be reached, throttles or fails.
        """
        with explained(self._request(call)):
            return self._answer(call)

    def find(self, call: Call) -> dict[str, Any] | None:
        """Send a request like `send`; return None if what it asks for does not exist."""
        from botocore.exceptions import ClientError  # type: ignore[import-untyped]

        with explained(self._request(call)):
            try:
                return self._answer(call)
            except ClientError as error:
                if is_absent(error):
                    return None
                raise

    def pages(self, call: Call, items: str) -> Iterator[dict[str, Any]]:
        """Yield the items of all pages of an operation that lists; `items` is their name in the answer."""
        with explained(self._request(call)):
            pages = self.client(call.service).get_paginator(_method(call)).paginate(**call.parameters)
            for page in pages:
                yield from page.get(items, [])

    def _answer(self, call: Call) -> dict[str, Any]:
        answer: dict[str, Any] = getattr(self.client(call.service), _method(call))(**call.parameters)
        return answer

    def _request(self, call: Call) -> Request:
        namespace = _NAMESPACES.get(call.service, call.service)
        return Request(call.target, f"{namespace}:{call.operation}", f"the region ({self.region})", self.region)


def _method(call: Call) -> str:
    from botocore import xform_name  # type: ignore[import-untyped]

    return str(xform_name(call.operation))


def open_session(region: str = "", profile: str = "") -> Session:
    """Return the session of a region, by default the one of the AWS configuration; sends nothing.

    Raises:
        UserError: The profile does not exist, or no region is set.
    """
    with explained(Request("AWS", "a profile")):
        import boto3

        boto = boto3.Session(region_name=region or None, profile_name=profile or None)
    if not boto.region_name:
        raise UserError("No AWS region is set. Give --region, such as --region eu-west-1, or set AWS_DEFAULT_REGION.")
    return Session(boto.region_name, profile, boto)

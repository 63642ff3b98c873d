"""The AWS account and region of a command: clients with jittered retries, requests with explained errors."""

import difflib
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from image_classifier.cloud.errors import Request, explained, is_absent, is_shortage
from image_classifier.cloud.sagemaker.calls import Call
from image_classifier.contract.errors import ExplainedError, UserError

ATTEMPTS = 6
"""Of one request. botocore's standard mode waits up to 1, 2, 4, 8 and 16 s between them, each with full jitter."""

_FIRST_PAUSE, _LONGEST_PAUSE = 30.0, 600.0
"""Seconds between two attempts while there is no capacity; doubled each time, with jitter."""

_NAMESPACES = {"sagemaker-runtime": "sagemaker", "resourcegroupstaggingapi": "tag"}
"""Of permissions, where it is not the service's name."""


def pause_before(attempt: int) -> float:
    """Return the seconds before an attempt, counted from 0, after AWS had no capacity: longer each time, random."""
    longest = min(_FIRST_PAUSE * 2 ** min(attempt - 1, 10), _LONGEST_PAUSE)
    return random.uniform(longest / 2, longest)


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

    def send_patiently(self, call: Call, patience: float, announce: Callable[[str], None]) -> dict[str, Any]:
        """Send a request like `send`; for so many seconds it is repeated while there is no capacity or quota.

        Raises:
            ExplainedError: See `send`; after several attempts the message says how many.
        """
        since, attempt = time.monotonic(), 1
        while True:
            try:
                return self.send(call)
            except ExplainedError as error:
                pause = pause_before(attempt)
                if not is_shortage(error):
                    raise
                if time.monotonic() - since + pause > patience:
                    tried = f"After {attempt} attempts: " if attempt > 1 else ""
                    raise type(error)(f"{tried}{error}") from error
                announce(f"Attempt {attempt}: {error} Trying again in {pause:.0f} s.")
                time.sleep(pause)
                attempt += 1

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
        UserError: The profile does not exist, or no region is set, or an invalid one.
    """
    with explained(Request("AWS", "a profile")):
        import boto3

        boto = boto3.Session(region_name=region or None, profile_name=profile or None)
    if not boto.region_name:
        raise UserError("No AWS region is set. Give --region, such as --region eu-west-1, or set AWS_DEFAULT_REGION.")
    _reject_region(boto, boto.region_name)
    return Session(boto.region_name, profile, boto)


def _reject_region(boto: Any, region: str) -> None:
    """Reject a name that does not have the form of a region; one that boto3 does not know yet may exist."""
    from botocore.exceptions import UnknownRegionError

    try:
        boto.get_partition_for_region(region)
    except UnknownRegionError as error:
        known = boto.get_available_regions("sagemaker")
        near = difflib.get_close_matches(region, known, n=1) or ["eu-west-1"]
        raise UserError(
            f"{region!r} is not the name of an AWS region, such as {near[0]}. Give one with --region, or correct "
            "AWS_DEFAULT_REGION or the region of the profile."
        ) from error

"""What an endpoint needs beside its model, declared once: flags, messages and forms come from it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from image_classifier.cloud.sagemaker.option_reading import duration_problems, items, read, reject
from image_classifier.cloud.sagemaker.options import MOST_TYPES
from image_classifier.contract import durations
from image_classifier.contract.declaration import Declaration, declarations_of, declare

REAL_TIME, SERVERLESS, ASYNCHRONOUS, MULTI_MODEL = KINDS = ("real-time", "serverless", "asynchronous", "multi-model")
_SINCE: dict[str, Any] = {"since": "0.5", "builtin": False}
_OF_SERVERLESS = ("memory_mb", "max_concurrency")
_OF_INSTANCES = ("endpoint_instance_type", "instances", "scale_at")
_MEMORY = tuple(str(megabytes) for megabytes in range(1024, 6145, 1024))


@dataclass(frozen=True, kw_only=True)
class EndpointOptions:
    """How a model is served."""

    kind: str = declare(REAL_TIME, **_SINCE, choices=KINDS, meaning="Product that serves the model.")
    endpoint_instance_type: str = declare(
        "ml.c5.large",
        **_SINCE,
        meaning="Type of the endpoint's instances; up to five with commas, tried in order while capacity is missing.",
    )
    retry_for: str = declare(
        "", **_SINCE, meaning="How long AWS looks for capacity, from 5m to 60m; an exhausted quota is retried as long."
    )
    instances: int = declare(1, **_SINCE, minimum=1, meaning="Number of instances, the smallest with auto scaling.")
    max_instances: int = declare(
        0, **_SINCE, minimum=0, meaning="Largest number of instances with auto scaling; 0: no auto scaling."
    )
    scale_at: int = declare(
        600, **_SINCE, minimum=1, meaning="Requests per instance and minute that auto scaling aims at; measure yours."
    )
    memory_mb: str = declare("2048", **_SINCE, choices=_MEMORY, meaning="Memory of a serverless container.")
    max_concurrency: int = declare(5, **_SINCE, minimum=1, maximum=200, meaning="Number of serverless containers.")
    capture_percent: int = declare(
        0, **_SINCE, minimum=0, maximum=100, meaning="Share of requests and answers that are kept in S3; 0: none."
    )
    start_timeout_seconds: int = declare(
        480, **_SINCE, minimum=60, maximum=3600, meaning="Seconds until /ping must answer 200 after the start."
    )
    download_timeout_seconds: int = declare(
        480, **_SINCE, minimum=60, maximum=3600, meaning="Seconds for fetching the model from S3."
    )
    success_topic: str = declare("", **_SINCE, meaning="ARN of an SNS topic for asynchronous answers.")
    error_topic: str = declare("", **_SINCE, meaning="ARN of an SNS topic for asynchronous errors.")

    @property
    def retry_seconds(self) -> int:
        """Seconds of `retry_for`; 0 without it."""
        return durations.seconds(self.retry_for) if self.retry_for else 0

    @property
    def scales(self) -> bool:
        """Whether the number of instances follows the traffic."""
        return self.max_instances > self.instances


DECLARATIONS: tuple[Declaration, ...] = declarations_of(EndpointOptions)


def parse(given: Mapping[str, Any]) -> EndpointOptions:
    """Return the options with defaults for those that are not given.

    Raises:
        UserError: One message with every problem: unknown names, values that are not allowed, contradictions.
    """
    found, problems = read(EndpointOptions, given)
    if found.kind == SERVERLESS and (found.max_instances or found.capture_percent):
        problems.append("kind is serverless, which scales by itself and captures nothing: leave those options out.")
    problems += _capacity_problems(found)
    problems += _unused_problems(found, given)
    if found.max_instances and found.max_instances < found.instances:
        problems.append(f"max_instances is {found.max_instances}, less than instances, {found.instances}.")
    if found.kind != ASYNCHRONOUS and (found.success_topic or found.error_topic):
        problems.append("success_topic and error_topic are for kind = asynchronous.")
    reject(problems)
    return found


def _unused_problems(found: EndpointOptions, given: Mapping[str, Any]) -> list[str]:
    """Return a sentence for each given option that has no effect on the kind of endpoint."""
    others = _OF_INSTANCES if found.kind == SERVERLESS else _OF_SERVERLESS
    problems = [f"{name} has no effect on an endpoint of the kind {found.kind}." for name in others if name in given]
    if "scale_at" in given and found.kind != SERVERLESS and not found.scales:
        problems.append("scale_at is for auto scaling: give max_instances, more than instances, too.")
    return problems


def _capacity_problems(found: EndpointOptions) -> list[str]:
    problems = duration_problems("retry_for", found.retry_for)
    if found.retry_for and not problems and not 300 <= found.retry_seconds <= 3_600:
        problems.append(f"retry_for is {found.retry_for}; allowed: from 5m to 60m.")
    types = items(found.endpoint_instance_type)
    if not 1 <= len(types) <= MOST_TYPES or len(set(types)) < len(types):
        problems.append(
            f"endpoint_instance_type is {found.endpoint_instance_type!r}; allowed: one type, or up to five different "
            "ones with commas."
        )
    if found.kind in (MULTI_MODEL, SERVERLESS) and len(types) > 1:
        problems.append(f"Several instance types are for endpoints of one model; kind is {found.kind}.")
    if found.kind == SERVERLESS and found.retry_for:
        problems.append("retry_for is for endpoints with instances; kind is serverless.")
    return problems

"""What a job on SageMaker needs beside its experiment, declared once: file, flags, messages and form come from it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from image_classifier.cloud import s3
from image_classifier.cloud.s3 import Location
from image_classifier.cloud.sagemaker.option_reading import duration_problems, items, read, reject
from image_classifier.cloud.sagemaker.tags import OURS
from image_classifier.contract.declaration import Declaration, declarations_of, declare
from image_classifier.contract.errors import UserError

_SINCE: dict[str, Any] = {"since": "0.5", "builtin": False}
MOST_TYPES = 5
"""Of InstancePreferences and InstancePools."""
_LONGEST = 28 * 86_400
"""Seconds; MaxRuntimeInSeconds accepts no more."""
_ROLE = re.compile(r"arn:aws[a-z-]*:iam::[0-9]{12}:role/.+")
_IMAGE = re.compile(r"[0-9]{12}\.dkr[.-]ecr[a-z0-9.-]*/.+")
_TAG = re.compile(r"[\w .:/=+@-]*")
"""The pattern of the API, in Python's terms."""
_MOST_TAGS = 50 - len(OURS)
_START_MARGIN = 600
"""Seconds between the platform's start of a job and that of the program: fetching the Docker image and the data."""


@dataclass(frozen=True, kw_only=True)
class TrainingOptions:
    """Where and on what a training job runs. Lists are texts with commas."""

    image: str = declare("", **_SINCE, meaning="URI of the Docker image, which scripts/publish prints.")
    serve_image: str = declare(
        "", **_SINCE, meaning="URI of the serve image for endpoints; default: the training image."
    )
    role: str = declare("", **_SINCE, meaning="ARN of the execution role, which reads and writes the bucket.")
    location: str = declare(
        "",
        **_SINCE,
        meaning="S3 folder for data, checkpoints and results, s3://bucket/folder; default: image-classifier in the "
        "bucket sagemaker-REGION-ACCOUNT, which the SageMaker SDK uses too.",
    )
    region: str = declare("", **_SINCE, meaning="AWS region; default: that of the AWS configuration.")
    profile: str = declare("", **_SINCE, meaning="Profile of the AWS configuration.")
    instance_type: str = declare(
        "ml.m5.xlarge",
        **_SINCE,
        meaning="Type of the instances; up to five with commas, of which the first with free capacity is taken.",
    )
    retry_for: str = declare(
        "", **_SINCE, meaning="How long to try again without capacity or quota, such as 30m; empty: each type once."
    )
    instance_count: int = declare(1, **_SINCE, minimum=1, meaning="Number of instances that train one model together.")
    volume_gb: int = declare(30, **_SINCE, minimum=1, meaning="Size of each instance's disk for data and /tmp in GB.")
    input_mode: str = declare(
        "File", **_SINCE, choices=("File", "FastFile"), meaning="Images copied before the start, or read on demand."
    )
    spot: bool = declare(
        True, **_SINCE, meaning="Spot instances: cheaper, may be taken away; the job resumes from its checkpoints."
    )
    max_runtime_seconds: int = declare(
        86_400, **_SINCE, minimum=60, maximum=_LONGEST, meaning="Seconds after which the platform stops the job."
    )
    max_wait_seconds: int = declare(
        0,
        **_SINCE,
        minimum=0,
        maximum=_LONGEST,
        meaning="With spot: seconds of runtime and waiting for instances; 0: twice max_runtime_seconds.",
    )
    keep_alive_seconds: int = declare(
        0, **_SINCE, minimum=0, maximum=21_600, meaning="Warm pool: seconds that instances are kept for the next job."
    )
    network_isolation: bool = declare(True, **_SINCE, meaning="Whether the container has no network.")
    subnets: str = declare("", **_SINCE, meaning="Subnets of a VPC.")
    security_groups: str = declare("", **_SINCE, meaning="Security groups of a VPC.")
    encrypt_traffic: bool = declare(False, **_SINCE, meaning="Encrypt the traffic between several instances.")
    kms_key: str = declare("", **_SINCE, meaning="KMS key for the disks and for what the job writes to S3.")
    tags: str = declare("", **_SINCE, meaning="Tags of everything that is made: name=value, with commas.")

    @property
    def runtime_of_the_program(self) -> int:
        """Seconds that the program may use, so that it writes its model before the platform stops the job."""
        margin = min(_START_MARGIN, self.max_runtime_seconds // 4)
        return self.max_runtime_seconds - margin

    @property
    def wait_seconds(self) -> int:
        """The value of MaxWaitTimeInSeconds."""
        return self.max_wait_seconds or min(2 * self.max_runtime_seconds, _LONGEST)

    @property
    def tag_mapping(self) -> dict[str, str]:
        """The user's tags."""
        return dict(item.split("=", 1) for item in items(self.tags))

    def storage(self, region: str) -> Location:
        """Return the S3 folder; the account of the default bucket is the role's."""
        account = self.role.split(":")[4] if self.role.count(":") >= 5 else ""
        return s3.parse(self.location or f"s3://sagemaker-{region}-{account}/image-classifier")


DECLARATIONS: tuple[Declaration, ...] = declarations_of(TrainingOptions)


def parse(given: Mapping[str, Any]) -> TrainingOptions:
    """Return the options with defaults for those that are not given.

    Raises:
        UserError: One message with every problem: unknown names, values that are not allowed, contradictions.
    """
    found, problems = read(TrainingOptions, given)
    problems += _contradictions(found)
    reject(problems)
    return found


def missing(options: TrainingOptions) -> list[str]:
    """Return a sentence for each option without which no job can be started."""
    problems = []
    if not options.image:
        problems.append(
            "image: the URI of the Docker image is missing. scripts/publish --repository image-classifier pushes it "
            "and prints the URI."
        )
    problems += [
        f"image: {image!r} is not the URI of a Docker image in ECR, such as 123456789012.dkr.ecr.eu-west-1."
        "amazonaws.com/image-classifier@sha256:…. This program does not set up the access to a private registry in a "
        "VPC, which SageMaker offers besides. scripts/publish pushes one to ECR and prints its URI."
        for image in (options.image, options.serve_image)
        if image and not _IMAGE.fullmatch(image)
    ]
    if not options.role:
        problems.append(
            "role: the execution role is missing. Give the ARN of a role that SageMaker may assume and that has access "
            "to the bucket, such as arn:aws:iam::123456789012:role/NAME; IAM's console makes one with the use case "
            "SageMaker: https://console.aws.amazon.com/iam/"
        )
    elif not _ROLE.fullmatch(options.role):
        problems.append(
            f"role: {options.role!r} is not the ARN of a role; expected arn:aws:iam::123456789012:role/NAME with the "
            "twelve digits of your account. `aws iam list-roles` lists them."
        )
    return problems


def _contradictions(options: TrainingOptions) -> list[str]:
    problems = []
    if options.spot and options.keep_alive_seconds:
        problems.append("keep_alive_seconds needs on-demand instances: set spot to false, or leave it out.")
    if options.spot and options.max_wait_seconds and options.max_wait_seconds < options.max_runtime_seconds:
        problems.append(
            f"max_wait_seconds is {options.max_wait_seconds}, less than max_runtime_seconds, "
            f"{options.max_runtime_seconds}, which it includes."
        )
    if bool(options.subnets) != bool(options.security_groups):
        problems.append("subnets and security_groups belong together: give both, or neither.")
    if options.location:
        problems += _location_problems(options.location)
    problems += _tag_problems(options.tags)
    types = items(options.instance_type)
    if not 1 <= len(types) <= MOST_TYPES or len(set(types)) < len(types):
        problems.append(
            f"instance_type is {options.instance_type!r}; allowed: one type, or up to five different ones with commas."
        )
    problems += duration_problems("retry_for", options.retry_for)
    return problems


def _location_problems(text: str) -> list[str]:
    try:
        key = s3.parse(text).key
    except UserError as error:
        return [f"location: {error}"]
    if key.startswith("/") or "//" in key:
        return [f"location is {text!r}, with a folder that has no name. Write one slash between two names."]
    return []


def _tag_problems(text: str) -> list[str]:
    """Return a sentence for each tag that AWS would reject."""
    given = items(text)
    if any("=" not in item for item in given):
        return [f"tags is {text!r}; expected name=value, with commas between."]
    names = [item.partition("=")[0] for item in given]
    problems = []
    if len(set(names)) > _MOST_TAGS:
        problems.append(f"tags are {len(set(names))}; allowed: {_MOST_TAGS}, since AWS takes 50 with this program's.")
    if wrong := [item for item in given if not _TAG.fullmatch(item) or item.startswith("=")]:
        problems.append(
            f"tags: {', '.join(wrong)}; allowed in names and values: letters, digits, spaces and _ . : / = + - @, and "
            "names are not empty."
        )
    if reserved := [name for name in names if name.lower().startswith("aws:")]:
        problems.append(f"tags: {', '.join(reserved)}; AWS keeps names that begin with aws: for itself.")
    return problems

"""Amazon ECR: the repository that Docker images are pushed to, and a login that is valid for twelve hours."""

import base64
from dataclasses import dataclass, field
from typing import Any

from image_classifier.cloud.errors import Request, explained
from image_classifier.contract.errors import UserError


@dataclass(frozen=True)
class Registry:
    """A repository to push to, with its login."""

    host: str
    repository: str
    user: str
    password: str = field(repr=False)
    created: bool
    """Whether the repository was created just now."""


def open_registry(repository: str, region: str | None, account: str | None, profile: str | None) -> Registry:
    """Find or create the repository and fetch its login; `account` defaults to the one of the credentials.

    A new repository scans pushed images. Its tags are mutable, since `latest` moves; a digest identifies one image.

    Raises:
        UserError: The credentials, the region or the repository name are invalid, or AWS rejects the request.
        PlatformError: AWS cannot be reached or fails.
    """
    policy = "the policy AmazonEC2ContainerRegistryPowerUser"
    with explained(Request(f"the ECR repository {repository}", policy, f"the region ({region or 'default'})")):
        import boto3
        from botocore.config import Config  # type: ignore[import-untyped]

        session = boto3.Session(profile_name=profile, region_name=region)
        region = session.region_name
        if not region:
            raise UserError(
                "No AWS region is set. Give --region, such as --region eu-west-1, or set AWS_DEFAULT_REGION."
            )
        bounded = Config(connect_timeout=10, read_timeout=60, retries={"total_max_attempts": 3, "mode": "standard"})
        account = account or session.client("sts", config=bounded).get_caller_identity()["Account"]
        ecr = session.client("ecr", config=bounded)
        uri, created = _ensure(ecr, account, repository)
        token = ecr.get_authorization_token()["authorizationData"][0]["authorizationToken"]
    host, _, name = uri.partition("/")
    user, _, password = base64.b64decode(token).decode().partition(":")
    return Registry(host, name, user, password, created)


def _ensure(ecr: Any, account: str, name: str) -> tuple[str, bool]:
    """Return the repository's URI and whether it was created."""
    try:
        found = ecr.describe_repositories(registryId=account, repositoryNames=[name])
        return found["repositories"][0]["repositoryUri"], False
    except ecr.exceptions.RepositoryNotFoundException:
        pass
    try:
        made = ecr.create_repository(
            registryId=account,
            repositoryName=name,
            imageScanningConfiguration={"scanOnPush": True},
            imageTagMutability="MUTABLE",
        )
        return made["repository"]["repositoryUri"], True
    except ecr.exceptions.RepositoryAlreadyExistsException:
        # Another process created it between the two requests.
        return _ensure(ecr, account, name)

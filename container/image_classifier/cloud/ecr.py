"""Ask AWS for a place to push images to: the account, the repository, a password that lasts twelve hours."""

import base64
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from image_classifier.contract.errors import PlatformError, UserError, first_line


@dataclass(frozen=True)
class Registry:
    """Where to push and as whom."""

    host: str
    repository: str
    user: str
    password: str = field(repr=False)
    created: bool
    """Whether the repository was made just now."""


def open_registry(repository: str, region: str | None, account: str | None, profile: str | None) -> Registry:
    """Find the repository or make it, and fetch what logs in to it; without an account, the one of the credentials.

    A new repository scans what is pushed. Its tags can move, since `latest` has to; what must not move is named by its
    digest.

    Raises:
        UserError: The credentials, the region or the repository's name do not do, or AWS rejects.
        PlatformError: AWS does not answer.
    """
    with _explained(region):
        import boto3
        from botocore.config import Config  # type: ignore[import-untyped]

        session = boto3.Session(profile_name=profile, region_name=region)
        region = session.region_name
        if not region:
            raise UserError("There is no region. Give --region, such as --region eu-west-1, or set AWS_DEFAULT_REGION.")
        bounded = Config(connect_timeout=10, read_timeout=60, retries={"total_max_attempts": 3, "mode": "standard"})
        account = account or session.client("sts", config=bounded).get_caller_identity()["Account"]
        ecr = session.client("ecr", config=bounded)
        uri, created = _ensure(ecr, account, repository)
        token = ecr.get_authorization_token()["authorizationData"][0]["authorizationToken"]
    host, _, name = uri.partition("/")
    user, _, password = base64.b64decode(token).decode().partition(":")
    return Registry(host, name, user, password, created)


def _ensure(ecr: Any, account: str, name: str) -> tuple[str, bool]:
    """Return the repository's URI and whether it had to be made."""
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
        # Someone else has made it between the two requests.
        return _ensure(ecr, account, name)


@contextmanager
def _explained(region: str | None) -> Iterator[None]:
    from botocore import exceptions  # type: ignore[import-untyped]

    without_credentials = (exceptions.NoCredentialsError, exceptions.PartialCredentialsError)
    try:
        yield
    except without_credentials as error:
        raise UserError(
            f"There are no AWS credentials ({first_line(error)}). Run `aws configure` or `aws sso login`, set "
            "AWS_PROFILE, or name a profile by --profile."
        ) from error
    except exceptions.ClientError as error:
        code, message = error.response["Error"]["Code"], error.response["Error"]["Message"]
        raise UserError(
            f"AWS rejected {error.operation_name}: {code}: {message.rstrip('.')}. Creating and pushing a repository "
            "requires the policy AmazonEC2ContainerRegistryPowerUser."
        ) from error
    except (exceptions.EndpointConnectionError, exceptions.HTTPClientError) as error:
        raise PlatformError(
            f"AWS does not answer: {first_line(error)}. Look at the network and at the region ({region or 'default'})."
        ) from error
    except exceptions.BotoCoreError as error:
        raise UserError(
            f"AWS's library rejects: {first_line(error)}. Look at the profile and the credentials."
        ) from error

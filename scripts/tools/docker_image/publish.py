"""`scripts/publish`: push a Docker image to Amazon ECR and print the URI for `image_uri`."""

import argparse
import json
import os
import re
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from image_classifier.cloud.ecr import Registry, open_registry
from image_classifier.contract.errors import ExplainedError, PlatformError, UserError, report_and_exit_code
from tools.docker_image.docker_engine import DEFAULT_IMAGE, BuiltImage, docker, docker_shown, find_image

COMMIT_LENGTH = 12
"""Characters of a commit's hash in a tag."""
_DIRTY = "-dirty"


def tags(image: BuiltImage) -> tuple[str, ...]:
    """Return version, commit and `latest`; with the target behind each unless it is gpu, so that targets can share.

    What was built from uncommitted changes gets the commit's tag alone, with `-dirty`: a reader of the version or
    `latest` can look the source up.

    Raises:
        UserError: The image has no labels with its version and commit.
    """
    if image.commit in ("", "unknown") or image.version in ("", "unknown"):
        raise UserError(
            f"{image.name} has no labels with its version and commit. Build it with scripts/build in a git clone, or "
            "name its tags yourself: --tag NAME."
        )
    commit = image.commit.removesuffix(_DIRTY)
    if commit != image.commit:
        found: tuple[str, ...] = (commit[:COMMIT_LENGTH] + _DIRTY,)
    else:
        found = (image.version, commit[:COMMIT_LENGTH], "latest")
    suffix = "" if image.target in ("", "gpu") else f"-{image.target}"
    return tuple(tag + suffix for tag in found)


def remarks(image: BuiltImage, chosen_here: bool) -> Iterator[str]:
    """Yield remarks about an image before it is pushed; `chosen_here`: the tags are those of `tags`."""
    if chosen_here and image.commit.endswith(_DIRTY):
        yield "It was built with uncommitted changes, so it is tagged neither with the version nor as latest."
    if image.architecture != "amd64":
        yield (
            f"It is for {image.architecture}, and SageMaker's instances are amd64 but for endpoints on Graviton: for "
            "amd64 build it with scripts/build ... -- --platform linux/amd64."
        )
    if "oci" in image.manifest:
        # https://github.com/aws/amazon-sagemaker-feedback/issues/180
        yield (
            f"Its manifest is {image.manifest}, which SageMaker's endpoints have rejected (they take Docker's own): "
            "should that happen, build it with scripts/build ... -- --provenance=false --output type=docker."
        )


def push(image: BuiltImage, registry: Registry, names: Sequence[str]) -> str:
    """Push the image under each tag and return `HOST/REPOSITORY@sha256:...`. Pushing again changes nothing.

    Docker's progress goes to standard error; the registry's password is never on a command line nor in the user's
    Docker configuration.

    Raises:
        PlatformError: Docker or the registry rejects.
    """
    target = f"{registry.host}/{registry.repository}"
    output = ""
    with _logged_in(registry) as environment:
        for name in names:
            docker(["tag", image.name, f"{target}:{name}"])
            output = docker_shown(["push", f"{target}:{name}"], environment)
    digest = re.search(r"digest: (sha256:[0-9a-f]{64})", output)
    if not digest:
        raise PlatformError(f"docker push to {target} succeeded without a digest in its output; look at the registry.")
    return f"{target}@{digest[1]}"


@contextmanager
def _logged_in(registry: Registry) -> Iterator[Mapping[str, str]]:
    """Yield the environment in which docker may push."""
    with tempfile.TemporaryDirectory(prefix="publish-") as folder:
        # An entry keeps `docker login` from choosing the desktop's password store, which outlives this folder.
        configuration: dict[str, dict[str, dict[str, str]]] = {"auths": {registry.host: {}}}
        (Path(folder) / "config.json").write_text(json.dumps(configuration), encoding="utf-8")
        environment = {"DOCKER_CONFIG": folder}
        if "DOCKER_HOST" not in os.environ:
            # A context of the user's configuration may name the engine.
            environment["DOCKER_HOST"] = docker(
                ["context", "inspect", "--format", "{{.Endpoints.docker.Host}}"]
            ).strip()
        login = ["login", "--username", registry.user, "--password-stdin", registry.host]
        docker(login, registry.password, environment)
        yield environment


def main(arguments: Sequence[str] | None = None) -> int:
    """Run `scripts/publish`."""
    parser = argparse.ArgumentParser(
        prog="scripts/publish",
        description="Push an image to Amazon ECR under its version, its commit and `latest`. Prints its URI alone on "
        "standard output: image_uri=$(scripts/publish ...).",
        epilog="examples:\n  scripts/publish --repository image-classifier --region eu-west-1\n"
        "  scripts/publish --repository image-classifier --image image-classifier:serve",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--repository", required=True, metavar="NAME", help="created if it is missing")
    parser.add_argument("--region", metavar="R", help="where the jobs run (default: the AWS configuration's)")
    parser.add_argument("--account", metavar="A", help="account of the registry (default: that of the credentials)")
    parser.add_argument("--profile", metavar="P", help="credentials of the AWS configuration")
    parser.add_argument("--image", default=DEFAULT_IMAGE, metavar="NAME", help="what to push (default: %(default)s)")
    parser.add_argument("--tag", action="append", metavar="T", help="instead of those tags; may be repeated")
    parser.add_argument(
        "--registry", metavar="HOST", help="push to this host, which takes ECR's password: dual-stack, FIPS, a proxy"
    )
    given = parser.parse_args(arguments)
    try:
        image = find_image(given.image)
        names = given.tag or tags(image)
        found = open_registry(given.repository, given.region, given.account, given.profile)
        registry = Registry(given.registry or found.host, found.repository, found.user, found.password, found.created)
        made = "created, scans each pushed image" if registry.created else "exists"
        print(f"Repository {found.host}/{found.repository}: {made}.", file=sys.stderr)
        for line in remarks(image, given.tag is None):
            print(line, file=sys.stderr)
        print(f"Pushing {image.name} as {', '.join(names)} ...", file=sys.stderr, flush=True)
        print(push(image, registry, names))
    except ExplainedError as error:
        return report_and_exit_code(error)
    return 0


if __name__ == "__main__":
    sys.exit(main())

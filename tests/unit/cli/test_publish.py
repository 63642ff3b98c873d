"""scripts/publish against moto's AWS with a fake docker."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from image_classifier.contract.errors import UserError
from tests.support.aws import ACCOUNT, CREDENTIALS, aws_on_this_machine, forget, share_sessions
from tests.support.recording_docker import COMMIT, DIGEST, LABELS, RecordingDocker, put_on_path
from tests.support.waiting import free_port
from tools.docker_image import publish
from tools.docker_image.docker_engine import BuiltImage

HOST = f"{ACCOUNT}.dkr.ecr.eu-west-1.amazonaws.com"
SETTINGS = ["--repository", "team/classifier", "--region", "eu-west-1"]


@pytest.fixture(scope="module")
def aws_address() -> Iterator[str]:
    """Address of an AWS on this machine."""
    with aws_on_this_machine() as address:
        yield address


@pytest.fixture
def aws(aws_address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """An empty AWS, credentials for it, and no settings of this machine."""
    forget()
    share_sessions(monkeypatch)
    for name in ("AWS_PROFILE", "AWS_DEFAULT_REGION", "AWS_REGION", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AWS_ENDPOINT_URL", aws_address)
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    return aws_address


@pytest.fixture
def docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RecordingDocker:
    """A docker that has an image of a commit."""
    docker = put_on_path(tmp_path / "bin", monkeypatch)
    docker.has_image()
    return docker


def repositories() -> list[dict[str, Any]]:
    """Return the repositories that AWS has."""
    return list(boto3.client("ecr", region_name="eu-west-1").describe_repositories()["repositories"])


def image(commit: str = COMMIT, version: str = "1.2.3", target: str = "gpu") -> BuiltImage:
    """Make an image as the engine describes it."""
    return BuiltImage("name", "sha256:1", "2026-01-02T03:04:05Z", "title", version, commit, target)


def test_first_push_makes_the_repository(aws: str, docker: RecordingDocker, capsys: pytest.CaptureFixture[str]) -> None:
    """Given an account without the repository -> it is created, three tags are pushed, and the URI alone is printed."""
    assert publish.main(SETTINGS) == 0
    [created] = repositories()
    assert created["repositoryName"] == "team/classifier"
    assert created["imageScanningConfiguration"] == {"scanOnPush": True}
    assert created["imageTagMutability"] == "MUTABLE"
    place = f"{HOST}/team/classifier"
    names = [f"{place}:{tag}" for tag in ("1.2.3", COMMIT[:12], "latest")]
    assert docker.commands("tag ") == [f"tag image-classifier:gpu {name}" for name in names]
    assert docker.commands("push ") == [f"push {name}" for name in names]
    printed = capsys.readouterr()
    assert printed.out == f"{place}@{DIGEST}\n"
    assert f"Repository {place}: created" in printed.err
    assert "5f70bf18a086: Pushed" in printed.err


def test_second_push_finds_it(aws: str, docker: RecordingDocker, capsys: pytest.CaptureFixture[str]) -> None:
    """Given an existing repository -> it is kept, and the same URI is printed."""
    publish.main(SETTINGS)
    first = capsys.readouterr().out
    assert publish.main([*SETTINGS, "--account", ACCOUNT]) == 0
    printed = capsys.readouterr()
    assert (printed.out, len(repositories())) == (first, 1)
    assert ": exists." in printed.err


def test_password_leaves_no_trace(aws: str, docker: RecordingDocker, tmp_path: Path) -> None:
    """Given a push -> the password comes by standard input, into a configuration that is gone afterwards."""
    publish.main(SETTINGS)
    assert docker.read("password") == f"{ACCOUNT}-auth-token"
    assert docker.commands("login") == [f"login --username AWS --password-stdin {HOST}"]
    assert json.loads(docker.read("configuration.json")) == {"auths": {HOST: {}}}
    folder, engine = docker.read("environment").split()
    assert not Path(folder).exists()
    assert engine == "unix:///the/context.sock"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bin"]


def test_other_host_takes_the_push(aws: str, docker: RecordingDocker, capsys: pytest.CaptureFixture[str]) -> None:
    """Given --registry and --tag -> that host and that tag are used, with ECR's password."""
    assert publish.main([*SETTINGS, "--registry", "127.0.0.1:5000", "--tag", "mine", "--image", "other:name"]) == 0
    assert docker.commands("login") == ["login --username AWS --password-stdin 127.0.0.1:5000"]
    assert docker.commands("tag") == ["tag other:name 127.0.0.1:5000/team/classifier:mine"]
    assert capsys.readouterr().out == f"127.0.0.1:5000/team/classifier@{DIGEST}\n"


@pytest.mark.parametrize(
    ("built", "expected"),
    [
        (image(), ("1.2.3", COMMIT[:12], "latest")),
        (image(target="serve"), ("1.2.3-serve", f"{COMMIT[:12]}-serve", "latest-serve")),
        (image(f"{COMMIT}-dirty"), (f"{COMMIT[:12]}-dirty",)),
        (image(f"{COMMIT}-dirty", target="cpu"), (f"{COMMIT[:12]}-dirty-cpu",)),
    ],
)
def test_tags_say_what_was_built(built: BuiltImage, expected: tuple[str, ...]) -> None:
    """Given an image -> its tags; version and latest only for committed sources, no collisions between targets."""
    assert publish.tags(built) == expected


@pytest.mark.parametrize("built", [image("unknown"), image(""), image(version="unknown")])
def test_image_of_unknown_origin_gets_no_tag(built: BuiltImage) -> None:
    """Given an image that was built without scripts/build -> rejected with both ways out."""
    with pytest.raises(UserError, match=r"scripts/build in a git clone, or name its tags yourself: --tag"):
        publish.tags(built)


def error_of(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """Run the command, which must fail, and return its last line."""
    assert publish.main(arguments) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "Traceback" not in printed.err
    return printed.err.splitlines()[-1]


def test_without_the_image_nothing_is_made(
    aws: str, docker: RecordingDocker, capsys: pytest.CaptureFixture[str]
) -> None:
    """Given an image that was never built -> one sentence with the command that builds it; AWS is not contacted."""
    (docker.folder / "image.json").unlink()
    expected = "UserError: Docker has no image image-classifier:cpu. Build it with scripts/build --target cpu."
    assert error_of([*SETTINGS, "--image", "image-classifier:cpu"], capsys) == expected
    assert repositories() == []


def test_without_docker(aws: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Given a machine without docker -> one sentence."""
    monkeypatch.setenv("PATH", "/nowhere")
    assert error_of(SETTINGS, capsys).startswith("PlatformError: docker is not on PATH.")


def test_without_credentials(
    aws: str, docker: RecordingDocker, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Given no credentials -> one sentence with their possible sources, and nothing is pushed."""
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    assert error_of(SETTINGS, capsys).startswith("UserError: No AWS credentials for the ECR repository ")
    assert docker.commands("push") == []


def test_without_a_region(aws: str, docker: RecordingDocker, capsys: pytest.CaptureFixture[str]) -> None:
    """Given a region neither by option nor by AWS's settings -> asked for."""
    assert error_of(SETTINGS[:2], capsys).startswith("UserError: No AWS region is set. Give --region")


def test_unknown_profile(aws: str, docker: RecordingDocker, capsys: pytest.CaptureFixture[str]) -> None:
    """Given a profile that is not configured -> named."""
    assert "profile (absent) could not be found" in error_of([*SETTINGS, "--profile", "absent"], capsys)


def test_name_that_ecr_rejects(aws: str, docker: RecordingDocker, capsys: pytest.CaptureFixture[str]) -> None:
    """Given a repository name in capitals -> AWS's reason in one sentence, and nothing is pushed."""
    error = error_of(["--repository", "Classifier", *SETTINGS[2:]], capsys)
    assert error.startswith("UserError: AWS rejected CreateRepository for the ECR repository ")
    assert "(InvalidParameterException: " in error
    assert docker.commands("push") == []


def test_aws_does_not_answer(
    aws: str, docker: RecordingDocker, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Given an AWS that cannot be reached -> one sentence that names the region."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{free_port()}")
    error = error_of(SETTINGS, capsys)
    assert error.startswith("PlatformError: the ECR repository ")
    assert " cannot be reached: " in error
    assert "(eu-west-1)" in error


def test_registry_denies_the_push(aws: str, docker: RecordingDocker, capsys: pytest.CaptureFixture[str]) -> None:
    """Given a role without permission to push -> the registry's own reason, at the first tag."""
    docker.write("denied", "5f70bf18a086: Preparing\ndenied: User is not authorized to perform: ecr:PutImage\n")
    expected = "PlatformError: docker push failed: denied: User is not authorized to perform: ecr:PutImage"
    assert error_of(SETTINGS, capsys) == expected
    assert len(docker.commands("push")) == 1


def test_labels_decide_the_tags(aws: str, docker: RecordingDocker, capsys: pytest.CaptureFixture[str]) -> None:
    """Given the serve image of uncommitted changes -> its labels give it one tag, and the reason is printed."""
    revision = {"org.opencontainers.image.revision": f"{COMMIT}-dirty", "image-classifier.target": "serve"}
    docker.has_image({**LABELS, **revision})
    publish.main(SETTINGS)
    assert docker.commands("push") == [f"push {HOST}/team/classifier:{COMMIT[:12]}-dirty-serve"]
    assert "uncommitted changes, so it is tagged neither with the version nor as latest" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("architecture", "manifest", "remark"),
    [
        ("arm64", "", "It is for arm64"),
        ("amd64", "application/vnd.oci.image.index.v1+json", "Its manifest is application/vnd.oci.image.index.v1+json"),
    ],
)
def test_what_may_not_run_is_remarked(
    aws: str,
    docker: RecordingDocker,
    architecture: str,
    manifest: str,
    remark: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Given an image for ARM, or one with OCI's manifest -> pushed, with a line about where it may be rejected."""
    docker.has_image(architecture=architecture, manifest=manifest)
    assert publish.main(SETTINGS) == 0
    assert remark in capsys.readouterr().err


def test_ordinary_image_is_not_remarked(aws: str, docker: RecordingDocker, capsys: pytest.CaptureFixture[str]) -> None:
    """Given a committed image for amd64 with Docker's manifest -> only the progress is printed."""
    docker.has_image(manifest="application/vnd.docker.distribution.manifest.v2+json")
    assert publish.main(SETTINGS) == 0
    said = [line for line in capsys.readouterr().err.splitlines() if line.endswith(".")]
    assert [line.split()[0] for line in said] == ["Repository", "Pushing"]

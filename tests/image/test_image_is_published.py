"""scripts/publish with the real engine, to Debian's registry, which asks for ECR's password; AWS is moto's."""

import base64
import hashlib
import json
import os
import subprocess
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.image.conftest import PROJECT
from tests.image.containers import docker
from tests.image.registry import import_small_image, serve_registry
from tests.support.aws import ACCOUNT, CREDENTIALS, aws_on_this_machine

COMMIT = "0123456789abcdef0123456789abcdef01234567"
TAGS = ["1.2.3-serve", f"{COMMIT[:12]}-serve", "latest-serve"]
USER = f"AWS:{ACCOUNT}-auth-token"
USER_HASHED = "AWS:$2b$05$/urIMBJXZyLXomJSOK90.uVVnBOGuM0FUfVN3t3FLv3JqHpDgdUQe"
"""The password that moto's ECR gives out, as bcrypt writes it."""
MANIFESTS = "application/vnd.docker.distribution.manifest.v2+json, application/vnd.oci.image.manifest.v1+json"


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[str]:
    """Host and port of an empty registry that lets in clients with ECR's password."""
    with serve_registry(tmp_path, USER_HASHED) as host:
        yield host


@pytest.fixture
def small_image(tmp_path: Path, registry: str) -> Iterator[str]:
    """An image of one file with the labels that scripts/build writes; removed with the names it was pushed under."""
    name = f"image-classifier-test-pushed:{uuid.uuid4().hex[:12]}"
    standard = {"version": "1.2.3", "revision": COMMIT}
    labels = {f"org.opencontainers.image.{label}": value for label, value in standard.items()}
    import_small_image(tmp_path, name, {**labels, "image-classifier.target": "serve"})
    yield name
    docker("image", "rm", name, *(f"{registry}/team/classifier:{tag}" for tag in TAGS), check=False)


def publish(image: str, registry: str, home: Path) -> "subprocess.CompletedProcess[str]":
    """Run the command with credentials for an AWS on this machine."""
    command = [str(PROJECT / "scripts" / "publish"), "--repository", "team/classifier", "--region", "eu-west-1"]
    settings = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")} | CREDENTIALS
    with aws_on_this_machine() as address:
        return subprocess.run(
            [*command, "--image", image, "--registry", registry],
            env={**settings, "AWS_ENDPOINT_URL": address, "HOME": str(home)},
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )


def fetch(registry: str, path: str) -> bytes:
    """Return what the registry holds."""
    login = {"Authorization": f"Basic {base64.b64encode(USER.encode()).decode()}", "Accept": MANIFESTS}
    request = urllib.request.Request(f"http://{registry}/v2/team/classifier/{path}", headers=login)
    with urllib.request.urlopen(request, timeout=20) as answer:
        return bytes(answer.read())


def test_pushed_image_can_be_fetched_by_its_digest(small_image: str, registry: str, tmp_path: Path) -> None:
    """Given an image of a commit -> the registry has its three tags, and the printed URI names its manifest."""
    done = publish(small_image, registry, tmp_path)
    assert done.returncode == 0, done.stderr
    place, _, digest = done.stdout.strip().partition("@")
    assert place == f"{registry}/team/classifier"
    assert sorted(json.loads(fetch(registry, "tags/list"))["tags"]) == sorted(TAGS)
    manifest = fetch(registry, f"manifests/{digest}")
    assert f"sha256:{hashlib.sha256(manifest).hexdigest()}" == digest
    assert all(fetch(registry, f"manifests/{tag}") == manifest for tag in TAGS)
    configuration = json.loads(fetch(registry, f"blobs/{json.loads(manifest)['config']['digest']}"))
    assert configuration["config"]["Labels"]["org.opencontainers.image.revision"] == COMMIT


def test_pushing_again_changes_nothing(small_image: str, registry: str, tmp_path: Path) -> None:
    """Given an image that was pushed -> the same URI, no layer goes over the wire again, no password stays behind."""
    first, second = (publish(small_image, registry, tmp_path) for _ in range(2))
    assert second.returncode == 0, second.stderr
    assert second.stdout == first.stdout
    assert "Pushed" in first.stderr
    assert "Layer already exists" in second.stderr
    assert "Pushed" not in second.stderr
    assert not (tmp_path / ".docker").exists()


def test_registry_is_closed_to_others(registry: str) -> None:
    """Given no password -> the registry of these tests rejects, so the pushes above did log in."""
    with pytest.raises(urllib.error.HTTPError) as rejected:
        urllib.request.urlopen(f"http://{registry}/v2/", timeout=20)
    assert rejected.value.code == 401
    rejected.value.close()


def test_registry_rejects_the_password(small_image: str, registry: str, tmp_path: Path) -> None:
    """Given a registry that takes another password -> exit code 1, its reason in one sentence, nothing pushed."""
    other = USER_HASHED.replace("90.uVV", "90.uVW")
    (tmp_path / "users").write_text(f"{other}\n", encoding="utf-8")
    # Read again when it has changed, by its time of change, which may be the same within a tick of the clock.
    os.utime(tmp_path / "users", (1, 1))
    done = publish(small_image, registry, tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.splitlines()[-1].startswith("PlatformError: docker login failed: ")
    assert "Traceback" not in done.stderr

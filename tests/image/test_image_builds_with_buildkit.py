import os
import shutil
import subprocess

import pytest

from tests.image.conftest import PROJECT
from tests.image.containers import docker, run

TAG = "image-classifier-test-buildkit:serve"
CLIENTS = ("docker", "/usr/bin/docker")
"""What is on the path, and Debian's: newer clients need a plug-in for BuildKit that not every machine has."""


def client_with_buildkit() -> str:
    """Return a Docker client that can build with BuildKit; skips the test when no client can."""
    environment = {**os.environ, "DOCKER_BUILDKIT": "1"}
    for client in filter(shutil.which, CLIENTS):
        asked = [client, "build", "--progress=plain", "--help"]
        done = subprocess.run(asked, env=environment, capture_output=True, text=True, check=False)
        if done.returncode == 0 and "buildx component is missing" not in done.stderr:
            return client
    pytest.skip("no Docker client here builds with BuildKit")


@pytest.mark.every
def test_serve_target_builds_with_buildkit_too() -> None:
    """Given BuildKit instead of the legacy builder -> the image is built and holds the target's packages."""
    arguments = ["--build-arg", f"BASE_IMAGE={os.environ['IMAGE_CLASSIFIER_BASE_IMAGE']}", "--network", "host"]
    for name in ("http_proxy", "https_proxy", "no_proxy"):
        arguments += ["--build-arg", name]
    command = [client_with_buildkit(), "build", "--target", "serve", "--tag", TAG, *arguments, str(PROJECT)]
    environment = {**os.environ, "DOCKER_BUILDKIT": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-4000:]
    try:
        assert run(TAG, "python", "-c", "import flask, openvino; print('both')") == "both"
        assert run(TAG, "ls", "/opt/program/serve") == "/opt/program/serve"
    finally:
        docker("image", "rm", TAG)

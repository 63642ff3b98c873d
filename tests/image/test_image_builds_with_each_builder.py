import os
import subprocess

import pytest

from tests.image.conftest import PROJECT
from tests.image.containers import docker, run

TAG = "image-classifier-test-other-builder:serve"
BUILDERS = {"legacy": "0", "BuildKit": "1"}
"""Values of DOCKER_BUILDKIT; scripts/test-image sets it to 1 where a client here has BuildKit."""


@pytest.mark.every
@pytest.mark.parametrize("builder", BUILDERS)
def test_serve_target_builds_with_the_other_builder_too(builder: str) -> None:
    """Given the builder that has not built the tested images -> the image is built and holds the target's packages."""
    used = os.environ.get("DOCKER_BUILDKIT", "0")
    if used == BUILDERS[builder]:
        pytest.skip("the tested images were built with it")
    if used == "0":
        pytest.skip("no Docker client here builds with BuildKit")
    arguments = ["--build-arg", f"BASE_IMAGE={os.environ['IMAGE_CLASSIFIER_BASE_IMAGE']}", "--network", "host"]
    for name in ("http_proxy", "https_proxy", "no_proxy"):
        arguments += ["--build-arg", name]
    command = ["docker", "build", "--target", "serve", "--tag", TAG, *arguments, str(PROJECT)]
    environment = {**os.environ, "DOCKER_BUILDKIT": BUILDERS[builder]}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, (done.stdout + done.stderr)[-4000:]
    try:
        assert run(TAG, "python", "-c", "import flask, openvino; print('both')") == "both"
        assert run(TAG, "ls", "/opt/program/serve") == "/opt/program/serve"
    finally:
        docker("image", "rm", TAG)

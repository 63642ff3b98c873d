"""Scripts that call a SageMaker SDK, run as a user would run them: Docker for local mode, moto's server for AWS."""

import contextlib
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.image.conftest import PROJECT, RUN
from tests.image.containers import ISOLATED, docker
from tests.image.sdk_environments import python_with_sdk
from tests.image.shared_folders import SharedFolders, locked
from tests.support.aws import CREDENTIALS, aws_on_this_machine
from tests.support.photographs import some_solar_cells
from tests.support.waiting import PATIENCE, free_port

COMPOSE_PROJECT = f"image-classifier-test-{RUN}"
"""What the containers and networks that the SDKs leave behind are found by."""
LONGEST = 480
"""Seconds after which a script is broken off."""
ROLE = "arn:aws:iam::123456789012:role/sagemaker"


@dataclass(frozen=True)
class Ran:
    """What a script left: its exit code, and both its streams with the container's log in them."""

    exit_code: int
    output: str


Run = Callable[..., Ran]
"""Called with "v2" or "v3", the text of a script, `local_mode=False` when that starts no containers, and changes of the
environment; what is None there is left out."""
NO_AWS = {"AWS_ENDPOINT_URL": "http://127.0.0.1:9", "AWS_ACCESS_KEY_ID": None, "AWS_SECRET_ACCESS_KEY": None}
"""Changes for a user who has no account: nothing listens on port 9."""


def sleeping_at_most(seconds: float) -> str:
    """Return lines before a script: version 2 sleeps 30 s before it looks whether an endpoint is ready."""
    return f"import time\n_sleep = time.sleep\ntime.sleep = lambda seconds: _sleep(min(seconds, {seconds}))\n"


@pytest.fixture(scope="module")
def aws() -> Iterator[str]:
    """Address of an AWS on this machine, which holds nothing at the start of a module."""
    with aws_on_this_machine() as address:
        yield address


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory, image: str) -> Iterator[Path]:
    """A folder for everything a module's scripts write; containers leave files there that belong to root."""
    folder = tmp_path_factory.mktemp("sdk")
    yield folder
    owner = f"{os.getuid()}:{os.getgid()}"
    options = ("--rm", *ISOLATED, "--volume", f"{folder}:/left")
    docker("run", *options, image, "chown", "--recursive", owner, "/left", check=False)
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def run_with_sdk(scratch: Path, aws: str, shared: SharedFolders) -> Iterator[Run]:
    """Run a script with an SDK; whatever it has left in Docker is removed at the end."""
    variables = _variables(scratch, aws)

    def run(version: str, script: str, *, local_mode: bool = True, **changes: str | None) -> Ran:
        file = scratch / "script.py"
        file.write_text(script, encoding="utf-8")
        # Local mode has one network name for all jobs of a machine, so one such script runs at a time.
        with locked(shared.root / "local-mode.lock") if local_mode else contextlib.nullcontext():
            done = subprocess.run(
                [python_with_sdk(version), "-u", file],
                cwd=scratch,
                env={name: value for name, value in {**variables, **changes}.items() if value is not None},
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                timeout=LONGEST * PATIENCE,
                check=False,
            )
        return Ran(done.returncode, done.stdout)

    yield run
    ours = f"label=com.docker.compose.project={COMPOSE_PROJECT}"
    for name in docker("ps", "--all", "--quiet", "--filter", ours).split():
        docker("rm", "--force", "--volumes", name, check=False)
    for name in docker("network", "ls", "--quiet", "--filter", ours).split():
        docker("network", "rm", name, check=False)


def _variables(scratch: Path, aws: str) -> dict[str, str]:
    """Make a user's home with the SDKs' two configuration files, and return the environment of a user who has it."""
    local, defaults = scratch / "home" / ".sagemaker" / "config.yaml", scratch / "home" / "defaults.yaml"
    local.parent.mkdir(parents=True)
    (scratch / "local").mkdir()
    local.write_text(
        f"local:\n  container_root: {scratch / 'local'}\n  serving_port: {free_port()}\n", encoding="utf-8"
    )
    # The SDKs report their use to AWS, which would be asked for on the network.
    defaults.write_text(
        "SchemaVersion: '1.0'\nSageMaker:\n  PythonSDK:\n    Modules:\n      TelemetryOptOut: true\n", encoding="utf-8"
    )
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "DOCKER_HOST", "DOCKER_CONTEXT")}
    return {
        **kept,
        **CREDENTIALS,
        "HOME": str(scratch / "home"),
        "TMPDIR": str(scratch),
        # Docker's own configuration is that of the user who runs the tests.
        "DOCKER_CONFIG": os.environ.get("DOCKER_CONFIG", str(Path.home() / ".docker")),
        "COMPOSE_PROJECT_NAME": COMPOSE_PROJECT,
        # docker-compose 1.29 otherwise speaks a version of the API that not every engine still answers.
        "COMPOSE_API_VERSION": "auto",
        "PYTHONPATH": str(PROJECT / "container"),
        "AWS_DEFAULT_REGION": "eu-west-1",
        "AWS_ENDPOINT_URL": aws,
        "SAGEMAKER_USER_CONFIG_OVERRIDE": str(defaults),
        # Version 3 asks IAM what the role may do, which the stand-in cannot answer.
        "SAGEMAKER_VALIDATE_ROLE": "false",
        "NO_PROXY": "127.0.0.1,localhost",
    }


@pytest.fixture(scope="session")
def few_photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Solar cells: `train/` with 40 images of each class, `held-out/` with 3."""
    return some_solar_cells(tmp_path_factory.mktemp("few"), {"train": 40, "held-out": 3})


@pytest.fixture(scope="session")
def folder_of_images(few_photographs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The held-out images in one folder, as for a batch."""
    folder = tmp_path_factory.mktemp("images")
    for image in (few_photographs / "held-out").glob("*/*"):
        shutil.copy(image, folder / f"{image.parent.name}-{image.name}")
    return folder

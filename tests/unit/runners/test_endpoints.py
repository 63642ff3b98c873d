"""Endpoints on this machine: started, asked, adopted by another process, stopped, and what is said when they fail."""

import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from image_classifier import PROGRAM
from image_classifier.contract.errors import PlatformError, UserError
from image_classifier.runners import processes
from image_classifier.runners.endpoints import docker, record, sagemaker, servers
from image_classifier.runners.endpoints.record import Endpoint, State
from tests.platform import sample_images
from tests.support import tiny_models
from tests.support.environments import unmeasured
from tests.support.sagemaker_service import BUCKET, IMAGE, REGION, ROLE, sagemaker_on_this_machine
from tests.support.waiting import wait_until


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    """A home whose endpoints are killed at the end."""
    folder = tmp_path / "endpoints"
    yield folder
    for endpoint in servers.all_of(folder):
        if found := processes.read(folder / endpoint.name / record.PROCESS):
            processes.kill_session(found)


def wait_for(home: Path, endpoint: Endpoint, state: State) -> None:
    """Wait until an endpoint is in a state."""
    wait_until(
        lambda: servers.status(home, endpoint).state == state, 60, f"it is {state}: {servers.log(home, endpoint)}"
    )


def test_server_is_started_counted_adopted_and_stopped(tmp_path: Path, home: Path) -> None:
    """Given a model -> ready, its requests counted; another process finds and stops it; then its folder is removed."""
    model = tiny_models.write(tmp_path / "job" / "model", "tiny").folder
    (tmp_path / "job" / "input").mkdir()
    endpoint = servers.start(home, "my job!", tmp_path / "job", job="one", price_per_hour=0.25)
    assert (endpoint.name, endpoint.model) == ("my-job", str(model.resolve()))
    wait_for(home, endpoint, State.READY)
    image = sample_images.encode(sample_images.plain(), "PNG")
    request = urllib.request.Request(f"{endpoint.address}invocations", image, {"Content-Type": "application/x-image"})
    urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request).close()
    found = servers.status(home, endpoint)
    assert found.requests == 1
    assert found.memory_bytes is not None
    assert 30e6 < found.memory_bytes < 3e9
    with pytest.raises(UserError, match=r"is ready\. Stop it first"):
        servers.remove(home, endpoint)
    code = (
        "import sys; from pathlib import Path; from image_classifier.runners.endpoints import servers; "
        "home = Path(sys.argv[1]); (one,) = servers.all_of(home); print(one.price_per_hour); servers.stop(home, one)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(home)],
        capture_output=True,
        text=True,
        check=True,
        env=unmeasured(PYTHONPATH=str(PROGRAM)),
    )
    assert done.stdout == "0.25\n"
    wait_for(home, endpoint, State.STOPPED)
    servers.remove(home, endpoint)
    assert servers.all_of(home) == []
    assert (model / "1").is_dir()


def test_names_are_unique_and_failures_are_explained(tmp_path: Path, home: Path) -> None:
    """Given a broken model twice -> two names, and the reason of the failure; a missing model starts nothing."""
    broken = tmp_path / "model"
    broken.mkdir()
    first, second = (servers.start(home, "one", broken) for _ in range(2))
    assert (first.name, second.name) == ("one", "one-2")
    wait_for(home, first, State.FAILED)
    reason = servers.status(home, first).failure
    assert reason is not None
    assert "model" in reason
    assert "Traceback" not in servers.log(home, first)
    with pytest.raises(UserError, match="absent"):
        servers.start(home, "two", tmp_path / "absent")
    assert servers.find(home, "two") is None
    assert servers.find(home, "../model") is None


def test_docker_says_what_is_missing(tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given no docker on PATH -> a sentence that names the other choice, and nothing is left behind."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(PlatformError, match=r"docker is not on PATH\. Install Docker"):
        servers.start(home, "one", tmp_path, record.DOCKER)
    assert servers.all_of(home) == []


_DOCKER = """#!/bin/sh
here=$(dirname "$0")
echo "$*" >>"$here/asked"
case "$1" in
run) touch "$here/running" ;;
stop | kill) mv "$here/running" "$here/stopped" ;;
rm) rm "$here/stopped" ;;
logs) echo "Killed" ;;
container)
    running=false
    [ ! -e "$here/running" ] || running=true
    if [ -e "$here/running" ] || [ -e "$here/stopped" ]; then
        echo '{"Id": "1", "State": {"Running": '$running', "StartedAt": "2026-11-30T17:00:00.123456789Z"}}'
    else
        echo "Error: No such container" >&2
        exit 1
    fi
    ;;
esac
"""


def test_container_is_watched_stopped_and_removed(tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a stand-in for docker -> the container is started, found, stopped and removed by its name."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "docker").write_text(_DOCKER)
    (tmp_path / "bin" / "docker").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    (tmp_path / "model").mkdir()
    endpoint = servers.start(home, "one", tmp_path / "model", record.DOCKER, image="mine:serve")
    found = servers.status(home, endpoint)
    assert (found.state, found.started) == (State.STARTING, 1796058000.0)
    servers.stop(home, endpoint)
    wait_for(home, endpoint, State.STOPPED)
    servers.remove(home, endpoint)
    asked = (tmp_path / "bin" / "asked").read_text().splitlines()
    assert [line.split()[0] for line in asked if line.split()[0] in ("run", "stop", "rm")] == ["run", "stop", "rm"]
    assert f"127.0.0.1:{endpoint.port}:8080" in next(line for line in asked if line.startswith("run"))


def test_container_is_reached_from_this_machine_alone(tmp_path: Path) -> None:
    """Given an endpoint in Docker -> its port is published on 127.0.0.1, and the model is read-only."""
    endpoint = Endpoint(name="one", kind=record.DOCKER, model="/models/one", port=4711, image="mine:serve")
    command = " ".join(docker.command(endpoint, Path("/models/one"), {"SERVE_PAGE": "true"}))
    assert "--publish 127.0.0.1:4711:8080" in command
    assert "--volume /models/one:/opt/ml/model:ro" in command
    assert command.endswith("--env SERVE_PAGE=true mine:serve serve")


def test_endpoint_on_sagemaker_is_created_watched_and_deleted(
    tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given image, role and bucket -> an endpoint with a name that AWS keeps is ready; stopping deletes all of it."""
    model = tiny_models.write(tmp_path / "model", "tiny").folder
    monkeypatch.setattr(sagemaker, "_FRESH_SECONDS", 0.0)
    with sagemaker_on_this_machine(monkeypatch) as service:
        given = {"image": IMAGE, "role": ROLE, "location": f"s3://{BUCKET}/image-classifier", "region": REGION}
        endpoint = servers.start(home, "Cells_1", model, record.SERVERLESS, options={**given, "memory_mb": ""})
        assert endpoint.name == "cells-1"
        wait_for(home, endpoint, State.READY)
        assert len(service.tagged()) == 3
        assert "serverless" in servers.same_in_code(endpoint)
        servers.stop(home, endpoint)
        wait_for(home, endpoint, State.STOPPED)
        assert service.tagged() == []
        servers.remove(home, endpoint)


def test_options_of_sagemaker_are_checked_together(tmp_path: Path, home: Path) -> None:
    """Given no role and a wrong size -> one message about both, and nothing was sent or kept."""
    with pytest.raises(UserError, match=r"role: the execution role is missing.* memory_mb"):
        servers.start(home, "cells", tmp_path, record.SERVERLESS, options={"image": IMAGE, "memory_mb": "3"})
    assert servers.all_of(home) == []

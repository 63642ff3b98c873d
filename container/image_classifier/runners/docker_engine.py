"""The Docker engine of this machine, by its command line: what it lacks as one sentence, containers by name."""

import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from typing import Any

from image_classifier.contract.errors import PlatformError, last_line

TIMEOUT = 60.0
"""Seconds after which the engine counts as not answering."""
_ELSEWHERE = "or run it without Docker: the runner local, on Linux"


def ask(*words: str) -> subprocess.CompletedProcess[str]:
    """Run a docker command and return what it printed; it may have failed.

    Raises:
        PlatformError: docker is not on PATH, or does not answer within `TIMEOUT`.
    """
    try:
        return subprocess.run(
            ["docker", *words], capture_output=True, text=True, errors="replace", timeout=TIMEOUT, check=False
        )
    except FileNotFoundError as error:
        raise PlatformError(f"docker is not on PATH. Install Docker, {_ELSEWHERE}.") from error
    except subprocess.TimeoutExpired as error:
        raise PlatformError(
            f"Docker did not answer within {TIMEOUT:.0f} s to docker {words[0]}. Restart it."
        ) from error


def lacks(image: str, build: str) -> str | None:
    """Return why containers of an image cannot be started on this machine, and what to do; None if they can.

    `build` is the command that makes the image.
    """
    if shutil.which("docker") is None:
        return f"docker is not on PATH. Install Docker, {_ELSEWHERE}."
    done = ask("version", "--format", "{{.Server.Version}}")
    if done.returncode != 0:
        if "permission denied" in done.stderr.lower():
            return (
                f"uid {os.getuid()} may not use Docker. Add this user to the group docker (sudo usermod -aG docker "
                f"NAME) and log in again, {_ELSEWHERE}."
            )
        return f"Docker's engine does not answer ({last_line(done.stderr).rstrip('.')}). Start it, {_ELSEWHERE}."
    if ask("image", "inspect", "--format", "{{.Id}}", image).returncode != 0:
        return f"The image {image} is not on this machine. {build} makes it, or name another one that is."
    return None


def state(name: str) -> Mapping[str, Any] | None:
    """Return the state of a container, with `Running` and `Pid`, and its `Id`; None if it does not exist.

    Raises:
        PlatformError: See `ask`; or the engine does not answer.
    """
    done = ask("container", "inspect", "--format", '{"Id": {{json .Id}}, "State": {{json .State}}}', name)
    if done.returncode == 0:
        found: dict[str, Any] = json.loads(done.stdout)
        return {**found["State"], "Id": found["Id"]}
    if "no such container" in done.stderr.lower():
        return None
    raise PlatformError(f"Docker's engine does not answer: {last_line(done.stderr)}")

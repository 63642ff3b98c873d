"""Run the docker command; a failure is one sentence with its reason."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from image_classifier.contract.errors import PlatformError, UserError, last_line

DEFAULT_IMAGE = "image-classifier:gpu"
"""The default of scripts/build."""
_LABELS = "org.opencontainers.image."


@dataclass(frozen=True)
class BuiltImage:
    """An image in this machine's engine, with the labels of scripts/build; empty where it has none."""

    name: str
    id: str
    created: str
    """A time as RFC 3339 writes it."""
    title: str
    version: str
    commit: str
    """The full hash, followed by `-dirty` for a build with uncommitted changes; `unknown` outside a clone."""
    target: str
    """serve, cpu or gpu."""
    architecture: str = "amd64"
    manifest: str = ""
    """The media type under which it will be pushed, where the engine knows it beforehand."""


def docker(words: Sequence[str], given: str = "", environment: Mapping[str, str] | None = None) -> str:
    """Return what `docker WORDS` prints on its standard output when `given` is its standard input.

    Raises:
        PlatformError: docker is missing or fails, with the last line of its output.
    """
    done = _start(words, stdin=subprocess.PIPE, stderr=subprocess.PIPE, environment=environment)
    output, errors = done.communicate(given)
    if done.returncode != 0:
        raise PlatformError(f"docker {words[0]} failed: {last_line(errors or output)}")
    return output


def docker_shown(words: Sequence[str], environment: Mapping[str, str] | None = None) -> str:
    """Do the same for a command that takes minutes: every line is shown on standard error as it arrives."""
    process = _start(words, stdin=subprocess.DEVNULL, stderr=subprocess.STDOUT, environment=environment)
    assert process.stdout is not None
    lines = []
    with process:
        for line in process.stdout:
            print(line, end="", file=sys.stderr, flush=True)
            lines.append(line)
    if process.returncode != 0:
        raise PlatformError(f"docker {words[0]} failed: {last_line(''.join(lines))}")
    return "".join(lines)


def find_image(name: str) -> BuiltImage:
    """Return an image by its name.

    Raises:
        UserError: The engine has no image of this name, with the command that builds it.
        PlatformError: No engine answers.
    """
    try:
        found = json.loads(docker(["image", "inspect", name]))[0]
    except PlatformError as error:
        if "no such" not in str(error).lower():
            raise
        _, _, target = name.partition("image-classifier:")
        known = target in ("serve", "cpu", "gpu")
        build = f"scripts/build --target {target}" if known else f"scripts/build --target gpu --tag {name}"
        raise UserError(f"Docker has no image {name}. Build it with {build}.") from error
    labels = found["Config"].get("Labels") or {}
    return BuiltImage(
        name=name,
        id=found["Id"],
        created=found["Created"],
        title=labels.get(f"{_LABELS}title", ""),
        version=labels.get(f"{_LABELS}version", ""),
        commit=labels.get(f"{_LABELS}revision", ""),
        target=labels.get("image-classifier.target", ""),
        architecture=found["Architecture"],
        manifest=(found.get("Descriptor") or {}).get("mediaType", ""),
    )


def _start(
    words: Sequence[str], *, stdin: int, stderr: int, environment: Mapping[str, str] | None
) -> "subprocess.Popen[str]":
    try:
        return subprocess.Popen(
            ["docker", *words],
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
            errors="replace",
            env={**os.environ, **(environment or {})},
        )
    except FileNotFoundError as error:
        raise PlatformError("docker is not on PATH. Install Docker.") from error

"""A program called docker whose containers are processes of this machine, so that jobs in them really run and end.

It knows what `runners.docker` asks for. Files beside it make it fail: `no-engine`, `no-permission`, `no-image`.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from image_classifier.runners import processes
from image_classifier.runners.processes import ProcessRecord

if TYPE_CHECKING:
    # Each docker command is a process of its own, which starts in a fifth of the time without them.
    import pytest

_MISSING = "Error response from daemon: No such container: "
_FAILURES = {
    "no-engine": "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?",
    "no-permission": "permission denied while trying to connect to the Docker daemon socket",
}


def put_on_path(folder: Path, monkeypatch: "pytest.MonkeyPatch") -> Path:
    """Make the program in a folder, let it be found first, and let the image's Python be this one."""
    from image_classifier.runners import docker

    folder.mkdir()
    program = folder / "docker"
    paths = os.pathsep.join(sys.path)
    program.write_text(f'#!/bin/sh\nPYTHONPATH={paths} exec {sys.executable} {__file__} {folder} "$@"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder), prepend=os.pathsep)
    monkeypatch.setattr(docker, "_PYTHON", (sys.executable, "-P", "-m"))
    return folder


def commands(folder: Path) -> list[list[str]]:
    """Return the words of every command so far."""
    lines = (folder / "commands").read_text().splitlines() if (folder / "commands").exists() else []
    return [json.loads(line) for line in lines]


def _answer(folder: Path, words: list[str]) -> int:
    with (folder / "commands").open("a") as file:
        file.write(json.dumps(words) + "\n")
    for name, text in _FAILURES.items():
        if (folder / name).exists():
            print(text, file=sys.stderr)
            return 1
    match words:
        case ["version", *_]:
            print("28.0.0")
        case ["image", "inspect", *_]:
            return int((folder / "no-image").exists())
        case ["run", *options]:
            return _run(folder, options)
        case ["container", "inspect", *_, name]:
            return _inspect(folder, name)
        case ["kill", "--signal", number, name]:
            return _kill(folder, name, number)
    return 0


def _run(folder: Path, options: list[str]) -> int:
    name = options[options.index("--name") + 1]
    if _running(folder, name):
        print(f'Error response from daemon: Conflict. The container name "/{name}" is already in use', file=sys.stderr)
        return 125
    variables = dict(option.split("=", 1) for option in options if option.split("=")[0].isupper() and "=" in option)
    begin = options.index("--entrypoint") + 1
    # The image's name follows the entry point; its own Python path has the program, which lies elsewhere here.
    command = [options[begin], *options[begin + 2 :]]
    environment = {**os.environ, **variables, "PYTHONPATH": os.pathsep.join(sys.path)}
    container = subprocess.Popen(
        command,
        env=environment,
        start_new_session=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    processes.write(folder / name, processes.record(container.pid))
    print("0" * 64)
    return 0


def _running(folder: Path, name: str) -> ProcessRecord | None:
    found = processes.read(folder / name)
    return found if found and processes.is_running(found) else None


def _inspect(folder: Path, name: str) -> int:
    if found := _running(folder, name):
        print(json.dumps({"Id": "0" * 64, "State": {"Running": True, "Pid": found.pid}}))
        return 0
    print(_MISSING + name, file=sys.stderr)
    return 1


def _kill(folder: Path, name: str, number: str) -> int:
    import signal

    found = _running(folder, name)
    if found is None:
        print(_MISSING + name, file=sys.stderr)
        return 1
    if number == "KILL":
        # With process 1 everything in a container ends.
        processes.kill_session(found)
    else:
        processes.send(found, signal.Signals[f"SIG{number}"])
    return 0


if __name__ == "__main__":
    sys.exit(_answer(Path(sys.argv[1]), sys.argv[2:]))

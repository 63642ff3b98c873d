"""Where scripts/test-gpu runs its steps: in containers of a Docker image, or in this machine's own environment."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from image_classifier import PROGRAM
from image_classifier.contract.errors import AlgorithmError, last_line
from image_classifier.contract.opt_ml import BASE_DIR_VARIABLE
from tools.docker_image import docker_engine

SIGNS_OF_GPU = ("dev/nvidia0", "dev/nvidiactl", "proc/driver/nvidia/gpus", "dev/dxg")
"""Below the root folder: what NVIDIA's driver creates on Linux; the last under the Windows Subsystem for Linux."""
TIMEOUT = 3600
"""Seconds that one step may take."""
HERE = "this environment"
_CHECK = "image_classifier.training.devices.gpu_check"
"""The module that examines devices and measures a model, in a process of its own."""


class NoGpuError(Exception):
    """The machine, or Docker, has no GPU to check."""


def reject_machine_without_gpu(root: Path = Path("/"), environment: Mapping[str, str] | None = None) -> None:
    """Find out without starting anything that the machine, if Docker's engine runs on it, has no GPU.

    Raises:
        NoGpuError: NVIDIA's driver has created no device.
    """
    host = (os.environ if environment is None else environment).get("DOCKER_HOST", "")
    is_remote = bool(host) and not host.startswith("unix://")
    if not is_remote and not any((root / name).exists() for name in SIGNS_OF_GPU):
        raise NoGpuError("this machine has no NVIDIA device or driver (/dev/nvidia0, /proc/driver/nvidia/gpus)")


@dataclass(frozen=True)
class Identity:
    """What was checked, for the report."""

    name: str
    id: str
    """Of the Docker image; the interpreter's path for an environment."""
    commit: str


class Environment(Protocol):
    """Runs the steps of the check."""

    @property
    def gpu(self) -> bool:
        """Whether the steps use the GPUs."""

    def identity(self) -> Identity:
        """Return what is checked.

        Raises:
            ExplainedError: It is missing or cannot be examined.
        """

    def train(self, base: Path) -> subprocess.CompletedProcess[str]:
        """Run a training job whose /opt/ml is `base`."""

    def ask(self, command: str, *options: str, model: Path | None = None, images: Path | None = None) -> Any:
        """Run a command of `training.devices.gpu_check` on a model and images; return the JSON that it prints last.

        Raises:
            NoGpuError: Docker has no GPU to give.
            AlgorithmError: The command fails.
        """


@dataclass(frozen=True)
class DockerImage:
    """Runs each step in a container of an image, with the GPUs and without a network."""

    name: str
    gpu: bool

    def identity(self) -> Identity:
        """Return the image's id and the commit that scripts/build recorded on it."""
        built = docker_engine.find_image(self.name)
        return Identity(built.name, built.id, built.commit)

    def train(self, base: Path) -> subprocess.CompletedProcess[str]:
        """Run the image's `train`."""
        return self._run("train", volumes={base: "/opt/ml"})

    def ask(self, command: str, *options: str, model: Path | None = None, images: Path | None = None) -> Any:
        """Run the command in a container that has the two folders."""
        given = {"/check/model": model, "/check/images": images}
        volumes = {folder: target for target, folder in given.items() if folder}
        done = self._run("python", "-m", _CHECK, command, *volumes.values(), *options, volumes=volumes)
        return _result(command, self.name, done)

    def _run(self, *words: str, volumes: Mapping[Path, str]) -> subprocess.CompletedProcess[str]:
        mounts = [f"--volume={folder.resolve()}:{target}" for folder, target in volumes.items()]
        # As the calling user, who has to be able to remove what containers write.
        options = ["--rm", "--network=none", f"--user={os.getuid()}:{os.getgid()}", "--env=PYTHONPATH=/opt/program"]
        gpus = ["--gpus=all"] if self.gpu else []
        command = ["docker", "run", *options, *gpus, *mounts, self.name, *words]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=TIMEOUT)
        if done.returncode == 125 and "could not select device driver" in done.stderr:
            raise NoGpuError("Docker has no GPU to give: NVIDIA's container toolkit is missing or finds none")
        return done


@dataclass(frozen=True)
class ThisEnvironment:
    """Runs each step in a process of this interpreter: GPU notebooks and machines without Docker."""

    gpu: bool

    def identity(self) -> Identity:
        """Return the interpreter, and the commit of the working tree if it is a clone."""
        command = ["git", "-C", str(PROGRAM.parent), "describe", "--always", "--abbrev=40", "--dirty", "--exclude=*"]
        try:
            commit = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
        except (OSError, subprocess.CalledProcessError):
            commit = "unknown"
        return Identity(HERE, sys.executable, commit)

    def train(self, base: Path) -> subprocess.CompletedProcess[str]:
        """Run the program's `train`."""
        return self._run(str(PROGRAM / "train"), base=base)

    def ask(self, command: str, *options: str, model: Path | None = None, images: Path | None = None) -> Any:
        """Run the command in a process of its own."""
        folders = [str(folder) for folder in (model, images) if folder]
        return _result(command, HERE, self._run("-m", _CHECK, command, *folders, *options))

    def _run(self, *words: str, base: Path | None = None) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "PYTHONPATH": str(PROGRAM)}
        if base:
            environment[BASE_DIR_VARIABLE] = str(base)
        if not self.gpu:
            environment["CUDA_VISIBLE_DEVICES"] = ""
        command = [sys.executable, *words]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=TIMEOUT)


def _result(command: str, name: str, done: subprocess.CompletedProcess[str]) -> Any:
    if done.returncode:
        raise AlgorithmError(f"{command} failed in {name}: {last_line(done.stderr)}")
    return json.loads(done.stdout.splitlines()[-1])

"""Run an image's containers for scripts/test-gpu, with the GPUs and with folders of this machine."""

import json
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from image_classifier.contract.errors import AlgorithmError, last_line

SIGNS_OF_GPU = ("dev/nvidia0", "dev/nvidiactl", "proc/driver/nvidia/gpus", "dev/dxg")
"""Below the root folder: what NVIDIA's driver shows on Linux, and the last under Windows' subsystem for Linux."""
LONGEST = 3600
"""Seconds one container may take."""


class NoGpuError(Exception):
    """The machine has no GPU to test on, which is not a failure."""


def reject_machine_without_gpu(root: Path = Path("/"), environment: Mapping[str, str] | None = None) -> None:
    """Find out without Docker, when its engine is this machine's, that there is no GPU.

    Raises:
        NoGpuError: No device node and no driver of NVIDIA's is there.
    """
    host = (os.environ if environment is None else environment).get("DOCKER_HOST", "")
    elsewhere = bool(host) and not host.startswith("unix://")
    if not elsewhere and not any((root / name).exists() for name in SIGNS_OF_GPU):
        raise NoGpuError("this machine has no NVIDIA device or driver (/dev/nvidia0, /proc/driver/nvidia/gpus)")


@dataclass(frozen=True)
class Image:
    """An image, and whether its containers are given the GPUs."""

    name: str
    gpu: bool

    def run(self, *words: str, volumes: Mapping[Path, str] | None = None) -> subprocess.CompletedProcess[str]:
        """Run a command in a container without a network, as the user who calls; files below `volumes` are shared.

        Raises:
            NoGpuError: Docker has no GPU to give.
        """
        mounts = [f"--volume={folder.resolve()}:{target}" for folder, target in (volumes or {}).items()]
        # What containers write on shared folders has to be removed by this user afterwards.
        options = ["--rm", "--network=none", f"--user={os.getuid()}:{os.getgid()}", "--env=PYTHONPATH=/opt/program"]
        gpus = ["--gpus=all"] if self.gpu else []
        command = ["docker", "run", *options, *gpus, *mounts, self.name, *words]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=LONGEST)
        if done.returncode == 125 and "could not select device driver" in done.stderr:
            raise NoGpuError("Docker has no GPU to give: NVIDIA's container toolkit is missing or finds none")
        return done

    def ask(self, *words: str, volumes: Mapping[Path, str] | None = None) -> Any:
        """Run `image_classifier.training.devices.gpu_check` in a container and return the JSON it prints last.

        Raises:
            NoGpuError: Docker has no GPU to give.
            AlgorithmError: It fails.
        """
        done = self.run("python", "-m", "image_classifier.training.devices.gpu_check", *words, volumes=volumes)
        if done.returncode:
            raise AlgorithmError(f"{' '.join(words[:1])} failed inside {self.name}: {last_line(done.stderr)}")
        return json.loads(done.stdout.splitlines()[-1])

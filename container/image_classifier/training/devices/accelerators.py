"""The devices of a job: GPU set-up, log lines, and a warning when a machine with a GPU trains on its CPU."""

import ctypes
import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from image_classifier import tensorflow_start
from image_classifier.contract.opt_ml import Resources
from image_classifier.resources.processors import available_processors
from image_classifier.training.devices import cuda_libraries

DEVICE_NODE = "dev/nvidia0"
DRIVER_ENTRY = "proc/driver/nvidia/gpus"
"""Below the root folder: paths that NVIDIA's container runtime and driver provide."""
DRIVER_LIBRARY = "libcuda.so.1"
NO_GPU_NOISE = (b"failed call to cuInit", b"Could not find cuda drivers")
"""Error lines that TensorFlow 2.21 prints on every machine without a GPU."""


@dataclass(frozen=True)
class Gpu:
    """A GPU that TensorFlow uses or the driver lists; memory in MiB, None if unknown."""

    name: str
    compute_capability: str | None = None
    memory: int | None = None
    driver: str | None = None

    def __str__(self) -> str:
        known = (f"{self.memory / 1024:.1f} GiB" if self.memory else None, self._capability())
        details = ", ".join(part for part in known if part)
        return f"{self.name} ({details})" if details else self.name

    def _capability(self) -> str | None:
        return f"compute capability {self.compute_capability}" if self.compute_capability else None


def prepare(resources: Resources, root: Path = Path("/"), environment: Mapping[str, str] | None = None) -> list[str]:
    """Enable memory growth on each GPU, and return the log lines about the devices of the job.

    The last line lists the devices. Where the machine should have a GPU (a device node or NVIDIA's entry below `root`,
    or the instance type), the CUDA libraries are checked too, and a line beginning with `WARNING` says which one is
    missing, or why the job trains on the CPU. Call it after TensorFlow is imported and before its first operation.
    """
    import tensorflow as tf

    signs = signs_of_gpu(resources, root)
    # Without signs of a GPU TensorFlow's error that it found none would only alarm the user.
    with tensorflow_start.without(() if signs else NO_GPU_NOISE):
        devices = tf.config.list_physical_devices("GPU")
    for device in devices:
        tf.config.experimental.set_memory_growth(device, True)
    lines = []
    if signs:
        built_for_gpus = bool(tf.sysconfig.get_build_info().get("is_cuda_build"))
        complaint = cuda_libraries.complaint(cuda_libraries.check()) if built_for_gpus else None
        variables = os.environ if environment is None else environment
        reason = None if devices else reason_for_no_gpu(built_for_gpus, complaint, root, variables)
        if reason:
            lines.append(f"WARNING: THIS JOB TRAINS ON THE CPU although there is a GPU ({', '.join(signs)}): {reason}")
        if complaint and complaint not in (reason or ""):
            lines.append(f"WARNING: {complaint}; operations that need it will fail or be slow on a GPU.")
    return [*lines, devices_line(available_processors(), describe(devices))]


def signs_of_gpu(resources: Resources, root: Path = Path("/")) -> list[str]:
    """List the signs that this machine has an NVIDIA GPU; empty on a machine without one."""
    signs = []
    if resources.has_gpu:
        signs.append(f"instance type {resources.current_instance_type}")
    signs += [f"/{name}" for name in (DEVICE_NODE, DRIVER_ENTRY) if (root / name).exists()]
    return signs


def reason_for_no_gpu(built_for_gpus: bool, complaint: str | None, root: Path, environment: Mapping[str, str]) -> str:
    """Explain in one sentence, the most fundamental reason first, why TensorFlow found no GPU."""
    if not built_for_gpus:
        return "this image's TensorFlow is built for CPUs. Use the image's gpu target, or an instance without a GPU."
    hidden = environment.get("CUDA_VISIBLE_DEVICES")
    if hidden is not None and hidden.strip() in ("", "-1"):
        return f"CUDA_VISIBLE_DEVICES is {hidden!r}, which hides every GPU. Remove it from the job's environment."
    if not (root / DEVICE_NODE).exists():
        return f"the container was given no device (/{DEVICE_NODE}). Start it with --gpus all on a machine with a GPU."
    if problem := driver_problem():
        return (
            f"NVIDIA's driver library cannot be opened ({problem}). It comes from the host: start the container with "
            "--gpus all, through NVIDIA's container toolkit."
        )
    if complaint:
        return f"{complaint}. Build the image again; its build checks for this."
    known = driver_report()
    driver = f"NVIDIA's driver {known[0].driver} lists {known[0]}" if known else "nvidia-smi lists no GPU"
    return f"every library opens, but TensorFlow registered no GPU, see its own log lines; {driver}."


def driver_problem(name: str | None = None) -> str | None:
    """Return why the driver's library, or another, cannot be opened; None when it can. It belongs to the host."""
    try:
        ctypes.CDLL(name or DRIVER_LIBRARY)
    except OSError as error:
        return str(error)
    return None


def describe(devices: Sequence[Any]) -> list[Gpu]:
    """Return the GPUs of TensorFlow's physical devices, with details of the driver."""
    import tensorflow as tf

    # By name: on a machine with different GPUs the two enumerate them differently.
    known = {gpu.name: gpu for gpu in driver_report()} if devices else {}
    gpus = []
    for device in devices:
        details = tf.config.experimental.get_device_details(device)
        name = str(details.get("device_name", device.name))
        gpu = known.get(name, Gpu(name))
        capability = details.get("compute_capability")
        gpus.append(replace(gpu, compute_capability=".".join(map(str, capability))) if capability else gpu)
    return gpus


def driver_report(program: str = "nvidia-smi") -> list[Gpu]:
    """Return the GPUs that the driver's own program lists; empty where it is missing or fails."""
    query = "--query-gpu=name,compute_cap,memory.total,driver_version"
    try:
        done = subprocess.run(
            [program, query, "--format=csv,noheader,nounits"], capture_output=True, text=True, check=True, timeout=60
        )
    except (OSError, subprocess.SubprocessError):
        return []
    rows = [[cell.strip() for cell in line.split(",")] for line in done.stdout.splitlines()]
    return [Gpu(row[0], row[1], int(row[2]) if row[2].isdecimal() else None, row[3]) for row in rows if len(row) == 4]


def devices_line(cpus: int, gpus: Sequence[Gpu]) -> str:
    """Return the log line that lists the devices."""
    cpu_count = f"{cpus} CPU{'s' if cpus > 1 else ''}"
    if not gpus:
        return f"Devices: {cpu_count}, no GPU"
    return f"Devices: {cpu_count}, {len(gpus)} GPU{'s' if len(gpus) > 1 else ''}: {', '.join(map(str, gpus))}"


def peak_memory_lines() -> list[str]:
    """Return a log line with the peak memory use of each GPU; none on a machine without one."""
    import tensorflow as tf

    lines = []
    for index in range(len(tf.config.list_physical_devices("GPU"))):
        peak = tf.config.experimental.get_memory_info(f"GPU:{index}")["peak"]
        lines.append(f"GPU {index}: at most {peak / 2**20:,.0f} MiB of memory used")
    return lines

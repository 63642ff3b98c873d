"""What a job says of its devices, on folder trees that look like machines with and without a GPU."""

import sys
from pathlib import Path

import pytest
import tensorflow as tf

from image_classifier.contract.opt_ml import Resources
from image_classifier.training.devices import accelerators
from image_classifier.training.devices.accelerators import Gpu

CPU_MACHINE = Resources(current_instance_type="ml.m5.xlarge")
GPU_MACHINE = Resources(current_instance_type="ml.g5.xlarge")
A10G = Gpu("NVIDIA A10G", "8.6", 23028, "550.163.01")


def machine(root: Path, *names: str) -> Path:
    """Make a root folder with these files in it."""
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


def test_cpu_machine_gets_one_quiet_line(tmp_path: Path) -> None:
    """Given no sign of a GPU -> one line that names the devices, and no warning."""
    lines = accelerators.prepare(CPU_MACHINE, machine(tmp_path))
    assert len(lines) == 1
    assert lines[0].startswith("Devices: ")
    assert lines[0].endswith(", no GPU")


@pytest.mark.parametrize(
    ("resources", "names", "sign"),
    [
        (GPU_MACHINE, (), "instance type ml.g5.xlarge"),
        (CPU_MACHINE, ("dev/nvidia0",), "/dev/nvidia0"),
        (Resources(), ("proc/driver/nvidia/gpus",), "/proc/driver/nvidia/gpus"),
    ],
)
def test_gpu_machine_that_trains_on_cpu_says_so_loudly(
    tmp_path: Path, resources: Resources, names: tuple[str, ...], sign: str
) -> None:
    """Given one sign of a GPU and a TensorFlow built for CPUs -> a warning with the sign, the reason and the remedy."""
    warning, devices = accelerators.prepare(resources, machine(tmp_path, *names))
    assert warning.startswith(f"WARNING: THIS JOB TRAINS ON THE CPU although there is a GPU ({sign}): ")
    assert "built for CPUs" in warning
    assert "gpu target" in warning
    assert "\n" not in warning
    assert devices.endswith("no GPU")


@pytest.mark.parametrize(
    ("built", "complaint", "names", "environment", "reason"),
    [
        (False, None, (), {}, "built for CPUs"),
        (True, "TensorFlow cannot open libcudnn.so.9 (gone)", (), {"CUDA_VISIBLE_DEVICES": "-1"}, "is '-1', which"),
        (True, None, (), {"CUDA_VISIBLE_DEVICES": ""}, "is '', which hides every GPU"),
        (True, None, (), {"CUDA_VISIBLE_DEVICES": "0"}, "given no device (/dev/nvidia0). Start it with --gpus all"),
        (True, None, ("dev/nvidia0",), {}, "driver library cannot be opened (libcuda.so.1: "),
    ],
)
def test_the_most_fundamental_reason_is_named(
    tmp_path: Path, built: bool, complaint: str | None, names: tuple[str, ...], environment: dict[str, str], reason: str
) -> None:
    """Given one obstacle after another -> the reason that has to be removed first (there is no driver here)."""
    assert reason in accelerators.reason_for_no_gpu(built, complaint, machine(tmp_path, *names), environment)


def test_missing_library_is_the_reason_where_device_and_driver_are_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given a device and a driver (any library, in its place) -> the missing library is named, and the remedy."""
    monkeypatch.setattr(accelerators, "DRIVER_LIBRARY", "libc.so.6")
    root, complaint = machine(tmp_path, "dev/nvidia0"), "TensorFlow cannot open libcusolver.so.11 (gone)"
    assert accelerators.reason_for_no_gpu(True, complaint, root, {}).startswith(f"{complaint}. Build the image again")
    assert "registered no GPU" in accelerators.reason_for_no_gpu(True, None, root, {})


def test_device_of_tensorflow_is_described() -> None:
    """Given a device of which TensorFlow knows no details, and none -> its name alone, and nothing."""
    assert accelerators.describe(tf.config.list_physical_devices("CPU")) == [Gpu("/physical_device:CPU:0")]
    assert accelerators.describe([]) == []


def test_driver_library_that_opens_is_no_problem() -> None:
    """Given a library that every machine has in the driver's place -> no problem; one that none has -> its name."""
    assert accelerators.driver_problem("libc.so.6") is None
    assert "libcunothing.so.1" in str(accelerators.driver_problem("libcunothing.so.1"))


def write_report(folder: Path, text: str) -> str:
    """Write a program in the place of NVIDIA's that prints this, and return its path."""
    program = folder / "nvidia-smi"
    program.write_text(f"#!{sys.executable}\nprint({text!r})\n")
    program.chmod(0o755)
    return str(program)


def test_driver_report_is_read(tmp_path: Path) -> None:
    """Given what NVIDIA's program prints, a value it does not know among it -> one GPU a line."""
    program = write_report(tmp_path, "NVIDIA A10G, 8.6, 23028, 550.163.01\nTesla T4, 7.5, [N/A], 550.163.01")
    assert accelerators.driver_report(program) == [A10G, Gpu("Tesla T4", "7.5", None, "550.163.01")]


@pytest.mark.parametrize("text", ["No devices were found", ""])
def test_driver_report_without_devices_is_empty(tmp_path: Path, text: str) -> None:
    """Given a program that reports none, or no program -> no GPU and no error."""
    assert accelerators.driver_report(write_report(tmp_path, text)) == []
    assert accelerators.driver_report(str(tmp_path / "missing")) == []


def test_devices_line_names_gpus_with_memory() -> None:
    """Given none, one and two GPUs -> counted, each with its memory and capability as far as known."""
    assert accelerators.devices_line(1, []) == "Devices: 1 CPU, no GPU"
    one = "NVIDIA A10G (22.5 GiB, compute capability 8.6)"
    assert accelerators.devices_line(4, [A10G]) == f"Devices: 4 CPUs, 1 GPU: {one}"
    assert accelerators.devices_line(4, [A10G, Gpu("B")]) == f"Devices: 4 CPUs, 2 GPUs: {one}, B"


def test_peak_memory_without_a_gpu_is_not_invented() -> None:
    """Given no GPU -> no line about its memory."""
    assert accelerators.peak_memory_lines() == []

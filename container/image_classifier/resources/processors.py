"""CPUs and GPUs of this process: in a container they are not all of the machine's."""

import os
import platform
from pathlib import Path

CGROUP = Path("/sys/fs/cgroup")
CPU_INFORMATION = Path("/proc/cpuinfo")
DEVICES = Path("/dev")


def available_processors(cgroup: Path = CGROUP) -> int:
    """Return the number of CPUs that the scheduler and the cgroup's quota allow, rounded up, at least 1.

    Reads `cpu.max` (cgroup v2) or `cpu/cpu.cfs_quota_us` (v1); see the kernel's admin guide.
    """
    allowed = len(os.sched_getaffinity(0))
    quota = _quota(cgroup)
    return max(1, allowed if quota is None else min(allowed, quota))


def _quota(cgroup: Path) -> int | None:
    try:
        if (cgroup / "cpu.max").is_file():
            given, period = (cgroup / "cpu.max").read_text().split()
        else:
            given = (cgroup / "cpu" / "cpu.cfs_quota_us").read_text().strip()
            period = (cgroup / "cpu" / "cpu.cfs_period_us").read_text().strip()
        microseconds = int(given)
    except (OSError, ValueError):  # no cgroup, or "max"
        return None
    return -(-microseconds // int(period)) if microseconds > 0 else None


def name(information: Path = CPU_INFORMATION) -> str:
    """Return what the processor calls itself, such as `AMD EPYC`, or else its architecture."""
    for line in information.read_text(encoding="utf-8", errors="replace").splitlines():
        key, _, value = line.partition(":")
        if key.strip() == "model name" and value.strip():
            return value.strip()
    return platform.machine()


def has_bfloat16(information: Path = CPU_INFORMATION) -> bool:
    """Return whether this CPU has bfloat16 instructions: AVX-512 BF16 or AMX on x86, BF16 on Arm."""
    for line in information.read_text(encoding="utf-8", errors="replace").splitlines():
        name, _, words = line.partition(":")
        if name.strip() in ("flags", "Features"):
            return not {"avx512_bf16", "amx_bf16", "bf16"}.isdisjoint(words.split())
    return False


def has_gpu(devices: Path = DEVICES) -> bool:
    """Return whether this process has an NVIDIA GPU, by its device file and CUDA_VISIBLE_DEVICES."""
    hidden = os.environ.get("CUDA_VISIBLE_DEVICES", "0").strip() in ("", "-1")
    return not hidden and any(devices.glob("nvidia[0-9]*"))

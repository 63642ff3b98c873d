"""CPUs and GPUs of this process: in a container they are not all of the machine's."""

import os
import platform
from pathlib import Path

CGROUP = Path("/sys/fs/cgroup")
CPU_INFORMATION = Path("/proc/cpuinfo")
DEVICES = Path("/dev")
BFLOAT16 = ("amx_bf16", "avx512_bf16", "bf16")
"""Linux's names of bfloat16 instructions, the fastest first: AMX and AVX-512 BF16 on x86, BF16 on Arm."""
AMD = "AuthenticAMD"
"""Linux's name of the vendor."""
INT8 = ("amx_int8", "avx512_vnni", "avx_vnni", "i8mm")
"""Linux's names of int8 dot products that add up in 32 bits, the fastest first: AMX and VNNI on x86, I8MM on Arm.

Plain AVX2 multiplies int8 too, but adds pairs in 16 bits and takes three instructions for it, so it gains less.
"""


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
    return _first(information, "model name") or platform.machine()


def vendor(information: Path = CPU_INFORMATION) -> str:
    """Return the vendor of the first CPU, such as `GenuineIntel`; empty on Arm, where Linux lists none."""
    return _first(information, "vendor_id")


def features(information: Path = CPU_INFORMATION) -> frozenset[str]:
    """Return the instruction-set extensions of the first CPU, in Linux's names; empty where it lists none."""
    return frozenset(_first(information, "flags", "Features").split())


def _first(information: Path, *keys: str) -> str:
    """Return the first value, not empty, of any of these keys; empty without one."""
    for line in information.read_text(encoding="utf-8", errors="replace").splitlines():
        key, _, value = line.partition(":")
        if key.strip() in keys and value.strip():
            return value.strip()
    return ""


def bfloat16_features(information: Path = CPU_INFORMATION) -> tuple[str, ...]:
    """Return the bfloat16 instructions of this CPU, of `BFLOAT16`; empty without them."""
    found = features(information)
    return tuple(name for name in BFLOAT16 if name in found)


def int8_features(information: Path = CPU_INFORMATION) -> tuple[str, ...]:
    """Return the int8 dot-product instructions of this CPU, of `INT8`; empty without them, as with plain AVX2."""
    found = features(information)
    return tuple(name for name in INT8 if name in found)


def has_bfloat16(information: Path = CPU_INFORMATION) -> bool:
    """Return whether this CPU has bfloat16 instructions, fast or not: see `fast_bfloat16`."""
    return bool(bfloat16_features(information))


def fast_bfloat16(information: Path = CPU_INFORMATION) -> str | None:
    """Return the instructions, of `BFLOAT16`, by which a network in bfloat16 is faster than in float32 here, else None.

    Measured, in images/s to float32's (docs/decisions/0038): with AMX 1.6 and 2.0, with AVX-512 BF16 alone 1.5 on an
    AMD EPYC of Zen 4 and 0.63 to 0.87 on an Intel Xeon. So AVX-512 BF16 counts on AMD's CPUs alone. On Arm nothing was
    measured: BF16 counts wherever Linux lists it.
    """
    found = bfloat16_features(information)
    slow = {"avx512_bf16"} if vendor(information) != AMD else set()
    return next((name for name in found if name not in slow), None)


def has_gpu(devices: Path = DEVICES) -> bool:
    """Return whether this process has an NVIDIA GPU, by its device file and CUDA_VISIBLE_DEVICES."""
    hidden = os.environ.get("CUDA_VISIBLE_DEVICES", "0").strip() in ("", "-1")
    return not hidden and any(devices.glob("nvidia[0-9]*"))

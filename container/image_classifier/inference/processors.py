"""How many CPUs this process may use, which in a container is not how many the machine has."""

import os
from pathlib import Path

CGROUP = Path("/sys/fs/cgroup")


def available_processors(cgroup: Path = CGROUP) -> int:
    """Count the CPUs that the scheduler and the control group's quota allow, rounded up, at least 1.

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
    except (OSError, ValueError):  # no control group, or "max"
        return None
    return -(-microseconds // int(period)) if microseconds > 0 else None

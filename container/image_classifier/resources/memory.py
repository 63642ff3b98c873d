"""Memory limit and usage of this process; in a container the limit is not that of the machine."""

import ctypes
import gc
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from image_classifier.resources.processors import CGROUP

INFORMATION = Path("/proc/meminfo")
STATUS = Path("/proc/self/status")
# cgroup v1 represents "no limit" as the largest number of pages that it can count.
_NO_LIMIT = 1 << 60
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3


@dataclass(frozen=True)
class _Group:
    """File names of one cgroup version."""

    limit: str
    used: str
    counts: str
    cached: tuple[str, str]
    """Counts of reclaimable memory: the page cache."""


_GROUPS = (
    _Group("memory.max", "memory.current", "memory.stat", ("inactive_file", "active_file")),
    _Group(
        "memory/memory.limit_in_bytes",
        "memory/memory.usage_in_bytes",
        "memory/memory.stat",
        ("total_inactive_file", "total_active_file"),
    ),
)


def limit_bytes(cgroup: Path = CGROUP) -> int | None:
    """Return the cgroup's memory limit in bytes, None if there is no limit.

    Reads `memory.max` (cgroup v2) or `memory/memory.limit_in_bytes` (v1); see the kernel's admin guide.
    """
    group = _group(cgroup)
    return _limit(cgroup, group) if group else None


def available_bytes(cgroup: Path = CGROUP, information: Path = INFORMATION) -> int:
    """Return the available memory in bytes: the lesser of the machine's and the cgroup's, at least 0.

    As in the kernel's MemAvailable, the page cache counts as available in both.
    """
    free = _counts(information)["MemAvailable"] * 1024
    group = _group(cgroup)
    limit = _limit(cgroup, group) if group else None
    if group is None or limit is None:
        return free
    counts = _counts(cgroup / group.counts)
    used = int((cgroup / group.used).read_text(encoding="ascii")) - sum(counts.get(name, 0) for name in group.cached)
    return max(0, min(free, limit - used))


def resident_bytes(status: Path = STATUS) -> int:
    """Return the resident set size of this process."""
    return _counts(status)["VmRSS"] * 1024


def return_large_blocks() -> None:
    """Make the C library return blocks of 1 MB or more to the system as soon as they are freed.

    By default the GNU C library raises this threshold with the size of freed blocks, up to 64 MB per thread; see
    mallopt(3).
    """
    set_option = getattr(ctypes.CDLL(None), "mallopt", None)
    if set_option is not None:
        for option in (_M_MMAP_THRESHOLD, _M_TRIM_THRESHOLD):
            set_option(option, 1 << 20)


def keep_freed_blocks() -> None:
    """Make the C library keep freed blocks of up to 4 MB, and 32 MB in all per thread.

    By default decoding one image after the other takes the memory of its raster from the system again each time, which
    costs a quarter of the time of small images. For processes that decode many and then exit.
    """
    set_option = getattr(ctypes.CDLL(None), "mallopt", None)
    if set_option is not None:
        set_option(_M_MMAP_THRESHOLD, 4 << 20)
        set_option(_M_TRIM_THRESHOLD, 32 << 20)


def trim_heap() -> None:
    """Return freed memory to the system, which the C library would otherwise keep for this process."""
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:  # only the GNU C library has it
        trim(0)


def _group(cgroup: Path) -> _Group | None:
    return next((group for group in _GROUPS if (cgroup / group.limit).is_file()), None)


def _limit(cgroup: Path, group: _Group) -> int | None:
    text = (cgroup / group.limit).read_text(encoding="ascii").strip()
    return int(text) if text.isdecimal() and int(text) < _NO_LIMIT else None


def _counts(path: Path) -> Mapping[str, int]:
    """Parse lines of a name and a number; other lines are skipped."""
    text = path.read_text(encoding="utf-8", errors="replace")
    lines = [line.replace(":", " ").split() for line in text.splitlines()]
    return {words[0]: int(words[1]) for words in lines if len(words) > 1 and words[1].isdecimal()}

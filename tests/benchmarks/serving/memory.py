"""Memory of a server: the proportional set sizes of all its processes."""

from pathlib import Path

from tests.benchmarks.training.watched import tree


def tree_megabytes(process: int) -> float:
    """Return the PSS of a process and its descendants in MiB; pages that several map count once in all."""
    return sum(map(_kilobytes, tree(process))) / 1024


def _kilobytes(process: int) -> int:
    try:
        lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
    except OSError:  # gone meanwhile
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0)

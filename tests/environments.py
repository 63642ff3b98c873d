"""Environments for processes that a test starts."""

import os


def unmeasured(**variables: str) -> dict[str, str]:
    """Return this process's environment, with `variables`, for one whose coverage is not measured.

    Tracing costs a process that imports TensorFlow a third more of its time, and where files may not grow it fails.
    For jobs that go ways which other tests measure.
    """
    own = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}
    return {**own, **variables}

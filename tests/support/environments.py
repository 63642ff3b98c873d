"""Environments for processes that a test starts."""

import os


def coverage_variables() -> list[str]:
    """Return the variables by which a process that is started knows that its coverage is measured."""
    return [name for name in os.environ if name.startswith("COVERAGE_")]


def unmeasured(**variables: str) -> dict[str, str]:
    """Return this process's environment, with `variables`, for one whose coverage is not measured.

    Tracing costs a process that imports TensorFlow a third more of its time, and where files may not grow it fails.
    For jobs that go ways which other tests measure.
    """
    measured = coverage_variables()
    own = {name: value for name, value in os.environ.items() if name not in measured}
    return {**own, **variables}

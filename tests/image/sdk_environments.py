"""One Python environment a SageMaker SDK: their packages fit neither this project's nor each other's."""

from pathlib import Path

from tests.support import python_environments
from tests.support.python_environments import PROJECT


def python_with_sdk(version: str) -> Path:
    """Return the Python that has SDK "v2" or "v3"; the environment is made again when its lock has changed."""
    lock = Path(__file__).with_name(f"requirements-sdk-{version}.txt")
    return python_environments.locked(PROJECT / ".cache" / f"sdk-{version}", lock)

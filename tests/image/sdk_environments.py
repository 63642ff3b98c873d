"""One Python environment a SageMaker SDK: their packages fit neither this project's nor each other's.

`python -m tests.image.sdk_environments` makes both, for scripts/test-image while images are built.
"""

from pathlib import Path

from tests.image.shared_folders import locked
from tests.support import python_environments
from tests.support.python_environments import PROJECT

VERSIONS = ("v2", "v3")


def python_with_sdk(version: str) -> Path:
    """Return the Python that has SDK "v2" or "v3"; the environment is made again when its lock has changed."""
    lock = Path(__file__).with_name(f"requirements-sdk-{version}.txt")
    cache = PROJECT / ".cache"
    with locked(cache / f"sdk-{version}.lock"):
        # A script imports a fifth of the modules or less: compiling all of them takes CPU from the builds.
        return python_environments.locked(cache / f"sdk-{version}", lock, compiled=False)


if __name__ == "__main__":
    for each in VERSIONS:
        python_with_sdk(each)

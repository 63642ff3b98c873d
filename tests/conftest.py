"""What the tests of every folder share."""

from collections.abc import Iterator

import pytest

from tests.support.environments import coverage_variables


@pytest.fixture(scope="module", autouse=True)
def unmeasured_processes(request: pytest.FixtureRequest) -> Iterator[None]:
    """Keep what a module marked `no_cover` starts from measuring coverage too.

    Tracing adds a third to the time of processes with TensorFlow. For jobs whose code paths other tests measure.
    """
    with pytest.MonkeyPatch.context() as patch:
        if request.node.get_closest_marker("no_cover"):
            for name in coverage_variables():
                patch.delenv(name)
        yield

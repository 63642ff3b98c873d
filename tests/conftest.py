"""What the tests of every folder share."""

import os
from collections.abc import Generator, Iterator

import pytest

from image_classifier.resources import garbage_collection
from tests.support import iri_grammar
from tests.support.environments import coverage_variables

iri_grammar.defer()

JOBS = "tests/platform/test_train_"


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Leave what is imported and collected, and stays for the whole run, out of Python's garbage collections."""
    with garbage_collection.gc_frozen():
        return (yield)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put whole jobs first: workers steal the last tests from each other, and each would run a file's jobs again."""
    items.sort(key=lambda item: not item.nodeid.startswith(JOBS))


@pytest.fixture(scope="session", autouse=True)
def no_waiting_for_the_disk() -> Iterator[None]:
    """Let fsync do nothing in the tests' own processes: no test cuts the power, and thousands of files are synced."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda descriptor: None)
        yield


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

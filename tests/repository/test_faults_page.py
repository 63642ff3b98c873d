import re

import pytest

from tests.repository.faults_page import NUMBERS, existing_tests, named_in_rows, written_by_hand


def test_every_fault_is_in_the_table_in_order() -> None:
    """Given the page -> it has the numbers of all faults of serving, once each."""
    assert [int(number) for number in re.findall(r"^\| (\d+) \|", written_by_hand(), re.MULTILINE)] == NUMBERS


@pytest.mark.parametrize("number", NUMBERS)
def test_every_fault_has_tests_that_exist(number: int) -> None:
    """Given a row of the page -> it names at least one test, and each that it names exists."""
    named = named_in_rows(written_by_hand())[number]
    assert named
    assert set(named) - existing_tests() == set()


def test_every_failure_on_aws_has_tests_that_exist() -> None:
    """Given the rows on AWS -> A1 to A9, each with at least one test, and all of these exist."""
    rows = re.findall(r"^\| (A\d+) \|(.*)$", written_by_hand(), re.MULTILINE)
    assert [number for number, _ in rows] == [f"A{number}" for number in range(1, 10)]
    for _, rest in rows:
        named = re.findall(r"`(test_\w+\.py::test_\w+)`", rest)
        assert named
        assert set(named) - existing_tests() == set()


def test_a_test_that_is_gone_is_noticed() -> None:
    """Given a row with a test that was removed -> it is not among those that exist."""
    named = named_in_rows("| 7 | fault | behaviour | `test_gone.py::test_of_old` |\n")
    assert named == {7: ["test_gone.py::test_of_old"]}
    assert not set(named[7]) & existing_tests()

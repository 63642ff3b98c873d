"""Cases of a parametrized test: some for each run, all of them for `scripts/test --all`."""

from collections.abc import Callable, Collection, Iterable
from typing import Any

import pytest


def some_of(cases: Iterable[Any], representatives: Collection[Any], name: Callable[[Any], str] = str) -> list[Any]:
    """Return pytest's parameters for the cases; those that are not representatives are marked `every`.

    A tuple is a case of several arguments.
    """
    return [
        pytest.param(
            *(case if isinstance(case, tuple) else (case,)),
            id=name(case),
            marks=() if case in representatives else pytest.mark.every,
        )
        for case in cases
    ]

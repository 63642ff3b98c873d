"""Cases of a parametrized test: some for each run, all of them for `scripts/test --all`."""

from collections.abc import Callable, Iterable
from typing import Any

import pytest


def some_of(cases: Iterable[Any], representative: Callable[[Any], bool], name: Callable[[Any], str] = str) -> list[Any]:
    """Return pytest's parameters for the cases; those that represent none are marked `every`.

    A tuple is a case of several arguments.
    """
    return [
        pytest.param(
            *(case if isinstance(case, tuple) else (case,)),
            id=name(case),
            marks=() if representative(case) else pytest.mark.every,
        )
        for case in cases
    ]

"""Hidden optional dependencies."""

import importlib
import sys

import pytest

from image_classifier.resources.optional_imports import hidden

UNUSED = "colorsys"
"""A module of the standard library that nothing imports."""


def test_module_is_missing_in_the_block_and_there_afterwards(monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a module that is not loaded -> importing it fails in the block, also when that raises, and works after."""
    monkeypatch.delitem(sys.modules, UNUSED, raising=False)
    with pytest.raises(ImportError), hidden(UNUSED):
        importlib.import_module(UNUSED)
    assert importlib.import_module(UNUSED)


def test_loaded_module_stays() -> None:
    """Given a module that is loaded -> the block and later imports see the same object."""
    with hidden("json"):
        inside = importlib.import_module("json")
    assert sys.modules["json"] is inside

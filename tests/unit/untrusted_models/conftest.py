"""Fixtures of the tests of untrusted models."""

from tests.unit.inference.conftest import colour_model

__all__ = ["colour_model"]

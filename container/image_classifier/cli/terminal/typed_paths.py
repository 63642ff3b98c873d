"""Paths as the user typed them, in place of those of a tree that a command has laid out for a job or a server."""

import os
from collections.abc import Mapping
from pathlib import Path


def restore(text: str, typed: Mapping[str, str]) -> str:
    """Replace each path of `typed` by what the user typed for it, the longest path first."""
    for path in sorted(typed, key=len, reverse=True):
        text = text.replace(path, typed[path])
    return text


def shortest(path: Path) -> str:
    """Return a path that a command chose in the form that is easiest to type: relative to here, or absolute."""
    return min(os.path.relpath(path), str(path.absolute()), key=len)

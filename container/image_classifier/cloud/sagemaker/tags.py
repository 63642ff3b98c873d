"""The tags of everything that this program makes on AWS, by which it is found and deleted again."""

from collections.abc import Mapping

from image_classifier import __version__

CREATED_BY = "created-by"
PROGRAM_NAME = "image-classifier"
EXPERIMENT = "image-classifier:experiment"
VERSION = "image-classifier:version"
OURS = (CREATED_BY, EXPERIMENT, VERSION)
"""Keys of all tags that this program gives."""


def tags(experiment: str, others: Mapping[str, str]) -> list[dict[str, str]]:
    """Return the tags of a resource; those of the user come last and cannot replace ours."""
    ours = {CREATED_BY: PROGRAM_NAME, EXPERIMENT: experiment, VERSION: __version__}
    return [{"Key": key, "Value": value} for key, value in {**ours, **{**others, **ours}}.items()]


def as_mapping(found: list[dict[str, str]]) -> dict[str, str]:
    """Return the tags of an answer of the API as a mapping."""
    return {tag["Key"]: tag["Value"] for tag in found}

"""JSON schemas of files that SageMaker reads, written from its documentation."""

import json
from pathlib import Path

import jsonschema

_FOLDER = Path(__file__).with_suffix("")


def validate(found: object, name: str) -> None:
    """Check a decoded file against `schemas/<name>.json`.

    Raises:
        jsonschema.ValidationError: It has another form.
    """
    jsonschema.validate(found, json.loads((_FOLDER / f"{name}.json").read_text()))

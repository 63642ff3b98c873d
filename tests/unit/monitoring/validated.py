"""The documented schemas of what a monitoring job writes."""

import json
from pathlib import Path
from typing import Any

import jsonschema

_SCHEMAS = Path(__file__).parent / "schemas"


def validate(content: Any, schema: str) -> None:
    """Check content against a schema by name, as strict JSON: without NaN and infinity."""
    json.dumps(content, allow_nan=False)
    jsonschema.validate(content, json.loads((_SCHEMAS / f"{schema}.json").read_text(encoding="utf-8")))

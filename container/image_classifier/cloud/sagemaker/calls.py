"""One request to AWS as data, and its check against botocore's service model before anything is sent."""

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from image_classifier.contract.errors import UserError

_NEAR = 3
"""Values of an enumeration that a message suggests."""
_TOKEN = "0" * 36


@dataclass(frozen=True)
class Call:
    """A request: the service by botocore's name, the operation by the API's, its parameters, its target in words."""

    service: str
    operation: str
    parameters: Mapping[str, Any]
    target: str

    def as_json(self) -> dict[str, Any]:
        """Return what `--dry-run` prints."""
        return {"service": self.service, "operation": self.operation, "parameters": dict(self.parameters)}


def validate(calls: Sequence[Call]) -> None:
    """Check requests as far as the service model describes them: names, types, lengths, ranges, patterns, values.

    Raises:
        UserError: One message with every problem of every request.
    """
    problems = [f"{call.operation} {problem}" for call in calls for problem in _problems(call)]
    if problems:
        raise UserError(
            f"{len(problems)} values would be rejected by AWS:\n- " + "\n- ".join(problems)
            if len(problems) > 1
            else f"AWS would reject {problems[0]}"
        )


@cache
def service_model(service: str) -> Any:
    """Return botocore's model of a service."""
    import botocore.session  # type: ignore[import-untyped]

    return botocore.session.get_session().get_service_model(service)


def _problems(call: Call) -> Iterator[str]:
    from botocore.validate import ParamValidator  # type: ignore[import-untyped]

    operation = service_model(call.service).operation_model(call.operation)
    shape = operation.input_shape
    # boto3 adds idempotency tokens when it sends a request.
    added = dict.fromkeys(operation.idempotent_members, _TOKEN)
    report = ParamValidator().validate({**added, **call.parameters}, shape)
    if report.has_errors():
        # Below this level the values may have other types than the walk expects.
        yield from report.generate_report().splitlines()
    else:
        yield from _outside(shape, call.parameters, "")


def _outside(shape: Any, value: Any, path: str) -> Iterator[str]:
    """Yield what botocore leaves to the service: enumerations, patterns and upper bounds."""
    if shape.type_name == "structure":
        for name, given in value.items():
            yield from _outside(shape.members[name], given, f"{path}.{name}".lstrip("."))
    elif shape.type_name == "list":
        yield from _too_large(shape, len(value), path, "items")
        for position, given in enumerate(value):
            yield from _outside(shape.member, given, f"{path}[{position}]")
    elif shape.type_name == "map":
        yield from _too_large(shape, len(value), path, "entries")
        for name, given in value.items():
            yield from _outside(shape.key, name, f"{path} (the name {name!r})")
            yield from _outside(shape.value, given, f"{path}.{name}")
    elif shape.type_name == "string":
        yield from _text(shape, value, path)
    elif shape.type_name in ("integer", "long", "float", "double"):
        yield from _too_large(shape, value, path, "")


def _text(shape: Any, value: str, path: str) -> Iterator[str]:
    allowed = shape.metadata.get("enum", [])
    if allowed and value not in allowed:
        near = difflib.get_close_matches(value, allowed, n=_NEAR) or sorted(allowed)[:_NEAR]
        yield f"{path}: {value!r} is not one of the {len(allowed)} values that boto3 knows, such as {', '.join(near)}."
        return
    yield from _too_large(shape, len(value), path, "characters")
    pattern = shape.metadata.get("pattern")
    if pattern and not _matches(pattern, value):
        yield f"{path}: {value!r} does not have the form {pattern}"


def _matches(pattern: str, value: str) -> bool:
    try:
        return re.fullmatch(pattern, value) is not None
    except re.error:
        # The model's patterns are Java's, and a few use what Python's lack.
        return True


def _too_large(shape: Any, size: float, path: str, unit: str) -> Iterator[str]:
    largest = shape.metadata.get("max")
    if largest is not None and size > largest:
        yield f"{path}: {size:,} {unit}".rstrip() + f", and at most {largest:,} are allowed."

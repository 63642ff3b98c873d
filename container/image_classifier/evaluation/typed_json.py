"""Frozen dataclasses as JSON and arrays, and back: what is read is of the declared types, and nothing else is built.

Values: dataclasses, tuples, sequences, mappings, enumerations, paths, arrays, numbers, strings, None. An array becomes
the name under which it is stored.
"""

import dataclasses
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from pathlib import Path
from typing import Any, TypeVar, Union, cast

import numpy as np
from numpy.typing import NDArray

Value = TypeVar("Value")
Arrays = Mapping[str, NDArray[Any]]


class WrongTypeError(ValueError):
    """A value is not of the declared type."""


def pack(value: Any, arrays: dict[str, NDArray[Any]]) -> Any:
    """Return a value as JSON; its arrays are added to `arrays` under new names."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: pack(getattr(value, field.name), arrays) for field in dataclasses.fields(value)}
    if isinstance(value, np.ndarray):
        name = f"array-{len(arrays):03}"
        arrays[name] = value
        return name
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, Mapping):
        return [[pack(key, arrays), pack(each, arrays)] for key, each in value.items()]
    if isinstance(value, tuple | list):
        return [pack(each, arrays) for each in value]
    return value.item() if isinstance(value, np.generic) else value


def unpack(kind: type[Value], value: Any, arrays: Arrays) -> Value:
    """Return the value of a declared type that `pack` made JSON of.

    Raises:
        WrongTypeError: It is of another type, or names an array that is not there.
    """
    return cast(Value, _unpack(kind, value, arrays))


def _unpack(kind: Any, value: Any, arrays: Arrays) -> Any:
    origin = typing.get_origin(kind)
    if origin in (Union, types.UnionType):
        return _optional(kind, value, arrays)
    if origin is np.ndarray:
        return _array(kind, value, arrays)
    if origin is tuple:
        return _tuple(typing.get_args(kind), value, arrays)
    if origin is Sequence:
        return _tuple((typing.get_args(kind)[0], ...), value, arrays)
    if origin is Mapping:
        return _mapping(typing.get_args(kind), value, arrays)
    if dataclasses.is_dataclass(kind):
        return _dataclass(cast(Callable[..., Any], kind), value, arrays)
    return _scalar(kind, value)


def _optional(kind: Any, value: Any, arrays: Arrays) -> Any:
    if value is None:
        return None
    (inner,) = (each for each in typing.get_args(kind) if each is not type(None))
    return _unpack(inner, value, arrays)


def _array(kind: Any, value: Any, arrays: Arrays) -> NDArray[Any]:
    dtype = typing.get_args(typing.get_args(kind)[1])[0]
    found = arrays.get(value) if isinstance(value, str) else None
    if found is None or found.dtype != dtype:
        raise WrongTypeError(f"an array of {np.dtype(dtype)} is missing")
    return found


def _tuple(kinds: tuple[Any, ...], value: Any, arrays: Arrays) -> tuple[Any, ...]:
    if not isinstance(value, list):
        raise WrongTypeError(f"expected a list, found {type(value).__name__}")
    if len(kinds) == 2 and kinds[1] is ...:
        return tuple(_unpack(kinds[0], each, arrays) for each in value)
    if len(kinds) != len(value):
        raise WrongTypeError(f"expected {len(kinds)} values, found {len(value)}")
    return tuple(_unpack(kind, each, arrays) for kind, each in zip(kinds, value, strict=True))


def _mapping(kinds: tuple[Any, ...], value: Any, arrays: Arrays) -> dict[Any, Any]:
    return dict(_tuple(kinds, pair, arrays) for pair in _list(value))


def _dataclass(kind: Callable[..., Any], value: Any, arrays: Arrays) -> Any:
    if not isinstance(value, dict):
        raise WrongTypeError(f"expected the fields of {kind.__name__}, found {type(value).__name__}")
    hints = typing.get_type_hints(kind)
    missing = [
        field.name for field in dataclasses.fields(cast(Any, kind)) if field.name not in value and _is_required(field)
    ]
    if missing:
        raise WrongTypeError(f"{kind.__name__} lacks {', '.join(missing)}")
    return kind(**{name: _unpack(hints[name], value[name], arrays) for name in hints if name in value})


def _is_required(field: "dataclasses.Field[Any]") -> bool:
    """Return whether a field has no default: one that a later version added has one, and older files lack it."""
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise WrongTypeError(f"expected a list, found {type(value).__name__}")
    return value


def _as_float(value: int) -> float:
    try:
        return float(value)
    except OverflowError as error:
        raise WrongTypeError("expected a number within the range of float") from error


def _scalar(kind: Any, value: Any) -> Any:
    if kind is Path or (isinstance(kind, type) and issubclass(kind, Enum)):
        if not isinstance(value, str):
            raise WrongTypeError(f"expected {kind.__name__}, found {type(value).__name__}")
        return kind(value)
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return _as_float(value)
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise WrongTypeError(f"expected {kind.__name__}, found {type(value).__name__}")
    return value

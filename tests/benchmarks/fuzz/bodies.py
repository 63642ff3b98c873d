"""JSON and JSON Lines bodies, mostly invalid, with their content types."""

import base64
import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass

from tests.platform import sample_images

TYPES = (
    *("application/json", "application/jsonlines", "application/json; charset=utf-16", "text/json"),
    *("application/x-npy",),
)


@dataclass(frozen=True)
class Document:
    """A body and what it is said to be."""

    content_type: str
    content: bytes
    loads_a_model: bool = False
    """Whether it is meant for `POST /models`, which is a route where many models are served, and else none."""


def documents() -> Iterator[Document]:
    """Yield each body under each of `TYPES`, and what should not load a model."""
    yield from itertools.starmap(Document, itertools.product(TYPES, _contents()))
    for content in (*_contents(), *_loads()):
        yield Document("application/json", content, loads_a_model=True)


def _contents() -> list[bytes]:
    good = base64.b64encode(sample_images.encode(sample_images.plain(), "PNG")).decode()
    row = json.dumps({"b64": good})
    texts = [
        *("", " ", "{", "}", "null", "true", "0", "NaN", "-Infinity", "1e999", "9" * 5_000, '"', '"\\ud800"'),
        *('"\\u0000"', "[" * 100_000, '{"instances":' * 500, "[" * 400 + "]" * 400),
        *('{"a":' * 30_000 + "0" + "}" * 30_000, "[" + "0," * 200_000 + "0]"),
        *('{"instances": [' + "{}," * 100_000 + "{}]}", "{" + '"a": 0,' * 50_000 + '"b": 0}', "\n" * 10_000),
        *("\r\n\r\n", f"{row}\n", f"{row}\n\n{row}\r\n{row}", f"{row}\n{{\n{row}", f"{row} {row}", "[]\n{}\n7"),
        *_instances([], {}, None, 7, "text", [[]], [None], [7], ["text"], [{}], [{"b64": None}], [{"b64": 7}]),
        *_instances([{"B64": good}], [{"b64": good}], [{"b64": good, "more": [1]}] * 2, [[0.5, 0.5]], [{"b64": ""}]),
        *_instances([{"b64": good}, {"b64": "aGVsbG8="}], [{"b64": good[:-2]}], [{"b64": f"{good}=="}]),
        *_instances([{"b64": f"\n{good}"}], [{"b64": "===="}]),
        *_instances([{"b64": good.replace("+", "-")}], [{"b64": "é" * 99}], [{"b64": "\0"}], [{"b64": "A" * 500_000}]),
        *_instances([{"b64": {"b64": {"b64": good}}}], [{"b64": good[: len(good) // 2 // 4 * 4]}]),
        *_instances([{"b64": "aGVsbG8="}] * 600),
        *(json.dumps({"instances": [], "name": "x" * 100_000}), '{"instances": 1, "instances": [{"b64": ""}]}'),
    ]
    encoded = [text.encode() for text in texts]
    encoded += [row.encode("utf-16"), row.encode("utf-32"), b"\xef\xbb\xbf" + row.encode(), b"\xff\xfe\xfa"]
    encoded += [b"\0" * 1_000, row.encode("utf-16-le")[:-1], b'{"instances": [{"b64": "\xff"}]}', b"\x93NUMPY\x01\0v\0"]
    return encoded


def _instances(*values: object) -> Iterator[str]:
    return (json.dumps({"instances": value}) for value in values)


def _loads() -> Iterator[bytes]:
    names = (*(None, 7, "", ".", "..", "../a", "a/b", "a" * 300, "ü", "a\0", "a b", "a\n", ["a"], "%2e%2e", "a"),)
    folders: tuple[object, ...] = (
        *(None, 7, "", "relative", "/dev/pts", "/proc/self/mem", "/nowhere", "/" + "a" * 5_000, "/dev\0", "/é", []),
    )
    for name, folder in itertools.product(names, folders):
        yield json.dumps({"model_name": name, "url": folder}).encode()

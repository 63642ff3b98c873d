"""A planted leak: with this folder on PYTHONPATH a server keeps every byte of every body that it has read.

Python imports a module of this name at its start. It lies beside the soak, which must catch it; nothing else uses it.
"""

from collections.abc import Callable, Iterable
from typing import Any

from flask import Flask

_kept: list[bytes] = []


class _Keeping:
    """A request's body that is remembered as it is read."""

    def __init__(self, stream: Any):
        self._stream = stream

    def read(self, *arguments: Any) -> bytes:
        """Read, and remember."""
        block: bytes = self._stream.read(*arguments)
        _kept.append(block)
        return block

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


_answer = Flask.wsgi_app


def _answer_and_keep(app: Flask, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    environ["wsgi.input"] = _Keeping(environ["wsgi.input"])
    return _answer(app, environ, start_response)  # type: ignore[no-any-return, unused-ignore]


setattr(Flask, "wsgi_app", _answer_and_keep)  # noqa: B010 - no type has a method that is replaced

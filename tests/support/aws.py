"""An AWS on this machine: moto's server on loopback, asked through boto3 as AWS would be."""

import functools
import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from botocore import hooks  # type: ignore[import-untyped]
from botocore.loaders import create_loader  # type: ignore[import-untyped]
from moto.core.base_backend import BackendDict
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from werkzeug.serving import make_server

from tests.support.web_servers import in_a_thread

ACCOUNT = "123456789012"
"""The caller's account."""
CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_EC2_METADATA_DISABLED": "true",
}
"""Any key does; what is not given is not looked for on the network."""


_LOADER = functools.cache(create_loader)
_ALIASES: dict[str, str] = {}


def share_sessions(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let boto3's sessions share what each would make again: service models, aliases of events, checks of handlers.

    A client of SageMaker takes a fifth of a second otherwise, and each request of most tests has its own session.
    """
    named, checked = hooks.EventAliaser._alias_event_name, hooks.accepts_kwargs

    def alias(aliaser: Any, name: str) -> str:
        if name not in _ALIASES:
            _ALIASES[name] = named(aliaser, name)
        return _ALIASES[name]

    def accepts_kwargs(handler: Callable[..., Any]) -> Any:
        code = getattr(getattr(handler, "__func__", handler), "__code__", None)
        return checked(handler) if code is None else bool(code.co_flags & inspect.CO_VARKEYWORDS)

    monkeypatch.setattr("botocore.session.create_loader", _LOADER)
    monkeypatch.setattr(hooks.EventAliaser, "_alias_event_name", alias)
    monkeypatch.setattr(hooks, "accepts_kwargs", accepts_kwargs)


@functools.cache
def moto() -> DomainDispatcherApplication:
    """Return moto's web application: one for all tests, since each service takes a while at its first request.

    What its services hold belongs to the process, so that a new application would not be an empty one either.
    """
    return DomainDispatcherApplication(create_backend_app)


def forget() -> None:
    """Empty the AWS of this process."""
    BackendDict.reset()


@contextmanager
def aws_on_this_machine() -> Iterator[str]:
    """Run the server of an empty AWS and yield its address, for AWS_ENDPOINT_URL."""
    forget()
    server = make_server("127.0.0.1", 0, moto(), threaded=True, request_handler=MotoRequestHandler)
    with in_a_thread(server):
        yield f"http://127.0.0.1:{server.server_port}"

"""The private API of gunicorn that this project uses, attribute by attribute."""

import ast
import inspect
import logging
import re
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import gunicorn
import pytest
from gunicorn import arbiter
from gunicorn.config import Config
from gunicorn.http import errors
from gunicorn.workers import base, gthread

from image_classifier import PROGRAM
from image_classifier.serving.connections import gunicorn_internals
from image_classifier.serving.connections.gunicorn_internals import BOOT_FAILURE_MESSAGES, GunicornWorker, RequestHead

MODULE = "gunicorn_internals.py"
WORKER = (
    "_accepting",
    "alive",
    "handle_request",
    "method_queue",
    "nr_conns",
    "poller",
    "sockets",
    "tpool",
    "worker_connections",
    "wsgi",
)
"""Attributes of ThreadWorker that are read, written or called."""
OVERRIDDEN = ("accept", "get_thread_pool", "set_accept_enabled", "wait_for_and_dispatch_events")
"""Methods of ThreadWorker that gunicorn itself calls."""
REQUEST = ("_expected_100_continue", "body", "headers", "must_close", "should_close", "version")
ERRORS = (
    "ExpectationFailed",
    "InvalidHeader",
    "InvalidRequestLine",
    "LimitRequestHeaders",
    "ParseException",
    "UnsupportedTransferCoding",
)


def missing(owner: object, names: tuple[str, ...]) -> str | None:
    """Return one sentence about the attributes that an object lacks, None if it has them all."""
    lacking = ", ".join(name for name in names if not hasattr(owner, name))
    kind = owner.__name__ if inspect.isclass(owner) or inspect.ismodule(owner) else type(owner).__name__
    return f"{kind} of gunicorn {gunicorn.__version__} lacks {lacking}; adapt {MODULE}." if lacking else None


@pytest.fixture
def worker() -> Iterator[gthread.ThreadWorker]:
    """Gunicorn's own threaded worker, not started."""
    created = gthread.ThreadWorker(0, 0, [], None, 30, Config(), logging.getLogger("gunicorn"))
    # Set by init_process(), which forks into the main loop.
    assert "self.wsgi = " in inspect.getsource(base.Worker.load_wsgi)
    created.wsgi = None
    yield created
    created.tmp.close()


def test_worker_has_the_attributes_that_are_used(worker: gthread.ThreadWorker) -> None:
    """Given gunicorn's threaded worker -> it has every attribute that our adapter uses or overrides."""
    problem = missing(worker, (*WORKER, *OVERRIDDEN))
    assert problem is None, problem
    problem = missing(worker.method_queue, ("defer",))
    assert problem is None, problem


@pytest.mark.parametrize("method", OVERRIDDEN)
def test_gunicorn_calls_the_overridden_methods(method: str) -> None:
    """Given a method that our adapter overrides -> gunicorn's worker uses it."""
    problem = f"ThreadWorker of gunicorn {gunicorn.__version__} does not use {method}; adapt {MODULE}."
    assert re.search(rf"self\.{method}\b", inspect.getsource(gthread.ThreadWorker)), problem


def test_list_of_worker_attributes_is_complete() -> None:
    """Given the source of our adapter -> its attributes are its own, gunicorn's public `cfg`, or on the list above."""
    tree = ast.parse(inspect.getsource(GunicornWorker))
    used = {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "self"
    }
    assert used - set(vars(GunicornWorker)) == set(WORKER)


@pytest.mark.parametrize("chunked", [False, True])
def test_request_has_the_attributes_that_are_used(chunked: bool) -> None:
    """Given a request parsed by gunicorn -> it has every attribute that our adapter uses, down to the body's length."""
    body = b"Transfer-Encoding: chunked" if chunked else b"Content-Length: 3"
    request = RequestHead(Config(), b"POST /a HTTP/1.1\r\nHost: x\r\n" + body + b"\r\n\r\n", ("127.0.0.1", 1), 1)
    problem = missing(request, (*REQUEST, "method", "path")) or missing(request.body, ("reader",))
    assert problem is None, problem
    assert request.content_length == (None if chunked else 3)


def test_parser_has_the_errors_that_are_used() -> None:
    """Given gunicorn's parse errors -> the module has every class that we map to a status."""
    problem = missing(errors, ERRORS)
    assert problem is None, problem


def test_expectation_is_answered_once() -> None:
    """Given `Expect: 100-continue` -> it is pending until it is answered."""
    header = b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n"
    request = RequestHead(Config(), header, ("127.0.0.1", 1), 1)
    assert request.expects_continue
    request.continue_sent()
    assert not request.expects_continue


def test_arbiter_has_the_attributes_that_are_used() -> None:
    """Given gunicorn's arbiter -> it has the attributes of our hooks, and logs the lines that we hide."""
    problem = missing(arbiter.Arbiter, ("LISTENERS", "spawn_worker"))
    assert problem is None, problem
    source = inspect.getsource(arbiter)
    for message in BOOT_FAILURE_MESSAGES:
        assert f'"{message}"' in source, f"gunicorn {gunicorn.__version__} does not log {message!r}; adapt {MODULE}."


def test_missing_attribute_is_one_sentence() -> None:
    """Given an object without two attributes -> a sentence that names both and the module to adapt."""
    problem = missing(SimpleNamespace(here=1), ("here", "gone", "away"))
    assert problem == f"SimpleNamespace of gunicorn {gunicorn.__version__} lacks gone, away; adapt {MODULE}."


def test_only_one_module_imports_gunicorn() -> None:
    """Given all modules of the server -> only gunicorn_internals.py imports gunicorn; the console has its own."""
    importing = [
        path
        for path in PROGRAM.rglob("*.py")
        if "console" not in path.parts
        and re.search(r"^\s*(from|import) gunicorn\b", path.read_text(encoding="utf-8"), re.MULTILINE)
    ]
    assert importing == [Path(gunicorn_internals.__file__)]


def test_heartbeat_needs_no_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a missing temporary folder -> the heartbeat file of a worker is created in memory."""
    monkeypatch.setattr("tempfile.tempdir", "/nowhere/at/all")
    heartbeat = base.WorkerTmp(None)
    assert isinstance(heartbeat, gunicorn_internals._Heartbeat)
    assert str(Path(f"/proc/self/fd/{heartbeat.fileno()}").readlink()).startswith("/memfd:heartbeat")
    before = heartbeat.last_update()
    heartbeat.notify()
    assert heartbeat.last_update() != before
    heartbeat.close()

"""gunicorn around the console: one worker with threads. All of gunicorn's API that the console uses is here."""

from collections.abc import Callable
from typing import Any

from flask import Flask
from gunicorn.app.base import BaseApplication
from gunicorn.arbiter import Arbiter

from image_classifier.contract.errors import UserError, cause
from image_classifier.resources.ports import bind_error

THREADS = 32
"""One is busy as long as a tab's stream of events is open; the others answer."""
_STOP_SECONDS = 3
_LAST_PORT = 65535


class _Arbiter(Arbiter):  # type: ignore[misc, unused-ignore]
    def handle_hup(self) -> None:
        # The terminal was closed. gunicorn would load its settings again; jobs continue in any case.
        self.handle_term()


class _Server(BaseApplication):  # type: ignore[misc, unused-ignore]
    def __init__(self, options: dict[str, Any], make_app: Callable[[], Flask]):
        self._options, self._make_app = options, make_app
        super().__init__()

    def load_config(self) -> None:
        for name, value in self._options.items():
            self.cfg.set(name, value)

    def load(self) -> Flask:
        return self._make_app()

    def run(self) -> None:
        _Arbiter(self).run()


def run(host: str, port: int, make_app: Callable[[], Flask], when_ready: Callable[[], None]) -> None:
    """Serve until SIGTERM, SIGINT or SIGHUP.

    Args:
        host: The address to listen on.
        port: Its port.
        make_app: Called in the process that answers requests.
        when_ready: Called once, as soon as requests are answered.

    Raises:
        SystemExit: The server has stopped; the code is not 0 if it could not start.
    """

    def ready(worker: Any) -> None:
        # A second worker replaces one that crashed.
        if worker.age == 1:
            when_ready()

    options = {
        "bind": [f"[{host}]:{port}" if ":" in host else f"{host}:{port}"],
        "workers": 1,
        "worker_class": "gthread",
        "threads": THREADS,
        "graceful_timeout": _STOP_SECONDS,
        "keepalive": 60,
        "loglevel": "warning",
        "post_worker_init": ready,
        # A client cannot set SCRIPT_NAME or the like.
        "forwarder_headers": "",
        "control_socket_disable": True,
    }
    _Server(options, make_app).run()


def reject_port_in_use(host: str, port: int) -> None:
    """Check that the console can listen there.

    Raises:
        UserError: Another program listens on the port, or the address is not one of this machine.
    """
    if not 0 < port <= _LAST_PORT:
        raise UserError(f"--port is {port}; allowed are 1 to {_LAST_PORT}.")
    error = bind_error(host, port)
    if error is None:
        return
    if bind_error(host, 0):
        raise UserError(f"--host {host} is not an address of this machine: {cause(error)}.") from error
    free = next((other for other in range(port + 1, _LAST_PORT + 1) if not bind_error(host, other)), None)
    remedy = f"Start with --port {free}, which is free." if free else "Choose another with --port."
    raise UserError(f"Port {port} cannot be used: {error}. {remedy}") from error

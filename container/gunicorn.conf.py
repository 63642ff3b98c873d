"""gunicorn's settings, derived from image_classifier/serving/settings.py."""

import logging
import os

from image_classifier.serving import settings, worker_state
from image_classifier.serving.connections import gunicorn_internals
from image_classifier.serving.monitoring import log_stream
from image_classifier.serving.processes import listening, supervision
from image_classifier.serving.processes.gunicorn_worker import connections_allowed

# Before gunicorn sets up its own log, which then uses the same streams; its workers inherit them.
log_stream.make_non_blocking()
_chosen = settings.read(os.environ)

wsgi_app = "image_classifier.serving.processes.worker:application()"
worker_class = "image_classifier.serving.processes.gunicorn_worker.Worker"
bind = listening.bind(_chosen.host, _chosen.port)
workers = _chosen.workers
threads = _chosen.threads
# TensorFlow does not survive a fork: each worker loads its own model afterwards.
preload_app = False
# The heartbeat comes from the main loop, so a long computation in a thread does not trigger this timeout.
timeout = _chosen.timeout_seconds
# The platform sends SIGKILL 30 s after SIGTERM.
graceful_timeout = 25
keepalive = 60
# A connection costs a file descriptor and a few KB; while it waits for a slot or for bytes it holds no thread.
worker_connections = max(connections_allowed(), threads + 1)
backlog = 2048
_crashes = supervision.CrashBudget(_chosen.max_worker_crashes)
_folder = worker_state.prepare(_chosen.workers)
# There is no trusted proxy in front: SCRIPT_NAME or PATH_INFO from a client would fail below the application.
forwarder_headers = ""
os.environ.pop("SCRIPT_NAME", None)
# The parser that the tests cover; "auto" would switch to another one as soon as its package is installed.
http_parser = "python"
control_socket_disable = True
loglevel = "debug" if _chosen.log_level <= logging.DEBUG else "warning"


def on_starting(server):
    """Keep the reason of a failed start the last line of the log, and the server running when a fork fails."""
    gunicorn_internals.wrap_spawn(server, supervision.retrying)
    gunicorn_internals.hide_boot_failures(server)


def post_fork(server, worker):
    """Delay the start of workers while others keep crashing."""
    supervision.delay_start(_crashes.delay())


def child_exit(server, worker):
    """Record the crash of a worker, unless the server is stopping; drop the worker's live state."""
    worker_state.forget(_folder, worker.pid)
    if not gunicorn_internals.is_stopping(server):
        _crashes.record(worker.pid)


def on_exit(server):
    """Remove temporary files."""
    worker_state.remove(_folder)

"""gunicorn's settings; what they are made of is in image_classifier/serving/settings.py."""

import logging
import os

from image_classifier.serving import settings, worker_state
from image_classifier.serving.monitoring import log_stream
from image_classifier.serving.processes import supervision
from image_classifier.serving.processes.gunicorn_worker import connections_allowed

# Before gunicorn sets up its own log, which then takes the same way; its processes inherit it.
log_stream.never_wait()
_chosen = settings.read(os.environ)

wsgi_app = "image_classifier.serving.processes.worker:application()"
worker_class = "image_classifier.serving.processes.gunicorn_worker.Worker"
bind = f"{_chosen.host}:{_chosen.port}"
workers = _chosen.workers
threads = _chosen.threads
# TensorFlow does not survive a fork: each process loads its own model after it.
preload_app = False
# The platform waits 60 s for an answer; a thread that computes is not what this watches, only the main loop is.
timeout = _chosen.timeout_seconds
# SIGKILL comes 30 s after SIGTERM.
graceful_timeout = 25
keepalive = 60
# A connection costs a file and a few KB; those that wait for a place or for bytes hold no thread.
worker_connections = max(connections_allowed(), threads + 1)
backlog = 2048
_deaths = supervision.CrashBudget(_chosen.worker_deaths)
_folder = worker_state.prepare(_chosen.workers)
# No proxy stands before it: a client's SCRIPT_NAME or PATH_INFO is none, and would fail below the application.
forwarder_headers = ""
os.environ.pop("SCRIPT_NAME", None)
# The parser that the tests know; "auto" would take another one as soon as its package is installed.
http_parser = "python"
control_socket_disable = True
loglevel = "debug" if _chosen.log_level <= logging.DEBUG else "warning"
# Who cannot load a model has said why; gunicorn's own three lines about it would bury that.
_SAID_BEFORE = ("Worker (pid:%s) exited with code %s.", "Shutting down: %s", "Reason: %s")


def on_starting(server):
    """Keep the reason of a failed start the last line of the log, and the server when a process cannot be started."""
    server.spawn_worker = supervision.persistent(server.spawn_worker)
    server.log.error_log.addFilter(lambda record: record.msg not in _SAID_BEFORE)


def post_fork(server, worker):
    """Let processes that die one after the other start later and later."""
    supervision.wait(_deaths.pause())


def child_exit(server, worker):
    """Count a process that died, unless the server itself is ending; what it was doing then counts no more."""
    worker_state.forget(_folder, worker.pid)
    if server.LISTENERS:
        _deaths.note(worker.pid)


def on_exit(server):
    """Leave nothing behind."""
    worker_state.remove(_folder)

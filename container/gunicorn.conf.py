"""gunicorn's settings; what they are made of is in image_classifier/serving/settings.py."""

import logging
import os

from image_classifier.serving import settings

_chosen = settings.read(os.environ)

wsgi_app = "image_classifier.serving.worker:application()"
worker_class = "image_classifier.serving.gunicorn_worker.Worker"
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
backlog = 256
# The heartbeat file must not lie on a disk that can stall; without /dev/shm the temporary folder has to do.
worker_tmp_dir = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
control_socket_disable = True
loglevel = "debug" if _chosen.log_level <= logging.DEBUG else "warning"
# Who cannot load a model has said why; gunicorn's own three lines about it would bury that.
_SAID_BEFORE = ("Worker (pid:%s) exited with code %s.", "Shutting down: %s", "Reason: %s")


def on_starting(server):
    """Keep the reason of a failed start the last line of the log."""
    server.log.error_log.addFilter(lambda record: record.msg not in _SAID_BEFORE)

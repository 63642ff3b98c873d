"""A worker after the fork: load the model in the background, serve, exit if the model cannot be loaded.

The loading thread imports what the model needs, while the main thread imports the application.
"""

import logging
import os
import sys
import time
import warnings
from typing import TYPE_CHECKING

from image_classifier import model_layout
from image_classifier.contract.errors import PlatformError
from image_classifier.contract.opt_ml import OptMl
from image_classifier.inference import engines
from image_classifier.inference.engines import EngineSelection
from image_classifier.resources import garbage_collection
from image_classifier.serving import settings, worker_state
from image_classifier.serving.monitoring import log_stream
from image_classifier.serving.processes.model_loader import ModelLoader

if TYPE_CHECKING:
    from flask import Flask

    from image_classifier.inference.predictor import Predictor

log = logging.getLogger("image_classifier.serving")

CRASH = 1
"""Exit code of a worker for which a restart may help."""
BOOT_FAILURE = 3
"""Exit code that makes gunicorn stop the server, since a restart would not help."""


def application() -> "Flask":
    """Start loading the model and return the application; called by gunicorn in each worker."""
    chosen = settings.read(os.environ)
    # Our own log at the configured level; TensorFlow's Python log only from warnings on.
    lines = log_stream.to_standard_error()
    logging.basicConfig(handlers=[lines], level=max(chosen.log_level, logging.WARNING), format="%(message)s")
    log.setLevel(chosen.log_level)
    # Pillow's warnings about odd images differ in text; the filter "default" would remember each of them forever.
    logging.captureWarnings(True)
    warnings.filterwarnings("always", module=r"PIL\.")
    if chosen.multi_model:
        with garbage_collection.gc_frozen():
            from image_classifier.serving.multi_model import app as multi_model_app

            return multi_model_app.application(chosen)
    if not worker_state.join():
        log.warning(
            "No space for the shared metrics in /dev/shm or in the temporary folder: GET /metrics of worker %d covers "
            "only its own requests.",
            os.getpid(),
        )
    folder, started = model_layout.root(OptMl.from_environment().model_dir), time.monotonic()

    def load() -> "Predictor":
        # Includes the application, imported in parallel: a collection of both blocked all threads for 30 ms.
        with garbage_collection.gc_frozen():
            from image_classifier.inference.predictor import Predictor

            predictor = Predictor.load(folder, chosen.trust_model, chosen.engine)
            predictor.warm_up()
        _log_ready(predictor, engines.choose(folder, predictor.info, chosen.engine), chosen.port, started)
        # Before /ping reports it: from now on workers that are not ready leave connections to this one.
        worker_state.announce_ready()
        return predictor

    loader = ModelLoader(load, _exit)
    try:
        loader.start()
    except PlatformError as error:
        _exit(f"PlatformError: {error}", CRASH)
    from image_classifier.serving.app import create_app

    return create_app(loader, chosen)


def _log_ready(predictor: "Predictor", selection: EngineSelection, port: int, started: float) -> None:
    if predictor.warning:
        log.warning(predictor.warning)
    if selection.note:
        log.warning(selection.note)
    height, width = predictor.info.image_size
    reason = selection.precision.reason if selection.precision else ""
    log.info(
        "Ready on port %d after %.1f s: %s, %d classes, images of %dx%d pixels, precision %s%s.",
        port,
        time.monotonic() - started,
        predictor.engine.name,
        len(predictor.labels),
        height,
        width,
        predictor.engine.precision,
        f" ({reason})" if reason else "",
    )


def _exit(reason: str, code: int = BOOT_FAILURE) -> None:
    try:
        print(reason, file=sys.stderr, flush=True)
    finally:  # even if the log cannot be written, a server without a model must exit
        os._exit(code)

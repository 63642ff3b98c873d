"""What happens in a serving process after the fork: load the model, answer meanwhile, end when it cannot be loaded."""

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
from image_classifier.resources import garbage_collection
from image_classifier.serving import settings, worker_state
from image_classifier.serving.monitoring import log_stream
from image_classifier.serving.processes.model_loader import ModelLoader

if TYPE_CHECKING:
    from flask import Flask

    from image_classifier.inference.predictor import Predictor

log = logging.getLogger("image_classifier.serving")

CRASH = 1
"""The exit code of a process that may do better when it is started again."""
BOOT_FAILURE = 3
"""The exit code by which gunicorn knows that starting the process again would not help, and ends with it itself."""


def application() -> "Flask":
    """Start to load the model and return the application; called by gunicorn in each of its processes.

    What the model needs is imported by the thread that loads it, and what the application needs meanwhile.
    """
    chosen = settings.read(os.environ)
    # Our own lines at the level that was asked for; TensorFlow's Python log has nothing to say below a warning.
    lines = log_stream.to_standard_error()
    logging.basicConfig(handlers=[lines], level=max(chosen.log_level, logging.WARNING), format="%(message)s")
    log.setLevel(chosen.log_level)
    # Pillow warns of odd images in words of their own; "default" would remember each of them for ever.
    logging.captureWarnings(True)
    warnings.filterwarnings("always", module=r"PIL\.")
    if chosen.multi_model:
        with garbage_collection.gc_frozen():
            from image_classifier.serving.multi_model import app as many_models

            return many_models.application(chosen)
    if not worker_state.take_part():
        log.warning(
            "There is no space for the numbers that the processes share, in /dev/shm or in the temporary folder: when "
            "process %d answers GET /metrics, it shows its own requests alone.",
            os.getpid(),
        )
    folder, started = model_layout.root(OptMl.from_environment().model_dir), time.monotonic()

    def load() -> "Predictor":
        # The application, which is imported meanwhile, included: to look through both took 30 ms of everybody's time.
        with garbage_collection.gc_frozen():
            from image_classifier.inference.predictor import Predictor

            predictor = Predictor.load(folder, chosen.trust_model, chosen.engine)
            predictor.warm_up()
        if predictor.warning:
            log.warning(predictor.warning)
        if note := engines.choose(folder, predictor.info, chosen.engine).note:
            log.warning(note)
        height, width = predictor.info.image_size
        log.info(
            "Ready on port %d after %.1f s: %s, %d classes, images of %dx%d pixels.",
            chosen.port,
            time.monotonic() - started,
            predictor.engine.name,
            len(predictor.labels),
            height,
            width,
        )
        # Before anybody is told so: from now on those that have none leave connections to this one.
        worker_state.tell_ready()
        return predictor

    loading = ModelLoader(load, _end)
    try:
        loading.start()
    except PlatformError as error:
        _end(f"PlatformError: {error}", CRASH)
    from image_classifier.serving.app import create_app

    return create_app(loading, chosen)


def _end(reason: str, code: int = BOOT_FAILURE) -> None:
    try:
        print(reason, file=sys.stderr, flush=True)
    finally:  # whether or not the log takes it, a server without a model must not stay
        os._exit(code)

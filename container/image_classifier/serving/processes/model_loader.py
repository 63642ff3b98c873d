"""Load the model in a background thread so that /ping can report "not ready"."""

import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from image_classifier.contract.errors import ExplainedError, PlatformError, first_line

if TYPE_CHECKING:
    from image_classifier.inference.predictor import Predictor


class ModelLoader:
    """Loads a predictor in a thread of its own.

    `load` returns it warmed up; if it fails, `on_failure` is called with the reason, one line.
    """

    def __init__(self, load: Callable[[], "Predictor"], on_failure: Callable[[str], None]):
        self._load, self._on_failure = load, on_failure
        self._predictor: Predictor | None = None
        self._ready_at: float | None = None
        # A daemon thread, so that a server stopped while loading does not wait for it.
        self._thread = threading.Thread(target=self._run, name="loading", daemon=True)

    @property
    def predictor(self) -> "Predictor | None":
        """The predictor once it is loaded and warm, None before."""
        return self._predictor

    @property
    def ready_at(self) -> float | None:
        """Unix time at which it was loaded and warm, None before."""
        return self._ready_at

    def start(self) -> None:
        """Start loading.

        Raises:
            PlatformError: The system cannot start a thread.
        """
        try:
            self._thread.start()
        except RuntimeError as error:
            raise PlatformError(
                f"The model cannot be loaded, since no thread can be started: {error}. Raise the container's limit of "
                "processes (pids)."
            ) from error

    def wait(self, seconds: float) -> bool:
        """Wait for loading to finish; return whether the predictor is available."""
        self._thread.join(seconds)
        return self._predictor is not None

    def _run(self) -> None:
        try:
            predictor = self._load()
        except ExplainedError as error:
            self._on_failure(f"{type(error).__name__}: {error}")
        except Exception as error:  # whatever it is, a server without a model must exit and say why
            reason = f"{type(error).__name__}: {first_line(error)}"
            self._on_failure(f"AlgorithmError: The model could not be loaded: {reason}")
        else:
            self._ready_at, self._predictor = time.time(), predictor

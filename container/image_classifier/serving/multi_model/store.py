"""The models of a process: load, use and unload them, thread-safe. No HTTP."""

import threading
import time
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from image_classifier.inference.predictor import Predictor
from image_classifier.resources import memory

_RELEASE_WAITS = (0, 0.01, 0.05, 0.2, 1)
"""Seconds to wait for the stack frames of finished requests and of errors to release a model."""

UNLOAD_SECONDS = 60.0
"""How long an unload waits for in-flight requests, or for a load, before it fails."""

_T = TypeVar("_T")


class NotLoadedError(Exception):
    """No model of this name is loaded, or it is being unloaded."""


class AlreadyLoadedError(Exception):
    """A model of this name is already loaded."""


class InUseError(Exception):
    """A model cannot be unloaded yet and stays loaded; the message says why."""


@dataclass(frozen=True)
class ModelEntry:
    """Name and folder of a model."""

    name: str
    folder: Path


@dataclass(frozen=True)
class Page:
    """One page of the models, sorted by name."""

    models: tuple[ModelEntry, ...]
    more_after: str | None
    """Last name of this page; None on the last page."""


class _Model:
    """A model in one of three states: loading (no predictor), usable, unloading."""

    def __init__(self, entry: ModelEntry):
        self.entry = entry
        self.predictor: Predictor | None = None
        self.users = 0
        self.unloading = False

    @property
    def is_usable(self) -> bool:
        return self.predictor is not None and not self.unloading


class ModelStore:
    """Models by name; `load` returns the warm predictor of a model folder, and is called for one at a time.

    Calls for a model that is being loaded or unloaded wait for the outcome, except `use`.
    """

    def __init__(self, load: Callable[[Path], Predictor], unload_seconds: float = UNLOAD_SECONDS):
        self._load, self._unload_seconds = load, unload_seconds
        self._models: dict[str, _Model] = {}
        self._changed = threading.Condition()
        # The memory check is only valid while no other model is being loaded.
        self._loading = threading.Lock()

    def load(self, name: str, folder: Path) -> ModelEntry:
        """Load a model folder under a name; exceptions of `load` propagate, and the name stays free.

        Raises:
            AlreadyLoadedError: The name is taken.
        """
        model = self._reserve(ModelEntry(name, folder))
        try:
            with self._loading:
                predictor = self._load(folder)
        except BaseException:
            self._forget(model)
            raise
        with self._changed:
            model.predictor = predictor
            self._changed.notify_all()
        return model.entry

    def use(self, name: str, work: Callable[[Predictor], _T]) -> _T:
        """Call `work` with a model, which is not unloaded meanwhile, and return its result.

        Raises:
            NotLoadedError: No usable model has this name.
        """
        with self._changed:
            model = self._usable(name)
            model.users += 1
        try:
            # No local variable refers to the predictor, so that it is freed as soon as its last user is done.
            return work(model.predictor)  # type: ignore[arg-type]
        finally:
            with self._changed:
                model.users -= 1
                if model.unloading:
                    self._changed.notify_all()

    def unload(self, name: str) -> ModelEntry:
        """Reject further use of a model, wait for its requests, and return when its memory is back with the system.

        Raises:
            NotLoadedError: No model has this name, or it is already being unloaded.
            InUseError: Its requests or its load took longer than an unload waits; it stays usable.
        """
        deadline = time.monotonic() + self._unload_seconds
        with self._changed:
            if not self._changed.wait_for(lambda: not self._is_loading(name), self._unload_seconds):
                raise InUseError(f"{name} is still being loaded after {self._unload_seconds:g} s. Unload it later.")
            model = self._usable(name)
            model.unloading = True
            if not self._changed.wait_for(lambda: not model.users, max(0.0, deadline - time.monotonic())):
                model.unloading = False
                self._changed.notify_all()
                raise InUseError(
                    f"{name} is in use (requests in flight: {model.users}) after {self._unload_seconds:g} s, and stays "
                    "loaded. Unload it later."
                )
        _free(model)
        self._forget(model)
        return model.entry

    def describe(self, name: str) -> ModelEntry:
        """Return the entry of a model.

        Raises:
            NotLoadedError: No usable model has this name.
        """
        with self._changed:
            return self._usable(name).entry

    def predictors(self) -> dict[str, Predictor]:
        """Return the usable models by name; do not keep references to them."""
        with self._changed:
            return {name: model.predictor for name, model in self._models.items() if model.predictor}

    def folders(self) -> list[Path]:
        """Return the folders of the loaded models."""
        with self._changed:
            return [model.entry.folder for model in self._models.values() if model.predictor]

    def page(self, after: str, size: int) -> Page:
        """Return up to `size` usable models whose names sort after `after`."""
        with self._changed:
            names = sorted(name for name, model in self._models.items() if model.is_usable and name > after)
            chosen = names[:size]
            models = tuple(self._models[name].entry for name in chosen)
        return Page(models, chosen[-1] if len(names) > len(chosen) else None)

    def _reserve(self, entry: ModelEntry) -> _Model:
        with self._changed:
            self._changed.wait_for(lambda: entry.name not in self._models or self._models[entry.name].is_usable)
            if entry.name in self._models:
                raise AlreadyLoadedError(entry.name)
            model = self._models[entry.name] = _Model(entry)
            return model

    def _forget(self, model: _Model) -> None:
        with self._changed:
            del self._models[model.entry.name]
            self._changed.notify_all()

    def _is_loading(self, name: str) -> bool:
        return name in self._models and self._models[name].predictor is None and not self._models[name].unloading

    def _usable(self, name: str) -> _Model:
        model = self._models.get(name)
        if model is None or not model.is_usable:
            raise NotLoadedError(name)
        return model


def _free(model: _Model) -> None:
    alive = weakref.ref(model.predictor)
    model.predictor = None
    for seconds in _RELEASE_WAITS:
        time.sleep(seconds)
        is_freed = alive() is None
        memory.trim_heap()
        if is_freed:
            return

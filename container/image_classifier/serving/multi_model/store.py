"""The models that a process holds: load, use, unload, from many threads at once. No HTTP."""

import threading
import time
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from image_classifier.inference.predictor import Predictor
from image_classifier.resources import memory

_LAST_LOOKS = (0, 0.01, 0.05, 0.2, 1)
"""Seconds to wait for the frames of a request that is answered already, and for an error's, to let go of a model."""

UNLOAD_SECONDS = 60.0
"""For which an unload waits for requests that are under way, or for a load, before it says that they are."""

_T = TypeVar("_T")


class NotLoadedError(Exception):
    """There is no model of this name, or it is about to leave."""


class AlreadyLoadedError(Exception):
    """There is a model of this name."""


class InUseError(Exception):
    """A model cannot be unloaded yet; the text says why, and it is as it was."""


@dataclass(frozen=True)
class Listed:
    """What is told about a model."""

    name: str
    folder: Path


@dataclass(frozen=True)
class Page:
    """Some of the models, by name."""

    models: tuple[Listed, ...]
    more_after: str | None
    """The name after which the next page begins; None on the last."""


class _Held:
    """A model in one of three states: on its way in (no predictor), usable, on its way out."""

    def __init__(self, listed: Listed):
        self.listed = listed
        self.predictor: Predictor | None = None
        self.users = 0
        self.leaving = False

    @property
    def is_usable(self) -> bool:
        return self.predictor is not None and not self.leaving


class ModelStore:
    """Models by name; `load` makes the warm predictor of a model folder, one at a time.

    Whoever asks for a model that is on its way in or out waits for the outcome, except for using it.
    """

    def __init__(self, load: Callable[[Path], Predictor], unload_seconds: float = UNLOAD_SECONDS):
        self._load, self._unload_seconds = load, unload_seconds
        self._models: dict[str, _Held] = {}
        self._changed = threading.Condition()
        # What a model takes can be told only while no other is coming in.
        self._one_at_a_time = threading.Lock()

    def load(self, name: str, folder: Path) -> Listed:
        """Load a model folder under a name; whatever `load` raises passes through, and the name stays free.

        Raises:
            AlreadyLoadedError: The name is taken.
        """
        model = self._reserve(Listed(name, folder))
        try:
            with self._one_at_a_time:
                predictor = self._load(folder)
        except BaseException:
            self._forget(model)
            raise
        with self._changed:
            model.predictor = predictor
            self._changed.notify_all()
        return model.listed

    def use(self, name: str, work: Callable[[Predictor], _T]) -> _T:
        """Return what `work` makes of a model, which is not unloaded meanwhile.

        Raises:
            NotLoadedError: There is none that can be used.
        """
        with self._changed:
            model = self._usable(name)
            model.users += 1
        try:
            # No name here refers to the predictor, so that it is gone as soon as the last one is done with it.
            return work(model.predictor)  # type: ignore[arg-type]
        finally:
            with self._changed:
                model.users -= 1
                if model.leaving:
                    self._changed.notify_all()

    def unload(self, name: str) -> Listed:
        """Reject further use of a model, wait for its requests, and return when its memory is the system's again.

        Raises:
            NotLoadedError: There is none, or someone else unloads it already.
            InUseError: Its requests, or its load, took longer than an unload waits; it can be used as before.
        """
        deadline = time.monotonic() + self._unload_seconds
        with self._changed:
            if not self._changed.wait_for(lambda: not self._is_coming(name), self._unload_seconds):
                raise InUseError(f"{name} is still being loaded after {self._unload_seconds:g} s. Unload it later.")
            model = self._usable(name)
            model.leaving = True
            if not self._changed.wait_for(lambda: not model.users, max(0.0, deadline - time.monotonic())):
                model.leaving = False
                self._changed.notify_all()
                raise InUseError(
                    f"{name} is in use (requests in flight: {model.users}) after {self._unload_seconds:g} s, and stays "
                    "loaded. Unload it later."
                )
        _free(model)
        self._forget(model)
        return model.listed

    def describe(self, name: str) -> Listed:
        """Return what is told about a model.

        Raises:
            NotLoadedError: There is none that can be used.
        """
        with self._changed:
            return self._usable(name).listed

    def predictors(self) -> dict[str, Predictor]:
        """Return the usable models by name; to look at, and not to be kept."""
        with self._changed:
            return {name: model.predictor for name, model in self._models.items() if model.predictor}

    def folders(self) -> list[Path]:
        """Return the folders of the models that are loaded."""
        with self._changed:
            return [model.listed.folder for model in self._models.values() if model.predictor]

    def page(self, after: str, size: int) -> Page:
        """Return at most `size` usable models whose names come after one in the order of characters."""
        with self._changed:
            names = sorted(name for name, model in self._models.items() if model.is_usable and name > after)
            chosen = names[:size]
            models = tuple(self._models[name].listed for name in chosen)
        return Page(models, chosen[-1] if len(names) > len(chosen) else None)

    def _reserve(self, listed: Listed) -> _Held:
        with self._changed:
            self._changed.wait_for(lambda: listed.name not in self._models or self._models[listed.name].is_usable)
            if listed.name in self._models:
                raise AlreadyLoadedError(listed.name)
            model = self._models[listed.name] = _Held(listed)
            return model

    def _forget(self, model: _Held) -> None:
        with self._changed:
            del self._models[model.listed.name]
            self._changed.notify_all()

    def _is_coming(self, name: str) -> bool:
        return name in self._models and self._models[name].predictor is None and not self._models[name].leaving

    def _usable(self, name: str) -> _Held:
        model = self._models.get(name)
        if model is None or not model.is_usable:
            raise NotLoadedError(name)
        return model


def _free(model: _Held) -> None:
    alive = weakref.ref(model.predictor)
    model.predictor = None
    for pause in _LAST_LOOKS:
        time.sleep(pause)
        gone = alive() is None
        memory.trim_heap()
        if gone:
            return

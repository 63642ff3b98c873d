"""Loading the model in a background thread."""

import threading
from pathlib import Path

import pytest

from image_classifier.contract.errors import PlatformError
from image_classifier.inference.predictor import Predictor
from image_classifier.serving.processes.model_loader import ModelLoader


def test_predictor_is_available_once_loaded(model_folder: Path) -> None:
    """Given a slow load -> no predictor before, the predictor afterwards, no failure."""
    release, failures = threading.Event(), list[str]()

    def load() -> Predictor:
        release.wait(60)
        return Predictor.load(model_folder)

    loader = ModelLoader(load, failures.append)
    loader.start()
    assert loader.predictor is None
    release.set()
    assert loader.wait(60)
    assert loader.predictor is not None
    assert failures == []


def test_explained_failure_is_one_line(tmp_path: Path) -> None:
    """Given an empty model folder -> one line with the error's owner, and no predictor."""
    failures: list[str] = []
    loader = ModelLoader(lambda: Predictor.load(tmp_path), failures.append)
    loader.start()
    assert not loader.wait(60)
    assert len(failures) == 1
    assert failures[0].startswith(f"UserError: {tmp_path} contains no SavedModel")


def test_unforeseen_failure_is_one_line() -> None:
    """Given a load that raises an arbitrary exception -> one line with its type and its first line."""

    def load() -> Predictor:
        raise MemoryError("no room\nand a second line")

    failures: list[str] = []
    loader = ModelLoader(load, failures.append)
    loader.start()
    assert not loader.wait(60)
    assert failures == ["AlgorithmError: The model could not be loaded: MemoryError: no room"]


def test_lack_of_threads_is_a_platform_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a system that allows no thread -> a PlatformError that names the limit to raise."""

    def start(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", start)
    with pytest.raises(PlatformError, match="limit of processes"):
        ModelLoader(pytest.fail, pytest.fail).start()

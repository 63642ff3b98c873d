"""Loading the model behind the server's back."""

import threading
from pathlib import Path

import pytest

from image_classifier.contract.errors import PlatformError
from image_classifier.inference.predictor import Predictor
from image_classifier.serving.processes.model_loader import ModelLoader


def test_predictor_is_there_when_it_is_loaded(model_folder: Path) -> None:
    """A model that takes its time -> none before, the predictor after, no failure."""
    go, failures = threading.Event(), list[str]()

    def load() -> Predictor:
        go.wait(60)
        return Predictor.load(model_folder)

    loading = ModelLoader(load, failures.append)
    loading.start()
    assert loading.predictor is None
    go.set()
    assert loading.wait(60)
    assert loading.predictor is not None
    assert failures == []


def test_own_failure_is_one_line(tmp_path: Path) -> None:
    """A model folder that is empty -> the reason with its owner, and no predictor."""
    failures: list[str] = []
    loading = ModelLoader(lambda: Predictor.load(tmp_path), failures.append)
    loading.start()
    assert not loading.wait(60)
    assert len(failures) == 1
    assert failures[0].startswith(f"UserError: {tmp_path} holds no SavedModel")


def test_unforeseen_failure_is_one_line_too() -> None:
    """A loader that raises anything -> one line with the type and what it says first."""

    def load() -> Predictor:
        raise MemoryError("no room\nand a second line")

    failures: list[str] = []
    loading = ModelLoader(load, failures.append)
    loading.start()
    assert not loading.wait(60)
    assert failures == ["AlgorithmError: The model could not be loaded: MemoryError: no room"]


def test_no_thread_to_load_with(monkeypatch: pytest.MonkeyPatch) -> None:
    """A system that starts no thread -> an error of the platform that says what to raise."""

    def start(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", start)
    with pytest.raises(PlatformError, match="limit of processes"):
        ModelLoader(pytest.fail, pytest.fail).start()

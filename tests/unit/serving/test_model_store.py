"""Many models in one process: who waits for whom, what is told, and that memory comes back."""

import threading
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from image_classifier.contract.errors import UserError
from image_classifier.inference.predictor import Predictor
from image_classifier.resources import memory
from image_classifier.serving.multi_model import capacity
from image_classifier.serving.multi_model.store import AlreadyLoadedError, InUseError, ModelStore, NotLoadedError
from tests.support import tiny_models
from tests.support.tiny_models import TinyModel
from tests.support.waiting import wait_until

SECONDS = 20
RED = np.full((1, *tiny_models.SIZE, 3), (220, 20, 20), np.uint8)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> list[TinyModel]:
    """Three models that differ."""
    folder = tmp_path_factory.mktemp("models")
    return [tiny_models.write(folder / f"m{index}", f"m{index}", index) for index in range(3)]


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    """Threads for what waits."""
    with ThreadPoolExecutor(8) as found:
        yield found


def real(folder: Path) -> Predictor:
    """Load as a server does."""
    return capacity.load(folder, "f32")


def seen(predictor: Predictor) -> str:
    """Say what a model calls a red image."""
    return predictor.classify(RED)[0].predicted_label


class Gate:
    """Work that says when it has begun and ends when it is let."""

    def __init__(self) -> None:
        self.begun, self.open = threading.Event(), threading.Event()

    def wait(self) -> None:
        """Say that the work has begun, and wait."""
        self.begun.set()
        assert self.open.wait(SECONDS)


def loading_through(gate: Gate, outcome: Callable[[Path], Predictor] = real) -> Callable[[Path], Predictor]:
    """Return a way to load that waits at a gate."""

    def load(folder: Path) -> Predictor:
        gate.wait()
        return outcome(folder)

    return load


def test_each_name_answers_with_its_own_model(models: list[TinyModel]) -> None:
    """Given three models under names -> each gives its own label, and tells name and folder."""
    store = ModelStore(real)
    for model in models:
        store.load(model.name, model.folder)
    assert [store.use(model.name, seen) for model in models] == ["m0-red", "m1-red", "m2-red"]
    assert store.describe("m1").folder == models[1].folder


def test_two_loads_of_a_name_at_once_load_it_once(models: list[TinyModel], pool: ThreadPoolExecutor) -> None:
    """Given a second load while the first is under way -> it waits, is told that the name is taken, loads nothing."""
    gate = Gate()
    store = ModelStore(loading_through(gate))
    first = pool.submit(store.load, "a", models[0].folder)
    assert gate.begun.wait(SECONDS)
    second = pool.submit(store.load, "a", models[1].folder)
    with pytest.raises(NotLoadedError):
        store.use("a", seen)
    assert not second.done()
    gate.open.set()
    assert first.result(SECONDS).folder == models[0].folder
    with pytest.raises(AlreadyLoadedError):
        second.result(SECONDS)
    assert store.use("a", seen) == "m0-red"


def test_name_of_a_failed_load_is_free_for_who_waits(models: list[TinyModel], pool: ThreadPoolExecutor) -> None:
    """Given a load that fails while another of the same name waits -> the first has its reason, the second succeeds."""
    gate, folders = Gate(), iter([models[0].folder / "absent", models[1].folder])
    store = ModelStore(loading_through(gate, lambda folder: real(next(folders))))
    first = pool.submit(store.load, "a", models[0].folder)
    assert gate.begun.wait(SECONDS)
    second = pool.submit(store.load, "a", models[1].folder)
    gate.open.set()
    with pytest.raises(UserError, match="no model folder"):
        first.result(SECONDS)
    second.result(SECONDS)
    assert store.use("a", seen) == "m1-red"


def busy(store: ModelStore, pool: ThreadPoolExecutor, gate: Gate) -> "Future[str]":
    """Use the model a until the gate opens."""

    def work(predictor: Predictor) -> str:
        gate.wait()
        return seen(predictor)

    found = pool.submit(store.use, "a", work)
    assert gate.begun.wait(SECONDS)
    return found


def test_unload_waits_for_who_uses_it_and_rejects_others(
    models: list[TinyModel], pool: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given a model in use -> unload waits, further use and unload are rejected, the first gets its answer."""
    # Else it would wait a while for the model to be let go of, whether or not anybody uses it.
    monkeypatch.setattr("image_classifier.serving.multi_model.store._LAST_LOOKS", (0,))
    store, gate = ModelStore(real), Gate()
    store.load("a", models[0].folder)
    using = busy(store, pool, gate)
    unloading = pool.submit(store.unload, "a")
    wait_until(lambda: not store.page("", 9).models, SECONDS, "the model is no longer told")
    for rejected in (lambda: store.use("a", seen), lambda: store.describe("a"), lambda: store.unload("a")):
        with pytest.raises(NotLoadedError):
            rejected()
    with pytest.raises(TimeoutError):
        unloading.result(0.3)
    gate.open.set()
    assert using.result(SECONDS) == "m0-red"
    assert unloading.result(SECONDS).name == "a"


def test_load_of_a_name_that_is_leaving_waits_for_its_end(models: list[TinyModel], pool: ThreadPoolExecutor) -> None:
    """Given a load while the old model of the name is in use and leaving -> it waits, and then has the name."""
    store, gate = ModelStore(real), Gate()
    store.load("a", models[0].folder)
    busy(store, pool, gate)
    unloading = pool.submit(store.unload, "a")
    wait_until(lambda: not store.page("", 9).models, SECONDS, "the model is no longer told")
    loading = pool.submit(store.load, "a", models[2].folder)
    assert not loading.done()
    gate.open.set()
    unloading.result(SECONDS)
    loading.result(SECONDS)
    assert store.use("a", seen) == "m2-red"


def test_unload_of_a_model_on_its_way_in_waits_for_it(models: list[TinyModel], pool: ThreadPoolExecutor) -> None:
    """Given an unload while the model is loaded -> it waits, and afterwards the model is gone."""
    gate = Gate()
    store = ModelStore(loading_through(gate))
    loading = pool.submit(store.load, "a", models[0].folder)
    assert gate.begun.wait(SECONDS)
    unloading = pool.submit(store.unload, "a")
    gate.open.set()
    loading.result(SECONDS)
    unloading.result(SECONDS)
    with pytest.raises(NotLoadedError):
        store.describe("a")


def test_unload_lets_go_of_the_model_after_an_error(models: list[TinyModel]) -> None:
    """Given a request that failed -> the predictor lives until the unload, and is gone when that returns."""
    store = ModelStore(real)
    store.load("a", models[0].folder)
    known = store.use("a", weakref.ref)

    def fail(predictor: Predictor) -> None:
        raise ValueError(predictor.engine.name)

    with pytest.raises(ValueError, match="openvino"):
        store.use("a", fail)
    assert known() is not None
    store.unload("a")
    assert known() is None


def test_memory_is_the_systems_again_when_unload_returns(tmp_path: Path) -> None:
    """Given a model with 32 MB of weights, loaded and unloaded twice -> each time what it took comes back."""
    large = tiny_models.write(tmp_path / "large", "large", megabytes=32)
    memory.return_large_blocks()
    store = ModelStore(real)
    store.load("first", large.folder)
    store.unload("first")
    empty = memory.resident_bytes()
    for name in ("second", "third"):
        store.load(name, large.folder)
        assert store.use(name, seen) == "large-red"
        held = memory.resident_bytes()
        store.unload(name)
        assert held - empty > 30 * 2**20
        assert memory.resident_bytes() - empty < 10 * 2**20


def test_pages_hold_each_model_once_while_others_come_and_go(models: list[TinyModel]) -> None:
    """Given pages of two of five models, and one that leaves between them -> every model that stays, once, by name."""
    store = ModelStore(real)
    for name in ("e", "c", "a", "d", "b"):
        store.load(name, models[0].folder)
    first = store.page("", 2)
    store.unload("b")
    second = store.page(first.more_after or "", 2)
    assert ([model.name for model in first.models], first.more_after) == (["a", "b"], "b")
    assert ([model.name for model in second.models], second.more_after) == (["c", "d"], "d")
    assert store.page("d", 1).more_after is None


def test_unload_that_waits_too_long_is_told(models: list[TinyModel], pool: ThreadPoolExecutor) -> None:
    """Given a request that does not end -> unload says so after its time, the model serves on, and goes later."""
    store, gate = ModelStore(real, unload_seconds=0.2), Gate()
    store.load("a", models[0].folder)
    answer = busy(store, pool, gate)
    with pytest.raises(InUseError, match=r"a is in use \(requests in flight: 1\) after 0\.2 s"):
        store.unload("a")
    assert store.use("a", seen) == seen(real(models[0].folder))
    gate.open.set()
    answer.result(SECONDS)
    assert store.unload("a").name == "a"
    assert store.folders() == []


def test_unload_of_a_load_that_takes_too_long_is_told(models: list[TinyModel], pool: ThreadPoolExecutor) -> None:
    """Given a load that does not end -> unload says so after its time, and the load goes on."""
    gate = Gate()
    store = ModelStore(loading_through(gate, real), unload_seconds=0.2)
    loading = pool.submit(store.load, "a", models[0].folder)
    assert gate.begun.wait(SECONDS)
    with pytest.raises(InUseError, match=r"a is still being loaded after 0\.2 s"):
        store.unload("a")
    gate.open.set()
    assert loading.result(SECONDS).name == "a"
    assert store.folders() == [models[0].folder]

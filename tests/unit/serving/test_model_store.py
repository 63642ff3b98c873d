"""Several models in one process: waiting, descriptions, and memory that is returned."""

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
    """Three different models."""
    folder = tmp_path_factory.mktemp("models")
    return [tiny_models.write(folder / f"m{index}", f"m{index}", index) for index in range(3)]


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    """Threads for blocking calls."""
    with ThreadPoolExecutor(8) as found:
        yield found


def load_warm(folder: Path) -> Predictor:
    """Load as a server does."""
    return capacity.load(folder, "f32")


def label_of_red(predictor: Predictor) -> str:
    """Return a model's label for a red image."""
    return predictor.classify(RED)[0].predicted_label


class Gate:
    """Work that signals its start and blocks until the gate opens."""

    def __init__(self) -> None:
        self.started, self.open = threading.Event(), threading.Event()

    def wait(self) -> None:
        """Signal the start, and block."""
        self.started.set()
        assert self.open.wait(SECONDS)


def loading_through(gate: Gate, outcome: Callable[[Path], Predictor] = load_warm) -> Callable[[Path], Predictor]:
    """Return a load function that blocks at a gate."""

    def load(folder: Path) -> Predictor:
        gate.wait()
        return outcome(folder)

    return load


def test_each_name_uses_its_own_model(models: list[TinyModel]) -> None:
    """Given three models under names -> each returns its own label, and describes its name and folder."""
    store = ModelStore(load_warm)
    for model in models:
        store.load(model.name, model.folder)
    assert [store.use(model.name, label_of_red) for model in models] == ["m0-red", "m1-red", "m2-red"]
    assert store.describe("m1").folder == models[1].folder


def test_concurrent_loads_of_a_name_load_once(models: list[TinyModel], pool: ThreadPoolExecutor) -> None:
    """Given a second load while the first is running -> it waits, fails since the name is taken, and loads nothing."""
    gate = Gate()
    store = ModelStore(loading_through(gate))
    first = pool.submit(store.load, "a", models[0].folder)
    assert gate.started.wait(SECONDS)
    second = pool.submit(store.load, "a", models[1].folder)
    with pytest.raises(NotLoadedError):
        store.use("a", label_of_red)
    assert not second.done()
    gate.open.set()
    assert first.result(SECONDS).folder == models[0].folder
    with pytest.raises(AlreadyLoadedError):
        second.result(SECONDS)
    assert store.use("a", label_of_red) == "m0-red"


def test_name_of_a_failed_load_is_free_for_the_next(models: list[TinyModel], pool: ThreadPoolExecutor) -> None:
    """Given a failing load while another of the same name waits -> the first has its reason, the second succeeds."""
    gate, folders = Gate(), iter([models[0].folder / "absent", models[1].folder])
    store = ModelStore(loading_through(gate, lambda folder: load_warm(next(folders))))
    first = pool.submit(store.load, "a", models[0].folder)
    assert gate.started.wait(SECONDS)
    second = pool.submit(store.load, "a", models[1].folder)
    gate.open.set()
    with pytest.raises(UserError, match="absent does not exist"):
        first.result(SECONDS)
    second.result(SECONDS)
    assert store.use("a", label_of_red) == "m1-red"


def busy(store: ModelStore, pool: ThreadPoolExecutor, gate: Gate) -> "Future[str]":
    """Use the model a until the gate opens."""

    def work(predictor: Predictor) -> str:
        gate.wait()
        return label_of_red(predictor)

    found = pool.submit(store.use, "a", work)
    assert gate.started.wait(SECONDS)
    return found


def test_unload_waits_for_users_and_rejects_new_ones(
    models: list[TinyModel], pool: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given a model in use -> unload waits, further uses and unloads are rejected, the first use completes."""
    # Otherwise unload would wait for the model to be released, whether or not it is in use.
    monkeypatch.setattr("image_classifier.serving.multi_model.store._RELEASE_WAITS", (0,))
    store, gate = ModelStore(load_warm), Gate()
    store.load("a", models[0].folder)
    using = busy(store, pool, gate)
    unloading = pool.submit(store.unload, "a")
    wait_until(lambda: not store.page("", 9).models, SECONDS, "the model is no longer told")
    for rejected in (lambda: store.use("a", label_of_red), lambda: store.describe("a"), lambda: store.unload("a")):
        with pytest.raises(NotLoadedError):
            rejected()
    with pytest.raises(TimeoutError):
        unloading.result(0.3)
    gate.open.set()
    assert using.result(SECONDS) == "m0-red"
    assert unloading.result(SECONDS).name == "a"


def test_load_waits_for_an_unload_of_the_same_name(models: list[TinyModel], pool: ThreadPoolExecutor) -> None:
    """Given a load while the previous model of the name is being unloaded -> it waits, and then has the name."""
    store, gate = ModelStore(load_warm), Gate()
    store.load("a", models[0].folder)
    busy(store, pool, gate)
    unloading = pool.submit(store.unload, "a")
    wait_until(lambda: not store.page("", 9).models, SECONDS, "the model is no longer told")
    loading = pool.submit(store.load, "a", models[2].folder)
    assert not loading.done()
    gate.open.set()
    unloading.result(SECONDS)
    loading.result(SECONDS)
    assert store.use("a", label_of_red) == "m2-red"


def test_unload_waits_for_a_running_load(models: list[TinyModel], pool: ThreadPoolExecutor) -> None:
    """Given an unload while the model is being loaded -> it waits, and afterwards the model is gone."""
    gate = Gate()
    store = ModelStore(loading_through(gate))
    loading = pool.submit(store.load, "a", models[0].folder)
    assert gate.started.wait(SECONDS)
    unloading = pool.submit(store.unload, "a")
    gate.open.set()
    loading.result(SECONDS)
    unloading.result(SECONDS)
    with pytest.raises(NotLoadedError):
        store.describe("a")


def test_unload_frees_the_model_after_an_error(models: list[TinyModel]) -> None:
    """Given a request that failed -> the predictor is freed when the unload returns."""
    store = ModelStore(load_warm)
    store.load("a", models[0].folder)
    known = store.use("a", weakref.ref)

    def fail(predictor: Predictor) -> None:
        raise ValueError(predictor.engine.name)

    with pytest.raises(ValueError, match="openvino"):
        store.use("a", fail)
    assert known() is not None
    store.unload("a")
    assert known() is None


def test_unload_returns_memory_to_the_system(tmp_path: Path) -> None:
    """Given a model with 32 MB of weights, loaded and unloaded twice -> its memory is returned each time."""
    large = tiny_models.write(tmp_path / "large", "large", megabytes=32)
    memory.return_large_blocks()
    store = ModelStore(load_warm)
    store.load("first", large.folder)
    store.unload("first")
    empty = memory.resident_bytes()
    for name in ("second", "third"):
        store.load(name, large.folder)
        assert store.use(name, label_of_red) == "large-red"
        held = memory.resident_bytes()
        store.unload(name)
        assert held - empty > 30 * 2**20
        assert memory.resident_bytes() - empty < 10 * 2**20


def test_pages_are_stable_while_models_change(models: list[TinyModel]) -> None:
    """Given pages of two of five models, one unloaded in between -> every remaining model once, by name."""
    store = ModelStore(load_warm)
    for name in ("e", "c", "a", "d", "b"):
        store.load(name, models[0].folder)
    first = store.page("", 2)
    store.unload("b")
    second = store.page(first.more_after or "", 2)
    assert ([model.name for model in first.models], first.more_after) == (["a", "b"], "b")
    assert ([model.name for model in second.models], second.more_after) == (["c", "d"], "d")
    assert store.page("d", 1).more_after is None


def test_unload_times_out_on_a_long_request(models: list[TinyModel], pool: ThreadPoolExecutor) -> None:
    """Given a request that does not finish -> unload times out, the model stays usable and can be unloaded later."""
    store, gate = ModelStore(load_warm, unload_seconds=0.2), Gate()
    store.load("a", models[0].folder)
    answer = busy(store, pool, gate)
    with pytest.raises(InUseError, match=r"a is in use \(requests in flight: 1\) after 0\.2 s"):
        store.unload("a")
    assert store.use("a", label_of_red) == label_of_red(load_warm(models[0].folder))
    gate.open.set()
    answer.result(SECONDS)
    assert store.unload("a").name == "a"
    assert store.folders() == []


def test_unload_times_out_on_a_long_load(models: list[TinyModel], pool: ThreadPoolExecutor) -> None:
    """Given a load that does not finish -> unload times out, and the load continues."""
    gate = Gate()
    store = ModelStore(loading_through(gate, load_warm), unload_seconds=0.2)
    loading = pool.submit(store.load, "a", models[0].folder)
    assert gate.started.wait(SECONDS)
    with pytest.raises(InUseError, match=r"a is still being loaded after 0\.2 s"):
        store.unload("a")
    gate.open.set()
    assert loading.result(SECONDS).name == "a"
    assert store.folders() == [models[0].folder]

"""Accept parameter explain: off by default, bounded, cancelled with its client, and never in the way of others."""

import base64
import json
import threading
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import numpy as np
import pytest
from flask.testing import FlaskClient
from numpy.typing import NDArray
from PIL import Image

from image_classifier.evaluation import occlusion
from image_classifier.evaluation.occlusion import OcclusionMap
from image_classifier.inference.engines.engine import Outputs
from image_classifier.inference.engines.openvino import OpenVinoEngine
from image_classifier.inference.prediction import Prediction
from image_classifier.inference.predictor import Predictor
from image_classifier.resources.processors import available_processors
from image_classifier.serving.app import create_app
from image_classifier.serving.connections import request_work
from image_classifier.serving.connections.admission import Admission
from image_classifier.serving.connections.request_work import RequestWork, WorkBudgets
from image_classifier.serving.formats import codecs
from image_classifier.serving.formats.response_formats import ResponseFormat
from image_classifier.serving.processes.model_loader import ModelLoader
from image_classifier.serving.rejection import RejectedError
from image_classifier.serving.settings import ServingSettings
from tests.platform import sample_images
from tests.support import tiny_models
from tests.support.waiting import wait_until

JSON, LINES = "application/json", "application/jsonlines"
EXPLAIN = f"{JSON};explain"


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> ModelLoader:
    """A loaded model that tells colours apart."""
    folder = tiny_models.write(tmp_path_factory.mktemp("explained") / "model", "tiny", features=True).folder
    tiny_models.write_familiarity(folder)
    loader = ModelLoader(lambda: Predictor.load(folder), pytest.fail)
    loader.start()
    assert loader.wait(60)
    return loader


@pytest.fixture
def client_of(model: ModelLoader) -> Callable[..., FlaskClient]:
    """Return a function that creates a client of a server with some settings."""
    return lambda **changed: create_app(model, ServingSettings(**changed)).test_client()


@pytest.fixture
def client(client_of: Callable[..., FlaskClient]) -> FlaskClient:
    """A client of a server that explains."""
    return client_of(explain=True)


@pytest.fixture(scope="module")
def square() -> bytes:
    """A grey image with a red square in its left half."""
    image = Image.new("RGB", (64, 48), (90, 90, 90))
    image.paste((255, 0, 0), (8, 20, 24, 36))
    return sample_images.encode(image, "PNG")


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The number of images of each run of a network."""
    run, found = OpenVinoEngine.run, []

    def counted(engine: OpenVinoEngine, pixels: NDArray[np.uint8]) -> Outputs:
        found.append(len(pixels))
        return run(engine, pixels)

    monkeypatch.setattr(OpenVinoEngine, "run", counted)
    return found


def ask(client: FlaskClient, data: bytes, accept: str = EXPLAIN, content_type: str = "image/png") -> Any:
    """Return the JSON of a successful response."""
    answer = client.post("/invocations", data=data, headers={"Content-Type": content_type, "Accept": accept})
    assert answer.status_code == 200, answer.data
    return answer.get_json()


def listed(*images: bytes) -> bytes:
    """Return images as a list of instances."""
    return json.dumps({"instances": [{"b64": base64.b64encode(one).decode()} for one in images]}).encode()


def test_explanations_are_off_by_default(client_of: Callable[..., FlaskClient], square: bytes, runs: list[int]) -> None:
    """Given the settings of an empty environment -> 406 with the variable, and the network does not run."""
    for accept in (EXPLAIN, f"{LINES};verbose;explain"):
        answer = client_of().post("/invocations", data=square, headers={"Accept": accept})
        assert (answer.status_code, answer.get_json()["error"]) == (406, "explain_is_off")
        assert "SERVE_EXPLAIN=true" in answer.get_json()["message"]
    assert runs == []
    assert list(ask(client_of(), square, f"{JSON};explain=false")) == ["probabilities"]


def test_map_marks_what_the_prediction_rests_on(client: FlaskClient, square: bytes) -> None:
    """Given an image with a red square on the left -> its half costs more, reliably; the prediction is unchanged."""
    plain, found = (
        ask(client, square, f"{JSON};verbose"),
        ask(client, square, f"{JSON};verbose;explain"),
    )
    explanation = found.pop("explanation")
    assert found == plain
    assert explanation["label"] == plain["predicted_label"] == "tiny-red"
    assert explanation["probability"] == pytest.approx(plain["probabilities"][0], abs=1e-4)
    assert explanation["reliable"]
    drops = np.array(explanation["drops"])
    assert drops.shape == (28, 28)
    assert drops[:, :14].sum() > 10 * drops[:, 14:].sum()


def test_image_without_any_evidence_is_not_reliable(client: FlaskClient) -> None:
    """Given an image of one colour, which looks alike however it is covered -> no drop, not reliable."""
    found = ask(client, sample_images.encode(Image.new("RGB", (64, 48), (90, 90, 90)), "PNG"))["explanation"]
    assert (found["reliable"], found["drop_top"], np.max(found["drops"])) == (False, 0, 0)


def test_explanation_combines_with_other_parameters(client: FlaskClient, square: bytes) -> None:
    """Given all parameters, a list of one and a line as the response -> the explanation behind the other fields."""
    every = f"{JSON};verbose;n_predictions=1;embedding;ood;explain"
    keys = ["probabilities", "labels", "predicted_label", "embedding", "familiarity", "explanation"]
    assert list(ask(client, square, every)) == keys
    entries = ask(client, listed(square), every, JSON)["predictions"]
    assert [list(entry) for entry in entries] == [keys]
    answer = client.post("/invocations", data=square, headers={"Accept": f"{LINES};explain"})
    assert [list(json.loads(line)) for line in answer.data.splitlines()] == [["probabilities", "explanation"]]


def test_explanation_is_encoded_with_few_decimals() -> None:
    """Given a prediction with a map -> label, probability and drops of four decimals behind the other fields."""
    drops = np.full((28, 28), 1 / 3, np.float32)
    found = OcclusionMap(class_index=1, probability=0.5, drops=drops, drop_top=2 / 3, drop_random=0.125)
    prediction = Prediction(("a", "b"), np.array([0.5, 0.5], np.float32), explanation=found)
    encoded = codecs.encode([prediction], is_list=False, response_format=ResponseFormat(explanation=True))
    answer = json.loads(encoded)
    assert list(answer) == ["probabilities", "explanation"]
    assert answer["explanation"].pop("drops") == [[0.3333] * 28] * 28
    assert answer["explanation"] == {
        "label": "b",
        "probability": 0.5,
        "reliable": True,
        "drop_top": 0.6667,
        "drop_random": 0.125,
    }
    assert len(encoded) < 8_000


def test_only_one_image_is_explained(client: FlaskClient, square: bytes, runs: list[int]) -> None:
    """Given a list of two and a body of lines -> 400 with what the body holds, and the network does not run."""
    line = json.dumps({"b64": base64.b64encode(square).decode()}).encode()
    for body, content_type, held in (
        (listed(square, square), JSON, "2 images"),
        (line, LINES, "lines"),
    ):
        answer = client.post("/invocations", data=body, headers={"Accept": EXPLAIN, "Content-Type": content_type})
        assert (answer.status_code, answer.get_json()["error"]) == (400, "explains_one_image")
        assert held in answer.get_json()["message"]
    assert runs == []


def test_invalid_image_is_rejected_like_any_other(client: FlaskClient, square: bytes) -> None:
    """Given half of an image -> 400 as without the parameter, and the next explanation succeeds."""
    for accept in (EXPLAIN, JSON):
        answer = client.post("/invocations", data=square[: len(square) // 2], headers={"Accept": accept})
        assert (answer.status_code, answer.get_json()["error"]) == (400, "corrupt")
    assert "explanation" in ask(client, square)


def test_work_is_bounded_and_comes_in_small_steps(client: FlaskClient, square: bytes, runs: list[int]) -> None:
    """Given a request -> the documented number of images and the prediction itself, at most one per CPU at a time."""
    ask(client, square)
    assert sum(runs) <= occlusion.PASSES + 1
    assert max(runs) <= available_processors()


def test_deadline_ends_an_explanation(client_of: Callable[..., FlaskClient], square: bytes) -> None:
    """Given a deadline of 0 s -> 503 with its code."""
    answer = client_of(explain=True, work_seconds=0.0).post("/invocations", data=square, headers={"Accept": EXPLAIN})
    assert (answer.status_code, answer.get_json()["error"]) == (503, "deadline_exceeded")


def work_of(budgets: WorkBudgets, admission: Admission | None = None, gone: Callable[[], bool] = bool) -> RequestWork:
    """Return the work of a request; without an admission it never waits for a permit."""

    def permit() -> Any:
        if admission is None:
            return nullcontext()
        return _Permit(admission)

    return RequestWork(budgets, 1, permit, client_is_gone=gone)


class _Permit:
    """The only permit of a process."""

    def __init__(self, admission: Admission):
        self._admission = admission

    def __enter__(self) -> None:
        self._admission.acquire_permit(1)

    def __exit__(self, *_: object) -> None:
        self._admission.release_permit()


def test_explanation_ends_when_its_client_is_gone(model: ModelLoader, square: bytes, runs: list[int]) -> None:
    """Given a client that disconnects after ten steps -> 499, no further runs, and the lane is free again."""
    budgets = WorkBudgets(ServingSettings().work_limits)
    assert model.predictor is not None
    with pytest.raises(RejectedError) as found:
        model.predictor.explain(square, work=work_of(budgets, gone=lambda: len(runs) > 10))
    assert found.value.status == 499
    assert 10 < len(runs) <= 12
    assert budgets.explanation_lane.held == 0


def test_other_requests_run_between_the_steps(
    model: ModelLoader, square: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given one permit for all, and a request that arrives in an explanation's third step -> it runs next."""
    budgets, admission = WorkBudgets(ServingSettings().work_limits), Admission(10)
    predictor = model.predictor
    assert predictor is not None
    order: list[str] = []
    run = OpenVinoEngine.run

    def other() -> None:
        predictor.predict([square], work=work_of(budgets, admission))

    request = threading.Thread(target=other, name="other")

    def recorded(engine: OpenVinoEngine, pixels: NDArray[np.uint8]) -> Outputs:
        order.append(threading.current_thread().name)
        if len(order) == 3:
            request.start()
            wait_until(lambda: admission.waiting == 1, 10, "the request waits for the permit")
        return run(engine, pixels)

    monkeypatch.setattr(OpenVinoEngine, "run", recorded)
    predictor.explain(square, work=work_of(budgets, admission))
    request.join()
    assert order.index("other") == 3
    assert len(order) > 10


def test_explanations_are_computed_one_at_a_time_and_few_wait() -> None:
    """Given four explanations and one permit -> one has the lane, none a permit, and a fifth gets 503."""
    budgets, admission = WorkBudgets(ServingSettings().work_limits), Admission(10)
    inside: list[int] = []
    release = threading.Event()

    def explain(number: int) -> None:
        work = work_of(budgets, admission)
        work.acquire()
        with work.low_priority():
            inside.append(number)
            assert release.wait(30)
            assert len(inside) == 1
            inside.remove(number)

    threads = [
        threading.Thread(target=explain, args=(number,), daemon=True) for number in range(request_work.MAX_EXPLANATIONS)
    ]
    for thread in threads:
        thread.start()
    waiting = request_work.MAX_EXPLANATIONS - 1
    wait_until(lambda: len(budgets.explanation_lane._queue) == waiting, 10, "all but one wait for the lane")
    assert len(inside) == 1
    with work_of(budgets, admission).step(heavy=False):
        pass
    fifth = work_of(budgets, admission)
    with pytest.raises(RejectedError, match="limit of 4 in-flight explanations") as found, fifth.low_priority():
        pytest.fail("admitted")
    assert (found.value.status, found.value.headers["Retry-After"]) == (503, "5")
    release.set()
    for thread in threads:
        thread.join(30)
    assert inside == []
    with fifth.low_priority():
        assert budgets.explanation_lane.held == 1

"""The routes of a multi-model server, without a server."""

import json
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from image_classifier.inference.predictor import Predictor
from image_classifier.serving.multi_model import capacity
from image_classifier.serving.multi_model.app import PAGE, create_app
from image_classifier.serving.multi_model.capacity import NoRoomError
from image_classifier.serving.multi_model.store import InUseError, ModelEntry, ModelStore
from image_classifier.serving.settings import ServingSettings
from tests.support import tiny_models


def client_of(load: object) -> FlaskClient:
    """Return a client of an application whose store uses `load`."""
    return create_app(ModelStore(load), ServingSettings()).test_client()  # type: ignore[arg-type]


def test_long_list_is_paged(tmp_path: Path) -> None:
    """Given one model more than fits on a page -> a page with a token, then the last model without one."""
    predictor = capacity.load(tiny_models.write(tmp_path / "model", "a").folder, "f32")
    client = client_of(lambda folder: predictor)
    names = [f"n{index:03}" for index in range(PAGE + 1)]
    for name in names:
        assert client.post("/models", json={"model_name": name, "url": str(tmp_path)}).status_code == 200
    first = client.get("/models").get_json()
    second = client.get("/models", query_string={"next_page_token": first["nextPageToken"]}).get_json()
    assert [len(page["models"]) for page in (first, second)] == [PAGE, 1]
    assert [model["modelName"] for page in (first, second) for model in page["models"]] == names
    assert "nextPageToken" not in second


def test_unforeseen_load_failure_has_its_reason(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Given a load with an unforeseen exception -> 500 with the reason, traceback in the log, the name free."""
    failures = iter([RuntimeError("the network is odd\nat line 5")])

    def load(folder: Path) -> Predictor:
        raise next(failures)

    client = client_of(load)
    answer = client.post("/models", json={"model_name": "a", "url": str(tmp_path)})
    assert answer.status_code == 500
    assert answer.get_json()["message"] == (
        f"The model in {tmp_path} could not be loaded: RuntimeError: the network is odd."
    )
    assert "Traceback" in caplog.text
    assert client.get("/models").get_json() == {"models": []}


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code"),
    [
        ("POST", "/models", b"no JSON", 400, "invalid_json"),
        ("POST", "/models", bytes(2 << 20), 413, "body_too_large"),
        ("PUT", "/models", b"", 405, "method_not_allowed"),
        ("GET", "/models/absent", b"", 404, "unknown_model"),
        ("DELETE", "/models/absent", b"", 404, "unknown_model"),
        ("POST", "/models/absent/invoke", b"x", 404, "unknown_model"),
        ("GET", "/models/absent/invoke", b"", 405, "method_not_allowed"),
        ("POST", "/invocations", b"x", 404, "not_found"),
        ("GET", "/models/a/b/c", b"", 404, "not_found"),
    ],
)
def test_errors_are_json_sentences(method: str, path: str, body: bytes, status: int, code: str) -> None:
    """Given each kind of rejection -> its status, and JSON with a code and a sentence."""
    answer = client_of(pytest.fail).open(path, method=method, data=body)
    assert (answer.status_code, answer.headers["Content-Type"]) == (status, "application/json")
    assert list(json.loads(answer.data)) == ["error", "message"]
    assert answer.get_json()["error"] == code
    assert answer.get_json()["message"].endswith(".")


def test_ping_needs_no_model() -> None:
    """Given no model -> /ping returns 200 and an empty body."""
    answer = client_of(pytest.fail).get("/ping")
    assert (answer.status_code, answer.data) == (200, b"")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/models//x"),
        ("POST", "/models//x/invoke"),
        ("POST", "/models/x//invoke"),
        ("POST", "/models/x/invoke/"),
        ("GET", "/models/"),
        ("DELETE", "/models/x/"),
        ("POST", "/models//"),
        ("GET", "/models/../x"),
        ("GET", "/models/%2e%2e/x"),
        ("GET", "/models/a%2Fb"),
        ("GET", "/ping/"),
        ("GET", "/ping//"),
        ("GET", "/metrics/"),
    ],
)
def test_odd_paths_are_not_found(method: str, path: str) -> None:
    """Given double slashes, a trailing slash, dots -> 404 in JSON, never a redirect to the client's Host."""
    answer = client_of(pytest.fail).open(path, method=method, headers={"Host": "evil.example"})
    assert (answer.status_code, answer.get_json()["error"]) == (404, "not_found")
    assert "Location" not in answer.headers


def test_model_without_room_is_507(tmp_path: Path) -> None:
    """Given a model that fits once others are unloaded -> 507, which makes the platform unload some."""

    def load(folder: Path) -> Predictor:
        raise NoRoomError("Unload another model first.")

    answer = client_of(load).post("/models", json={"model_name": "a", "url": str(tmp_path)})
    assert (answer.status_code, answer.get_json()["error"]) == (507, "no_room")


def test_unload_that_waits_too_long_is_503(tmp_path: Path) -> None:
    """Given a model whose request does not finish -> DELETE returns 503 with a code and Retry-After."""

    class Busy(ModelStore):
        def unload(self, name: str) -> ModelEntry:
            raise InUseError("a is in use. Unload it later.")

    client = create_app(Busy(lambda folder: pytest.fail("loaded")), ServingSettings()).test_client()
    answer = client.delete("/models/a")
    assert (answer.status_code, answer.get_json()["error"]) == (503, "model_in_use")
    assert answer.headers["Retry-After"] == "1"


def test_model_roots_of_the_settings_apply(tmp_path: Path) -> None:
    """Given SERVE_MODEL_ROOTS -> a model elsewhere gets 400."""
    client = create_app(
        ModelStore(lambda folder: pytest.fail("loaded")), ServingSettings(model_roots=(tmp_path / "models",))
    ).test_client()
    (tmp_path / "other").mkdir()
    answer = client.post("/models", json={"model_name": "a", "url": str(tmp_path / "other")})
    assert (answer.status_code, answer.get_json()["error"]) == (400, "invalid_url")

"""A multi-model server as used by the platform: SAGEMAKER_MULTI_MODEL=true, and /models over HTTP."""

import base64
import json
import os
import random
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from PIL import Image

from tests.platform import sample_images
from tests.platform.serving import Answer, Server, running, start_server
from tests.support import tiny_models
from tests.support.tiny_models import TinyModel
from tests.support.waiting import wait_until

COUNT = 20
STORM_SECONDS = 2
X_IMAGE = "application/x-image"
RED = sample_images.encode(Image.new("RGB", (48, 36), (230, 20, 10)), "PNG")


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> list[TinyModel]:
    """Twenty different models in the platform's layout: a folder named `model` in a folder of the name."""
    root = tmp_path_factory.mktemp("models")
    return [tiny_models.write(root / f"m{index:02}" / "model", f"m{index:02}", index % 3) for index in range(COUNT)]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for all tests of this file, on a platform tree without a model."""
    with running(start_server(tmp_path_factory.mktemp("opt-ml"), SAGEMAKER_MULTI_MODEL="true")) as found:
        yield found


@pytest.fixture(autouse=True)
def empty(server: Server) -> Iterator[None]:
    """Each test starts and ends without models."""
    yield
    for model in server.ask("/models").json["models"]:
        server.ask(f"/models/{model['modelName']}", method="DELETE")
    assert server.ask("/models").json == {"models": []}


def load(server: Server, name: object, folder: Path | str) -> Answer:
    """Load a model as the platform does."""
    body = json.dumps({"model_name": name, "url": str(folder)})
    return server.ask("/models", body, Content_Type="application/json")


def invoke(server: Server, name: str, image: bytes = RED) -> Answer:
    """Classify an image with a model."""
    headers = {
        "Content_Type": X_IMAGE,
        "Accept": "application/json;verbose",
        "X_Amzn_SageMaker_Custom_Attributes": "a=b",
    }
    return server.ask(f"/models/{name}/invoke", image, X_Amzn_SageMaker_Target_Model=f"{name}.tar.gz", **headers)


def unload(server: Server, name: str) -> Answer:
    """Unload a model."""
    return server.ask(f"/models/{name}", method="DELETE")


def seconds_of_work(server: Server) -> float:
    """Return the CPU time of the server's worker."""
    fields = Path(f"/proc/{server.workers()[0]}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) / os.sysconf("SC_CLK_TCK")


def rejection(answer: Answer) -> tuple[int, str]:
    """Return status and code of a rejection, which must be JSON with a sentence."""
    assert list(answer.json) == ["error", "message"]
    assert answer.json["message"].endswith(".")
    return answer.status, answer.json["error"]


def test_server_is_ready_without_models(server: Server) -> None:
    """Given no models -> /ping returns 200 and an empty body, the list is empty, /invocations does not exist."""
    found = server.ask("/ping")
    assert (found.status, found.body) == (200, b"")
    assert server.ask("/models").json == {"models": []}
    assert rejection(server.ask("/invocations", RED, Content_Type=X_IMAGE)) == (404, "not_found")


def test_models_are_loaded_used_listed_and_unloaded(server: Server, models: list[TinyModel]) -> None:
    """Given two models -> each uses its own labels, both are listed, and an unloaded one is unknown again."""
    one, two = models[:2]
    told = [{"modelName": model.name, "modelUrl": str(model.folder)} for model in (one, two)]
    assert [load(server, model.name, model.folder).status for model in (one, two)] == [200, 200]
    assert server.ask("/models").json == {"models": told}
    assert server.ask(f"/models/{two.name}").json == told[1]
    for model in (one, two):
        assert invoke(server, model.name).json["predicted_label"] == model.label("red")
    assert unload(server, one.name).status == 200
    for answer in (invoke(server, one.name), unload(server, one.name), server.ask(f"/models/{one.name}")):
        assert rejection(answer) == (404, "unknown_model")
    assert invoke(server, two.name).json["predicted_label"] == two.label("red")


def test_metrics_expose_the_loaded_models(server: Server, models: list[TinyModel]) -> None:
    """Given a model that is loaded, used and unloaded -> /metrics exposes it while loaded, and counts by route."""
    load(server, models[0].name, models[0].folder)
    answer = invoke(server, models[0].name)
    found = server.ask("/metrics").body.decode()
    assert 'image_classifier_model_info{backbone="test network",classes="3"' in found
    assert f'model="{models[0].name}"' in found
    assert 'route="/models/<name>/invoke",status="200"' in found
    assert answer.headers["X-Amzn-SageMaker-Custom-Attributes"] == "a=b"
    unload(server, models[0].name)
    assert f'model="{models[0].name}"' not in server.ask("/metrics").body.decode()


def test_names_are_url_decoded(server: Server, models: list[TinyModel]) -> None:
    """Given a name with characters that URLs encode -> loaded, used and unloaded under it."""
    assert load(server, "a?b#c%2F&+=", models[0].folder).json["modelName"] == "a?b#c%2F&+="
    encoded = "a%3Fb%23c%252F%26%2B%3D"
    assert invoke(server, encoded).status == 200
    assert unload(server, encoded).status == 200


@pytest.mark.parametrize(
    ("name", "folder", "expected"),
    [
        ("../m00", ".", (400, "invalid_model_name")),
        ("", ".", (400, "invalid_model_name")),
        ("x", "absent", (400, "invalid_url")),
        ("x", "empty", (400, "cannot_be_loaded")),
        ("x", "broken", (400, "cannot_be_loaded")),
        ("x", "tensorflow", (400, "cannot_be_loaded")),
    ],
)
def test_invalid_models_are_rejected_and_the_server_continues(
    server: Server, models: list[TinyModel], tmp_path: Path, name: str, folder: str, expected: tuple[int, str]
) -> None:
    """Given a bad name, no folder, an empty, a broken, a TensorFlow model -> a status each, others unaffected."""
    (tmp_path / "empty").mkdir()
    weights = tiny_models.write(tmp_path / "broken", "x").folder / "openvino" / "model.bin"
    weights.write_bytes(weights.read_bytes()[:-1])
    tiny_models.without_representation(tiny_models.write(tmp_path / "tensorflow", "x"))
    load(server, models[0].name, models[0].folder)
    answer = load(server, name, tmp_path / folder)
    assert rejection(answer) == expected
    if folder == "tensorflow":
        assert "scripts/convert-model" in answer.json["message"]
    assert invoke(server, models[0].name).status == 200
    assert [model["modelName"] for model in server.ask("/models").json["models"]] == [models[0].name]


def test_duplicate_name_is_rejected(server: Server, models: list[TinyModel]) -> None:
    """Given a loaded name, and eight concurrent loads of another -> 409 for the first; one 200 and seven 409."""
    load(server, "taken", models[0].folder)
    assert rejection(load(server, "taken", models[1].folder)) == (409, "already_loaded")
    with ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(lambda _: load(server, "other", models[1].folder).status, range(8)))
    assert Counter(statuses) == {200: 1, 409: 7}


@pytest.mark.every
def test_unload_waits_for_an_in_flight_request(server: Server, models: list[TinyModel]) -> None:
    """Given a request that takes seconds -> unload waits, new requests get 404, the first completes, then 200."""
    name = models[0].name
    load(server, name, models[0].folder)
    large = base64.b64encode(sample_images.encode(Image.new("RGB", (4000, 3000)), "PNG")).decode()
    # Longer than the store waits for stack frames that still refer to a model.
    rows = json.dumps({"instances": [{"b64": large}] * 24})
    before = seconds_of_work(server)
    with ThreadPoolExecutor(2) as pool:
        long = pool.submit(server.ask, f"/models/{name}/invoke", rows, Content_Type="application/json")
        wait_until(lambda: seconds_of_work(server) > before + 0.2, 10, "the request is in work")
        unloading = pool.submit(unload, server, name)
        wait_until(lambda: server.ask(f"/models/{name}").status == 404, 10, "the model is on its way out")
        assert (invoke(server, name).status, unloading.done(), long.done()) == (404, False, False)
        assert unloading.result(30).status == 200
        unloaded = time.monotonic()
        assert len(long.result(30).json["predictions"]) == 24
    # Both responses may be in flight at once.
    assert time.monotonic() - unloaded < 1


def test_unload_frees_the_memory_before_its_response(server: Server, tmp_path: Path) -> None:
    """Given a model with 32 MB of weights, loaded and unloaded twice -> its memory is returned each time."""
    large = tiny_models.write(tmp_path / "large", "large", megabytes=32)
    load(server, "large", large.folder)
    unload(server, "large")
    before = server.resident_megabytes()
    for _ in range(2):
        assert load(server, "large", large.folder).status == 200
        assert invoke(server, "large").json["predicted_label"] == large.label("red")
        held = server.resident_megabytes()
        assert unload(server, "large").status == 200
        assert held - before > 30
        assert server.resident_megabytes() - before < 12


def storm(server: Server, models: list[TinyModel], seed: int) -> Counter[tuple[str, int]]:
    """Load, use and unload models at random for a few seconds; every response must come from the requested model."""
    choice, seen = random.Random(seed), Counter[tuple[str, int]]()
    end = time.monotonic() + STORM_SECONDS
    while time.monotonic() < end:
        model = choice.choice(models)
        action = choice.choices(("load", "invoke", "unload"), (3, 6, 2))[0]
        if action == "load":
            answer = load(server, model.name, model.folder)
        elif action == "unload":
            answer = unload(server, model.name)
        else:
            answer = invoke(server, model.name)
            if answer.status == 200:
                assert answer.json["predicted_label"] == model.label("red")
        seen[action, answer.status] += 1
    return seen


@pytest.mark.every
def test_twenty_models_under_concurrent_load_use_and_unload(server: Server, models: list[TinyModel]) -> None:
    """Given six threads that do all three at random -> responses of the requested models, no 5xx, flat memory."""
    for model in models:
        load(server, model.name, model.folder)
    held = server.resident_megabytes()
    with ThreadPoolExecutor(6) as pool:
        seen = sum(pool.map(lambda seed: storm(server, models, seed), range(6)), Counter[tuple[str, int]]())
    allowed = {"load": {200, 409, 507}, "invoke": {200, 404}, "unload": {200, 404}}
    assert {key for key in seen if key[1] not in allowed[key[0]]} == set()
    assert min(seen["load", 200], seen["invoke", 200], seen["unload", 200]) > 5, seen
    for model in models:
        unload(server, model.name)
    assert server.resident_megabytes() < held + 20


def test_several_workers_are_rejected(tmp_path: Path) -> None:
    """Given SAGEMAKER_MODEL_SERVER_WORKERS=2 -> exit code 1 and one sentence with the reason."""
    found = start_server(tmp_path, SAGEMAKER_MULTI_MODEL="true", SAGEMAKER_MODEL_SERVER_WORKERS="2")
    assert found.end() == 1
    assert found.log().startswith("UserError: SAGEMAKER_MODEL_SERVER_WORKERS is 2, and SAGEMAKER_MULTI_MODEL is true")
    assert len(found.log().splitlines()) == 1

import io
import json
from pathlib import Path

import pytest
from PIL import Image

from tests.image.containers import ISOLATED, Answer, Container, Start, docker
from tests.support import tiny_models

MANY = ("--env", "SAGEMAKER_MULTI_MODEL=true")
COLOURS = {"red": (230, 20, 10), "blue": (10, 30, 220)}


def image(colour: str) -> bytes:
    """Write an image of one colour."""
    file = io.BytesIO()
    Image.new("RGB", (48, 36), COLOURS[colour]).save(file, "JPEG")
    return file.getvalue()


def load(container: Container, name: str) -> Answer:
    """Ask for a model as the platform does."""
    body = json.dumps({"model_name": name, "url": f"/opt/ml/models/{name}/model"}).encode()
    return container.ask("/models", body, "application/json")


def unload(container: Container, name: str) -> Answer:
    """Ask for a model's end."""
    return container.ask(f"/models/{name}", method="DELETE")


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the platform mounts at /opt/ml/models: two small models that differ, and three with 64 MB of weights."""
    root = tmp_path_factory.mktemp("models")
    for first, name in enumerate(("one", "two")):
        tiny_models.write(root / name / "model", name, first)
    for index in range(3):
        tiny_models.write(root / f"large{index}" / "model", f"large{index}", megabytes=64)
    return root


def serving(start: Start, image: str, models: Path, *options: str) -> Container:
    """Start a server of many models with no network, a root file system that cannot be written, models read-only."""
    mounted = ("--volume", f"{models}:/opt/ml/models:ro")
    container = start(image=image, options=(*ISOLATED, "--read-only", "--tmpfs", "/tmp", *MANY, *mounted, *options))
    container.wait_for_ping()
    return container


def test_image_says_that_it_serves_many_models(serve_image: str) -> None:
    """Given the serve image -> it has both labels without which the platform offers no multi-model endpoint."""
    labels = json.loads(docker("inspect", "--format", "{{json .Config.Labels}}", serve_image))
    found = [
        labels.get(f"com.amazonaws.sagemaker.capabilities.{name}") for name in ("multi-models", "accept-bind-to-port")
    ]
    assert found == ["true", "true"]


def test_two_models_are_loaded_used_and_unloaded(start: Start, serve_image: str, models: Path) -> None:
    """Given two models in one container -> each answers with its own labels; what is unloaded is unknown, SIGTERM 0."""
    container = serving(start, serve_image, models)
    assert [load(container, name).status for name in ("one", "two")] == [200, 200]
    assert load(container, "one").status == 409
    for name, colour in (("one", "red"), ("two", "blue")):
        answer = container.ask(f"/models/{name}/invoke", image(colour), accept="application/json;verbose")
        assert json.loads(answer.body)["predicted_label"] == f"{name}-{colour}"
    assert unload(container, "one").status == 200
    assert container.ask("/models/one/invoke", image("red")).status == 404
    assert container.ask("/models/two/invoke", image("red")).status == 200
    docker("stop", container.name)
    assert container.exit_code() == 0


def test_beyond_the_memory_of_the_container_is_rejected_before_it_is_taken(
    start: Start, serve_image: str, models: Path
) -> None:
    """Given 416 MB and models of 64 MB -> the third gets 507, none is killed, and after an unload it is loaded."""
    container = serving(start, serve_image, models, "--memory", "416m")
    assert [load(container, f"large{index}").status for index in range(3)] == [200, 200, 507]
    assert unload(container, "large0").status == 200
    assert load(container, "large2").status == 200
    assert container.ask("/models/large2/invoke", image("red")).status == 200
    assert container.ask("/models/large1/invoke", image("red")).status == 200

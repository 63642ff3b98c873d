"""Fixtures of the serving tests: a loaded predictor, and the application that serves it."""

import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from PIL import Image

from image_classifier.inference.predictor import Predictor
from image_classifier.serving.app import create_app
from image_classifier.serving.processes.model_loader import ModelLoader
from image_classifier.serving.settings import ServingSettings
from tests.unit.inference import colours


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small classifier of colours as a model folder."""
    return colours.saved_once(tmp_path_factory)


@pytest.fixture(scope="session")
def loading(model_folder: Path) -> ModelLoader:
    """The small classifier, loaded as by a server."""
    found = ModelLoader(lambda: Predictor.load(model_folder), pytest.fail)
    found.start()
    assert found.wait(60)
    return found


@pytest.fixture
def client_of(loading: ModelLoader) -> Callable[..., FlaskClient]:
    """Return a function that creates a client of an application with changed settings."""

    def make(**changed: object) -> FlaskClient:
        return create_app(loading, replace(ServingSettings(), **changed)).test_client()  # type: ignore[arg-type]

    return make


@pytest.fixture
def client(client_of: Callable[..., FlaskClient]) -> FlaskClient:
    """A client of the application with the settings of an empty environment."""
    return client_of()


@pytest.fixture(scope="session")
def green() -> bytes:
    """A green JPEG."""
    file = io.BytesIO()
    Image.new("RGB", (64, 48), (30, 200, 40)).save(file, "JPEG")
    return file.getvalue()

"""Accept parameter ood: the familiarity of images, from the same forward pass; other answers are unchanged."""

import base64
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from flask.testing import FlaskClient
from numpy.typing import NDArray
from PIL import Image

from image_classifier import artifacts
from image_classifier.inference.engines.engine import Outputs
from image_classifier.inference.engines.openvino import OpenVinoEngine
from image_classifier.inference.prediction import Prediction
from image_classifier.inference.predictor import Predictor
from image_classifier.serving.app import create_app
from image_classifier.serving.formats import codecs
from image_classifier.serving.formats.response_formats import ResponseFormat
from image_classifier.serving.processes.model_loader import ModelLoader
from image_classifier.serving.rejection import RejectedError
from image_classifier.serving.settings import ServingSettings
from tests.platform import sample_images
from tests.support import tiny_models

JSON, LINES = "application/json", "application/jsonlines"
PLAIN_FORMATS = (JSON, f"{JSON};verbose", f"{JSON};verbose;n_predictions=2", f"{JSON};embedding", LINES)


def client_for(folder: Path) -> FlaskClient:
    """Return a client of a server of a model folder."""
    loader = ModelLoader(lambda: Predictor.load(folder), pytest.fail)
    loader.start()
    assert loader.wait(60)
    return create_app(loader, ServingSettings()).test_client()


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The same model with and without the file of familiarity."""
    base = tmp_path_factory.mktemp("familiarity")
    model = tiny_models.write(base / "with", "tiny", features=True)
    shutil.copytree(model.folder, base / "without")
    tiny_models.write_familiarity(model.folder)
    return model.folder, base / "without"


@pytest.fixture(scope="module")
def client(folders: tuple[Path, Path]) -> FlaskClient:
    """A client of the model with familiarity."""
    return client_for(folders[0])


@pytest.fixture(scope="module")
def client_without(folders: tuple[Path, Path]) -> FlaskClient:
    """A client of the model without."""
    return client_for(folders[1])


def image(*colour: int) -> bytes:
    """Return a PNG of one colour."""
    return sample_images.encode(Image.new("RGB", (40, 30), colour), "PNG")


def text(*images: bytes) -> list[dict[str, str]]:
    """Return images as entries of a list or of lines."""
    return [{"b64": base64.b64encode(one).decode()} for one in images]


GREY, GREEN = image(128, 128, 128), image(0, 255, 0)


def ask(client: FlaskClient, data: bytes, accept: str, content_type: str = "image/png") -> bytes:
    """Return the body of a successful response."""
    answer = client.post("/invocations", data=data, headers={"Content-Type": content_type, "Accept": accept})
    assert answer.status_code == 200, answer.data
    return bytes(answer.data)


def test_familiar_images_are_told_from_others(client: FlaskClient) -> None:
    """Given a grey and a green image -> 1 and 0 beside the probabilities, which are those without the parameter."""
    for data, expected in ((GREY, 1.0), (GREEN, 0.0)):
        plain, found = (json.loads(ask(client, data, accept)) for accept in (JSON, f"{JSON};ood"))
        assert found == {**plain, "familiarity": expected}


def test_parameter_combines_with_all_others(client: FlaskClient) -> None:
    """Given verbose, n_predictions, embedding, lists and lines -> the familiarity at the end of each entry."""
    accept = f"{JSON};verbose;n_predictions=1;embedding;ood"
    found = json.loads(ask(client, GREY, accept))
    assert list(found) == ["probabilities", "labels", "predicted_label", "embedding", "familiarity"]
    rows = json.dumps({"instances": text(GREY, GREEN)}).encode()
    listed = json.loads(ask(client, rows, f"{JSON};ood", JSON))["predictions"]
    assert [(list(entry), entry["familiarity"]) for entry in listed] == [
        (["probabilities", "familiarity"], 1.0),
        (["probabilities", "familiarity"], 0.0),
    ]


def test_bad_line_has_an_error_and_others_their_familiarity(client: FlaskClient) -> None:
    """Given lines of a grey image, of text and of a green image -> familiarity, an error, familiarity."""
    body = b"".join(json.dumps(entry).encode() + b"\n" for entry in text(GREY, b"text", GREEN))
    found = [json.loads(line) for line in ask(client, body, f"{LINES};ood", LINES).splitlines()]
    assert [entry.get("familiarity", entry.get("error")) for entry in found] == [1.0, "unsupported_format", 0.0]


def test_answers_without_the_parameter_are_bit_identical(client: FlaskClient, client_without: FlaskClient) -> None:
    """Given the same model with and without the file -> the same bytes in every other format; with ;ood others."""
    noise = sample_images.encode(
        Image.fromarray(np.random.default_rng(0).integers(0, 256, (30, 40, 3), np.uint8)), "PNG"
    )
    for data in (GREY, GREEN, noise):
        for accept in PLAIN_FORMATS:
            assert ask(client, data, accept) == ask(client_without, data, accept)
        assert ask(client, data, f"{JSON};ood") != ask(client, data, JSON)


def test_model_without_the_file_is_rejected_with_the_remedy(client_without: FlaskClient) -> None:
    """Given an image and lines for a model without the file -> 406 for the request, in one sentence."""
    body = json.dumps(text(GREY)[0]).encode() + b"\n"
    for data, content_type, accept in ((GREY, "image/png", f"{JSON};ood"), (body, LINES, f"{LINES};ood")):
        answer = client_without.post(
            "/invocations", data=data, headers={"Content-Type": content_type, "Accept": accept}
        )
        assert (answer.status_code, answer.get_json()["error"]) == (406, "no_familiarity")
        assert "report=True" in answer.get_json()["message"]


def test_familiarity_that_was_not_computed_is_rejected() -> None:
    """Given a prediction of a model without the file -> 406 with the remedy, as an object and as a line."""
    prediction = Prediction(("a", "b"), np.array([0.5, 0.5], np.float32), np.ones(6, np.float32))
    response_format = ResponseFormat(familiarity=True)
    with pytest.raises(RejectedError, match=r"no familiarity\.npz.*report=True.*leave ;ood out") as found:
        codecs.encode([prediction], is_list=False, response_format=response_format)
    assert (found.value.status, found.value.code) == (406, "no_familiarity")
    with pytest.raises(RejectedError, match="leave ;ood out"):
        codecs.line(prediction, response_format)


def test_familiarity_takes_no_other_forward_pass(client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a request with and one without the parameter -> one run of the network each."""
    run, runs = OpenVinoEngine.run, []

    def counted(engine: OpenVinoEngine, pixels: NDArray[np.uint8]) -> Outputs:
        runs.append(len(pixels))
        return run(engine, pixels)

    monkeypatch.setattr(OpenVinoEngine, "run", counted)
    for accept in (JSON, f"{JSON};ood"):
        ask(client, GREY, accept)
    assert runs == [1, 1]


def test_familiarity_is_not_computed_unless_asked_for(
    client: FlaskClient, folders: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given a scorer that fails -> plain requests do not notice; those with ;ood do."""

    def fail(*_: object) -> None:
        raise AssertionError("computed")

    monkeypatch.setattr(Predictor, "with_familiarity", fail)
    for accept in PLAIN_FORMATS:
        ask(client, GREY, accept)
    assert client.post("/invocations", data=GREY, headers={"Accept": f"{JSON};ood"}).status_code == 500
    assert (folders[0] / artifacts.FAMILIARITY_FILE).is_file()


def test_default_format_can_have_it(folders: tuple[Path, Path]) -> None:
    """Given ood in the default format and a request without Accept -> the familiarity."""
    loader = ModelLoader(lambda: Predictor.load(folders[0]), pytest.fail)
    loader.start()
    assert loader.wait(60)
    make: Callable[[], FlaskClient] = create_app(
        loader, ServingSettings(default_format=ResponseFormat(familiarity=True))
    ).test_client
    assert make().post("/invocations", data=GREY).get_json()["familiarity"] == 1.0

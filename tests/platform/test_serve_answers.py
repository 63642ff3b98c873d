"""Responses with each engine: formats and odd images."""

import base64
import json
import math
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.platform import sample_images
from tests.platform.serving import Server, running, start_server


@pytest.fixture(scope="module")
def tree(colour_models: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A platform tree with the classifier of colours and its IR."""
    folder = tmp_path_factory.mktemp("opt-ml")
    shutil.copytree(colour_models / "both+openvino", folder / "model")
    return folder


@pytest.fixture(scope="module")
def with_openvino(tree: Path) -> Iterator[Server]:
    """A server with the engine selected for the model."""
    with running(start_server(tree)) as found:
        yield found


@pytest.fixture(scope="module")
def with_tensorflow(tree: Path) -> Iterator[Server]:
    """A server of the same model folder with TensorFlow."""
    with running(start_server(tree, SERVE_ENGINE="tensorflow")) as found:
        yield found


@pytest.fixture(scope="module", params=["openvino", "tensorflow"])
def either(request: pytest.FixtureRequest) -> Server:
    """A server with each engine."""
    found: Server = request.getfixturevalue(f"with_{request.param}")
    return found


@pytest.fixture(scope="module")
def plain(with_openvino: Server) -> list[float]:
    """The probabilities of the plain image."""
    found: list[float] = with_openvino.classify(sample_images.encode(sample_images.plain(), "PNG")).json[
        "probabilities"
    ]
    return found


def test_start_logs_only_the_ready_line(either: Server, request: pytest.FixtureRequest) -> None:
    """Given a healthy start -> the first line of the log is the ready line with the engine, and nothing else."""
    engine = request.node.callspec.params["either"]
    assert either.log().startswith(f"Ready on port {either.port} after ")
    assert f"{engine}, 3 classes, images of 24x32 pixels, precision f32." in either.log().splitlines()[0]


def test_engines_agree(with_openvino: Server, with_tensorflow: Server, plain: list[float]) -> None:
    """Given one image for both engines -> the same probabilities, up to float32 rounding."""
    image = sample_images.encode(sample_images.plain(), "PNG")
    assert with_tensorflow.classify(image).json["probabilities"] == pytest.approx(plain, abs=1e-5)


def test_tensorflow_is_loaded_only_by_its_engine(with_openvino: Server, with_tensorflow: Server) -> None:
    """Given the workers of both engines -> TensorFlow's library is mapped only by the one that uses it."""
    mapped = [Path(f"/proc/{found.workers()[0]}/maps").read_text() for found in (with_openvino, with_tensorflow)]
    assert ["libtensorflow" in text or "_pywrap_tensorflow" in text for text in mapped] == [False, True]
    assert "openvino" in mapped[0]


def test_three_response_formats(either: Server, plain: list[float]) -> None:
    """Given one image and three Accept headers -> probabilities; with labels; the best two, sorted."""
    image = sample_images.encode(sample_images.plain(), "PNG")
    assert sum(plain) == pytest.approx(1, abs=1e-5)
    verbose = either.classify(image, Accept="application/json;verbose").json
    assert list(verbose) == ["probabilities", "labels", "predicted_label"]
    assert verbose["probabilities"] == pytest.approx(plain, abs=1e-6)
    assert (verbose["labels"], verbose["predicted_label"]) == (["red", "green", "blue"], "green")
    best = either.classify(image, Accept="application/json;verbose;n_predictions=2").json
    assert best["labels"] == ["green", "blue"]
    assert best["probabilities"] == pytest.approx(sorted(plain, reverse=True)[:2], abs=1e-6)


def test_instances_and_images_agree(either: Server, plain: list[float]) -> None:
    """Given the image as two rows of JSON -> two entries with its probabilities."""
    row = {"b64": base64.b64encode(sample_images.encode(sample_images.plain(), "PNG")).decode()}
    answer = either.ask("/invocations", json.dumps({"instances": [row, row]}), Content_Type="application/json")
    assert answer.status == 200, answer.body
    for entry in answer.json["predictions"]:
        assert entry == pytest.approx(plain, abs=1e-6)


@pytest.mark.parametrize("name", sample_images.odd_forms())
def test_odd_image_gets_the_prediction_of_the_plain_one(either: Server, plain: list[float], name: str) -> None:
    """Given the plain image in each odd format -> its probabilities, within 0.01 if the format is lossy."""
    answer = either.classify(sample_images.odd_forms()[name])
    assert answer.status == 200, answer.body
    lossy = "JPEG" in name or "GIF" in name or "palette" in name
    assert answer.json["probabilities"] == pytest.approx(plain, abs=0.01 if lossy else 1e-4)


def test_grey_images_of_all_depths_agree(either: Server) -> None:
    """Given grey in 8 and 16 bits, with alpha, as RGB -> the same probabilities."""
    answers = [either.classify(data).json["probabilities"] for data in sample_images.grey_forms().values()]
    for answer in answers[1:]:
        assert answer == pytest.approx(answers[0], abs=1e-3)


def test_orientation_affects_the_prediction(either: Server, plain: list[float]) -> None:
    """Given the plain image rotated without an EXIF tag -> different probabilities, so the checks above can fail."""
    turned = either.classify(sample_images.encode(sample_images.plain().rotate(90, expand=True), "PNG")).json[
        "probabilities"
    ]
    assert max(abs(a - b) for a, b in zip(turned, plain, strict=True)) > 0.2


@pytest.mark.parametrize("size", [(1, 1), (1, 20_000), (20_000, 1)])
def test_extreme_shapes_are_classified(either: Server, size: tuple[int, int]) -> None:
    """Given an image of one pixel, one column, one row -> finite probabilities."""
    answer = either.classify(sample_images.encode(sample_images.plain().resize(size), "PNG"))
    assert answer.status == 200, answer.body
    assert all(math.isfinite(p) for p in answer.json["probabilities"])

"""The serve image on a classifier as it comes, with its ImageNet head."""

import json
import subprocess
from pathlib import Path

import pytest

from image_classifier import archives, artifacts
from image_classifier.model_hub import untuned
from tests import named_photographs
from tests.image.conftest import PROJECT
from tests.image.containers import ISOLATED, Container, Start


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory, start: Start, serve_image: str) -> Container:
    """EfficientNet-Lite0 behind the serve image, without a network, the model read-only."""
    scratch = tmp_path_factory.mktemp("untuned")
    archive = scratch / "model.tar.gz"
    stage = [str(PROJECT / "scripts" / "stage-backbone"), "lite0", "--with-head", "--output", str(archive)]
    subprocess.run(stage, check=True, capture_output=True)
    folder = archives.materialise(archive, scratch / "model")
    if not (folder / artifacts.OPENVINO_DIR).is_dir():
        assert untuned.add_ir(folder)
    container = start("serve", image=serve_image, options=(*ISOLATED, "--volume", f"{folder}:/opt/ml/model:ro"))
    container.wait_for_ping()
    return container


def test_photographs_get_their_names(endpoint: Container, tmp_path: Path) -> None:
    """Given a dozen photographs -> each has its subject among the best five names, and espresso comes first."""
    best = {}
    for name, picture in named_photographs.read(tmp_path).items():
        answer = endpoint.ask("/invocations", picture, accept="application/json;verbose;n_predictions=5")
        assert answer.status == 200, answer.body
        best[name] = [label.split(",")[0] for label in json.loads(answer.body)["labels"]]
    missed = {name: said for name, said in best.items() if not named_photographs.EXPECTED[name] & set(said)}
    assert not missed
    assert best["coffee.png"][0] == "espresso"

"""The serve image on a pre-trained classifier with its ImageNet head."""

import json
from pathlib import Path

import pytest

from image_classifier.photographs import sample_sets
from tests.image.containers import ISOLATED, Container, Start
from tests.image.shared_folders import SharedFolders
from tests.support import named_photographs


@pytest.fixture(scope="module")
def endpoint(pretrained_model: Path, start: Start, serve_image: str) -> Container:
    """EfficientNet-Lite0 behind the serve image, without a network, the model read-only."""
    options = (*ISOLATED, "--volume", f"{pretrained_model}:/opt/ml/model:ro")
    container = start("serve", image=serve_image, options=options)
    container.wait_for_ping()
    return container


def test_photographs_get_their_names(endpoint: Container, shared: SharedFolders) -> None:
    """Given a dozen photographs -> each has its subject among the best five names, and espresso comes first."""
    shared.filled("stamps", lambda folder: sample_sets.fetch("stamps", folder))
    images = named_photographs.read(shared.root)
    answers = endpoint.ask_each("/invocations", [*images.values()], accept="application/json;verbose;n_predictions=5")
    assert [answer.status for answer in answers] == [200] * len(images), answers[0].body
    labels = [json.loads(answer.body)["labels"] for answer in answers]
    best = {name: [label.split(",")[0] for label in found] for name, found in zip(images, labels, strict=True)}
    missed = {name: said for name, said in best.items() if not named_photographs.EXPECTED[name] & set(said)}
    assert not missed
    assert best["coffee.png"][0] == "espresso"

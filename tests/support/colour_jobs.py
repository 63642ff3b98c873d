"""Jobs on the SageMaker of this machine that leave a real model, which endpoints and batches serve."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from image_classifier import artifacts
from image_classifier.cli.launch import following
from image_classifier.cloud.sagemaker import waiting
from image_classifier.evaluation.drift import baseline
from image_classifier.inference.predictor import Predictor
from image_classifier.runners.sagemaker_job import process
from tests.support import monitored, registered, tiny_models
from tests.support.sagemaker_hosting import Hosting
from tests.support.sagemaker_results import LOG, put_model
from tests.support.sagemaker_service import SageMakerService, sagemaker_on_this_machine
from tests.support.tiny_models import COLOURS

PHOTOS = [f"photos/trained-{colour}/1.png" for colour in COLOURS]
"""One image of each class, below the working folder."""
Answers = Mapping[str, tuple[str, float]]
"""The predicted label of each image and its probability, to five digits."""


@contextmanager
def hosted_here(monkeypatch: pytest.MonkeyPatch, scratch: Path) -> Iterator[SageMakerService]:
    """Run SageMaker on this machine, where nothing waits, and endpoints and batches answer with the server."""
    for module in (waiting, process, following):
        monkeypatch.setattr(module, "PAUSE", 0.0)
    with sagemaker_on_this_machine(monkeypatch) as found:
        hosting = Hosting(found, scratch)
        found.hosting = hosting
        found.before["CreateTransformJob"] = hosting.transform
        yield found


def write_inputs(folder: Path) -> None:
    """Write the images and a backbone in name only."""
    for place, colour in zip(PHOTOS, COLOURS, strict=True):
        (folder / place).parent.mkdir(parents=True)
        Image.new("RGB", (32, 24), colour).save(folder / place)
    (folder / "backbone.tar.gz").write_bytes(b"backbone")


def write_model(folder: Path) -> Path:
    """Write the model folder that jobs leave, and return it."""
    tiny_models.write(folder, "trained")
    info = artifacts.read_model_info(folder)
    artifacts.write_model_info(folder, replace(info, hyperparameters={"epochs": 3}))
    baseline.write(folder, monitored.known(count=60))
    return folder


def local_answers(model: Path) -> Answers:
    """Return what a model folder on this machine answers to the images."""
    found = Predictor.load(model).predict([Path(place).read_bytes() for place in PHOTOS])
    return {
        place: (each.predicted_label, round(float(each.probabilities.max()), 5))
        for place, each in zip(PHOTOS, found, strict=True)
    }


def finish(job: str, service: SageMakerService, model: Path, answers: Answers) -> None:
    """Leave what a job leaves: its log, the model, and reports with the answers that the job had."""
    rows = [
        f"{place.removeprefix('photos/')},{label},{label},{probability}"
        for place, (label, probability) in answers.items()
    ]
    reports = {
        "metrics.json": json.dumps({"epochs": 3, "best_epoch": 2, "val_accuracy": 1.0, "verdict": "Good enough."}),
        "evaluation.json": json.dumps(registered.EVALUATION),
        "model_card.json": json.dumps(registered.CARD),
        "predictions.csv": "\n".join(["file,label,predicted,probability", *rows, ""]),
        "report.html": "<p>report</p>",
    }
    service.log(job, LOG, host="algo-1-1700000600")
    put_model(job, model, reports)

"""A finished job on SageMaker with a report and a drift baseline: what `scripts/launch register` takes."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from image_classifier.cli.launch import __main__ as launch
from image_classifier.evaluation.drift import baseline
from image_classifier.runners import experiment
from image_classifier.runners.experiment import Experiment
from image_classifier.runners.sagemaker_job import record
from image_classifier.runners.sagemaker_job.record import Platform, Record
from tests.support import monitored
from tests.support.sagemaker_service import BUCKET, IMAGE, REGION, ROLE

STORAGE = f"s3://{BUCKET}/image-classifier"
SERVE = IMAGE.replace("image-classifier@", "serve@")
TABLE: dict[str, Any] = {"image": IMAGE, "serve_image": SERVE, "role": ROLE, "location": STORAGE}
EVALUATION = {
    "multiclass_classification_metrics": {
        "confusion_matrix": {
            "red": {"red": 30, "green": 2, "blue": 0},
            "green": {"red": 1, "green": 36, "blue": 0},
            "blue": {"red": 0, "green": 1, "blue": 30},
        },
        "accuracy": {"value": 0.96, "standard_deviation": "NaN"},
        "accuracy_best_constant_classifier": {"value": 0.37, "standard_deviation": "NaN"},
    }
}
"""Of 100 images, 96 of which are right; the most frequent class has 37."""
CARD = {
    "model_overview": {"model_description": "Tells colours apart.", "problem_type": "Multiclass Classification"},
    "intended_uses": {"risk_rating": "Unknown"},
    "additional_information": {"custom_details": {"versions": "numpy 2.3.5"}},
}


def write_report(folder: Path) -> None:
    """Write a report's files for programs, and the metrics of a job."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "evaluation.json").write_text(json.dumps(EVALUATION))
    (folder / "model_card.json").write_text(json.dumps(CARD))
    (folder / "metrics.json").write_text(json.dumps({"verdict": "Good enough (96 %)."}))


def write_model(folder: Path, with_openvino: bool = True) -> None:
    """Write a model folder as far as registration reads it."""
    (folder / ("openvino" if with_openvino else "1")).mkdir(parents=True)
    (folder / "1").mkdir(exist_ok=True)
    (folder / "1" / "saved_model.pb").write_bytes(b"graph")
    baseline.write(folder, monitored.known(count=60))


def write_job(folder: Path, name: str = "flowers-1") -> Path:
    """Write the folder of a finished job on SageMaker and return it."""
    write_model(folder / "model")
    write_report(folder / "output" / "data")
    asked_for = Experiment("flowers", "s3://b/images", runner="sagemaker", options={"sagemaker": TABLE})
    experiment.write(folder / experiment.FILE, asked_for)
    done = Record(name, REGION, "", STORAGE, name, 0.0, platform=Platform("Completed"), downloaded=True)
    record.write(folder, done)
    return folder


def walk(flags: Sequence[str]) -> None:
    """Register, approve and deploy the job in run/mine; make, update and start a pipeline of photos."""
    write_report(Path("run/mine/output/data"))
    assert launch.main(["register", "run/mine", *flags]) == 0
    assert launch.main(["register", "run/mine", "--approve"]) == 0
    assert launch.main(["deploy", "flowers:1", "--name", "approved", *flags]) == 0
    words = ["pipeline", "--name", "flowers", "--training", "photos", "--model", "model.tar.gz", *flags]
    for more in ([], ["--start"]):
        assert launch.main([*words, *more]) == 0

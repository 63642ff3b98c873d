"""The result of a job that left a model, from its reports: accuracy, baseline, weakest class, what was left out."""

import csv
import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from image_classifier.contract import csv_cells
from image_classifier.contract.errors import AlgorithmError
from image_classifier.contract.opt_ml import OptMl

_LEFT_OUT = {"openvino": "the OpenVINO network", "verification": "the verification by a fresh process"}
"""By their keys in the model info."""
_STOPPED = "the job was stopped"
"""The reason in the model info begins so where a stopped job left something out."""


@dataclass(frozen=True)
class Recall:
    """How many images of a class were answered as that class."""

    label: str
    right: int
    images: int

    @property
    def share(self) -> float:
        """Between 0 and 1."""
        return self.right / self.images


@dataclass(frozen=True)
class JobResult:
    """A job's result in a few figures; shares are between 0 and 1."""

    epochs: int
    best_epoch: int
    planned_epochs: int
    accuracy: float
    """On the validation images, as `val_accuracy` of the log."""
    images: int
    majority: Recall
    """The baseline: always answering the largest class."""
    weakest: Recall
    test_accuracy: float | None
    left_out: tuple[str, ...]
    """Optional artefacts that the job did not write, mostly because it was stopped."""
    was_stopped: bool
    """Whether it was stopped before its last epoch, so that it can be resumed."""
    chosen: str | None = None
    """What a recipe chose: "head" or "network"; None without a recipe."""
    verdict: str | None = None
    """Of the report; None if the job wrote none."""


def read(tree: OptMl) -> JobResult:
    """Read the reports and the model info of a job that left a model.

    Raises:
        AlgorithmError: A report is missing or incomplete, although the job succeeded.
    """
    try:
        metrics = _json(tree.output_data_dir / "metrics.json")
        info = _json(tree.model_dir / "__model_info__.json")
        with (tree.output_data_dir / "predictions.csv").open(encoding="utf-8", newline="") as file:
            rows = csv.DictReader(file)
            answers = [(csv_cells.text_of(row["label"]), csv_cells.text_of(row["predicted"])) for row in rows]
        return _summary(metrics, info, answers)
    except (OSError, ValueError, KeyError) as error:
        raise AlgorithmError(f"The reports in {tree.output_data_dir} are incomplete: {error!r}.") from error


def _json(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def _summary(metrics: dict[str, Any], info: dict[str, Any], answers: list[tuple[str, str]]) -> JobResult:
    images = Counter(label for label, _ in answers)
    right = Counter(label for label, predicted in answers if label == predicted)
    recalls = [Recall(label, right[label], count) for label, count in images.items()]
    if not recalls:
        raise ValueError("no validation image")
    reasons = {key: str(info[key]["left_out"]) for key in _LEFT_OUT if "left_out" in info.get(key, {})}
    largest = max(recalls, key=lambda recall: recall.images)
    return JobResult(
        epochs=int(metrics["epochs"]),
        best_epoch=int(metrics["best_epoch"]),
        planned_epochs=int(info["hyperparameters"]["epochs"]),
        accuracy=float(metrics["val_accuracy"]),
        images=len(answers),
        majority=Recall(largest.label, largest.images, len(answers)),
        weakest=min(recalls, key=lambda recall: (recall.share, recall.label)),
        test_accuracy=metrics.get("test_accuracy"),
        left_out=tuple(words for key, words in _LEFT_OUT.items() if key in reasons),
        was_stopped=any(reason.startswith(_STOPPED) for reason in reasons.values()),
        chosen=metrics.get("recipe", {}).get("chosen"),
        verdict=metrics.get("verdict"),
    )

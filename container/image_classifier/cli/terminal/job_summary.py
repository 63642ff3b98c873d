"""The summary of a finished job: accuracy, baseline, weakest class, files, and the next commands."""

import csv
import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from image_classifier.cli.terminal import report_page
from image_classifier.contract import csv_cells
from image_classifier.contract.errors import AlgorithmError
from image_classifier.contract.opt_ml import OptMl
from image_classifier.runners.job_tree import LOG

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
class JobSummary:
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


def read(tree: OptMl) -> JobSummary:
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


def _summary(metrics: dict[str, Any], info: dict[str, Any], answers: list[tuple[str, str]]) -> JobSummary:
    images = Counter(label for label, _ in answers)
    right = Counter(label for label, predicted in answers if label == predicted)
    recalls = [Recall(label, right[label], count) for label, count in images.items()]
    if not recalls:
        raise ValueError("no validation image")
    reasons = {key: str(info[key]["left_out"]) for key in _LEFT_OUT if "left_out" in info.get(key, {})}
    largest = max(recalls, key=lambda recall: recall.images)
    return JobSummary(
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


def lines(summary: JobSummary, seconds: float, output: str) -> list[str]:
    """Return the closing lines of the command; `output` is the job's folder as the user typed it."""
    weakest, majority = summary.weakest, summary.majority
    found = [
        f"Validation accuracy {summary.accuracy:.4f} on {summary.images:,} images; always answering {majority.label}: "
        f"{majority.share:.4f}",
        f"Weakest class: {weakest.label}, {weakest.right:,} of {weakest.images:,} images right ({weakest.share:.4f})",
    ]
    if summary.test_accuracy is not None:
        found.insert(0, f"Test accuracy {summary.test_accuracy:.4f}")
    if summary.was_stopped:
        found.append(f"{_saved(summary)} The same command with --output {output} resumes the job.")
    if summary.left_out:
        left_out = f"{' and '.join(summary.left_out)} {'were' if len(summary.left_out) > 1 else 'was'} left out"
        found.append(f"{left_out[0].upper()}{left_out[1:]}; scripts/convert-model {output}/model adds the network.")
    if summary.verdict:
        found += report_page.lines(summary.verdict, f"{output}/output/data")
    return [
        *found,
        f"Took {seconds:.0f} s. Model: {output}/model   reports: {output}/output/data   log: {output}/{LOG}",
    ]


def _saved(summary: JobSummary) -> str:
    if summary.chosen:
        return f"Saved the best that the recipe had finished: the {summary.chosen}."
    return f"Saved epoch {summary.best_epoch}, the best of {summary.epochs}; {summary.planned_epochs} were planned."


def next_commands(output: str) -> list[str]:
    """Return the commands that serve and try the model, under a heading."""
    return ["Next:", f"  scripts/serve-locally {output}", "  scripts/predict IMAGE_OR_FOLDER"]

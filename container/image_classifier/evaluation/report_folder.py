"""The folder of a report: every file that an evaluation leaves."""

from collections.abc import Mapping
from pathlib import Path

from image_classifier import durable_files
from image_classifier.contract import report_files
from image_classifier.evaluation import archive, issues, model_card, model_quality
from image_classifier.evaluation.judgement import Evaluation
from image_classifier.evaluation.report import page


def write(evaluation: Evaluation, folder: Path, thumbnails: bool = True, drawn: Mapping[str, str] | None = None) -> str:
    """Write `report.html`, `evaluation.json`, `model_card.json`, `issues.csv` and `evidence.npz` durably.

    `drawn` are its charts, as `page.draw` returns them; by default they are drawn here. Those of an earlier evaluation
    are removed first; a link under one of these names is replaced, not followed. Returns why `evidence.npz` was left
    out, or the empty string.

    Raises:
        OSError: The disk is full or not writable.
    """
    drawn = page.draw(evaluation) if drawn is None else drawn
    html = page.build(evaluation, thumbnails, drawn)
    folder.mkdir(parents=True, exist_ok=True)
    for name in report_files.ALL:
        # One that cannot be replaced now would stand beside files of another evaluation.
        (folder / name).unlink(missing_ok=True)
    durable_files.write_json(folder / report_files.MODEL_QUALITY, model_quality.build(evaluation.evidence))
    durable_files.write_json(folder / report_files.MODEL_CARD, model_card.build(evaluation))
    issues.write(folder, issues.collect(evaluation))
    durable_files.write_bytes(folder / report_files.REPORT, html.encode())
    return archive.write(folder / report_files.EVIDENCE, evaluation, drawn)

"""The report of a job, the last thing that it writes: all else is worth more to a job that is short of time."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from image_classifier import artifacts
from image_classifier.contract.errors import ExplainedError, first_line
from image_classifier.inference import engines
from image_classifier.inference.engines import EngineOptions
from image_classifier.training import stopping
from image_classifier.training.progress import log
from image_classifier.training.stopping import StopSignal

if TYPE_CHECKING:
    from image_classifier.evaluation.judgement import Evaluation
    from image_classifier.evaluation.probes import Network
    from image_classifier.training.fine_tuning import Trained

FILES = ("report.html", "evaluation.json", "model_card.json", "issues.csv")
OCCLUSION_SHARE = 0.03
"""Part of the job's time so far that its occlusion maps may take."""


class _OutOfTime(Exception):  # noqa: N818 - not an error
    """The job has no time left for its report."""


@dataclass(frozen=True)
class JobReport:
    """What became of the report."""

    verdict: str = ""
    """Of the report that was written."""
    left_out: str = ""
    """Why a job that stopped wrote none, without a full stop."""


def write(
    folder: Path, model: Path, trained: "Trained", timings: Mapping[str, float], thumbnails: bool, stop: StopSignal
) -> JobReport:
    """Judge the model and write the report into `folder`, and what scores unfamiliar images and drift into `model`.

    A report that fails is left out with a warning, and so is one that the job has no time for: the model and the CSV
    files are complete without it.
    """
    started = time.monotonic()

    def check() -> None:
        if stop.out_of_time():
            raise _OutOfTime

    try:
        for name in FILES:
            # Of an earlier job in the same folders.
            (folder / name).unlink(missing_ok=True)
        check()
        verdict = _write(folder, model, trained, timings, thumbnails, check)
    except _OutOfTime:
        log(f"Report left out: {stop.reason}.")
        return JobReport(left_out=stop.reason)
    except Exception as error:  # whatever fails in it, the job has its model
        kind = "" if isinstance(error, ExplainedError) else f"{type(error).__name__}: "
        log(f"WARNING: No report: {kind}{first_line(error)}. The model and the CSV files are complete without it.")
        return JobReport()
    log(f"Report: {folder / FILES[0]}, written in {time.monotonic() - started:.1f} s")
    log(f"Verdict: {verdict}")
    return JobReport(verdict)


def _write(
    folder: Path,
    model: Path,
    trained: "Trained",
    timings: Mapping[str, float],
    thumbnails: bool,
    check: Callable[[], None],
) -> str:
    from image_classifier.evaluation import judgement, verdict
    from image_classifier.training.export import evidence

    info = artifacts.model_info_json(model)
    found = evidence.collect(trained, info, timings, check)
    check()
    seconds = OCCLUSION_SHARE * (time.monotonic() - stopping.process_start())
    evaluation = judgement.evaluate(found, _network(model), occlusion_seconds=seconds, check=check)
    _write_arrays(model, evaluation)
    judgement.write(evaluation, folder, thumbnails)
    return verdict.conclude(evaluation).text


def _write_arrays(model: Path, evaluation: "Evaluation") -> None:
    from image_classifier.evaluation import array_file
    from image_classifier.evaluation.drift import baseline

    if evaluation.familiarity_model is None:
        return
    array_file.write(model / artifacts.FAMILIARITY_FILE, evaluation.familiarity_model.arrays())
    baseline.write(model, baseline.build(evaluation.evidence, evaluation.traits))


def _network(model: Path) -> "Network | None":
    """Return the finished model in the engine that serves it; None without an OpenVINO IR, as loading takes long."""
    from image_classifier.inference import labelled_images

    info = artifacts.read_model_info(model)
    options = EngineOptions(engine="openvino", single_compilation=True)
    try:
        return labelled_images.network(engines.load(model, info, trust=False, options=options), info)
    except ExplainedError:
        return None

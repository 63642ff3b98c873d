"""The report of a job, the last thing that it writes: all else is worth more to a job that is short of time."""

import importlib
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import threadpoolctl

from image_classifier import artifacts
from image_classifier.contract import report_files
from image_classifier.contract.errors import ExplainedError, UserError, first_line
from image_classifier.evaluation import judgement
from image_classifier.inference import engines
from image_classifier.inference.engines import EngineOptions
from image_classifier.training import stopping
from image_classifier.training.export import early_traits
from image_classifier.training.export.early_traits import TraitReader
from image_classifier.training.progress import log
from image_classifier.training.stopping import StopSignal

if TYPE_CHECKING:
    from image_classifier.evaluation.drift.baseline import Baseline
    from image_classifier.evaluation.judgement import Evaluation
    from image_classifier.evaluation.probes import Network
    from image_classifier.evaluation.traits import Traits
    from image_classifier.training.trained import Trained

OCCLUSION_SHARE = 0.01
"""Part of the job's time so far that its occlusion maps may take."""
_PARTS = ("waiting for what needs no network", "occlusion maps", "page")
"""Of the report, for the log; the first begins while the model is converted and verified."""
_LIBRARIES = ("imagehash", "jinja2")
"""Take seconds to import."""


class _OutOfTime(Exception):  # noqa: N818 - not an error
    """The job has no time left for its report."""


@dataclass(frozen=True)
class JobReport:
    """What became of the report."""

    verdict: str = ""
    """Of the report that was written."""
    left_out: str = ""
    """Why a job that stopped wrote none, without a full stop."""


@dataclass(frozen=True)
class Prepared:
    """What a report needs that does not wait for the finished model."""

    evaluation: "Evaluation"
    """Without what running the network shows; its evidence has no model info, timings and sizes."""
    baseline: "Baseline"
    """Of drift."""
    charts: Mapping[str, str]
    """As SVG by name."""


@contextmanager
def preparation(trained: "Trained", stop: StopSignal, reader: TraitReader | None = None) -> Iterator[Future[Prepared]]:
    """Prepare the report in a thread while the block converts and verifies the model, mostly in other processes.

    The thread ends with the block, finished or not. `reader` reads the images' traits, by default the thread does.
    """
    is_over = threading.Event()

    def check() -> None:
        if is_over.is_set() or stop.out_of_time():
            raise _OutOfTime

    with ThreadPoolExecutor(1, "report") as pool:
        # Linux has a priority for each thread: the model, for which the job waits, goes first.
        pool.submit(os.setpriority, os.PRIO_PROCESS, 0, early_traits.NICE)
        try:
            yield pool.submit(_prepare, trained, check, lambda: reader.wait(stop, check) if reader else {})
        finally:
            is_over.set()


def _prepare(
    trained: "Trained", check: Callable[[], None], known_traits: Callable[[], Mapping[Path, "Traits | None"]]
) -> Prepared:
    # In this thread, beside the conversion, like the libraries below.
    from image_classifier.evaluation import charts
    from image_classifier.evaluation.drift import baseline
    from image_classifier.evaluation.report import page
    from image_classifier.training.export import evidence

    for name in _LIBRARIES:
        check()
        importlib.import_module(name)
    charts.import_library()
    found = evidence.collect(trained, check)
    if not len(found.judged):
        raise UserError("This host has neither validation nor test images. Do not shard both channels over the hosts.")
    # Threads of small matrix products cost more than they gain, most of all beside other processes.
    with threadpoolctl.threadpool_limits(limits=1, user_api="blas"):
        paths = {split.name: split.paths for split in found.splits}
        traits = early_traits.of_splits(paths, known_traits(), check)
        judged = judgement.of_arrays(found, known_traits=traits, check=check)
        check()
        return Prepared(judged, baseline.build(found, judged.traits), page.draw(judged))


def write(
    folder: Path,
    model: Path,
    prepared: Future[Prepared],
    timings: Mapping[str, float],
    thumbnails: bool,
    stop: StopSignal,
) -> JobReport:
    """Judge the model and write the report into `folder`, and what scores unfamiliar images and drift into `model`.

    A report that fails is left out with a warning, and so is one that the job has no time for: the model and the CSV
    files are complete without it.
    """

    def check() -> None:
        if stop.out_of_time():
            raise _OutOfTime

    try:
        for name in report_files.ALL:
            # Of an earlier job in the same folders.
            (folder / name).unlink(missing_ok=True)
        check()
        verdict = _write(folder, model, prepared, timings, thumbnails, check)
    except _OutOfTime:
        log(f"Report left out: {stop.reason}.")
        return JobReport(left_out=stop.reason)
    except Exception as error:  # whatever fails in it, the job has its model
        kind = "" if isinstance(error, ExplainedError) else f"{type(error).__name__}: "
        log(f"WARNING: No report: {kind}{first_line(error)}. The model and the CSV files are complete without it.")
        return JobReport()
    log(f"Verdict: {verdict}")
    return JobReport(verdict)


def _write(
    folder: Path,
    model: Path,
    prepared: Future[Prepared],
    timings: Mapping[str, float],
    thumbnails: bool,
    check: Callable[[], None],
) -> str:
    # `_prepare` has imported most of what these need.
    from image_classifier.evaluation import array_file, network_forms, report_folder, verdict
    from image_classifier.evaluation.drift import baseline

    laps = [time.monotonic()]
    found = prepared.result()
    laps.append(time.monotonic())
    seconds = OCCLUSION_SHARE * (time.monotonic() - stopping.process_start())
    evidence = replace(
        found.evaluation.evidence,
        model_info=artifacts.model_info_json(model),
        timings=timings,
        sizes=network_forms.sizes(model),
    )
    evaluation = replace(found.evaluation, evidence=evidence)
    with threadpoolctl.threadpool_limits(limits=1, user_api="blas"):
        evaluation = judgement.with_network(evaluation, _network(model), seconds, check)
    if evaluation.familiarity_model is not None:
        array_file.write(model / artifacts.FAMILIARITY_FILE, evaluation.familiarity_model.arrays())
    baseline.write(model, found.baseline)
    laps.append(time.monotonic())
    if reason := report_folder.write(evaluation, folder, thumbnails, found.charts):
        log(f"WARNING: No {report_files.EVIDENCE}, so the console cannot open this result: {reason}.")
    laps.append(time.monotonic())
    parts = ", ".join(f"{name} {end - start:.1f} s" for name, (start, end) in zip(_PARTS, pairwise(laps), strict=True))
    log(f"Report: {folder / report_files.REPORT}, written in {laps[-1] - laps[0]:.1f} s ({parts})")
    return verdict.conclude(evaluation).text


def _network(model: Path) -> "Network | None":
    """Return the finished model in the engine that serves it; None without an OpenVINO IR, as loading takes long."""
    # As above: only a report that has an OpenVINO IR needs it.
    from image_classifier.inference import labelled_images

    info = artifacts.read_model_info(model)
    options = EngineOptions(engine="openvino", single_compilation=True)
    try:
        return labelled_images.network(engines.load(model, info, trust=False, options=options), info)
    except ExplainedError:
        return None

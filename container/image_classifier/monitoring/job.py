"""The verb `monitor`: one Processing job, of its own or under Model Monitor's container contract."""

import importlib.util
import json
import os
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from image_classifier import durable_files
from image_classifier.contract import unread_variables
from image_classifier.contract.errors import (
    ExplainedError,
    PlatformError,
    UserError,
    first_line,
    report_and_exit_code,
)
from image_classifier.contract.names import printable
from image_classifier.contract.opt_ml import OptMl
from image_classifier.evaluation.drift.baseline import Baseline
from image_classifier.monitoring import analysis, constraints, metrics, model_folder, page, statistics
from image_classifier.monitoring.analysis import Analysis
from image_classifier.monitoring.constraints import Constraints, Violation
from image_classifier.monitoring.settings import Settings, is_first_host, job_name
from image_classifier.resources import termination

METRICS_FILE = Path("output", "metrics", "cloudwatch", "cloudwatch_metrics.jsonl")
MESSAGE_FILE = Path("output", "message")
"""Both below /opt/ml. Of the message the first 1,024 bytes become the job's ExitMessage."""
_MESSAGE_BYTES = 1024


def main() -> int:
    """Run the job; return its exit code. Drift does not fail a job: alarms and the exit message report it."""
    termination.exit_on_sigterm()
    opt_ml = OptMl.from_environment()
    try:
        _reject_serve_image()
        config = opt_ml.base / "config"
        if not is_first_host(config):
            print("Nothing to do on this host: the first one analyses.")
            return 0
        for line in unread_variables.of_monitoring(os.environ):
            print(line, flush=True)
        now = datetime.now(UTC)
        message = run(Settings.read(os.environ, now), opt_ml.base, now, job_name(config))
    except ExplainedError as error:
        _write_message(opt_ml.base, f"{type(error).__name__}: {error}")
        return report_and_exit_code(error)
    except OSError as error:
        explained = PlatformError(f"{error.filename or 'A file'} cannot be written: {first_line(error)}.")
        _write_message(opt_ml.base, f"PlatformError: {explained}")
        return report_and_exit_code(explained)
    _write_message(opt_ml.base, message)
    return 0


def _reject_serve_image() -> None:
    if importlib.util.find_spec("scipy") is None:
        raise UserError(
            "This image can only serve: it lacks SciPy, which monitoring needs. Monitor with the target cpu or gpu."
        )


def run(settings: Settings, base: Path, now: datetime, name: str | None = None) -> str:
    """Write the reports of one analysis, or of a baseline job its files; return the exit message.

    A job that has a model and neither captured lines nor baseline statistics is a baseline job.

    Raises:
        ExplainedError: The message says what is missing.
        OSError: The disk is full or not writable.
    """
    settings.output.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="monitor-") as scratch:
        known = _baseline(settings, Path(scratch))
    if settings.baseline_statistics is None and not settings.source.exists():
        _write_baseline(settings.output, known)
        return f"Completed: wrote {statistics.FILE} and {constraints.FILE} of the model's drift baseline."
    limits = _constraints(settings, known)
    found = analysis.analyse(
        settings.source, known, settings.window, settings.most_images, now, limits.thresholds, settings.names, name
    )
    violations = limits.violations(found.profile, found.comparison) if found.comparison.is_conclusive else []
    _write_reports(settings.output, found, violations)
    _publish(settings, base, found, violations, limits)
    print(found.verdict.text)
    return exit_message(found, violations)


def _baseline(settings: Settings, scratch: Path) -> Baseline:
    if settings.baseline_statistics is not None:
        return statistics.read(settings.baseline_statistics)
    return model_folder.read_baseline(settings.model, scratch)


def _constraints(settings: Settings, known: Baseline) -> Constraints:
    if settings.baseline_constraints is not None:
        return constraints.read(settings.baseline_constraints)
    return constraints.parse(constraints.suggested(known.profile, known.class_names))


def _write_baseline(output: Path, known: Baseline) -> None:
    durable_files.write_json(output / statistics.FILE, statistics.to_json(known.profile, known.class_names))
    durable_files.write_json(output / constraints.FILE, constraints.suggested(known.profile, known.class_names))


def _write_reports(output: Path, found: Analysis, violations: list[Violation]) -> None:
    names = found.baseline.class_names
    contents = {
        statistics.FILE: statistics.to_json(found.profile, names),
        constraints.FILE: constraints.suggested(found.profile, names),
        **dict.fromkeys(constraints.VIOLATION_FILES, constraints.violations_json(violations)),
    }
    for name, content in contents.items():
        durable_files.write_json(output / name, content)
    write_report(output, found)


def write_report(output: Path, found: Analysis) -> None:
    """Write `drift.json` and `drift.html` into a folder.

    Raises:
        OSError: The disk is full or not writable.
    """
    durable_files.write_json(output / "drift.json", analysis.to_json(found))
    durable_files.write_bytes(output / "drift.html", page.build(found).encode())


def _publish(settings: Settings, base: Path, found: Analysis, violations: list[Violation], limits: Constraints) -> None:
    if settings.metrics_in_log:
        print(metrics.embedded(found, violations), flush=True)
    if settings.metrics_file and limits.emits_metrics:
        lines = metrics.lines(found)
        path = base / METRICS_FILE
        path.parent.mkdir(parents=True, exist_ok=True)
        durable_files.write_bytes(path, "".join(f"{json.dumps(line)}\n" for line in lines).encode())


def exit_message(found: Analysis, violations: list[Violation]) -> str:
    """Return the exit message; its first word is the one that Model Monitor's own container writes."""
    if violations:
        return (
            f"CompletedWithViolations: Job completed successfully with {len(violations)} violations. "
            f"{found.verdict.text}"
        )
    return f"Completed: Job completed successfully with no violations. {found.verdict.text}"


def _write_message(base: Path, text: str) -> None:
    path = base / MESSAGE_FILE
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Cut between characters: the job fails if the file is not UTF-8.
        path.write_bytes(printable(text).encode()[:_MESSAGE_BYTES].decode(errors="ignore").encode())
    except OSError as error:
        print(f"The exit message cannot be written: {first_line(error)}.", file=sys.stderr)

"""`scripts/drift`: compare captured production images with what a model was trained on."""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from image_classifier import own_files
from image_classifier.cli import argument_types
from image_classifier.cli.terminal import command, consoles, fitted_table, os_errors
from image_classifier.cli.terminal.fitted_table import Column
from image_classifier.contract.errors import ExplainedError, UserError
from image_classifier.evaluation import wording
from image_classifier.evaluation.drift import verdict
from image_classifier.evaluation.drift.comparison import Check, Comparison
from image_classifier.monitoring import analysis, captures, job, model_folder
from image_classifier.monitoring.analysis import Analysis
from image_classifier.monitoring.captures import Window
from image_classifier.runners import local_server

COMMAND = "drift"
MOST_IMAGES = 2000
MOST_CLASSES = 5
DRIFTED = 2
"""Exit code where production is different, so that a script can act on it."""


def run(captured: Path, model: Path, window: Window, most_images: int) -> Analysis:
    """Compare captured lines with the baseline of a model, or of the model of a local job's folder.

    Raises:
        ExplainedError: The file or folder does not exist or holds no captured line, or the model has no baseline.
    """
    with tempfile.TemporaryDirectory(prefix="drift-") as scratch:
        known = model_folder.read_baseline(local_server.model_of(model), Path(scratch))
    found = analysis.analyse(captured, known, window, most_images, datetime.now(UTC))
    if found.reading.lines and found.reading.corrupt == found.reading.lines:
        raise UserError(
            f"{captured} has no captured request: none of its {found.reading.lines:,} lines is one. Give the "
            f"{captures.SUFFIX} files that an endpoint's data capture writes."
        )
    return found


def _print(found: Analysis) -> None:
    console, reading = consoles.output(), found.reading
    if found.comparison.checks:
        for line in fitted_table.fit(_columns(found.comparison.checks), _width()).lines:
            console.print(line)
        console.print()
    for name, reason in found.comparison.left_out.items():
        consoles.print_text(console, f"Not compared: {verdict.noun(name)}, since {reason}.")
    _print_classes(found.comparison)
    skipped = {
        "corrupt lines": reading.corrupt,
        "lines outside the period": reading.outside,
        "requests without an image": found.unreadable_requests,
        "images that cannot be decoded": found.undecodable_images,
        "images without a usable response": found.unanswered_images,
    }
    if counted := ", ".join(f"{count:,} {what}" for what, count in skipped.items() if count):
        consoles.print_text(console, f"Of {reading.lines:,} captured lines: {counted}.")
    styles = {"good": "bold green", "warn": "bold yellow", "bad": "bold red"}
    consoles.print_text(console, found.verdict.text, style=styles[found.verdict.level])


def _width() -> int | None:
    return consoles.output().width if consoles.output().is_terminal else None


def _columns(checks: Sequence[Check]) -> list[Column]:
    states = {(True, True): "drifted", (True, False): "small change", (False, False): "same"}
    return [
        Column("feature", [verdict.noun(check.feature) for check in checks], 5),
        Column("result", [states[check.significant, check.drifted] for check in checks], 4),
        Column("change", [check.detail for check in checks], 3),
        Column("size", [f"{check.effect:.2f}" for check in checks], 2, is_number=True),
        Column("threshold", [f"{check.threshold:.2f}" for check in checks], 1, is_number=True),
        Column("p", [f"{check.p_value:.2g}" for check in checks], 1, is_number=True),
        Column("test", [check.test.value for check in checks], 0),
    ]


def _print_classes(found: Comparison) -> None:
    shift = found.label_shift
    if shift is None:
        return
    changed = sorted(shift.classes, key=lambda one: -abs(one.estimated - one.baseline))[:MOST_CLASSES]
    named = ", ".join(
        f"{one.name} {wording.percent(one.estimated)} (baseline {wording.percent(one.baseline)})" for one in changed
    )
    expected = wording.percent(shift.expected_accuracy)
    text = f"Class frequencies, estimated: {named}; accuracy to expect from them: {expected}."
    consoles.print_text(consoles.output(), text)


def _write(output: Path, found: Analysis) -> None:
    output.mkdir(parents=True, exist_ok=True)
    own_files.mark(output, COMMAND)
    job.write_report(output, found)
    consoles.print_text(consoles.output(), f"Report: {output / 'drift.html'}")


def _time(text: str) -> datetime:
    try:
        return captures.parse_time(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a time such as 2026-11-30T05:00") from None


def main(arguments: Sequence[str] | None = None) -> int:
    """Run `scripts/drift`; exit code 2 where production is different."""
    parser = argparse.ArgumentParser(
        prog="scripts/drift",
        description="Compare captured production images with what a model was trained on.",
        epilog="examples:\n  scripts/drift captured run/job\n"
        "  scripts/drift captured/lines.jsonl model.tar.gz --output run/drift",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "captured",
        type=argument_types.some_path,
        metavar="LINES_OR_DIR",
        help="requests captured by an endpoint: a file of lines, or a folder",
    )
    parser.add_argument(
        "model",
        type=argument_types.some_path,
        metavar="MODEL",
        help="the deployed model: a folder or a model.tar.gz, or a local job's folder",
    )
    parser.add_argument(
        "--output", type=argument_types.some_path, metavar="DIR", help="folder for drift.html and drift.json"
    )
    parser.add_argument(
        "--start", type=_time, metavar="TIME", help="ignore earlier requests; UTC if TIME has no offset"
    )
    parser.add_argument("--end", type=_time, metavar="TIME", help="ignore requests from this time on")
    parser.add_argument(
        "--max-images",
        type=argument_types.count,
        default=MOST_IMAGES,
        metavar="N",
        help=f"compare a random sample of N images; default: {MOST_IMAGES}",
    )
    given = parser.parse_args(arguments)
    try:
        if given.output:
            own_files.reject_foreign_folder(given.output, "--output", COMMAND)
        found = run(given.captured, given.model, Window(given.start, given.end), given.max_images)
        _print(found)
        if given.output:
            _write(given.output, found)
    except ExplainedError as error:
        return consoles.report_and_exit_code(error)
    except OSError as error:
        return consoles.report_and_exit_code(os_errors.explained(error, given.output or Path(tempfile.gettempdir())))
    return DRIFTED if found.comparison.drifted else 0


if __name__ == "__main__":
    sys.exit(command.run(main))

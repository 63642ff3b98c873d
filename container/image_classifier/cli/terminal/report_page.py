"""The report of a job or an evaluation at the end of a command: its verdict, its path, and a browser that shows it."""

import os
from collections.abc import Mapping
from pathlib import Path

from image_classifier.contract import report_files
from image_classifier.resources import desktop


def lines(verdict: str, folder: str) -> list[str]:
    """Return the closing lines: the verdict and where the report is; `folder` as the user typed it."""
    return [f"Verdict: {verdict}", f"Report: {folder}/{report_files.REPORT}"]


def show(report: Path, environment: Mapping[str, str] = os.environ) -> str:
    """Open a report in the desktop's browser; return a sentence that says what became of it."""
    if not report.is_file():
        return f"The report {report} does not exist."
    if not desktop.is_present(environment):
        return f"No desktop was found; open {report} on one."
    opened = desktop.open_in_browser(report.resolve().as_uri())
    return f"Opened {report} in the browser." if opened else f"No browser was found; open {report} in one."

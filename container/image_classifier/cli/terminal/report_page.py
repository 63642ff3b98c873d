"""The report of a job or an evaluation at the end of a command: its verdict, its path, and a browser that shows it."""

import os
import sys
import webbrowser
from collections.abc import Mapping
from pathlib import Path

from image_classifier.contract import report_files


def lines(verdict: str, folder: str) -> list[str]:
    """Return the closing lines: the verdict and where the report is; `folder` as the user typed it."""
    return [f"Verdict: {verdict}", f"Report: {folder}/{report_files.REPORT}"]


def show(report: Path, environment: Mapping[str, str] = os.environ) -> str:
    """Open a report in the desktop's browser; return a sentence that says what became of it."""
    if not report.is_file():
        return f"The report {report} does not exist."
    if not has_desktop(environment):
        return f"No desktop was found; open {report} on one."
    try:
        opened = webbrowser.open(report.resolve().as_uri())
    except webbrowser.Error:
        opened = False
    return f"Opened {report} in the browser." if opened else f"No browser was found; open {report} in one."


def has_desktop(environment: Mapping[str, str]) -> bool:
    """Return whether a window can be opened, so that no text browser takes over the terminal."""
    if sys.platform in ("darwin", "win32"):
        return "SSH_CONNECTION" not in environment
    return bool(environment.get("DISPLAY") or environment.get("WAYLAND_DISPLAY"))

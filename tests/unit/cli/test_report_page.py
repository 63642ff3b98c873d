"""What a command prints about a report, and where it opens one."""

import webbrowser
from pathlib import Path

import pytest

from image_classifier.cli.terminal import report_page

DESKTOP = {"DISPLAY": ":0"}


@pytest.fixture
def report(tmp_path: Path) -> Path:
    """A report."""
    path = tmp_path / "report.html"
    path.write_text("<!doctype html>")
    return path


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The addresses that were opened in a browser."""
    found: list[str] = []

    def take(address: str) -> bool:
        found.append(address)
        return True

    monkeypatch.setattr(webbrowser, "open", take)
    monkeypatch.setattr("sys.platform", "linux")
    return found


def test_report_opens_on_a_desktop(report: Path, opened: list[str]) -> None:
    """A display -> the browser gets the file's address, and the line says so."""
    assert report_page.show(report, DESKTOP) == f"Opened {report} in the browser."
    assert opened == [report.as_uri()]


def test_report_stays_closed_without_a_desktop(report: Path, opened: list[str]) -> None:
    """No display -> nothing is started, which could be a text browser, and the line has the path."""
    assert str(report) in report_page.show(report, {"TERM": "xterm"})
    assert opened == []


def test_missing_report_is_not_opened(tmp_path: Path, opened: list[str]) -> None:
    """A job that left the report out -> a line that says so."""
    report = tmp_path / "report.html"
    assert report_page.show(report, DESKTOP) == f"The report {report} does not exist."
    assert opened == []


def test_desktop_without_a_browser_is_told_the_path(report: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No browser is installed -> the path, no trace."""

    def fail(address: str) -> bool:
        raise webbrowser.Error("could not locate runnable browser")

    monkeypatch.setattr(webbrowser, "open", fail)
    assert report_page.show(report, DESKTOP) == f"No browser was found; open {report} in one."

"""Run scripts/check beside the tests: its failure fails the run, with what it says above the last line.

Loaded by `scripts/test` with `-p`.
"""

import os
import subprocess
import tempfile
from pathlib import Path
from typing import IO

import pytest

CHECK = Path(__file__).parents[2] / "scripts" / "check"
LOWEST_PRIORITY = 19
"""Its nice value: setpriority(2)."""


class ChecksBeside:
    """The checks, from the start of the session to its end."""

    def __init__(self, command: Path) -> None:
        self._command = command
        self._output: IO[str] = tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace")  # noqa: SIM115
        self._process: subprocess.Popen[bytes] | None = None

    def pytest_sessionstart(self) -> None:
        """Start them, with what the tests leave of the CPUs: tests wait for a sixth of their time."""
        self._process = subprocess.Popen([self._command], stdout=self._output, stderr=subprocess.STDOUT)
        os.setpriority(os.PRIO_PROCESS, self._process.pid, LOWEST_PRIORITY)

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Wait for them, and let the session fail when they did; a session that was interrupted does not wait."""
        if self._process is None:
            return
        if session.exitstatus == pytest.ExitCode.INTERRUPTED:
            self._process.terminate()
        if self._process.wait() != 0 and session.exitstatus in (0, pytest.ExitCode.NO_TESTS_COLLECTED):
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Show what they said when they failed; one line otherwise."""
        if self._process is None:
            return
        self._output.seek(0)
        text = self._output.read().rstrip()
        self._output.close()
        if self._process.returncode == 0:
            terminalreporter.write_line(text)
            return
        terminalreporter.section(f"{self._command.name} failed", red=True)
        terminalreporter.write_line(text)


def pytest_configure(config: pytest.Config) -> None:
    """Register them in the process that shows results, not in those that run tests for it."""
    if "PYTEST_XDIST_WORKER" not in os.environ and not config.option.collectonly:
        config.pluginmanager.register(ChecksBeside(CHECK), "checks-beside")

"""Follow a job on SageMaker on a terminal: its phases, its log as a live view, and a question on Ctrl-C."""

import contextlib
import shlex
import sys
import time
from pathlib import Path

from rich.status import Status

from image_classifier.cli.launch import printing
from image_classifier.cli.terminal import consoles, report_page
from image_classifier.cli.terminal.training_view import TrainingView
from image_classifier.contract.opt_ml import OptMl
from image_classifier.runners import experiment, job_result, job_tree, sagemaker
from image_classifier.runners.job import JobStatus, State
from image_classifier.runners.sagemaker_job import inputs, outcome, record

PAUSE = 1.0
"""Seconds between two polls of the job's folder."""
QUESTION = "[d]etach: the job continues; [s]top: save the best model; [c]ontinue to follow? "


def follow(folder: Path, as_json: bool = False, price: float | None = None) -> int:
    """Follow the job in a folder until it is over, or until the user detaches; return the exit code."""
    view = _View(as_json)
    with contextlib.ExitStack() as stack:
        stack.callback(view.close)
        while True:
            try:
                status = _until_over(folder, view)
                break
            except KeyboardInterrupt:
                view.close()
                if not _is_followed_further(folder):
                    return 0
    if as_json:
        printing.job_document(status, folder)
    else:
        for line in closing_lines(folder, status, price):
            printing.line(line)
    return 1 if status.state in (State.FAILED, State.LOST) else 0


class _View:
    """Shows phases before the program runs, then the log as the view of a local job does."""

    def __init__(self, silent: bool) -> None:
        self._silent = silent
        self._phase = self._problem = ""
        self._offset = 0
        self._live: TrainingView | None = None
        self._shown = contextlib.ExitStack()
        """What redraws lines of the terminal at the moment."""
        self._is_drawn = False
        """Whether the live view is among what redraws."""
        self._spinner: Status | None = None

    def show(self, folder: Path, status: JobStatus) -> None:
        """Show what is new: lines of the log, and the phase until the log begins."""
        if self._live and not self._is_drawn:
            self._draw(self._live)
        while (part := sagemaker.log(folder, self._offset)).text:
            self._offset = part.offset
            for line in part.text.splitlines():
                self._log(line)
        if not self._silent:
            self._on_problem(status.extra.get(outcome.PROBLEM, ""))
        if status.state != State.RUNNING and status.phase and not self._silent:
            self._on_phase(status)

    def close(self) -> None:
        """Stop redrawing, until `show` is called again."""
        self._shown.close()
        self._is_drawn, self._spinner = False, None

    def _draw(self, view: TrainingView) -> None:
        self.close()
        self._shown.enter_context(view)
        self._is_drawn = True

    def _on_problem(self, problem: str) -> None:
        if problem and problem != self._problem:
            text = f"WARNING: the job cannot be looked at; trying again. {problem}"
            (self._live.announce if self._live else printing.line)(text)
        self._problem = problem

    def _on_phase(self, status: JobStatus) -> None:
        if self._live or not consoles.is_interactive():
            if status.phase != self._phase:
                (self._live.announce if self._live else printing.line)(status.phase)
        elif self._spinner is None:
            self._spinner = self._shown.enter_context(consoles.output().status(_counted(status)))
        else:
            self._spinner.update(_counted(status))
        self._phase = status.phase

    def _log(self, line: str) -> None:
        if self._silent:
            return
        if not consoles.is_interactive():
            print(line, flush=True)
            return
        if self._live is None:
            self._live = TrainingView(consoles.output())
            self._draw(self._live)
        self._live.show(line)


def _until_over(folder: Path, view: _View) -> JobStatus:
    while True:
        status = sagemaker.status(folder)
        view.show(folder, status)
        if status.state.is_over:
            return status
        time.sleep(PAUSE)


def _counted(status: JobStatus) -> str:
    if status.total:
        return f"{status.phase}: {status.done:,} of {status.total:,} files"
    return status.phase


def _is_followed_further(folder: Path) -> bool:
    """Ask what to do after Ctrl-C, and do it; return whether the job is followed further."""
    typed = shlex.quote(str(folder))
    detached = (
        f"Detached; the job continues. scripts/launch status {typed} shows it, scripts/launch stop {typed} stops it."
    )
    if not (sys.stdin.isatty() and consoles.is_interactive()):
        printing.line(detached)
        return False
    try:
        answer = input(f"\n{QUESTION}").strip().lower()
    except (KeyboardInterrupt, EOFError):
        answer = "d"
    if answer.startswith("s"):
        sagemaker.stop(folder)
        printing.line("Stopping: the best model so far is being saved.")
        return True
    if answer.startswith("c"):
        return True
    printing.line(detached)
    return False


def closing_lines(folder: Path, status: JobStatus, price: float | None) -> list[str]:
    """Return the lines at the end of a job: its result, where it is, and what it cost."""
    if status.failure:
        log = [f"Its log: {folder}/{job_tree.LOG}"] if (folder / job_tree.LOG).exists() else []
        return [f"The job failed. {status.failure}", *log, *_cost(folder, price)]
    lines = [f"The job {status.state}."]
    if status.accuracy is not None:
        result = job_result.read(OptMl(folder))
        lines = [f"Validation accuracy {result.accuracy:.4f} on {result.images:,} images"]
        if result.test_accuracy is not None:
            lines.insert(0, f"Test accuracy {result.test_accuracy:.4f}")
        if result.verdict:
            lines += report_page.lines(result.verdict, f"{folder}/output/data")
    if "artefact" in status.extra:
        lines.append(f"Artefact: {status.extra['artefact']}")
    return [*lines, f"Model: {folder}/model   log: {folder}/{job_tree.LOG}", *_cost(folder, price)]


def _cost(folder: Path, price: float | None) -> list[str]:
    found = record.read(folder)
    seconds = found.platform.billable_seconds if found else None
    if seconds is None:
        return []
    billed = f"Billed: {seconds:,} s"
    trained = found.platform.training_seconds if found else None
    if trained and trained > seconds:
        billed += f" of {trained:,} s, {1 - seconds / trained:.0%} saved by spot instances"
    if price is None:
        return [billed]
    instances = inputs.options_of(experiment.read(folder / experiment.FILE)).instance_count
    return [f"{billed}, about {printing.cost(price, seconds, instances)} at {price} per instance and hour"]

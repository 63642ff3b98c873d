"""A training job on a terminal: given settings, phases with rate and ETA, numbered epochs, the current activity."""

import math
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, SpinnerColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text

from image_classifier.cli.terminal import consoles, curve
from image_classifier.contract import contradictions
from image_classifier.runners import job_log
from image_classifier.runners.job_log import Epoch, Note, Part, Problem, Resumed, Setting, Summary
from image_classifier.runners.job_phase import FIRST, PHASE_LINES, JobPhase, in_a_sentence

ALL_EPOCHS = 30
"""Jobs of up to so many epochs print each; longer ones print every tenth epoch and each that is the best so far."""
_CURVE_COLUMNS, _LINE_COLUMNS = 16, 72
"""Of the curve at most, and of what stands beside it in the same line."""
_SHOWN_METRICS = ("loss", "accuracy", "val_loss", "val_accuracy", "val_auc")
_DETAILS = (
    *PHASE_LINES,
    *(
        "Race:",
        "No checkpoints:",
        "Bytes signature",
        "Devices:",
        "Channels read:",
        "Dry run of the export:",
        "Not run:",
    ),
)
"""Lines that stay in the job's log file."""


class _Rate(ProgressColumn):
    def render(self, task: Task) -> Text:
        if task.total is None or not task.speed:
            return Text("")
        return Text(f"{task.speed:,.0f} {task.fields['unit']}/s" if task.speed >= 10 else "")


class TrainingView:
    """Shows the lines of a job's log one by one; a context manager, since it redraws the last lines meanwhile."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=16),
            TextColumn("{task.fields[count]}", markup=False),
            _Rate(),
            TimeRemainingColumn(compact=True, elapsed_when_finished=True),
            console=console,
            transient=True,
        )
        self._task = self._progress.add_task(FIRST, total=None, count="", unit="images")
        self._phase, self._phase_started = "", time.monotonic()
        self._given: list[str] = []
        self._parts: list[Part] = []
        self._best = float("-inf")
        self._values: list[float] = []
        """The validation accuracy of each epoch so far."""
        self._job = JobPhase()

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def show(self, line: str) -> None:
        """Show one line of the log."""
        event = job_log.read(line)
        self._job.on_event(event)
        match event:
            case Setting(is_given=True, name=name, value=value):
                self._given.append(f"{name}={value}")
            case Part() as part:
                self._on_part(part)
            case job_log.Progress() as progress:
                self._on_progress(progress)
            case Resumed(epochs=epochs):
                self._print(f"Resuming from a checkpoint after {epochs} of {self._job.planned_epochs or 0} epochs")
            case Epoch(metrics=metrics) if self._job.recipe != contradictions.BUILTIN:
                self._on_measured(metrics)
            case Epoch(metrics=metrics):
                self._on_epoch(metrics)
            case Summary():
                self._run(self._job.name)
            case Problem(text=text):
                self._print(text, "bold red" if not text.startswith("WARNING") else "yellow")
            case Note(text=text):
                self._on_note(text)

    def announce(self, text: str) -> None:
        """Print a line of the command itself, such as the receipt of a stop request."""
        self._print(text, "bold")

    def _on_part(self, part: Part) -> None:
        if not self._parts:
            self._print(f"Settings: {', '.join(self._given) or 'all defaults'}")
        self._parts.append(part)
        self._print(f"{part.name.capitalize()}: {part.images:,} images of {part.classes} classes ({part.counts})")

    def _on_progress(self, progress: job_log.Progress) -> None:
        if progress.phase != self._phase:
            self._phase, self._phase_started = progress.phase, time.monotonic()
            self._run(f"{self._job.images} {in_a_sentence(progress.phase)}", progress.total)
        self._progress.update(
            self._task, completed=progress.done, count=f"{progress.done:,}/{progress.total:,}", unit="images"
        )
        if progress.done >= progress.total:
            seconds = time.monotonic() - self._phase_started
            done = self._job.images if self._job.extracts_features else "Decoded"
            self._print(f"{done} {progress.total:,} {in_a_sentence(progress.phase)}: {seconds:.0f} s")
            self._run(self._job.name)

    def _on_epoch(self, metrics: Mapping[str, float]) -> None:
        epoch, epochs = self._job.epoch, self._job.planned_epochs or 0
        value = metrics.get("val_accuracy", metrics.get("accuracy", 0.0))
        is_best = value > self._best
        self._best = max(value, self._best)
        if self._phase != "epochs":
            self._print(f"Epochs; * marks the best one so far{' since the job resumed' if epoch > 1 else ''}:")
        if epochs <= ALL_EPOCHS or is_best or epoch % 10 == 0:
            self._print(self._epoch_line(metrics, is_best), "green" if is_best else None)
        if self._phase != "epochs":
            self._phase = "epochs"
            self._run(self._job.name, epochs, epoch - 1)
        count = f"epoch {epoch}/{epochs}, best {self._best:.4f} {self._curve(value)}".rstrip()
        self._progress.update(self._task, completed=epoch, count=count, unit="epochs")

    def _curve(self, value: float) -> str:
        """Return the curve of the epochs so far with one more, as wide as the rest of the line leaves room for."""
        if math.isfinite(value):
            self._values.append(value)
        if self._console.options.ascii_only:
            return ""
        return curve.of(self._values, min(_CURVE_COLUMNS, self._console.width - _LINE_COLUMNS))

    def _on_measured(self, metrics: Mapping[str, float]) -> None:
        """Show the metrics of a recipe's head or of an epoch, whose number the recipe chooses."""
        epoch = self._job.epoch
        name = f"Fine-tuning, epoch {epoch - 1}" if epoch > 1 else "Head"
        if self._job.recipe == contradictions.SEARCH:
            name = f"Epoch {epoch}"
        self._print(self._with_metrics(f"{name}: ", metrics))

    def _epoch_line(self, metrics: Mapping[str, float], is_best: bool) -> str:
        epoch, epochs = self._job.epoch, self._job.planned_epochs or 0
        width = len(str(epochs))
        return self._with_metrics(f"Epoch {epoch:>{width}}/{epochs} {'*' if is_best else ' '} ", metrics)

    def _with_metrics(self, begin: str, metrics: Mapping[str, float]) -> str:
        shown = [f"{name} {metrics[name]:.4f}" for name in _SHOWN_METRICS if name in metrics]
        line = begin + "  ".join(shown)
        return line if len(line) <= self._console.width else begin + " ".join(shown)

    def _on_note(self, text: str) -> None:
        if text.startswith("Verification:"):
            self._print(f"Checked: {_checked(text)}")
        elif text.strip() and not text.startswith(_DETAILS):
            self._print(text, None if text.startswith("Recipe: ") else "dim")
        if text.startswith(PHASE_LINES):
            self._run(self._job.name)

    def _run(self, activity: str, total: int | None = None, done: int = 0) -> None:
        """Show the current activity, with a bar where its end is known."""
        self._progress.remove_task(self._task)
        self._task = self._progress.add_task(activity, total=total, completed=done, count="", unit="images")

    def _print(self, text: str, style: str | None = None) -> None:
        consoles.print_text(self._console, text, style)


def _checked(line: str) -> str:
    """Summarise the verification; the whole line where it found a difference."""
    words = line.removeprefix("Verification: ").split()
    count = next((word for word in words if word.replace(",", "").isdigit()), None)
    same = " 0 different predictions" in line
    return (
        f"{int(count):,} images, same answers as in training" if count and same else line.removeprefix("Verification: ")
    )

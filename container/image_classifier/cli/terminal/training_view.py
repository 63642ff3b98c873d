"""A training job on a terminal: given settings, phases with rate and ETA, numbered epochs, the current activity."""

import time
from collections.abc import Mapping
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, SpinnerColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text

from image_classifier.cli.terminal import consoles, job_log
from image_classifier.cli.terminal.job_log import Epoch, Note, Part, Problem, Resumed, Setting, Summary
from image_classifier.contract import contradictions

ALL_EPOCHS = 30
"""Jobs of up to so many epochs print each; longer ones print every tenth epoch and each that is the best so far."""
_SHOWN_METRICS = ("loss", "accuracy", "val_loss", "val_accuracy", "val_auc")
_NEXT: Mapping[str, str] = {
    "Head:": "Loading TensorFlow and the model",
    "Backbone:": "Preparing the first step",
    "Features:": "Extracting features",
    "OpenVINO IR": "Checking the saved model in a fresh process",
    "Verification:": "Writing the reports",
    "Stopped (": "Writing the reports",
    "Recipe: cross-validation": "Choosing the head by cross-validation",
    "Recipe: fine-tuning the network": "Preparing the fine-tuning",
    "Tuning: measuring": "Measuring steps of the fine-tuning",
    "Tuning: a race": "Choosing the settings of the fine-tuning in a race",
    "Tuning: ": "Fine-tuning the network",
    "Interpolation": "Interpolating with the head's network",
    "Recipe: search": "Searching for the head's hyperparameters",
}
"""The activity after a line with this beginning, the first that fits, until the next line."""
_DETAILS = (
    *_NEXT,
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
        self._task = self._progress.add_task("Reading the images", total=None, count="", unit="images")
        self._phase, self._phase_started = "", time.monotonic()
        self._given: list[str] = []
        self._parts: list[Part] = []
        self._epochs, self._epoch, self._best = 0, 0, float("-inf")
        self._extracts_features = False
        self._recipe, self._measured = contradictions.BUILTIN, 0
        self._activity = "Training"

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def show(self, line: str) -> None:
        """Show one line of the log."""
        match job_log.read(line):
            case Setting() as setting:
                self._on_setting(setting)
            case Part() as part:
                self._on_part(part)
            case job_log.Progress() as progress:
                self._on_progress(progress)
            case Resumed(epochs=epochs):
                self._epoch = epochs
                self._print(f"Resuming from a checkpoint after {epochs} of {self._epochs} epochs")
            case Epoch(metrics=metrics) if self._recipe != contradictions.BUILTIN:
                self._on_measured(metrics)
            case Epoch(metrics=metrics):
                self._on_epoch(metrics)
            case Summary():
                self._run("Saving the model and converting it to OpenVINO")
            case Problem(text=text):
                self._print(text, "bold red" if not text.startswith("WARNING") else "yellow")
            case Note(text=text):
                self._on_note(text)

    def announce(self, text: str) -> None:
        """Print a line of the command itself, such as the receipt of a stop request."""
        self._print(text, "bold")

    def _on_setting(self, setting: Setting) -> None:
        if setting.name == "epochs":
            self._epochs = int(setting.value)
        if setting.name == contradictions.RECIPE:
            self._recipe = setting.value
        if setting.is_given:
            self._given.append(f"{setting.name}={setting.value}")

    def _on_part(self, part: Part) -> None:
        if not self._parts:
            self._print(f"Settings: {', '.join(self._given) or 'all defaults'}")
        self._parts.append(part)
        self._print(f"{part.name.capitalize()}: {part.images:,} images of {part.classes} classes ({part.counts})")

    def _on_progress(self, progress: job_log.Progress) -> None:
        if progress.phase != self._phase:
            self._phase, self._phase_started = progress.phase, time.monotonic()
            doing = "Features of" if self._extracts_features else "Decoding"
            self._run(f"{doing} {_in_a_sentence(progress.phase)}", progress.total)
        self._progress.update(
            self._task, completed=progress.done, count=f"{progress.done:,}/{progress.total:,}", unit="images"
        )
        if progress.done >= progress.total:
            seconds = time.monotonic() - self._phase_started
            done = "Features of" if self._extracts_features else "Decoded"
            self._print(f"{done} {progress.total:,} {_in_a_sentence(progress.phase)}: {seconds:.0f} s")
            self._run(self._activity)

    def _on_epoch(self, metrics: Mapping[str, float]) -> None:
        self._epoch += 1
        value = metrics.get("val_accuracy", metrics.get("accuracy", 0.0))
        is_best = value > self._best
        self._best = max(value, self._best)
        if self._phase != "epochs":
            self._print(f"Epochs; * marks the best one so far{' since the job resumed' if self._epoch > 1 else ''}:")
        if self._epochs <= ALL_EPOCHS or is_best or self._epoch % 10 == 0:
            self._print(self._epoch_line(metrics, is_best), "green" if is_best else None)
        if self._phase != "epochs":
            self._phase = "epochs"
            self._run("Training", self._epochs, self._epoch - 1)
        count = f"epoch {self._epoch}/{self._epochs}, best {self._best:.4f}"
        self._progress.update(self._task, completed=self._epoch, count=count, unit="epochs")

    def _on_measured(self, metrics: Mapping[str, float]) -> None:
        """Show the metrics of a recipe's head or of an epoch, whose number the recipe chooses."""
        name = f"Fine-tuning, epoch {self._measured}" if self._measured else "Head"
        self._measured += 1
        if self._recipe == contradictions.SEARCH:
            name = f"Epoch {self._measured}"
        self._print(self._with_metrics(f"{name}: ", metrics))

    def _epoch_line(self, metrics: Mapping[str, float], is_best: bool) -> str:
        width = len(str(self._epochs))
        return self._with_metrics(f"Epoch {self._epoch:>{width}}/{self._epochs} {'*' if is_best else ' '} ", metrics)

    def _with_metrics(self, begin: str, metrics: Mapping[str, float]) -> str:
        shown = [f"{name} {metrics[name]:.4f}" for name in _SHOWN_METRICS if name in metrics]
        line = begin + "  ".join(shown)
        return line if len(line) <= self._console.width else begin + " ".join(shown)

    def _on_note(self, text: str) -> None:
        if text.startswith("Features:"):
            self._extracts_features = True
        if text.startswith("Verification:"):
            self._print(f"Checked: {_checked(text)}")
        elif text.strip() and not text.startswith(_DETAILS):
            self._print(text, None if text.startswith("Recipe: ") else "dim")
        if text.startswith("Recipe: fine-tuning the network"):
            # From here on images are decoded for the network itself.
            self._extracts_features = False
        activity = next((doing for beginning, doing in _NEXT.items() if text.startswith(beginning)), None)
        if activity:
            self._run(activity)
            if self._recipe == contradictions.AUTO:
                self._activity = activity

    def _run(self, activity: str, total: int | None = None, done: int = 0) -> None:
        """Show the current activity, with a bar where its end is known."""
        self._progress.remove_task(self._task)
        self._task = self._progress.add_task(activity, total=total, completed=done, count="", unit="images")

    def _print(self, text: str, style: str | None = None) -> None:
        consoles.print_text(self._console, text, style)


def _in_a_sentence(phase: str) -> str:
    return f"{phase[0].lower()}{phase[1:]}"


def _checked(line: str) -> str:
    """Summarise the verification; the whole line where it found a difference."""
    words = line.removeprefix("Verification: ").split()
    count = next((word for word in words if word.replace(",", "").isdigit()), None)
    same = " 0 different predictions" in line
    return (
        f"{int(count):,} images, same answers as in training" if count and same else line.removeprefix("Verification: ")
    )

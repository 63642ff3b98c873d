"""What a job does now, by the lines of its log: the phase, how far it is, and the number of the epoch."""

from collections.abc import Mapping
from dataclasses import dataclass

from image_classifier.contract import contradictions
from image_classifier.runners import job_log
from image_classifier.runners.job_log import Epoch, Note, Resumed, Setting, Summary

FIRST = "Reading the images"
TRAINING = "Training"
_SAVING = "Saving the model and converting it to OpenVINO"
_FEATURES = "Features:"
_NETWORK = "Recipe: fine-tuning the network"
_NEXT: Mapping[str, str] = {
    "Head:": "Loading TensorFlow and the model",
    "Backbone:": "Preparing the first step",
    _FEATURES: "Extracting features",
    "OpenVINO IR": "Checking the saved model in a fresh process",
    "Verification:": "Writing the reports",
    "Stopped (": "Writing the reports",
    "Recipe: cross-validation": "Choosing the head by cross-validation",
    _NETWORK: "Preparing the fine-tuning",
    "Tuning: measuring": "Measuring steps of the fine-tuning",
    "Tuning: a race": "Choosing the settings of the fine-tuning in a race",
    "Tuning: ": "Fine-tuning the network",
    "Interpolation": "Interpolating with the head's network",
    "Recipe: search": "Searching for the head's hyperparameters",
}
"""The phase after a line with this beginning, the first that fits, until the next line."""
PHASE_LINES = tuple(_NEXT)
"""The beginnings of lines that begin another phase."""


@dataclass
class JobPhase:
    """The phase after the events so far, which `on_event` changes."""

    name: str = FIRST
    done: int = 0
    total: int | None = None
    """Of images or epochs; None: not known."""
    counts_epochs: bool = False
    """Whether `done` and `total` are epochs."""
    recipe: str = contradictions.BUILTIN
    planned_epochs: int | None = None
    epoch: int = 0
    """Measured so far, also before the job was resumed; with a recipe its heads count, and only those of this run."""
    extracts_features: bool = False
    afterwards: str = TRAINING
    """The phase after the images have been read."""

    def on_event(self, event: job_log.Event) -> None:
        """Take over what an event of the log says."""
        match event:
            case Setting(name="epochs", value=value):
                self.planned_epochs = int(value)
            case Setting(name=contradictions.RECIPE, value=value):
                self.recipe = value
            case job_log.Progress(phase=phase, done=done, total=total):
                self._on_images(phase, done, total)
            case Resumed(epochs=epochs) if self.recipe == contradictions.BUILTIN:
                self.epoch = epochs
            case Epoch():
                self.epoch += 1
                if self.recipe == contradictions.BUILTIN:
                    self._begin(TRAINING, self.epoch, self.planned_epochs)
                    self.counts_epochs = True
            case Summary():
                self._begin(_SAVING)
            case Note(text=text):
                self._on_note(text)

    @property
    def images(self) -> str:
        """What is done with images while they are read: `Features of` or `Decoding`."""
        return "Features of" if self.extracts_features else "Decoding"

    def _on_images(self, phase: str, done: int, total: int) -> None:
        if done >= total:
            self._begin(self.afterwards)
        else:
            self._begin(f"{self.images} {in_a_sentence(phase)}", done, total)

    def _on_note(self, text: str) -> None:
        if text.startswith(_FEATURES):
            self.extracts_features = True
        if text.startswith(_NETWORK):
            # From here on images are decoded for the network itself.
            self.extracts_features = False
        if name := next((name for beginning, name in _NEXT.items() if text.startswith(beginning)), None):
            self._begin(name)
            if self.recipe == contradictions.AUTO:
                self.afterwards = name

    def _begin(self, name: str, done: int = 0, total: int | None = None) -> None:
        self.name, self.done, self.total, self.counts_epochs = name, done, total, False


def in_a_sentence(phase: str) -> str:
    """Return a phase's name with a small first letter."""
    return f"{phase[0].lower()}{phase[1:]}"

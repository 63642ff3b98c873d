"""The metrics in the log, declared once: the printed line and the regular expression with which it is collected.

The platform takes the last match of an expression as a metric's final value (HyperParameterTuningJobObjective), so
nothing printed after the lines of the best epoch may match their expressions: names of classes and files go through
`unreadable`. Numbers are plain decimals: `1e-05` would be read as 1.
"""

import functools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

OBJECTIVE = "validation:accuracy"
"""The tuning objective of the developer guide, to be maximised."""
_VALIDATION = "val_"
_NUMBER = r"([0-9\.]+)"


@dataclass(frozen=True)
class Line:
    """One number in the log with its label, and the names under which the platform collects it."""

    label: str
    meaning: str
    decimals: int
    names: tuple[str, ...]
    """Empty: printed but not collected, since the platform accepts at most 40 definitions."""

    @property
    def regex(self) -> str:
        """The expression whose first group is the number."""
        return f"- {self.label}: {_NUMBER}"

    def show(self, value: float) -> str:
        """Format the line; NaN and infinity become nan and inf, which the expression does not match."""
        return f"- {self.label}: {value:z.{self.decimals}f}"


@dataclass(frozen=True)
class Measure:
    """One result of an evaluation, under its name in Keras logs."""

    name: str
    meaning: str
    decimals: int = 4
    binary: bool = False
    """Whether it is measured only in binary mode."""

    @property
    def training(self) -> Line:
        """The number on the training images."""
        return Line(self.name, f"training: {self.meaning}", self.decimals, self._names(f"train_{self.name}"))

    @property
    def validation(self) -> Line:
        """The number on the validation images."""
        # Names of the same number in the developer guide and in JumpStart.
        others = (OBJECTIVE, "tflow-ic:val-accuracy") if self.name == "accuracy" else ()
        label = f"{_VALIDATION}{self.name}"
        return Line(label, f"validation: {self.meaning}", self.decimals, (*others, label))

    @property
    def test(self) -> Line:
        """The number on the test images."""
        return Line(f"Test {self.name}", f"test: {self.meaning}", self.decimals, self._names(f"test_{self.name}"))

    def _names(self, name: str) -> tuple[str, ...]:
        return (name,) if self.decimals else ()


MEASURES = (
    Measure("loss", "cross-entropy plus regularisation", decimals=6),
    Measure("accuracy", "fraction of correct predictions"),
    Measure("top_5_accuracy", "fraction of images whose class is among the top five; with more than 5 classes"),
    Measure("true_positives", "images of class 1 predicted as class 1", decimals=0, binary=True),
    Measure("false_positives", "images of class 0 predicted as class 1", decimals=0, binary=True),
    Measure("true_negatives", "images of class 0 predicted as class 0", decimals=0, binary=True),
    Measure("false_negatives", "images of class 1 predicted as class 0", decimals=0, binary=True),
    Measure("precision", "fraction of correct predictions among those of class 1", binary=True),
    Measure("recall", "fraction of the images of class 1 that were predicted as class 1", binary=True),
    Measure("auc", "area under the ROC curve", binary=True),
    Measure("prc", "area under the precision-recall curve", binary=True),
)
"""In the order in which they are printed."""
_PARAMETERS = Line("Number of parameters", "weights of backbone and head", 0, ("parameters",))
_TRAINABLE = Line("Number of trainable parameters", "trained weights", 0, ("trainable_parameters",))
_FROZEN = Line("Number of non-trainable parameters", "frozen weights", 0, ("non_trainable_parameters",))
_TOTAL = Line("Total training duration", "seconds for all epochs", 3, ("training_duration",))
_PER_EPOCH = Line("Average training duration per epoch", "seconds", 3, ("training_duration_per_epoch",))
_LATENCY = Line("Test evaluation latency", "seconds for the test channel", 3, ("test_evaluation_latency",))
_PER_IMAGE = Line("Average test latency per sample", "seconds per image", 6, ("test_latency_per_sample",))
_THROUGHPUT = Line("Average test throughput", "images per second", 3, ("test_throughput",))
_SUMMARY = (_PARAMETERS, _TRAINABLE, _FROZEN, _TOTAL, _PER_EPOCH, _LATENCY, _PER_IMAGE, _THROUGHPUT)


def lines() -> tuple[Line, ...]:
    """Return every declared line, in the order of the log."""
    parts = ([getattr(measure, part) for measure in MEASURES] for part in ("training", "validation", "test"))
    training, validation, test = parts
    return (*training, *validation, *_SUMMARY[:5], *test, *_SUMMARY[5:])


def metric_names(binary: bool, classes: int) -> tuple[str, ...]:
    """Return the names of the measured metrics in the order of the log; those of validation have the prefix `val_`."""

    def measured(measure: Measure) -> bool:
        return binary if measure.binary else measure.name != "top_5_accuracy" or (classes > 5 and not binary)

    return tuple(measure.name for measure in MEASURES if measured(measure))


def of_validation(measured: Mapping[str, float]) -> dict[str, float]:
    """Return metrics that were measured on the validation images under their names in Keras logs."""
    return {f"{_VALIDATION}{name}": value for name, value in measured.items()}


def epoch_line(step: int, steps: int, seconds: float, logs: Mapping[str, float]) -> str:
    """Return the line of one epoch, `92/92 - 30s - loss: 0.410000 - accuracy: 0.9100 - val_loss: …`.

    Raises:
        ValueError: `logs` holds a metric that is not declared here.
    """
    return " ".join([f"{step}/{steps} - {seconds:.0f}s", *_shown(logs, _order(validation_accuracy_last=False))])


def final_lines(logs: Mapping[str, float]) -> list[str]:
    """Return the metrics of the best epoch, one line each, `val_accuracy` last, since tuning takes the last match.

    Raises:
        ValueError: `logs` holds a metric that is not declared here.
    """
    return _shown(logs, _order(validation_accuracy_last=True))


def parameter_lines(total: int, trainable: int) -> list[str]:
    """Return the lines with the numbers of weights."""
    return [_PARAMETERS.show(total), _TRAINABLE.show(trainable), _FROZEN.show(total - trainable)]


def duration_lines(total_seconds: float, epochs: int) -> list[str]:
    """Return the lines on the training duration; without an average if there was no epoch."""
    average = [_PER_EPOCH.show(total_seconds / epochs)] if epochs else []
    return [_TOTAL.show(total_seconds), *average]


def test_lines(logs: Mapping[str, float], latency_seconds: float, images: int) -> list[str]:
    """Return the lines on the test channel; latency and throughput are per image, not per batch.

    Raises:
        ValueError: `logs` (names without a prefix) holds a metric that is not declared here.
    """
    shown = [*_shown(logs, [(measure.name, measure.test) for measure in MEASURES]), _LATENCY.show(latency_seconds)]
    if images and latency_seconds > 0:
        shown += [_PER_IMAGE.show(latency_seconds / images), _THROUGHPUT.show(images / latency_seconds)]
    return shown


def definitions() -> list[dict[str, str]]:
    """Return MetricDefinitions for CreateTrainingJob: at most 40; names within 255 characters, regexes within 500."""
    return [{"Name": name, "Regex": line.regex} for line in lines() for name in line.names]


def unreadable(text: str) -> str:
    r"""Return a text in which metric definitions read no number, such as `- loss:\x200.5` for a class of that name.

    Published definitions look for `val_accuracy: ` without the dash too.
    """
    return _readable().sub(r"\1:\\x20", text)


@functools.cache
def _readable() -> re.Pattern[str]:
    labels = [f"- {line.label}" for line in lines()] + [measure.validation.label for measure in MEASURES]
    return re.compile(f"({'|'.join(map(re.escape, labels))}): (?=[0-9.])")


def _order(validation_accuracy_last: bool) -> list[tuple[str, Line]]:
    training = [(measure.name, measure.training) for measure in MEASURES]
    validation = [(measure.validation.label, measure.validation) for measure in MEASURES]
    if validation_accuracy_last:
        validation.sort(key=lambda named: named[0] == "val_accuracy")
    return training + validation


def _shown(logs: Mapping[str, float], order: Sequence[tuple[str, Line]]) -> list[str]:
    if undeclared := logs.keys() - {name for name, _ in order}:
        raise ValueError(f"not declared in contract/metrics.py: {', '.join(sorted(undeclared))}")
    return [line.show(logs[name]) for name, line in order if name in logs]

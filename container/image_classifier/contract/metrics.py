"""Every number in the log, declared once: the printed line and the regular expression that reads it again.

The platform takes the last match of an expression as the metric's final value (HyperParameterTuningJobObjective), so
what is printed after the best epoch's lines must match none of theirs. Numbers are plain decimals: an expression reads
`1e-05` as 1.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

OBJECTIVE = "validation:accuracy"
"""The tuning objective of the developer guide, to be maximised."""
_NUMBER = r"([0-9\.]+)"


@dataclass(frozen=True)
class Line:
    """A label and its number in the log, and the names under which the platform collects it."""

    label: str
    meaning: str
    decimals: int
    names: tuple[str, ...]
    """Empty: printed, but not collected, for the platform takes 40 definitions."""

    @property
    def regex(self) -> str:
        """The expression whose first group is the number."""
        return f"- {self.label}: {_NUMBER}"

    def show(self, value: float) -> str:
        """Write the line; what is no number is shown as nan or inf, which the expression does not match."""
        return f"- {self.label}: {value:z.{self.decimals}f}"


@dataclass(frozen=True)
class Measure:
    """What an evaluation yields, under the name that it has in Keras' logs."""

    name: str
    meaning: str
    decimals: int = 4
    binary: bool = False
    """Whether it is measured in binary mode alone."""

    @property
    def training(self) -> Line:
        """The number on the training images."""
        return Line(self.name, f"training: {self.meaning}", self.decimals, self._names(f"train_{self.name}"))

    @property
    def validation(self) -> Line:
        """The number on the validation images."""
        # The guide's and JumpStart's names of the same number.
        others = (OBJECTIVE, "tflow-ic:val-accuracy") if self.name == "accuracy" else ()
        label = f"val_{self.name}"
        return Line(label, f"validation: {self.meaning}", self.decimals, (*others, label))

    @property
    def test(self) -> Line:
        """The number on the test images."""
        return Line(f"Test {self.name}", f"test: {self.meaning}", self.decimals, self._names(f"test_{self.name}"))

    def _names(self, name: str) -> tuple[str, ...]:
        return (name,) if self.decimals else ()


MEASURES = (
    Measure("loss", "cross-entropy, with the penalties of the weights", decimals=6),
    Measure("accuracy", "share of right answers"),
    Measure("top_5_accuracy", "share of images whose class is among the five most probable; with more than 5 classes"),
    Measure("true_positives", "images of class 1 answered so", decimals=0, binary=True),
    Measure("false_positives", "images of class 0 answered as class 1", decimals=0, binary=True),
    Measure("true_negatives", "images of class 0 answered so", decimals=0, binary=True),
    Measure("false_negatives", "images of class 1 answered as class 0", decimals=0, binary=True),
    Measure("precision", "right share of the answers that say class 1", binary=True),
    Measure("recall", "share of the images of class 1 that were found", binary=True),
    Measure("auc", "area under the ROC curve", binary=True),
    Measure("prc", "area under the precision-recall curve", binary=True),
)
"""In the order in which they are printed."""
_PARAMETERS = Line("Number of parameters", "weights of backbone and head", 0, ("parameters",))
_TRAINABLE = Line("Number of trainable parameters", "weights that were trained", 0, ("trainable_parameters",))
_FROZEN = Line("Number of non-trainable parameters", "weights that were not", 0, ("non_trainable_parameters",))
_TOTAL = Line("Total training duration", "seconds of all epochs", 3, ("training_duration",))
_PER_EPOCH = Line("Average training duration per epoch", "seconds", 3, ("training_duration_per_epoch",))
_LATENCY = Line("Test evaluation latency", "seconds for the test channel", 3, ("test_evaluation_latency",))
_PER_IMAGE = Line("Average test latency per sample", "seconds an image", 6, ("test_latency_per_sample",))
_THROUGHPUT = Line("Average test throughput", "images a second", 3, ("test_throughput",))
_SUMMARY = (_PARAMETERS, _TRAINABLE, _FROZEN, _TOTAL, _PER_EPOCH, _LATENCY, _PER_IMAGE, _THROUGHPUT)


def lines() -> tuple[Line, ...]:
    """Return every declared line, in the order of the log."""
    parts = ([getattr(measure, part) for measure in MEASURES] for part in ("training", "validation", "test"))
    training, validation, test = parts
    return (*training, *validation, *_SUMMARY[:5], *test, *_SUMMARY[5:])


def metric_names(binary: bool, classes: int) -> tuple[str, ...]:
    """Return the names of what is measured, in the order of the log; validation's carry `val_` before them."""

    def measured(measure: Measure) -> bool:
        return binary if measure.binary else measure.name != "top_5_accuracy" or (classes > 5 and not binary)

    return tuple(measure.name for measure in MEASURES if measured(measure))


def epoch_line(step: int, steps: int, seconds: float, logs: Mapping[str, float]) -> str:
    """Return the line of one epoch, `92/92 - 30s - loss: 0.410000 - accuracy: 0.9100 - val_loss: …`.

    Raises:
        ValueError: `logs` holds a metric that is not declared here.
    """
    return " ".join([f"{step}/{steps} - {seconds:.0f}s", *_shown(logs, _order(validation_accuracy_last=False))])


def final_lines(logs: Mapping[str, float]) -> list[str]:
    """Return the best epoch once more, a line a metric, `val_accuracy` last: tuning takes the last match.

    Raises:
        ValueError: `logs` holds a metric that is not declared here.
    """
    return _shown(logs, _order(validation_accuracy_last=True))


def parameter_lines(total: int, trainable: int) -> list[str]:
    """Return the lines that count the weights."""
    return [_PARAMETERS.show(total), _TRAINABLE.show(trainable), _FROZEN.show(total - trainable)]


def duration_lines(total_seconds: float, epochs: int) -> list[str]:
    """Return the lines on the time of training; none an epoch when there was no epoch."""
    average = [_PER_EPOCH.show(total_seconds / epochs)] if epochs else []
    return [_TOTAL.show(total_seconds), *average]


def test_lines(logs: Mapping[str, float], latency_seconds: float, images: int) -> list[str]:
    """Return the lines on the test channel; latency and throughput are an image's, not a batch's.

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

"""What a measurement says about the whole job: seconds by phase, memory, and the cost from a price."""

from collections.abc import Sequence
from dataclasses import dataclass

from image_classifier.console.estimating import watched_job as job
from image_classifier.console.estimating.request import TRIALS, Sizes
from image_classifier.console.estimating.watched_job import Watched
from image_classifier.contract import contradictions, plan_rules
from image_classifier.contract.hyperparameters import Hyperparameters

DEFAULT_TRIALS = 100
_FLOAT = 4
"""Bytes of a feature."""
_COPIES = 3
"""Of the features that the cross-validation of a head holds at a time."""
_STEP_BY_PASS = 3.0
"""Cost of a training step in forward passes, of which the backward pass takes two. It only splits a measured time."""


@dataclass(frozen=True)
class Measurement:
    """The small job, and what it had to do."""

    watched: Watched
    decode_seconds: float
    """Of one image on one CPU."""
    rows: int
    classes: int
    load: float
    """Load average of the minute before it began."""


@dataclass(frozen=True)
class Phase:
    """A part of the job."""

    name: str
    seconds: float


@dataclass(frozen=True)
class Estimate:
    """What is expected of the whole job."""

    phases: tuple[Phase, ...]
    tuning_seconds: float
    """At most, in addition, if recipe=auto tunes the network; 0: it does not."""
    memory_bytes: int
    busy: bool
    """Whether the machine was busy during the measurement, so that the job may be faster."""
    limited: bool = False
    """Whether the time budget ends it."""

    @property
    def seconds(self) -> float:
        """The whole job without tuning."""
        return sum(phase.seconds for phase in self.phases)

    def cost(self, price: float) -> float:
        """Return the cost of the job at a price for an hour, for an instance that is as fast as this machine."""
        return price * self.seconds / 3600

    def most_cost(self, price: float) -> float:
        """Return the cost including the longest tuning."""
        return price * (self.seconds + self.tuning_seconds) / 3600


def predict(
    values: Hyperparameters, sizes: Sizes, features: Measurement, pixels: Measurement | None, processors: int, gpu: bool
) -> Estimate:
    """Return the estimate of a job.

    Args:
        values: Its hyperparameters.
        sizes: Its images, before a part is held out.
        features: A small job with a frozen network.
        pixels: A small job that trains all of the network; None where none is needed.
        processors: CPUs that decode.
        gpu: Whether this machine has a GPU.
    """
    split = sizes.split(values.validation_split_ratio)
    found = _Work(values, split, features)
    phases = [Phase("start", features.watched.marks[job.LOADED])]
    if pixels:
        phases += _whole_network(values, split, pixels, processors)
    else:
        phases += [Phase("features", found.features), Phase("head", found.head)]
    phases.append(Phase("export, checks and report", found.finish))
    tuning = _tuning(values, split, gpu)
    bytes_of_features = max(split.total - features.rows, 0) * features.watched.features * _FLOAT * _COPIES
    memory = max(measured.watched.peak_bytes for measured in (features, pixels) if measured) + bytes_of_features
    busy = max(measured.load for measured in (features, pixels) if measured) > processors / 2
    return _within_budget(Estimate(tuple(phases), tuning, memory, busy), values)


@dataclass(frozen=True)
class _Work:
    values: Hyperparameters
    sizes: Sizes
    measured: Measurement

    @property
    def _marks(self) -> dict[str, float]:
        return dict(self.measured.watched.marks)

    @property
    def _small(self) -> Sizes:
        rows, classes = self.measured.rows, self.measured.classes
        return Sizes(rows, 0, 0, classes, rows // max(classes, 1)).split(self.values.validation_split_ratio)

    @property
    def row_seconds(self) -> float:
        """One image's decoding and features, once the network is warm."""
        progress = self.measured.watched.progress
        return _slope(progress.get(job.TRAINING, []), progress.get(job.VALIDATION, []))

    @property
    def features(self) -> float:
        """Everything from the loaded network to the last features."""
        marks, rows = self._marks, self.measured.rows
        after = marks.get(job.HEAD) or self._first_epoch_begins()
        fixed = max(after - marks[job.LOADED] - self.row_seconds * rows, 0.0)
        return fixed + self.row_seconds * self.sizes.total

    def _first_epoch_begins(self) -> float:
        last = self.measured.watched.progress.get(job.VALIDATION) or self.measured.watched.progress[job.TRAINING]
        return last[-1][0]

    @property
    def head(self) -> float:
        """The fit of the head, with its cross-validation, its epochs or its trials."""
        marks, epochs = self._marks, self.measured.watched.epochs
        growth = self.sizes.training * self.sizes.classes / max(self._small.training * self._small.classes, 1)
        if self.values.recipe == contradictions.AUTO:
            return (marks[job.TRAINED] - marks[job.HEAD]) * growth
        begins = self._first_epoch_begins()
        if self.values.recipe == contradictions.SEARCH:
            trials = self.values.search_trials or DEFAULT_TRIALS
            return (marks[job.TRAINED] - begins) / TRIALS * trials * growth
        each = (epochs[-1] - epochs[0]) / max(len(epochs) - 1, 1)
        return max(epochs[0] - begins - each, 0.0) + each * growth * self.values.epochs

    @property
    def finish(self) -> float:
        """Export, conversion, verification by a fresh process, and the report."""
        more = max(self.sizes.validation - self._small.validation, 0)
        return self._marks[job.ENDED] - self._marks[job.TRAINED] + more * self.row_seconds


def _slope(*parts: Sequence[tuple[float, int]]) -> float:
    """Return seconds per image between the first and the last line of progress of each part."""
    seconds, images = 0.0, 0
    for part in parts:
        if len(part) > 1:
            seconds += part[-1][0] - part[0][0]
            images += part[-1][1] - part[0][1]
    if images:
        return seconds / images
    return 0.0


def _whole_network(values: Hyperparameters, sizes: Sizes, measured: Measurement, processors: int) -> list[Phase]:
    epochs, rows = measured.watched.epochs, measured.rows
    small = Sizes(rows, 0, 0, measured.classes, 1).split(values.validation_split_ratio)
    each = (epochs[-1] - epochs[0]) / (len(epochs) - 1)
    row = each / (small.training + small.validation / _STEP_BY_PASS)
    first = max(epochs[0] - measured.watched.marks[job.LOADED] - each, 0.0)
    decoding = measured.decode_seconds / max(processors, 1) * max(sizes.total - rows, 0)
    whole = row * (sizes.training + sizes.validation / _STEP_BY_PASS) * values.epochs
    return [Phase("first images", first + decoding), Phase(f"{values.epochs} epochs", whole)]


def _tuning(values: Hyperparameters, sizes: Sizes, gpu: bool) -> float:
    if values.recipe != contradictions.AUTO or values.train_only_top_layer:
        return 0.0
    if sizes.smallest_class < plan_rules.TUNED_CLASS_IMAGES:
        return 0.0
    return plan_rules.GPU_TUNING_SECONDS if gpu else plan_rules.CPU_TUNING_SECONDS


def _within_budget(found: Estimate, values: Hyperparameters) -> Estimate:
    if not values.max_runtime:
        return found
    left = max(values.max_runtime - found.seconds, 0.0)
    limited = found.seconds > values.max_runtime
    tuning = left if found.tuning_seconds else 0.0
    return Estimate(found.phases, tuning, found.memory_bytes, found.busy, limited)

"""Parser of a training job's log: each line becomes a typed event, for the terminal and the console."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

_SETTING = re.compile(r"(?P<name>[a-z0-9_]+) = (?P<value>.*) \((?P<source>[^()]*)\)")
_PROGRESS = re.compile(r"(?P<phase>[^:]+): (?P<done>\d+)/(?P<total>\d+) images, (?P<seconds>\d+) s")
_EPOCH = re.compile(r"\d+/\d+ - (?P<seconds>\d+)s(?P<metrics>(?: - \w+: \S+)+)")
_METRIC = re.compile(r"- (?P<name>\w+): (?P<value>\S+)")
_PART = re.compile(
    r"(?P<part>training|validation|test): (?P<images>\d+) images of (?P<classes>\d+) classes "
    r"\((?P<counts>.*)\)"
)
_RESUMED = re.compile(r".* from a checkpoint: .*?(?P<epochs>\d+) epochs measured before\.")
_SUMMARY = re.compile(r"- [A-Za-z_][\w -]*: -?[\d.e+]+")
_PROBLEM = re.compile(r"(?:WARNING|UserError|AlgorithmError|PlatformError)\b.*")


@dataclass(frozen=True)
class Setting:
    """A hyperparameter and where its value comes from."""

    name: str
    value: str
    source: str

    @property
    def is_given(self) -> bool:
        """Whether the user gave it."""
        return self.source == "given"


@dataclass(frozen=True)
class Progress:
    """The progress of a phase, in images."""

    phase: str
    done: int
    total: int
    seconds: int
    """Since the phase began."""


@dataclass(frozen=True)
class Epoch:
    """The metrics of an epoch, by the names of the log."""

    metrics: Mapping[str, float]
    seconds: int
    """Its duration."""


@dataclass(frozen=True)
class Part:
    """Images of one part of the data: training, validation or test."""

    name: str
    images: int
    classes: int
    counts: str
    """Class names, each with its number of images."""


@dataclass(frozen=True)
class Resumed:
    """The job resumes from a checkpoint."""

    epochs: int
    """Measured before."""


@dataclass(frozen=True)
class Summary:
    """A line of the closing block, which metric definitions match."""


@dataclass(frozen=True)
class Problem:
    """An error or a warning."""

    text: str


@dataclass(frozen=True)
class Note:
    """Any other line."""

    text: str


Event = Setting | Progress | Epoch | Part | Resumed | Summary | Problem | Note


def read(line: str) -> Event:
    """Return the event of a line of the log."""
    for pattern, event in _EVENTS:
        if found := pattern.fullmatch(line):
            return event(found)
    return Note(line)


def _epoch(found: re.Match[str]) -> Event:
    pairs = _METRIC.finditer(found["metrics"])
    return Epoch({pair["name"]: float(pair["value"]) for pair in pairs}, int(found["seconds"]))


_EVENTS: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], Event]], ...] = (
    (
        _PROGRESS,
        lambda found: Progress(found["phase"], int(found["done"]), int(found["total"]), int(found["seconds"])),
    ),
    (_EPOCH, _epoch),
    (_SUMMARY, lambda found: Summary()),
    (_PROBLEM, lambda found: Problem(found[0])),
    (_PART, lambda found: Part(found["part"], int(found["images"]), int(found["classes"]), found["counts"])),
    (_RESUMED, lambda found: Resumed(int(found["epochs"]))),
    (_SETTING, lambda found: Setting(found["name"], found["value"], found["source"])),
)

"""What the screen says of a model, in words: the columns of the list, the comparison, and the defaults."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from image_classifier.console.catalogue.availability import Availability
from image_classifier.console.catalogue.listing import UNKNOWN_LICENCE, Row
from image_classifier.contract.hyperparameters import DECLARATIONS
from image_classifier.model_hub import packages
from image_classifier.model_hub.catalogue import CatalogueModel

NOT_MEASURED = "not measured"
_PLACES = {
    Availability.STAGED: "Staged",
    Availability.CACHED: "Downloaded",
    Availability.PACKAGE: "Package index",
    Availability.HUB: "TensorFlow Hub",
}


@dataclass(frozen=True)
class Column:
    """A column of the list, and a line of the comparison."""

    key: str
    """In `listing.ORDERS`."""
    title: str
    meaning: str
    """What the number is, for a tooltip and below the table."""
    show: Callable[[Row], str | None]
    """None: unknown or not measured."""
    best: Callable[[Row], float | None] | None = None
    """What is best when it is lowest; None: nothing is better."""


def place(row: Row) -> str:
    """Return where a model is, in a few words."""
    return _PLACES[row.place]


def size(row: Row) -> str:
    """Return the input size, height by width, such as 224 × 224."""
    height, width = row.model.image_size
    return f"{height} × {width}"


def parameters(row: Row) -> str | None:
    """Return the number of parameters without the head, such as 3.4 M."""
    count = row.model.parameters
    return None if count is None else f"{count / 1e6:.3g} M"


def _here(row: Row) -> str | None:
    return None if row.speed is None else f"{row.speed.milliseconds:.3g} ms"


def _speed(row: Row) -> str | None:
    return None if row.measured is None else f"{1000 / row.measured.images_per_second:.3g} ms"


def _memory(row: Row) -> str | None:
    return None if row.measured is None else f"{row.measured.serving_megabytes:,} MB"


def _accuracy(row: Row) -> str | None:
    found = row.measured and row.measured.accuracy
    return None if not found else f"{100 * found:.1f} %"


def _negative_accuracy(row: Row) -> float | None:
    found = row.measured and row.measured.accuracy
    return None if not found else -found


COLUMNS = (
    Column("size", "Input", "pixels of the images that the network sees", size, lambda row: None),
    Column("parameters", "Parameters", "without the head", parameters, lambda row: row.model.parameters),
    Column("here", "Here", "one image on this machine, without decoding it", _here, lambda row: row.here_milliseconds),
    Column(
        "speed",
        "2 CPUs",
        "one image on the 2 CPUs of the benchmark's machine, by OpenVINO",
        _speed,
        lambda row: None if row.measured is None else 1 / row.measured.images_per_second,
    ),
    Column(
        "memory",
        "Memory",
        "of a process that serves it by OpenVINO",
        _memory,
        lambda row: None if row.measured is None else row.measured.serving_megabytes,
    ),
    Column(
        "accuracy",
        "Accuracy",
        "of a head on its frozen features, on held-out photographs of solar cells",
        _accuracy,
        _negative_accuracy,
    ),
    Column("licence", "Licence", "of the weights", lambda row: row.model.licence or UNKNOWN_LICENCE),
    Column("place", "Where", "staged and downloaded models work offline; the others are fetched once", place),
)
"""Of the list, from left to right, after the name and the family."""


@dataclass(frozen=True)
class Cell:
    """One value of the comparison."""

    text: str
    best: bool
    """Whether it is the best of those that are known."""


def compared(rows: Sequence[Row]) -> list[tuple[Column, list[Cell]]]:
    """Return a line for each fact with its value for each model; the best of a line is marked."""
    return [(column, _cells(column, rows)) for column in COLUMNS]


def _cells(column: Column, rows: Sequence[Row]) -> list[Cell]:
    values = [column.best(row) if column.best else None for row in rows]
    known = [value for value in values if value is not None]
    best = min(known) if len(set(known)) > 1 else None
    return [
        Cell(column.show(row) or NOT_MEASURED, best is not None and value == best)
        for row, value in zip(rows, values, strict=True)
    ]


@dataclass(frozen=True)
class Fact:
    """One line about a model."""

    name: str
    value: str


def about(row: Row) -> list[Fact]:
    """Return the facts about a model that do not change on this machine."""
    model = row.model
    wheel = packages.BACKBONES.get(model.package or "")
    source = f"Python package {wheel.package} {wheel.version}" if wheel else model.feature_vector_handles[0]
    found = [
        Fact("Family", model.family),
        Fact("Input", f"{size(row)} pixels"),
        Fact("Parameters", f"{parameters(row) or 'unknown'} without the head"),
        Fact("Licence", model.licence or UNKNOWN_LICENCE),
        Fact("Source", source),
        Fact("Full id", model.model_id),
    ]
    if model.tf1_format and not model.package:
        found.append(Fact("Training", "the head alone: its format, TensorFlow 1, cannot be fine-tuned"))
    return found + ([Fact("Note", model.notes)] if model.notes else [])


def defaults(model: CatalogueModel) -> list[Fact]:
    """Return the hyperparameters in which a model's defaults differ from those of all models, with the latter."""
    ours = {declared.name: declared.default for declared in DECLARATIONS}
    return [Fact(name, f"{value} instead of {ours[name]}") for name, value in model.hyperparameters.items()]

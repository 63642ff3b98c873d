"""What the verbs print: JSON documents, tables, ages and costs."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from image_classifier.cli.terminal import consoles
from image_classifier.runners.job import JobStatus

_UNITS = ((86_400, "d"), (3_600, "h"), (60, "min"))


def json_document(value: Any) -> None:
    """Print a value as JSON on standard output."""
    print(json.dumps(value, indent=2, ensure_ascii=False, default=str))


def job_document(status: JobStatus, folder: Path) -> None:
    """Print the status of a job as JSON."""
    epochs = [{"number": epoch.number, "metrics": dict(epoch.metrics)} for epoch in status.epochs]
    json_document({**vars(status), "epochs": epochs, "extra": dict(status.extra), "folder": str(folder)})


def line(text: str, style: str | None = None) -> None:
    """Print a line on standard output."""
    consoles.print_text(consoles.output(), text, style)


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print columns that are as wide as their longest cell."""
    widths = [max(len(row[column]) for row in (header, *rows)) for column in range(len(header))]
    for row in (header, *rows):
        print("  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip())


def age(seconds: float) -> str:
    """Return a duration in its largest unit, such as 3 h."""
    for size, unit in _UNITS:
        if seconds >= size:
            return f"{seconds / size:.0f} {unit}"
    return f"{max(seconds, 0):.0f} s"


def cost(price_per_hour: float, seconds: float, instances: int) -> str:
    """Return the cost of some instances in the currency of the price."""
    return f"{price_per_hour * seconds / 3_600 * instances:.2f}"

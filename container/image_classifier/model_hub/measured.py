"""Speed and memory of the catalogue's networks as the benchmark of the families measured them, read from measured.csv.

Models whose network was not measured have no entry.
"""

import csv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

DATA = Path(__file__).with_name("measured.csv")


@dataclass(frozen=True)
class Measured:
    """What the network of a model costs on the CPUs of the benchmark's machine."""

    images_per_second: float
    """Served by OpenVINO, one image after the other, without decoding and HTTP."""
    serving_megabytes: int
    """Memory of a process that serves it by OpenVINO."""
    head_milliseconds: float
    """Time per image of training the head alone, whose features are computed once."""
    accuracy: float | None
    """On held-out photographs of solar cells, head alone; 0 to 1; None: not measured."""


def read(lines: Iterable[str]) -> Mapping[str, Measured]:
    """Return the figures of a CSV by model id."""
    return MappingProxyType({row["model_id"]: _measured(row) for row in csv.DictReader(lines)})


def _measured(row: Mapping[str, str]) -> Measured:
    return Measured(
        images_per_second=float(row["images_per_second"]),
        serving_megabytes=int(row["serving_megabytes"]),
        head_milliseconds=float(row["head_milliseconds"]),
        accuracy=float(row["accuracy"]) if row["accuracy"] else None,
    )


MEASURED: Mapping[str, Measured] = read(DATA.read_text(encoding="utf-8").splitlines())

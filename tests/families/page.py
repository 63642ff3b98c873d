"""The page docs/reference/families.md, from the figures of one run of the benchmark."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "families.md"
DATA = PAGE.with_suffix(".json")
COMMAND = "scripts/benchmark families --write"


@dataclass(frozen=True, kw_only=True)
class Row:
    """The findings of one run about a network; text where a figure is missing."""

    name: str
    pixels: str
    sizes: str
    """Of the images that its SavedModel takes."""
    features: int
    parameters: int
    saved_megabytes: float
    """Of the trained model's SavedModel."""
    head_only: str
    whole_network: str
    head_milliseconds: float
    """Of training the head on one image's features, the one pass of the backbone included."""
    step_milliseconds: float | str
    """Of training the whole network, an image."""
    training_megabytes: int | str
    """Most that a process held while it trained the whole network in batches of `batch`."""
    batch: int
    pretrained: str
    """How it is served as a classifier, without training."""
    openvino: str
    largest_difference: float | str
    """Largest |Δp| between TensorFlow and OpenVINO."""
    spread: float
    """Between the images' probabilities, which says whether a difference could show at all."""
    tensorflow_rate: float
    openvino_rate: float | str
    """Images a second, one after the other."""
    tensorflow_megabytes: int
    openvino_megabytes: int | str
    """That a process holds which serves it."""


@dataclass(frozen=True)
class Run:
    """One run of the benchmark."""

    machine: str
    rows: Mapping[str, Row]
    note: str
    """What else must be known of how it was measured; may be empty."""


def read() -> Run:
    """Read the data of the last run that was kept."""
    found = json.loads(DATA.read_text())
    return Run(found["machine"], {name: Row(**row) for name, row in found["rows"].items()}, found.get("note", ""))


def write(run: Run) -> None:
    """Keep the data of a run, and write the page of it."""
    rows = {name: asdict(row) for name, row in run.rows.items()}
    DATA.write_text(
        json.dumps({"machine": run.machine, "note": run.note, "rows": rows}, indent=2, ensure_ascii=False) + "\n"
    )
    PAGE.write_text(text(run))


def text(run: Run) -> str:
    """Return the page."""
    rows = list(run.rows.values())
    batches = " or ".join(sorted({str(row.batch) for row in rows}, reverse=True))
    return f"""<!-- Written by tests/benchmarks/families.py --write from families.json beside it. -->

# The families, measured

Real graphs with **random weights**: nothing here says how well a network classifies. Each was saved as a model of the
Hub is, trained (head alone; whole network), written, loaded by a new process, and served by both engines. BatchNorm has
the statistics of synthetic images, so that answers differ from image to image.

`{COMMAND}` writes this page ({run.machine}).{f" {run.note}" if run.note else ""}

## What works

{_table(_WORKS, [_works(row) for row in rows])}

"Spread of p": how far a probability varies between the images, without which no difference could show. Networks that
do not convert are served by TensorFlow. Short versions of these graphs go the same way in `scripts/test --all`, one of
each structure in every run of `scripts/test`.

Of the catalogue's families these were not tried: Inception V1 and V2, PNASNet, CaiT, and the largest ones of each.

## What it costs

{_table(_COSTS, [_costs(row) for row in rows])}

Images/s: one after the other, without decoding and HTTP. MB: what the process holds, Python and libraries included;
while training, the most that it held, in batches of {batches} images. The head's time is that of the
one pass of the backbone; what follows on the features costs next to nothing.
"""


_WORKS = (
    *("network", "pixels", "sizes taken", "features", "head alone", "whole network", "pre-trained", "OpenVINO"),
    *("largest Δp", "spread of p"),
)
_COSTS = (
    *("network", "million parameters", "SavedModel, MB", "head, ms an image", "all, ms an image", "MB training all"),
    *("TensorFlow, images/s", "OpenVINO, images/s", "MB serving, TensorFlow", "MB serving, OpenVINO"),
)


def _table(header: tuple[str, ...], rows: list[list[object]]) -> str:
    lines = [header, ["---"] * len(header), *([_cell(value) for value in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value)


def _works(row: Row) -> list[object]:
    difference = row.largest_difference
    shown = difference if isinstance(difference, str) else f"{difference:.0e}"
    return [
        *(
            row.name,
            row.pixels,
            row.sizes,
            row.features,
            row.head_only,
            row.whole_network,
            row.pretrained,
            row.openvino,
        ),
        *(shown, f"{row.spread:.2f}"),
    ]


def _costs(row: Row) -> list[object]:
    return [
        *(row.name, f"{row.parameters / 1e6:.1f}", f"{row.saved_megabytes:.0f}", f"{row.head_milliseconds:.0f}"),
        *(_rounded(row.step_milliseconds), row.training_megabytes, _rounded(row.tensorflow_rate)),
        *(_rounded(row.openvino_rate), row.tensorflow_megabytes, row.openvino_megabytes),
    ]


def _rounded(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:.1f}" if value < 10 else f"{value:.0f}"


def empty_cells(run: Run) -> list[str]:
    """Return the names of cells without content, as network.field."""
    return [
        f"{name}.{field.name}"
        for name, row in run.rows.items()
        for field in fields(row)
        if getattr(row, field.name) in (None, "", [])
    ]

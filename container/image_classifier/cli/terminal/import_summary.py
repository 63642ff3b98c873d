"""What `scripts/import-model` prints: what changes for the clients and the operator of a model, with its answers."""

import shlex
from dataclasses import dataclass

from rich import box
from rich.table import Table

from image_classifier.artifacts import ModelInfo


@dataclass(frozen=True)
class AnswerComparison:
    """Answers of the artefact's own signature and of the imported model to the same image files."""

    images: int
    same_class: int
    median_difference: float
    """Of the largest |Δp| of each image."""
    largest_difference: float
    left_out: int
    """Images that one of both cannot decode."""
    synthetic: bool


@dataclass(frozen=True)
class Imported:
    """What was imported, and how it differs."""

    labels: tuple[str, ...]
    background: str
    """The class of the label file that the network does not have; empty: it has all."""
    info: ModelInfo
    engine: str
    reason: str | None
    """Why TensorFlow serves it; None: OpenVINO does."""
    answers: AnswerComparison | None
    """None: the artefact has no signature that takes encoded images."""
    bytes_before: int
    bytes_after: int


def table(found: Imported) -> Table:
    """Return what changes for the clients and the operator of the model."""
    height, width = found.info.image_size
    old = "in the graph" if found.answers else "in its script"
    background = f", without {found.background}" if found.background else ""
    shown = Table("", "artefact", "imported", box=box.SIMPLE, pad_edge=False)
    for row in (
        ("labels", f"{len(found.labels) + bool(found.background):,}", f"the same order{background}"),
        ("size and scaling", f"{height}x{width}, {found.info.pixel_scaling_method}", "the same"),
        ("decoding", old, "JPEG, PNG, GIF, BMP, WebP"),
        ("EXIF orientation", f"{old}, if at all", "applied"),
        ("resizing", old, f"{found.info.resize_method}, antialiased"),
        ("response keys", "probabilities, labels, …", "the same, more if asked"),
        ("invalid requests", "500", "4xx with a sentence"),
        ("engine", "TensorFlow", "TensorFlow" if found.reason else "OpenVINO; GPU: TensorFlow"),
        ("size", f"{found.bytes_before / 1e6:.1f} MB", f"{found.bytes_after / 1e6:.1f} MB"),
    ):
        shown.add_row(*row)
    return shown


def lines(found: Imported, output: str) -> list[str]:
    """Return the comparison of the answers, and the next commands."""
    answers = found.answers
    engine = [f"The model gets no OpenVINO IR: {found.reason}. TensorFlow serves the model."] if found.reason else []
    if answers is None:
        said = "The artefact has no signature that takes image files, so its own answers cannot be compared."
    else:
        kind = "synthetic images (--images DIR takes real ones)" if answers.synthetic else "images"
        said = (
            f"Answers to {answers.images:,} {kind}, the artefact's own signature against the imported model: the same "
            f"class for {answers.same_class:,}; a probability differs by {answers.median_difference:.4f} in the "
            f"median and {answers.largest_difference:.4f} at most."
        )
        if answers.left_out:
            said += f" {answers.left_out:,} image(s) that one of both cannot decode were left out."
    return [
        *engine,
        said,
        "Next:",
        f"  scripts/serve-locally {shlex.quote(output)}",
        f"  scripts/train-locally --training NEW_IMAGES --model {shlex.quote(output)}",
        f"  scripts/launch deploy {shlex.quote(output)} --name NAME",
    ]

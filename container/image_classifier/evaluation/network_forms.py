"""The forms of a model's network in its artefact: their sizes, and how each was compared with the one it was made of.

What is known is in the model info; artefacts are untrusted, so that values of another form are left out.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from image_classifier import artifacts
from image_classifier.evaluation import precisions, wording
from image_classifier.evaluation.evidence import Evidence

SAVED_MODEL = "saved_model"
"""Key of its size; those of the OpenVINO IRs are the names of their folders."""
_OPENVINO, _LEFT_OUT = "openvino", precisions.LEFT_OUT


@dataclass(frozen=True)
class Form:
    """One form of the network."""

    name: str
    bytes: int | None = None
    """None: unknown, or no file of its own."""
    reference: str = ""
    """What it was compared with; empty where it was not."""
    images: int | None = None
    """Of the comparison."""
    other_answers: float | None = None
    """Share of these images whose predicted class differs, [0, 1]."""
    largest_difference: float | None = None
    """Of a probability."""
    gate: precisions.Judged | None = None
    """Of a lower precision."""
    left_out: str = ""
    """Why the artefact has no such form, without a full stop."""


def sizes(model: Path) -> dict[str, int]:
    """Return the bytes of each form of a model folder's network that has files.

    Raises:
        UserError: The folder has no SavedModel.
    """
    folders = {
        SAVED_MODEL: artifacts.saved_model_folder(model),
        artifacts.OPENVINO_DIR: model / artifacts.OPENVINO_DIR,
        artifacts.OPENVINO_INT8_DIR: model / artifacts.OPENVINO_INT8_DIR,
    }
    return {
        name: sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
        for name, folder in folders.items()
        if folder.is_dir()
    }


def describe(evidence: Evidence) -> tuple[Form, ...]:
    """Return the forms that are recorded or have files, the SavedModel first."""
    info, known = evidence.model_info, evidence.sizes
    found = [*_verified(info, known), *_converted(info, known), *_lower(info, known)]
    return tuple(found)


def sentence(one: Form) -> str:
    """Return what is known about a form, without a full stop."""
    if one.left_out:
        return f"left out: {one.left_out}"
    size = [wording.megabytes(one.bytes)] if one.bytes is not None else []
    if one.images is None or one.other_answers is None:
        return "; ".join([*size, "not compared"])
    compared = (
        f"{100 * one.other_answers:.2f} % other answers than {one.reference} on {wording.counted(one.images, 'image')}"
    )
    if one.largest_difference is not None:
        compared += f", largest difference of a probability {one.largest_difference:.0e}"
    if (gate := one.gate) is not None:
        compared += (
            f"; passed its gate: accuracy {gate.accuracy:.4f} (float32: {gate.accuracy_float32:.4f}), calibration "
            f"error {gate.calibration_change:+.4f}"
        )
        compared += ", on images on which the head was fitted too" if gate.fitted else ""
    return "; ".join([*size, compared])


def _verified(info: Mapping[str, Any], known: Mapping[str, int]) -> Iterator[Form]:
    size, compared = known.get(SAVED_MODEL), _compared(_mapping(info, "verification"))
    if size is not None or compared:
        yield Form("SavedModel, float32", size, "the network in training" if compared else "", **compared)


def _converted(info: Mapping[str, Any], known: Mapping[str, int]) -> Iterator[Form]:
    entry, size = _mapping(info, _OPENVINO), known.get(artifacts.OPENVINO_DIR)
    if reason := entry.get(_LEFT_OUT):
        yield Form("OpenVINO, float32", left_out=str(reason))
        return
    compared = _compared(entry)
    if size is not None or compared:
        yield Form("OpenVINO, float32", size, "the SavedModel" if compared else "", **compared)


def _lower(info: Mapping[str, Any], known: Mapping[str, int]) -> Iterator[Form]:
    for name, judged in precisions.judged(info).items():
        size = known.get(artifacts.OPENVINO_INT8_DIR) if name == precisions.INT8 else None
        if judged.left_out and judged.images is None:
            yield Form(f"OpenVINO, {name}", left_out=judged.left_out)
            continue
        yield Form(
            f"OpenVINO, {name}",
            size,
            "OpenVINO in float32",
            judged.images,
            judged.other_answers,
            judged.largest_difference,
            judged,
            judged.left_out,
        )


def _compared(entry: Mapping[str, Any]) -> dict[str, Any]:
    """Return the figures of a comparison; empty where one is missing or no number."""
    names = ("images", "other_answers", "largest_difference")
    images, others, difference = (precisions.finite(entry.get(name)) for name in names)
    if not images or others is None or difference is None:
        return {}
    return {"images": int(images), "other_answers": others / images, "largest_difference": difference}


def _mapping(info: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    found = info.get(key)
    return found if isinstance(found, Mapping) else {}

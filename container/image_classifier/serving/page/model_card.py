"""The model card of the web UI. Model folders are untrusted: values of an unexpected form are left out."""

import math
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import image_classifier
from image_classifier.inference.predictor import Predictor
from image_classifier.serving.page.samples import Sample, described

_LONGEST = 300
"""Characters of one text."""
_MOST_VERSIONS = 20
_MEASURES = {
    "test_accuracy": "Accuracy on test images",
    "test_top_5_accuracy": "Among the best 5, test images",
    "val_accuracy": "Accuracy on validation images",
    "val_top_5_accuracy": "Among the best 5, validation images",
}
"""The metrics of the training job that are shown, in this order."""
_PACKAGES = {"openvino": ("openvino",), "tensorflow": ("tensorflow", "tensorflow-cpu")}
"""Names of distributions by the first word of an engine's name."""


@dataclass(frozen=True)
class Measure:
    """An accuracy, 0 to 1, and the images it was measured on."""

    name: str
    value: float


@dataclass(frozen=True)
class Version:
    """A package and its version."""

    name: str
    version: str


@dataclass(frozen=True, kw_only=True)
class ModelCard:
    """Facts about a model and about the program that serves it."""

    name: str
    source: str | None
    licence: str | None
    finetuned: bool
    class_names: tuple[str, ...]
    height: int
    """Height of the network's input in pixels."""
    width: int
    engine: str
    familiarity: bool
    """Whether the model can tell how familiar an image is."""
    explain: bool
    """Whether the server computes which parts of an image a prediction rests on."""
    samples: tuple[Sample, ...]
    measures: tuple[Measure, ...]
    trained_with: tuple[Version, ...]
    served_by: tuple[Version, ...]


def build(predictor: Predictor, explain: bool = False, samples: Sequence[Path] = ()) -> ModelCard:
    """Build the model card of a loaded model; `samples` are the images that the server offers."""
    info, engine = predictor.info, predictor.engine.name
    if predictor.engine.precision != "f32":
        engine = f"{engine} {predictor.engine.precision}"
    height, width = info.image_size
    source = _text(info.source)
    return ModelCard(
        name=_text(info.model_id) or source or "Unnamed model",
        source=source if _text(info.model_id) else None,
        licence=_text(info.licence),
        finetuned=info.finetuned is True,
        class_names=predictor.labels,
        height=height,
        width=width,
        engine=engine,
        familiarity=predictor.familiarity is not None,
        explain=explain,
        samples=described(samples, predictor.labels),
        measures=_measures(info.extra.get("metrics")),
        trained_with=_versions(info.extra.get("versions")),
        served_by=_own_versions(engine),
    )


def _text(value: Any) -> str | None:
    return value[:_LONGEST] if isinstance(value, str) and value.strip() else None


def _measures(found: Any) -> tuple[Measure, ...]:
    values = found if isinstance(found, Mapping) else {}
    shown = ((name, _share(values.get(key))) for key, name in _MEASURES.items())
    return tuple(Measure(name, value) for name, value in shown if value is not None)


def _share(value: Any) -> float | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number and math.isfinite(value) and 0 <= value <= 1 else None


def _versions(found: Any) -> tuple[Version, ...]:
    entries = list(found.items())[:_MOST_VERSIONS] if isinstance(found, Mapping) else []
    named = ((_text(name), _text(version)) for name, version in entries)
    return tuple(Version(name, version) for name, version in named if name and version)


def _own_versions(engine: str) -> tuple[Version, ...]:
    packages = _PACKAGES.get(engine.split()[0], ())
    installed = [found for name in packages for found in metadata.distributions(name=name)]
    return (
        Version("image-classifier", image_classifier.__version__),
        *(Version(found.metadata["Name"], found.version) for found in installed),
        Version("Python", platform.python_version()),
    )

"""How the model was made, from its model info. Artefacts are untrusted: values of an unexpected form are left out."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from image_classifier.contract import names, parsing
from image_classifier.evaluation import network_forms, precisions, wording
from image_classifier.evaluation.evidence import Evidence
from image_classifier.evaluation.network_forms import Form
from image_classifier.evaluation.wording import counted

_CHOICES = {"head": "the head on the frozen backbone", "network": "the fine-tuned network"}
_LONGEST = 300
"""Characters of one value."""
_WITHOUT_EFFECT = (parsing.OUR_DEFAULT, parsing.MODELS_DEFAULT, parsing.CHOSEN)
"""Sources of values that the job was not given; where the recipe chooses, the record has a default in its place."""


@dataclass(frozen=True)
class Parity:
    """Whether the served model answers as the one in training did."""

    is_equal: bool | None
    """None: not verified."""
    detail: str


@dataclass(frozen=True)
class Calibrated:
    """What `calibration=temperature` did; nothing is known of a job without it."""

    temperature: float | None = None
    """By which the exported head was divided."""
    error_before: float | None = None
    error_after: float | None = None
    """Expected calibration error of the validation images, cross-fitted after."""
    left_out: str = ""


@dataclass(frozen=True)
class Provenance:
    """The last section, and some figures of the first."""

    name: str
    facts: tuple[tuple[str, str], ...]
    hyperparameters: tuple[tuple[str, str, str], ...]
    """Name, value and source of those that are not defaults."""
    versions: tuple[tuple[str, str], ...]
    timings: tuple[tuple[str, str], ...]
    total_time: str | None
    parity: Parity
    calibrated: Calibrated
    networks: tuple[Form, ...]


def describe(evidence: Evidence) -> Provenance:
    """Describe a model from the contents of its model info."""
    info = evidence.model_info
    timings = tuple((_text(name), wording.duration(seconds)) for name, seconds in evidence.timings.items())
    return Provenance(
        name=_text(info.get("model_id") or info.get("source") or "Image classifier"),
        facts=tuple(_facts(evidence)),
        hyperparameters=tuple(_hyperparameters(info)),
        versions=tuple((_text(name), _text(value)) for name, value in _mapping(info, "versions").items()),
        timings=timings,
        total_time=wording.duration(sum(evidence.timings.values())) if timings else None,
        parity=_parity(_mapping(info, "verification")),
        calibrated=_calibrated(_mapping(info, "calibration")),
        networks=tuple(replace(one, left_out=_text(one.left_out)) for one in network_forms.describe(evidence)),
    )


def _facts(evidence: Evidence) -> Iterator[tuple[str, str]]:
    info = evidence.model_info
    for key, label in (("model_id", "Backbone"), ("source", "Source"), ("licence", "Licence")):
        if info.get(key):
            yield label, _text(info[key])
    size = info.get("image_size")
    if isinstance(size, list | tuple) and len(size) == 2:
        yield "Input", f"{_text(size[0])} × {_text(size[1])} pixels"
    recipe = _mapping(info, "recipe")
    if recipe.get("chosen"):
        rule = f", since {recipe['rule']}" if recipe.get("rule") else ""
        yield "Recipe", _text(f"{_CHOICES.get(str(recipe['chosen']), recipe['chosen'])}{rule}")
    strength = precisions.finite(_mapping(recipe, "head").get("strength"))
    if strength is not None:
        yield "Regularisation", f"C = {strength:g}, by cross-validation"
    for split in evidence.splits:
        name = f"{split.name[:1].upper()}{split.name[1:]}"
        yield f"{name} data", _text(f"{counted(len(split), 'image')} in {split.folder}")
    yield "Classes", f"{len(evidence.class_names):,}"
    if digest := _mapping(info, "data").get("sha256"):
        yield "Fingerprint of the training data", _text(digest)
    if digest := info.get("sha256"):
        yield "Fingerprint of the model", _text(digest)


def _hyperparameters(info: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    sources = _mapping(info, "hyperparameter_sources")
    for name, value in _mapping(info, "hyperparameters").items():
        source = sources.get(name)
        if source not in _WITHOUT_EFFECT:
            yield _text(name), _text(value), _text(source or "")


def _parity(found: Mapping[str, Any]) -> Parity:
    if found.get("left_out") or not found:
        return Parity(None, _text(found.get("left_out") or "the model info has no verification"))
    images, others, difference = (
        precisions.finite(found.get(name)) for name in ("images", "other_answers", "largest_difference")
    )
    if images is None or others is None or difference is None:
        return Parity(None, "the verification's record is incomplete")
    same = f"{int(images - others):,} of {counted(int(images), 'answer')} equal"
    return Parity(others == 0, f"{same}, largest difference of a probability {wording.power(difference)}")


def _calibrated(found: Mapping[str, Any]) -> Calibrated:
    temperature, before, after = (
        precisions.finite(found.get(key)) for key in ("temperature", "ece_before", "ece_after")
    )
    return Calibrated(temperature, before, after, _text(found.get("left_out") or ""))


def _mapping(info: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    found = info.get(key)
    return found if isinstance(found, Mapping) else {}


def _text(value: Any) -> str:
    shown = names.on_one_line(str(value))
    return shown if len(shown) <= _LONGEST else f"{shown[:_LONGEST]}…"

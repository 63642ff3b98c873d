"""`evidence.npz`: an evaluation as a file, so that it can be opened again without images, network and libraries.

An .npz archive without pickle. `document` is JSON in UTF-8: the format's version and everything but arrays; the
other members are arrays that it names, and `features-SPLIT`, the inputs of the head, from which heads are fitted again.
Confusion matrix and scores are computed when it is opened. A file is untrusted: see `typed_json` and `svg.checked`.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from image_classifier import durable_files, own_files
from image_classifier.contract.errors import UserError, first_line
from image_classifier.evaluation import array_file, mistakes, scores, svg, typed_json
from image_classifier.evaluation.calibration import Calibration
from image_classifier.evaluation.duplicates import Duplicates
from image_classifier.evaluation.evidence import Evidence, Split
from image_classifier.evaluation.familiarity import Separation
from image_classifier.evaluation.judgement import Evaluation
from image_classifier.evaluation.label_issues import LabelIssue
from image_classifier.evaluation.occlusion import OcclusionMap
from image_classifier.evaluation.slices import Slice

VERSION = 1
MAX_BYTES = 256 * 2**20
"""Of all arrays: those of probabilities come first, then the features of all splits, or of none.

52,000 images of 1,280 features fit."""
_LARGEST = 2**30
"""Bytes of a file that is opened: beside the arrays it has names and sections."""
_DOCUMENT, _FEATURES = "document", "features-"
FEATURES = "features"
"""Entry of `Evaluation.left_out` of a file without features because of their size."""


@dataclass(frozen=True)
class Opened:
    """A file's content."""

    evaluation: Evaluation
    """Without traits, features and the model that scores unfamiliar images."""
    charts: Mapping[str, str]
    """SVG by name."""
    has_features: bool
    """Whether `features` of the file has those of training and judged images."""


@dataclass(frozen=True)
class _Record:
    """What is stored of an evaluation."""

    evidence: Evidence
    label_issues: tuple[LabelIssue, ...] | None
    duplicates: Duplicates | None
    slices: tuple[Slice, ...] | None
    calibration: Calibration | None
    separations: tuple[Separation, ...] | None
    familiarity: NDArray[np.float32] | None
    occlusion_maps: Mapping[int, OcclusionMap]
    left_out: Mapping[str, str]


def write(path: Path, evaluation: Evaluation, charts: Mapping[str, str]) -> str:
    """Write an evaluation and its charts durably; a link under that name is replaced.

    Beyond `MAX_BYTES` the features are left out, then the probabilities of all but the judged images. Returns why
    nothing was written: those of the judged images alone exceed it; else the empty string.

    Raises:
        OSError: The disk is full or not writable.
    """
    evidence = evaluation.evidence
    features = {split.name: split.features for split in evidence.splits if split.features is not None}
    of_judged, of_all = _size([evidence.judged.probabilities]), _size(one.probabilities for one in evidence.splits)
    if of_judged > MAX_BYTES:
        return f"the probabilities of {len(evidence.judged):,} images have more than {MAX_BYTES:,} bytes"
    others = evidence.others
    if of_all > MAX_BYTES:
        others = tuple(replace(split, probabilities=None) for split in others)
    left_out = dict(evaluation.left_out)
    if of_all + _size(features.values()) > MAX_BYTES:
        features = {}
        left_out[FEATURES] = f"with them {path.name} would hold more than {MAX_BYTES:,} bytes"
    arrays: dict[str, NDArray[Any]] = {}
    document = {
        "version": VERSION,
        "evaluation": typed_json.pack(_record(evaluation, others, left_out), arrays),
        "model_info": evidence.model_info,
        "charts": dict(charts),
    }
    arrays[_DOCUMENT] = np.frombuffer(json.dumps(document).encode(), np.uint8)
    arrays |= {f"{_FEATURES}{name}": values for name, values in features.items()}
    own_files.remove_link(path)
    with durable_files.writing(path) as file:
        np.savez(file, allow_pickle=False, **arrays)
    return ""


def read(path: Path) -> Opened:
    """Open an evaluation, without its features.

    Raises:
        UserError: The file is corrupt, or of another version of the program.
    """
    try:
        arrays = array_file.members(path, _LARGEST, lambda name: not name.startswith(_FEATURES))
        document = json.loads(arrays.pop(_DOCUMENT).tobytes())
        if document["version"] != VERSION:
            raise UserError(
                f"{path} is of version {document['version']}, and this program opens version {VERSION}. Use the "
                "program that wrote it, or train again."
            )
        record = typed_json.unpack(_Record, document["evaluation"], arrays)
        evidence = replace(record.evidence, model_info=dict(document["model_info"]))
        _check(evidence, record)
        charts = {str(name): svg.checked(str(text)) for name, text in document["charts"].items()}
    except (KeyError, TypeError, AttributeError, *array_file.UNREADABLE) as error:
        raise UserError(
            f"{path} is corrupt: {first_line(error)}. Copy the job's output again, or train again."
        ) from error
    return Opened(_evaluation(evidence, record), charts, _has_features(path, evidence.splits))


def features(path: Path, split: str) -> NDArray[np.float32]:
    """Return the features (n, D) of a split.

    Raises:
        UserError: The file is corrupt, or has none of this split.
    """
    name = f"{_FEATURES}{split}"
    try:
        found = array_file.members(path, _LARGEST, lambda each: each == name)
    except array_file.UNREADABLE as error:
        raise UserError(f"{path} is corrupt: {first_line(error)}. Train again.") from error
    if name not in found or found[name].ndim != 2 or found[name].dtype != np.float32:
        raise UserError(f"{path} has no features of the {split} images. Train with a frozen backbone.")
    return found[name]


def _record(evaluation: Evaluation, others: tuple[Split, ...], left_out: Mapping[str, str]) -> _Record:
    evidence = evaluation.evidence
    judged, *rest = (replace(split, features=None) for split in (evidence.judged, *others))
    return _Record(
        replace(evidence, judged=judged, others=tuple(rest), model_info={}),
        evaluation.label_issues,
        evaluation.duplicates,
        evaluation.slices,
        evaluation.calibration,
        evaluation.separations,
        evaluation.familiarity,
        evaluation.occlusion_maps,
        left_out,
    )


def _evaluation(evidence: Evidence, record: _Record) -> Evaluation:
    return Evaluation(
        evidence=evidence,
        score=scores.measure(evidence.judged, evidence.class_names),
        mistakes=mistakes.find(evidence.judged, len(evidence.class_names)),
        label_issues=record.label_issues,
        duplicates=record.duplicates,
        slices=record.slices,
        calibration=record.calibration,
        separations=record.separations,
        familiarity=record.familiarity,
        occlusion_maps=record.occlusion_maps,
        left_out=record.left_out,
    )


def _check(evidence: Evidence, record: _Record) -> None:
    """Raise ValueError where arrays and rows do not fit together."""
    classes, by_name = len(evidence.class_names), {split.name: split for split in evidence.splits}
    for split in evidence.splits:
        count, probabilities = len(split), split.probabilities
        fits = split.labels.shape == (count,) and (not count or 0 <= split.labels.min() <= split.labels.max() < classes)
        if not fits or (probabilities is not None and probabilities.shape != (count, classes)):
            raise ValueError(f"the arrays of the {split.name} images do not fit")
    judged = evidence.judged
    if judged.probabilities is None or not np.isfinite(judged.probabilities).all():
        raise ValueError("the judged images have no probabilities")
    places = [(one.split, one.row) for one in record.label_issues or ()]
    places += [(one.split, one.row) for group in _groups(record) for one in group]
    places += [(judged.name, row) for one in record.slices or () for row in one.rows]
    places += [(judged.name, row) for row in record.occlusion_maps]
    if any(name not in by_name or not 0 <= row < len(by_name[name]) for name, row in places):
        raise ValueError("it names an image that it does not have")
    indices = [index for one in record.label_issues or () for index in (one.given, one.suggested)]
    if any(not 0 <= index < classes for index in indices):
        raise ValueError("it names a class that it does not have")
    if record.familiarity is not None and record.familiarity.shape != (len(judged),):
        raise ValueError("the familiarity scores do not fit")


def _groups(record: _Record) -> Sequence[Sequence[Any]]:
    return [group.members for group in record.duplicates.groups] if record.duplicates else []


def _has_features(path: Path, splits: Sequence[Split]) -> bool:
    return {f"{_FEATURES}{split.name}" for split in splits} <= array_file.names(path)


def _size(arrays: Iterable[NDArray[np.float32] | None]) -> int:
    return sum(array.nbytes for array in arrays if array is not None)

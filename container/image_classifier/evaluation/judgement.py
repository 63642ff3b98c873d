"""The whole evaluation of a model: every section that its evidence allows."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from image_classifier.evaluation import (
    calibration,
    duplicates,
    familiarity,
    label_issues,
    mistakes,
    probes,
    scores,
    slices,
    traits,
)
from image_classifier.evaluation.calibration import Calibration
from image_classifier.evaluation.duplicates import Duplicates
from image_classifier.evaluation.evidence import TRAINING, VALIDATION, Evidence, Split
from image_classifier.evaluation.familiarity import FamiliarityModel, Separation
from image_classifier.evaluation.label_issues import LabelIssue
from image_classifier.evaluation.mistakes import Mistakes
from image_classifier.evaluation.occlusion import OcclusionMap
from image_classifier.evaluation.probes import Network
from image_classifier.evaluation.scores import Score
from image_classifier.evaluation.slices import Slice
from image_classifier.evaluation.traits import Traits

TRAINING_LABELS, FAMILIARITY, LEARNING_CURVE, OCCLUSION = (
    "labels of training images",
    "unfamiliar images",
    "learning curve",
    "occlusion maps",
)
"""Sections in `Evaluation.left_out`."""
_OF_THE_JOB = "the report of the job that trained the model has this part if its backbone was frozen"
_FROZEN = "features of a frozen backbone are needed: train with train_only_top_layer=True"


@dataclass(frozen=True)
class Evaluation:
    """All results; a section that could not be computed is None, and `left_out` says why."""

    evidence: Evidence
    score: Score
    mistakes: Mistakes
    label_issues: tuple[LabelIssue, ...] | None
    traits: Mapping[str, Sequence[Traits | None]] = field(default_factory=dict)
    """By the name of the split."""
    duplicates: Duplicates | None = None
    slices: tuple[Slice, ...] | None = None
    calibration: Calibration | None = None
    separations: tuple[Separation, ...] | None = None
    familiarity: NDArray[np.float32] | None = None
    """(n,) familiarity scores of the judged images, in [0, 1]."""
    familiarity_model: FamiliarityModel | None = None
    """What they were computed with."""
    occlusion_maps: Mapping[int, OcclusionMap] = field(default_factory=dict)
    """By the row of the judged split: of the first dozen of the confidently wrong images."""
    left_out: Mapping[str, str] = field(default_factory=dict)
    """Section to reason, without a full stop."""


def evaluate(
    evidence: Evidence,
    network: Network | None = None,
    *,
    known_images: FamiliarityModel | None = None,
    known_traits: Mapping[str, Sequence[Traits | None]] | None = None,
    occlusion_seconds: float = math.inf,
    check: Callable[[], None] = lambda: None,
) -> Evaluation:
    """Judge a model by everything that is known about it.

    Args:
        evidence: Its judged split has at least one image.
        network: For occlusion maps and artificial images; without it they are left out.
        known_images: Scores unfamiliar images; by default fitted where training images, features and head are known.
        known_traits: Traits of the images by the name of the split; read from their files by default.
        occlusion_seconds: Occlusion maps are computed as long as they fit into it.
        check: Called between the sections and within the longest; may raise.
    """
    found = of_arrays(evidence, known_images=known_images, known_traits=known_traits, check=check)
    return with_network(found, network, occlusion_seconds, check)


def of_arrays(
    evidence: Evidence,
    *,
    known_images: FamiliarityModel | None = None,
    known_traits: Mapping[str, Sequence[Traits | None]] | None = None,
    check: Callable[[], None] = lambda: None,
) -> Evaluation:
    """Judge a model by everything that takes no running network; the arguments are those of `evaluate`."""
    judged, left_out = evidence.judged, _lacking(evidence, known_images)
    check()
    issues = _label_issues(_before_calibration(evidence))
    of_splits = known_traits or {split.name: traits.read(split.paths, check) for split in evidence.splits}
    copies, groups = duplicates.find(evidence.splits, of_splits, check), slices.find(judged, of_splits[judged.name])
    check()
    reliability = calibration.measure(judged)
    check()
    model = None if FAMILIARITY in left_out else known_images or _fitted(evidence)
    return Evaluation(
        evidence=evidence,
        score=scores.measure(judged, evidence.class_names),
        mistakes=mistakes.find(judged, len(evidence.class_names)),
        label_issues=issues,
        traits=of_splits,
        duplicates=copies,
        slices=groups,
        calibration=reliability,
        separations=probes.left_out_classes(evidence, check) if model else None,
        familiarity=model.score(judged.features) if model and judged.features is not None else None,
        familiarity_model=model,
        left_out={**left_out, OCCLUSION: "the model could not be run for them"},
    )


def with_network(
    found: Evaluation, network: Network | None, occlusion_seconds: float, check: Callable[[], None] = lambda: None
) -> Evaluation:
    """Add what running the network shows, see `evaluate`: occlusion maps, and artificial images for the familiarity."""
    if network is None:
        return found
    left_out = {name: reason for name, reason in found.left_out.items() if name != OCCLUSION}
    judged, rows, separations = found.evidence.judged, found.mistakes.confidently_wrong, found.separations
    maps = probes.occlusion_maps(judged, rows, network, occlusion_seconds, check)
    if rows and not maps:
        left_out[OCCLUSION] = "there was no time left for them"
    if found.familiarity_model is not None and judged.features is not None:
        separations = (*probes.artificial(found.familiarity_model, judged.features, network), *(separations or ()))
    return replace(found, occlusion_maps=maps, separations=separations, left_out=left_out)


def _lacking(evidence: Evidence, known_images: FamiliarityModel | None) -> dict[str, str]:
    """Return the sections that the evidence has too little for, each with the reason."""
    training, found = evidence.training, {}
    if training is None:
        found[TRAINING_LABELS] = f"the training images are not known here; {_OF_THE_JOB}"
    elif training.probabilities is None:
        found[TRAINING_LABELS] = f"it takes heads that were fitted without these images, for which {_FROZEN}"
    if evidence.judged.features is None:
        found[FAMILIARITY] = _FROZEN
    elif known_images is None and evidence.head is None:
        found[FAMILIARITY] = f"the network was tuned after its features had been computed; {_FROZEN}"
    elif known_images is None and (training is None or training.features is None):
        found[FAMILIARITY] = f"the features of the training images are not known here; {_OF_THE_JOB}"
    if not evidence.learning_curve:
        found[LEARNING_CURVE] = _without_curve(training)
    return found


def _without_curve(training: Split | None) -> str:
    if training is None:
        return f"the training images are not known here; {_OF_THE_JOB}"
    return _FROZEN if training.features is None else "it takes at least four training images"


def _label_issues(splits: Sequence[Split]) -> tuple[LabelIssue, ...]:
    """Judge the rows that have probabilities, and return the issues with the rows of the whole splits."""
    known = {split.name: np.flatnonzero(_has_probabilities(split)) for split in splits}
    parts = [split.part(known[split.name]) for split in splits if len(known[split.name])]
    found = label_issues.find(parts)
    return tuple(replace(issue, row=int(known[issue.split][issue.row])) for issue in found)


def _before_calibration(evidence: Evidence) -> list[Split]:
    """Return the splits with the probabilities that their logits give before the division by the temperature.

    Those of training images are as they are: of heads that were never calibrated. The thresholds of label issues are
    means over all splits, and their bound was measured without a calibration.
    """
    found = []
    for split in evidence.splits:
        probabilities = split.probabilities
        is_calibrated = split is evidence.judged or split.name != TRAINING
        if probabilities is not None and is_calibrated and evidence.temperature != 1:
            probabilities = calibration.apply_temperature(probabilities, 1 / evidence.temperature)
        found.append(replace(split, probabilities=probabilities))
    return found


def _has_probabilities(split: Split) -> NDArray[np.bool_]:
    if split.probabilities is None:
        return np.zeros(len(split), bool)
    return np.asarray(np.isfinite(split.probabilities).all(axis=1))


def _fitted(evidence: Evidence) -> FamiliarityModel | None:
    """Fit the score of unfamiliar images; None without images to fit it on."""
    training, validation = evidence.training, evidence.split(VALIDATION) or evidence.judged
    if training is None or training.features is None or validation.features is None or evidence.head is None:
        return None
    return familiarity.fit(training.features, validation.features, evidence.head)

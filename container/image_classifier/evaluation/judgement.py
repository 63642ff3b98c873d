"""The whole evaluation of a model: every section that its evidence allows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from image_classifier.evaluation.calibration import Calibration
from image_classifier.evaluation.duplicates import Duplicates
from image_classifier.evaluation.evidence import Evidence
from image_classifier.evaluation.familiarity import Separation
from image_classifier.evaluation.label_issues import LabelIssue
from image_classifier.evaluation.mistakes import Mistakes
from image_classifier.evaluation.occlusion import OcclusionMap
from image_classifier.evaluation.scores import Score
from image_classifier.evaluation.slices import Slice
from image_classifier.evaluation.traits import Traits


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
    occlusion_maps: Mapping[int, OcclusionMap] = field(default_factory=dict)
    """By the row of the judged split: of the first dozen of the confidently wrong images."""
    left_out: Mapping[str, str] = field(default_factory=dict)
    """Section to reason, without a full stop."""


def write(evaluation: Evaluation, folder: Path, thumbnails: bool = True) -> None:
    """Write `report.html`, `evaluation.json`, `model_card.json` and `issues.csv` into a folder."""
    raise NotImplementedError

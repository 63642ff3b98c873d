"""Stage 0: the convex head by cross-validation."""

import time
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from image_classifier.heads import cross_validation, linear_head
from image_classifier.heads.cross_validation import Score, Selection
from image_classifier.heads.linear_head import LinearHead
from image_classifier.training.progress import log
from image_classifier.training.recipes import stage_store
from image_classifier.training.recipes.inputs import Inputs
from image_classifier.training.recipes.record import EarlierRecord, HeadRecord
from image_classifier.training.recipes.stage_store import Stage, StageStore
from image_classifier.training.stopping import raise_if_set

STAGE = "head"


@dataclass(frozen=True)
class FittedHead:
    """The head, how it was chosen, and what it was fitted on."""

    head: LinearHead
    """That of `selection`, or of an earlier job."""
    selection: Selection
    record: HeadRecord
    earlier: EarlierRecord | None = None
    """None without an earlier job's head."""

    @property
    def earlier_kept(self) -> bool:
        """Whether `head` is that of the earlier job."""
        return self.earlier is not None and self.earlier.kept


def run(inputs: Inputs, stages: StageStore) -> FittedHead:
    """Return the head of the strength that cross-validation chooses. Collective.

    Raises:
        JobStopped: The job was stopped before the head was fitted.
    """
    stage = stages.on_chief(STAGE, lambda: _selected(inputs))
    base = _selection(stage)
    record = HeadRecord(
        images=len(inputs.training.rows),
        features=base.head.kernel.shape[0],
        folds=base.folds,
        strength=base.strength,
        score=base.score,
        scores={f"{strength:g}": score for strength, score in sorted(base.scores.items())},
        seconds=stage.state["seconds"],
    )
    return FittedHead(base.head, base, record)


def fit_rows(inputs: Inputs, fitted: FittedHead, rows: NDArray[np.int64]) -> LinearHead:
    """Fit a head as `fitted` was, on some training images alone, by their indices int64 (m,). Collective.

    An earlier job's head is returned as it is.

    Raises:
        JobStopped: The job was stopped meanwhile.
    """
    if fitted.earlier_kept:
        return fitted.head
    training = inputs.training.rows

    def fit() -> Stage:
        labels = training.labels[rows]
        head = linear_head.fit(
            np.asarray(training.inputs)[rows],
            labels,
            len(inputs.class_names),
            fitted.selection.strength,
            binary=inputs.values.binary_mode,
            sample_weights=inputs.sample_weights(labels),
            check=lambda: raise_if_set(inputs.session.stop),
        )
        return Stage({}, head.arrays)

    return linear_head.from_arrays(stage_store.from_chief(inputs.session, fit).arrays)


def _selected(inputs: Inputs) -> Stage:
    started = time.monotonic()
    rows, values = inputs.training.rows, inputs.values
    log(f"Recipe: cross-validation of the head on {len(rows):,} images of {len(inputs.class_names)} classes")
    selection = cross_validation.select(
        np.asarray(rows.inputs),
        rows.labels,
        len(inputs.class_names),
        values.random_seed,
        binary=values.binary_mode,
        sample_weights=inputs.sample_weights(rows.labels),
        check=lambda: raise_if_set(inputs.session.stop),
    )
    return _packed(selection, time.monotonic() - started)


def _packed(selection: Selection, seconds: float) -> Stage:
    state = {
        "strength": selection.strength,
        "folds": selection.folds,
        # JSON has no mapping with numbers as keys.
        "scores": [[strength, asdict(score)] for strength, score in selection.scores.items()],
        "seconds": seconds,
    }
    return Stage(state, {**selection.head.arrays, "out_of_fold": selection.out_of_fold})


def _selection(stage: Stage) -> Selection:
    state, arrays = stage.state, stage.arrays
    scores = {strength: Score(**score) for strength, score in state["scores"]}
    return Selection(linear_head.from_arrays(arrays), state["strength"], arrays["out_of_fold"], scores, state["folds"])

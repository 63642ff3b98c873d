"""Stages 0 and 1: the convex head by cross-validation, and the enrichments that help it."""

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np
from numpy.typing import NDArray

from image_classifier.contract.plan_rules import COPIED_IMAGES
from image_classifier.heads import cross_validation, linear_head
from image_classifier.heads.cross_validation import Score, Selection
from image_classifier.heads.linear_head import LinearHead
from image_classifier.training.progress import log
from image_classifier.training.recipes import enrichments, stage_store
from image_classifier.training.recipes.enrichments import Rows, Trial, View
from image_classifier.training.recipes.inputs import Inputs
from image_classifier.training.recipes.record import CopiesRecord, EarlierRecord, EnrichmentRecord, HeadRecord
from image_classifier.training.recipes.stage_store import Stage, StageStore
from image_classifier.training.recipes.views import Views
from image_classifier.training.stopping import JobStopped, raise_if_set

HEAD, ENRICHMENTS = "head", "enrichments"
_FEWEST_WRONG = 3
"""Images that copies must gain at least to be kept, see `enrichments.Trial.kept`: 3 - 1 is more than the root of 3."""


@dataclass(frozen=True)
class FittedHead:
    """The head, how it was chosen, and what it was fitted on."""

    head: LinearHead
    """That of `selection`, or of an earlier job."""
    selection: Selection
    kept: tuple[View, ...]
    """Copies of the training images that it was fitted on too."""
    views: Views
    record: HeadRecord
    enrichments: EnrichmentRecord
    earlier: EarlierRecord | None = None
    """None without an earlier job's head."""

    @property
    def earlier_kept(self) -> bool:
        """Whether `head` is that of the earlier job."""
        return self.earlier is not None and self.earlier.kept


def run(inputs: Inputs, stages: StageStore) -> FittedHead:
    """Return the head of the best cross-validated accuracy, with the copies that raise it. Collective.

    A stop after the head was fitted leaves the enrichments out.

    Raises:
        JobStopped: The job was stopped before the head was fitted.
    """
    stage = stages.on_chief(HEAD, lambda: _selected(inputs))
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
    return _enriched(inputs, stages, FittedHead(base.head, base, (), Views(inputs), record, EnrichmentRecord()))


def fit_rows(inputs: Inputs, fitted: FittedHead, rows: NDArray[np.int64]) -> LinearHead:
    """Fit a head as `fitted` was, on some training images alone, by their indices int64 (m,). Collective.

    An earlier job's head is returned as it is.
    """
    if fitted.earlier_kept:
        return fitted.head
    training = inputs.training.rows
    copies = [fitted.views.training(view)[rows] for view in fitted.kept]

    def fit() -> Stage:
        labels = training.labels[rows]
        head = linear_head.fit(
            np.asarray(training.inputs)[rows],
            labels,
            len(inputs.class_names),
            fitted.selection.strength,
            binary=inputs.values.binary_mode,
            sample_weights=inputs.sample_weights(labels),
            extra=copies,
        )
        return Stage({}, head.arrays)

    return linear_head.from_arrays(stage_store.from_chief(inputs.session, fit).arrays)


def _selected(inputs: Inputs, extra: Sequence[NDArray[np.float32]] = ()) -> Stage:
    started = time.monotonic()
    rows, values = inputs.training.rows, inputs.values
    copies = f", with {len(extra)} copies of each" if extra else ""
    log(f"Recipe: cross-validation of the head on {len(rows):,} images of {len(inputs.class_names)} classes{copies}")
    selection = cross_validation.select(
        np.asarray(rows.inputs),
        rows.labels,
        len(inputs.class_names),
        values.random_seed,
        binary=values.binary_mode,
        sample_weights=inputs.sample_weights(rows.labels),
        extra=extra,
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


def _enriched(inputs: Inputs, stages: StageStore, fitted: FittedHead) -> FittedHead:
    stage = stages.get(ENRICHMENTS)
    if not stage:
        if reason := _reason_against(inputs, fitted.selection):
            return replace(fitted, enrichments=EnrichmentRecord(reason))
        try:
            stage = stages.put(ENRICHMENTS, _tried(inputs, fitted))
        except JobStopped:
            return replace(fitted, enrichments=EnrichmentRecord(f"the job was stopped ({inputs.session.stop.reason})"))
    trials = tuple(Trial(**{**one, "view": View(one["view"])}) for one in stage.state["trials"])
    kept = tuple(one.view for one in trials if one.kept)
    selection = _selection(stage)
    record = EnrichmentRecord(
        copies=tuple(_record(one) for one in trials),
        strength=selection.strength,
        score=selection.score,
        seconds=stage.state["seconds"],
    )
    return replace(fitted, head=selection.head, selection=selection, kept=kept, enrichments=record)


def _record(one: Trial) -> CopiesRecord:
    return CopiesRecord(str(one.view), one.kept, one.images, one.agreement, one.gained, one.lost)


def _reason_against(inputs: Inputs, base: Selection) -> str | None:
    held_out = len(base.held_out)
    wrong = round((1 - base.score.accuracy) * held_out)
    if wrong < _FEWEST_WRONG:
        return f"{wrong} of {held_out:,} held-out images are wrong, too few to win by more than one standard error"
    if inputs.stop_requested():
        return f"the job was stopped ({inputs.session.stop.reason})"
    images = len(inputs.training.rows)
    if images > COPIED_IMAGES:
        return f"{images:,} training images are more than the {COPIED_IMAGES:,} up to which they are tried"
    # A pass over the training images for each view, and one over the validation images.
    needed = len(View) * (inputs.training.seconds + inputs.validation.seconds)
    left = inputs.session.stop.training_seconds()
    needed, left = inputs.session.cluster.gather_json([needed, left])[0]
    if needed > left:
        return f"their feature passes would take about {needed:.0f} s, and {max(left, 0):.0f} s are left"
    return None


def _tried(inputs: Inputs, fitted: FittedHead) -> Stage:
    started = time.monotonic()
    base, rows = fitted.selection, inputs.training.rows

    def select(extra: Sequence[NDArray[np.float32]]) -> Selection:
        return _selection(stage_store.from_chief(inputs.session, lambda: _selected(inputs, extra)))

    features, validation = np.asarray(rows.inputs), np.asarray(inputs.validation.rows.inputs)
    found = enrichments.enrich(base, Rows(features, rows.labels, validation), fitted.views, select)
    stage = _packed(found.selection, time.monotonic() - started)
    return Stage({**stage.state, "trials": [asdict(one) for one in found.trials]}, stage.arrays)

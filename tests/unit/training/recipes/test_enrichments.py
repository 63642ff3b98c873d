"""Which further copies of the images are kept."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pytest
from numpy.typing import NDArray

from image_classifier.heads import cross_validation
from image_classifier.heads.cross_validation import Selection
from image_classifier.training.recipes import enrichments
from image_classifier.training.recipes.enrichments import Enriched, Rows, Trial, View
from tests.support.feature_rows import FeatureSource

CLASSES = 3
SOURCE = FeatureSource(80, CLASSES, 0.3)
FEATURES, LABELS = SOURCE.draw(90)
VALIDATION, _ = SOURCE.draw(50, seed=2)


def others_of_the_same_class() -> NDArray[np.float32]:
    """Return fresh rows with the labels of this file: copies that tell as much as further images."""
    drawn, labels = SOURCE.draw(900, seed=3)
    unused = [list(np.flatnonzero(labels == label)) for label in range(CLASSES)]
    return drawn[[unused[label].pop() for label in LABELS]]


@dataclass
class Views:
    """Copies given as arrays; notes which were asked for."""

    flipped: NDArray[np.float32] = field(default_factory=lambda: FEATURES)
    flipped_validation: NDArray[np.float32] = field(default_factory=lambda: VALIDATION)
    cropped: NDArray[np.float32] = field(default_factory=lambda: FEATURES)
    asked: list[View] = field(default_factory=list)

    def training(self, view: View) -> NDArray[np.float32]:
        """Return the copies of the training rows."""
        self.asked.append(view)
        return self.flipped if view is View.FLIPPED else self.cropped

    def validation(self, view: View) -> NDArray[np.float32]:
        """Return the copies of the validation rows, which only flips need."""
        assert view is View.FLIPPED
        return self.flipped_validation


def select(extra: Sequence[NDArray[np.float32]] = ()) -> Selection:
    """Select on the rows of this file."""
    return cross_validation.select(FEATURES, LABELS, CLASSES, seed=0, extra=extra)


@pytest.fixture(scope="module")
def base() -> Selection:
    """The selection without copies."""
    return select()


def enrich(base: Selection, views: Views) -> Enriched:
    """Try the views."""
    return enrichments.enrich(base, Rows(FEATURES, LABELS, VALIDATION), views, select)


def test_copies_that_tell_more_are_kept(base: Selection) -> None:
    """Given flips as good as further images, and the same as crops -> flips kept; crops in addition to them are not."""
    fresh = others_of_the_same_class()
    found = enrich(base, Views(flipped=fresh, cropped=fresh))
    flip, crop = found.trials
    assert (flip.view, flip.kept, flip.agreement, flip.images) == (View.FLIPPED, True, 1.0, 90)
    assert (crop.view, crop.kept, crop.agreement) == (View.CROPPED, False, None)
    assert found.selection.score.accuracy > base.score.accuracy + 0.05
    assert np.array_equal(found.selection.head.kernel, select([fresh]).head.kernel)


def test_exact_copies_change_nothing_and_are_dropped(base: Selection) -> None:
    """Given copies equal to their images -> not kept, and the selection is the one without."""
    found = enrich(base, Views())
    assert [trial.kept for trial in found.trials] == [False, False]
    assert found.selection is base


def test_flips_of_other_meaning_are_not_tried(base: Selection) -> None:
    """Given a head that takes flipped images for others -> their training features are not even computed."""
    views = Views(flipped_validation=VALIDATION[::-1].copy())
    flip, _ = enrich(base, views).trials
    assert flip.agreement is not None
    assert flip.agreement < enrichments.LEAST_AGREEMENT
    assert (flip.gained, flip.kept) == (None, False)
    assert views.asked == [View.CROPPED]


@pytest.mark.parametrize(("gained", "lost", "kept"), [(10, 4, True), (8, 4, False), (1, 0, False), (3, 0, True)])
def test_lead_less_one_must_exceed_its_standard_error(gained: int, lost: int, kept: bool) -> None:
    """Given images gained and lost -> kept when gained - lost - 1 > √(gained + lost): 5 > √14, but not 3 > √12."""
    assert Trial(View.CROPPED, 100, gained=gained, lost=lost).kept is kept


def test_untried_copies_are_not_kept() -> None:
    """Given a view that was not tried -> not kept."""
    assert not Trial(View.FLIPPED, 100, agreement=0.5).kept

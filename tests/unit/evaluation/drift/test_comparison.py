"""Production compared with the baseline: silent without drift, loud with it, and with the sizes of what changed."""

import numpy as np
import pytest

from image_classifier.evaluation.drift import baseline, comparison, verdict
from image_classifier.evaluation.drift.baseline import Baseline
from image_classifier.evaluation.drift.comparison import Comparison, Thresholds, compare
from image_classifier.evaluation.drift.profile import Observations
from tests.unit.evaluation.drift import observed


@pytest.fixture(scope="module")
def known() -> Baseline:
    """The baseline of a job with 1,200 images."""
    random = np.random.default_rng(4)
    evidence = observed.evidence(random)
    splits = (evidence.judged, *evidence.others)
    return baseline.build(evidence, {one.name: observed.traits(random, len(one)) for one in splits})


def compared(known: Baseline, seen: Observations, seed: int = 0) -> Comparison:
    """Compare observations with a baseline."""
    return compare(known, seen.profile(known.class_names), seen.embeddings, seed=seed)


@pytest.mark.parametrize(("periods", "alarms"), [(5, 0), pytest.param(20, 1, marks=pytest.mark.every)])
def test_silent_on_periods_without_drift(known: Baseline, periods: int, alarms: int) -> None:
    """Given periods of 250 images each, drawn as the baseline was -> none of five alarms, at most one of 20."""
    random = np.random.default_rng(5)
    drifted = [compared(known, observed.production(random, 250), seed).drifted for seed in range(periods)]
    assert sum(map(bool, drifted)) <= alarms
    first = compared(known, observed.production(random, 250))
    assert first.is_conclusive
    names = {check.feature for check in first.checks}
    assert names == {
        *("brightness", "contrast", "sharpness", "colourfulness", "width", "aspect_ratio", "bytes", "confidence"),
        *("height", "format", "predicted_label", "embedding"),
    }


def test_loud_on_darker_images(known: Baseline) -> None:
    """Given brightness x 0.6 -> brightness and contrast have drifted, with both medians; sharpness has not."""
    found = compared(known, observed.production(np.random.default_rng(6), 250, darker=0.6))
    drifted = {check.feature: check for check in found.drifted}
    assert {"brightness", "contrast"} <= drifted.keys()
    assert not {"sharpness", "bytes", "predicted_label"} & drifted.keys()
    assert drifted["brightness"].effect > 1
    assert "baseline 0.4" in drifted["brightness"].detail
    assert found.checks[: len(drifted)] == found.drifted


def test_another_mix_of_classes_is_named_and_estimated(known: Baseline) -> None:
    """Given 70 % foxes instead of a third -> predictions have drifted, and the estimate corrects their errors."""
    found = compared(known, observed.production(np.random.default_rng(7), 400, shares=(0.15, 0.15, 0.7)))
    labels = next(check for check in found.drifted if check.feature == "predicted_label")
    assert labels.detail.startswith('"fox" ')
    assert found.label_shift is not None
    assert found.label_shift.classes[2].estimated == pytest.approx(0.7, abs=0.08)


def test_other_content_is_seen_in_the_embeddings_alone(known: Baseline) -> None:
    """Given features around another centre and the same traits -> the embedding has drifted and no trait has."""
    seen = observed.production(np.random.default_rng(8), 200)
    assert seen.embeddings is not None
    moved = Observations(seen.traits, seen.predicted, seen.confidence, seen.embeddings + np.float32(0.5))
    assert [check.feature for check in compared(known, moved).drifted] == ["embedding"]


def test_trifle_in_many_images_is_significant_and_no_alarm(known: Baseline) -> None:
    """Given 8,000 images that are 5 % darker -> significant, but too small to be drift; not so for a stricter limit."""
    seen = observed.production(np.random.default_rng(9), 8000, darker=0.95)
    profile = seen.profile(known.class_names)
    brightness = next(check for check in compare(known, profile).checks if check.feature == "brightness")
    assert brightness.significant
    assert not brightness.drifted
    strict = compare(known, profile, thresholds=Thresholds(psi=0.01))
    assert "brightness" in {check.feature for check in strict.drifted}


def test_few_images_are_not_compared(known: Baseline) -> None:
    """Given 29 images -> no checks, no alarm, and the reason."""
    found = compared(known, observed.production(np.random.default_rng(10), 29, darker=0.2))
    assert (found.checks, found.is_conclusive, found.drifted) == ((), False, ())
    assert found.left_out == {"everything": "29 images can be compared, and at least 30 are needed"}


def test_what_was_not_captured_is_left_out_with_its_reason(known: Baseline) -> None:
    """Given images without answers -> traits are compared; predictions, confidence and embeddings are left out."""
    seen = observed.production(np.random.default_rng(11), 100)
    blind = Observations(seen.traits, np.full(100, -1), np.full(100, np.nan, np.float32))
    found = compared(known, blind)
    assert {check.feature for check in found.checks} == {*comparison_traits(), "format"}
    assert found.left_out.keys() == {"confidence", "predicted_label", "embedding"}
    assert found.label_shift is None


def comparison_traits() -> set[str]:
    """Return the names of the scalars of an image."""
    return {"brightness", "contrast", "sharpness", "colourfulness", "width", "height", "aspect_ratio", "bytes"}


def test_embeddings_of_another_network_are_left_out(known: Baseline) -> None:
    """Given embeddings of another width -> left out with both widths, instead of an error."""
    seen = observed.production(np.random.default_rng(12), 100)
    other = Observations(seen.traits, seen.predicted, seen.confidence, np.zeros((100, 7), np.float32))
    assert "7 numbers, the baseline's 32" in compared(known, other).left_out[comparison.EMBEDDING]


def test_a_threshold_of_zero_calls_every_significant_change_drift(known: Baseline) -> None:
    """Given thresholds of 0, as constraints of Model Monitor may have -> significant features have drifted."""
    seen = observed.production(np.random.default_rng(13), 250, darker=0.9)
    found = compare(known, seen.profile(known.class_names), thresholds=Thresholds(psi=0, total_variation=0))
    assert {check.feature for check in found.drifted} == {check.feature for check in found.checks if check.significant}
    assert "brightness" in {check.feature for check in found.drifted}


def test_images_without_any_feature_are_no_reason_to_capture_more(known: Baseline) -> None:
    """Given 40 requests that can neither be decoded nor have an answer -> unknown, and what to check."""
    blind = Observations([None] * 40, np.full(40, -1), np.full(40, np.nan, np.float32))
    found = compared(known, blind)
    assert found.left_out["brightness"] == "no captured image has it, and at least 30 are needed"
    assert verdict.conclude(found).text == (
        "It is unknown whether production is different. None of 40 images has a feature to compare. Check that both "
        "requests and responses are captured, and that the images can be decoded."
    )


def test_features_of_few_images_are_left_out_with_their_number(known: Baseline) -> None:
    """Given 100 images, of which 99 have no answer -> predictions are left out, and one image is in the singular."""
    seen = observed.production(np.random.default_rng(14), 100)
    predicted, confidence = np.full(100, -1), np.full(100, np.nan, np.float32)
    predicted[0], confidence[0] = 1, 0.9
    found = compared(known, Observations(seen.traits, predicted, confidence))
    assert found.left_out["confidence"] == "1 captured image has it, and at least 30 are needed"

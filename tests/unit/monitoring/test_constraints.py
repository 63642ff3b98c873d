"""constraints.json and its violations: suggested ones, changed ones, and what each check finds."""

from typing import Any

import numpy as np
import pytest

from image_classifier.evaluation.drift.comparison import Comparison, Thresholds, compare
from image_classifier.evaluation.drift.profile import Distribution, Profile
from image_classifier.monitoring import constraints
from image_classifier.monitoring.constraints import Violation
from tests.support import monitored
from tests.unit.monitoring.validated import validate

BEFORE = monitored.known()
SUGGESTED = constraints.suggested(BEFORE.profile, BEFORE.class_names)
SILENT = Comparison(300, 300)


def violations(profile: Profile, comparison: Comparison = SILENT, given: Any = None) -> list[Violation]:
    """Return the violations of constraints, by default the suggested ones."""
    found = constraints.parse(SUGGESTED if given is None else given).violations(profile, comparison)
    validate(constraints.violations_json(found), "constraint_violations")
    return found


def changed(profile: Profile, **scalars: Distribution) -> Profile:
    """Return a profile with other scalars."""
    return Profile(profile.images, {**profile.scalars, **scalars}, profile.categories)


def test_suggested_constraints_follow_the_documented_schema() -> None:
    """Given a baseline -> valid constraints, which its own images do not violate."""
    validate(SUGGESTED, "constraints")
    assert violations(BEFORE.profile) == []


def test_missing_answers_are_violations() -> None:
    """Given half of the images without a confidence, or no captured answer at all -> completeness, missing column."""
    half = changed(BEFORE.profile, confidence=Distribution(np.linspace(0, 1, 150, dtype=np.float32), 150, 150))
    assert [(one.feature, one.check) for one in violations(half)] == [("confidence", "completeness_check")]
    blind = Profile(300, {}, BEFORE.profile.categories)
    assert {one.check for one in violations(blind)} == {"missing_column_check"}


def test_another_file_format_is_an_unknown_value() -> None:
    """Given 20 % WebP where the baseline has PNG alone -> an unknown value, named; 4 % are tolerated."""

    def with_webp(count: int) -> list[Violation]:
        formats = {"png": 300 - count, "webp": count}
        categories = {**BEFORE.profile.categories, "format": formats}
        return violations(Profile(300, BEFORE.profile.scalars, categories))

    (found,) = with_webp(60)
    assert (found.feature, found.check) == ("format", "categorical_values_check")
    assert "unknown: webp" in found.description
    assert with_webp(12) == []


def test_drift_is_a_violation_unless_comparison_is_disabled() -> None:
    """Given other brightness -> a violation with size and threshold; none with perform_comparison Disabled."""
    darker = changed(BEFORE.profile, brightness=Distribution(BEFORE.profile.scalars["brightness"].values * 0.6, 300))
    comparison = compare(BEFORE, darker)
    (found,) = violations(darker, comparison)
    assert (found.feature, found.check) == ("brightness", "baseline_drift_check")
    assert "the threshold is 0.20" in found.description
    config = SUGGESTED["monitoring_config"]
    off = {**config["distribution_constraints"], "perform_comparison": "Disabled"}
    for other in ({**config, "distribution_constraints": off}, {**config, "evaluate_constraints": "Disabled"}):
        assert violations(darker, comparison, {**SUGGESTED, "monitoring_config": other}) == []


@pytest.mark.parametrize(
    ("field", "name"), [("comparison_threshold", "psi"), ("categorical_comparison_threshold", "total_variation")]
)
def test_thresholds_are_the_users(field: str, name: str) -> None:
    """Given a changed threshold -> the comparison uses it; a file without a configuration has the defaults."""
    config = SUGGESTED["monitoring_config"]
    given = {**config, "distribution_constraints": {**config["distribution_constraints"], field: 0.4}}
    assert getattr(constraints.parse({**SUGGESTED, "monitoring_config": given}).thresholds, name) == 0.4
    assert constraints.parse({"features": []}).thresholds == Thresholds()

"""`constraints.json` of Model Monitor, and the violations of them.

Schemas: Amazon SageMaker developer guide, Schema for Constraints and Schema for Violations.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from image_classifier.contract import gate_files
from image_classifier.contract.errors import UserError
from image_classifier.contract.opt_ml import read_json
from image_classifier.evaluation.drift.comparison import DEFAULT, Check, Comparison, Thresholds
from image_classifier.evaluation.drift.profile import INTEGERS, Profile

FILE = gate_files.CONSTRAINTS
VIOLATION_FILES = ("constraints_violations.json", "constraint_violations.json")
"""The first is the container contract's name, the second the one that the SageMaker SDK reads. Both are written."""
LEAST_COMPLETENESS = 0.95
"""Share of images that must be decodable, and of answers that must be captured."""
_MOST_DOMAINS = 1000
_ENABLED = "Enabled"


@dataclass(frozen=True)
class Violation:
    """One violated constraint."""

    feature: str
    check: str
    """Such as `baseline_drift_check`, a word of the schema."""
    description: str


def suggested(profile: Profile, class_names: tuple[str, ...]) -> dict[str, Any]:
    """Return the content of `constraints.json` for a baseline."""
    features: list[dict[str, Any]] = [
        {
            "name": name,
            "inferred_type": "Integral" if name in INTEGERS else "Fractional",
            "completeness": LEAST_COMPLETENESS,
            "num_constraints": {"is_non_negative": True},
        }
        for name in profile.scalars
    ]
    for name, counts in profile.categories.items():
        domains = list(dict.fromkeys((*counts, *(class_names if name == "predicted_label" else ()))))
        feature = {"name": name, "inferred_type": "String", "completeness": LEAST_COMPLETENESS}
        if len(domains) <= _MOST_DOMAINS:
            feature |= {"string_constraints": {"domains": domains}}
        features.append(feature)
    return {"version": 0.0, "features": features, "monitoring_config": _monitoring_config()}


def _monitoring_config() -> dict[str, Any]:
    return {
        "evaluate_constraints": _ENABLED,
        "emit_metrics": _ENABLED,
        "datatype_check_threshold": 1.0,
        "domain_content_threshold": 0.95,
        "distribution_constraints": {
            "perform_comparison": _ENABLED,
            "comparison_threshold": DEFAULT.psi,
            "comparison_method": "Robust",
            "categorical_comparison_threshold": DEFAULT.total_variation,
            "categorical_drift_method": "ChiSquared",
        },
    }


@dataclass(frozen=True)
class Constraints:
    """Parsed constraints."""

    completeness: Mapping[str, float]
    domains: Mapping[str, frozenset[str]]
    domain_content: float
    """Share of values that must be in the domain."""
    evaluated: bool
    compared: bool
    """Whether distributions are compared."""
    emits_metrics: bool
    thresholds: Thresholds

    def violations(self, profile: Profile, comparison: Comparison) -> list[Violation]:
        """Return what a profile and its comparison with the baseline violate."""
        if not self.evaluated:
            return []
        found = [one for name, least in self.completeness.items() if (one := _incomplete(profile, name, least))]
        for name, domain in self.domains.items():
            counts = profile.categories.get(name, {})
            known = sum(count for value, count in counts.items() if value in domain)
            if counts and known / sum(counts.values()) < self.domain_content:
                unknown = ", ".join(sorted(set(counts) - domain)[:5])
                share = f"{known / sum(counts.values()):.1%} of the values are known"
                text = f"{share}, the threshold is {self.domain_content:.1%}; unknown: {unknown}"
                found.append(Violation(name, "categorical_values_check", text))
        return found + [_drift(check) for check in comparison.drifted if self.compared]


def _incomplete(profile: Profile, name: str, least: float) -> Violation | None:
    if name in profile.scalars:
        share = profile.scalars[name].total / profile.images
    elif name in profile.categories:
        share = sum(profile.categories[name].values()) / profile.images
    else:
        return Violation(name, "missing_column_check", "no captured request has it")
    if share >= least:
        return None
    return Violation(name, "completeness_check", f"{share:.1%} of the images have it, the threshold is {least:.1%}")


def _drift(check: Check) -> Violation:
    size = f"{check.effect:.2f}, the threshold is {check.threshold:.2f}"
    return Violation(
        check.feature,
        "baseline_drift_check",
        f"The {check.kind.value} is {size}; {check.test.value} p = {check.p_value:.2g}; {check.detail}",
    )


def violations_json(found: list[Violation]) -> dict[str, Any]:
    """Return the content of the violations file."""
    return {
        "violations": [
            {"feature_name": one.feature, "constraint_check_type": one.check, "description": one.description}
            for one in found
        ]
    }


def read(path: Path) -> Constraints:
    """Read a `constraints.json`, or the one in a folder.

    Raises:
        UserError: The file is missing, is not JSON, or has another form.
    """
    path = path / FILE if path.is_dir() else path
    if not path.is_file():
        raise UserError(f"The baseline constraints {path} do not exist. Give the {FILE} of a baseline job.")
    try:
        return parse(read_json(path, "the constraints of a baseline job"))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UserError(f"{path} is not a {FILE}: {error!r}. Run a baseline job again, or repair it.") from error


def parse(found: Any) -> Constraints:
    """Parse the content of a `constraints.json`."""
    config = found.get("monitoring_config") or {}
    distribution = config.get("distribution_constraints") or {}
    features = found["features"]
    return Constraints(
        completeness={str(one["name"]): float(one.get("completeness", 0)) for one in features},
        domains={
            str(one["name"]): frozenset(map(str, one["string_constraints"]["domains"]))
            for one in features
            if one.get("string_constraints")
        },
        domain_content=float(config.get("domain_content_threshold", 0.95)),
        evaluated=config.get("evaluate_constraints", _ENABLED) == _ENABLED,
        compared=distribution.get("perform_comparison", _ENABLED) == _ENABLED,
        emits_metrics=config.get("emit_metrics", _ENABLED) == _ENABLED,
        thresholds=Thresholds(
            psi=float(distribution.get("comparison_threshold", DEFAULT.psi)),
            total_variation=float(distribution.get("categorical_comparison_threshold", DEFAULT.total_variation)),
        ),
    )

"""Drift as CloudWatch metrics: in the log (embedded metric format), and as Model Monitor's lines in a file."""

import json
from collections.abc import Sequence
from datetime import UTC
from typing import Any

from image_classifier.contract.drift_metrics import DRIFTED_FEATURES, NAMESPACE
from image_classifier.monitoring.analysis import Analysis
from image_classifier.monitoring.constraints import Violation

_MOST_METRICS = 100
"""Of one metric directive (CloudWatch, Specification: embedded metric format)."""


def embedded(analysis: Analysis, violations: Sequence[Violation]) -> str:
    """Return one line of the log, from which CloudWatch extracts metrics.

    `drifted_features` is the one to alarm on; `effect_<feature>` has the size of each change. An inconclusive run,
    with too few images, has no `drifted_features`, so that an alarm sees missing data instead of a good value. The
    job's name is a property of the line and no dimension: with it every job would have metrics of its own.
    """
    comparison, dimensions = analysis.comparison, analysis.names
    values: dict[str, float] = {"images": comparison.images, "violations": len(violations)}
    if comparison.is_conclusive:
        values[DRIFTED_FEATURES] = len(comparison.drifted)
        values |= {f"effect_{check.feature}": round(check.effect, 6) for check in comparison.checks}
    names = list(values)[:_MOST_METRICS]
    counted = {"images", "violations", DRIFTED_FEATURES}
    directive = {
        "Namespace": NAMESPACE,
        "Dimensions": [list(dimensions)],
        "Metrics": [{"Name": name, "Unit": "Count" if name in counted else "None"} for name in names],
    }
    return json.dumps(
        {
            "_aws": {"Timestamp": int(analysis.time.timestamp() * 1000), "CloudWatchMetrics": [directive]},
            "job": analysis.job,
            **dimensions,
            **values,
        }
    )


def lines(analysis: Analysis) -> list[dict[str, Any]]:
    """Return the lines of Model Monitor's metrics file, named as by its own container."""
    named = [{"Name": name, "Value": value} for name, value in analysis.names.items()]
    values = {f"feature_baseline_drift_{check.feature}": check.effect for check in analysis.comparison.checks}
    for name, column in analysis.profile.scalars.items():
        values[f"feature_non_null_{name}"] = column.total
        values[f"feature_null_{name}"] = column.missing
    stamp = analysis.time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return [
        {"MetricName": name, "Timestamp": stamp, "Dimensions": named, "Value": float(value)}
        for name, value in values.items()
    ]
